"""--mode=directions: what moves along the strongest directions of a run's styles."""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from absl import logging

from gan_jax.commands import sample
from gan_jax.config import experiment as experiment_lib
from gan_jax.errors import UserError
from gan_jax.game import Game
from gan_jax.runtime import files, parallel, processes, progress
from gan_jax.sampling import directions as directions_lib
from gan_jax.sampling import sampler

NUM = 5  # directions
SEEDS = 3  # samples that are moved along each
COLUMNS, FARTHEST = 7, 3.0  # strengths from -3 to 3 standard deviations
DRAWS = 2_000  # of styles, whose standard deviations are taken


def directions(
    workdir: pathlib.Path,
    *,
    num: int = NUM,
    seed: int = 0,
    layers: Sequence[str] | None = None,
    truncation: float | None = None,
    label: int | None = None,
    best: bool = False,
    replica: int = 0,
) -> list[pathlib.Path]:
    """Writes what becomes of samples of the run in `workdir` along directions of its styles.

    Args:
      workdir: a run's work directory, of a game with styles.
      num: how many directions, the strongest ones.
      seed: of the samples.
      layers: by whose weights directions are found and whose styles are moved, such as '0' and
        '2-5', from 0; by default all.
      truncation: how far the samples' styles are drawn towards their mean.
      label: the class of all samples.
      best: from the best checkpoint by the evaluated figure, not the newest.
      replica: which of the run's seeds, counted from 0.

    Returns:
      The files, generated/<name>_directions...: .png, a row for each direction and sample, in its
      columns strengths from -3 to 3, 0 in the middle; .npz with 'directions' [num, size], unit
      vectors, their 'eigenvalues' [num], and the 'deviations' [num] of styles along them, in
      which strengths are counted.

    Raises:
      UserError: if there is no run, it has no checkpoint or no styles, or there are no such layers.
    """
    run = experiment_lib.restore(workdir, best)
    experiment = run.experiment
    game, variables = experiment.game, run.variables(replica)
    kernels = _kernels(game, variables, workdir)
    chosen = layers_of(layers, len(kernels))
    draw = sample.drawing(experiment, seed, truncation, label)
    name = sample.name_of(experiment, seed, best, replica, truncation, label) + '_directions'
    name += '' if layers is None else f'_layers_{"_".join(layers)}'
    stem = workdir / 'generated' / name
    endings = ('.png', '.npz')
    processes.on_first(
        lambda: files.check_writable(stem.parent, sample.WRITABLE, [f'{name}{x}' for x in endings])
    )
    found = directions_lib.factorize([kernels[i] for i in chosen])
    num = min(num, len(found.vectors))
    with progress.lines('making the samples'):
        draws = sampler.draw_inputs(game, seed, DRAWS, label)
        styles = sampler.make_styles(game, parallel.everywhere)(*variables, draws)
        deviations = np.std(styles @ found.vectors[:num].T, axis=0)
        picture = _picture(experiment, variables, draw(SEEDS), found, deviations, chosen)

    def write() -> list[pathlib.Path]:
        arrays = {
            'directions': found.vectors[:num], 'eigenvalues': found.values[:num],
            'deviations': deviations,
        }  # fmt: skip
        written = [
            files.write_png(stem.with_name(f'{name}.png'), picture),
            files.write_npz(stem.with_name(f'{name}.npz'), **arrays),
        ]
        logging.info('step %d: wrote %s', run.step, ', '.join(map(str, written)))
        return written

    return processes.on_first(write)


def _kernels(game: Game, variables: Any, workdir: pathlib.Path) -> list[np.ndarray]:
    """A^T of each layer, [size, outputs], of what its style becomes first."""
    if not (sampler.has_styles(game) and 'affines' in game.functions):
        raise UserError(
            f'{workdir} holds a run without styles, so without directions of them; name a run of '
            f'the game stylegan2'
        )
    return [np.asarray(x) for x in game.functions['affines'](*variables)]


def layers_of(words: Sequence[str] | None, total: int) -> list[int]:
    """The layers that words such as '3' and '0-5' name, each once and in their order.

    Raises:
      UserError: if a word is neither, or there is no such layer.
    """
    if words is None:
        return [*range(total)]
    found: set[int] = set()
    for word in words:
        first, dash, last = word.partition('-')
        last = last if dash else first
        if not (first.isdecimal() and last.isdecimal() and int(first) <= int(last) < total):
            raise UserError(
                f'--layers={",".join(words)}: {word!r} names no layers; give numbers from 0 to '
                f'{total - 1}, as in --layers=0-2,5'
            )
        found |= {*range(int(first), int(last) + 1)}
    if not found:
        raise UserError('--layers= names no layers; leave it out for all of them')
    return sorted(found)


def _picture(
    experiment: experiment_lib.Experiment,
    variables: Any,
    inputs: Any,
    found: directions_lib.Directions,
    deviations: np.ndarray,
    layers: Sequence[int],
) -> np.ndarray:
    """A grid: for each direction a row of each sample, the strengths in its columns."""
    game, modality = experiment.game, experiment.modality
    styles = sampler.in_parts(game.functions['map'], parallel.everywhere)(*variables, inputs)
    strengths = np.linspace(-FARTHEST, FARTHEST, COLUMNS)
    vectors = found.vectors[: len(deviations)]
    steps = deviations[:, None] * strengths
    moved = directions_lib.moved(styles, vectors, steps, layers)
    make = sampler.make_sampler(game, modality, parallel.everywhere, game.functions['synthesize'])
    rows = make(*variables, moved.swapaxes(0, 1).reshape(-1, *styles.shape[1:]))
    headings = [f'{x:+g}' if x else '0' for x in strengths]
    return modality.picture(rows, columns=COLUMNS, headings=headings)
