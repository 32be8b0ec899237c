"""What is refused beside privacy, each in one line and before anything is compiled."""

import dataclasses
import sys

import methods
import numpy as np
import pytest

from gan_jax import data
from gan_jax.config import experiment, inputs, private, training
from gan_jax.errors import UserError

PLAIN = {'name': 'dcgan.Generator', 'width': 4, 'hidden': 8, 'norm': 'none'}
TOLD = PLAIN | {'name': 'conditional.Generator'}
DISCRIMINATION = {
    'generator': PLAIN,
    'discriminator': {'norm': 'none', 'minibatch': 'discrimination'},
}
ADA = {'augmentation': {'name': 'ada'}}


def private_config(name='gan', **changes):
    return methods.shrunk(name, **({'privacy': {}, 'eval_every': 0} | changes))


@pytest.fixture
def accounting():
    pytest.importorskip('dp_accounting', reason='the extra named privacy is not here')


@pytest.mark.parametrize(
    ('changes', 'line'),
    [
        ({'privacy': {'epsilom': 1.0}}, r'config\.privacy\.epsilom is not a key; .*\.epsilon\?'),
        ({'privacy': {'epsilon': 0}}, r'config\.privacy\.epsilon=0 must be above 0'),
        ({'privacy': {'delta': 1}}, r'config\.privacy\.delta=1 must be below 1'),
        ({'num_replicas': 2}, r'config\.num_replicas=2: each seed would spend'),
        ({'data': {'balanced': True}}, r'config\.data\.balanced=True: .*several times'),
        ({'data': {'labelled': 20}}, r'config\.data\.labelled=20: .*drawn apart'),
        ({'sample_labels': 'as_in_data'}, r'config\.sample_labels=.*counted in the data'),
        ({'cures': {'packing': 2}}, r'config\.cures\.packing=2: a pack is several'),
        ({'cures': {'unrolled_steps': 1}}, r'config\.cures\.unrolled_steps=1: .*foresee'),
        ({'discriminator': {'minibatch': 'stddev'}}, r'minibatch=.stddev. compares the examples'),
        ({'penalties': methods.LAZY_R1}, r'config\.penalties\.r1\.every=3 is a second query'),
    ],
)
def test_what_a_config_says_is_refused_before_the_data_are_read(changes, line):
    config = private_config()
    for key, value in changes.items():
        config[key] = config[key] | value if isinstance(value, dict) else value
    with pytest.raises(UserError, match=line):
        experiment.check(config)


def test_privacy_without_its_three_numbers_is_refused():
    config = private_config()
    config['privacy'] = {'epsilon': 1.0, 'clip': 1.0}
    with pytest.raises(UserError, match=r'config\.privacy\.delta is missing'):
        experiment.check(config)


@pytest.mark.parametrize(
    ('name', 'changes', 'line'),
    [
        (
            'gan',
            {'objective': 'relativistic_pairing_hinge'},
            r'the loss of generator reads real examples',
        ),
        ('dcgan', {'discriminator': {'norm': 'none'}}, r'config\.generator has batch norm'),
        ('dcgan', {'generator': PLAIN}, r'config\.discriminator has batch norm'),
        ('dcgan', DISCRIMINATION, r'over the devices'),
        ('gan', {'penalties': {'dragan': {'weight': 1.0}}}, r'over the devices'),
        ('gan', {'objective': 'relativistic_average_hinge'}, r'reads real examples'),
        ('gan', {'cures': ADA}, r'keeps from step to step would be moved by real'),
        ('gan', {'penalties': {'lecam': {'weight': 1.0}}}, r'keeps from step to step'),
        ('semi_supervised', {'generator': PLAIN}, r'the loss of generator reads real examples'),
        ('reacgan', {'generator': TOLD}, r'over the devices'),
        ('stylegan2_digits', {}, r'the loss of discriminator_r1 reads real examples'),
        ('ganomaly', {}, r'this game trains no discriminator'),
        ('pix2pix', {}, r'this game trains no discriminator against samples of a prior'),
        ('cyclegan', {}, r'this game trains no discriminator'),
        ('f_anogan', {}, r'this game trains no discriminator'),
    ],
)
def test_what_reads_or_mixes_examples_is_refused_by_its_trace(name, changes, line):
    plain = methods.shrunk(name, **({'eval_every': 0} | changes))
    built = experiment.rebuild(plain)
    with pytest.raises(UserError, match=line):
        private.check_game(built.game, built.example)


@pytest.mark.parametrize(
    ('name', 'changes'),
    [
        ('gan', {}),
        ('gan', {'objective': 'wasserstein', 'penalties': {'gradient_penalty': {'weight': 10.0}}}),
        ('gan', {'objective': 'hinge', 'cures': {'instance_noise': 0.1, 'label_flipping': 0.1}}),
        ('gan', {'cures': {'historical_averaging': 0.1, 'augmentation': {'name': 'diffaugment'}}}),
        ('cgan', {'generator': TOLD}),
        ('acgan', {'generator': TOLD}),
        ('sngan', {'generator': PLAIN}),
    ],
)
def test_others_may_be_private(name, changes):
    training.check(experiment.rebuild(private_config(name, **changes)), 8)


