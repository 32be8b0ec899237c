import numpy as np
import pytest

from gan_jax import data
from gan_jax.data import series
from gan_jax.errors import NoSplit, UserError

HEADER = 'open,close'


def table(folder, num=10, name='prices.csv', start=0, changes=None):
    """Rows (i, 10 i), i = start, ..., of which some lines are others."""
    lines = [f'{i},{10 * i}' for i in range(start, start + num)]
    for place, line in (changes or {}).items():
        lines[place] = line
    (folder / name).write_text('\n'.join([HEADER, *lines]) + '\n')
    return str(folder / name)


def every(dataset):
    return dataset.batch(np.arange(len(dataset)))['real']


def message(error):
    text = str(error.value)
    assert '\n' not in text
    assert 'config.' in text
    return text


def test_sines_of_the_authors_code():
    """sin(f t + p), f and p in [0, 0.1], as (x + 1) / 2: at t = 0 within sin 0 and sin 0.1."""
    dataset = data.load('sines', image_size=None)
    waves = every(dataset)
    assert waves.shape == (10_000, 24, 5)
    assert waves.dtype == np.float32
    assert dataset.kind == 'series'
    first = waves[:, 0]
    assert first.min() >= 0.5
    assert first.max() <= (np.sin(0.1) + 1) / 2 + 1e-6
    np.testing.assert_allclose(first.mean(), (1 - np.cos(0.1)) / 0.1 / 2 + 0.5, atol=1e-3)
    # sin(a + 2 f) + sin(a) = 2 cos(f) sin(a + f): every step follows from the two before it.
    x = 2 * waves.astype(np.float64) - 1
    cosine = np.cos(np.arcsin(x[:, 1]) - np.arcsin(x[:, 0]))
    np.testing.assert_allclose(x[:, 2], 2 * cosine * x[:, 1] - x[:, 0], atol=1e-4)
    assert np.abs(np.corrcoef(waves[:, 12].T) - np.eye(5)).max() < 0.05
    assert dataset.fitted['minima'] == [0] * 5
    assert dataset.fitted['maxima'] == [1] * 5


def test_sines_of_the_paper_have_any_phase_and_frequency():
    waves = every(data.load('sines_paper', image_size=None, length=3))
    assert waves.shape == (10_000, 3, 5)
    x = 2 * waves - 1
    np.testing.assert_allclose(x.mean(axis=(0, 2)), 0, atol=0.02)
    np.testing.assert_allclose(np.square(x).mean(axis=(0, 2)), 0.5, atol=0.02)
    # A whole turn of 2 pi f a step, f uniform: neighbours are not correlated.
    assert np.abs(np.mean(x[:, 0] * x[:, 1])) < 0.02


def test_held_out_sines_are_others_of_the_same_kind():
    train, test = (every(data.load('sines', image_size=None, split=x)) for x in ('train', 'test'))
    assert not np.isclose(train, test).all(axis=(1, 2)).any()
    np.testing.assert_allclose(train.mean(axis=0), test.mean(axis=0), atol=0.02)
    with pytest.raises(UserError, match='valid: train, test'):
        data.load('sines', image_size=None, split='all')


def test_windows_are_one_row_apart_and_stay_on_their_side_of_the_bound(tmp_path):
    path = table(tmp_path)
    dataset = data.load(f'series:{path}', image_size=None, length=3)
    expected = np.stack([np.arange(i, i + 3) for i in range(6)])  # of the first 8 rows
    np.testing.assert_array_equal(every(dataset)[..., 0], expected)
    np.testing.assert_array_equal(every(dataset)[..., 1], 10 * expected)
    np.testing.assert_array_equal(dataset.fetch(np.array([4, 1]))[:, 0, 0], [4, 1])
    test = series.windows(path, 'test', 2)
    np.testing.assert_array_equal(every(test)[..., 0], [[8, 9]])
    assert len(series.windows(path, 'all', 3)) == 8


def test_extents_are_those_of_the_training_rows(tmp_path):
    path = table(tmp_path)
    fitted = {x: series.windows(path, x, 2).fitted for x in ('train', 'test', 'all')}
    assert fitted['train'] == fitted['test']
    assert fitted['train'] == {'names': ['open', 'close'], 'minima': [0, 0], 'maxima': [7, 70]}
    assert fitted['all']['maxima'] == [9, 90]


