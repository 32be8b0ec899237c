"""What a config stands for: data read once, players of another run, networks with labels."""

import shutil

import flax.linen as nn
import jax
import jax.numpy as jnp
import methods
import numpy as np
import pytest

from gan_jax import data, keys, loop, networks, stabilization
from gan_jax import game as game_lib
from gan_jax.commands import report
from gan_jax.config import experiment, fit, inputs, resolve
from gan_jax.errors import UserError
from gan_jax.networks import mlp

TIMES = {'steps': 2, 'log_every': 2, 'sample_every': 2, 'checkpoint_every': 2, 'eval_every': 2}
EMA = {'ema': {'generator': {'half_life': 1000, 'ramp_up': None}}}


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    """A run of the smallest GAN on digits, its report, and how often data were read."""
    workdir, load, calls = tmp_path_factory.mktemp('run'), data.load, []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, 'load', lambda *a, **k: calls.append(k['split']) or load(*a, **k))
        done = loop.train(methods.shrunk('gan', **TIMES, **EMA), workdir)
        report.write_report(workdir, experiment=done)
    return workdir, calls


def test_a_data_set_is_read_once_for_training_pictures_evaluation_and_the_report(finished):
    _, calls = finished
    assert calls == ['train', 'test']  # digits have no such split, which is found once, too


def test_a_saved_run_needs_no_data(finished, monkeypatch):
    monkeypatch.setattr(data, 'load', None)
    run = experiment.restore(finished[0])
    assert run.experiment.modality.shape == (methods.SIZE, methods.SIZE, 1)
    assert run.step == 2


def from_run(workdir, **changes):
    return methods.shrunk('gan', **TIMES, **changes, init_from=str(workdir), seed=7)


def test_another_runs_players_are_taken_as_its_samples_have_them(finished, tmp_path):
    other = experiment.restore(finished[0])
    params, _ = game_lib.averaged(other.state)
    begun = experiment.build(from_run(finished[0]))
    state = begun.begin()
    methods.assert_trees_equal(state.players['generator'].params, params['generator'])
    methods.assert_trees_equal(state.players['discriminator'].params, params['discriminator'])
    plain = begun.init()
    assert methods.any_difference(plain.players['generator'].params, params['generator'])
    np.testing.assert_array_equal(state.rng, plain.rng)
    assert begun.config['init_config']['seed'] == other.experiment.config['seed'] == 0


def test_a_run_so_begun_goes_on_without_the_other(finished, tmp_path):
    workdir, source = tmp_path / 'run', tmp_path / 'source'
    shutil.copytree(finished[0], source)
    config = from_run(source)
    assert loop.train(config, workdir)
    shutil.rmtree(source / 'checkpoints')
    assert loop.train(config | {'steps': 4}, workdir)
    assert experiment.restore(workdir).step == 4


@pytest.mark.parametrize(
    ('changes', 'said'),
    [
        ({'generator': {'name': 'mlp.Generator', 'features': [4]}}, 'its generator has other'),
        ({'init_from': 'nowhere'}, 'nowhere holds no run'),
    ],
)
def test_a_run_that_does_not_fit_is_refused(finished, changes, said):
    config = from_run(finished[0]) | changes
    with pytest.raises(UserError, match=said):
        experiment.build(config).begin()


class Labelled(nn.Module):
    """A generator, or with a logit a discriminator, of examples and their labels."""

    shape: tuple
    classes: int
    logit: bool = False

    @nn.compact
    def __call__(self, x, label, train):
        told = jnp.concatenate([x.reshape(len(x), -1), jax.nn.one_hot(label, self.classes)], -1)
        player = mlp.Discriminator if self.logit else mlp.Generator
        return player(self.shape, [8])(told, train)


@pytest.fixture
def labelled(monkeypatch):
    """A config whose networks ask for the class."""
    monkeypatch.setattr(networks.mlp, 'Labelled', Labelled, raising=False)
    monkeypatch.setattr(Labelled, '__module__', mlp.__name__)
    config = methods.shrunk('gan')
    for player in ('generator', 'discriminator'):
        config[player] = {'name': 'mlp.Labelled', 'logit': player == 'discriminator'}
    config['modality'] = {**config['modality'], 'classes': 10}
    return config


def test_a_key_asks_for_orthogonal_kernels_of_the_generator():
    plain, game = (
        experiment.rebuild(methods.shrunk('gan', cures={'orthogonal': x})).game for x in (0.0, 2.0)
    )
    batch = methods.batch(methods.shrunk('gan'))
    params, aux = plain.init(jax.random.key(0), batch)
    rng = keys.per_example(jax.random.key(1), len(batch['label']))
    losses = [x.turns[-1].loss(params, aux, batch, rng)[0] for x in (plain, game)]
    want = 2 * stabilization.orthogonal(params['generator'])
    assert want > 1e-3
    np.testing.assert_allclose(losses[1] - losses[0], want, rtol=1e-4)


