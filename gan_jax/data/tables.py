"""Tables from CSV files: rows of cells, columns of types that are found out and said."""

import array
import csv
import functools
import os
import pathlib
import stat
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from absl import logging

from gan_jax.data import cleaning, columns
from gan_jax.data.columns import Cells, Column
from gan_jax.data.dataset import Dataset
from gan_jax.errors import NoSplit, UserError, nearest, one_line, printable

TABLE = 'table:'
SPLITS = ('train', 'test')
HELD_OUT, SEED = 0.2, 0  # of a single file, drawn by chance
LISTED = 12  # names in a line
NO_TEXT = (b'PAR1', b'PK\x03\x04', b'\x1f\x8b', b'\xd0\xcf')  # parquet, xlsx and zip, gzip, xls
CELLS = 'another number of cells'
UNKNOWN = 'a cell that the training rows do not know'


class Sheet(NamedTuple):
    """What a file holds.

    Attributes:
      names: of the columns.
      cells: of each column.
      numbers: of the rows, counted from 0.
      bad: (name, reason) of the rows that are left out.
    """

    names: list[str]
    cells: list[Cells]
    numbers: np.ndarray
    bad: list[tuple[str, str]]


class Part(NamedTuple):
    """The rows of a split.

    Attributes:
      rows: as they are stored, float32 [n, columns].
      bad: (name, reason) of the bad rows of its file.
      total: how many rows the file has, good and bad.
    """

    rows: np.ndarray
    bad: list[tuple[str, str]]
    total: int


class Options(NamedTuple):
    """What a config says of tables.

    Attributes:
      header: whether the first row has the columns' names; they are called 0, 1, ... else.
      categorical: names of columns of numbers that stand for categories.
      target: the name of the column that is to be predicted; '' for none.
      by_condition: whether rows are drawn by a category of a column that is drawn first.
    """

    header: bool = True
    categorical: tuple[str, ...] = ()
    target: str = ''
    by_condition: bool = False


PLAIN = Options()


def table(
    path: str, split: str = 'train', max_bad: float = 0.01, options: Options = PLAIN
) -> Dataset:
    """The rows of a CSV file; what columns are is found out from the training rows.

    Args:
      path: 'FILE', of which a fifth, drawn by seed 0, is 'test'; or 'TRAIN,TEST', two files.
      split: 'train' or 'test'.
      max_bad: the share of rows that is borne that have another number of cells, a text among
        numbers, or, of test rows, a category that no training row has.
      options: what a config says of them.

    Returns:
      A data set of float32 rows [columns] as `columns.coded` has them; `fitted` has the columns and
      the target. Columns of free text are left out.

    Raises:
      UserError: if a file cannot be read or used.
    """
    dataset = printable(f'{TABLE}{path}')
    if split not in SPLITS:
        raise NoSplit(
            f'config.data.split={split!r} is no split of {dataset}; valid: {", ".join(SPLITS)}'
        )
    files = [str(pathlib.Path(os.path.expanduser(x))) for x in path.split(',')]
    if len(files) > 2:
        raise UserError(f'config.dataset={dataset} names {len(files)} files; name one, or two')
    kept = options._replace(by_condition=False)
    fitted, parts = _loaded(dataset, tuple(map(_named, files)), kept, max_bad)
    stored, bad, total = parts[split]
    told = {'columns': fitted, 'target': options.target}
    cleaning.report(dataset, bad, total, max_bad, 'rows')
    return Dataset(
        dataset,
        (len(fitted),),
        ('',),
        np.zeros(len(stored), np.int32),
        stored.__getitem__,
        tuple(bad),
        kind='tables',
        fitted=told,
        conditioned=by_condition(dataset, fitted, stored) if options.by_condition else None,
    )


def _named(file: str) -> tuple[str, float, int]:
    """A file with what changes when it does: what is read once is kept."""
    try:
        found = os.stat(file)
        if not stat.S_ISREG(found.st_mode):
            raise OSError('it is not a regular file')
    except OSError as error:
        raise UserError(
            f'config.dataset={TABLE}{printable(file)} cannot be read ({error.strerror or error}); '
            f'name a CSV file'
        ) from error
    return file, found.st_mtime, found.st_size


