"""The policy gradient against all texts of a tiny vocabulary, and the phases of games of texts."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax import latents, objectives
from gan_jax.games import gumbel, seqgan
from gan_jax.games.adversary import Adversary
from gan_jax.games.network import of_module
from gan_jax.networks import text

LENGTH, SIZE, NUM = 3, 3, 4096
EVERY = np.array(list(itertools.product(range(SIZE), repeat=LENGTH)), np.int32)
GENERATOR = text.Generator((LENGTH, SIZE), False, embedding=3, width=4)
JUDGE = text.Discriminator((LENGTH, SIZE), embedding=4, sizes=(1, 2), features=6, dropout=0.0)
REAL = {'real': jax.nn.one_hot(EVERY, SIZE)}


def prior(rng):
    return {'latent': latents.uniform(rng, LENGTH)}


def made(game=seqgan, **options):
    options = {'pretraining_steps': 2, 'discriminator_steps': 3} | options
    return game.make(
        generator=of_module(GENERATOR),
        discriminator=of_module(JUDGE),
        adversary=Adversary(objectives.non_saturating),
        prior=prior,
        **options,
    )


def players(game, scale=0.7):
    """Parameters so large that D likes some texts, and G makes some, much more than others."""
    params, aux = game.init(jax.random.key(1), REAL)
    grown = jax.tree.map(
        lambda x: scale * jax.random.normal(jax.random.key(x.size), x.shape), params
    )
    return grown, aux


@pytest.mark.slow
def test_the_policy_gradient_is_that_of_the_expected_reward():
    """grad of sum_y p(y) sigmoid(D(y)), by all 27 texts."""
    game = made(roll_outs=2)
    params, aux = players(game)

    def expected(own):
        steps = GENERATOR.apply({'params': own}, EVERY, method='log_likelihood')
        logits = JUDGE.apply({'params': params['discriminator']}, EVERY, method='of_tokens')
        return jnp.sum(jnp.exp(steps.sum(axis=1)) * jax.nn.sigmoid(logits))

    @jax.jit
    @jax.grad
    def played(own, rng):
        batch = {'real': jnp.zeros((NUM, LENGTH, SIZE))}
        return game.turns[-1].loss({**params, 'generator': own}, aux, batch, rng)[0]

    rng = jax.random.split(jax.random.key(2), NUM)
    own = params['generator']
    want, found = (
        np.concatenate([np.ravel(x) for x in jax.tree.leaves(tree)])
        for tree in (jax.grad(expected)(own), played(own, rng))
    )
    assert np.linalg.norm(want) > 0.02
    assert np.linalg.norm(found + want) < 0.15 * np.linalg.norm(
        want
    )  # what is minimised is -reward


def test_without_a_future_the_last_reward_is_the_discriminators_word():
    game = made(roll_outs=1)
    params, aux = players(game)
    cast = game.turns[-1].loss.args[0]
    rng = jax.random.split(jax.random.key(0), len(EVERY))
    found = seqgan.rewards(cast, params, aux, jnp.asarray(EVERY), rng)
    logits = JUDGE.apply({'params': params['discriminator']}, EVERY, method='of_tokens')
    np.testing.assert_allclose(found[:, -1], jax.nn.sigmoid(logits), rtol=1e-5)
    assert found.shape == (27, LENGTH)


def test_phases_come_one_after_the_other():
    for game in (seqgan, gumbel):
        turns = made(game).turns
        due = {x.label: [step for step in range(1, 9) if x.due(step)] for x in turns}
        assert due == {
            'likelihood': [1, 2],
            'discriminator': [3, 4, 5, 6, 7, 8],
            'generator': [6, 7, 8],
        }


def test_the_first_phase_minimises_the_cross_entropy_of_real_texts():
    game = made()
    params, aux = players(game)
    rng = jax.random.split(jax.random.key(0), len(EVERY))
    loss, _ = game.turns[0].loss(params, aux, REAL, rng)
    likelihoods = game.functions['log_likelihood'](params, aux, REAL['real'])
    assert likelihoods.shape == (27,)
    assert float(np.exp(likelihoods).sum()) == pytest.approx(1, abs=1e-5)
    assert float(loss) == pytest.approx(-float(likelihoods.mean()), rel=1e-5)


def test_the_temperature_falls_geometrically():
    schedule = gumbel.Schedule(first=1.0, last=0.25, steps=10, start=5)
    assert [float(schedule(x)) for x in (0, 5, 10, 15, 99)] == [1, 1, 0.5, 0.25, 0.25]
    assert gumbel.Schedule(1.0, 0.25, 0, 5)(1) == 0.25


@pytest.mark.parametrize('straight', [True, False])
def test_relaxed_texts_have_a_gradient_and_straight_through_they_are_one_hot(straight):
    game = made(gumbel, straight_through=straight)
    params, aux = players(game)
    aux |= {'step': jnp.int32(9)}
    show = game.turns[-1].loss.args[0]
    rng = jax.random.split(jax.random.key(0), len(EVERY))

    def shown(own):
        scenes, fake, _ = show({**params, 'generator': own}, aux, REAL, rng)
        return fake[..., 0].sum(), scenes[''].fake

    gradient, fake = jax.grad(shown, has_aux=True)(params['generator'])
    assert optax.tree.norm(gradient) > 0.01
    hard = np.isclose(fake, np.round(fake), atol=1e-6).all()
    assert hard == straight


def test_networks_that_do_not_know_texts_are_refused():
    for game in (seqgan, gumbel):
        with pytest.raises(ValueError, match=r'take config\.generator\.name=text\.Generator'):
            game.make(
                generator=of_module(JUDGE),
                discriminator=of_module(JUDGE),
                adversary=Adversary(objectives.non_saturating),
                prior=prior,
                pretraining_steps=0,
                discriminator_steps=0,
            )
    with pytest.raises(ValueError, match=r'config\.roll_outs=0 must be at least 1'):
        made(roll_outs=0)
    with pytest.raises(ValueError, match='must be above 0'):
        made(gumbel, last_temperature=0.0)
