"""What a game of translation makes of sources: pictures, and what its figures are computed from."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax import data, keys
from gan_jax.game import Game
from gan_jax.modalities import Modality
from gan_jax.runtime import parallel
from gan_jax.sampling import sampler

ACROSS = 12  # images in a row of a picture, about
ONE_WAY = ('source', 'made', 'true')
BOTH_WAYS = ('a', 'made b', 'back', 'b', 'made a', 'back')
MOST_CYCLES = 500  # images of a domain that make the whole way, for figures


class Sources:
    """Sources of a data set's examples, made when they are asked for; always the same.

    Attributes:
      dataset: the data set.
      places: which of its examples.
    """

    def __init__(
        self,
        dataset: data.Dataset,
        places: np.ndarray,
        encode: Callable,
        degrade: Callable | None,
        seed: int,
    ):
        """Compiles nothing yet.

        Args:
          dataset: the data set.
          places: which of its examples.
          encode: of their modality.
          degrade: (keys [n], images) -> sources; None where the data set has sources.
          seed: of what is drawn in degrading.
        """
        self.dataset, self.places = dataset, places
        self._encode = encode
        root = keys.fold_in_name(jax.random.key(seed), 'sources')

        def make(places, images):
            rng = jax.vmap(lambda place: jax.random.fold_in(root, place))(places)
            return degrade(rng, encode(images))  # type: ignore[misc]

        self._degrade = jax.jit(make) if degrade else None

    def __len__(self) -> int:
        """The number of sources."""
        return len(self.places)

    def __getitem__(self, part: slice) -> np.ndarray:
        """Encoded, float32 [n, ...]."""
        places = self.places[part]
        batch = self.dataset.batch(places)
        if self._degrade is None:
            return self._encode(batch['source'])
        return np.asarray(self._degrade(jnp.asarray(places, jnp.uint32), batch['real']))

    def truths(self, part: slice) -> np.ndarray:
        """The examples that belong to them, or of unpaired sets others, as they are stored."""
        return self.dataset.batch(self.places[part])['real']


def translates(game: Game) -> bool:
    """Whether a game is of sources and examples, not of a prior's draws."""
    return 'a_to_b' in game.functions


def both_ways(game: Game) -> bool:
    """Whether a game translates in both directions, for which it needs no pairs."""
    return 'b_to_a' in game.functions


def make_journey(
    game: Game, start: str = 'a', compiled: Callable = parallel.over_examples
) -> Callable[..., list[np.ndarray]]:
    """Compiles the way of images into the other domain and, if the game has both, back again.

    Args:
      game: a game with a_to_b, and perhaps b_to_a.
      start: the domain of the images, 'a' or 'b'.
      compiled: what compiles a function of examples.

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

    travel = compiled(journey)

    def apply(variables: Any, images: Any) -> list[np.ndarray]:
        stages = [
            [np.asarray(x)[: len(part)] for x in travel(variables, sampler.filled(part, size))]
            for part, size in sampler.parts(images)
        ]
        return [np.concatenate(x) for x in zip(*stages, strict=True)]

    return apply


def make_picture(
    game: Game, modality: Modality, sources: Sources
) -> Callable[[Any, Any], np.ndarray]:
    """Builds what draws the state of a game of translation.

    Args:
      game: the game.
      modality: of its examples.
      sources: what is translated.

    Returns:
      (params, aux) -> uint8 [h, w, c], a grid with headings. Of each example: source, translation,
      true image. Of a game with both directions: source, translation, what that becomes on the way
      back; and the same for an image, which is the true one if there are pairs.
    """
    both = both_ways(game)
    journeys = [make_journey(game, start) for start in ('ab' if both else 'a')]
    images = sources.truths(slice(None))
    beginnings = [sources[:], modality.encode(images)][: len(journeys)]

    def draw(params: Any, aux: Any) -> np.ndarray:
        columns = []
        for start, journey in zip(beginnings, journeys, strict=True):
            if modality.sources:
                columns.append(modality.sources(start))
            columns += [modality.decode(x) for x in journey((params, aux), start)]
        if not both:
            columns.append(images)
        rows = np.stack(columns, axis=1).reshape(-1, *modality.shape)
        across = len(columns) * max(1, ACROSS // len(columns))
        headings = BOTH_WAYS if both else ONE_WAY[-len(columns) :]
        return modality.picture(rows, columns=across, headings=headings)

    return draw


def more_evidence(
    game: Game, wanted: set[str], sources: Sources, pairs: bool, encode: Callable
) -> Callable[[Any], Mapping[str, Any]]:
    """variables -> evidence of translations beyond the images that they are.

    Args:
      game: the game.
      wanted: the names of evidence that figures ask for.
      sources: what is translated.
      pairs: whether the sources have their true images.
      encode: of the examples' modality.
    """
    evidence: dict[str, Any] = {'aligned_pairs': True} if pairs else {}
    if 'cycles' not in wanted or not both_ways(game):
        return lambda variables: evidence
    first = slice(MOST_CYCLES)
    begun = {'a': sources[first], 'b': encode(sources.truths(first))}
    journeys = {domain: make_journey(game, domain, parallel.everywhere) for domain in begun}

    def travel(variables: Any) -> Mapping[str, Any]:
        cycles = {x: (begun[x], journeys[x](variables, begun[x])[1]) for x in begun}
        return {**evidence, 'cycles': cycles}

    return travel
