import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.networks import recurrent

KEY = jax.random.key(0)
SHAPE = (6, 3)
SERIES = jax.random.uniform(KEY, (2, *SHAPE))
LATENT = jax.random.normal(KEY, (2, 24))


def count(variables):
    return sum(x.size for x in jax.tree.leaves(variables['params']))


@pytest.mark.parametrize(
    ('cell', 'units'),
    [
        # Per unit: three gates of what is told with a bias, three of the state, one with a bias.
        ('gru', 3 * (4 + 1) + 3 * 5 + 1),
        # Four gates of what is told, and of the state with a bias.
        ('lstm', 4 * 4 + 4 * (5 + 1)),
    ],
)
def test_a_generators_parameters(cell, units):
    network = recurrent.Generator(SHAPE, width=5, cell=cell)
    variables = network.init(KEY, LATENT)
    assert count(variables) == 5 * units + 3 * (5 + 1)
    assert network.apply(variables, LATENT).shape == (2, *SHAPE)


def test_a_latent_is_read_step_by_step():
    """The last quarter of the noise has no say in the steps before it."""
    network = recurrent.Generator(SHAPE, width=5, layers=2)
    variables = network.init(KEY, LATENT)
    before = network.apply(variables, LATENT)
    after = network.apply(variables, LATENT.at[:, 16:].add(1.0))
    np.testing.assert_array_equal(before[:, :4], after[:, :4])
    assert (np.abs(before - after)[:, 4:] > 0).all()
    again = network.apply(variables, LATENT.reshape(2, 6, 4))
    np.testing.assert_array_equal(before, again)


def test_what_is_static_every_step_is_given():
    latent = jnp.arange(12.0).reshape(1, 12)
    given = recurrent.in_steps(latent, (3, 1), static=6)
    np.testing.assert_array_equal(given[0, :, :6], np.tile(np.arange(6), (3, 1)))
    np.testing.assert_array_equal(given[0, :, 6:], [[6, 7], [8, 9], [10, 11]])
    alone = recurrent.in_steps(latent, (3, 1), static=12)
    np.testing.assert_array_equal(alone, np.tile(np.arange(12), (1, 3, 1)))


def test_static_noise_alone_is_a_latent():
    network = recurrent.Generator(SHAPE, width=5, static=24)
    variables = network.init(KEY, LATENT)
    before = network.apply(variables, LATENT)
    after = network.apply(variables, LATENT.at[:, 16:].add(1.0))
    assert before.shape == (2, *SHAPE)
    assert (np.abs(before - after) > 0).all()


@pytest.mark.parametrize(('output', 'low'), [('sigmoid', 0), ('tanh', -1), ('linear', -np.inf)])
def test_the_output_is_squashed_as_asked(output, low):
    network = recurrent.Generator(SHAPE, width=5, output=output)
    variables = network.init(KEY, LATENT)
    dense = variables['params']['Dense_0']
    raw = {**variables['params'], 'Dense_0': {**dense, 'bias': dense['bias'] - 30}}
    made = network.apply({'params': raw}, LATENT)
    assert made.max() < low + 1e-6 if np.isfinite(low) else made.max() < -20


def test_states_are_between_0_and_1_and_as_wide_as_asked():
    network = recurrent.States(SHAPE, width=7, layers=2)
    variables = network.init(KEY, SERIES)
    states = network.apply(variables, SERIES)
    assert states.shape == (2, 6, 7)
    assert (states > 0).all()
    assert (states < 1).all()
    changed = network.apply(variables, SERIES.at[:, 3].add(1.0))
    np.testing.assert_array_equal(states[:, :3], changed[:, :3])


@pytest.mark.parametrize(('both_ways', 'first'), [(False, 3), (True, 0)])
def test_a_logit_is_of_the_steps_so_far_or_of_the_whole(both_ways, first):
    network = recurrent.Discriminator(width=5, both_ways=both_ways)
    variables = network.init(KEY, SERIES)
    logits = network.apply(variables, SERIES)
    assert logits.shape == (2, 6)
    changed = network.apply(variables, SERIES.at[:, 3].add(1.0))
    assert np.argmax(np.asarray(logits != changed).any(axis=0)) == first


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match=r'let config\.latent\.size be 6 times'):
        recurrent.Generator(SHAPE).init(KEY, jnp.zeros((2, 20)))
    with pytest.raises(ValueError, match=r'beside the 8 of all steps; .* of a step, and 8'):
        recurrent.Generator(SHAPE, static=8).init(KEY, jnp.zeros((2, 24)))
    for static in (-4, 30):
        with pytest.raises(ValueError, match='no equal part'):
            recurrent.Generator(SHAPE, static=static).init(KEY, jnp.zeros((2, 20)))
    with pytest.raises(ValueError, match='static=4 is of latents'):
        recurrent.Generator(SHAPE, static=4).init(KEY, LATENT.reshape(2, 6, 4))
    with pytest.raises(ValueError, match="cell must be one of gru, lstm, not 'rnn'"):
        recurrent.Discriminator(cell='rnn').init(KEY, SERIES)
    with pytest.raises(ValueError, match="output must be one of sigmoid, tanh, linear, not 'relu'"):
        recurrent.Generator(SHAPE, output='relu').init(KEY, LATENT)
