"""Recordings through a run's translator: each at its own length."""

import pathlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.commands import folders, tiles
from gan_jax.data import cleaning
from gan_jax.modalities import Modality
from gan_jax.modalities.modality import Recordings

ARRAYS = '.npy'
LARGEST = 65_536  # steps of a recording; a longer one is cut into tiles


class Way(NamedTuple):
    """How sources become recordings.

    Attributes:
      function: (params, aux, sources [n, *shape]) -> encoded examples.
      variables: (params, aux).
      degrade: (keys [n], encoded examples) -> sources; None where examples are sources.
      shape: of a source as it was trained on.
      modality: of the examples; it has `recordings`.
    """

    function: Callable
    variables: tuple[Any, Any]
    degrade: Callable | None
    shape: Sequence[int]
    modality: Modality

    def of_examples(self, params: Any, aux: Any, examples: jax.Array) -> jax.Array:
        """The translation of what sources are made of."""
        if self.degrade is None:
            return self.function(params, aux, examples)
        rng = jax.vmap(lambda _: jax.random.key(0))(jnp.arange(len(examples)))
        return self.function(params, aux, self.degrade(rng, examples))


def kind(recordings: Recordings) -> folders.Kind:
    """Recordings, and sources in .npy files; to other endings that of what is written is added."""

    def output(file: pathlib.Path, name: str) -> str:
        return name if file.suffix.lower() == recordings.ending else f'{name}{recordings.ending}'

    return folders.Kind('recordings', lambda: (*recordings.endings, ARRAYS), output)


def make_translator(
    way: Way, root: pathlib.Path
) -> Callable[[str], folders.Result | cleaning.BadRecord]:
    """(a file's name within `root`) -> what is written of it, or why it cannot be read.

    Sources are made of recordings as in training; the arrays of .npy files are sources, float
    [length, *the rest of a source's shape].

    Raises:
      UserError: if a translation's length is not a whole number of times its source's.
    """
    modality, recordings = way.modality, way.modality.recordings
    assert recordings is not None
    lengths = modality.shape[:1]
    of_recordings = tiles.over(way.of_examples, way.variables, lengths, modality.shape[1:], LARGEST)
    of_sources = tiles.over(way.function, way.variables, way.shape[:1], way.shape[1:], LARGEST)

    def translated(name: str) -> folders.Result | cleaning.BadRecord:
        file = root / name
        try:
            if file.suffix.lower() == ARRAYS:
                made = of_sources(source(file, way.shape))
            else:
                made = of_recordings(np.asarray(modality.encode(recordings.read(file))))
        except cleaning.BadRecord as error:
            return error
        return folders.Result(recordings.content(modality.decode(made)))

    return translated


def source(file: pathlib.Path, shape: Sequence[int]) -> np.ndarray:
    """A source of any length from a .npy file, float32.

    Raises:
      BadRecord: if it is no array, of another shape, empty, or with what is not finite.
    """
    array = cleaning.guarded(lambda: np.load(file, allow_pickle=False))
    if not isinstance(array, np.ndarray) or not np.issubdtype(array.dtype, np.floating):
        raise cleaning.BadRecord('not an array of floats')
    if array.shape != (*array.shape[:1], *shape[1:]) or not array.size:
        sides = ', '.join(map(str, ('length', *shape[1:])))
        raise cleaning.BadRecord(f'of shape {array.shape}, not ({sides})')
    if not np.isfinite(array).all():
        raise cleaning.BadRecord(cleaning.NOT_FINITE)
    return array.astype(np.float32)
