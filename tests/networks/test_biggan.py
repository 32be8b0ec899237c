"""Parameter counts of published code, and that each part reaches what it should alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.networks import biggan

KEY = jax.random.key(0)
LABELS = jnp.array([3, 1], jnp.int32)
SHARED = 768 * 768 + 768  # the 1x1 convolution of the block of equal channels at 256 pixels
TINY = {'shape': (16, 16, 1), 'width': 2, 'classes': 5}


def shapes(network, x, label=LABELS):
    return jax.eval_shape(lambda: network.init(KEY, x, train=True, label=label))


def drawn(network, x, label=LABELS):
    """Variables of those shapes from N(0, 0.3^2); those that are iterated look at place 0."""
    rng = np.random.default_rng(0)

    def draw(path, leaf):
        if path[-1].key == 'u':
            return jnp.zeros(leaf.shape).at[0].set(1.0)
        if path[-1].key == 'var':
            return jnp.ones(leaf.shape)
        return jnp.asarray(rng.normal(0, 0.3, leaf.shape), jnp.float32)

    return jax.tree_util.tree_map_with_path(draw, shapes(network, x, label))


def count(network, x):
    return sum(x.size for x in jax.tree.leaves(shapes(network, x)['params']))


def both(size, width, latent, classes, of_generator, of_discriminator):
    """How many parameters the two networks have."""
    shape = (size, size, 3)
    common = {'shape': shape, 'width': width, 'classes': classes}
    generator = biggan.Generator(**common, **of_generator)
    discriminator = biggan.Discriminator(**common, **of_discriminator)
    return count(generator, jnp.zeros((2, latent))), count(discriminator, jnp.zeros((2, *shape)))


@pytest.mark.parametrize(
    ('size', 'width', 'latent', 'classes', 'of_generator', 'of_discriminator', 'counts'),
    [
        # ajbrock's BigGAN-PyTorch and compare_gan, ImageNet
        (128, 96, 120, 1000, {'attention': 64}, {'attention': 64}, (70_433_988, 87_982_370)),
        # compare_gan; it has no shortcut in the discriminator's block whose channels stay.
        (256, 96, 140, 1000, {'attention': 128}, {'attention': 64},
         (82_097_604, 98_635_298 + SHARED)),
        # ajbrock's launch_cifar_ema
        (32, 64, 128, 10, {'shared': 0, 'hierarchical': False}, {}, (4_304_387, 4_207_361)),
        # ajbrock's code at the size of a CPU
        (32, 16, 80, 10, {}, {}, (372_355, 265_409)),
        pytest.param(32, 8, 80, 10, {}, {}, (128_451, 67_169), marks=pytest.mark.slow),
        # ajbrock's SAGAN: launch_SAGAN_bs128x2_ema
        pytest.param(
            128, 64, 128, 1000, {'shared': 0, 'hierarchical': False, 'attention': 64},
            {'attention': 64}, (42_017_412, 39_448_258), marks=pytest.mark.slow,
        ),
    ],
)  # fmt: skip
def test_the_parameter_counts_are_those_of_published_code(
    size, width, latent, classes, of_generator, of_discriminator, counts
):
    assert both(size, width, latent, classes, of_generator, of_discriminator) == counts


# Tracing the larger ones takes a second each.
@pytest.mark.parametrize(
    'size', [pytest.param(x, marks=pytest.mark.slow if x > 32 else ()) for x in biggan.SIZES]
)
@pytest.mark.parametrize('conditional', [True, False])
def test_every_size_comes_out(size, conditional):
    common = {'shape': (size, size, 3), 'width': 8, 'classes': 5, 'attention': size // 2}
    networks = (
        biggan.Generator(**common, conditional=conditional),
        biggan.Discriminator(**common, conditional=conditional),
    )
    asked = {'label': LABELS} if conditional else {}
    assert all(network.asks == asked.keys() for network in networks)
    latent = jnp.zeros((2, 20))

    def play(x):
        for network in networks:
            x, _ = network.init_with_output(KEY, x, train=True, **asked)
            yield x

    images, logits = jax.eval_shape(lambda x: tuple(play(x)), latent)
    assert images.shape == (2, size, size, 3)
    assert logits.shape == (2,)


@pytest.mark.parametrize('shape', [(28, 28, 1), (32, 64, 3)])
def test_other_sizes_are_refused_with_the_valid_ones(shape):
    with pytest.raises(ValueError, match='16, 32, 64, 128, 256'):
        shapes(biggan.Generator(shape, classes=5), jnp.zeros((2, 20)))
    with pytest.raises(ValueError, match='16, 32, 64, 128, 256'):
        shapes(biggan.Discriminator(shape, classes=5), jnp.zeros((2, *shape)))


def test_what_cannot_be_made_is_refused():
    latent, image = jnp.zeros((2, 20)), jnp.zeros((2, 16, 16, 1))
    with pytest.raises(ValueError, match='attention=4 is no size of the feature maps here: use'):
        shapes(biggan.Generator(**TINY, attention=4), latent)
    with pytest.raises(ValueError, match='use one of 8, or 0'):
        shapes(biggan.Discriminator(**TINY, attention=16), image)
    with pytest.raises(ValueError, match='2 numbers cannot be cut into 3 chunks'):
        shapes(biggan.Generator(**TINY), latent[:, :2])
    with pytest.raises(ValueError, match='needs labels'):
        shapes(biggan.Generator(**TINY), latent, None)
    with pytest.raises(ValueError, match='needs labels'):
        shapes(biggan.Discriminator(**TINY), image, None)


def owners(tree, name):
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {path[:-1] for path, _ in leaves if path[-1].key == name}


def test_spectral_norms_are_in_both_players_and_embeddings_have_none():
    attended = {**TINY, 'width': 4, 'attention': 8}
    generator = shapes(biggan.Generator(**attended), jnp.zeros((2, 20)))
    discriminator = shapes(biggan.Discriminator(**attended), jnp.zeros((2, 16, 16, 1)))
    for variables in (generator, discriminator):
        assert len(owners(variables['params'], 'kernel')) > 10
        assert owners(variables['params'], 'kernel') == owners(variables['spectral'], 'u')
    assert generator['params']['embedding'].shape == (5, 128)
    alone = biggan.Generator(**TINY, shared=0, hierarchical=False)
    variables = shapes(alone, jnp.zeros((2, 20)))
    plain = owners(variables['params'], 'kernel') - owners(variables['spectral'], 'u')
    assert {path[-1].key for path in plain} == {'scale', 'shift'}
    assert variables['params']['UpBlock_0']['ConditionalBatchNorm_0']['scale']['kernel'].shape == (
        5, 8,
    )  # fmt: skip


@pytest.mark.slow
def test_kernels_begin_orthogonal():
    x = jnp.zeros((1, 2, 2, 4))
    params = jax.jit(lambda: biggan.DownBlock(6).init(KEY, x, train=True)['params'])()
    kernel = np.reshape(params['SpectralConv_0']['kernel'], (-1, 6))
    np.testing.assert_allclose(kernel.T @ kernel, np.eye(6), atol=1e-5)
    kernel = np.reshape(params['SpectralConv_2']['kernel'], (4, 6))
    np.testing.assert_allclose(kernel @ kernel.T, np.eye(4), atol=1e-5)


@pytest.fixture(scope='module')
def generator():
    """(latents, labels) -> images, and the stages' outputs."""
    network = biggan.Generator(**TINY, shared=4)
    latent = jax.random.normal(KEY, (2, 10))
    variables = drawn(network, latent)

    def sample(latent, label):
        images, seen = network.apply(
            variables, latent, train=False, label=label, capture_intermediates=True, mutable=True
        )
        return images, seen['intermediates']

    return jax.jit(sample), latent


