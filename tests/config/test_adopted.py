"""Runs made of an official pickle and of exported players, by the command line and in training."""

import json
import shutil
import subprocess
import sys

import jax
import methods
import numpy as np
import pytest
from networks.stylegan2 import tiny

from gan_jax.commands import export
from gan_jax.config import adopted, experiment, saved, trained
from gan_jax.errors import UserError
from gan_jax.networks.stylegan2 import official

pytest.importorskip('safetensors')


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    """(pickle, the run made of it, what was exported of that)."""
    folder = tmp_path_factory.mktemp('adopted')
    pickle, workdir = tiny.write(folder / 'network.pkl'), folder / 'run'
    adopted.adopt(pickle, workdir)
    export.export(workdir)
    return pickle, workdir, workdir / 'export'


def test_the_run_has_the_pickles_networks(made):
    pickle, workdir, _ = made
    run, read = experiment.restore(workdir), official.load(pickle)
    assert run.step == 0
    params, aux = run.variables(0)
    for variables in ((params, aux), run.variables(0, averaged=False)):
        for player in ('generator', 'discriminator'):
            own = {'params': variables[0][player], **variables[1][player]}
            methods.assert_trees_equal(own, getattr(read, player).variables)
    config = saved.read_config(workdir)
    assert config['modality'] == {'name': 'images', 'shape': [8, 8, 1], 'classes': 3}
    assert config['latent'] == {'name': 'normal', 'size': 2}
    assert len(config['init_config']['sha256']) == 64


def test_made_again_it_stays_and_another_is_refused(made, tmp_path):
    pickle, workdir, _ = made
    before = (workdir / saved.CONFIG).read_bytes()
    adopted.adopt(pickle, workdir)
    assert (workdir / saved.CONFIG).read_bytes() == before
    other = tiny.write(tmp_path / 'b.pkl', D=('Discriminator', tiny.arguments()[1],
                                             tiny.arrays(tiny.DISCRIMINATOR, 9)))  # fmt: skip
    with pytest.raises(UserError, match='holds another run'):
        adopted.adopt(other, workdir)
    with pytest.raises(UserError, match=f'--workdir={workdir}'):
        adopted.adopt(workdir, tmp_path / 'new')


def test_its_data_set_may_be_named_later_and_no_other_key(made, tmp_path):
    pickle = made[0]
    workdir = tmp_path / 'run'
    adopted.adopt(pickle, workdir)
    with pytest.raises(UserError, match='has no data set'):
        _ = experiment.restore(workdir).experiment.dataset
    adopted.adopt(pickle, workdir, changes=[('dataset', 'mnist_5k')])
    assert saved.read_config(workdir)['dataset'] == 'mnist_5k'
    with pytest.raises(UserError, match=r'made by another config: config\.seed'):
        adopted.adopt(pickle, workdir, changes=[('seed', '3')])


def test_an_export_comes_back_bit_by_bit(made, tmp_path):
    _, workdir, folder = made
    files = ['config.json', 'discriminator.safetensors', 'generator.safetensors']
    assert sorted(x.name for x in folder.iterdir()) == ['README.md', *files]
    adopted.adopt(folder, tmp_path / 'run')
    export.export(tmp_path / 'run')
    for name in files[1:]:
        assert (tmp_path / 'run' / 'export' / name).read_bytes() == (folder / name).read_bytes()
    state, again = (experiment.restore(x).state for x in (workdir, tmp_path / 'run'))
    methods.assert_trees_equal(state.players['generator'].ema, again.players['generator'].ema)


def test_an_export_of_other_networks_is_refused(made, tmp_path):
    folder = shutil.copytree(made[2], tmp_path / 'export')
    config = json.loads((folder / 'config.json').read_text())
    config['generator']['style_size'] = 4
    (folder / 'config.json').write_text(json.dumps(config))
    with pytest.raises(
        UserError, match=r'generator\.safetensors: its .*w_avg is F32 \(3,\), not F32 \(4,\)'
    ):
        adopted.adopt(folder, tmp_path / 'run')
    (folder / 'config.json').unlink()
    with pytest.raises(UserError, match='holds no run'):
        adopted.adopt(folder, tmp_path / 'other')


