"""The columns of a table: their types, read off their texts; texts as numbers, and back again.

A column is a dict of plain values: what a run keeps of it. Its 'kind' is one of

    constant              'value'; nothing of it is learned, and it is written again
    category              'values', the commonest first, and their 'shares'; a missing cell is one
    integer, float        numbers, of which there may be missing ones
    date, datetime        likewise, as 'form' says for strptime

Numbers are counted in units from the least: a cell is (x - low) / unit, the unit being 1, the last
decimal, a day or a second. So what is stored are whole numbers from 0 to 'top', and types, bounds
and decimals come back whatever is in between. Float32 holds them to 24 bits: a column of more than
2^24 units loses the last digits of large numbers.
"""

import collections
import datetime
import importlib
import math
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from gan_jax.errors import UserError

Column = dict[str, Any]

MISSING = -(2.0**100)  # what stands for a missing number, far below all others
EXACT = 2**24  # whole numbers up to it are exact in float32
MISSING_WORDS = frozenset({'', '?', 'na', 'n/a', 'nan', 'null', 'none'})
FEW = 10  # different numbers or fewer are categories
MOST, SHORT = 500, 20  # different texts at most; so many are categories however few the rows are
NUMBER = re.compile(r'[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?')
WHOLE = re.compile(r'[+-]?\d{1,15}')
CODE = re.compile(r'[+-]?0\d.*')  # leading zeros would be lost
FORMS = (
    '%Y-%m-%d', '%d.%m.%Y', '%Y-%m-%d %H:%M:%S', '%Y-%m-%dT%H:%M:%S', '%Y-%m-%d %H:%M',
    '%Y-%m-%dT%H:%M',
)  # fmt: skip
DIGITS = 12  # of a float column that are kept
EPOCH = datetime.datetime(1970, 1, 1)
FITTED_TO = 10_000  # rows at most
MODES, LEAST_WEIGHT = 10, 0.005
SPIKE, NARROW = 0.2, 0.125  # the share that makes one number a mode, and its deviation in units


class Cells(NamedTuple):
    """The cells of a column.

    Attributes:
      texts: the different ones.
      places: of each row the place of its text in them, int [rows].
    """

    texts: list[str]
    places: np.ndarray

    def counts(self) -> np.ndarray:
        """How often each text comes."""
        return np.bincount(self.places, minlength=len(self.texts))

    def at(self, rows: np.ndarray) -> 'Cells':
        """The cells of some rows, with the texts of all."""
        return Cells(self.texts, self.places[rows])


def is_missing(text: str) -> bool:
    """Whether a cell among numbers says that there is none."""
    return text.strip().lower() in MISSING_WORDS


# ---- What a column is ------------------------------------------------------------------------
def infer(name: str, cells: Cells, categorical: bool, max_bad: float) -> Column | None:
    """The type of a column.

    Args:
      name: its header.
      cells: of all rows.
      categorical: whether its numbers are known to be names of categories.
      max_bad: the share of cells that need not be numbers among numbers.

    Returns:
      The column, not yet fitted; None for free text: more than 500 different texts, or more than 20
      of which most rows have their own.
    """
    counts = cells.counts()
    seen = [text for text, count in zip(cells.texts, counts, strict=True) if count]
    if len(seen) == 1:
        return {'name': name, 'kind': 'constant', 'value': seen[0]}
    column = None if categorical else _numbers(name, cells, counts, max_bad)
    if column is not None:
        return column
    if len(seen) > MOST or len(seen) > max(SHORT, len(cells.places) / 2):
        return None
    return {'name': name, 'kind': 'category', 'values': seen}


def _numbers(name: str, cells: Cells, counts: np.ndarray, max_bad: float) -> Column | None:
    """A column of numbers or dates; None if too few cells are, or they are few different ones."""
    known = {x: n for x, n in zip(cells.texts, counts, strict=True) if n and not is_missing(x)}
    gone = {x: n for x, n in zip(cells.texts, counts, strict=True) if n and is_missing(x)}
    if any(CODE.fullmatch(x.strip()) and '.' not in x for x in known):
        return None
    for kind, read in _readers(known):
        values = {x: read(x) for x in known}
        good = [x for x, value in values.items() if value is not None]
        if not good or sum(known[x] for x in good) < (1 - max_bad) * sum(known.values()):
            continue
        numbers = {values[x] for x in good}
        if len(numbers) <= 2 or (
            len(numbers) <= FEW and len(numbers) * FEW <= len(cells.places)
        ):  # of three and more there have to be rows enough
            return None
        return {'name': name, **_scale(kind, good, numbers), **_token(gone)}
    return None


