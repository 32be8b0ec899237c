import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import keys
from gan_jax.augment import ada, resampling

SIDE = 8
IMAGES = np.random.default_rng(0).uniform(-1, 1, (3, SIDE, SIDE, 3)).astype(np.float32)


def draws(p, *names, num=3):
    return ada._Draws(keys.per_example(jax.random.key(0), num), jnp.float32(p), names)


PIXEL = np.array([[[[0.5, -0.2, 0.1]]]], np.float32).repeat(2, 1).repeat(2, 2)


@pytest.mark.parametrize('name', ada.COLOUR)
def test_each_colour_is_what_the_paper_says_of_it(name):
    several = 16
    some = draws(1.0, name, num=several)
    pixels = jnp.tile(jnp.asarray(PIXEL), (several, 1, 1, 1))
    x, mean = PIXEL[0, 0, 0], PIXEL[0, 0, 0].mean()
    changed = np.asarray(resampling.recolour(pixels, ada.painting(some, False)))[:, 0, 0]
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


@pytest.mark.parametrize('channels', [pytest.param(1, marks=pytest.mark.slow), 3])
def test_with_p_0_nothing_changes_and_with_p_1_all_do(channels):
    images = jnp.asarray(IMAGES[..., :channels])
    apply = jax.jit(ada.make('bgcfno'))
    np.testing.assert_array_equal(apply(jax.random.key(0), images, 0.0), images)
    changed = np.asarray(apply(jax.random.key(0), images, 1.0))
    assert np.isfinite(changed).all()
    assert (abs(changed - images).max((1, 2, 3)) > 0.1).all()


def test_an_example_is_changed_alike_wherever_it_stands():
    apply, rngs = jax.jit(ada.make('bc')), keys.per_example(jax.random.key(3), 3)
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


@pytest.mark.slow
def test_gradients_pass():
    apply = ada.make('gc')

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
