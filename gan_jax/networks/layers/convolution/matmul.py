"""A convolution and its two transposes as matrix products: what a CPU is given.

Space to depth makes a stride 1: blocks of the stride's size become channels. Then the kernel's
size and the channels choose between Winograd's products and one product of patches. Where a kernel
fills so little of the blocks that Winograd saves no multiplications, as 3x3 of stride 2, patches
are taken with the stride as it is; the gradient in the image goes by blocks all the same.

Source of the space-to-depth form: Is the deconvolution layer the same as a convolutional layer?
(Shi et al., 2016).
"""

import functools
import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax import lax

from gan_jax.networks.layers.convolution import winograd

FEW = 4  # terms; shorter sums are not worth a matrix product
SPARSE = 1.5  # numbers in the whole blocks that a kernel covers per number of the kernel

Pads = Sequence[tuple[int, int]]
Size = Sequence[int]


def output_size(sizes: Size, kernel: Size, strides: Size, pads: Pads) -> Size:
    """Height and width of what a convolution makes."""
    return tuple(
        (n + low + high - k) // s + 1
        for n, k, s, (low, high) in zip(sizes, kernel, strides, pads, strict=True)
    )


def transposed(function: Callable, shape: Sequence[int], y: jax.Array) -> jax.Array:
    """The transpose, at y, of a linear function of one array of that shape."""
    x = jax.typeof(y).update(shape=tuple(shape), weak_type=False)
    return jax.linear_transpose(function, x)(y)[0]


def blocks(x: jax.Array, kernel: Size, strides: Size, pads: Pads) -> jax.Array:
    """Pads x and turns blocks of the stride's size into channels; the stride becomes 1."""
    out = output_size(x.shape[1:3], kernel, strides, pads)
    counts = [n - 1 + -(-k // s) for n, k, s in zip(out, kernel, strides, strict=True)]
    ends = [
        (low, count * s - size - low, 0)
        for count, s, size, (low, _) in zip(counts, strides, x.shape[1:3], pads, strict=True)
    ]
    x = lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), *ends, (0, 0, 0)))
    (rows, columns), (down, across), channels = counts, strides, x.shape[3]
    x = x.reshape(x.shape[0], rows, down, columns, across, channels).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(x.shape[0], rows, columns, down * across * channels)


