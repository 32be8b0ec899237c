"""Images resampled, recoloured and filtered as one is told: what augmentations are made of.

Source: Training Generative Adversarial Networks with Limited Data (Karras et al., 2020), appendix
B. Images are floats [n, h, w, c] of 1 or 3 channels. Points are (x, y): columns, then rows, from
the image's centre.
"""

import functools
import math
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

# Daubechies' least asymmetric wavelet of six and of two vanishing moments, low-pass filters.
SYM6 = np.array([
    0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633,
    0.4910559419267466, 0.787641141030194, 0.3379294217276218, -0.07263752278646252,
    -0.021060292512300564, 0.04472490177066578, 0.0017677118642428036, -0.007800708325034148,
])  # fmt: skip
SYM2 = np.array([
    -0.12940952255092145, 0.22414386804185735, 0.836516303737469, 0.48296291314469025,
])  # fmt: skip
MARGIN = 6  # samples of twice the resolution that the last filter needs beyond each border


def check_images(images: jax.Array) -> None:
    """Raises AssertionError or ValueError unless they are such images, of two pixels or more."""
    chex.assert_rank(images, 4)
    chex.assert_type(images, float)
    chex.assert_axis_dimension_gt(images, 1, 1)
    chex.assert_axis_dimension_gt(images, 2, 1)
    if images.shape[3] not in (1, 3):
        raise ValueError(f'images have 1 or 3 channels here, not {images.shape[3]}')


def _periodic(x: jax.Array, axis: int) -> jax.Array:
    """One period of an axis that is mirrored at its ends again and again, at twice the resolution.

    Sample 2 i of the result is about x[i].
    """
    inner = jax.lax.slice_in_dim(x, 1, x.shape[axis] - 1, axis=axis)
    period = jnp.concatenate([x, jnp.flip(inner, axis)], axis)
    taps = math.sqrt(2) * SYM6
    even = sum(float(taps[2 * q + 1]) * jnp.roll(period, q - 2, axis) for q in range(6))
    odd = sum(float(taps[2 * q]) * jnp.roll(period, q - 3, axis) for q in range(6))
    both = jnp.stack([even, odd], axis + 1)
    shape = list(period.shape)
    shape[axis] *= 2
    return both.reshape(shape)


def _reduced(x: jax.Array, axis: int) -> jax.Array:
    """Every second sample of an axis after the mirrored filter: undoes `_periodic`."""
    taps = SYM6 / math.sqrt(2)
    length = (x.shape[axis] - 2 * MARGIN) // 2
    first, *others = (
        float(tap) * jax.lax.slice_in_dim(x, k + 1, k + 2 + 2 * (length - 1), stride=2, axis=axis)
        for k, tap in enumerate(taps)
    )
    return sum(others, first)


def _bilinear(image: jax.Array, rows: jax.Array, columns: jax.Array) -> jax.Array:
    """image [h, w, c] at rows and columns [...], which wrap around."""
    height, width, _ = image.shape
    top, left = jnp.floor(rows), jnp.floor(columns)
    down, right = (rows - top)[..., None], (columns - left)[..., None]
    r, c = top.astype(jnp.int32), left.astype(jnp.int32)
    r0, r1, c0, c1 = r % height, (r + 1) % height, c % width, (c + 1) % width
    above = image[r0, c0] * (1 - right) + image[r0, c1] * right
    below = image[r1, c0] * (1 - right) + image[r1, c1] * right
    return above * (1 - down) + below * down


def warp(images: jax.Array, matrices: jax.Array) -> jax.Array:
    """The image at the places that a matrix says, resampled without visible aliasing.

    Output pixel p shows the image at M p: both in pixels from the centre, (x, y, 1). The image goes
    on mirrored beyond its borders; it is enlarged twofold by a wavelet's filter, sampled
    bilinearly, and reduced by the mirrored filter. The identity and moves by whole pixels so leave
    every value as it was, but for rounding.

    Args:
      images: [n, h, w, c].
      matrices: M, [n, 3, 3]; the last row is (0, 0, 1).

    Returns:
      Images of the same shape and type.

    Raises:
      AssertionError: if a shape or type differs.
    """
    check_images(images)
    num, height, width, _ = images.shape
    chex.assert_shape(matrices, (num, 3, 3))
    large = _periodic(_periodic(images.astype(jnp.float32), 1), 2)
    sides = [2 * side + 2 * MARGIN for side in (height, width)]
    # A place at twice the resolution is half a sample off what it is at the simple one.
    v, u = (
        ((jnp.arange(n, dtype=jnp.float32) - (n - 1) / 2 + 0.5) / 2).reshape(shape)
        for n, shape in zip(sides, ((-1, 1), (1, -1)), strict=True)
    )

    def one(image: jax.Array, m: jax.Array) -> jax.Array:
        # Written out, since a matrix product may run at less than float32's precision.
        x, y = (m[i, 0] * u + m[i, 1] * v + m[i, 2] for i in (0, 1))
        return _bilinear(image, 2 * y - 1 + height, 2 * x - 1 + width)

    return _reduced(_reduced(jax.vmap(one)(large, matrices), 1), 2).astype(images.dtype)


