"""Restoration as corruption: what a restorer is given, made from clean images.

Each is a pure function (rng, images, **options) -> sources: `rng` are keys [n], one per example,
`images` floats [n, h, w, c] in [-1, 1], options Python numbers. What is drawn for an example comes
from its own key only, so a batch may be split at will; those that draw nothing take keys all the
same. Sources are float32 (float64 if the images are) and may have another size or other channels.
A config finds each public function with arguments `rng` and `images` by its name.

All raise AssertionError if a shape or type differs, and ValueError if an option is out of the range
or the number of channels is not among those that the function's arguments say.
"""

import functools
import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from gan_jax.restoration import _arrays

# ITU-T T.81, tables K.1 and K.2, row by row from the lowest vertical frequency.
_LUMA_STEPS = np.array([
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
]).reshape(8, 8)  # fmt: skip
_CHROMA_STEPS = np.full((8, 8), 99)
_CHROMA_STEPS[:4, :4] = (17, 18, 24, 47), (18, 21, 26, 66), (24, 26, 56, 99), (47, 66, 99, 99)
_LUMA = (0.299, 0.587, 0.114)


def _examples(rng: chex.PRNGKey, images: chex.Array, *channels: int) -> jax.Array:
    """The images in float32, or in float64 if they are."""
    images = _arrays.images(images)
    chex.assert_shape(rng, images.shape[:1])
    if channels and images.shape[-1] not in channels:
        raise ValueError(f'images must have 1 or 3 channels, not {images.shape[-1]}')
    return images


def _luma(images: jax.Array) -> jax.Array:
    if images.shape[-1] == 1:
        return images
    # Written out, since a matrix product may run at less than float32's precision.
    red, green, blue = (weight * images[..., k : k + 1] for k, weight in enumerate(_LUMA))
    return red + green + blue


def _interval(size: int, start: jax.Array | int, length: jax.Array | int) -> jax.Array:
    places = jnp.arange(size, dtype=jnp.int32)
    return (places >= start) & (places < start + length)


def _hide(images: jax.Array, missing: jax.Array) -> jax.Array:
    """Zeros where `missing` [n, h, w], which becomes the last channel."""
    missing = missing[..., None]
    known = jnp.where(missing, 0.0, images)
    return jnp.concatenate([known, missing.astype(images.dtype)], axis=-1)


def greyscale(rng: chex.PRNGKey, images: chex.Array) -> chex.Array:
    """The luma 0.299 R + 0.587 G + 0.114 B, for colourisation.

    Source: Recommendation ITU-R BT.601 (ITU, 2011), section 2.5.1.

    Args:
      rng: keys [n]; nothing is drawn.
      images: [n, h, w, 1 or 3] in [-1, 1]; grey ones stay as they are.

    Returns:
      Sources [n, h, w, 1] in [-1, 1], float32.
    """
    return _luma(_examples(rng, images, 1, 3))


