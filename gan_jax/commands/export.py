"""--mode=export: the players of a run as files that others read, with its config and a card."""

import json
import pathlib
from typing import Any

import jax
from absl import logging

from gan_jax.commands import onnx_programs, programs, report
from gan_jax.config import experiment as experiment_lib
from gan_jax.config import saved, trained
from gan_jax.config.checks import check_name
from gan_jax.report import card
from gan_jax.runtime import files, processes, tensor_files

FOLDER = 'export'
CARD = 'README.md'
PROGRAMS = {'stablehlo': programs.stablehlo, 'onnx': onnx_programs.encoded}
FORMATS = ('safetensors', *PROGRAMS)


def export(
    workdir: pathlib.Path, best: bool = False, replica: int = 0, format: str = 'safetensors'
) -> list[pathlib.Path]:
    """Writes the players of a run under it, from running averages where it keeps them.

    As safetensors, a file <player>.safetensors holds a player's parameters, params/<path>, and what
    else belongs to it, such as batch statistics and buffers, aux/<collection>/<path>. Otherwise
    <function>.<format> is a program with its players in it (`programs.stablehlo`,
    `onnx_programs.encoded`) for each of the game's functions that make examples.

    Args:
      workdir: a run's work directory.
      best: from the best checkpoint by the evaluated metric, not the newest.
      replica: which of the run's seeds, counted from 0.
      format: 'safetensors', 'stablehlo' or 'onnx'.

    Returns:
      The files: those, export/config.json and export/README.md, the card.

    Raises:
      UserError: if there is no run, it has no checkpoint, a library is not installed, ONNX lacks an
        operation, or a program does not make what the run makes.
    """
    check_name('--format', format, FORMATS)
    run = experiment_lib.restore(workdir, best)
    variables = jax.device_get(run.variables(replica))
    config = {**run.experiment.config, 'num_replicas': 1}
    config = saved.shown({**config, 'seed': run.experiment.seeds[replica]})
    shapes: dict[str, Any] = {}
    contents: dict[str, bytes] = {}
    if format == 'safetensors':
        params, aux = variables
        for player in sorted(params):
            arrays = trained.flat(player, params, aux)
            contents[trained.file_of(workdir, player).name] = tensor_files.encoded(arrays)
    else:
        for program in programs.of_run(run.experiment, variables):
            contents[f'{program.name}.{format}'] = PROGRAMS[format](program)
            shapes[program.name] = program.shapes()
    about = card.Contents(
        workdir.name, config, run.step, [*contents, saved.CONFIG], shapes,
        run.experiment.modality.stored, report.evaluation(workdir),
    )  # fmt: skip
    contents[saved.CONFIG] = (json.dumps(config, indent=2) + '\n').encode()
    contents[CARD] = card.render(about).encode()
    return processes.on_first(lambda: _write(workdir / FOLDER, contents, run.step))


def _write(folder: pathlib.Path, contents: dict[str, bytes], step: int) -> list[pathlib.Path]:
    files.check_writable(folder, 'make it writable', contents)
    there = [x.name for x in folder.iterdir()] if folder.exists() else []
    others = sorted(x for x in there if x.endswith(FORMATS) and x not in contents)
    written = [files.write_bytes(folder / name, x) for name, x in contents.items()]
    if others:
        logging.warning(
            '%s holds %s of an earlier export; the card and %s are of this one: move them away if '
            'they are of another step or seed', folder, ', '.join(others), saved.CONFIG,
        )  # fmt: skip
    logging.info('step %d: wrote %s', step, ', '.join(map(str, written)))
    return written
