"""Figures of tables: columns and pairs of columns, cells that cannot be, copies, and prediction.

Their evidence is what `figures` has, and

    real_every, fake_every, train_every    all rows as they are stored, float32 [n, columns]
    columns                             what they are, as `data.columns` has them
    target                              the name of the column that is to be predicted
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gan_jax import metrics
from gan_jax.data import columns as columns_lib
from gan_jax.evaluation import standard_errors as errors
from gan_jax.evaluation.figures import LESS, MORE, at_least, gives

BINS = 10  # of numbers beside categories: tenths of the real rows
COMPARED = 2000  # rows whose nearest records are looked for
Columns = Sequence[Mapping[str, Any]]


def _learned(columns: Columns) -> list[int]:
    """Places of the columns that are not constant."""
    return [i for i, x in enumerate(columns) if x['kind'] != 'constant']


def _shapes(columns: Columns, real: np.ndarray, fake: np.ndarray) -> list[float]:
    found = []
    for i in _learned(columns):
        sides = real[:, i], fake[:, i]
        if columns_lib.is_number(columns[i]):  # a missing one is a number below all others
            found.append(metrics.ks_complement(*sides))
        else:
            size = len(columns[i]['values'])
            counts = [np.bincount(x.astype(int), minlength=size) for x in sides]
            found.append(metrics.tv_complement(*counts))
    return [float(np.mean(found)), min(found)]


@gives(column_shapes=MORE, worst_column_shape=MORE)
@at_least(real=2, fake=2)
def column_shapes(
    real_every: np.ndarray, fake_every: np.ndarray, columns: Columns
) -> dict[str, float]:
    """The mean over the columns, and the least, of how alike each is distributed.

    `metrics.ks_complement` of numbers, `metrics.tv_complement` of categories.
    """
    value = _shapes(columns, real_every, fake_every)
    names = ['column_shapes', 'worst_column_shape']
    error = errors.by_groups(lambda *x: _shapes(columns, *x), real_every, fake_every)
    return errors.named(names, value, error)


def _binned(column: Mapping[str, Any], real: np.ndarray, *sides: np.ndarray) -> tuple:
    """(size, places of each side): a number by tenths of the real ones, missing ones apart."""
    if not columns_lib.is_number(column):
        return len(column['values']), *(x.astype(int) for x in sides)
    gone = np.float32(columns_lib.MISSING)
    known, edges = real[real != gone], np.zeros(0)
    if len(known):
        edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1]))
    places = (np.where(x == gone, len(edges) + 1, np.searchsorted(edges, x)) for x in sides)
    return len(edges) + 2, *places


def _trends(columns: Columns, real: np.ndarray, fake: np.ndarray) -> list[float]:
    gone = np.float32(columns_lib.MISSING)
    binned = {i: _binned(columns[i], real[:, i], real[:, i], fake[:, i]) for i in _learned(columns)}
    found = []
    for i, j in itertools.combinations(_learned(columns), 2):
        if columns_lib.is_number(columns[i]) and columns_lib.is_number(columns[j]):
            pairs = [x[:, [i, j]] for x in (real, fake)]
            pairs = [x[(x != gone).all(axis=1)] for x in pairs]
            if all(len(x) > 1 for x in pairs):
                found.append(metrics.correlation_similarity(*pairs))
            continue
        (size, *first), (other, *second) = binned[i], binned[j]
        tables = [
            metrics.contingency(a, b, (size, other)) for a, b in zip(first, second, strict=True)
        ]
        found.append(metrics.tv_complement(*tables))
    return [float(np.mean(found))]


@gives(pair_trends=MORE)
@at_least(real=2, fake=2)
def pair_trends(
    real_every: np.ndarray, fake_every: np.ndarray, columns: Columns
) -> dict[str, float]:
    """The mean over pairs of columns of how alike they go together.

    `metrics.correlation_similarity` of two numbers; of all other pairs `metrics.tv_complement` of
    their contingency tables, numbers by tenths of the real ones.

    Raises:
      ValueError: if there is no pair.
    """
    if len(_learned(columns)) < 2:
        raise ValueError('there is one column, so there is no pair')
    return errors.measured(['pair_trends'], lambda *x: _trends(columns, *x), real_every, fake_every)


@gives(adherence=MORE)
def adherence(fake_every: np.ndarray, columns: Columns) -> dict[str, float]:
    """The share of cells that could be: known categories, whole units within the bounds.

    Of samples it is 1, since decoding rounds and clips; of held-out rows it says how often they lie
    beyond what was trained on.
    """
    found = []
    for i, column in enumerate(columns):
        x = fake_every[:, i]
        top = column.get('top', len(column.get('values', [''])) - 1)
        within = (x >= 0) & (x <= top)
        gone = (x == np.float32(columns_lib.MISSING)) & ('missing' in column)
        found.append((within & (x == np.round(x))) | gone)
    return errors.of_values('adherence', [np.stack(found, axis=1).mean(axis=1)])


@gives(closest_train_share=LESS, closest_distance=MORE)
def closest_record(
    train_every: np.ndarray, real_every: np.ndarray, fake_every: np.ndarray, encode: Callable
) -> dict[str, float]:
    """`metrics.closest_share` of as many rows of each, and the median distance to a training row.

    Of examples of any kind as networks see them, the first 2,000 samples. The share is 1/2 where
    samples are no nearer to what was trained on than to other rows; the distance says little by
    itself: compare it with that of held-out rows.
    """
    sides = train_every, real_every, fake_every
    train, real, fake = (np.asarray(encode(x)).reshape(len(x), -1) for x in sides)
    num = min(len(train), len(real))
    near, far, nearest = (
        metrics.nearest_neighbors(fake[:COMPARED], x)[1][:, 0]
        for x in (train[:num], real[:num], train)
    )
    share = metrics.closest_share(near, far)
    return {'closest_train_share': share, 'closest_distance': float(np.median(nearest))}


@gives(prediction_f1=MORE)
@at_least(real=2, fake=2)
def prediction(
    fake_every: np.ndarray, real_every: np.ndarray, columns: Columns, target: str
) -> dict[str, float]:
    """The F1 on real rows of classifiers that were trained on generated ones.

    The mean of scikit-learn's logistic regression and decision tree as they come, on numbers that
    are standardised and one-hot categories; F1 of the rarer of two categories, of more the mean
    over them. Compare it with that of real training rows in place of generated ones.

    Source: Modeling Tabular Data using Conditional GAN (Xu et al., 2019), section 5, which takes
    other classifiers.
    """
    place = next(i for i, x in enumerate(columns) if x['name'] == target)
    asked, told = fake_every[:, place].astype(int), real_every[:, place].astype(int)
    x, tested = _features(columns, place, fake_every, real_every)
    two = len(columns[place]['values']) == 2
    scores = []
    for classifier in _classifiers():
        named = np.full(len(told), asked[0])
        if len(np.unique(asked)) > 1:
            named = classifier.fit(x, asked).predict(tested)
        average = {'pos_label': 1, 'average': 'binary'} if two else {'average': 'macro'}
        f1 = columns_lib.scikit_learn('metrics').f1_score
        scores.append(f1(told, named, zero_division=0, **average))
    return {'prediction_f1': float(np.mean(scores))}


def _classifiers() -> list[Any]:
    linear, tree = (columns_lib.scikit_learn(x) for x in ('linear_model', 'tree'))
    return [
        linear.LogisticRegression(max_iter=300),
        tree.DecisionTreeClassifier(random_state=0),
    ]


def _features(
    columns: Columns, target: int, train: np.ndarray, tested: np.ndarray
) -> list[np.ndarray]:
    """What classifiers are given of both sides, all columns but the target."""
    parts: list[list[np.ndarray]] = [[], []]
    for i in _learned(columns):
        if i == target:
            continue
        if not columns_lib.is_number(columns[i]):
            for part, rows in zip(parts, (train, tested), strict=True):
                size = len(columns[i]['values'])
                part.append((rows[:, i, None] == np.arange(size)).astype(np.float32))
            continue
        gone = [x[:, i] == np.float32(columns_lib.MISSING) for x in (train, tested)]
        known = train[~gone[0], i].astype(np.float64)
        mean, spread = (known.mean(), known.std()) if len(known) else (0.0, 0.0)
        for part, rows, missing in zip(parts, (train, tested), gone, strict=True):
            scaled = np.where(missing, 0, (rows[:, i] - mean) / (spread or 1.0))
            part.append(np.stack([scaled, missing], axis=1).astype(np.float32))
    return [np.concatenate(part, axis=1) for part in parts]
