import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.metrics.manifold import (
    density_coverage,
    memorised_share,
    nearest_neighbors,
    precision_recall,
)


def sides(n=60, m=50, d=6):
    """Correlated features of two sets."""
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(d, d))
    return rng.normal(size=(n, d)) @ mix, rng.normal(size=(m, d)) @ mix + 1.0


def line(*points):
    return np.array(points, np.float64)[:, None]


REAL, FAKE = line(0, 1, 3, 7), line(-1, 2.5, 12, 14)


def test_neighbors_are_those_of_all_differences():
    queries, references = sides()
    gaps = np.linalg.norm(queries[:, None] - references[None], axis=-1)
    for k in (1, 4, 50):
        indices, distances = nearest_neighbors(queries, references, k)
        assert (indices.dtype, distances.dtype) == (np.int64, np.float64)
        np.testing.assert_array_equal(indices, np.argsort(gaps, axis=1)[:, :k])
        np.testing.assert_allclose(distances, np.sort(gaps, axis=1)[:, :k], rtol=1e-14)


@pytest.mark.parametrize('chunk', [1, 7, 50, 1000])
def test_chunks_change_nothing(chunk):
    real, fake = sides()
    more = np.concatenate([real, fake[:9]])
    for f in (precision_recall, density_coverage):
        assert f(real, fake, chunk=chunk) == f(real, fake)
        assert f(real, more, chunk=chunk) == f(real, more)
    for a, b in zip(
        nearest_neighbors(fake, real, 3, chunk=chunk), nearest_neighbors(fake, real, 3), strict=True
    ):
        np.testing.assert_array_equal(a, b)
    memorised = memorised_share(real[:30], real[30:], fake, 0.2, chunk=chunk)
    assert memorised[:4] == memorised_share(real[:30], real[30:], fake, 0.2)[:4]


def test_equal_rows_are_at_zero_however_far_from_the_origin():
    """|x|^2 - 2 x y + |y|^2 of these has an error of 2 in float32."""
    real = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32) + np.float32(1e3)
    indices, distances = nearest_neighbors(real[::2], real)
    np.testing.assert_array_equal(indices[:, 0], np.arange(0, 40, 2))
    np.testing.assert_array_equal(distances, 0)
    moved = real[::2].astype(np.float64) + 1e-7
    indices, distances = nearest_neighbors(moved, real)
    np.testing.assert_array_equal(indices[:, 0], np.arange(0, 40, 2))
    np.testing.assert_allclose(distances, np.sqrt(8) * 1e-7, rtol=1e-5)


def test_distances_ascend_even_where_the_product_rounds_them_away():
    """Squares of 1e-9 are below the rounding of |x|^2 - 2 x y + |y|^2 near |x| = 1."""
    queries, _ = sides()
    steps = np.array([4e-9, 1e-9, 3e-9, 2e-9])
    references = np.concatenate([queries + step for step in steps])
    indices, distances = nearest_neighbors(queries, references, k=4)
    np.testing.assert_allclose(distances, np.tile([1e-9, 2e-9, 3e-9, 4e-9], (60, 1)) * 6**0.5, 1e-5)
    np.testing.assert_array_equal(indices, np.arange(60)[:, None] + 60 * np.array([[1, 3, 2, 0]]))


def test_the_values_of_torch_fidelity():
    """torch-fidelity 0.4.0, prc_features_to_metric(fake, real) with prc_neighborhood=3."""
    np.testing.assert_allclose(precision_recall(*sides()), (0.92, 50 / 60), rtol=1e-12)


def test_precision_and_recall_by_hand():
    """Around real points [-1, 1], [0, 2], [1, 5], [3, 11]; around generated ones [-4.5, 2.5],
    [-1, 6], [10, 14], [12, 16]: -1 is on an edge, and 7 alone is not generated.
    """
    assert precision_recall(REAL, FAKE, k=1) == (0.5, 0.75)
    assert precision_recall(FAKE, REAL, k=1) == (0.75, 0.5)


def test_density_and_coverage_by_hand():
    """Open balls; with k = 2 they are (-3, 3), (-1, 3), (0, 6), (1, 13): 1, 4, 1 and 0 of them."""
    assert density_coverage(REAL, FAKE, k=1) == (0.25, 0.25)
    assert density_coverage(REAL, FAKE, k=2) == (0.75, 1.0)
    assert density_coverage(REAL, FAKE[:2], k=2) == (1.25, 1.0)
    assert density_coverage(REAL, FAKE[2:], k=2) == (0.25, 0.25)


def test_of_itself_all_are_one():
    """Each ball has its own point, and for density k - 1 others, since the k-th is on its edge."""
    for offset in (0, 1e4):
        real = sides()[0] + offset
        assert precision_recall(real, real) == (1, 1)
        assert density_coverage(real, real) == (1, 1)
        shuffled = real[np.random.default_rng(1).permutation(60)]
        assert precision_recall(real, shuffled, chunk=7) == (1, 1)
        assert density_coverage(real, shuffled, chunk=7) == (1, 1)


def test_far_apart_all_are_zero():
    real, fake = sides()
    assert precision_recall(real, fake + 1e3) == (0, 0)
    assert density_coverage(real, fake + 1e3) == (0, 0)


