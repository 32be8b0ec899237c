"""pix2pix's losses with networks that are one number each."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import keys, losses, objectives
from gan_jax.games import network, pix2pix
from gan_jax.games.adversary import Adversary, Penalty
from gan_jax.games.turns import Term
from gan_jax.networks.verdict import Verdict
from gan_jax.restoration import heads as outputs

RNG = keys.per_example(jax.random.key(0), 2)
BATCH = {'source': jnp.full((2, 4, 4, 1), 2.0), 'real': jnp.full((2, 4, 4, 3), 5.0)}
L1 = Term('l1', losses.l1, 100.0)


class Tripled(nn.Module):
    """Three channels of a parameter times the source; noted whether keys came."""

    @nn.compact
    def __call__(self, image, train, rng=None):
        scale = self.param('scale', nn.initializers.ones_init(), ())
        shift = 0.0 if rng is None else 0.5
        return jnp.repeat(scale * image[..., :1] + shift, 3, axis=-1)


class Means(nn.Module):
    """Features: the channels' means, twice them; as logits their sum."""

    @nn.compact
    def __call__(self, image, train):
        weight = self.param('weight', nn.initializers.ones_init(), ())
        means = weight * image.mean((1, 2))
        return Verdict(means.sum(-1), [means, 2 * means])


class Scales(nn.Module):
    """Two scales of logits of other shapes."""

    @nn.compact
    def __call__(self, image, train):
        weight = self.param('weight', nn.initializers.ones_init(), ())
        logits = image[..., 0], 3 * image[:, :2, :2, 0]
        return Verdict(logits, [[weight * image], [weight * image]])


def made(**changes):
    settings = {'adversary': Adversary(objectives.wasserstein), 'output': outputs.plain}
    settings |= {'generator': Tripled(), 'discriminator': Means(), 'reconstruction': (L1,)}
    settings |= changes
    for name in ('generator', 'discriminator'):
        settings[name] = network.of_module(settings[name])
    return pix2pix.make(**settings)


def turns(game):
    return {turn.label: turn.loss for turn in game.turns}


def begun(game):
    return game.init(jax.random.key(0), BATCH)


def test_the_discriminator_sees_the_source_beside_the_image():
    game = made()
    loss, (_, metrics) = turns(game)['discriminator'](*begun(game), BATCH, RNG)
    assert float(metrics['real_logit']) == pytest.approx(2 + 3 * 5)
    assert float(metrics['fake_logit']) == pytest.approx(2 + 3 * 2.5)
    assert float(loss) == pytest.approx(2 + 7.5 - 17)


def test_unless_it_is_not_conditional():
    game = made(conditional=False)
    _, (_, metrics) = turns(game)['discriminator'](*begun(game), BATCH, RNG)
    assert float(metrics['real_logit']) == pytest.approx(15)


def test_a_smaller_source_is_enlarged_beside_the_image():
    game = made(output=lambda made, source: jnp.repeat(jnp.repeat(made, 2, 1), 2, 2))
    batch = {'source': BATCH['source'][:, :2, :2], 'real': BATCH['real']}
    params, aux = game.init(jax.random.key(0), batch)
    _, (_, metrics) = turns(game)['discriminator'](params, aux, batch, RNG)
    assert float(metrics['real_logit']) == pytest.approx(17)


def test_the_generators_loss_is_the_adversarial_one_and_its_terms():
    perceptual = Term('perceptual', lambda truth, image: jnp.abs(truth - image).sum((1, 2, 3)), 2.0)
    game = made(perceptual=(perceptual,))
    loss, (_, metrics) = turns(game)['generator'](*begun(game), BATCH, RNG)
    assert float(metrics['l1']) == pytest.approx(2.5)
    assert float(metrics['perceptual']) == pytest.approx(2.5 * 48)
    assert float(metrics['adversarial']) == pytest.approx(-(2 + 7.5))
    assert float(loss) == pytest.approx(-9.5 + 250 + 240)


