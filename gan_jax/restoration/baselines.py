"""Classical restorers, beside which a network's results are shown.

Each is a pure function (sources, **options) -> images: `sources` are what gan_jax.corruptions
makes, floats [n, h', w', c'], and images float32 (float64 if the sources are), clipped to [-1, 1].
Options are Python numbers, not traced. A config finds each public function by its name.

All raise AssertionError if a shape or type differs, and ValueError if an option is out of the range
or the number of channels is not among those that the function's arguments say.
"""

import functools
from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp
from jax import lax

from gan_jax.restoration import _arrays


def _clip(images: jax.Array) -> jax.Array:
    return jnp.clip(images, -1.0, 1.0)


def _check_count(name: str, value: int, least: int = 1) -> None:
    valid = value >= least and value % 1 == 0
    _arrays.check(name, value, valid, f'a whole number, at least {least}')


def identity(sources: chex.Array, channels: int = 3) -> chex.Array:
    """The source itself, without its mask if it has one; grey is repeated in all channels.

    Args:
      sources: [n, h, w, 1], or of at least `channels` channels, of which the first are taken.
      channels: c >= 1, of the images.

    Returns:
      Images [n, h, w, c] in [-1, 1], float32.
    """
    sources = _arrays.images(sources)
    _check_count('channels', channels)
    if 1 < sources.shape[-1] < channels:
        raise ValueError(f'sources of {sources.shape[-1]} channels cannot be images of {channels}')
    if sources.shape[-1] == 1:
        return _clip(jnp.repeat(sources, int(channels), axis=-1))
    return _clip(sources[..., : int(channels)])


def grey(sources: chex.Array, channels: int = 3) -> chex.Array:
    """The luma 0.299 R + 0.587 G + 0.114 B in all channels, for colourisation.

    Source: Recommendation ITU-R BT.601 (ITU, 2011), section 2.5.1.

    Args:
      sources: [n, h, w, 1 or 3] in [-1, 1].
      channels: c >= 1, of the images.

    Returns:
      Images [n, h, w, c] in [-1, 1], float32.
    """
    sources = _arrays.images(sources)
    _check_count('channels', channels)
    if sources.shape[-1] not in (1, 3):
        raise ValueError(f'sources must have 1 or 3 channels, not {sources.shape[-1]}')
    if sources.shape[-1] == 3:
        # Written out, since a matrix product may run at less than float32's precision.
        red, green, blue = (sources[..., k : k + 1] for k in range(3))
        sources = 0.299 * red + 0.587 * green + 0.114 * blue
    return _clip(jnp.repeat(sources, int(channels), axis=-1))


def bicubic(sources: chex.Array, factor: int = 4) -> chex.Array:
    """Enlarges by cubic convolution (a = -1/2), for super-resolution; as Pillow's BICUBIC.

    At the border the kernel is cut off and normalised.

    Source: Cubic Convolution Interpolation for Digital Image Processing (Keys, 1981).

    Args:
      sources: [n, h, w, c] in [-1, 1].
      factor: f >= 1, by which both sides are multiplied.

    Returns:
      Images [n, f h, f w, c] in [-1, 1], float32.
    """
    sources = _arrays.images(sources)
    _check_count('factor', factor)
    num, height, width, channels = sources.shape
    shape = (num, height * int(factor), width * int(factor), channels)
    return _clip(jax.image.resize(sources, shape, 'cubic'))


def _known(sources: chex.Array) -> tuple[jax.Array, jax.Array]:
    """Images [n, h, w, c] with the mean of what is known in the holes, and the holes [n, h, w, 1].

    Where nothing is known the mean is 0.
    """
    sources = _arrays.images(sources)
    if sources.shape[-1] < 2:
        raise ValueError('sources must have a channel of the mask beside those of the image')
    missing = sources[..., -1:] > 0.5
    known = jnp.where(missing, 0.0, sources[..., :-1])
    total = jnp.sum(known, axis=(1, 2), keepdims=True)
    num = jnp.sum(~missing, axis=(1, 2), keepdims=True, dtype=sources.dtype)
    return jnp.where(missing, total / jnp.maximum(num, 1.0), known), missing


def mean_fill(sources: chex.Array) -> chex.Array:
    """Fills holes with the mean of the example's known pixels, channel by channel.

    Args:
      sources: [n, h, w, c + 1], the last channel 1 where pixels are missing, 0 where known.

    Returns:
      Images [n, h, w, c] in [-1, 1], float32; known pixels as they are, 0 if there are none.
    """
    return _clip(_known(sources)[0])


def _membrane(x: jax.Array) -> jax.Array:
    return (jnp.sum(jnp.diff(x, axis=1) ** 2) + jnp.sum(jnp.diff(x, axis=2) ** 2)) / 2


def _plate(x: jax.Array) -> jax.Array:
    down, across = jnp.diff(x, axis=1), jnp.diff(x, axis=2)
    straight = jnp.sum(jnp.diff(down, axis=1) ** 2) + jnp.sum(jnp.diff(across, axis=2) ** 2)
    return straight / 2 + jnp.sum(jnp.diff(down, axis=2) ** 2)