def blit(
    images: jax.Array, mirrored: jax.Array, quarters: jax.Array, moved: jax.Array
) -> jax.Array:
    """Mirrors left to right, turns by quarters, moves by whole pixels: no value is changed.

    The image goes on mirrored beyond its borders.

    Args:
      images: [n, h, w, c]; of squares, unless no quarter is odd.
      mirrored: [n], 0 or 1.
      quarters: [n], 0 to 3, counter-clockwise.
      moved: [n, 2], down and to the right.

    Returns:
      Images of the same shape and type.

    Raises:
      AssertionError: if a shape or type differs.
    """
    check_images(images)
    num, height, width, _ = images.shape
    chex.assert_shape((mirrored, quarters, moved), [(num,), (num,), (num, 2)])

    def where(condition: jax.Array, one: jax.Array, other: jax.Array) -> jax.Array:
        return jnp.where(condition[:, None, None, None], one, other)

    x = where(mirrored > 0, images[:, :, ::-1], images)
    x = where(quarters % 4 >= 2, x[:, ::-1, ::-1], x)
    if height == width:
        x = where(quarters % 2 == 1, jnp.rot90(x, 1, (1, 2)), x)
    for axis, side in ((1, height), (2, width)):
        places = jnp.arange(side)[None, :] - moved[:, axis - 1, None].astype(jnp.int32)
        shape = [num, 1, 1, 1]
        shape[axis] = side
        x = jnp.take_along_axis(x, _mirrored(places, side).reshape(shape), axis)
    return x


def _mirrored(places: Any, side: int) -> Any:
    """Where one is in an image when whole places run on beyond it, mirrored at its last pixels."""
    return abs((places + side - 1) % (2 * side - 2) - (side - 1))


def recolour(images: jax.Array, matrices: jax.Array) -> jax.Array:
    """M (r, g, b, 1) of every pixel; of a grey one the mean of what its three would become.

    Args:
      images: [n, h, w, 1 or 3].
      matrices: M, [n, 4, 4].

    Returns:
      Images of the same shape and type.

    Raises:
      AssertionError: if a shape or type differs.
      ValueError: if there are neither 1 nor 3 channels.
    """
    check_images(images)
    chex.assert_shape(matrices, (images.shape[0], 4, 4))
    matrices = matrices.astype(images.dtype)
    factors, offsets = matrices[:, :3, :3], matrices[:, :3, 3]
    if images.shape[3] == 1:
        factors = jnp.mean(jnp.sum(factors, 2), 1)[:, None, None]
        offsets = jnp.mean(offsets, 1, keepdims=True)
    changed = sum(
        images[..., i, None] * factors[:, None, None, :, i] for i in range(images.shape[3])
    )
    return changed + offsets[:, None, None, :]


@functools.cache
def bands() -> np.ndarray:
    """Filters [4, taps] of the bands [0, 1/8], [1/8, 1/4], [1/4, 1/2], [1/2, 1] of all frequencies.

    They add up to the filter that changes nothing.
    """
    low, high = SYM2, SYM2 * (-1.0) ** np.arange(len(SYM2))
    low, high = (np.convolve(x, x[::-1]) / 2 for x in (low, high))
    bank = np.eye(4, 1)
    for band in range(1, 4):
        spread = np.zeros((4, 2 * bank.shape[1] - 1))
        spread[:, ::2] = bank
        bank = np.stack([np.convolve(row, low) for row in spread])
        start = (bank.shape[1] - len(high)) // 2
        bank[band, start : start + len(high)] += high
    return bank


def equalize(images: jax.Array, gains: jax.Array) -> jax.Array:
    """Multiplies the four bands of frequencies of each axis by gains; borders are mirrored.

    Args:
      images: [n, h, w, c].
      gains: [n, 4], of `bands`.

    Returns:
      Images of the same shape and type.

    Raises:
      AssertionError: if a shape or type differs.
    """
    check_images(images)
    chex.assert_shape(gains, (images.shape[0], 4))
    x = images.astype(jnp.float32)
    product = functools.partial(jnp.einsum, precision=jax.lax.Precision.HIGHEST)
    for axes, side in (('nij,njwc->niwc', x.shape[1]), ('nij,nhjc->nhic', x.shape[2])):
        matrices = product('nb,bij->nij', gains, jnp.asarray(_banded(side), jnp.float32))
        x = product(axes, matrices, x)
    return x.astype(images.dtype)


@functools.lru_cache(maxsize=8)
def _banded(side: int) -> np.ndarray:
    """`bands` as matrices [4, side, side] that act on an axis, mirrored at its ends."""
    bank = bands()
    half = bank.shape[1] // 2
    places = np.arange(side)
    matrices = np.zeros((4, side, side))
    for k in range(bank.shape[1]):
        matrices += bank[:, k, None, None] * np.eye(side)[_mirrored(places + k - half, side)]
    return matrices
