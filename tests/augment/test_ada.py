import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage

from gan_jax import keys
from gan_jax.augment import ada

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
    filter_, pad = np.array(ada.SYM6) / math.sqrt(2), 3 * SIDE
    sides = np.pad(image, ((pad, pad), (pad, pad), (0, 0)), mode='reflect').astype(np.float64)
    large = np.zeros((2 * sides.shape[0], 2 * sides.shape[1], 3))
    large[::2, ::2] = sides
    for axis in (0, 1):
        large = 2 * scipy.ndimage.convolve1d(large, filter_, axis, mode='constant', origin=-1)
    num = 2 * SIDE + 2 * ada.MARGIN
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
        ada.warp(jnp.asarray(IMAGES), matrix)[0],
        warped(IMAGES[0], np.asarray(matrix[0])),
        atol=2e-5,
    )


def test_the_wavelets_are_orthogonal_to_their_even_shifts():
    for taps in (ada.SYM6, ada.SYM2):
        for shift in range(0, len(taps), 2):
            product = taps[shift:] @ taps[: len(taps) - shift]
            np.testing.assert_allclose(product, float(shift == 0), atol=1e-9)
        np.testing.assert_allclose(taps.sum(), math.sqrt(2), atol=1e-9)


def test_warp_moves_by_whole_pixels_and_mirrors_at_the_border():
    right, down = 2, 3
    moved = ada.warp(jnp.asarray(IMAGES), matrices(1, 1, 0, -right, -down))
    wide = np.pad(IMAGES, ((0, 0), (down, 0), (right, 0), (0, 0)), mode='reflect')
    np.testing.assert_allclose(moved, wide[:, :SIDE, :SIDE], atol=1e-6)
    steps = np.array([[down, right]] * 3, np.float32)
    np.testing.assert_array_equal(ada.blit(IMAGES, NONE, NONE, steps), wide[:, :SIDE, :SIDE])


def test_warp_turns_a_smooth_picture():
    rows, columns = np.meshgrid(*[np.arange(32) - 15.5] * 2, indexing='ij')
    wave = np.cos(0.2 * columns + 0.1 * rows)[None, ..., None].astype(np.float32)
    angle = 0.4
    turned = ada.warp(jnp.asarray(wave), matrices(1, 1, angle)[:1])[0, ..., 0]
    x = math.cos(angle) * columns - math.sin(angle) * rows
    y = math.sin(angle) * columns + math.cos(angle) * rows
    inside = np.hypot(rows, columns) < 10
    np.testing.assert_allclose(turned[inside], np.cos(0.2 * x + 0.1 * y)[inside], atol=0.01)


def test_blit_changes_no_value():
    np.testing.assert_array_equal(ada.blit(IMAGES, NONE + 1, NONE, STILL), IMAGES[:, :, ::-1])
    for quarters in range(4):
        np.testing.assert_array_equal(
            ada.blit(IMAGES, NONE, NONE + quarters, STILL), np.rot90(IMAGES, quarters, (1, 2))
        )


def draws(p, *names, num=3):
    return ada._Draws(keys.per_example(jax.random.key(0), num), jnp.float32(p), names)


PIXEL = np.array([[[[0.5, -0.2, 0.1]]]], np.float32).repeat(2, 1).repeat(2, 2)


def painted(**entries):
    """PIXEL under a matrix that has these entries, by row and column, else the identity's."""
    matrix = np.eye(4, dtype=np.float32)
    for place, value in entries.items():
        matrix[int(place[1]), int(place[2])] = value
    return np.asarray(ada.recolour(PIXEL, matrix[None]))[0, 0, 0]


def test_recolour_is_a_matrix_of_each_pixel():
    np.testing.assert_allclose(painted(_03=0.3, _11=2.0), [0.8, -0.4, 0.1], atol=1e-6)
    np.testing.assert_allclose(painted(_01=1.0), [0.3, -0.2, 0.1], atol=1e-6)
    grey = np.full((1, 2, 2, 1), 0.5, np.float32)
    matrix = np.diag([1.0, 2.0, 3.0, 1.0]).astype(np.float32)
    matrix[:3, 3] = [0.1, 0.2, 0.3]
    np.testing.assert_allclose(
        ada.recolour(grey, matrix[None]), np.full((1, 2, 2, 1), 1.2), atol=1e-6
    )