@functools.partial(jax.jit, static_argnums=(0, 2))
def _minimise(
    energy: Callable[[jax.Array], jax.Array], sources: chex.Array, iterations: int
) -> jax.Array:
    """Fills holes so that a quadratic energy is least, by conjugate gradients from the mean.

    Source: Methods of Conjugate Gradients for Solving Linear Systems (Hestenes and Stiefel, 1952),
    section 3.
    """
    images, missing = _known(sources)
    _check_count('iterations', iterations, 0)

    def apply(x: jax.Array) -> jax.Array:
        return jnp.where(missing, jax.grad(energy)(x), 0.0)

    def dot(x: jax.Array, y: jax.Array) -> jax.Array:
        return jnp.sum(x * y, axis=(1, 2), keepdims=True)

    def ratio(x: jax.Array, y: jax.Array) -> jax.Array:
        # Once there is no residual left, nothing moves.
        return jnp.where(y > 0, x / jnp.where(y > 0, y, 1.0), 0.0)

    def body(_: jax.Array, state: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        images, residual, direction, square = state
        applied = apply(direction)
        step = ratio(square, dot(direction, applied))
        residual = residual - step * applied
        new_square = dot(residual, residual)
        direction_next = residual + ratio(new_square, square) * direction
        return images + step * direction, residual, direction_next, new_square

    residual = -apply(images)
    state = images, residual, residual, dot(residual, residual)
    return _clip(lax.fori_loop(0, int(iterations), body, state)[0])


def harmonic_fill(sources: chex.Array, iterations: int = 200) -> chex.Array:
    """Fills holes with the solution of Laplace's equation, known pixels being the boundary.

    Each missing pixel becomes the mean of its neighbours (of those inside the image, at its
    border), which minimises the sum of squared differences of neighbours. Conjugate gradients take
    about two iterations for each pixel of a hole's width, so 200 do for 100 pixels.

    Source: Poisson Image Editing (Perez et al., 2003), equation 2.

    Args:
      sources: [n, h, w, c + 1], the last channel 1 where pixels are missing, 0 where known.
      iterations: >= 0; 0 is `mean_fill`.

    Returns:
      Images [n, h, w, c] in [-1, 1], float32; known pixels as they are.
    """
    return _minimise(_membrane, sources, iterations)


def biharmonic_fill(sources: chex.Array, iterations: int = 1000) -> chex.Array:
    """Fills holes with the solution of the biharmonic equation, so that slopes go on into them.

    It minimises a thin plate's energy, the sum of u_yy^2 + 2 u_xy^2 + u_xx^2 over the second
    differences that lie inside the image; the filling may overshoot what is known and is clipped.
    Iterations needed grow as the square of a hole's width: about 100 for 16 pixels, 1000 for 60.

    Source: On Surface Completion and Image Inpainting by Biharmonic Functions: Numerical Aspects
    (Damelin and Hoang, 2018); of the energy, Splines Minimizing Rotation-Invariant Semi-Norms in
    Sobolev Spaces (Duchon, 1977).

    Args:
      sources: [n, h, w, c + 1], the last channel 1 where pixels are missing, 0 where known.
      iterations: >= 0; 0 is `mean_fill`.

    Returns:
      Images [n, h, w, c] in [-1, 1], float32; known pixels as they are.
    """
    return _minimise(_plate, sources, iterations)


def median(sources: chex.Array, size: int = 3) -> chex.Array:
    """The median of a window, channel by channel, for denoising.

    Outside the image the nearest pixel of its border is repeated, as in SciPy's median_filter with
    mode 'nearest'.

    Source: Exploratory Data Analysis (Tukey, 1977), chapter 7.

    Args:
      sources: [n, h, w, c].
      size: the window's side in pixels, odd.

    Returns:
      Images [n, h, w, c] in [-1, 1], float32.
    """
    sources = _arrays.images(sources)
    _arrays.check('size', size, size > 0 and size % 2 == 1, 'odd and above 0')
    size, (height, width) = int(size), sources.shape[1:3]
    half = size // 2
    padded = jnp.pad(sources, ((0, 0), (half, half), (half, half), (0, 0)), mode='edge')
    shifted = [padded[:, i : i + height, j : j + width] for i in range(size) for j in range(size)]
    return _clip(jnp.sort(jnp.stack(shifted), axis=0)[size * size // 2])


def gaussian(sources: chex.Array, stddev: float = 1.0) -> chex.Array:
    """A Gaussian filter, for denoising.

    Outside the image the nearest pixel of its border is repeated, and the window is cut off at 4
    standard deviations, as in SciPy's gaussian_filter with mode 'nearest'.

    Source: Theory of Edge Detection (Marr and Hildreth, 1980).

    Args:
      sources: [n, h, w, c].
      stddev: > 0, in pixels.

    Returns:
      Images [n, h, w, c] in [-1, 1], float32.
    """
    sources = _arrays.images(sources)
    _arrays.check('stddev', stddev, stddev > 0, 'above 0')
    return _clip(_arrays.gaussian_filter(sources, stddev))
