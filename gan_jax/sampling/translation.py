"""What a game of translation makes of sources: pictures, and what its figures are computed from."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from gan_jax import data
from gan_jax import game as game_lib
from gan_jax.config.inputs import Sources, both_ways
from gan_jax.runtime import parallel
from gan_jax.sampling import sampler as sampling

ACROSS = 12  # images in a row of a picture, about
MOST_CYCLES = 500  # images of a domain that make the whole way, for figures


def make_journey(game: game_lib.Game, start: str = 'a') -> Callable[..., list[np.ndarray]]:
    """Compiles the way of images into the other domain and, if the game has both, back again.

    Args:
      game: a game with a_to_b, and perhaps b_to_a.
      start: the domain of the images, 'a' or 'b'.

    Returns:
      (variables, images float32 [n, ...]) -> [what they become, and what that becomes].
    """
    names = ('a_to_b', 'b_to_a') if start == 'a' else ('b_to_a', 'a_to_b')

    def journey(variables: Any, images: jax.Array) -> list[jax.Array]:
        stages: list[jax.Array] = []
        for name in names:
            if name in game.functions:
                last = stages[-1] if stages else images
                stages.append(game.functions[name](*variables, last))
        return stages

    compiled = parallel.over_examples(journey)

    def apply(variables: Any, images: Any) -> list[np.ndarray]:
        found = [
            [np.asarray(x)[: len(part)] for x in compiled(variables, sampling.filled(part, size))]
            for part, size in sampling.parts(images)
        ]
        return [np.concatenate(x) for x in zip(*found, strict=True)]

    return apply


def as_images(x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Sources or images, floats, as uint8 images of a shape: enlarged, grey repeated.

    Of a source with a mask the missing pixels are as they were filled.
    """
    height, width, channels = shape
    x = x[..., :channels] if x.shape[-1] > channels else x
    x = np.broadcast_to(x, (*x.shape[:3], max(channels, x.shape[-1])))
    images = data.denormalize(x)
    factors = height // images.shape[1], width // images.shape[2]
    return images.repeat(factors[0], axis=1).repeat(factors[1], axis=2)


def make_picture(game: game_lib.Game, sources: Sources) -> Callable[[Any, Any], np.ndarray]:
    """Builds what draws the state of a game of translation.

    Args:
      game: the game.
      sources: what is translated.

    Returns:
      (params, aux) -> uint8 [h, w, c], a grid. Of each example: source, translation, true image. Of
      a game with both directions: source, translation, what that becomes on the way back; and the
      same for an image, which is the true one if there are pairs.
    """
    both = both_ways(game)
    journeys = [make_journey(game, start) for start in ('ab' if both else 'a')]
    images = sources.images(slice(None))
    beginnings = [sources[:], data.normalize(images)][: len(journeys)]

    def draw(params: Any, aux: Any) -> np.ndarray:
        shape = images.shape[1:]
        columns = []
        for start, journey in zip(beginnings, journeys, strict=True):
            stages = [start, *journey((params, aux), start)]
            columns += [as_images(x, shape) for x in stages]
        if not both:
            columns.append(images)
        rows = np.stack(columns, axis=1).reshape(-1, *shape)
        return sampling.grid(rows, columns=len(columns) * max(1, ACROSS // len(columns)))

    return draw


def more_evidence(
    game: game_lib.Game, wanted: set[str], sources: Sources, pairs: bool
) -> Callable[[Any], Mapping[str, Any]]:
    """variables -> evidence of translations beyond the images that they are.

    Args:
      game: the game.
      wanted: the names of evidence that figures ask for.
      sources: what is translated.
      pairs: whether the sources have their true images.
    """
    given: dict[str, Any] = {'aligned_pairs': True} if pairs else {}
    if 'cycles' not in wanted or not both_ways(game):
        return lambda variables: given
    first = slice(MOST_CYCLES)
    begun = {'a': sources[first], 'b': data.normalize(sources.images(first))}
    journeys = {domain: make_journey(game, domain) for domain in begun}

    def find(variables: Any) -> Mapping[str, Any]:
        cycles = {x: (begun[x], journeys[x](variables, begun[x])[1]) for x in begun}
        return {**given, 'cycles': cycles}

    return find
