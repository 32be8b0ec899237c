"""launch.py as a person runs it."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import methods
import numpy as np
import pytest
from PIL import Image

from gan_jax.config.experiment import build_players
from gan_jax.runtime import checkpoint
from gan_jax.runtime import metric_writer as log_lib

# Small enough that 300 steps take a second or two.
SMALL = (
    '--config=configs/gan.py',
    '--config.image_size=16',
    '--config.generator.features=(8,8)',
    '--config.discriminator.features=(8,8)',
    '--config.latent.size=4',
    '--config.batch_size=16',
    '--config.steps_per_dispatch=1',
    '--config.num_samples=4',
)
CACHE = tempfile.TemporaryDirectory()
ENVIRONMENT = {
    **os.environ,
    'XLA_FLAGS': '--xla_backend_optimization_level=0',
    'XDG_CACHE_HOME': CACHE.name,
}


def launch(*arguments, devices=1):
    flags = ENVIRONMENT['XLA_FLAGS']
    flags += f' --xla_force_host_platform_device_count={devices}' if devices > 1 else ''
    return subprocess.Popen(
        [sys.executable, 'launch.py', *map(str, arguments)],
        cwd=methods.ROOT,
        env=ENVIRONMENT | {'XLA_FLAGS': flags},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    out, err = process.communicate(timeout=300)
    return process.returncode, out + err


# Imports once and forks for each command line: to start Python anew takes longer than all the rest.
SERVER = """
import json, os, sys
import launch
from absl import app
for line in sys.stdin:
    job = json.loads(line)
    child = os.fork()
    if not child:
        out = os.open(job['out'], os.O_WRONLY | os.O_CREAT)
        os.dup2(out, 1)
        os.dup2(out, 2)
        os.environ.update(job['environment'])
        sys.argv = ['launch.py', *job['arguments']]
        app.run(launch.main, flags_parser=launch.parse)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def launch_all(table, folder, devices):
    """{name: (exit code, what was printed)} of {name: arguments}, one after the other."""
    server = subprocess.Popen(
        [sys.executable, '-c', SERVER], cwd=methods.ROOT, env=ENVIRONMENT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    results = {}
    for i, (name, arguments) in enumerate(table.items()):
        flag = f' --xla_force_host_platform_device_count={devices.get(name, 1)}'
        job = {'out': str(folder / f'{i}.txt'), 'arguments': [*map(str, arguments)]}
        job['environment'] = {'XLA_FLAGS': ENVIRONMENT['XLA_FLAGS'] + flag}
        server.stdin.write(json.dumps(job) + '\n')
        server.stdin.flush()
        results[name] = int(server.stdout.readline()), pathlib.Path(job['out']).read_text()
    server.communicate(timeout=60)
    return results


@pytest.fixture(scope='module')
def mistakes(tmp_path_factory):
    """Each wrong command line, what it prints and its exit code."""
    root = tmp_path_factory.mktemp('mistakes')
    (root / 'empty').mkdir()
    (root / 'file').write_text('not a folder')
    other = root / 'other'
    other.mkdir()
    (other / 'config.json').write_text(json.dumps({'seed': 3}))
    wide = 'import configs.dcgan\n\ndef get_config():\n    config = configs.dcgan.get_config()\n'
    extra = root / 'extra.py'
    extra.write_text(wide + '    config.generator.widht = 3\n    return config\n')
    top = root / 'top.py'
    top.write_text(wide + '    config.stepz = 3\n    return config\n')
    broken = root / 'broken.py'
    broken.write_text('def get_config():\n    return 1 / 0\n')
    base = ('--config=configs/dcgan.py', f'--workdir={root / "run"}')
    table = {
        'unknown key': (*base, '--config.stpes=5'),
        'unknown nested key': (*base, '--config.generator.widht=5'),
        'unknown key in a file': (f'--config={top}', base[1]),
        'unknown argument in a file': (f'--config={extra}', base[1]),
        'unknown flag': (*base, '--wrokdir=x'),
        'not a flag': (*base, 'steps=5'),
        'not a number': (*base, '--config.steps=many'),
        'missing config': (f'--config={root / "none.py"}',),
        'broken config': (f'--config={broken}',),
        'no config': (),
        'objective': (*base, '--config.objective=minmax'),
        'network': (*base, '--config.generator.name=dcgan.Generater'),
        'optimizer': (*base, '--config.optimizers.generator.name=adamm'),
        'game': (*base, '--config.game=gann'),
        'batch size': (*base, '--config.batch_size=65'),
        'negative steps': (*base, '--config.steps=-5'),
        'image size': (*base, '--config.image_size=50'),
        'augmentation': (*base, '--config.augment.scaling=2.5'),
        'missing folder': (*base, f'--config.dataset=folder:{root / "none"}'),
        'empty folder': (*base, f'--config.dataset=folder:{root / "empty"}'),
        'unprepared': (*base, '--config.dataset=kmnist', f'--config.data.data_dir={root}'),
        'unknown data set': (*base, '--config.dataset=mnits'),
        'another config': (base[0], f'--workdir={other}'),
        'unwritable': (base[0], f'--workdir={root / "file" / "run"}'),
        'sample of nothing': (f'--workdir={root / "nothing"}', '--mode=sample'),
        'metric': (*base, "--config.evaluation.metrics=('fid',)"),
        'best': (*base, '--config.evaluation.best=recall'),
        'features': (*base, '--config.evaluation.features=resnet'),
        'evaluation of nothing': (f'--workdir={root / "nothing"}', '--mode=evaluate'),
        'one set': ('--mode=evaluate', f'--real=folder:{root}'),
        'report of nothing': (f'--workdir={root / "nothing"}', '--mode=report'),
    }

    results = launch_all(table, root, {'batch size': 2})
    assert not (root / 'run' / 'checkpoints').exists()
    return results


@pytest.mark.parametrize(
    ('name', 'words'),
    {
        'unknown key': ('config.stpes', 'config.steps'),
        'unknown nested key': ('config.generator.widht', 'config.generator.width'),
        'unknown key in a file': ('config.stepz', 'config.steps'),
        'unknown argument in a file': ('config.generator.widht', 'config.generator.width'),
        'unknown flag': ('wrokdir', 'workdir'),
        'not a flag': ('steps=5', '--config.steps=5'),
        'not a number': ('config.steps', 'many'),
        'missing config': ('none.py',),
        'broken config': ('broken.py', 'division by zero'),
        'no config': ('--config=configs/dcgan.py',),
        'objective': ("'minmax'", "'minimax'"),
        'network': ("'dcgan.Generater'", "'dcgan.Generator'"),
        'optimizer': ("'adamm'", "'adam'"),
        'game': ("'gann'", "'gan'"),
        'batch size': ('batch_size=65', '2 devices', 'multiple of 2', '64'),
        'negative steps': ('config.steps=-5', 'at least 1'),
        'image size': ('16, 28, 32, 64, 128', '50x50', 'image_size'),
        'augmentation': ('scaling', '2.5', 'from 0 to 1'),
        'missing folder': ('none', 'does not exist'),
        'empty folder': ('empty', 'holds no images'),
        'unprepared': ('kmnist', 'download_and_prepare', 'tfds'),
        'unknown data set': ('mnits', 'did you mean mnist'),
        'another config': ('another config', 'another --workdir'),
        'unwritable': ('cannot be written', 'another --workdir'),
        'sample of nothing': ('holds no run',),
        'metric': ("'fid'", 'nearest valid name'),
        'best': ("'recall'", "'sliced_wasserstein'"),
        'features': ("'resnet'", 'inception:PATH'),
        'evaluation of nothing': ('holds no run',),
        'one set': ('--real and --fake',),
        'report of nothing': ('holds no run',),
    }.items(),
)
def test_a_mistake_is_one_line_and_exit_code_2(mistakes, name, words):
    code, printed = mistakes[name]
    assert code == 2, printed
    (line,) = printed.splitlines()
    assert line.startswith('gan_jax: ')
    for word in words:
        assert word in line


def lines(workdir):
    kept = (workdir / 'metrics.jsonl').read_text().splitlines()
    return [{k: v for k, v in json.loads(x).items() if k not in log_lib.TIMING} for x in kept]


def result(workdir):
    config = json.loads((workdir / 'config.json').read_text())
    checkpoints = checkpoint.Checkpoints(workdir / 'checkpoints')
    step, state, _ = checkpoints.restore(build_players(config).init())
    return step, state


def assert_same_run(one, other):
    assert lines(one) == lines(other)
    (step, state), (other_step, other_state) = result(one), result(other)
    assert step == other_step
    methods.assert_trees_equal(state, other_state)
    grids = sorted(file.name for file in (one / 'samples').iterdir())
    assert grids == sorted(file.name for file in (other / 'samples').iterdir())
    for name in grids:
        assert (one / 'samples' / name).read_bytes() == (other / 'samples' / name).read_bytes()


RUN = (*SMALL, '--config.steps=300', '--config.log_every=7', '--config.sample_every=50')
CHECKPOINTS = ('--config.checkpoint_every=25', '--config.eval_every=50')


@pytest.fixture(scope='module')
def uninterrupted(tmp_path_factory):
    workdir = tmp_path_factory.mktemp('whole')
    code, printed = finish(launch(*RUN, *CHECKPOINTS, f'--workdir={workdir}'))
    assert code == 0, printed
    return workdir


def newest(workdir):
    folders = (workdir / 'checkpoints').glob('[0-9]*')
    return max((int(x.name) for x in folders if x.name.isdigit()), default=0)


def logged(workdir):
    file = workdir / 'metrics.jsonl'
    whole = file.read_text().rpartition('\n')[0].splitlines() if file.exists() else []
    return json.loads(whole[-1])['step'] if whole else 0


def writing(workdir):
    return any((workdir / 'checkpoints').glob('*tmp*'))


def kill_when(workdir, condition, *arguments):
    process = launch(*arguments, f'--workdir={workdir}')
    while process.poll() is None and not condition():
        time.sleep(0.0005)
    assert process.poll() is None, finish(process)
    process.send_signal(signal.SIGKILL)
    finish(process)


def test_killed_at_five_points_it_ends_bit_for_bit_the_same(uninterrupted, tmp_path):
    arguments = (*RUN, *CHECKPOINTS)
    kill_when(tmp_path, lambda: (tmp_path / 'checkpoints').exists(), *arguments)  # at the start
    kill_when(tmp_path, lambda: newest(tmp_path) >= 75, *arguments)
    # While a checkpoint is written.
    done = newest(tmp_path)
    kill_when(tmp_path, lambda: newest(tmp_path) > done and writing(tmp_path), *arguments)
    for _ in range(2):
        done = newest(tmp_path)
        kill_when(tmp_path, lambda: newest(tmp_path) >= done + 25, *arguments)  # noqa: B023
    assert 100 <= newest(tmp_path) < 300
    code, printed = finish(launch(*arguments, f'--workdir={tmp_path}'))
    assert code == 0, printed
    assert 'goes on from step' in printed
    assert_same_run(uninterrupted, tmp_path)


@pytest.mark.parametrize('damage', ['flip', 'delete', 'empty'])
def test_a_damaged_newest_checkpoint_is_named_and_the_one_before_used(
    uninterrupted, tmp_path, damage
):
    half = [x.replace('=300', '=150') for x in RUN]
    assert finish(launch(*half, *CHECKPOINTS, f'--workdir={tmp_path}'))[0] == 0
    folder = tmp_path / 'checkpoints' / '150'
    file = max((x for x in (folder / 'state').rglob('*') if x.is_file()), key=_size)
    if damage == 'flip':
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    elif damage == 'delete':
        file.unlink()
    else:
        for x in sorted(folder.rglob('*'), reverse=True):
            x.rmdir() if x.is_dir() else x.unlink()
    code, printed = finish(launch(*RUN, *CHECKPOINTS, f'--workdir={tmp_path}'))
    assert code == 0, printed
    assert f'{folder}' in printed
    assert 'dropped' in printed
    assert 'goes on from step 125' in printed
    assert_same_run(uninterrupted, tmp_path)


def _size(file):
    return file.stat().st_size


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_says_how_to_go_on(uninterrupted, tmp_path, number):
    process = launch(*RUN, *CHECKPOINTS, f'--workdir={tmp_path}')
    while process.poll() is None and logged(tmp_path) < 14:
        time.sleep(0.0005)
    process.send_signal(number)
    code, printed = finish(process)
    assert code == 0, printed
    assert f'{signal.Signals(number).name}: saved at step' in printed
    assert 'the same command goes on' in printed
    assert finish(launch(*RUN, *CHECKPOINTS, f'--workdir={tmp_path}'))[0] == 0
    assert_same_run(uninterrupted, tmp_path)


def test_sampling_from_the_command_line(uninterrupted):
    code, printed = finish(
        launch(f'--workdir={uninterrupted}', '--mode=sample', '--num=9', '--seed=2')
    )
    assert code == 0, printed
    folder = pathlib.Path(uninterrupted) / 'generated'
    assert np.load(folder / 'seed_2.npz')['images'].shape == (9, 16, 16, 1)
    assert Image.open(folder / 'seed_2.png').size == (3 * 18 + 2,) * 2
    assert (folder / 'seed_2_interpolation.png').exists()


def test_virtual_devices_train_from_the_command_line(tmp_path):
    steps = ('--config.steps=4', '--config.log_every=2')
    code, printed = finish(launch(*SMALL, *steps, f'--workdir={tmp_path}', devices=4))
    assert code == 0, printed
    assert '4 x cpu' in printed


def test_compiled_programs_are_kept_for_the_next_start_unless_switched_off(tmp_path, monkeypatch):
    monkeypatch.setitem(ENVIRONMENT, 'XDG_CACHE_HOME', str(tmp_path / 'home'))

    def start(name, cache):
        flags = (*SMALL, '--config.steps=5', '--config.log_every=5', f'--workdir={tmp_path / name}')
        code, printed = finish(launch(*flags, f'--compilation_cache={cache}'))
        assert code == 0, printed
        lines = (tmp_path / name / 'metrics.jsonl').read_text().splitlines()
        kept = {*tmp_path.rglob('*-cache'), *methods.ROOT.glob('*/*-cache')}
        return kept, [
            {k: v for k, v in json.loads(x).items() if k not in log_lib.TIMING} for x in lines
        ]

    nothing, values = start('none', '')
    first, first_values = start('first', tmp_path / 'cache')
    second, second_values = start('second', tmp_path / 'cache')
    assert not nothing
    assert first
    assert second == first
    assert values == first_values == second_values
