"""Figures of tables, of rows whose figures are known."""

import dataclasses

import methods
import numpy as np
import pytest
from sklearn import linear_model, metrics, tree

from gan_jax import modalities
from gan_jax.config import fit
from gan_jax.data import columns as columns_lib
from gan_jax.data.dataset import Dataset
from gan_jax.errors import UserError
from gan_jax.evaluation import menu, tables
from gan_jax.game import Game

COLUMNS, GONE = methods.COLUMNS, np.float32(columns_lib.MISSING)
MODALITY = modalities.make(methods.TABLE)


def drawn(num, seed, flip=False):
    """Rows whose income follows from the sort; with `flip` the other way round."""
    rng = np.random.default_rng(seed)
    size = np.where(rng.random(num) < 0.1, GONE, rng.integers(0, 41, num))
    sort = rng.integers(0, 3, num)
    income = (sort == 2) ^ (rng.random(num) < 0.05) ^ flip
    return np.stack([size, sort, 0 * sort, income], axis=1).astype(np.float32)


REAL, FAKE = drawn(600, 0), drawn(500, 1)


def test_shapes_are_the_mean_and_the_least_over_the_columns_that_vary():
    found = tables.column_shapes(REAL, FAKE, COLUMNS)
    ks = max(
        abs((REAL[:, 0] <= t).mean() - (FAKE[:, 0] <= t).mean()) for t in np.unique(REAL[:, 0])
    )
    each = [1 - ks]
    for i, size in ((1, 3), (3, 2)):
        shares = [np.bincount(x[:, i].astype(int), minlength=size) / len(x) for x in (REAL, FAKE)]
        each.append(1 - np.abs(shares[0] - shares[1]).sum() / 2)
    assert found['column_shapes'] == pytest.approx(np.mean(each))
    assert found['worst_column_shape'] == pytest.approx(min(each))
    assert 0 < found['column_shapes/stderr'] < 0.05
    assert tables.column_shapes(REAL, REAL, COLUMNS)['column_shapes'] == 1


def test_trends_are_of_pairs_and_see_what_single_columns_do_not():
    alone = FAKE.copy()
    alone[:, 3] = np.random.default_rng(0).permutation(alone[:, 3])
    good, bad = (tables.pair_trends(REAL, x, COLUMNS)['pair_trends'] for x in (FAKE, alone))
    assert tables.pair_trends(REAL, REAL, COLUMNS)['pair_trends'] == 1
    assert good > bad + 0.05
    pairs = [np.array([np.sum((x[:, 1] == i) & (x[:, 3] == j)) for i in range(3) for j in range(2)])
             for x in (REAL, FAKE)]  # fmt: skip
    p, q = (x / x.sum() for x in pairs)
    of_two = [COLUMNS[1], COLUMNS[3]]
    found = tables.pair_trends(REAL[:, [1, 3]], FAKE[:, [1, 3]], of_two)['pair_trends']
    assert found == pytest.approx(1 - np.abs(p - q).sum() / 2)
    with pytest.raises(ValueError, match='no pair'):
        tables.pair_trends(REAL[:, :1], FAKE[:, :1], COLUMNS[:1])


def test_numbers_beside_numbers_are_compared_by_their_correlation():
    numbers = [COLUMNS[0], {**COLUMNS[0], 'name': 'other'}]
    x = np.arange(41, dtype=np.float32)
    up = np.stack([x, x], axis=1)
    down = np.stack([x, x[::-1]], axis=1)
    with_gap = np.concatenate([up, [[GONE, 3]]]).astype(np.float32)
    assert tables.pair_trends(up, down, numbers)['pair_trends'] == pytest.approx(0)
    assert tables.pair_trends(up, with_gap, numbers)['pair_trends'] == pytest.approx(1)


def test_cells_that_cannot_be_are_counted():
    rows = REAL[:10].copy()
    assert tables.adherence(rows, COLUMNS)['adherence'] == 1
    rows[0] = [41, 0, 0, 0]  # above the largest
    rows[1] = [1.5, 0, 0, 0]
    rows[2] = [3, 3, 0, 0]  # no such category
    rows[3] = [3, 0, 0, GONE]  # never missing
    assert tables.adherence(rows, COLUMNS)['adherence'] == pytest.approx(1 - 4 / 40)


def test_copies_of_training_rows_are_told_from_new_ones():
    """Of sizes apart, so that few rows are alike."""
    wide = [{**COLUMNS[0], 'top': 10**6, 'means': [0.0, 5e5], 'deviations': [1e5, 2e5]}]
    modality = modalities.make(methods.TABLE | {'columns': wide, 'target': ''})
    train, held_out, new = (
        np.random.default_rng(i).integers(0, 10**6, (300, 1)).astype(np.float32) for i in range(3)
    )
    copied = tables.closest_record(train, held_out, train[:100], modality.encode)
    fresh = tables.closest_record(train, held_out, new, modality.encode)
    assert copied['closest_train_share'] > 0.95
    assert copied['closest_distance'] == 0
    assert fresh['closest_train_share'] == pytest.approx(0.5, abs=0.1)
    assert fresh['closest_distance'] > 0


def test_prediction_is_the_f1_on_real_rows_of_what_was_trained_on_generated_ones():
    found = tables.prediction(FAKE, REAL, COLUMNS, 'income')['prediction_f1']

    def given(rows):
        gone = rows[:, 0] == GONE
        known = FAKE[FAKE[:, 0] != GONE, 0]
        size = np.where(gone, 0, (rows[:, 0] - known.mean()) / known.std())
        return np.column_stack([size, gone, *(rows[:, 1] == i for i in range(3))])

    models = (
        linear_model.LogisticRegression(max_iter=300),
        tree.DecisionTreeClassifier(random_state=0),
    )
    want = [
        metrics.f1_score(REAL[:, 3], model.fit(given(FAKE), FAKE[:, 3]).predict(given(REAL)))
        for model in models
    ]
    assert found == pytest.approx(np.mean(want), abs=0.02)
    assert found > 0.8
    assert tables.prediction(drawn(500, 1, True), REAL, COLUMNS, 'income')['prediction_f1'] < 0.2
    one = FAKE[FAKE[:, 3] == 0]
    assert tables.prediction(one, REAL, COLUMNS, 'income')['prediction_f1'] == 0


def test_of_three_categories_the_mean_of_their_f1s_counts():
    found = tables.prediction(FAKE, REAL, COLUMNS, 'sort')['prediction_f1']
    assert 0.3 < found < 0.9


def test_a_column_to_predict_and_a_table_are_needed():
    rows = Dataset('x', (4,), ('',), np.zeros(2, np.int32), REAL.__getitem__)

    game = Game(None, (), {'sample': None})
    assert 'target' in menu.needed(['prediction'])
    with pytest.raises(UserError, match='needs a table, as config'):
        fit.check_evidence(['column_shapes'], rows, game, True)
    untold = dataclasses.replace(rows, fitted={'columns': COLUMNS, 'target': ''})
    with pytest.raises(UserError, match='needs a column to predict'):
        fit.check_evidence(['prediction'], untold, game, True)
    assert MODALITY.metrics[-1] == 'prediction'
    untargeted = modalities.make(methods.TABLE | {'target': ''})
    assert 'prediction' not in untargeted.metrics
