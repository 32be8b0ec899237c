"""What all data sets are, and those that are not read from records: points and stacks."""

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from gan_jax.data import synthetic
from gan_jax.errors import UserError, nearest

Batch = dict[str, np.ndarray]

# What is done with a whole set is done with so many examples at a time, and of large ones with so
# many that they are no more than so many numbers.
CHUNK, NUMBERS = 500, 2**24

# Which split of points has how many, and the seed that they are drawn from.
POINTS = {'train': (100_000, 0), 'test': (10_000, 1)}
STACKS_TO_TRAIN, STACKS_ELSE = 128_000, 26_000
LISTED = 20  # classes in a message
MOST_CLASSES = 100  # of a set to stack: the stacks have a million then


def chunk_size(shape: tuple[int, ...]) -> int:
    """How many examples of a shape are taken at a time where all of a set are gone through."""
    return max(1, min(CHUNK, NUMBERS // max(1, math.prod(shape))))


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Examples of one shape with labels.

    Attributes:
      name: the data set's name.
      shape: the shape of an example: (height, width, channels) of images, (2,) of points.
      class_names: the classes; a label is a place in it.
      labels: int32 [len].
      fetch: places [n] -> stored examples [n, *shape]: uint8 images, float32 points, vectors or
        rows of tables.
      bad: (name, reason) of each record that was skipped.
      mixture: what points were drawn from; None of images.
      source: of two domains the other one, that images are made from: places -> uint8 images [n,
        height, width, channels]; None of all other sets.
      num_sources: how many there are of these, in no relation to the images; None if the source
        at each place belongs to the image at that place.
      kind: the name of the modality whose examples these are.
      fitted: what that modality must know of the data beyond shape and classes; plain values.
      labelled: seed -> places of the examples whose labels are known; None if all are.
      conditioned: (generator, num) -> places of examples [num], and what they were drawn by, int32
        [num, 1]; None where all are drawn alike.
      own: the same with zeros in place of what other processes hold, if each holds a part; a sum
        over the processes is the whole. None if each holds everything.
    """

    name: str
    shape: tuple[int, ...]
    class_names: tuple[str, ...]
    labels: np.ndarray = dataclasses.field(repr=False)
    fetch: Callable[[np.ndarray], np.ndarray] = dataclasses.field(repr=False)
    bad: tuple[tuple[str, str], ...] = ()
    mixture: synthetic.Mixture | None = dataclasses.field(default=None, repr=False)
    source: Callable[[np.ndarray], np.ndarray] | None = dataclasses.field(default=None, repr=False)
    num_sources: int | None = None
    kind: str = 'images'
    fitted: Mapping[str, Any] = dataclasses.field(default_factory=dict, repr=False)
    labelled: Callable[[int], np.ndarray] | None = dataclasses.field(default=None, repr=False)
    conditioned: Callable[..., tuple[np.ndarray, np.ndarray]] | None = dataclasses.field(
        default=None, repr=False
    )
    own: 'Dataset | None' = dataclasses.field(default=None, repr=False)

    def __len__(self) -> int:
        """The number of examples."""
        return len(self.labels)

    def batch(
        self,
        indices: np.ndarray,
        sources: np.ndarray | None = None,
        labelled: np.ndarray | None = None,
    ) -> Batch:
        """{'real': stored examples [n, *shape], 'label': int32 [n]}; of two domains 'source', too.

        Where few labels are known, 'labelled' has examples with labels, and 'label' is theirs: no
        other label is in the batch.

        Args:
          indices: places of examples, [n].
          sources: places of sources, [n], where these are in no relation to the rest; by default
            indices % num_sources.
          labelled: places of examples with labels, [n].
        """
        batch = {'real': self.fetch(indices), 'label': self.labels[indices]}
        if labelled is not None:
            batch |= {'labelled': self.fetch(labelled), 'label': self.labels[labelled]}
        if self.source is None:
            return batch
        if self.num_sources is None:
            sources = indices
        elif sources is None:
            sources = indices % self.num_sources
        return {**batch, 'source': self.source(sources)}

    def chunks(self, places: np.ndarray | None = None) -> Iterator[np.ndarray]:
        """Stored examples [n, *shape], a few at a time: those at these places, by default all."""
        places = np.arange(len(self)) if places is None else places
        several = chunk_size(self.shape)
        for start in range(0, len(places), several):
            yield self.fetch(places[start : start + several])

    def remade(self, make: Callable[['Dataset'], 'Dataset']) -> 'Dataset':
        """make(self), of which the process holds what it holds of this one.

        Args:
          make: zeros have to stay zeros: examples are chosen, cut and put together.
        """
        return dataclasses.replace(make(self), own=self.own and make(self.own))

    def only(self, classes: Sequence[int | str]) -> 'Dataset':
        """The examples of some classes; labels and class names stay as they are.

        Args:
          classes: their places or names.

        Raises:
          UserError: if there is no such class, or it has no examples.
        """
        labels = class_places(self, classes)
        kept = np.flatnonzero(np.isin(self.labels, labels))
        names = ','.join(self.class_names[label] for label in labels)
        if not len(kept):
            raise UserError(
                f'config.data.only_classes={tuple(classes)}: {self.name} has no examples of '
                f'{names}; name another class or split'
            )
        return self.remade(
            lambda whole: dataclasses.replace(
                whole,
                name=f'{self.name}[{names}]',
                labels=self.labels[kept],
                fetch=lambda places: whole.fetch(kept[places]),
            )
        )

    def balanced(self) -> 'Dataset':
        """As many examples of each class as the commonest has: rarer ones come again and again.

        Raises:
          UserError: if there are no classes.
        """
        if len(self.class_names) < 2:
            raise UserError(
                f'config.data.balanced=True: {self.name} has no classes; leave it at False, or '
                f'name another data set'
            )
        counts = np.bincount(self.labels)
        groups = [np.flatnonzero(self.labels == label) for label in np.flatnonzero(counts)]
        kept = np.concatenate([np.resize(places, counts.max()) for places in groups])
        return self.remade(
            lambda whole: dataclasses.replace(
                whole,
                name=f'{self.name}[balanced]',
                labels=self.labels[kept],
                fetch=lambda places: whole.fetch(kept[places]),
            )
        )

    def cropped(self, size: int) -> 'Dataset':
        """The middle [size, size] of every image."""

        def crop(fetch: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
            def middle(indices: np.ndarray) -> np.ndarray:
                images = fetch(indices)
                top, left = ((side - size) // 2 for side in images.shape[1:3])
                return images[:, top : top + size, left : left + size]

            return middle

        def make(whole: 'Dataset') -> 'Dataset':
            return dataclasses.replace(
                whole,
                shape=(size, size, whole.shape[-1]),
                fetch=crop(whole.fetch),
                source=whole.source and crop(whole.source),
            )

        return self.remade(make)


def class_places(dataset: Dataset, classes: Sequence[int | str]) -> list[int]:
    """The labels of classes that are given by their places or names, sorted.

    Raises:
      UserError: if there is no such class.
    """
    return sorted({_place(dataset, one) for one in classes})


def _place(dataset: Dataset, one: int | str) -> int:
    """The label of a class that is given by its place or its name.

    Raises:
      UserError: if there is none.
    """
    names = dataset.class_names
    if len(names) < 2:
        raise UserError(
            f'config.data.only_classes: {dataset.name} has no classes; leave it empty, or name '
            f'another data set'
        )
    if isinstance(one, str) and one in names:
        return names.index(one)
    if not isinstance(one, str) and one < len(names):
        return int(one)
    near = (
        f'the nearest name is {nearest(one, names)!r}'
        if isinstance(one, str)
        else (f'their places are 0 to {len(names) - 1}')
    )
    every = f' (all: {", ".join(names)})' if len(names) <= LISTED else ''
    raise UserError(
        f'config.data.only_classes: {dataset.name} has {len(names)} classes, and none is {one!r}; '
        f'{near}{every}'
    )


def points(name: str, split: str = 'train') -> Dataset:
    """Points of one of synthetic.MIXTURES; a label is the mode that a point was drawn from.

    Args:
      name: the mixture's.
      split: 'train' (100,000 points of seed 0) or 'test' (10,000 of seed 1).

    Raises:
      UserError: if there is no such split.
    """
    if split not in POINTS:
        raise UserError(
            f'config.data.split={split!r} is no split of {name}; valid: {", ".join(POINTS)}'
        )
    mixture = synthetic.MIXTURES[name]()
    num, seed = POINTS[split]
    drawn, labels = synthetic.draw(mixture, num, seed)
    names = tuple(f'mode {i}' for i in range(len(mixture.centers)))
    return Dataset(name, (2,), names, labels, drawn.__getitem__, mixture=mixture, kind='points')


def stack(base: Dataset, name: str, split: str = 'train') -> Dataset:
    """Images whose three channels are three grey images, drawn independently and uniformly.

    Of k classes a, b, c of the channels, the label is k^2 a + k b + c; classes are named for it,
    in as many digits as the largest has. There are 128,000 for the split 'train', 26,000 else.

    Source: PacGAN: The power of two samples in generative adversarial networks (Lin et al., 2018),
    section 4.2; the idea is from Unrolled Generative Adversarial Networks (Metz et al., 2016).

    Args:
      base: grey images; they stay where they are, and stacks are put together when they are read.
      name: the new set's name.
      split: the part that `base` is.

    Raises:
      UserError: if the base has more than 100 classes.
    """
    classes = len(base.class_names)
    if classes > MOST_CLASSES:
        raise UserError(
            f'config.dataset={name}: {base.name} has {classes} classes, too many to stack; name a '
            f'set of at most {MOST_CLASSES}'
        )
    num, seed = (STACKS_TO_TRAIN, 0) if split == 'train' else (STACKS_ELSE, 1)
    table = np.random.default_rng(seed).integers(0, len(base), (num, 3), dtype=np.int32)
    places = np.array([classes**2, classes, 1], np.int32)
    labels = (base.labels[table] * places).sum(axis=1, dtype=np.int32)

    def fetch(images: Dataset, indices: np.ndarray) -> np.ndarray:
        chosen = table[indices]
        channels = images.fetch(chosen.ravel())[..., 0]
        channels = channels.reshape(*chosen.shape, *channels.shape[1:])
        return np.ascontiguousarray(np.moveaxis(channels, 1, -1))

    digits = len(str(classes**3 - 1))
    names = tuple(f'{label:0{digits}d}' for label in range(classes**3))
    shape = (*base.shape[:2], 3)
    return base.remade(
        lambda x: Dataset(name, shape, names, labels, functools.partial(fetch, x), x.bad)
    )
