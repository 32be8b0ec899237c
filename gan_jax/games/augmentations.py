"""Augmentations of all that a discriminator is shown, as an adversary holds them."""

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp

from gan_jax.augment import ada as ada_lib
from gan_jax.augment import basic
from gan_jax.augment import diffaugment as diffaugment_lib
from gan_jax.games.adversary import Augmentation
from gan_jax.runtime import parallel


def _nothing(*_: Any) -> dict[str, chex.Array]:
    return {}


def _each(channels: int, change: Callable[..., chex.Array]) -> Callable[..., Any]:
    """(keys, examples, ...) -> examples, all images of an example changed alike.

    A discriminator may be shown several images behind one another, a source and its translation,
    or a tree of them. What of a source is no image, a mask or a sketch beside colours, is changed
    as grey images are.
    """

    def one(images: chex.Array, rng: chex.PRNGKey, *more: Any) -> chex.Array:
        parts = jnp.split(images, _ends(images.shape[-1], channels), -1)
        return jnp.concatenate([change(rng, part, *more) for part in parts], -1)

    def apply(rng: chex.PRNGKey, examples: Any, *more: Any) -> Any:
        return jax.tree.map(lambda x: one(x, rng, *more), examples)

    return apply


def _ends(total: int, channels: int) -> list[int]:
    """Where images end, in the channels of a source and of the image that stands last."""
    whole, rest = divmod(total - channels, channels)
    sizes = [*[channels] * whole, *[1] * rest]
    return list(itertools.accumulate(sizes))


def diffaugment(
    *, batch_size: int, channels: int, policy: Sequence[str] = ('color', 'translation', 'cutout')
) -> Augmentation:
    """Differentiable augmentation, always and of every example; it keeps nothing.

    Source: Differentiable Augmentation for Data-Efficient GAN Training (Zhao et al., 2020).

    Args:
      batch_size: not used.
      channels: of an image.
      policy: some of 'color', 'translation', 'cutout'.

    Raises:
      ValueError: if a name is unknown, or there is none.
    """
    del batch_size
    change = diffaugment_lib.compose(policy)
    return Augmentation(_nothing, _each(channels, lambda rng, x, _: change(rng, x)), _nothing)


def affine(
    *,
    batch_size: int,
    channels: int,
    rotation: float = 15.0,
    shear: float = 0.3,
    scaling: float = 0.2,
    translation: float = 0.05,
) -> Augmentation:
    """Small affine maps, always and of every example; it keeps nothing.

    What is read off of images must be what such maps leave alone, as in Learning Discrete
    Representations via Information Maximizing Self-Augmented Training (Hu et al., 2017). See
    `augment.affine`.

    Args:
      batch_size: not used.
      channels: of an image.
      rotation: degrees.
      shear: columns a row.
      scaling: of either side.
      translation: of the image's height and width.

    Raises:
      ValueError: if a strength is out of its range.
    """
    del batch_size
    strengths = ('rotation', rotation), ('shear', shear), ('scaling', scaling)
    for name, strength in (*strengths, ('translation', translation)):
        basic.check_strength(name, strength)

    def change(rng: chex.PRNGKey, images: chex.Array, _: Any) -> chex.Array:
        return basic.affine(
            rng, images, rotation=rotation, shear=shear, scaling=scaling, translation=translation
        )

    return Augmentation(_nothing, _each(channels, change), _nothing)


def ada(
    *,
    batch_size: int,
    channels: int,
    pipeline: str = 'bgc',
    target: float = 0.6,
    interval: int = 4,
    images: int = 500_000,
    start: float = 0.0,
) -> Augmentation:
    """Adaptive augmentation: with probability p, which follows the signs of real images' logits.

    Source: Training Generative Adversarial Networks with Limited Data (Karras et al., 2020). See
    `augment.ada.make` and `augment.ada.Rate`.

    Args:
      batch_size: real images in an update, over all devices.
      channels: of an image.
      pipeline: groups of transformations, by their letters.
      target: of E[sign D(real)]; with a target of 1 or more p stays what it is at first.
      interval: updates between two moves of p.
      images: so many real images take p from 0 to 1.
      start: p at first.

    Raises:
      ValueError: if the pipeline has an unknown letter, or p cannot move or begin so.
    """
    if interval < 1 or images < 1:
        raise ValueError(f'interval={interval} and images={images} must be at least 1')
    if not 0 <= start <= 1:
        raise ValueError(f'start={start} is a probability, from 0 to 1')
    change, rate = ada_lib.make(pipeline), ada_lib.Rate(target, interval, images, start)
    each = _each(channels, change)
    now = functools.partial(rate.p, batch=batch_size)

    def apply(rng: chex.PRNGKey, examples: Any, state: Any) -> Any:
        return each(rng, examples, jax.lax.stop_gradient(now(state)))

    def update(state: Any, logits: chex.Array, axis_name: str | None) -> Any:
        sign = parallel.mean(jnp.mean(jnp.sign(logits)), axis_name)
        return rate.update(state, sign, batch_size)

    return Augmentation(rate.init, apply, update, lambda state: {'augmentation_p': now(state)})
