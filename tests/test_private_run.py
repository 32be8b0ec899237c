"""A private run from its first step to its page, and who is caught by an attack."""

import json
import logging
import sys

import jax
import methods
import numpy as np
import pytest

from gan_jax import loop, metrics
from gan_jax.commands import evaluate, export, report
from gan_jax.config import experiment
from gan_jax.errors import UserError

pytestmark = pytest.mark.slow

pytest.importorskip('dp_accounting', reason='the extra named privacy is not here')

NUM = 24


@pytest.fixture(scope='module')
def pictures(tmp_path_factory):
    """Noise, none of it like another: the training split, and as many that are held out."""
    from PIL import Image

    root = tmp_path_factory.mktemp('pictures')
    rng = np.random.default_rng(0)
    for split in ('train', 'test'):
        for i in range(NUM):
            folder = root / split / f'class_{i % 2}'
            folder.mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(0, 256, (methods.SIZE, methods.SIZE), np.uint8)
            Image.fromarray(pixels).save(folder / f'{i:02d}.png')
    return root


def small(pictures, **changes):
    common = {'dataset': f'folder:{pictures}/train', 'steps': 4, 'log_every': 2, 'sample_every': 0}
    common |= {'checkpoint_every': 2, 'eval_every': 0, 'batch_size': 8, 'privacy': {}}
    config = methods.shrunk('gan', **(common | changes))
    if config['privacy']:
        config['privacy'] |= {'noise_multiplier': None, 'padding': None, 'examples': None}
    return config


def attacked(workdir, pictures, *names):
    chosen = {'metrics': names, 'dataset': f'folder:{pictures}/test', 'split': 'train'}
    return evaluate.evaluate(workdir, num=NUM, changes=chosen)


def lines(workdir):
    return [json.loads(line) for line in (workdir / 'metrics.jsonl').read_text().splitlines()]


def test_what_was_spent_is_logged_kept_and_shown(pictures, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    loop.train(small(pictures), tmp_path)
    assert 'private: epsilon 10 of 10 at delta 1e-05 after 4 steps' in caplog.text
    spent = [line['privacy/epsilon'] for line in lines(tmp_path)]
    assert 0 < spent[0] < spent[1] <= 10
    assert spent[1] == pytest.approx(10, abs=0.1)
    keys = {key for key in lines(tmp_path)[0] if key.startswith('discriminator/')}
    assert keys == {'discriminator/gradient_norm', 'discriminator/parameter_norm'}
    settings = json.loads((tmp_path / 'config.json').read_text())['privacy']
    assert settings['examples'] == NUM
    kept = json.loads(next(tmp_path.glob('checkpoints/4/progress/*')).read_text())
    assert kept['privacy/epsilon'] == spent[1]
    page = report.write_report(tmp_path).read_text()
    assert 'epsilon spent' in page
    assert 'privacy/epsilon' in page


def test_a_run_that_has_spent_its_budget_does_not_go_on(pictures, tmp_path):
    loop.train(small(pictures), tmp_path)
    loop.train(small(pictures), tmp_path)  # nothing is left to do
    with pytest.raises(UserError, match=r'pays for 4 turns of the discriminator; give fewer'):
        loop.train(small(pictures, steps=8), tmp_path)


def test_resumed_equals_uninterrupted(pictures, tmp_path):
    """With the noise of the longer run: of the shorter one there would be less."""
    config = small(pictures)
    loop.train(config, tmp_path / 'whole')
    noise = json.loads((tmp_path / 'whole' / 'config.json').read_text())['privacy']
    config['privacy'] |= {'noise_multiplier': noise['noise_multiplier']}
    loop.train(config | {'steps': 2}, tmp_path / 'half')
    loop.train(config, tmp_path / 'half')
    one, two = (experiment.restore(tmp_path / x) for x in ('whole', 'half'))
    methods.assert_trees_equal(one.state, two.state)
    for x, y in zip(lines(tmp_path / 'whole'), lines(tmp_path / 'half'), strict=True):
        assert x['privacy/epsilon'] == y['privacy/epsilon']


def test_it_is_sampled_without_the_library(pictures, tmp_path, monkeypatch):
    loop.train(small(pictures, steps=2), tmp_path)
    monkeypatch.setitem(sys.modules, 'dp_accounting', None)
    run = experiment.restore(tmp_path)
    inputs = run.experiment.game.functions['prior'](jax.random.split(jax.random.key(0), 3))
    made = run.experiment.game.functions['sample'](*run.variables(0), inputs)
    assert made.shape == (3, methods.SIZE, methods.SIZE, 1)


def test_an_evaluation_says_what_any_attack_can_reach(pictures, tmp_path, capsys):
    loop.train(small(pictures), tmp_path)
    found = attacked(tmp_path, pictures, 'membership', 'discriminator_membership')
    bound = metrics.private_balanced_accuracy(10, 1e-5)
    assert f'{bound:.5f}' in capsys.readouterr().out
    assert f'{bound:.5f}' in found['settings']['privacy']
    for name in ('membership_accuracy', 'discriminator_membership_accuracy'):
        assert found['figures'][name]['ema'] <= bound


def test_an_overfitted_discriminator_is_caught_and_a_private_one_is_not(pictures, tmp_path):
    """Both learn for as long from the same 24 pictures of noise, of which none is like another."""
    adam = {'name': 'adam', 'learning_rate': 1e-3}
    players = {'generator': adam, 'discriminator': adam}
    network = {'name': 'mlp.Discriminator', 'features': (64,)}
    common = {'steps': 150, 'log_every': 150, 'checkpoint_every': 0, 'ema': {}}
    common |= {'optimizers': players, 'discriminator': network, 'steps_per_dispatch': 10}
    caught = {}
    for name, privacy in (('plain', None), ('private', {'epsilon': 1.0})):
        config = small(pictures, **common, **({'privacy': privacy} if privacy else {}))
        if privacy is None:
            config['privacy'] = {}
        loop.train(config, tmp_path / name)
        found = attacked(tmp_path / name, pictures, 'discriminator_membership')
        caught[name] = found['figures']['discriminator_membership_auroc']['raw']
    assert caught['plain'] > 0.9
    assert caught['private'] < metrics.private_auroc(1.0, 1e-5)


def test_an_export_leaves_out_the_seed_that_the_noise_is_drawn_from(pictures, tmp_path):
    pytest.importorskip('safetensors', reason='the extra named weights is not here')
    loop.train(small(pictures, seed=7), tmp_path)
    export.export(tmp_path)
    kept = [json.loads((tmp_path / x / 'config.json').read_text())['seed'] for x in ('.', 'export')]
    assert kept == [7, 0]
