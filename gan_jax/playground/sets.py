"""What there is to learn on the page: mixtures of Gaussians that fit its window, or a drawn one."""

from collections.abc import Callable, Mapping

import numpy as np

from gan_jax import data
from gan_jax.data import synthetic
from gan_jax.errors import UserError, nearest

HALF = 1.5  # the window is the square [-HALF, HALF]^2
POINTS = 4096  # of a set, that batches are drawn from
MOST_MODES = 128
STDDEV = 0.03  # of most of them, so that a mode is a small cloud
BRUSH = 0.05  # of a drawn mode
LEVELS = 255  # a drawn coordinate is a byte: 0 at -HALF, 255 at HALF
DRAWN = 'drawn'


def _line() -> data.Mixture:
    """Modes at equal distances on the diagonal, the least two stddev apart."""
    ticks = np.linspace(-1, 1, 48, dtype=np.float32)
    return data.Mixture('line', np.stack([ticks, ticks], axis=-1), STDDEV)


def _gaussian() -> data.Mixture:
    """One round Gaussian around 0."""
    return data.Mixture('gaussian', np.zeros((1, 2), np.float32), 0.4)


def _moons() -> data.Mixture:
    moons = synthetic.two_moons(stddev=STDDEV)
    return moons._replace(centers=moons.centers * np.float32(0.8))


SETS: Mapping[str, Callable[[], data.Mixture]] = {
    'ring8': lambda: synthetic.ring(stddev=STDDEV),
    'grid25': lambda: synthetic.grid(spacing=0.5, stddev=STDDEV),
    'two_moons': _moons,
    'spiral': lambda: synthetic.spiral(radius=1.2, stddev=STDDEV),
    'line': _line,
    'gaussian': _gaussian,
}


def find(name: str, drawn: str = '') -> data.Mixture:
    """A set by its name, or what was drawn.

    Args:
      name: one of SETS, or 'drawn'.
      drawn: the modes of 'drawn', see `read`.

    Raises:
      UserError: if there is no such set, or nothing was drawn.
    """
    if name == DRAWN:
        return read(drawn)
    if name not in SETS:
        names = [*SETS, DRAWN]
        raise UserError(
            f'set {name!r} is unknown; the nearest valid name is {nearest(name, names)!r} '
            f'(all: {", ".join(names)})'
        )
    return SETS[name]()


def read(drawn: str) -> data.Mixture:
    """What was drawn: a mode wherever the brush was.

    Args:
      drawn: four hexadecimal digits a mode, a byte for x and one for y: 0 is -HALF, 255 is HALF.

    Raises:
      UserError: if it is something else, there is no mode, or there are more than MOST_MODES.
    """
    try:
        places = np.frombuffer(bytes.fromhex(drawn), np.uint8).reshape(-1, 2)
    except ValueError:
        raise UserError(
            f'drawn={drawn[:20]!r} must be four hexadecimal digits for each mode, such as 8080'
        ) from None
    if not 0 < len(places) <= MOST_MODES:
        raise UserError(f'drawn has {len(places)} modes; draw 1 to {MOST_MODES}')
    centers = (places.astype(np.float32) / LEVELS * 2 - 1) * np.float32(HALF)
    return data.Mixture(DRAWN, centers, BRUSH)


def draw(mixture: data.Mixture) -> np.ndarray:
    """POINTS points of a set, float32 [POINTS, 2], always the same."""
    return synthetic.draw(mixture, POINTS)[0]


def padded(mixture: data.Mixture) -> np.ndarray:
    """The modes, float32 [MOST_MODES, 2], with infinities behind them: nothing is near those."""
    centers = np.full((MOST_MODES, 2), np.inf, np.float32)
    centers[: len(mixture.centers)] = mixture.centers
    return centers
