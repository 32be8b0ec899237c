"""Networks from examples to latents."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.networks import encoders

X = jnp.ones((2, 16, 16, 1))


def made(**options):
    network = encoders.Encoder(size=5, width=2, hidden=6, **options)
    return network, network.init(jax.random.key(0), X, train=True)


def test_the_parameters_are_two_convolutions_and_two_dense_layers():
    """4 x 4 kernels from 1 to 2 and from 2 to 4 channels; 4 x 4 x 4 values to 6, 6 to 5."""
    _, variables = made()
    sizes = sorted(x.size for x in jax.tree.leaves(variables))
    assert sizes == sorted([32, 2, 128, 4, 384, 6, 30, 5])
    assert {*variables} == {'params'}  # no statistics: no example meets another


@pytest.mark.parametrize('bounded', [False, True])
def test_latents_are_bounded_by_a_tanh_where_that_is_asked(bounded):
    network, variables = made(bounded=bounded)
    variables = jax.tree.map(lambda x: 30 * x, variables)
    latent = network.apply(variables, X, train=False)
    plain = encoders.Encoder(size=5, width=2, hidden=6).apply(variables, X, train=False)
    assert latent.shape == (2, 5)
    np.testing.assert_allclose(latent, jnp.tanh(plain) if bounded else plain, rtol=1e-6)
    assert np.abs(plain).max() > 1
