import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.networks import layers, unet

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


def test_at_256_pixels_the_parameter_count_is_the_reference_codes():
    variables = shapes(unet.Generator((256, 256, 3)), (1, 256, 256, 3))
    assert count(variables) == 54_413_955
    # All but the first and the innermost convolution, and all but the last transposed one.
    assert len(variables['batch_stats']) == 6 + 7
    biased = {name for name, x in variables['params'].items() if {'kernel', 'bias'} <= {*x}}
    assert biased == {'ConvTranspose_7'}


def test_with_instance_norm_there_are_biases_instead():
    variables = shapes(unet.Generator((256, 256, 3), norm='instance'), (1, 256, 256, 3))
    kernels = 54_413_955 - 2 * (128 + 256 + 4 * 512 + 4 * 512 + 256 + 128 + 64)
    biases = 64 + 128 + 256 + 5 * 512 + 4 * 512 + 256 + 128 + 64
    assert count(variables) == kernels + biases


def test_the_widths():
    params = shapes(unet.Generator((64, 64, 1), 4, depth=6), (1, 64, 64, 3))['params']
    down = [params[f'Conv_{i}']['kernel'].shape[2:] for i in range(6)]
    assert down == [(3, 4), (4, 8), (8, 16), (16, 32), (32, 32), (32, 32)]
    up = [params[f'ConvTranspose_{i}']['kernel'].shape[2:] for i in range(6)]
    assert up == [(32, 32), (64, 32), (64, 16), (32, 8), (16, 4), (8, 1)]


@pytest.mark.parametrize('norm', ['batch', 'instance', 'group', 'none'])
@pytest.mark.parametrize(('size', 'depth'), [((64, 64), 6), ((8, 24), 3), ((2, 4), 1)])
def test_every_multiple_comes_out(norm, size, depth):
    network = unet.Generator((256, 256, 1), 4, depth, norm)
    x = jax.ShapeDtypeStruct((2, *size, 4), jnp.float32)
    y, _ = jax.eval_shape(lambda x: network.init_with_output(KEY, x, True), x)
    assert y.shape == (2, *size, 1)


@pytest.mark.parametrize(
    ('size', 'remedy'),
    [((12, 20), 'set depth to at most 2, or set image_size'), ((9, 8), '9x8: set image_size')],
)
def test_other_sizes_are_refused_with_the_remedy(size, remedy):
    with pytest.raises(ValueError, match=f'multiples of 8 pixels, not .*{remedy}'):
        shapes(unet.Generator((8, 8, 3), 4, depth=3), (1, *size, 3))


@pytest.mark.parametrize(
    ('wrong', 'message'),
    [
        ({'depth': 0}, 'depth=0 must be at least 1'),
        ({'dropout': 1.0}, 'dropout=1.0 must be'),
        ({'norm': 'bath'}, "'batch'"),
    ],
)
def test_other_mistakes_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        shapes(unet.Generator((8, 8, 3), 4, **{'depth': 3, **wrong}), (1, 8, 8, 3))


def small(norm='instance', depth=3, **kwargs):
    network = unet.Generator((16, 16, 2), 3, depth, norm, **kwargs)
    x = jax.random.normal(KEY, (3, 16, 16, 3))
    return network, filled(network, x), x


def conv(params, x):
    layer = layers.Conv(params['kernel'].shape[-1], (4, 4), strides=(2, 2), padding=1)
    return layer.apply({'params': params}, x)


def up(params, x):
    layer = layers.ConvTranspose(params['kernel'].shape[-1], (4, 4), (2, 2), padding=1)
    return layer.apply({'params': params}, x)


def norm(x):
    return layers.InstanceNorm().apply({}, x)


def test_of_depth_3_it_is_what_the_paper_says():
    """With the maps of the encoder first in what is joined, as in the reference code."""
    network, variables, x = small()
    params = variables['params']

    @jax.jit
    def want(x):
        first = conv(params['Conv_0'], x)
        second = norm(conv(params['Conv_1'], nn.leaky_relu(first, 0.2)))
        third = conv(params['Conv_2'], nn.leaky_relu(second, 0.2))
        y = norm(up(params['ConvTranspose_0'], nn.relu(third)))
        y = norm(up(params['ConvTranspose_1'], nn.relu(jnp.concatenate([second, y], -1))))
        y = up(params['ConvTranspose_2'], nn.relu(jnp.concatenate([first, y], -1)))
        return jnp.tanh(y)

    y = jax.jit(lambda x: network.apply(variables, x, train=True))(x)
    np.testing.assert_allclose(y, want(x), atol=1e-4)


