"""Time without what watches the tests."""

import contextlib
import sys
import time


@contextlib.contextmanager
def at_most(seconds):
    """Fails if what is within takes this process more seconds; a busy machine adds none.

    A tracer, such as that of coverage, is off meanwhile: it makes a loop take several times longer.
    """
    tracer = sys.gettrace()
    sys.settrace(None)
    start = time.process_time()
    try:
        yield
        taken = time.process_time() - start
    finally:
        sys.settrace(tracer)
    assert taken < seconds
