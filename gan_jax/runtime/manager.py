"""Orbax's manager of checkpoints: what it keeps, and how processes wait for each other."""

import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import orbax.checkpoint as ocp

from gan_jax.runtime import buckets, processes

LATEST = 2  # so many are kept, and the best


def best(metrics: Mapping[int, float]) -> int | None:
    """The step of the least, of equals the latest; NaN is the most."""

    def place(step: int) -> tuple[float, int]:
        value = metrics[step]
        return (math.inf if math.isnan(value) else value), -step

    return min(metrics, key=place, default=None)


class Kept:
    """Orbax's policy of what is not deleted: the latest, and the best of what was evaluated."""

    def __init__(self, metrics: Mapping[int, float]):
        self.metrics = dict(metrics)

    def should_preserve(self, checkpoints: Sequence[Any], *, context: Any) -> list[bool]:
        """Of each whether it stays."""
        del context
        steps = sorted(x.step for x in checkpoints)
        self.metrics = {step: x for step, x in self.metrics.items() if step in steps}
        kept = {*steps[-LATEST:], best(self.metrics)}
        return [x.step in kept for x in checkpoints]


class Manager(ocp.CheckpointManager):
    """Writes in the background, reads none of the files, and all processes call it together."""

    def __init__(self, directory: pathlib.Path, kept: Kept):
        """The directory is there already."""
        several = processes.count() > 1
        mode = 'commit_file' if buckets.is_bucket(directory) else 'auto'
        options = ocp.CheckpointManagerOptions(
            atomicity_options=ocp.options.AtomicityOptions(ocp.options.AtomicityMode(mode)),
            preservation_policy=kept,
            best_fn=lambda metrics: metrics['value'],
            best_mode='min',
            lightweight_initialize=True,
            create=False,
            # Named, they wait for each other by way of the coordinator; else by a program on all
            # devices, which the loop's programs might meet in another order.
            multiprocessing_options=ocp.options.MultiprocessingOptions(
                active_processes={*range(processes.count())} if several else None
            ),
        )
        super().__init__(directory, options=options)

    def reached_preemption(self, step: int) -> bool:
        """No: the loop asks JAX whether it is time to stop, and counts otherwise."""
        del step
        return False
