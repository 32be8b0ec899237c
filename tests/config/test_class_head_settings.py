"""config.class_head: what it may say, and which networks it goes with."""

import methods
import pytest

from gan_jax.config import experiment
from gan_jax.errors import UserError

ACGAN = {'name': 'acgan', 'weight': 1.0}


def built(name, **changes):
    return experiment.rebuild(methods.shrunk(name, **changes))


@pytest.mark.parametrize(
    ('head', 'words'),
    [
        ({'name': 'acgann'}, "nearest valid name is 'acgan'"),
        ({'name': 'cross_entropy'}, "config.class_head.name 'cross_entropy' is unknown"),
        ({'weight': 1.0}, 'must be a dict with a name'),
        (3, 'must be a dict with a name'),
        ({**ACGAN, 'weight': -1.0}, 'config.class_head.weight=-1.0 must be at least 0'),
        ({**ACGAN, 'weight': '1'}, "config.class_head.weight='1' must be a number"),
        ({**ACGAN, 'temperature': 0.5}, 'config.class_head has none'),
        ({'name': 'reacgan', 'temprature': 0.5}, 'did you mean config.class_head.temperature?'),
        ({'name': 'reacgan', 'temperature': 0.0}, 'temperature must be above 0'),
        ({'name': 'reacgan', 'axis_name': 'x'}, 'config.class_head.axis_name is not a key'),
        ({'name': 'reacgan'}, 'needs features beside the classes'),
        (
            {'name': 'adcgan'},
            'config.discriminator: config.class_head needs 20 class logits, and the discriminator '
            'gives 10; use conditional.Classifier with per_class 1, or 2 for adcgan',
        ),
    ],
)
def test_a_wrong_head_is_one_line(head, words):
    with pytest.raises(UserError) as error:
        built('acgan', class_head=head)
    assert words in str(error.value)
    assert '\n' not in str(error.value)
    assert 'take any shape' not in str(error.value)


@pytest.mark.parametrize(
    ('name', 'words'),
    [
        ('dcgan', 'config.class_head needs a generator that asks for a label'),
        ('cgan', 'needs 10 class logits, and the discriminator gives none'),
        ('stylegan2_digits', 'config.class_head is not a key'),
    ],
)
def test_other_configs_refuse_a_head(name, words):
    with pytest.raises(UserError) as error:
        built(name, class_head=ACGAN)
    assert words in str(error.value)


def test_data_without_classes_are_refused():
    config = methods.shrunk('acgan')
    config['modality'] |= {'classes': None}
    with pytest.raises(UserError, match='the data set has no classes'):
        experiment.rebuild(config)


def test_packs_have_no_single_class():
    with pytest.raises(UserError, match='judge single examples'):
        built('acgan', cures={'packing': 2})


def test_adcgan_goes_with_two_logits_a_class():
    built('acgan', class_head={'name': 'adcgan'}, discriminator={'per_class': 2})


def test_an_empty_head_is_none():
    game = built('dcgan', class_head={}).game
    assert [turn.label for turn in game.turns] == ['discriminator', 'generator']
