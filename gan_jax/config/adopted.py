"""Runs that are made of weights: a work directory at step 0, of a pickle or an export."""

import pathlib
from collections.abc import Sequence
from typing import Any

import jax
import ml_collections
from absl import logging

from gan_jax.config import defaults, overrides, saved, trained
from gan_jax.config.experiment import rebuild
from gan_jax.errors import UserError
from gan_jax.runtime import processes

# What may be said anew of such a run.
FREE = ('dataset', 'data', 'evaluation', 'num_samples', 'eval_samples')
ADAM = {'learning_rate': 0.0025, 'b1': 0.0, 'b2': 0.99}


def adopt(
    where: pathlib.Path,
    workdir: pathlib.Path,
    file: ml_collections.ConfigDict | None = None,
    changes: Sequence[tuple[str, str]] = (),
) -> None:
    """Makes a run at step 0 of weights; leaves it be where it has been made already.

    Args:
      where: a network pickle of StyleGAN2's authors, or what --mode=export wrote.
      workdir: the run's work directory.
      file: a config for all but the networks; by default the one that was exported, or StyleGAN2's.
      changes: what the command line says of the config.

    Raises:
      UserError: if the weights cannot be read, or the directory holds another run.
    """
    if trained.is_run(where):
        raise UserError(
            f'--init_from={where} is neither a network pickle nor an exported folder; of a run, '
            f'say --workdir={where}'
        )
    record = trained.record(where)
    present = saved.read_config(workdir) if (workdir / saved.CONFIG).exists() else None
    digest = record[trained.DIGEST]
    if present is not None and present['init_config'].get(trained.DIGEST) != digest:
        raise UserError(
            f'{workdir} holds another run than one of {where}; give another --workdir, or leave '
            f'--init_from out'
        )
    if present is None or file is not None or changes:
        config = _resolved(where, record, present, file, changes)
        experiment = rebuild(config)
        processes.on_first(lambda: saved.prepare(workdir, config, FREE))
    else:
        experiment = rebuild(present)
    if any((workdir / saved.CHECKPOINTS).glob('[0-9]*')):
        return
    wanted = jax.eval_shape(experiment.game.init, jax.random.key(0), experiment.example)
    given = trained.fitted(where, trained.read(where, wanted), wanted)
    state = jax.device_get(experiment.init(given))
    checkpoints = saved.open_checkpoints(workdir)
    checkpoints.save(0, state, {'adopted': str(where)}, experiment.config)
    checkpoints.close()
    logging.info('made %s of %s', workdir, where)


def _resolved(
    where: pathlib.Path,
    record: dict[str, Any],
    present: dict[str, Any] | None,
    file: ml_collections.ConfigDict | None,
    changes: Sequence[tuple[str, str]],
) -> dict[str, Any]:
    """The config of a run of these weights.

    Raises:
      UserError: if the file's is of another game.
    """
    pickle = trained.is_pickle(where)
    if file is None:
        file = ml_collections.ConfigDict(present or (_plain() if pickle else _run(record)))
    config = overrides.apply(file, changes)
    if config['game'] != record['game']:
        raise UserError(
            f'{where} is of the game {record["game"]!r}, and the config of {config["game"]!r}; '
            f'give a --config of the same game'
        )
    keys = ('latent', 'generator', 'discriminator', 'image_size', 'modality')
    config |= {key: record[key] for key in keys}
    channels = record['modality']['shape'][-1] if record['image_size'] else None
    config['data'] = {**config['data'], 'channels': channels}
    return config | {'num_replicas': 1, 'init_from': str(where), 'init_config': record}


def _plain() -> dict[str, Any]:
    """StyleGAN2's config but for its networks, without data."""
    config = defaults.default()
    config.game, config.dataset = 'stylegan2', defaults.NO_DATA
    config.style_mixing, config.path_length = 0.0, {}
    for player in ('generator', 'discriminator'):
        config.optimizers[player] = defaults.optimizer('adam', **ADAM)
    config.ema.generator = {'half_life': 10_000, 'ramp_up': 0.05}
    return config.to_dict()


def _run(record: dict[str, Any]) -> dict[str, Any]:
    return {key: x for key, x in record.items() if key != trained.DIGEST}
