"""Directions in the space of styles along which samples change most.

Source: Closed-Form Factorization of Latent Semantics in GANs (Shen and Zhou, 2021), section 3.2.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Directions(NamedTuple):
    """What `factorize` finds, the strongest first.

    Attributes:
      vectors: float64 [size, size], a unit vector in each row, each orthogonal to the others.
      values: float64 [size], the eigenvalues, >= 0.
    """

    vectors: np.ndarray
    values: np.ndarray


def factorize(kernels: Sequence[np.ndarray]) -> Directions:
    """The unit vectors n that maximise ||A n||^2, each orthogonal to those before it.

    They are the eigenvectors of A^T A in the order of their eigenvalues, A the weights of the
    layers' affine maps y = A w + b one above the other. Of n and -n, the one is taken whose
    coordinate of the largest size is positive. Computed in float64.

    The authors' code divides each row of A by its norm first; the paper does not, nor is it done
    here.

    Args:
      kernels: A^T of each layer, [size, outputs].

    Raises:
      ValueError: if there are none, or their sizes differ.
    """
    if not kernels:
        raise ValueError('there are no layers to factorize')
    weights = np.concatenate([np.asarray(x, np.float64) for x in kernels], axis=1)
    values, vectors = np.linalg.eigh(weights @ weights.T)
    vectors, values = vectors.T[::-1], np.maximum(values[::-1], 0)
    largest = np.abs(vectors).argmax(axis=1)
    signs = np.sign(np.take_along_axis(vectors, largest[:, None], axis=1))
    return Directions(vectors * signs, values)


def moved(
    styles: np.ndarray, vectors: np.ndarray, strengths: np.ndarray, layers: Sequence[int]
) -> np.ndarray:
    """Styles moved along directions: w + a n in some layers, w in the others.

    Args:
      styles: w, [n, L, size].
      vectors: n, [directions, size].
      strengths: a, [directions, columns].
      layers: which of the L layers are moved.

    Returns:
      [n, directions, columns, L, size], of the type of `styles`.
    """
    chosen = np.isin(np.arange(styles.shape[1]), layers)[:, None]
    steps = strengths[..., None, None] * vectors[:, None, None] * chosen
    return (styles[:, None, None] + steps).astype(styles.dtype)