def kernel_blocks(k: jax.Array, strides: Size) -> jax.Array:
    """The kernel that does to `blocks` what k does to x."""
    kernel, (down, across) = k.shape[:2], strides
    rows, columns = (-(-n // s) for n, s in zip(kernel, strides, strict=True))
    ends = ((0, rows * down - kernel[0]), (0, columns * across - kernel[1]), (0, 0), (0, 0))
    k = jnp.pad(k, ends).reshape(rows, down, columns, across, *k.shape[2:])
    return k.transpose(0, 2, 1, 3, 4, 5).reshape(rows, columns, -1, k.shape[-1])


def _patches(x: jax.Array, kernel: Size, strides: Size = (1, 1)) -> jax.Array:
    """[n, h, w, c] -> [n, h', w', kernel * c]: what a kernel of that size sees, place by place."""
    down, across = strides
    rows, columns = output_size(x.shape[1:3], kernel, strides, ((0, 0), (0, 0)))
    height, width = down * (rows - 1) + 1, across * (columns - 1) + 1
    places = [(i, j) for i in range(kernel[0]) for j in range(kernel[1])]
    parts = [x[:, i : i + height : down, j : j + width : across] for i, j in places]
    return jnp.concatenate(parts, -1)


def _fold(z: jax.Array, kernel: Size) -> jax.Array:
    """The transpose of `_patches` of stride 1."""
    height, width = z.shape[1] + kernel[0] - 1, z.shape[2] + kernel[1] - 1
    shape = (z.shape[0], height, width, z.shape[3] // math.prod(kernel))
    return transposed(lambda x: _patches(x, kernel), shape, z)


def _with_margin(y: jax.Array, kernel: Size) -> jax.Array:
    """y with a margin of kernel - 1, so that each place of x is a whole patch of it."""
    return jnp.pad(y, ((0, 0), *((n - 1, n - 1) for n in kernel), (0, 0)))


def _product(x: jax.Array, matrix: jax.Array) -> jax.Array:
    """x's last axis by a matrix; a sum of a few terms is computed with what comes after it."""
    if len(matrix) <= FEW:
        rows = matrix.reshape(len(matrix), *(1,) * (x.ndim - 1), -1)
        terms = [x[..., i : i + 1] * row for i, row in enumerate(rows)]
        return functools.reduce(jnp.add, terms)
    return (x.reshape(-1, x.shape[-1]) @ matrix).reshape(*x.shape[:-1], -1)


def _sums(a: jax.Array, b: jax.Array) -> jax.Array:
    """Over all places the products of a's channels and b's: [p, q] from [n, h, w, p] and q."""
    return winograd.transposed_product(a.reshape(-1, a.shape[3]), b.reshape(-1, b.shape[3]))


def _turned(k: jax.Array) -> jax.Array:
    """[kernel * o, c]: what the patches of y are multiplied by."""
    return k[::-1, ::-1].swapaxes(2, 3).reshape(-1, k.shape[2])


# Patches are made of the side with fewer channels: they are copies of it, kernel times. For the
# gradient in the kernel both sides can be moved, one along each axis, where that copies less.


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
    return _product(_patches(_with_margin(y, kernel), kernel), _turned(k))


def _patch_kernel_gradient(x, y):
    rows, columns = kernel = (x.shape[1] - y.shape[1] + 1, x.shape[2] - y.shape[2] + 1)
    c, o = x.shape[3], y.shape[3]
    if columns * c + rows * o <= rows * columns * min(c, o):
        below = jnp.pad(y, ((0, 0), (rows - 1, rows - 1), (0, 0), (0, 0)))
        k = _sums(_patches(x, (1, columns)), _patches(below, (rows, 1)))
        return k.reshape(columns, c, rows, o)[:, :, ::-1].transpose(2, 0, 1, 3)
    if c <= o:
        return _sums(_patches(x, kernel), y).reshape(*kernel, c, o)
    k = _sums(_patches(_with_margin(y, kernel), kernel), x).reshape(*kernel, o, c)
    return k.swapaxes(2, 3)[::-1, ::-1]


def in_float32(function: Callable) -> Callable:
    """Half precision would lose the transforms' digits, and saves nothing on a CPU."""

    @functools.wraps(function)
    def compute(*operands, **params):
        dtype = operands[0].dtype
        wide = [x.astype(jnp.float32 if dtype.itemsize < 4 else dtype) for x in operands]
        return function(*wide, **params).astype(dtype)

    return compute


def worth_winograd(kernel: Size, c: int, o: int) -> bool:
    """The rule; `benchmarks/convolution.py` prints the measurements behind it."""
    return kernel[0] == kernel[1] and kernel[0] in winograd.KERNELS and min(c, o) >= 32


def _strided(x: jax.Array, kernel: Size, strides: Size, pads: Pads) -> jax.Array:
    """The patches of x, of any stride."""
    around = ((0, 0, 0), *((*pair, 0) for pair in pads), (0, 0, 0))
    return _patches(lax.pad(x, jnp.zeros((), x.dtype), around), kernel, strides)


def worth_strided(kernel: Size, strides: Size, c: int, o: int) -> bool:
    """Whether patches are taken with the stride as it is, since blocks would be sparse.

    Not where x has so many more channels than y that patches of y are much less to copy, unless
    Winograd's form would be taken or patches are parts of blocks. `benchmarks/convolution.py`
    prints the measurements behind it.
    """
    pairs = list(zip(kernel, strides, strict=True))
    covering = [-(-n // s) for n, s in pairs]
    covered = math.prod(covering) * math.prod(strides)
    parts = all(n <= s for n, s in pairs)
    products = worth_winograd(covering, math.prod(strides) * c, o)
    return covered >= SPARSE * math.prod(kernel) and (parts or products or c <= 4 * o)


@in_float32
def forward(x, k, *, strides, pads, precision):
    """The convolution of x [n, h, w, c] with k [kh, kw, c, o]: [n, h', w', o]."""
    del precision
    if worth_strided(k.shape[:2], strides, *k.shape[2:]):
        return _product(_strided(x, k.shape[:2], strides, pads), k.reshape(-1, k.shape[3]))
    x, kernel = blocks(x, k.shape[:2], strides, pads), kernel_blocks(k, strides)
    worth = worth_winograd(kernel.shape[:2], *kernel.shape[2:])
    return (winograd.forward if worth else _patch_forward)(x, kernel)


@in_float32
def input_gradient(y, k, *, strides, pads, precision, size):
    """The transpose of `forward` in x, of that size: from y [n, h', w', o] to [n, h, w, c]."""
    del precision
    kernel = kernel_blocks(k, strides)
    worth = worth_winograd(kernel.shape[:2], *kernel.shape[2:])
    z = (winograd.input_gradient if worth else _patch_input_gradient)(y, kernel)
    shape = (y.shape[0], *size, k.shape[2])
    return transposed(lambda x: blocks(x, k.shape[:2], strides, pads), shape, z)


@in_float32
def kernel_gradient(x, y, *, strides, pads, precision, size):
    """The transpose of `forward` in k, of that size: from x and y to [kh, kw, c, o]."""
    del precision
    shape = (*size, x.shape[3], y.shape[3])
    if worth_strided(size, strides, *shape[2:]):
        patches = _strided(x, size, strides, pads)
        return _sums(patches, y).reshape(shape)
    x = blocks(x, size, strides, pads)
    kernel = (x.shape[1] - y.shape[1] + 1, x.shape[2] - y.shape[2] + 1)
    worth = worth_winograd(kernel, x.shape[3], y.shape[3])
    z = (winograd.kernel_gradient if worth else _patch_kernel_gradient)(x, y)
    return transposed(lambda k: kernel_blocks(k, strides), shape, z)