@functools.lru_cache(maxsize=4)
def _loaded(
    dataset: str, files: Sequence[tuple[str, float, int]], options: Options, max_bad: float
) -> tuple[list[Column], dict[str, Part]]:
    """The fitted columns, and the splits."""
    what = f'config.dataset={dataset}'
    sheets = [read(what, file, options.header) for file, *_ in files]
    if len(sheets) == 2 and sheets[0].names != sheets[1].names:
        raise UserError(f'{what}: the two files have other headers; give both the same')
    sheet = sheets[0]
    _check_names(what, sheet.names, options)
    used = _columns(dataset, sheet, options, max_bad)
    parts = [_coded(used, x) for x in sheets]
    if not len(parts[0].rows):
        cleaning.report(dataset, parts[0].bad, parts[0].total, max_bad, 'rows')
    if len(parts) == 1:
        parts = _split(dataset, parts[0])
    fitted = [columns.fitted(x, parts[0].rows[:, i]) for i, x in enumerate(used)]
    for i, (old, new) in enumerate(zip(used, fitted, strict=True)):
        if new['kind'] == 'category':  # in the order of their shares
            moved = np.array([new['values'].index(x) for x in old['values']])
            for part in parts:
                part.rows[:, i] = moved[part.rows[:, i].astype(int)]
    parts = [x._replace(rows=x.rows.astype(np.float32)) for x in parts]
    for part in parts:
        part.rows.flags.writeable = False  # since it is shared
    return fitted, dict(zip(SPLITS, parts, strict=True))


def _split(dataset: str, part: Part) -> list[Part]:
    """The rows of a single file to train and to test."""
    test = np.zeros(len(part.rows), bool)
    order = np.random.default_rng(SEED).permutation(len(test))
    test[order[: round(HELD_OUT * len(test))]] = True
    logging.info(
        '%s: %d rows to train, %d to test, drawn by seed %d', dataset, (~test).sum(), test.sum(),
        SEED,
    )  # fmt: skip
    return [part._replace(rows=part.rows[x]) for x in (~test, test)]


def _columns(dataset: str, sheet: Sheet, options: Options, max_bad: float) -> list[Column]:
    """The columns that are used, with a line on what they are."""
    found = [
        columns.infer(name, cells, name in (*options.categorical, options.target), max_bad)
        for name, cells in zip(sheet.names, sheet.cells, strict=True)
    ]
    free = [name for name, x in zip(sheet.names, found, strict=True) if x is None]
    used = [x for x in found if x is not None]
    for name in free:
        logging.warning(
            '%s: column %s is free text (too many different ones to be categories), so it is left '
            'out, and samples will not have it', dataset, printable(name),
        )  # fmt: skip
    if options.target in free:
        raise UserError(f'config.data.target={options.target!r} is free text; name another column')
    for column in used:
        if column['kind'] == 'constant':
            logging.info(
                '%s: column %s is constant (%s): nothing of it is learned, and samples have the '
                'same', dataset, printable(column['name']), printable(column['value']),
            )  # fmt: skip
        if 'missing' in column:
            logging.info(
                '%s: column %s has missing numbers: that they are missing is learned, and samples '
                'have some, too', dataset, printable(column['name']),
            )  # fmt: skip
        if columns.is_number(column) and column['top'] > columns.EXACT:
            logging.warning(
                '%s: column %s has %d units between its ends, more than 2^24: the last digits of '
                'large ones are lost', dataset, printable(column['name']), column['top'],
            )  # fmt: skip
    if all(x['kind'] == 'constant' for x in used):
        raise UserError(f'config.dataset={dataset} has no column to learn from; name another table')
    logging.info('%s: %s', dataset, described(used))
    return used


def described(used: Sequence[Column]) -> str:
    """What the columns are, in a line."""
    kinds: dict[str, list[str]] = {}
    for column in used:
        kinds.setdefault(column['kind'], []).append(printable(column['name']))
    parts = [
        f'{kind} {", ".join(names[:LISTED])}'
        + (f' and {len(names) - LISTED} more' if len(names) > LISTED else '')
        for kind, names in kinds.items()
    ]
    return (
        f'{len(used)} columns, by their cells: {"; ".join(parts)} (config.data.categorical names '
        f'numbers that stand for categories)'
    )


def _check_names(what: str, names: Sequence[str], options: Options) -> None:
    """Raises UserError if two columns have one name, or a config names one that there is not."""
    twice = sorted({x for x in names if names.count(x) > 1})
    if twice:
        places = [str(i + 1) for i, x in enumerate(names) if x == twice[0]]
        raise UserError(
            f'{what}: the columns {" and ".join(places)} have one header, {twice[0]!r}; give each '
            f'its own, or without a header say --config.data.header=False'
        )
    asked = [('categorical', x) for x in options.categorical]
    asked += [('target', options.target)] if options.target else []
    for key, name in asked:
        if name not in names:
            raise UserError(
                f'config.data.{key}: there is no column {name!r}; the nearest is '
                f'{nearest(name, names)!r}'
            )


