"""InfoGAN's networks: DCGAN's, told codes and read."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.networks import dcgan, infogan

KEY = jax.random.key(0)
SMALL = {'shape': (16, 16, 1), 'width': 4, 'hidden': 8}
IMAGES = jax.random.uniform(KEY, (3, 16, 16, 1), minval=-1.0)


def size(tree):
    return sum(x.size for x in jax.tree.leaves(tree))


def made(network, *given):
    """Variables, and what the network makes of inputs when it is not trained."""
    variables = jax.jit(lambda: network.init(KEY, *given, True))()
    return variables, jax.jit(lambda: network.apply(variables, *given, False))()


def test_the_generator_is_dcgans_of_noise_one_hot_category_and_numbers():
    noise, numbers = jax.random.normal(KEY, (3, 5)), jnp.array([[0.1, -2.0]] * 3)
    told = noise, jnp.array([0, 2, 9]), numbers
    network = infogan.Generator(**SMALL, categories=10)
    variables, images = made(network, *told)
    joined = jnp.concatenate([noise, jnp.eye(10)[told[1]], numbers], axis=1)
    want = jax.jit(lambda x: dcgan.Generator(**SMALL).apply(variables, x, False))(joined)
    np.testing.assert_allclose(images, want, atol=1e-6)


def test_the_discriminator_is_dcgans_with_the_features_that_its_logit_is_read_off_of():
    network = infogan.Discriminator(**SMALL)
    variables, found = made(network, IMAGES)
    want = jax.jit(lambda: dcgan.Discriminator(**SMALL).apply(variables, IMAGES, False))()
    np.testing.assert_allclose(found.logits, want, atol=1e-6)
    readout = jax.tree.map(np.asarray, variables['params']['Dense_1'])
    assert readout['kernel'].shape == (8, 1)
    read = np.asarray(found.features) @ readout['kernel'] + readout['bias']
    np.testing.assert_allclose(found.logits, read[:, 0], rtol=1e-5)


def test_the_recognizer_has_a_head_of_128_and_one_number_for_each_answer():
    features = jax.random.normal(KEY, (5, 6))
    network = infogan.Recognizer(categories=10, continuous=2)
    variables, found = made(network, features)
    assert {name: x.shape for name, x in found.items()} == {
        'category': (5, 10), 'continuous': (5, 2),
    }  # fmt: skip
    assert size(variables['params']) == 6 * 128 + 2 * 128 + 128 * 12 + 12


def test_networks_that_are_told_no_codes_say_which_latent_has_them():
    with pytest.raises(ValueError, match="the name 'coded'"):
        infogan.Recognizer(categories=None, continuous=None).init(KEY, jnp.zeros((2, 3)), True)