def _token(gone: Mapping[str, int]) -> dict[str, Any]:
    """How missing cells are written, if there are any: as they mostly were."""
    return {'missing': max(gone, key=lambda x: gone[x])} if gone else {}


def _readers(known: Mapping[str, int]) -> list[tuple[str, Callable[[str], Any]]]:
    """Ways to read texts as numbers, in the order in which they are tried."""
    numbers = [x.strip() for x in known if NUMBER.fullmatch(x.strip())]
    whole = all(WHOLE.fullmatch(x) for x in numbers)
    forms = ((form, _read_date(form)) for form in FORMS)
    return [('integer', _read_integer) if whole else ('float', _read_float), *forms]


def _read_integer(text: str) -> int | None:
    return int(text) if WHOLE.fullmatch(text.strip()) else None


def _read_float(text: str) -> float | None:
    value = float(text) if NUMBER.fullmatch(text.strip()) else math.inf
    return value if math.isfinite(value) else None


def _read_date(form: str) -> Callable[[str], int | None]:
    """(text) -> seconds since 1970, or None."""

    def read(text: str) -> int | None:
        try:
            date = datetime.datetime.strptime(text.strip(), form)
        except ValueError:
            return None
        return round((date - EPOCH).total_seconds())

    return read


def _scale(kind: str, texts: Sequence[str], numbers: set) -> Column:
    """Kind, least, unit and how many units there are."""
    low, high = min(numbers), max(numbers)
    if kind == 'integer':
        return {'kind': kind, 'low': low, 'unit': 1, 'top': high - low}
    if kind == 'float':
        decimals = max(map(_decimals, texts))
        decimals = min(decimals, DIGITS - math.floor(math.log10(high - low)))
        top = round((high - low) * 10.0**decimals)
        return {'kind': kind, 'low': low, 'unit': 10.0**-decimals, 'decimals': decimals, 'top': top}
    timed = '%H' in kind
    unit = (1 if '%S' in kind else 60) if timed else 86_400
    top = (high - low) // unit
    return {
        'kind': 'datetime' if timed else 'date', 'form': kind, 'low': low, 'unit': unit, 'top': top,
    }  # fmt: skip


def _decimals(text: str) -> int:
    """How many decimals a number is written with."""
    mantissa, _, exponent = text.strip().lower().partition('e')
    return len(mantissa.partition('.')[2]) - int(exponent or 0)


# ---- Cells as numbers, and back --------------------------------------------------------------
def is_number(column: Mapping[str, Any]) -> bool:
    """Whether a column holds numbers or dates."""
    return column['kind'] not in ('category', 'constant')


def coded(column: Mapping[str, Any], cells: Cells) -> np.ndarray:
    """What is stored of cells, float64 [rows]: places in the values, or units from the least.

    NaN for what the column does not know: another category, a text among numbers.
    """
    if column['kind'] == 'constant':
        return np.where(np.asarray(cells.texts)[cells.places] == column['value'], 0.0, np.nan)
    if column['kind'] == 'category':
        known = {text: float(i) for i, text in enumerate(column['values'])}
        return np.array([known.get(x, math.nan) for x in cells.texts])[cells.places]
    of_numbers: dict[str, Callable[[str], Any]] = {'integer': _read_integer, 'float': _read_float}
    read = of_numbers.get(column['kind']) or _read_date(column['form'])

    def number(text: str) -> float:
        if 'missing' in column and is_missing(text):
            return MISSING
        value = read(text)
        return math.nan if value is None else round((value - column['low']) / column['unit'])

    return np.array([number(x) for x in cells.texts], np.float64)[cells.places]


def texts(column: Mapping[str, Any], stored: np.ndarray) -> list[str]:
    """Cells as they are written: the way back from `coded`."""
    if column['kind'] == 'constant':
        return [column['value']] * len(stored)
    if column['kind'] == 'category':
        return [column['values'][int(x)] for x in stored]
    return [column['missing'] if x == MISSING else _text(column, round(float(x))) for x in stored]


def _text(column: Mapping[str, Any], units: int) -> str:
    value = column['low'] + units * column['unit']
    if column['kind'] == 'integer':
        return str(value)
    if column['kind'] == 'float':
        return f'{value:.{max(column["decimals"], 0)}f}'
    return (EPOCH + datetime.timedelta(seconds=value)).strftime(column['form'])


