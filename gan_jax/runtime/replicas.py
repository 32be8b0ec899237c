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
from gan_jax.runtime import names


def seeds(first: int, num: int) -> list[int]:
    """So many seeds, from the first on."""
    return [first + i for i in range(num)]


def check(replica: int, of: Sequence[int]) -> None:
    """Raises UserError if there is no such replica, counted from 0, of these seeds."""
    if replica >= len(of):
        raise UserError(f'--replica={replica}: the run has {len(of)}, counted from 0')


def init(begin: Callable[[Any], Any], of: Sequence[int], axes: Any) -> Any:
    """begin(seed) for each seed; where there are several side by side.

    Args:
      begin: seed -> state.
      of: the seeds.
      axes: which parts of a state have an axis for them: a prefix of its tree.
    """
    if len(of) == 1:
        return begin(of[0])
    # One after the other: LAPACK's routines of many matrices at once, of which orthogonal kernels
    # are made, wait for each other's threads on a CPU of few cores, and for ever.
    states = jax.lax.map(begin, jnp.asarray(of, jnp.uint32))
    return jax.tree.map(
        lambda axis, part: part if axis == 0 else jax.tree.map(lambda x: x[0], part),
        axes,
        states,
        is_leaf=lambda x: x is None,
    )


def step(play: Callable, num: int, axes: Any) -> Callable:
    """(state, batch) -> (state, metrics) for so many replicas at once; `axes` as in `init`."""
    return play if num == 1 else jax.vmap(play, in_axes=(axes, 1), out_axes=(axes, 0))


def split(tree: Any, num: int) -> list[Any]:
    """Each replica's part of (params, aux)."""
    if num == 1:
        return [tree]
    return [jax.tree.map(lambda x, i=i: x[i], tree) for i in range(num)]


def suffix(seed: int, num: int) -> str:
    """What is added to the names of a seed's files; nothing if it is the only one."""
    return f'_seed_{seed}' if num > 1 else ''


def of_replica(replica: int, num: int) -> str:
    """What is added to the names of files that `--replica` chose; nothing if it is the only one."""
    return f'_replica_{replica}' if num > 1 else ''


def named(metrics: Mapping[str, Any], of: Sequence[int]) -> dict[str, float]:
    """The means over the replicas, and 'name/seed_3' for each of them.

    Args:
      metrics: {name: a scalar, or [replicas]}.
      of: the seeds.
    """
    if len(of) == 1:
        return {name: float(x) for name, x in metrics.items()}
    each = {}
    for text, values in metrics.items():
        name = names.parse(text)
        each[text] = float(np.mean(values))
        each |= {
            str(name._replace(seed=seed)): float(x) for seed, x in zip(of, values, strict=True)
        }
    return each


def with_errors(metrics: Mapping[str, Any], of: Sequence[int]) -> dict[str, float]:
    """`named`, and 'name/stderr': the standard error of the mean, s / sqrt(n).

    Args:
      metrics: {name: [replicas]}.
      of: the seeds; of one there is its value alone.
    """
    if len(of) == 1:
        return {name: float(values[0]) for name, values in metrics.items()}
    errors = {
        str(names.parse(text)._replace(stderr=True)): float(
            np.std(values, ddof=1) / math.sqrt(len(of))
        )
        for text, values in metrics.items()
    }
    return named(metrics, of) | errors
