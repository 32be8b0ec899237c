import collections
import itertools

import numpy as np
import pytest

from gan_jax import data
from gan_jax.data import oracle, text
from gan_jax.errors import NoSplit, UserError


def load(path, split='all', **options):
    return data.load(f'text:{path}', image_size=None, split=split, **options)


def every(dataset):
    return dataset.batch(np.arange(len(dataset)))['real']


def refused(call, *args, **options):
    with pytest.raises(UserError) as error:
        call(*args, **options)
    assert '\n' not in str(error.value)
    return str(error.value)


def test_lines_are_examples_of_a_vocabulary_that_begins_with_the_end(tmp_path):
    (tmp_path / 'a.txt').write_bytes('\ufeffbad\r\n\n  ab c \n'.encode())
    (tmp_path / 'b.txt').write_text('é')
    (tmp_path / 'c.csv').write_text('no text')
    dataset = load(tmp_path, length=4)
    assert dataset.fitted['vocabulary'] == ['', ' ', 'a', 'b', 'c', 'd', 'é']
    assert dataset.fitted['size'] == 7
    assert dataset.shape == (4,)
    assert every(dataset).dtype == np.int32
    told = dataset.fitted['vocabulary'], 'characters'
    assert sorted(text.as_lines(every(dataset), *told)) == ['ab c', 'bad', 'é']
    assert [2, 3, 1, 4] in every(dataset).tolist()
    assert [6, 0, 0, 0] in every(dataset).tolist()


def test_words_are_tokens_too(tmp_path):
    (tmp_path / 'a.txt').write_text('to be or\nnot  to be')
    dataset = load(tmp_path / 'a.txt', length=3, unit='words')
    vocabulary = ['', 'be', 'not', 'or', 'to']
    assert dataset.fitted['vocabulary'] == vocabulary
    lines = text.as_lines(np.array([[4, 1, 0], [2, 4, 1]]), vocabulary, 'words')
    assert lines == ['to be', 'not to be']


def test_equal_lines_are_in_one_split_and_nothing_is_lost(tmp_path):
    words = [''.join(x) for x in itertools.product('abcd', repeat=3)]
    (tmp_path / 'a.txt').write_text('\n'.join(3 * words))
    parts = {x: text.as_lines(every(load(tmp_path, x)), ['', *'abcd'], 'characters')
             for x in ('train', 'test', 'all')}  # fmt: skip
    assert len(parts['test']) == 3 * 6
    assert not {*parts['train']} & {*parts['test']}
    counts = [collections.Counter(x) for x in parts.values()]
    assert counts[0] + counts[1] == counts[2] == collections.Counter(3 * words)


def test_lines_that_cannot_be_used_are_named_and_borne_up_to_a_share(tmp_path):
    (tmp_path / 'a.txt').write_bytes(b'good\nfar too long\n\xff\xfe\nok\x07\nfine\n')
    dataset = load(tmp_path, length=8, max_bad=0.6)
    assert dict(dataset.bad) == {
        'a.txt line 2': 'longer than 8 characters',
        'a.txt line 3': 'not UTF-8',
        'a.txt line 4': 'unprintable',
    }
    said = refused(load, tmp_path, length=8)
    assert '3 of 5 lines (60.0%) cannot be used' in said
    assert 'raise config.data.max_bad' in said


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        ({'split': 'valid'}, 'valid: train, test, all'),
        ({'split': 'test'}, 'its split test has no lines; give more lines'),
        ({'dictionary': 'nowhere'}, 'config.data.dictionary=nowhere cannot be read'),
        ({'rate': 8000}, 'has no use for it; leave it at None'),
    ],
)
def test_what_cannot_be_is_one_line(options, words, tmp_path):
    (tmp_path / 'a.txt').write_text('one\ntwo\n')
    assert words in refused(load, tmp_path, **options)


def test_missing_files_and_endless_vocabularies_are_one_line(tmp_path, monkeypatch):
    assert 'has no file *.txt' in refused(load, tmp_path)
    assert 'cannot be read' in refused(load, tmp_path / 'none.txt')
    (tmp_path / 'a.txt').write_text('a b c d')
    monkeypatch.setattr(text, 'MOST', 4)
    assert 'take config.data.unit=characters' in refused(load, tmp_path, unit='words')
    (tmp_path / 'empty').write_text('\n')
    assert 'has no words' in refused(text.read_dictionary, str(tmp_path / 'empty'))


LAW = oracle.make(3, vocabulary=4, width=3)
EVERY = np.array(list(itertools.product(range(4), repeat=3)), np.int32)


def test_the_oracles_law_is_a_law_and_its_samples_are_its_own():
    """The mean NLL of samples is the entropy, by all 64 sequences."""
    logs = LAW.log_likelihood(EVERY).sum(axis=1).astype(np.float64)
    shares = np.exp(logs)
    assert shares.sum() == pytest.approx(1, abs=1e-5)
    entropy = -shares @ logs
    deviation = np.sqrt(shares @ np.square(logs) - entropy**2)
    drawn = LAW.sample(4000, 3, seed=0)
    found = -LAW.log_likelihood(drawn).sum(axis=1).mean()
    assert abs(found - entropy) < 4 * deviation / np.sqrt(4000)
    assert entropy < 3 * np.log(4) - 0.1  # uniform tokens would have that


def test_the_oracle_as_a_data_set():
    small = {'length': 5, 'vocabulary': 6}
    train, test = (
        data.load('oracle:2', image_size=None, split=x, **small) for x in ('train', 'test')
    )
    assert train.shape == (5,)
    assert len(train) == len(test) == 10_000
    assert train.fitted['oracle'] == {'seed': 2, 'vocabulary': 6}
    assert (every(train) != every(test)).any()
    assert every(train).max() == 5
    again = data.load('oracle:2', image_size=None, **small)
    np.testing.assert_array_equal(every(train), every(again))


def test_what_an_oracle_cannot_be_is_one_line():
    for name in ('oracle:', 'oracle:x'):
        assert 'as in oracle:7' in refused(oracle.load, name, 'train')
    with pytest.raises(NoSplit, match='valid: train, test'):
        oracle.load('oracle', 'all')
