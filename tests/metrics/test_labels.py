"""Figures of labels: literals, closed forms of two Gaussians a class, and permuted classes."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize

from gan_jax import metrics
from gan_jax.metrics import labels as labels_lib

# Asked for 0, 0, 0, 1, 1, 2; named 0, 0, 1, 1, 2, 2.
ASKED = np.array([0, 0, 0, 1, 1, 2])
NAMED = np.eye(3)[[0, 0, 1, 1, 2, 2]]


def test_the_accuracy_and_its_error_by_hand():
    share, error = metrics.label_accuracy(NAMED, ASKED)
    assert share == pytest.approx(4 / 6)
    assert error == pytest.approx(np.sqrt(4 / 6 * 2 / 6 / 6))
    logits = jnp.asarray(7 * NAMED - 3, jnp.bfloat16)
    assert metrics.label_accuracy(logits, jnp.asarray(ASKED)) == (share, error)
    assert metrics.label_accuracy(NAMED, NAMED.argmax(axis=1)) == (1, 0)


def test_the_standard_error_is_the_spread_of_accuracies_drawn_anew():
    rng = np.random.default_rng(0)
    rights = rng.random((2000, 50)) < 0.8
    found = [metrics.label_accuracy(np.eye(2)[x.astype(int)], np.ones(50, int)) for x in rights]
    shares, errors = np.array(found).T
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(shares.std(), rel=0.04)


def test_the_confusion_matrix_by_hand():
    want = [[2, 1, 0], [0, 1, 1], [0, 0, 1]]
    found = metrics.confusion_matrix(NAMED, ASKED)
    np.testing.assert_array_equal(found, want)
    assert found.dtype == np.int64
    # A class that was never asked for has an empty row, one that is never named an empty column.
    few = metrics.confusion_matrix(np.array([[0.1, 0.9, 0, 0]]), np.array([2]))
    np.testing.assert_array_equal(few, np.eye(4)[[3, 3, 1, 3]] * [[0], [0], [1], [0]])


def test_of_the_confusion_matrix_the_diagonal_is_the_accuracy():
    rng = np.random.default_rng(1)
    scores, labels = rng.normal(size=(200, 7)), rng.integers(0, 7, 200)
    matrix = metrics.confusion_matrix(scores, labels)
    assert np.trace(matrix) / 200 == pytest.approx(metrics.label_accuracy(scores, labels)[0])
    np.testing.assert_array_equal(matrix.sum(axis=1), np.bincount(labels, minlength=7))


def test_no_class_has_more_generated_examples_than_real_ones():
    real = np.array([0, 0, 0, 1, 2, 2])
    fake = np.array([1, 1, 0, 2, 0, 2, 2, 1, 3])
    np.testing.assert_array_equal(metrics.as_many(real, fake), [0, 2, 3, 4, 5, 8])
    assert metrics.as_many(real, fake[:0]).tolist() == []


def gaussians(seed, num, gap=6.0, classes=3, dims=4):
    """Unit Gaussians, of each class around a corner of a simplex; as many of each."""
    labels = np.arange(num) % classes
    noise = np.random.default_rng(seed).normal(size=(num, dims))
    return gap * np.eye(classes, dims)[labels] + noise, labels


def frechet(real, fake):
    fits = [metrics.moments(x) for x in (real, fake)]
    return (metrics.frechet_distance(*(y for x in fits for y in (x.mean, metrics.covariance(x)))),)


within = functools.partial(metrics.within_classes, metrics.precision_recall)


def test_a_set_against_itself():
    x, y = gaussians(0, 90)
    means, each = within(x, y, x, y)
    assert means.tolist() == [1, 1]
    assert each == dict.fromkeys(range(3), (1, 1))
    assert metrics.within_classes(frechet, x, y, x, y)[0] == pytest.approx(0, abs=1e-9)


def test_within_classes_of_the_frechet_distance_is_the_intra_class_distance():
    sides = *gaussians(1, 300), *gaussians(2, 210)
    (mean,), each = metrics.within_classes(frechet, *sides)
    want, of_classes = metrics.intra_class_frechet_distance(*sides)
    assert mean == pytest.approx(want, rel=1e-12)
    assert {c: x for c, (x,) in each.items()} == pytest.approx(of_classes)


def test_two_gaussians_a_class_have_their_closed_form():
    """Class k moved by k in a dimension and twice as wide: k^2 + (2 - 1)^2, of sample moments."""
    white, labels = gaussians(3, 600, gap=0.0, classes=2, dims=1)
    for k in range(2):
        part = white[labels == k]
        white[labels == k] = (part - part.mean()) / part.std(ddof=1)
    moved = 2 * white + labels[:, None]
    (mean,), each = metrics.within_classes(frechet, white, labels, moved, labels)
    assert each == {0: (pytest.approx(1, rel=1e-9),), 1: (pytest.approx(2, rel=1e-9),)}
    assert mean == pytest.approx(1.5, rel=1e-9)


def test_permuted_classes_are_seen_by_figures_of_labels_only():
    """ContraGAN's fault: good images, each of another class than was asked for."""
    real, real_labels = gaussians(4, 600)
    fake, fake_labels = gaussians(5, 600)
    other, _ = gaussians(6, 600)  # real ones that stand in for samples: the floor
    permuted = (fake_labels + 1) % 3
    together = frechet(real, fake)[0]
    assert together < 0.1  # it is not given labels, so it is the same whatever they are
    intra = functools.partial(metrics.intra_class_frechet_distance, real, real_labels)
    floor = intra(other, fake_labels)[0]
    # Two corners of the simplex are 6^2 + 6^2 apart, squared.
    assert intra(fake, fake_labels)[0] == pytest.approx(floor, abs=0.1)
    assert intra(fake, permuted)[0] == pytest.approx(72, rel=0.05)
    scores = fake[:, :3]
    assert metrics.label_accuracy(scores, fake_labels)[0] > 0.98
    assert metrics.label_accuracy(scores, permuted)[0] < 0.01
    assert within(real, real_labels, fake, fake_labels)[0].min() > 0.8
    assert within(real, real_labels, fake, permuted)[0].max() < 0.05
    matrix = metrics.confusion_matrix(scores, permuted)
    assert np.trace(np.roll(matrix, 1, axis=1)) > 0.98 * 600


