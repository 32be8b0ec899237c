"""--mode=export: the players of a run as safetensors files, with its config."""

import json
import pathlib

import jax
from absl import logging

from gan_jax.config import experiment as experiment_lib
from gan_jax.config import saved, trained
from gan_jax.runtime import files, processes, tensor_files

FOLDER = 'export'


def export(workdir: pathlib.Path, best: bool = False, replica: int = 0) -> list[pathlib.Path]:
    """Writes the players of a run under it, from running averages where it keeps them.

    A file <player>.safetensors holds its parameters, params/<path>, and what else belongs to it,
    such as batch statistics and buffers, aux/<collection>/<path>.

    Args:
      workdir: a run's work directory.
      best: from the best checkpoint by the evaluated metric, not the newest.
      replica: which of the run's seeds, counted from 0.

    Returns:
      The files, export/<player>.safetensors and export/config.json.

    Raises:
      UserError: if there is no run, it has no checkpoint, or the library is not installed.
    """
    run = experiment_lib.restore(workdir, best)
    params, aux = jax.device_get(run.variables(replica))
    folder = workdir / FOLDER

    def write() -> list[pathlib.Path]:
        names = [trained.file_of(folder, player).name for player in params]
        files.check_writable(folder, 'make it writable', [*names, saved.CONFIG])
        config = {**run.experiment.config, 'num_replicas': 1}
        config['seed'] = run.experiment.seeds[replica]
        if config['privacy']:  # who knows the seed can take the noise away
            config['seed'] = 0
        text = json.dumps(config, indent=2) + '\n'
        files.replace(folder / saved.CONFIG, lambda file: file.write_text(text))
        written = [folder / saved.CONFIG]
        for player in sorted(params):
            arrays = trained.flat(player, params, aux)
            written.append(tensor_files.write(trained.file_of(folder, player), arrays))
        logging.info('step %d: wrote %s', run.step, ', '.join(map(str, written)))
        return written

    return processes.on_first(write)
