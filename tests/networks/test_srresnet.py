import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.networks import layers, srresnet

KEY = jax.random.key(0)
FAMILIES = [srresnet.SRResNet, srresnet.RRDB]


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


def conv(size, ins, outs):
    return size * size * ins * outs + outs


def test_rrdbs_parameter_count_is_the_reference_codes():
    """23 blocks of three dense ones; 16.698 M at a factor of 4."""
    dense = sum(conv(3, 64 + 32 * i, 32) for i in range(4)) + conv(3, 64 + 4 * 32, 64)
    others = conv(3, 3, 64) + 4 * conv(3, 64, 64) + conv(3, 64, 3)
    assert 23 * 3 * dense + others == 16_697_987
    assert count(shapes(srresnet.RRDB((256, 256, 3)), (1, 8, 8, 3))) == 16_697_987


def test_srresnets_parameter_count():
    """About 1.5 M: 16 blocks, two shuffles, a slope of PReLU per channel."""
    block = 2 * (9 * 64 * 64 + 2 * 64) + 64
    ends = conv(9, 3, 64) + 64 + conv(9, 64, 3)
    up = conv(3, 64, 256) + 64
    want = ends + 16 * block + 9 * 64 * 64 + 2 * 64 + 2 * up
    assert want == 1_548_547
    variables = shapes(srresnet.SRResNet((256, 256, 3)), (1, 8, 8, 3))
    assert count(variables) == want
    assert len(variables['batch_stats']) == 16 + 1
    plain = shapes(srresnet.SRResNet((256, 256, 3), blocks=2, norm='none'), (1, 8, 8, 3))
    assert count(plain) == want - 14 * block - 5 * 64


@pytest.mark.parametrize('family', FAMILIES)
@pytest.mark.parametrize(
    ('factor', 'size', 'source', 'channels'),
    [(1, (5, 8), 4, 3), (2, (5, 8), 1, 3), (4, (16, 16), 3, 1), (8, (2, 2), 3, 3)],
)
def test_images_are_enlarged(family, factor, size, source, channels):
    network = family((256, 256, channels), 4, blocks=1, factor=factor)
    x = jax.ShapeDtypeStruct((2, *size, source), jnp.float32)
    y, _ = jax.eval_shape(lambda x: network.init_with_output(KEY, x, False), x)
    assert y.shape == (2, factor * size[0], factor * size[1], channels)


@pytest.mark.parametrize('family', FAMILIES)
@pytest.mark.parametrize('factor', [0, 3, 16])
def test_other_factors_are_refused_with_the_valid_ones(family, factor):
    with pytest.raises(ValueError, match=f'factor={factor} is none of 1, 2, 4, 8'):
        shapes(family((8, 8, 3), 4, factor=factor), (1, 8, 8, 3))


def test_an_unknown_norm_is_refused():
    with pytest.raises(ValueError, match="nearest valid name is 'none'"):
        shapes(srresnet.SRResNet((8, 8, 3), 4, norm='non'), (1, 8, 8, 3))


def test_shuffled_pixels():
    x = jnp.arange(8.0).reshape(1, 1, 2, 4)
    want = [[0, 1, 4, 5], [2, 3, 6, 7]]
    np.testing.assert_array_equal(srresnet.pixel_shuffle(x)[0, :, :, 0], want)
    # Two channels of each pixel: they stay neighbours.
    y = srresnet.pixel_shuffle(jnp.arange(8.0).reshape(1, 1, 1, 8))
    np.testing.assert_array_equal(y[0], [[[0, 1], [2, 3]], [[4, 5], [6, 7]]])
    assert srresnet.pixel_shuffle(jnp.zeros((2, 3, 5, 18)), 3).shape == (2, 9, 15, 2)


def test_what_cannot_be_shuffled_is_refused():
    with pytest.raises(ValueError, match='6 channels are no multiple of 2'):
        srresnet.pixel_shuffle(jnp.zeros((1, 2, 2, 6)))
    with pytest.raises(AssertionError):
        srresnet.pixel_shuffle(jnp.zeros((2, 2, 4)))


def build(network, size=6):
    x = jax.random.normal(KEY, (2, size, size, 3))
    return filled(network, x), x, jax.jit(lambda v, x: network.apply(v, x, train=False))


