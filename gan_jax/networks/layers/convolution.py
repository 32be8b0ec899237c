"""One convolution: `lax.conv_general_dilated`'s meaning, matrix products on CPUs.

On a GPU or TPU the native convolution is the right one. On a CPU XLA computes the gradients of
strided, transposed and thin convolutions by generic loops, and all gradients many times slower
inside `lax.scan` and `lax.cond`. There the convolution is lowered to matrix products instead. The
platform decides when a program is lowered, so one traced function serves all.

A convolution y(x, k) is linear in both arguments. It and its two transposes,

    forward          (x, k) -> y
    input_gradient   (y, k) -> x    also the transposed convolution
    kernel_gradient  (x, y) -> k

are closed under differentiation: each one's derivatives are the other two. So they are three JAX
primitives, and derivatives of every order, forward or reverse, come out as these.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from gan_jax.networks.layers import winograd

LAYOUT = ('NHWC', 'HWIO', 'NHWC')

Pads = Sequence[tuple[int, int]]
Size = Sequence[int]


def convolve(
    lhs: chex.Array,
    rhs: chex.Array,
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    feature_group_count: int = 1,
    batch_group_count: int = 1,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> jax.Array:
    """`jax.lax.conv_general_dilated`, the same arguments and result up to rounding.

    2-D convolutions of NHWC with HWIO, either strided or transposed (lhs_dilation), take matrix
    products on CPUs; all others (groups, dilated kernels, other layouts and ranks) are lax's.

    Source of the space-to-depth form: Is the deconvolution layer the same as a convolutional
    layer? (Shi et al., 2016).

    Raises:
      TypeError, ValueError: what lax raises for shapes that do not fit.
    """
    native = functools.partial(
        lax.conv_general_dilated, lhs, rhs, window_strides, padding, lhs_dilation, rhs_dilation,
        dimension_numbers, feature_group_count, batch_group_count, precision,
        preferred_element_type,
    )  # fmt: skip
    plain = (
        lhs.ndim == rhs.ndim == 4
        and lhs.dtype == rhs.dtype
        and jnp.issubdtype(lhs.dtype, jnp.floating)
        and lhs.shape[-1] == rhs.shape[-2]
        and 0 not in lhs.shape + rhs.shape
        and dimension_numbers is not None
        and lax.conv_dimension_numbers(lhs.shape, rhs.shape, dimension_numbers)
        == lax.conv_dimension_numbers(lhs.shape, rhs.shape, LAYOUT)
        and feature_group_count == batch_group_count == 1
        and preferred_element_type is None
        and set(rhs_dilation or (1,)) == {1}
    )
    if not plain:
        return native()
    strides, dilation = tuple(window_strides), tuple(lhs_dilation or (1, 1))
    kernel, sizes = rhs.shape[:2], lhs.shape[1:3]
    if isinstance(padding, str):
        if dilation != (1, 1):
            return native()
        padding = lax.padtype_to_pads(sizes, kernel, strides, padding)
    pads = tuple((int(low), int(high)) for low, high in padding)
    if dilation == (1, 1):
        if min(_output_size(sizes, kernel, strides, pads)) < 1:
            return native()
        return forward_p.bind(lhs, rhs, strides=strides, pads=pads, precision=precision)
    outer = [(k - 1 - low, k - 1 - high) for k, (low, high) in zip(kernel, pads, strict=True)]
    made = tuple(
        s * (n - 1) + k - low - high
        for s, n, k, (low, high) in zip(dilation, sizes, kernel, outer, strict=True)
    )
    if strides != (1, 1) or min(min(p) for p in outer) < 0 or min(made) < 1:
        return native()
    return input_gradient_p.bind(
        lhs, rhs[::-1, ::-1].swapaxes(2, 3),
        strides=dilation, pads=tuple(outer), precision=precision, size=made,
    )  # fmt: skip


def _output_size(sizes: Size, kernel: Size, strides: Size, pads: Pads) -> Size:
    return tuple(
        (n + low + high - k) // s + 1
        for n, k, s, (low, high) in zip(sizes, kernel, strides, pads, strict=True)
    )


def _transposed(function: Callable, shape: Sequence[int], y: jax.Array) -> jax.Array:
    """The transpose, at y, of a linear function of one array of that shape."""
    x = jax.typeof(y).update(shape=tuple(shape), weak_type=False)
    return jax.linear_transpose(function, x)(y)[0]


# ---- Elsewhere than on CPUs: the native convolution ----------------------------------------------


def _native_forward(x, k, *, strides, pads, precision):
    return lax.conv_general_dilated(
        x, k, strides, pads, dimension_numbers=LAYOUT, precision=precision
    )


def _native_input_gradient(y, k, *, size, **params):
    shape = (y.shape[0], *size, k.shape[2])
    return _transposed(lambda x: _native_forward(x, k, **params), shape, y)


def _native_kernel_gradient(x, y, *, size, **params):
    shape = (*size, x.shape[3], y.shape[3])
    return _transposed(lambda k: _native_forward(x, k, **params), shape, y)


# ---- On CPUs: space to depth, then a convolution of stride 1 as matrix products ------------------


def _blocks(x: jax.Array, kernel: Size, strides: Size, pads: Pads) -> jax.Array:
    """Pads x and turns blocks of the stride's size into channels; the stride becomes 1."""
    out = _output_size(x.shape[1:3], kernel, strides, pads)
    counts = [n - 1 + -(-k // s) for n, k, s in zip(out, kernel, strides, strict=True)]
    ends = [
        (low, count * s - size - low, 0)
        for count, s, size, (low, _) in zip(counts, strides, x.shape[1:3], pads, strict=True)
    ]
    x = lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), *ends, (0, 0, 0)))
    (rows, columns), (down, across), channels = counts, strides, x.shape[3]
    x = x.reshape(x.shape[0], rows, down, columns, across, channels).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(x.shape[0], rows, columns, down * across * channels)


