"""What a class does to a sample: grids with one class a row, and ways from one class to another."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from gan_jax.game import Game
from gan_jax.sampling import sampler

LABEL = 'label'


def spread(classes: int, most: int) -> np.ndarray:
    """All classes, or so many of them at equal distances, the first and the last among them."""
    return np.unique(np.linspace(0, classes - 1, min(classes, most)).round()).astype(np.int32)


def one_a_row(inputs: Mapping[str, Any], chosen: np.ndarray) -> dict[str, Any]:
    """A grid of inputs, a row of each class: the same draws, which are the columns, in each.

    Args:
      inputs: draws of the prior, one for each column.
      chosen: the classes.

    Returns:
      Inputs [len(chosen) * columns, ...], row by row.
    """
    columns = len(inputs[LABEL])
    grid = {name: np.concatenate([np.asarray(x)] * len(chosen)) for name, x in inputs.items()}
    return grid | {LABEL: np.repeat(chosen, columns)}


def between(inputs: Mapping[str, Any], chosen: np.ndarray, classes: int, steps: int) -> Any:
    """Ways from each class to the next one, from the last to the first; each of one draw.

    The label goes from one-hot to one-hot, (1 - t) e_a + t e_b, and all else stays.

    Source: Large Scale GAN Training for High Fidelity Natural Image Synthesis (Brock et al., 2019),
    appendix, interpolations between classes with z held constant.

    Args:
      inputs: draws of the prior, one for each way.
      chosen: the classes.
      classes: how many there are.
      steps: how many places a way has, both ends among them.

    Returns:
      Inputs [ways * steps, ...], row by row; labels are float32 [ways * steps, classes].
    """
    grid = {name: np.repeat(np.asarray(x), steps, axis=0) for name, x in inputs.items()}
    t = np.linspace(0, 1, steps, dtype=np.float32)[None, :, None]
    start = np.eye(classes, dtype=np.float32)[chosen][:, None]
    mixed = (1 - t) * start + t * np.roll(start, -1, axis=0)
    return grid | {LABEL: mixed.reshape(-1, classes)}


def mixes(game: Game, example: Mapping[str, Any], classes: int) -> bool:
    """Whether a game's networks take floats [n, classes] in place of class numbers.

    Args:
      game: a game whose prior draws labels.
      example: a prepared batch of one.
      classes: how many there are.
    """
    key = jax.random.key(0)
    params, aux = jax.eval_shape(game.init, key, example)
    inputs = jax.eval_shape(game.functions['prior'], jax.random.split(key, 1))
    told = {**inputs, LABEL: jax.ShapeDtypeStruct((1, classes), np.float32)}
    try:
        jax.eval_shape(sampler.generate(game), params, aux, told)
    except (TypeError, ValueError):  # of a network that looks numbers up in a table
        return False
    return True
