"""--mode=sample and --mode=animate: samples of a run, and the pictures that it made as a film."""

import functools
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from absl import logging

from gan_jax.config import experiment as experiment_lib
from gan_jax.config import saved
from gan_jax.config.checks import check_name
from gan_jax.errors import UserError
from gan_jax.runtime import files, parallel, processes, progress, replicas
from gan_jax.sampling import (
    animation,
    classes,
    loops,
    mixing,
    reconstruction,
    sampler,
    translation,
    traversal,
)

SHOWN = 1000  # samples in a picture at most
PAIRS, STEPS = 8, 10  # of interpolations: rows and columns
ROWS = 5  # of each code that samples are taken through
CLASSES = 20  # of a picture with one a row at most
MIXED = 6  # rows and columns of styles that are mixed
FILMS = ('gif', 'mp4')
PLACES, BETWEEN = 6, 25  # of a film: the samples that it goes through, and its frames from each
ACROSS, WIDEST = 3, 512  # of a film: ways in a row, and pixels of a frame before it is enlarged
WRITABLE = 'make it writable'


def sample(
    workdir: pathlib.Path,
    *,
    num: int,
    seed: int,
    truncation: float | None = None,
    label: int | None = None,
    film: str | None = None,
    best: bool = False,
    replica: int = 0,
) -> list[pathlib.Path]:
    """Writes samples of the run in `workdir` under it, from running averages where it keeps them.

    Args:
      workdir: a run's work directory.
      num: how many samples.
      seed: the latents' seed; sample i is the same whatever `num`.
      truncation: the bound of the latents' coordinates; of games with styles how far these are
        drawn towards their mean, 1 for not at all.
      label: the class of all samples; by default each draws its own.
      film: 'gif' or 'mp4', for a loop through samples in that form, too.
      best: from the best checkpoint by the evaluated metric, not the newest.
      replica: which of the run's seeds, counted from 0.

    Returns:
      The files, generated/<name>...: a picture, the samples in the forms that suit them (.npz
      always), and where single samples can be looked at, interpolations; of games with styles
      these are of styles, and there is a picture of mixed ones; of games with codes, a picture of
      what each code does; of games with classes, unless one was asked for, a picture with a class
      a row, and one of the ways from each to the next if their networks can be told of two at once.

    Raises:
      UserError: if there is no run, it has no checkpoint, its latents cannot be truncated or have
        no such label, or there can be no such film.
    """
    run = experiment_lib.restore(workdir, best)
    experiment = run.experiment
    modality = experiment.modality
    check_samples(experiment, str(workdir))
    if film is not None:
        _check_film(film, experiment)
    draw = drawing(experiment, seed, truncation, label)
    variables = run.variables(replica)
    stem = workdir / 'generated' / name_of(experiment, seed, best, replica, truncation, label)
    pictures = {}
    if modality.thumbnails is not None:
        pictures = _pictures(experiment) | (_of_classes(experiment) if label is None else {})
    endings = ['.png', '.npz', *(f'_{x}.png' for x in pictures)]
    endings += [f'_interpolation.{film}'] if film else []
    names = [f'{stem.name}{x}' for x in endings]
    processes.on_first(lambda: files.check_writable(stem.parent, WRITABLE, names))
    with progress.lines('making the samples'):
        samples = make_samples(experiment)(*variables, draw(num))
        drawn = {name: picture(variables, draw) for name, picture in pictures.items()}
        frames = _loop(experiment, variables, draw) if film else np.empty(0)

    def write() -> list[pathlib.Path]:
        picture = _picture(experiment, samples[:SHOWN], variables)
        written = [files.write_png(stem.with_name(f'{stem.name}.png'), picture)]
        written += modality.write(stem, samples)
        for name, picture in drawn.items():
            written.append(files.write_png(stem.with_name(f'{stem.name}_{name}.png'), picture))
        if film:
            written.append(stem.with_name(f'{stem.name}_interpolation.{film}'))
            animation.loop(_frames(experiment, frames), written[-1])
        logging.info('step %d: wrote %s', run.step, ', '.join(map(str, written)))
        return written

    return processes.on_first(write)


def check_samples(experiment: experiment_lib.Experiment, what: str) -> None:
    """Raises UserError if a run translates or reconstructs instead of making samples."""
    if translation.translates(experiment.game):
        raise UserError(f'{what} translates; use --mode=translate --input=FOLDER --output=FOLDER')
    if reconstruction.reconstructs(experiment.game):
        raise UserError(f'{what} reconstructs examples and makes no samples; use --mode=score')


