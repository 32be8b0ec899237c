"""Networks that the batch or the machine does not suit are refused before anything is compiled."""

import jax
import jax.numpy as jnp
import methods
import numpy as np
import pytest

from gan_jax.config import experiment, fit, training
from gan_jax.errors import UserError

LONELY = r'makes 0 of a single number: nothing would be learned'


def check(name, devices=1, **changes):
    config = methods.shrunk(name, **({'eval_every': 0} | changes))
    training.check(experiment.rebuild(config), devices)


def packed(num):
    return {'packing': num}


@pytest.mark.parametrize(
    ('name', 'devices', 'changes'),
    [
        ('ring8', 1, {'batch_size': 1}),
        ('ring8', 1, {'batch_size': 16, 'micro_batches': 16}),
        ('vectors', 1, {'batch_size': 1, 'generator': {'name': 'mixture.Generator', 'width': 4}}),
        ('dcgan', 1, {'batch_size': 4, 'micro_batches': 4,
                      'generator': {'name': 'dcgan.Generator', 'width': 4, 'hidden': 8}}),
    ],
)  # fmt: skip
def test_batch_normalisation_of_single_numbers_is_refused(name, devices, changes):
    with pytest.raises(UserError, match=LONELY):
        check(name, devices, **changes)


@pytest.mark.parametrize(
    ('name', 'devices', 'changes'),
    [
        ('ring8', 2, {'batch_size': 2}),  # statistics are of all devices
        ('ring8', 1, {'batch_size': 2}),
        ('vectors', 1, {'batch_size': 1}),  # no normalisation
        ('pix2pix', 1, {'batch_size': 1}),  # instance normalisation
        ('dcgan', 1, {'batch_size': 1,
                      'generator': {'name': 'dcgan.Generator', 'width': 4, 'hidden': 0},
                      'discriminator': {'name': 'dcgan.Discriminator', 'norm': 'none'}}),  # maps
        ('gan', 1, {'batch_size': 1}),
        # Maps; and spectral norm has such a collection, too.
        pytest.param('sngan', 1, {'batch_size': 1}, marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_other_parts_of_one_example_are_borne(name, devices, changes):
    check(name, devices, **changes)


@pytest.mark.slow
def test_what_is_refused_learns_nothing():
    """The gradient of the generator is exactly 0, which the loss does not show."""
    config = methods.shrunk('ring8', batch_size=1)
    game = experiment.rebuild(config).game
    batch = methods.batch(config)
    params, aux = game.init(jax.random.key(0), batch)
    turn = next(x for x in game.turns if x.player == 'generator')
    keys = jax.random.split(jax.random.key(1), 1)

    def loss(own):
        return turn.loss(params | {'generator': own}, aux | {'step': 1}, batch, keys)[0]

    gradients = jax.grad(lambda own: jax.vmap(loss, None, axis_name='data', axis_size=1)(own)[0])
    found = jax.jit(gradients)(params['generator'])
    first = [x for path, x in jax.tree_util.tree_leaves_with_path(found) if 'Dense_0' in str(path)]
    assert first
    assert all(not np.any(x) for x in first)


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'batch_size': 2**24, 'steps_per_dispatch': 10**6}, 'config.batch_size'),
        ({'num_samples': 2**24}, 'config.num_samples needs at least 17.25 GB'),
        ({'eval_samples': 2**24, 'eval_every': 1}, 'config.eval_samples'),
        ({'generator': {'name': 'mlp.Generator', 'features': [2**20, 2**20]}}, 'the networks'),
    ],
)
def test_what_is_larger_than_the_memory_is_refused(monkeypatch, changes, words):
    monkeypatch.setattr(fit, 'memory', lambda: 8e9)
    with pytest.raises(UserError, match=words):
        check('gan', **changes)


def test_bytes_are_counted():
    assert fit.size({'a': jnp.zeros((3, 4)), 'b': jax.ShapeDtypeStruct((5,), jnp.int8)}) == 53
    assert fit.memory() > 1e6
