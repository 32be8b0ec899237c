import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.networks import patchgan
from gan_jax.networks.verdict import Verdict

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


@pytest.mark.parametrize(
    ('norm', 'channels', 'literal'),
    [
        ('instance', 3, 2_764_737),  # 2.765 M, as the reference code prints it
        ('batch', 3, 2_764_737 + 128 + 256 + 512),
        ('group', 3, 2_764_737 + 128 + 256 + 512),
        ('none', 3, 2_764_737),
        ('instance', 6, 2_764_737 + 3 * 16 * 64),
        ('batch', 6, 2_768_705),  # 2.769 M, that of pix2pix
    ],
)
def test_the_parameter_counts_are_the_reference_codes(norm, channels, literal):
    network = patchgan.Discriminator((256, 256, 3), norm=norm)
    variables = shapes(network, (1, 256, 256, channels))
    assert count(variables) == literal
    assert ('batch_stats' in variables) == (norm == 'batch')
    biased = {k for k, x in variables['params'].items() if {'kernel', 'bias'} <= {*x}}
    ends = {'Conv_0', 'Conv_4'}
    middle = {'Conv_1', 'Conv_2', 'Conv_3'} if norm in ('instance', 'none') else set()
    assert biased == ends | middle


@pytest.mark.parametrize(
    ('layers', 'channels'),
    [(1, (3, 8, 16, 1)), (3, (3, 8, 16, 32, 64, 1)), (5, (3, 8, 16, 32, 64, 64, 64, 1))],
)
def test_the_count_by_hand(layers, channels):
    """4x4 kernels and biases; the channels grow no further than eight times the width."""
    network = patchgan.Discriminator((256, 256, 3), 8, layers, 'instance')
    kernels = sum(16 * ins * outs for ins, outs in itertools.pairwise(channels))
    assert count(shapes(network, (1, 96, 96, 3))) == kernels + sum(channels[1:])


def test_the_pixelgans_count():
    network = patchgan.Discriminator((256, 256, 3), layers=0)
    want = (3 * 64 + 64) + (64 * 128 + 2 * 128) + (128 + 1)
    assert count(shapes(network, (1, 16, 16, 3))) == want


@pytest.mark.parametrize(
    ('layers', 'size', 'places'),
    [
        (3, (256, 256), (30, 30)),
        (3, (24, 47), (1, 3)),
        (1, (6, 9), (1, 2)),
        (5, (256, 256), (6, 6)),
        (0, (1, 7), (1, 7)),
    ],
)
def test_every_size_comes_out(layers, size, places):
    network = patchgan.Discriminator((256, 256, 3), 4, layers)
    x = jax.ShapeDtypeStruct((2, *size, 5), jnp.float32)
    y, _ = jax.eval_shape(lambda x: network.init_with_output(KEY, x, True), x)
    assert y.logits.shape == (2, *places)


