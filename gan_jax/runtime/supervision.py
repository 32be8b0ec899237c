"""The watch that processes of one run keep over each other: when one dies the others end.

A survivor waits in a collective for ever, or JAX's own service aborts it in C++ with a page of
symbols. So a thread asks the coordinator each second who is alive and who said why it ended, and
another looks whether the coordinator, which lives in process 0, is still there. Either ends the
process with one line.
"""

import contextlib
import ctypes
import os
import signal
import socket
import threading
import time
from typing import Any, NoReturn

from gan_jax.runtime import files

DIED = 76  # the exit code when another process of the run died: all must be started again
LAUNCHED = 'GAN_JAX_LAUNCHED'  # the launcher's process id, in the environment of what it starts
HEARTBEAT = 10  # seconds without one, and the coordinator holds a process to be dead
EVERY = 1.0  # seconds between two questions
LATE = 8.0  # seconds that the coordinator's verdict may come after that, on a busy machine
GRACE = 3.0  # seconds that others are given to hear why this process ends
SENTENCE = 'start all again, and they go on from the last checkpoint'


def hold_aborts() -> None:
    """Has an abort in C++ take six seconds, in which the threads here can say what happened.

    JAX's client aborts the process at the moment that the coordinator is gone. The C library's
    `sleep` stands in for a handler of SIGABRT, whose number, 6, is its argument: no lock is
    needed for it, nor Python.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        library = ctypes.CDLL(None)
        library.signal.argtypes = (ctypes.c_int, ctypes.c_void_p)
        library.signal(signal.SIGABRT, ctypes.cast(library.sleep, ctypes.c_void_p))


def say(line: str) -> None:
    """The line on standard error, before the process is ended."""
    files.remove_unfinished()
    os.write(2, f'gan_jax: {" ".join(line.split())}\n'.encode(errors='backslashreplace'))


class Peers:
    """The processes of this run, as one of them sees the others.

    Attributes:
      names: {index: host and process id}.
      over: set once all have come to their end: nobody is to be missed any more.
    """

    def __init__(self, client: Any, index: int, count: int, coordinator: str) -> None:
        """Tells the others who this is, and waits until all have done so.

        Args:
          client: JAX's of the coordinator.
          index: which process this is.
          count: how many there are.
          coordinator: its HOST:PORT.
        """
        self._client, self._index, self._count = client, index, count
        host, _, port = coordinator.rpartition(':')
        self._coordinator = host.strip('[]'), int(port)
        client.key_value_set(f'gan_jax/name/{index}', f'{socket.gethostname()}, pid {os.getpid()}')
        client.wait_at_barrier('gan_jax/named', 1000 * 60)
        self.names = self._entries('name')
        self.over = threading.Event()
        self._failing = threading.Event()

    def watch(self) -> None:
        """Begins to watch, in threads."""
        threading.Thread(target=self._ask, daemon=True).start()
        if self._index != 0:
            threading.Thread(target=self._look, daemon=True).start()

    def fail(self, code: int, line: str) -> NoReturn:
        """Ends this process, which has said why, and tells the others; it may be called twice.

        The coordinator waits until they have heard, since it takes itself with it.
        """
        self._failing.set()
        heard = threading.Event()
        threading.Thread(target=self._tell, args=(code, line, heard), daemon=True).start()
        heard.wait(GRACE)
        os._exit(code)

    def finish(self) -> None:
        """Waits until all have come to their end, so that none is missed; the coordinator leaves
        last.
        """
        self._client.wait_at_barrier('gan_jax/done', 1000 * 3600)
        self.over.set()
        until = time.monotonic() + GRACE
        while self._index == 0 and time.monotonic() < until and len(self._alive()) > 1:
            time.sleep(0.1)

    def wait_for_verdict(self) -> None:
        """Waits as long as it may take to hear that a process died; then this one has ended.

        What an error here says is of no use if it comes of that.
        """
        time.sleep(HEARTBEAT + LATE)

    def _alive(self) -> set[int]:
        """Who is; returns when all who are have asked, or are held to be dead."""
        return {*self._client.get_live_nodes([*range(self._count)])}

    def _entries(self, kind: str) -> dict[int, str]:
        folder = self._client.key_value_dir_get(f'gan_jax/{kind}/')
        return {int(key.rpartition('/')[2]): value for key, value in folder}

    def _tell(self, code: int, line: str, heard: threading.Event) -> None:
        """Says why this process ends; the coordinator waits until all others have ended, too."""
        with contextlib.suppress(Exception):  # the coordinator may be gone
            self._client.key_value_set(f'gan_jax/ended/{self._index}', f'{code} {line}')
            while self._index == 0 and len(self._entries('ended')) < self._count:
                time.sleep(0.1)
        heard.set()

    def _ask(self) -> None:
        """Asks who ended and who is alive."""
        while not self.over.wait(EVERY):
            try:
                ended = self._entries('ended')
                others = self._alive()
            except Exception:  # the other thread finds out why
                continue
            ended.pop(self._index, None)
            dead = sorted({*range(self._count)} - others - {*ended})
            if ended:
                time.sleep(EVERY)  # this process may be about to say the same of itself
                self._heard(*min(ended.items()))
            elif dead:
                self._gone(dead[0], 'died')

    def _look(self) -> None:
        """Looks whether the coordinator is there."""
        seen = time.monotonic()
        while not self.over.wait(EVERY / 2):
            try:
                with socket.create_connection(self._coordinator, 3):
                    seen = time.monotonic()
            except ConnectionRefusedError:
                self._gone(0, 'died')
            except OSError:
                if time.monotonic() > seen + HEARTBEAT:
                    self._gone(0, 'can no longer be reached')

    def _gone(self, index: int, what: str) -> None:
        time.sleep(EVERY)  # perhaps all is over, and it left first
        if not self.over.is_set() and not self._failing.is_set():
            line = f'{self._named(index)} {what}, so this one ends, too; {SENTENCE}'
            self._end(DIED, line)

    def _heard(self, index: int, words: str) -> None:
        if self._failing.is_set():
            return
        code, _, line = words.partition(' ')
        self._end(int(code), f'{self._named(index)} ended: {line}')

    def _end(self, code: int, line: str) -> NoReturn:
        say(line)
        self.fail(code, line)

    def _named(self, index: int) -> str:
        return f'process {index} ({self.names.get(index, "unknown")})'
