"""What columns are, as numbers and as texts again."""

import sys

import numpy as np
import pytest

from gan_jax.data import columns
from gan_jax.data.columns import Cells
from gan_jax.errors import UserError


def cells(*texts):
    """The cells of a column in the order of its rows."""
    known = list(dict.fromkeys(texts))
    return Cells(known, np.array([known.index(x) for x in texts]))


def inferred(*texts, categorical=False, max_bad=0.01):
    return columns.infer('x', cells(*texts), categorical, max_bad)


def fitted(*texts, **options):
    """The column, fitted to its own rows, and these rows."""
    column = inferred(*texts, **options)
    rows = columns.coded(column, cells(*texts))
    new = columns.fitted(column, rows)
    return new, columns.coded(new, cells(*texts))


@pytest.mark.parametrize(
    ('texts', 'kind'),
    [
        (['3', '-4', '10', '7'], 'integer'),
        (['3', '-4.50', '1e1', '7'], 'float'),
        (['2020-02-29', '1969-12-31', '2021-01-01'], 'date'),
        (['29.02.2020', '31.12.1969', '01.01.2021'], 'date'),
        (['2020-02-29 23:59:59', '2020-03-01 00:00:00', '2020-03-02 00:00:01'], 'datetime'),
        (['a', 'b', 'a'], 'category'),
        (['007', '010', '123'], 'category'),  # leading zeros would be lost
        (['0', '1', '0'], 'category'),  # two numbers say as much as two names
        (['5', '5', '5'], 'constant'),
        (['', '', ''], 'constant'),
        (['1', '', '5', '9', '2'], 'integer'),
    ],
)
def test_a_type_is_read_off_the_cells(texts, kind):
    column = inferred(*texts)
    assert column['kind'] == kind
    assert ('missing' in column) == ('' in texts and kind != 'constant')


@pytest.mark.parametrize(
    'texts',
    [
        ['3', '-4', '10', '', '7', '-4'],
        ['3.25', '-4.50', '10.00', 'NA', '7.10'],
        ['2020-02-29', '1969-12-31', '2021-01-01'],
        ['29.02.2020', '31.12.1969', '01.01.2021'],
        ['2020-02-29T23:59:59', '2020-03-01T00:00:00', '1960-03-02T00:00:01'],
        ['2020-02-29 23:59', '2020-03-01 00:00', '1960-03-02 00:01'],
        ['b', 'a', 'b', '', 'NA'],
        ['9007199254740993', '9007199254740992', '9007199254740999'],  # beyond float64
        ['1e-30', '5e-30', '-2e-30'],
    ],
)
def test_cells_come_back_as_they_were(texts):
    column, rows = fitted(*texts)
    written = columns.texts(column, rows)
    if column['kind'] == 'float':
        assert [columns.is_missing(x) or float(x) for x in written] == [
            columns.is_missing(x) or float(x) for x in texts
        ]
    if not texts[0].startswith('1e'):
        assert written == texts


def test_numbers_are_counted_in_units_from_the_least():
    column, rows = fitted('3.25', '-4.5', '10.00', '', '7')
    assert (column['low'], column['decimals'], column['top']) == (-4.5, 2, 1450)
    np.testing.assert_array_equal(rows, [775, 0, 1450, columns.MISSING, 1150])
    assert column['gone'] == pytest.approx(0.2)
    column, rows = fitted('2020-02-29', '2020-02-27', '2020-03-01')
    np.testing.assert_array_equal(rows, [2, 0, 3])


def test_few_numbers_of_many_rows_are_categories_and_so_are_those_that_are_named():
    texts = [str(i % 5) for i in range(50)]
    assert inferred(*texts)['kind'] == 'category'
    assert inferred(*texts[:49])['kind'] == 'integer'  # fewer than ten rows of each
    many = [str(i % 30) for i in range(300)]
    assert inferred(*many)['kind'] == 'integer'
    assert inferred(*many, categorical=True)['kind'] == 'category'