def make_samples(experiment: experiment_lib.Experiment) -> Callable[..., np.ndarray]:
    """(params, aux, draws of the prior) -> examples as they are stored, [n, ...]."""
    return sampler.make_sampler(experiment.game, experiment.modality, parallel.everywhere)


def name_of(
    experiment: experiment_lib.Experiment,
    seed: int,
    best: bool,
    replica: int,
    truncation: float | None,
    label: int | None,
) -> str:
    """What files of samples are called, without their endings."""
    name = f'seed_{seed}' + ('_best' if best else '')
    name += replicas.of_replica(replica, len(experiment.seeds))
    name += '' if truncation is None else f'_truncation_{truncation}'
    return name + ('' if label is None else f'_label_{label}')


def drawing(
    experiment: experiment_lib.Experiment,
    seed: int,
    truncation: float | None = None,
    label: int | None = None,
) -> Callable[[int], dict[str, Any]]:
    """(num) -> draws of a run's prior.

    Raises:
      UserError: if there is no such label; what is returned, if the prior cannot be drawn so.
    """
    check_label(experiment, label)
    options: dict[str, Any] = {} if truncation is None else {'truncation': truncation}
    return functools.partial(_drawn, experiment.game, seed=seed, label=label, options=options)


def check_label(experiment: experiment_lib.Experiment, label: int | None) -> None:
    """Raises UserError if a run has no class of that number, counted from 0."""
    classes = experiment.modality.fields.get('classes')
    if label is not None and classes is not None and label >= classes:
        raise UserError(f'--label={label} is none of the classes of this run, 0 to {classes - 1}')


def _drawn(game: Any, num: int, *, seed: int, label: int | None, options: dict[str, Any]) -> Any:
    return sampler.draw_inputs(game, seed, num, label, **options)


def _pictures(experiment: experiment_lib.Experiment) -> dict[str, Callable[..., np.ndarray]]:
    """{ending of a name: (variables, draw) -> a picture beside that of the samples}."""
    game, modality = experiment.game, experiment.modality
    if not sampler.has_styles(game):
        make = sampler.make_sampler(game, modality, parallel.everywhere)

        def between_latents(variables: Any, draw: Callable) -> np.ndarray:
            rows = make(*variables, sampler.interpolation(draw(2 * PAIRS), STEPS))
            return modality.picture(rows, columns=STEPS)

        def through_codes(variables: Any, draw: Callable) -> np.ndarray:
            columns = experiment.config['latent']['categories']
            rows = make(*variables, traversal.traversals(draw(ROWS), columns))
            return modality.picture(rows, columns=columns)

        codes = {'codes': through_codes} if traversal.has_codes(game) else {}
        return {'interpolation': between_latents, **codes}
    to_styles = sampler.in_parts(game.functions['map'], parallel.everywhere)
    synthesize = sampler.make_sampler(
        game, modality, parallel.everywhere, game.functions['synthesize']
    )

    def between_styles(variables: Any, draw: Callable) -> np.ndarray:
        styles = to_styles(*variables, draw(2 * PAIRS))
        rows = synthesize(*variables, sampler.interpolated(styles, STEPS))
        return modality.picture(rows, columns=STEPS)

    def mixed(variables: Any, draw: Callable) -> np.ndarray:
        styles = to_styles(*variables, draw(2 * MIXED))
        rows, columns = styles[:MIXED], styles[MIXED:]
        crossed = mixing.cross(rows, columns).reshape(-1, *styles.shape[1:])
        made = synthesize(*variables, np.concatenate([rows, columns, crossed]))
        grid = mixing.bordered(*np.split(made, [MIXED, 2 * MIXED]))
        return modality.picture(grid, columns=1 + MIXED)

    return {'interpolation': between_styles, 'mixing': mixed}


def _of_classes(experiment: experiment_lib.Experiment) -> dict[str, Callable[..., np.ndarray]]:
    """Those of a conditional game: a class a row, and from class to class."""
    game, modality = experiment.game, experiment.modality
    if not sampler.draws_labels(game):
        return {}
    num = modality.fields['classes']
    chosen = classes.spread(num, CLASSES)
    make = sampler.make_sampler(game, modality, parallel.everywhere)

    def one_a_row(variables: Any, draw: Callable) -> np.ndarray:
        rows = make(*variables, classes.one_a_row(draw(STEPS), chosen))
        return modality.picture(rows, columns=STEPS)

    def between(variables: Any, draw: Callable) -> np.ndarray:
        ways = classes.between(draw(len(chosen)), chosen, num, STEPS)
        return modality.picture(make(*variables, ways), columns=STEPS)

    mixes = classes.mixes(game, experiment.example, num)
    return {'classes': one_a_row} | ({'between_classes': between} if mixes else {})


