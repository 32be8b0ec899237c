"""--mode=prepare: pictures of any size, cropped and resized once, in one file to train on."""

import collections
import functools
import itertools
import json
import os
import pathlib
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from absl import logging

from gan_jax import metrics
from gan_jax.data import archives, loading, sources
from gan_jax.data.dataset import Dataset
from gan_jax.errors import UserError
from gan_jax.modalities import images
from gan_jax.runtime import files

ALL_BAD = 1.0  # the share of unusable pictures that is borne: they are named, and left out
SHOWN = 64  # of the pictures
LABELS = 'dataset.json'  # where StyleGAN's tools look for classes in an archive


def prepare(
    *,
    input: str,
    output: str,
    size: int | None = None,
    channels: int | None = None,
) -> list[pathlib.Path]:
    """Writes a set of images as one file: turned as EXIF says, the centre square, resized.

    An .npz has 'images', uint8 [n, size, size, channels], 'labels', int64 [n], and 'classes', their
    names; nothing in it is packed. A .zip has PNG files in a folder for each class, and
    dataset.json with their labels, as StyleGAN's tools read it.

    Args:
      input: a folder of pictures, the first folder on the way to one being its class; or a data set
        of images as `config.dataset` names it, with its prefix: zip:PATH, npz:PATH.
      output: the file, .npz or .zip. Beside it go <name>.json, a summary, and <name>.png, pictures.
      size: the side in pixels; None is their own if all are squares of one size, else 64.
      channels: 1 or 3; None is 1 if all are grey, else 3.

    Returns:
      The three files.

    Raises:
      UserError: if there are no images, none can be used, or the output is there already, has
        another ending, lies within the folder or cannot be written.
    """
    file = pathlib.Path(os.path.expanduser(output))
    written = [file, file.with_suffix('.json'), file.with_suffix('.png')]
    name = input if input.startswith(loading.PREFIXES) else f'folder:{input}'
    _check_output(output, written, name)
    dataset = loading.load(
        loading.single_images('--input', name), image_size=size, channels=channels,
        max_bad=ALL_BAD, min_size=1,
    )  # fmt: skip
    return _write(dataset, written)


def _check_output(output: str, written: list[pathlib.Path], name: str) -> None:
    file = written[0]
    root = os.path.realpath(os.path.expanduser(name.removeprefix(sources.FOLDER)))
    if '://' in output:
        raise UserError(f'--output={output} is no file of this machine; copy one there that is')
    if file.suffix not in WRITERS:
        raise UserError(f'--output={output} is a file that ends in {" or ".join(WRITERS)}')
    for one in written:
        if one.exists():
            raise UserError(f'--output={output}: {one} is there already; move it or name another')
    if pathlib.Path(root) in pathlib.Path(os.path.realpath(file)).parents:
        raise UserError(
            f'--output={output} lies within --input, and would be read with it the next time; name '
            f'another'
        )
    files.check_writable(file.parent, 'give another --output')


def _write(dataset: Dataset, written: list[pathlib.Path]) -> list[pathlib.Path]:
    file, about, grid = written
    colours: list[metrics.Moments] = []
    chunks = _watched(dataset, colours)
    files.replace(file, lambda temporary: WRITERS[file.suffix](temporary, dataset, chunks))
    few = dataset.fetch(np.linspace(0, len(dataset) - 1, min(SHOWN, len(dataset))).astype(int))
    files.write_png(grid, images.picture(few))
    files.write_bytes(about, (files.json_text(summary(dataset, colours), indent=2) + '\n').encode())
    logging.info(
        '%d images of %s, %d classes, %d left out: wrote %s', len(dataset), dataset.shape,
        len(dataset.class_names), len(dataset.bad), ', '.join(map(str, written)),
    )  # fmt: skip
    kind = {'.npz': archives.NPZ, '.zip': archives.ZIP}[file.suffix]
    logging.info('train on it by --config.dataset=%s%s', kind, file)
    return written


def _watched(dataset: Dataset, colours: list[metrics.Moments]) -> Iterator[np.ndarray]:
    """Images, a few at a time, whose pixels are counted as they pass: each is decoded once."""
    for chunk in dataset.chunks():
        colours.append(metrics.moments(chunk.reshape(-1, dataset.shape[-1]) / 255))
        yield chunk


def summary(dataset: Dataset, colours: Sequence[metrics.Moments]) -> dict:
    """What a prepared set holds: counts of classes, means and deviations in [0, 1], what is not."""
    count, mean, scatter = functools.reduce(metrics.add_moments, colours)
    counts = np.bincount(dataset.labels, minlength=len(dataset.class_names))
    return {
        'from': dataset.name,
        'images': len(dataset),
        'shape': list(dataset.shape),
        'classes': dict(zip(dataset.class_names, counts.tolist(), strict=True)),
        'mean': mean.round(4).tolist(),
        'stddev': np.sqrt(scatter.diagonal() / count).round(4).tolist(),
        'left_out': dict(dataset.bad),
        'left_out_for': dict(collections.Counter(reason for _, reason in dataset.bad)),
    }


def _npz(file: pathlib.Path, dataset: Dataset, chunks: Iterable[np.ndarray]) -> None:
    """An array at a time, the images a few at a time: all of them may be more than the memory."""
    shape = len(dataset), *dataset.shape
    labels, names = dataset.labels.astype(np.int64), np.array(dataset.class_names)
    with zipfile.ZipFile(file, 'w', zipfile.ZIP_STORED) as archive:
        with archive.open('images.npy', 'w', force_zip64=True) as stream:
            header = {'descr': '|u1', 'fortran_order': False, 'shape': shape}
            np.lib.format.write_array_header_1_0(stream, header)
            for chunk in chunks:
                stream.write(np.ascontiguousarray(chunk).tobytes())
        for name, array in (('labels', labels), ('classes', names)):
            with archive.open(f'{name}.npy', 'w') as stream:
                np.lib.format.write_array(stream, array, allow_pickle=False)


def _zip(file: pathlib.Path, dataset: Dataset, chunks: Iterable[np.ndarray]) -> None:
    labels, of_classes = dataset.labels.tolist(), _folders(dataset.class_names)
    there = {*labels}
    empty = [name for i, name in enumerate(dataset.class_names) if i not in there]
    if empty:  # its folder would not be there, and the later classes would have other numbers
        raise UserError(
            f'a .zip has no classes without images, and none of {", ".join(empty)} can be used; '
            f'give --output a name that ends in .npz, or take them away'
        )
    names = [f'{of_classes[x]}img{i:08d}.png' for i, x in enumerate(labels)]
    each = itertools.chain.from_iterable(chunks)
    with zipfile.ZipFile(file, 'w', zipfile.ZIP_STORED) as archive:
        for name, image in zip(names, each, strict=True):
            archive.writestr(name, files.png(image))
        told = [*zip(names, labels, strict=True)]
        archive.writestr(LABELS, json.dumps({'labels': told if len(of_classes) > 1 else None}))


def _folders(class_names: Sequence[str]) -> list[str]:
    """A folder for each class, in whose sorted names the classes keep their places."""
    plain = all('/' not in x and not x.startswith(('.', '__MACOSX')) for x in class_names)
    if plain and [*class_names] == sorted(class_names):
        return [x and f'{x}/' for x in class_names]
    return [f'{i:06d}/' for i in range(len(class_names))]


WRITERS: dict[str, Callable[[pathlib.Path, Dataset, Iterable[np.ndarray]], None]] = {
    '.npz': _npz,
    '.zip': _zip,
}
