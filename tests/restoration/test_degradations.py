import functools
import inspect
import io
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.fft
import scipy.ndimage
from PIL import Image

from gan_jax import keys
from gan_jax.restoration import degradations as corruptions

NAMES = {
    name
    for name, value in vars(corruptions).items()
    if inspect.isfunction(value)
    and name[0] != '_'
    and {'rng', 'images'} <= set(inspect.signature(value).parameters)
}
MASKS = ['center_mask', 'box_mask', 'free_form_mask']
BAD = [
    ('downsample', 'factor', (0, 3, 2.5, float('nan'))),
    ('center_mask', 'fraction', (0, 1, -0.5)),
    ('box_mask', 'smallest', (0, -1)),
    ('box_mask', 'largest', (0.2, 1)),
    ('free_form_mask', 'strokes', (0, 1.5)),
    ('free_form_mask', 'width', (0, 1.5)),
    ('noise', 'stddev', (-0.1, float('inf'))),
    ('blur', 'stddev', (0, -1)),
    ('xdog', 'stddev', (0,)),
    ('xdog', 'sharpness', (-1,)),
    ('xdog', 'threshold', (float('nan'),)),
    ('xdog', 'softness', (0,)),
    ('jpeg', 'quality', (0, 101, 50.5)),
]


def rngs(num):
    return keys.per_example(jax.random.key(7), num)


def random_images(num=4, height=16, width=12, channels=3):
    images = np.random.default_rng(0).uniform(-1, 1, (num, height, width, channels))
    return images.astype(np.float32)


def smooth_picture(height=40, width=56):
    """uint8, with colours, slopes and an edge, and no side a multiple of 16."""
    y, x = np.mgrid[:height, :width] / 10
    waves = np.stack([np.sin(x + y), np.cos(1.5 * x) * np.sin(y), np.cos(y - 0.5 * x)], -1)
    return np.uint8((120 + 60 * waves + 60 * (x > 3)[..., None]).clip(0, 255).round())


@functools.cache
def jitted(name, **options):
    return jax.jit(functools.partial(getattr(corruptions, name), **options))


def corrupt(name, images, **options):
    return np.asarray(jitted(name, **options)(rngs(len(images)), images))


def test_a_config_finds_these():
    others = {'greyscale', 'downsample', 'noise', 'sobel', 'xdog', 'blur', 'jpeg'}
    assert {*MASKS} | others == NAMES


@pytest.mark.parametrize('name', sorted(NAMES))
def test_shapes_types_and_jit(name):
    images = random_images()
    function = getattr(corruptions, name)
    eager = function(rngs(4), images)
    sizes = {'greyscale': (16, 12, 1), 'sobel': (16, 12, 1), 'xdog': (16, 12, 1)}
    sizes |= {'downsample': (4, 3, 3)} | dict.fromkeys(MASKS, (16, 12, 4))
    assert eager.shape == (4, *sizes.get(name, (16, 12, 3)))
    assert eager.dtype == jnp.float32
    # 1 + 2 tanh(f (u - e)) with u = (1 + p) narrow - p wide, f = 10, p = 20: a unit in the last
    # place of both blurred images, 2^-24, becomes 2 f (1 + 2 p) times as much.
    atol = 2 * 10 * (1 + 2 * 20) * 2.0**-24 if name == 'xdog' else 1e-5
    np.testing.assert_allclose(corrupt(name, images), eager, atol=atol)
    half = jax.eval_shape(function, rngs(4), images.astype(jnp.bfloat16))
    assert half.dtype == jnp.float32


@pytest.mark.parametrize('name', sorted(NAMES))
def test_an_example_depends_on_its_own_key_only(name):
    images = random_images()
    some = np.array([2, 0, 2, 3])
    part = jitted(name)(rngs(4)[some], images[some])
    np.testing.assert_allclose(part, corrupt(name, images)[some], atol=1e-6)
    same = jnp.tile(images[:1], (4, 1, 1, 1))
    drawn = len(np.unique(corrupt(name, same).reshape(4, -1), axis=0)) > 1
    assert drawn == (name in ('box_mask', 'free_form_mask', 'noise'))


@pytest.mark.parametrize(('name', 'option', 'values'), BAD)
def test_options_out_of_range_are_refused(name, option, values):
    for value in values:
        with pytest.raises(ValueError, match=f'{option} must be .*, not'):
            getattr(corruptions, name)(rngs(2), jnp.zeros((2, 8, 8, 3)), **{option: value})


