import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.metrics.kernel import kernel_distance, polynomial_mmd


def sides(n=60, m=50, d=6):
    """Correlated features of two sets."""
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(d, d))
    return rng.normal(size=(n, d)) @ mix, rng.normal(size=(m, d)) @ mix + 1.0


@pytest.mark.parametrize(
    ('kernel', 'mean', 'stddev'),
    [
        ({}, 12.251660166571684, 17.980027642201264),
        ({'degree': 2, 'gamma': 0.5, 'coef': 0.0}, 1.798746423204611, 8.591205844654432),
    ],
)
def test_the_values_of_torch_fidelity(kernel, mean, stddev):
    """torch-fidelity 0.4.0, kid_features_to_metric(fake, real) with rng_seed=3."""
    value = kernel_distance(*sides(), subsets=7, subset_size=20, seed=3, **kernel)
    np.testing.assert_allclose(value, (mean, stddev), rtol=1e-10)


def test_a_case_by_hand():
    """k(x, y) = (x y / 1 + 1)^3: within x 8, within y 27; across 1, 1, 8, 27."""
    x, y = np.array([[0.0], [1.0]]), np.array([[1.0], [2.0]])
    within = 1.0 + 27.0  # k(0, 1), k(1, 2)
    across = (1 + 1 + 8 + 27) / 4
    np.testing.assert_allclose(polynomial_mmd(x, y), within - 2 * across, rtol=1e-14)
    # (2 x y)^2: 0 and 16; 0, 0, 4, 16.
    value = polynomial_mmd(x, y, degree=2, gamma=2.0, coef=0.0)
    np.testing.assert_allclose(value, 0 + 16 - 2 * 20 / 4, rtol=1e-14)


def test_sets_of_unequal_size_are_the_double_sums():
    x, y = sides(7, 4, 3)

    def k(a, b):
        return (a @ b / 3 + 1) ** 3

    def within(a):
        pairs = [k(a[i], a[j]) for i in range(len(a)) for j in range(len(a)) if i != j]
        return np.mean(pairs)

    expected = within(x) + within(y) - 2 * np.mean([k(a, b) for a in x for b in y])
    np.testing.assert_allclose(polynomial_mmd(x, y), expected, rtol=1e-12)


def test_it_is_unbiased():
    """Over all ways to part four points in pairs the mean is 0, though the points are few."""
    points = np.random.default_rng(0).normal(size=(4, 3))
    pairs = [((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2))]
    values = [polynomial_mmd(points[[*a]], points[[*b]]) for a, b in pairs]
    np.testing.assert_allclose(np.mean(values), 0, atol=1e-12)
    assert min(values) < 0 < max(values)


def test_with_a_linear_kernel_it_estimates_the_gap_of_the_means():
    rng = np.random.default_rng(0)
    values = [
        polynomial_mmd(rng.normal(size=(20, 2)), 1 + rng.normal(size=(30, 2)), 1, gamma=1.0)
        for _ in range(400)
    ]
    np.testing.assert_allclose(np.mean(values), 2, atol=5 * np.std(values) / 20)


def test_subsets_are_a_function_of_the_seed_and_are_drawn_without_replacement():
    real, fake = sides()
    few = {'subsets': 3, 'subset_size': 30}
    value = kernel_distance(real, fake, **few)
    assert value == kernel_distance(real, fake, seed=0, **few)
    assert value != kernel_distance(real, fake, seed=1, **few)
    mean, stddev = kernel_distance(real[:50], fake, subsets=3, subset_size=50)
    np.testing.assert_allclose(mean, polynomial_mmd(real[:50], fake), rtol=1e-12)
    np.testing.assert_allclose(stddev, 0, atol=1e-12)


def test_arrays_of_jax_and_half_precision_are_computed_in_float64():
    real, fake = (jnp.asarray(x, jnp.bfloat16) for x in sides())
    exact = [np.asarray(x).astype(np.float64) for x in (real, fake)]
    few = {'subsets': 3, 'subset_size': 30}
    assert kernel_distance(real, fake, **few) == kernel_distance(*exact, **few)


def test_what_has_no_distance_is_refused():
    real, fake = sides()
    with pytest.raises(ValueError, match=r'60 real and 50 generated.*from 2 to 50'):
        kernel_distance(real, fake)
    with pytest.raises(ValueError, match='subset_size is 1'):
        kernel_distance(real, fake, subset_size=1)
    with pytest.raises(ValueError, match='subsets is 0'):
        kernel_distance(real, fake, subsets=0, subset_size=20)
    with pytest.raises(ValueError, match='two examples'):
        polynomial_mmd(real[:1], fake)
    with pytest.raises(ValueError, match='not finite'):
        polynomial_mmd(real, np.where(fake > 2, np.inf, fake))
    with pytest.raises(AssertionError):
        kernel_distance(real, fake[:, :5])
    with pytest.raises(AssertionError):
        polynomial_mmd(real[0], fake[0])
