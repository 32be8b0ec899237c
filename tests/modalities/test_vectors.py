"""Rows of numbers: what networks see of them, their pictures, and a run on scikit-learn's wines."""

import csv
import json

import methods
import numpy as np
import pytest
from PIL import Image
from sklearn import datasets

from gan_jax import modalities
from gan_jax.commands import evaluate, report, sample
from gan_jax.data import vectors as data
from gan_jax.loop import train
from gan_jax.modalities import vectors

WINE = datasets.load_wine()


@pytest.fixture(scope='module')
def wine(tmp_path_factory):
    file = tmp_path_factory.mktemp('wine') / 'wine.npz'
    np.savez(file, train=WINE.data[:150], test=WINE.data[150:], names=WINE.feature_names)
    return file


@pytest.fixture(scope='module')
def workdir(wine, tmp_path_factory):
    folder = tmp_path_factory.mktemp('run')
    config = methods.shrunk('vectors', dataset=f'vectors:{wine}', steps=4, eval_every=4)
    config |= {'log_every': 2, 'sample_every': 4, 'checkpoint_every': 4}
    train(config, folder)
    return folder


def test_networks_see_columns_of_no_mean_and_unit_variance(wine):
    dataset = data.vectors(str(wine))
    modality = modalities.make(modalities.settings_of(dataset))
    rows = dataset.batch(np.arange(len(dataset)))['real']
    seen = np.asarray(modality.encode(rows))
    assert seen.dtype == np.float32
    np.testing.assert_allclose(seen.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(seen.std(axis=0), 1, atol=1e-5)
    np.testing.assert_allclose(modality.decode(seen), rows, rtol=1e-5, atol=1e-5)
    assert modality.shape == (13,)
    assert modality.thumbnails is None


def test_decode_gives_the_units_back():
    made = vectors.make({'shape': [3], **methods.STANDARD})
    rows = np.array([[0, 0, 0], [1, -2, 3]], np.float32)
    np.testing.assert_allclose(made.decode(rows), [[5, -1, 0], [7, -1.2, 3]], rtol=1e-6)
    np.testing.assert_allclose(made.encode(made.decode(rows)), rows, atol=1e-5)


def test_a_run_of_wines_is_sampled_in_the_datas_units(workdir):
    picture, arrays, table = sample.sample(workdir, num=20, seed=1)
    assert [x.name for x in (picture, arrays, table)] == ['seed_1.png', 'seed_1.npz', 'seed_1.csv']
    rows = np.load(arrays)['vectors']
    assert rows.shape == (20, 13)
    assert rows.dtype == np.float32
    with table.open(newline='', encoding='utf-8') as stream:
        header, *written = csv.reader(stream)
    assert header == WINE.feature_names
    np.testing.assert_array_equal(np.array(written, np.float32), rows)
    # An untrained network's outputs are around 0 and of about 1, where columns are standardised:
    # in the data's units they lie around the data and spread by 0.1 (hue) to 300 (proline).
    real = WINE.data[:150]
    assert np.abs((rows.mean(axis=0) - real.mean(axis=0)) / real.std(axis=0)).max() < 3
    spread = rows.std(axis=0) / real.std(axis=0)
    assert spread.min() > 0.03
    assert spread.max() < 30


def test_a_run_of_wines_is_logged_pictured_evaluated_and_reported(workdir):
    lines = [json.loads(x) for x in (workdir / 'metrics.jsonl').read_text().splitlines()]
    assert lines[-1]['eval/sliced_wasserstein'] > 0
    for name in ('real', '00000004'):
        assert Image.open(workdir / 'samples' / f'{name}.png').mode == 'RGB'
    found = evaluate.evaluate(workdir, num=28)['figures']['sliced_wasserstein']
    assert min(found[version] for version in ('ema', 'raw', 'real')) > 0
    page = report.write_report(workdir).read_text()
    assert 'sliced_wasserstein' in page
    assert 'data:image/png;base64,' in page


def column(picture, place):
    """Where a colour of a histogram's panel is, of the only row: (count real, count generated)."""
    left = vectors.GAP + place * (vectors.PANEL[0] + vectors.GAP)
    top = vectors.GAP + 2 * vectors.TITLE  # below the legend and the column's name
    panel = picture[top : -vectors.GAP, left : left + vectors.PANEL[0] + 1]
    return [(panel == np.uint8(x)).all(axis=-1) for x in (vectors.REAL, vectors.FAKE)]


def test_histograms_show_real_rows_filled_and_generated_ones_as_a_line():
    real = np.repeat(np.array([[0.0, 0.0], [1.0, 10.0]], np.float32), [30, 10], axis=0)
    made = np.ones((8, 2), np.float32)
    picture = vectors.histograms(made, real, ['left', 'right'], columns=2)
    (width, height), gap = vectors.PANEL, vectors.GAP
    assert picture.shape == (2 * gap + height + 2 * vectors.TITLE, 2 * (width + gap) + gap, 3)
    assert picture.dtype == np.uint8
    bars, line = column(picture, 0)
    # Bins 2 and 21 of 24: 3/4 and 1/4 of the real rows, all of the generated ones in the latter.
    heights = bars[:-1].sum(axis=0)
    assert heights[: width // 2].max() == pytest.approx(0.75 * height, abs=2)
    assert heights[width // 2 : width].max() == pytest.approx(0.25 * height, abs=3)
    assert line[:2, width // 2 :].any()  # as high as the panel, of all rows
    assert not line[: height - 4, : width // 2].any()
    _, line = column(picture, 1)  # generated rows at a tenth of the real ones' extent
    assert line[: height // 2, : width // 2].any()
    assert not line[: height // 2, width // 2 :].any()


def test_histograms_of_nothing_real_of_nothing_at_all_and_of_many_columns():
    rows = np.random.default_rng(0).normal(size=(9, 40)).astype(np.float32)
    names = [str(i) for i in range(40)]
    square = 6 * (vectors.PANEL[0] + vectors.GAP) + vectors.GAP
    assert vectors.histograms(rows, rows[:0], names).shape[1] == square  # 36 in six rows
    empty = vectors.histograms(rows[:0, :2], rows[:0, :2], names[:2])
    below = empty[vectors.GAP + vectors.TITLE :]  # the legend
    assert not (below == np.uint8(vectors.FAKE)).all(axis=-1).any()
    constant = vectors.histograms(rows[:, :1] * 0 + 3, rows[:, :1] * 0 + 3, names[:1])
    assert (constant == np.uint8(vectors.FAKE)).all(axis=-1).any()