def values(column: Mapping[str, Any], stored: np.ndarray) -> np.ndarray:
    """Cells as NumPy knows them: int64, float64 (NaN is missing), datetime64, or texts."""
    if not is_number(column):
        return np.array(texts(column, stored), dtype=np.str_)
    gone = stored == MISSING
    units = np.where(gone, 0, stored.astype(np.float64)).round()
    if column['kind'] in ('date', 'datetime'):
        seconds = column['low'] + units.astype(np.int64) * column['unit']
        moments = seconds.astype('datetime64[s]')
        moments[gone] = np.datetime64('NaT', 's')
        return moments.astype('datetime64[D]') if column['kind'] == 'date' else moments
    numbers = column['low'] + units * column['unit']
    if column['kind'] == 'integer' and not gone.any():
        return column['low'] + units.astype(np.int64)
    return np.where(gone, np.nan, numbers)


# ---- What is fitted --------------------------------------------------------------------------
def fitted(column: Column, stored: np.ndarray) -> Column:
    """The column with what training rows say of it: shares of categories, modes of numbers.

    Args:
      column: as `infer` has it.
      stored: as `coded` gives it, without NaN, [rows].

    Returns:
      A category's values in the order of their shares; of numbers 'weights', 'means' and
      'deviations' of the modes, in units, and with 'missing' the share 'gone' of missing cells.
    """
    if column['kind'] == 'constant':
        return column
    if column['kind'] == 'category':
        counts = collections.Counter(column['values'][int(x)] for x in stored)
        ordered = sorted(column['values'], key=lambda x: (-counts[x], x))
        return {**column, 'values': ordered, 'shares': [counts[x] / len(stored) for x in ordered]}
    known = stored[stored != MISSING]
    gone = {'gone': 1 - len(known) / len(stored)} if 'missing' in column else {}
    return {**column, **_modes(known), **gone}


def _modes(units: np.ndarray) -> dict[str, list[float]]:
    """Single numbers that a fifth of the rows have or more, and a mixture of what is left.

    All that is decoded from a single number's mode rounds to that number. A mixture alone would
    give the zeros of a column that is mostly zero a width, and few of them would come out as 0.
    """
    numbers, counts = np.unique(units, return_counts=True)
    spikes = counts >= SPIKE * len(units)
    rest = units[~np.isin(units, numbers[spikes])]
    shares = counts[spikes] / max(len(units), 1)
    weights, means, deviations = _mixture(rest)
    every = {
        'weights': np.append(shares, (1 - shares.sum()) * weights),
        'means': np.append(numbers[spikes], means),
        'deviations': np.append(np.full(len(shares), NARROW), deviations),
    }
    order = np.argsort(every['means'])
    # In six digits, so that a machine's last bits do not make another run of it.
    return {name: [float(f'{v:.6g}') for v in x[order]] for name, x in every.items()}


def _mixture(units: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights, means and deviations of at most ten normal distributions, of weights above .005.

    Source: Modeling Tabular Data using Conditional GAN (Xu et al., 2019), section 4.2: variational
    Bayes finds how many there are.
    """
    if not len(units):
        return np.zeros(0), np.zeros(0), np.zeros(0)
    if len(units) > FITTED_TO:
        units = np.random.default_rng(0).choice(units, FITTED_TO, replace=False)
    mean, spread, different = units.mean(), units.std(), len(np.unique(units))
    if different < 2:
        return np.ones(1), units[:1], np.full(1, NARROW)
    mixture = scikit_learn('mixture').BayesianGaussianMixture(
        n_components=min(MODES, different),
        weight_concentration_prior_type='dirichlet_process',
        weight_concentration_prior=1e-3,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # a hundred rounds are enough, converged or not
        mixture.fit(((units - mean) / spread)[:, None])
    kept = mixture.weights_ > LEAST_WEIGHT
    deviations = spread * np.sqrt(mixture.covariances_[kept, 0, 0])
    return mixture.weights_[kept], mean + spread * mixture.means_[kept, 0], deviations


def scikit_learn(module: str) -> Any:
    """A module of scikit-learn, which is imported when it is first needed.

    Raises:
      UserError: if it is not installed.
    """
    try:
        return importlib.import_module(f'sklearn.{module}')
    except ImportError as error:
        raise UserError(
            f'tables need scikit-learn, which cannot be imported ({error}); install '
            f"'gan_jax[tables]'"
        ) from error
