"""What a config says of StyleGAN2: its keys, and networks that are a package."""

import jax
import methods
import numpy as np
import pytest

from gan_jax import optimizers, penalties
from gan_jax.config import experiment, overrides, resolve
from gan_jax.errors import UserError

LENGTHS = {'weight': 2.0}
DIGITS = methods.shrunk('stylegan2_digits', path_length=LENGTHS | {'every': 4})


def labels(config):
    experiment.check(config)
    return [turn.label for turn in experiment.rebuild(config).game.turns]


@pytest.mark.parametrize(
    ('key', 'value', 'words'),
    [
        ('style_mixing', 1.5, 'config.style_mixing=1.5 must be at most 1'),
        ('style_mixing', -0.1, 'config.style_mixing=-0.1 must be at least 0'),
        ('style_mixing', True, 'config.style_mixing=True must be a number'),
        ('stylemixing', 0.5, 'did you mean config.style_mixing?'),
        ('path_length', None, 'config.path_length=None must be a dict'),
        ('path_length', 2.0, 'config.path_length=2.0 must be a dict'),
        ('path_length', {'every': 4}, 'config.path_length.weight is missing'),
        ('path_length', LENGTHS | {'wieght': 1.0}, 'did you mean config.path_length.weight?'),
        ('path_length', {'weight': -1.0}, 'config.path_length.weight=-1.0 must be at least 0'),
        ('path_length', {'weight': 'x'}, "config.path_length.weight='x' must be a number"),
        ('path_length', LENGTHS | {'every': 0}, 'config.path_length.every=0 must be at least 1'),
        ('path_length', LENGTHS | {'every': 2.5}, 'every=2.5 must be an integer'),
        ('path_length', LENGTHS | {'decay': 1.5}, 'config.path_length.decay=1.5 must be at most'),
        ('path_length', LENGTHS | {'shrink': 0}, 'config.path_length.shrink=0 must be at least 1'),
        ('generator_every', 2, 'config.generator_every is not a key'),
        ('generator', DIGITS['generator'] | {'conditional': True}, 'must be both True or both'),
        ('generator', DIGITS['generator'] | {'name': 'stylegan2.Generater'}, 'stylegan2.Generator'),
        ('generator', {'name': 'dcgan.Generator'}, 'do the networks fit this game?'),
        ('generator', DIGITS['generator'] | {'w_avg_decay': 1.5}, 'w_avg_decay=1.5 must be from 0'),
        (
            'generator',
            DIGITS['generator'] | {'mapping_rate': 0.0},
            'mapping_rate=0.0 must be above',
        ),
        ('discriminator', DIGITS['discriminator'] | {'architecture': 'x'}, "architecture='x'"),
    ],
)
def test_a_mistake_is_named_in_one_line(key, value, words):
    with pytest.raises(UserError) as caught:
        labels(DIGITS | {key: value})
    assert words in str(caught.value)
    assert '\n' not in str(caught.value)


def test_a_missing_path_length_is_named():
    with pytest.raises(UserError, match=r'config\.path_length is missing'):
        labels({key: x for key, x in DIGITS.items() if key != 'path_length'})


def test_the_path_length_is_a_turn_unless_there_is_none():
    turns = ['discriminator', 'discriminator_r1', 'generator']
    for none in ({}, {'weight': 0.0}, {'weight': 0, 'every': 4}):
        assert labels(DIGITS | {'path_length': none}) == turns
    for some in (LENGTHS, LENGTHS | {'every': 8, 'decay': 0.1, 'shrink': 1}):
        assert labels(DIGITS | {'path_length': some}) == [*turns, 'generator_path_length']


def test_its_options_reach_the_penalty():
    given = LENGTHS | {'every': 8, 'decay': 0.25, 'shrink': 3}
    found = resolve._path_length('config.path_length', given)({})
    assert (found.weight, found.every, found.shrink) == (2.0, 8, 3)
    assert found.function.func is penalties.path_length
    assert found.function.keywords == {'axis_name': 'data', 'decay': 0.25}
    default = resolve._path_length('config.path_length', LENGTHS)({})
    assert (default.every, default.shrink) == (4, 2)
    assert default.function.keywords == {'axis_name': 'data'}


def test_flags_set_them():
    file = methods.load_config('stylegan2_digits')
    flags = [('path_length.weight', '0'), ('style_mixing', '0.5'), ('path_length.every', '8')]
    config = overrides.apply(file, flags)
    assert config['path_length'] == {'weight': 0.0, 'every': 8}
    assert config['style_mixing'] == 0.5


def test_the_players_optimizers_are_corrected_for_the_lazy_turns():
    """The first step of Adam is the rate: 16/17 of it for D, 4/5 for G, and of 0.99 the powers."""
    game = experiment.rebuild(DIGITS).game
    for player, share in (('discriminator', 16 / 17), ('generator', 4 / 5)):
        assert optimizers.lazy_correction(game.turns, player) == pytest.approx(share)
        made = experiment.rebuild(DIGITS).optimizers[player]
        params = {'w': np.ones(1, np.float32)}
        with jax.numpy_dtype_promotion('standard'):
            moved, state = made.update(params, made.init(params), params)
            assert float(moved['w'][0]) == pytest.approx(-2.5e-3 * share, rel=1e-3)
            (adam,) = (x for x in jax.tree.leaves(state, is_leaf=is_adam) if is_adam(x))
        np.testing.assert_allclose(adam.nu['w'], 1 - 0.99**share, rtol=1e-4)
        np.testing.assert_allclose(adam.mu['w'], 1.0)  # b1 is 0 to whatever power


def is_adam(x):
    return hasattr(x, 'nu')


def test_labels_are_drawn_where_both_networks_ask_for_them():
    told = {
        player: DIGITS[player] | {'conditional': True} for player in ('generator', 'discriminator')
    }
    unlabelled = {name: x for name, x in DIGITS['modality'].items() if name != 'classes'}
    config = DIGITS | told | {'modality': unlabelled}
    with pytest.raises(UserError, match='the data set has no classes'):
        experiment.rebuild(config)
    config['modality'] = config['modality'] | {'classes': 3}
    game = experiment.rebuild(config).game
    drawn = game.functions['prior'](jax.random.split(jax.random.key(0), 100), truncation=0.5)
    assert {*np.asarray(drawn['label']).tolist()} == {0, 1, 2}
    assert (drawn['truncation'] == 0.5).all()


def test_networks_may_be_a_package_and_what_they_share_is_none():
    found = resolve._networks().parts
    own = {name for name in found if name.startswith('stylegan2.')}
    assert own == {'stylegan2.Generator', 'stylegan2.Discriminator'}
    assert not [name for name in found if name.partition('.')[0] in ('layers', 'features')]
    assert 'dcgan.Generator' in found
