"""One convolution: `lax.conv_general_dilated`'s meaning, matrix products on CPUs.

On a GPU or TPU the native convolution is the right one. On a CPU XLA computes the gradients of
strided, transposed and thin convolutions by generic loops, and all gradients many times slower
inside `lax.scan` and `lax.cond`. There the convolution is lowered to matrix products instead, or to
XLA's forward convolution where that is the faster one.

`convolve` below is all that others use, and the one place where shapes that have no such form go
to lax. `primitives` has the three operations and what each platform is given for them; `matmul`,
`winograd` and `thin` are what a CPU is given.
"""

from collections.abc import Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp
from jax import lax

from gan_jax.networks.layers.convolution.matmul import output_size
from gan_jax.networks.layers.convolution.primitives import (
    LAYOUT,
    forward_p,
    input_gradient_p,
)

__all__ = ['LAYOUT', 'convolve']


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

    Raises:
      TypeError, ValueError: what lax raises for shapes that do not fit.
    """
    settings = _supported(
        lhs, rhs, window_strides, padding, lhs_dilation, rhs_dilation, dimension_numbers,
        feature_group_count, batch_group_count, preferred_element_type,
    )  # fmt: skip
    if settings is None:
        return lax.conv_general_dilated(
            lhs, rhs, window_strides, padding, lhs_dilation, rhs_dilation, dimension_numbers,
            feature_group_count, batch_group_count, precision, preferred_element_type,
        )  # fmt: skip
    if 'size' in settings:
        turned = rhs[::-1, ::-1].swapaxes(2, 3)
        return input_gradient_p.bind(lhs, turned, precision=precision, **settings)
    return forward_p.bind(lhs, rhs, precision=precision, **settings)


def _supported(
    lhs: chex.Array,
    rhs: chex.Array,
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None,
    rhs_dilation: Sequence[int] | None,
    dimension_numbers: Any,
    feature_group_count: int,
    batch_group_count: int,
    preferred_element_type: Any,
) -> dict[str, Any] | None:
    """The parameters of the primitive that computes `convolve`; None if neither does.

    With `size` they are those of the transposed convolution, `input_gradient_p`, without it those
    of `forward_p`.
    """
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
        return None
    strides, dilation = tuple(window_strides), tuple(lhs_dilation or (1, 1))
    kernel, sizes = rhs.shape[:2], lhs.shape[1:3]
    if isinstance(padding, str):
        if dilation != (1, 1):
            return None
        padding = lax.padtype_to_pads(sizes, kernel, strides, padding)
    pads = tuple((int(low), int(high)) for low, high in padding)
    if dilation == (1, 1):
        if min(output_size(sizes, kernel, strides, pads)) < 1:
            return None
        return {'strides': strides, 'pads': pads}
    outer = [(k - 1 - low, k - 1 - high) for k, (low, high) in zip(kernel, pads, strict=True)]
    size = tuple(
        s * (n - 1) + k - low - high
        for s, n, k, (low, high) in zip(dilation, sizes, kernel, outer, strict=True)
    )
    if strides != (1, 1) or min(min(p) for p in outer) < 0 or min(size) < 1:
        return None
    return {'strides': dilation, 'pads': tuple(outer), 'size': size}