def apply_conv(params, x, size=3):
    layer = layers.Conv(params['kernel'].shape[-1], (size, size), padding=size // 2)
    return layer.apply({'params': params}, x)


def prelu(x, slope):
    return jnp.maximum(x, 0) + slope.reshape(1, 1, 1, -1) * jnp.minimum(x, 0)


def test_srresnet_is_what_the_paper_says():
    network = srresnet.SRResNet((12, 12, 3), 4, blocks=1, factor=2, norm='none')
    variables, x, apply = build(network)
    params = variables['params']

    @jax.jit
    def want(x):
        first = prelu(apply_conv(params['Conv_0'], x, 9), params['slope'])
        block = params['ResidualBlock_0']
        y = prelu(apply_conv(block['Conv_0'], first), block['slope'])
        y = first + apply_conv(block['Conv_1'], y)
        y = first + apply_conv(params['Conv_1'], y)
        y = prelu(srresnet.pixel_shuffle(apply_conv(params['Conv_2'], y)), params['slope_0'])
        return apply_conv(params['Conv_3'], y, 9)

    np.testing.assert_allclose(apply(variables, x), want(x), atol=1e-4)


def test_rrdb_is_what_the_paper_says():
    network = srresnet.RRDB((12, 12, 3), 4, 2, blocks=1, scaling=0.3, factor=2)
    variables, x, apply = build(network)
    params = variables['params']

    def leaky(x):
        return jnp.maximum(x, 0.2 * x)

    @jax.jit
    def want(x):
        first = y = apply_conv(params['Conv_0'], x)
        for i in range(3):
            dense, known = params[f'DenseBlock_{i}'], [y]
            for j in range(4):
                known.append(leaky(apply_conv(dense[f'Conv_{j}'], jnp.concatenate(known, -1))))
            y = y + 0.3 * apply_conv(dense['Conv_4'], jnp.concatenate(known, -1))
        y = first + apply_conv(params['Conv_1'], first + 0.3 * y)
        y = leaky(apply_conv(params['Conv_2'], y.repeat(2, 1).repeat(2, 2)))
        return apply_conv(params['Conv_4'], leaky(apply_conv(params['Conv_3'], y)))

    np.testing.assert_allclose(apply(variables, x), want(x), atol=1e-4)


def test_initialisation():
    """PyTorch's bound 1 / sqrt(fan_in); a tenth of He et al.'s deviation in the dense blocks."""
    params = jax.jit(lambda x: srresnet.DenseBlock(16).init(KEY, x))(jnp.zeros((1, 4, 4, 32)))
    kernel = params['params']['Conv_4']['kernel']
    np.testing.assert_allclose(kernel.std(), 0.1 * np.sqrt(2 / (9 * (32 + 4 * 16))), rtol=0.02)
    network = srresnet.SRResNet((8, 8, 3), 16, blocks=0, factor=2)
    params = jax.jit(lambda x: network.init(KEY, x, True))(jnp.zeros((1, 8, 8, 3)))['params']
    bound = 1 / np.sqrt(9 * 16)
    assert 0.95 * bound < float(jnp.abs(params['Conv_2']['kernel']).max()) <= bound
    for name in ('slope', 'slope_0'):
        np.testing.assert_array_equal(params[name], np.full(16, 0.25))


def test_batch_statistics_are_srresnets_only():
    variables = shapes(srresnet.SRResNet((8, 8, 3), 4, 1, 1), (1, 8, 8, 3))
    block = srresnet.ResidualBlock()
    x = jax.random.normal(KEY, (2, 6, 6, 4))
    assert jax.tree.map(jnp.shape, variables['batch_stats']['ResidualBlock_0']) == jax.tree.map(
        jnp.shape, shapes(block, x.shape)['batch_stats']
    )
    variables = filled(block, x)
    train = jax.jit(lambda x: block.apply(variables, x, train=True, mutable=['batch_stats']))
    y, updated = train(x)
    assert (updated['batch_stats']['BatchNorm_0']['var'] != 1).all()
    changed = x.at[0].set(9.0)
    assert not np.allclose(train(changed)[0][1], y[1], atol=1e-2)
    apply = jax.jit(lambda x: block.apply(variables, x, train=False))
    np.testing.assert_allclose(apply(changed)[1], apply(x)[1], atol=1e-5)
    assert {*shapes(srresnet.RRDB((8, 8, 3), 4, 2, 1), (1, 8, 8, 3))} == {'params'}


@pytest.mark.parametrize('family', FAMILIES)
def test_the_type_of_the_images_stays(family):
    network = family((8, 8, 3), 4, blocks=1, dtype=jnp.bfloat16)
    x = jax.ShapeDtypeStruct((2, 8, 8, 3), jnp.float32)
    rng = jax.random.split(KEY, 2)
    y, variables = jax.eval_shape(lambda x: network.init_with_output(KEY, x, True, rng), x)
    assert y.dtype == jnp.float32
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype('float32')}
