"""Optimizers and running averages from a config, as a game needs them."""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

from gan_jax import game as game_lib


@functools.cache
def available() -> Mapping[str, Callable[..., optax.GradientTransformation]]:
    """optax's optimizers by name: its functions that cannot do without a learning rate."""
    return {
        name: value
        for name, value in vars(optax).items()
        if inspect.isfunction(value) and not name.startswith(('_', 'scale_by'))
        for rate in [inspect.signature(value).parameters.get('learning_rate')]
        if rate is not None and rate.default is inspect.Parameter.empty
    }


@functools.cache
def schedules() -> Mapping[str, Callable[..., optax.Schedule]]:
    """optax's learning rate schedules by name."""
    return {
        name: value
        for name, value in vars(optax).items()
        if inspect.isfunction(value)
        and name.endswith(('_schedule', '_decay'))
        and not name.startswith('scale_by')
    }


def weight_clipping(bound: float) -> optax.GradientTransformation:
    """Keeps every parameter within [-bound, bound]; the last of a chain.

    u becomes clip(theta + u, -bound, bound) - theta. A crude way to a Lipschitz critic.

    Source: Wasserstein GAN (Arjovsky et al., 2017), algorithm 1, where the bound is 0.01.

    Args:
      bound: c > 0, in the units of the parameters.
    """

    def update(updates, state, params=None):
        if params is None:
            raise ValueError('weights can be clipped only if update is given the params')
        moved = jax.tree.map(lambda u, p: jnp.clip(p + u, -bound, bound) - p, updates, params)
        return moved, state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def lazy_correction(turns: Sequence[game_lib.Turn], player: str) -> float:
    """c, the share of a player's updates that are not lazy.

    Turns say themselves whether they are lazy. A player whose loss is played at every step and
    whose penalty at every k-th has k + 1 updates for k; with c = k / (k + 1) its optimizer moves as
    far as if there were k.

    Source: Analyzing and Improving the Image Quality of StyleGAN (Karras et al., 2020), appendix B.

    Args:
      turns: of a game; one that is not lazy moves the player.
      player: its name.
    """
    own = [turn for turn in turns if player in turn.players]
    often = max(1 / turn.every for turn in own if not turn.lazy)
    return often / (often + sum(1 / turn.every for turn in own if turn.lazy))


def updates(turns: Sequence[game_lib.Turn], player: str, steps: int) -> int:
    """How often a player is updated in so many steps, lazy turns among them.

    Args:
      turns: of a game.
      player: its name.
      steps: those of the run.
    """
    own = [turn for turn in turns if player in turn.players]
    ends = [steps if turn.stop is None else min(turn.stop, steps) for turn in own]
    return sum(
        max(0, end // turn.every - turn.start // turn.every)
        for turn, end in zip(own, ends, strict=True)
    )


def ended(schedule: optax.Schedule, num: int) -> tuple[int, float] | None:
    """Where a schedule has come to its end before the run has, below what it was before.

    Args:
      schedule: update (from 0) -> rate.
      num: how many updates the run has.

    Returns:
      (update, rate): from about this one, to a thousandth of the run, on it stays at this rate;
      None if it moves until the last hundredth of the run, never falls, or is constant.
    """
    if num < 1:
        return None
    counts = np.unique(np.linspace(0, num - 1, min(num, 1001)).astype(np.int32))
    rates = np.asarray(jax.vmap(schedule)(jnp.asarray(counts)))
    moving = np.flatnonzero(rates != rates[-1])
    if not len(moving) or moving[-1] + 2 >= len(rates) or rates[-1] >= rates.max():
        return None
    first = int(counts[moving[-1] + 1])
    return (first, float(rates[-1])) if first < 0.99 * num else None


def make(
    optimizer: Callable[..., optax.GradientTransformation],
    correction: float = 1.0,
    clip_norm: float | None = None,
    clip_weights: float | None = None,
    **kwargs: Any,
) -> optax.GradientTransformation:
    """An optimizer, corrected for lazy regularisation.

    With the correction c the learning rate is multiplied by c and the decay rates b1 and b2 are
    raised to the power c.

    Args:
      optimizer: makes it of its own arguments, as optax.adam does.
      correction: c, see `lazy_correction`.
      clip_norm: the bound on the gradients' global norm.
      clip_weights: the bound on each parameter.
      **kwargs: the optimizer's own arguments.
    """
    defaults = inspect.signature(optimizer).parameters
    if correction != 1.0:
        kwargs['learning_rate'] = _times(kwargs['learning_rate'], correction)
        for rate in ('b1', 'b2'):
            if rate in defaults:
                kwargs[rate] = kwargs.get(rate, defaults[rate].default) ** correction
    chain = [optimizer(**kwargs)]
    if clip_norm is not None:
        chain.insert(0, optax.clip_by_global_norm(clip_norm))
    if clip_weights is not None:
        chain.append(weight_clipping(clip_weights))
    return optax.chain(*chain) if len(chain) > 1 else chain[0]


def _times(learning_rate: float | optax.Schedule, factor: float) -> float | optax.Schedule:
    if callable(learning_rate):
        return lambda count: factor * learning_rate(count)
    return learning_rate * factor


def ema_decay(
    batch_size: int, half_life: float, ramp_up: float | None = 0.05
) -> Callable[[chex.Array], chex.Array]:
    """The decay of a running average with a half-life counted in examples.

    0.5^(batch_size / min(half_life, ramp_up * examples seen)): the ramp keeps the first, poor
    parameters from lasting.

    Source: Training Generative Adversarial Networks with Limited Data (Karras et al., 2020), code.

    Args:
      batch_size: examples per step.
      half_life: examples after which a set of parameters weighs half; 0 for no memory.
      ramp_up: the half-life's bound as a share of the examples seen; None for no bound.

    Returns:
      step (from 1) -> decay in [0, 1), float32.
    """

    def decay(step: chex.Array) -> chex.Array:
        life = jnp.float32(half_life)
        if ramp_up is not None:
            life = jnp.minimum(life, ramp_up * batch_size * step.astype(jnp.float32))
        return jnp.where(life > 0, 0.5 ** (batch_size / jnp.maximum(life, 1e-8)), 0.0)

    return decay
