"""The three primitives that a convolution is made of.

A convolution y(x, k) is linear in both arguments. It and its two transposes,

    primitive          computes      in its 1st argument     in its 2nd argument
    forward_p          (x, k) -> y   input_gradient_p(., k)  kernel_gradient_p(x, .)
    input_gradient_p   (y, k) -> x   forward_p(., k)         kernel_gradient_p(., y)
    kernel_gradient_p  (x, y) -> k   input_gradient_p(y, .)  forward_p(x, .)

are closed under differentiation: the right-hand columns say what the cotangent, the dot, is
transposed by; forward derivatives are the primitive itself at the tangent. So derivatives of every
order, forward or reverse, come out as these three. `input_gradient_p` is also the transposed
convolution.

    primitive          on a CPU                 elsewhere
    forward_p          thin or matmul .forward  lax.conv_general_dilated
    input_gradient_p   ... .input_gradient      the transpose of that in x
    kernel_gradient_p  matmul.kernel_gradient   the transpose of that in k

The platform decides when a program is lowered, so one traced function serves all. Operands are
x [n, h, w, c], k [kh, kw, c, o], y [n, h', w', o]; they may have leading axes, equal in number and
size, over which the operation is mapped: that is how vmap over both operands is said.

Parameters are `strides`, `pads` ((before, after) of height and width), `precision`, which a CPU
does not heed, and for the two gradients `size`, the height and width of what they return.
"""

import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from gan_jax.networks.layers.convolution import matmul, thin
from gan_jax.networks.layers.convolution.matmul import Size, output_size, transposed
from gan_jax.networks.layers.portable import Portable

LAYOUT = ('NHWC', 'HWIO', 'NHWC')


def _native_forward(x, k, *, strides, pads, precision):
    return lax.conv_general_dilated(
        x, k, strides, pads, dimension_numbers=LAYOUT, precision=precision
    )


def _native_input_gradient(y, k, *, size, **params):
    shape = (y.shape[0], *size, k.shape[2])
    return transposed(lambda x: _native_forward(x, k, **params), shape, y)


def _native_kernel_gradient(x, y, *, size, **params):
    shape = (*size, x.shape[3], y.shape[3])
    return transposed(lambda k: _native_forward(x, k, **params), shape, y)


def _leading(function: Callable) -> Callable:
    """Maps a function of rank-4 arrays over all axes before the last four."""

    def mapped(*operands, **params):
        call = functools.partial(function, **params)
        for _ in range(operands[0].ndim - 4):
            call = jax.vmap(call)
        return call(*operands)

    return mapped


def _thin_or_products(name: str) -> Callable:
    """What a CPU is given: the thin form where it is worth it, and of several at once products.

    XLA would make one convolution by groups of those, which is slow.
    """

    def compute(images, k, **params):
        if images.ndim == 4:
            worth, places = getattr(thin, f'worth_{name}'), math.prod(images.shape[:3])
            if worth(places, k.shape[:2], params['strides'], *k.shape[2:]):
                return getattr(thin, name)(images, k, **params)
        return _leading(getattr(matmul, name))(images, k, **params)

    return compute


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
      cpu: what it is on a CPU, leading axes included.
      folds: whether a batch of the first operand alone is a larger batch.
    """
    primitive = Portable(name)

    def abstract(a, b, **params):
        return a.update(shape=shape(a.shape, b.shape, **params), weak_type=False)

    native = _leading(native)
    primitive.native = native

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
    return (*x[:-3], *output_size(x[-3:-1], k[-4:-2], strides, pads), k[-1])


forward_p = _primitive(
    'convolution', _forward_shape, _native_forward,
    _thin_or_products('forward'), folds=True,
)  # fmt: skip
input_gradient_p = _primitive(
    'convolution_input_gradient', lambda y, k, *, size, **_: (*y[:-3], *size, k[-2]),
    _native_input_gradient, _thin_or_products('input_gradient'), folds=True,
)  # fmt: skip
kernel_gradient_p = _primitive(
    'convolution_kernel_gradient', lambda x, y, *, size, **_: (*x[:-4], *size, x[-1], y[-1]),
    _native_kernel_gradient, _leading(matmul.kernel_gradient), folds=False,
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
