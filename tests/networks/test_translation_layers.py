from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from gan_jax.networks import layers, patchgan, resnet, unet

KEY = jax.random.key(0)
X = np.random.default_rng(0).normal(3, 2, (3, 4, 5, 6)).astype(np.float32)
AFFINE = {'scale': jnp.arange(6.0), 'bias': -jnp.arange(6.0)}


def standardized(x, axes):
    x = np.float64(x)
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 1e-5)


def test_instance_norm_is_over_space_alone():
    y, variables = layers.InstanceNorm().init_with_output(KEY, X)
    assert not variables
    np.testing.assert_allclose(y, standardized(X, (1, 2)), atol=1e-5)
    flat = X.reshape(3, 20, 6)
    np.testing.assert_allclose(layers.InstanceNorm().apply({}, flat), y.reshape(flat.shape))


def test_group_norm_is_over_space_and_neighbouring_features():
    y, variables = layers.GroupNorm(2).init_with_output(KEY, X)
    assert jax.tree.map(jnp.shape, variables['params']) == {'scale': (6,), 'bias': (6,)}
    want = np.concatenate([standardized(part, (1, 2, 3)) for part in np.split(X, 2, 3)], 3)
    np.testing.assert_allclose(y, want, atol=1e-5)
    assert not layers.GroupNorm(2, affine=False).init(KEY, X)


def test_the_limits_of_group_norm_are_layer_and_instance_norm():
    one = layers.GroupNorm(1, affine=False).apply({}, X)
    params = layers.LayerNorm().init(KEY, X)
    np.testing.assert_allclose(one, layers.LayerNorm().apply(params, X), atol=1e-5)
    each = layers.GroupNorm(6, affine=False).apply({}, X)
    np.testing.assert_allclose(each, layers.InstanceNorm().apply({}, X), atol=1e-5)


@pytest.mark.parametrize('layer', [layers.InstanceNorm(affine=True), layers.GroupNorm(3)])
def test_scale_and_bias_are_per_feature(layer):
    plain, variables = layer.init_with_output(KEY, X)
    assert jax.tree.map(jnp.shape, variables['params']) == {'scale': (6,), 'bias': (6,)}
    y = layer.apply({'params': AFFINE}, X)
    want = np.asarray(plain) * np.arange(6.0) - np.arange(6.0)
    np.testing.assert_allclose(y, want, atol=1e-4)


@pytest.mark.parametrize('kind', [layers.InstanceNorm, lambda **kw: layers.GroupNorm(2, **kw)])
def test_half_precision_computes_in_float32(kind):
    x = jnp.asarray(100 + X / 10, jnp.bfloat16)
    y, _ = kind().init_with_output(KEY, x)
    want, _ = kind(output_dtype=jnp.float32).init_with_output(KEY, x)
    assert y.dtype == jnp.bfloat16
    assert want.dtype == jnp.float32
    np.testing.assert_array_equal(y, want.astype(jnp.bfloat16))
    np.testing.assert_allclose(want.mean(), 0, atol=1e-4)


def test_gradients_in_64_bits():
    with jax.enable_x64(True):
        x = np.random.default_rng(1).normal(size=(2, 3, 2, 4))
        rng = jax.random.split(KEY, 2)

        @jax.jit
        def values(x):
            return [
                layers.InstanceNorm().apply({}, x),
                layers.GroupNorm(2, affine=False).apply({}, x),
                layers.reflect(x, 1),
                layers.dropout(x, rng, 0.3),
            ]

        assert all(y.dtype == jnp.float64 for y in values(x))
        check_grads(values, (x,), order=2, modes=['rev'], atol=1e-5, rtol=1e-5)


def test_a_map_of_one_pixel_is_refused_by_instance_norm():
    with pytest.raises(ValueError, match='one pixel zero: use larger images'):
        layers.InstanceNorm().apply({}, X[:, :1, :1])
    with pytest.raises(AssertionError):
        layers.InstanceNorm().apply({}, X[:, 0, 0])


@pytest.mark.parametrize('groups', [0, 4])
def test_groups_that_do_not_divide_the_features_are_refused(groups):
    with pytest.raises(ValueError, match=f'groups={groups} does not divide 6'):
        layers.GroupNorm(groups).init(KEY, X)


@pytest.mark.parametrize('pad', [0, 1, 3, 6])
def test_reflection_is_numpys(pad):
    want = np.pad(X, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode='reflect')
    y = jax.jit(layers.reflect, static_argnums=1)(X, pad)
    np.testing.assert_array_equal(y, want)


def test_reflection_does_not_repeat_the_border():
    x = jnp.broadcast_to(jnp.arange(4.0)[None, :, None, None], (1, 4, 3, 1))
    column = layers.reflect(x, 2)[0, :, 0, 0]
    np.testing.assert_array_equal(column, [2, 1, 0, 1, 2, 3, 2, 1])
    with pytest.raises(AssertionError):
        layers.reflect(x[0], 1)


def test_dropout_keeps_the_mean_and_drops_its_share():
    y = np.asarray(layers.dropout(jnp.ones((4, 50, 50)), jax.random.split(KEY, 4), 0.3))
    np.testing.assert_array_equal(np.unique(y), np.float32([0, 1 / 0.7]))
    # 2,500 draws an example: a deviation of 0.009.
    np.testing.assert_allclose((y == 0).mean((1, 2)), 0.3, atol=0.04)
    np.testing.assert_allclose(y.mean(), 1, atol=0.03)
    assert (y[0] != y[1]).any()