def _kernel_blocks(k: jax.Array, strides: Size) -> jax.Array:
    """The kernel that does to `_blocks` what k does to x."""
    kernel, (down, across) = k.shape[:2], strides
    rows, columns = (-(-n // s) for n, s in zip(kernel, strides, strict=True))
    ends = ((0, rows * down - kernel[0]), (0, columns * across - kernel[1]), (0, 0), (0, 0))
    k = jnp.pad(k, ends).reshape(rows, down, columns, across, *k.shape[2:])
    return k.transpose(0, 2, 1, 3, 4, 5).reshape(rows, columns, -1, k.shape[-1])


def _patches(x: jax.Array, kernel: Size) -> jax.Array:
    """[n, h, w, c] -> [n, h', w', kernel * c]: what a kernel of that size sees, place by place."""
    height, width = x.shape[1] - kernel[0] + 1, x.shape[2] - kernel[1] + 1
    places = [(i, j) for i in range(kernel[0]) for j in range(kernel[1])]
    return jnp.concatenate([x[:, i : i + height, j : j + width] for i, j in places], -1)


def _fold(z: jax.Array, kernel: Size) -> jax.Array:
    """The transpose of `_patches`."""
    height, width = z.shape[1] + kernel[0] - 1, z.shape[2] + kernel[1] - 1
    shape = (z.shape[0], height, width, z.shape[3] // math.prod(kernel))
    return _transposed(lambda x: _patches(x, kernel), shape, z)


def _wide(y: jax.Array, kernel: Size) -> jax.Array:
    """y with a margin of kernel - 1, so that each place of x is a whole patch of it."""
    return jnp.pad(y, ((0, 0), *((n - 1, n - 1) for n in kernel), (0, 0)))


def _product(x: jax.Array, matrix: jax.Array) -> jax.Array:
    """x's last axis by a matrix."""
    return (x.reshape(-1, x.shape[-1]) @ matrix).reshape(*x.shape[:-1], -1)


def _turned(k: jax.Array) -> jax.Array:
    """[kernel * o, c]: what the patches of y are multiplied by."""
    return k[::-1, ::-1].swapaxes(2, 3).reshape(-1, k.shape[2])


# Patches are made of the side with fewer channels: they are copies of it, kernel times.


def _patch_forward(x, k):
    if x.shape[3] <= k.shape[3]:
        return _product(_patches(x, k.shape[:2]), k.reshape(-1, k.shape[3]))
    (rows, columns), (height, width) = k.shape[:2], x.shape[1:3]
    z = _fold(_product(x, _turned(k).T), (rows, columns))
    return z[:, rows - 1 : height, columns - 1 : width]


def _patch_input_gradient(y, k):
    kernel = k.shape[:2]
    if k.shape[2] <= k.shape[3]:
        return _fold(_product(y, k.reshape(-1, k.shape[3]).T), kernel)
    return _product(_patches(_wide(y, kernel), kernel), _turned(k))


def _patch_kernel_gradient(x, y):
    kernel = (x.shape[1] - y.shape[1] + 1, x.shape[2] - y.shape[2] + 1)
    c, o = x.shape[3], y.shape[3]

    def sums(a, b):
        return winograd.transposed_product(a.reshape(-1, a.shape[3]), b.reshape(-1, b.shape[3]))

    if c <= o:
        return sums(_patches(x, kernel), y).reshape(*kernel, c, o)
    k = sums(_patches(_wide(y, kernel), kernel), x).reshape(*kernel, o, c)
    return k.swapaxes(2, 3)[::-1, ::-1]


def _worth_winograd(kernel: Size, c: int, o: int) -> bool:
    """The rule; `benchmarks/convolution.py` prints the measurements behind it."""
    return kernel[0] == kernel[1] and kernel[0] in winograd.KERNELS and min(c, o) >= 32


def _cpu_forward(x, k, *, strides, pads, precision):
    del precision
    x, kernel = _blocks(x, k.shape[:2], strides, pads), _kernel_blocks(k, strides)
    worth = _worth_winograd(kernel.shape[:2], *kernel.shape[2:])
    return (winograd.forward if worth else _patch_forward)(x, kernel)


def _cpu_input_gradient(y, k, *, strides, pads, precision, size):
    del precision
    kernel = _kernel_blocks(k, strides)
    worth = _worth_winograd(kernel.shape[:2], *kernel.shape[2:])
    z = (winograd.input_gradient if worth else _patch_input_gradient)(y, kernel)
    shape = (y.shape[0], *size, k.shape[2])
    return _transposed(lambda x: _blocks(x, k.shape[:2], strides, pads), shape, z)


def _cpu_kernel_gradient(x, y, *, strides, pads, precision, size):
    del precision
    shape = (*size, x.shape[3], y.shape[3])
    x = _blocks(x, size, strides, pads)
    kernel = (x.shape[1] - y.shape[1] + 1, x.shape[2] - y.shape[2] + 1)
    worth = _worth_winograd(kernel, x.shape[3], y.shape[3])
    z = (winograd.kernel_gradient if worth else _patch_kernel_gradient)(x, y)
    return _transposed(lambda k: _kernel_blocks(k, strides), shape, z)


def _in_float32(function: Callable) -> Callable:
    """Half precision would lose the transforms' digits, and saves nothing on a CPU."""

    def compute(*operands, **params):
        dtype = operands[0].dtype
        wide = [x.astype(jnp.float32 if dtype.itemsize < 4 else dtype) for x in operands]
        return function(*wide, **params).astype(dtype)

    return compute


# ---- The primitives ------------------------------------------------------------------------------
# Operands may have leading axes, equal in number and size, over which the operation is mapped:
# that is how vmap over both operands is said.


def _leading(function: Callable) -> Callable:
    """Maps a function of rank-4 arrays over all axes before the last four."""

    def mapped(*operands, **params):
        call = functools.partial(function, **params)
        for _ in range(operands[0].ndim - 4):
            call = jax.vmap(call)
        return call(*operands)

    return mapped


def _batch(primitive: Primitive, folds: bool, operands, axes, **params):
    """vmap's rule: images alone are one larger batch; otherwise one more leading axis."""
    if folds and axes[1] is None:
        x, k = operands
        x = jnp.moveaxis(x, axes[0], -5)
        several = x.shape[-5:-3]
        made = primitive.bind(x.reshape(*x.shape[:-5], -1, *x.shape[-3:]), k, **params)
        return made.reshape(*made.shape[:-4], *several, *made.shape[-3:]), made.ndim - 4
    size = next(x.shape[a] for x, a in zip(operands, axes, strict=True) if a is not None)
    mapped = [
        jnp.broadcast_to(x, (size, *x.shape)) if a is None else jnp.moveaxis(x, a, 0)
        for x, a in zip(operands, axes, strict=True)
    ]
    return primitive.bind(*mapped, **params), 0


def _primitive(name: str, shape: Callable, native: Callable, cpu: Callable, folds: bool):
    """A primitive of two operands, of the same meaning on every platform.

    Args:
      name: its name.
      shape: (shape, shape, **params) -> the result's shape.
      native: what it is on any platform.
      cpu: what it is on a CPU.
      folds: whether a batch of the first operand alone is a larger batch.
    """
    primitive = Primitive(name)

    def abstract(a, b, **params):
        return a.update(shape=shape(a.shape, b.shape, **params), weak_type=False)

    native, cpu = _leading(native), _leading(_in_float32(cpu))

    @functools.cache
    def compiled(params):
        default, on_cpu = (functools.partial(form, **dict(params)) for form in (native, cpu))
        return jax.jit(functools.partial(lax.platform_dependent, default=default, cpu=on_cpu))

    # Outside jit; not by way of the primitive itself, which would not end under disable_jit.
    primitive.def_impl(lambda a, b, **params: compiled(tuple(params.items()))(a, b))
    primitive.def_abstract_eval(abstract)
    for platform, function in ((None, native), ('cpu', cpu)):
        rule = mlir.lower_fun(function, multiple_results=False)
        mlir.register_lowering(primitive, rule, platform=platform)
    batching.primitive_batchers[primitive] = functools.partial(_batch, primitive, folds)
    return primitive


def _forward_shape(x, k, *, strides, pads, precision):
    del precision
    return (*x[:-3], *_output_size(x[-3:-1], k[-4:-2], strides, pads), k[-1])


forward_p = _primitive('convolution', _forward_shape, _native_forward, _cpu_forward, folds=True)
input_gradient_p = _primitive(
    'convolution_input_gradient', lambda y, k, *, size, **_: (*y[:-3], *size, k[-2]),
    _native_input_gradient, _cpu_input_gradient, folds=True,
)  # fmt: skip
kernel_gradient_p = _primitive(
    'convolution_kernel_gradient', lambda x, y, *, size, **_: (*x[:-4], *size, x[-1], y[-1]),
    _native_kernel_gradient, _cpu_kernel_gradient, folds=False,
)  # fmt: skip


def _size_of(images) -> Size:
    return images.aval.shape[-3:-1]


# The transposes; the argument that is sought stands there as its abstract value.
ad.defbilinear(
    forward_p,
    lambda ct, x, k, **p: input_gradient_p.bind(ct, k, size=_size_of(x), **p),
    lambda ct, x, k, **p: kernel_gradient_p.bind(x, ct, size=k.aval.shape[-4:-2], **p),
)
ad.defbilinear(
    input_gradient_p,
    lambda ct, y, k, *, size, **p: forward_p.bind(ct, k, **p),
    lambda ct, y, k, *, size, **p: kernel_gradient_p.bind(ct, y, size=k.aval.shape[-4:-2], **p),
)
ad.defbilinear(
    kernel_gradient_p,
    lambda ct, x, y, *, size, **p: input_gradient_p.bind(y, ct, size=_size_of(x), **p),
    lambda ct, x, y, *, size, **p: forward_p.bind(x, ct, **p),
)
