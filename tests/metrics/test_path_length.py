import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import latents
from gan_jax.metrics.path_length import perceptual_path_length, trimmed_mean

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
Z1, Z2 = RNG.normal(size=(2, 6, 4)).astype(np.float32)
MATRIX = RNG.normal(size=(4, 3)).astype(np.float32)


def lerp(start, end, fraction):
    return start + fraction * (end - start)


def identity(x):
    return x


class PathLengthTest(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True)
    def test_of_a_linear_generator_it_is_the_squared_length_of_the_path(self):
        """||(z2 - z1) A 3||^2, whatever t and epsilon."""
        f = functools.partial(
            perceptual_path_length, lambda z: z @ MATRIX, lambda x: 3 * x, interpolate=lerp
        )
        expected = np.sum(np.square(3 * (Z2 - Z1) @ MATRIX), axis=1)
        for epsilon in (0.5, 1e-2):
            result = self.variant(functools.partial(f, epsilon=epsilon))(Z1, Z2, KEY)
            assert result.dtype == jnp.float32
            np.testing.assert_allclose(result, expected, rtol=1e-3)

    @chex.variants(with_jit=True, without_jit=True)
    def test_on_a_sphere_it_is_the_squared_angle(self):
        z1, z2 = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (Z1, Z2))
        f = functools.partial(
            perceptual_path_length, identity, identity, interpolate=latents.slerp, epsilon=1e-2
        )
        angle = np.arccos(np.sum(z1 * z2, axis=1))
        # A chord is shorter than its arc by (epsilon angle)^2 / 24.
        np.testing.assert_allclose(self.variant(f)(5 * z1, 5 * z2, KEY), 25 * angle**2, rtol=1e-3)

    @chex.variants(with_jit=True, without_jit=True)
    def test_by_default_it_keeps_its_digits_in_float32(self):
        """Features of 1,000 and more that change by 1: a difference at 1e-4 has no digit left."""
        f = functools.partial(
            perceptual_path_length, lambda z: z @ MATRIX, lambda x: x + 1000.0, interpolate=lerp
        )
        expected = np.sum(np.square(np.float64(Z2 - Z1) @ MATRIX), axis=1)
        np.testing.assert_allclose(self.variant(f)(Z1, Z2, KEY), expected, rtol=1e-5)

    def test_of_two_latents_and_a_matrix_it_is_a_number(self):
        """G(z) = z [[1, 2], [0, 3]] from (0, 0) to (1, 1), the feature 2 x: |2 (1, 5)|^2 = 104."""
        a = np.float32([[1, 2], [0, 3]])
        length = perceptual_path_length(
            lambda z: z @ a, lambda x: 2 * x, np.zeros((1, 2), np.float32),
            np.ones((1, 2), np.float32), KEY, interpolate=lerp,
        )  # fmt: skip
        np.testing.assert_allclose(length, [104.0], rtol=1e-6)

    @chex.variants(with_jit=True, without_jit=True)
    def test_places_are_uniform_and_one_per_example(self):
        """G(z) = z^2 on the way from 0 to 1: the length is near (2 t)^2, of mean 4/3."""
        f = functools.partial(
            perceptual_path_length, jnp.square, identity, interpolate=lerp, epsilon=1e-3
        )
        start, end = np.zeros((4000, 1), np.float32), np.ones((4000, 1), np.float32)
        result = np.asarray(self.variant(f)(start, end, KEY))
        places = np.sort(np.sqrt(result) / 2)
        np.testing.assert_allclose(places, (np.arange(4000) + 0.5) / 4000, atol=0.03)
        np.testing.assert_allclose(result.mean(), 4 / 3, rtol=0.05)


def test_keys_may_be_one_per_example():
    f = functools.partial(perceptual_path_length, jnp.square, identity, interpolate=lerp)
    keys = jax.random.split(KEY, 6)
    whole = f(Z1, Z2, keys)
    parts = [f(Z1[i : i + 3], Z2[i : i + 3], keys[i : i + 3]) for i in (0, 3)]
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-3)
    assert not np.allclose(f(Z1, Z2, jax.random.key(1)), whole, rtol=0.05)


def test_images_and_features_of_any_rank():
    latents_1, latents_2 = (z.reshape(6, 2, 2) for z in (Z1, Z2))
    result = perceptual_path_length(
        lambda z: z[:, :, :, None], identity, latents_1, latents_2, KEY, interpolate=lerp
    )
    np.testing.assert_allclose(result, np.sum(np.square(Z2 - Z1), axis=1), rtol=2e-2)


def test_it_is_computed_in_float32_or_float64():
    f = functools.partial(perceptual_path_length, identity, interpolate=lerp)
    half = f(lambda x: x.astype(jnp.bfloat16), Z1, Z2, KEY, epsilon=1.0)
    assert half.dtype == jnp.float32
    assert f(identity, jnp.asarray(Z1, jnp.bfloat16), jnp.asarray(Z2, jnp.bfloat16), KEY).dtype == (
        jnp.float32
    )
    with jax.enable_x64(True):
        z1, z2 = np.float64(Z1), np.float64(Z2)
        result = f(identity, z1, z2, KEY)
        np.testing.assert_allclose(result, np.sum(np.square(z2 - z1), axis=1), rtol=1e-9)


def test_what_makes_no_sense_is_refused():
    f = functools.partial(perceptual_path_length, identity, identity)
    with pytest.raises(AssertionError):
        f(Z1, Z2[:3], KEY, interpolate=lerp)
    with pytest.raises(AssertionError):
        f(Z1, Z2, KEY, interpolate=lambda a, b, t: t)
    with pytest.raises(ValueError, match='epsilon'):
        f(Z1, Z2, KEY, interpolate=lerp, epsilon=0.0)
    levels = functools.partial(perceptual_path_length, identity, lambda x: x.astype(jnp.uint8))
    with pytest.raises(ValueError, match='uint8 have no derivative'):
        levels(Z1, Z2, KEY, interpolate=lerp)
    assert levels(Z1, Z2, KEY, interpolate=lerp, epsilon=1.0).dtype == jnp.float32


@pytest.mark.parametrize('num', [1, 2, 7, 100, 101, 250])
def test_the_trimmed_mean_is_that_of_numpy_quantiles(num):
    values = np.random.default_rng(num).lognormal(sigma=2, size=num).astype(np.float32)
    for lower, upper in ((0.01, 0.99), (0.2, 0.7), (0.0, 1.0)):
        low = np.quantile(values, lower, method='lower')
        high = np.quantile(values, upper, method='higher')
        expected = values[(values >= low) & (values <= high)].mean()
        for f in (trimmed_mean, jax.jit(trimmed_mean, static_argnums=(1, 2))):
            np.testing.assert_allclose(f(values, lower, upper), expected, rtol=1e-5)


def test_outliers_are_left_out_and_ties_are_not():
    values = np.full(300, 2.0, np.float32)
    values[:2], values[-2:] = 0.0, 1e6
    assert trimmed_mean(values) == 2
    ties = np.float32([1, 1, 1, 5])
    assert trimmed_mean(ties, 0.4, 0.5) == 1
    np.testing.assert_allclose(trimmed_mean(ties, 0.5, 0.9), 2)  # all three of the lower bound


def test_bounds_are_checked():
    with pytest.raises(ValueError, match=r'0\.9'):
        trimmed_mean(np.ones(3, np.float32), 0.9, 0.1)
    with pytest.raises(AssertionError):
        trimmed_mean(np.ones((3, 1), np.float32))
    with pytest.raises(AssertionError):
        trimmed_mean(np.ones(0, np.float32))
