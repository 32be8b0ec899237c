"""Ctrl-C and SIGTERM: the end at once, or in the loop a question that it can ask."""

import os
import signal
import threading
import time
from types import FrameType, TracebackType
from typing import NoReturn

from gan_jax.runtime import rendezvous, supervision

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SAME = 1.0  # seconds in which a signal may come by way of a launcher, too


def end(number: int) -> NoReturn:
    """Ends the process with one line and the code 128 + the signal's number, whatever it does.

    Nothing can catch this: an exception has been swallowed by callbacks of libraries, and the run
    went on.
    """
    line = (
        f'ended by {signal.Signals(number).name}; the same command begins again, from the last '
        f'checkpoint if there is one'
    )
    supervision.say(line)
    if rendezvous.several():
        rendezvous.fail(128 + number, line)
    os._exit(128 + number)


class _Watch:
    """A thread that hears of signals at once, though the main thread compiles for minutes.

    Attributes:
      interrupt: who is asked first.
    """

    interrupt: 'Interrupt | None' = None

    def __init__(self) -> None:
        self._hear, tell = os.pipe()
        os.set_blocking(tell, False)
        for number in SIGNALS:
            signal.signal(number, _pass)
        signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            for number in os.read(self._hear, 1):
                # A scheduler may signal the last of several since the first has left with a code.
                if number not in SIGNALS or rendezvous.over():
                    continue
                if self.interrupt is None or not self.interrupt.receive(number):
                    end(number)


_watch: _Watch | None = None


def _pass(number: int, frame: FrameType | None) -> None:
    """Leaves a signal to the thread."""


def watch() -> None:
    """Has Ctrl-C and SIGTERM `end` the process from now on, but where there is an `Interrupt`."""
    global _watch
    _watch = _Watch()


class Interrupt:
    """A context in which the first Ctrl-C or SIGTERM only sets `name`; the next one acts as usual.

    Attributes:
      name: the signal that came, or None.
    """

    def __init__(self) -> None:
        self.name: str | None = None
        self._came = 0.0
        self._handlers: dict[int, object] = {}

    def receive(self, number: int) -> bool:
        """Whether it is the first signal; keeps its name, and tells other processes.

        A scheduler may send it to each process there is, and a launcher sends it on to the others.
        """
        if self.name is None:
            self.name, self._came = signal.Signals(number).name, time.monotonic()
            rendezvous.notify()
            return True
        return supervision.LAUNCHED in os.environ and time.monotonic() < self._came + SAME

    def stops_at(self, step: int) -> bool:
        """Whether the run is to be saved after this step and to end: asked once per dispatch.

        Several processes agree, and stop after one same step; one that has no other left simply
        comes to the end of the run.
        """
        if not rendezvous.several():
            return self.name is not None
        if rendezvous.reached_stop():
            self.name = self.name or 'a signal to another process'
            return True
        return False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.receive(number)
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._handlers = {}

    def __enter__(self) -> 'Interrupt':
        if _watch is not None:
            _watch.interrupt = self
        else:
            for number in SIGNALS:
                self._handlers[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if _watch is not None:
            _watch.interrupt = None
        self._restore()
