"""How alike two images are: PSNR, SSIM and MS-SSIM of pixels, and a distance of features.

They are for pairs, such as a reconstruction and its original; and, taken of random pairs of
samples, for diversity. All compute in float32 (float64 if the images are), whatever the images'
type, and take the width of the images' range as `data_range`: 2 for [-1, 1], 255 for uint8.
"""

import functools
import operator
from collections.abc import Callable, Sequence

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from gan_jax.arrays import Array

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def _pair(x: Array, y: Array, data_range: float) -> tuple[jax.Array, jax.Array]:
    chex.assert_equal_shape([x, y])
    if data_range <= 0:
        raise ValueError(f'data_range must be above 0, not {data_range}')
    x, y = jnp.asarray(x), jnp.asarray(y)
    dtype = jnp.float64 if jnp.float64 in (x.dtype, y.dtype) else jnp.float32
    return x.astype(dtype), y.astype(dtype)


def psnr(x: Array, y: Array, data_range: float = 2.0) -> jax.Array:
    """The peak signal-to-noise ratio.

    10 log10(data_range^2 / mean (x - y)^2), the mean over an image's pixels and channels.

    Args:
      x: [n, ...].
      y: of the same shape.
      data_range: a Python number > 0, the largest value less the smallest that there can be.

    Returns:
      Ratios in decibels, float32 [n], more is more alike; infinite where the images are equal.

    Raises:
      AssertionError: if the shapes differ or there is no axis but the first.
      ValueError: if `data_range` is not positive.
    """
    chex.assert_rank([x, y], set(range(2, 8)))
    x, y = _pair(x, y, data_range)
    error = jnp.mean(jnp.square((x - y) / data_range), axis=tuple(range(1, x.ndim)))
    return -10.0 * jnp.log10(error)


