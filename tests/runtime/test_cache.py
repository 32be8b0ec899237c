"""A cache never lies and never ends a run."""

import logging
import os
import pathlib

import numpy as np
import pytest

from gan_jax.runtime import cache

ARRAYS = {'a/b': np.arange(600, dtype=np.float32).reshape(20, 30), 'c': np.array(3)}


def made_in(file):
    """The arrays, and how often they had to be made."""
    calls = []

    def make():
        calls.append(1)
        return ARRAYS

    found = cache.kept(file, make)
    assert found.keys() == ARRAYS.keys()
    for name, x in ARRAYS.items():
        np.testing.assert_array_equal(found[name], x)
    return len(calls)


@pytest.fixture
def warned(caplog):
    caplog.set_level(logging.WARNING, 'absl')
    return lambda: [record.getMessage() for record in caplog.records]


def test_what_was_made_once_is_read(tmp_path, warned):
    file = tmp_path / 'of' / 'x.npz'
    assert [made_in(file) for _ in range(3)] == [1, 0, 0]
    assert made_in(None) == 1
    assert warned() == []
    assert [x.name for x in file.parent.iterdir()] == ['x.npz']


def truncated(file):
    file.write_bytes(file.read_bytes()[:700])


def empty(file):
    file.write_bytes(b'')


def of_other_arrays(file):
    np.savez(file, **ARRAYS)


def folder(file):
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize('damage', [truncated, empty, of_other_arrays, folder])
def test_what_cannot_be_read_is_made_anew_with_one_warning(tmp_path, warned, damage):
    file = tmp_path / 'x.npz'
    made_in(file)
    damage(file)
    assert made_in(file) == 1
    (line,) = warned()
    assert line.startswith(f'{file} cannot be used and is made anew: ')
    assert made_in(file) == (damage is folder)


def test_every_flipped_byte_is_seen(tmp_path, warned):
    file = tmp_path / 'x.npz'
    made_in(file)
    sound = file.read_bytes()
    for place in range(0, len(sound), 97):
        bytes_ = bytearray(sound)
        bytes_[place] ^= 0xFF
        file.write_bytes(bytes_)
        made_in(file)  # holds the arrays as they were, read or made anew


def test_what_cannot_be_written_is_done_without_with_one_warning(tmp_path, warned):
    (tmp_path / 'file').write_text('no folder')
    file = tmp_path / 'file' / 'x.npz'
    assert made_in(file) == 1
    assert len(warned()) == 1


def test_without_a_home_there_is_no_cache_and_one_warning(monkeypatch, warned):
    monkeypatch.setenv('XDG_CACHE_HOME', '/somewhere')
    assert cache.folder() == pathlib.Path('/somewhere/gan_jax')
    monkeypatch.delenv('XDG_CACHE_HOME')
    monkeypatch.setenv('HOME', '/home/me')
    assert cache.folder() == pathlib.Path('/home/me/.cache/gan_jax')
    monkeypatch.delenv('HOME')
    monkeypatch.setattr(os, 'getuid', lambda: 987_654)
    assert cache.folder() is None
    assert cache.folder() is None
    (line,) = warned()
    assert 'set XDG_CACHE_HOME' in line
