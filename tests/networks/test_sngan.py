import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.networks import sngan

KEY = jax.random.key(0)


def shapes(network, x):
    return jax.eval_shape(lambda: network.init(KEY, x, train=True))


def count(variables):
    return sum(x.size for x in jax.tree.leaves(variables['params']))


def test_at_32_pixels_the_parameter_counts_are_the_papers():
    """Table 4: three blocks of 256 channels, four of 128."""

    def conv(size, ins, outs):
        return size * size * ins * outs + outs

    generator = shapes(sngan.Generator((32, 32, 3)), jnp.zeros((2, 128)))
    block = 2 * 2 * 256 + 2 * conv(3, 256, 256) + conv(1, 256, 256)
    assert count(generator) == 129 * 4096 + 3 * block + 2 * 256 + conv(3, 256, 3)
    discriminator = shapes(sngan.Discriminator((32, 32, 3)), jnp.zeros((2, 32, 32, 3)))
    first = conv(3, 3, 128) + conv(3, 128, 128) + conv(1, 3, 128)
    others = 6 * conv(3, 128, 128) + conv(1, 128, 128)
    assert count(discriminator) == first + others + 128


@pytest.mark.parametrize('size', sngan.SIZES)
@pytest.mark.parametrize('channels', [1, 3])
def test_every_size_comes_out(size, channels):
    shape = (size, size, channels)
    generator, discriminator = sngan.Generator(shape, 4), sngan.Discriminator(shape, 4)
    latent = jnp.zeros((2, 100))
    g, d = shapes(generator, latent), shapes(discriminator, jnp.zeros((2, *shape)))
    images = jax.eval_shape(lambda v: generator.apply(v, latent, train=False), g)
    assert images.shape == (2, *shape)
    logits = jax.eval_shape(lambda v, x: discriminator.apply(v, x, train=False), d, images)
    assert logits.shape == (2,)
    last = {'SpectralDense_0'}
    blocks = {16: 3, 28: 4, 32: 4, 64: 5}[size]
    assert {*d['spectral']} - last == {f'DownBlock_{i}' for i in range(blocks)}
    inner = {28: 7}.get(size, 4)
    assert g['params']['Dense_0']['kernel'].shape == (100, inner * inner * 4)


@pytest.mark.parametrize('shape', [(30, 30, 1), (32, 64, 3)])
def test_other_sizes_are_refused_with_the_valid_ones(shape):
    with pytest.raises(ValueError, match='16, 28, 32, 64'):
        sngan.Generator(shape).init(KEY, jnp.zeros((2, 4)), train=True)
    with pytest.raises(ValueError, match='16, 28, 32, 64'):
        sngan.Discriminator(shape).init(KEY, jnp.zeros((2, *shape)), train=True)


def test_every_layer_of_the_discriminator_is_normalised_and_none_has_batch_norm():
    d = shapes(sngan.Discriminator((32, 32, 3), 4), jnp.zeros((2, 32, 32, 3)))
    assert {*d} == {'params', 'spectral'}

    def owners(tree, name):
        leaves = jax.tree_util.tree_leaves_with_path(tree)
        return {path[:-1] for path, _ in leaves if path[-1].key == name}

    assert owners(d['params'], 'kernel') == owners(d['spectral'], 'u')


def test_initialisation_is_the_papers():
    """Glorot's bound sqrt(6 / (fan_in + fan_out)), sqrt(2) times that in the blocks' 3x3."""
    d = sngan.Discriminator((16, 16, 3), 32).init(KEY, jnp.zeros((2, 16, 16, 3)), train=True)
    block = d['params']['DownBlock_0']
    for name, size, ins, gain in (('SpectralConv_1', 3, 32, 2), ('SpectralConv_2', 1, 3, 1)):
        kernel = block[name]['kernel']
        bound = np.sqrt(gain * 6 / (size * size * (ins + 32)))
        assert 0.9 * bound < float(jnp.abs(kernel).max()) <= bound
        assert not block[name]['bias'].any()


@pytest.mark.slow
def test_ranges_and_batch_statistics():
    network = sngan.Generator((16, 16, 1), 4)
    latent = jax.random.normal(KEY, (8, 10))
    variables = network.init(KEY, latent, train=True)
    images, updated = network.apply(variables, latent, train=True, mutable=['batch_stats'])
    assert float(jnp.abs(images).max()) <= 1
    assert (updated['batch_stats']['BatchNorm_0']['var'] != 1).all()
    alone = network.apply(variables, latent[:1], train=False)
    together = network.apply(variables, latent, train=False)
    np.testing.assert_allclose(alone[0], together[0], atol=1e-5)


