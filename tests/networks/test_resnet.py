import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.networks import resnet

KEY = jax.random.key(0)


def shapes(network, shape):
    return jax.eval_shape(lambda: network.init(KEY, jnp.zeros(shape), train=True))


def count(variables):
    return sum(x.size for x in jax.tree.leaves(variables['params']))


def filled(network, x, scale=1.0):
    """Variables of random numbers, N(0, scale^2 / fan_in): no initialisation is compiled."""
    draw = np.random.default_rng(0).normal

    def leaf(x):
        return jnp.asarray(draw(size=x.shape) * scale / np.sqrt(np.prod(x.shape[:-1])), x.dtype)

    variables = shapes(network, x.shape)
    filled = jax.tree.map(leaf, variables['params'])
    return {**jax.tree.map(lambda x: jnp.ones(x.shape), variables), 'params': filled}


@pytest.mark.parametrize(('blocks', 'literal'), [(9, 11_378_179), (6, 7_837_699)])
def test_the_parameter_counts_are_the_reference_codes(blocks, literal):
    """11.378 M and 7.838 M, as the reference code prints them."""

    def conv(size, ins, outs):
        return size * size * ins * outs + outs

    ends = conv(7, 3, 64) + conv(7, 64, 3)
    changes = conv(3, 64, 128) + conv(3, 128, 256) + conv(3, 256, 128) + conv(3, 128, 64)
    assert ends + changes + blocks * 2 * conv(3, 256, 256) == literal
    network = resnet.Generator((256, 256, 3), blocks=blocks)
    assert count(shapes(network, (1, 256, 256, 3))) == literal


def test_before_a_norm_with_a_bias_there_is_none():
    plain = count(shapes(resnet.Generator((32, 32, 3)), (1, 32, 32, 3)))
    normed = 64 + 128 + 256 + 9 * 2 * 256 + 128 + 64
    for norm, more in (('batch', normed), ('group', normed), ('none', 0)):
        variables = shapes(resnet.Generator((32, 32, 3), norm=norm), (1, 32, 32, 3))
        assert count(variables) == plain + more
        assert ('batch_stats' in variables) == (norm == 'batch')
        assert ('bias' in variables['params']['Conv_0']) == (norm == 'none')
        assert 'bias' in variables['params']['Conv_3']


@pytest.mark.parametrize('size', [(8, 8), (12, 20), (64, 32)])
@pytest.mark.parametrize(('source', 'channels'), [(1, 3), (4, 1)])
def test_every_multiple_of_4_comes_out(size, source, channels):
    network = resnet.Generator((256, 256, channels), 4, blocks=2)
    x = jax.ShapeDtypeStruct((2, *size, source), jnp.float32)
    y, _ = jax.eval_shape(lambda x: network.init_with_output(KEY, x, False), x)
    assert y.shape == (2, *size, channels)


@pytest.mark.parametrize('size', [(8, 10), (9, 8)])
def test_other_sizes_are_refused(size):
    with pytest.raises(ValueError, match=r'multiples of 4, not .*set image_size'):
        shapes(resnet.Generator((8, 8, 3), 4), (1, *size, 3))


def test_an_unknown_norm_is_refused():
    with pytest.raises(ValueError, match="'instance'"):
        shapes(resnet.Generator((8, 8, 3), 4, norm='instant'), (1, 8, 8, 3))


def delta(shape, row, column):
    """A kernel that takes one pixel of the first channel to the first channel."""
    return jnp.zeros(shape).at[row, column, 0, 0].set(1.0)


def passing(blocks):
    """A network of width 1 whose convolutions pass on the pixel in the middle of their windows."""
    network = resnet.Generator((16, 8, 1), 1, blocks, norm='none')
    params = shapes(network, (1, 16, 8, 1))['params']

    def leaf(x):
        return (
            delta(x.shape, x.shape[0] // 2, x.shape[1] // 2) if x.ndim == 4 else jnp.zeros(x.shape)
        )

    return network, jax.tree.map(leaf, params)


def apply(network, params, x):
    run = jax.jit(lambda x: network.apply({'params': params}, x[None, :, :, None], train=True))
    return run(x)[0, :, :, 0]


def spread(x):
    """Every fourth pixel stays in its place, zeros between: what halving and doubling leave."""
    y = np.zeros((4 * x.shape[0], 4 * x.shape[1]))
    y[::4, ::4] = x
    return y


def test_halved_and_doubled_pixels_are_back_in_their_places():
    network, params = passing(0)
    x = np.random.default_rng(0).uniform(0.1, 1, (16, 8)).astype(np.float32)
    y = apply(network, params, x)
    np.testing.assert_allclose(y, np.tanh(spread(x[::4, ::4])), atol=1e-6)


def test_a_block_adds_to_its_input_and_sees_a_mirror_at_the_border():
    network, params = passing(3)
    first = params['ResidualBlock_0']['Conv_0']
    first['kernel'] = delta(first['kernel'].shape, 0, 1)
    second = params['ResidualBlock_1']['Conv_1']
    second['kernel'] = -delta(second['kernel'].shape, 1, 2)
    # Of the last block ReLU leaves what its input lacks to be positive.
    third = params['ResidualBlock_2']['Conv_0']
    third['kernel'] = -third['kernel']
    x = np.random.default_rng(0).uniform(0.1, 1, (16, 8)).astype(np.float32)
    y = apply(network, params, x)
    want = x[::4, ::4]
    want = want + want[[1, 0, 1, 2]]
    want = want - want[:, [1, 0]]
    assert (want < 0).any()
    np.testing.assert_allclose(y, np.tanh(spread(np.maximum(want, 0))), atol=1e-6)


def test_images_are_within_one_and_examples_apart():
    network = resnet.Generator((8, 8, 3), 4, blocks=0)
    x = jax.random.normal(KEY, (3, 8, 8, 3))
    variables = filled(network, x, 3.0)
    rng = jax.random.split(KEY, 3)
    apply = jax.jit(lambda x: [network.apply(variables, x, *a) for a in ((True,), (False, rng))])
    y, after = apply(x)
    assert 0.99 < float(jnp.abs(y).max()) <= 1
    np.testing.assert_allclose(after, y, atol=1e-5)
    np.testing.assert_allclose(apply(x.at[0].set(9.0))[0][1:], y[1:], atol=1e-4)


def test_the_type_of_the_images_stays():
    network = resnet.Generator((16, 16, 3), 4, blocks=1, dtype=jnp.bfloat16)
    x = jax.ShapeDtypeStruct((2, 16, 16, 3), jnp.float32)
    y, variables = jax.eval_shape(lambda x: network.init_with_output(KEY, x, True), x)
    assert y.dtype == jnp.float32
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype('float32')}
