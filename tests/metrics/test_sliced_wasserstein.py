import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.metrics import sliced_wasserstein

KEY = jax.random.key(0)
POINTS = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)


def test_equal_samples_are_at_zero_in_any_order():
    shuffled = POINTS[np.random.default_rng(1).permutation(200)]
    np.testing.assert_allclose(sliced_wasserstein(POINTS, shuffled, KEY), 0.0, atol=1e-7)


def test_in_one_dimension_it_is_the_wasserstein_distance():
    real, fake = np.float32([[0.0], [1.0], [3.0]]), np.float32([[5.0], [6.0], [8.0]])
    np.testing.assert_allclose(sliced_wasserstein(real, fake, KEY), 5.0, rtol=1e-6)


def test_a_shift_is_its_length_times_the_mean_projection():
    """In three dimensions E|u_1| = 1/2."""
    shift = np.float32([0.0, 2.0, 0.0])
    distance = sliced_wasserstein(POINTS, POINTS + shift[None], KEY, num_projections=20_000)
    np.testing.assert_allclose(distance, 1.0, rtol=0.01)


def test_it_is_homogeneous_and_flattens():
    real, fake = POINTS[:100], POINTS[100:]
    distance = sliced_wasserstein(real, fake, KEY)
    np.testing.assert_allclose(sliced_wasserstein(2 * real, 2 * fake, KEY), 2 * distance, rtol=1e-5)
    images = (real.reshape(100, 1, 3, 1), fake.reshape(100, 1, 3, 1))
    np.testing.assert_allclose(sliced_wasserstein(*images, KEY), distance, rtol=1e-6)


def test_unequal_numbers_are_refused():
    with pytest.raises(AssertionError):
        sliced_wasserstein(jnp.ones((3, 2)), jnp.ones((4, 2)), KEY)
