"""Tables as files: what is read, what each bad one is told, and rows by conditions."""

import csv
import logging

import numpy as np
import pytest

from gan_jax import data
from gan_jax.data import columns, tables
from gan_jax.data.tables import Options, table
from gan_jax.errors import NoSplit, UserError

RNG = np.random.default_rng(0)
HEADER = ['size', 'sort', 'since', 'price']


def rows_of(num):
    return [
        [
            str(int(RNG.integers(-20, 80))),
            'abc'[int(RNG.choice(3, p=[0.7, 0.25, 0.05]))],
            f'20{RNG.integers(10, 25)}-0{RNG.integers(1, 10)}-1{RNG.integers(10)}',
            f'{RNG.normal(20, 3):.2f}',
        ]
        for _ in range(num)
    ]


ROWS = rows_of(200)


def stored(folder, rows, header=HEADER, name='table.csv'):
    with (folder / name).open('w', newline='', encoding='utf-8') as stream:
        csv.writer(stream).writerows([*([header] if header else []), *rows])
    return str(folder / name)


def one_line(error):
    text = str(error.value)
    assert '\n' not in text
    assert 'config.' in text
    return text


def test_a_table_is_split_by_a_seed_and_its_columns_are_said(tmp_path, caplog):
    path = stored(tmp_path, ROWS)
    with caplog.at_level(logging.INFO):
        train, test = table(path), table(path, 'test')
    assert (len(train), len(test)) == (160, 40)
    assert train.fitted == test.fitted
    assert train.kind == 'tables'
    assert train.shape == (4,)
    kinds = [x['kind'] for x in train.fitted['columns']]
    assert kinds == ['integer', 'category', 'date', 'float']
    assert 'integer size; category sort; date since; float price' in caplog.text
    assert '160 rows to train, 40 to test, drawn by seed 0' in caplog.text
    both = np.concatenate([x.batch(np.arange(len(x)))['real'] for x in (train, test)])
    assert both.dtype == np.float32
    each = [columns.texts(x, both[:, i]) for i, x in enumerate(train.fitted['columns'])]
    assert sorted(map(list, zip(*each, strict=True))) == sorted(ROWS)


def test_two_files_are_the_two_splits(tmp_path):
    names = stored(tmp_path, ROWS[:150], name='a.csv'), stored(tmp_path, ROWS[150:], name='b.csv')
    train, test = (table(','.join(names), x, max_bad=0.1) for x in ('train', 'test'))
    assert len(train) == 150
    assert len(test) + len(test.bad) == 50
    sort = train.fitted['columns'][1]
    assert sort['shares'] == [sum(row[1] == x for row in ROWS[:150]) / 150 for x in sort['values']]


def test_without_a_header_columns_are_numbered(tmp_path):
    path = stored(tmp_path, ROWS, header=None)
    dataset = table(path, options=Options(header=False))
    assert [x['name'] for x in dataset.fitted['columns']] == ['0', '1', '2', '3']
    assert len(dataset) == 160


def test_missing_constant_and_free_text_columns_have_a_sentence_each(tmp_path, caplog):
    rows = [
        ['' if i % 7 == 0 else row[0], *row[1:], 'always', f'remark {i}']
        for i, row in enumerate(ROWS)
    ]
    path = stored(tmp_path, rows, header=[*HEADER, 'kind', 'remark'])
    with caplog.at_level(logging.INFO):
        dataset = table(path)
    assert 'column size has missing numbers' in caplog.text
    assert 'column kind is constant (always)' in caplog.text
    assert 'column remark is free text' in caplog.text
    assert [x['name'] for x in dataset.fitted['columns']] == [*HEADER, 'kind']
    rows = dataset.batch(np.arange(160))['real']
    gone = (rows[:, 0] == np.float32(columns.MISSING)).mean()
    assert gone == pytest.approx(dataset.fitted['columns'][0]['gone'])
    assert 0.1 < gone < 0.2


def test_large_whole_numbers_are_warned_of(tmp_path, caplog):
    rows = [[str(i * 2**20), row[1]] for i, row in enumerate(ROWS)]
    with caplog.at_level(logging.WARNING):
        table(stored(tmp_path, rows, header=['number', 'sort']))
    assert 'column number has 208666624 units between its ends, more than 2^24' in caplog.text


