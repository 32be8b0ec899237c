"""StyleGAN2's networks: sizes, names, and each convention by a number worked out apart."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.networks import stylegan2
from gan_jax.networks.stylegan2 import common, synthesis

KEY = jax.random.key(0)
SMALL = {'channel_base': 64, 'channel_max': 8, 'clamp': None}
G = {'style_size': 6, 'mapping_layers': 2, **SMALL}
RNG = np.random.default_rng(0)


def latents(num, size=5):
    return RNG.normal(size=(num, size)).astype(np.float32)


def random(network, *inputs, seed=1, **named):
    """Variables of which none is zero."""
    rng = np.random.default_rng(seed)
    shapes = jax.eval_shape(lambda: network.init(KEY, *inputs, False, **named))
    return jax.tree.map(lambda x: rng.normal(0, 1, x.shape).astype(x.dtype), shapes)


def made(size=8, num=4, **options):
    network = stylegan2.Generator((size, size, 3), **G | options)
    z = latents(num)
    label = {'label': jnp.arange(num) % 3} if options.get('conditional') else {}
    return network, random(network, z, **label), z


def count(tree):
    return sum(x.size for x in jax.tree.leaves(tree))


@pytest.mark.parametrize(
    ('size', 'base', 'counts', 'layers'),
    [
        (256, 16384, (24_767_458, 24_001_089), 14),
        (256, 32768, (30_034_338, 28_864_129), 14),
        (1024, 32768, (30_370_060, 29_012_513), 18),
    ],
)
def test_the_published_sizes(size, base, counts, layers):
    """The parameters of the authors' networks for FFHQ, counted there."""
    shape = (size, size, 3)
    network = stylegan2.Generator(shape, channel_base=base)
    g = jax.eval_shape(lambda: network.init(KEY, jnp.zeros((1, 512)), False))
    judge = stylegan2.Discriminator(shape, channel_base=base)
    d = jax.eval_shape(lambda: judge.init(KEY, jnp.zeros((1, *shape)), False))
    assert (count(g['params']), count(d['params'])) == counts
    assert network.num_styles == layers
    assert {*d} == {'params'}
    maps = 16 + sum(2 * 4**i for i in range(3, size.bit_length()))
    assert count(g['buffers']) == maps + 512


def test_the_channels():
    """min(base / resolution, max): 4 and 8 pixels at the bound, then halved."""
    shape = (64, 64, 3)
    network = stylegan2.Generator(shape, channel_base=1000, channel_max=100)
    g = jax.eval_shape(lambda: network.init(KEY, jnp.zeros((1, 5)), False))['params']['synthesis']
    assert [g[f'b{4 * 2**i}']['conv1']['bias'].size for i in range(5)] == [100, 100, 62, 31, 15]
    judge = stylegan2.Discriminator(shape, channel_base=1000, channel_max=100)
    d = jax.eval_shape(lambda: judge.init(KEY, jnp.zeros((1, *shape)), False))['params']
    assert [d[f'b{4 * 2**i}']['conv1']['bias'].size for i in range(1, 5)] == [100, 100, 62, 31]
    assert d['b4']['conv']['kernel'].shape == (3, 3, 101, 100)
    assert d['b4']['fc']['kernel'].shape == (1600, 100)


def names(tree):
    return {'/'.join(key.key for key in path) for path, _ in jax.tree.leaves_with_path(tree)}


def test_the_names():
    layer = ('kernel', 'bias', 'noise_strength', 'affine/kernel', 'affine/bias')
    torgb = ('kernel', 'bias', 'affine/kernel', 'affine/bias')
    _, variables, _ = made(conditional=True, architecture='resnet', classes=3)
    places = {'b4/conv1': layer, 'b8/conv0': layer, 'b8/conv1': layer, 'b8/torgb': torgb}
    want = {f'synthesis/{place}/{leaf}' for place, leaves in places.items() for leaf in leaves}
    want |= {'synthesis/b4/const', 'synthesis/b8/skip/kernel'}
    want |= {f'mapping/{x}/{leaf}' for x in ('embed', 'fc0', 'fc1') for leaf in ('kernel', 'bias')}
    assert names(variables['params']) == want
    noises = {f'synthesis/{x}/noise_const' for x in ('b4/conv1', 'b8/conv0', 'b8/conv1')}
    assert names(variables['buffers']) == noises | {'mapping/w_avg'}
    with_rgb = {x for x in names(made(architecture='skip')[1]['params']) if 'b4/torgb' in x}
    assert len(with_rgb) == 4
    for architecture, more in (('orig', set()), ('skip', {'b4/fromrgb'}), ('resnet', {'b8/skip'})):
        judge = stylegan2.Discriminator((8, 8, 3), **SMALL, architecture=architecture)
        params = random(judge, jnp.zeros((1, 8, 8, 3)))['params']
        places = {x.rsplit('/', 1)[0] for x in names(params)}
        want = {'b8/fromrgb', 'b8/conv0', 'b8/conv1', 'b4/conv', 'b4/fc', 'b4/out'}
        assert places == want | more


