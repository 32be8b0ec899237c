"""Rows of tables: what networks see of them, their pictures and files, and a run."""

import csv
import json

import jax
import jax.numpy as jnp
import methods
import numpy as np
import pytest
from data import test_table_files as table_files
from PIL import Image

from gan_jax import modalities
from gan_jax.commands import evaluate, report, sample
from gan_jax.data import columns
from gan_jax.loop import train
from gan_jax.modalities import tables, vectors

GONE = np.float32(columns.MISSING)
MODALITY = modalities.make(methods.TABLE)
ROWS = np.array([[7, 0, 0, 0], [22, 2, 0, 1], [GONE, 1, 0, 0], [40, 1, 0, 1]], np.float32)
# alpha, two modes and the missing one; three sorts; two incomes. 7 is a deviation of 2 above 5, 22
# two of 4 below 30, 40 two and a half above it.
SEEN = np.array(
    [
        [0.25, 1, 0, 0, 1, 0, 0, 1, 0],
        [-0.5, 0, 1, 0, 0, 0, 1, 0, 1],
        [0, 0, 0, 1, 0, 1, 0, 1, 0],
        [0.625, 0, 1, 0, 0, 1, 0, 0, 1],
    ],
    np.float32,
)


def test_networks_see_modes_and_one_hot_vectors():
    assert MODALITY.shape == (9,)
    assert MODALITY.thumbnails is None
    np.testing.assert_allclose(MODALITY.encode(ROWS), SEEN)
    assert MODALITY.encode(ROWS).dtype == np.float32
    np.testing.assert_array_equal(jax.jit(MODALITY.encode)(ROWS), MODALITY.encode(ROWS))


def test_decode_is_the_way_back_in_numpy_and_in_compiled_code():
    for decode in (MODALITY.decode, jax.jit(MODALITY.decode)):
        rows = np.asarray(decode(SEEN))
        assert rows.dtype == np.float32
        np.testing.assert_array_equal(rows, ROWS)


def test_a_number_has_its_likeliest_mode_and_alpha_is_clipped():
    """Between modes of deviations 2 and 4 the wider one reaches further."""
    seen = MODALITY.encode(np.array([[14, 0, 0, 0], [12, 0, 0, 0], [60, 0, 0, 0]], np.float32))
    np.testing.assert_array_equal(seen[:, 1:4], [[0, 1, 0], [1, 0, 0], [0, 1, 0]])
    # (x - 5)^2 / 8 + log 2 = (x - 30)^2 / 32 + log 4 where x = 13.27.
    np.testing.assert_allclose(seen[:, 0], [-1, 7 / 8, 1])


def test_a_narrow_mode_is_likelier_where_both_reach():
    """2 is 2 narrow deviations off, and 1.8 wide ones, whose density is a tenth."""
    column = {**methods.COLUMNS[0], 'means': [0.0, 20.0], 'deviations': [1.0, 10.0]}
    modality = modalities.make(methods.TABLE | {'columns': [column]})
    rows = np.array([[2], [4]], np.float32)
    np.testing.assert_array_equal(modality.encode(rows)[:, 1:3], [[1, 0], [0, 1]])


def test_what_is_decoded_is_rounded_and_within_the_bounds():
    rows = np.zeros((3, 9), np.float32)
    rows[:, 0], rows[:, 4], rows[:, 7] = [0.3, -1, 5], 1, 1
    rows[0, 1] = rows[1, 1] = rows[2, 2] = 1
    np.testing.assert_array_equal(MODALITY.decode(rows)[:, 0], [7, 0, 40])  # 7.4, -3, 46


def test_heads_say_what_each_part_is_and_conditions_how_often_each_category_comes():
    heads = (('number', 1), ('mode', 3), ('category', 3), ('category', 2))
    assert MODALITY.fields['heads'] == heads
    shares = MODALITY.fields['condition_shares']
    np.testing.assert_allclose(shares, [0.25, 0.15, 0.1, 0.375, 0.125])
    assert sum(shares) == pytest.approx(1)


def test_the_settings_make_it_again():
    again = modalities.make(json.loads(json.dumps({'name': 'tables', **MODALITY.settings})))
    assert again.fields == MODALITY.fields
    np.testing.assert_array_equal(again.encode(ROWS), SEEN)


def test_files_have_the_columns_own_types_header_and_order(tmp_path):
    arrays, table = MODALITY.write(tmp_path / 'made', ROWS)
    assert (arrays.name, table.name) == ('made.npz', 'made.csv')
    text = 'size,sort,same,income\r\n4,a,x,no\r\n19,c,x,yes\r\n,b,x,no\r\n37,b,x,yes\r\n'
    assert table.read_bytes().decode() == text
    made = np.load(arrays)['table']
    assert made.dtype.names == ('size', 'sort', 'same', 'income')
    np.testing.assert_array_equal(made['size'], [4, 19, np.nan, 37])
    assert made['income'].tolist() == ['no', 'yes', 'no', 'yes']


