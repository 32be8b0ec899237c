"""Learning from few labels with players of a few numbers, whose losses are written out."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import class_losses, keys, latents, losses, objectives
from gan_jax.games import network, semi_supervised
from gan_jax.games.adversary import Adversary
from gan_jax.games.semi_supervised import Classification
from gan_jax.networks.verdict import Verdict

NUM, KINDS = 6, 3
RNG = keys.per_example(jax.random.key(1), NUM)
LABELS = np.array([0, 2, 1, 2, 0, 1], np.int32)
REAL, LABELLED = np.random.default_rng(0).normal(size=(2, NUM, KINDS)).astype(np.float32)
BATCH = {'real': REAL, 'labelled': LABELLED, 'label': LABELS}


class Maker(nn.Module):
    @nn.compact
    def __call__(self, latent, train):
        return latent * self.param('w', nn.initializers.constant(0.5), ())


class Judge(nn.Module):
    """x -> v x as features and class logits; perhaps with noise."""

    heads: bool = True
    noise: float = 0.0

    @nn.compact
    def __call__(self, x, train, rng=None):
        classes = x * self.param('v', nn.initializers.constant(2.0), ())
        if rng is not None and train:
            drawn = jax.vmap(lambda key: jax.random.normal(key, (KINDS,)))(rng)
            classes = classes + self.noise * drawn
        heads = (classes, classes) if self.heads else (None, None)
        return Verdict(jax.nn.logsumexp(classes, axis=1), *heads)


def prior(rng):
    return {'latent': latents.normal(rng, KINDS)}


FAKE = 0.5 * np.asarray(prior(RNG)['latent'])


def make(judge=None, packing=1, **options):
    given = {'classification': Classification(class_losses.cross_entropy)}
    given['matching'] = losses.feature_statistics_matching
    return semi_supervised.make(
        generator=network.of_module(Maker()),
        discriminator=network.of_module(judge or Judge()),
        adversary=Adversary(objectives.non_saturating, packing=packing),
        prior=prior,
        **(given | options),
    )


def evaluated(game, batch=BATCH):
    params, aux = game.init(jax.random.key(0), BATCH)
    return jax.jit(lambda: {x.label: x.loss(params, aux, batch, RNG) for x in game.turns})()


def test_the_discriminators_loss_is_that_of_the_paper_with_its_halves():
    value, (_, metrics) = evaluated(make())['discriminator']
    want = class_losses.semi_supervised(2 * LABELLED, LABELS, 2 * REAL, 2 * FAKE)
    np.testing.assert_allclose(value, want, rtol=1e-5)
    rows = np.float64(2 * LABELLED)
    right = rows.argmax(1) == LABELS
    log_loss = (np.log(np.exp(rows).sum(1)) - rows[np.arange(NUM), LABELS]).mean()
    np.testing.assert_allclose(metrics['class_loss'], log_loss, rtol=1e-5)
    np.testing.assert_allclose(metrics['training_error'], 1 - right.mean(), rtol=1e-6)


def test_the_generator_matches_mean_features_and_nothing_else():
    value, (_, metrics) = evaluated(make())['generator']
    gap = (2 * np.float64(REAL)).mean(0) - (2 * np.float64(FAKE)).mean(0)
    np.testing.assert_allclose(value, (gap**2).sum(), rtol=1e-5)
    assert float(metrics['adversarial']) == 0.0


def test_without_the_adversarial_loss_it_is_supervised_learning():
    game = make(adversarial_weight=0.0)
    value, _ = evaluated(game)['discriminator']
    want = class_losses.cross_entropy(2 * LABELLED, LABELS).mean()
    np.testing.assert_allclose(value, want, rtol=1e-6)
    other, _ = evaluated(game, {**BATCH, 'real': 3 * REAL})['discriminator']
    assert float(value) == float(other)
    weighted = make(classification=Classification(class_losses.cross_entropy, 0.0))
    rest, _ = evaluated(weighted)['discriminator']
    whole, _ = evaluated(make())['discriminator']
    np.testing.assert_allclose(whole - want, rest, rtol=1e-4)


def test_labels_are_those_of_the_labelled_and_matter_to_the_discriminator_alone():
    plain, other = (evaluated(make(), {**BATCH, 'label': x}) for x in (LABELS, (LABELS + 1) % 3))
    assert float(plain['discriminator'][0]) != float(other['discriminator'][0])
    assert float(plain['generator'][0]) == float(other['generator'][0])


def test_the_network_draws_in_training_and_not_where_it_classifies():
    """In training each turn's noise is its own; examples with labels have a key of their own."""
    game = make(Judge(noise=0.5))
    params, aux = game.init(jax.random.key(0), BATCH)
    rows = game.functions['classify'](params, aux, jnp.asarray(REAL))
    np.testing.assert_allclose(rows, 2 * REAL, rtol=1e-6)
    noisy, plain = evaluated(game), evaluated(make())
    for name in ('discriminator', 'generator'):
        same = name == 'generator'  # real and generated examples share what cancels in the means
        assert np.isclose(noisy[name][0], plain[name][0], rtol=1e-4) == same
    moved = noisy['discriminator'][1][1]['class_loss'] - plain['discriminator'][1][1]['class_loss']
    assert abs(float(moved)) > 1e-3


def test_a_discriminator_without_heads_is_refused():
    with pytest.raises(ValueError, match='gives no classes or no features'):
        evaluated(make(Judge(heads=False)))


def test_packs_have_no_single_class():
    with pytest.raises(ValueError, match='packing=2'):
        make(packing=2)