def test_what_they_begin_with():
    """Kernels of N(0, 1), the mapping's over its rate; no bias but the styles' of 1; no noise."""
    network = stylegan2.Generator((8, 8, 3), style_size=64, channel_max=64)
    variables = jax.jit(lambda: network.init(KEY, jnp.zeros((1, 64)), False))()
    first = {'mapping': 100.0, 'synthesis': 1.0}
    for part, scale in first.items():
        for path, x in jax.tree.leaves_with_path(variables['params'][part]):
            place = [key.key for key in path]
            if place[-1] in ('kernel', 'const'):
                np.testing.assert_allclose(x.std(), scale, rtol=0.2)
            else:
                assert np.all(x == (1 if 'affine' in place else 0)), place
    assert not variables['buffers']['mapping']['w_avg'].any()
    noise = variables['buffers']['synthesis']['b8']['conv0']['noise_const']
    np.testing.assert_allclose(noise.std(), 1, rtol=0.3)


def test_a_latents_scale_makes_no_difference_and_labels_are_embedded():
    network, variables, z = made(conditional=True, classes=3)
    label = jnp.array([2, 0, 1, 2])

    @jax.jit
    def w(z, label):
        return network.apply(variables, z, label=label, method='map')

    np.testing.assert_allclose(w(3 * z, label), w(z, label), rtol=1e-4)
    np.testing.assert_array_equal(w(z, label), w(z, jax.nn.one_hot(label, 3)))
    p = variables['params']['mapping']
    embedded = p['embed']['kernel'][label] / np.sqrt(3) + p['embed']['bias']
    x = np.concatenate([y / np.sqrt((y**2).mean(1, keepdims=True)) for y in (z, embedded)], 1)
    for name in ('fc0', 'fc1'):
        x = x @ p[name]['kernel'] * 0.01 / np.sqrt(x.shape[1]) + 0.01 * p[name]['bias']
        x = np.sqrt(2) * np.where(x > 0, x, 0.2 * x)
    np.testing.assert_allclose(w(z, label), x, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize('devices', [1, 4])
def test_the_mean_of_w_moves_by_the_whole_batchs(devices):
    """w_avg' = 0.995 w_avg + 0.005 mean of w; only in training, and second latents leave it."""
    network, variables, z = made(axis_name='devices')
    old = variables['buffers']['mapping']['w_avg']
    shards = z.reshape(devices, -1, 5)

    def share(z):
        return network.apply(variables, z, True, method='map', mutable=['buffers'])

    w, new = jax.jit(jax.vmap(share, axis_name='devices'))(shards)
    moved = new['buffers']['mapping']['w_avg']
    want = 0.995 * old + 0.005 * w.reshape(4, -1).mean(0)
    np.testing.assert_allclose(moved, np.tile(want, (devices, 1)), rtol=1e-5)
    _, still = network.apply(variables, z, False, method='map', mutable=['buffers'])
    np.testing.assert_array_equal(still['buffers']['mapping']['w_avg'], old)
    # Through `__call__`, with others mixed in, it moves by the first latents' alone.
    if devices == 1:
        more = {'mixed': jnp.asarray(latents(4)), 'crossover': jnp.zeros(4)}
        _, new = jax.jit(
            jax.vmap(
                lambda z: network.apply(variables, z, True, mutable=['buffers'], **more),
                axis_name='devices',
            )
        )(shards)
        np.testing.assert_allclose(new['buffers']['mapping']['w_avg'][0], want, rtol=1e-5)


def test_styles_are_mixed_and_truncated():
    network, variables, z = made(16)
    others, crossover = latents(4), jnp.array([1.0, 0.0, 0.5, 0.99])
    psi = jnp.array([1.0, 0.0, 0.5, -1.0])
    w, w_others = (network.apply(variables, x, method='map') for x in (z, others))
    styles = network.apply(
        variables, z, mixed=others, crossover=crossover, truncation=psi, method='styles'
    )
    average = variables['buffers']['mapping']['w_avg']
    firsts = [6, 1, 3, 5]  # 1 + floor(crossover * 5) of 6 layers
    for n, first in enumerate(firsts):
        for layer in range(6):
            own = (w if layer < first else w_others)[n]
            want = average + psi[n] * (own - average)
            np.testing.assert_allclose(styles[n, layer], want, rtol=1e-4, atol=1e-6)


def test_a_call_is_the_synthesis_of_its_styles():
    network, variables, z = made()
    images = network.apply(variables, z, False)
    assert images.shape == (4, 8, 8, 3)
    w = network.apply(variables, z, method='map')
    np.testing.assert_array_equal(images, network.apply(variables, w, method='synthesize'))


def layered(noise, strength, bias=0.0):
    """One synthesis layer, of whose convolution nothing is left: 1x1 pixels' worth of zeros."""
    layer = synthesis.SynthesisLayer(1)
    params = {
        'affine': {'kernel': jnp.zeros((2, 1)), 'bias': jnp.ones(1)},
        'kernel': jnp.zeros((3, 3, 1, 1)),
        'bias': jnp.full(1, bias),
        'noise_strength': jnp.float32(strength),
    }
    buffers = {'noise_const': jnp.array([[1.0, -3.0]])}
    rng = jax.random.split(KEY, 2)
    x, w = jnp.ones((2, 1, 2, 1)), jnp.ones((2, 2))
    return layer.apply({'params': params, 'buffers': buffers}, x, w, noise, rng)[..., 0]


def test_noise_comes_before_the_bias_and_the_activation():
    """leaky ReLU of (2 noise + 1), times sqrt(2): 3 and -5 / 5."""
    want = np.sqrt(2) * np.array([[3.0, -1.0]])
    np.testing.assert_allclose(layered('constant', 2.0, 1.0), [want, want], rtol=1e-6)
    np.testing.assert_allclose(layered('none', 2.0, 1.0), np.full((2, 1, 2), np.sqrt(2)), rtol=1e-6)
    one = layered('random', 2.0)
    assert len(np.unique(one)) == 4  # each example and pixel its own
    given = jnp.array([[[1.0, 0.0]], [[0.0, 2.0]]])
    np.testing.assert_allclose(layered(given, 1.0), np.sqrt(2) * given, rtol=1e-6)


@pytest.mark.slow
def test_noise_of_all_kinds_reaches_the_layers():
    network, variables, z = made(num=2)
    w = network.apply(variables, z, method='map')
    rng = jax.random.split(KEY, 2)

    def call(rng=None, noise=None):
        return np.asarray(network.apply(variables, w, rng=rng, noise=noise, method='synthesize'))

    maps = variables['buffers']['synthesis']
    np.testing.assert_array_equal(call(), call(rng, 'constant'))
    np.testing.assert_array_equal(call(rng), call(rng, 'random'))
    np.testing.assert_array_equal(call(noise=maps), call())
    np.testing.assert_array_equal(call(noise={}), call())
    np.testing.assert_array_equal(
        call(noise=jax.tree.map(jnp.zeros_like, maps)), call(noise='none')
    )
    other = {'b8': {'conv1': {'noise_const': jnp.ones((8, 8))}}}
    kinds = [call(), call(rng), call(rng[::-1]), call(noise='none'), call(noise=other)]
    for i, one in enumerate(kinds):
        assert all(np.abs(one - two).max() > 1e-3 for two in kinds[:i])


def test_an_images_channels_are_not_demodulated():
    """Two channels, style 3 / sqrt(2) each after the affine layer: 2 * 3 / sqrt(2) + 1, bounded."""
    layer = synthesis.ToRGB(1, clamp=4.0)
    params = {
        'affine': {'kernel': jnp.full((1, 2), 2.0), 'bias': jnp.ones(2)},
        'kernel': jnp.ones((1, 1, 2, 1)),
        'bias': jnp.ones(1),
    }
    x = jnp.array([[[[1.0, 1.0], [-1.0, -1.0], [0.1, 0.2]]]])
    y = layer.apply({'params': params}, x, jnp.ones((1, 1)))
    np.testing.assert_allclose(y[0, 0, :, 0], [4, 1 - 6 / np.sqrt(2), 1 + 0.9 / np.sqrt(2)])


def test_a_labels_vector_projects_the_discriminators_outputs():
    judge = stylegan2.Discriminator((8, 8, 3), **SMALL, conditional=True, classes=3)
    x, label = RNG.normal(size=(4, 8, 8, 3)).astype(np.float32), jnp.array([0, 1, 2, 0])
    variables = random(judge, x, label=label)
    kept = {}

    def keep(call, args, kwargs, context):
        output = call(*args, **kwargs)
        if context.method_name == '__call__':
            kept[type(context.module).__name__] = output
        return output

    with nn.intercept_methods(keep):
        logits = judge.apply(variables, x, False, label)
    want = (kept['Epilogue'] * kept['Mapping']).sum(1) / np.sqrt(8)
    np.testing.assert_allclose(logits, want, rtol=1e-4)
    assert kept['Epilogue'].shape == (4, 8)


@pytest.mark.parametrize('architecture', common.ARCHITECTURES)
def test_a_batch_over_devices_is_judged_as_one(architecture):
    options = {**SMALL, 'architecture': architecture, 'group_size': 4}
    judge = stylegan2.Discriminator((8, 8, 3), **options, axis_name='devices')
    x = RNG.normal(size=(8, 8, 8, 3)).astype(np.float32)
    variables = random(judge, x)
    alone = jax.jit(lambda x: judge.apply(variables, x, False))(x)
    spread = jax.jit(jax.vmap(lambda x: judge.apply(variables, x, True), axis_name='devices'))
    np.testing.assert_allclose(spread(x.reshape(4, 2, 8, 8, 3)).reshape(-1), alone, rtol=1e-4)
    first = jax.jit(lambda x: judge.apply(variables, x, False))(x[:2])
    assert np.abs(first - alone[:2]).max() > 1e-3  # of two examples it would say something else


def types(network, call):
    """{block: what its convolutions compute in}."""
    kept = {}

    def keep(inner, args, kwargs, context):
        if type(context.module).__name__ in ('SynthesisLayer', 'EqualizedConv'):
            kept.setdefault(context.module.path[-2], set()).add(str(args[0].dtype))
        return inner(*args, **kwargs)

    with nn.intercept_methods(keep):
        output = jax.eval_shape(call)
    assert output.dtype == jnp.float32
    return kept


@pytest.mark.parametrize(('half', 'lowest'), [(0, 99), (1, 32), (2, 16), (4, 8)])
def test_half_precision_is_of_the_highest_resolutions(half, lowest):
    options = {**SMALL, 'half_resolutions': half, 'dtype': jnp.bfloat16, 'architecture': 'skip'}
    network = stylegan2.Generator((32, 32, 3), 5, 6, 2, **options)
    z, x = jnp.zeros((2, 5)), jnp.zeros((2, 32, 32, 3))
    judge = stylegan2.Discriminator((32, 32, 3), **options)
    for kept in (
        types(network, lambda: network.init_with_output(KEY, z, False)[0]),
        types(judge, lambda: judge.init_with_output(KEY, x, False)[0]),
    ):
        sizes = (4, 8, 16, 32)
        want = {f'b{n}': {'bfloat16' if n >= lowest else 'float32'} for n in sizes}
        assert kept == want


def test_half_precision_is_near():
    network, variables, z = made(16)
    half = network.clone(dtype=jnp.bfloat16)
    one, other = (jax.jit(lambda v, n=n: n.apply(v, z, False))(variables) for n in (network, half))
    assert 0 < np.abs(one - other).max() < 0.05 * np.ptp(one)


@pytest.mark.parametrize(
    ('options', 'call', 'match'),
    [
        ({'shape': (28, 28, 3)}, {}, 'power of 2, not 28x28: set image_size'),
        ({'shape': (4, 4, 3)}, {}, 'power of 2'),
        ({'shape': (8, 16, 3)}, {}, '8x16'),
        ({'architecture': 'dense'}, {}, "'orig', 'skip', 'resnet'"),
        ({'channel_base': 7}, {}, 'no channel at 8 pixels'),
        ({'conditional': True}, {}, 'needs labels'),
        ({'conditional': True}, {'label': jnp.zeros(1, jnp.int32)}, 'how many classes'),
    ],
)
def test_what_cannot_be_built_is_said(options, call, match):
    for network, x in (
        (stylegan2.Generator(**{'shape': (8, 8, 3), **G, **options}), jnp.zeros((1, 5))),
        (stylegan2.Discriminator(**{'shape': (8, 8, 3), **options}), jnp.zeros((1, 8, 8, 3))),
    ):
        with pytest.raises(ValueError, match=match):
            jax.eval_shape(lambda n=network, x=x: n.init(KEY, x, False, **call))


def test_what_a_generator_cannot_make_is_said():
    network, variables, z = made()
    for call, match in (
        ({'noise': 'some'}, "'random', 'constant', 'none'"),
        ({'noise': 'random'}, 'needs keys'),
    ):
        with pytest.raises(ValueError, match=match):
            network.apply(variables, z, False, **call)
    with pytest.raises(ValueError, match='latent_size=7 is not the size of the latents, 5'):
        network.clone(latent_size=7).apply(variables, z, False)


def test_what_they_ask_for():
    for module in (stylegan2.Generator, stylegan2.Discriminator):
        assert module((8, 8, 3)).asks == frozenset()
        assert module((8, 8, 3), conditional=True).asks == {'label'}
