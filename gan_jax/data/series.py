"""Series: windows of equal length, drawn from a formula or cut out of tables in time's order."""

import csv
import functools
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from gan_jax.data import cleaning
from gan_jax.data.dataset import Dataset
from gan_jax.errors import NoSplit, UserError, one_line, printable

SERIES = 'series:'
KIND = 'series'
LENGTH = 24  # steps of a series where the config does not say
FEATURES = 5  # of sines, independent of each other
DRAWN = {'train': (10_000, 0), 'test': (10_000, 1)}  # of sines: how many, and of which seed
TRAIN = 0.8  # the share of a table's rows, the first ones, that is the split 'train'
SPLITS = ('train', 'test', 'all')
NO_NUMBERS = 'not numbers'


class Sine(NamedTuple):
    """sin(speed f t + p) at t = 0, 1, ..., of which (sin + 1) / 2 is kept.

    Attributes:
      speed: the factor of the frequency.
      frequencies: the bounds of f, uniform.
      phases: the bounds of p, uniform.
    """

    speed: float
    frequencies: tuple[float, float]
    phases: tuple[float, float]


# TimeGAN's (Yoon et al., 2019): what the authors' code draws, and what the paper's section 5 says.
# At whole steps a frequency above 1/2 is another one's mirror image: the second kind is far harder.
SINES: Mapping[str, Sine] = {
    'sines': Sine(1.0, (0.0, 0.1), (0.0, 0.1)),
    'sines_paper': Sine(2 * np.pi, (0.0, 1.0), (-np.pi, np.pi)),
}


def named(name: object) -> bool:
    """Whether a config's data set is one of series."""
    return isinstance(name, str) and (name in SINES or name.startswith(SERIES))


def load(name: str, split: str, length: int | None, max_bad: float) -> Dataset:
    """The series that a config names: 'sines', 'sines_paper' or 'series:PATH'.

    Args:
      name: of the data set.
      split: which part of it.
      length: the steps of a series; None is 24.
      max_bad: the share of damaged rows that is borne.

    Raises:
      UserError: if there is no such split, or the tables cannot be used.
    """
    steps = LENGTH if length is None else length
    if name in SINES:
        return sines(name, split, steps)
    return windows(name.removeprefix(SERIES), split, steps, max_bad)


def sines(name: str, split: str = 'train', length: int = LENGTH) -> Dataset:
    """Five independent sines a series, each of a frequency and a phase of its own.

    They are as networks see them: what a sine's extent is, is known and not fitted.

    Args:
      name: of the definition.
      split: 'train' (10,000 series of seed 0) or 'test' (10,000 of seed 1).
      length: the steps.

    Raises:
      UserError: if there is no such split.
    """
    if split not in DRAWN:
        raise UserError(
            f'config.data.split={split!r} is no split of {name}; valid: {", ".join(DRAWN)}'
        )
    num, seed = DRAWN[split]
    rng, sine = np.random.default_rng(seed), SINES[name]
    frequency, phase = (
        rng.uniform(*bounds, (num, 1, FEATURES)) for bounds in (sine.frequencies, sine.phases)
    )
    waves = np.sin(sine.speed * frequency * np.arange(length)[:, None] + phase)
    drawn = ((waves + 1) / 2).astype(np.float32)
    fitted = {
        'names': [f'sine {i}' for i in range(FEATURES)],
        'minima': [0.0] * FEATURES,
        'maxima': [1.0] * FEATURES,
    }
    return _dataset(name, drawn.shape[1:], num, drawn.__getitem__, (), fitted)


def windows(
    path: str, split: str = 'train', length: int = LENGTH, max_bad: float = 0.01
) -> Dataset:
    """All windows of so many rows of tables whose rows stand in time's order, one row apart.

    Of each table the first 80% of the rows are the split 'train', the others 'test', and all of
    them 'all', as TimeGAN's authors train and test. No window goes over that bound, from one table
    to another, or over a damaged row.

    Args:
      path: a CSV file, or a folder of them with the same columns; ~ is the home. The first line
        names the columns, all others are numbers.
      split: which part.
      length: the rows of a window.
      max_bad: the share of damaged rows that is borne: too short or long, or not finite numbers.

    Returns:
      A data set of float32 windows; `fitted` has the columns' names, and their minima and maxima
      in 'train', of the split 'all' in all rows.

    Raises:
      UserError: if nothing can be read, columns are no numbers, or no window is left.
    """
    dataset = printable(f'{SERIES}{path}')
    what = f'config.dataset={dataset}'
    if split not in SPLITS:
        raise NoSplit(
            f'config.data.split={split!r} is no split of {dataset}; valid: {", ".join(SPLITS)}'
        )
    tables = [_read(what, file) for file in _files(what, path)]
    for table in tables:
        if table.names != tables[0].names:
            raise UserError(
                f'{what}: {table.name} has the columns {", ".join(table.names)}, '
                f'{tables[0].name} {", ".join(tables[0].names)}; give all files the same ones'
            )
    bad = tuple(found for table in tables for found in table.bad)
    cleaning.report(dataset, bad, sum(len(x.rows) for x in tables), max_bad, 'rows')
    fit = [_part(table.rows, 'train' if split == 'test' else split) for table in tables]
    parts = [_part(table.rows, split) for table in tables]
    starts = _starts(parts, length)
    if not len(starts):
        raise (NoSplit if split == 'test' else UserError)(
            f'{what}: its split {split} has no {length} sound rows one after the other; give '
            f'fewer in config.data.length, or more rows'
        )
    rows, known = np.concatenate(parts), np.concatenate(fit)
    fitted = {
        'names': list(tables[0].names),
        'minima': np.nanmin(known, axis=0).tolist(),
        'maxima': np.nanmax(known, axis=0).tolist(),
    }
    cut = functools.partial(_cut, rows.astype(np.float32), starts, np.arange(length))
    return _dataset(dataset, (length, rows.shape[1]), len(starts), cut, bad, fitted)