def test_wrong_shapes_types_and_channels_are_refused():
    for images in (
        jnp.zeros((2, 8, 8, 3), jnp.uint8),
        jnp.zeros((8, 8, 3)),
        jnp.zeros((3, 8, 8, 3)),
    ):
        with pytest.raises(AssertionError):
            corruptions.noise(rngs(2), images)
    for name in ('greyscale', 'sobel', 'xdog', 'jpeg'):
        with pytest.raises(ValueError, match='must have 1 or 3 channels, not 4'):
            getattr(corruptions, name)(rngs(2), jnp.zeros((2, 8, 8, 4)))
        grey = jax.eval_shape(getattr(corruptions, name), rngs(2), jnp.zeros((2, 8, 8, 1)))
        assert grey.shape == (2, 8, 8, 1)


def test_float64_stays():
    with jax.enable_x64(True):
        images = jnp.asarray(np.zeros((2, 8, 8, 3)))
        assert images.dtype == jnp.float64
        for name in NAMES:
            sources = jax.eval_shape(getattr(corruptions, name), rngs(2), images)
            assert sources.dtype == jnp.float64


def test_luma_of_pure_colours():
    colours = 2 * np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 1, 1], [0, 0, 0]]) - 1.0
    luma = corrupt('greyscale', jnp.asarray(colours, jnp.float32).reshape(6, 1, 1, 3)).ravel()
    np.testing.assert_allclose((luma + 1) / 2, [0.299, 0.587, 0.114, 0.886, 1, 0], atol=1e-6)
    picture = smooth_picture()
    ours = (corrupt('greyscale', jnp.asarray(picture[None] / 127.5 - 1, jnp.float32)) + 1) * 127.5
    theirs = np.asarray(Image.fromarray(picture).convert('L'))
    np.testing.assert_allclose(ours[0, ..., 0], theirs, atol=0.51)


@pytest.mark.parametrize('name', ['downsample', 'blur'])
def test_constant_images_stay(name):
    sources = corrupt(name, jnp.full((1, 8, 12, 2), 0.7))
    np.testing.assert_allclose(sources, 0.7, atol=1e-6)


