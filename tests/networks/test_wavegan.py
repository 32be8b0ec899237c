"""WaveGAN's networks: the authors' sizes, what a convolution of theirs is, shuffled phases."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.networks import layers, wavegan


def size(network, *inputs):
    shapes = jax.eval_shape(lambda: network.init(jax.random.key(0), *inputs, train=True))
    return sum(x.size for x in jax.tree.leaves(shapes))


def test_parameters_are_as_many_as_the_authors():
    """Recounted from the authors' code, for 16,384 samples."""
    shape = (16_384, 1)
    assert size(wavegan.Generator(shape), jnp.zeros((1, 100))) == 19_065_345
    assert size(wavegan.Discriminator(shape), jnp.zeros((1, *shape))) == 17_427_969


def test_shapes_and_ranges():
    generator = wavegan.Generator((256, 1), width=2)
    z = jax.random.normal(jax.random.key(1), (3, 5))
    sounds, variables = generator.init_with_output(jax.random.key(0), z, train=True)
    assert sounds.shape == (3, 256, 1)
    assert jnp.abs(sounds).max() <= 1
    assert list(variables) == ['params']
    discriminator = wavegan.Discriminator((256, 1), width=2)
    logits, _ = discriminator.init_with_output(jax.random.key(0), sounds, train=True)
    assert logits.shape == (3,)


def test_a_layer_is_a_convolution_padded_by_10_and_11_and_its_adjoint():
    """By sums over 25 samples at every fourth place, and <conv x, y> = <x, its adjoint y>."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(1, 64, 1, 1)), rng.normal(size=(1, 16, 1, 1))
    kernel = rng.normal(size=25)
    x, y, kernel = (jnp.asarray(v, jnp.float32) for v in (x, y, kernel))
    down = layers.Conv(1, (25, 1), strides=(4, 1), padding=(wavegan.PADDING, (0, 0)))
    up = layers.ConvTranspose(1, (25, 1), (4, 1), padding=(wavegan.PADDING, (0, 0)))
    bias = jnp.zeros(1)
    found = down.apply({'params': {'kernel': kernel.reshape(25, 1, 1, 1), 'bias': bias}}, x)
    padded = np.pad(np.asarray(x).ravel(), (10, 11))
    expected = [padded[4 * i : 4 * i + 25] @ np.asarray(kernel) for i in range(16)]
    np.testing.assert_allclose(found.ravel(), expected, rtol=1e-4, atol=1e-4)
    turned = kernel[::-1].reshape(25, 1, 1, 1)
    back = up.apply({'params': {'kernel': turned, 'bias': bias}}, y)
    assert back.shape == x.shape
    np.testing.assert_allclose(jnp.vdot(found, y), jnp.vdot(x, back), rtol=1e-4)


def test_phases_are_shifted_by_at_most_so_much_and_mirrored_at_the_ends():
    x = jnp.arange(1.0, 9).reshape(1, 8, 1, 1).repeat(200, 0)
    shuffled = wavegan.phase_shuffle(x, jax.random.split(jax.random.key(0), 200), 2)
    rows = {tuple(row) for row in np.asarray(shuffled[:, :, 0, 0]).tolist()}
    assert rows == {
        (3, 2, 1, 2, 3, 4, 5, 6),
        (2, 1, 2, 3, 4, 5, 6, 7),
        (1, 2, 3, 4, 5, 6, 7, 8),
        (2, 3, 4, 5, 6, 7, 8, 7),
        (3, 4, 5, 6, 7, 8, 7, 6),
    }
    same = wavegan.phase_shuffle(x, jax.random.split(jax.random.key(0), 200), 0)
    np.testing.assert_array_equal(same, x)


def test_phases_are_shuffled_in_training_only_and_each_by_its_key():
    sounds = jax.random.normal(jax.random.key(0), (4, 1024, 1))
    network = wavegan.Discriminator((1024, 1), width=2)
    variables = network.init(jax.random.key(1), sounds, train=True)
    keys = jax.random.split(jax.random.key(2), 4)
    plain = network.apply(variables, sounds, train=False, rng=keys)
    np.testing.assert_array_equal(plain, network.apply(variables, sounds, train=True))
    shuffled = network.apply(variables, sounds, train=True, rng=keys)
    assert (shuffled != plain).any()
    half = network.apply(variables, sounds[2:], train=True, rng=keys[2:])
    np.testing.assert_allclose(half, shuffled[2:], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('shape', [(1000, 1), (16, 1), (28, 28, 1)])
def test_other_lengths_are_refused(shape):
    with pytest.raises(ValueError, match='WaveGAN makes sounds'):
        wavegan.Generator(shape).init(jax.random.key(0), jnp.zeros((1, 4)), train=True)
