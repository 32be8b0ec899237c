"""Plain vectors: rows of numbers from an .npz file."""

import numpy as np

from gan_jax.data import cleaning, npz
from gan_jax.data.dataset import Dataset
from gan_jax.errors import NoSplit, UserError, printable

VECTORS = 'vectors:'
NAMES = 'names'


def vectors(path: str, split: str = 'train', max_bad: float = 0.01) -> Dataset:
    """The rows of one array of a file; what they are standardised by is fitted to 'train'.

    Args:
      path: an .npz file with an array [n, d] of numbers for each split, 'train' at least, and
        perhaps 'names', the d columns' names. ~ is the home.
      split: which of them.
      max_bad: the share of rows that are not finite that is borne.

    Returns:
      A data set of float32 rows; `fitted` has the columns' names, means and standard deviations
      (1 for a constant column).

    Raises:
      UserError: if the file cannot be read, or holds no such arrays.
    """
    dataset = printable(f'{VECTORS}{path}')
    needed = "name an .npz file with an array 'train' [n, d]"
    valid: list[str] = []

    def choose(stored: list[str]) -> list[str]:
        valid.extend(x for x in sorted(stored) if x != NAMES)
        return [x for x in stored if x in ('train', split, NAMES)]

    arrays = npz.read(f'config.dataset={dataset}', path, choose, needed)
    names = arrays.pop(NAMES, None)
    if 'train' not in arrays:
        raise UserError(f"config.dataset={dataset} has no array 'train' [n, d]")
    if split not in arrays:
        raise NoSplit(
            f'config.data.split={split!r} is no split of {dataset}; valid: {", ".join(valid)}'
        )
    train, rows = (_rows(dataset, x, arrays[x]) for x in ('train', split))
    good = np.isfinite(rows).all(axis=1)
    bad = tuple((f'row {i}', cleaning.NOT_FINITE) for i in np.flatnonzero(~good))
    cleaning.report(dataset, bad, len(rows), max_bad, 'rows')
    rows = rows[good]
    fit = train[np.isfinite(train).all(axis=1)].astype(np.float64)
    spread = fit.std(axis=0)
    columns = [str(i) for i in range(rows.shape[1])] if names is None else names.ravel().tolist()
    if len(columns) != rows.shape[1] or train.shape[1] != rows.shape[1]:
        raise UserError(
            f'config.dataset={dataset}: {split} has {rows.shape[1]} columns, train '
            f'{train.shape[1]}, and there are {len(columns)} names; make them as many'
        )
    fitted = {
        'names': [printable(x) for x in columns],
        'means': fit.mean(axis=0).tolist(),
        'deviations': np.where(spread > 0, spread, 1.0).tolist(),
    }
    labels = np.zeros(len(rows), np.int32)
    return Dataset(
        dataset, rows.shape[1:], ('',), labels, rows.__getitem__, bad, kind='vectors', fitted=fitted
    )


def _rows(dataset: str, split: str, array: np.ndarray) -> np.ndarray:
    if array.ndim != 2 or array.dtype.kind not in 'iuf' or not array.size:
        raise UserError(
            f'config.dataset={dataset}: {split} is {array.dtype} {array.shape}; numbers [n, d] '
            f'are needed'
        )
    return array.astype(np.float32)
