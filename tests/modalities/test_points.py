import numpy as np
import pytest

from gan_jax.modalities import points as pictures

BOUNDS = (np.array([-2.0, -2.0], np.float32), np.array([2.0, 2.0], np.float32))
NONE = np.zeros((0, 2), np.float32)


def at(picture, point):
    """The colour at a point of the plane, of a picture of BOUNDS."""
    size = len(picture)
    column, row = (np.array(point) * (1, -1) + 2) / 4 * size
    return picture[int(row), int(column)].astype(int)


def close(colour, expected, atol):
    np.testing.assert_allclose(colour, expected, atol=atol)


def test_bounds_are_square_with_a_quarter_on_each_side():
    low, high = pictures.bounds(np.array([(0, 0), (4, 2)], np.float32))
    np.testing.assert_allclose(low, [-1, -2])
    np.testing.assert_allclose(high, [5, 4])
    low, high = pictures.bounds(np.ones((3, 2), np.float32))
    assert (high > low).all()


def test_the_fields_points_begin_at_the_top_left():
    points = pictures.field_points(BOUNDS, 4)
    assert points.shape == (16, 2)
    assert points.dtype == np.float32
    np.testing.assert_allclose(points[:5], [(-1.5, 1.5), (-0.5, 1.5), (0.5, 1.5), (1.5, 1.5),
                                            (-1.5, 0.5)])  # fmt: skip
    np.testing.assert_allclose(points[-1], (1.5, -1.5))


@pytest.mark.parametrize('ranks', [True, False])
def test_the_fields_colours_lie_where_its_points_do(ranks):
    def field(points):
        return 50 * points[:, 1]  # real above, generated below

    picture = pictures.scatter(NONE, NONE, field, BOUNDS, 100, ranks=ranks)
    assert picture.shape == (100, 100, 3)
    assert picture.dtype == np.uint8
    close(at(picture, (0, 1.9)), pictures.FIELD[2], 6)
    close(at(picture, (0, -1.9)), pictures.FIELD[0], 6)
    close(at(picture, (1.5, 1.9)), at(picture, (-1.5, 1.9)), 1)
    logits = field(pictures.field_points(BOUNDS, 32))
    for given in (logits, logits.reshape(32, 32)):
        other = pictures.scatter(NONE, NONE, given, BOUNDS, 100, ranks=ranks)
        close(at(other, (0.3, 1.5)), at(picture, (0.3, 1.5)), 8)


def test_ranks_know_no_scale_and_sigmoids_know_zero():
    logits = np.linspace(-1, 3, 64).reshape(8, 8)
    pairs = [
        [pictures.scatter(NONE, NONE, x, BOUNDS, 64, ranks=ranks) for x in (logits, 9 * logits - 5)]
        for ranks in (True, False)
    ]
    np.testing.assert_array_equal(*pairs[0])
    assert np.abs(pairs[1][0].astype(int) - pairs[1][1]).max() > 50
    zero = pictures.scatter(NONE, NONE, np.zeros((8, 8)), BOUNDS, 64, ranks=False)
    close(zero[1:-1, 1:-1].reshape(-1, 3), np.broadcast_to(pictures.FIELD[1], (62 * 62, 3)), 1)
    flat = pictures.scatter(NONE, NONE, np.full((8, 8), 7.0), BOUNDS, 64)
    np.testing.assert_array_equal(flat, zero)
    quarters = pictures._opinions(np.array([3.0, -1, 3, np.nan], np.float32), True)
    np.testing.assert_allclose(quarters, [[0.75, 0.125], [0.75, 0.375]])


def test_points_have_their_colours_where_they_are():
    real = np.array([(-1, 1), (0.5, -1.5)], np.float32)
    fake = np.array([(1, 1), (0.5, -1.5), (9, 9), (np.nan, 0)], np.float32)
    picture = pictures.scatter(real, fake, None, BOUNDS, 400)
    close(at(picture, (-1, 1)), pictures.REAL, 25)
    close(at(picture, (1, 1)), pictures.FAKE, 25)
    close(at(picture, (0, 0)), pictures.FIELD[1], 1)
    close(at(picture, (0.5, -1.5)), pictures.FAKE, 25)  # generated ones are drawn last,
    large = pictures.scatter(real, fake, None, BOUNDS, 1000)
    close(large[875, 625 + 4], pictures.REAL, 25)  # and leave a rim of the real ones
    np.testing.assert_array_equal(picture[0], np.broadcast_to(pictures.FRAME, (400, 3)))
    np.testing.assert_array_equal(picture[:, -1], np.broadcast_to(pictures.FRAME, (400, 3)))


def test_dots_are_round_centred_and_smooth():
    mask = pictures._coverage(np.array([(10.5, 10.5)]), 21, 3.0)
    np.testing.assert_allclose(mask, mask.T, atol=1e-6)
    np.testing.assert_allclose(mask, mask[::-1, ::-1], atol=1e-6)
    assert mask[10, 10] == 1
    assert ((mask > 0) & (mask < 1)).sum() > 8
    assert abs(mask.sum() - np.pi * 9) < 2
    rows, columns = np.mgrid[:21, :21] + 0.5
    moved = pictures._coverage(np.array([(8.2, 12.9)]), 21, 3.0)
    close([(moved * rows).sum() / moved.sum(), (moved * columns).sum() / moved.sum()],
          [8.2, 12.9], 0.05)  # fmt: skip
    assert pictures._coverage(np.array([(0.1, 20.9)]), 21, 3.0).sum() > 4  # cut at the edge


def test_a_legend_names_the_colours_of_large_pictures():
    large, small = (pictures.scatter(NONE, NONE, None, BOUNDS, size) for size in (480, 120))
    assert (large[1:30, 1:200] != pictures.FIELD[1].round()).any()
    assert (large[40:-1, 1:-1] == pictures.FIELD[1]).all()
    assert (small[1:-1, 1:-1] == pictures.FIELD[1]).all()