def _gaussian(window: int, sigma: float) -> tuple[float, ...]:
    """Weights of a window of so many pixels, of sum 1.

    It is not the filter of restoration, whose window grows with sigma and goes on over the border:
    that of SSIM is of a given size and counts only where it is inside the image.
    """
    if window < 1 or window % 2 == 0:
        raise ValueError(f'window must be odd and above 0, not {window}')
    if sigma <= 0:
        raise ValueError(f'sigma must be above 0, not {sigma}')
    weights = np.exp(-0.5 * np.square((np.arange(window) - window // 2) / sigma))
    return tuple((weights / weights.sum()).tolist())


def _blur(x: jax.Array, weights: Sequence[float]) -> jax.Array:
    """Weighted means along height and width, where the whole window is inside.

    Sums of slices, not a convolution: those are in lower precision by default on some devices.
    """
    for axis in (-3, -2):
        size = x.shape[axis] - len(weights) + 1
        slices = [lax.slice_in_dim(x, k, k + size, axis=axis) for k in range(len(weights))]
        x = functools.reduce(operator.add, map(operator.mul, weights, slices))
    return x


@functools.partial(jax.jit, static_argnums=(2, 3, 4))
def _ssim_and_contrast(
    x: jax.Array, y: jax.Array, weights: tuple[float, ...], c1: float, c2: float
) -> tuple[jax.Array, jax.Array]:
    """Means over places of l cs and of cs, each [n, channels]."""
    stack = jnp.stack([x, y, jnp.square(x) + jnp.square(y), x * y])
    mean_x, mean_y, squares, product = _blur(stack, weights)
    squared_means, means_product = jnp.square(mean_x) + jnp.square(mean_y), mean_x * mean_y
    contrast = (2.0 * (product - means_product) + c2) / (squares - squared_means + c2)
    luminance = (2.0 * means_product + c1) / (squared_means + c1)
    return jnp.mean(luminance * contrast, axis=(1, 2)), jnp.mean(contrast, axis=(1, 2))


def _check_size(x: jax.Array, least: int, what: str) -> None:
    chex.assert_rank(x, 4)
    height, width = x.shape[1:3]
    if min(height, width) < least:
        raise ValueError(f'{what} needs {least} pixels a side or more, not {height}x{width}')


def ssim(
    x: Array,
    y: Array,
    data_range: float = 2.0,
    *,
    window: int = 11,
    sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
) -> jax.Array:
    """The structural similarity.

    mean (2 m_x m_y + c1) (2 s_xy + c2) / ((m_x^2 + m_y^2 + c1) (s_x^2 + s_y^2 + c2)),
    c = (k data_range)^2; m, s^2 and s_xy are the means, variances and covariance under a Gaussian
    window (of population, not sample). The mean is over the places where the whole window is in the
    image, and over channels. It is scikit-image's structural_similarity with gaussian_weights=True,
    sigma=1.5, use_sample_covariance=False, which crops as much.

    Source: Image Quality Assessment: From Error Visibility to Structural Similarity (Wang et al.,
    2004), equation 13, there of grey images.

    Args:
      x: [n, height, width, channels].
      y: of the same shape.
      data_range: a Python number > 0, the largest value less the smallest that there can be.
      window: the window's side in pixels, odd.
      sigma: the Gaussian's standard deviation in pixels, > 0.
      k1: in c1, > 0.
      k2: in c2, > 0.

    Returns:
      Similarities in [-1, 1], float32 [n]; 1 where the images are equal.

    Raises:
      AssertionError: if the shapes differ or are not of rank 4.
      ValueError: if the images are smaller than the window, the window is even or a number is not
        positive.
    """
    x, y = _pair(x, y, data_range)
    _check_size(x, window, 'SSIM')
    constants = (k1 * data_range) ** 2, (k2 * data_range) ** 2
    return jnp.mean(_ssim_and_contrast(x, y, _gaussian(window, sigma), *constants)[0], axis=-1)


@jax.jit
def _halve(x: jax.Array) -> jax.Array:
    """Means of 2x2 pixels; an odd last row or column counts twice."""
    n, height, width, channels = x.shape
    x = jnp.pad(x, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode='edge')
    x = x.reshape(n, (height + 1) // 2, 2, (width + 1) // 2, 2, channels)
    return jnp.mean(x, axis=(2, 4))


def ms_ssim(
    x: Array,
    y: Array,
    data_range: float = 2.0,
    *,
    weights: Sequence[float] = WEIGHTS,
    window: int = 11,
    sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
) -> jax.Array:
    """The structural similarity over several scales.

    prod_{i < M} max(0, cs_i)^w_i · max(0, ssim_M)^w_M; cs is the second factor of `ssim`, averaged
    over places, and each scale has half the pixels of the one before, means of 2x2. The product is
    taken per channel and averaged over channels. Negative terms, which have no root, count as 0, as
    in pytorch-msssim and TensorFlow. Where a side is odd its last pixels are repeated, as in
    TensorFlow; pytorch-msssim pads with zeros there.

    Source: Multi-Scale Structural Similarity for Image Quality Assessment (Wang et al., 2003),
    equation 7, with the weights of its section 3.2.

    Args:
      x: [n, height, width, channels], both sides at least (window - 1) · 2^(M - 1) + 1 pixels: 161
        by default. For smaller images take fewer weights or a smaller window; values can be
        compared only among equal settings.
      y: of the same shape.
      data_range: a Python number > 0, the largest value less the smallest that there can be.
      weights: w, one per scale, from fine to coarse; they are not normalised.
      window: the window's side in pixels, odd.
      sigma: the Gaussian's standard deviation in pixels, > 0.
      k1: in c1, > 0.
      k2: in c2, > 0.

    Returns:
      Similarities in [0, 1], float32 [n]; 1 where the images are equal.

    Raises:
      AssertionError: if the shapes differ or are not of rank 4.
      ValueError: if the images are too small, there are no weights, the window is even or a number
        is not positive.
    """
    x, y = _pair(x, y, data_range)
    if not weights:
        raise ValueError('weights must have one number per scale')
    _check_size(x, (window - 1) * 2 ** (len(weights) - 1) + 1, f'MS-SSIM of {len(weights)} scales')
    constants = (k1 * data_range) ** 2, (k2 * data_range) ** 2
    kernel = _gaussian(window, sigma)
    result = jnp.ones((), x.dtype)
    for scale, weight in enumerate(weights):
        last = scale == len(weights) - 1
        similarity, contrast = _ssim_and_contrast(x, y, kernel, *constants)
        result = result * jax.nn.relu(similarity if last else contrast) ** float(weight)
        if not last:
            x, y = _halve(x), _halve(y)
    return jnp.mean(result, axis=-1)


def perceptual_distance(
    real_features: Sequence[Array], fake_features: Sequence[Array]
) -> jax.Array:
    """The distance of two images in a network's features, layer by layer.

    mean over layers l of the mean over positions of |x_l / |x_l| - y_l / |y_l||^2, the norms
    over channels: LPIPS without its learned weights of the channels (the sum over layers is a mean
    here). A layer without positions, [n, d], counts as one.

    Source: The Unreasonable Effectiveness of Deep Features as a Perceptual Metric (Zhang et al.,
    2018), equation 1 with w = 1.

    Args:
      real_features: one array [n, ..., channels] per layer.
      fake_features: arrays of the same shapes.

    Returns:
      Distances in [0, 4], float32 [n]; 0 where all features have the same direction. A vector of
      zeros is at 1 from any other.

    Raises:
      AssertionError: if there is no layer, or the layers differ in number or shape.
    """
    assert len(real_features) == len(fake_features) > 0, 'as many layers of both are needed'

    def unit(x: jax.Array) -> jax.Array:
        squared = jnp.sum(jnp.square(x), axis=-1, keepdims=True)
        root = jnp.sqrt(jnp.where(squared > 0, squared, 1.0))
        return jnp.where(squared > 0, x / root, 0.0)

    total: list[jax.Array] = []
    for pair in zip(real_features, fake_features, strict=True):
        chex.assert_rank(pair, set(range(2, 8)))
        x, y = _pair(*pair, 1.0)
        gaps = jnp.sum(jnp.square(unit(x) - unit(y)), axis=-1)
        total.append(jnp.mean(gaps, axis=tuple(range(1, gaps.ndim))))
    return jnp.mean(jnp.stack(total), axis=0)


def pair_similarity(
    images: Array,
    rng: Array,
    num_pairs: int = 100,
    similarity: Callable[[Array, Array], Array] = ms_ssim,
) -> jax.Array:
    """The mean similarity of random pairs of images: the higher, the less diverse they are.

    mean of similarity(x_i, x_j), i != j uniform. Compare it with that of as many real images: a
    generator that collapsed is well above. It sees pixels only, and says nothing of quality.

    Source: Conditional Image Synthesis with Auxiliary Classifier GANs (Odena et al., 2017), section
    4.2, there of images of one class.

    Args:
      images: [n, height, width, channels], n >= 2.
      rng: a key, for the pairs.
      num_pairs: how many pairs; 100 a class in the paper.
      similarity: ([m, ...], [m, ...]) -> [m], such as `ms_ssim`, or `ssim` for smaller images; for
        images that are not in [-1, 1], functools.partial(ms_ssim, data_range=...).

    Returns:
      The mean, a float32 scalar.

    Raises:
      AssertionError: if the images are not of rank 4, or there is only one, or no pair.
    """
    chex.assert_rank(images, 4)
    chex.assert_scalar_positive(num_pairs)
    images, num = jnp.asarray(images), images.shape[0]
    assert num > 1, 'a pair needs two images'
    first_rng, second_rng = jax.random.split(rng)
    first = jax.random.randint(first_rng, (num_pairs,), 0, num)
    second = (first + jax.random.randint(second_rng, (num_pairs,), 1, num)) % num

    def one(pair):
        i, j = pair
        return similarity(images[i][None], images[j][None])[0]

    return jnp.mean(lax.map(one, (first, second), batch_size=min(num_pairs, 16)))
