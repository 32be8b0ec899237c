"""--sweep as a person gives it."""

import json

import command_line
import pytest

# Trials that take a second or two, but for JAX's start.
TINY = """
from gan_jax import sweeps
from configs import ring8

def get_config():
    config = ring8.get_config()
    config.steps = 20
    config.batch_size = 8
    config.steps_per_dispatch = 10
    config.generator.width = config.discriminator.width = 4
    config.num_samples = 4
    config.eval_samples = 50
    config.log_every = config.eval_every = 10
    return config

def sweep():
    return {}
"""


@pytest.fixture
def file(tmp_path):
    """(what sweep() returns) -> a config file."""

    def file(spaces):
        path = tmp_path / 'tiny.py'
        path.write_text(TINY.replace('return {}', f'return {spaces}'))
        return f'--config={path}'

    return file


def test_commands_are_printed_and_nothing_else(server, tmp_path):
    folder = tmp_path / 'sweep'
    code, printed = server.run(
        '--config=configs/dcgan.py', '--sweep=print', f'--workdir={folder}', '--config.steps=10',
        '--compilation_cache=',
    )  # fmt: skip
    assert code == 0, printed
    lines = printed.splitlines()
    assert len(lines) == 6
    name = 'generator.learning_rate=0.0001,seed=0'
    assert lines[0].split(' ', 1)[1] == (
        f'launch.py --config=configs/dcgan.py --workdir={folder}/{name} --compilation_cache= '
        f'--config.steps=10 --config.optimizers.generator.learning_rate=0.0001 --config.seed=0'
    )
    assert [x.name for x in folder.iterdir()] == ['sweep.json']


@pytest.mark.parametrize(
    ('words', 'spaces', 'said'),
    [
        (['--sweep'], "[{'sede': 1}]", 'trial sede=1: config.sede is not a key; did you mean'),
        (['--sweep=lokal'], '[{}]', '--sweep=lokal is no engine; did you mean --sweep=local?'),
        (['--sweep', '--slots=999'], '[{}]', '--slots=999 do not fit the'),
        (['--sweep', '--num=5'], '[{}]', '--num is not read by --mode=train'),
    ],
)
def test_a_mistake_is_one_line_before_anything_starts(server, tmp_path, file, words, spaces, said):
    code, printed = server.run(file(spaces), f'--workdir={tmp_path / "sweep"}', *words)
    assert code == 2, printed
    (line,) = command_line.lines(printed)
    assert said in line
    assert not (tmp_path / 'sweep').exists()


@pytest.mark.slow
def test_a_sweep_of_real_runs(server, tmp_path, file):
    """One of two cannot have its data; the other goes on with more steps afterwards."""
    folder = tmp_path / 'sweep'
    spaces = "sweeps.chained([{'dataset': 'vectors:none.npz'}], sweeps.seeds(1))"
    words = (file(spaces), '--sweep', f'--workdir={folder}')
    code, printed = server.run(*words)
    bad, good = folder / 'dataset=vectors_none.npz', folder / 'seed=0'
    assert code == 1, printed
    line = printed.splitlines()[-1]
    assert line.startswith(f'gan_jax: {bad.name} failed: ')
    assert 'none.npz' in line
    assert line.endswith(f'({bad / "log.txt"})')
    assert json.loads((good / 'trial.json').read_text())['state'] == 'finished'
    assert (good / 'checkpoints' / '20').exists()
    assert (good / 'report.html').exists()
    code, printed = server.run(*words, '--config.steps=40')
    assert code == 1, printed
    assert 'goes on from step 20' in (good / 'log.txt').read_text()
    assert (good / 'checkpoints' / '40').exists()
    held = json.loads((folder / 'sweep.json').read_text())
    assert [x['steps'] for x in held['trials']] == [40, 40]
