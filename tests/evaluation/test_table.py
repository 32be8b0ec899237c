import math

import pytest

from gan_jax.evaluation import table
from gan_jax.evaluation.evaluator import Found


def found(**values):
    return Found({name.replace('_err', '/stderr'): x for name, x in values.items()})


def record(**changes):
    return {
        'generated': 100, 'real_images': 90, 'width': 4, 'real': 'noise', 'split': 'test',
        'features': None, 'floor': '100 of train against 90 of test', **changes,
    }  # fmt: skip


def test_rows_say_where_better_is_and_why_a_number_is_missing():
    raw = found(recall=0.5, recall_err=0.01, l1=math.nan)
    raw.missing['l1'] = 'no images'
    rows, missing = table.rows({'raw': [raw]}, found(recall=0.75))
    assert rows == {
        'recall': {'raw': 0.5, 'stderr': 0.01, 'real': 0.75, 'better': 'more'},
        'l1': {'raw': None, 'stderr': None, 'real': None, 'better': 'less'},
    }
    assert missing == {'l1': 'raw: no images'}


def test_of_several_seeds_there_are_means_and_their_error():
    seeds = [found(recall=x, recall_err=9.0) for x in (0.2, 0.4, 0.6)]
    rows, missing = table.rows({'ema': seeds, 'raw': seeds[:1]}, Found())
    assert rows['recall'] == {
        'ema': pytest.approx(0.4), 'raw': 0.2, 'stderr': pytest.approx(0.2 / 3**0.5),
        'real': None, 'better': 'more',
    }  # fmt: skip
    assert missing == {}


def test_the_table_has_arrows_floors_and_ceilings_and_no_features_where_there_are_none():
    rows, _ = table.rows({'raw': [found(recall=0.5, l1=2.0)]}, found(recall=0.75, l1=1.0))
    lines = table.shown({'settings': record(), 'figures': rows}).splitlines()
    assert lines == [
        '100 samples against 90 images of noise, test; real: 100 of train against 90 of test',
        '                raw     stderr       real',
        'recall \u2191        0.5          -       0.75 ceiling',
        'l1 \u2193              2          -          1 floor',
    ]
    named = table.shown({'settings': record(features='quarters'), 'figures': rows})
    assert '; features: quarters; real: ' in named


def test_a_terminal_without_arrows_is_given_letters(monkeypatch):
    said = []

    def only_ascii(text):
        said.append(text.encode('ascii').decode())

    monkeypatch.setattr('builtins.print', only_ascii)
    rows, _ = table.rows({'raw': [found(recall=0.5, l1=2.0)]}, Found())
    table.print_table({'settings': record(), 'figures': rows})
    assert 'recall ^' in said[0]
    assert 'l1 v' in said[0]


def test_warnings_that_cannot_be_missed():
    fine = {'frechet_distance[x]': {'ema': 10.0, 'raw': 10.0, 'stderr': 0.1, 'real': 1.0}}
    assert table.warnings_of(fine, record()) == []
    (few,) = table.warnings_of(fine, record(width=101))
    assert 'fewer than the 101 features' in few
    (wide,) = table.warnings_of({'a': {'raw': 10.0, 'stderr': 1.1, 'real': None}}, record())
    assert wide.startswith('a is 10 with a standard error of 1.1')
    none = {'a': {'raw': None, 'stderr': None, 'real': None}}
    assert table.warnings_of(none, record(), {'a': 'raw: NaN'}) == ['a is missing: raw: NaN']
