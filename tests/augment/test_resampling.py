import math

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage

from gan_jax.augment import resampling

SIDE = 8
IMAGES = np.random.default_rng(0).uniform(-1, 1, (3, SIDE, SIDE, 3)).astype(np.float32)
STILL = np.zeros((3, 2), np.float32)
NONE = np.zeros(3, np.float32)


def matrices(x, y, angle=0.0, right=0.0, down=0.0):
    """Scaling, then a turn, then a move, for each of the three images."""
    c, s = math.cos(angle), math.sin(angle)
    turn = [[c, -s, 0], [s, c, 0], [0, 0, 1]]
    m = np.diag([x, y, 1.0]) @ turn @ [[1, 0, right], [0, 1, down], [0, 0, 1]]
    return jnp.asarray(np.tile(m, (3, 1, 1)), jnp.float32)


def warped(image, matrix):
    """The same in float64 and in other steps: pad, insert zeros, convolve, sample, correlate."""
    filter_, pad = np.array(resampling.SYM6) / math.sqrt(2), 3 * SIDE
    sides = np.pad(image, ((pad, pad), (pad, pad), (0, 0)), mode='reflect').astype(np.float64)
    large = np.zeros((2 * sides.shape[0], 2 * sides.shape[1], 3))
    large[::2, ::2] = sides
    for axis in (0, 1):
        large = 2 * scipy.ndimage.convolve1d(large, filter_, axis, mode='constant', origin=-1)
    num = 2 * SIDE + 2 * resampling.MARGIN
    half = (np.arange(num) - (num - 1) / 2 + 0.5) / 2
    x, y = np.meshgrid(half, half)
    places = np.einsum('ij,jhw->ihw', matrix[:2], np.stack([x, y, np.ones_like(x)]))
    x, y = 2 * places - 1 + SIDE + 2 * pad
    sampled = np.stack(
        [scipy.ndimage.map_coordinates(large[..., c], [y, x], order=1) for c in range(3)], -1
    )
    rows = np.stack(
        [filter_ @ sampled[2 * i + 1 : 2 * i + 13].reshape(12, -1) for i in range(SIDE)]
    )
    rows = rows.reshape(SIDE, num, 3).swapaxes(0, 1)
    columns = np.stack(
        [filter_ @ rows[2 * i + 1 : 2 * i + 13].reshape(12, -1) for i in range(SIDE)]
    )
    return columns.reshape(SIDE, SIDE, 3).swapaxes(0, 1)


@pytest.mark.parametrize(
    'change',
    [
        (1, 1), (0.8, 0.8), (1.2, 1 / 1.2), (1, 1, 0.5), (1, 1, -1.0), (1, 1, 0, -1.5, 2.25),
        (0.9, 1.1, 0.3, 0.5, -0.75),
    ],
)  # fmt: skip
def test_warp_is_padding_zeros_convolution_sampling_and_correlation(change):
    matrix = matrices(*change)
    np.testing.assert_allclose(
        resampling.warp(jnp.asarray(IMAGES), matrix)[0],
        warped(IMAGES[0], np.asarray(matrix[0])),
        atol=2e-5,
    )


def test_the_wavelets_are_orthogonal_to_their_even_shifts():
    for taps in (resampling.SYM6, resampling.SYM2):
        for shift in range(0, len(taps), 2):
            product = taps[shift:] @ taps[: len(taps) - shift]
            np.testing.assert_allclose(product, float(shift == 0), atol=1e-9)
        np.testing.assert_allclose(taps.sum(), math.sqrt(2), atol=1e-9)


def test_warp_moves_by_whole_pixels_and_mirrors_at_the_border():
    right, down = 2, 3
    moved = resampling.warp(jnp.asarray(IMAGES), matrices(1, 1, 0, -right, -down))
    wide = np.pad(IMAGES, ((0, 0), (down, 0), (right, 0), (0, 0)), mode='reflect')
    np.testing.assert_allclose(moved, wide[:, :SIDE, :SIDE], atol=1e-6)
    steps = np.array([[down, right]] * 3, np.float32)
    np.testing.assert_array_equal(resampling.blit(IMAGES, NONE, NONE, steps), wide[:, :SIDE, :SIDE])


