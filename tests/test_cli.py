"""launch.py as a person runs it."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time

import damage
import jax
import methods
import numpy as np
import pytest
from command_line import ENVIRONMENT, finish, launch
from PIL import Image

from gan_jax.config.experiment import rebuild
from gan_jax.runtime import checkpoint, metric_writer

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
    '--config.eval_samples=100',
)


def lines(workdir):
    kept = (workdir / 'metrics.jsonl').read_text().splitlines()
    return [{k: v for k, v in json.loads(x).items() if k not in metric_writer.TIMING} for x in kept]


def result(workdir):
    config = json.loads((workdir / 'config.json').read_text())
    checkpoints = checkpoint.Checkpoints(workdir / 'checkpoints')
    step, state, _ = checkpoints.restore(jax.eval_shape(rebuild(config).init))
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
def uninterrupted(tmp_path_factory, server):
    workdir = tmp_path_factory.mktemp('whole')
    code, printed = server.run(*RUN, *CHECKPOINTS, f'--workdir={workdir}')
    assert code == 0, printed
    return workdir


@pytest.fixture(scope='module')
def half(tmp_path_factory, server):
    workdir = tmp_path_factory.mktemp('half')
    shorter = [x.replace('=300', '=150') for x in RUN]
    code, printed = server.run(*shorter, *CHECKPOINTS, f'--workdir={workdir}')
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


def stop_when(workdir, condition, number, *arguments):
    """(exit code, what was printed) of a run that gets this signal once the condition holds."""
    process = launch(*arguments, f'--workdir={workdir}')
    while process.poll() is None and not condition():
        time.sleep(0.0005)
    assert process.poll() is None, finish(process)
    process.send_signal(number)
    return finish(process)


def kill_when(workdir, condition, *arguments):
    stop_when(workdir, condition, signal.SIGKILL, *arguments)


def assert_goes_on(server, whole, workdir):
    code, printed = server.run(*RUN, *CHECKPOINTS, f'--workdir={workdir}')
    assert code == 0, printed
    assert 'goes on from step' in printed
    assert_same_run(whole, workdir)


@pytest.mark.slow
def test_killed_and_signalled_it_ends_bit_for_bit_the_same(uninterrupted, server, tmp_path):
    """Killed while it saves; then stopped by two signals, which save and say how to go on."""
    arguments = (*RUN, *CHECKPOINTS)
    kill_when(tmp_path, lambda: newest(tmp_path) >= 50 and writing(tmp_path), *arguments)
    assert 50 <= newest(tmp_path) < 300
    for number in (signal.SIGTERM, signal.SIGINT):
        before = logged(tmp_path)
        more = lambda: logged(tmp_path) > before + 7  # noqa: B023, E731
        code, printed = stop_when(tmp_path, more, number, *arguments)
        assert code == 0, printed
        assert f'{number.name}: saved at step' in printed
        assert 'the same command goes on' in printed
    assert newest(tmp_path) < 300
    assert_goes_on(server, uninterrupted, tmp_path)


@pytest.mark.slow
def test_killed_at_five_points_it_ends_bit_for_bit_the_same(uninterrupted, server, tmp_path):
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
    assert_goes_on(server, uninterrupted, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize('damage', ['flip', 'delete', 'empty'])
def test_a_damaged_newest_checkpoint_is_named_and_the_one_before_used(
    uninterrupted, half, server, tmp_path, damage
):
    workdir = shutil.copytree(half, tmp_path / 'run')
    folder = workdir / 'checkpoints' / '150'
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
    code, printed = server.run(*RUN, *CHECKPOINTS, f'--workdir={workdir}')
    assert code == 0, printed
    assert f'{folder}' in printed
    assert 'dropped' in printed
    assert 'goes on from step 125' in printed
    assert_same_run(uninterrupted, workdir)


MODES = {
    'train': (*RUN, *CHECKPOINTS),
    'sample': ('--mode=sample', '--num=4'),
    'best': ('--mode=sample', '--num=4', '--best'),
    'report': ('--mode=report',),
}


@pytest.mark.slow
@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize(
    ('file', 'kind'),
    [('progress/metadata', 'digit'), ('metrics/metrics', 'flip'), ('digests/metadata', 'rename')],
)
def test_every_mode_falls_back_by_name_or_ends_with_one_line(
    half, uninterrupted, server, tmp_path, mode, file, kind
):
    folder = shutil.copytree(half, tmp_path / 'run') / 'checkpoints'
    step = '150'
    assert damage.spoil(folder / step / file, kind)
    code, printed = server.run(*MODES[mode], f'--workdir={tmp_path / "run"}')
    assert code == 0, printed
    assert 'Traceback' not in printed
    if mode != 'best' or file == 'metrics/metrics':
        assert f'{folder / step} is damaged' in printed
    if mode == 'train':
        assert_same_run(uninterrupted, tmp_path / 'run')
        return
    for kept in folder.iterdir():
        (kept / 'config' / 'metadata').write_text('{}')
    code, printed = server.run(*MODES[mode], f'--workdir={tmp_path / "run"}')
    assert code == 2, printed
    assert 'Traceback' not in printed
    assert printed.splitlines()[-1].startswith('gan_jax: no checkpoint in ')


MOMENTS = {
    'in the imports': lambda workdir, started: time.monotonic() > started + 0.7,
    'about their end': lambda workdir, started: time.monotonic() > started + 1.4,
    'before the state': lambda workdir, started: (workdir / 'config.json').exists(),
    'before the loop': lambda workdir, started: (workdir / 'samples' / 'real.png').exists(),
    'in the loop': lambda workdir, started: logged(workdir) > 0,
}


@pytest.mark.slow
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize('moment', MOMENTS)
def test_a_signal_ends_a_run_with_one_line_at_any_moment(tmp_path, moment, number):
    """Or, in the loop, saves first."""
    started = time.monotonic()
    near_the_loop = []

    def condition():
        if not MOMENTS[moment](tmp_path, started):
            return False
        near_the_loop.append((tmp_path / 'samples').exists())
        return True

    code, printed = stop_when(tmp_path, condition, number, *RUN, '--config.steps=3000')
    assert 'Traceback' not in printed
    if f'{number.name}: saved at step' in printed:
        assert near_the_loop == [True]
        assert code == 0
    else:
        assert code == 128 + number
        assert printed.splitlines()[-1].startswith(f'gan_jax: ended by {number.name}')
        assert moment != 'in the loop'


@pytest.mark.slow
def test_of_two_trainers_of_one_run_the_later_ends_with_one_line(tmp_path, server):
    first = launch(*RUN, '--config.steps=100000', f'--workdir={tmp_path}')
    while not logged(tmp_path):
        time.sleep(0.05)
    code, printed = server.run(*RUN, '--config.steps=100000', f'--workdir={tmp_path}')
    first.send_signal(signal.SIGTERM)
    assert finish(first)[0] == 0
    assert code == 2
    line = printed.splitlines()[-1]
    who, _, remedy = line.removeprefix(f'gan_jax: another process trains in {tmp_path} ').partition(
        ';'
    )
    assert re.fullmatch(rf'\(host \S+, process {first.pid}, since [-0-9]+ [:0-9]+ UTC\)', who)
    assert remedy == ' wait for its end, or give another --workdir'


@pytest.mark.parametrize(
    ('arguments', 'name', 'expected', 'remedy'),
    [
        ((*RUN, *CHECKPOINTS), 'metrics.jsonl', 3, 'give the same command again'),
        (('--mode=sample', '--num=4'), 'generated', 2, 'make it writable'),
    ],
)
def test_what_is_in_the_place_of_a_file_is_named(
    half, server, tmp_path, arguments, name, expected, remedy
):
    workdir = shutil.copytree(half, tmp_path / 'run')
    if name == 'generated':
        (workdir / name).write_text('')
    else:
        (workdir / name).unlink()
        (workdir / name).mkdir()
    code, printed = server.run(*arguments, f'--workdir={workdir}')
    assert code == expected, printed
    assert 'Traceback' not in printed
    line = printed.splitlines()[-1]
    assert line.startswith(f'gan_jax: {workdir / name}')
    assert line.endswith(remedy)


LIMITED = """
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
sys.argv = ['launch.py', *sys.argv[2:]]
runpy.run_path('launch.py', run_name='__main__')
"""


def limited(bytes_, *arguments):
    """A run whose files may not be larger: root is not bound by permissions."""
    return finish(subprocess.Popen(
        [sys.executable, '-c', LIMITED, str(bytes_), *map(str, arguments)], cwd=methods.ROOT,
        env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ))  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize('bytes_', [100, 1500, 6000, 20_000])
def test_what_cannot_be_written_is_one_line_and_the_run_goes_on_later(
    uninterrupted, server, tmp_path, bytes_
):
    """The config, the record, a picture, an array: each is too large once."""
    cache = '--compilation_cache='
    code, printed = limited(bytes_, *RUN, *CHECKPOINTS, cache, f'--workdir={tmp_path}')
    assert 'Traceback' not in printed
    assert code == 3, printed
    line = printed.splitlines()[-1]
    assert line.startswith(f'gan_jax: {tmp_path}')
    assert line.endswith(
        'File too large; allow larger files (ulimit -f), and give the same command again'
    )
    code, printed = server.run(*RUN, *CHECKPOINTS, f'--workdir={tmp_path}')
    assert code == 0, printed
    assert_same_run(uninterrupted, tmp_path)


def _size(file):
    return file.stat().st_size


def test_sampling_from_the_command_line(uninterrupted, server):
    arguments = (f'--workdir={uninterrupted}', '--mode=sample', '--num=9', '--seed=2')
    code, printed = server.run(*arguments)
    assert code == 0, printed
    folder = uninterrupted / 'generated'
    assert np.load(folder / 'seed_2.npz')['images'].shape == (9, 16, 16, 1)
    assert Image.open(folder / 'seed_2.png').size == (3 * (17 * 16 + 2) + 2,) * 2
    assert (folder / 'seed_2_interpolation.png').exists()


def test_after_an_evaluation_the_report_shows_it(uninterrupted, server):
    report = uninterrupted / 'report.html'
    assert 'id="evaluation"' not in report.read_text()
    found = ('--mode=evaluate', '--num=30', '--metrics=sliced_wasserstein,path_length')
    code, printed = server.run(f'--workdir={uninterrupted}', *found)
    assert code == 0, printed
    assert 'sliced_wasserstein \N{DOWNWARDS ARROW}' in printed
    assert 'None' not in printed
    assert 'id="evaluation"' in report.read_text()


@pytest.mark.slow
def test_virtual_devices_train_from_the_command_line(server, tmp_path):
    steps = ('--config.steps=4', '--config.log_every=2')
    code, printed = server.run(*SMALL, *steps, f'--workdir={tmp_path}', devices=4)
    assert code == 0, printed
    assert '4 x cpu' in printed
    for line in printed.splitlines():
        assert re.match(r'\d\d:\d\d:\d\d \S', line), line  # the time and what is said
        assert len(line.replace(str(tmp_path), 'runs/gan')) <= 120, line


@pytest.mark.slow
def test_compiled_programs_are_kept_for_the_next_start_unless_switched_off(server, tmp_path):
    def start(name, cache):
        flags = (*SMALL, '--config.steps=5', '--config.log_every=5', f'--workdir={tmp_path / name}')
        flags = (*flags, f'--compilation_cache={cache}')
        code, printed = server.run(*flags, XDG_CACHE_HOME=str(tmp_path / 'home'))
        assert code == 0, printed
        kept = {*tmp_path.rglob('*-cache'), *methods.ROOT.glob('*/*-cache')}
        return kept, lines(tmp_path / name)

    nothing, values = start('none', '')
    first, first_values = start('first', tmp_path / 'cache')
    second, second_values = start('second', tmp_path / 'cache')
    assert not nothing
    assert first
    assert second == first
    assert values == first_values == second_values