def test_an_image_passes_by_every_skip_and_by_the_innermost_map():
    """Each way alone: of the others the parts of kernels that see them are zero."""
    network, variables, x = small('none')

    @jax.jit
    def gradients(variables):
        return jax.grad(lambda v: network.apply(v, x, True).sum())(variables)['params']

    for level in range(3):
        params = dict(variables['params'])
        for place in (1, 2):
            kernel = params[f'ConvTranspose_{place}']['kernel']
            half = kernel.shape[2] // 2
            cut = slice(None, half) if 2 - place < level else slice(half, None)
            params[f'ConvTranspose_{place}'] = {
                **params[f'ConvTranspose_{place}'],
                'kernel': kernel.at[:, :, cut].set(0.0),
            }
        made = gradients({'params': params})
        # What lies further inwards has no effect, all that lies on the way has.
        for inner in range(3):
            assert bool(made[f'Conv_{inner}']['kernel'].any()) == (inner <= level)


def test_without_keys_nothing_is_dropped():
    network, variables, x = small()
    without = network.copy(dropout=0.0)
    rng = jax.random.split(KEY, 3)

    @jax.jit
    def apply(x):
        return [
            network.apply(variables, x, True),
            without.apply(variables, x, True, rng),
            network.apply(variables, x, True, rng),
        ]

    plain, off, dropped = apply(x)
    np.testing.assert_allclose(off, plain, atol=1e-6)
    assert not np.allclose(dropped, plain, atol=1e-3)


def test_what_an_example_drops_depends_on_its_key_only():
    network, variables, x = small()
    apply = jax.jit(lambda x, rng: network.apply(variables, x, False, rng))
    rng = jax.random.split(KEY, 5)
    whole = apply(x, rng[:3])
    turned = apply(x[::-1], rng[2::-1])
    np.testing.assert_allclose(turned, whole[::-1], atol=1e-5)
    others = apply(x, jnp.stack([rng[3], rng[1], rng[4]]))
    np.testing.assert_allclose(others[1], whole[1], atol=1e-5)
    assert not np.allclose(others[0], whole[0], atol=1e-3)


@pytest.mark.parametrize(('depth', 'blocks'), [(3, [2, 4]), (6, [2, 4, 8, 16, 32])])
def test_the_three_innermost_blocks_of_the_decoder_drop_each_by_its_own_keys(
    monkeypatch, depth, blocks
):
    seen, drawn = [], []

    def dropout(x, rng, rate):
        seen.append((x.shape[1], rng is not None, rate))
        if rng is not None:
            drawn.append(jax.random.key_data(rng))
        return x

    monkeypatch.setattr(layers, 'dropout', dropout)
    size = 2**depth
    network = unet.Generator((size, size, 2), 1, depth, 'none', dropout=0.25)
    x = jnp.zeros((4, size, size, 1))
    variables = filled(network, x)
    seen.clear()

    @jax.jit
    def keys(rng):
        network.apply(variables, x, True, rng)
        return jnp.concatenate(drawn)

    made = keys(jax.random.split(KEY, 4))
    assert seen == [(size, place < 3, 0.25) for place, size in enumerate(blocks)]
    assert len(np.unique(made, axis=0)) == 4 * min(3, len(blocks))


def test_images_are_within_one_and_batch_statistics_are_kept():
    network, variables, x = small('batch')
    apply = jax.jit(lambda x: network.apply(variables, x, True, mutable=['batch_stats']))
    y, updated = apply(x)
    assert 0.5 < float(jnp.abs(y).max()) <= 1
    assert (updated['batch_stats']['BatchNorm_0']['var'] != 1).all()
    # The running averages are of no batch: an example may be put in another's place.
    apply = jax.jit(lambda x: network.apply(variables, x, False))
    np.testing.assert_allclose(apply(x)[1], apply(x.at[0].set(9.0))[1], atol=1e-5)


def test_the_type_of_the_images_stays():
    network = unet.Generator((8, 8, 3), 4, 3, dtype=jnp.bfloat16)
    x = jax.ShapeDtypeStruct((2, 8, 8, 3), jnp.float32)
    rng = jax.random.split(KEY, 2)
    y, variables = jax.eval_shape(lambda x: network.init_with_output(KEY, x, True, rng), x)
    assert y.dtype == jnp.float32
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype('float32')}
