"""SkyPilot: a task file a trial, for managed jobs that begin again where machines are taken away.

The files are written beside a script that launches them all; `launch` runs it. On the machines
the command runs as it is, since SkyPilot does there what trials.run does elsewhere: it keeps the
log and starts again what failed. A trial's state is read from its work directory, on a bucket.
"""

import json
import pathlib
import re
import shlex
import shutil
import subprocess
import textwrap
import zlib
from collections.abc import Sequence
from typing import NamedTuple

from absl import logging

from gan_jax.errors import UserError
from gan_jax.sweeps import elsewhere, settings
from gan_jax.sweeps.engines import Options
from gan_jax.sweeps.trials import Trial

PORT = 8476  # of the first machine, where the processes of one trial meet
V5E, OF_V5E = 'tpu-v5litepod', 'v2-alpha-tpuv5-lite'  # SkyPilot's own choice is v5p's software
# Exit codes after which the same command goes on: it was told to end; another process died.
AGAIN = (75, 76)
# How this package is installed with what a bucket of the kind needs.
STORAGE = {'gs': ".'[gcs]'", 's3': ".'[train]' s3fs", 'az': ".'[train]' adlfs"}


class Settings(NamedTuple):
    """What --engine_option may say.

    Attributes:
      accelerators: what each trial gets, in SkyPilot's words: tpu-v5litepod-8, or A100:8.
      infra: where, in SkyPilot's words: gcp, gcp/us-west4, or aws/us-east-1.
      num_nodes: machines a trial, each with these accelerators; a TPU slice is one.
      spot: whether machines may be taken away, which makes them cheaper.
      runtime_version: the software of a TPU VM; '' for the usual one.
      packages: what is installed beside this package; '' for jax[tpu] or jax[cuda12].
      python: its version there.
      folder: where the files are written; '' for runs/sky/<the sweep's name>.
      launch: whether they are launched, too.
    """

    accelerators: str = ''
    infra: str = ''
    num_nodes: int = 1
    spot: bool = True
    runtime_version: str = ''
    packages: str = ''
    python: str = '3.12'
    folder: str = ''
    launch: bool = False


def run(trials: Sequence[Trial], options: Options) -> None:
    """Writes the task files and the script, and says the command or runs it.

    Raises:
      UserError: if the work directory is no bucket, nothing says on what the trials run, or they
        are to be launched and SkyPilot is not installed, or does not launch them.
    """
    chosen = settings.read('sky', Settings(), options.words)
    if not chosen.accelerators:
        raise UserError(
            '--sweep=sky needs --engine_option=accelerators=NAME, such as tpu-v5litepod-8 or '
            'A100:1; `sky gpus list` shows what there is, and its price'
        )
    if chosen.launch and shutil.which('sky') is None:
        raise UserError(
            "--engine_option=launch=true needs SkyPilot's command `sky`; pip install 'gan_jax[sky]'"
            ', or leave the option out and launch the files from another environment'
        )
    local = [trial for trial in trials if '://' not in str(trial.workdir)]
    if local:
        raise UserError(
            f'--sweep=sky needs --workdir on a bucket, such as gs://my-bucket/sweep: machines take '
            f'{local[0].workdir.parent} with them when they go'
        )
    sweep = trials[0].workdir.parent.name
    folder = pathlib.Path(chosen.folder or f'runs/sky/{sweep}')
    left = elsewhere.unfinished(elsewhere.portable(trials))
    script = write(left, folder, sweep, options.retries, chosen)
    if chosen.launch:
        code = subprocess.run(['sh', str(script)], check=False).returncode
        if code:
            raise UserError(
                f'sh {script} ended with code {code}, and not all are launched; `sky jobs queue` '
                f'shows those that are'
            )
        logging.info('%d jobs are launched; `sky jobs queue` shows them', len(left))
    else:
        logging.info('%d task files are written; launch them: sh %s', len(left), script)


def write(
    trials: Sequence[Trial], folder: pathlib.Path, sweep: str, retries: int, chosen: Settings
) -> pathlib.Path:
    """Writes a task file for each trial, and gives the script that launches them all."""
    folder.mkdir(parents=True, exist_ok=True)
    lines, taken = [], set[str]()
    for trial in trials:
        name = job_name(f'{sweep}-{trial.name}')
        if name.casefold() in taken:  # where names differ only in what SkyPilot does not take
            name = f'{name}-{zlib.crc32(trial.name.encode()):08x}'
        taken.add(name.casefold())
        file = folder / f'{name}.yaml'
        file.write_text(task(trial, name, retries, chosen), encoding='utf-8')
        lines.append(f'sky jobs launch --yes --detach-run {shlex.quote(str(file))}\n')
    script = folder / 'launch.sh'
    script.write_text('set -e\n' + ''.join(lines), encoding='utf-8')
    return script


def task(trial: Trial, name: str, retries: int, chosen: Settings) -> str:
    """The trial's task file, YAML; its strings are JSON's, which YAML reads, too."""
    tpu = chosen.accelerators.startswith('tpu')
    packages = chosen.packages or ('jax[tpu]' if tpu else 'jax[cuda12]')
    resources = [f'accelerators: {json.dumps(chosen.accelerators)}']
    if chosen.infra:
        resources.insert(0, f'infra: {json.dumps(chosen.infra)}')
    runtime = chosen.runtime_version or (OF_V5E if chosen.accelerators.startswith(V5E) else '')
    if runtime:
        resources += ['accelerator_args:', f'  runtime_version: {json.dumps(runtime)}']
    resources += [
        f'use_spot: {json.dumps(chosen.spot)}',
        'job_recovery:',
        f'  max_restarts_on_errors: {retries}',
        f'  recover_on_exit_codes: {json.dumps(list(AGAIN))}',
    ]
    ours = STORAGE.get(str(trial.workdir).partition('://')[0], ".'[train]'")
    setup = [
        'set -e',
        'export PATH="$HOME/.local/bin:$PATH"',
        'command -v uv > /dev/null || curl -LsSf https://astral.sh/uv/install.sh | sh',
        f'uv venv --clear --python {shlex.quote(chosen.python)} "$HOME/gan_jax_venv"',
        f'uv pip install --python "$HOME/gan_jax_venv/bin/python" {ours} {shlex.quote(packages)}',
    ]
    meeting = ''
    if chosen.num_nodes > 1:  # TPU slices are found by JAX
        meeting = (
            f' --coordinator="$(echo "$SKYPILOT_NODE_IPS" | head -n 1):{PORT}"'
            ' --num_processes="$SKYPILOT_NUM_NODES" --process_id="$SKYPILOT_NODE_RANK"'
        )
    command = shlex.join(trial.command[1:])
    return (
        f'name: {json.dumps(name)}\n'
        f'workdir: .\n'
        f'num_nodes: {chosen.num_nodes}\n'
        f'resources:\n{_indented(resources)}'
        f'setup: |\n{_indented(setup)}'
        f'run: |\n{_indented([f"$HOME/gan_jax_venv/bin/python {command} --requeue{meeting}"])}'
    )


def job_name(text: str) -> str:
    """A name that SkyPilot takes: letters, digits, '-', '_' and '.', a letter first."""
    name = re.sub(r'[^A-Za-z0-9._-]+', '-', text).strip('-_.')
    return name if name[:1].isalpha() else f'sweep-{name}'


def _indented(lines: Sequence[str]) -> str:
    return textwrap.indent('\n'.join(lines), '  ') + '\n'
