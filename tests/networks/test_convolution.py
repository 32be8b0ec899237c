"""The convolution against lax's: values, derivatives, batching, and what other platforms get."""

import functools
import re
import zlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export, lax
from jax.test_util import check_grads

from gan_jax.networks.layers.convolution import LAYOUT, convolve, matmul, primitives, thin, winograd

# name: (images [n, h, w, c], kernel [kh, kw, c, o], strides, padding, lhs_dilation)
CASES = {
    'dcgan-first': ((2, 8, 8, 3), (4, 4, 3, 8), (2, 2), ((1, 1), (1, 1)), (1, 1)),
    'dcgan-wide': ((2, 8, 8, 32), (4, 4, 32, 33), (2, 2), ((1, 1), (1, 1)), (1, 1)),
    'dcgan-up-wide': ((2, 4, 5, 33), (4, 4, 33, 32), (1, 1), ((2, 2), (2, 2)), (2, 2)),
    'dcgan-last': ((2, 4, 4, 9), (4, 4, 9, 3), (1, 1), ((2, 2), (2, 2)), (2, 2)),
    'resnet-32': ((2, 6, 6, 32), (3, 3, 32, 32), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    'resnet-wide': ((2, 6, 6, 33), (3, 3, 33, 33), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    'resnet-odd': ((2, 5, 7, 40), (3, 3, 40, 32), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    'resnet-first': ((2, 6, 6, 3), (3, 3, 3, 8), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    'to-rgb': ((2, 6, 6, 8), (3, 3, 8, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    '1x1': ((2, 5, 5, 4), (1, 1, 4, 6), (1, 1), ((0, 0), (0, 0)), (1, 1)),
    '1x1-strided': ((2, 5, 6, 4), (1, 1, 4, 6), (2, 2), ((0, 0), (0, 0)), (1, 1)),
    '3x3-strided': ((2, 8, 7, 32), (3, 3, 32, 32), (2, 2), ((1, 1), (1, 1)), (1, 1)),
    'uneven-strided': ((2, 7, 9, 16), (3, 4, 16, 17), (1, 2), ((-1, 2), (1, -1)), (1, 1)),
    'sparse-strided': ((2, 8, 11, 4), (3, 4, 4, 5), (2, 3), ((0, 1), (2, -1)), (1, 1)),
    '3x3-up': ((2, 4, 4, 5), (3, 3, 5, 4), (1, 1), ((1, 2), (1, 2)), (2, 2)),
    '5x5-strided': ((2, 9, 8, 5), (5, 5, 5, 4), (2, 2), ((2, 2), (1, 2)), (1, 1)),
    '7x7': ((1, 9, 9, 3), (7, 7, 3, 4), (1, 1), ((3, 3), (3, 3)), (1, 1)),
    'patch-4x4': ((1, 7, 7, 6), (4, 4, 6, 1), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    'rectangular': ((2, 8, 9, 4), (2, 4, 4, 5), (1, 2), ((0, 1), (1, 1)), (1, 1)),
    'rectangular-thin': ((2, 7, 8, 4), (3, 4, 4, 5), (1, 1), ((1, 1), (1, 2)), (1, 1)),
    'unused-edge': ((2, 10, 10, 4), (2, 2, 4, 5), (3, 3), ((0, 0), (0, 0)), (1, 1)),
}
RELATIVE = {'float32': 2e-6, 'bfloat16': 2e-2}


@pytest.fixture(autouse=True)
def no_cache(monkeypatch):
    """Small images are treated as large ones are."""
    monkeypatch.setattr(thin, 'LEAST', 0)


def operands(name, dtype='float32'):
    x, k, *settings = CASES[name]
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    images = rng.standard_normal(x)
    kernel = rng.standard_normal(k) / np.sqrt(np.prod(k[:3]))
    return (jnp.asarray(images, dtype), jnp.asarray(kernel, dtype)), settings


def ours(settings):
    strides, padding, dilation = settings
    return lambda x, k: convolve(x, k, strides, padding, dilation, dimension_numbers=LAYOUT)


def laxs(settings):
    strides, padding, dilation = settings
    return lambda x, k: lax.conv_general_dilated(
        x, k, strides, padding, dilation, dimension_numbers=LAYOUT
    )


def first(function):
    """The gradients of a function that is not linear, in both arguments."""
    return jax.grad(lambda x, k: jnp.sum(jnp.sin(function(x, k).astype(jnp.float32))), (0, 1))


def second(function):
    """The gradients of the squared norms of the gradients, as WGAN-GP needs them."""

    def norms(x, k):
        return sum(jnp.sum(jnp.square(g.astype(jnp.float32))) for g in first(function)(x, k))

    return jax.grad(norms, (0, 1))


def forward_over_reverse(function):
    return lambda x, k: jax.jvp(first(function), (x, k), (0.5 * x, -k))[1]


def assert_close(one, other, relative):
    for x, y in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        assert x.dtype == y.dtype
        assert x.shape == y.shape
        x, y = np.float64(x), np.float64(y)
        assert np.linalg.norm(x - y) <= relative * np.linalg.norm(y)


# Of each way through the code one; second derivatives compile for seconds each.
TYPICAL = ('dcgan-wide', 'resnet-odd', 'dcgan-last', '1x1-strided', '3x3-up', 'rectangular')
TYPICAL += ('patch-4x4', 'uneven-strided', 'sparse-strided')
TYPICAL_HALF = ('dcgan-wide', 'dcgan-last')


def assert_orders_are_laxs(name, dtype, orders):
    arguments, settings = operands(name, dtype)

    def compiled(function):
        # One program for all, which compiles faster than one for each.
        return jax.jit(lambda x, k: [order(function)(x, k) for order in orders])

    found, want = compiled(ours(settings))(*arguments), compiled(laxs(settings))(*arguments)
    assert_close(found, want, RELATIVE[dtype])


@pytest.mark.parametrize(
    ('name', 'dtype'),
    [
        pytest.param(name, dtype, marks=() if name in typical else pytest.mark.slow)
        for dtype, typical in (('float32', TYPICAL), ('bfloat16', TYPICAL_HALF))
        for name in CASES
    ],
)
def test_values_and_derivatives_are_laxs(name, dtype):
    assert_orders_are_laxs(name, dtype, (lambda function: function, first, second))


@pytest.mark.parametrize('name', sorted(CASES.keys() - set(TYPICAL)))
def test_values_and_first_derivatives_are_laxs(name):
    assert_orders_are_laxs(name, 'float32', (lambda function: function, first))


@pytest.mark.parametrize('name', ['dcgan-first', 'dcgan-up-wide', 'resnet-odd'])
def test_forward_mode_over_reverse_is_laxs(name):
    arguments, settings = operands(name)
    found = jax.jit(forward_over_reverse(ours(settings)))(*arguments)
    assert_close(found, jax.jit(forward_over_reverse(laxs(settings)))(*arguments), 2e-6)


@pytest.mark.parametrize('name', ['dcgan-wide', 'to-rgb', '3x3-up'])
def test_derivatives_are_those_of_the_values_in_64_bits(name):
    with jax.enable_x64(True):
        arguments, settings = operands(name, 'float64')
        check_grads(ours(settings), arguments, order=2, modes=['fwd', 'rev'], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('axes', [(0, 0), (0, None), (None, 0)])
@pytest.mark.parametrize('name', ['dcgan-first', 'patch-4x4', 'sparse-strided'])
def test_vmap_over_either_or_both(name, axes):
    shapes, settings = CASES[name][:2], CASES[name][2:]
    rng = np.random.default_rng(0)
    x, k = (rng.standard_normal((3, *shape)) for shape in shapes)
    x, k = jnp.asarray(x, jnp.float32), jnp.asarray(k, jnp.float32)
    x, k = x if axes[0] == 0 else x[0], k if axes[1] == 0 else k[0]
    for order in (lambda f: f, first):
        found, want = (jax.jit(jax.vmap(order(f(settings)), axes))(x, k) for f in (ours, laxs))
        assert_close(found, want, 2e-6)


def test_vmap_within_vmap():
    _, settings = operands('resnet-first')
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.standard_normal((2, 3, 1, 6, 6, 3)), jnp.float32)
    k = jnp.asarray(rng.standard_normal((2, 3, 3, 3, 4)), jnp.float32)
    twice = [jax.jit(jax.vmap(jax.vmap(f(settings), (0, None))))(x, k) for f in (ours, laxs)]
    assert_close(*twice, 2e-6)


def lowered(function, arguments, platform):
    return jax.jit(function).trace(*arguments).lower(lowering_platforms=(platform,)).as_text()


@pytest.mark.parametrize('name', ['dcgan-wide', 'dcgan-up-wide', 'resnet-wide'])
@pytest.mark.parametrize('platform', ['cuda', 'tpu'])
def test_other_platforms_get_the_native_convolution(name, platform):
    """As many of them as lax's own function and derivatives make, and no product of matrices."""
    arguments, settings = operands(name)
    text = lowered(first(ours(settings)), arguments, platform)
    lax_text = lowered(first(laxs(settings)), arguments, platform)
    count = text.count('stablehlo.convolution')
    assert count == lax_text.count('stablehlo.convolution') == 3
    assert 'dot_general' not in text


# Kernels of three pixels or more and at most 32 channels: of stride 1 two of its operations are
# XLA's; of another stride, from 16 channels on, the gradient in the image.
THIN_STRIDED = ('3x3-strided', 'uneven-strided')
THIN = ('resnet-first', 'resnet-32', 'to-rgb', '7x7', 'patch-4x4', 'rectangular-thin')


@pytest.mark.parametrize('name', CASES)
def test_cpus_get_products_of_matrices_but_for_thin_convolutions(name):
    """Of those the value and the gradient in the image are XLA's, without a stride."""
    arguments, settings = operands(name)
    text = lowered(first(ours(settings)), arguments, 'cpu')
    count = 2 if name in THIN else int(name in THIN_STRIDED)
    assert text.count('stablehlo.convolution') == count
    assert not re.search(r'(stride|dilate) = \[(?!1, 1\])', text)
    assert 'dot_general' in text


def test_thin_convolutions_that_fit_into_a_cache_are_products(monkeypatch):
    monkeypatch.undo()
    x, k = jnp.ones((1, 32, 32, 8)), jnp.ones((3, 3, 8, 8))
    for num, count in ((14, 0), (15, 1)):  # each has 73,728 numbers in its patches
        some = jnp.ones((num, *x.shape[1:]))
        text = lowered(ours(((1, 1), ((1, 1), (1, 1)), (1, 1))), (some, k), 'cpu')
        assert text.count('stablehlo.convolution') == count


@pytest.mark.parametrize(('channels', 'count'), [((15, 16), 0), ((16, 15), 0), ((16, 16), 1)])
def test_thin_gradients_of_a_stride_have_sixteen_channels(channels, count):
    x, k = jnp.ones((2, 9, 9, channels[0])), jnp.ones((3, 3, *channels))
    text = lowered(first(ours(((2, 2), ((0, 0), (0, 0)), (1, 1)))), (x, k), 'cpu')
    assert text.count('stablehlo.convolution') == count


@pytest.mark.parametrize(
    ('kernel', 'c', 'o', 'worth'),
    [
        ((3, 3), 512, 32, True),  # blocks would be 4x4, Winograd's products as many
        ((3, 3), 124, 31, True),
        ((3, 3), 125, 31, False),
        ((4, 4), 8, 8, False),
        ((5, 5), 8, 8, False),  # 36 numbers for 25
        ((3, 4), 8, 8, False),  # 16 for 12
        ((2, 3), 8, 8, False),  # 8 for 6
        ((1, 3), 8, 8, True),
        ((1, 1), 64, 1, True),
        ((1, 2), 64, 1, True),
    ],
)
def test_when_patches_have_the_stride_as_it_is(kernel, c, o, worth):
    """Of stride 2, where a kernel fills two thirds of its blocks or less."""
    assert matmul.worth_strided(kernel, (2, 2), c, o) == worth
    assert not matmul.worth_strided(kernel, (1, 1), c, o)


def test_the_value_and_the_kernels_gradient_share_patches_of_a_stride():
    """XLA merges what both compute alike; 3x3 patches of 8 channels are there once."""
    x, k = jnp.ones((2, 9, 9, 8)), jnp.ones((3, 3, 8, 16))
    convolution = ours(((2, 2), ((0, 0), (0, 0)), (1, 1)))

    def both(x, k):
        value, pullback = jax.vjp(lambda k: convolution(x, k), k)
        return value, pullback(value)

    text = jax.jit(both).lower(x, k).compile().as_text()
    assert re.findall(r' = (\S+)\{\S* concatenate\(', text) == ['f32[2,4,4,72]']


@pytest.mark.parametrize(('channels', 'products'), [(4, 0), (5, 1)])
def test_a_sum_of_few_terms_is_no_product_of_matrices(channels, products):
    x, k = jnp.ones((2, 5, 5, channels)), jnp.ones((1, 1, channels, 6))
    text = lowered(ours(((1, 1), ((0, 0), (0, 0)), (1, 1))), (x, k), 'cpu')
    assert text.count('dot_general') == products


def test_several_thin_convolutions_at_once_are_products():
    """XLA's would be one by groups, which is slow."""
    (x, k), settings = operands('to-rgb')
    text = lowered(jax.vmap(ours(settings)), (jnp.stack([x, x]), jnp.stack([k, k])), 'cpu')
    assert 'stablehlo.convolution' not in text


@pytest.mark.parametrize('name', ['dcgan-wide', 'resnet-wide'])
def test_wide_kernels_take_winograds_products(name):
    """(r + 1)^2 products, a ninth or a quarter of which no other form has."""
    arguments, settings = operands(name)
    text = lowered(ours(settings), arguments, 'cpu')
    assert text.count('dot_general') == {'dcgan-wide': 9, 'resnet-wide': 16}[name]


@pytest.mark.parametrize(
    ('x', 'k', 'change'),
    [
        ((1, 6, 6, 4), (3, 3, 4, 2), {'rhs_dilation': (2, 2)}),
        ((1, 6, 6, 4), (3, 3, 2, 4), {'feature_group_count': 2}),
        ((1, 4, 6, 6), (2, 4, 3, 3), {'dimension_numbers': ('NCHW', 'OIHW', 'NCHW')}),
        ((1, 6, 4), (3, 4, 2), {'dimension_numbers': ('NWC', 'WIO', 'NWC')}),
        ((1, 6, 6, 4), (3, 3, 4, 2), {'padding': 'SAME', 'window_strides': (2, 2)}),
        ((1, 6, 6, 4), (3, 3, 4, 2), {'padding': 'VALID', 'precision': 'highest'}),
        ((1, 6, 6, 4), (3, 3, 4, 2), {'window_strides': (2, 2), 'lhs_dilation': (3, 3)}),
        ((1, 6, 6, 4), (3, 3, 4, 2), {'padding': [(5, 4), (3, 6)], 'lhs_dilation': (2, 2)}),
    ],
)
def test_what_is_not_a_plain_2d_convolution_is_laxs(x, k, change):
    rank = len(x) - 2
    rng = np.random.default_rng(0)
    arguments = [jnp.asarray(rng.standard_normal(shape), jnp.float32) for shape in (x, k)]
    settings = {'window_strides': (1,) * rank, 'padding': [(1, 1)] * rank}
    settings |= {'dimension_numbers': LAYOUT} | change
    found = convolve(*arguments, **settings)
    assert_close(found, lax.conv_general_dilated(*arguments, **settings), 2e-6)


@pytest.mark.parametrize(('x', 'k'), [((1, 6, 6, 4), (3, 3, 5, 2)), ((1, 2, 2, 4), (3, 3, 4, 2))])
def test_what_lax_refuses_or_leaves_empty_is_the_same(x, k):
    x, k = jnp.ones(x), jnp.ones(k)
    call = functools.partial(convolve, window_strides=(1, 1), padding='VALID')
    if x.shape[-1] == k.shape[-2]:
        assert call(x, k, dimension_numbers=LAYOUT).shape == (1, 0, 0, 2)
    else:
        with pytest.raises((TypeError, ValueError), match='feature'):
            call(x, k, dimension_numbers=LAYOUT)


def test_winograds_matrices_convolve_exactly():
    """On small integers all is exact: F(2, r) is the sliding sum, for every unit impulse."""
    for r in winograd.KERNELS:
        rng = np.random.default_rng(r)
        x = jnp.asarray(rng.integers(-8, 9, (1, 6, 7, 1)), jnp.float32)
        k = jnp.asarray(4 * rng.integers(-8, 9, (r, r, 1, 1)), jnp.float32)
        found = jax.jit(winograd.forward)(x, k)
        literal = np.zeros((7 - r, 8 - r))
        for i in range(r):
            for j in range(r):
                window = np.asarray(x)[0, i : i + 7 - r, j : j + 8 - r, 0]
                literal += window * np.asarray(k)[i, j, 0, 0]
        np.testing.assert_array_equal(found[0, :, :, 0], literal)


def test_a_loop_and_a_branch_hold_no_native_convolution():
    """XLA's own is slow inside both; the primitive is lowered there as anywhere."""
    (x, k), settings = operands('dcgan-wide')

    def inside(x, k):
        step = first(ours(settings))
        _, gradients = lax.scan(lambda t, _: (t, step(x * t, k)), jnp.float32(1), None, length=2)
        return lax.cond(k[0, 0, 0, 0] > 0, lambda: gradients, lambda: gradients)

    assert 'stablehlo.convolution' not in lowered(inside, (x, k), 'cpu')


def test_the_native_forms_are_the_same_function():
    """What other platforms run, run here."""
    (x, k), (strides, pads, _) = operands('dcgan-wide')
    y = jax.jit(ours((strides, pads, (1, 1))))(x, k)
    shared = {'strides': strides, 'pads': pads, 'precision': None}
    native, cpu = vars(primitives), vars(matmul)
    for name, arguments, size in (
        ('forward', (x, k), None), ('input_gradient', (y, k), x.shape[1:3]),
        ('kernel_gradient', (x, y), k.shape[:2]),
    ):  # fmt: skip
        params = shared | ({'size': size} if size else {})
        forms = native[f'_native_{name}'], cpu[name]
        one, other = (jax.jit(functools.partial(f, **params))(*arguments) for f in forms)
        assert_close(other, one, 2e-6)


def test_without_jit_it_is_the_same():
    arguments, settings = operands('dcgan-first')
    with jax.disable_jit():
        found = first(ours(settings))(*arguments)
    assert_close(found, first(laxs(settings))(*arguments), 2e-6)


@pytest.mark.parametrize(
    'name', ['dcgan-wide', 'dcgan-last', 'sparse-strided', *THIN, *THIN_STRIDED]
)
def test_the_batch_may_be_symbolic(name, monkeypatch):
    """As in a generator exported for any number of samples."""
    monkeypatch.undo()
    (x, k), settings = operands(name)
    (batch,) = export.symbolic_shape('batch')
    images = jax.ShapeDtypeStruct((batch, *x.shape[1:]), x.dtype)
    exported = export.export(jax.jit(ours(settings)))(images, k)
    assert_close(exported.call(x, k), laxs(settings)(x, k), 2e-6)