def test_without_spectral_norms_it_is_wgan_gps_critic():
    """Gulrajani et al., appendix F: as many parameters and a bias; no state; examples apart."""
    x = jax.random.normal(KEY, (3, 32, 32, 3))
    d = shapes(sngan.Discriminator((32, 32, 3), spectral=False), x)
    spectral = shapes(sngan.Discriminator((32, 32, 3)), x)
    assert {*d} == {'params'}
    assert count(d) == count(spectral) + 1
    critic = sngan.Discriminator((32, 32, 3), 4, spectral=False)
    variables = jax.jit(lambda x: critic.init(KEY, x, train=True))(x)
    apply = jax.jit(lambda variables, x: critic.apply(variables, x, train=True))
    logits = apply(variables, x)
    np.testing.assert_allclose(apply(variables, x[:1])[0], logits[0], rtol=1e-4)
    # Unlike with spectral norms, a kernel's scale matters: the logit is linear in the last.
    last = variables['params']['Dense_0']
    scaled = variables['params'] | {'Dense_0': {**last, 'kernel': 3 * last['kernel']}}
    np.testing.assert_allclose(apply({'params': scaled}, x), 3 * logits, rtol=1e-4)


def test_wgan_gps_critic_takes_the_mean_over_the_pixels():
    """Of weights of zero but the shortcuts', a block is linear where the ReLUs are open."""
    critic = sngan.Discriminator((16, 16, 1), 1, spectral=False)
    x = jnp.full((1, 16, 16, 1), 2.0)
    shapes_of = shapes(critic, x)['params']
    params = jax.tree.map(lambda x: jnp.zeros(x.shape), shapes_of)
    params['DownBlock_0']['Conv_2']['kernel'] += 3.0
    params['Dense_0'] = {'kernel': jnp.ones((1, 1)), 'bias': jnp.array([0.5])}
    np.testing.assert_allclose(critic.apply({'params': params}, x, train=True), [6.5], rtol=1e-6)


@pytest.mark.parametrize(
    ('kernels', 'logit'),
    [
        # The first block has no ReLU before it: -2 becomes 2, then 6.
        ({(0, 0): -1.0, (0, 1): 3.0}, 6.5),
        # The second has one: the -6 that come in become 0 on the way, and stay beside it.
        ({(0, 2): 3.0, (1, 0): -1.0, (1, 1): 3.0}, 0.5),
    ],
)
def test_only_the_first_block_has_no_relu_before_it(kernels, logit):
    """Of kernels of zero but for their middles."""
    critic = sngan.Discriminator((16, 16, 1), 1, spectral=False)
    x = jnp.full((1, 16, 16, 1), -2.0)
    params = jax.tree.map(lambda x: jnp.zeros(x.shape), shapes(critic, x)['params'])
    for (block, conv), value in kernels.items():
        layer = params[f'DownBlock_{block}'][f'Conv_{conv}']
        middle = layer['kernel'].shape[0] // 2
        layer['kernel'] = layer['kernel'].at[middle, middle].set(value)
    params['Dense_0'] = {'kernel': jnp.ones((1, 1)), 'bias': jnp.array([0.5])}
    np.testing.assert_allclose(critic.apply({'params': params}, x, train=True), [logit], rtol=1e-6)


def test_the_critics_initialisation_is_the_same():
    critic = sngan.Discriminator((16, 16, 3), 32, spectral=False)
    block = critic.init(KEY, jnp.zeros((2, 16, 16, 3)), train=True)['params']['DownBlock_0']
    for name, size, ins, gain in (('Conv_1', 3, 32, 2), ('Conv_2', 1, 3, 1)):
        bound = np.sqrt(gain * 6 / (size * size * (ins + 32)))
        assert 0.9 * bound < float(jnp.abs(block[name]['kernel']).max()) <= bound


LABELS = jnp.array([3, 1], jnp.int32)
TOLD = {'conditional': True, 'classes': 5}


def told_shapes(network, x, label=LABELS):
    return jax.eval_shape(lambda: network.init(KEY, x, train=True, label=label))


def test_with_labels_the_parameter_counts_are_those_of_published_code():
    """PyTorch-StudioGAN's log of SNGAN on CIFAR-10, which has a bias at the logit, as mimicry's."""
    settings = {'conditional': True, 'classes': 10}
    generator = told_shapes(sngan.Generator((32, 32, 3), **settings), jnp.zeros((2, 128)))
    assert count(generator) == 4_304_387
    x = jnp.zeros((2, 32, 32, 3))
    discriminator = told_shapes(sngan.Discriminator((32, 32, 3), **settings), x)
    assert count(discriminator) == 1_055_105 - 1


def test_without_labels_parameters_are_called_what_they_were():
    """So that older runs are read."""
    latent, x = jnp.zeros((2, 8)), jnp.zeros((2, 16, 16, 1))
    params = shapes(sngan.Generator((16, 16, 1), 4), latent)['params']
    assert {*params} == {'Dense_0', 'UpBlock_0', 'UpBlock_1', 'BatchNorm_0', 'Conv_0'}
    assert {*params['UpBlock_0']} == {'BatchNorm_0', 'BatchNorm_1', 'Conv_0', 'Conv_1', 'Conv_2'}
    params = shapes(sngan.Discriminator((16, 16, 1), 4), x)['params']
    assert {*params} == {'DownBlock_0', 'DownBlock_1', 'DownBlock_2', 'SpectralDense_0'}
    assert {*params['SpectralDense_0']} == {'kernel'}


