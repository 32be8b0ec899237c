import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.metrics import frechet


def sides(n=60, m=50, d=6):
    """Correlated features of two sets."""
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(d, d))
    return rng.normal(size=(n, d)) @ mix, rng.normal(size=(m, d)) @ mix + 1.0


def gaussian(features):
    fit = frechet.moments(features)
    return fit.mean, frechet.covariance(fit)


def distance(real, fake):
    return frechet.frechet_distance(*gaussian(real), *gaussian(fake))


def rotation(d, seed=0):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(d, d)))[0]


def test_moments_are_those_of_numpy():
    real, _ = sides()
    fit = frechet.moments(real.astype(np.float32) + 1e3)
    expected = real.astype(np.float32) + 1e3
    assert fit.count == 60
    assert fit.mean.dtype == fit.scatter.dtype == np.float64
    np.testing.assert_allclose(fit.mean, expected.mean(axis=0, dtype=np.float64), rtol=1e-13)
    np.testing.assert_allclose(frechet.covariance(fit), np.cov(expected, rowvar=False), rtol=1e-10)


def test_chunks_of_any_size_merge_to_the_whole(monkeypatch):
    real, _ = sides()
    whole = frechet.moments(real)
    for cuts in ([1], [59], [1, 2, 3], [20, 21, 50]):
        merged, *others = [frechet.moments(part) for part in np.split(real, cuts)]
        for other in others:
            merged = frechet.add_moments(merged, other)
        assert merged.count == whole.count
        np.testing.assert_allclose(merged.mean, whole.mean, rtol=1e-13)
        np.testing.assert_allclose(merged.scatter, whole.scatter, rtol=1e-12, atol=1e-12)
    monkeypatch.setattr(frechet, 'CHUNK', 7)
    np.testing.assert_allclose(frechet.moments(real).scatter, whole.scatter, rtol=1e-12)


def test_merging_does_not_cancel_far_from_the_origin():
    real, _ = sides()
    a, b = frechet.moments(real[:20] + 1e6), frechet.moments(real[20:] + 1e6)
    scatter = frechet.add_moments(a, b).scatter
    np.testing.assert_allclose(scatter, frechet.moments(real).scatter, rtol=1e-7, atol=1e-7)


def test_the_values_of_torch_fidelity():
    """torch-fidelity 0.4.0, fid_statistics_to_metric of fid_features_to_statistics."""
    np.testing.assert_allclose(distance(*sides()), 5.506477577948338, rtol=1e-10)
    np.testing.assert_allclose(distance(*sides(5, 4, 6)), 10.337287848889297, rtol=1e-7)


@pytest.mark.parametrize('d', [1, 2, 5])
def test_covariances_that_commute(d):
    """Then it is |m_1 - m_2|^2 + sum_j (sqrt(a_j) - sqrt(b_j))^2 of the eigenvalues."""
    rng = np.random.default_rng(d)
    basis, (a, b) = rotation(d), rng.uniform(0.1, 4, size=(2, d))
    m_1, m_2 = rng.normal(size=(2, d))
    value = frechet.frechet_distance(m_1, (basis * a) @ basis.T, m_2, (basis * b) @ basis.T)
    expected = np.sum((m_1 - m_2) ** 2) + np.sum((np.sqrt(a) - np.sqrt(b)) ** 2)
    np.testing.assert_allclose(value, expected, rtol=1e-12)


def test_two_dimensions_that_do_not_commute():
    """tr M^(1/2) = sqrt(tr M + 2 sqrt(det M)) for the product M, which has rank 2."""
    c_1, c_2 = np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([[1.0, -0.5], [-0.5, 0.75]])
    product, zero = c_1 @ c_2, np.zeros(2)
    root = np.sqrt(np.trace(product) + 2 * np.sqrt(np.linalg.det(product)))
    expected = np.trace(c_1) + np.trace(c_2) - 2 * root
    np.testing.assert_allclose(frechet.frechet_distance(zero, c_1, zero, c_2), expected, rtol=1e-12)


@pytest.mark.parametrize('n', [3, 60])
def test_of_itself_it_is_zero_and_of_a_translation_its_square(n):
    real, _ = sides(n)
    shift = np.arange(6.0)
    assert 0 <= distance(real, real) < 1e-12
    np.testing.assert_allclose(distance(real, real + shift), 55, rtol=1e-12)


def test_it_is_symmetric_and_scales_with_the_square_and_knows_no_rotation():
    real, fake = sides()
    value, basis = distance(real, fake), rotation(6)
    np.testing.assert_allclose(distance(fake, real), value, rtol=1e-12)
    for scale in (3, 1e-9, 1e9):
        scaled = distance(scale * real, scale * fake)
        np.testing.assert_allclose(scaled, scale**2 * value, rtol=1e-12)
    np.testing.assert_allclose(distance(real @ basis, fake @ basis), value, rtol=1e-12)


