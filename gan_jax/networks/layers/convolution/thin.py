"""Thin convolutions, which XLA's libraries for CPUs compute without copies of patches.

Their forward convolution takes the image as it stands, outside loops and in them; patches of few
channels are more memory than work. The transpose in the image is a forward convolution, too; of
another stride than 1 its outputs are blocks of the image. The transpose in the kernel is none that
the libraries have, and forward convolutions of other strides are slow there.
"""

import math
from collections.abc import Sequence

import jax
from jax import export, lax

from gan_jax.networks.layers.convolution.matmul import (
    Pads,
    Size,
    blocks,
    in_float32,
    kernel_blocks,
    transposed,
)

LEAST = 2**20  # numbers in patches; fewer stay in a core's cache
MOST = 32  # channels; of more Winograd's products are faster
LEAST_STRIDED = 16  # channels; of fewer copying the blocks takes as long as computing them


def _worth(places: int, kernel: Size, c: int, o: int) -> bool:
    """The rule for so many places of any stride; `benchmarks/convolution.py` prints why.

    Where the number of examples is a symbol, as in a program that is exported, places are few.
    """
    if min(kernel) < 3 or max(c, o) > MOST:
        return False
    return not export.is_symbolic_dim(places) and places * math.prod(kernel) * min(c, o) >= LEAST


def worth_forward(places: int, kernel: Size, strides: Size, c: int, o: int) -> bool:
    """The rule for `forward`."""
    return tuple(strides) == (1, 1) and _worth(places, kernel, c, o)


def worth_input_gradient(places: int, kernel: Size, strides: Size, c: int, o: int) -> bool:
    """The rule for `input_gradient`."""
    enough = tuple(strides) == (1, 1) or min(c, o) >= LEAST_STRIDED
    return enough and _worth(places, kernel, c, o)


def _convolve(x: jax.Array, k: jax.Array, pads: Sequence[tuple[int, int]]) -> jax.Array:
    layout = ('NHWC', 'HWIO', 'NHWC')
    return lax.conv_general_dilated(x, k, (1, 1), pads, dimension_numbers=layout)


@in_float32
def forward(x: jax.Array, k: jax.Array, *, pads: Pads, **_) -> jax.Array:
    """The convolution of x [n, h, w, c] with k [kh, kw, c, o], of stride 1."""
    return _convolve(x, k, pads)


@in_float32
def input_gradient(
    y: jax.Array, k: jax.Array, *, strides: Size, pads: Pads, size: Size, **_
) -> jax.Array:
    """The transpose in x, of that size, of a convolution of any stride.

    From y [n, h', w', o] to [n, h, w, c].
    """
    if tuple(strides) == (1, 1):
        around = [
            (n - 1 - low, whole - seen + low)
            for n, (low, _), whole, seen in zip(k.shape[:2], pads, size, y.shape[1:3], strict=True)
        ]
        return _convolve(y, k[::-1, ::-1].swapaxes(2, 3), around)
    kernel = kernel_blocks(k, strides)
    around = [(n - 1, n - 1) for n in kernel.shape[:2]]
    z = _convolve(y, kernel[::-1, ::-1].swapaxes(2, 3), around)
    shape = (y.shape[0], *size, k.shape[2])
    return transposed(lambda x: blocks(x, k.shape[:2], strides, pads), shape, z)
