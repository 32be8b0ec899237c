import os
import subprocess
import sys

import pytest
from etils import epath

from gan_jax.errors import UserError
from gan_jax.sweeps import elsewhere
from gan_jax.sweeps.engines import Options, find, sky
from gan_jax.sweeps.trials import Trial

TPU = 'accelerators=tpu-v5litepod-8'
TASK = """\
name: "lr-generator.b1-0.5-seed-0"
workdir: .
num_nodes: 1
resources:
  infra: "gcp/us-west4"
  accelerators: "tpu-v5litepod-8"
  accelerator_args:
    runtime_version: "v2-alpha-tpuv5-lite"
  use_spot: true
  job_recovery:
    max_restarts_on_errors: 2
    recover_on_exit_codes: [75, 76]
setup: |
  set -e
  export PATH="$HOME/.local/bin:$PATH"
  command -v uv > /dev/null || curl -LsSf https://astral.sh/uv/install.sh | sh
  uv venv --clear --python 3.12 "$HOME/gan_jax_venv"
  uv pip install --python "$HOME/gan_jax_venv/bin/python" .'[gcs]' 'jax[tpu]'
run: |
  $HOME/gan_jax_venv/bin/python launch.py --config=configs/gan.py\
 --workdir=gs://bucket/lr/generator.b1=0.5,seed=0 '--config.note=a '"'"'b'"'"'' --requeue
"""


def trial(root='gs://bucket/lr', name='generator.b1=0.5,seed=0'):
    workdir = epath.Path(root) / name
    words = ('launch.py', '--config=configs/gan.py', f'--workdir={workdir}', "--config.note=a 'b'")
    return Trial(name, {}, workdir, (sys.executable, *words), 10)


@pytest.fixture(autouse=True)
def _bucket(monkeypatch):
    """One on which a single trial is finished."""
    monkeypatch.setattr(elsewhere, 'state', lambda x: 'finished' if 'seed=9' in x.name else '')


def run(*words, trials=None):
    find('sky')(
        trials or [trial(), trial(name='seed=9'), trial(name='seed=1')],
        Options(retries=2, words=words),
    )


def test_the_task_file_says_what_each_trial_gets(tmp_path):
    run(TPU, 'infra=gcp/us-west4', f'folder={tmp_path}')
    assert (tmp_path / 'lr-generator.b1-0.5-seed-0.yaml').read_text() == TASK
    assert (tmp_path / 'launch.sh').read_text() == (
        'set -e\n'
        f'sky jobs launch --yes --detach-run {tmp_path}/lr-generator.b1-0.5-seed-0.yaml\n'
        f'sky jobs launch --yes --detach-run {tmp_path}/lr-seed-1.yaml\n'
    )


def test_several_machines_meet_at_the_first(tmp_path):
    run('accelerators=A100:8', 'num_nodes=2', 'spot=false', f'folder={tmp_path}')
    text = (tmp_path / 'lr-seed-1.yaml').read_text()
    assert 'num_nodes: 2\n' in text
    assert '  use_spot: false\n' in text
    assert "'jax[cuda12]'" in text
    assert (
        ' --requeue --coordinator="$(echo "$SKYPILOT_NODE_IPS" | head -n 1):8476"'
        ' --num_processes="$SKYPILOT_NUM_NODES" --process_id="$SKYPILOT_NODE_RANK"\n'
    ) in text


def test_launch_runs_the_script(tmp_path, monkeypatch):
    (tmp_path / 'bin').mkdir()
    command = tmp_path / 'bin' / 'sky'
    command.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/said\n')
    command.chmod(0o755)
    monkeypatch.setenv('PATH', f'{command.parent}{os.pathsep}{os.environ["PATH"]}')
    run(TPU, f'folder={tmp_path}', 'launch=true')
    said = (tmp_path / 'said').read_text().splitlines()
    assert said[1] == f'jobs launch --yes --detach-run {tmp_path}/lr-seed-1.yaml'
    assert len(said) == 2


@pytest.mark.parametrize(
    ('root', 'packages'),
    [
        ('s3://b/lr', ".'[train]' s3fs "),
        ('az://b/lr', ".'[train]' adlfs "),
        ('hf://b/lr', ".'[train]' "),
    ],
)
def test_what_is_installed_there_trains_and_reaches_the_place(root, packages, tmp_path):
    run(TPU, f'folder={tmp_path}', trials=[trial(root)])
    (file,) = tmp_path.glob('*.yaml')
    assert f"/bin/python\" {packages}'jax[tpu]'\n" in file.read_text()


def test_that_sky_launches_nothing_is_a_line(tmp_path, monkeypatch):
    command = tmp_path / 'sky'
    command.write_text('#!/bin/sh\nexit 5\n')
    command.chmod(0o755)
    monkeypatch.setenv('PATH', f'{tmp_path}{os.pathsep}{os.environ["PATH"]}')
    with pytest.raises(UserError, match=r'launch.sh ended with code 5, and not all are launched'):
        run(TPU, f'folder={tmp_path}', 'launch=true')


def test_trials_whose_names_differ_in_what_skypilot_does_not_take_have_a_file_each(tmp_path):
    one = trial('gs://bucket/lr')
    run(
        TPU, f'folder={tmp_path}',
        trials=[one._replace(name='x=1e+20'), one._replace(name='x=1e-20')],
    )  # fmt: skip
    assert len([*tmp_path.glob('*.yaml')]) == 2


@pytest.mark.parametrize(
    ('words', 'root', 'line'),
    [
        ((), 'gs://bucket/lr', 'needs --engine_option=accelerators=NAME'),
        ((TPU,), '/runs/lr', r'needs --workdir on a bucket, .*: machines take /runs/lr with'),
        ((TPU, 'launch=true'), 'gs://bucket/lr', 'needs SkyPilot.s command `sky`; pip install'),
    ],
)
def test_a_mistake_is_a_line(words, root, line, monkeypatch):
    monkeypatch.setenv('PATH', '')
    with pytest.raises(UserError, match=line):
        run(*words, trials=[trial(root)])


@pytest.mark.parametrize(
    ('text', 'name'), [('3-a=1,b=x', 'sweep-3-a-1-b-x'), ('lr-a=1e-05.', 'lr-a-1e-05')]
)
def test_names_are_such_as_skypilot_takes(text, name):
    assert sky.job_name(text) == name


@pytest.mark.slow
@pytest.mark.parametrize(
    ('words', 'expected'),
    [
        ((TPU, 'infra=gcp'), "1 True {'tpu-v5litepod-8': 1}"),
        (('accelerators=A100:8', 'num_nodes=2', 'spot=false'), "2 False {'A100': 8}"),
    ],
)
def test_skypilots_own_parser_takes_the_file(words, expected, tmp_path):
    pytest.importorskip('sky')
    run(*words, f'folder={tmp_path}')
    code = (
        'import sky, sys\n'
        'task = sky.Task.from_yaml(sys.argv[1])\n'
        '[it] = task.resources\n'
        'recovery = it.job_recovery\n'
        'print(task.name, task.num_nodes, it.use_spot, it.accelerators,\n'
        '      recovery["max_restarts_on_errors"], recovery["recover_on_exit_codes"])\n'
        'print(task.run)\n'
    )
    out = subprocess.run(
        [sys.executable, '-c', code, str(tmp_path / 'lr-seed-1.yaml')],
        capture_output=True, text=True, timeout=120, check=True,
        env={**os.environ, 'HOME': str(tmp_path)},
    ).stdout  # fmt: skip
    assert f'lr-seed-1 {expected} 2 [75, 76]\n$HOME/gan_jax_venv/bin/python launch.py ' in out
