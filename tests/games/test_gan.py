"""The loss of each turn against the formula, with networks small enough to write out."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import keys, latents, objectives, penalties
from gan_jax.games import gan, network
from gan_jax.games.adversary import Adversary, Penalty


class Scale(nn.Module):
    """x -> w x, summed for a logit."""

    logit: bool
    start: float

    @nn.compact
    def __call__(self, x, train):
        y = self.param('w', nn.initializers.constant(self.start), ()) * x
        return y.sum(axis=-1) if self.logit else y


class Remembering(nn.Module):
    """x -> x / 2; keeps the mean of what it saw in training."""

    @nn.compact
    def __call__(self, x, train):
        seen = self.variable('batch_stats', 'mean', jnp.zeros, ())
        if train and not self.is_initializing():
            seen.value = x.mean()
        return Scale(False, 0.5)(x, train)


def make(generator_every=1, generator=None, **kwargs):
    return gan.make(
        generator=network.of_module(generator or Scale(False, 0.5)),
        discriminator=network.of_module(Scale(True, 2.0)),
        adversary=Adversary(objectives.non_saturating, **kwargs),
        prior=lambda rng, **options: {'latent': latents.normal(rng, 3, **options)},
        generator_every=generator_every,
    )


IMAGES = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
RNG = keys.per_example(jax.random.key(1), 6)
NOISE = np.float64(latents.normal(RNG, 3))


def softplus(x):
    return np.log1p(np.exp(x))


def losses(game):
    params, aux = game.init(jax.random.key(0), {'real': IMAGES})
    return {turn.label: turn.loss(params, aux, {'real': IMAGES}, RNG) for turn in game.turns}


def test_the_losses_are_algorithm_ones():
    found = losses(make())
    real, fake = 2.0 * IMAGES.sum(-1), 2.0 * (0.5 * NOISE).sum(-1)
    loss, (_, metrics) = found['discriminator']
    np.testing.assert_allclose(loss, (softplus(-real) + softplus(fake)).mean(), rtol=1e-5)
    np.testing.assert_allclose(metrics['real_logit'], real.mean(), rtol=1e-5)
    np.testing.assert_allclose(metrics['fake_logit'], fake.mean(), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(metrics['real_accuracy'], (real > 0).mean(), rtol=1e-6)
    np.testing.assert_allclose(metrics['fake_accuracy'], (fake < 0).mean(), rtol=1e-6)
    np.testing.assert_allclose(found['generator'][0], softplus(-fake).mean(), rtol=1e-5)


@pytest.mark.parametrize('every', [1, 16])
def test_a_penalty_is_added_or_has_a_turn_of_its_own_times_every(every):
    """R1 of the critic 2 sum(x) is 4 * 3 = 12."""

    def r1(critic, real, fake, rng, anchors):
        return penalties.r1(critic, real)

    found = losses(make(penalties=(Penalty('r1', r1, 5.0, every),)))
    plain = losses(make())['discriminator'][0]
    if every == 1:
        np.testing.assert_allclose(found['discriminator'][0] - plain, 60.0, rtol=1e-5)
        assert found['discriminator'][1][1]['r1'] == 12.0
    else:
        np.testing.assert_allclose(found['discriminator'][0], plain)
        loss, (_, metrics) = found['discriminator_r1']
        assert float(loss) == 16 * 60.0
        assert float(metrics['r1']) == 12.0


def test_only_the_generators_turn_moves_its_batch_statistics():
    found = losses(make(generator=Remembering()))
    _, (of_generator, _) = found['generator']
    _, (of_discriminator, _) = found['discriminator']
    mean = of_generator['generator']['batch_stats']['mean']
    np.testing.assert_allclose(mean, NOISE.mean(), rtol=1e-5)
    assert of_discriminator['generator']['batch_stats']['mean'] == 0


def test_functions_sample_and_score():
    game = make()
    params, aux = game.init(jax.random.key(0), {'real': IMAGES})
    inputs = game.functions['prior'](RNG, truncation=0.5)
    z = inputs['latent']
    assert float(jnp.abs(z).max()) <= 0.5
    fake = game.functions['sample'](params, aux, inputs)
    np.testing.assert_allclose(fake, 0.5 * z, rtol=1e-6)
    score = game.functions['score'](params, aux, {'real': fake})
    np.testing.assert_allclose(score, z.sum(-1), rtol=1e-5)
    verdict = game.functions['verdict'](params, aux, {'real': fake})
    np.testing.assert_array_equal(verdict.logits, score)


def test_the_generator_plays_when_asked():
    assert [turn.every for turn in make(generator_every=5).turns] == [1, 5]


class Told(nn.Module):
    """x + w (sum of the label's numbers), summed for a logit."""

    logit: bool

    @nn.compact
    def __call__(self, x, label, train):
        weight = self.param('w', nn.initializers.constant(0.5), ())
        y = x + weight * label.sum(axis=-1, keepdims=True)
        return y.sum(axis=-1) if self.logit else y


def test_a_condition_may_be_a_vector_for_each_example():
    """Several labels, or numbers: the batch's for both sides, the prior's in samples."""
    game = gan.make(
        generator=network.of_module(Told(False)),
        discriminator=network.of_module(Told(True)),
        adversary=Adversary(objectives.non_saturating),
        prior=lambda rng: {'latent': latents.normal(rng, 3), 'label': jnp.ones((len(rng), 2))},
    )
    labels = np.random.default_rng(1).normal(size=(6, 2)).astype(np.float32)
    batch = {'real': IMAGES, 'label': labels}
    params, aux = game.init(jax.random.key(0), batch)
    found = {turn.label: turn.loss(params, aux, batch, RNG)[0] for turn in game.turns}
    told = 0.5 * np.float64(labels).sum(-1)
    real, fake = IMAGES.sum(-1) + 3 * told, NOISE.sum(-1) + 6 * told
    want = (softplus(-real) + softplus(fake)).mean()
    np.testing.assert_allclose(found['discriminator'], want, rtol=1e-5)
    np.testing.assert_allclose(found['generator'], softplus(-fake).mean(), rtol=1e-5)
    inputs = game.functions['prior'](RNG)
    np.testing.assert_allclose(
        game.functions['sample'](params, aux, inputs), NOISE + 1.0, rtol=1e-5, atol=1e-6
    )