def test_one_image_a_class_has_the_labels_and_no_recall():
    """So the accuracy alone passes no model."""
    real, labels = gaussians(7, 300)
    same = 6.0 * np.eye(3, 4)[labels]
    assert metrics.label_accuracy(same[:, :3], labels)[0] == 1
    precision, recall = within(real, labels, same, labels)[0]
    assert precision == 1
    assert recall == 0


@pytest.mark.parametrize('missing', ['real', 'generated'])
def test_a_class_that_one_side_lacks_or_has_too_few_of_is_named(missing):
    x, y = gaussians(8, 30)
    lacking = (x[y != 1], y[y != 1])
    few = [np.append(a, b[y == 1][:2], axis=0) for a, b in zip(lacking, (x, y), strict=True)]
    for part, said in ((lacking, f'class 1: there are no {missing}'), (few, 'class 1: k is 3')):
        sides = (*part, x, y) if missing == 'real' else (x, y, *part)
        with pytest.raises(ValueError, match=said):
            within(*sides)


def test_what_labels_are_refused():
    x, y = gaussians(9, 30)
    for function in (metrics.label_accuracy, metrics.confusion_matrix):
        with pytest.raises(ValueError, match='labels from 0 to 2 are not among the 2 classes'):
            function(x[:, :2], y)
        with pytest.raises(ValueError, match='from -1 to 1'):
            function(x, y - 1)
        with pytest.raises(ValueError, match='not finite'):
            function(np.where(x > 3, np.inf, x), y)
        with pytest.raises(ValueError, match='no examples'):
            function(x[:0], y[:0])
        for labels in (y[1:], y[:, None], y.astype(float)):
            with pytest.raises(AssertionError):
                function(x, labels)
    with pytest.raises(AssertionError):
        within(x, y, x[:, :2], y)
    with pytest.raises(ValueError, match='no examples'):
        within(x[:0], y[:0], x[:0], y[:0])
    with pytest.raises(AssertionError):
        metrics.as_many(y, y[:, None])


@pytest.mark.parametrize('size', [1, 2, 5, 12])
def test_the_matching_is_the_best_of_all(size):
    """scipy's, of tables with many ties and of tables without any."""
    rng = np.random.default_rng(size)
    for most in (3, 1000):
        for _ in range(20):
            gains = rng.integers(0, most, (size, size))
            chosen = labels_lib._assignment(gains)
            assert sorted(chosen) == [*range(size)]
            rows, columns = optimize.linear_sum_assignment(gains, maximize=True)
            assert gains[np.arange(size), chosen].sum() == gains[rows, columns].sum()


def test_codes_that_rename_classes_are_right_whatever_the_names():
    labels = np.repeat(np.arange(4), 5)
    renamed = np.array([2, 0, 3, 1])[labels]
    share, error, matching = metrics.matched_accuracy(renamed, labels)
    assert (share, error) == (1.0, 0.0)
    np.testing.assert_array_equal(matching, [1, 3, 0, 2])


def test_a_greedy_matching_would_have_less():
    """Code 0 has most of class 0, but there it is worth one example only."""
    codes = np.array([0] * 9 + [1] * 5)
    labels = np.array([0] * 5 + [1] * 4 + [0] * 5)
    share, error, matching = metrics.matched_accuracy(codes, labels)
    np.testing.assert_array_equal(matching, [1, 0])
    assert share == pytest.approx(9 / 14)
    assert error == pytest.approx(np.sqrt(9 / 14 * 5 / 14 / 14))


def test_two_codes_of_one_class_count_once_and_one_code_names_one_class():
    share, _, matching = metrics.matched_accuracy(np.array([0, 0, 1, 2]), np.array([0, 0, 0, 0]))
    np.testing.assert_array_equal(matching, [0, -1, -1])
    assert share == 0.5
    assert metrics.matched_accuracy(np.array([0, 0, 0]), np.array([0, 1, 1]))[0] == 2 / 3


@pytest.mark.parametrize(
    ('codes', 'labels', 'error'),
    [
        ([0, 1], [0], AssertionError),
        ([0.5, 1.0], [0, 1], AssertionError),
        ([-1, 1], [0, 1], ValueError),
        (np.zeros(0, int), np.zeros(0, int), ValueError),
    ],
)
def test_codes_that_cannot_be_matched_are_refused(codes, labels, error):
    with pytest.raises(error):
        metrics.matched_accuracy(np.asarray(codes), np.asarray(labels))
