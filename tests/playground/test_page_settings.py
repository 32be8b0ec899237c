"""Settings of the page: checked as the command line's are, in one line each."""

import methods
import pytest

from gan_jax.errors import UserError
from gan_jax.playground import settings

BASE = methods.shrunk('playground')


def refusal(words, base=BASE):
    with pytest.raises(UserError) as caught:
        settings.choose(base, words)
    said = str(caught.value)
    assert '\n' not in said
    return said


def test_what_is_not_said_is_as_in_the_config():
    chosen = settings.choose(BASE, {})
    assert chosen.words == settings.defaults(BASE)
    assert chosen.mixture.name == 'ring8'
    assert chosen.rates == {'generator': 1e-3, 'discriminator': 1e-3}
    assert chosen.experiment.config['objective'] == 'non_saturating'
    assert chosen.experiment.config['penalties'] == {}


def test_words_change_the_config_as_flags_do():
    words = {'objective': 'hinge', 'penalties.r1.weight': '0.1', 'cures.packing': '2'}
    words |= {'simultaneous': 'True', 'num_replicas': '3', 'set': 'line'}
    chosen = settings.choose(BASE, words)
    config = chosen.experiment.config
    assert config['objective'] == 'hinge'
    assert config['penalties'] == {'r1': {'weight': 0.1}}
    assert config['cures']['packing'] == 2
    assert config['simultaneous'] is True
    assert len(chosen.experiment.seeds) == 3
    assert chosen.mixture.name == 'line'
    assert chosen.words == {**settings.defaults(BASE), **words}


def test_data_and_rates_need_no_new_program():
    first = settings.choose(BASE, {})
    words = {'set': 'gaussian', 'optimizers.generator.learning_rate': '0.01'}
    second = settings.choose(BASE, words, first)
    assert second.experiment is first.experiment
    assert second.rates['generator'] == 0.01
    assert settings.choose(BASE, {'seed': '1'}, first).experiment is not first.experiment


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        ({'objectiv': 'hinge'}, "'objectiv' cannot be changed here; did you mean 'objective'?"),
        ({'dataset': 'folder:/'}, "'dataset' cannot be changed here"),
        ({'init_from': 'x'}, "'init_from' cannot be changed here"),
        ({'objective': 'hing'}, "objective='hing' is unknown; the nearest valid one is 'hinge'"),
        ({'objective': 3}, 'objective=3 must be a text'),
        ({'generator.width': '1000000'}, 'generator.width=1000000 must be from 1 to 256'),
        ({'generator.width': 'wide'}, "generator.width='wide' must be a whole number"),
        ({'cures.top_k': 'nan'}, 'cures.top_k=nan must be from 0.1 to 1'),
        ({'cures.instance_noise': 'x'}, "cures.instance_noise='x' must be a number"),
        ({'num_replicas': '5'}, "num_replicas='5' is unknown; the nearest valid one is"),
        ({'optimizers.generator.learning_rate': '0'}, 'learning_rate=0'),
        ({'set': 'moons'}, "set 'moons' is unknown; the nearest valid name is 'two_moons'"),
        ({'batch_size': '9', 'cures.packing': '2'}, 'config.batch_size=9 cannot be divided'),
    ],
)
def test_what_cannot_be_is_refused(words, said):
    assert said in refusal(words)


def test_what_the_command_line_said_may_stay():
    base = {**BASE, 'batch_size': 1024}
    chosen = settings.choose(base, {'batch_size': '1024', 'objective': 'hinge'})
    assert chosen.experiment.config['batch_size'] == 1024
    assert 'batch_size=1025 must be from 8 to 512' in refusal({'batch_size': '1025'}, base)


def test_a_config_of_other_data_is_refused_with_a_remedy():
    said = refusal({}, methods.shrunk('dcgan'))
    assert "config.dataset='mnist_5k': the playground shows points of the plane" in said
    assert 'one of grid25, ring8, spiral, two_moons, or start from' in said
    assert '--config=configs/playground.py' in said


def test_a_game_that_is_not_of_latents_alone_is_refused():
    codes = {'name': 'coded', 'size': 2, 'categories': 2, 'continuous': 0}
    changed = {**BASE, 'latent': codes}
    said = refusal({}, changed)
    assert "config.game='gan' with these latents and networks cannot be shown, since" in said


def test_a_rate_that_falls_is_no_control():
    keys = {x.key for x in settings.controls(methods.load_config('ring8').to_dict())}
    assert 'optimizers.generator.learning_rate' not in keys
    assert 'generator.width' in keys
