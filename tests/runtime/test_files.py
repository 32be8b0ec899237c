import errno
import json
import math
import os
import threading
import time

import numpy as np
import pytest

from gan_jax.runtime import files


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    file = tmp_path / 'a.txt'
    files.replace(file, lambda x: x.write_text('old'))

    def broken(temporary):
        temporary.write_text('ne')
        raise OSError('full')

    with pytest.raises(OSError, match='full'):
        files.replace(file, broken)
    assert file.read_text() == 'old'
    files.replace(file, lambda x: x.write_text('new'))
    assert file.read_text() == 'new'
    assert [x.name for x in tmp_path.iterdir()] == ['a.txt']


@pytest.mark.parametrize('error', [KeyError('x'), KeyboardInterrupt(), OSError(5, 'Input')])
def test_whatever_fails_leaves_nothing_beside_the_file(tmp_path, error):
    def broken(temporary):
        temporary.write_text('ne')
        raise error

    with pytest.raises(type(error)):
        files.replace(tmp_path / 'a.txt', broken)
    assert not list(tmp_path.iterdir())


def test_writers_of_one_file_do_not_meet(tmp_path):
    file, barrier, errors = tmp_path / 'a.txt', threading.Barrier(4), []

    def write(temporary, text):
        barrier.wait(10)  # all have begun
        temporary.write_text(text)
        barrier.wait(10)

    def writer(text):
        try:
            files.replace(file, lambda x: write(x, text))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=writer, args=(x * 1000,)) for x in 'abcd']
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert file.read_text() in {x * 1000 for x in 'abcd'}
    assert [x.name for x in tmp_path.iterdir()] == ['a.txt']


def test_no_link_is_written_through(tmp_path):
    precious = tmp_path / 'precious'
    precious.write_text('mine')
    for name in ('tmp_a.txt', 'a.txt'):
        (tmp_path / name).symlink_to(precious)
    files.replace(tmp_path / 'a.txt', lambda x: x.write_text('new'))
    assert precious.read_text() == 'mine'
    assert (tmp_path / 'a.txt').read_text() == 'new'
    assert not (tmp_path / 'a.txt').is_symlink()


@pytest.mark.parametrize('name', ['x' * 255, 'é' * 127, 'x' * 251 + '.npz', 'a.' + 'b' * 253, 'a'])
def test_every_legal_name_can_be_written(tmp_path, name):
    files.write_npz(tmp_path / name, x=np.arange(3))
    assert [x.name for x in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(('mask', 'mode'), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_permissions_are_those_of_a_new_file(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        for _ in range(2):
            files.replace(tmp_path / 'a.txt', lambda x: x.write_text('new'))
            assert (tmp_path / 'a.txt').stat().st_mode & 0o777 == mode
            (tmp_path / 'a.txt').chmod(0o640)
    finally:
        os.umask(before)


def test_it_is_on_the_disk_before_it_takes_the_place(tmp_path, monkeypatch):
    file, seen = tmp_path / 'a.txt', []
    sync, move = os.fsync, files.pathlib.Path.replace
    monkeypatch.setattr(os, 'fsync', lambda x: (seen.append('sync'), sync(x)))
    monkeypatch.setattr(
        files.pathlib.Path, 'replace', lambda *x: (seen.append('replace'), move(*x))
    )
    files.replace(file, lambda x: x.write_text('new'))
    assert seen == ['sync', 'replace', 'sync']  # the file, and the folder


@pytest.mark.parametrize('number', [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EMFILE])
@pytest.mark.parametrize('nameless', [True, False])
def test_an_error_of_the_system_names_the_file(tmp_path, number, nameless):
    def broken(temporary):
        raise OSError(number, os.strerror(number), None if nameless else str(temporary))

    with pytest.raises(OSError, match=r'a\.txt') as caught:
        files.replace(tmp_path / 'a.txt', broken)
    assert caught.value.errno == number
    assert caught.value.filename == str(tmp_path / 'a.txt')


def test_what_killed_processes_left_is_removed_a_day_later(tmp_path):
    names = [f'tmp_{x * 16}.png' for x in 'ab'] + ['tmp_mine.png']
    for name in names:
        (tmp_path / name).write_text('')
        if 'b' * 16 not in name:
            os.utime(tmp_path / name, (time.time() - 100_000,) * 2)
    files.replace(tmp_path / 'a.txt', lambda x: x.write_text('new'))
    assert sorted(x.name for x in tmp_path.iterdir()) == ['a.txt', *names[1:]]


def test_the_end_of_the_process_removes_what_is_being_written(tmp_path):
    def write(temporary):
        temporary.write_text('half')
        files.remove_unfinished()
        assert not list(tmp_path.iterdir())
        temporary.write_text('half')

    files.replace(tmp_path / 'a.txt', write)


def test_json_has_no_nan_and_says_what_was_there():
    record = {'a': 1.5, 'b': math.nan, 'c': {'d': [1, -math.inf]}, 'e': math.inf, 'f': None}
    record['missing'] = {'b': 'no features'}

    def refuse(constant):
        raise AssertionError(constant)

    found = json.loads(files.json_text(record), parse_constant=refuse)
    assert found == {
        'a': 1.5, 'b': None, 'c': {'d': [1, None]}, 'e': None, 'f': None,
        'missing': {'b': 'no features', 'c.d': 'it is -inf', 'e': 'it is inf'},
    }  # fmt: skip
    assert files.json_text({'a': (1, 2)}) == '{"a": [1, 2]}'


def test_all_that_is_left_of_killed_processes_can_be_removed_at_once(tmp_path):
    for name in ('tmp_0123456789abcdef.png', 'tmp_mine.png', 'a.png'):
        (tmp_path / name).touch()
    files.sweep(tmp_path)
    assert sorted(x.name for x in tmp_path.iterdir()) == ['a.png', 'tmp_mine.png']
