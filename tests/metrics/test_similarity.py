"""Literal values are those of scikit-image 0.26.0 and pytorch-msssim 1.0.0, both in float64."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.metrics import similarity

SSIM = [0.7345823905, 0.6461374504, 0.4134464491]
PSNR = [26.3771124191, 20.2040757845, 16.2215142885]
MS_SSIM = [0.7591185775, 0.7347762947, 0.6567470158]


def images(num, height, width, channels):
    """Waves, and the same with less contrast, noise and a shift; float64 in [-1, 1]."""
    i = np.arange(height)[:, None, None] / 7
    j = np.arange(width)[None, :, None] / 5
    k = np.arange(channels)[None, None, :]
    x = np.stack([np.sin(i * (m + 1) + k) * np.cos(j - m * k) for m in range(num)])
    noise = np.random.default_rng(0).uniform(-1, 1, x.shape)
    strength = np.linspace(0.1, 0.4, num)[:, None, None, None]
    return x, np.clip((1 - strength) * x + strength * noise + 0.05, -1, 1)


def as_bytes(pair):
    return [np.round((x + 1) * 127.5).astype(np.uint8) for x in pair]


def noise(shape, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


class SimilarityTest(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True)
    def test_values_are_those_of_scikit_image(self):
        pair = images(3, 24, 20, 3)
        psnr, ssim = self.variant(similarity.psnr), self.variant(similarity.ssim)
        assert ssim(*pair).dtype == jnp.float32
        np.testing.assert_allclose(psnr(*pair), PSNR, rtol=1e-6)
        np.testing.assert_allclose(ssim(*pair), SSIM, rtol=1e-5)

    @chex.variants(with_jit=True, without_jit=True)
    def test_bytes_have_a_range_of_255(self):
        pair = as_bytes(images(3, 24, 20, 3))
        psnr, ssim = (
            self.variant(functools.partial(f, data_range=255))
            for f in (similarity.psnr, similarity.ssim)
        )
        np.testing.assert_allclose(psnr(*pair), [26.3687451, 20.2080689, 16.2217601], rtol=1e-6)
        np.testing.assert_allclose(ssim(*pair), [0.9261545692, 0.7520350713, 0.5794357243], 1e-5)

    @chex.variants(with_jit=True, without_jit=True)
    def test_what_is_not_the_default_is_as_in_scikit_image(self):
        """structural_similarity(sigma=0.8, K1=0.02, K2=0.05), whose window is 7."""
        ssim = functools.partial(similarity.ssim, window=7, sigma=0.8, k1=0.02, k2=0.05)
        expected = [0.7895418532, 0.5289699923, 0.3330318660]
        np.testing.assert_allclose(self.variant(ssim)(*images(3, 24, 20, 3)), expected, rtol=1e-5)

    @chex.variants(with_jit=True, without_jit=False)
    def test_ms_ssim_is_that_of_pytorch_msssim(self):
        x, y = images(3, 176, 192, 2)
        ms_ssim = self.variant(similarity.ms_ssim)
        np.testing.assert_allclose(ms_ssim(x, y), MS_SSIM, rtol=1e-5)
        np.testing.assert_array_equal(ms_ssim(x, -y), 0.0)
        y[..., 0] *= -1  # a channel whose terms are negative counts as 0
        expected = [0.3792088270, 0.3675096501, 0.3260771453]
        np.testing.assert_allclose(ms_ssim(x, y), expected, rtol=1e-5)

    @chex.variants(with_jit=True, without_jit=False)
    def test_other_scales_are_as_in_pytorch_msssim(self):
        """ms_ssim(weights=[0.2, 0.3, 0.5], win_size=7, win_sigma=1.0)."""
        ms_ssim = functools.partial(
            similarity.ms_ssim, weights=(0.2, 0.3, 0.5), window=7, sigma=1.0
        )
        expected = [0.8496182009, 0.7071369337, 0.4555060792]
        np.testing.assert_allclose(self.variant(ms_ssim)(*images(3, 176, 192, 2)), expected, 1e-5)

    @chex.variants(with_jit=True, without_jit=True)
    def test_equal_images(self):
        x = images(2, 24, 20, 3)[0]
        assert np.all(np.isposinf(self.variant(similarity.psnr)(x, x)))
        np.testing.assert_allclose(self.variant(similarity.ssim)(x, x), 1.0, rtol=1e-5)

    @chex.variants(with_jit=True, without_jit=True)
    def test_a_difference_of_a_tenth_of_the_range_is_20_decibels(self):
        x = np.zeros((2, 3, 3, 1), np.float32)
        np.testing.assert_allclose(self.variant(similarity.psnr)(x, x + 0.2), 20.0, rtol=1e-6)


def test_flat_images_differ_in_luminance_alone():
    x, y = np.full((1, 11, 11, 1), 0.5), np.full((1, 11, 11, 1), -0.25)
    c1 = 0.02**2
    expected = (2 * 0.5 * -0.25 + c1) / (0.5**2 + 0.25**2 + c1)
    np.testing.assert_allclose(similarity.ssim(x, y), [expected], rtol=1e-4)


def test_float64_stays_float64():
    with jax.enable_x64(True):
        pair = images(3, 24, 20, 3)
        psnr, ssim = jax.jit(similarity.psnr), jax.jit(similarity.ssim)
        np.testing.assert_allclose(psnr(*pair), PSNR, rtol=1e-11)
        np.testing.assert_allclose(ssim(*pair), SSIM, rtol=1e-9)
        mixed = psnr(pair[0], pair[1].astype(np.float32))
        assert mixed.dtype == jnp.float64
        three = functools.partial(similarity.ms_ssim, weights=(0.3, 0.3, 0.4), window=3)
        assert jax.eval_shape(three, *pair).dtype == jnp.float64


def test_half_precision_is_computed_in_float32():
    x, y = (jnp.asarray(image, jnp.bfloat16) for image in images(2, 24, 20, 1))
    wide = similarity.ssim(x.astype(jnp.float32), y.astype(jnp.float32))
    np.testing.assert_array_equal(similarity.ssim(x, y), wide)
    assert wide.dtype == similarity.psnr(x, y).dtype == jnp.float32


def test_odd_sides_repeat_their_last_pixels():
    """Scales of 21, 11 and 6 pixels: each time the image with its last row and column twice."""
    x, y = images(2, 21, 13, 2)
    settings = {'window': 3, 'sigma': 1.0}
    expected = np.ones((2, 2))
    for weight in (0.2, 0.3):
        mean_x, mean_y, variance_x, variance_y, covariance = statistics(x, y)
        contrast = (2 * covariance + 0.0036) / (variance_x + variance_y + 0.0036)
        expected *= contrast.mean((1, 2)) ** weight
        x, y = (np.pad(a, ((0, 0), (0, 1), (0, 1), (0, 0)), mode='edge') for a in (x, y))
        x, y = ((a[:, ::2] + a[:, 1::2])[:, :, : a.shape[2] // 2 * 2] / 2 for a in (x, y))
        x, y = ((a[:, :, ::2] + a[:, :, 1::2]) / 2 for a in (x, y))
        if x.shape[2] == 7:
            assert x.shape[1] == 11
    mean_x, mean_y, variance_x, variance_y, covariance = statistics(x, y)
    last = (2 * covariance + 0.0036) / (variance_x + variance_y + 0.0036)
    last *= (2 * mean_x * mean_y + 0.0004) / (mean_x**2 + mean_y**2 + 0.0004)
    expected *= last.mean((1, 2)) ** 0.5
    ms_ssim = functools.partial(similarity.ms_ssim, weights=(0.2, 0.3, 0.5), **settings)
    result = jax.jit(ms_ssim)(*images(2, 21, 13, 2))
    np.testing.assert_allclose(result, expected.mean(1), rtol=1e-5)


def statistics(x, y):
    """Means, variances and the covariance under a 3x3 Gaussian, by NumPy."""
    weights = np.exp(-0.5 * np.array([1.0, 0.0, 1.0]))
    weights /= weights.sum()

    def blur(a):
        a = sum(w * a[:, k : a.shape[1] - 2 + k] for k, w in enumerate(weights))
        return sum(w * a[:, :, k : a.shape[2] - 2 + k] for k, w in enumerate(weights))

    mean_x, mean_y = blur(x), blur(y)
    variances = (blur(a * a) - mean**2 for a, mean in ((x, mean_x), (y, mean_y)))
    return mean_x, mean_y, *variances, blur(x * y) - mean_x * mean_y


def test_the_least_sizes_are_told():
    small = np.zeros((1, 160, 200, 1), np.float32)
    with pytest.raises(ValueError, match='161 pixels a side or more, not 160x200'):
        similarity.ms_ssim(small, small)
    with pytest.raises(ValueError, match='41 pixels'):
        similarity.ms_ssim(small[:, :, :40], small[:, :, :40], weights=(0.2, 0.3, 0.5))
    with pytest.raises(ValueError, match='11 pixels'):
        similarity.ssim(small[:, :, :10], small[:, :, :10])
    enough = noise((1, 161, 161, 1))
    np.testing.assert_allclose(jax.jit(similarity.ms_ssim)(enough, enough), 1.0, rtol=1e-5)


def test_what_makes_no_sense_is_refused():
    x = np.zeros((1, 24, 24, 1), np.float32)
    for f in (similarity.psnr, similarity.ssim, similarity.ms_ssim):
        with pytest.raises(AssertionError):
            f(x, x[..., :0])
        with pytest.raises(ValueError, match='data_range'):
            f(x, x, data_range=0.0)
    for f in (similarity.ssim, similarity.ms_ssim):
        with pytest.raises(AssertionError):
            f(x[0], x[0])
    with pytest.raises(AssertionError):
        similarity.psnr(x[0, 0, 0], x[0, 0, 0])
    with pytest.raises(ValueError, match='window'):
        similarity.ssim(x, x, window=10)
    with pytest.raises(ValueError, match='sigma'):
        similarity.ssim(x, x, sigma=0.0)
    with pytest.raises(ValueError, match='weights'):
        similarity.ms_ssim(x, x, weights=())


X, Y = np.eye(2, 3, dtype=np.float32) * np.float32([[3.0], [0.25]])


class PerceptualTest(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True)
    def test_closed_forms(self):
        """Orthogonal, opposite, equal, another length, a zero vector, two of them."""
        zero = np.zeros(3, np.float32)
        real = [np.stack([X, X, X, X, zero, X, zero])]
        fake = [np.stack([Y, -X, X, 1e4 * X, X, zero, zero])]
        values = self.variant(similarity.perceptual_distance)(real, fake)
        assert values.dtype == jnp.float32
        np.testing.assert_allclose(values, [2, 4, 0, 0, 1, 1, 0], atol=1e-6)

    @chex.variants(with_jit=True, without_jit=True)
    def test_the_mean_is_over_positions_and_then_over_layers(self):
        real = np.broadcast_to(X, (1, 2, 2, 3))
        fake = np.stack([Y, X, -X, X]).reshape(1, 2, 2, 3)  # (2 + 0 + 4 + 0) / 4
        distance = self.variant(similarity.perceptual_distance)
        np.testing.assert_allclose(distance([real], [fake]), [1.5], rtol=1e-6)
        layers = [real, X[None], X[None, None]], [fake, -X[None], X[None, None]]
        np.testing.assert_allclose(distance(*layers), [(1.5 + 4 + 0) / 3], rtol=1e-6)

    @chex.variants(with_jit=True, without_jit=True)
    def test_each_image_is_taken_by_itself(self):
        real, fake = noise((3, 4, 5, 6)), noise((3, 4, 5, 6), seed=1)
        x, y = (a / np.linalg.norm(a, axis=-1, keepdims=True) for a in (real, fake))
        expected = ((x - y) ** 2).sum(-1).mean((1, 2))
        found = self.variant(similarity.perceptual_distance)([real], [fake])
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_features_of_a_zero_vector_have_finite_gradients():
    def total(x, y):
        return similarity.perceptual_distance([x], [y]).sum()

    real, fake = np.stack([0 * X, X, 0 * X]), np.stack([X, 0 * X, 0 * X])
    for gradient in jax.jit(jax.grad(total, argnums=(0, 1)))(real, fake):
        assert np.all(np.isfinite(gradient))
    # At right angles |x/|x| - y/|y||^2 = 2 - 2 cos moves by -2 y/|y| / |x|.
    gradient = jax.jit(jax.grad(total))(X[None], Y[None])
    np.testing.assert_allclose(gradient, [[0, -2 / 3, 0]], atol=1e-6)


def test_features_keep_64_bits_and_are_never_taken_in_half_precision():
    real, fake = noise((2, 3, 8)), noise((2, 3, 8), seed=1)
    half = [jnp.asarray(x, jnp.bfloat16) for x in (real, fake)]
    distance = jax.jit(similarity.perceptual_distance)
    wide = distance(*([x.astype(jnp.float32)] for x in half))
    np.testing.assert_array_equal(distance(*([x] for x in half)), wide)
    with jax.enable_x64(True):
        pair = [real.astype(np.float64)], [fake.astype(np.float64)]
        assert jax.eval_shape(distance, *pair).dtype == jnp.float64


def test_features_must_be_of_the_same_layers():
    x = noise((2, 3))
    for pair in (([], []), ([x], [x, x]), ([x], [x[:, :2]]), ([x[0]], [x[0]])):
        with pytest.raises(AssertionError):
            similarity.perceptual_distance(*pair)


class PairsTest(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=False)
    def test_the_pairs_are_of_different_images_and_all_occur(self):
        marks = np.arange(5, dtype=np.float32)[:, None, None, None]

        @self.variant
        def table(rng):
            """The share of each ordered pair."""
            place = jnp.arange(5.0)[:, None] * 5 + jnp.arange(5.0)[None]

            def share(number):
                def equal(a, b):
                    return (5 * a + b == number).astype(jnp.float32)[:, 0, 0, 0]

                return similarity.pair_similarity(marks, rng, 4000, equal)

            return jax.vmap(share)(place.ravel()).reshape(5, 5)

        np.testing.assert_allclose(table(jax.random.key(0)), 0.05 - 0.05 * np.eye(5), atol=0.015)

    @chex.variants(with_jit=True, without_jit=False)
    def test_a_collapsed_generator_is_more_alike(self):
        pairs = self.variant(
            functools.partial(similarity.pair_similarity, num_pairs=20, similarity=similarity.ssim)
        )
        diverse, key = noise((6, 16, 16, 1)), jax.random.key(1)
        collapsed = diverse[:1] + 0.1 * noise((6, 16, 16, 1), seed=1)
        assert pairs(diverse, key) < 0.2 < 0.8 < pairs(collapsed, key)
        np.testing.assert_array_equal(pairs(diverse, key), pairs(diverse, key))


def test_pairs_are_of_ms_ssim_by_default():
    x, y = (a[:1].astype(np.float32) for a in images(3, 176, 192, 2))
    pairs = jax.jit(functools.partial(similarity.pair_similarity, num_pairs=3))
    result = pairs(np.concatenate([x, y]), jax.random.key(0))
    np.testing.assert_allclose(result, MS_SSIM[0], rtol=1e-5)


def test_one_image_has_no_pair():
    with pytest.raises(AssertionError):
        similarity.pair_similarity(noise((1, 16, 16, 1)), jax.random.key(0))
    with pytest.raises(AssertionError):
        similarity.pair_similarity(noise((2, 16, 16, 1)), jax.random.key(0), num_pairs=0)
    with pytest.raises(AssertionError):
        similarity.pair_similarity(noise((2, 16, 16)), jax.random.key(0))