@pytest.mark.parametrize('factor', [1, 2, 4])
def test_downsample_is_pillows_bicubic(factor):
    images = random_images(1, channels=1)
    picture = Image.fromarray(np.asarray(images[0, ..., 0]))
    theirs = picture.resize((12 // factor, 16 // factor), Image.Resampling.BICUBIC)
    ours = corrupt('downsample', images, factor=factor)[0, ..., 0]
    np.testing.assert_allclose(ours, np.asarray(theirs), atol=1e-5)


@pytest.mark.parametrize('name', MASKS)
def test_masks_hide_pixels_and_leave_the_others_to_the_bit(name):
    images = random_images()
    sources = corrupt(name, images)
    missing = sources[..., -1:]
    assert set(np.unique(missing)) == {0, 1}
    assert missing.max((1, 2, 3)).min() == 1  # each has a hole
    np.testing.assert_array_equal(sources[..., :-1], np.where(missing == 1, 0, images))


def test_the_centre_is_hidden():
    missing = corrupt('center_mask', jnp.zeros((1, 8, 4, 1)))[0, ..., 1]
    want = np.zeros((8, 4))
    want[2:6, 1:3] = 1
    np.testing.assert_array_equal(missing, want)
    # Half a pixel up and to the left; one pixel at least.
    missing = corrupt('center_mask', jnp.zeros((1, 5, 4, 1)), fraction=0.3)[0, ..., 1]
    np.testing.assert_array_equal(np.argwhere(missing), [[1, 1], [2, 1]])
    assert corrupt('center_mask', jnp.zeros((1, 8, 8, 1)), fraction=0.01)[..., 1].sum() == 1


def test_boxes_have_sides_in_range_and_lie_anywhere():
    missing = corrupt('box_mask', jnp.zeros((500, 20, 40, 1)), smallest=0.2, largest=0.6)[..., 1]
    rows, columns = missing.max(2), missing.max(1)
    np.testing.assert_array_equal(missing, rows[:, :, None] * columns[:, None, :])
    for axis, size in ((rows, 20), (columns, 40)):
        sides = axis.sum(1)
        assert (np.diff(axis, axis=1) == 1).sum(1).max() <= 1  # one piece
        assert (sides.min(), sides.max()) == (0.2 * size, 0.6 * size)
        assert abs(sides.mean() - 0.4 * size) < 0.02 * size
        # Placed evenly, a box is as often near one end as near the other.
        np.testing.assert_allclose(
            (axis @ np.arange(size) / sides).mean(), (size - 1) / 2, rtol=0.06
        )
        assert axis[:, 0].max() == axis[:, -1].max() == 1
    assert abs(np.corrcoef(rows.sum(1), columns.sum(1))[0, 1]) < 0.15


def test_strokes_go_everywhere():
    missing = corrupt('free_form_mask', np.zeros((200, 32, 24, 1), np.float32))[..., 1]
    shares = missing.mean((1, 2))
    assert 0.1 < shares.mean() < 0.2
    assert shares.max() < 0.6
    mean = missing.mean(0)
    assert mean.min() > 0
    quarters = mean.reshape(2, 16, 2, 12).mean((1, 3))
    np.testing.assert_allclose(quarters, quarters.mean(), rtol=0.25)
    components = [scipy.ndimage.label(mask, np.ones((3, 3)))[1] for mask in missing]
    assert {*components} == {1, 2, 3, 4}


def test_a_stroke_is_one_thick_path():
    images = np.zeros((40, 64, 48, 1), np.float32)
    thick = corrupt('free_form_mask', images, strokes=1, width=0.3)[..., 1]
    # No thinner than 0.1 * 48 = 4.8 pixels: opening by a disc of radius 2 leaves nearly all of it.
    disc = np.hypot(*np.mgrid[-2:3, -2:3]) <= 2
    for mask in thick[:20] == 1:
        assert scipy.ndimage.label(mask, np.ones((3, 3)))[1] == 1
        opened = scipy.ndimage.binary_opening(np.pad(mask, 4, mode='edge'), disc)[4:-4, 4:-4]
        assert opened.sum() > 0.9 * mask.sum()
    thin = corrupt('free_form_mask', images, strokes=1, width=0.01)[..., 1]
    # The same paths, sqrt(2) pixels wide.
    assert ((thin <= thick) & (thin.sum((1, 2), keepdims=True) > 0)).all()
    assert thin.mean() < 0.4 * thick.mean()
    assert not scipy.ndimage.binary_opening(thin[0], np.ones((4, 4))).any()
    # They zigzag: about 0.4 times as wide as long. Turns to one side only would make it 0.2.
    variances = [np.linalg.eigvalsh(np.cov(np.argwhere(mask).T)) for mask in thin]
    assert np.mean([np.sqrt(least / most) for least, most in variances]) > 0.28


def test_noise_is_gaussian_and_not_clipped():
    images = jnp.full((50, 16, 16, 3), 0.95)
    drawn = (corrupt('noise', images, stddev=0.2) - 0.95) / 0.2
    assert abs(drawn.mean()) < 0.02
    assert abs(drawn.std() - 1) < 0.01
    assert abs((drawn**3).mean()) < 0.06
    assert abs((np.abs(drawn) < 1).mean() - 0.6827) < 0.01
    assert abs(np.corrcoef(drawn[0, ..., 0].ravel(), drawn[0, ..., 1].ravel())[0, 1]) < 0.2
    np.testing.assert_array_equal(corrupt('noise', images, stddev=0.0), images)


def test_sobel_of_a_ramp_and_of_an_edge():
    slope_y, slope_x = 0.03, -0.04
    y, x = np.mgrid[:8, :10]
    ramp = jnp.asarray(slope_y * y + slope_x * x, jnp.float32)[None, ..., None]
    edges = corrupt('sobel', ramp)[0, ..., 0]
    # A central difference over two pixels, with weights of sum 4: 8 times the slope.
    np.testing.assert_allclose(edges[1:-1, 1:-1], 8 * 0.05 / np.sqrt(20) - 1, atol=1e-5)
    # On the border a difference over one pixel across it.
    np.testing.assert_allclose(
        edges[0, 1:-1], np.hypot(4 * slope_y, 8 * slope_x) / np.sqrt(20) - 1, atol=1e-5
    )
    step = jnp.where(jnp.arange(8) < 4, -1.0, 1.0)[None, None, :, None] * jnp.ones((1, 4, 1, 1))
    row = corrupt('sobel', step)[0, 2, :, 0]
    np.testing.assert_allclose(row[3:5], 0.788854, atol=1e-5)
    np.testing.assert_array_equal(row[[0, 1, 2, 5, 6, 7]], -1)


def test_sobel_fills_its_range_and_no_more():
    windows = np.array(list(itertools.product([-1.0, 1.0], repeat=9)), np.float32)
    edges = corrupt('sobel', jnp.asarray(windows.reshape(512, 3, 3, 1)))[:, 1, 1]
    np.testing.assert_allclose((edges.min(), edges.max()), (-1, 1), atol=1e-6)
    total = jax.jit(jax.grad(lambda x: corruptions.sobel(rngs(1), x).sum()))
    gradient = total(jnp.zeros((1, 4, 4, 1)))
    np.testing.assert_array_equal(gradient, 0)


@pytest.mark.parametrize('light', [0.2, 0.4, 0.9])
def test_xdog_of_a_constant_is_its_threshold(light):
    drawing = corrupt('xdog', jnp.full((1, 6, 7, 3), 2 * light - 1), threshold=0.5, softness=3.0)
    tone = 1.0 if light >= 0.5 else 1 + np.tanh(3 * (light - 0.5))
    np.testing.assert_allclose(drawing, 2 * tone - 1, atol=1e-4)


def test_xdog_is_the_paper_s_formula():
    grey = np.asarray(random_images(1, channels=1), np.float64)[0, ..., 0] / 2 + 0.5
    filters = [
        scipy.ndimage.gaussian_filter(grey, s, mode='nearest', truncate=4) for s in (0.9, 1.44)
    ]
    response = (1 + 7) * filters[0] - 7 * filters[1]
    want = np.where(response >= 0.4, 1, 1 + np.tanh(2 * (response - 0.4)))
    options = {'stddev': 0.9, 'sharpness': 7.0, 'threshold': 0.4, 'softness': 2.0}
    drawing = corrupt('xdog', random_images(1, channels=1), **options)
    np.testing.assert_allclose(drawing[0, ..., 0], 2 * want - 1, atol=1e-4)


@pytest.mark.parametrize('stddev', [0.4, 1.5, 6.0])
def test_blur_is_scipys(stddev):
    images = random_images(2)
    want = scipy.ndimage.gaussian_filter(np.float64(images), (0, stddev, stddev, 0), mode='nearest')
    np.testing.assert_allclose(corrupt('blur', images, stddev=stddev), want, atol=1e-6)


def test_the_dct_is_orthonormal():
    matrix = corruptions._cosines()
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(8), atol=1e-12)
    np.testing.assert_allclose(matrix, scipy.fft.dct(np.eye(8), axis=0, norm='ortho'), atol=1e-12)


def encode(picture, quality):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, 'JPEG', quality=quality, subsampling=0)
    return Image.open(file)


