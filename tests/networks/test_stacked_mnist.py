import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.networks import layers, stacked_mnist

KEY = jax.random.key(0)
SHAPE = (28, 28, 3)


def made(network, x):
    """The first variables and what comes out, compiled in one."""
    return jax.jit(lambda x: network.init_with_output(KEY, x, train=True))(x)


def shapes(network, x):
    return jax.eval_shape(lambda: network.init(KEY, x, train=True))


def kernels(variables, kind):
    return [v['kernel'].shape for k, v in variables['params'].items() if k.startswith(kind)]


def test_the_generators_layout_is_the_papers():
    """256 -> 4*4*64 -> 32 -> 16 -> 8 -> 3."""
    variables = shapes(stacked_mnist.Generator(SHAPE), jnp.zeros((2, 256)))
    assert kernels(variables, 'Dense') == [(256, 1024)]
    assert kernels(variables, 'ConvTranspose') == [(3, 3, 64, 32), (3, 3, 32, 16), (3, 3, 16, 8)]
    assert kernels(variables, 'Conv_') == [(3, 3, 8, 3)]
    norms = [x['mean'].shape[0] for x in variables['batch_stats'].values()]
    assert sorted(norms) == [8, 16, 32, 64]
    biases = [k for k, v in variables['params'].items() if 'bias' in v and 'kernel' in v]
    assert biases == ['Conv_0']
    weights = 256 * 1024 + 9 * (64 * 32 + 32 * 16 + 16 * 8) + 9 * 8 * 3 + 3 + 2 * (64 + 32 + 16 + 8)
    count = sum(x.size for x in jax.tree.leaves(variables['params']))
    assert count == weights == 286_795


@pytest.mark.parametrize(('width', 'last'), [(2, 8), (4, 16)])
@pytest.mark.parametrize('packed', [1, 2])
def test_the_discriminators_layout_is_the_papers(width, last, packed):
    """A quarter: 2, 4, 8 channels; half: 4, 8, 16. Packing multiplies the image's channels."""
    images = jnp.zeros((2, 28, 28, 3 * packed))
    variables = shapes(stacked_mnist.Discriminator(SHAPE, width), images)
    widths = [3 * packed, width, 2 * width, 4 * width]
    assert kernels(variables, 'Conv') == [(3, 3, widths[i], widths[i + 1]) for i in range(3)]
    assert widths[-1] == last
    assert kernels(variables, 'Dense') == [(4 * 4 * last, 1)]
    assert [x['mean'].shape[0] for x in variables['batch_stats'].values()] == widths[1:]
    assert {*variables['params']['Conv_0']} == {'kernel'}
    none = shapes(stacked_mnist.Discriminator(SHAPE, width, norm='none'), images)
    assert {*none} == {'params'}
    assert {*none['params']['Conv_0']} == {'kernel', 'bias'}


@pytest.mark.parametrize(('size', 'sizes'), [(28, [28, 14, 7, 4]), (16, [16, 8, 4, 2])])
def test_the_sizes_between(size, sizes):
    assert stacked_mnist._sizes((size, size, 3)) == sizes
    shape = (size, size, 3)
    latent, images = jnp.zeros((2, 8)), jnp.zeros((2, *shape))

    def maps(network, x, kind):
        def run():
            variables = network.init(KEY, x, train=True)
            everything = {'mutable': ['batch_stats', 'intermediates']}
            return network.apply(
                variables, x, train=True, capture_intermediates=True, **everything
            )[1]

        calls = jax.eval_shape(run)['intermediates'].items()
        return [y['__call__'][0].shape[1:3] for name, y in calls if name.startswith(kind)]

    up = maps(stacked_mnist.Generator(shape), latent, 'ConvTranspose')
    assert up == [(n, n) for n in sizes[2::-1]]
    down = maps(stacked_mnist.Discriminator(shape), images, 'Conv_')
    assert down == [(n, n) for n in sizes[1:]]


