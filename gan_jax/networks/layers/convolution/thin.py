"""Thin convolutions of stride 1, which XLA's library for CPUs computes without copies of patches.

Its forward convolution takes the image as it stands, outside loops and in them; patches of few
channels are more memory than work. The transpose in the image is a forward convolution, too, that
in the kernel is none that the library has.
"""

import math
from collections.abc import Sequence

import jax
from jax import export, lax

from gan_jax.networks.layers.convolution.matmul import Pads, Size, in_float32

LEAST = 2**20  # numbers in patches; fewer stay in a core's cache
MOST = 32  # channels; of more Winograd's products are faster


def worth(places: int, kernel: Size, strides: Size, c: int, o: int) -> bool:
    """The rule for so many places; `benchmarks/convolution.py` prints what it rests on.

    Where the number of examples is a symbol, as in a program that is exported, places are few.
    """
    if tuple(strides) != (1, 1) or min(kernel) < 3 or max(c, o) > MOST:
        return False
    return not export.is_symbolic_dim(places) and places * math.prod(kernel) * min(c, o) >= LEAST


def _convolve(x: jax.Array, k: jax.Array, pads: Sequence[tuple[int, int]]) -> jax.Array:
    layout = ('NHWC', 'HWIO', 'NHWC')
    return lax.conv_general_dilated(x, k, (1, 1), pads, dimension_numbers=layout)


@in_float32
def forward(x: jax.Array, k: jax.Array, *, pads: Pads, **_) -> jax.Array:
    """The convolution of x [n, h, w, c] with k [kh, kw, c, o], of stride 1."""
    return _convolve(x, k, pads)


@in_float32
def input_gradient(y: jax.Array, k: jax.Array, *, pads: Pads, size: Size, **_) -> jax.Array:
    """The transpose of `forward` in x, of that size: from y [n, h', w', o] to [n, h, w, c]."""
    around = [
        (n - 1 - low, whole - seen + low)
        for n, (low, _), whole, seen in zip(k.shape[:2], pads, size, y.shape[1:3], strict=True)
    ]
    return _convolve(y, k[::-1, ::-1].swapaxes(2, 3), around)
