"""Runs of version 0.1, made by tests/fixtures/make_runs.py, are still sampled and gone on with."""

import json
import zipfile

import jax
import methods
import numpy as np
import pytest

from gan_jax import loop
from gan_jax.commands import evaluate, sample, translate
from gan_jax.config import experiment, saved
from gan_jax.errors import UserError
from gan_jax.sampling import sampler

TIMES = {'steps': 4, 'log_every': 1, 'sample_every': 0, 'checkpoint_every': 2, 'eval_every': 0}
LECAM = {'penalties': {'lecam': {'weight': 0.1, 'every': 1}}}
EMA = {'ema': {'generator': {'half_life': 100, 'ramp_up': None}}}
CHANGES = {
    'ring8': ('ring8', {**LECAM, **EMA, 'num_replicas': 2}),
    'paired': ('pix2pix', {**EMA, 'dataset': 'paired:pairs'}),
    'cyclegan': ('cyclegan', {**LECAM, 'dataset': 'unpaired:pairs', 'pool_size': 3}),
}


@pytest.fixture(autouse=True)
def runs(tmp_path, monkeypatch):
    """The runs, where they were made, with their data beside them."""
    archive = methods.ROOT / 'tests' / 'fixtures' / 'runs_0_1.zip'
    zipfile.ZipFile(archive).extractall(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize('name', CHANGES)
def test_what_it_makes_is_what_it_made(runs, name):
    run = experiment.restore(runs / name)
    assert run.step == 2
    if name == 'ring8':
        made_of = sampler.draw_inputs(run.experiment.game, 0, 4)
    else:
        source = np.linspace(-1, 1, methods.SIZE**2 * 3, dtype=np.float32)
        made_of = source.reshape(1, methods.SIZE, -1, 3)
    made = jax.jit(sampler.generate(run.experiment.game))(*run.variables(0), made_of)
    np.testing.assert_allclose(made, np.load(runs / name / 'made.npy'), atol=1e-5)


def test_what_an_adversary_keeps_has_moved_with_it(runs):
    aux = experiment.restore(runs / 'cyclegan').state.aux
    assert {'adversary_a', 'adversary_b'} < set(aux)
    for domain in 'ab':
        kept = aux[f'adversary_{domain}']
        assert int(kept['pool']['count']) == 3
        assert np.abs(kept['pool']['examples']).max() > 0.1
        assert float(kept['anchors']['real']) != 0
    ring = experiment.restore(runs / 'ring8').state.aux['adversary']
    assert ring['anchors']['fake'].shape == (2,)


@pytest.mark.parametrize(
    'name', [pytest.param(x, marks=() if x == 'ring8' else pytest.mark.slow) for x in CHANGES]
)
def test_it_goes_on(runs, name):
    config_name, changes = CHANGES[name]
    config = methods.shrunk(config_name, **changes, **TIMES)
    config['data'] |= {'channels': None if name == 'ring8' else 3}
    assert loop.train(config, runs / name)
    lines = [json.loads(x) for x in (runs / name / 'metrics.jsonl').read_text().splitlines()]
    assert [line['step'] for line in lines] == [1, 2, 3, 4]
    assert experiment.restore(runs / name).step == 4
    with pytest.raises(UserError, match=r'config\.batch_size: 16 there, 32 now'):
        loop.train(config | {'batch_size': 32}, runs / name)


def test_it_is_sampled_evaluated_and_translates(runs):
    _, arrays = sample.sample(runs / 'ring8', num=5, seed=0, replica=1)
    assert np.load(arrays)['points'].shape == (5, 2)
    figures = evaluate.evaluate(runs / 'ring8', num=20)['figures']
    assert 'modes' in figures
    folders = {'input': str(runs / 'pairs' / 'train' / 'A'), 'output': str(runs / 'out')}
    assert translate.translate(runs / 'paired', **folders) == 8
    assert saved.read_config(runs / 'paired')['game'] == 'pix2pix'