@pytest.mark.parametrize(('small', 'large', 'padding'), [(4, 7, (1, 1)), (7, 14, (0, 1))])
def test_transposed_convolutions_are_the_adjoints_of_same(small, large, padding):
    """<conv(x), y> = <x, transposed(y)> with TensorFlow's 'SAME', from 14 to 7 and 7 to 4."""
    forward = layers.Conv(5, (3, 3), strides=(2, 2), padding='SAME', use_bias=False)
    x = jax.random.normal(KEY, (2, large, large, 3))
    y, variables = forward.init_with_output(KEY, x)
    other = jax.random.normal(jax.random.key(1), y.shape)
    assert y.shape == (2, small, small, 5)
    kernel = jnp.swapaxes(variables['params']['kernel'][::-1, ::-1], 2, 3)
    back = layers.ConvTranspose(3, (3, 3), (2, 2), padding, use_bias=False)
    z = back.apply({'params': {'kernel': kernel}}, other)
    np.testing.assert_allclose(jnp.vdot(y, other), jnp.vdot(x, z), rtol=1e-4)


def test_the_generator_crops_as_those_do(monkeypatch):
    """To 7, 14 and 28: one pixel after, and to the odd size one before."""
    paddings = []

    class Noting(layers.ConvTranspose):
        def __post_init__(self):
            paddings.append(self.padding)
            super().__post_init__()

    monkeypatch.setattr(layers, 'ConvTranspose', Noting)
    network = stacked_mnist.Generator(SHAPE)
    jax.eval_shape(lambda: network.init(KEY, jnp.zeros((2, 8)), train=True))
    assert paddings == [(1, 1), (0, 1), (0, 1)]


def test_the_discriminator_is_same_convolutions_and_leaks_by_0_3():
    network = stacked_mnist.Discriminator(SHAPE, norm='none')
    x = jax.random.normal(KEY, (2, *SHAPE))
    logits, variables = made(network, x)
    want = x
    for i in range(3):
        params = variables['params'][f'Conv_{i}']
        want = jax.lax.conv_general_dilated(
            want, params['kernel'], (2, 2), 'SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC')
        )
        want = jnp.where(want > 0, want, 0.3 * want)
    want = want.reshape(2, -1) @ variables['params']['Dense_0']['kernel'][:, 0]
    np.testing.assert_allclose(logits, want, rtol=1e-3, atol=1e-9)


def test_initialisation_and_range():
    network = stacked_mnist.Generator(SHAPE)
    latent = jax.random.normal(KEY, (16, 256))
    images, variables = made(network, latent)
    assert images.shape == (16, *SHAPE)
    assert float(jnp.abs(images).max()) <= 1
    # 72 ReLUs of second moment 1/2 by N(0, 0.02): 0.02 * 6.
    np.testing.assert_allclose(images.std(), 0.12, rtol=0.5)
    for name in ('Dense_0', 'ConvTranspose_0', 'ConvTranspose_1', 'Conv_0'):
        np.testing.assert_allclose(variables['params'][name]['kernel'].std(), 0.02, rtol=0.15)


@pytest.mark.parametrize('shape', [(28, 32, 3), (4, 4, 3)])
def test_other_shapes_are_refused_with_the_remedy(shape):
    with pytest.raises(ValueError, match='image_size to 28'):
        stacked_mnist.Generator(shape).init(KEY, jnp.zeros((2, 4)), train=True)
    with pytest.raises(ValueError, match='image_size to 28'):
        stacked_mnist.Discriminator(shape).init(KEY, jnp.zeros((2, *shape)), train=True)


def test_an_unknown_norm_is_refused_with_the_valid_ones():
    with pytest.raises(ValueError, match="'batch', 'none'"):
        stacked_mnist.Discriminator(SHAPE, norm='layer').init(
            KEY, jnp.zeros((2, *SHAPE)), train=True
        )


def test_two_devices_share_statistics():
    network = stacked_mnist.Discriminator((16, 16, 3), axis_name='devices')
    x = jax.random.normal(KEY, (4, 16, 16, 3))
    variables = made(network, x)[1]

    @functools.partial(jax.jit, static_argnums=0)
    def run(network, x):
        return network.apply(variables, x, train=True, mutable=['batch_stats'])[0]

    y = jax.pmap(lambda x: run(network, x), 'devices')(x.reshape(2, 2, 16, 16, 3))
    np.testing.assert_allclose(y.reshape(4), run(network.clone(axis_name=None), x), atol=1e-5)
