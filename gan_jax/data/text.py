"""Texts from files: a line is an example, tokens int32 [length] of a vocabulary fitted to them."""

import collections
import os
import pathlib
from collections.abc import Iterable, Sequence

import numpy as np

from gan_jax.data import cleaning
from gan_jax.data.dataset import Dataset
from gan_jax.errors import NoSplit, UserError, one_line, printable

KIND, TEXT = 'tokens', 'text:'
CHARACTERS, WORDS = 'characters', 'words'
UNITS = (CHARACTERS, WORDS)
END = 0  # the token
LENGTH = 32  # tokens of a text at most, where the config does not say
MOST = 20_000  # tokens of a vocabulary
SPLITS, HELD_OUT = ('train', 'test', 'all'), 0.1  # a tenth of the different lines is 'test'
NOT_UTF8, UNPRINTABLE = 'not UTF-8', 'unprintable'
Line = tuple[str, ...]


def texts(
    path: str,
    split: str = 'train',
    *,
    length: int | None = None,
    unit: str = CHARACTERS,
    dictionary: str = '',
    max_bad: float = 0.01,
) -> Dataset:
    """The lines of a file, or of all .txt files of a folder.

    Blank ones are no examples. Token 0 is the end: what comes after a shorter text is all 0, and a
    text of `length` tokens has no end. Equal lines are all in one split, so that none is held out
    that was trained on.

    Args:
      path: a text file in UTF-8, or a folder of .txt files; ~ is the home.
      split: 'train', 'test' (a random tenth of the different lines, always the same) or 'all'.
      length: tokens of a text at most; longer lines are left out. None is 32.
      unit: 'characters', or 'words' between blanks.
      dictionary: a file of real words, one a line, for the figure `real_words`; '' for none.
      max_bad: the share of lines that cannot be used that is borne.

    Returns:
      A data set of int32 [length]; `fitted` has the 'vocabulary', of all splits together, whose
      first token '' is the end, its 'size', the 'unit' and the 'dictionary'.

    Raises:
      UserError: if nothing can be read, too many lines cannot be used, or the vocabulary is too
        large.
    """
    dataset = printable(f'{TEXT}{path}')
    what, steps = f'config.dataset={dataset}', LENGTH if length is None else length
    if split not in SPLITS:
        raise NoSplit(
            f'config.data.split={split!r} is no split of {dataset}; valid: {", ".join(SPLITS)}'
        )
    read_dictionary(dictionary)
    good: list[Line] = []
    bad: list[tuple[str, str]] = []
    for file in _files(what, path):
        lines, unusable = _read(what, file, unit, steps)
        good += lines
        bad += unusable
    cleaning.report(dataset, bad, len(good) + len(bad), max_bad, 'lines')
    vocabulary = ['', *sorted({x for line in good for x in line})]
    if len(vocabulary) > MOST:
        raise UserError(
            f'{what} has {len(vocabulary) - 1} different {unit}, more than {MOST - 1}; give fewer '
            f'texts, or take config.data.unit={CHARACTERS}'
        )
    kept = _part(good, split)
    if not kept:
        raise NoSplit(f'{what}: its split {split} has no lines; give more lines')
    places = {x: i for i, x in enumerate(vocabulary)}
    tokens = np.zeros((len(kept), steps), np.int32)
    for i, line in enumerate(kept):
        tokens[i, : len(line)] = [places[x] for x in line]
    fitted = {'vocabulary': vocabulary, 'size': len(vocabulary), 'unit': unit}
    fitted |= {'dictionary': dictionary}
    labels = np.zeros(len(kept), np.int32)
    return Dataset(
        dataset, (steps,), ('',), labels, tokens.__getitem__, tuple(bad), kind=KIND, fitted=fitted
    )


def read_dictionary(path: str) -> frozenset[str]:
    """The words of a file, one a line; of '' none.

    Raises:
      UserError: if it cannot be read, or holds none.
    """
    if not path:
        return frozenset()
    try:
        lines = pathlib.Path(os.path.expanduser(path)).read_text(encoding='utf-8').split('\n')
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f'config.data.dictionary={printable(path)} cannot be read ({one_line(error)}); name a '
            f'file of words, one a line'
        ) from error
    words = frozenset(x.strip() for x in lines) - {''}
    if not words:
        raise UserError(f'config.data.dictionary={printable(path)} has no words')
    return words


def ends(unit: str) -> bool:
    """Whether token 0 ends a text: it does unless tokens are plain numbers."""
    return unit in UNITS


def sequences(tokens: np.ndarray, unit: str) -> list[tuple[int, ...]]:
    """The tokens of each text before its end."""
    if not ends(unit):
        return [tuple(x) for x in tokens.tolist()]
    over = tokens == END
    stops = np.where(over.any(axis=1), over.argmax(axis=1), tokens.shape[1])
    return [tuple(x[:stop]) for x, stop in zip(tokens.tolist(), stops.tolist(), strict=True)]


def as_lines(tokens: np.ndarray, vocabulary: Sequence[str], unit: str) -> list[str]:
    """Texts as lines of a file: characters stand together, words and numbers apart."""
    between = '' if unit == CHARACTERS else ' '
    return [
        between.join(vocabulary[i] if vocabulary else str(i) for i in line)
        for line in sequences(tokens, unit)
    ]


def _files(what: str, path: str) -> list[pathlib.Path]:
    place = pathlib.Path(os.path.expanduser(path))
    files = sorted(place.glob('*.txt')) if place.is_dir() else [place]
    if not files:
        raise UserError(f'{what} has no file *.txt; name a text file or a folder of them')
    return files


def _read(
    what: str, file: pathlib.Path, unit: str, length: int
) -> tuple[list[Line], list[tuple[str, str]]]:
    """The lines of a file as tokens, and (place, reason) of those that cannot be used."""
    name = printable(file.name)
    try:
        lines = file.read_bytes().split(b'\n')
    except OSError as error:
        raise UserError(
            f'{what}: {name} cannot be read ({one_line(error)}); name a text file or a folder of '
            f'.txt files'
        ) from error
    good: list[Line] = []
    bad: list[tuple[str, str]] = []
    for number, raw in enumerate(lines, 1):
        line, reason = _tokens(raw, unit, length)
        if reason:
            bad.append((f'{name} line {number}', reason))
        elif line:
            good.append(line)
    return good, bad


def _tokens(raw: bytes, unit: str, length: int) -> tuple[Line, str]:
    """A line's tokens, and why it cannot be used, or ''."""
    try:
        text = raw.decode('utf-8').removeprefix('\ufeff').strip()
    except UnicodeDecodeError:
        return (), NOT_UTF8
    words = text.split()
    if not all(x.isprintable() for x in words):
        return (), UNPRINTABLE
    line = tuple(words) if unit == WORDS else tuple(' '.join(words))
    return line, f'longer than {length} {unit}' if len(line) > length else ''


def _part(lines: Iterable[Line], split: str) -> list[Line]:
    """Those of a split; the different lines are dealt to both sides at random."""
    counts = collections.Counter(lines)
    if split == 'all':
        return list(counts.elements())
    different = sorted(counts)
    order = np.random.default_rng(0).permutation(len(different))
    held_out = int(HELD_OUT * len(different))
    chosen = order[:held_out] if split == 'test' else order[held_out:]
    return [different[i] for i in sorted(chosen) for _ in range(counts[different[i]])]