def test_an_image_depends_on_its_own_latent_and_label_only(generator):
    sample, latent = generator
    images, _ = sample(latent, LABELS)
    assert float(jnp.abs(images).max()) <= 1
    changed, _ = sample(latent, LABELS.at[1].set(4))
    np.testing.assert_array_equal(images[0], changed[0])
    assert float(jnp.abs(images[1] - changed[1]).max()) > 1e-3
    changed, _ = sample(latent.at[1].add(1.0), LABELS)
    np.testing.assert_array_equal(images[0], changed[0])


def test_the_chunks_of_a_latent_reach_the_first_map_and_a_block_each(generator):
    """10 numbers for two blocks: 4 for the first map, 3 for each block."""
    sample, latent = generator
    _, before = sample(latent, LABELS)
    stages = ('SpectralDense_0', 'UpBlock_0', 'UpBlock_1')
    for place, first in ((0, 0), (3, 0), (4, 1), (6, 1), (7, 2), (9, 2)):
        _, after = sample(latent.at[:, place].add(1.0), LABELS)
        moved = [
            not np.array_equal(before[stage]['__call__'][0], after[stage]['__call__'][0])
            for stage in stages
        ]
        assert moved == [i >= first for i in range(3)], place


def test_labels_given_as_floats_are_mixed(generator):
    sample, latent = generator
    images, _ = sample(latent, LABELS)
    np.testing.assert_allclose(images, sample(latent, jax.nn.one_hot(LABELS, 5))[0], atol=1e-6)