def test_collapsed_sides():
    """Without covariance on one side it is |m_1 - m_2|^2 + tr C; on both, |m_1 - m_2|^2."""
    real, _ = sides()
    mean, cov = gaussian(real)
    point = np.tile(mean + 2, (10, 1))
    np.testing.assert_allclose(distance(real, point), 24 + np.trace(cov), rtol=1e-12)
    np.testing.assert_allclose(distance(point, real), 24 + np.trace(cov), rtol=1e-12)
    np.testing.assert_allclose(distance(point, point + 1), 6, rtol=1e-12)
    assert distance(point, point) < 1e-24


def test_fewer_examples_than_dimensions():
    """Sets in planes at right angles share no variance: the root of the product is 0."""
    rng = np.random.default_rng(0)
    basis = rotation(40)
    real, fake = (rng.normal(size=(9, 20)) @ basis[s] for s in (slice(0, 20), slice(20, 40)))
    traces = sum(np.trace(gaussian(x)[1]) for x in (real, fake))
    gap = np.sum((real.mean(axis=0) - fake.mean(axis=0)) ** 2)
    np.testing.assert_allclose(distance(real, fake), gap + traces, rtol=1e-12)


def test_eigenvalues_over_twelve_orders_of_magnitude():
    values = np.logspace(0, -12, 50)
    basis, zero = rotation(50), np.zeros(50)
    c_1, c_2 = ((basis * v) @ basis.T for v in (values, 4 * values))
    expected = values.sum()  # (2 - 1)^2 of each
    np.testing.assert_allclose(frechet.frechet_distance(zero, c_1, zero, c_2), expected, rtol=1e-9)
    assert frechet.frechet_distance(zero, c_1, zero, c_1) < 1e-12


def test_arrays_of_jax_and_half_precision_are_computed_in_float64():
    real, fake = (jnp.asarray(x, jnp.bfloat16) for x in sides())
    exact = [np.asarray(x).astype(np.float64) for x in (real, fake)]
    np.testing.assert_allclose(distance(real, fake), distance(*exact), rtol=1e-12)


def test_within_classes_it_is_the_mean_of_the_classes():
    real, fake = sides()
    real_labels, fake_labels = np.arange(60) % 3, np.arange(50) % 3
    mean, each = frechet.intra_class_frechet_distance(real, real_labels, fake, fake_labels)
    assert [*each] == [0, 1, 2]
    for c, value in each.items():
        np.testing.assert_allclose(value, distance(real[c::3], fake[c::3]), rtol=1e-12)
    np.testing.assert_allclose(mean, np.mean([*each.values()]), rtol=1e-12)


def test_swapped_classes_are_seen_within_classes_only():
    real, _ = sides()
    labels = np.arange(60) % 2
    real = real + 9 * labels[:, None]
    assert distance(real, real) < 1e-10
    same, _ = frechet.intra_class_frechet_distance(real, labels, real, labels)
    swapped, _ = frechet.intra_class_frechet_distance(real, labels, real, 1 - labels)
    assert same < 1e-10
    assert swapped > 300


@pytest.mark.parametrize('last', [7, 0])
@pytest.mark.parametrize('missing', ['real', 'generated'])
def test_a_class_that_one_side_lacks_is_an_error(missing, last):
    features, few, full = np.zeros((4, 2)), np.array([0, 0, 0, last]), np.array([0, 0, 7, 7])
    labels = (few, full) if missing == 'real' else (full, few)
    with pytest.raises(ValueError, match=f'two {missing} examples or more.*: 7'):
        frechet.intra_class_frechet_distance(features, labels[0], features, labels[1])


def test_what_is_not_a_gaussian_is_refused():
    real, fake = sides()
    with pytest.raises(ValueError, match='not finite'):
        frechet.moments(np.where(real > 2, np.nan, real))
    with pytest.raises(ValueError, match='at least one'):
        frechet.moments(real[:0])
    with pytest.raises(ValueError, match='two examples'):
        frechet.covariance(frechet.moments(real[:1]))
    mean, cov = gaussian(real)
    for place, name in enumerate(('mean_1', 'cov_1', 'mean_2', 'cov_2')):
        arguments = [mean, cov, *gaussian(fake)]
        arguments[place] = arguments[place] * np.inf
        with pytest.raises(ValueError, match=name):
            frechet.frechet_distance(*arguments)
    with pytest.raises(AssertionError):
        frechet.moments(np.zeros((2, 3, 4)))
    with pytest.raises(AssertionError):
        frechet.frechet_distance(mean, cov, mean[:5], cov)
    with pytest.raises(AssertionError):
        frechet.frechet_distance(mean, cov, mean, cov[:5])
    with pytest.raises(AssertionError):
        frechet.add_moments(frechet.moments(real), frechet.moments(fake[:, :5]))