@pytest.mark.parametrize('name', ada.COLOUR)
def test_each_colour_is_what_the_paper_says_of_it(name):
    several = 16
    some = draws(1.0, name, num=several)
    pixels = jnp.tile(jnp.asarray(PIXEL), (several, 1, 1, 1))
    x, mean = PIXEL[0, 0, 0], PIXEL[0, 0, 0].mean()
    changed = np.asarray(ada.recolour(pixels, ada.painting(some, False)))[:, 0, 0]
    drawn = (
        np.asarray(some.normal(name)) if name in ('brightness', 'contrast', 'saturation') else None
    )
    if name == 'brightness':
        expected = x + 0.2 * drawn[:, None]
    elif name == 'contrast':
        expected = x * 2 ** (0.5 * drawn[:, None])
    elif name == 'saturation':
        expected = mean + (x - mean) * 2 ** drawn[:, None]
    elif name == 'luma_flip':  # the mean, which is the luma, changes its sign in about half of them
        flipped = np.asarray(some.uniform(name, 0, 2)) >= 1
        assert 0 < flipped.sum() < several
        expected = np.where(flipped[:, None], x - 2 * mean, x)
    else:  # a turn about the greys keeps the mean and the distance from it
        np.testing.assert_allclose(changed.mean(1), mean, atol=1e-6)
        lengths = np.linalg.norm(changed - mean, axis=1)
        np.testing.assert_allclose(lengths, np.linalg.norm(x - mean), atol=1e-6)
        third = np.asarray(ada._hue(jnp.float32([2 * math.pi / 3])))[0, :3, :3]
        np.testing.assert_allclose(third @ x, [x[2], x[0], x[1]], atol=1e-6)
        return
    np.testing.assert_allclose(changed, expected, atol=2e-6)


def test_the_bands_add_up_and_part_the_frequencies():
    bank = ada.bands()
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
    np.testing.assert_allclose(ada.equalize(flat, gains), 4 * flat, atol=1e-5)
    by_turns = np.tile((-1.0) ** np.arange(16)[None, None, :, None], (3, 16, 1, 1))
    gains = np.array([[1.0, 1, 1, 3]] * 3, np.float32)
    np.testing.assert_allclose(ada.equalize(jnp.float32(by_turns), gains), 3 * by_turns, atol=1e-5)


def test_gains_keep_the_power_of_natural_images():
    gains = np.asarray(ada._gains(draws(1.0, 'filter', num=50)))
    assert gains.std() > 0.3
    one = np.asarray(ada._gains(draws(0.0, 'filter')))
    np.testing.assert_array_equal(one, np.ones((3, 4)))
    # Each band's factors have the power 1; the product of four of them is near it.
    np.testing.assert_allclose((gains**2) @ ada.POWER, 1, atol=0.9)


def test_noise_has_one_deviation_an_image_and_cutout_one_hole():
    images = jnp.zeros((200, 8, 8, 1))
    noisy = np.asarray(ada.make('n')(jax.random.key(1), images, 1.0))
    deviations = noisy.std((1, 2, 3))
    np.testing.assert_allclose(np.sqrt((deviations**2).mean()), 0.1, rtol=0.15)
    assert deviations.min() < 0.02 < 0.18 < deviations.max()
    ones = jnp.ones((200, 8, 8, 1))
    holes = 1 - np.asarray(ada.make('o')(jax.random.key(1), ones, 1.0))[..., 0]
    sizes = holes.max(2).sum(1), holes.max(1).sum(1)
    for size in sizes:  # of half the side, less where it goes over the border
        assert size.max() == 4
        assert size.min() >= 2
    assert (holes.sum((1, 2)) == sizes[0] * sizes[1]).all()


@pytest.mark.parametrize('channels', [1, 3])
def test_with_p_0_nothing_changes_and_with_p_1_all_do(channels):
    images = jnp.asarray(IMAGES[..., :channels])
    apply = jax.jit(ada.make('bgcfno'))
    np.testing.assert_array_equal(apply(jax.random.key(0), images, 0.0), images)
    changed = np.asarray(apply(jax.random.key(0), images, 1.0))
    assert np.isfinite(changed).all()
    assert (abs(changed - images).max((1, 2, 3)) > 0.1).all()


