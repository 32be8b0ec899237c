"""Winograd's minimal filtering: stride-1 convolutions by fewer multiplications.

A tile of 2x2 outputs of an r x r kernel, r = 2 or 3, is S[(D x D^T) * (G k G^T)]S^T on an input
tile of (r + 1) x (r + 1): (r + 1)^2 products in place of 4 r^2, so 1.8 times (r = 2) or 2.25 times
(r = 3) fewer. Summed over channels, each of the (r + 1)^2 places is one matrix product. All
entries of D, S and G are 0, 1, -1 or 1/2, so little is lost to rounding.

Source: Fast Algorithms for Convolutional Neural Networks (Lavin and Gray, 2016), sections 4.1, 4.2.
"""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

TILE = 2  # outputs of a tile, per axis

Matrix = Sequence[Sequence[float]]
Grid = list[list[jax.Array]]

# kernel size -> D (of the input), G (of the kernel), S (of the output)
_MATRICES: dict[int, tuple[Matrix, Matrix, Matrix]] = {
    2: (
        ((1, -1, 0), (0, 1, 0), (0, -1, 1)),
        ((1, 0), (1, 1), (0, 1)),
        ((1, 1, 0), (0, 1, 1)),
    ),
    3: (
        ((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1)),
        ((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1)),
        ((1, 1, 1, 0), (0, 1, -1, -1)),
    ),
}

KERNELS = tuple(_MATRICES)


def _transposed(matrix: Matrix) -> Matrix:
    return tuple(zip(*matrix, strict=True))


def _combine(weights: Sequence[float], arrays: Sequence[jax.Array]) -> jax.Array:
    total = None
    for weight, x in zip(weights, arrays, strict=True):
        if weight:
            term = x if abs(weight) == 1 else abs(weight) * x
            if total is None:
                total = term if weight > 0 else -term
            else:
                total = total + term if weight > 0 else total - term
    assert total is not None  # no row is all zeros
    return total


def _both_axes(matrix: Matrix, grid: Grid) -> Grid:
    """M X M^T for a grid X of arrays."""
    columns = [[_combine(row, column) for row in matrix] for column in zip(*grid, strict=True)]
    return [[_combine(row, line) for row in matrix] for line in zip(*columns, strict=True)]


def _tiles(size: int) -> int:
    """How many tiles cover so many outputs."""
    return -(-size // TILE)


def _input_grid(x: jax.Array, r: int) -> Grid:
    """D x D^T of every tile: (r + 1) x (r + 1) arrays [n, tiles, tiles, c]."""
    counts = [_tiles(size - r + 1) for size in x.shape[1:3]]
    ends = [(0, TILE * n + r - 1 - size) for n, size in zip(counts, x.shape[1:3], strict=True)]
    x = jnp.pad(x, ((0, 0), *ends, (0, 0)))
    rows, columns = (TILE * (n - 1) + 1 for n in counts)
    places = range(TILE + r - 1)
    grid = [[x[:, i : i + rows : TILE, j : j + columns : TILE] for j in places] for i in places]
    return _both_axes(_MATRICES[r][0], grid)


def _overlap(parts: Sequence[jax.Array], axis: int, size: int) -> jax.Array:
    """Adds up tiles that overlap: part i of tile t belongs to place TILE * t + i."""
    reach = -(-len(parts) // TILE)
    phases = []
    for phase in range(TILE):
        moved = []
        for later, part in enumerate(parts[phase::TILE]):
            pads = [(0, 0)] * part.ndim
            pads[axis] = (later, reach - 1 - later)
            moved.append(jnp.pad(part, pads))
        phases.append(functools.reduce(jnp.add, moved))
    y = jnp.stack(phases, axis + 1)
    y = y.reshape(*y.shape[:axis], -1, *y.shape[axis + 2 :])
    return lax.slice_in_dim(y, 0, size, axis=axis)


def _input_grid_transposed(grid: Grid, r: int, height: int, width: int) -> jax.Array:
    """The transpose of `_input_grid`, for an input of height x width."""
    lines = _both_axes(_transposed(_MATRICES[r][0]), grid)
    return _overlap([_overlap(line, 2, width) for line in lines], 1, height)


def _output(grid: Grid, r: int, height: int, width: int) -> jax.Array:
    """The outputs of all tiles, S M S^T, side by side; cropped to height x width."""
    parts = _both_axes(_MATRICES[r][2], grid)
    y = jnp.stack([jnp.stack(line, 3) for line in parts], 2)
    n, rows, _, columns, _, c = y.shape
    return y.reshape(n, TILE * rows, TILE * columns, c)[:, :height, :width]


def _output_transposed(y: jax.Array, r: int) -> Grid:
    """The transpose of `_output`."""
    ends = [(0, TILE * _tiles(size) - size) for size in y.shape[1:3]]
    y = jnp.pad(y, ((0, 0), *ends, (0, 0)))
    grid = [[y[:, i::TILE, j::TILE] for j in range(TILE)] for i in range(TILE)]
    return _both_axes(_transposed(_MATRICES[r][2]), grid)


def _kernel_grid(k: jax.Array) -> Grid:
    """G k G^T: (r + 1) x (r + 1) arrays [c, o]."""
    return _both_axes(_MATRICES[len(k)][1], [list(row) for row in k])


def _rows(x: jax.Array) -> jax.Array:
    return x.reshape(-1, x.shape[-1])


def transposed_product(a: jax.Array, b: jax.Array) -> jax.Array:
    """a^T b for tall a [m, p], b [m, q].

    XLA's CPU product is up to twice as fast with the narrow matrix on the left; without the barrier
    it would undo the exchange. Where the product is as large as its factors, turning it over costs
    more than that.
    """
    if a.shape[1] > b.shape[1] and a.shape[0] > 2 * a.shape[1]:
        return lax.optimization_barrier(b.T @ a).T
    return a.T @ b


def forward(x: jax.Array, k: jax.Array) -> jax.Array:
    """The convolution of x [n, h, w, c] with k [r, r, c, o]: [n, h - r + 1, w - r + 1, o]."""
    r = len(k)
    products = [
        [(_rows(v) @ u).reshape(*v.shape[:3], -1) for v, u in zip(*lines, strict=True)]
        for lines in zip(_input_grid(x, r), _kernel_grid(k), strict=True)
    ]
    return _output(products, r, x.shape[1] - r + 1, x.shape[2] - r + 1)


def input_gradient(y: jax.Array, k: jax.Array) -> jax.Array:
    """The transpose of `forward` in x: y [n, h - r + 1, w - r + 1, o] to [n, h, w, c]."""
    r = len(k)
    products = [
        [(_rows(v) @ u.T).reshape(*v.shape[:3], -1) for v, u in zip(*lines, strict=True)]
        for lines in zip(_output_transposed(y, r), _kernel_grid(k), strict=True)
    ]
    return _input_grid_transposed(products, r, y.shape[1] + r - 1, y.shape[2] + r - 1)


def kernel_gradient(x: jax.Array, y: jax.Array) -> jax.Array:
    """The transpose of `forward` in k: from x and y to [r, r, c, o]."""
    r = x.shape[1] - y.shape[1] + 1
    products = [
        [transposed_product(_rows(v), _rows(u)) for v, u in zip(*lines, strict=True)]
        for lines in zip(_input_grid(x, r), _output_transposed(y, r), strict=True)
    ]
    grid = _both_axes(_transposed(_MATRICES[r][1]), products)
    return jnp.stack([jnp.stack(row) for row in grid])