def test_a_collapsed_generator_is_precise_and_recalls_nothing():
    real, _ = sides()
    fake = np.tile(real[:1], (20, 1)) + 1e-3
    assert precision_recall(real, fake) == (1, 0)
    density, coverage = density_coverage(real, fake)
    assert 0 < coverage < 0.5
    np.testing.assert_allclose(density, 60 * coverage / 5)  # all of them in each ball that has any


def test_duplicates_are_neighbours():
    """The copy is the nearest other point, at 0: only exact copies are in these closed balls."""
    points = sides()[0].astype(np.float32)
    real = np.concatenate([points, points])
    fake = np.concatenate([points[:15], points[:45] + 1e-3])
    assert precision_recall(real, fake, k=1)[0] == 0.25
    assert density_coverage(real, fake, k=1) == (0, 0)  # open balls of radius 0 hold nothing


def test_an_outlier_raises_precision_but_hardly_density():
    """The outlier's ball holds all that is near its way: the case of the paper's figure 3."""
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(100, 2)), rng.normal(size=(100, 2)) + 20
    assert precision_recall(real, fake)[0] == 0
    real = np.concatenate([real, [[40.0, 40.0]]])
    assert precision_recall(real, fake)[0] == 1
    np.testing.assert_allclose(density_coverage(real, fake), (0.2, 1 / 101))


def test_equal_distributions_have_the_expected_density_and_coverage():
    rng, n, m, k = np.random.default_rng(0), 60, 40, 3
    values = [
        density_coverage(rng.normal(size=(n, 3)), rng.normal(size=(m, 3)), k) for _ in range(100)
    ]
    missed = np.prod([(n - i) / (n + m - i) for i in range(1, k + 1)])
    error = np.std(values, axis=0) / 10
    np.testing.assert_array_less(np.abs(np.mean(values, axis=0) - (1, 1 - missed)), 4 * error)


def test_memorised_by_hand():
    """Of test 1, 2, 4, 5 and of generated 0, 2, 3: U = 0 + 1.5 + 2 of 12 pairs."""
    result = memorised_share(line(0, 10), line(1, 12, 4, 15), line(0, 8, 13), quantile=0.5)
    np.testing.assert_allclose(result.share, 2 / 3)
    assert (result.expected, result.threshold) == (0.5, 2)
    np.testing.assert_allclose(result.z, (3.5 - 6) / np.sqrt(3 * 4 * 8 / 12))
    np.testing.assert_array_equal(result.indices, [0, 1, 1])
    np.testing.assert_array_equal(result.distances, [0, 2, 3])


def test_copies_among_generated_examples_are_counted():
    rng = np.random.default_rng(0)
    train, test, fake = (rng.normal(size=(n, 4)).astype(np.float32) for n in (300, 200, 200))
    honest = memorised_share(train, test, fake)
    assert honest.expected == 0.05
    assert abs(honest.share - 0.05) < 5 * np.sqrt(2 * 0.05 / 200)
    assert abs(honest.z) < 4
    chosen = rng.integers(300, size=60)
    fake[:60] = train[chosen] + 1e-4
    copied = memorised_share(train, test, fake)
    np.testing.assert_array_equal(copied.indices[:60], chosen)
    assert 0.3 <= copied.share < 0.4
    assert copied.z < -4
    # Where the rest is far off the mean rank does not see the copies, but the share does.
    fake[60:] += 5
    hidden = memorised_share(train, test, fake)
    assert hidden.share == 0.3
    assert hidden.z > 3


def test_training_examples_among_test_examples_are_expected():
    train = line(*range(10))
    result = memorised_share(train, train, train + 0.25, 0.5)
    assert (result.share, result.expected, result.threshold) == (0, 1, 0)
    result = memorised_share(train, train, train, 0.5)
    assert (result.share, result.expected, result.z) == (1, 1, 0)


def test_arrays_of_jax_and_half_precision():
    real, fake = (jnp.asarray(x, jnp.bfloat16) for x in sides())
    exact = [np.asarray(x).astype(np.float64) for x in (real, fake)]
    for f in (precision_recall, density_coverage):
        assert f(real, fake) == f(*exact)
    np.testing.assert_array_equal(nearest_neighbors(real, fake)[1], nearest_neighbors(*exact)[1])


def test_what_has_no_neighbours_is_refused():
    real, fake = sides()
    with pytest.raises(ValueError, match='50 generated examples it is from 1 to 49'):
        precision_recall(real, fake, k=50)
    with pytest.raises(ValueError, match='60 real examples it is from 1 to 59'):
        density_coverage(real, fake, k=60)
    with pytest.raises(ValueError, match='50 references it is from 1 to 50'):
        nearest_neighbors(real, fake, k=51)
    with pytest.raises(ValueError, match='k is 0'):
        nearest_neighbors(real, fake, k=0)
    with pytest.raises(ValueError, match='chunk is 0'):
        nearest_neighbors(real, fake, chunk=0)
    with pytest.raises(ValueError, match='empty'):
        nearest_neighbors(real, fake[:0])
    with pytest.raises(ValueError, match='not finite'):
        density_coverage(np.where(real > 2, np.nan, real), fake)
    for quantile in (0.01, 1):
        with pytest.raises(ValueError, match='50 test examples it is from 0'):
            memorised_share(real, fake, fake, quantile)
    with pytest.raises(AssertionError):
        precision_recall(real, fake[:, :5])
    with pytest.raises(AssertionError):
        nearest_neighbors(real[0], fake)
