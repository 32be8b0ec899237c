import os
import signal
import time

import pytest

from gan_jax.runtime.preemption import Interrupt


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_asks_and_the_second_acts_as_usual(number):
    usual = []
    before = signal.signal(number, lambda *_: usual.append(1))
    try:
        with Interrupt() as interrupt:
            assert interrupt.name is None
            os.kill(os.getpid(), number)
            time.sleep(0.01)
            assert interrupt.name == signal.Signals(number).name
            assert not usual
            os.kill(os.getpid(), number)
            time.sleep(0.01)
            assert usual == [1]
    finally:
        signal.signal(number, before)
