"""Several seeds as one program: their states side by side, each with data and keys of its own.

With one seed nothing is added: neither an axis nor a name. With more, all that differs between
seeds has a leading axis; the step's number does not, so that turns stay branches and do not become
selections. Batches hold the replicas behind the examples: [examples, replicas, ...].
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.errors import UserError
from gan_jax.game import State

# Which parts of a state have the axis: a prefix of the tree, not a state.
_PREFIX: dict[str, Any] = {'step': None, 'players': 0, 'aux': 0, 'rng': 0}
AXES: Any = State(**_PREFIX)


def seeds(config: Mapping[str, Any]) -> list[int]:
    """The seeds that a config trains: seed, seed + 1, ..."""
    return [config['seed'] + i for i in range(config['num_replicas'])]


def seeds_with(config: Mapping[str, Any], replica: int) -> list[int]:
    """The seeds that a config trains.

    Raises:
      UserError: if there is no such replica, counted from 0.
    """
    of = seeds(config)
    if replica >= len(of):
        raise UserError(f'--replica={replica}: the run has {len(of)}, counted from 0')
    return of


def init(begin: Callable[[Any], State], of: Sequence[int]) -> State:
    """begin(seed) for each seed; [replicas, ...] where there are several."""
    if len(of) == 1:
        return begin(of[0])
    return jax.vmap(begin, out_axes=AXES)(jnp.asarray(of, jnp.uint32))


def step(play: Callable, num: int) -> Callable:
    """(state, batch) -> (state, metrics) for so many replicas at once."""
    return play if num == 1 else jax.vmap(play, in_axes=(AXES, 1), out_axes=(AXES, 0))


def split(tree: Any, num: int) -> list[Any]:
    """Each replica's part of (params, aux)."""
    if num == 1:
        return [tree]
    return [jax.tree.map(lambda x, i=i: x[i], tree) for i in range(num)]


def suffix(seed: int, num: int) -> str:
    """What is added to the names of a seed's files; nothing if it is the only one."""
    return f'_seed_{seed}' if num > 1 else ''


def named(metrics: Mapping[str, Any], of: Sequence[int]) -> dict[str, float]:
    """The means over the replicas, and 'name/seed_3' for each of them.

    Args:
      metrics: {name: a scalar, or [replicas]}.
      of: the seeds.
    """
    if len(of) == 1:
        return {name: float(x) for name, x in metrics.items()}
    found = {}
    for name, values in metrics.items():
        found[name] = float(np.mean(values))
        found |= {f'{name}/seed_{s}': float(x) for s, x in zip(of, values, strict=True)}
    return found


def with_errors(metrics: Mapping[str, Any], of: Sequence[int]) -> dict[str, float]:
    """`named`, and 'name/stderr': the standard error of the mean, s / sqrt(n).

    Args:
      metrics: {name: [replicas]}.
      of: the seeds; of one there is its value alone.
    """
    if len(of) == 1:
        return {name: float(values[0]) for name, values in metrics.items()}
    errors = {
        f'{name}/stderr': float(np.std(values, ddof=1) / math.sqrt(len(of)))
        for name, values in metrics.items()
    }
    return named(metrics, of) | errors
