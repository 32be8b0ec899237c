"""Series: what networks see of them, their pictures and files, and a run on a table of prices."""

import csv
import json

import jax
import methods
import numpy as np
import pytest

from gan_jax import modalities
from gan_jax.commands import evaluate, report, sample
from gan_jax.evaluation import judges
from gan_jax.loop import train
from gan_jax.modalities import series

SETTINGS = {x: methods.SERIES[x] for x in ('shape', 'names', 'minima', 'maxima')}


@pytest.fixture(scope='module')
def prices(tmp_path_factory):
    file = tmp_path_factory.mktemp('prices') / 'prices.csv'
    steps = np.random.default_rng(0).normal(size=(150, 3)) * [1, 10, 0]
    np.savetxt(file, 100 + steps.cumsum(axis=0), delimiter=',', header='a,b,c', comments='')
    return file


@pytest.fixture(scope='module')
def workdir(prices, tmp_path_factory):
    folder = tmp_path_factory.mktemp('run')
    config = methods.shrunk('rcgan', dataset=f'series:{prices}', steps=4, eval_every=4)
    config |= {'log_every': 2, 'sample_every': 4, 'checkpoint_every': 4}
    config['evaluation'] = config['evaluation'] | {'repeats': 2}
    train(config, folder)
    return folder


def test_networks_see_each_feature_from_its_minimum_to_its_maximum():
    modality = modalities.make(methods.SERIES)
    stored = np.array([[[0, -1, 2], [1, 1, 2.5]], [[0.5, 0, 3], [2, -2, 2]]], np.float32)
    seen = modality.encode(stored)
    expected = [[[0, 0, 0], [1, 1, 1]], [[0.5, 0.5, 2], [2, -0.5, 0]]]  # nothing is clipped
    np.testing.assert_allclose(seen, expected, rtol=1e-6)
    np.testing.assert_allclose(modality.decode(seen), stored, rtol=1e-6)
    np.testing.assert_array_equal(modality.sequences(stored), seen)
    assert modality.shape == (4, 3)
    assert modality.thumbnails is None


def test_a_constant_feature_is_not_scaled():
    made = series.make(SETTINGS | {'minima': [0.0, 5.0, 0.0], 'maxima': [1.0, 5.0, 1.0]})
    stored = np.full((1, 2, 3), 5, np.float32)
    np.testing.assert_array_equal(made.encode(stored)[..., 1], 0)
    np.testing.assert_array_equal(made.decode(made.encode(stored)), stored)


def test_other_kinds_have_no_order_in_time():
    for settings in ({'name': 'points', 'shape': [2]}, {'name': 'images', 'shape': [8, 8, 1]}):
        assert modalities.make(settings).sequences is None


def test_series_are_written_step_by_step_in_the_datas_units(workdir, prices):
    picture, arrays, table = sample.sample(workdir, num=6, seed=1)
    assert [x.name for x in (picture, arrays, table)] == ['seed_1.png', 'seed_1.npz', 'seed_1.csv']
    drawn = np.load(arrays)['series']
    assert drawn.shape == (6, 4, 3)
    assert drawn.dtype == np.float32
    with table.open(newline='', encoding='utf-8') as stream:
        header, *rows = csv.reader(stream)
    assert header == ['series', 'step', 'a', 'b', 'c']
    assert [row[:2] for row in rows[:5]] == [
        ['0', '0'],
        ['0', '1'],
        ['0', '2'],
        ['0', '3'],
        ['1', '0'],
    ]
    written = np.array([row[2:] for row in rows], np.float32)
    np.testing.assert_array_equal(written, drawn.reshape(-1, 3))
    real = np.loadtxt(prices, delimiter=',', skiprows=1)[:120]
    low, high = real.min(axis=0), np.maximum(real.max(axis=0), real.min(axis=0) + 1)
    assert (drawn >= low - 1e-3).all()  # a sigmoid's range; the constant feature's is 1
    assert (drawn <= high + 1e-3).all()


@pytest.mark.slow
def test_a_run_is_logged_evaluated_and_reported(workdir, monkeypatch):
    monkeypatch.setattr(judges, 'STEPS', 3)
    monkeypatch.setattr(judges, 'PREDICTOR_STEPS', 3)
    lines = [json.loads(x) for x in (workdir / 'metrics.jsonl').read_text().splitlines()]
    assert lines[-1]['eval/sliced_wasserstein'] > 0
    with jax.numpy_dtype_promotion('standard'):  # as Adam needs it
        found = evaluate.evaluate(workdir, num=20)['figures']
    for name in series.METRICS:
        assert min(found[name][version] for version in ('raw', 'real')) >= 0
        assert found[name]['better'] == 'less'
    assert 'predictive_score' in report.write_report(workdir).read_text()


def lit(panel):
    """Where curves are, of real series and of generated ones: lines are smooth, so colours mix."""
    red, green = (panel[..., i].astype(int) for i in range(2))
    return (red < 220) & (red - green < 20), red - green > 60


def test_pictures_show_generated_curves_over_real_ones():
    real = np.zeros((3, 5, 2), np.float32)
    real[:, :, 0] = np.arange(5)  # rises from one corner to the other
    made = np.full((2, 5, 2), 4, np.float32)  # the top of feature 0, far out of that of feature 1
    picture = series.curves(made, real, ['rising', 'flat'])
    (width, height), gap = series.PANEL, series.GAP
    assert picture.shape == (height + 2 * gap + 2 * series.TITLE, 2 * (width + gap) + gap, 3)
    assert picture.dtype == np.uint8
    top = gap + 2 * series.TITLE
    left, right = (
        picture[top : top + height, gap + i * (width + gap) :][:, :width] for i in range(2)
    )
    (real_left, made_left), (real_right, made_right) = lit(left), lit(right)
    rows, columns = np.nonzero(real_left)
    assert np.corrcoef(rows, columns)[0, 1] < -0.99
    rows, _ = np.nonzero(made_left)
    share = 0.4 / 4.8  # a margin of a tenth of the extent on either side
    np.testing.assert_allclose(rows / height, share, atol=0.02)
    assert real_right.any()
    assert not made_right.any()


def test_pictures_of_nothing_and_of_many_features():
    drawn = np.random.default_rng(0).normal(size=(40, 6, 40)).astype(np.float32)
    names = [str(i) for i in range(40)]
    square = 6 * (series.PANEL[0] + series.GAP) + series.GAP
    assert series.curves(drawn, drawn[:0], names).shape[1] == square  # 36 in six rows
    empty = series.curves(drawn[:0, :, :1], drawn[:0, :, :1], names[:1])
    assert not any(x.any() for x in lit(empty[series.GAP + 2 * series.TITLE :]))