@pytest.mark.parametrize('quality', [1, 10, 49, 50, 75, 100])
def test_jpegs_tables_are_libjpegs(quality):
    tables = encode(np.zeros((8, 8, 3), np.uint8), quality).quantization
    ours = corruptions._steps(quality, 3)
    np.testing.assert_array_equal(ours[..., 0], np.reshape(tables[0], (8, 8)))
    for channel in (1, 2):
        np.testing.assert_array_equal(ours[..., channel], np.reshape(tables[1], (8, 8)))


def psnr(x, y):
    return 10 * np.log10(255**2 / np.mean((np.float64(x) - y) ** 2))


@pytest.mark.parametrize('channels', [1, 3])
def test_jpeg_is_near_pillows(channels):
    # 37x51, so that the border is filled; grey has the table of luma.
    picture = smooth_picture(37, 51)[..., :channels]
    images = jnp.asarray(picture[None] / 127.5 - 1, jnp.float32)
    plain, ratios = picture if channels == 3 else picture[..., 0], {}
    for quality in (5, 10, 50):
        theirs = np.asarray(encode(plain, quality)).reshape(picture.shape)
        ours = ((corrupt('jpeg', images, quality=quality)[0] + 1) * 127.5).round()
        assert np.abs(ours - theirs).mean() < 1
        ratios[quality] = psnr(ours, picture)
        assert abs(ratios[quality] - psnr(theirs, picture)) < 0.5
        assert psnr(ours, theirs) > ratios[quality] + 3
    assert ratios[5] < ratios[10] - 2 < ratios[50] - 8
    assert ratios[10] < 36


def test_jpeg_of_the_best_quality_is_nearly_lossless():
    images = jnp.asarray(smooth_picture()[None] / 127.5 - 1, jnp.float32)
    changes = np.abs(corrupt('jpeg', images, quality=100) - images) * 127.5
    assert changes.max() < 4
    assert changes.mean() < 0.6


def test_jpeg_of_a_constant_rounds_its_mean():
    # 8 (v - 128) is the first coefficient; the step is 80 at quality 10.
    sources = corrupt('jpeg', jnp.full((1, 9, 10, 1), 200 / 127.5 - 1), quality=10)
    np.testing.assert_allclose((sources + 1) * 127.5, 128 + 80 * round(8 * 72 / 80) / 8, atol=1e-3)
    white = corrupt('jpeg', jnp.ones((1, 8, 8, 1)), quality=10)
    np.testing.assert_allclose(white, 1, atol=1e-6)