@pytest.mark.parametrize(
    ('layers', 'field', 'size'), [(0, 1, 5), (1, 16, 40), (2, 34, 72), (3, 70, 144)]
)
def test_the_receptive_field_is_the_papers(layers, field, size):
    """By the gradient of the middle logit."""
    network = patchgan.Discriminator((size, size, 1), 2, layers, norm='none')
    x = jax.random.normal(KEY, (1, size, size, 1))
    variables = filled(network, x)

    def middle(x):
        logits = network.apply(variables, x, train=True).logits[0]
        return logits[logits.shape[0] // 2, logits.shape[1] // 2]

    seen = np.asarray(jax.jit(jax.grad(middle))(x))[0, :, :, 0] != 0
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    for places in (rows, columns):
        assert places[-1] - places[0] + 1 == field
        assert places[0] > 0
        assert places[-1] < size - 1
    assert seen.sum() == field**2


@pytest.mark.parametrize(
    ('layers', 'maps', 'places'),
    [
        (3, [(16, 16, 2), (8, 8, 4), (4, 4, 8), (3, 3, 16)], (2, 2)),
        (1, [(16, 16, 2), (15, 15, 4)], (14, 14)),
        (0, [(32, 32, 2), (32, 32, 4)], (32, 32)),
    ],
)
def test_features_are_each_convolutions_but_for_the_logits(layers, maps, places):
    network = patchgan.Discriminator((32, 32, 3), 2, layers, norm='instance')
    x = jax.random.normal(KEY, (2, 32, 32, 3))
    variables = filled(network, x)
    verdict = jax.jit(lambda x: network.apply(variables, x, True))(x)
    assert isinstance(verdict, Verdict)
    assert verdict.classes is None
    assert verdict.code is None
    assert verdict.logits.shape == (2, *places)
    assert [y.shape for y in verdict.features] == [(2, *shape) for shape in maps]
    # Leaky ReLU after the norm, which the first map is without.
    for place, y in enumerate(verdict.features):
        y = np.asarray(y)
        before = np.where(y < 0, y / 0.2, y)
        assert (y < 0).any()
        assert (np.abs(before.mean((1, 2))).max() < 1e-4) == (place > 0)
    # The logits are the last convolution of the last features.
    last = variables['params'][f'Conv_{len(maps)}']
    pads = [(1, 1)] * 2 if layers else [(0, 0)] * 2
    want = jax.lax.conv_general_dilated(
        verdict.features[-1],
        last['kernel'],
        (1, 1),
        pads,
        dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
    )
    np.testing.assert_allclose(verdict.logits, want[..., 0] + last['bias'][0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('norm', ['batch', 'instance', 'group', 'none'])
def test_only_batch_norm_lets_examples_meet(norm):
    network = patchgan.Discriminator((16, 16, 1), 4, 2, norm)
    x = jax.random.normal(KEY, (4, 16, 16, 1))
    variables = filled(network, x)

    @jax.jit
    def apply(x):
        return network.apply(variables, x, train=True, mutable=['batch_stats'])[0].logits

    same = np.allclose(apply(x)[:1], apply(x.at[1:].set(9.0))[:1], rtol=1e-3, atol=1e-6)
    assert same == (norm != 'batch')


def test_spectral_norms_forget_the_scale_of_kernels():
    network = patchgan.Discriminator((16, 16, 3), 4, 2, 'none', spectral=True)
    x = jax.random.normal(KEY, (2, 16, 16, 3))
    variables = filled(network, x)
    assert {*variables['spectral']} == {f'SpectralConv_{i}' for i in range(4)}
    assert count(variables) == count(shapes(network.copy(spectral=False), x.shape))
    larger = jax.tree.map(lambda x: 3 * x if x.ndim == 4 else x, variables)
    apply = jax.jit(lambda v: network.apply(v, x, train=False).logits)
    np.testing.assert_allclose(apply(larger), apply(variables), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ('layers', 'size', 'least'), [(3, (23, 64), 24), (2, (64, 8), 12), (0, (0, 4), 1)]
)
def test_images_that_are_too_small_are_refused(layers, size, least):
    network = patchgan.Discriminator((256, 256, 3), 4, layers)
    with pytest.raises(ValueError, match=f'at least {least} pixels, not .*fewer layers'):
        shapes(network, (1, *size, 3))


@pytest.mark.parametrize('family', [patchgan.Discriminator, patchgan.MultiScale])
def test_an_unknown_norm_is_refused_with_the_nearest(family):
    with pytest.raises(ValueError, match="nearest valid name is 'group'"):
        shapes(family((256, 256, 3), width=4, norm='grup'), (1, 128, 128, 3))


def test_the_mean_of_windows_leaves_out_what_is_outside():
    x = np.random.default_rng(0).normal(size=(2, 6, 5, 3)).astype(np.float32)
    y = patchgan.downsample(x)
    assert y.shape == (2, 3, 3, 3)
    for i in range(3):
        for j in range(3):
            window = x[:, max(2 * i - 1, 0) : 2 * i + 2, max(2 * j - 1, 0) : 2 * j + 2]
            np.testing.assert_allclose(y[:, i, j], window.mean((1, 2)), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(patchgan.downsample(jnp.ones((1, 8, 8, 1))), 1)


def test_each_scale_judges_the_image_at_half_the_size():
    network = patchgan.MultiScale((32, 32, 3), 2, 2, 1, 'instance')
    x = jax.random.normal(KEY, (2, 32, 32, 3))
    variables = filled(network, x)
    verdict = jax.jit(lambda x: network.apply(variables, x, True))(x)
    assert isinstance(verdict, Verdict)
    assert isinstance(verdict.logits, tuple)
    assert [y.shape for y in verdict.logits] == [(2, 14, 14), (2, 6, 6)]
    assert [len(maps) for maps in verdict.features] == [2, 2]
    one = patchgan.Discriminator((32, 32, 3), 2, 1, 'instance')
    assert count(variables) == 2 * count(shapes(one, (1, 32, 32, 3)))
    judge = jax.jit(lambda params, x: one.apply({'params': params}, x, True))
    for scale in range(2):
        params = variables['params'][f'Discriminator_{scale}']
        want = judge(params, x)
        chex.assert_trees_all_close(verdict.logits[scale], want.logits, atol=1e-5)
        chex.assert_trees_all_close(verdict.features[scale], want.features, atol=1e-5)
        x = patchgan.downsample(x)


def test_one_scale_at_least_and_images_large_enough_for_the_last():
    with pytest.raises(ValueError, match='scales=0'):
        shapes(patchgan.MultiScale((32, 32, 3), scales=0), (1, 32, 32, 3))
    with pytest.raises(ValueError, match=r'at least 24 pixels, not 16x16.*scales'):
        shapes(patchgan.MultiScale((64, 64, 3), width=4), (1, 64, 64, 3))


@pytest.mark.parametrize('spectral', [False, True])
def test_logits_have_the_images_type_and_parameters_are_float32(spectral):
    network = patchgan.MultiScale(
        (64, 64, 3), 2, 4, spectral=spectral, axis_name='data', dtype=jnp.bfloat16
    )
    x = jax.ShapeDtypeStruct((2, 64, 64, 3), jnp.float32)
    verdict, variables = jax.eval_shape(lambda x: network.init_with_output(KEY, x, True), x)
    assert {y.dtype for y in verdict.logits} == {jnp.dtype('float32')}
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype('float32')}
    assert {y.dtype for y in jax.tree.leaves(verdict.features)} == {jnp.dtype('bfloat16')}