def _check_film(film: str, experiment: experiment_lib.Experiment) -> None:
    """Raises UserError if there can be no film of that form."""
    check_name('--film', film, FILMS)
    if experiment.modality.thumbnails is None:
        raise UserError(
            f'--film={film}: a single one of these {experiment.modality.name} shows nothing; '
            f'leave it out'
        )
    if film == 'mp4':
        animation.encoder()


def _loop(experiment: experiment_lib.Experiment, variables: Any, draw: Callable) -> np.ndarray:
    """Stored examples [ways, frames, ...] of closed ways side by side: of styles, or of latents."""
    game, ways = experiment.game, ways_of_film(experiment)
    inputs = draw(ways * PLACES)
    if sampler.has_styles(game):
        styles = sampler.in_parts(game.functions['map'], parallel.everywhere)(*variables, inputs)
        places = [loops.smooth(x, BETWEEN) for x in np.split(styles, ways)]
        given: Any = np.concatenate(places)
        function = game.functions['synthesize']
    else:
        parts = np.split(np.asarray(inputs['latent']), ways)
        latents = np.concatenate([loops.spherical(x, BETWEEN) for x in parts])
        # A label has no way to another one.
        others = {name: x[::PLACES] for name, x in inputs.items() if name != 'latent'}
        fixed = {name: np.repeat(x, PLACES * BETWEEN, axis=0) for name, x in others.items()}
        given, function = {'latent': latents, **fixed}, None
    make = sampler.make_sampler(game, experiment.modality, parallel.everywhere, function)
    made = make(*variables, given)
    return made.reshape(ways, -1, *made.shape[1:])


def ways_of_film(experiment: experiment_lib.Experiment) -> int:
    """How many ways are shown side by side: fewer of large pictures."""
    return max(1, min(ACROSS, WIDEST // max(experiment.modality.shape[:2]))) ** 2


def _frames(experiment: experiment_lib.Experiment, made: np.ndarray) -> Iterator[np.ndarray]:
    """Each frame of a film, of examples [ways, frames, ...]."""
    for frame in made.swapaxes(0, 1):
        yield experiment.modality.picture(frame)


def _picture(
    experiment: experiment_lib.Experiment, samples: np.ndarray, variables: Any
) -> np.ndarray:
    """Samples, beside real examples where these are part of the picture."""
    if experiment.modality.thumbnails is not None:
        return experiment.modality.picture(samples)
    dataset = experiment.dataset
    real = dataset.batch(np.arange(min(len(samples), len(dataset))))['real']
    score = sampler.make_score(experiment.game)
    return experiment.modality.picture(samples, real, lambda x: score(*variables, x))


def animate(workdir: pathlib.Path, replica: int = 0) -> pathlib.Path:
    """Writes generated/training.gif from the pictures that a run has made of its samples.

    Broken pictures are left out, and those of another size than the newest.

    Args:
      workdir: a run's work directory.
      replica: which of the run's seeds, counted from 0.

    Returns:
      The file; of one of several seeds generated/training_replica_<replica>.gif.

    Raises:
      UserError: if there is no run, or it has made no pictures.
    """
    return processes.on_first(lambda: _animated(workdir, replica))


def _animated(workdir: pathlib.Path, replica: int) -> pathlib.Path:
    config = saved.read_config(workdir)
    seeds = replicas.seeds(config['seed'], config['num_replicas'])
    replicas.check(replica, seeds)
    suffix = replicas.suffix(seeds[replica], len(seeds))
    found = sorted((workdir / 'samples').glob(f'{"[0-9]" * 8}{suffix}.png'))
    frames = animation.whole(found)
    if not frames:
        raise UserError(
            f'{workdir / "samples"} has no {"whole " if found else ""}pictures; train with '
            f'--config.sample_every=100, say'
        )
    frames = animation.of_last_size(frames)
    name = f'training{replicas.of_replica(replica, len(seeds))}.gif'
    file = workdir / 'generated' / name
    files.check_writable(file.parent, WRITABLE, [name])
    animation.animate(frames, file)
    logging.info('wrote %s, %d frames', file, len(frames))
    return file