def unlabelled(path):
    """The tiny pickle without labels."""
    given = tiny.networks()
    generator, discriminator = tiny.arguments(c_dim=0)
    x, y = (
        {k: v for k, v in given[name][2].items() if not k.startswith('mapping.embed')}
        for name in ('G_ema', 'D')
    )
    x['mapping.fc0.weight'] = x['mapping.fc0.weight'][:, :2].copy()
    y = {k: v for k, v in y.items() if not k.startswith('mapping')}
    y |= {'b4.out.weight': np.ones((1, 4), 'f4'), 'b4.out.bias': np.ones(1, 'f4')}
    networks = {'G_ema': ('Generator', generator | {'c_dim': 0}, x)}
    return tiny.write(path, **networks, D=('Discriminator', discriminator, y))


def of_digits(where):
    """A config of digits for what stands there, as a person would write it."""
    config = adopted._resolved(where, trained.record(where), None, None, [('dataset', 'mnist_5k')])
    return {**config, 'init_config': {}, 'modality': {}, 'batch_size': 8, 'num_samples': 4}


def test_training_starts_from_a_pickle_and_from_what_was_exported(tmp_path):
    pickle, workdir = unlabelled(tmp_path / 'network.pkl'), tmp_path / 'run'
    adopted.adopt(pickle, workdir)
    export.export(workdir)
    read = official.load(pickle)
    for where in (pickle, workdir / 'export'):
        state = experiment.build(of_digits(where)).begin()
        for player in ('generator', 'discriminator'):
            own = {'params': state.players[player].params, **state.aux[player]}
            methods.assert_trees_equal(own, getattr(read, player).variables)


def test_training_with_other_networks_is_refused_before_it_begins(made, tmp_path):
    """Digits have ten classes, the pickle three."""
    with pytest.raises(UserError, match=r'its discriminator has other shapes .*mapping/embed'):
        experiment.build(of_digits(made[0]))
    with pytest.raises(UserError, match=r'has the shape|not F32|is F32'):
        experiment.build(of_digits(made[2]))
    config = of_digits(made[0]) | {'init_from': str(tiny.write(tmp_path / 'a.pkl', D=1))}
    with pytest.raises(UserError, match='its D cannot be read'):
        experiment.build(config)


def test_weights_of_another_shape_are_refused_with_the_first_difference(made):
    own = experiment.restore(made[1]).experiment
    shapes = jax.eval_shape(own.game.init, jax.random.key(0), own.example)
    params, aux = trained.read(made[0], shapes)
    wider = {
        **params,
        'generator': jax.tree.map(lambda x: np.zeros((*x.shape, 2)), params['generator']),
    }
    with pytest.raises(UserError, match=r'mapping/embed/bias is \(3, 2\) there, \(3,\) here'):
        trained.fitted(made[0], (wider, aux), shapes)


@pytest.mark.slow
def test_the_command_line_samples_a_pickle_and_evaluation_asks_for_data(made, tmp_path):
    def run(*words):
        command = [sys.executable, 'launch.py', *words, '--compilation_cache=']
        done = subprocess.run(command, cwd=methods.ROOT, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    words = [f'--init_from={made[0]}', f'--workdir={tmp_path / "run"}']
    code, text = run(*words, '--mode=sample', '--num=2', '--seed=0')
    assert code == 0, text
    with np.load(tmp_path / 'run' / 'generated' / 'seed_0.npz') as samples:
        assert samples['images'].shape == (2, 8, 8, 1)
    code, text = run(*words, '--mode=evaluate', '--num=4')
    assert (code, text.count('\n')) == (2, 1)
    assert '--config.dataset=folder:PATH' in text
