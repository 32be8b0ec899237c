"""Sounds from files: int16 [samples, 1] of one rate and one length."""

import math
import os
import pathlib
from typing import Any

import numpy as np

from gan_jax.data import cleaning, pictures, remote, sources
from gan_jax.data.dataset import Dataset
from gan_jax.errors import NoSplit, UserError, printable

SUFFIXES = ('.wav', '.flac')
LENGTH, RATE = 16_384, 16_000  # where a config says nothing
PIECES = ('all', 'first')
TOO_SHORT = 'empty'
TOP = 2**15


def files(path: str) -> list[pathlib.Path]:
    """The files of sounds under a folder, in any nesting, sorted; hidden ones are left out."""
    root = pathlib.Path(os.path.expanduser(path))
    found = (x for x in root.rglob('*') if x.suffix.lower() in SUFFIXES and x.is_file())
    return sorted(x for x in found if not any(y[0] == '.' for y in x.relative_to(root).parts))


def heard(dataset: str) -> bool:
    """Whether a data set's name is that of a folder with sounds and without pictures."""
    if not dataset.startswith(sources.FOLDER):
        return False
    path = dataset.removeprefix(sources.FOLDER)
    if remote.is_remote(path):
        return False
    kinds, found = pictures.suffixes(), False
    for file in pathlib.Path(os.path.expanduser(path)).rglob('[!.]*'):
        suffix = file.suffix.lower()
        if suffix in kinds:  # of many pictures the first is enough
            return False
        found |= suffix in SUFFIXES
    return found


def sounds(
    dataset: str,
    split: str = 'train',
    *,
    length: int | None = None,
    rate: int | None = None,
    pieces: str = 'all',
    max_bad: float = 0.01,
    memory_gb: float = 4.0,
) -> Dataset:
    """The sounds under a folder, cut into pieces of one length.

    Channels are averaged, the rate is changed by a polyphase filter (scipy.signal.resample_poly, a
    low pass of the Kaiser window with beta 5), and samples are rounded to 16 bits. A file's last
    piece, and a shorter file, is filled up with silence; a last piece that is shorter than half the
    length is left out. The class is the first folder on the way to a file, '' if there is none.

    Args:
      dataset: 'folder:PATH'; ~ is the home.
      split: 'train' only; name another folder for another split.
      length: samples of an example; None is 16,384.
      rate: samples a second; None is 16,000.
      pieces: 'all' of a file, or its 'first' only.
      max_bad: the share of files that cannot be used that is borne.
      memory_gb: what all examples may take, 10^9 bytes.

    Returns:
      A data set of int16 [length, 1]; `fitted` has the rate.

    Raises:
      UserError: if there are none, too many are damaged, they do not fit into the memory, or the
        packages that read them are not installed.
    """
    if split != 'train':
        raise NoSplit(f"config.data.split={split!r}: {dataset} has no split but 'train'")
    length, rate = length or LENGTH, rate or RATE
    path = dataset.removeprefix(sources.FOLDER)
    root, found = pathlib.Path(os.path.expanduser(path)), files(path)
    read = reader(f'config.dataset={dataset}')
    examples, folders, bad, size = [], [], [], 0
    for file in found:
        name = printable(file.relative_to(root).as_posix())
        try:
            parts = _pieces(cleaning.guarded(read, file, rate), length)
        except pictures.BadRecord as error:
            bad.append((name, error.args[0]))
            continue
        parts = parts[:1] if pieces == 'first' else parts
        size += parts.nbytes
        if size > memory_gb * 1e9:
            raise UserError(
                f'config.data.memory_gb={memory_gb}: the sounds of {dataset} take more; raise it, '
                f'say --config.data.pieces=first, or name a smaller folder'
            )
        examples.append(parts)
        folders += [name.split('/')[0] if '/' in name else ''] * len(parts)
    cleaning.report(dataset, bad, len(found), max_bad, 'files')
    names = tuple(sorted({*folders}))
    labels = np.array([names.index(x) for x in folders], np.int32)
    whole = np.concatenate(examples)
    return Dataset(
        printable(dataset), (length, 1), names, labels, whole.__getitem__, tuple(bad),
        kind='waveforms', fitted={'rate': rate},
    )  # fmt: skip


def reader(asked: str) -> Any:
    """(file, rate) -> float64 [samples] in [-1, 1]; that raises anything if it cannot be read.

    Args:
      asked: what asks for sounds, as a person said it.

    Raises:
      UserError: if the packages that read them are not installed.
    """
    try:
        import scipy.signal
        import soundfile
    except ImportError as error:
        raise UserError(f"{asked}: reading sounds needs: pip install 'gan_jax[sound]'") from error

    def read(file: pathlib.Path, rate: int) -> np.ndarray:
        samples, own = soundfile.read(file, dtype='float64', always_2d=True)
        mono = samples.mean(axis=1)
        if not len(mono):
            raise pictures.BadRecord(TOO_SHORT)
        if not np.isfinite(mono).all():
            raise pictures.BadRecord(cleaning.NOT_FINITE)
        common = math.gcd(own, rate)
        if own == rate:
            return mono
        return scipy.signal.resample_poly(mono, rate // common, own // common)

    return read


def _pieces(samples: np.ndarray, length: int) -> np.ndarray:
    """int16 [n, length, 1], n at least 1."""
    whole, rest = divmod(len(samples), length)
    number = max(1, whole + (2 * rest >= length))
    filled = np.zeros(number * length)
    filled[: len(samples)] = samples[: len(filled)]
    return quantized(filled).reshape(number, length, 1)


def quantized(samples: np.ndarray) -> np.ndarray:
    """Samples in [-1, 1] as int16, clipped: round(32768 x)."""
    return np.clip(np.round(samples * TOP), -TOP, TOP - 1).astype(np.int16)