@pytest.mark.parametrize(
    ('header', 'change', 'options', 'words'),
    [
        (['a', 'b', 'a', 'c'], {}, {}, "the columns 1 and 3 have one header, 'a'"),
        (HEADER, {'rows': []}, {}, 'has a header and no rows'),
        (None, {'rows': []}, {}, 'is empty'),
        (None, {'rows': [['1', '2'], ['3', '4']]}, {}, 'seems to be no header'),
        (['a;b'], {'rows': [['1;2']]}, {}, 'has one column'),
        (['a', 'b'], {'rows': [['1', 'x']] * 5}, {}, 'has no column to learn from'),
        (HEADER, {}, {'target': 'sorts'}, "no column 'sorts'; the nearest is 'sort'"),
        (HEADER, {}, {'categorical': ('sizes',)}, "config.data.categorical: there is no column"),
        (['a'], {'rows': [[f'{i / 7:.3f}'] for i in range(50)]}, {'by_condition': True},
         'has no column of categories'),
        (['a', 'b'], {'rows': [[f'{i}', f'name {i}'] for i in range(50)]}, {'target': 'b'},
         "config.data.target='b' is free text"),
        (HEADER, {'rows': [*ROWS[:50], *[['1', '2']] * 10]}, {}, 'another number of cells'),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_used_is_told_why(tmp_path, header, change, options, words):
    path = stored(tmp_path, change.get('rows', ROWS), header)
    with pytest.raises(UserError) as error:
        table(path, options=Options(**options))
    assert words in one_line(error)


def test_files_that_are_no_text_are_named(tmp_path):
    cases = {
        'x.parquet': (b'PAR1....', 'pandas.read_parquet'),
        'latin.csv': ('größe,b\n1,2\n'.encode('latin-1'), 'UTF-8'),
        'quoted.csv': (b'a,b\n"1,2\n', 'name a CSV file in UTF-8'),
    }
    for name, (content, words) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError) as error:
            table(str(tmp_path / name))
        assert words in one_line(error)
    for path in (str(tmp_path / 'none.csv'), str(tmp_path)):
        with pytest.raises(UserError) as error:
            table(path)
        assert 'cannot be read' in one_line(error)
    with pytest.raises(UserError, match='names 3 files'):
        table('a.csv,b.csv,c.csv')
    with pytest.raises(NoSplit, match='valid: train, test'):
        table(stored(tmp_path, ROWS), 'validation')


def test_two_files_have_one_header(tmp_path):
    names = stored(tmp_path, ROWS, name='a.csv'), stored(tmp_path, ROWS, HEADER[::-1], 'b.csv')
    with pytest.raises(UserError) as error:
        table(','.join(names))
    assert 'other headers' in one_line(error)


def test_bad_rows_are_counted_and_borne_up_to_a_share(tmp_path):
    path = stored(tmp_path, [*ROWS, ['1', '2', '3'], ['x', *ROWS[0][1:]]])
    dataset = table(path, max_bad=0.01)
    assert dataset.bad == (
        ('row 200', tables.CELLS),
        ('row 201', f'{tables.UNKNOWN} in column size'),
    )
    assert len(dataset) == 160
    with pytest.raises(UserError, match=r'config\.data\.max_bad'):
        table(path, max_bad=0.005)


def test_what_is_of_tables_is_refused_elsewhere_and_images_keys_of_tables(tmp_path):
    with pytest.raises(UserError) as error:
        data.load('ring8', image_size=None, by_condition=True)
    assert 'ring8 has no use for it; leave it at False' in one_line(error)
    with pytest.raises(UserError) as error:
        data.load(f'table:{stored(tmp_path, ROWS)}', image_size=8)
    assert 'has no images' in one_line(error)


# ---- Rows by conditions ----------------------------------------------------------------------
FITTED = [
    {'name': 'x', 'kind': 'integer'},
    {'name': 'a', 'kind': 'category', 'values': ['many', 'few']},
    {'name': 'b', 'kind': 'category', 'values': ['r', 's', 't']},
]
CODED = np.array([[0, 0, 0], [1, 0, 1], [2, 0, 2], [3, 1, 2], [4, 0, 0], [5, 0, 0]], np.float32)


def test_a_condition_is_a_category_of_its_row():
    draw = tables.by_condition('x', FITTED, CODED)
    places, conditions = draw(np.random.default_rng(0), 5000)
    assert conditions.shape == (5000, 1)
    assert conditions.dtype == np.int32
    for place, condition in zip(places, conditions[:, 0], strict=True):
        column, value = (1, condition) if condition < 2 else (2, condition - 2)
        assert CODED[place, column] == value


def test_columns_come_alike_and_categories_by_the_logarithm_of_their_rows():
    draw = tables.by_condition('x', FITTED, CODED)
    places, conditions = draw(np.random.default_rng(1), 60_000)
    shares = np.bincount(conditions[:, 0], minlength=5) / 60_000
    first, second = np.log1p([5, 1]), np.log1p([3, 1, 2])
    want = [*first / first.sum() / 2, *second / second.sum() / 2]
    np.testing.assert_allclose(shares, want, atol=0.01)
    of_r = np.bincount(places[conditions[:, 0] == 2], minlength=6)
    np.testing.assert_allclose(of_r / of_r.sum(), np.array([1, 0, 0, 0, 1, 1]) / 3, atol=0.02)


def test_batches_by_condition_follow_from_seed_and_step_and_are_spread(tmp_path):
    dataset = table(stored(tmp_path, ROWS), options=Options(by_condition=True))
    whole = data.batch_at(dataset, 3, batch_size=6, seed=1)
    assert {*whole} == {'real', 'label', 'condition'}
    again = data.batch_at(dataset, 3, batch_size=6, seed=1)
    other = data.batch_at(dataset, 4, batch_size=6, seed=1)
    np.testing.assert_array_equal(whole['real'], again['real'])
    assert not np.array_equal(whole['real'], other['real'])
    parts = [
        data.batch_at(dataset, 3, batch_size=6, seed=1, share=data.Share(i, 3)) for i in range(3)
    ]
    for name in whole:
        np.testing.assert_array_equal(sum(x[name] for x in parts), whole[name])
    sort = dataset.fitted['columns'][1]
    np.testing.assert_array_equal(whole['real'][:, 1], whole['condition'][:, 0])
    assert whole['condition'].max() < len(sort['values'])