def test_panels_show_shares_of_real_and_generated_rows_over_correlations():
    real, made = ROWS[[0, 0, 1, 2]], ROWS[[3, 3, 3, 3]]
    of_sizes, of_sorts = (
        tables._shares(methods.COLUMNS[i], made[:, i], real[:, i]) for i in (0, 1)
    )
    assert len(of_sizes[0]) == 1 + vectors.BINS  # missing ones first
    assert (of_sizes[0][0], of_sizes[1][0]) == (0.25, 0)
    assert of_sizes[0].sum() == of_sizes[1].sum() == 1
    np.testing.assert_array_equal(of_sorts, [[0.5, 0.25, 0.25], [0, 1, 0]])
    picture = MODALITY.picture(made, real)
    assert picture.dtype == np.uint8
    assert picture.shape[2] == 3
    assert MODALITY.picture(made[:0], real).shape == picture.shape


def test_correlations_leave_missing_numbers_out():
    rows = np.array([[1, 2, 5], [2, 4, 5], [3, 6, 5], [GONE, 0, 5]], np.float32)
    found = tables.correlation(rows)
    np.testing.assert_allclose(found[2], 0)
    x, y = np.array([1, 2, 3.0]) - 2, np.array([2, 4, 6, 0]) - 3.0
    want = (x @ y[:3]) / np.sqrt((x @ x) * (y @ y))
    assert found[0, 1] == pytest.approx(want)


@pytest.fixture(scope='module')
def workdir(tmp_path_factory):
    folder = tmp_path_factory.mktemp('run')
    rows = [
        ['' if i % 9 == 0 else row[0], *row[1:], 'always', f'remark {i}', 'no' if i % 3 else 'yes']
        for i, row in enumerate(table_files.ROWS)
    ]
    header = [*table_files.HEADER, 'same', 'remark', 'income']
    path = table_files.stored(folder, rows, header)
    config = methods.shrunk('ctgan_census', dataset=f'table:{path}', steps=4, eval_every=4)
    config['data'] = config['data'] | {'categorical': (), 'target': 'income'}
    config |= {'log_every': 2, 'sample_every': 4, 'checkpoint_every': 4}
    train(config, folder / 'run')
    return folder


def test_a_table_in_is_a_table_out_with_its_header_types_and_bounds(workdir):
    picture, arrays, file = sample.sample(workdir / 'run', num=50, seed=1)
    assert Image.open(picture).mode == 'RGB'
    with file.open(newline='', encoding='utf-8') as stream:
        header, *rows = csv.reader(stream)
    with (workdir / 'table.csv').open(newline='', encoding='utf-8') as stream:
        was, *real = csv.reader(stream)
    free = was.index('remark')  # free text is left out
    assert header == [x for x in was if x != 'remark']
    real = [[*row[:free], *row[free + 1 :]] for row in real]
    assert len(rows) == len(np.load(arrays)['table']) == 50
    for place, name in enumerate(header):
        cells, known = ([row[place] for row in x] for x in (rows, real))
        if name in ('sort', 'same', 'income'):
            assert {*cells} <= {*known}
            continue
        assert ('' in cells) <= ('' in known)
        cells, known = ([x for x in y if x] for y in (cells, known))
        read = str if name == 'since' else float
        assert min(map(read, known)) <= min(map(read, cells))
        assert max(map(read, cells)) <= max(map(read, known))
        decimals = {len(x.partition('.')[2]) for x in cells}
        assert decimals == ({2} if name == 'price' else {0})


def test_a_run_of_a_table_is_logged_pictured_evaluated_and_reported(workdir):
    run = workdir / 'run'
    lines = [json.loads(x) for x in (run / 'metrics.jsonl').read_text().splitlines()]
    assert 0 < lines[-1]['eval/column_shapes'] < 1
    assert any('generator/condition_loss' in x for x in lines)
    figures = evaluate.evaluate(run, num=40)['figures']
    for name in ('column_shapes', 'pair_trends', 'adherence', 'closest_train_share'):
        assert 0 <= figures[name]['raw'] <= 1
        assert 0 <= figures[name]['real'] <= 1
    assert figures['adherence']['raw'] == 1
    assert figures['column_shapes']['real'] > figures['column_shapes']['raw']
    assert figures['prediction_f1']['real'] is not None
    assert 'column_shapes' in report.write_report(run).read_text()


def test_gradients_pass_what_is_encoded_in_compiled_code():
    """No operation of the encoding makes a NaN of a missing number."""
    total = jax.grad(lambda x: jnp.sum(MODALITY.encode(x)))(jnp.asarray(ROWS))
    assert np.isfinite(total).all()