def downsample(rng: chex.PRNGKey, images: chex.Array, factor: int = 4) -> chex.Array:
    """Smaller images, for super-resolution: bicubic with antialiasing, as Pillow's BICUBIC.

    At the border the kernel (a = -1/2) is cut off and normalised. Values may overshoot [-1, 1].

    Source: Cubic Convolution Interpolation for Digital Image Processing (Keys, 1981); for this use,
    Photo-Realistic Single Image Super-Resolution Using a GAN (Ledig et al., 2017), section 3.2.

    Args:
      rng: keys [n]; nothing is drawn.
      images: [n, h, w, c] in [-1, 1].
      factor: f, a whole number above 0 that divides h and w.

    Returns:
      Sources [n, h / f, w / f, c], float32.
    """
    images = _examples(rng, images)
    num, height, width, channels = images.shape
    valid = factor > 0 and not (factor % 1 or height % factor or width % factor)
    _arrays.check(
        'factor', factor, valid, f'a whole number above 0 that divides {height} and {width}'
    )
    shape = (num, height // int(factor), width // int(factor), channels)
    return jax.image.resize(images, shape, 'cubic', antialias=True)


def center_mask(rng: chex.PRNGKey, images: chex.Array, fraction: float = 0.5) -> chex.Array:
    """Hides a rectangle in the middle (or half a pixel up and to the left), for inpainting.

    Source: Context Encoders: Feature Learning by Inpainting (Pathak et al., 2016), section 3.3.

    Args:
      rng: keys [n]; nothing is drawn.
      images: [n, h, w, c] in [-1, 1].
      fraction: of each side, above 0 and below 1; rounded to whole pixels, at least one.

    Returns:
      Sources [n, h, w, c + 1], float32: 0 where pixels are missing; the last channel is 1 there and
      0 where they are known.
    """
    images = _examples(rng, images)
    _arrays.check('fraction', fraction, 0 < fraction < 1, 'above 0 and below 1')
    pairs = [(size, max(1, round(fraction * size))) for size in images.shape[1:3]]
    rows, columns = (_interval(size, (size - side) // 2, side) for size, side in pairs)
    missing = rows[None, :, None] & columns[None, None, :]
    return _hide(images, jnp.broadcast_to(missing, images.shape[:3]))


def box_mask(
    rng: chex.PRNGKey, images: chex.Array, smallest: float = 0.25, largest: float = 0.5
) -> chex.Array:
    """Hides a rectangle of random sides at a random place, for inpainting.

    Each side is a share ~ U(smallest, largest) of the image's, in whole pixels, at least one.

    Source: Globally and Locally Consistent Image Completion (Iizuka et al., 2017), there with sides
    of 96 to 128 pixels in 256.

    Args:
      rng: keys [n].
      images: [n, h, w, c] in [-1, 1].
      smallest: share of a side, above 0.
      largest: share of a side, from `smallest` to below 1.

    Returns:
      Sources as of `center_mask`, [n, h, w, c + 1], float32.
    """
    images = _examples(rng, images)
    _arrays.check('smallest', smallest, smallest > 0, 'above 0')
    _arrays.check(
        'largest', largest, smallest <= largest < 1, f'from smallest={smallest} to below 1'
    )

    def side(key: chex.PRNGKey, size: int) -> jax.Array:
        share_key, place_key = jax.random.split(key)
        share = jax.random.uniform(share_key, (), jnp.float32, smallest, largest)
        length = jnp.maximum(jnp.round(share * size).astype(jnp.int32), 1)
        start = jax.random.randint(place_key, (), 0, size - length + 1, jnp.int32)
        return _interval(size, start, length)

    def one(key: chex.PRNGKey) -> jax.Array:
        rows, columns = map(side, jax.random.split(key), images.shape[1:3])
        return rows[:, None] & columns[None, :]

    return _hide(images, jax.vmap(one)(rng))


@functools.partial(jax.jit, static_argnums=(1, 2))
def _stroke(key: chex.PRNGKey, sizes: tuple[int, ...], width: float) -> jax.Array:
    """Whether pixels are within a brush's reach of a random path, [h, w]."""
    rngs, most = jax.random.split(key, 6), 8

    def uniform(k: int, shape: tuple[int, ...], low: float, high: float) -> jax.Array:
        return jax.random.uniform(rngs[k], shape, jnp.float32, low, high)

    piece = jnp.arange(most, dtype=jnp.int32)
    num = jax.random.randint(rngs[0], (), 1, most + 1, jnp.int32)
    reach = jnp.maximum(uniform(1, (), width / 3, width) * min(sizes), math.sqrt(2)) / 2
    turns = uniform(2, (most,), 4 * math.pi / 15, 8 * math.pi / 15)
    angles = uniform(3, (), 0.0, 2 * math.pi) + jnp.where(piece % 2 == 0, turns, -turns)
    # Pieces too many have no length: they stay where the last one ends.
    lengths = jnp.where(piece < num, uniform(4, (most,), 0.0, math.hypot(*sizes) / 4), 0.0)
    last = jnp.asarray([[max(size - 1, 1)] for size in sizes], jnp.float32)
    start = uniform(5, (2, 1), 0.0, 1.0) * last
    moves = lengths[None] * jnp.stack([jnp.sin(angles), jnp.cos(angles)])
    places = jnp.concatenate([start, start + jnp.cumsum(moves, axis=1)], axis=1)
    places = last - jnp.abs(places % (2 * last) - last)
    rows, columns = jnp.indices(sizes, jnp.float32)

    def covered(begin: jax.Array, end: jax.Array) -> jax.Array:
        (dy, dx), y, x = end - begin, rows - begin[0], columns - begin[1]
        share = jnp.clip((y * dy + x * dx) / jnp.maximum(dy * dy + dx * dx, 1e-12), 0.0, 1.0)
        return (y - share * dy) ** 2 + (x - share * dx) ** 2 <= reach**2

    return jnp.any(jax.vmap(covered, 1)(places[:, :-1], places[:, 1:]), axis=0)


def free_form_mask(
    rng: chex.PRNGKey, images: chex.Array, strokes: int = 4, width: float = 0.15
) -> chex.Array:
    """Hides thick strokes that wander about, for inpainting.

    A stroke begins anywhere and has 1 to 8 straight pieces that zigzag about a direction of its
    own: they turn from it by 48 to 96 degrees, to one side and the other. Each is up to a quarter
    of the image's diagonal long and folded back at the border. All draws are uniform.

    Source: Free-Form Image Inpainting with Gated Convolution (Yu et al., 2019), section 3.4;
    angles, lengths and widths are near those of the authors' code.

    Args:
      rng: keys [n].
      images: [n, h, w, c] in [-1, 1].
      strokes: the most strokes, a whole number above 0; the fewest is 1.
      width: the most, as a share of the shorter side, above 0 and at most 1; the least is a third
        of it. No stroke is thinner than sqrt(2) pixels, or it could slip between them.

    Returns:
      Sources as of `center_mask`, [n, h, w, c + 1], float32.
    """
    images = _examples(rng, images)
    _arrays.check('strokes', strokes, strokes > 0 and strokes % 1 == 0, 'a whole number above 0')
    _arrays.check('width', width, 0 < width <= 1, 'above 0 and at most 1')

    def one(key: chex.PRNGKey) -> jax.Array:
        num_key, strokes_key = jax.random.split(key)
        num = jax.random.randint(num_key, (), 1, int(strokes) + 1, jnp.int32)
        rngs = jax.random.split(strokes_key, int(strokes))
        drawn = jax.vmap(lambda rng: _stroke(rng, images.shape[1:3], width))(rngs)
        return jnp.any(drawn & _interval(int(strokes), 0, num)[:, None, None], axis=0)

    return _hide(images, jax.vmap(one)(rng))


def noise(rng: chex.PRNGKey, images: chex.Array, stddev: float = 0.2) -> chex.Array:
    """Adds N(0, stddev^2) to every value; not clipped, which would move means near black and white.

    Source: Beyond a Gaussian Denoiser: Residual Learning of Deep CNN for Image Denoising (Zhang et
    al., 2017), section I.

    Args:
      rng: keys [n].
      images: [n, h, w, c] in [-1, 1].
      stddev: >= 0 in the units of [-1, 1], where 2 / 255 is a level of 8 bits: 0.2 is 25.5 levels.

    Returns:
      Sources [n, h, w, c], float32, some values outside [-1, 1].
    """
    images = _examples(rng, images)
    _arrays.check('stddev', stddev, stddev >= 0, 'at least 0')
    draws = jax.vmap(lambda key: jax.random.normal(key, images.shape[1:], jnp.float32))(rng)
    return images + stddev * draws.astype(images.dtype)


def sobel(rng: chex.PRNGKey, images: chex.Array) -> chex.Array:
    """The strength of edges: |(gx, gy)| / sqrt(20) - 1 of the luma.

    gx = [1, 2, 1]^T [-1, 0, 1] and gy its transpose, the border's pixels repeated. The most that
    values in [-1, 1] give is 1, and a straight edge from -1 to 1 gives 8 / sqrt(20) - 1 = 0.79.

    Source: An Isotropic 3x3 Image Gradient Operator (Sobel and Feldman, 1968).

    Args:
      rng: keys [n]; nothing is drawn.
      images: [n, h, w, 1 or 3] in [-1, 1].

    Returns:
      Sources [n, h, w, 1] in [-1, 1], float32; -1 where the image is flat.
    """
    images = _luma(_examples(rng, images, 1, 3))
    padded = jnp.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), mode='edge')
    down = padded[:, :-2] + 2.0 * padded[:, 1:-1] + padded[:, 2:]
    across = padded[:, :, :-2] + 2.0 * padded[:, :, 1:-1] + padded[:, :, 2:]
    squared = (down[:, :, 2:] - down[:, :, :-2]) ** 2 + (across[:, 2:] - across[:, :-2]) ** 2
    # The gradient of sqrt at 0 is infinite: where() on both sides keeps it out.
    flat = squared == 0
    return jnp.where(flat, 0.0, jnp.sqrt(jnp.where(flat, 1.0, squared) / 20.0)) - 1.0


def xdog(
    rng: chex.PRNGKey,
    images: chex.Array,
    stddev: float = 0.8,
    sharpness: float = 20.0,
    threshold: float = 0.3,
    softness: float = 10.0,
) -> chex.Array:
    """A drawing in black on white: an extended difference of Gaussians with a soft threshold.

    u = (1 + p) G_s * y - p G_1.6s * y, y the luma in [0, 1]; white where u >= e, elsewhere
    1 + tanh(f (u - e)). On flat images u = y, so dark areas become black.

    Source: XDoG: An eXtended difference-of-Gaussians compendium including advanced image
    stylization (Winnemoeller et al., 2012), section 2.

    Args:
      rng: keys [n]; nothing is drawn.
      images: [n, h, w, 1 or 3] in [-1, 1].
      stddev: s > 0 of the narrow Gaussian, in pixels.
      sharpness: p >= 0, how much edges stand out.
      threshold: e, of luma in [0, 1].
      softness: f > 0, how steep the threshold is; the greater, the harder.

    Returns:
      Sources [n, h, w, 1] in [-1, 1], float32.
    """
    images = _luma(_examples(rng, images, 1, 3))
    _arrays.check('stddev', stddev, stddev > 0, 'above 0')
    _arrays.check('sharpness', sharpness, sharpness >= 0, 'at least 0')
    _arrays.check('threshold', threshold, True, 'finite')
    _arrays.check('softness', softness, softness > 0, 'above 0')
    narrow, wide = (
        _arrays.gaussian_filter((images + 1.0) / 2.0, s) for s in (stddev, 1.6 * stddev)
    )
    excess = narrow + sharpness * (narrow - wide) - threshold
    return 1.0 + 2.0 * jnp.tanh(softness * jnp.minimum(excess, 0.0))


def blur(rng: chex.PRNGKey, images: chex.Array, stddev: float = 1.5) -> chex.Array:
    """Gaussian blur, cut off at 4 standard deviations; outside, the border's pixels are repeated.

    Source: Learning a Single Convolutional Super-Resolution Network for Multiple Degradations
    (Zhang et al., 2018), equation 1, without its downsampling and noise.

    Args:
      rng: keys [n]; nothing is drawn.
      images: [n, h, w, c] in [-1, 1].
      stddev: > 0, in pixels.

    Returns:
      Sources [n, h, w, c] in [-1, 1], float32.
    """
    images = _examples(rng, images)
    _arrays.check('stddev', stddev, stddev > 0, 'above 0')
    return _arrays.gaussian_filter(images, stddev)


def _cosines() -> np.ndarray:
    """The orthonormal DCT of 8 values, [frequency, place]."""
    u, x = np.indices((8, 8))
    return np.cos((2 * x + 1) * u * np.pi / 16) / np.sqrt(np.where(u, 4, 8))


def _steps(quality: int, channels: int) -> np.ndarray:
    """What coefficients are rounded to multiples of, [8, 8, channels]."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    steps = np.stack([_LUMA_STEPS, _CHROMA_STEPS, _CHROMA_STEPS][:channels], axis=-1)
    return np.clip((steps * scale + 50) // 100, 1, 255)


def jpeg(rng: chex.PRNGKey, images: chex.Array, quality: int = 10) -> chex.Array:
    """What JPEG loses: coefficients of 8x8 blocks rounded to multiples of a table's steps.

    Luma and two colour differences at full resolution (4:4:4), an orthonormal DCT of each block,
    rounding, and all the way back. Sides are filled up to multiples of 8 by repeating the border.
    Unlike a codec's, colours are not rounded to 8 bits before and after.

    Source: ITU-T T.81, Digital compression and coding of continuous-tone still images (1992),
    A.3.3, tables K.1 and K.2; ITU-T T.871, JPEG File Interchange Format (2011), for the colours;
    libjpeg (Independent JPEG Group), jpeg_quality_scaling, for the scale of the tables.

    Args:
      rng: keys [n]; nothing is drawn.
      images: [n, h, w, 1 or 3] in [-1, 1]; grey ones use the table of luma.
      quality: a whole number from 1 to 100, on libjpeg's scale.

    Returns:
      Sources [n, h, w, 1 or 3], clipped to [-1, 1], float32.
    """
    images = _examples(rng, images, 1, 3)
    valid = 1 <= quality <= 100 and quality % 1 == 0
    _arrays.check('quality', quality, valid, 'a whole number from 1 to 100')
    num, height, width, channels = images.shape
    down, right = -height % 8, -width % 8
    # 8 bits are v = 127.5 (x + 1), and shifted by 128.
    padding = ((0, 0), (0, down), (0, right), (0, 0))
    values = jnp.pad(127.5 * images - 0.5, padding, mode='edge')
    blocks = values.reshape(num, (height + down) // 8, 8, (width + right) // 8, 8, channels)
    blue, red = (np.eye(3)[2] - _LUMA) / 1.772, (np.eye(3)[0] - _LUMA) / 1.402
    colours = np.stack([_LUMA, blue, red]) if channels == 3 else np.ones((1, 1))
    cosines, forth, back, steps = (
        jnp.asarray(x, images.dtype)
        for x in (_cosines(), colours, np.linalg.inv(colours), _steps(int(quality), channels))
    )
    exact = lax.Precision.HIGHEST
    # Rows y and columns x of block (h, w) to frequencies u and v, colours c to planes k.
    waves = jnp.einsum('uy,vx,kc,nhywxc->nhuwvk', cosines, cosines, forth, blocks, precision=exact)
    waves = jnp.round(waves / steps[None, None, :, None]) * steps[None, None, :, None]
    blocks = jnp.einsum('uy,vx,ck,nhuwvk->nhywxc', cosines, cosines, back, waves, precision=exact)
    values = blocks.reshape(values.shape)[:, :height, :width]
    return jnp.clip((values + 0.5) / 127.5, -1.0, 1.0)
