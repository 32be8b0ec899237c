"""One trainer in a work directory at a time.

On a disk the system's own lock is held, which goes with the process. Where there is none, on
buckets and some network disks, the lock is an object that only one can create and that its holder
writes again and again; one that is no longer written is of a process that died, and is taken over.
At once if that was on this machine, or else after a minute.
"""

import contextlib
import datetime
import json
import os
import pathlib
import re
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from absl import logging

from gan_jax.errors import UserError, one_line
from gan_jax.runtime import buckets, files

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

FILE = 'lock'
BEAT = 15.0  # seconds after which a holder writes its object again;
STALE = 60.0  # one that was not written for so long has no holder


def _end(line: str) -> None:
    """Ends the process, from whatever thread."""
    print(f'gan_jax: {line}', file=sys.stderr, flush=True)
    files.remove_unfinished()
    os._exit(2)


@contextlib.contextmanager
def alone(folder: pathlib.Path, lost: Callable[[str], object] = _end) -> Iterator[None]:
    """Holds the folder, which is made, until the body or the process ends, however it ends.

    Where the folder cannot be written nobody holds it: what comes after says so.

    Args:
      folder: the folder, on a disk or a bucket.
      lost: is given a line by a thread when another process has taken the lock over, since this one
        did not write it for a minute; it ends the process.

    Raises:
      UserError: if another process holds it.
      OSError: if the storage cannot be reached.
    """
    record = {
        'host': socket.gethostname(),
        'pid': os.getpid(),
        'machine': _machine(),
        'since': f'{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M:%S} UTC',
        'token': secrets.token_hex(8),
    }
    content = json.dumps(record).encode()
    with contextlib.ExitStack() as stack:
        if buckets.is_bucket(folder) or not _flocked(stack, folder, content):
            stack.enter_context(_written(folder, content, lost))
        yield


def _machine() -> str:
    """Names this start of this machine and, in a container, its processes; '' if it cannot."""
    try:
        start = pathlib.Path('/proc/sys/kernel/random/boot_id').read_text().strip()
        return f'{socket.gethostname()} {start} {os.readlink("/proc/self/ns/pid")}'
    except OSError:
        return ''


def _flocked(stack: contextlib.ExitStack, folder: pathlib.Path, content: bytes) -> bool:
    """Whether the file system has locks; one is then held until the stack is closed."""
    if fcntl is None:
        return False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        place = pathlib.Path(folder, FILE)
        file = stack.enter_context(place.open('a+b', buffering=0))
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _refusal(folder, folder / FILE) from None
    except OSError:
        return False
    with contextlib.suppress(OSError):  # a full disk, on which the lock is held all the same
        file.truncate(0)
        file.write(content)
    return True


def _record(file: pathlib.Path) -> dict[str, Any]:
    """What a holder says of itself; nothing if it is just being written."""
    try:
        record = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _refusal(folder: pathlib.Path, file: pathlib.Path) -> UserError:
    """Says who holds the folder, as far as the file tells."""
    try:
        who = 'host {host}, process {pid}, since {since}'.format_map(_record(file))
    except KeyError:
        who = 'it has just begun'
    return UserError(
        f'another process trains in {folder} ({who}); wait for its end, or give another --workdir'
    )


def is_held(folder: pathlib.Path) -> bool:
    """Whether a process trains there, as far as can be seen without disturbing one that begins.

    A lock of the system's is seen on Linux, if a process of this machine has it.
    """
    with contextlib.suppress(OSError):
        if not buckets.is_bucket(folder):
            number = os.stat(folder / FILE).st_ino
            locks = pathlib.Path('/proc/locks').read_text().splitlines()
            words = [line.split() for line in locks]
            if any('FLOCK' in x and x[5].endswith(f':{number}') for x in words if len(x) > 5):
                return True
    with contextlib.suppress(OSError):
        objects = [x for x in _objects(folder).values() if not _died_here(x)]
        return any(time.time() - _modified(x, 0) < STALE for x in objects)
    return False


