"""Optimizers and learning rates as a config says them: checked, and built."""

import functools
import inspect
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from gan_jax import optimizers
from gan_jax.config.bounds import OF_OPTAX, check_value, optional, real, switch, table, whole
from gan_jax.config.checks import Kind, arguments, check_arguments, fitting, gives, named, takes
from gan_jax.errors import UserError

RATE = 'learning_rate'
SHARES = 'of_steps'  # whether a schedule's numbers of steps are shares of the run
STEPS, BOUNDARIES = '_steps', 'boundaries_and_scales'
MAY_BE_0 = ('transition_begin', 'warmup_steps')
OPTIMIZERS = Kind(
    optimizers.available(),
    lambda function: takes(function, RATE),
    f'a function of a {RATE} that returns an optax.GradientTransformation',
)
SCHEDULES = Kind(
    optimizers.schedules(),
    lambda function: gives(function, optax.Schedule),
    'a function that is annotated to return an optax.Schedule',
)


def schedule(what: str, value: Mapping[str, Any], updates: int) -> optax.Schedule:
    """A schedule of optax's by name.

    With {'of_steps': True} every number of steps that it takes is a share of the run: 1.0 is the
    last update of its player, 0.5 the middle one. An optimizer counts the updates of its player.

    Args:
      what: the key.
      value: {'name': ..., **arguments}.
      updates: how often its player is updated in the run.

    Raises:
      UserError: if a name or an argument is unknown, missing or out of its bounds.
    """
    function, kwargs = named(what, value, SCHEDULES)
    shares = kwargs.pop(SHARES, False)
    switch(f'{what}.{SHARES}', shares)
    check_arguments(what, function, kwargs)

    if shares and not any(_counts(x) or x == BOUNDARIES for x in arguments(function)):
        raise UserError(f'{what}.{SHARES}: {value["name"]} takes no numbers of steps; leave it out')

    def count(key: str, steps: Any, least: int) -> int:
        if not shares:
            whole(least)(key, steps)
            return steps
        real(0, 1e6, above=least > 0)(key, steps)
        return max(least, round(steps * updates))

    for name, given in kwargs.items():
        key = f'{what}.{name}'
        if _counts(name):
            kwargs[name] = count(key, given, int(name not in MAY_BE_0))
        elif name == BOUNDARIES:
            table(key, given)
            kwargs[name] = {}
            for place, scale in given.items():  # JSON makes texts of these places
                real()(f'{key}[{place!r}]', scale)
                step = fitting(key, functools.partial(float if shares else int, place))
                update = count(key, step, 0)
                kwargs[name][update] = scale * kwargs[name].get(update, 1)
        else:
            _check_option(key, given, arguments(function)[name])
    made = fitting(what, lambda: function(**kwargs))
    with jax.numpy_dtype_promotion('standard'), jax.numpy_rank_promotion('allow'):
        ends = fitting(what, lambda: [float(made(jnp.int32(x))) for x in (0, updates)])
    for rate in ends:
        real()(f'{what}, which begins or ends as {rate},', rate)
    return made


def as_begun(new: Any, old: Any) -> Any:
    """A config with the numbers of steps that a run was begun with where it says shares now.

    Args:
      new: the config.
      old: that of the run, perhaps of a version that had no shares.
    """
    if not (isinstance(new, Mapping) and isinstance(old, Mapping)):
        return new
    if new.get(SHARES) is True and SHARES not in old:
        kept = {key: old.get(key, x) if _counts(key) else x for key, x in new.items()}
        return {key: x for key, x in kept.items() if key != SHARES}
    return {key: as_begun(x, old.get(key)) for key, x in new.items()}


def _counts(name: str) -> bool:
    return name.endswith(STEPS) or name in MAY_BE_0


def _check_option(key: str, value: Any, parameter: inspect.Parameter) -> None:
    check = OF_OPTAX.get(parameter.name)
    if check is None:
        check_value(key, value, parameter)
    else:
        (optional(check) if parameter.default is None else check)(key, value)


def learning_rate(what: str, value: Any, updates: int) -> float | optax.Schedule:
    """A number, or a schedule."""
    if isinstance(value, Mapping):
        return schedule(what, value, updates)
    real()(what, value)
    return value


def optimizer(
    what: str, value: Any, correction: float, updates: int
) -> optax.GradientTransformation:
    """An optimizer of optax's by name.

    Args:
      what: the key.
      value: {'name': ..., **arguments}.
      correction: see `optimizers.lazy_correction`.
      updates: how often its player is updated in the run.

    Raises:
      UserError: if a name or an argument is unknown, missing or out of its bounds, or the
        optimizer needs more than gradients.
    """
    function, kwargs = named(what, value, OPTIMIZERS)
    bounds = {key: kwargs.pop(key, None) for key in ('clip_norm', 'clip_weights')}
    for key, bound in bounds.items():
        optional(real())(f'{what}.{key}', bound)
    check_arguments(what, function, kwargs)
    if RATE not in kwargs:  # one's own optimizer may have a default
        raise UserError(f'{what}.{RATE} is missing')
    rate = learning_rate(f'{what}.{RATE}', kwargs.pop(RATE), updates)
    for name, given in kwargs.items():
        _check_option(f'{what}.{name}', given, arguments(function)[name])

    def move(params: Any) -> Any:
        return made.update(params, made.init(params), params)

    with jax.numpy_dtype_promotion('standard'), jax.numpy_rank_promotion('allow'):
        made = fitting(
            what,
            lambda: optimizers.make(function, correction, **bounds, learning_rate=rate, **kwargs),
        )
        example = {'kernel': jnp.zeros((2, 2)), 'bias': jnp.zeros(2)}
        fitting(what, lambda: jax.eval_shape(move, example), 'it is given gradients only')
    return made


def spent(what: str, value: Any, updates: int) -> str | None:
    """What to warn of if a schedule is over before the run is.

    Only of those that say how many steps they take, not in shares, and end below their highest
    rate.
    """
    numbers = isinstance(value, Mapping) and not value.get(SHARES)
    if not numbers or not any(name.endswith(STEPS) for name in value):
        return None
    with jax.numpy_dtype_promotion('standard'), jax.numpy_rank_promotion('allow'):
        end = optimizers.ended(schedule(what, value, updates), updates)
    if end is None:
        return None
    update, rate = end
    learned = 'nothing is learned from there on' if rate == 0 else f'it stays {rate:.3g}'
    return (
        f'{what} has come to its end, {rate:.3g}, after about {update} of {updates} updates: '
        f'{learned}; with {SHARES}=True its numbers of steps are shares of the run, 1.0 all of it'
    )


def check_average(what: str, settings: Any) -> None:
    """Raises UserError unless a running average can be had of these settings."""
    if not isinstance(settings, Mapping):
        raise UserError(f'{what}={settings!r} must be a dict with a half_life')
    check_arguments(what, optimizers.ema_decay, settings, ('batch_size',))
    for name, value in settings.items():
        check_value(f'{what}.{name}', value, arguments(optimizers.ema_decay)[name], 0)
