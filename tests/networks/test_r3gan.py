import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.networks import r3gan

KEY = jax.random.key(0)
SMALL = {'width': 4, 'max_width': 8, 'blocks': 1, 'group_size': 4}


def made(network, x):
    """The first variables and what comes out.

    In two programs: jaxlib 0.10.2 miscompiles products by a kernel that it knows to be all zeros.
    """
    variables = jax.jit(lambda x: network.init(KEY, x, train=True))(x)
    return jax.jit(lambda v, x: network.apply(v, x, train=True))(variables, x), variables


def shapes(network, x):
    return jax.eval_shape(lambda: network.init(KEY, x, train=True))


def count(variables):
    return sum(x.size for x in jax.tree.leaves(variables['params']))


def test_at_768_channels_the_parameter_counts_are_the_papers():
    """For CIFAR-10: four maps of 768 channels, two blocks each, groups of 16; latents of 64.

    A block: 768 x 1536 in and out, 9 x 16 x 1536 between, 2 x 1536 biases; 8 of them.
    """
    paper = {'width': 768, 'max_width': 768}
    blocks = 8 * (2 * 768 * 1536 + 9 * 16 * 1536 + 2 * 1536)
    generator = shapes(r3gan.Generator((32, 32, 3), **paper), jnp.zeros((2, 64)))
    assert count(generator) == 16 * 768 + 64 * 768 + blocks + 768 * 3 == 20_732_160
    discriminator = shapes(r3gan.Discriminator((32, 32, 3), **paper), jnp.zeros((2, 32, 32, 3)))
    assert count(discriminator) == 3 * 768 + blocks + 16 * 768 + 768 == 20_683_776


@pytest.mark.parametrize('size', r3gan.SIZES)
@pytest.mark.parametrize('channels', [1, 3])
def test_every_size_comes_out(size, channels):
    shape = (size, size, channels)
    generator, discriminator = r3gan.Generator(shape, **SMALL), r3gan.Discriminator(shape, **SMALL)
    latent = jnp.zeros((2, 10))
    g, d = shapes(generator, latent), shapes(discriminator, jnp.zeros((2, *shape)))
    images = jax.eval_shape(lambda v: generator.apply(v, latent, train=False), g)
    assert images.shape == (2, *shape)
    logits = jax.eval_shape(lambda v, x: discriminator.apply(v, x, train=False), d, images)
    assert logits.shape == (2,)
    inner, doublings = r3gan.SIZES[size]
    assert g['params']['basis'].shape == d['params']['basis'].shape == (inner, inner, 8)
    assert sum(name.startswith('ResidualBlock') for name in d['params']) == doublings + 1


def test_the_width_doubles_inwards_up_to_its_bound():
    g = shapes(r3gan.Generator((64, 64, 3), 8, 32, 1), jnp.zeros((2, 10)))['params']
    ones = [v['kernel'].shape for k, v in g.items() if k.startswith('Conv')]
    assert ones == [(1, 1, 32, 16), (1, 1, 16, 8), (1, 1, 8, 3)]  # none where the width stays
    assert g['basis'].shape == (4, 4, 32)
    middle = [g[f'ResidualBlock_{i}']['GroupedConv_0']['kernel'].shape for i in (0, 4)]
    assert middle == [(3, 3, 16, 64), (3, 3, 16, 16)]


def test_only_the_activations_have_biases():
    for variables in (
        shapes(r3gan.Generator((16, 16, 3), **SMALL), jnp.zeros((2, 10))),
        shapes(r3gan.Discriminator((16, 16, 3), **SMALL), jnp.zeros((2, 16, 16, 3))),
    ):
        assert {*variables} == {'params'}  # and nothing is normalised by a batch
        leaves = jax.tree_util.tree_leaves_with_path(variables)
        owners = {path[-2].key for path, _ in leaves if path[-1].key == 'bias'}
        assert owners == {'Conv_0', 'GroupedConv_0'}


def test_initialisation_is_fixups():
    """sqrt(2 / 1.04 / fan_in) * 16^(-1/4) in 16 blocks; the last kernels are zero."""
    block = r3gan.ResidualBlock(blocks=16)
    x = jax.random.normal(KEY, (2, 4, 4, 64))
    y, variables = block.init_with_output(KEY, x)
    params = variables['params']
    np.testing.assert_array_equal(y, x)
    assert not params['Conv_1']['kernel'].any()
    gain = np.sqrt(2 / 1.04) / 2
    np.testing.assert_allclose(params['Conv_0']['kernel'].std(), gain / np.sqrt(64), rtol=0.05)
    np.testing.assert_allclose(
        params['GroupedConv_0']['kernel'].std(), gain / np.sqrt(9 * 16), rtol=0.05
    )


def test_the_blocks_are_scaled_by_their_number_in_the_whole_network():
    """Three stages of two blocks: 6^(-1/4)."""
    network = r3gan.Discriminator((16, 16, 3), 64, 64)
    params = made(network, jnp.zeros((2, 16, 16, 3)))[1]['params']
    want = np.sqrt(2 / 1.04 / 64) * 6**-0.25
    for block in range(6):
        kernel = params[f'ResidualBlock_{block}']['Conv_0']['kernel']
        np.testing.assert_allclose(kernel.std(), want, rtol=0.05)
    np.testing.assert_allclose(params['Conv_0']['kernel'].std(), 1 / np.sqrt(3), rtol=0.2)
    np.testing.assert_allclose(params['basis'].std(), 1 / 4, rtol=0.1)
    np.testing.assert_allclose(params['Dense_0']['kernel'].std(), 1 / 8, rtol=0.3)


