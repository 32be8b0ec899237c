import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
import scipy.signal
from PIL import Image

from gan_jax import keys
from gan_jax.restoration import baselines
from gan_jax.restoration import degradations as corruptions

NAMES = {
    name for name, value in vars(baselines).items() if inspect.isfunction(value) and name[0] != '_'
}
FILLS = ['mean_fill', 'harmonic_fill', 'biharmonic_fill']
BAD = [
    ('identity', 'channels', (0, 1.5)),
    ('grey', 'channels', (0,)),
    ('bicubic', 'factor', (0, 1.5, float('nan'))),
    ('harmonic_fill', 'iterations', (-1, 0.5)),
    ('biharmonic_fill', 'iterations', (-1,)),
    ('median', 'size', (0, 2, -1)),
    ('gaussian', 'stddev', (0, float('inf'))),
]


def random_images(num=2, height=16, width=12, channels=3, limit=1.0):
    images = np.random.default_rng(0).uniform(-limit, limit, (num, height, width, channels))
    return jnp.asarray(images, jnp.float32)


@functools.cache
def jitted(name, **options):
    return jax.jit(functools.partial(getattr(baselines, name), **options))


def answer(name, sources, **options):
    return np.asarray(jitted(name, **options)(sources))


def punctured(images):
    """The middle hidden, half of each side."""
    images = np.asarray(images)
    num, height, width, _ = images.shape
    mask = np.zeros((num, height, width, 1), np.float32)
    mask[:, height // 4 : -(height // 4), width // 4 : -(width // 4)] = 1
    return np.concatenate([images * (1 - mask), mask], -1)


def plane(quadratic=False):
    y, x = np.mgrid[:32, :32] / 32
    channels = [0.5 * x - 0.3 * y + 0.1, 0.8 * y - 0.5]
    if quadratic:
        channels = [0.9 * x**2 - 0.4 * x * y, 0.5 * y**2 - x + 0.2]
    return jnp.asarray(np.stack(channels, -1)[None], jnp.float32)


def test_a_config_finds_these():
    assert {'identity', 'grey', 'bicubic', *FILLS, 'median', 'gaussian'} == NAMES
    for name in NAMES:
        assert next(iter(inspect.signature(getattr(baselines, name)).parameters)) == 'sources'


@pytest.mark.parametrize('name', sorted(NAMES))
def test_types_range_and_jit(name):
    sources = random_images(limit=3.0)
    if name in FILLS:
        hole = (jnp.arange(12) > 5).astype(jnp.float32)[None, None, :, None]
        sources = jnp.concatenate([sources, jnp.broadcast_to(hole, (2, 16, 12, 1))], -1)
    images = answer(name, sources)
    assert images.dtype == jnp.float32
    assert images.shape[-1] == 3
    assert np.abs(images).max() == 1
    np.testing.assert_allclose(getattr(baselines, name)(sources), images, atol=1e-5)
    np.testing.assert_allclose(answer(name, sources[::-1]), images[::-1], atol=1e-6)
    half = jax.eval_shape(getattr(baselines, name), sources.astype(jnp.bfloat16))
    assert half.dtype == jnp.float32


def test_float64_stays():
    with jax.enable_x64(True):
        for name in NAMES:
            sources = jnp.asarray(np.zeros((1, 4, 4, 3)))
            assert jax.eval_shape(getattr(baselines, name), sources).dtype == jnp.float64


@pytest.mark.parametrize(('name', 'option', 'values'), BAD)
def test_options_out_of_range_are_refused(name, option, values):
    for value in values:
        with pytest.raises(ValueError, match=f'{option} must be .*, not'):
            getattr(baselines, name)(jnp.zeros((1, 4, 4, 3)), **{option: value})


def test_wrong_channels_and_types_are_refused():
    for name, channels in (('identity', 2), ('grey', 2), *((name, 1) for name in FILLS)):
        with pytest.raises(ValueError, match='channel'):
            getattr(baselines, name)(jnp.zeros((1, 4, 4, channels)))
    for sources in (jnp.zeros((1, 4, 4, 3), jnp.uint8), jnp.zeros((4, 4, 3))):
        with pytest.raises(AssertionError):
            baselines.median(sources)


def test_identity_drops_a_mask_and_repeats_grey():
    sources = random_images(channels=4)
    np.testing.assert_array_equal(answer('identity', sources), sources[..., :3])
    np.testing.assert_array_equal(
        answer('identity', sources[..., :2], channels=1), sources[..., :1]
    )
    grey = answer('identity', sources[..., :1])
    np.testing.assert_array_equal(grey, np.repeat(sources[..., :1], 3, -1))


def test_grey_is_the_luma_in_all_channels():
    sources = jnp.asarray([[1, -1, -1], [-1, 1, -1], [-1, -1, 1]], jnp.float32).reshape(3, 1, 1, 3)
    images = answer('grey', sources, channels=2)
    want = np.repeat([[0.299], [0.587], [0.114]], 2, 1)
    np.testing.assert_allclose((images.reshape(3, 2) + 1) / 2, want, atol=1e-6)
    np.testing.assert_array_equal(
        answer('grey', sources[..., :1]), np.repeat(sources[..., :1], 3, -1)
    )


@pytest.mark.parametrize('factor', [1, 2, 4])
def test_bicubic_is_pillows(factor):
    sources = random_images(1, channels=1, limit=0.6)
    picture = Image.fromarray(np.asarray(sources[0, ..., 0]))
    theirs = picture.resize((12 * factor, 16 * factor), Image.Resampling.BICUBIC)
    ours = answer('bicubic', sources, factor=factor)[0, ..., 0]
    np.testing.assert_allclose(ours, np.asarray(theirs), atol=1e-5)


def test_mean_fill_is_the_mean_of_the_known_pixels():
    known = jnp.asarray([[[0.1, 1.0], [0.5, -1.0]], [[9.0, 9.0], [0.3, 0.0]]])
    mask = jnp.asarray([[[0.0], [0.0]], [[1.0], [0.0]]])
    sources = jnp.concatenate([known, mask], -1)
    # Each example by itself.
    images = answer('mean_fill', jnp.stack([sources, -0.5 * sources * (1 - mask) + mask * sources]))
    np.testing.assert_allclose(images[0, 1, 0], [0.3, 0.0], atol=1e-6)
    np.testing.assert_allclose(images[1, 1, 0], [-0.15, 0.0], atol=1e-6)
    np.testing.assert_array_equal(images[0, 0], known[0])
    np.testing.assert_array_equal(answer('mean_fill', jnp.ones((1, 3, 3, 4))), 0)


@pytest.mark.parametrize('name', FILLS)
def test_fills_leave_known_pixels_to_the_bit_and_do_not_look_into_holes(name):
    images = np.asarray(random_images())
    mask = np.float32(np.random.default_rng(1).uniform(size=(2, 16, 12, 1)) < 0.6)
    filled = answer(name, np.concatenate([images * (1 - mask), mask], -1))
    np.testing.assert_array_equal(filled * (1 - mask), images * (1 - mask))
    np.testing.assert_array_equal(answer(name, np.concatenate([images, mask], -1)), filled)


@pytest.mark.parametrize('name', FILLS[1:])
def test_fills_begin_at_the_mean_and_end_finite(name):
    sources = punctured(random_images())
    mean = answer('mean_fill', sources)
    np.testing.assert_array_equal(answer(name, sources, iterations=0), mean)
    # All missing, nothing missing, one pixel.
    hole = np.zeros((2, 16, 12, 4), np.float32)
    hole[0, ..., 3], hole[1, ..., 0] = 1, 0.25
    np.testing.assert_array_equal(answer(name, hole), hole[..., :3])
    np.testing.assert_array_equal(answer(name, np.zeros((1, 1, 1, 2), np.float32)), 0)


def test_harmonic_fill_of_a_ramp_is_the_ramp():
    ramp = plane()
    sources = punctured(ramp)
    assert sources[..., -1].sum() == 16 * 16
    np.testing.assert_allclose(answer('harmonic_fill', sources), ramp, atol=1e-5)
    np.testing.assert_allclose(answer('harmonic_fill', sources, iterations=40), ramp, atol=1e-3)


def laplace(image, missing):
    """The exact solution of one channel: neighbours inside the image, weighted alike."""
    height, width = image.shape
    matrix, right = np.eye(height * width), image.ravel().astype(np.float64)
    for y, x in np.argwhere(missing):
        steps = [(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)]
        near = [(i, j) for i, j in steps if 0 <= i < height and 0 <= j < width]
        matrix[y * width + x, y * width + x] = len(near)
        right[y * width + x] = 0
        for i, j in near:
            matrix[y * width + x, i * width + j] = -1
    return np.linalg.solve(matrix, right).reshape(height, width)


def test_harmonic_fill_solves_laplaces_equation():
    images = random_images(1, channels=2)
    hole = np.zeros((16, 12), bool)
    hole[3:11, 4:] = True  # up to the border
    hole[13, 2] = True
    mask = jnp.asarray(hole[None, ..., None], jnp.float32)
    filled = answer('harmonic_fill', jnp.concatenate([images * (1 - mask), mask], -1))
    for channel in range(2):
        want = laplace(np.where(hole, 0, images[0, ..., channel]), hole)
        np.testing.assert_allclose(filled[0, ..., channel], want, atol=1e-5)


def test_biharmonic_fill_solves_the_biharmonic_equation():
    hole = np.zeros((1, 16, 12, 1), np.float32)
    hole[:, 3:11, 3:9] = hole[:, 11:13, 4] = 1
    images = np.asarray(random_images(1, channels=2, limit=0.3))
    filled = answer('biharmonic_fill', np.concatenate([images * (1 - hole), hole], -1))
    assert np.abs(filled).max() < 1  # not clipped
    laplacian = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    stencil = scipy.signal.convolve2d(laplacian, laplacian)[None, :, :, None]
    np.testing.assert_allclose(scipy.ndimage.convolve(filled, stencil) * hole, 0, atol=1e-4)


def test_biharmonic_fill_of_a_quadratic_is_the_quadratic():
    for images in (plane(), plane(quadratic=True)):
        filled = answer('biharmonic_fill', punctured(images))
        np.testing.assert_allclose(filled, images, atol=1e-4)
    # A plane also where the hole is at the border.
    ramp, mask = np.asarray(plane()), np.zeros((1, 32, 32, 1), np.float32)
    mask[:, 20:, :10] = 1
    filled = answer('biharmonic_fill', np.concatenate([ramp * (1 - mask), mask], -1))
    np.testing.assert_allclose(filled, ramp, atol=1e-4)


@pytest.mark.parametrize('size', [1, 3, 5])
def test_median_is_scipys(size):
    sources = random_images()
    want = scipy.ndimage.median_filter(np.asarray(sources), (1, size, size, 1), mode='nearest')
    np.testing.assert_array_equal(answer('median', sources, size=size), want)


@pytest.mark.parametrize('stddev', [0.4, 1.0, 6.0])
def test_gaussian_is_scipys(stddev):
    sources = random_images()
    want = scipy.ndimage.gaussian_filter(
        np.float64(sources), (0, stddev, stddev, 0), mode='nearest'
    )
    np.testing.assert_allclose(answer('gaussian', sources, stddev=stddev), want, atol=1e-6)


def test_they_restore():
    y, x = np.mgrid[:32, :32] / 8
    waves = [0.8 * np.sin(x + 0.5 * y), 0.5 * np.cos(x - y)]
    clean = jnp.asarray(np.stack(waves, -1)[None], jnp.float32)
    rngs = keys.per_example(jax.random.key(0), 1)

    def error(name, corruption, **options):
        sources = jax.jit(getattr(corruptions, corruption))(rngs, clean)
        return float(np.mean((answer(name, sources, **options) - clean) ** 2))

    for name in ('median', 'gaussian'):
        assert error(name, 'noise') < 0.5 * error('identity', 'noise', channels=2)
    assert error('harmonic_fill', 'center_mask') < 0.5 * error('mean_fill', 'center_mask')
    assert error('biharmonic_fill', 'center_mask') < 0.5 * error('harmonic_fill', 'center_mask')
    assert error('bicubic', 'downsample') < 0.01
