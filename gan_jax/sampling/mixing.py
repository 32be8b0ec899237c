"""Style mixing: some layers with the styles of one sample, the others with those of another.

Source: A Style-Based Generator Architecture for Generative Adversarial Networks (Karras et al.,
2019), section 3.1 and figure 3.
"""

import chex
import numpy as np


def cross(rows: chex.Array, columns: chex.Array, layers: int | None = None) -> np.ndarray:
    """The styles of each column's sample in the first layers, of each row's in the others.

    Args:
      rows: styles [r, L, size].
      columns: styles [c, L, size].
      layers: how many of the L layers, the coarse ones, have the column's styles; by default half.

    Returns:
      Styles [r, c, L, size].

    Raises:
      AssertionError: if the shapes of two styles differ.
      ValueError: unless 0 <= layers <= L.
    """
    rows, columns = np.asarray(rows), np.asarray(columns)
    chex.assert_rank([rows, columns], 3)
    chex.assert_equal_shape_suffix([rows, columns], 2)
    total = rows.shape[1]
    layers = total // 2 if layers is None else layers
    if not 0 <= layers <= total:
        raise ValueError(f'layers must be from 0 to {total}, not {layers}')
    coarse = (np.arange(total) < layers)[:, None]
    return np.where(coarse, columns[None], rows[:, None])


def bordered(rows: np.ndarray, columns: np.ndarray, crossed: np.ndarray) -> np.ndarray:
    """The examples of a table with headings, row by row; its corner is of the largest value.

    Args:
      rows: stored examples [r, ...], the headings of the rows.
      columns: stored examples [c, ...], the headings of the columns.
      crossed: stored examples [r * c, ...], row by row.

    Returns:
      [(r + 1) * (c + 1), ...].
    """
    shape = rows.shape[1:]
    table = crossed.reshape(len(rows), len(columns), *shape)
    corner = np.full((1, *shape), np.iinfo(rows.dtype).max, rows.dtype)
    top = np.concatenate([corner, columns])[None]
    return np.concatenate([top, np.concatenate([rows[:, None], table], axis=1)]).reshape(-1, *shape)
