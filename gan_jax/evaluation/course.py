"""The course of a run's own evaluations: which was best."""

import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

from gan_jax.evaluation import figures
from gan_jax.evaluation.menu import better
from gan_jax.runtime import metric_writer
from gan_jax.runtime import names as names_lib


def to_lessen(best: str, found: Mapping[str, float], metrics: Iterable[str] = ()) -> float:
    """The figure that is called best, negative if more of it is better.

    Args:
      best: its plain name.
      found: {'eval/name': value}, with or without the network's name.
      metrics: the run's.
    """
    value = next(x for name, x in found.items() if names_lib.parse(name).figure == best)
    return -value if better(best, metrics) == figures.MORE else value


def best_and_last(
    file: pathlib.Path, best: str, metrics: Iterable[str] = ()
) -> dict[str, Any] | None:
    """What a run's own evaluations found, at their best and at last.

    Args:
      file: its metrics.jsonl.
      best: the plain name of the figure by which the best checkpoint is kept.
      metrics: the run's.

    Returns:
      {'figure', 'best': {'step', 'value'}, 'last': {...}}; None if it was never evaluated.
    """
    points = []
    for values in metric_writer.read_metrics(file)[0]:
        for text, value in values.items():
            name = names_lib.parse(text)
            if name == name.main and (name.turn, name.figure) == (names_lib.EVALUATION, best):
                figure = str(name._replace(turn=''))
                lessened = to_lessen(best, {text: value}, metrics)
                points.append((lessened, values['step'], value, figure))
    if not points:
        return None
    least, last = min(points), points[-1]
    ends = {'best': least, 'last': last}
    return {'figure': last[3]} | {key: {'step': x[1], 'value': x[2]} for key, x in ends.items()}
