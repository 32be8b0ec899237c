"""--mode=project: which styles of a run make the pictures of a folder."""

import functools
import os
import pathlib
from typing import Any, NamedTuple

import jax
import numpy as np
from absl import logging

from gan_jax import keys
from gan_jax.commands import folders, sample, translate
from gan_jax.config import experiment as experiment_lib
from gan_jax.config import features as features_lib
from gan_jax.config.checks import check_name
from gan_jax.data import cleaning, pictures, transforms
from gan_jax.errors import UserError, printable
from gan_jax.evaluation import extractors
from gan_jax.runtime import cache as cache_lib
from gan_jax.runtime import files, parallel, processes, progress
from gan_jax.sampling import projection, sampler

SPACES = ('w', 'w+')
GRID, ARRAYS = 'projection.png', 'projection.npz'  # of all pictures
SHOWN = 64  # pictures in the grid at most
HEADINGS = ('original', 'projected')


class Target(NamedTuple):
    """A picture that is to be made.

    Attributes:
      picture: as it was read.
      target: uint8 [side, side, channels].
    """

    picture: translate.Picture
    target: np.ndarray


class _Found:
    """What was found of the pictures so far."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.styles: list[np.ndarray] = []
        self.distances: list[float] = []
        self.shown: list[np.ndarray] = []
        self.bad: list[str] = []
        self.several: list[str] = []


def project(
    workdir: pathlib.Path,
    *,
    input: str,
    output: str,
    space: str = 'w',
    steps: int | None = None,
    features: str | None = None,
    seed: int = 0,
    label: int | None = None,
    best: bool = False,
    replica: int = 0,
) -> int:
    """Finds the styles of the pictures of a folder, by the run in `workdir`.

    Of each picture the centre square is taken, in the size of the run's samples.

    Args:
      workdir: a run's work directory, of a game with styles.
      input: a folder, its files in any nesting, or one file.
      output: the folder where the projected pictures go, under the same relative names, and of all
        pictures projection.npz ('styles' [n, layers, size], 'names', 'distances') and
        projection.png, pictures and projections side by side.
      space: 'w', one style for all layers, or 'w+', one for each.
      steps: how many, 1,000 by default.
      features: the network in whose features pictures are compared, as config.evaluation.features
        names it; by default the pictures themselves.
      seed: of the noise.
      label: the class whose styles' mean is the beginning; by default the mean is over all.
      best: from the best checkpoint by the evaluated figure, not the newest.
      replica: which of the run's seeds, counted from 0.

    Returns:
      How many pictures could be read, and so were projected.

    Raises:
      UserError: if there is no run, it has no checkpoint or no styles, there are no files, the
        output cannot be written or would overwrite them, or there is no such network.
    """
    check_name('--space', space, SPACES)
    if features is not None:
        features_lib.check('--features', features)
    folder_in, folder_out = (pathlib.Path(os.path.expanduser(x)) for x in (input, output))
    planned = processes.on_first(
        lambda: folders.plan(folder_in, folder_out, 'projection', 'projected', (GRID, ARRAYS))
    )
    run = experiment_lib.restore(workdir, best)
    experiment = run.experiment
    game = experiment.game
    if not sampler.has_styles(game):
        raise UserError(
            f'{workdir} holds a run of the game {experiment.config["game"]!r}, which has no '
            f'styles; name a run of stylegan2'
        )
    sample.check_label(experiment, label)
    variables = run.variables(replica)
    smooth = network(experiment, features)
    with progress.lines("taking the styles' mean"):
        styles = projection.styles_of(game, variables, seed, label, parallel.everywhere)
    problem = projection.Problem(
        game, smooth, styles.layers, space == 'w+', steps or projection.STEPS
    )
    projector = projection.make_projector(
        problem, styles, experiment.modality.decode, parallel.everywhere
    )
    found = _project(planned, functools.partial(projector, *variables), experiment, seed)
    planned.report(found.bad, found.several)
    if found.names:
        processes.on_first(lambda: _write(planned.out, experiment, found))
    return len(found.names)


def network(experiment: experiment_lib.Experiment, name: str | None) -> projection.Smooth:
    """What pictures are compared in, to be differentiated.

    Raises:
      UserError: if there is no such network, or it cannot be differentiated.
    """
    if name is None:
        logging.info(
            'pictures are compared by their pixels, mean squared differences in [-1, 1]; with '
            '--features=classifier or --features=inception:PATH by what a network sees in them'
        )
        return projection.THEMSELVES
    modality = experiment.modality
    # The published network needs no data, which may be large or elsewhere by now.
    published = name.startswith(extractors.INCEPTION)
    train: Any = None if published else experiment.dataset
    test = None if published else experiment.held_out
    found = features_lib.load(name, modality, train, test, cache_lib.folder())
    if found.smooth is None:
        raise UserError(
            f'--features={name} cannot be differentiated; give a FeatureNetwork that has `smooth`'
        )
    return found.smooth


def _project(
    planned: folders.Plan, projector: Any, experiment: experiment_lib.Experiment, seed: int
) -> _Found:
    """Projects every picture of a plan, some at a time, and writes it."""
    modality, limit = experiment.modality, experiment.config['data']['max_pixels']
    pictures.permit(limit)
    names, found = [*planned.outputs], _Found()
    size = projection.together(modality.shape, len(names))
    root = keys.fold_in_name(jax.random.key(seed), 'projection')
    rng = keys.per_example(root, len(names))
    for start in range(0, len(names), size):
        some = names[start : start + size]
        read = processes.on_first(
            functools.partial(read_targets, planned.root, some, modality.shape, limit)
        )
        good = {i: x.target for i, x in enumerate(read) if isinstance(x, Target)}
        result = None
        if good:
            targets = modality.encode(np.stack([*good.values()]))
            places = np.resize([*good], size) + start  # those of what fills them up are dropped
            with progress.lines(f'projecting {start + len(some)} of {len(names)} pictures') as tell:
                result = projector(sampler.filled(targets, size), rng[places], tell)
        which = [*good]
        for i, name in enumerate(some):
            one = result.of(which.index(i)) if result is not None and i in good else None
            _note(planned, name, read[i], one, found)
    return found


def read_targets(
    root: pathlib.Path, names: list[str], shape: tuple[int, ...], limit: int
) -> list[Target | cleaning.BadRecord]:
    """The pictures as targets; of each that cannot be used, why."""

    def read(name: str) -> Target | cleaning.BadRecord:
        try:
            picture = translate.read(root / name, shape[-1], limit)
        except cleaning.BadRecord as error:
            return error
        pixels = transforms.denormalize(picture.source)
        return Target(picture, transforms.fit(pixels, shape[0], shape[-1]))

    return [read(name) for name in names]


def _note(
    planned: folders.Plan,
    name: str,
    read: Target | cleaning.BadRecord,
    result: projection.Projection | None,
    found: _Found,
) -> None:
    """Writes a projected picture and notes what was found."""
    try:
        if isinstance(read, cleaning.BadRecord) or result is None:
            raise read if isinstance(read, cleaning.BadRecord) else cleaning.BadRecord('no result')
        written = translate.encoded(result.examples, read.picture)
        processes.on_first(functools.partial(translate.write, planned, name, written))
    except cleaning.BadRecord as error:
        found.bad.append(f'{printable(name)} ({error})')
        logging.warning('%s cannot be read (%s)', printable(planned.root / name), error)
        return
    found.names.append(name)
    found.styles.append(result.styles)
    found.distances.append(float(result.distances))
    found.several += [printable(name)] if read.picture.several else []
    if len(found.shown) < 2 * SHOWN:
        found.shown += [read.target, result.examples]
    logging.info(
        '%s: distance %.4g, of the mean style %.4g', printable(name), result.distances, result.first
    )


def _write(folder: pathlib.Path, experiment: experiment_lib.Experiment, found: _Found) -> None:
    """Writes the grid and the arrays."""
    across = len(HEADINGS) * max(1, round((len(found.shown) / 2) ** 0.5 / len(HEADINGS)))
    grid = experiment.modality.picture(np.stack(found.shown), columns=across, headings=HEADINGS)
    files.write_png(folder / GRID, grid)
    # Names may hold bytes that are no characters, which arrays of text cannot.
    names = np.array([printable(x) for x in found.names])
    files.write_npz(
        folder / ARRAYS,
        styles=np.stack(found.styles), names=names, distances=np.array(found.distances),
    )  # fmt: skip
    logging.info('wrote %s and %s in %s', GRID, ARRAYS, folder)
