import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import metrics
from gan_jax.data import synthetic
from gan_jax.metrics import diversity


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def mean_distance(x):
    x = np.float64(x).reshape(len(x), -1)
    gaps = np.linalg.norm(x[:, None] - x[None], axis=-1)
    return gaps[np.triu_indices(len(x), 1)].mean()


class DiversityTest(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True)
    def test_the_mean_distance_of_a_triangle(self):
        triangle = np.float32([(0, 0), (3, 0), (3, 4)])
        distance = self.variant(diversity.pairwise_distance)(triangle)
        assert distance.dtype == jnp.float32
        np.testing.assert_allclose(distance, 4.0, rtol=1e-6)

    @chex.variants(with_jit=True, without_jit=True)
    def test_it_is_that_of_numpy_and_flattens(self):
        x = normal(40, 3, 2, 2)
        f = self.variant(diversity.pairwise_distance)
        np.testing.assert_allclose(f(x), mean_distance(x), rtol=1e-5)
        np.testing.assert_allclose(f(x.reshape(40, 12)), f(x), rtol=1e-6)

    @chex.variants(with_jit=True, without_jit=True)
    def test_far_from_zero_it_is_as_exact(self):
        x = np.float32(4096 + 0.25 * np.round(8 * normal(30, 5)))  # exact in float32
        distance = self.variant(diversity.pairwise_distance)(x)
        np.testing.assert_allclose(distance, mean_distance(x), rtol=1e-5)

    @chex.variants(with_jit=True, without_jit=True)
    def test_a_collapsed_generator_is_at_zero_and_the_data_at_one(self):
        real = normal(50, 6)
        ratio = self.variant(diversity.diversity_ratio)
        assert ratio(real, np.repeat(real[:1], 20, axis=0)) < 1e-6
        np.testing.assert_allclose(ratio(real, real[::-1]), 1.0, rtol=1e-5)
        np.testing.assert_allclose(ratio(real, 0.25 * real), 0.25, rtol=1e-5)

    @chex.variants(with_jit=True, without_jit=True)
    def test_the_entropy_of_a_share_of_the_classes(self):
        entropy = self.variant(diversity.class_entropy)
        for classes, expected in ((8, 1.0), (4, 2 / 3), (2, 1 / 3), (1, 0.0)):
            counts = np.where(np.arange(8) < classes, 5, 0)
            np.testing.assert_allclose(entropy(counts), expected, atol=1e-6)
        assert entropy(np.ones(8)).dtype == jnp.float32

    @chex.variants(with_jit=True, without_jit=True)
    def test_the_entropy_is_one_less_the_divergence(self):
        counts = np.array([7, 0, 2, 11, 1])
        divergence = metrics.reverse_kl(counts)
        result = self.variant(diversity.class_entropy)(counts)
        np.testing.assert_allclose(result, 1 - divergence / np.log(5), rtol=1e-5)

    @chex.variants(with_jit=True, without_jit=True)
    def test_signs_are_counted_whatever_the_size_of_logits(self):
        rate = self.variant(diversity.sign_rate)
        assert rate(np.float32([0.1, 9.0, -100.0, 0.0])) == 0.25
        assert rate(np.float32([[-1, -2], [-3, -4]])) == -1
        assert rate(np.float32([1, 0, 0, 0])) == 0.25

    @chex.variants(with_jit=True, without_jit=True)
    def test_overfitting_is_the_place_of_held_out_data(self):
        f = self.variant(diversity.overfitting)
        train, fake = np.float32([2, 4]), np.float32([-1, -2, -3])
        for held_out, expected in ((3.0, 0.0), (-2.0, 1.0), (0.5, 0.5), (4.0, -0.2), (-4.5, 1.5)):
            logits = held_out + np.float32([-1, 0, 1])
            np.testing.assert_allclose(f(train, logits, fake), expected, atol=1e-6)
            shifted = (x + 7 for x in (train, logits, fake))
            np.testing.assert_allclose(f(*shifted), expected, atol=1e-5)

    @chex.variants(with_jit=True, without_jit=True)
    def test_there_is_none_where_training_data_are_not_ranked_higher(self):
        f = self.variant(diversity.overfitting)
        one = np.float32([1.0])
        assert f(one, -one, one) == 0
        assert f(one, -one, 2 * one) == 0


def test_two_thousand_examples_lose_no_precision():
    x = normal(2000, 2) + 10
    expected = 0.0
    for i in range(1999):  # not [n, n, d] at once
        expected += np.linalg.norm(np.float64(x[i + 1 :] - x[i]), axis=1).sum()
    result = jax.jit(diversity.pairwise_distance)(x)
    np.testing.assert_allclose(result, expected / (2000 * 1999 / 2), rtol=2e-5)


def test_the_ratio_of_neighbours_on_a_ring():
    """What diagnostics.LEAST_DIVERSITY rests on."""
    centers = synthetic.ring().centers.astype(np.float32)
    one, two, three, all_modes = (centers[np.arange(360) % s] for s in (1, 2, 3, 8))
    ratios = [diversity.diversity_ratio(all_modes, x) for x in (one, two, three)]
    np.testing.assert_allclose(ratios, [0.0, 0.30, 0.52], atol=0.01)


def test_half_precision_is_computed_in_float32():
    x = jnp.asarray(normal(9, 4), jnp.bfloat16)
    np.testing.assert_array_equal(
        diversity.pairwise_distance(x), diversity.pairwise_distance(x.astype(jnp.float32))
    )
    for value in (
        diversity.diversity_ratio(x, x),
        diversity.sign_rate(x),
        diversity.overfitting(x + 1, x, x - 1),
        diversity.class_entropy(jnp.asarray([0.5, 0.5], jnp.bfloat16)),
    ):
        assert value.dtype == jnp.float32


def test_float64_stays_float64():
    with jax.enable_x64(True):
        x = np.float64(normal(9, 4))
        np.testing.assert_allclose(diversity.pairwise_distance(x), mean_distance(x), rtol=1e-12)
        assert diversity.diversity_ratio(np.float32(x), x).dtype == jnp.float64
        np.testing.assert_allclose(diversity.class_entropy(np.ones(3)), 1.0, rtol=1e-14)
        assert diversity.overfitting(x + 1, x, x - 1).dtype == jnp.float64


def test_what_makes_no_sense_is_refused():
    with pytest.raises(AssertionError):
        diversity.pairwise_distance(normal(1, 3))
    with pytest.raises(AssertionError):
        diversity.diversity_ratio(normal(5, 3), normal(5, 4))
    with pytest.raises(AssertionError):
        diversity.class_entropy(np.ones(1))
    with pytest.raises(AssertionError):
        diversity.class_entropy(np.ones((2, 2)))
    with pytest.raises(AssertionError):
        diversity.sign_rate(np.ones(0, np.float32))
    with pytest.raises(AssertionError):
        diversity.overfitting(np.ones(2), np.ones(0), np.ones(2))
