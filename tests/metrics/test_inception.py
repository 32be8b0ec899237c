import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.metrics.inception import inception_score


def probabilities(n=43, classes=5):
    logits = 2 * np.random.default_rng(0).normal(size=(n, classes))
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    ('splits', 'mean', 'stddev'),
    [(4, 1.8450695894921132, 0.3159045116739246), (1, 1.8828777314009348, 0.0)],
)
def test_the_values_of_torch_fidelity(splits, mean, stddev):
    """torch-fidelity 0.4.0, isc_features_to_metric of the logits with shuffle=False."""
    score = inception_score(probabilities(), splits)
    np.testing.assert_allclose(score, (mean, stddev), rtol=1e-12, atol=1e-12)


def test_certain_and_even_is_the_number_of_classes():
    np.testing.assert_allclose(inception_score(np.tile(np.eye(7), (10, 1))), (7, 0), atol=1e-12)


def test_a_collapsed_or_an_unsure_generator_has_the_least_score():
    certain = np.tile(np.eye(7)[:1], (10, 1))
    for p in (certain, np.full((10, 7), 1 / 7), probabilities(1).repeat(10, axis=0)):
        np.testing.assert_allclose(inception_score(p), (1, 0), atol=1e-12)


def test_parts_are_consecutive():
    """Sorted classes: each part has one, so each part's score is 1; as a whole it is 4."""
    p = np.eye(4).repeat(5, axis=0)
    np.testing.assert_allclose(inception_score(p, splits=4), (1, 0), atol=1e-12)
    np.testing.assert_allclose(inception_score(p, splits=1), (4, 0), atol=1e-12)


def test_parts_of_unequal_size_and_their_deviation():
    """Of 3 rows the first part has 1 (score 1), the second 2 different ones (score 2)."""
    np.testing.assert_allclose(inception_score(np.eye(3), splits=2), (1.5, 0.5), rtol=1e-12)


def test_rounding_of_the_rows_is_taken_out():
    p = jnp.asarray(probabilities(), jnp.bfloat16)
    exact = np.asarray(p).astype(np.float64)
    exact /= exact.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(inception_score(p), inception_score(exact), rtol=1e-12)
    np.testing.assert_allclose(
        inception_score(probabilities().astype(np.float32)),
        inception_score(probabilities()),
        rtol=1e-6,
    )


def test_what_is_no_probability_is_refused():
    p = probabilities()
    for bad in (np.log(p), 2 * p, np.where(p > 0.5, np.nan, p), p + [[0.5, -0.5, 0, 0, 0]]):
        with pytest.raises(ValueError, match='softmax'):
            inception_score(bad)
    for splits in (0, 44):
        with pytest.raises(ValueError, match='from 1 to the number of samples, 43'):
            inception_score(p, splits)
    with pytest.raises(AssertionError):
        inception_score(p[0])
