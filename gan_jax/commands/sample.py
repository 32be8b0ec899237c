"""Samples from a checkpoint of a run."""

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from absl import logging

from gan_jax import game
from gan_jax.config import experiment as setup
from gan_jax.config import inputs
from gan_jax.config import saved as workdir_lib
from gan_jax.errors import UserError
from gan_jax.modalities import points as pictures
from gan_jax.runtime import replicas
from gan_jax.sampling import sampler as sampling


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
      seed: the latents' seed.
      truncation: the bound of the latents' coordinates.
      best: from the best checkpoint by the evaluated metric, not the newest.
      replica: which of the run's seeds, counted from 0.

    Returns:
      The files: a grid, the images as .npz (uint8 [n, height, width, channels]), interpolations.

    Raises:
      UserError: if there is no run, it has no checkpoint, or its latents cannot be truncated.
    """
    run = setup.restore(workdir, best)
    config, players, step = run.config, run.players, run.step
    if inputs.translates(players.game):
        raise UserError(
            f'{workdir} translates; use --mode=translate --input=FOLDER --output=FOLDER'
        )
    seeds = replicas.seeds_with(config, replica)
    variables = replicas.split(game.averaged(run.state), len(seeds))[replica]
    suffix = replicas.suffix(seeds[replica], len(seeds))
    files = sampling.write_samples(
        workdir,
        players.game,
        variables,
        name=f'seed_{seed}' + ('_best' if best else '') + suffix.replace('seed', 'of'),
        num=num,
        seed=seed,
        truncation=truncation,
        real=_points(config, num),
    )
    logging.info('step %d: wrote %s', step, ', '.join(map(str, files)))
    return files


def _points(config: Mapping[str, Any], num: int) -> np.ndarray | None:
    """Real points, if the run's data are points and not images."""
    if config['image_size']:
        return None
    dataset = inputs.load_images(config)
    return dataset.batch(np.arange(min(num, len(dataset))))['image']


def animate(workdir: pathlib.Path, replica: int = 0) -> pathlib.Path:
    """Writes generated/training.gif from the pictures that a run has made of its samples.

    Args:
      workdir: a run's work directory.
      replica: which of the run's seeds, counted from 0.

    Raises:
      UserError: if there is no run, or it has made no pictures.
    """
    seeds = replicas.seeds_with(workdir_lib.read_config(workdir), replica)
    suffix = replicas.suffix(seeds[replica], len(seeds))
    frames = sorted((workdir / 'samples').glob(f'{"[0-9]" * 8}{suffix}.png'))
    if not frames:
        raise UserError(
            f'{workdir / "samples"} has no pictures; train with --config.sample_every=100, say'
        )
    file = workdir / 'generated' / f'training{suffix}.gif'
    file.parent.mkdir(exist_ok=True)
    pictures.animate(frames, file)
    logging.info('wrote %s, %d frames', file, len(frames))
    return file
