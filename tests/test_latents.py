import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import keys, latents


def rng(num, seed=0):
    return keys.per_example(jax.random.key(seed), num)


def test_normal_has_mean_zero_and_variance_one():
    z = latents.normal(rng(2000), 16)
    assert z.shape == (2000, 16)
    assert abs(float(z.mean())) < 0.02
    assert abs(float(z.std()) - 1) < 0.02


def test_truncation_bounds_every_coordinate():
    z = latents.normal(rng(500), 16, truncation=0.7)
    assert float(jnp.abs(z).max()) <= 0.7
    # The standard deviation of N(0, 1) cut at +-0.7.
    assert abs(float(z.std()) - 0.3882) < 0.01


@pytest.mark.parametrize('bound', [0.0, -1.0])
def test_truncation_must_be_positive(bound):
    with pytest.raises(ValueError, match='above 0'):
        latents.normal(rng(2), 3, truncation=bound)


def test_uniform_fills_minus_one_to_one():
    z = latents.uniform(rng(2000), 8)
    assert float(z.min()) >= -1
    assert float(z.max()) < 1
    assert abs(float(z.var()) - 1 / 3) < 0.01


@pytest.mark.parametrize('prior', [latents.normal, latents.uniform])
def test_a_latent_depends_on_its_own_key_only(prior):
    np.testing.assert_array_equal(prior(rng(10), 4)[:3], prior(rng(3), 4))


@pytest.mark.parametrize('prior', [latents.normal, latents.uniform])
def test_one_key_for_all_is_refused(prior):
    with pytest.raises(AssertionError):
        prior(jax.random.key(0), 4)


def test_slerp_begins_and_ends_where_it_should():
    a, b = latents.normal(rng(2), 6)
    np.testing.assert_allclose(latents.slerp(a, b, 0.0), a, atol=1e-6)
    np.testing.assert_allclose(latents.slerp(a, b, 1.0), b, atol=1e-6)


def test_slerp_of_orthogonal_unit_vectors_is_the_circle():
    a, b = jnp.eye(2)
    middle = latents.slerp(a, b, 1 / 3)
    np.testing.assert_allclose(middle, [np.cos(np.pi / 6), np.sin(np.pi / 6)], atol=1e-6)


def test_slerp_keeps_the_norm():
    a, b = latents.normal(rng(2), 64)
    a, b = a / jnp.linalg.norm(a), b / jnp.linalg.norm(b)
    for fraction in np.linspace(0, 1, 7):
        np.testing.assert_allclose(jnp.linalg.norm(latents.slerp(a, b, fraction)), 1, rtol=1e-5)


def test_slerp_of_parallel_vectors_is_linear_and_finite():
    a = jnp.array([1.0, 2.0])
    np.testing.assert_allclose(latents.slerp(a, 3 * a, 0.5), 2 * a, rtol=1e-6)
    assert jnp.isfinite(jax.grad(lambda x: latents.slerp(x, 3 * a, 0.5).sum())(a)).all()


def test_slerp_takes_a_fraction_per_pair():
    a, b = latents.normal(rng(4), 6), latents.normal(rng(4, seed=1), 6)
    fraction = jnp.array([[0.0], [0.2], [0.8], [1.0]])
    both = latents.slerp(a, b, fraction)
    for i in range(4):
        want = latents.slerp(a[i], b[i], fraction[i])
        np.testing.assert_allclose(both[i], want, rtol=1e-5, atol=1e-6)


def test_codes_are_drawn_beside_noise_each_with_a_key_of_its_own():
    drawn = latents.coded(rng(3000), 4, 10, 2)
    assert {name: x.shape[1:] for name, x in drawn.items()} == {
        'latent': (4,), 'category': (), 'continuous': (2,),
    }  # fmt: skip
    shares = np.bincount(drawn['category'], minlength=10) / 3000
    assert len(shares) == 10
    assert np.abs(shares - 0.1).max() < 0.025
    numbers = np.concatenate([drawn['latent'], drawn['continuous']], axis=1)
    assert -1 <= numbers.min() < -0.99
    assert 0.99 < numbers.max() < 1
    np.testing.assert_allclose(np.cov(numbers.T), np.eye(6) / 3, atol=0.03)
    assert np.abs(np.corrcoef(drawn['category'], numbers.T)[0, 1:]).max() < 0.06


def test_codes_depend_on_their_own_key_only():
    few, many = (latents.coded(rng(num), 4, 3, 1) for num in (3, 10))
    for name in few:
        np.testing.assert_array_equal(many[name][:3], few[name])


def test_a_single_category_says_nothing():
    with pytest.raises(ValueError, match='categories must be at least 2, not 1'):
        latents.coded(rng(2), 3, 1, 0)


def test_labels_are_as_likely_as_their_shares():
    shares = (0.5, 0.0, 0.3, 0.2)
    drawn = latents.labels(rng(3000), 4, shares)
    assert drawn.dtype == np.int32
    found = np.bincount(drawn, minlength=4) / 3000
    assert found[1] == 0
    assert np.abs(found - shares).max() < 0.03
    np.testing.assert_array_equal(latents.labels(rng(3), 4, shares), drawn[:3])
    equal = np.bincount(latents.labels(rng(3000), 4), minlength=4) / 3000
    assert np.abs(equal - 0.25).max() < 0.03
