"""Ctrl-C and SIGTERM, turned into a question the loop can ask."""

import signal
from types import FrameType, TracebackType


class Interrupt:
    """A context in which the first Ctrl-C or SIGTERM only sets `name`; the next one acts as usual.

    Attributes:
      name: the signal that came, or None.
    """

    def __init__(self) -> None:
        self.name: str | None = None
        self._handlers: dict[int, object] = {}

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.name = signal.Signals(number).name
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._handlers = {}

    def __enter__(self) -> 'Interrupt':
        for number in (signal.SIGINT, signal.SIGTERM):
            self._handlers[number] = signal.signal(number, self._receive)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._restore()
