"""What the generator of StyleGAN2 tells of itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.games import stylegan2 as game_lib
from gan_jax.games.network import Role, of_module
from gan_jax.networks import stylegan2

SETTINGS = {'style_size': 5, 'mapping_layers': 1, 'channel_base': 32, 'channel_max': 4}
NETWORK = stylegan2.Generator((8, 8, 1), **SETTINGS)


@pytest.fixture(scope='module')
def variables():
    begin = lambda key: NETWORK.init(key, jnp.zeros((2, 5)), True)  # noqa: E731
    shapes = jax.eval_shape(begin, jax.random.key(0))
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape), x.dtype), shapes)


def read(name, variables):
    role = Role(of_module(NETWORK).method(name), 'generator')
    aux = {'generator': {'buffers': variables['buffers']}}
    return game_lib._read(role, {'generator': variables['params']}, aux)


def test_the_affine_kernels_are_those_of_the_layers_in_their_order(variables):
    kernels = read('affines', variables)
    blocks = variables['params']['synthesis']
    own = [('b4', 'conv1'), ('b8', 'conv0'), ('b8', 'conv1'), ('b8', 'torgb')]
    assert len(kernels) == NETWORK.num_styles == 4
    for kernel, (block, layer) in zip(kernels, own, strict=True):
        assert kernel.shape == (5, 4)
        np.testing.assert_array_equal(kernel, blocks[block][layer]['affine']['kernel'])


def test_a_style_outside_what_its_kernel_sees_changes_nothing(variables):
    """Of 5 numbers a kernel of 4 outputs sees 4: along the fifth only the colours can change."""
    kernels = read('affines', variables)
    styles = np.array(jax.random.normal(jax.random.key(1), (1, 4, 5)))
    synthesize = jax.jit(lambda w: NETWORK.apply(variables, w, method='synthesize'))
    before = synthesize(styles)
    for layer in (0, 2, 3):  # the second is also what b4's colours have
        blind = np.linalg.svd(np.asarray(kernels[layer]).T)[2][4]
        moved, seen = styles.copy(), styles.copy()
        moved[0, layer] += blind
        seen[0, layer] += np.linalg.svd(np.asarray(kernels[layer]).T)[2][0]
        np.testing.assert_allclose(synthesize(moved), before, rtol=1e-3, atol=1e-3)
        assert np.abs(synthesize(seen) - before).max() > 1e-2


def test_the_noise_maps_are_what_synthesis_takes(variables):
    maps = read('noise_maps', variables)
    shapes = {f'{b}/{c}': x['noise_const'].shape for b, y in maps.items() for c, x in y.items()}
    assert shapes == {'b4/conv1': (4, 4), 'b8/conv0': (8, 8), 'b8/conv1': (8, 8)}
    styles = jax.random.normal(jax.random.key(1), (2, 4, 5))
    synthesize = jax.jit(lambda w, noise: NETWORK.apply(variables, w, False, None, noise,
                                                        method='synthesize'))  # fmt: skip
    each = jax.tree.map(lambda x: jnp.stack([x, -x]), maps)
    one = synthesize(styles, maps)
    np.testing.assert_allclose(
        one, NETWORK.apply(variables, styles, method='synthesize'), rtol=1e-3
    )
    two = synthesize(styles, each)
    np.testing.assert_allclose(two[0], one[0], rtol=1e-4, atol=1e-4)
    assert np.abs(two[1] - one[1]).max() > 1e-2
