import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.networks import layers

KEY = jax.random.key(0)
X = jax.random.normal(KEY, (4, 6, 6, 3))


@pytest.fixture(params=['conv', 'dense'])
def layer(request):
    """A layer without a bias; its kernel as a matrix is [27, 8] or [3, 8]."""
    if request.param == 'conv':
        return layers.SpectralConv(8, (3, 3), padding=1, use_bias=False)
    return layers.SpectralDense(8, use_bias=False)


def plain(layer, kernel):
    """What an ordinary layer makes of X with this kernel."""
    if isinstance(layer, layers.SpectralDense):
        return X @ kernel
    conv = layers.Conv(8, (3, 3), padding=1, use_bias=False)
    return conv.apply({'params': {'kernel': kernel}}, X)


def sigma(kernel):
    return np.linalg.svd(np.reshape(kernel, (-1, 8)), compute_uv=False)[0]


def iterate(layer, variables, times):
    params, spectral = variables['params'], variables['spectral']
    step = jax.jit(
        lambda s: layer.apply(
            {'params': params, 'spectral': s}, X, train=True, mutable=['spectral']
        )[1]['spectral']
    )
    for _ in range(times):
        spectral = step(spectral)
    return {'params': params, 'spectral': spectral}


def test_the_first_iteration_is_algorithm_1(layer):
    variables = layer.init(KEY, X, train=True)
    kernel, u = variables['params']['kernel'], np.asarray(variables['spectral']['u'])
    np.testing.assert_allclose(np.linalg.norm(u), 1, rtol=1e-5)
    matrix = np.reshape(kernel, (-1, 8))
    v = matrix @ u / np.linalg.norm(matrix @ u)
    new = matrix.T @ v / np.linalg.norm(matrix.T @ v)
    y, updated = layer.apply(variables, X, train=True, mutable=['spectral'])
    np.testing.assert_allclose(updated['spectral']['u'], new, atol=1e-5)
    np.testing.assert_allclose(y, plain(layer, kernel / (v @ matrix @ new)), atol=1e-4)


def test_the_iterations_find_the_largest_singular_value(layer):
    variables = iterate(layer, layer.init(KEY, X, train=True), 100)
    kernel = variables['params']['kernel']
    for train in (True, False):
        y = layer.apply(variables, X, train=train)
        np.testing.assert_allclose(y, plain(layer, kernel / sigma(kernel)), atol=1e-3)


def test_after_50_iterations_sigma_is_the_singular_value_to_three_digits(layer):
    variables = iterate(layer, layer.init(KEY, X, train=True), 50)
    kernel = variables['params']['kernel']
    for train in (True, False):
        y = layer.apply(variables, X, train=train)
        found = np.linalg.norm(plain(layer, kernel)) / np.linalg.norm(y)
        np.testing.assert_allclose(found, sigma(kernel), rtol=1e-3)


def test_evaluation_and_initialisation_do_not_iterate(layer):
    variables = layer.init(KEY, X, train=True)
    u = variables['spectral']['u']
    np.testing.assert_array_equal(layer.init(KEY, X, train=False)['spectral']['u'], u)
    _, same = layer.apply(variables, X, train=False, mutable=['spectral'])
    np.testing.assert_array_equal(same['spectral']['u'], u)
    # Where the collection is not mutable, training goes through and nothing is kept.
    y, _ = layer.apply(variables, X, train=True, mutable=['spectral'])
    np.testing.assert_array_equal(layer.apply(variables, X, train=True), y)


def test_the_parameters_are_the_kernel_before_the_division(layer):
    """Glorot uniform: variance 2 / (fan_in + fan_out)."""
    kernel = layer.clone(features=256).init(KEY, X, train=True)['params']['kernel']
    fans = (kernel.size // 256, kernel.size // 3)
    np.testing.assert_allclose(kernel.var(), 2 / sum(fans), rtol=0.15)


def test_the_gradient_is_equation_12_with_u_and_v_fixed(layer):
    """d/dW f(W / s) = (g - <g, W / s> v u^T) / s, g the gradient at W / s."""
    variables = iterate(layer, layer.init(KEY, X, train=True), 100)
    kernel = variables['params']['kernel']

    def loss(y):
        return jnp.sum(jnp.sin(y))

    def normalized(kernel):
        return loss(layer.apply({**variables, 'params': {'kernel': kernel}}, X, train=False))

    found = jax.grad(normalized)(kernel)
    s = float(sigma(kernel))
    g = jax.grad(lambda k: loss(plain(layer, k)))(kernel / s).reshape(-1, 8)
    left, _, right = np.linalg.svd(np.reshape(kernel, (-1, 8)))
    outer = np.outer(left[:, 0], right[0])
    want = (g - jnp.vdot(g, kernel.reshape(-1, 8) / s) * outer) / s
    np.testing.assert_allclose(found.reshape(-1, 8), want, rtol=1e-2, atol=1e-2)


def test_the_scale_of_the_kernel_does_not_matter(layer):
    variables = layer.init(KEY, X, train=True)
    larger = {**variables, 'params': jax.tree.map(lambda x: 100 * x, variables['params'])}
    one, other = (layer.apply(v, X, train=True) for v in (variables, larger))
    np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


def test_the_length_of_a_stored_vector_does_not_matter(layer):
    """The running average of unit vectors is shorter than one."""
    variables = layer.init(KEY, X, train=True)
    shorter = {**variables, 'spectral': {'u': variables['spectral']['u'] / 3}}
    one, other = (layer.apply(v, X, train=False) for v in (variables, shorter))
    np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


def test_a_kernel_of_zeros_is_left_alone(layer):
    variables = layer.init(KEY, X, train=True)
    zero = {**variables, 'params': jax.tree.map(jnp.zeros_like, variables['params'])}
    y, updated = layer.apply(zero, X, train=True, mutable=['spectral'])
    assert not y.any()
    np.testing.assert_allclose(updated['spectral']['u'], variables['spectral']['u'], rtol=1e-6)
    grads = jax.grad(lambda p: layer.apply({**zero, 'params': p}, X, train=True).sum())(
        zero['params']
    )
    assert np.isfinite(grads['kernel']).all()