def test_warp_turns_a_smooth_picture():
    rows, columns = np.meshgrid(*[np.arange(32) - 15.5] * 2, indexing='ij')
    wave = np.cos(0.2 * columns + 0.1 * rows)[None, ..., None].astype(np.float32)
    angle = 0.4
    turned = resampling.warp(jnp.asarray(wave), matrices(1, 1, angle)[:1])[0, ..., 0]
    x = math.cos(angle) * columns - math.sin(angle) * rows
    y = math.sin(angle) * columns + math.cos(angle) * rows
    inside = np.hypot(rows, columns) < 10
    np.testing.assert_allclose(turned[inside], np.cos(0.2 * x + 0.1 * y)[inside], atol=0.01)


def test_blit_changes_no_value():
    np.testing.assert_array_equal(
        resampling.blit(IMAGES, NONE + 1, NONE, STILL), IMAGES[:, :, ::-1]
    )
    for quarters in range(4):
        np.testing.assert_array_equal(
            resampling.blit(IMAGES, NONE, NONE + quarters, STILL),
            np.rot90(IMAGES, quarters, (1, 2)),
        )


PIXEL = np.array([[[[0.5, -0.2, 0.1]]]], np.float32).repeat(2, 1).repeat(2, 2)


def painted(**entries):
    """PIXEL under a matrix that has these entries, by row and column, else the identity's."""
    matrix = np.eye(4, dtype=np.float32)
    for place, value in entries.items():
        matrix[int(place[1]), int(place[2])] = value
    return np.asarray(resampling.recolour(PIXEL, matrix[None]))[0, 0, 0]


def test_recolour_is_a_matrix_of_each_pixel():
    np.testing.assert_allclose(painted(_03=0.3, _11=2.0), [0.8, -0.4, 0.1], atol=1e-6)
    np.testing.assert_allclose(painted(_01=1.0), [0.3, -0.2, 0.1], atol=1e-6)
    grey = np.full((1, 2, 2, 1), 0.5, np.float32)
    matrix = np.diag([1.0, 2.0, 3.0, 1.0]).astype(np.float32)
    matrix[:3, 3] = [0.1, 0.2, 0.3]
    np.testing.assert_allclose(
        resampling.recolour(grey, matrix[None]), np.full((1, 2, 2, 1), 1.2), atol=1e-6
    )


def test_the_bands_add_up_and_part_the_frequencies():
    bank = resampling.bands()
    whole = np.zeros(bank.shape[1])
    whole[bank.shape[1] // 2] = 1
    np.testing.assert_allclose(bank.sum(0), whole, atol=1e-9)
    for frequency, band in ((0.0, 0), (math.pi, 3)):  # a constant, and plus and minus by turns
        wave = np.exp(1j * frequency * (np.arange(bank.shape[1]) - bank.shape[1] // 2))
        expected = np.eye(4)[band]
        np.testing.assert_allclose(abs(bank @ wave), expected, atol=1e-6)


def test_equalize_multiplies_its_band_along_both_axes():
    gains = np.array([[2.0, 1, 1, 1]] * 3, np.float32)
    flat = np.full((3, 16, 16, 1), 0.25, np.float32)
    np.testing.assert_allclose(resampling.equalize(flat, gains), 4 * flat, atol=1e-5)
    by_turns = np.tile((-1.0) ** np.arange(16)[None, None, :, None], (3, 16, 1, 1))
    gains = np.array([[1.0, 1, 1, 3]] * 3, np.float32)
    np.testing.assert_allclose(
        resampling.equalize(jnp.float32(by_turns), gains), 3 * by_turns, atol=1e-5
    )
