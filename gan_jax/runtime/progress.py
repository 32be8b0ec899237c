"""A line every ten seconds of what takes long, so that a person sees that it goes on."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from absl import logging

SECONDS = 10.0

_doing: list[object] = []  # what is being done, the innermost last


@contextlib.contextmanager
def lines(what: str) -> Iterator[Callable[[str], None]]:
    """Logs `what` and the seconds so far, every ten seconds while the block runs.

    It speaks from a thread, so that one long call (a compilation) need not come back in between.
    Of blocks within blocks only the innermost speaks.

    Args:
      what: what is being done, as 'compiling the update'.

    Yields:
      A function to be told how far it is, as 'batch 300 of 1500'; it stands in the next line.
    """
    start, far, over, me = time.monotonic(), [''], threading.Event(), object()

    def speak() -> None:
        while not over.wait(SECONDS):
            if _doing[-1] is me:
                seconds = time.monotonic() - start
                logging.info('%s: %s%.0f s so far', what, far[0] and f'{far[0]}, ', seconds)

    def tell(text: str) -> None:
        far[0] = text

    thread = threading.Thread(target=speak, daemon=True)
    _doing.append(me)
    thread.start()
    try:
        yield tell
    finally:
        over.set()
        thread.join()
        _doing.remove(me)


def duration(seconds: float) -> str:
    """As a person says it: 40 s, 12 min, 3.5 h."""
    if seconds < 90:
        return f'{seconds:.0f} s'
    return f'{seconds / 60:.0f} min' if seconds < 5400 else f'{seconds / 3600:.1f} h'
