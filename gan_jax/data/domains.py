"""Images of two domains: a, what a translator is given, and b, what it should make of it.

In batches b is the 'real' and a the 'source'. Sets are aligned, pair by pair, or unpaired.
"""

import collections
import dataclasses
import functools
import os
import pathlib
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from gan_jax.data import archives, cleaning, pictures, sources, synthetic, transforms
from gan_jax.data.dataset import Dataset
from gan_jax.data.share import ALONE, Share
from gan_jax.data.sources import Record, Source
from gan_jax.errors import NoSplit, UserError, nearest, printable

CHUNK = 1024  # records that are fetched at once when their labels are looked up
LISTED = 20

# Why the good half of a pair is left out; the other half's own reason says more.
PARTNERLESS = 'without a readable partner'

File = pathlib.Path | None


@dataclasses.dataclass(frozen=True)
class Domains:
    """Where the images of two domains are.

    Attributes:
      name: the data set's name.
      a: the records of the domain a.
      b: those of the domain b.
      aligned: whether record i of a belongs to record i of b; there are as many of both then.
    """

    name: str
    a: Source
    b: Source
    aligned: bool

    def common(self, a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
        """The side and the channels of both, from those that each would have alone.

        Raises:
          UserError: if the sides differ.
        """
        if a[0] != b[0]:
            raise UserError(
                f'config.dataset={self.name}: images of {self.a.name} would be {a[0]}x{a[0]} and '
                f'of {self.b.name} {b[0]}x{b[0]}; say what size both are brought to, such as '
                f'--config.image_size={max(a[0], b[0])}'
            )
        return a[0], max(a[1], b[1])

    def joined(self) -> Source:
        """The records of a, then those of b; a label is a record's own place here."""
        count = len(self.a)

        def side(index: int) -> tuple[Source, int]:
            return (self.a, index) if index < count else (self.b, index - count)

        def fetch(indices: Sequence[int]) -> Sequence[tuple[int, Any]]:
            in_a = [i for i in indices if i < count]
            in_b = [i - count for i in indices if i >= count]
            raw_a = iter(self.a.fetch(in_a) if in_a else ())
            raw_b = iter(self.b.fetch(in_b) if in_b else ())
            return [(i, next(raw_a if i < count else raw_b)) for i in indices]

        def parse(record: tuple[int, Any]) -> Record:
            index, raw = record
            return side(index)[0].parse(raw)[0], index

        def describe(index: int) -> str:
            source, place = side(index)
            return source.describe(place)

        return Source(self.name, count + len(self.b), ('',), fetch, parse, describe)

    def dataset(self, loaded: Dataset, max_bad: float) -> Dataset:
        """The two domains as one data set; what cannot be used is reported.

        Args:
          loaded: the usable records of joined().
          max_bad: the share of unusable pairs that is borne, or of images of either domain.

        Raises:
          UserError: if more cannot be used.
        """
        count, good = len(self.a), loaded.labels
        lost = np.setdiff1d(np.arange(count + len(self.b)), good)
        bad = dict(zip(lost.tolist(), loaded.bad, strict=True))
        if self.aligned:
            left_out = tuple(_reason(bad, i, count + i) for i in np.unique(lost % count).tolist())
            cleaning.report(self.name, left_out, count, max_bad, 'pairs')
            pairs = np.setdiff1d(np.arange(count), lost % count)
            in_a, in_b = np.searchsorted(good, pairs), np.searchsorted(good, count + pairs)
        else:
            left_out = loaded.bad
            of_a = [reason for place, reason in bad.items() if place < count]
            cleaning.report(f'{self.name}, {self.a.name}', of_a, count, max_bad)
            of_b = left_out[len(of_a) :]
            cleaning.report(f'{self.name}, {self.b.name}', of_b, len(self.b), max_bad)
            in_a, in_b = np.flatnonzero(good < count), np.flatnonzero(good >= count)
        return loaded.remade(
            lambda joined: dataclasses.replace(
                joined,
                labels=np.zeros(len(in_b), np.int32),
                fetch=lambda places: joined.fetch(in_b[places]),
                bad=left_out,
                source=lambda places: joined.fetch(in_a[places]),
                num_sources=None if self.aligned else len(in_a),
            )
        )


def _reason(bad: dict[int, tuple[str, str]], *places: int) -> tuple[str, str]:
    """(name, reason) of a pair that has a bad half: of the half that is to blame."""
    found = [bad[place] for place in places if place in bad]
    return next((x for x in found if x[1] != PARTNERLESS), found[0])


def open_domains(
    dataset: str,
    *,
    split: str = 'train',
    data_dir: str | None = None,
    max_pixels: int = pictures.MAX_PIXELS,
    share: Share = ALONE,
) -> Domains:
    """The records that a config's `dataset` names.

    Args:
      dataset: one of
        'paired:PATH': PATH/SPLIT, or for 'train' PATH itself, holds two folders (a comes first in
          the alphabet) with files of equal names but for the suffixes and of equal sizes; or
          pictures with a as their left half and b as their right one.
        'unpaired:PATH': two such folders, of any files; or PATH/trainA, PATH/trainB, PATH/testA,
          PATH/testB.
        'unpaired:NAME,NAME': two data sets, each perhaps with one of its classes in brackets, as
          in 'unpaired:cifar10[horse],cifar10[deer]'.
      split: which part.
      data_dir: the folder of the prepared TFDS sets; None is TFDS's own.
      max_pixels: the most of a picture that shows both domains.
      share: the process's part of the records whose labels are looked up; all call this.

    Raises:
      UserError: if there is no such folder, data set, split or class, or it has no images.
    """
    kind = sources.PAIRED if dataset.startswith(sources.PAIRED) else sources.UNPAIRED
    path = dataset.removeprefix(kind)
    root = pathlib.Path(os.path.expanduser(path))
    names = re.split(r',(?![^\[]*\])', path)
    if kind == sources.UNPAIRED and len(names) > 1 and not root.is_dir():
        return _named(dataset, names, split, data_dir, share)
    return share.agreed(lambda: _folder(dataset, root, split, kind == sources.PAIRED, max_pixels))


def _folder(
    dataset: str, root: pathlib.Path, split: str, aligned: bool, max_pixels: int
) -> Domains:
    if not root.is_dir():
        wrong = 'is not a folder' if root.exists() else 'does not exist'
        raise UserError(f'config.dataset={dataset}: {root} {wrong}; name a folder of two domains')
    try:
        return _in_folder(dataset, root, split, aligned, max_pixels)
    except OSError as error:
        raise UserError(f'config.dataset={dataset}: {error}; make it readable') from error


def _in_folder(
    dataset: str, root: pathlib.Path, split: str, aligned: bool, max_pixels: int
) -> Domains:
    halves = [root / f'{split}{letter}' for letter in 'AB']
    if not aligned and all(half.is_dir() for half in halves):
        return _unpaired(dataset, halves)
    if (root / split).is_dir():
        root = root / split
    elif split != 'train':
        or_halves = '' if aligned else f', or {halves[0]} and {halves[1]}'
        raise NoSplit(
            f'config.data.split={split!r}: {dataset} has no such folder; make {root / split}'
            f'{or_halves}'
        )
    inside, passed = [*root.iterdir()], collections.Counter[str]()
    folders = sorted(x for x in inside if x.is_dir() and not x.name.startswith('.'))
    images = sorted(x for x in inside if x not in folders and sources.is_image(x.name, passed))
    sources.tell_passed(dataset, root, passed)
    if len(folders) == 2 and not images:
        return _two_folders(dataset, folders) if aligned else _unpaired(dataset, folders)
    if aligned and images and not folders:
        return _side_by_side(dataset, images, max_pixels)
    found = f'{len(folders)} folders and {len(images)} images'
    right = 'two folders, one of each domain, and nothing else'
    if aligned:
        right += '; or images alone that show both side by side'
    raise UserError(f'config.dataset={dataset}: {root} holds {found}; put there {right}')


def _unpaired(dataset: str, folders: Sequence[pathlib.Path]) -> Domains:
    def side(folder: pathlib.Path) -> Source:
        files = sources.image_files(dataset, folder)
        return Source(
            printable(folder.name), len(files), ('',), _as_they_are,
            lambda i: (pictures.opened(files[i]), 0),
            lambda i: printable(files[i].relative_to(folder.parent)),
        )  # fmt: skip

    return Domains(printable(dataset), side(folders[0]), side(folders[1]), aligned=False)


def _as_they_are(indices: Sequence[int]) -> Sequence[int]:
    return indices


def _two_folders(dataset: str, folders: Sequence[pathlib.Path]) -> Domains:
    by_name = [_by_name(dataset, folder) for folder in folders]
    names = sorted(by_name[0].keys() | by_name[1].keys())
    pairs = [tuple(files.get(name) for files in by_name) for name in names]
    a, b = (_of_pairs(folders, pairs, side) for side in (0, 1))
    return Domains(printable(dataset), a, b, aligned=True)


def _by_name(dataset: str, folder: pathlib.Path) -> dict[str, pathlib.Path]:
    """The image files by their names within the folder, without suffixes."""
    named: dict[str, pathlib.Path] = {}
    for file in sources.image_files(dataset, folder):
        other = named.setdefault(str(file.relative_to(folder).with_suffix('')), file)
        if other is not file:
            raise UserError(
                f'config.dataset={dataset}: {other} and {file} have one name but for the suffix; '
                f'remove one'
            )
    return named


def _of_pairs(
    folders: Sequence[pathlib.Path], pairs: Sequence[Sequence[File]], side: int
) -> Source:
    """One half of each pair of files; those whose partner does not fit are bad."""

    def parse(index: int) -> Record:
        own, partner = pairs[index][side], pairs[index][1 - side]
        if own is None or partner is None:
            missing = side if own is None else 1 - side
            raise cleaning.BadRecord(f'no partner in {folders[missing].name}')
        size = _extent(own)
        try:
            other_size = _extent(partner)
        except Exception as error:  # foreign bytes: anything may be raised
            raise cleaning.BadRecord(PARTNERLESS) from error
        if size != other_size:
            both = [f'{width}x{height}' for width, height in (size, other_size)]
            raise cleaning.BadRecord(f'other size than its partner: {" and ".join(both)}')
        return pictures.opened(own), 0

    def describe(index: int) -> str:
        file = pairs[index][side] or pairs[index][1 - side]
        return printable(file and file.relative_to(folders[0].parent))

    return Source(printable(folders[side].name), len(pairs), ('',), _as_they_are, parse, describe)


def _extent(file: pathlib.Path) -> tuple[int, int]:
    with pictures.opened(file) as image:
        return transforms.extent(image)


def _side_by_side(dataset: str, files: Sequence[pathlib.Path], max_pixels: int) -> Domains:
    """The left and the right halves of pictures."""

    def half(side: int) -> Source:
        def parse(index: int) -> Record:
            image = cleaning.picture(pictures.opened(files[index]), 1, max_pixels)
            width, height = image.size
            if width % 2:
                raise cleaning.BadRecord(f'odd width {width}')
            return image.crop((side * width // 2, 0, (side + 1) * width // 2, height)), 0

        return Source(
            'left' if side == 0 else 'right', len(files), ('',), _as_they_are, parse,
            lambda i: printable(files[i].name),
        )  # fmt: skip

    return Domains(printable(dataset), half(0), half(1), aligned=True)


def _named(
    dataset: str, names: Sequence[str], split: str, data_dir: str | None, share: Share
) -> Domains:
    """Two data sets, or classes of them."""
    if len(names) != 2:
        raise UserError(
            f'config.dataset={dataset} names {len(names)} data sets; name two, as in '
            f'{sources.UNPAIRED}cifar10[horse],cifar10[deer]'
        )

    @functools.cache
    def whole(name: str) -> tuple[Source, dict[str, np.ndarray]]:
        unfit = (sources.STACKED, sources.PAIRED, sources.UNPAIRED)
        if name in synthetic.MIXTURES or name.startswith(unfit):
            raise UserError(f'{name} cannot be one of two domains; name sets of images')
        open_ = functools.partial(archives.open_source, name, split=split, data_dir=data_dir)
        return share.agreed(open_), {}

    def side(name: str) -> Source:
        match = re.fullmatch(r'(.*)\[([^\[\]]*)\]', name)
        if not match:
            return whole(name)[0]
        source, known = whole(match[1])
        if match[2] not in source.class_names:
            raise _no_class(source, match[2])
        if not known:
            known['labels'] = _labels(source, share)
        return _of_class(source, name, known['labels'], source.class_names.index(match[2]))

    try:
        return Domains(printable(dataset), side(names[0]), side(names[1]), aligned=False)
    except UserError as error:
        raise type(error)(f'{dataset}: {error}') from error


def _no_class(source: Source, name: str) -> UserError:
    classes = source.class_names
    if classes == ('',):
        return UserError(f'{source.name} has no classes; leave out [{name}]')
    near = nearest(name, classes)
    every = f' (all: {", ".join(classes)})' if len(classes) <= LISTED else ''
    return UserError(f'{source.name} has no class {name!r}; the nearest is {near!r}{every}')


def _labels(source: Source, share: Share) -> np.ndarray:
    """All labels, [len]; -1 of records that cannot be read."""
    if source.labels is not None:
        return np.asarray(source.labels)
    return np.concatenate(share.everyones(lambda: _read_labels(source, share.of(len(source)))))


def _read_labels(source: Source, part: slice) -> np.ndarray:
    labels = np.full(part.stop - part.start, -1)
    for start in range(part.start, part.stop, CHUNK):
        indices = range(start, min(start + CHUNK, part.stop))
        for i, raw in zip(indices, source.fetch(indices), strict=True):
            try:
                labels[i - part.start] = source.parse(raw)[1]
            except Exception:  # cleaning will count it
                continue
    return labels


def _of_class(source: Source, name: str, labels: np.ndarray, label: int) -> Source:
    """The records of one class, and those that might be of it."""
    chosen = np.flatnonzero((labels == label) | (labels < 0)).tolist()
    if not chosen:
        raise UserError(f'{name} has no images; name another class or split')
    return dataclasses.replace(
        source,
        name=name,
        size=len(chosen),
        fetch=lambda indices: source.fetch([chosen[i] for i in indices]),
        describe=lambda i: source.describe(chosen[i]),
        labels=None,
    )