def test_networks_that_ask_for_a_label_are_given_it(labelled):
    """The batch's in training, for both sides; the prior's in samples."""
    game = experiment.rebuild(labelled).game
    batch = methods.batch(labelled)
    params, aux = game.init(jax.random.key(0), batch)
    rng = jax.random.split(jax.random.key(1), len(batch['label']))
    drawn = game.functions['prior'](rng)
    assert drawn['label'].dtype == np.int32
    assert {*np.unique(drawn['label'])} <= {*range(10)}
    loss = jax.jit(lambda batch: game.turns[0].loss(params, aux, batch, rng)[0])
    other = batch | {'label': (batch['label'] + 1) % 10}
    assert loss(batch) != loss(other)
    one, two = (
        game.functions['sample'](params, aux, drawn | {'label': jnp.full(16, k)}) for k in (0, 1)
    )
    assert np.abs(one - two).max() > 1e-4
    same = game.functions['sample'](params, aux, drawn)
    np.testing.assert_array_equal(same, game.functions['sample'](params, aux, {**drawn}))


def test_what_cannot_be_labelled_is_refused(labelled):
    plain = labelled | {'modality': {**labelled['modality'], 'classes': None}}
    with pytest.raises(UserError, match='the data set has no classes'):
        experiment.rebuild(plain)
    packed = labelled | {'cures': labelled['cures'] | {'packing': 2}}
    with pytest.raises(UserError, match=r'packing=2: networks that ask for a label'):
        experiment.rebuild(packed)


def test_a_draft_of_a_game_knows_its_functions_before_the_data_are_read(labelled):
    draft = resolve.resolve_game(labelled)(shape=None)
    assert {'prior', 'sample'} <= draft.functions.keys()
    inputs.check_sources(labelled, draft)


@pytest.mark.parametrize(
    ('metrics', 'held_out', 'classes', 'functions', 'said'),
    [
        (['modes'], True, 10, ('score',), 'the metric modes needs points drawn from a mixture'),
        (['overfitting'], True, 10, (), 'overfitting needs a game whose discriminator scores'),
        (['classification_accuracy'], True, 1, ('score',), 'needs samples with labels'),
        (['memorised', 'overfitting'], False, 10, ('score',), 'has no other split to compare'),
        (['memorised', 'overfitting'], True, 10, ('score',), ''),
        (['memorised', 'sliced_wasserstein'], False, 1, (), ''),
        (['frechet_distance', 'psnr'], False, 10, (), ''),
    ],
)
def test_metrics_are_compared_with_what_data_and_game_have(
    metrics, held_out, classes, functions, said
):
    names = tuple(str(i) for i in range(classes))
    images = np.zeros((4, 8, 8, 1), np.uint8)
    source = data.sources.from_arrays('mine', images, np.zeros(4, np.int32), names)
    dataset = data.load(source, image_size=None)
    game = game_lib.Game(None, (), dict.fromkeys(functions))
    if said:
        with pytest.raises(UserError, match=said):
            fit.check_evidence(metrics, dataset, game, held_out)
    else:
        fit.check_evidence(metrics, dataset, game, held_out)


def told(rng):
    return {'label': jnp.zeros(len(rng), jnp.int32)}


def test_classes_of_another_set_are_compared_by_name_not_by_place():
    """A folder without the class 'a' would have its 'b' taken for it."""

    def of(*names):
        images = np.zeros((4, 8, 8, 1), np.uint8)
        source = data.sources.from_arrays('mine', images, np.zeros(4, np.int32), names)
        return data.load(source, image_size=None)

    asked = ['intra_class_frechet_distance']
    conditional = game_lib.Game(None, (), {'prior': told, 'score': None})
    fit.check_classes(asked, of('a', 'b'), of('a', 'b'), conditional)
    fit.check_classes(['frechet_distance'], of('a', 'b'), of('b', 'c'), conditional)
    fit.check_classes(asked, of('a', 'b'), of('b', 'c'), game_lib.Game(None, (), {}))
    with pytest.raises(UserError, match='compares classes, and mine has others than mine'):
        fit.check_classes(asked, of('a', 'b'), of('b', 'c'), conditional)
    with pytest.raises(UserError, match='metric overfitting compares classes'):
        fit.check_classes(['overfitting'], of('a', 'b'), of('b', 'c'), conditional)


def test_examples_without_classes_are_not_scored_where_samples_have_labels():
    def of(*names):
        images = np.zeros((4, 8, 8, 1), np.uint8)
        source = data.sources.from_arrays('mine', images, np.zeros(4, np.int32), names)
        return data.load(source, image_size=None)

    conditional = game_lib.Game(None, (), {'prior': told, 'score': None})
    fit.check_evidence(['overfitting'], of('a', 'b'), conditional, True)
    with pytest.raises(UserError, match='overfitting needs a game whose discriminator scores'):
        fit.check_evidence(['overfitting'], of('a'), conditional, True)