def test_an_example_is_changed_alike_wherever_it_stands():
    apply, rngs = jax.jit(ada.make('bgcno')), keys.per_example(jax.random.key(3), 3)
    together = apply(rngs, jnp.asarray(IMAGES), 0.7)
    alone = apply(rngs[1:2], jnp.asarray(IMAGES[1:2]), 0.7)
    np.testing.assert_allclose(together[1:2], alone, atol=1e-5)


def test_quarter_turns_can_be_undone_of_a_distribution_below_p_1():
    """Each other turn is seen with p / 4; the law of what is seen is then a matrix of full rank."""
    num, p = 4000, 0.5
    images = jnp.tile(jnp.asarray(IMAGES[:1]), (num, 1, 1, 1))
    some = draws(p, 'quarter_turn', num=num)
    mean = np.asarray(ada._blitted(some, images)).mean(0)
    turns = np.stack([np.rot90(IMAGES[0], k) for k in range(4)])
    law = np.array([1 - p + p / 4, p / 4, p / 4, p / 4])
    spread = np.sqrt(law @ turns.reshape(4, -1) ** 2 / num).max()
    np.testing.assert_allclose(mean, np.tensordot(law, turns, 1), atol=5 * spread)
    eigenvalues = np.linalg.eigvals(np.stack([np.roll(law, k) for k in range(4)]))
    np.testing.assert_allclose(sorted(eigenvalues.real), [1 - p, 1 - p, 1 - p, 1], atol=1e-9)


def test_gradients_pass():
    apply = ada.make('bgcf')

    def loss(images, factor):
        return jnp.sum(jnp.square(factor * apply(jax.random.key(2), images, 0.8)))

    images = jnp.asarray(IMAGES[:1])
    gradient = jax.jit(jax.grad(loss))(images, 1.0)
    direction = jnp.asarray(IMAGES[1:2])
    step = 1e-2
    both = [float(jax.jit(loss)(images + s * step * direction, 1.0)) for s in (1, -1)]
    expected = (both[0] - both[1]) / (2 * step)
    np.testing.assert_allclose(jnp.vdot(gradient, direction), expected, rtol=2e-3)


@pytest.mark.parametrize('pipeline', ['', 'bgx', 'bb', 'BGC'])
def test_a_pipeline_has_known_letters_once(pipeline):
    with pytest.raises(ValueError, match='letters bgcfno'):
        ada.make(pipeline)


def test_images_of_other_channels_are_refused():
    with pytest.raises(ValueError, match='1 or 3 channels'):
        ada.make('b')(jax.random.key(0), jnp.zeros((1, 8, 8, 2)), 1.0)


# ---- The rate ----------------------------------------------------------------------------------


def test_p_moves_after_each_interval_by_its_share():
    rate, state, seen = ada.Rate(), ada.Rate().init(), []
    for sign in [1.0, 1.0, 0.2, 0.4, 0.0, 0.0, 0.0, 0.0, 1.0]:
        state = rate.update(state, jnp.float32(sign), 64)
        seen.append(float(rate.p(state, 64)))
    move = 64 * 4 / 500_000  # after four updates of mean sign 0.65; then down, after four of 0
    np.testing.assert_allclose(seen, [0, 0, 0, move, move, move, move, 0, 0], atol=1e-9)


def test_p_comes_to_where_the_mean_sign_is_the_target():
    rate = ada.Rate(target=0.6, interval=2, images=2000)

    def step(state, _):
        p = rate.p(state, 10)
        return rate.update(state, 1 - p, 10), p

    _, ps = jax.lax.scan(step, rate.init(), None, length=400)
    np.testing.assert_allclose(ps[-100:], 0.4, atol=0.011)


def test_p_stays_in_its_range():
    rate = ada.Rate(images=100, interval=1, start=0.5)
    for sign, end in ((1.0, 1.0), (-1.0, 0.0)):
        state = rate.init()
        for _ in range(10):
            state = rate.update(state, jnp.float32(sign), 20)
        assert float(rate.p(state, 20)) == end


def test_an_update_is_linear_in_the_signs():
    rate, state = ada.Rate(interval=2), {'p': 0.3, 'signs': 1.7, 'count': 2.0}
    whole = rate.update(state, jnp.float32(0.5), 64)
    parts = [rate.update(state, jnp.float32(sign), 64) for sign in (0.2, 0.8)]
    for name in whole:
        np.testing.assert_allclose(whole[name], (parts[0][name] + parts[1][name]) / 2, atol=1e-7)
