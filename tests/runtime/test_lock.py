import contextlib
import socket
import subprocess
import sys

import pytest

from gan_jax.errors import UserError
from gan_jax.runtime import lock

HOLDER = """
import pathlib, sys
from gan_jax.runtime import lock
with lock.alone(pathlib.Path(sys.argv[1])):
    print('held', flush=True)
    sys.stdin.read()
"""


def test_a_folder_is_held_until_the_process_ends_however_it_ends(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, '-c', HOLDER, str(tmp_path / 'run')],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert holder.stdout.readline() == 'held\n'
    who = rf'host {socket.gethostname()}, process {holder.pid}, since 20\d\d-.* UTC'
    refused = pytest.raises(
        UserError, match=rf'another process trains in .*run \({who}\); .*--workdir'
    )
    with refused, lock.alone(tmp_path / 'run'):
        pass
    holder.kill()
    holder.communicate()
    for _ in range(2):  # it is let go of after the body, too
        with lock.alone(tmp_path / 'run'):
            assert (tmp_path / 'run').is_dir()


def test_an_error_lets_go(tmp_path):
    with contextlib.suppress(KeyError), lock.alone(tmp_path):
        raise KeyError
    with lock.alone(tmp_path):
        pass


@pytest.mark.parametrize('error', [OSError(95, 'Operation not supported'), OSError(37, 'No locks')])
def test_where_a_file_system_cannot_lock_nothing_is_held(tmp_path, monkeypatch, error):
    def refuse(*args):
        raise error

    monkeypatch.setattr(lock.fcntl, 'flock', refuse)
    with lock.alone(tmp_path):
        pass
    monkeypatch.setattr(lock, 'fcntl', None)
    with lock.alone(tmp_path):
        pass
    (tmp_path / 'file').write_text('')
    with lock.alone(tmp_path / 'file' / 'run'):  # what comes after it says so
        pass