def dataset(num=1000, **changes):
    zeros = np.zeros((num, 16, 16, 1), np.uint8)
    made = data.Dataset('made', (16, 16, 1), ('a', 'b'), np.zeros(num, np.int32), zeros.__getitem__)
    return dataclasses.replace(made, **changes)


def settled(config, of=None):
    game = experiment.check(config)(shape=None)
    return inputs.privacy(config, game, of or dataset())


OPEN = {'noise_multiplier': None, 'padding': None, 'examples': None}


@pytest.mark.usefixtures('accounting')
class TestBudget:
    def test_the_noise_is_found_with_the_data_and_kept(self):
        config = private_config(steps=100)
        config['privacy'] |= OPEN
        found = settled(config)
        assert found['examples'] == 1000
        assert found['noise_multiplier'] == pytest.approx(1.0, abs=0.5)
        assert found['padding'] * 16 > 16 + 6 * 4
        again = private.as_begun(config['privacy'], found)
        assert settled(config | {'steps': 50, 'privacy': again}) == found

    def test_more_steps_than_the_budget_pays_for_are_refused(self):
        config = private_config(steps=100)
        config['privacy'] |= OPEN
        begun = private.as_begun(config['privacy'], settled(config))
        line = r'config\.steps=200 costs epsilon 1\d.*epsilon=10 pays for 100 turns'
        with pytest.raises(UserError, match=line):
            settled(config | {'steps': 200, 'privacy': begun})

    def test_a_generator_that_plays_less_often_costs_nothing(self):
        config = private_config(steps=100, generator_every=5)
        config['privacy'] |= OPEN
        other = private_config(steps=100)
        other['privacy'] |= OPEN
        assert settled(config) == settled(other)

    def test_padding_that_is_too_little_is_refused(self):
        config = private_config(steps=10)
        config['privacy'] |= {'padding': 1}
        with pytest.raises(UserError, match=r'padding=1: batches of more than 16 examples'):
            settled(config)

    def test_the_ledger_says_what_was_spent(self):
        config = private_config(steps=100)
        config['privacy'] |= OPEN
        game = experiment.check(config)(shape=None)
        config['privacy'] = settled(config)
        spent = private.ledger(config['privacy'], 16, game)
        assert 9.9 < spent(100)['privacy/epsilon'] <= 10
        assert 0 < spent(1)['privacy/epsilon'] < spent(50)['privacy/epsilon'] < 9
        assert spent(0) == {'privacy/epsilon': 0.0, 'privacy/delta': 1e-5}


@pytest.mark.parametrize(
    ('of', 'changes', 'line'),
    [
        (dataset(10), {}, r'config\.batch_size=16 is expected of 10 examples'),
        (dataset(fitted={'means': [0.0]}), {}, r'what is fitted to made \(means\)'),
        (dataset(), {'delta': 1e-3}, r'delta=0\.001 lets one of 1000 examples be published'),
    ],
)
def test_data_that_cannot_be_private_are_refused(of, changes, line):
    config = private_config()
    config['privacy'] |= changes
    with pytest.raises(UserError, match=line):
        settled(config, of)


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, 'dp_accounting', None)
    config = private_config(steps=77)
    config['privacy'] |= OPEN
    with pytest.raises(UserError, match=r"config\.privacy: .*pip install -e '\.\[privacy\]'"):
        settled(config)


def test_where_nothing_is_private_nothing_is_said():
    config = methods.shrunk('gan')
    assert settled(config) == {}
    assert private.ledger({}, 16, None)(5) == {}
    assert private.bounds({}) == {}
    assert private.drawing({}, 16) is data.batch_at
    assert private.as_begun({}, {}) == {}


@pytest.mark.parametrize('metrics', [('sliced_wasserstein',), ('membership',)])
def test_figures_of_what_is_trained_on_are_refused_in_training(metrics, monkeypatch):
    config = private_config(eval_every=10)
    best = {'sliced_wasserstein': 'sliced_wasserstein', 'membership': 'membership_auroc'}
    chosen = {'metrics': metrics, 'best': best[metrics[0]]}
    config['evaluation'] = config['evaluation'] | chosen
    built = experiment.rebuild(config)
    held_out = None if metrics[0] == 'sliced_wasserstein' else dataset()
    built.__dict__['held_out'] = held_out
    with pytest.raises(UserError, match=rf'config\.eval_every=10: {metrics[0]} would be'):
        private.check_evaluation(built)


def test_figures_of_held_out_examples_are_said_to_be_so(caplog):
    built = experiment.rebuild(private_config(eval_every=10))
    built.__dict__['held_out'] = dataset(name='others')
    private.check_evaluation(built)
    assert 'of others, whose examples have no privacy here' in caplog.text
