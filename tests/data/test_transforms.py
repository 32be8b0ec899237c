import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from gan_jax.data import transforms


@pytest.mark.parametrize('xp', [np, jnp])
def test_normalize_takes_0_127_5_and_255_to_the_ends_and_the_middle(xp):
    images = transforms.normalize(xp.array([0, 51, 255], np.uint8))
    assert images.dtype == np.float32
    np.testing.assert_allclose(images, [-1, -0.6, 1], atol=1e-6)


@pytest.mark.parametrize('dtype', [np.float16, jnp.bfloat16, np.float32, np.float64])
def test_normalize_leaves_floats_as_they_are(dtype):
    points = np.array([[-4, 0.5], [127.5, 300]]).astype(dtype)
    for normalized in (transforms.normalize(points), jax.jit(transforms.normalize)(points)):
        assert normalized.dtype == np.float32
        np.testing.assert_array_equal(normalized, points.astype(np.float32))


def test_normalize_can_be_traced():
    images = jax.jit(transforms.normalize)(np.array([0, 255], np.uint8))
    assert images.dtype == np.float32
    np.testing.assert_allclose(images, [-1, 1], atol=1e-6)


@pytest.mark.parametrize('xp', [np, jnp])
def test_denormalize_undoes_normalize_for_every_byte(xp):
    every = xp.arange(256).astype(np.uint8)
    back = transforms.denormalize(transforms.normalize(every))
    assert back.dtype == np.uint8
    np.testing.assert_array_equal(back, every)


@pytest.mark.parametrize('xp', [np, jnp])
def test_denormalize_clips_and_rounds(xp):
    images = xp.array([-3, -1 + 0.4 / 127.5, -1 + 0.6 / 127.5, 1.2], np.float32)
    np.testing.assert_array_equal(transforms.denormalize(images), [0, 0, 1, 255])


def test_crop_takes_the_centre_square():
    columns = np.tile(np.arange(7, dtype=np.uint8), (3, 1))
    wide = np.asarray(transforms.crop_square(Image.fromarray(columns)))
    np.testing.assert_array_equal(wide, [[2, 3, 4]] * 3)
    tall = np.asarray(transforms.crop_square(Image.fromarray(columns.T.copy())))
    np.testing.assert_array_equal(tall, wide.T)
    even = transforms.crop_square(Image.fromarray(columns[:, :6]))
    np.testing.assert_array_equal(np.asarray(even)[0], [1, 2, 3])


def test_transparent_pixels_are_laid_over_white():
    pixels = np.array([[[255, 0, 0, 255], [255, 0, 0, 0], [0, 0, 0, 51]]], np.uint8)
    rgb = np.asarray(transforms.convert(Image.fromarray(pixels), 3))
    np.testing.assert_array_equal(rgb[0], [[255, 0, 0], [255, 255, 255], [204, 204, 204]])
    grey = np.asarray(transforms.convert(Image.fromarray(pixels[..., [0, 3]]), 1))
    np.testing.assert_array_equal(grey[0], [255, 255, 204])


def test_a_palettes_transparent_colour_is_white():
    image = Image.fromarray(np.array([[0, 1]], np.uint8))
    image.putpalette([10, 20, 30, 40, 50, 60])
    file = io.BytesIO()
    image.save(file, 'PNG', transparency=1)
    rgb = np.asarray(transforms.convert(Image.open(file), 3))
    np.testing.assert_array_equal(rgb[0], [[10, 20, 30], [255, 255, 255]])


def test_grey_is_luma_and_rgb_of_grey_repeats_it():
    red = Image.fromarray(np.array([[[255, 0, 0]]], np.uint8))
    np.testing.assert_array_equal(transforms.convert(red, 1), [[76]])
    grey = Image.fromarray(np.array([[9]], np.uint8))
    np.testing.assert_array_equal(transforms.convert(grey, 3), [[[9, 9, 9]]])


def test_reducing_does_not_alias():
    # Columns of period 2.13: every fourth one alone gives stripes (a deviation of 127), filtered
    # they give grey.
    stripes = np.where(np.arange(64) * 0.47 % 1 < 0.5, 255, 0).astype(np.uint8)
    image = transforms.fit(np.tile(stripes[None, :, None], (64, 1, 1)), 16, 1)
    assert image[:, 2:-2].std() < 20


def test_fit_leaves_an_image_of_the_right_shape_as_it_is():
    image = np.random.default_rng(0).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    np.testing.assert_array_equal(transforms.fit(image, 5, 3), image)
    np.testing.assert_array_equal(transforms.fit(Image.fromarray(image), 5, 3), image)


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('shape', [(12, 20, 1), (20, 12, 3), (4, 4, 3)])
def test_fit_gives_the_asked_shape(shape, channels):
    image = transforms.fit(np.full(shape, 200, np.uint8), 8, channels)
    assert image.shape == (8, 8, channels)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, 200)


@pytest.mark.parametrize('orientation', range(1, 9))
def test_fit_turns_as_exif_says(orientation):
    # The first stored row and column are, by EXIF, these sides of the scene.
    upright = np.zeros((16, 16), np.uint8)
    upright[:8, :8], upright[:8, 8:] = 250, 120
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.T, 6: np.rot90(upright), 7: upright[::-1, ::-1].T, 8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(stored)).save(file, 'PNG', exif=exif)
    np.testing.assert_array_equal(transforms.fit(Image.open(file), 16, 1)[..., 0], upright)
