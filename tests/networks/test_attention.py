import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.networks import layers

KEY = jax.random.key(0)
X = jax.random.normal(KEY, (2, 4, 6, 16))


def naive(x, params, gamma):
    """Place by place, in float64."""
    x = np.float64(x)
    kernels = {name: np.float64(params[name]['kernel'])[0, 0] for name in params if name != 'gamma'}
    out = np.zeros_like(x)
    batch, height, width, _ = x.shape
    for n in range(batch):
        keys, values = [], []
        for i in range(0, height, 2):
            for j in range(0, width, 2):
                window = x[n, i : i + 2, j : j + 2].reshape(4, -1)
                keys.append((window @ kernels['phi']).max(0))
                values.append((window @ kernels['g']).max(0))
        for i in range(height):
            for j in range(width):
                logits = np.array(keys) @ (x[n, i, j] @ kernels['theta'])
                weights = np.exp(logits - logits.max())
                mixed = weights / weights.sum() @ np.array(values)
                out[n, i, j] = x[n, i, j] + gamma * mixed @ kernels['out']
    return out


def test_it_is_attention_place_by_place():
    layer = layers.SelfAttention(kernel_init=jax.nn.initializers.normal(0.5))
    params = jax.jit(lambda: layer.init(KEY, X, train=True))()['params']
    assert {name: x['kernel'].shape[2:] for name, x in params.items() if name != 'gamma'} == {
        'theta': (16, 2), 'phi': (16, 2), 'g': (16, 8), 'out': (8, 16),
    }  # fmt: skip
    y = layer.apply({'params': params | {'gamma': jnp.float32(0.7)}}, X, train=True)
    assert float(jnp.abs(y - X).max()) > 0.5
    np.testing.assert_allclose(y, naive(X, params, 0.7), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('spectral', [False, True])
def test_it_begins_as_the_identity_and_gamma_can_move(spectral):
    layer = layers.SelfAttention(spectral=spectral)
    y, variables = jax.jit(lambda: layer.init_with_output(KEY, X, train=True))()
    np.testing.assert_array_equal(y, X)

    def product(params):
        return jnp.sum(layer.apply({**variables, 'params': params}, X, train=True) * X)

    gradient = jax.jit(jax.grad(product))(variables['params'])
    assert gradient['gamma'].shape == ()
    assert abs(float(gradient['gamma'])) > 0.1
    assert not gradient['theta']['kernel'].any()


def test_with_spectral_norms_the_scale_of_a_kernel_does_not_matter():
    layer = layers.SelfAttention(spectral=True)
    variables = layer.init(KEY, X, train=True)
    assert {*variables['spectral']} == {'theta', 'phi', 'g', 'out'}
    params = variables['params'] | {'gamma': jnp.float32(1.0)}
    scaled = jax.tree.map(lambda x: x * 5 if x.ndim else x, params)
    one, other = (layer.apply({**variables, 'params': p}, X, train=False) for p in (params, scaled))
    assert float(jnp.abs(one - X).max()) > 0.1
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_half_precision_keeps_its_type():
    layer = layers.SelfAttention(dtype=jnp.bfloat16)
    y, variables = layer.init_with_output(KEY, X.astype(jnp.bfloat16), train=True)
    assert y.dtype == jnp.bfloat16
    assert variables['params']['gamma'].dtype == jnp.float32


@pytest.mark.parametrize('shape', [(1, 4, 4, 7), (1, 3, 4, 8), (1, 4, 5, 8)])
def test_maps_that_cannot_be_attended_are_refused(shape):
    with pytest.raises(ValueError, match='even height and width with 8 channels or more'):
        layers.SelfAttention().init(KEY, jnp.zeros(shape), train=True)
