"""The prices of an index, from a package that need not be installed here."""

import gzip
import sys
import types
from importlib import metadata

import numpy as np
import pytest

from benchmarks import stocks
from gan_jax import data

TEXT = 'Date,Open,Close\n1/4/1999,1.5,2\n1/5/1999,2,3\n1/6/1999,3,4\n'


@pytest.fixture
def package(tmp_path, monkeypatch):
    file = tmp_path / 'arch' / 'data' / 'sp500' / 'sp500.csv.gz'
    file.parent.mkdir(parents=True)
    file.write_bytes(gzip.compress(TEXT.encode()))
    found = types.SimpleNamespace(locate_file=tmp_path.joinpath)
    monkeypatch.setattr(metadata, 'distribution', lambda name: found)


def test_prices_are_written_without_the_dates_as_series_are_read(
    package, tmp_path, monkeypatch, capsys
):
    output = tmp_path / 'new' / 'sp500.csv'
    monkeypatch.setattr(sys, 'argv', ['stocks', '--output', str(output)])
    stocks.main()
    assert '3 rows of Open, Close' in capsys.readouterr().out
    dataset = data.load(f'series:{output}', image_size=None, split='all', length=2)
    expected = [[[1.5, 2], [2, 3]], [[2, 3], [3, 4]]]
    np.testing.assert_array_equal(dataset.batch(np.arange(2))['real'], expected)


def test_a_package_that_is_missing_is_named(monkeypatch):
    def nothing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, 'distribution', nothing)
    with pytest.raises(SystemExit, match='pip install --no-deps arch'):
        stocks.prices('sp500')