def _dataset(
    name: str,
    shape: tuple[int, ...],
    num: int,
    fetch: Callable[[np.ndarray], np.ndarray],
    bad: tuple[tuple[str, str], ...],
    fitted: Mapping[str, Any],
) -> Dataset:
    labels = np.zeros(num, np.int32)
    return Dataset(name, shape, ('',), labels, fetch, bad, kind=KIND, fitted=fitted)


def _cut(rows: np.ndarray, starts: np.ndarray, steps: np.ndarray, places: np.ndarray) -> np.ndarray:
    return rows[starts[places][:, None] + steps]


def _starts(parts: Sequence[np.ndarray], length: int) -> np.ndarray:
    """Where windows of sound rows begin in the parts put together."""
    found, offset = [np.zeros(0, np.int64)], 0
    for part in parts:
        damaged = np.concatenate([[0], np.cumsum(np.isnan(part).any(axis=1))])
        inside = damaged[length:] - damaged[: max(0, len(damaged) - length)]
        found.append(offset + np.flatnonzero(inside == 0))
        offset += len(part)
    return np.concatenate(found)


def _part(rows: np.ndarray, split: str) -> np.ndarray:
    bound = int(TRAIN * len(rows))
    return {'train': rows[:bound], 'test': rows[bound:], 'all': rows}[split]


class Table(NamedTuple):
    """A table as it was read.

    Attributes:
      name: the file's.
      names: the columns'.
      rows: float64 [n, d], NaN throughout a damaged row.
      bad: (file and line, reason) of each of these.
    """

    name: str
    names: tuple[str, ...]
    rows: np.ndarray
    bad: tuple[tuple[str, str], ...]


def _files(what: str, path: str) -> list[pathlib.Path]:
    place = pathlib.Path(os.path.expanduser(path))
    files = sorted(place.glob('*.csv')) if place.is_dir() else [place]
    if not files:
        raise UserError(f'{what} has no file *.csv; name a CSV file or a folder of them')
    return files


def _read(what: str, file: pathlib.Path) -> Table:
    name = printable(file.name)
    needed = 'a CSV file with a line of names and lines of numbers is needed'
    try:
        with file.open(newline='', encoding='utf-8-sig') as stream:
            reader = csv.reader(stream, strict=True)
            lines = [(reader.line_num, cells) for cells in reader if cells]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f'{what}: {name} cannot be read ({one_line(error)}); {needed}') from error
    if len(lines) < 2:
        raise UserError(f'{what}: {name} has no rows; {needed}')
    (_, header), *rest = lines
    names = tuple(printable(x.strip()) for x in header)
    if not all(names) or any(_number(x) is not None for x in header):
        raise UserError(f'{what}: the first line of {name} does not name the columns; {needed}')
    rows = np.full((len(rest), len(names)), np.nan)
    whole = [i for i, (_, cells) in enumerate(rest) if len(cells) == len(names)]
    for i in whole:
        rows[i] = [np.nan if (x := _number(cell)) is None else x for cell in rest[i][1]]
    _refuse_texts(f'{what}: {name}', names, [rest[i][1] for i in whole])
    damaged = ~np.isfinite(rows).all(axis=1)
    rows[damaged] = np.nan
    bad = [(f'{name} line {rest[i][0]}', NO_NUMBERS) for i in np.flatnonzero(damaged)]
    return Table(name, names, rows, tuple(bad))


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _refuse_texts(what: str, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Raises UserError if a column is no number in half of the rows: dates, say, or names."""
    for i, name in enumerate(names):
        texts = [cells[i] for cells in rows if cells[i].strip() and _number(cells[i]) is None]
        if 2 * len(texts) >= len(rows) > 0:
            raise UserError(
                f'{what}: the column {name} holds no numbers, such as {printable(texts[0])!r}; '
                f'leave that column out of the file'
            )