def test_no_window_goes_from_one_file_to_another(tmp_path):
    table(tmp_path, 4, 'a.csv')
    table(tmp_path, 5, 'b.csv', start=100)
    first = every(series.windows(str(tmp_path), 'all', 3))[:, 0, 0]
    np.testing.assert_array_equal(first, [0, 1, 100, 101, 102])
    (tmp_path / 'c.csv').write_text('close,open\n1,2\n')
    with pytest.raises(UserError) as error:
        series.windows(str(tmp_path), 'all', 3)
    assert 'c.csv has the columns close, open, a.csv open, close' in message(error)


def test_damaged_rows_are_named_and_no_window_goes_over_one(tmp_path):
    changes = {2: '2', 5: '5,', 7: '7,inf'}
    path = table(tmp_path, 12, changes=changes)
    dataset = series.windows(path, 'all', 2, max_bad=0.25)
    assert dataset.bad == tuple((f'prices.csv line {i}', 'not numbers') for i in (4, 7, 9))
    np.testing.assert_array_equal(every(dataset)[:, 0, 0], [0, 3, 8, 9, 10])
    assert np.isfinite(every(dataset)).all()
    assert dataset.fitted['maxima'] == [11, 110]
    with pytest.raises(UserError) as error:
        series.windows(path, 'all', 2, max_bad=0.2)
    text = message(error)
    assert '3 of 12 rows (25.0%)' in text
    assert 'prices.csv line 4' in text


def test_columns_that_are_no_numbers_are_refused_by_name(tmp_path):
    lines = ['day,open', *(f'2020-01-{i:02d},{i}' for i in range(1, 9))]
    (tmp_path / 'dated.csv').write_text('\n'.join(lines))
    with pytest.raises(UserError) as error:
        series.windows(str(tmp_path / 'dated.csv'))
    text = message(error)
    assert "the column day holds no numbers, such as '2020-01-01'" in text
    assert 'leave that column out' in text


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        ('1,2\n3,4\n', 'does not name the columns'),
        ('open,\n3,4\n', 'does not name the columns'),
        ('open,close\n', 'has no rows'),
        ('', 'has no rows'),
        ('open,close\n"1,2\n', 'cannot be read'),
    ],
)
def test_files_that_are_no_tables_are_named(tmp_path, content, words):
    (tmp_path / 'odd.csv').write_text(content)
    with pytest.raises(UserError) as error:
        series.windows(str(tmp_path / 'odd.csv'))
    text = message(error)
    assert 'odd.csv' in text
    assert words in text


def test_what_is_not_there_is_named(tmp_path):
    for path, words in ((tmp_path, 'no file *.csv'), (tmp_path / 'no.csv', 'no.csv cannot be')):
        with pytest.raises(UserError) as error:
            series.windows(str(path))
        assert words in message(error)


def test_too_few_rows_and_unknown_splits_are_one_line(tmp_path):
    path = table(tmp_path)
    with pytest.raises(UserError) as error:
        series.windows(path, 'train', 9)
    assert 'no 9 sound rows one after the other; give fewer in config.data.length' in message(error)
    with pytest.raises(NoSplit):  # so that an evaluation takes the training rows
        series.windows(path, 'test', 3)
    with pytest.raises(NoSplit) as error:
        series.windows(path, 'validation', 3)
    assert message(error).endswith('valid: train, test, all')


def test_a_length_is_of_series_only(tmp_path):
    for name in ('ring8', 'mnist_5k', 'vectors:none.npz'):
        with pytest.raises(UserError, match=r'config\.data\.length=4: .* leave it at None'):
            data.load(name, image_size=None, length=4)
    for options in ({'image_size': 8}, {'image_size': None, 'channels': 1}):
        with pytest.raises(UserError, match='has no images'):
            data.load('sines', **options)
    with pytest.raises(UserError, match='cannot be stacked'):
        data.load('stacked:sines', image_size=None)
    with pytest.raises(UserError, match='no set of single images'):
        data.load_as_is('--real', 'sines')
