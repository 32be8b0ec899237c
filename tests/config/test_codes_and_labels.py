"""What configs of InfoGAN and of semi-supervised learning may say."""

import methods
import pytest

from gan_jax.config import experiment
from gan_jax.errors import UserError

CODED = {'name': 'coded', 'size': 8, 'categories': 10, 'continuous': 2}


def built(config):
    experiment.check(config)
    return experiment.rebuild(config)


def refused(name, **changes):
    with pytest.raises(UserError) as error:
        built(methods.shrunk(name, **changes))
    assert '\n' not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'information': {'categry': 1.0}}, 'did you mean config.information.category?'),
        ({'information': {'category': -1.0}}, 'config.information.category=-1.0 must be at least'),
        ({'information': {'category': 'x'}}, 'must be a number'),
        ({'information': {}}, 'weighs no code'),
        ({'information': 3}, 'config.information=3 must be a dict'),
        ({'latent': {'name': 'normal', 'size': 8}}, "draws no category; give it the name 'coded'"),
        ({'latent': CODED | {'categories': 1}}, 'categories must be at least 2, not 1'),
        ({'latent': CODED | {'categories': 2.5}}, 'config.latent.categories=2.5 must be'),
        ({'latent': {'name': 'coded', 'size': 8, 'categories': 3}}, 'latent.continuous is missing'),
        ({'recognizer': {'name': 'infogan.Recogniser'}}, "nearest valid name is 'infogan.Recog"),
        (
            {'recognizer': {'name': 'infogan.Recognizer', 'categories': 3}},
            'categories is not a key',
        ),
        ({'generator': {'name': 'dcgan.Generator'}}, 'asks for no category'),
        ({'discriminator': {'name': 'dcgan.Discriminator'}}, 'gives no features to read codes'),
        ({'cures': {'packing': 2}}, 'config.cures.packing=2'),
        ({'data': {'labelled': 100}}, "'infogan' does not learn from few labels"),
    ],
)
def test_a_wrong_word_of_codes_is_one_line(changes, words):
    if 'data' in changes:
        changes = {'data': methods.shrunk('infogan')['data'] | changes['data']}
    assert words in refused('infogan', **changes)


def test_fewer_and_more_codes_are_a_game():
    for continuous in (0, 3):
        latent = CODED | {'categories': 4, 'continuous': continuous}
        game = experiment.rebuild(methods.shrunk('infogan', latent=latent)).game
        assert game.movers == {'generator', 'discriminator', 'recognizer'}


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'classification': {'wait': 1.0}}, 'did you mean config.classification.weight?'),
        ({'classification': {'weight': -1}}, 'config.classification.weight=-1 must be at least 0'),
        ({'matching': 'squared_nrom'}, "nearest valid name is 'squared_norm'"),
        ({'matching': 2}, 'config.matching 2 is unknown'),
        ({'adversarial_weight': -0.5}, 'config.adversarial_weight=-0.5 must be at least 0'),
        ({'discriminator': {'name': 'mlp.Discriminator'}}, 'use semi_supervised.Classifier'),
        ({'data': {'labelled': 0}}, 'learns from few labels; say how many'),
        ({'data': {'labelled': -10}}, 'config.data.labelled=-10 must be at least 0'),
        ({'data': {'labelled': 1.5}}, 'config.data.labelled=1.5 must be an integer'),
        ({'cures': {'packing': 2}}, 'config.cures.packing=2'),
    ],
)
def test_a_wrong_word_of_few_labels_is_one_line(changes, words):
    if 'data' in changes:
        changes = {'data': methods.shrunk('semi_supervised')['data'] | changes['data']}
    assert words in refused('semi_supervised', **changes)
