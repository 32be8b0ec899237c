import numpy as np
import pytest

from gan_jax.data.vectors import vectors
from gan_jax.errors import NoSplit, UserError

ROWS = np.array([[1, 10, 7], [3, 20, 7], [5, 60, 7], [7, 30, 7]], np.float64)


def stored(folder, **arrays):
    np.savez(folder / 'table.npz', **arrays)
    return str(folder / 'table.npz')


def one_line(error):
    text = str(error.value)
    assert '\n' not in text
    assert 'config.' in text
    return text


def test_columns_have_their_names_means_and_deviations(tmp_path):
    path = stored(tmp_path, train=ROWS, names=['size', 'weight', 'age'])
    dataset = vectors(path)
    assert dataset.name == f'vectors:{path}'
    assert dataset.kind == 'vectors'
    assert dataset.shape == (3,)
    assert len(dataset) == 4
    assert dataset.fitted['names'] == ['size', 'weight', 'age']
    np.testing.assert_allclose(dataset.fitted['means'], [4, 30, 7])
    # Of 1, 3, 5, 7 and of 10, 20, 60, 30, over n; a constant column is not scaled.
    np.testing.assert_allclose(dataset.fitted['deviations'], [5**0.5, 350**0.5, 1])
    rows = dataset.batch(np.array([2, 0]))['real']
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, ROWS[[2, 0]])


def test_columns_without_names_are_numbered(tmp_path):
    assert vectors(stored(tmp_path, train=ROWS)).fitted['names'] == ['0', '1', '2']


def test_another_split_is_standardised_as_the_training_rows_are(tmp_path):
    path = stored(tmp_path, train=ROWS, test=ROWS[:2] + 100)
    train, test = vectors(path), vectors(path, 'test')
    assert test.fitted == train.fitted
    np.testing.assert_array_equal(test.batch(np.arange(2))['real'], ROWS[:2] + 100)


def test_whole_numbers_and_a_home_are_read(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    stored(tmp_path, train=ROWS.astype(int))
    rows = vectors('~/table.npz').batch(np.arange(4))['real']
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, ROWS)


def test_rows_that_are_not_finite_are_counted_and_left_out(tmp_path):
    rows = np.tile(ROWS, (50, 1))
    rows[3, 1], rows[9, 0] = np.nan, np.inf
    path = stored(tmp_path, train=rows)
    dataset = vectors(path, max_bad=0.01)
    assert len(dataset) == 198
    assert [name for name, _ in dataset.bad] == ['row 3', 'row 9']
    assert {reason for _, reason in dataset.bad} == {'not finite'}
    good = np.delete(rows, [3, 9], axis=0)
    np.testing.assert_array_equal(dataset.batch(np.arange(198))['real'], good)
    np.testing.assert_allclose(dataset.fitted['means'], good.mean(axis=0))
    np.testing.assert_allclose(dataset.fitted['deviations'][:2], good.std(axis=0)[:2])
    with pytest.raises(UserError) as error:
        vectors(path, max_bad=0.009)
    text = one_line(error)
    assert '2' in text
    assert 'max_bad' in text


def test_a_file_that_is_not_one_is_named(tmp_path):
    (tmp_path / 'text.npz').write_text('not an archive')
    for name in ('text.npz', 'none.npz'):
        with pytest.raises(UserError) as error:
            vectors(str(tmp_path / name))
        assert f'{name} cannot be read' in one_line(error)


@pytest.mark.parametrize(
    ('arrays', 'words'),
    [
        ({'rows': ROWS}, "has no array 'train'"),
        ({'train': ROWS[0]}, 'train is float64 (3,); numbers [n, d]'),
        ({'train': ROWS[None]}, 'train is float64 (1, 4, 3)'),
        ({'train': ROWS[:0]}, 'train is float64 (0, 3)'),
        ({'train': ROWS.astype(str)}, 'numbers [n, d]'),
        ({'train': ROWS, 'test': ROWS[:, :2]}, 'test has 2 columns, train 3'),
        ({'train': ROWS, 'test': ROWS, 'names': ['a', 'b']}, 'there are 2 names'),
    ],
)
def test_arrays_that_do_not_fit_are_named(tmp_path, arrays, words):
    split = 'test' if 'test' in arrays else 'train'
    with pytest.raises(UserError) as error:
        vectors(stored(tmp_path, **arrays), split)
    assert words in one_line(error)


def test_an_unknown_split_is_named_with_those_there_are(tmp_path):
    path = stored(tmp_path, train=ROWS, held=ROWS, names=['a', 'b', 'c'])
    with pytest.raises(NoSplit) as error:
        vectors(path, 'test')
    text = one_line(error)
    assert "'test' is no split" in text
    assert text.endswith('valid: held, train')