def test_a_block_is_leaky_and_residual():
    """One channel everywhere: x + c act(b' + act(a x) * 1)."""
    block = r3gan.ResidualBlock(blocks=1, group_size=1, expansion=1)
    centre = jnp.zeros((3, 3, 1, 1)).at[1, 1].set(1.0)
    params = {
        'Conv_0': {'kernel': jnp.full((1, 1, 1, 1), -2.0), 'bias': jnp.array([1.0])},
        'GroupedConv_0': {'kernel': centre, 'bias': jnp.array([-1.0])},
        'Conv_1': {'kernel': jnp.full((1, 1, 1, 1), 10.0)},
    }
    y = block.apply({'params': params}, jnp.full((1, 1, 1, 1), 3.0))
    # -2 * 3 + 1 = -5 -> -1; -1 - 1 = -2 -> -0.4; 3 - 4 = -1
    np.testing.assert_allclose(y, -1, rtol=1e-5)


def matrix(size):
    """The resampling [2 size, size] by [1, 3, 3, 1] / 4 of an axis, by its definition."""
    rows = np.zeros((2 * size, size))
    for i in range(size):
        for tap, weight in zip(range(2 * i - 1, 2 * i + 3), (1, 3, 3, 1), strict=True):
            if 0 <= tap < 2 * size:
                rows[tap, i] += weight / 4
    return rows


def test_the_resamplings_are_the_filter_and_its_adjoint():
    x = jax.random.normal(KEY, (2, 4, 3, 5))
    up = np.einsum('ih,jw,nhwc->nijc', matrix(4), matrix(3), x)
    np.testing.assert_allclose(r3gan.upsample(x), up, atol=1e-5)
    y = jax.random.normal(KEY, (2, 8, 6, 5))
    down = np.einsum('ih,jw,nijc->nhwc', matrix(4) / 2, matrix(3) / 2, y)
    np.testing.assert_allclose(r3gan.downsample(y), down, atol=1e-5)


def test_resampling_a_constant_changes_it_at_the_border_only():
    up = r3gan.upsample(jnp.ones((1, 4, 4, 1)))[0, :, :, 0]
    np.testing.assert_allclose(up[1:-1, 1:-1], 1, rtol=1e-6)
    np.testing.assert_allclose(up[0, 1:-1], 0.75, rtol=1e-6)
    down = r3gan.downsample(jnp.ones((1, 8, 8, 1)))[0, :, :, 0]
    np.testing.assert_allclose(down[1:-1, 1:-1], 1, rtol=1e-6)
    np.testing.assert_allclose(down[0, 1:-1], 0.875, rtol=1e-6)


@pytest.mark.slow
def test_before_any_block_has_learned_the_generator_is_linear_and_keeps_the_scale():
    """A basis times a linear function of the latent; no bias and no tanh."""
    network = r3gan.Generator((16, 16, 3), 16, 64, 1)
    latent = jax.random.normal(KEY, (32, 64))

    images, _ = made(network, jnp.concatenate([latent, 3 * latent]))
    images, larger = images[:32], images[32:]
    assert 0.2 < float(images.std()) < 2
    np.testing.assert_allclose(larger, 3 * images, rtol=1e-4, atol=1e-5)
    logits, _ = made(r3gan.Discriminator((16, 16, 3), 16, 64, 1), images)
    assert 0.02 < float(logits.std()) < 2


@pytest.mark.parametrize('kind', ['Generator', 'Discriminator'])
def test_every_parameter_learns_once_the_last_kernels_are_not_zero(kind):
    """Also through the discriminator's squared gradient, as R1 asks."""
    network = getattr(r3gan, kind)((16, 16, 3), **SMALL)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(3, 10)), jnp.float32)
    if kind == 'Discriminator':
        x = jax.random.normal(KEY, (3, 16, 16, 3))
    rng = np.random.default_rng(1)
    variables = jax.tree.map(
        lambda leaf: rng.normal(0, 0.2, leaf.shape).astype(np.float32), shapes(network, x)
    )

    def loss(variables):
        def critic(x):
            return jnp.sum(jnp.sin(network.apply(variables, x, train=True)))

        if kind == 'Generator':
            return critic(x)
        return jnp.sum(jnp.square(jax.grad(critic)(x)))

    for gradient in jax.tree.leaves(jax.jit(jax.grad(loss))(variables)):
        assert np.isfinite(gradient).all()
        assert gradient.any()


def test_half_precision_inside_float32_outside():
    kwargs = SMALL | {'dtype': jnp.bfloat16}
    for network, x in (
        (r3gan.Generator((16, 16, 3), **kwargs), jnp.zeros((2, 10))),
        (r3gan.Discriminator((16, 16, 3), **kwargs), jnp.zeros((2, 16, 16, 3))),
    ):
        variables = shapes(network, x)
        assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype('float32')}
        run = jax.make_jaxpr(lambda v, x, n=network: n.apply(v, x, train=True))(variables, x)
        assert run.out_avals[0].dtype == jnp.float32
        kinds = [e.invars[0].aval.dtype for e in run.eqns if 'conv' in e.primitive.name]
        assert [k for k in kinds if k != jnp.float32]


@pytest.mark.parametrize('shape', [(50, 50, 1), (32, 64, 3), (128, 128, 3)])
def test_other_sizes_are_refused_with_the_valid_ones(shape):
    with pytest.raises(ValueError, match='16, 28, 32, 64'):
        r3gan.Generator(shape).init(KEY, jnp.zeros((2, 4)), train=True)
    with pytest.raises(ValueError, match='16, 28, 32, 64'):
        r3gan.Discriminator(shape).init(KEY, jnp.zeros((2, *shape)), train=True)


def test_groups_that_do_not_divide_are_refused_with_the_remedy():
    with pytest.raises(ValueError, match='choose a divisor'):
        shapes(r3gan.Generator((16, 16, 3), 20, 20), jnp.zeros((2, 4)))