def test_before_the_game_the_generator_has_its_distances_alone():
    perceptual = Term('perceptual', lambda truth, image: jnp.abs(truth - image).sum((1, 2, 3)), 2.0)
    game = made(perceptual=(perceptual,), pretraining_steps=7)
    loss, (_, metrics) = turns(game)['pretraining'](*begun(game), BATCH, RNG)
    assert set(metrics) == {'l1', 'perceptual'}
    assert float(loss) == pytest.approx(250 + 240)
    when = {turn.label: (turn.start, turn.stop) for turn in game.turns}
    assert when == {'pretraining': (0, 7), 'discriminator': (7, None), 'generator': (7, None)}


@pytest.mark.parametrize('options', [{'pretraining_steps': -1}, {'reconstruction': ()}])
def test_without_a_distance_there_is_nothing_to_play_alone(options):
    with pytest.raises(ValueError, match='0 or more, and 0 without distances'):
        made(**{'pretraining_steps': 7} | options)


@pytest.mark.parametrize('judge', [Means(), Scales()])
def test_features_are_matched_without_the_logits(judge):
    seen = []

    def distance(truth, image):
        seen.append((truth, image))
        return losses.feature_matching(truth, image)

    game = made(discriminator=judge, feature_matching=(Term('feature_matching', distance, 10.0),))
    loss, (_, metrics) = turns(game)['generator'](*begun(game), BATCH, RNG)
    without, _ = turns(made(discriminator=judge))['generator'](*begun(game), BATCH, RNG)
    # Channels are 2 | 5 5 5 against 2 | 2.5 2.5 2.5.
    once = 0.75 * 2.5
    found = {Means: (once + 2 * once) / 2, Scales: once}[type(judge)]
    assert float(metrics['feature_matching']) == pytest.approx(found)
    assert float(loss) == pytest.approx(float(without) + 10 * found)
    truth, image = (jax.tree.leaves(x)[0].max() for x in seen[0])
    assert (float(truth), float(image)) == (5, 2.5)
    shapes = [x.shape for x in jax.tree.leaves(seen[0][0])]
    assert shapes == ([(2, 4), (2, 4)] if isinstance(judge, Means) else [(2, 4, 4, 4)] * 2)


def test_every_scale_of_logits_counts_alike():
    game = made(discriminator=Scales(), conditional=False)
    _, (_, metrics) = turns(game)['discriminator'](*begun(game), BATCH, RNG)
    assert float(metrics['real_logit']) == pytest.approx((5 + 15) / 2)


def test_translations_have_no_dropout_and_training_has():
    game = made(output=lambda made, source: made + 0 * source)
    params, aux = begun(game)
    assert float(game.functions['a_to_b'](params, aux, BATCH['source'])[0, 0, 0, 0]) == 2
    metrics = turns(game)['generator'](params, aux, BATCH, RNG)[1][1]
    assert float(metrics['l1']) == pytest.approx(2.5)


def test_a_lazy_penalty_has_a_turn_and_sees_pairs():
    seen = []

    def penalty(critic, real, fake, rng, anchors):
        seen.append((real.shape, fake.shape, critic(real).shape))
        return jnp.ones(2)

    adversary = Adversary(objectives.wasserstein, (Penalty('r1', penalty, 3.0, 4),))
    game = made(adversary=adversary)
    assert [turn.every for turn in game.turns] == [1, 4, 1]
    loss, _ = turns(game)['discriminator_r1'](*begun(game), BATCH, RNG)
    assert float(loss) == 12
    assert seen == [((2, 4, 4, 4), (2, 4, 4, 4), (2,))]


def test_a_penalty_of_several_scales_sees_one_row_per_example():
    seen = []

    def penalty(critic, real, *_):
        seen.append(critic(real).shape)
        return jnp.ones(2)

    adversary = Adversary(objectives.wasserstein, (Penalty('r1', penalty, 1.0),))
    game = made(adversary=adversary, discriminator=Scales())
    turns(game)['discriminator'](*begun(game), BATCH, RNG)
    assert seen == [(2, 16 + 4)]


def test_the_players_are_two_and_the_function_is_one():
    game = made()
    params, aux = begun(game)
    assert set(params) == {'generator', 'discriminator'} == set(aux)
    assert set(game.functions) == {'a_to_b'}
    np.testing.assert_array_equal(params['generator']['scale'], 1)