def test_without_labels_norms_have_scales_of_their_own_or_of_the_chunks():
    latent = jnp.zeros((2, 20))
    network = biggan.Generator(**TINY, conditional=False, hierarchical=False)
    params = shapes(network, latent, None)['params']
    assert params['UpBlock_0']['BatchNorm_0']['scale'].shape == (8,)
    network = biggan.Generator(**TINY, conditional=False)
    params = shapes(network, latent, None)['params']
    norm = params['UpBlock_0']['ConditionalBatchNorm_0']
    assert norm['scale']['kernel'].shape == (6, 8)
    assert 'embedding' not in params


@pytest.fixture(scope='module')
def discriminator():
    network = biggan.Discriminator(**TINY)
    images = jax.random.normal(KEY, (2, 16, 16, 1))
    variables = drawn(network, images)
    judge = jax.jit(lambda v, x, label: network.apply(v, x, train=False, label=label))
    return judge, variables, images


def test_a_logit_depends_on_its_own_image_and_label_only(discriminator):
    judge, variables, images = discriminator
    logits = judge(variables, images, LABELS)
    changed = judge(variables, images, LABELS.at[1].set(4))
    assert logits[0] == changed[0]
    assert abs(float(logits[1] - changed[1])) > 1e-3
    changed = judge(variables, images.at[1].multiply(-1.0), LABELS)
    np.testing.assert_allclose(logits[0], changed[0], rtol=1e-5)


def test_the_projection_is_the_product_of_features_and_the_labels_row(discriminator):
    """With features of ones but for the pixels' sum, the difference of two labels' logits is
    the difference of their rows' sums, over the spectral norm, times 64 pixels."""
    judge, variables, images = discriminator
    params = jax.tree.map(jnp.zeros_like, variables['params'])
    params['DownBlock_2']['SpectralConv_1']['bias'] = jnp.ones(8)
    rows = jnp.arange(40.0).reshape(5, 8) / 10
    params['projection']['kernel'] = rows
    params['SpectralDense_0']['bias'] = jnp.array([0.25])
    u = jnp.linalg.svd(rows)[2][0]
    spectral = variables['spectral'] | {'projection': {'u': u}}
    sigma = np.linalg.svd(np.float64(rows), compute_uv=False)[0]
    logits = judge({'params': params, 'spectral': spectral}, images, LABELS)
    want = 0.25 + 64 * np.float64(rows).sum(1)[[3, 1]] / sigma
    np.testing.assert_allclose(logits, want, rtol=1e-4)


def middles(params, kernels):
    """The parameters with one number in the middle of kernels [block][convolution]."""
    for (block, conv), value in kernels.items():
        layer = params[block][f'SpectralConv_{conv}']
        middle = layer['kernel'].shape[0] // 2
        layer['kernel'] = layer['kernel'].at[middle, middle, 0, 0].set(value)
    return params


@pytest.mark.parametrize(
    ('kernels', 'logit'),
    [
        # Kernels of one number are of norm one: signs pass. The first block has no ReLU before it.
        ({('DownBlock_0', 0): -3.0, ('DownBlock_0', 1): 5.0}, 2.0),
        # Its shortcut is negative, and the second block's branch begins with a ReLU.
        ({('DownBlock_0', 2): 3.0, ('DownBlock_1', 0): -1.0, ('DownBlock_1', 1): 1.0}, 0.0),
        # The shortcut alone, turned round: later blocks add their input as it is.
        ({('DownBlock_0', 2): -3.0}, 2.0),
    ],
)
def test_the_blocks_of_the_discriminator(kernels, logit):
    """An image of -2; after one halving 64 pixels, of which the last layer takes the sum."""
    network = biggan.Discriminator(**TINY, conditional=False)
    x = jnp.full((1, 16, 16, 1), -2.0)
    variables = drawn(network, x)
    params = middles(jax.tree.map(jnp.zeros_like, variables['params']), kernels)
    params['SpectralDense_0']['kernel'] = params['SpectralDense_0']['kernel'].at[0, 0].set(7.0)
    found = network.apply({**variables, 'params': params}, x, train=False)
    np.testing.assert_allclose(found, [64 * logit], rtol=1e-5)


def test_attention_is_after_the_block_of_that_size_in_both():
    common = {**TINY, 'width': 4, 'attention': 8}
    generator = biggan.Generator(**common)
    discriminator = biggan.Discriminator(**common)
    for network, x, block in (
        (generator, jnp.zeros((2, 20)), 'UpBlock_0'),
        (discriminator, jnp.zeros((2, 16, 16, 1)), 'DownBlock_0'),
    ):
        _, seen = jax.eval_shape(
            lambda x, network=network: network.init_with_output(
                KEY, x, train=False, label=LABELS, capture_intermediates=True
            ),
            x,
        )
        maps = seen['intermediates']
        assert [maps[name]['__call__'][0].shape for name in (block, 'SelfAttention_0')] == [
            (2, 8, 8, 16)
        ] * 2
        assert 'SelfAttention_1' not in maps  # though the discriminator's next maps are as large
