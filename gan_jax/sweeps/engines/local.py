"""Runs trials in subprocesses on this machine, one slot per group of its devices."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

from gan_jax.runtime.preemption import Interrupt
from gan_jax.sweeps import settings
from gan_jax.sweeps import trials as trials_lib
from gan_jax.sweeps.engines import Options
from gan_jax.sweeps.live import Table
from gan_jax.sweeps.slots import Slot, divide
from gan_jax.sweeps.trials import Trial

LOOK = 0.5  # seconds between two looks at all trials


def run(trials: Sequence[Trial], options: Options) -> None:
    """Runs each trial, in their order, in the next slot that is free.

    The first Ctrl-C or SIGTERM has all trials save and end; the same command goes on.

    Raises:
      UserError: if the machine has not as many devices as slots were asked for, or there are
        engine options.
      Unfinished, Interrupted: as `engines` says.
    """
    settings.read('local', settings.Nothing(), options.words)
    free: SimpleQueue[Slot] = SimpleQueue()
    slots = divide(options.slots)
    for slot in slots:
        free.put(slot)
    stop = threading.Event()

    def play(trial: Trial) -> None:
        slot = free.get()
        try:
            trials_lib.run(
                trial, options.retries, environment=slot.environment, cores=slot.cores, stop=stop
            )
        finally:
            free.put(slot)

    with Table(trials, len(slots)) as table, Interrupt() as interrupt:
        with ThreadPoolExecutor(len(slots)) as pool:
            played = [pool.submit(play, trial) for trial in trials]
            try:
                while not all(x.done() for x in played):
                    if interrupt.name is not None and not stop.is_set():
                        stop.set()
                        for one in played:
                            one.cancel()
                    table.show()
                    time.sleep(LOOK)
            except BaseException:
                stop.set()  # the pool waits for them
                raise
        table.show()
    for one in played:
        if not one.cancelled():
            one.result()  # what it raised
    if interrupt.name is not None:
        raise trials_lib.Interrupted(interrupt.name)
    trials_lib.conclude(trials)
