"""Images resampled by a finite impulse response filter: zeros between, filter, every nth pixel.

The transpose of such a resampling is another one, with `up` and `down` exchanged and the filter
turned round. So it is a primitive of its own whose derivatives of every order are computed as it is
itself; what XLA makes of the transposes of slices takes a CPU longer in second derivatives, and its
own convolution by groups of one channel much longer.

Source: Analyzing and Improving the Image Quality of StyleGAN (Karras et al., 2020), appendix B, and
the authors' code for where the zeros are.
"""

import functools
import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.interpreters import ad, batching, mlir

from gan_jax.networks.layers.portable import Portable

NEGLIGIBLE = 1e-12  # a singular value, of the largest, that is a rounding error
MOST_TAPS = 16  # of a column times those of a row, in one pass; 4 by 4 are what was measured


def setup_filter(taps: Sequence[float]) -> np.ndarray:
    """A filter whose taps sum to one, so that a constant image stays as it is.

    Args:
      taps: [k], to be used along both axes, or [kh, kw].

    Returns:
      The same shape, in float64.

    Raises:
      ValueError: if it has another rank, no taps, or taps that sum to zero.
    """
    filter = np.asarray(taps, np.float64)
    if filter.ndim not in (1, 2) or not filter.size or filter.sum() == 0:
        raise ValueError(f'filter={taps!r} must be one or two axes of taps that do not sum to 0')
    return filter / filter.sum()


def upfirdn2d(
    x: chex.Array,
    filter: chex.ArrayNumpy,
    up: int = 1,
    down: int = 1,
    padding: Sequence[int] = (0, 0, 0, 0),
    flip: bool = False,
    gain: float = 1,
) -> jax.Array:
    """Upsamples, pads, filters and downsamples images.

    Along an axis of n pixels, with taps f[0] to f[k - 1],

        u[up * i] = x[i], all other u[m] = 0, 0 <= m < up * n;
        v = u with `before` and `after` zeros around it, or cropped where these are negative;
        y[o] = gain * sum over j of f[k - 1 - j] v[down * o + j],  a true convolution;

    with `flip`, f[j] in place of f[k - 1 - j]. Of the zeros nothing is computed: each of the
    outputs' phases is a sum of slices of x. A filter [kh, kw] is the sum of the products of its
    singular vectors.

    Args:
      x: [n, h, w, c].
      filter: constants; [k] for both axes or [kh, kw].
      up: what height and width are multiplied by, at least 1.
      down: what they are then divided by, at least 1.
      padding: (top, bottom, left, right), in pixels of the upsampled image; may be negative.
      flip: whether the filter is correlated instead.
      gain: what the result is multiplied by; up^2 keeps the mean of an upsampled image.

    Returns:
      [n, (h * up + top + bottom - kh) // down + 1, likewise, c], of x's type.

    Raises:
      AssertionError: if x is of another rank.
      ValueError: if the filter is, or if nothing is left of the image.
    """
    chex.assert_rank(x, 4)
    filter = np.asarray(filter, np.float64)
    if filter.ndim not in (1, 2) or not filter.size:
        raise ValueError(f'a filter has one or two axes and some taps, not shape {filter.shape}')
    if not flip:
        filter = np.flip(filter)
    if filter.ndim == 1:
        terms = [(gain * filter, filter)]
    else:
        left, values, right = np.linalg.svd(filter)
        terms = [
            (gain * value * column, row)
            for column, value, row in zip(left.T, values, right, strict=False)
            if value >= NEGLIGIBLE * values[0]
        ]
    top, bottom, before, after = (int(side) for side in padding)
    settings = {'factors': (up, down), 'padding': ((top, bottom), (before, after))}
    images = []
    for pair in terms:
        taps = tuple(tuple(own.tolist()) for own in pair)
        _shape(x.shape, taps, **settings)  # is something left?
        images.append(resampling_p.bind(x, taps=taps, **settings))
    return functools.reduce(jnp.add, images)


def _length(size: int, taps: int, up: int, down: int, padding: Sequence[int]) -> int:
    return (size * up + sum(padding) - taps) // down + 1


def _shape(shape: Sequence[int], taps, factors, padding) -> tuple[int, ...]:
    up, down = factors
    sides = [
        _length(size, len(own), up, down, pair)
        for size, own, pair in zip(shape[1:3], taps, padding, strict=True)
    ]
    if min(sides) < 1:
        raise ValueError(
            f'images of {shape[1]}x{shape[2]} pixels with padding {padding} are smaller than the '
            f'filter of {len(taps[0])}x{len(taps[1])}'
        )
    return (shape[0], *sides, shape[3])


Terms = list[tuple[float, int]]  # taps and offsets


class _Axis(NamedTuple):
    """What is done along one axis.

    Attributes:
      axis: which.
      phases: the (tap, offset) of each of the outputs' phases; outputs a period apart are seen by
        the same taps, at pixels `stride` apart.
      stride: how far apart.
      many: how many outputs a phase has.
      length: the outputs of all phases; the last ones may have one output too many.
      pads: the zeros before and after the pixels; negative where some are cropped.
    """

    axis: int
    phases: list[Terms]
    stride: int
    many: int
    length: int
    pads: tuple[int, int]


