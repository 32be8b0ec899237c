"""Random augmentations of images, pure functions of (rng, images, strength).

Images are floating point [n, h, w, c] in [-1, 1] and stay so. `rng` is one key, or keys [n],
one per example (gan_jax.keys.per_example): an example is changed in the same way however a
batch is split. Strengths are Python numbers, not traced; a strength of 0 changes nothing, to
the bit. The geometric ones resample bilinearly and repeat the border's pixels outside it.
"""

import math
from collections.abc import Callable, Mapping

import chex
import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.ndimage import map_coordinates

from gan_jax import keys

# The largest strengths, by name.
_LIMITS = {
    'horizontal_flip': 1, 'rotation': 180, 'shear': 1, 'translation': 1, 'scaling': 1,
    'brightness': 2,
}  # fmt: skip


def _check_images(images: jax.Array) -> None:
    chex.assert_rank(images, 4)
    chex.assert_type(images, float)


def check_strength(name: str, strength: float) -> None:
    """Raises ValueError if a strength is out of the range of its name."""
    if not 0 <= strength <= _LIMITS[name]:
        raise ValueError(f'{name} must be from 0 to {_LIMITS[name]}, not {strength}')


def _uniform(rng: jax.Array, num: int, shape: tuple[int, ...], limit: float) -> jax.Array:
    """U(-limit, limit), [num, *shape], each example's from its own key."""
    return jax.vmap(lambda key: jax.random.uniform(key, shape, minval=-limit, maxval=limit))(
        keys.per_example(rng, num)
    )


def warp(images: jax.Array, matrices: jax.Array, shifts: jax.Array) -> jax.Array:
    """Resamples bilinearly: output(p) = input(A (p - c) + c - t), c the image's centre.

    Outside the image the nearest pixel of its border is repeated.

    Args:
      images: [n, h, w, c].
      matrices: A, [n, 2, 2], acting on (row, column); the identity leaves an image as it is.
      shifts: t, [n, 2], in pixels down and to the right.

    Returns:
      Images of the same shape and type.

    Raises:
      AssertionError: if a shape or type differs.
    """
    _check_images(images)
    num, height, width, _ = images.shape
    chex.assert_shape((matrices, shifts), [(num, 2, 2), (num, 2)])
    centre = ((height - 1) / 2, (width - 1) / 2)
    rows = jnp.arange(height, dtype=jnp.float32)[:, None] - centre[0]
    columns = jnp.arange(width, dtype=jnp.float32)[None, :] - centre[1]

    def one(image: jax.Array, matrix: jax.Array, shift: jax.Array) -> jax.Array:
        # Written out, since a matrix product may run at less than float32's precision.
        places = [
            matrix[i, 0] * rows + matrix[i, 1] * columns + centre[i] - shift[i] for i in (0, 1)
        ]
        return jax.vmap(
            lambda channel: map_coordinates(channel, places, order=1, mode='nearest'), -1, -1
        )(image)

    return jax.vmap(one)(images.astype(jnp.float32), matrices, shifts).astype(images.dtype)


def _identities(num: int) -> jax.Array:
    return jnp.tile(jnp.eye(2)[None], (num, 1, 1))


def horizontal_flip(rng: jax.Array, images: jax.Array) -> jax.Array:
    """Mirrors left to right with probability 1/2.

    Args:
      rng: one key or keys [n].
      images: [n, h, w, c].

    Returns:
      Images of the same shape and type.

    Raises:
      AssertionError: if the images are not floating point of rank 4.
    """
    _check_images(images)
    flips = jax.vmap(jax.random.bernoulli)(keys.per_example(rng, images.shape[0]))
    return jnp.where(flips[:, None, None, None], images[:, :, ::-1], images)


