import numpy as np
import pytest

from gan_jax.sampling import directions


def test_the_directions_of_known_matrices():
    """A^T A of both layers together is [[5, 4], [4, 5]]: 9 along (1, 1), 1 along (1, -1)."""
    kernels = [np.array([[2.0], [1.0]]), np.array([[1.0, 0.0], [2.0, 0.0]])]
    found = directions.factorize(kernels)
    np.testing.assert_allclose(found.values, [9, 1], rtol=1e-12)
    half = 0.5**0.5
    np.testing.assert_allclose(found.vectors[0], [half, half], rtol=1e-12)
    np.testing.assert_allclose(np.abs(found.vectors[1]), [half, half], rtol=1e-12)
    assert found.vectors[1].prod() < 0
    assert found.vectors.dtype == np.float64


def test_directions_are_unit_vectors_of_which_the_largest_coordinate_is_positive():
    kernels = [np.random.default_rng(0).normal(size=(5, n)).astype(np.float32) for n in (4, 7)]
    found = directions.factorize(kernels)
    a = np.concatenate(kernels, axis=1).T.astype(np.float64)
    np.testing.assert_allclose(found.vectors @ found.vectors.T, np.eye(5), atol=1e-12)
    for vector, value in zip(found.vectors, found.values, strict=True):
        np.testing.assert_allclose(a.T @ a @ vector, value * vector, atol=1e-9)
        assert np.sum((a @ vector) ** 2) == pytest.approx(value)
        assert vector[np.abs(vector).argmax()] > 0
    assert (np.diff(found.values) <= 0).all()
    singular = np.linalg.svd(a, compute_uv=False)
    np.testing.assert_allclose(found.values, singular**2)


def test_no_layers_have_no_directions():
    with pytest.raises(ValueError, match='no layers'):
        directions.factorize([])


def test_the_chosen_layers_are_moved_and_no_others():
    styles = np.zeros((1, 3, 2), np.float32)
    vectors, strengths = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[-1.0, 2.0], [5.0, 0.0]])
    found = directions.moved(styles, vectors, strengths, [0, 2])
    assert found.shape == (1, 2, 2, 3, 2)
    assert found.dtype == np.float32
    assert found[0, 0, 1].tolist() == [[2, 0], [0, 0], [2, 0]]
    assert found[0, 1, 0].tolist() == [[0, 5], [0, 0], [0, 5]]
    assert not found[0, 1, 1].any()