def test_labels_are_asked_for_only_with_them():
    latent, x = jnp.zeros((2, 8)), jnp.zeros((2, 16, 16, 1))
    for network, given in ((sngan.Generator, latent), (sngan.Discriminator, x)):
        assert network((16, 16, 1)).asks == frozenset()
        assert network((16, 16, 1), **TOLD).asks == {'label'}
        with pytest.raises(ValueError, match='needs labels'):
            told_shapes(network((16, 16, 1), **TOLD), given, None)


def test_every_kernel_of_the_discriminator_with_labels_is_normalised():
    d = told_shapes(sngan.Discriminator((16, 16, 1), 4, **TOLD), jnp.zeros((2, 16, 16, 1)))
    assert d['spectral']['projection']['u'].shape == (4,)
    assert d['params']['projection']['kernel'].shape == (5, 4)
    critic = sngan.Discriminator((16, 16, 1), 4, **TOLD, spectral=False)
    assert {*told_shapes(critic, jnp.zeros((2, 16, 16, 1)))} == {'params'}


def test_at_first_a_class_says_nothing_and_then_scales_and_shifts_are_its_own():
    plain, network = sngan.Generator((16, 16, 1), 4), sngan.Generator((16, 16, 1), 4, **TOLD)
    latent = jax.random.normal(KEY, (2, 6))
    rng = np.random.default_rng(0)
    own = jax.tree.map(lambda x: rng.normal(size=x.shape), shapes(plain, latent))
    own['batch_stats'] = jax.tree.map(abs, own['batch_stats'])
    given = jnp.ones((1, 2, 2, 4)), jnp.ones((1, 5))
    norm = jax.jit(lambda: sngan.UpBlock(4).init(KEY, *given, train=True))
    begun = {x: y for x, y in norm()['params'].items() if 'Norm' in x}
    assert {*begun} == {'ConditionalBatchNorm_0', 'ConditionalBatchNorm_1'}
    params = {**own['params']}
    for name in ('UpBlock_0', 'UpBlock_1'):
        params[name] = {x: y for x, y in params[name].items() if 'Norm' not in x} | begun
        for i in (0, 1):  # of no class a scale is 1 and a shift 0
            affine = own['params'][name][f'BatchNorm_{i}']
            affine['scale'], affine['bias'] = np.ones(4), np.zeros(4)
    told = jax.jit(
        lambda params, label: network.apply(
            {'params': params}, latent, train=True, label=label, mutable=['batch_stats']
        )[0]
    )
    want = jax.jit(lambda: plain.apply(own, latent, train=True, mutable=['batch_stats'])[0])()
    before = told(params, LABELS)
    np.testing.assert_allclose(before, want, atol=1e-5)
    np.testing.assert_array_equal(before, told(params, LABELS[::-1]))
    # Class 1 is made with twice the norm plus three, in the last norm of a block.
    last = {x: {'kernel': y['kernel']} for x, y in begun['ConditionalBatchNorm_1'].items()}
    last['scale']['kernel'] = last['scale']['kernel'].at[1].set(1.0)
    last['shift']['kernel'] = last['shift']['kernel'].at[1].set(3.0)
    params['UpBlock_1'] = {**params['UpBlock_1'], 'ConditionalBatchNorm_1': last}
    changed = told(params, LABELS)
    assert float(jnp.abs(changed[1] - before[1]).max()) > 1e-2


@pytest.mark.parametrize('spectral', [True, pytest.param(False, marks=pytest.mark.slow)])
def test_with_labels_the_logit_has_a_projection(spectral):
    """Of features of ones but for the sum or the mean over 64 pixels; rows over their norm."""
    critic = sngan.Discriminator((16, 16, 1), 4, **TOLD, spectral=spectral)
    x = jax.random.normal(KEY, (2, 16, 16, 1))
    params = jax.tree.map(lambda x: jnp.zeros(x.shape), told_shapes(critic, x)['params'])
    last = 'SpectralConv_1' if spectral else 'Conv_1'
    params['DownBlock_2'][last]['bias'] = jnp.ones(4)
    rows = jnp.arange(20.0).reshape(5, 4) / 10
    params['projection']['kernel'] = rows
    variables, factor = {'params': params}, 1.0
    if spectral:
        u = jax.tree.map(lambda x: jnp.zeros(x.shape), told_shapes(critic, x)['spectral'])
        u['projection']['u'] = jnp.linalg.svd(rows)[2][0]
        variables['spectral'] = u
        factor = 64 / np.linalg.svd(np.float64(rows), compute_uv=False)[0]
    judge = jax.jit(lambda label: critic.apply(variables, x, train=False, label=label))
    logits = judge(jax.nn.one_hot(LABELS, 5))
    want = factor * np.float64(rows).sum(1)[[3, 1]]
    np.testing.assert_allclose(logits, want, rtol=1e-5)
    mixed = judge(jnp.full((2, 5), 0.2))
    np.testing.assert_allclose(mixed, [factor * np.float64(rows).sum() / 5] * 2, rtol=1e-5)