def _coded(used: Sequence[Column], sheet: Sheet) -> Part:
    """The rows of used columns as they are stored, float64, without bad ones."""
    places = {name: i for i, name in enumerate(sheet.names)}
    each = [columns.coded(x, sheet.cells[places[x['name']]]) for x in used]
    rows = np.stack(each, axis=1)
    unknown = np.isnan(rows)
    bad = [
        (
            f'row {sheet.numbers[i]}',
            f'{UNKNOWN} in column {printable(used[unknown[i].argmax()]["name"])}',
        )
        for i in np.flatnonzero(unknown.any(axis=1))
    ]
    good = rows[~unknown.any(axis=1)]
    return Part(good, [*sheet.bad, *bad], len(rows) + len(sheet.bad))


def read(what: str, file: str, header: bool) -> Sheet:
    """A CSV file: cells apart by commas, perhaps quoted, UTF-8, the first row the header.

    Args:
      what: what names it, for messages.
      file: its path.
      header: whether it has one.

    Raises:
      UserError: if it is none, or empty.
    """
    with open(file, 'rb') as stream:
        start = stream.read(4)
    if start.startswith(NO_TEXT):
        raise UserError(
            f'{what}: {printable(file)} is no text (Parquet, a sheet or packed); only CSV is read: '
            f'write it again, with pandas.read_parquet(FILE).to_csv(NEW, index=False), say'
        )
    try:
        with open(file, newline='', encoding='utf-8-sig') as stream:
            return _sheet(what, csv.reader(stream, strict=True), header)
    except (csv.Error, UnicodeDecodeError, OSError) as error:
        raise UserError(
            f'{what} cannot be read ({one_line(error)}); name a CSV file in UTF-8'
        ) from error


def _sheet(what: str, rows: Iterator[list[str]], header: bool) -> Sheet:
    first = next(rows, None)
    if not first:
        raise UserError(f'{what} is empty; name a CSV file with a header and rows')
    names = first if header else [str(i) for i in range(len(first))]
    if len(first) == 1 and any(x in first[0] for x in ';\t|'):
        raise UserError(f'{what} has one column, {first[0][:40]!r}; write it with commas')
    if header and sum(bool(columns.NUMBER.fullmatch(x.strip())) for x in first) > len(first) / 2:
        raise UserError(
            f'{what}: the first row has numbers, so it seems to be no header; say '
            f'--config.data.header=False, or give it one'
        )
    known: list[dict[str, int]] = [{} for _ in names]
    places = [array.array('i') for _ in names]
    bad, numbers = [], []
    more = [] if header else [first]
    for number, row in enumerate(row for part in (more, rows) for row in part):
        if len(row) != len(names):
            if row:  # else it is an empty line
                bad.append((f'row {number}', CELLS))
            continue
        numbers.append(number)
        for cell, texts, column in zip(row, known, places, strict=True):
            column.append(texts.setdefault(cell, len(texts)))
    cells = [Cells(list(x), np.array(y, np.int64)) for x, y in zip(known, places, strict=True)]
    if not len(cells[0].places):
        raise UserError(f'{what} has a header and no rows; name another file')
    return Sheet(names, cells, np.array(numbers), bad)


# ---- Rows by conditions ----------------------------------------------------------------------
def by_condition(
    dataset: str, fitted: Sequence[Column], rows: np.ndarray
) -> Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]:
    """Training by sampling: a column, then a category of it, then a row that has it.

    The column is drawn uniformly, the category as the logarithm of 1 + the number of its rows, so
    that rare ones come often, and the row uniformly.

    Source: Modeling Tabular Data using Conditional GAN (Xu et al., 2019), section 4.3.

    Args:
      dataset: what it is called, for messages.
      fitted: the columns.
      rows: as they are stored, [n, columns].

    Returns:
      (generator, num) -> places of rows [num], and conditions int32 [num, 1]: places among the
      categories of all columns, one after the other.

    Raises:
      UserError: if no column has categories.
    """
    places = [i for i, x in enumerate(fitted) if x['kind'] == 'category']
    if not places:
        raise UserError(
            f'config.data.by_condition=True: {dataset} has no column of categories; leave it False'
        )
    sizes = [len(fitted[i]['values']) for i in places]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    owners = [np.argsort(rows[:, i], kind='stable') for i in places]
    counts = [
        np.bincount(rows[:, i].astype(int), minlength=x) for i, x in zip(places, sizes, strict=True)
    ]
    chances = [np.log1p(x) / np.log1p(x).sum() for x in counts]
    weights = np.concatenate(chances) / len(places)
    firsts = [np.cumsum(x) - x for x in counts]
    column_of = np.repeat(np.arange(len(places)), sizes)
    every, first = np.concatenate(counts), np.concatenate(firsts)
    stacked = np.stack(owners)

    def draw(generator: np.random.Generator, num: int) -> tuple[np.ndarray, np.ndarray]:
        chosen = generator.choice(starts[-1], num, p=weights)
        within = np.floor(generator.random(num) * every[chosen]).astype(int)
        return stacked[column_of[chosen], first[chosen] + within], chosen[:, None].astype(np.int32)

    return draw
