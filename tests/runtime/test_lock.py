import contextlib
import errno
import json
import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from gan_jax.errors import UserError
from gan_jax.runtime import lock

HOLDER = """
import pathlib, sys
from gan_jax.runtime import lock
if sys.argv[2] == 'objects':
    lock.fcntl = None
with lock.alone(pathlib.Path(sys.argv[1])):
    print('held', flush=True)
    sys.stdin.read()
"""
REFUSED = r'^another process trains in .*run \({}\); wait for its end, or give another --workdir$'
ELSEWHERE = {'host': 'far', 'pid': 7, 'since': '2026-01-02 03:04:05 UTC', 'machine': 'another'}


def objects(folder):
    return sorted(x.name for x in folder.glob('lock_*'))


def held_elsewhere(folder, number=1):
    (folder / f'lock_{number}').write_bytes(json.dumps(ELSEWHERE).encode())


@pytest.mark.skipif(sys.platform != 'linux', reason='only Linux tells')
@pytest.mark.parametrize('kind', ['flock', 'objects'])
def test_whether_a_folder_is_held_is_seen_without_holding_it(tmp_path, monkeypatch, kind):
    if kind == 'objects':
        monkeypatch.setattr(lock, 'fcntl', None)
    assert not lock.is_held(tmp_path / 'run')
    with lock.alone(tmp_path / 'run'):
        assert lock.is_held(tmp_path / 'run')
    assert not lock.is_held(tmp_path / 'run')


def test_a_folder_is_held_by_what_writes_from_elsewhere(tmp_path, bucket, monkeypatch):
    for folder in (tmp_path, bucket / 'run'):
        held_elsewhere(folder)
        assert lock.is_held(folder)
        with monkeypatch.context() as patch:
            patch.setattr(lock, 'STALE', -1.0)
            assert not lock.is_held(folder)


