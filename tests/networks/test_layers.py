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
    layers.GroupedConv(2, (3, 3), groups=1).init(KEY, x)
    assert len(calls) == 3


def test_batch_statistics_move_by_a_tenth():
    layer = layers.BatchNorm(use_running_average=False)
    x = jnp.array([[8.0], [12.0]])
    variables = layer.init(KEY, x)
    _, moved = layer.apply(variables, x, mutable=['batch_stats'])
    np.testing.assert_allclose(moved['batch_stats']['mean'], [0.1 * 10.0], rtol=1e-6)
    np.testing.assert_allclose(moved['batch_stats']['var'], [0.9 + 0.1 * 4.0], rtol=1e-6)


def test_batch_norm_is_exact_where_the_mean_is_large():
    x = 100 + 0.01 * jax.random.normal(KEY, (4096, 1))
    layer = layers.BatchNorm(use_running_average=False, epsilon=0.0)
    y, _ = layer.init_with_output(KEY, x)
    assert abs(float(y.std()) - 1) < 0.02


@pytest.mark.parametrize('shape', [(6, 5), (4, 3, 7, 5)])
def test_layer_norm_is_each_examples_own(shape):
    x = 3 + 2 * jax.random.normal(KEY, shape)
    layer = layers.LayerNorm()
    y, variables = layer.init_with_output(KEY, x)
    assert jax.tree.map(jnp.shape, variables['params']) == {'scale': (5,), 'bias': (5,)}
    axes = tuple(range(1, len(shape)))
    x = np.asarray(x)
    want = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 1e-5)
    np.testing.assert_allclose(y, want, atol=1e-5)
    params = {'scale': jnp.arange(5.0), 'bias': -jnp.arange(5.0)}
    want = want * np.arange(5.0) - np.arange(5.0)
    np.testing.assert_allclose(layer.apply({'params': params}, x), want, atol=1e-4)


def test_layer_norm_in_half_precision_computes_in_float32():
    x = (100 + jax.random.normal(KEY, (2, 64))).astype(jnp.bfloat16)
    y, _ = layers.LayerNorm().init_with_output(KEY, x)
    want, _ = layers.LayerNorm(output_dtype=jnp.float32).init_with_output(KEY, x)
    assert y.dtype == jnp.bfloat16
    assert want.dtype == jnp.float32
    np.testing.assert_allclose(want.std(), 1, rtol=1e-2)


def test_maxout_is_numpys():
    x = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    layer = layers.LinearMaxout(4, 5)
    y, variables = layer.init_with_output(KEY, x)
    kernel, bias = (np.asarray(variables['params']['Dense_0'][n]) for n in ('kernel', 'bias'))
    assert (kernel.shape, bias.shape) == ((3, 20), (20,))
    want = np.stack([(x @ kernel)[:, i::4].max(1) for i in range(4)], 1)
    np.testing.assert_allclose(y, want, rtol=1e-5)
    variables['params']['Dense_0']['bias'] = jnp.zeros(20).at[7].set(50.0)
    moved = layer.apply(variables, x)
    np.testing.assert_allclose(moved[:, 3], (x @ kernel)[:, 7] + 50, rtol=1e-5)
    np.testing.assert_allclose(moved[:, 0], want[:, 0], rtol=1e-5)


def test_maxout_can_be_the_absolute_value():
    params = {'Dense_0': {'kernel': jnp.array([[1.0, -1.0]]), 'bias': jnp.zeros(2)}}
    y = layers.LinearMaxout(1, 2).apply({'params': params}, jnp.array([[-3.0], [2.0]]))
    np.testing.assert_array_equal(y, [[3.0], [2.0]])


def grouped(groups):
    return layers.GroupedConv(12, (3, 3), groups=groups, padding=1)


def native(kernel, x, groups):
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), ((1, 1), (1, 1)), dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
        feature_group_count=groups,
    )  # fmt: skip


@pytest.mark.parametrize('groups', [1, 2, 6])
def test_a_grouped_convolution_is_laxs_with_its_derivatives(groups):
    x = jax.random.normal(KEY, (2, 5, 4, 6))
    y, variables = grouped(groups).init_with_output(KEY, x)
    kernel = variables['params']['kernel']
    assert kernel.shape == (3, 3, 6 // groups, 12)
    np.testing.assert_allclose(y, native(kernel, x, groups), atol=1e-5)

    def ours(kernel, x):
        params = {'kernel': kernel, 'bias': jnp.zeros(12)}
        return grouped(groups).apply({'params': params}, x)

    def penalty(function):
        def loss(kernel, x):
            return jnp.sum(jnp.sin(function(kernel, x)))

        return jax.grad(lambda k: loss(k, x) + jnp.sum(jax.grad(loss, 1)(k, x) ** 2))

    theirs = jax.jit(penalty(lambda k, x: native(k, x, groups)))(kernel)
    np.testing.assert_allclose(jax.jit(penalty(ours))(kernel), theirs, rtol=1e-3, atol=1e-3)


def test_groups_are_apart_and_the_bias_is_added():
    x = jax.random.normal(KEY, (1, 4, 4, 6))
    y, variables = grouped(2).init_with_output(KEY, x)
    other = grouped(2).apply(variables, x.at[..., 3:].set(0.0))
    np.testing.assert_array_equal(other[..., :6], y[..., :6])
    assert not other[..., 6:].any()
    variables['params']['bias'] = jnp.arange(12.0)
    moved = grouped(2).apply(variables, x)
    np.testing.assert_allclose(moved - y, jnp.broadcast_to(jnp.arange(12.0), y.shape), atol=1e-5)


@pytest.mark.parametrize('platform', ['cpu', 'cuda', 'tpu'])
def test_groups_are_native_but_on_cpus(platform):
    """One convolution with groups for the value and each gradient; on CPUs none at all."""
    x = jnp.ones((2, 5, 4, 6))
    variables = grouped(2).init(KEY, x)
    step = jax.jit(jax.grad(lambda v, x: jnp.sin(grouped(2).apply(v, x)).sum(), (0, 1)))
    text = step.trace(variables, x).lower(lowering_platforms=(platform,)).as_text()
    count = text.count('stablehlo.convolution')
    assert count == (0 if platform == 'cpu' else 3)
    assert ('dot_general' in text) == (platform == 'cpu')


@pytest.mark.parametrize(('channels', 'features'), [(5, 4), (4, 5)])
def test_uneven_groups_are_refused(channels, features):
    with pytest.raises(ValueError, match='multiples of the number of groups'):
        layers.GroupedConv(features, (3, 3), groups=2).init(KEY, jnp.ones((1, 4, 4, channels)))


def test_resizing_without_a_filter():
    x = jnp.arange(4.0).reshape(1, 2, 2, 1)
    y = layers.upsample_nearest(x)
    np.testing.assert_array_equal(y[0, :, :, 0], np.kron(x[0, :, :, 0], np.ones((2, 2))))
    np.testing.assert_array_equal(layers.downsample_mean(y), x)
    z = jax.random.normal(KEY, (2, 4, 6, 3))
    np.testing.assert_allclose(
        layers.downsample_mean(z)[1, 1, 2], z[1, 2:, 4:].mean((0, 1)), rtol=1e-5
    )
