"""The game of StyleGAN2 with networks small enough to write out."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax import game as game_lib
from gan_jax import keys, latents, objectives, optimizers, penalties
from gan_jax.games import stylegan2
from gan_jax.games.adversary import Adversary, Penalty
from gan_jax.games.network import of_module
from gan_jax.runtime import parallel

LAYERS, SIZE = 4, 3
DECAY, KEPT = 0.01, 0.995


def told(label):
    return label.astype(jnp.float32)


class Generator(nn.Module):
    """z -> w = m (z + label), whose running mean is kept; an image is g w + noise of each layer."""

    conditional: bool = False
    axis_name: str | None = None

    @property
    def asks(self):
        return frozenset({'label'} if self.conditional else ())

    def setup(self):
        self.slope = self.param('m', nn.initializers.constant(2.0), ())
        self.gain = self.param('g', nn.initializers.constant(0.5), ())
        self.mean = self.variable('buffers', 'w_avg', jnp.zeros, (SIZE,))

    def map(self, latent, train, label=None):
        w = self.slope * (latent + told(label)[:, None] if self.conditional else latent)
        if train and not self.is_initializing():
            mean = parallel.mean(jax.lax.stop_gradient(w).mean(0), self.axis_name)
            self.mean.value = KEPT * self.mean.value + (1 - KEPT) * mean
        return w

    def styles(self, latent, train, label=None, mixed=None, crossover=None, truncation=None):
        w = self.map(latent, train, label)[:, None]
        if mixed is not None:
            own = jnp.arange(LAYERS)[None] < 1 + jnp.int32(crossover[:, None] * (LAYERS - 1))
            w = jnp.where(own[..., None], w, self.map(mixed, False, label)[:, None])
        if truncation is not None:
            mean = self.mean.value[None, None]
            w = mean + truncation[:, None, None] * (w - mean)
        return jnp.broadcast_to(w, (len(latent), LAYERS, SIZE))

    def synthesize(self, styles, train, rng=None, noise=None):
        images = self.gain * styles
        if noise == 'none' or rng is None:
            return images
        return images + jax.vmap(lambda key: jax.random.normal(key, (LAYERS, SIZE)))(rng)

    def __call__(
        self, latent, train, rng=None, label=None, mixed=None, crossover=None, truncation=None
    ):
        w = self.styles(latent, train, label, mixed, crossover, truncation)
        return self.synthesize(w, train, rng)


class Discriminator(nn.Module):
    """x -> v sum(x) (1 + label)."""

    conditional: bool = False

    @property
    def asks(self):
        return frozenset({'label'} if self.conditional else ())

    @nn.compact
    def __call__(self, x, train, label=None):
        logit = self.param('v', nn.initializers.constant(0.1), ()) * x.sum((1, 2))
        return logit * (1.0 + told(label)) if self.conditional else logit


def prior(rng, **options):
    return {'latent': latents.normal(rng, SIZE, **options)}


def r1(critic, real, fake, rng, anchors):
    return penalties.r1(critic, real)


def path_length(axis_name=None, **changes):
    def function(*given):
        return penalties.path_length(*given, decay=DECAY, axis_name=axis_name)

    return stylegan2.PathLength(**{'function': function, 'weight': 2.0} | changes)


def make(conditional=False, axis_name=None, style_mixing=0.9, lengths=path_length, judged=None):
    judged = conditional if judged is None else judged
    adversary = Adversary(
        objectives.non_saturating, (Penalty('r1', r1, 5.0, 16),), axis_name=axis_name
    )
    return stylegan2.make(
        generator=of_module(Generator(conditional, axis_name)),
        discriminator=of_module(Discriminator(judged)),
        adversary=adversary,
        prior=prior,
        path_length=lengths and lengths(axis_name),
        style_mixing=style_mixing,
    )


RNG = keys.per_example(jax.random.key(1), 8)
BATCH = {
    'real': np.random.default_rng(0).normal(size=(8, LAYERS, SIZE)).astype(np.float32),
    'label': np.array([0, 1, 2, 3, 0, 1, 2, 3], np.int32),
}
Z = np.asarray(prior(RNG)['latent'])


def begun(game):
    return game.init(jax.random.key(0), BATCH)


def turn(game, label):
    (found,) = (x for x in game.turns if x.label == label)
    return found


def test_the_lazy_turns_are_corrected_for():
    game = make()
    found = [(x.label, x.player, x.every, x.lazy) for x in game.turns]
    assert found == [
        ('discriminator', 'discriminator', 1, False),
        ('discriminator_r1', 'discriminator', 16, True),
        ('generator', 'generator', 1, False),
        ('generator_path_length', 'generator', 4, True),
    ]
    assert optimizers.lazy_correction(game.turns, 'discriminator') == pytest.approx(16 / 17)
    assert optimizers.lazy_correction(game.turns, 'generator') == pytest.approx(4 / 5)
    assert optimizers.updates(game.turns, 'generator', 33) == 33 + 8
    assert optimizers.updates(game.turns, 'discriminator', 33) == 33 + 2


@pytest.mark.parametrize('lengths', [None, lambda axis_name: path_length(weight=0.0)])
def test_without_a_path_length_there_is_no_turn_and_no_mean(lengths):
    game = make(lengths=lengths)
    assert [x.label for x in game.turns] == ['discriminator', 'discriminator_r1', 'generator']
    assert begun(game)[1].keys() == {'generator', 'discriminator'}


def test_a_tenth_of_the_examples_is_not_mixed_and_the_others_anywhere():
    rng = keys.per_example(jax.random.key(2), 4000)
    inputs = stylegan2.mixing_prior(prior, 0.9, rng)
    crossover = np.asarray(inputs['crossover'])
    whole = crossover == 1
    assert abs(whole.mean() - 0.1) < 3 * np.sqrt(0.09 / 4000)
    shares = np.sort(crossover[~whole])
    assert shares[0] >= 0
    even = (np.arange(len(shares)) + 0.5) / len(shares)
    assert np.abs(shares - even).max() < 0.03
    np.testing.assert_array_equal(inputs['latent'], prior(rng)['latent'])
    assert abs(np.corrcoef(np.ravel(inputs['latent']), np.ravel(inputs['mixed']))[0, 1]) < 0.03
    assert (stylegan2.mixing_prior(prior, 1.0, rng)['crossover'] < 1).all()


def test_both_turns_play_mixed_styles_and_samples_are_not_mixed():
    """With a gain of 1 and no noise an image is its styles: w = 2 z."""
    game = make()
    params, aux = begun(game)
    inputs = stylegan2.mixing_prior(prior, 0.9, RNG)
    first = 1 + np.floor(np.asarray(inputs['crossover']) * (LAYERS - 1))
    own = (np.arange(LAYERS) < first[:, None])[..., None]
    assert 0 < own.sum() < own.size
    w = 2 * np.where(own, Z[:, None], np.asarray(inputs['mixed'])[:, None])
    noise = jax.vmap(lambda key: jax.random.normal(key, (LAYERS, SIZE)))(
        keys.of_name(RNG, 'dropout')
    )
    logits = 0.1 * np.float64(0.5 * w + noise).sum((1, 2))
    loss, _ = turn(game, 'generator').loss(params, aux, BATCH, RNG)
    np.testing.assert_allclose(loss, np.log1p(np.exp(-logits)).mean(), rtol=1e-5)
    _, (_, metrics) = turn(game, 'discriminator').loss(params, aux, BATCH, RNG)
    np.testing.assert_allclose(metrics['fake_logit'], logits.mean(), rtol=1e-4)
    samples = game.functions['sample'](params, aux, game.functions['prior'](RNG))
    np.testing.assert_allclose(samples, np.repeat(Z[:, None], LAYERS, 1), rtol=1e-6)


def test_only_the_generators_turns_move_the_mean_of_w():
    game = make(style_mixing=0.0)
    params, aux = begun(game)
    moved = {
        x.label: x.loss(params, aux, BATCH, RNG)[1][0]['generator']['buffers']['w_avg']
        for x in game.turns
    }
    np.testing.assert_array_equal(moved['discriminator'], 0.0)
    np.testing.assert_array_equal(moved['discriminator_r1'], 0.0)
    np.testing.assert_allclose(moved['generator'], (1 - KEPT) * 2 * Z.mean(0), rtol=1e-4)
    few = (1 - KEPT) * 2 * Z[::2].mean(0)
    np.testing.assert_allclose(moved['generator_path_length'], few, rtol=1e-4)


def test_the_path_length_is_of_every_second_example():
    """The Jacobian is g: lengths are g |y| / 2 with y ~ N(0, 1 / 4), whatever the styles."""
    game = make()
    params, aux = begun(game)
    loss, (after, metrics) = turn(game, 'generator_path_length').loss(params, aux, BATCH, RNG)
    drawn = jax.vmap(lambda key: jax.random.normal(key, (LAYERS, SIZE)))(
        keys.of_name(RNG[::2], 'path_length')
    )
    noise = np.float64(drawn) / np.sqrt(LAYERS)
    lengths = 0.5 * np.sqrt((noise**2).sum(2).mean(1))
    mean = DECAY * lengths.mean()
    np.testing.assert_allclose(after['path_length']['mean'], mean, rtol=1e-5)
    np.testing.assert_allclose(metrics['mean'], mean, rtol=1e-5)
    penalty = ((lengths - mean) ** 2).mean()
    np.testing.assert_allclose(metrics['path_length'], penalty, rtol=1e-5)
    np.testing.assert_allclose(loss, 2.0 * 4 * penalty, rtol=1e-5)


def test_truncation_draws_towards_the_mean_of_w():
    game = make()
    params, aux = begun(game)
    mean = np.array([1.0, -1.0, 3.0], np.float32)
    aux['generator'] = {'buffers': {'w_avg': jnp.asarray(mean)}}
    plain = game.functions['prior'](RNG)
    assert plain.keys() == {'latent'}
    for psi in (1.0, 0.7, 0.0):
        inputs = game.functions['prior'](RNG, truncation=psi)
        np.testing.assert_array_equal(inputs['latent'], plain['latent'])
        styles = game.functions['map'](params, aux, inputs)
        want = np.repeat((mean + psi * (2 * Z - mean))[:, None], LAYERS, 1)
        np.testing.assert_allclose(styles, want, rtol=1e-5)
        images = game.functions['synthesize'](params, aux, styles, noise='none')
        np.testing.assert_allclose(images, 0.5 * want, rtol=1e-5)
        samples = game.functions['sample'](params, aux, inputs)
        np.testing.assert_allclose(samples, images, rtol=1e-6)


def test_labels_of_the_batch_reach_both_networks_where_they_ask():
    game, plain = make(True, style_mixing=0.0), make(style_mixing=0.0)
    params, aux = begun(game)
    label = np.float64(BATCH['label'])
    _, (_, metrics) = turn(game, 'discriminator').loss(params, aux, BATCH, RNG)
    real = (0.1 * BATCH['real'].sum((1, 2)) * (1 + label)).mean()
    np.testing.assert_allclose(metrics['real_logit'], real, rtol=1e-4)
    _, (after, _) = turn(game, 'generator_path_length').loss(params, aux, BATCH, RNG)
    moved = (1 - KEPT) * 2 * (Z + label[:, None])[::2].mean(0)
    np.testing.assert_allclose(after['generator']['buffers']['w_avg'], moved, rtol=1e-4)
    inputs = {**game.functions['prior'](RNG), 'label': BATCH['label']}
    styles = game.functions['map'](params, aux, inputs)
    np.testing.assert_allclose(styles[:, 0], 2 * (Z + label[:, None]), rtol=1e-5)
    found = [x.loss(params, aux, BATCH, RNG)[0] for x in plain.turns]
    unlabelled = {'real': BATCH['real']}
    np.testing.assert_array_equal(
        found, [x.loss(params, aux, unlabelled, RNG)[0] for x in plain.turns]
    )


@pytest.mark.parametrize('conditional', [True, False])
def test_labels_for_one_network_alone_are_refused(conditional):
    with pytest.raises(ValueError, match='must be both True or both False'):
        make(conditional, judged=not conditional)


def played(num_steps, devices):
    game = make(axis_name=parallel.AXIS)
    sgd = dict.fromkeys(game.movers, optax.sgd(0.02))
    decays = {'generator': lambda step: jnp.float32(0.5)}
    state = game_lib.init(game, sgd, 0, BATCH, decays)
    step = parallel.pmap_steps(
        lambda state, batch: game_lib.update(game, state, batch, axis_name=parallel.AXIS),
        jax.local_devices()[:devices],
    )
    state = parallel.replicate(state, jax.local_devices()[:devices])
    for i in range(num_steps):
        batch = {name: np.roll(x, i, 0)[None] for name, x in BATCH.items()}
        state, _ = step(state, parallel.shard(batch, devices))
    return state


@pytest.mark.slow
def test_one_device_equals_four_and_all_hold_the_same_means():
    """After eight steps, of which two are followed by a path length; the average copies w_avg."""
    one, four = (played(8, devices) for devices in (1, 4))
    for x in jax.tree.leaves((four.aux, four.players)):
        np.testing.assert_array_equal(x, np.repeat(np.asarray(x)[:1], 4, 0))
    one, four = parallel.to_host(one), parallel.to_host(four)
    for x, y in zip(jax.tree.leaves(one), jax.tree.leaves(four), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-5)
    assert one.aux['path_length']['mean'] > 0
    assert one.players['generator'].step == 8 + 2
    average = one.players['generator'].ema
    w_avg = one.aux['generator']['buffers']['w_avg']
    np.testing.assert_array_equal(average['aux']['buffers']['w_avg'], w_avg)
    assert np.all(w_avg != 0)
    assert average['params']['g'] != one.players['generator'].params['g']
