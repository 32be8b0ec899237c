"""Games that make examples again of themselves: pictures of what is lost on the way."""

from collections.abc import Callable
from typing import Any

import numpy as np

from gan_jax.game import Game
from gan_jax.modalities import Modality
from gan_jax.sampling import sampler

ACROSS = 4  # examples in a row of a picture
HEADINGS = ('original', 'again', 'difference')


def reconstructs(game: Game) -> bool:
    """Whether a game is of examples that are made again, not of a prior's draws or of sources."""
    return 'reconstruct' in game.functions


def difference(originals: np.ndarray, again: np.ndarray) -> np.ndarray:
    """How far uint8 examples are from each other: black where they are equal, 255 at most."""
    return np.abs(originals.astype(np.int16) - again).astype(np.uint8)


def make_picture(
    game: Game, modality: Modality, real: np.ndarray
) -> Callable[[Any, Any], np.ndarray]:
    """Builds what draws the state of a game that reconstructs.

    Args:
      game: the game.
      modality: of its examples.
      real: the examples, as they are stored.

    Returns:
      (params, aux) -> uint8 [h, w, c]: of each example the original, the reconstruction and the
      difference, with headings; where single examples cannot be looked at, what the modality draws
      of the reconstructions beside the examples.
    """
    make, encoded = sampler.make_sampler(game, modality), modality.encode(real)

    def draw(params: Any, aux: Any) -> np.ndarray:
        again = make(params, aux, encoded)
        if modality.thumbnails is None:
            return modality.picture(again, real)
        columns = [real, again, difference(real, again)]
        rows = np.stack(columns, axis=1).reshape(-1, *modality.shape)
        return modality.picture(rows, columns=len(columns) * ACROSS, headings=HEADINGS)

    return draw
