"""Adaptive augmentation of all that a discriminator is shown: the transformations, and their rate.

Source: Training Generative Adversarial Networks with Limited Data (Karras et al., 2020), section 3
and appendix B. Each transformation is applied to an image with probability p, independently of the
others, and p follows how surely the discriminator tells training images apart (`Rate`).

Images are floats [n, h, w, c] around [-1, 1], of 1 or 3 channels, `rng` is one key or keys [n]. All
is differentiable, to any order, and of static shape. Points are (x, y): columns, then rows, from
the image's centre.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax import keys
from gan_jax.augment import resampling

# What the letters of a pipeline's name stand for.
BLIT = ('flip', 'quarter_turn', 'integer_translation')
GEOMETRY = ('scale', 'rotation', 'anisotropy', 'translation')
COLOUR = ('brightness', 'contrast', 'luma_flip', 'hue', 'saturation')
LETTERS = {
    'b': BLIT, 'g': GEOMETRY, 'c': COLOUR, 'f': ('filter',), 'n': ('noise',), 'o': ('cutout',)
}  # fmt: skip

# Standard deviations and bounds of what is drawn.
SHIFT, SCALE, MOVE = 0.125, 0.2, 0.125
BRIGHTNESS, CONTRAST, SATURATION = 0.2, 0.5, 1.0
GAIN, NOISE, HOLE = 1.0, 0.1, 0.5
POWER = np.array([10.0, 1.0, 1.0, 1.0]) / 13  # of natural images in the four bands
GREY_AXIS = np.array([1.0, 1.0, 1.0, 0.0]) / math.sqrt(3)


# ---- What is drawn ----------------------------------------------------------------------------


def _matrix(rows: Sequence[Sequence[Any]]) -> jax.Array:
    """A matrix for each example, of entries that are numbers or arrays [n]."""
    filled = jnp.broadcast_arrays(*(jnp.asarray(x, jnp.float32) for row in rows for x in row))
    return jnp.stack(filled, -1).reshape(*filled[0].shape, len(rows), len(rows[0]))


def _scaling(x: Any, y: Any) -> jax.Array:
    return _matrix([[x, 0, 0], [0, y, 0], [0, 0, 1]])


def _shift(x: Any, y: Any) -> jax.Array:
    return _matrix([[1, 0, x], [0, 1, y], [0, 0, 1]])


def _turn(angle: jax.Array) -> jax.Array:
    """By an angle, from x to y: clockwise as images are shown."""
    sin, cos = jnp.sin(angle), jnp.cos(angle)
    return _matrix([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])


def _product(*matrices: jax.Array) -> jax.Array:
    return functools.reduce(
        functools.partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST), matrices
    )


class _Draws(NamedTuple):
    """What is drawn for each example: by name, so that one draw does not change another.

    Attributes:
      rngs: keys [n].
      p: the probability of each transformation.
      chosen: the names of those that are in use.
    """

    rngs: jax.Array
    p: jax.Array
    chosen: tuple[str, ...]

    def normal(self, name: str, shape: tuple[int, ...] = ()) -> jax.Array:
        return jax.vmap(lambda key: jax.random.normal(key, shape))(keys.of_name(self.rngs, name))

    def uniform(self, name: str, low: float = 0.0, high: float = 1.0) -> jax.Array:
        return jax.vmap(lambda key: jax.random.uniform(key, (), minval=low, maxval=high))(
            keys.of_name(self.rngs, name)
        )

    def some(
        self, name: str, value: jax.Array, neutral: float, p: Any = None, which: str = ''
    ) -> jax.Array:
        """The value with probability p, else what changes nothing, [n, ...]."""
        lot = self.uniform(f'{name}{which} or not')
        happens = lot < (self.p if p is None else p) if name in self.chosen else lot < 0
        return jnp.where(happens.reshape(-1, *(1,) * (value.ndim - 1)), value, neutral)


def _blitted(draws: _Draws, images: jax.Array) -> jax.Array:
    _, height, width, _ = images.shape
    mirrored = draws.some('flip', jnp.floor(draws.uniform('flip', 0, 2)), 0)
    quarters = draws.some('quarter_turn', jnp.floor(draws.uniform('quarter_turn', 0, 4)), 0)
    if height != width:  # only half turns leave the shape
        quarters = 2 * jnp.floor(quarters / 2)
    sides = [
        jnp.round(draws.uniform(f'integer_translation {name}', -SHIFT, SHIFT) * side)
        for name, side in (('down', height), ('right', width))
    ]
    moved = draws.some('integer_translation', jnp.stack(sides, -1), 0)
    return resampling.blit(images, mirrored, quarters, moved)


def placing(draws: _Draws, height: int, width: int) -> jax.Array:
    """M for `resampling.warp`: the inverse of what is done to the image."""
    half = 1 - jnp.sqrt(1 - draws.p)  # so that one of two rotations comes with probability p
    scale = draws.some('scale', jnp.exp2(SCALE * draws.normal('scale')), 1)
    angles = [
        draws.some(
            'rotation', draws.uniform(f'rotation {when}', -math.pi, math.pi), 0, half, f' {when}'
        )
        for when in ('before', 'after')
    ]
    stretch = draws.some('anisotropy', jnp.exp2(SCALE * draws.normal('anisotropy')), 1)
    shift = MOVE * draws.normal('translation', (2,)) * jnp.array([[width, height]], jnp.float32)
    shift = draws.some('translation', shift, 0)
    return _product(
        _scaling(1 / scale, 1 / scale),
        _turn(angles[0]),
        _scaling(1 / stretch, stretch),
        _turn(angles[1]),
        _shift(-shift[:, 0], -shift[:, 1]),
    )


# ---- Colour ------------------------------------------------------------------------------------


def painting(draws: _Draws, grey: bool) -> jax.Array:
    """M for `resampling.recolour`; hue and saturation are left out of grey images."""
    axis = jnp.asarray(GREY_AXIS, jnp.float32)
    along, identity = jnp.outer(axis, axis)[None], jnp.eye(4)[None]
    b = draws.some('brightness', BRIGHTNESS * draws.normal('brightness'), 0)
    c = draws.some('contrast', jnp.exp2(CONTRAST * draws.normal('contrast')), 1)
    mirrored = draws.some('luma_flip', jnp.floor(draws.uniform('luma_flip', 0, 2)), 0)
    matrix = _product(
        identity - 2 * along * mirrored[:, None, None],
        _matrix([[c, 0, 0, 0], [0, c, 0, 0], [0, 0, c, 0], [0, 0, 0, 1]]),
        _matrix([[1, 0, 0, b], [0, 1, 0, b], [0, 0, 1, b], [0, 0, 0, 1]]),
    )
    if grey:
        return matrix
    angle = draws.some('hue', draws.uniform('hue', -math.pi, math.pi), 0)
    s = draws.some('saturation', jnp.exp2(SATURATION * draws.normal('saturation')), 1)
    return _product(along + (identity - along) * s[:, None, None], _hue(angle), matrix)


def _hue(angle: jax.Array) -> jax.Array:
    """The rotation about the axis of greys (Rodrigues' formula)."""
    x, y, z, _ = GREY_AXIS
    cross = np.array([[0, -z, y, 0], [z, 0, -x, 0], [-y, x, 0, 0], [0, 0, 0, 0]])
    first, second = (jnp.asarray(x, jnp.float32)[None] for x in (cross, cross @ cross))
    sin, cos = jnp.sin(angle)[:, None, None], jnp.cos(angle)[:, None, None]
    return jnp.eye(4)[None] + sin * first + (1 - cos) * second


# ---- Filter, noise, cutout ---------------------------------------------------------------------


def _gains(draws: _Draws) -> jax.Array:
    """Of each band in turn 2^N(0, 1) with probability p, and what keeps the expected power."""
    gains = jnp.ones((draws.rngs.shape[0], 4))
    for band in range(4):
        gain = jnp.exp2(GAIN * draws.normal(f'filter {band}'))
        own = draws.some('filter', gain, 1, which=f' {band}')
        factors = jnp.ones_like(gains).at[:, band].set(own)
        power = jnp.sum(jnp.asarray(POWER, jnp.float32)[None] * jnp.square(factors), 1)
        gains = gains * factors / jnp.sqrt(power)[:, None]
    return gains


def _noise(draws: _Draws, images: jax.Array) -> jax.Array:
    """Adds N(0, s^2), s = |N(0, 0.1^2)| for each image."""
    deviation = draws.some('noise', jnp.abs(NOISE * draws.normal('noise')), 0)
    drawn = draws.normal('noise of pixels', images.shape[1:])
    return images + (drawn * deviation[:, None, None, None]).astype(images.dtype)


def _cutout(draws: _Draws, images: jax.Array) -> jax.Array:
    """Sets a rectangle of half of each side to zero, its centre anywhere in the image."""
    size = draws.some('cutout', jnp.full(images.shape[0], HOLE), 0)[:, None]
    hole = []
    for axis, name in ((1, 'cutout row'), (2, 'cutout column')):
        side = images.shape[axis]
        places = ((jnp.arange(side, dtype=jnp.float32) + 0.5) / side)[None, :]
        hole.append(jnp.abs(places - draws.uniform(name)[:, None]) < size / 2)
    inside = hole[0][:, :, None, None] & hole[1][:, None, :, None]
    return jnp.where(inside, jnp.zeros_like(images), images)


# ---- The pipeline and its rate -----------------------------------------------------------------


def make(pipeline: str) -> Callable[[jax.Array, jax.Array, jax.Array], jax.Array]:
    """The pipeline of these groups of transformations, always in the paper's order.

    Args:
      pipeline: letters: b (blitting: flips, quarter turns, whole pixels), g (geometry: scale,
        rotation, anisotropy, translation), c (colour), f (bands of frequencies), n (noise), o
        (cutout). The paper trains with 'bgc'.

    Returns:
      (rng, images, p) -> images; with p = 0 they are as they were, to the bit.

    Raises:
      ValueError: if a letter is none of these, or twice there.
    """
    if not pipeline or len({*pipeline}) < len(pipeline) or not {*pipeline} <= LETTERS.keys():
        raise ValueError(f'{pipeline!r} must be of the letters {"".join(LETTERS)}, such as bgc')
    chosen = tuple(name for letter in pipeline for name in LETTERS[letter])

    def apply(rng: jax.Array, images: jax.Array, p: jax.Array) -> jax.Array:
        resampling.check_images(images)
        num, height, width, channels = images.shape
        draws = _Draws(keys.per_example(rng, num), jnp.asarray(p, jnp.float32), chosen)
        x = images
        if {*BLIT} & {*chosen}:
            x = _blitted(draws, x)
        if {*GEOMETRY} & {*chosen}:
            x = resampling.warp(x, placing(draws, height, width))
        if {*COLOUR} & {*chosen}:
            x = resampling.recolour(x, painting(draws, channels == 1))
        if 'filter' in chosen:
            x = resampling.equalize(x, _gains(draws))
        if 'noise' in chosen:
            x = _noise(draws, x)
        if 'cutout' in chosen:
            x = _cutout(draws, x)
        return jnp.where(draws.p > 0, x, images)

    return apply


class Rate(NamedTuple):
    """How p follows the discriminator: up while it is too sure of the training images.

    Every `interval` updates p moves by batch * interval / images, up if the mean sign of the logits
    of real images since the last move is above `target`, else down; it stays in [0, 1].

    Attributes:
      target: of E[sign D(real)].
      interval: updates between two moves.
      images: so many real images take p from 0 to 1.
      start: p at first.
    """

    target: float = 0.6
    interval: int = 4
    images: int = 500_000
    start: float = 0.0

    def init(self) -> dict[str, jax.Array]:
        """{'p', 'signs': the sum of mean signs, 'count': of updates since the last move}."""
        return {'p': jnp.float32(self.start), 'signs': jnp.zeros(()), 'count': jnp.zeros(())}

    def p(self, state: dict[str, jax.Array], batch: int) -> jax.Array:
        """What p is now: a move that is due is made when p is asked for.

        So the state's own update is linear in the logits, and micro-batches may be averaged.
        """
        step = batch * self.interval / self.images
        over = jnp.sign(state['signs'] / jnp.maximum(state['count'], 1) - self.target)
        moved = jnp.clip(state['p'] + step * over, 0, 1)
        return jnp.where(state['count'] >= self.interval, moved, state['p'])

    def update(
        self, state: dict[str, jax.Array], sign: jax.Array, batch: int
    ) -> dict[str, jax.Array]:
        """The state after an update in which the mean sign of real images' logits was `sign`."""
        fresh = state['count'] >= self.interval
        signs, count = (jnp.where(fresh, 0.0, state[name]) for name in ('signs', 'count'))
        return {'p': self.p(state, batch), 'signs': signs + sign, 'count': count + 1}