def rotation(rng: jax.Array, images: jax.Array, degrees: float) -> jax.Array:
    """Rotates about the centre by an angle ~ U(-degrees, degrees), bilinear.

    Args:
      rng: one key or keys [n].
      images: [n, h, w, c].
      degrees: from 0 to 180.

    Returns:
      Images of the same shape and type; the corners repeat the border.

    Raises:
      AssertionError: if the images are not floating point of rank 4.
      ValueError: if `degrees` is out of its range.
    """
    _check_images(images)
    check_strength('rotation', degrees)
    turns = _turns(rng, images.shape[0], degrees)
    return warp(images, turns, jnp.zeros((images.shape[0], 2)))


def _turns(rng: jax.Array, num: int, degrees: float) -> jax.Array:
    angles = jnp.deg2rad(_uniform(rng, num, (), degrees))
    cos, sin = jnp.cos(angles), jnp.sin(angles)
    return jnp.stack([jnp.stack([cos, -sin], -1), jnp.stack([sin, cos], -1)], -2)


def translation(rng: jax.Array, images: jax.Array, fraction: float) -> jax.Array:
    """Moves by (dy, dx) ~ U(-fraction, fraction) * (h, w) pixels, bilinear.

    Args:
      rng: one key or keys [n].
      images: [n, h, w, c].
      fraction: from 0 to 1, of the image's height and width.

    Returns:
      Images of the same shape and type; what comes in repeats the border.

    Raises:
      AssertionError: if the images are not floating point of rank 4.
      ValueError: if `fraction` is out of its range.
    """
    _check_images(images)
    check_strength('translation', fraction)
    num, height, width, _ = images.shape
    shifts = _uniform(rng, num, (2,), fraction) * jnp.array([[height, width]], jnp.float32)
    return warp(images, _identities(num), shifts)


def scaling(rng: jax.Array, images: jax.Array, fraction: float) -> jax.Array:
    """Scales about the centre by a factor 2^u, u ~ U(-log2(1 + fraction), log2(1 + fraction)).

    So growing by 1 + fraction is as likely as shrinking by it.

    Args:
      rng: one key or keys [n].
      images: [n, h, w, c].
      fraction: from 0 to 1.

    Returns:
      Images of the same shape and type; a shrunk one is framed by its border.

    Raises:
      AssertionError: if the images are not floating point of rank 4.
      ValueError: if `fraction` is out of its range.
    """
    _check_images(images)
    check_strength('scaling', fraction)
    num = images.shape[0]
    factors = jnp.exp2(_uniform(rng, num, (), math.log2(1 + fraction)))
    return warp(images, _identities(num) / factors[:, None, None], jnp.zeros((num, 2)))


def affine(
    rng: jax.Array,
    images: jax.Array,
    *,
    rotation: float = 0.0,
    shear: float = 0.0,
    scaling: float = 0.0,
    translation: float = 0.0,
) -> jax.Array:
    """Moves, turns, slants and scales, resampled once: output(p) = input(R S D (p - c) + c - t).

    R turns by an angle ~ U(-rotation, rotation). S adds s times the row to the column, s ~
    U(-shear, shear). D divides rows and columns by a factor of their own, distributed as that of
    `scaling`, and t is that of `translation`.

    Args:
      rng: one key or keys [n].
      images: [n, h, w, c].
      rotation: degrees, from 0 to 180.
      shear: from 0 to 1, columns a row.
      scaling: from 0 to 1.
      translation: from 0 to 1, of the image's height and width.

    Returns:
      Images of the same shape and type; what comes in repeats the border.

    Raises:
      AssertionError: if the images are not floating point of rank 4.
      ValueError: if a strength is out of its range.
    """
    _check_images(images)
    strengths = {'rotation': rotation, 'shear': shear, 'scaling': scaling}
    strengths['translation'] = translation
    for name, strength in strengths.items():
        check_strength(name, strength)
    num, height, width, _ = images.shape
    rngs = keys.per_example(rng, num)
    draw = {name: keys.of_name(rngs, name) for name in strengths}
    slants = _identities(num).at[:, 1, 0].set(_uniform(draw['shear'], num, (), shear))
    logs = _uniform(draw['scaling'], num, (2,), math.log2(1 + scaling))
    turns = _turns(draw['rotation'], num, rotation)
    matrices = jnp.matmul(turns, slants, precision=lax.Precision.HIGHEST) * jnp.exp2(-logs)[:, None]
    sides = jnp.array([[height, width]], jnp.float32)
    return warp(images, matrices, _uniform(draw['translation'], num, (2,), translation) * sides)


