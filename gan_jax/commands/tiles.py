"""A translator applied to what is larger than it was trained on: tiles that overlap."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.errors import UserError
from gan_jax.runtime import parallel

CHUNK = 4  # tiles to a call


def over(
    function: Callable,
    variables: tuple[Any, Any],
    size: Sequence[int],
    rest: Sequence[int],
    largest: int,
) -> Callable[[np.ndarray], np.ndarray]:
    """Builds what translates one source of any size.

    The source is reflected at its ends until its sides are multiples of `size`, and the translation
    is cropped back. On a side that is longer than `largest` then, it is cut into tiles that
    overlap by a fourth or more. The weight of a tile rises linearly over its outer fourths, and
    the result is the weighted mean. So few shapes are compiled, and memory is bounded.

    Args:
      function: (params, aux, sources [n, *sides, *rest]) -> examples [n, *(f sides), c], with the
        same whole number f at all sizes.
      variables: (params, aux).
      size: the sides that it was trained on: height and width, or a length.
      rest: of the sources' shape.
      largest: the longest side that is translated whole, if no less than `size`; of the translation
        where that is longer.

    Returns:
      float32 [*sides, *rest] -> float32 [*(f sides), c].

    Raises:
      UserError: if the translation is not a whole number of times as large as the source.
    """
    num = len(size)
    example = jax.ShapeDtypeStruct((1, *size, *rest), jnp.float32)
    made = jax.eval_shape(function, *variables, example).shape[1:]
    factor = made[0] // size[0]
    if factor < 1 or made[:num] != tuple(n * factor for n in size):
        raise UserError(
            f'the translator makes examples of shape {made} from {example.shape[1:]}, not ones '
            f'whose sides are a whole number of times as long; only these can be cut and joined'
        )
    apply = parallel.over_examples(lambda shared, x: function(*shared, x))

    def translator(source: np.ndarray) -> np.ndarray:
        sides, uncut = source.shape[:num], ((0, 0),) * len(rest)
        margins = [-n % side for n, side in zip(sides, size, strict=True)]
        widths = [(margin // 2, margin - margin // 2) for margin in margins]
        padded = np.pad(source, (*widths, *uncut), mode='symmetric')
        tile = [
            min(n, max(largest // factor // side, 1) * side)
            for n, side in zip(padded.shape[:num], size, strict=True)
        ]
        starts = [_starts(n, t) for n, t in zip(padded.shape[:num], tile, strict=True)]
        places = list(itertools.product(*starts))
        canvas = np.zeros((*(n * factor for n in padded.shape[:num]), *made[num:]), np.float32)
        ramps = [_along(_ramp(t * factor), axis, canvas.ndim) for axis, t in enumerate(tile)]
        weights = math.prod(ramps[1:], start=ramps[0])
        for i in range(0, len(places), CHUNK):
            chunk = places[i : i + CHUNK]
            tiles = np.stack([padded[_cut(place, tile)] for place in chunk])
            if len(places) > 1:  # one shape for all of them
                tiles = np.pad(tiles, ((0, CHUNK - len(chunk)), *((0, 0),) * (tiles.ndim - 1)))
            translated = np.asarray(apply(variables, tiles), np.float32)
            for place, one in zip(chunk, translated[: len(chunk)], strict=True):
                canvas[_cut(place, tile, factor)] += weights * one
        for axis, (ramp, begun) in enumerate(zip(ramps, starts, strict=True)):
            canvas /= _along(_total(ramp.ravel(), begun, factor), axis, canvas.ndim)
        return canvas[_cut([before for before, _ in widths], sides, factor)]

    return translator


def _cut(starts: Sequence[int], sides: Sequence[int], factor: int = 1) -> tuple[slice, ...]:
    return tuple(
        slice(factor * start, factor * (start + side))
        for start, side in zip(starts, sides, strict=True)
    )


def _along(values: np.ndarray, axis: int, rank: int) -> np.ndarray:
    """Values that stand along one axis of several."""
    return values.reshape([-1 if i == axis else 1 for i in range(rank)])


def _starts(length: int, tile: int) -> list[int]:
    """Where tiles begin so that they cover a side and overlap by a fourth or more."""
    return [*range(0, length - tile, tile - tile // 4), length - tile]


def _ramp(length: int) -> np.ndarray:
    """A tile's weights along one side: a linear rise, 1 in the inner half, a linear fall."""
    place = np.arange(length, dtype=np.float32)
    return np.minimum(np.minimum(place + 1, length - place) / (length // 4 + 1), 1)


def _total(ramp: np.ndarray, starts: list[int], factor: int) -> np.ndarray:
    """The sum of the weights along one side, at all its pixels."""
    total = np.zeros(starts[-1] * factor + len(ramp), np.float32)
    for start in starts:
        total[start * factor : start * factor + len(ramp)] += ramp
    return total
