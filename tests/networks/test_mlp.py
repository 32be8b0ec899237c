import itertools

import jax
import jax.numpy as jnp
import pytest

from gan_jax.networks import mlp

KEY = jax.random.key(0)


def count(variables):
    return sum(x.size for x in jax.tree.leaves(variables['params']))


def test_the_networks_are_100_256_512_1024_784_and_784_1024_512_256_1():
    generator = mlp.Generator((28, 28, 1)).init(KEY, jnp.zeros((2, 100)), train=True)
    widths = (100, 256, 512, 1024, 784)
    assert count(generator) == sum((a + 1) * b for a, b in itertools.pairwise(widths))
    discriminator = mlp.Discriminator((28, 28, 1)).init(KEY, jnp.zeros((2, 28, 28, 1)), train=True)
    widths = (784, 1024, 512, 256, 1)
    want = sum((a + 1) * b for a, b in itertools.pairwise(widths))
    assert count(discriminator) == want


def test_shapes_and_range():
    latent = 50 * jax.random.normal(KEY, (3, 10))
    images, _ = mlp.Generator((8, 8, 3), (16,)).init_with_output(KEY, latent, train=True)
    assert images.shape == (3, 8, 8, 3)
    assert float(jnp.abs(images).max()) <= 1
    logits, _ = mlp.Discriminator((8, 8, 3), (16,)).init_with_output(KEY, images, train=True)
    assert logits.shape == (3,)


def test_the_hidden_units_leak():
    """Where every unit is negative, the output still moves, by the slope."""
    network = mlp.Discriminator((1, 1, 1), (1,), slope=0.2)
    params = {
        'Dense_0': {'kernel': jnp.array([[1.0]]), 'bias': jnp.array([0.0])},
        'Dense_1': {'kernel': jnp.array([[1.0]]), 'bias': jnp.array([0.0])},
    }
    image = jnp.full((1, 1, 1, 1), -3.0)
    assert float(network.apply({'params': params}, image, train=True)[0]) == jnp.float32(-0.6)


@pytest.mark.parametrize(('kind', 'more'), [('', 0), ('stddev', 1), ('discrimination', 2)])
def test_features_of_the_batch_come_before_the_last_layer(kind, more):
    network = mlp.Discriminator((4, 4, 1), (16, 8), minibatch=kind)
    params = network.init(KEY, jnp.zeros((2, 4, 4, 1)), train=True)['params']
    assert params['Dense_1']['kernel'].shape == (16, 8)
    assert params['Dense_2']['kernel'].shape == (8 + more, 1)
    assert ('MinibatchDiscrimination_0' in params) == (kind == 'discrimination')
