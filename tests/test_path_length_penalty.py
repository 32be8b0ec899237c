"""The penalty on a generator's Jacobian, where that is known."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import keys, penalties

NUM, LAYERS, SIZE, SHAPE = 8, 3, 2, (4, 2, 3)
DRAWS = np.random.default_rng(0)
STYLES = DRAWS.normal(size=(NUM, LAYERS, SIZE)).astype(np.float32)
WEIGHTS = DRAWS.normal(size=(LAYERS, SIZE, *SHAPE)).astype(np.float32)
RNG = keys.per_example(jax.random.key(3), NUM)
MEAN = jnp.float32(0.75)


def linear(styles, scale=1.0):
    """Linear in the styles, so that they make no difference to its Jacobian."""
    return scale * jnp.einsum('nld,ldhwc->nhwc', styles, WEIGHTS.astype(styles.dtype))


def lengths():
    """Of `linear`, by hand: y's entries have the variance 1 / (h w)."""
    drawn = jax.vmap(lambda key: jax.random.normal(key, SHAPE))(RNG)
    noise = np.float64(drawn) / np.sqrt(SHAPE[0] * SHAPE[1])
    slopes = np.einsum('nhwc,ldhwc->nld', noise, np.float64(WEIGHTS))
    return np.sqrt((slopes**2).sum(2).sum(1) / LAYERS)


def test_of_a_linear_synthesis():
    found, mean = penalties.path_length(linear, STYLES, RNG, MEAN, decay=0.1)
    want = 0.9 * 0.75 + 0.1 * lengths().mean()
    np.testing.assert_allclose(mean, want, rtol=1e-5)
    np.testing.assert_allclose(found, (lengths() - want) ** 2, rtol=1e-4)
    assert found.shape == (NUM,)
    assert found.dtype == mean.dtype == jnp.float32


def test_the_mean_of_squared_lengths_is_the_jacobians_norm():
    """E |J^T y|^2 is the squared Frobenius norm over h w, and here over the layers."""
    num = 4000
    styles = jnp.zeros((num, LAYERS, SIZE))
    function = jax.jit(functools.partial(penalties.path_length, linear, decay=0.0))
    found, mean = function(styles, jax.random.key(1), jnp.float32(0.0))
    assert mean == 0
    want = np.square(np.float64(WEIGHTS)).sum() / (SHAPE[0] * SHAPE[1] * LAYERS)
    np.testing.assert_allclose(found.mean(), want, rtol=0.05)


def test_an_identity_of_one_pixel_has_the_length_of_the_noise():
    """One layer of one number: |y|, a half-normal whose mean is sqrt(2 / pi)."""
    styles = jnp.zeros((4000, 1, 1))
    identity = lambda w: w.reshape(-1, 1, 1, 1)  # noqa: E731
    _, mean = penalties.path_length(identity, styles, jax.random.key(2), MEAN, decay=1.0)
    np.testing.assert_allclose(mean, np.sqrt(2 / np.pi), rtol=0.03)


def test_the_default_decay_is_the_authors():
    _, mean = penalties.path_length(linear, STYLES, RNG, MEAN)
    np.testing.assert_allclose(mean, 0.99 * 0.75 + 0.01 * lengths().mean(), rtol=1e-6)


def test_the_gradient_passes_through_the_mean_in_64_bits():
    """Of the scale k: lengths are k u, so d/dk (k u - m)^2 = 2 (k u - m) (u - decay E u)."""
    decay, k = 0.4, 1.5
    with jax.enable_x64(True):
        mean = jnp.float64(0.75)
        styles = jnp.asarray(STYLES, jnp.float64)

        def loss(scale):
            synthesize = functools.partial(linear, scale=scale)
            return penalties.path_length(synthesize, styles, RNG, mean, decay)[0].mean()

        slope = jax.grad(loss)(jnp.float64(k))
        step = 1e-5
        difference = (loss(jnp.float64(k + step)) - loss(jnp.float64(k - step))) / (2 * step)
        assert slope.dtype == jnp.float64
        np.testing.assert_allclose(slope, difference, rtol=1e-8)
    u, slope = lengths(), float(slope)
    gap = k * u - (0.75 + decay * (k * u.mean() - 0.75))
    np.testing.assert_allclose(slope, (2 * gap * (u - decay * u.mean())).mean(), rtol=1e-5)
    assert abs(slope - (2 * gap * u).mean()) > 0.1 * abs(slope)  # what it would be without


def test_of_a_nonlinear_synthesis_it_differentiates_twice():
    def synthesize(styles, scale):
        return jnp.tanh(linear(styles, scale))

    def loss(scale):
        given = STYLES, RNG, MEAN
        return penalties.path_length(functools.partial(synthesize, scale=scale), *given)[0].mean()

    def example(style):
        return synthesize(style[None], 0.5)[0]

    found, _ = penalties.path_length(
        functools.partial(synthesize, scale=0.5), STYLES, RNG, MEAN, decay=0.0
    )
    jacobians = np.float64(jax.vmap(jax.jacobian(example))(STYLES))
    drawn = jax.vmap(lambda key: jax.random.normal(key, SHAPE))(RNG)
    slopes = np.einsum('nhwc,nhwcld->nld', np.float64(drawn) / np.sqrt(8), jacobians)
    want = np.sqrt((slopes**2).sum(2).mean(1))
    np.testing.assert_allclose(found, (want - 0.75) ** 2, rtol=1e-3, atol=1e-5)
    assert np.isfinite(jax.grad(loss)(0.5))


def test_of_a_split_batch_it_is_that_of_the_whole_with_its_gradient():
    def loss(scale, styles, rng, axis_name):
        synthesize = functools.partial(linear, scale=scale)
        found, mean = penalties.path_length(synthesize, styles, rng, MEAN, 0.4, axis_name)
        return found.mean(), mean

    def on_device(styles, rng):
        (value, mean), slope = jax.value_and_grad(loss, has_aux=True)(1.5, styles, rng, 'x')
        return jax.lax.pmean((value, slope), 'x'), mean

    (value, mean), slope = jax.value_and_grad(loss, has_aux=True)(1.5, STYLES, RNG, None)
    split = STYLES.reshape(4, 2, LAYERS, SIZE), RNG.reshape(4, 2)
    (values, slopes), means = jax.pmap(on_device, 'x', devices=jax.local_devices()[:4])(*split)
    np.testing.assert_allclose(means, np.full(4, mean), rtol=1e-6)
    np.testing.assert_allclose(values, np.full(4, value), rtol=1e-5)
    np.testing.assert_allclose(slopes, np.full(4, slope), rtol=1e-4)


def test_where_nothing_depends_on_the_styles_the_gradient_is_finite():
    def loss(scale):
        flat = lambda styles: scale * 0.0 * linear(styles)  # noqa: E731
        return penalties.path_length(flat, STYLES, RNG, MEAN)[0].mean()

    value, slope = jax.value_and_grad(loss)(2.0)
    np.testing.assert_allclose(value, (0.99 * 0.75) ** 2, rtol=1e-6)
    assert slope == 0


def test_half_precision_is_widened():
    half = STYLES.astype(jnp.bfloat16)
    found, mean = penalties.path_length(lambda w: linear(w).astype(jnp.bfloat16), half, RNG, MEAN)
    assert found.dtype == mean.dtype == jnp.float32


@pytest.mark.parametrize(('styles', 'mean'), [(STYLES[:, 0], MEAN), (STYLES, jnp.ones(NUM))])
def test_wrong_ranks_are_refused(styles, mean):
    with pytest.raises(AssertionError):
        penalties.path_length(linear, styles, RNG, mean)
