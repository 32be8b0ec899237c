import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.networks import layers

KEY = jax.random.key(0)
X = 3 + 2 * jax.random.normal(KEY, (8, 3, 3, 5))
Y = jax.random.normal(jax.random.key(1), (8, 4))
TRAINING = layers.ConditionalBatchNorm(False, kernel_init=jax.nn.initializers.normal(1.0))


def test_it_is_the_norm_without_affine_then_one_plus_wy_and_vy():
    variables = TRAINING.init(KEY, X, Y)
    assert jax.tree.map(jnp.shape, variables['params']) == {
        'scale': {'kernel': (4, 5)}, 'shift': {'kernel': (4, 5)},
    }  # fmt: skip
    y, moved = TRAINING.apply(variables, X, Y, mutable=['batch_stats'])
    x, told = np.float64(X), np.float64(Y)
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    w, v = (np.float64(variables['params'][name]['kernel']) for name in ('scale', 'shift'))
    scale, shift = (1 + told @ w)[:, None, None], (told @ v)[:, None, None]
    want = scale * (x - mean) / np.sqrt(variance + 1e-5) + shift
    np.testing.assert_allclose(y, want, rtol=1e-4, atol=1e-4)
    stats = moved['batch_stats']['BatchNorm_0']
    np.testing.assert_allclose(stats['mean'], 0.1 * mean, rtol=1e-5)
    after = TRAINING.clone(use_running_average=True)
    want = scale * (x - 0.1 * mean) / np.sqrt(0.9 + 0.1 * variance + 1e-5) + shift
    found = after.apply({**variables, **moved}, X, Y)
    np.testing.assert_allclose(found, want, rtol=1e-4, atol=1e-4)


def test_after_training_an_example_depends_on_its_own_condition_only():
    after = TRAINING.clone(use_running_average=True)
    variables = after.init(KEY, X, Y)
    one, other = after.apply(variables, X, Y), after.apply(variables, X, Y.at[1:].add(1.0))
    np.testing.assert_array_equal(one[0], other[0])
    assert (one[1:] != other[1:]).all()


def test_with_one_class_of_zeros_it_is_the_batch_norm():
    layer = layers.ConditionalBatchNorm(False, kernel_init=jax.nn.initializers.zeros)
    y, _ = layer.init_with_output(KEY, X, Y)
    plain = layers.BatchNorm(use_running_average=False)
    np.testing.assert_array_equal(y, plain.init_with_output(KEY, X)[0])


def test_spectral_norms_are_iterated_in_training_only():
    layer = TRAINING.clone(spectral=True)
    variables = layer.init(KEY, X, Y)
    _, moved = layer.apply(variables, X, Y, mutable=['spectral', 'batch_stats'])
    one, other = variables['spectral']['scale']['u'], moved['spectral']['scale']['u']
    assert float(jnp.abs(one - other).max()) > 1e-3
    after = layer.clone(use_running_average=True)
    _, still = after.apply(variables, X, Y, mutable=['spectral'])
    np.testing.assert_array_equal(still['spectral']['scale']['u'], one)
    larger = {**variables, 'params': jax.tree.map(lambda x: 5 * x, variables['params'])}
    found = (after.apply(v, X, Y) for v in (variables, larger))
    np.testing.assert_allclose(*found, rtol=1e-4, atol=1e-4)


def test_two_devices_normalise_by_the_statistics_of_all():
    layer = TRAINING.clone(axis_name='devices')
    variables = TRAINING.init(KEY, X, Y)
    apply = functools.partial(layer.apply, variables, mutable=['batch_stats'])
    halves = (x.reshape(2, 4, *x.shape[1:]) for x in (X, Y))
    y, _ = jax.vmap(apply, axis_name='devices')(*halves)
    whole, _ = TRAINING.apply(variables, X, Y, mutable=['batch_stats'])
    np.testing.assert_allclose(y.reshape(X.shape), whole, rtol=1e-4, atol=1e-4)


def test_types_and_shapes():
    x = X.astype(jnp.bfloat16)
    assert TRAINING.init_with_output(KEY, x, Y)[0].dtype == jnp.bfloat16
    wide = TRAINING.clone(output_dtype=jnp.float32)
    assert wide.init_with_output(KEY, x, Y)[0].dtype == jnp.float32
    with pytest.raises(AssertionError):
        TRAINING.init(KEY, X, Y[:3])


class Either(nn.Module):
    """`layers.batch_norm` of a module."""

    axis_name: str | None = None

    @nn.compact
    def __call__(self, x, condition):
        return layers.batch_norm(
            x, condition, True, self.axis_name, jnp.bfloat16, kernel_init=jax.nn.initializers.zeros
        )


@pytest.mark.parametrize('condition', [None, Y])
def test_the_norm_is_conditional_if_there_is_a_condition_and_over_all_devices(condition):
    variables = Either().init(KEY, X, condition)
    kind = 'BatchNorm_0' if condition is None else 'ConditionalBatchNorm_0'
    assert {*variables['params']} == {kind}
    whole, _ = Either().apply(variables, X, condition, mutable=['batch_stats'])
    halves = X.reshape(2, 4, 3, 3, 5), None if condition is None else Y.reshape(2, 4, 4)
    apart, moved = jax.vmap(
        lambda x, y: Either('half').apply(variables, x, y, mutable=['batch_stats']),
        (0, None if condition is None else 0),
        axis_name='half',
    )(*halves)
    assert apart.dtype == jnp.bfloat16
    np.testing.assert_allclose(
        np.float32(apart).reshape(X.shape), np.float32(whole), rtol=1e-2, atol=1e-2
    )
    for leaf in jax.tree.leaves(moved):
        np.testing.assert_array_equal(leaf[0], leaf[1])
