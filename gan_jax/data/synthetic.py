"""Points in the plane whose modes are known: mixtures of equal, round Gaussians."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np


class Mixture(NamedTuple):
    """Gaussians of equal weights and of covariance stddev^2 I.

    Attributes:
      name: the data set's name.
      centers: the modes, float32 [modes, 2].
      stddev: of each coordinate around its mode.
    """

    name: str
    centers: np.ndarray
    stddev: float


def ring(num: int = 8, radius: float = 1.0, stddev: float = 0.01) -> Mixture:
    """Modes at equal angles on a circle around 0, the first at (radius, 0), counter-clockwise.

    Source: PacGAN: The power of two samples in generative adversarial networks (Lin et al., 2018),
    section 4.1: 8 modes, radius 1, stddev 0.01.
    """
    angles = 2 * np.pi * np.arange(num) / num
    return Mixture(f'ring{num}', _float32(radius * np.cos(angles), radius * np.sin(angles)), stddev)


def grid(side: int = 5, spacing: float = 2.0, stddev: float = 0.05) -> Mixture:
    """side^2 modes on a square grid around 0, from the lower left, column by column.

    Source: PacGAN: The power of two samples in generative adversarial networks (Lin et al., 2018),
    section 4.1: {-4, -2, 0, 2, 4}^2, stddev 0.05.
    """
    ticks = spacing * (np.arange(side) - (side - 1) / 2)
    x, y = np.meshgrid(ticks, ticks, indexing='ij')
    return Mixture(f'grid{side**2}', _float32(x.ravel(), y.ravel()), stddev)


def spiral(
    num: int = 100, turns: float = 2.0, radius: float = 2.0, stddev: float = 0.05
) -> Mixture:
    """Modes at equal distances along Archimedes' spiral r = radius t / (2 pi turns) from 0.

    By default neighbours are 0.13 apart, 2.6 stddev, and the arms 1.
    """
    angles = np.linspace(0, 2 * np.pi * turns, 10_000)
    # The length of r = a t from 0 to t is a / 2 (t sqrt(1 + t^2) + asinh t).
    lengths = angles * np.sqrt(1 + angles**2) + np.arcsinh(angles)
    angles = np.interp(np.linspace(0, lengths[-1], num), lengths, angles)
    radii = radius * angles / (2 * np.pi * turns)
    return Mixture('spiral', _float32(radii * np.cos(angles), radii * np.sin(angles)), stddev)


def two_moons(num: int = 64, stddev: float = 0.05) -> Mixture:
    """Modes at equal angles on two interleaved half circles of radius 1, num / 2 on each.

    The upper one is centred on (-1/2, -1/4), the lower one on (1/2, 1/4), each other's image in
    0. By default neighbours are 0.10 apart, 2 stddev, and the moons 0.5.

    Raises:
      ValueError: if `num` is odd.
    """
    if num % 2:
        raise ValueError(f'num={num} must be even')
    angles = np.linspace(0, np.pi, num // 2)
    upper = _float32(np.cos(angles) - 0.5, np.sin(angles) - 0.25)
    return Mixture('two_moons', np.concatenate([upper, -upper]), stddev)


def _float32(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.stack([x, y], axis=-1).astype(np.float32)


MIXTURES: Mapping[str, Callable[[], Mixture]] = {
    'ring8': ring,
    'grid25': grid,
    'spiral': spiral,
    'two_moons': two_moons,
}


def draw(mixture: Mixture, num: int = 100_000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Independent points: a mode drawn uniformly, then a Gaussian around it.

    Args:
      mixture: what to draw from.
      num: how many points.
      seed: what all draws follow from.

    Returns:
      Points, float32 [num, 2], and the modes that they come from, int32 [num].
    """
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, len(mixture.centers), num, dtype=np.int32)
    noise = rng.standard_normal((num, 2), dtype=np.float32)
    return mixture.centers[labels] + np.float32(mixture.stddev) * noise, labels
