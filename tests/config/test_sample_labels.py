"""What a config may say of the classes of batches and of samples."""

import jax
import methods
import numpy as np
import pytest

from gan_jax import data, keys
from gan_jax.config import experiment, inputs
from gan_jax.errors import UserError

RNG = keys.per_example(jax.random.key(0), 3000)


def refused(name, **changes):
    config = methods.shrunk(name, **changes)
    with pytest.raises(UserError) as error:
        experiment.check(config)
    assert '\n' not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ('name', 'changes', 'words'),
    [
        ('reacgan', {'sample_labels': 'as_in_date'}, "must be 'balanced' or 'as_in_data'"),
        ('reacgan', {'sample_labels': True}, 'config.sample_labels=True must be'),
        ('dcgan', {'sample_labels': 'as_in_data'}, 'these networks ask for no label; leave it'),
        ('dcgan', {'data': {'balanced': 'yes'}}, "config.data.balanced='yes' must be True or"),
    ],
)
def test_a_wrong_word_is_one_line(name, changes, words):
    if 'data' in changes:
        changes = {'data': methods.shrunk(name)['data'] | changes['data']}
    assert words in refused(name, **changes)


def unbalanced(*_, **__):
    labels = np.repeat(np.arange(4, dtype=np.int32), (6, 2, 0, 2))
    images = np.zeros((10, 16, 16, 1), np.uint8)
    return data.Dataset('x', (16, 16, 1), tuple('abcd'), labels, images.__getitem__)


def test_samples_have_the_shares_of_the_data_if_they_are_to(monkeypatch):
    monkeypatch.setattr(data, 'load', unbalanced)
    config = methods.shrunk('reacgan', batch_size=8, modality={}, sample_labels='as_in_data')
    built = experiment.build(config)
    assert built.config['modality']['class_shares'] == [0.6, 0.2, 0.0, 0.2]
    for run in (built, experiment.rebuild(built.config)):
        drawn = run.game.functions['prior'](RNG)['label']
        shares = np.bincount(drawn, minlength=4) / len(drawn)
        assert np.abs(shares - [0.6, 0.2, 0, 0.2]).max() < 0.03
    plain = experiment.build(config | {'sample_labels': 'balanced'})
    assert 'class_shares' not in plain.config['modality']


def test_balanced_batches_are_those_of_training_alone(monkeypatch):
    monkeypatch.setattr(data, 'load', unbalanced)
    config = methods.shrunk('reacgan')
    config['data'] |= {'balanced': True}
    assert np.bincount(inputs.load_fed(config).labels).tolist() == [6, 6, 0, 6]
    assert len(inputs.load_held_out(config)) == 10
    assert len(inputs.load_scored(config, 'test')) == 10
    config['data'] |= {'labelled': 4}
    with pytest.raises(UserError, match=r'config\.data\.balanced=True: the 4 examples'):
        inputs.load_fed(config)
