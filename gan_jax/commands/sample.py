"""--mode=sample and --mode=animate: samples of a run, and the pictures that it made as a film."""

import pathlib
from typing import Any

import numpy as np
from absl import logging

from gan_jax.config import experiment as experiment_lib
from gan_jax.config import saved
from gan_jax.errors import UserError
from gan_jax.runtime import files, parallel, processes, progress, replicas
from gan_jax.sampling import animation, sampler, translation

SHOWN = 1000  # samples in a picture at most
PAIRS, STEPS = 8, 10  # of interpolations: rows and columns
WRITABLE = 'make it writable'


def sample(
    workdir: pathlib.Path,
    *,
    num: int,
    seed: int,
    truncation: float | None = None,
    best: bool = False,
    replica: int = 0,
) -> list[pathlib.Path]:
    """Writes samples of the run in `workdir` under it, from running averages where it keeps them.

    Args:
      workdir: a run's work directory.
      num: how many samples.
      seed: the latents' seed; sample i is the same whatever `num`.
      truncation: the bound of the latents' coordinates.
      best: from the best checkpoint by the evaluated metric, not the newest.
      replica: which of the run's seeds, counted from 0.

    Returns:
      The files, generated/<name>...: a picture, the samples in the forms that suit them (.npz
      always), and where single samples can be looked at, interpolations.

    Raises:
      UserError: if there is no run, it has no checkpoint, or its latents cannot be truncated.
    """
    run = experiment_lib.restore(workdir, best)
    experiment = run.experiment
    game, modality = experiment.game, experiment.modality
    if translation.translates(game):
        raise UserError(
            f'{workdir} translates; use --mode=translate --input=FOLDER --output=FOLDER'
        )
    variables = run.variables(replica)
    options: dict[str, Any] = {} if truncation is None else {'truncation': truncation}
    suffix = replicas.of_replica(replica, len(experiment.seeds))
    name = f'seed_{seed}' + ('_best' if best else '') + suffix
    stem = workdir / 'generated' / (name + (f'_truncation_{truncation}' if options else ''))
    endings = '.png', '.npz', '_interpolation.png'
    names = [f'{stem.name}{x}' for x in endings]
    processes.on_first(lambda: files.check_writable(stem.parent, WRITABLE, names))
    inputs = sampler.draw_inputs(game, seed, num, **options)
    make = sampler.make_sampler(game, modality, parallel.everywhere)
    with progress.lines('making the samples'):
        samples = make(*variables, inputs)
        between = None
        if modality.thumbnails is not None:
            pairs = sampler.draw_inputs(game, seed, 2 * PAIRS, **options)
            between = make(*variables, sampler.interpolation(pairs, STEPS))

    def write() -> list[pathlib.Path]:
        picture = _picture(experiment, samples[:SHOWN], variables)
        written = [files.write_png(stem.with_name(f'{stem.name}.png'), picture)]
        written += modality.write(stem, samples)
        if between is not None:
            rows = modality.picture(between, columns=STEPS)
            written.append(files.write_png(stem.with_name(f'{stem.name}_interpolation.png'), rows))
        logging.info('step %d: wrote %s', run.step, ', '.join(map(str, written)))
        return written

    return processes.on_first(write)


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