# ---- An object that is written again and again ---------------------------------------------------


@contextlib.contextmanager
def _written(folder: pathlib.Path, content: bytes, lost: Callable[[str], object]) -> Iterator[None]:
    """Holds the folder by the object lock_<number> of the highest number."""
    try:
        own = _take(folder, content)
    except OSError:
        if buckets.is_bucket(folder):
            raise
        yield
        return
    ended = threading.Event()
    thread = threading.Thread(target=_keep, args=(own, content, ended, lost), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        with contextlib.suppress(OSError):
            own.unlink(missing_ok=True)


def _take(folder: pathlib.Path, content: bytes) -> pathlib.Path:
    """Creates the object that follows the last one, if all that are there are stale.

    Of several who find the same one stale only one can create the next. Whoever then finds another
    that it did not know of gives way: between the look and the creation a third may have come and
    gone.

    Raises:
      UserError: if another process holds the folder.
      OSError: if it cannot be looked at or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    before = _objects(folder)
    alive = [x for x in before.values() if not _died_here(x)]
    if alive:
        now = _now(folder)
        for file in alive:
            if now - _modified(file, now) < STALE:
                raise _refusal(folder, file)
    number = max(before, default=0) + 1
    own = folder / f'{FILE}_{number}'
    if not _create(own, content):
        raise _refusal(folder, own)
    others = _objects(folder).keys() - before.keys() - {number}
    if others:
        own.unlink(missing_ok=True)
        raise _refusal(folder, folder / f'{FILE}_{max(others)}')
    for file in before.values():
        logging.warning('%s is of a process that has ended; it is taken over', file)
        file.unlink(missing_ok=True)
    return own


def _objects(folder: pathlib.Path) -> dict[int, pathlib.Path]:
    """{number: object} of those that are there."""
    found: Iterable[pathlib.Path] = folder.glob(f'{FILE}_*')
    return {
        int(x.name.removeprefix(f'{FILE}_')): x
        for x in found
        if re.fullmatch(rf'{FILE}_[1-9]\d*', x.name)
    }


def _died_here(file: pathlib.Path) -> bool:
    """Whether its holder was a process of this machine that is no more."""
    record = _record(file)
    if not _machine() or record.get('machine') != _machine():
        return False
    try:
        os.kill(int(record['pid']), 0)
    except ProcessLookupError:
        return True
    except (KeyError, ValueError, OSError):
        return False
    return False


def _create(file: pathlib.Path, content: bytes) -> bool:
    """Whether it was this process that created it."""
    if isinstance(file, buckets.Bucket):
        return file.create(content)
    try:
        with file.open('xb') as stream:
            stream.write(content)
    except FileExistsError:
        return False
    return True


def _modified(file: pathlib.Path, otherwise: float) -> float:
    """When it was written, by the storage's clock."""
    try:
        return file.modified() if isinstance(file, buckets.Bucket) else file.stat().st_mtime
    except FileNotFoundError:  # its holder has ended in this moment
        return otherwise


def _now(folder: pathlib.Path) -> float:
    """The storage's time: this machine's may be another."""
    probe = folder / f'tmp_{secrets.token_hex(8)}'
    probe.write_bytes(b'')
    try:
        return _modified(probe, 0)
    finally:
        probe.unlink(missing_ok=True)


def _keep(
    own: pathlib.Path, content: bytes, ended: threading.Event, lost: Callable[[str], object]
) -> None:
    """Writes the object again and again; finds out if it was taken over."""
    while not ended.wait(BEAT):
        try:
            there: Any = _objects(own.parent)
            if max(there, default=0) != int(own.name.removeprefix(f'{FILE}_')):
                lost(
                    f'the lock {own} was taken over, since it was not written for a minute: '
                    f'another process trains in {own.parent}, so this one ends'
                )
                return
            own.write_bytes(content)
        except OSError as error:  # the next time, perhaps
            logging.warning('the lock %s cannot be written: %s', own, one_line(error))
