"""Equalised layers and modulated convolutions: against naive definitions and numbers by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from gan_jax.networks.layers import equalized
from gan_jax.networks.layers.equalized import (
    EqualizedConv,
    EqualizedDense,
    leaky_relu,
    modulated_conv2d,
    normalize_moment,
    resampled_conv2d,
)

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
FIR = np.array([1, 3, 3, 1]) / 8


def correlated(x, kernel):
    """x [h, w, i] by kernel [k, k, i, o], as small as the kernel leaves it."""
    k = len(kernel)
    y = np.zeros((x.shape[0] - k + 1, x.shape[1] - k + 1, kernel.shape[3]))
    for i in range(y.shape[0]):
        for j in range(y.shape[1]):
            y[i, j] = np.einsum('abi,abio->o', x[i : i + k, j : j + k], kernel)
    return y


def filtered(x, gain=1.0):
    """By the filter, which is symmetric."""
    kernel = np.zeros((4, 4, x.shape[-1], x.shape[-1]))
    kernel[..., range(x.shape[-1]), range(x.shape[-1])] = gain * np.outer(FIR, FIR)[..., None]
    return correlated(x, kernel)


def around(x, before, after=None):
    pair = (before, before if after is None else after)
    return np.pad(x, (pair, pair, (0, 0)))


def doubled(x, kernel):
    """y[2i + a] += x[i] k[a], one pixel of zeros around, the filter with a gain of 4."""
    k = len(kernel)
    y = np.zeros((2 * x.shape[0] + k - 2, 2 * x.shape[1] + k - 2, kernel.shape[3]))
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            y[2 * i : 2 * i + k, 2 * j : 2 * j + k] += np.einsum('i,abio->abo', x[i, j], kernel)
    return filtered(around(y, 1), 4)


def naive(x, kernel, styles, noise, up, demodulate):
    made = []
    for n, one in enumerate(x):
        own = kernel * styles[n][:, None]
        if demodulate:
            own = own / np.sqrt((own**2).sum((0, 1, 2)) + 1e-8)
        same = correlated(around(one, len(kernel) // 2), own) if up == 1 else doubled(one, own)
        made.append(same + (0 if noise is None else noise[n][..., None]))
    return np.stack(made)


@pytest.mark.parametrize('up', [1, 2])
@pytest.mark.parametrize('demodulate', [False, True])
def test_modulated_convolution_is_its_definition_in_both_forms(up, demodulate):
    x, kernel = RNG.normal(size=(3, 4, 5, 2)), RNG.normal(size=(3, 3, 2, 4))
    styles, noise = RNG.normal(size=(3, 2)), RNG.normal(size=(3, 4 * up, 5 * up))
    want = naive(x, kernel, styles, noise, up, demodulate)
    with jax.enable_x64(True):
        for fused in (False, True):
            y = jax.jit(
                lambda *args, fused=fused: modulated_conv2d(
                    *args, up=up, demodulate=demodulate, fused=fused
                )
            )(x, kernel, styles, noise)
            np.testing.assert_allclose(y, want, atol=1e-12)


def test_both_forms_agree_in_float32_and_in_half_precision():
    x, kernel, styles = (RNG.normal(size=s) for s in ((2, 4, 4, 8), (3, 3, 8, 8), (2, 8)))

    @jax.jit
    def both(x, kernel, styles):
        return [modulated_conv2d(x, kernel, styles, fused=fused) for fused in (False, True)]

    one, other = both(*map(np.float32, (x, kernel, styles)))
    np.testing.assert_allclose(one, other, atol=1e-5)
    half, fused = both(jnp.asarray(x, jnp.bfloat16), np.float32(kernel), np.float32(styles))
    assert half.dtype == fused.dtype == jnp.bfloat16
    np.testing.assert_allclose(np.float32(half), one, atol=0.1)
    np.testing.assert_allclose(np.float32(fused), one, atol=0.1)


def test_half_precision_survives_styles_beyond_its_range():
    """float16 holds up to 65,504: kernel and styles are normalised before they are cast."""
    x = jnp.ones((1, 4, 4, 4), jnp.float16)
    kernel, styles = jnp.full((3, 3, 4, 2), 1e4), jnp.full((1, 4), 1e6)
    y = modulated_conv2d(x, kernel, styles)
    np.testing.assert_allclose(np.float32(y[0, 1, 1]), [6, 6], rtol=1e-2)  # 36 / sqrt(36)


def test_derivatives_to_second_order():
    with jax.enable_x64(True):
        shapes = ((1, 2, 2, 2), (3, 3, 2, 1), (1, 2))
        arguments = tuple(RNG.normal(size=shape) for shape in shapes)

        def function(x, kernel, styles):
            return jnp.sin(modulated_conv2d(x, kernel, styles, up=2))

        check_grads(jax.jit(function), arguments, order=2, modes=['fwd', 'rev'], rtol=1e-5)


def test_demodulation_adds_1e_8():
    """A 1x1 kernel of 1e-4: 1e-4 / sqrt(1e-8 + 1e-8)."""
    tiny = jnp.full((1, 1, 1, 1), 1e-4)
    y = modulated_conv2d(jnp.ones((1, 1, 1, 1)), tiny, jnp.ones((1, 1)))
    np.testing.assert_allclose(y, np.sqrt(0.5), rtol=1e-5)


def test_one_noise_for_all_examples_or_one_for_each():
    x, kernel, styles = jnp.zeros((2, 1, 2, 1)), jnp.ones((1, 1, 1, 3)), jnp.ones((2, 1))
    y = modulated_conv2d(x, kernel, styles, jnp.array([[1.0, 2.0]]))
    np.testing.assert_array_equal(y[:, 0, :, 2], [[1, 2], [1, 2]])
    y = modulated_conv2d(x, kernel, styles, jnp.array([[[1.0, 2.0]], [[3.0, 4.0]]]))
    np.testing.assert_array_equal(y[:, 0, :, 0], [[1, 2], [3, 4]])


def test_a_convolution_that_halves_filters_first():
    x, kernel = RNG.normal(size=(1, 6, 6, 2)), RNG.normal(size=(3, 3, 2, 3))
    want = correlated(filtered(around(x[0], 2)), kernel)[::2, ::2]
    with jax.enable_x64(True):
        y = resampled_conv2d(jnp.asarray(x), jnp.asarray(kernel), down=2)
    np.testing.assert_allclose(y[0], want, atol=1e-12)


def test_1x1_convolutions_resample_where_it_is_small():
    x, kernel = RNG.normal(size=(1, 4, 4, 2)), RNG.normal(size=(1, 1, 2, 3))
    with jax.enable_x64(True):
        down, up = (
            resampled_conv2d(jnp.asarray(x), jnp.asarray(kernel), **{name: 2})[0]
            for name in ('down', 'up')
        )
    mixed = x[0] @ kernel[0, 0]
    np.testing.assert_allclose(down, filtered(around(mixed, 1))[::2, ::2], atol=1e-12)
    spread = np.zeros((8, 8, 3))
    spread[::2, ::2] = mixed
    np.testing.assert_allclose(up, filtered(around(spread, 2, 1), 4), atol=1e-12)


def test_an_oblique_kernel_is_turned_only_where_it_upsamples():
    """A kernel that sees its upper left: the image moves down as it stays, up as it doubles."""
    kernel = jnp.zeros((3, 3, 1, 1)).at[0, 0].set(1.0)
    x = jnp.zeros((1, 4, 4, 1)).at[0, 1, 1].set(1.0)
    assert resampled_conv2d(x, kernel)[0, 2, 2, 0] == 1
    y = np.asarray(resampled_conv2d(x, kernel, up=2)[0, :, :, 0])
    # Pixel (2, 2) of the transposed convolution, seen by outputs 0 to 3 along an axis.
    np.testing.assert_allclose(y[:4, :4], 4 * np.outer(FIR, FIR), atol=1e-6)
    assert not y[4:].any()


def test_the_equalised_learning_rate():
    """kernel * 0.01 / sqrt(4) and bias * 0.01; at first N(0, 1) / 0.01 and what is asked for."""
    layer = EqualizedDense(2, lr_multiplier=0.01, bias_init=3.0)
    params = {'kernel': jnp.full((4, 2), 200.0), 'bias': jnp.array([100.0, -50.0])}
    y = layer.apply({'params': params}, jnp.ones((1, 4)))
    np.testing.assert_allclose(y, [[4 * 1 + 1, 4 * 1 - 0.5]], rtol=1e-6)
    first = EqualizedDense(300, 0.01, 3.0).init(KEY, jnp.ones((1, 300)))['params']
    np.testing.assert_allclose(first['kernel'].std(), 100, rtol=0.02)
    np.testing.assert_array_equal(first['bias'], np.full(300, 3.0))


def test_an_equalised_convolution():
    """9 taps of 8 channels: the kernel over sqrt(72)."""
    layer = EqualizedConv(2, 3, activation=leaky_relu)
    params = {'kernel': jnp.full((3, 3, 8, 2), -1.0), 'bias': jnp.array([0.0, 20.0])}
    y = layer.apply({'params': params}, jnp.ones((1, 3, 3, 8)))
    want = [-0.2 * np.sqrt(72), 20 - np.sqrt(72)]
    np.testing.assert_allclose(y[0, 1, 1], np.sqrt(2) * np.array(want), rtol=1e-6)
    first = EqualizedConv(64, 3).init(KEY, jnp.ones((1, 3, 3, 64)))['params']
    np.testing.assert_allclose(first['kernel'].std(), 1, rtol=0.02)
    assert not first['bias'].any()
    bare = EqualizedConv(1, 1, use_bias=False).init(KEY, jnp.ones((1, 1, 1, 1)))
    assert {*bare['params']} == {'kernel'}


def test_the_activation():
    """sqrt(2) leaky ReLU 0.2; gain and bound come after it, and the gain scales the bound."""
    x = jnp.array([-10.0, 1.0, 1000.0])
    np.testing.assert_allclose(leaky_relu(x), np.sqrt(2) * np.array([-2, 1, 1000]), rtol=1e-6)
    np.testing.assert_allclose(leaky_relu(x, 0.5, 256)[1:], [np.sqrt(0.5), 128], rtol=1e-6)
    np.testing.assert_allclose(leaky_relu(-x, clamp=2.0), [2, -np.sqrt(2) / 5, -2], rtol=1e-6)


def test_the_derivative_of_the_activation():
    """gain * sqrt(2) * (1 or 0.2) within the bound, at 0 as above it; 0 beyond."""
    x = jnp.array([-1e4, -1.0, 0.0, 1.0, 1e3])
    slopes = jax.vmap(jax.grad(lambda x: leaky_relu(x, 0.5, 256.0)))(x)
    np.testing.assert_allclose(slopes, np.sqrt(0.5) * np.array([0, 0.2, 1, 1, 0]), rtol=1e-6)
    half = x.astype(jnp.bfloat16)
    assert leaky_relu(half, clamp=256.0).dtype == half.dtype


def test_the_second_moment_becomes_one():
    np.testing.assert_allclose(normalize_moment(jnp.array([[3.0, 4.0]])), [[3, 4] / np.sqrt(12.5)])
    tiny = normalize_moment(jnp.full((1, 2), 1e-4))
    np.testing.assert_allclose(tiny, np.full((1, 2), np.sqrt(0.5)), rtol=1e-5)
    assert equalized.EPSILON == 1e-8
