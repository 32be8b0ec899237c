import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import metrics
from gan_jax.data import synthetic

SQUARE = np.array([(0, 0), (4, 0), (0, 4), (4, 4)], np.float32)


class ModesTest(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True)
    def test_the_nearest_mode_and_its_distance(self):
        samples = np.array([(3, 4), (0, 0), (4, 1.5), (7, 0), (2, 0)], np.float32)
        index, distance = self.variant(metrics.nearest_mode)(samples, SQUARE)
        assert index.dtype == jnp.int32
        np.testing.assert_array_equal(index, [3, 0, 1, 1, 0])  # the last is as near to 0 as to 1
        np.testing.assert_array_equal(distance, [1, 0, 1.5, 3, 2])

    @chex.variants(with_jit=True, without_jit=True)
    def test_distances_are_those_of_numpy_in_any_dimension(self):
        rng = np.random.default_rng(0)
        samples, centers = rng.normal(size=(50, 5)), rng.normal(size=(7, 5))
        index, distance = self.variant(metrics.nearest_mode)(samples, centers)
        gaps = np.linalg.norm(samples[:, None] - centers[None], axis=-1)
        np.testing.assert_array_equal(index, gaps.argmin(axis=1))
        np.testing.assert_allclose(distance, gaps.min(axis=1), rtol=1e-5)

    @chex.variants(with_jit=True, without_jit=True)
    def test_a_sample_of_each_mode_is_all_modes(self):
        mixture = synthetic.grid()
        captured, share = (
            self.variant(f)(mixture.centers, mixture.centers, mixture.stddev)
            for f in (metrics.modes_captured, metrics.high_quality_share)
        )
        assert captured == 25
        assert share == 1

    @chex.variants(with_jit=True, without_jit=True)
    def test_a_collapsed_generator_has_one_mode_of_full_quality(self):
        samples = np.tile(SQUARE[2], (9, 1))
        assert self.variant(metrics.modes_captured)(samples, SQUARE, 0.5) == 1
        assert self.variant(metrics.high_quality_share)(samples, SQUARE, 0.5) == 1

    @chex.variants(with_jit=True, without_jit=True)
    def test_three_standard_deviations_are_within_and_more_is_not(self):
        samples = np.array([(1.5, 0), (4, 1.50001), (0, 2.6), (2, 2)], np.float32)
        assert self.variant(metrics.modes_captured)(samples, SQUARE, 0.5) == 2
        assert self.variant(metrics.high_quality_share)(samples, SQUARE, 0.5) == 0.5
        assert self.variant(metrics.modes_captured)(samples, SQUARE, 0.25) == 0
        assert self.variant(metrics.high_quality_share)(samples, SQUARE, 0.25, radius=6.0) == 0.5
        assert self.variant(metrics.modes_captured)(samples, SQUARE, 0.25, radius=6.0) == 2

    @chex.variants(with_jit=True, without_jit=True)
    def test_histograms_leave_out_what_is_no_mode(self):
        histogram = self.variant(lambda x: metrics.mode_histogram(x, 4))
        counts = histogram(np.array([3, 0, 3, -1, 4, 3, -4], np.int32))
        assert counts.dtype == jnp.int32
        np.testing.assert_array_equal(counts, [1, 0, 0, 3])
        assert self.variant(metrics.modes_in_histogram)(counts) == 2

    @chex.variants(with_jit=True, without_jit=True)
    def test_the_divergence_of_a_share_of_the_modes_is_minus_its_logarithm(self):
        reverse_kl = self.variant(metrics.reverse_kl)
        for modes, expected in ((8, 0.0), (4, np.log(2)), (2, np.log(4)), (1, np.log(8))):
            counts = np.where(np.arange(8) < modes, 5, 0)
            np.testing.assert_allclose(reverse_kl(counts), expected, atol=1e-6)

    @chex.variants(with_jit=True, without_jit=True)
    def test_the_divergence_is_the_sum_and_knows_no_scale(self):
        p, q = np.array([0.5, 0.25, 0.25, 0]), np.array([0.125, 0.5, 0.25, 0.125])
        expected = 0.5 * np.log(4) - 0.25 * np.log(2)
        reverse_kl = self.variant(metrics.reverse_kl)
        np.testing.assert_allclose(reverse_kl(p, q), expected, rtol=1e-6)
        np.testing.assert_allclose(reverse_kl(400 * p, 8 * q), expected, rtol=1e-6)

    @chex.variants(with_jit=True, without_jit=True)
    def test_modes_that_only_one_side_has(self):
        reverse_kl = self.variant(metrics.reverse_kl)
        ones, first = np.ones(2, np.float32), np.array([1, 0], np.float32)
        np.testing.assert_allclose(reverse_kl(first, ones), np.log(2), rtol=1e-6)
        assert reverse_kl(ones, first) == np.inf
        assert reverse_kl(first, first) == 0


def test_the_mixture_itself_has_all_modes_evenly_and_of_the_expected_quality():
    for name in ('ring8', 'grid25'):
        mixture = synthetic.MIXTURES[name]()
        samples, labels = synthetic.draw(mixture, 2_500)
        index, _ = metrics.nearest_mode(samples, mixture.centers)
        np.testing.assert_array_equal(index, labels)
        modes = len(mixture.centers)
        histogram = metrics.mode_histogram(index, modes)
        np.testing.assert_array_equal(histogram, np.bincount(labels, minlength=modes))
        assert metrics.modes_captured(samples, mixture.centers, mixture.stddev) == modes
        share = metrics.high_quality_share(samples, mixture.centers, mixture.stddev)
        assert abs(share - (1 - np.exp(-4.5))) < 5 * np.sqrt(0.011 / 2_500)
        assert metrics.reverse_kl(histogram) < 0.02  # (modes - 1) / (2 n) is to be expected


@pytest.mark.parametrize('dtype', [jnp.bfloat16, jnp.float16])
def test_half_precision_is_computed_in_float32(dtype):
    samples = jnp.asarray([(1.5, 0), (4, 1)], dtype)
    index, distance = metrics.nearest_mode(samples, jnp.asarray(SQUARE, dtype))
    assert distance.dtype == jnp.float32
    np.testing.assert_array_equal(index, [0, 1])
    assert metrics.reverse_kl(jnp.asarray([0.5, 0.5], dtype)).dtype == jnp.float32


def test_float64_stays_float64():
    with jax.enable_x64(True):
        samples = np.array([[1e-9, 0.0]])
        _, distance = metrics.nearest_mode(samples, SQUARE.astype(np.float64))
        assert distance.dtype == jnp.float64
        np.testing.assert_allclose(distance, 1e-9)
        assert metrics.reverse_kl(np.array([0.3, 0.7])).dtype == jnp.float64


def test_wrong_shapes_are_refused():
    with pytest.raises(AssertionError):
        metrics.nearest_mode(np.zeros((3, 2), np.float32), np.zeros((4, 3), np.float32))
    with pytest.raises(AssertionError):
        metrics.modes_captured(np.zeros(2, np.float32), SQUARE, 1.0)
    with pytest.raises(AssertionError):
        metrics.reverse_kl(np.ones(3), np.ones(1))
    with pytest.raises(AssertionError):
        metrics.mode_histogram(np.zeros(3, np.float32), 4)
