"""Resampling by a filter: against its definition in float64, and its derivatives."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from gan_jax.networks.layers import upfirdn
from gan_jax.networks.layers.upfirdn import downsample, pads, setup_filter, upfirdn2d, upsample

RNG = np.random.default_rng(0)
FILTERS = {'even': (4,), 'odd': (3,), 'one': (1,), 'oblong': (3, 2), 'long': (6, 3)}
FILTERS = {name: RNG.normal(size=shape) for name, shape in FILTERS.items()}
PADDINGS = [(0, 0, 0, 0), (3, 1, 0, 2), (-1, 2, 1, -2)]


def defined(x, filter, up, down, padding, flip, gain):
    """Zeros between, zeros around or cropped, the sum over the taps, every nth pixel."""
    n, h, w, c = x.shape
    top, bottom, left, right = padding
    spread = np.zeros((n, h * up, w * up, c))
    spread[:, ::up, ::up] = x
    around = np.pad(spread, [(0, 0), *((max(p, 0),) * 2 for p in (9, 9)), (0, 0)])
    around = around[:, 9 - top : 9 + h * up + bottom, 9 - left : 9 + w * up + right]
    if filter.ndim == 1:
        filter = np.outer(filter, filter)
    if not flip:
        filter = filter[::-1, ::-1]
    (rows, columns), (height, width) = filter.shape, around.shape[1:3]
    y = np.zeros((n, height - rows + 1, width - columns + 1, c))
    for i, j in itertools.product(range(y.shape[1]), range(y.shape[2])):
        window = around[:, i : i + rows, j : j + columns]
        y[:, i, j] = np.einsum('ab,nabc->nc', filter, window)
    return gain * y[:, ::down, ::down]


@pytest.mark.parametrize('name', FILTERS)
@pytest.mark.parametrize('flip', [False, True])
def test_it_is_the_definition(name, flip):
    """All of up and down from 1 to 3, padded, cropped or neither, in float64."""
    x = RNG.normal(size=(2, 6, 5, 2))
    cases = [*itertools.product((1, 2, 3), (1, 2, 3), PADDINGS)]

    @jax.jit
    def resampled(x):
        return [upfirdn2d(x, FILTERS[name], *case, flip, 2.5) for case in cases]

    with jax.enable_x64(True):
        for case, y in zip(cases, resampled(x), strict=True):
            want = defined(x, FILTERS[name], *case, flip, 2.5)
            np.testing.assert_allclose(y, want, atol=1e-12, err_msg=str(case))


@pytest.mark.parametrize(
    ('up', 'down', 'padding'),
    [(2, 1, PADDINGS[1]), (1, 2, PADDINGS[0]), (3, 2, PADDINGS[2])],
)
def test_derivatives_to_second_order(up, down, padding):
    with jax.enable_x64(True):
        x = RNG.normal(size=(1, 4, 5, 1))

        def function(x):
            return jnp.sin(upfirdn2d(jnp.sin(x), FILTERS['oblong'], up, down, padding))

        check_grads(jax.jit(function), (x,), order=2, modes=['fwd', 'rev'], rtol=1e-5)


def test_mapped_over_any_axis_and_in_half_precision():
    x = jnp.asarray(RNG.normal(size=(3, 6, 2, 5, 1)), jnp.bfloat16)  # mapped over the last but two
    call = jax.jit(jax.vmap(lambda x: upsample(x, (0.5, 0.5)), 2, 1))
    y = call(x)
    assert (y.shape, y.dtype) == ((3, 2, 12, 10, 1), jnp.bfloat16)
    np.testing.assert_array_equal(y[:, 1], upsample(x[:, :, 1], (0.5, 0.5)))


def test_filters_are_normalised_and_turned_round():
    np.testing.assert_array_equal(setup_filter((1, 3, 3, 1)), np.array([1, 3, 3, 1]) / 8)
    np.testing.assert_array_equal(setup_filter(((1, 2), (3, 2))), np.array([[1, 2], [3, 2]]) / 8)
    impulse = jnp.zeros((1, 3, 3, 1)).at[0, 1, 1].set(1.0)
    filter = np.arange(9.0).reshape(3, 3)
    ours = [upfirdn2d(impulse, filter, padding=(1,) * 4, flip=flip)[0, :, :, 0] for flip in (0, 1)]
    np.testing.assert_allclose(ours[0], filter, atol=1e-6)  # a true convolution gives it back
    np.testing.assert_allclose(ours[1], filter[::-1, ::-1], atol=1e-6)


@pytest.mark.parametrize('taps', [(), (1, -1), (((1,),),), 3])
def test_what_is_no_filter_is_refused(taps):
    with pytest.raises(ValueError, match='taps'):
        setup_filter(taps)


def test_less_than_a_filter_is_refused():
    with pytest.raises(ValueError, match='smaller than the filter of 4x4'):
        upfirdn2d(jnp.zeros((1, 3, 9, 1)), np.ones(4))
    with pytest.raises(ValueError, match='one or two axes'):
        upfirdn2d(jnp.zeros((1, 3, 9, 1)), np.ones((1, 1, 1)))


def test_the_zeros_around():
    """Four taps: 2 before and 1 after where it doubles, 1 and 1 where it halves."""
    four = np.ones(4)
    assert pads(four, up=2) == [2, 1, 2, 1]
    assert pads(four, down=2) == [1, 1, 1, 1]
    assert pads(np.ones(3), down=2) == [1, 0, 1, 0]
    assert pads(np.ones((3, 4)), up=2, more=(-1, 5)) == [1, 5, 1, 6]


def test_doubling_and_halving_by_hand():
    """A row of 1, 5 and columns alike; along an axis (1, 3, 3, 1) / 8, times 2 where it doubles."""
    taps = setup_filter((1, 3, 3, 1))
    row = jnp.array([1.0, 5.0])
    up = upsample(row[None, :, None, None] * jnp.ones((1, 1, 9, 1)), taps)[0, :, 8, 0]
    # (x[i - 1] + 3 x[i]) / 4 and (3 x[i] + x[i + 1]) / 4, zeros outside
    np.testing.assert_allclose(up, [0.75, 2, 4, 3.75])
    down = downsample(up[None, :, None, None] * jnp.ones((1, 1, 8, 1)), taps)[0, :, 2, 0]
    # (x[2i - 1] + 3 x[2i] + 3 x[2i + 1] + x[2i + 2]) / 8
    np.testing.assert_allclose(down, [(2.25 + 6 + 4) / 8, (2 + 12 + 11.25) / 8])


def test_its_derivatives_are_itself(monkeypatch):
    """In the program of a second derivative no slice is scattered: only resamplings are there."""

    def function(x):
        return jnp.sum(upsample(x, setup_filter((1, 3, 3, 1))) ** 3)

    twice = jax.grad(lambda x: jnp.sum(jax.grad(function)(x) ** 2))
    program = jax.make_jaxpr(twice)(jnp.ones((1, 4, 4, 1)))
    names = {str(equation.primitive) for equation in program.eqns}
    assert upfirdn.resampling_p.name in names
    assert not names & {'pad', 'slice', 'scatter-add'}


@pytest.mark.parametrize(('taps', 'passes'), [(4, 1), (5, 2)])
def test_few_taps_are_one_pass_over_the_image(taps, passes):
    """Sixteen, four by four: what is read and written counts more than they do."""
    images = jnp.ones((1, 6, 6, 1))
    text = jax.jit(lambda x: upsample(x, np.ones(taps))).lower(images).as_text()
    assert text.count('stablehlo.pad') == passes
