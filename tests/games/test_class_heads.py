"""What a class head adds to the game `gan`, with networks small enough to write out."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import class_losses, keys, latents, objectives
from gan_jax.games import gan, network
from gan_jax.games.adversary import Adversary
from gan_jax.games.class_heads import ClassHead
from gan_jax.networks.verdict import Verdict


class Told(nn.Module):
    """(z, y) -> z + w y."""

    @nn.compact
    def __call__(self, latent, label, train):
        scale = self.param('w', nn.initializers.constant(0.5), ())
        return latent + scale * label.astype(jnp.float32)[:, None]


class Untold(nn.Module):
    """z -> w z."""

    @nn.compact
    def __call__(self, latent, train):
        return self.param('w', nn.initializers.constant(0.5), ()) * latent


class Judge(nn.Module):
    """x -> sum(x) as a logit, v x as class logits; perhaps x as features."""

    features: bool = False

    @nn.compact
    def __call__(self, x, train):
        scale = self.param('v', nn.initializers.constant(2.0), ())
        return Verdict(x.sum(-1), x if self.features else None, scale * x)


IMAGES = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
LABELS = np.array([0, 2, 1, 2, 0, 1], np.int32)
BATCH = {'real': IMAGES, 'label': LABELS}
RNG = keys.per_example(jax.random.key(1), 6)
FAKE = np.float64(latents.normal(RNG, 3)) + 0.5 * LABELS[:, None]


def prior(rng, **options):
    drawn = keys.of_name(rng, 'label')
    return {'latent': latents.normal(rng, 3, **options), 'label': latents.labels(drawn, 3)}


def head(name, weight=1.0):
    loss = getattr(class_losses, name)()
    return ClassHead(loss.discriminator, loss.generator, 3 * loss.per_class, loss.features, weight)


def make(class_head, generator=None, judge=None):
    return gan.make(
        generator=network.of_module(generator or Told()),
        discriminator=network.of_module(judge or Judge()),
        adversary=Adversary(objectives.non_saturating),
        prior=prior,
        class_head=class_head,
    )


def losses(game):
    params, aux = game.init(jax.random.key(0), BATCH)
    return {turn.label: turn.loss(params, aux, BATCH, RNG) for turn in game.turns}


def log_loss(logits):
    logits = np.float64(logits)
    return (np.log(np.exp(logits).sum(1)) - logits[np.arange(6), LABELS]).mean()


def test_both_losses_gain_the_weighted_class_loss_of_the_batchs_labels():
    plain, found = losses(make(None)), losses(make(head('acgan', 0.7)))
    want = {'discriminator': log_loss(2 * IMAGES) + log_loss(2 * FAKE)}
    want['generator'] = log_loss(2 * FAKE)
    for player, value in want.items():
        gained = found[player][0] - plain[player][0]
        np.testing.assert_allclose(gained, 0.7 * value, rtol=1e-4)
        np.testing.assert_allclose(found[player][1][1]['class_loss'], value, rtol=1e-5)
    assert 'adversarial' in found['generator'][1][1]


def test_without_a_class_head_nothing_is_added():
    found = losses(make(None))
    assert not {'class_loss', 'adversarial'} & {*found['generator'][1][1]}


def test_a_head_of_weight_zero_is_the_game_without_it():
    plain, found = losses(make(None)), losses(make(head('acgan', 0.0)))
    for player in plain:
        assert float(plain[player][0]) == float(found[player][0])


def test_a_generator_that_is_not_told_is_refused():
    with pytest.raises(ValueError, match='a generator that asks for a label'):
        make(head('acgan'), generator=Untold())


@pytest.mark.parametrize(
    ('name', 'words'),
    [('adcgan', 'needs 6 class logits, and the discriminator gives 3'), ('reacgan', 'features')],
)
def test_a_discriminator_without_the_heads_is_refused(name, words):
    with pytest.raises(ValueError, match=words):
        losses(make(head(name)))


def test_features_are_handed_on():
    found = losses(make(head('reacgan'), judge=Judge(features=True)))
    want = class_losses.data_to_data_cross_entropy(IMAGES, 2 * IMAGES, LABELS).mean()
    np.testing.assert_allclose(found['discriminator'][1][1]['class_loss'], want, rtol=1e-5)
