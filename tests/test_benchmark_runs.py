"""A benchmark scores no run that was stopped before its end."""

import pathlib

import pytest

from benchmarks import runs


def test_a_run_that_a_signal_stopped_ends_the_program(monkeypatch):
    monkeypatch.setattr(runs, 'train', lambda config, workdir: None)
    with pytest.raises(SystemExit, match='the same command goes on from there'):
        runs.to_the_end({}, pathlib.Path('run'))
    monkeypatch.setattr(runs, 'train', lambda config, workdir: object())
    runs.to_the_end({}, pathlib.Path('run'))
