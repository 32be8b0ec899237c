import numpy as np
import pytest

from gan_jax import metrics


def clusters(seed, num=90, shift=0.0, classes=3):
    """Points around the corners of a simplex, one corner a class."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, num)
    return 4 * np.eye(classes)[labels] + rng.normal(0, 0.3, (num, classes)) + shift, labels


def test_faithful_samples_teach_the_classes_and_wrong_labels_do_not():
    fake, fake_labels = clusters(0)
    real, real_labels = clusters(1)
    score = metrics.classification_accuracy(fake, fake_labels, real, real_labels)
    assert score == 1
    wrong = metrics.classification_accuracy(fake, (fake_labels + 1) % 3, real, real_labels)
    assert wrong == 0


def test_a_class_that_is_never_made_is_never_named():
    fake, fake_labels = clusters(0)
    made = fake_labels != 2
    real, real_labels = clusters(1)
    score = metrics.classification_accuracy(fake[made], fake_labels[made], real, real_labels)
    assert score == pytest.approx(np.mean(real_labels != 2))


def test_two_classes_on_a_line_are_parted_halfway_by_hand():
    """Equally many at 0 and at 1: the least squares line crosses one half at 0.5."""
    fake, labels = np.array([[0.0], [1.0]]), np.array([5, 7])
    real = np.array([[-1.0], [0.49], [0.51], [9.0]])
    assert metrics.classification_accuracy(fake, labels, real, np.array([5, 5, 7, 7])) == 1
    assert metrics.classification_accuracy(fake, labels, real, np.array([5, 7, 5, 7])) == 0.5


def test_units_of_features_and_a_constant_one_do_not_matter():
    fake, fake_labels = clusters(2, shift=1.0)
    real, real_labels = clusters(3)
    plain = metrics.classification_accuracy(fake, fake_labels, real, real_labels)
    scaled = [np.concatenate([x * [1, 10, 100], np.full((90, 1), 3.0)], 1) for x in (fake, real)]
    assert metrics.classification_accuracy(scaled[0], fake_labels, scaled[1], real_labels) == plain


def test_what_it_refuses():
    x, y = clusters(0)
    with pytest.raises(AssertionError):
        metrics.classification_accuracy(x, y[:-1], x, y)
    with pytest.raises(ValueError, match='positive'):
        metrics.classification_accuracy(x, y, x, y, ridge=0)
    with pytest.raises(ValueError, match='finite'):
        metrics.classification_accuracy(np.where(x > 3, np.nan, x), y, x, y)


def ties(seed, num=200, values=12):
    """Scores of few values, of which some are extreme, and what is to have the higher ones."""
    rng = np.random.default_rng(seed)
    positive = rng.random(num) < 0.3
    return np.round(rng.normal(positive * 1.5, 1.0, num) * values / 6) * 1e-7, positive


def test_the_area_by_hand():
    """Of 2 x 3 pairs: 0.9 is above all 3, 0.5 above one and equal to one; in all 4.5."""
    scores, positive = np.array([0.9, 0.5, 0.7, 0.5, 0.1]), np.array([1, 1, 0, 0, 0], bool)
    assert metrics.auroc(scores, positive) == 4.5 / 6
    # Recall 1/2 at precision 1; 1 at precision 2/4, since both examples of 0.5 are called.
    assert metrics.average_precision(scores, positive) == (1 + 2 / 4) / 2
    assert metrics.auroc(-scores, positive) == 1 - 4.5 / 6
    assert metrics.auroc(np.zeros(5), positive) == 0.5
    assert metrics.average_precision(np.zeros(5), positive) == 2 / 5
    assert metrics.auroc(positive, positive) == metrics.average_precision(positive, positive) == 1


@pytest.mark.parametrize('seed', range(4))
def test_the_areas_are_scikit_learns_with_ties(seed):
    judge = pytest.importorskip('sklearn.metrics')
    scores, positive = ties(seed)
    area, average = (
        judge.roc_auc_score(positive, scores),
        judge.average_precision_score(positive, scores),
    )
    assert metrics.auroc(scores, positive) == pytest.approx(area, abs=1e-12)
    assert metrics.average_precision(scores, positive) == pytest.approx(average, abs=1e-12)


@pytest.mark.parametrize('area', [metrics.auroc, metrics.average_precision])
def test_an_area_needs_both_kinds_and_finite_scores(area):
    order = np.random.default_rng(0).permutation(200)
    scores, positive = ties(5)
    assert area(scores[order], positive[order]) == area(scores, positive)
    for none in (np.zeros(3, bool), np.ones(3, bool)):
        with pytest.raises(ValueError, match='all of 3 examples are of one kind'):
            area(np.arange(3.0), none)
    with pytest.raises(ValueError, match='not finite'):
        area(np.array([np.nan, 1.0]), np.array([True, False]))
    with pytest.raises(AssertionError):
        area(np.zeros(3), np.zeros(2, bool))
