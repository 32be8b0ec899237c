"""The adversary that a config describes: objective, penalties, cures, augmentation."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp

from gan_jax import augment, objectives, stabilization
from gan_jax import penalties as penalties_lib
from gan_jax.config.bounds import check_number
from gan_jax.config.checks import (
    Kind,
    arguments,
    check_arguments,
    check_keys,
    check_options,
    fitting,
    functions,
    named,
    part,
)
from gan_jax.errors import UserError
from gan_jax.games import augmentations
from gan_jax.games.adversary import Adversary, Augmentation, Penalty
from gan_jax.runtime import own, parallel

# What is known once the data are: 'shape', 'dtype' and a modality's fields such as 'classes'.
BuiltIn = Mapping[str, Any]
Later = Callable[[BuiltIn], Any]

# What a game gives a penalty, by the names of its arguments.
GIVEN = ('critic', 'real', 'fake', 'rng', 'anchors')
ANCHORS_DECAY = 0.99
OF_AUGMENTATION = ('batch_size', 'channels')  # what an augmentation is given, by these names


def _is_objective(value: Any) -> bool:
    return isinstance(value, objectives.Objective)


def _objective(what: str, value: Any, axis_name: str | None) -> objectives.Objective:
    kind = Kind(
        {k: v for k, v in vars(objectives).items() if _is_objective(v)},
        _is_objective,
        f'an instance of {objectives.__name__}.{objectives.Objective.__name__}',
    )
    if isinstance(value, Mapping):
        objective, options = named(what, value, kind)
    else:
        objective, options = part(what, value, kind), {}
    known = objective.options()
    check_keys(what, options, [name for name in known if name != 'axis_name'])
    for name, number in options.items():
        check_number(f'{what}.{name}', number, float)
    for side in objective.partial(**options):
        fitting(what, functools.partial(side, jnp.zeros(2), jnp.zeros(2)))
    built_in = {'axis_name': axis_name} if 'axis_name' in known else {}
    return objective.partial(**built_in, **options)


def _penalty(name: str, settings: Any, axis_name: str | None) -> Penalty:
    what = f'config.penalties.{name}'
    if own.named(name):
        called = name.rpartition(':')[2]
        raise UserError(
            f'{what}: give it a name for the log, as in config.penalties.{called}='
            f"{{'name': {name!r}, 'weight': 1.0}}"
        )
    if not isinstance(settings, Mapping):
        raise UserError(f"{what}={settings!r} must be a dict such as {{'weight': 5.0}}")
    where, chosen = (
        (f'{what}.name', settings['name']) if 'name' in settings else ('config.penalties', name)
    )
    function = part(where, chosen, functions(penalties_lib, 'critic'))
    known = arguments(function)
    ours = {'name', 'weight', 'every'} | ({'decay'} if 'anchors' in known else set())
    ours |= {'transform'} & set(known)
    options = {key: value for key, value in settings.items() if key not in ours}
    check_keys(what, settings, ours | {key for key in known if key not in (*GIVEN, 'axis_name')})
    check_number(f'{what}.weight', settings.get('weight'), float, 0)
    check_number(f'{what}.every', settings.get('every', 1), int, 1)
    check_options(what, function, options)
    if 'transform' in known:
        if not isinstance(settings.get('transform'), Mapping):
            raise UserError(
                f"{what}.transform must be a dict of augmentations such as {{'translation': 0.1}}"
            )
        for key, strength in settings['transform'].items():
            if not isinstance(strength, bool):
                check_number(f'{what}.transform.{key}', strength, float, 0)
        compose = functools.partial(augment.compose, settings['transform'])
        options['transform'] = fitting(f'{what}.transform', compose)
    if 'axis_name' in known:
        options['axis_name'] = axis_name
    decay = None
    if 'anchors' in known:
        decay = settings.get('decay', ANCHORS_DECAY)
        check_number(f'{what}.decay', decay, float, 0, 1)

    def penalty(critic, *given):
        taken = dict(zip(GIVEN, (critic, *given), strict=True))
        return function(**{key: taken[key] for key in GIVEN if key in known}, **options)

    return Penalty(name, penalty, settings['weight'], settings.get('every', 1), decay)


def adversary(
    objective: Any,
    penalties: Any,
    cures: Mapping[str, Any],
    axis_name: str | None = parallel.AXIS,
) -> Adversary:
    """The adversary that the config's keys of these names describe, yet without augmentation.

    Raises:
      UserError: if a name or an argument is unknown, or a value none of its kind.
    """
    if not isinstance(penalties, Mapping):
        raise UserError(f'config.penalties={penalties!r} must be a dict, {{}} for none')
    noise = top_k = None
    if cures['instance_noise']:
        start, steps = cures['instance_noise'], cures['instance_noise_steps']
        noise = functools.partial(
            stabilization.linear, start=start, end=0.0 if steps else start, steps=steps
        )
    if cures['top_k'] < 1:
        top_k = functools.partial(
            stabilization.linear, start=1.0, end=cures['top_k'], steps=cures['top_k_steps']
        )
    return Adversary(
        _objective('config.objective', objective, axis_name),
        tuple(_penalty(name, value, axis_name) for name, value in penalties.items()),
        packing=cures['packing'],
        noise=noise,
        top_k=top_k,
        flipping=cures['label_flipping'],
        axis_name=axis_name,
    )


def augmentation(what: str, value: Any, batch_size: int) -> Later:
    """The resolver of what a discriminator is shown."""
    if not value:
        return lambda built_in: None
    function, kwargs = named(what, value, functions(augmentations, *OF_AUGMENTATION))
    check_arguments(what, function, kwargs, OF_AUGMENTATION)
    check_options(what, function, kwargs, 0)
    fitting(what, functools.partial(function, batch_size=batch_size, channels=1, **kwargs))

    def build(built_in: BuiltIn) -> Augmentation:
        channels = built_in['shape'][-1] if built_in['shape'] else 1
        return function(batch_size=batch_size, channels=channels, **kwargs)

    return build