def test_free_text_is_none_of_these():
    assert inferred(*(f'name {i}' for i in range(21))) is None
    assert inferred(*(f'name {i}' for i in range(20)))['kind'] == 'category'
    assert inferred(*(f'name {i % 500}' for i in range(2000)))['kind'] == 'category'
    assert inferred(*(f'name {i % 501}' for i in range(2004))) is None


def test_a_text_among_numbers_is_a_bad_cell_as_far_as_that_is_borne():
    texts = [*(str(i) for i in range(99)), 'oops']
    column = inferred(*texts, max_bad=0.01)
    assert column['kind'] == 'integer'
    assert np.isnan(columns.coded(column, cells(*texts))[-1])
    assert inferred(*texts, max_bad=0.009) is None


def test_what_a_column_does_not_know_is_nan():
    column, _ = fitted('a', 'b', 'a')
    np.testing.assert_array_equal(np.isnan(columns.coded(column, cells('b', 'c'))), [False, True])
    constant = inferred('5', '5')
    np.testing.assert_array_equal(columns.coded(constant, cells('5', '6')), [0, np.nan])
    assert columns.texts(constant, np.zeros(2)) == ['5', '5']


def test_categories_stand_in_the_order_of_their_shares():
    column, rows = fitted('b', 'a', 'c', 'a', 'b', 'a')
    assert column['values'] == ['a', 'b', 'c']
    np.testing.assert_allclose(column['shares'], [1 / 2, 1 / 3, 1 / 6])
    np.testing.assert_array_equal(rows, [1, 0, 2, 0, 1, 0])


def test_modes_are_those_that_numbers_were_drawn_from():
    rng = np.random.default_rng(0)
    drawn = np.concatenate([rng.normal(100, 5, 600), rng.normal(300, 20, 400)]).round()
    column, _ = fitted(*(str(int(x)) for x in drawn))
    weights, means, deviations = (np.array(column[x]) for x in ('weights', 'means', 'deviations'))
    assert weights.sum() == pytest.approx(1, abs=0.02)
    means = means + column['low']
    first = means < 200
    assert weights[first].sum() == pytest.approx(0.6, abs=0.01)
    assert np.average(means[first], weights=weights[first]) == pytest.approx(100, abs=1)
    assert np.average(means[~first], weights=weights[~first]) == pytest.approx(300, abs=3)
    assert deviations[first].max() < 8


def test_a_number_that_most_rows_have_is_a_mode_of_its_own():
    drawn = [0] * 80 + list(range(50, 70))
    column, _ = fitted(*map(str, drawn))
    assert column['means'][0] == 0
    assert column['weights'][0] == pytest.approx(0.8)
    assert 4 * column['deviations'][0] <= 0.5  # all that is decoded from it is rounded to 0
    assert sum(column['weights']) == pytest.approx(1, abs=0.01)


def test_values_have_their_own_types():
    integers, rows = fitted('3', '-4', '10')
    assert columns.values(integers, rows).dtype == np.int64
    with_gaps, rows = fitted('3', '-4', '10', '')
    np.testing.assert_array_equal(columns.values(with_gaps, rows), [3, -4, 10, np.nan])
    dates, rows = fitted('2020-02-29', '1969-12-31', 'NA', '2021-01-01')
    want = np.array(['2020-02-29', '1969-12-31', 'NaT', '2021-01-01'], 'datetime64[D]')
    np.testing.assert_array_equal(columns.values(dates, rows), want)
    words, rows = fitted('b', 'a', 'b')
    np.testing.assert_array_equal(columns.values(words, rows), ['b', 'a', 'b'])


def test_without_scikit_learn_a_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, 'sklearn.mixture', None)
    with pytest.raises(UserError, match=r"install 'gan_jax\[tables\]'"):
        fitted(*(str(i) for i in range(30)))
