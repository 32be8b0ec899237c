"""What each code of a prior does to a sample: all others stay, and one goes through its values."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from gan_jax.game import Game

CATEGORY, CONTINUOUS = 'category', 'continuous'
FAR = 2.0  # continuous codes go from -2 to 2, twice as far as in training


def has_codes(game: Game) -> bool:
    """Whether a game's prior draws codes as `latents.coded` does."""
    prior = game.functions.get('prior')
    if prior is None:
        return False
    drawn = jax.eval_shape(prior, jax.random.split(jax.random.key(0), 1))
    return {CATEGORY, CONTINUOUS} <= drawn.keys()


def traversals(inputs: Mapping[str, Any], categories: int) -> dict[str, Any]:
    """A grid of inputs, `categories` columns wide, in which each row goes through one code.

    First rows whose columns are the categories; then for each continuous code as many rows in which
    it goes from -2 to 2 in equal steps. Each row is of one draw, and the same draws come back for
    each code; where the category is not what moves, row i is of category i, so that rows differ.

    Source: InfoGAN: Interpretable Representation Learning by Information Maximizing Generative
    Adversarial Nets (Chen et al., 2016), figure 2, for the way from -2 to 2.

    Args:
      inputs: draws of the prior, one for a row of each code.
      categories: how many there are.

    Returns:
      Inputs [codes * rows * categories, ...], row by row.
    """
    rows = len(inputs[CATEGORY])
    across = np.arange(categories, dtype=np.int32)
    still = {name: np.repeat(np.asarray(x), categories, axis=0) for name, x in inputs.items()}
    grids = [still | {CATEGORY: np.tile(across, rows)}]
    own = np.repeat(across[np.arange(rows) % categories], categories)
    for code in range(inputs[CONTINUOUS].shape[1]):
        moved = still[CONTINUOUS].copy()
        moved[:, code] = np.tile(np.linspace(-FAR, FAR, categories), rows)
        grids.append(still | {CATEGORY: own, CONTINUOUS: moved})
    return {name: np.concatenate([grid[name] for grid in grids]) for name in inputs}
