"""Parameter counts of published code, and what blocks do with weights that can be followed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.networks import biggan, biggan_deep

KEY = jax.random.key(0)
LABELS = jnp.array([3, 1], jnp.int32)
TINY = {'shape': (16, 16, 1), 'width': 2, 'classes': 5}


def shapes(network, x, *given, **named):
    return jax.eval_shape(lambda: network.init(KEY, x, *given, train=True, **named))


def count(network, x):
    params = shapes(network, x, label=LABELS)['params']
    return sum(x.size for x in jax.tree.leaves(params))


def drawn(network, x, *given, scale=0.3, **named):
    """Variables from N(0, scale^2), running statistics as they begin; u looks at place 0."""
    rng = np.random.default_rng(0)

    def draw(path, leaf):
        if path[-1].key == 'u':
            return jnp.zeros(leaf.shape).at[0].set(1.0)
        if path[0].key == 'batch_stats':
            return jnp.full(leaf.shape, float(path[-1].key == 'var'))
        return jnp.asarray(rng.normal(0, scale, leaf.shape), jnp.float32)

    return jax.tree_util.tree_map_with_path(draw, shapes(network, x, *given, **named))


@pytest.mark.parametrize(
    ('size', 'widths', 'latent', 'classes', 'attention', 'counts'),
    [
        # PyTorch-StudioGAN's log of its run on CIFAR-10
        (32, (96, 48), 80, 10, 16, (4_599_876, 415_010)),
        # ajbrock's BigGAN-PyTorch, as launch_BigGAN_deep has it
        pytest.param(
            128, (128, 128), 128, 1000, 64, (50_244_484, 34_590_210), marks=pytest.mark.slow
        ),
        pytest.param(
            256, (128, 128), 128, 1000, 64, (55_736_708, 38_247_426), marks=pytest.mark.slow
        ),
    ],
)
def test_the_parameter_counts_are_those_of_published_code(
    size, widths, latent, classes, attention, counts
):
    common = {'shape': (size, size, 3), 'classes': classes, 'attention': attention}
    found = (
        count(biggan_deep.Generator(width=widths[0], **common), jnp.zeros((2, latent))),
        count(biggan_deep.Discriminator(width=widths[1], **common), jnp.zeros((2, size, size, 3))),
    )
    assert found == counts


# Tracing the larger ones takes a second each.
@pytest.mark.parametrize(
    'size', [pytest.param(x, marks=pytest.mark.slow if x > 16 else ()) for x in biggan.SIZES]
)
@pytest.mark.parametrize('conditional', [True, False])
def test_every_size_comes_out(size, conditional):
    common = {'shape': (size, size, 3), 'width': 4, 'classes': 5, 'attention': size // 2}
    networks = (
        biggan_deep.Generator(**common, conditional=conditional),
        biggan_deep.Discriminator(**common, conditional=conditional),
    )
    asked = {'label': LABELS} if conditional else {}
    assert all(network.asks == asked.keys() for network in networks)

    def play(x):
        for network in networks:
            x, variables = network.init_with_output(KEY, x, train=True, **asked)
            yield x, variables['params']

    (images, generator), (logits, discriminator) = jax.eval_shape(
        lambda x: tuple(play(x)), jnp.zeros((2, 20))
    )
    assert images.shape == (2, size, size, 3)
    assert logits.shape == (2,)
    up, down, _ = biggan.SIZES[size]
    blocks = {'UpBlock': 2 * (len(up) - 1), 'DownBlock': 2 * (len(down) - 1)}
    for params, kind in ((generator, 'UpBlock'), (discriminator, 'DownBlock')):
        assert {x for x in params if x.startswith(kind)} == {
            f'{kind}_{i}' for i in range(blocks[kind])
        }
        assert 'SelfAttention_0' in params
        assert 'SelfAttention_1' not in params


def test_what_cannot_be_made_is_refused():
    latent, image = jnp.zeros((2, 20)), jnp.zeros((2, 16, 16, 1))
    for network, x in ((biggan_deep.Generator, latent), (biggan_deep.Discriminator, image)):
        with pytest.raises(ValueError, match='16, 32, 64, 128, 256 pixels, not 28x28'):
            shapes(network((28, 28, 1), classes=5), x, label=LABELS)
        with pytest.raises(ValueError, match='attention=4 is no size of the feature maps here'):
            shapes(network(**TINY, attention=4), x, label=LABELS)
        with pytest.raises(ValueError, match='needs labels'):
            shapes(network(**TINY), x)


def owners(tree, name):
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {path[:-1] for path, _ in leaves if path[-1].key == name}


def test_spectral_norms_are_in_both_players():
    for variables in (
        shapes(biggan_deep.Generator(**TINY), jnp.zeros((2, 20)), label=LABELS),
        shapes(biggan_deep.Discriminator(**TINY), jnp.zeros((2, 16, 16, 1)), label=LABELS),
    ):
        assert len(owners(variables['params'], 'kernel')) > 10
        assert owners(variables['params'], 'kernel') == owners(variables['spectral'], 'u')


@pytest.mark.parametrize(
    ('settings', 'of_norms', 'of_map'),
    [
        ({}, 128 + 20, 128 + 20),
        ({'hierarchical': False}, 128, 20),
        pytest.param({'shared': 0}, 5 + 20, 5 + 20, marks=pytest.mark.slow),
        pytest.param({'conditional': False}, 20, 20, marks=pytest.mark.slow),
        pytest.param(
            {'hierarchical': False, 'conditional': False}, None, 20, marks=pytest.mark.slow
        ),
    ],
)
def test_one_vector_is_what_the_first_map_and_all_norms_depend_on(settings, of_norms, of_map):
    network = biggan_deep.Generator(**TINY, **settings)
    params = shapes(network, jnp.zeros((2, 20)), label=LABELS)['params']
    assert params['SpectralDense_0']['kernel'].shape == (of_map, 16 * 8)
    norms = {
        name: norm
        for block in ('UpBlock_0', 'UpBlock_3')
        for name, norm in params[block].items()
        if 'Norm' in name
    }
    assert len(norms) == 4
    if of_norms is None:
        assert norms['BatchNorm_3']['scale'].shape == (2,)
    else:
        assert norms['ConditionalBatchNorm_0']['scale']['kernel'].shape == (of_norms, 8)
        assert norms['ConditionalBatchNorm_3']['shift']['kernel'].shape == (of_norms, 2)


def taps(variables, kernels, biases=()):
    """Zeros but for single numbers of kernels {convolution: (row, column)} and biases."""
    params = jax.tree.map(jnp.zeros_like, variables['params'])
    for name, layer in params.items():
        if 'Norm' in name:
            layer['scale'] = jnp.ones_like(layer['scale'])
    for place, (row, column) in kernels.items():
        layer = params[f'SpectralConv_{place}']
        layer['kernel'] = layer['kernel'].at[row, column, 0, 0].set(1.0)
    for place, value in dict(biases).items():
        params[f'SpectralConv_{place}']['bias'] += value
    return {**variables, 'params': params}


X = jnp.asarray(np.arange(1.0, 5.0).reshape(1, 2, 2, 1) * [1.0, -1.0, 2.0, 0.5], jnp.float32)
FIRST = np.arange(1.0, 5.0).reshape(2, 2)


def test_a_block_of_the_generator_drops_channels_and_doubles_before_its_3x3_convolutions():
    block = biggan_deep.UpBlock(2, double=True)
    variables = drawn(block, X, None)
    apply = jax.jit(lambda variables: block.apply(variables, X, None, False))
    larger = np.kron(FIRST, np.ones((2, 2)))
    beside = apply(taps(variables, {}))
    np.testing.assert_allclose(beside[0], np.stack([larger, -larger], -1), rtol=1e-6)
    # The second convolution looks one row up, at the map that is large by then.
    found = apply(taps(variables, {0: (0, 0), 1: (0, 1), 2: (1, 1), 3: (0, 0)}))
    shifted = np.concatenate([np.zeros((1, 4)), larger[:-1]])
    np.testing.assert_allclose(found[0, ..., 0] - beside[0, ..., 0], shifted, rtol=1e-4)
    # Each convolution comes after a ReLU.
    for place in (0, 1, 2):
        kernels = {0: (0, 0), 1: (1, 1), 2: (1, 1), 3: (0, 0)}
        found = apply(taps(variables, kernels, {place: -9.0}))
        np.testing.assert_array_equal(found, beside)
    found = apply(taps(variables, kernels, {3: -9.0}))
    np.testing.assert_allclose(found[0, ..., 0] - beside[0, ..., 0], larger - 9, rtol=1e-4)


def test_a_block_of_the_discriminator_appends_channels_and_halves_after_a_relu():
    block = biggan_deep.DownBlock(6, halve=True)
    variables = drawn(block, X)
    apply = jax.jit(lambda variables, x=X: block.apply(variables, x, train=False))
    means = [2.5, -2.5, 5.0, 1.25]
    beside = apply(taps(variables, {4: (0, 0)}))
    np.testing.assert_allclose(beside[0, 0, 0], [*means, 2.5, 0.0], rtol=1e-6)
    kernels = {0: (0, 0), 1: (1, 1), 2: (1, 1), 3: (0, 0), 4: (0, 0)}
    # 1, 2, 3, 4 less 2.5 are -1.5, -0.5, 0.5, 1.5: the mean of what is above 0 is a half.
    found = apply(taps(variables, kernels, {2: -2.5}))
    np.testing.assert_allclose(found[0, 0, 0, 0] - 2.5, 0.5, rtol=1e-5)
    # Nothing that is below 0 passes: 9 is all that is left of it.
    for x, biases in ((X, {0: -9.0, 2: 9.0}), (X, {1: -9.0, 2: 9.0}), (-X, {2: 9.0})):
        found = apply(taps(variables, kernels, biases), x)
        np.testing.assert_allclose(found[0, 0, 0, 0] - x[..., 0].mean(), 9.0, rtol=1e-5)


def test_a_block_of_equal_size_and_channels_has_no_weights_beside_it():
    x = jnp.ones((1, 2, 2, 4))
    up, down = biggan_deep.UpBlock(4, False), biggan_deep.DownBlock(4, False)
    for block, more in ((up, (None,)), (down, ())):
        convs = [x for x in shapes(block, x, *more)['params'] if 'Conv' in x]
        assert len(convs) == 4


@pytest.fixture(scope='module', params=['generator', 'discriminator'])
def player(request):
    """Compiled (latents or images, labels) -> images or logits; and what to give it."""
    if request.param == 'generator':
        network, x = biggan_deep.Generator(**TINY, shared=4), jax.random.normal(KEY, (2, 6))
    else:
        network, x = biggan_deep.Discriminator(**TINY), jax.random.normal(KEY, (2, 16, 16, 1))
    variables = drawn(network, x, label=LABELS)
    return jax.jit(lambda x, label: network.apply(variables, x, train=False, label=label)), x


@pytest.mark.slow
def test_an_example_depends_on_its_own_inputs_only_and_labels_can_be_mixed(player):
    play, x = player
    before = play(x, LABELS)
    for after in (play(x, LABELS.at[1].set(4)), play(x.at[1].multiply(-1.0), LABELS)):
        np.testing.assert_allclose(after[0], before[0], rtol=1e-5)
        assert float(jnp.abs(after[1] - before[1]).max()) > 1e-3
    np.testing.assert_allclose(play(x, jax.nn.one_hot(LABELS, 5)), before, rtol=1e-5, atol=1e-6)
    assert before.shape == (2,) or float(jnp.abs(before).max()) <= 1