def _planned(
    axis: int, size: int, taps: Sequence[float], up: int, down: int, padding: Sequence[int]
) -> _Axis:
    """`upfirdn2d` along an axis of so many pixels, the taps in the order of a correlation.

    Output o sees x[i] by tap j where up * i = down * o + j - before.
    """
    before, length = padding[0], _length(size, len(taps), up, down, padding)
    period, stride = (factor // math.gcd(up, down) for factor in (up, down))
    count = -(-length // period)
    phases: list[Terms] = [[] for _ in range(period)]
    for phase, terms in enumerate(phases):
        for j, tap in enumerate(taps):
            offset, between = divmod(phase * down + j - before, up)
            if not between and tap:
                terms.append((tap, offset))
    offsets = [offset for terms in phases for _, offset in terms] or [0]
    pads = (-min(offsets), max(offsets) + stride * (count - 1) + 1 - size)
    return _Axis(axis, phases, stride, count, length, pads)


def _resample(x: jax.Array, *, taps, factors, padding) -> jax.Array:
    """Both axes in one pass where taps are few, which is less to read; else one after the other."""
    (up, down), together = factors, len(taps[0]) * len(taps[1]) <= MOST_TAPS
    for axes in [(1, 2)] if together else [(1,), (2,)]:
        plans = [
            _planned(axis, x.shape[axis], taps[axis - 1], up, down, padding[axis - 1])
            for axis in axes
        ]
        pads = [(0, 0, 0)] * x.ndim
        for plan in plans:
            pads[plan.axis] = (*plan.pads, 0)
        x = _filtered(lax.pad(x, jnp.zeros((), x.dtype), pads), plans, [])
    return x


def _filtered(
    x: jax.Array, plans: Sequence[_Axis], terms: Sequence[tuple[_Axis, Terms]]
) -> jax.Array:
    """The outputs of a padded x along the planned axes, phase beside phase.

    Args:
      x: the pixels and the zeros around.
      plans: of axes whose phases are still to be taken.
      terms: of the others the plan and one phase's terms.
    """
    if not plans:
        return _phase(x, terms)
    plan, *rest = plans
    arrays = [_filtered(x, rest, [*terms, (plan, own)]) for own in plan.phases]
    if len(arrays) == 1:
        return arrays[0]
    y = jnp.stack(arrays, plan.axis + 1)
    y = y.reshape(*y.shape[: plan.axis], -1, *y.shape[plan.axis + 2 :])
    return lax.slice_in_dim(y, 0, plan.length, axis=plan.axis)


def _phase(x: jax.Array, terms: Sequence[tuple[_Axis, Terms]]) -> jax.Array:
    """The outputs of one phase per axis: a sum of slices."""

    def seen(offsets: Sequence[int]) -> jax.Array:
        starts, ends, strides = [0] * x.ndim, list(x.shape), [1] * x.ndim
        for (plan, _), offset in zip(terms, offsets, strict=True):
            first = offset + plan.pads[0]
            starts[plan.axis], strides[plan.axis] = first, plan.stride
            ends[plan.axis] = first + plan.stride * (plan.many - 1) + 1
        return lax.slice(x, starts, ends, strides)

    products = [
        math.prod(tap for tap, _ in chosen) * seen([offset for _, offset in chosen])
        for chosen in itertools.product(*(own for _, own in terms))
    ]
    if not products:  # zeros alone are seen
        return jnp.zeros_like(seen([-plan.pads[0] for plan, _ in terms]))
    return functools.reduce(jnp.add, products)


@functools.cache
def _compiled(params):
    return jax.jit(functools.partial(_resample, **dict(params)))


def _transposed(cotangent, x, *, taps, factors, padding):
    """Pixel i of x hears from output o by tap up * i + before - down * o."""
    up, down = factors
    around = []
    for axis, (own, (before, _)) in enumerate(zip(taps, padding, strict=True), 1):
        first = len(own) - 1 - before
        last = up * (x.aval.shape[axis] - 1) + before + 1 - down * cotangent.shape[axis]
        around.append((first, last))
    turned = tuple(own[::-1] for own in taps)
    return [resampling_p.bind(cotangent, taps=turned, factors=(down, up), padding=tuple(around))]


def _batched(operands, axes, **params):
    x = jnp.moveaxis(operands[0], axes[0], 0)
    y = resampling_p.bind(x.reshape(-1, *x.shape[2:]), **params)
    return y.reshape(*x.shape[:2], *y.shape[1:]), 0


resampling_p = Portable('resampling')
resampling_p.native = _resample
resampling_p.def_impl(lambda x, **params: _compiled(tuple(params.items()))(x))
resampling_p.def_abstract_eval(
    lambda x, **params: x.update(shape=_shape(x.shape, **params), weak_type=False)
)
ad.deflinear2(resampling_p, _transposed)
batching.primitive_batchers[resampling_p] = _batched
mlir.register_lowering(resampling_p, mlir.lower_fun(_resample, multiple_results=False))


def pads(
    filter: chex.ArrayNumpy, up: int = 1, down: int = 1, more: tuple[int, int] = (0, 0)
) -> list[int]:
    """(top, bottom, left, right) with which n pixels become n * up / down.

    With k taps (k + up - down) // 2 before and (k - max(up, down)) // 2 after, and `more` beside.
    """
    shape = np.shape(filter)
    both = [((k + up - down) // 2, (k - max(up, down)) // 2) for k in (shape[0], shape[-1])]
    return [side + extra for pair in both for side, extra in zip(pair, more, strict=True)]


def upsample(x: chex.Array, filter: chex.ArrayNumpy, factor: int = 2) -> jax.Array:
    """Images a whole number of times larger: [n, h, w, c] to [n, factor * h, factor * w, c]."""
    return upfirdn2d(x, filter, up=factor, padding=pads(filter, up=factor), gain=factor**2)


def downsample(x: chex.Array, filter: chex.ArrayNumpy, factor: int = 2) -> jax.Array:
    """Images a whole number of times smaller: [n, factor * h, factor * w, c] to [n, h, w, c]."""
    return upfirdn2d(x, filter, down=factor, padding=pads(filter, down=factor))