@pytest.mark.parametrize('kind', ['flock', 'objects'])
def test_a_folder_is_held_until_the_process_ends_however_it_ends(tmp_path, monkeypatch, kind):
    if kind == 'objects':
        monkeypatch.setattr(lock, 'fcntl', None)
    holder = subprocess.Popen(
        [sys.executable, '-c', HOLDER, str(tmp_path / 'run'), kind],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert holder.stdout.readline() == 'held\n'
    who = rf'host {socket.gethostname()}, process {holder.pid}, since 20\d\d-.* UTC'
    refused = pytest.raises(UserError, match=REFUSED.format(who))
    with refused, lock.alone(tmp_path / 'run'):
        pass
    holder.kill()
    holder.communicate()
    for _ in range(2):  # it is let go of after the body, too
        with lock.alone(tmp_path / 'run'):
            assert (tmp_path / 'run').is_dir()
    assert not objects(tmp_path / 'run')


def test_an_error_lets_go(tmp_path, bucket):
    for folder in (tmp_path, bucket):
        with contextlib.suppress(KeyError), lock.alone(folder):
            raise KeyError
        with lock.alone(folder):
            pass
        assert not objects(folder)


@pytest.mark.parametrize('number', [errno.EOPNOTSUPP, errno.ENOLCK])
def test_where_a_file_system_cannot_lock_an_object_is_held(tmp_path, monkeypatch, number):
    def refuse(*args):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(lock.fcntl, 'flock', refuse)
    with lock.alone(tmp_path / 'run'):
        assert objects(tmp_path / 'run') == ['lock_1']
        who = rf'host {socket.gethostname()}, process {os.getpid()}, since 20\d\d-.* UTC'
        with pytest.raises(UserError, match=REFUSED.format(who)), lock.alone(tmp_path / 'run'):
            pass
    (tmp_path / 'file').write_text('')
    with lock.alone(tmp_path / 'file' / 'run'):  # what comes after it says so
        pass


def test_one_of_another_machine_is_refused_and_taken_over_when_it_is_stale(bucket, monkeypatch):
    run = bucket / 'run'
    held_elsewhere(run, 3)
    who = 'host far, process 7, since 2026-01-02 03:04:05 UTC'
    with pytest.raises(UserError, match=REFUSED.format(who)), lock.alone(run):
        pass
    assert [x.name for x in run.iterdir()] == ['lock_3']
    monkeypatch.setattr(lock, 'STALE', 0.05)
    time.sleep(0.1)
    with lock.alone(run):
        assert objects(run) == ['lock_4']
    assert not objects(run)


def test_it_is_said_that_a_lock_has_just_begun(bucket):
    (bucket / 'run' / 'lock_1').write_bytes(b'')
    told = pytest.raises(UserError, match=REFUSED.format('it has just begun'))
    with told, lock.alone(bucket / 'run'):
        pass


@pytest.mark.parametrize('stale', [False, True])
def test_of_many_who_start_at_one_moment_one_holds_the_folder(bucket, monkeypatch, stale):
    run, barrier, outcomes = bucket / 'run', threading.Barrier(8), []
    if stale:
        monkeypatch.setattr(lock, 'STALE', 0.5)
        held_elsewhere(run)
        time.sleep(0.6)
    done = threading.Event()

    def starter():
        barrier.wait(10)
        try:
            with lock.alone(run):
                outcomes.append('held')
                done.wait(10)
        except UserError as error:
            outcomes.append(str(error))
        if len(outcomes) == 8:
            done.set()

    threads = [threading.Thread(target=starter) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert outcomes.count('held') == 1
    assert sum('another process trains in' in x for x in outcomes) == 7


def test_whoever_finds_another_that_came_between_gives_way(bucket, monkeypatch):
    run, look = bucket / 'run', lock._objects
    looks = []

    def between(folder):
        looks.append(look(folder))
        if len(looks) == 2:  # after this process has created its own
            held_elsewhere(run, 5)
            return look(folder)
        return looks[-1]

    monkeypatch.setattr(lock, '_objects', between)
    with pytest.raises(UserError, match='host far'), lock.alone(run):
        pass
    assert objects(run) == ['lock_5']


def test_a_holder_writes_its_lock_again_and_finds_out_if_it_was_taken_over(bucket, monkeypatch):
    monkeypatch.setattr(lock, 'BEAT', 0.02)
    run, lines, found = bucket / 'run', [], threading.Event()

    def lost(line):
        lines.append(line)
        found.set()

    with lock.alone(run, lost):
        written = (run / 'lock_1').modified()
        time.sleep(0.2)
        assert (run / 'lock_1').modified() > written
        held_elsewhere(run, 2)
        assert found.wait(10)
    assert lines == [
        f'the lock {run}/lock_1 was taken over, since it was not written for a minute: another '
        f'process trains in {run}, so this one ends'
    ]
    assert objects(run) == ['lock_2']


def test_a_process_whose_lock_was_taken_over_ends_with_a_line(tmp_path):
    code = """
import pathlib, sys, time
from gan_jax.runtime import lock
lock.fcntl, lock.BEAT = None, 0.05
with lock.alone(pathlib.Path(sys.argv[1])):
    (pathlib.Path(sys.argv[1]) / 'lock_2').write_text('')
    time.sleep(60)
"""
    done = subprocess.run(
        [sys.executable, '-c', code, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f'gan_jax: the lock {tmp_path}/lock_1 was taken over')
    assert done.stderr.count('\n') == 1


def test_a_storage_that_cannot_be_reached_for_a_while_ends_nothing(bucket, monkeypatch, caplog):
    monkeypatch.setattr(lock, 'BEAT', 0.02)
    with lock.alone(bucket / 'run', pytest.fail):
        storage = type((bucket / 'run')._storage)
        monkeypatch.setattr(storage, 'down', ConnectionResetError(104, 'reset'))
        time.sleep(0.1)
        monkeypatch.setattr(storage, 'down', None)
        time.sleep(0.1)
        assert objects(bucket / 'run') == ['lock_1']
    assert 'lock_1 cannot be written' in caplog.text
    assert not objects(bucket / 'run')


def test_a_storage_that_cannot_be_reached_at_the_start_is_an_error(bucket, monkeypatch):
    storage = type((bucket / 'run')._storage)
    monkeypatch.setattr(storage, 'down', ConnectionResetError(104, 'reset'))
    with pytest.raises(OSError, match='reset'), lock.alone(bucket / 'run'):
        pass
