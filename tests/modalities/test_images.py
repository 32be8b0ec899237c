"""Grids of images: how large, how sharp, and what stands over them."""

import numpy as np
import pytest

from gan_jax.modalities import images

DRAW = np.random.default_rng(0)


@pytest.mark.parametrize(
    ('num', 'size', 'columns', 'shape'),
    [
        (64, 28, None, (8 * (112 + 2) + 2, 8 * (112 + 2) + 2)),
        (100, 28, None, (10 * (84 + 2) + 2, 10 * (84 + 2) + 2)),
        (100, 64, None, (10 * (64 + 2) + 2, 10 * (64 + 2) + 2)),
        (80, 32, 10, (8 * (64 + 2) + 2, 10 * (64 + 2) + 2)),
        (2, 8, 1, (2 * (400 + 2) + 2, 400 + 4)),
        (4, 256, None, (2 * (512 + 2) + 2, 2 * (512 + 2) + 2)),
        (9, 512, None, (3 * (512 + 2) + 2, 3 * (512 + 2) + 2)),
    ],
)
@pytest.mark.parametrize('channels', [1, 3])
def test_small_images_are_enlarged_by_whole_numbers_to_about_800_pixels(
    num, size, columns, shape, channels
):
    made = DRAW.integers(0, 256, (num, size, size, channels), np.uint8)
    picture = images.picture(made, columns=columns)
    assert picture.shape == (*shape, channels)
    assert picture.dtype == np.uint8
    across = columns or round(num**0.5)
    side = (shape[1] - 2) // across - 2
    first = picture[2 : 2 + side, 2 : 2 + side]
    np.testing.assert_array_equal(first, made[0].repeat(side // size, 0).repeat(side // size, 1))


@pytest.mark.parametrize('channels', [1, 3])
def test_headings_stand_over_their_columns_again_and_again(channels):
    made = np.full((6, 20, 20, channels), 7, np.uint8)
    plain = images.picture(made, columns=6)
    picture = images.picture(made, columns=6, headings=('one', '', 'three'))
    assert picture.shape == (plain.shape[0] + 16, *plain.shape[1:])
    np.testing.assert_array_equal(picture[16:], plain)
    columns = [picture[:16, 2 + i * 142 :][:, :140] for i in range(6)]
    assert [bool((x < 100).any()) for x in columns] == [True, False, True] * 2
    np.testing.assert_array_equal(columns[0], columns[3])
    ink = [np.flatnonzero((x < 200).any(axis=(0, 2))) for x in (columns[0], columns[2])]
    assert all(45 < x.mean() < 95 for x in ink)  # in the middle
    assert np.ptp(ink[1]) > np.ptp(ink[0])


def test_a_heading_ends_where_its_column_ends():
    made = np.zeros((80, 8, 8, 1), np.uint8)
    band = images.picture(made, columns=80, headings=('a long heading', ''))[:16]
    assert band.shape == (16, 80 * 10 + 2, 1)
    for i in range(80):
        assert (band[:, 2 + i * 10 : 10 + i * 10] < 200).any() == (i % 2 == 0)
        assert (band[:, 10 + i * 10 : 12 + i * 10] == 255).all()
