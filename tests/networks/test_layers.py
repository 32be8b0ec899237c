import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.networks import layers
from gan_jax.networks.layers import linear

KEY = jax.random.key(0)


@pytest.mark.parametrize(('kernel', 'stride', 'padding'), [(4, 2, 1), (3, 1, 1), (5, 2, 2)])
def test_a_transposed_convolution_is_the_adjoint_of_a_convolution(kernel, stride, padding):
    """<conv(x), y> = <x, transposed(y)>, with the kernel flipped and its channels swapped."""
    forward = layers.Conv(
        5, (kernel, kernel), strides=(stride, stride), padding=padding, use_bias=False
    )
    size = stride * 6 + kernel - 2 * padding
    x = jax.random.normal(KEY, (2, size, size, 3))
    y, variables = forward.init_with_output(KEY, x)
    other = jax.random.normal(jax.random.key(1), y.shape)
    adjoint = jnp.swapaxes(variables['params']['kernel'][::-1, ::-1], 2, 3)
    back = layers.ConvTranspose(3, (kernel, kernel), (stride, stride), padding, use_bias=False)
    z = back.apply({'params': {'kernel': adjoint}}, other)
    assert z.shape == x.shape
    np.testing.assert_allclose(jnp.vdot(y, other), jnp.vdot(x, z), rtol=1e-4)


def test_a_transposed_convolution_is_flaxs():
    x = jax.random.normal(KEY, (2, 7, 7, 3))
    ours = layers.ConvTranspose(5, (4, 4), (2, 2), padding=1)
    y, variables = ours.init_with_output(KEY, x)
    theirs = nn.ConvTranspose(5, (4, 4), strides=(2, 2), padding='SAME')
    assert y.shape == (2, 14, 14, 5)
    np.testing.assert_allclose(y, theirs.apply(variables, x), rtol=1e-4, atol=1e-5)


def test_every_convolution_goes_through_one_function(monkeypatch):
    calls = []

    def convolve(*args, **kwargs):
        calls.append(1)
        return jax.lax.conv_general_dilated(*args, **kwargs)

    monkeypatch.setattr(linear, 'convolve', convolve)
    x = jnp.zeros((1, 8, 8, 1))
    layers.ConvTranspose(2, (4, 4), (2, 2), padding=1).init(KEY, x)
    layers.Conv(2, (3, 3)).init(KEY, x)
    assert len(calls) == 2


def test_batch_norm_is_exact_where_the_mean_is_large():
    x = 100 + 0.01 * jax.random.normal(KEY, (4096, 1))
    layer = layers.BatchNorm(use_running_average=False, epsilon=0.0)
    y, _ = layer.init_with_output(KEY, x)
    assert abs(float(y.std()) - 1) < 0.02
