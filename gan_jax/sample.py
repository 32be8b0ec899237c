"""Samples from a checkpoint of a run."""

import pathlib

from absl import logging

from gan_jax import checkpoint, game, sampling
from gan_jax import config as config_lib
from gan_jax import workdir as workdir_lib
from gan_jax.errors import UserError
from gan_jax.setup import build_players


def sample(
    workdir: pathlib.Path,
    *,
    num: int,
    seed: int,
    truncation: float | None = None,
    best: bool = False,
) -> list[pathlib.Path]:
    """Writes samples of the run in `workdir` under it, from running averages where it keeps them.

    Args:
      workdir: a run's work directory.
      num: how many samples.
      seed: the latents' seed.
      truncation: the bound of the latents' coordinates.
      best: from the best checkpoint by the evaluated metric, not the newest.

    Returns:
      The files: a grid, the images as .npz (uint8 [n, height, width, channels]), interpolations.

    Raises:
      UserError: if there is no run, it has no checkpoint, or its latents cannot be truncated.
    """
    config = workdir_lib.read_config(workdir)
    config_lib.check(config)
    players = build_players(config)
    restored = None
    if (workdir / 'checkpoints').exists():
        checkpoints = checkpoint.Checkpoints(workdir / 'checkpoints', read_only=True)
        restored = checkpoints.restore(players.init(), best)
        checkpoints.close()
    if restored is None:
        raise UserError(f'{workdir} has no checkpoint yet; train with --workdir={workdir} first')
    step, state, _ = restored
    variables = game.averaged(state)
    files = sampling.write_samples(
        workdir,
        players.game,
        variables,
        name=f'seed_{seed}' + ('_best' if best else ''),
        num=num,
        seed=seed,
        truncation=truncation,
    )
    logging.info('step %d: wrote %s', step, ', '.join(map(str, files)))
    return files