def brightness(rng: jax.Array, images: jax.Array, strength: float) -> jax.Array:
    """clip(x + b, -1, 1), one b ~ U(-strength, strength) for each image.

    Args:
      rng: one key or keys [n].
      images: [n, h, w, c] in [-1, 1].
      strength: from 0 to 2, half the width of the range.

    Returns:
      Images of the same shape and type.

    Raises:
      AssertionError: if the images are not floating point of rank 4.
      ValueError: if `strength` is out of its range.
    """
    _check_images(images)
    check_strength('brightness', strength)
    offsets = _uniform(rng, images.shape[0], (1, 1, 1), strength)
    return jnp.clip(images + offsets.astype(images.dtype), -1, 1)


def random_crop(rng: jax.Array, images: jax.Array, size: int) -> jax.Array:
    """Cuts out a square, its top uniform on {0, ..., h - size}, its left on {0, ..., w - size}.

    Images of equal height and width are cut at the same places with the same keys.

    Args:
      rng: one key or keys [n].
      images: [n, h, w, c].
      size: the square's side, from 1 to min(h, w).

    Returns:
      Images [n, size, size, c] of the same type.

    Raises:
      AssertionError: if the images are not floating point of rank 4.
      ValueError: if `size` is out of its range.
    """
    _check_images(images)
    num, height, width, channels = images.shape
    if not 1 <= size <= min(height, width):
        raise ValueError(f'size must be from 1 to {min(height, width)}, not {size}')

    def one(key: jax.Array, image: jax.Array) -> jax.Array:
        ends = jnp.array([height - size + 1, width - size + 1])
        top, left = jax.random.randint(key, (2,), jnp.zeros_like(ends), ends, ends.dtype)
        start = (top, left, jnp.zeros_like(top))
        return lax.dynamic_slice(image, start, (size, size, channels))

    return jax.vmap(one)(keys.per_example(rng, num), images)


# The order in which compose applies them.
_AUGMENTATIONS: dict[str, Callable[..., jax.Array]] = {
    'horizontal_flip': lambda rng, images, _: horizontal_flip(rng, images),
    'rotation': rotation,
    'translation': translation,
    'scaling': scaling,
    'brightness': brightness,
}


def compose(
    settings: Mapping[str, float | bool],
) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """The augmentations of non-zero strength, one after the other.

    Always in this order: horizontal_flip, rotation, translation, scaling, brightness; each with
    its own keys, fold_in_name(keys[i], its name), so that switching one on or off does not
    change what the others draw.

    Args:
      settings: strengths by name; those not named are 0.

    Returns:
      (rng, images) -> images, rng being one key or keys [n].

    Raises:
      ValueError: if a name is unknown or a strength is out of its range.
    """
    for name in settings:
        if name not in _AUGMENTATIONS:
            names = ', '.join(_AUGMENTATIONS)
            raise ValueError(f'{name!r} is not an augmentation (all: {names})')
        check_strength(name, settings[name])
    chosen = [(name, settings[name]) for name in _AUGMENTATIONS if settings.get(name)]

    def apply(rng: jax.Array, images: jax.Array) -> jax.Array:
        _check_images(images)
        rngs = keys.per_example(rng, images.shape[0])
        for name, strength in chosen:
            images = _AUGMENTATIONS[name](keys.of_name(rngs, name), images, strength)
        return images

    return apply