def test_dropout_of_an_example_depends_on_its_key_only():
    rng = jax.random.split(KEY, 5)
    whole = layers.dropout(jnp.asarray(X), rng[:3], 0.5)
    np.testing.assert_array_equal(layers.dropout(jnp.asarray(X[1:]), rng[1:3], 0.5), whole[1:])
    others = layers.dropout(jnp.asarray(X), jnp.stack([rng[3], rng[1], rng[4]]), 0.5)
    np.testing.assert_array_equal(others[1], whole[1])
    assert (others[0] != whole[0]).any()
    assert (others[2] != whole[2]).any()


def test_dropout_can_be_off():
    x = jnp.asarray(X, jnp.bfloat16)
    np.testing.assert_array_equal(layers.dropout(x, None, 0.5), x)
    np.testing.assert_array_equal(layers.dropout(x, jax.random.split(KEY, 3), 0), x)
    assert layers.dropout(x, jax.random.split(KEY, 3), 0.5).dtype == jnp.bfloat16


def test_dropout_refuses_other_rates_and_keys():
    for rate in (-0.1, 1.0):
        with pytest.raises(ValueError, match='from 0 to below 1'):
            layers.dropout(X, None, rate)
    for rng in (KEY, jax.random.split(KEY, 2)):
        with pytest.raises(AssertionError):
            layers.dropout(X, rng, 0.5)


class Normalized(nn.Module):
    kind: str
    dtype: Any = None

    @nn.compact
    def __call__(self, x, train):
        init = layers.normal_around_one(0.02)
        return layers.normalize(x, self.kind, train, 'data', self.dtype, init)


@pytest.mark.parametrize('kind', layers.NORMS)
def test_the_norm_that_a_config_names(kind):
    x = jnp.asarray(X, jnp.bfloat16)
    variables = Normalized(kind).init(KEY, x, True)
    layer = {'batch': 'BatchNorm_0', 'group': 'GroupNorm_0'}.get(kind)
    assert {*variables} == {'batch': {'params', 'batch_stats'}, 'group': {'params'}}.get(
        kind, set()
    )
    if layer:
        scale = variables['params'][layer]['scale']
        assert 0 < abs(scale - 1).max() < 0.1
    wanted = {
        'batch': lambda x: x / np.sqrt(1 + 1e-5) * np.asarray(scale),
        'group': lambda x: (
            np.concatenate([standardized(part, (1, 2, 3)) for part in np.split(x, 2, 3)], 3)
            * np.asarray(scale)
        ),
        'instance': lambda x: standardized(x, (1, 2)),
        'none': lambda x: x,
    }
    y = Normalized(kind, jnp.float32).apply(variables, x, False)
    assert y.dtype == (jnp.bfloat16 if kind == 'none' else jnp.float32)
    want = wanted[kind](np.asarray(x, np.float32))
    np.testing.assert_allclose(np.asarray(y, np.float32), want, atol=1e-4)


def test_batch_statistics_are_those_of_all_devices():
    norm = Normalized('batch')
    variables = norm.init(KEY, X, True)

    def apply(x):
        return norm.apply(variables, x, True, mutable=['batch_stats'])[0]

    y = jax.jit(jax.vmap(apply, axis_name='data'))(X[:, None])[:, 0]
    want = standardized(X, (0, 1, 2)) * np.asarray(variables['params']['BatchNorm_0']['scale'])
    np.testing.assert_allclose(y, want, atol=1e-4)


def test_a_bias_is_needed_where_the_norm_has_none():
    assert [layers.needs_bias(kind) for kind in ('batch', 'group', 'instance', 'none')] == [
        False, False, True, True,
    ]  # fmt: skip


@pytest.mark.parametrize(('wrong', 'near'), [('instanse', 'instance'), ('Batch', 'batch'), (3, '')])
def test_an_unknown_norm_is_refused_with_the_nearest(wrong, near):
    for call in (layers.needs_bias, lambda kind: layers.normalize(X, kind, True)):
        with pytest.raises(ValueError, match=f"nearest valid name is '{near}.*'batch', 'group'"):
            call(wrong)


@pytest.mark.parametrize(
    ('network', 'convolutions', 'norms'),
    [
        (resnet.Generator((32, 32, 3), 4, 1, 'batch'), 8, 7),
        (unet.Generator((32, 32, 3), 4, 3), 6, 3),
        (patchgan.Discriminator((32, 32, 3), 4), 5, 3),
        (patchgan.MultiScale((64, 64, 3), 2, 4, 2, spectral=True), 8, 4),
    ],
)
def test_translators_and_their_judges_begin_as_the_reference_code_does(
    network, convolutions, norms
):
    """Kernels from N(0, 0.02) and scales from N(1, 0.02)."""
    draws = {'kernel_init': {}, 'scale_init': {}}

    def note(call, args, kwargs, context):
        for name, seen in draws.items():
            if context.method_name == '__call__' and hasattr(context.module, name):
                seen[context.module.path] = getattr(context.module, name)
        return call(*args, **kwargs)

    x = jnp.zeros((1, *network.shape))
    with nn.intercept_methods(note):
        jax.eval_shape(lambda: network.init(KEY, x, True))
    assert [len(seen) for seen in draws.values()] == [convolutions, norms]
    for seen, mean in zip(draws.values(), (0, 1), strict=True):
        for init in {*seen.values()}:
            made = init(KEY, (2000,), jnp.float32)
            np.testing.assert_allclose([made.mean(), made.std()], [mean, 0.02], atol=2e-3)
