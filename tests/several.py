"""Processes that play one run together, each with virtual devices of its own, for tests.

A test module names functions that are called in all of them; the children import the module:

    several.play(train_in, tmp_path, processes=2, devices=4)
"""

import importlib
import json
import os
import pathlib
import socket
import subprocess
import sys

TESTS = pathlib.Path(__file__).parent
ROOT = TESTS.parent
DEVICES = '--xla_force_host_platform_device_count'
TIMEOUT = 600  # seconds: only what hangs takes them, on a busy machine too
HEARTBEAT = 10  # seconds, after which a process that has died is missed


def free_port():
    """One that nobody listens on."""
    with socket.socket() as found:
        found.bind(('localhost', 0))
        return found.getsockname()[1]


def start(function, *arguments, processes=2, devices=4):
    """Popens of so many processes that call function(*arguments) once they know of each other.

    Args:
      function: of a module in tests/, by its own name there.
      *arguments: JSON, or paths.
      processes: how many; one is not told of others.
      devices: virtual ones of each process.
    """
    address = f'localhost:{free_port()}'
    flags = [x for x in os.environ.get('XLA_FLAGS', '').split() if DEVICES not in x]
    environment = {
        **os.environ,
        'XLA_FLAGS': ' '.join([*flags, f'{DEVICES}={devices}']),
        'PJRT_NPROC': '16',
        'JAX_PLATFORMS': 'cpu',
        'PYTHONPATH': os.pathsep.join(map(str, (ROOT, TESTS, TESTS / 'runtime'))),
    }
    called = [function.__module__, function.__name__, json.dumps(arguments, default=str)]
    return [
        subprocess.Popen(
            [sys.executable, __file__, address, str(processes), str(index), *called],
            cwd=ROOT, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        for index in range(processes)
    ]  # fmt: skip


def finish(started, timeout=TIMEOUT):
    """[(exit code, what was printed)] of each; all are ended if one takes too long."""
    try:
        outputs = [process.communicate(timeout=timeout)[0] for process in started]
    finally:
        for process in started:
            process.kill()
    return [(x.returncode, out) for x, out in zip(started, outputs, strict=True)]


def play(function, *arguments, processes=2, devices=4, timeout=TIMEOUT):
    """What each printed, as `start` and `finish` have it; all must have come to a good end."""
    ended = finish(start(function, *arguments, processes=processes, devices=devices), timeout)
    for index, (code, output) in enumerate(ended):
        assert code == 0, f'process {index} ended with {code}:\n{output[-4000:]}'
    return [output for _, output in ended]


def main(address, processes, index, module, function, arguments):
    import jax

    if int(processes) > 1:
        jax.distributed.initialize(
            address, int(processes), int(index), heartbeat_timeout_seconds=HEARTBEAT
        )
    getattr(importlib.import_module(module), function)(*json.loads(arguments))


if __name__ == '__main__':
    main(*sys.argv[1:])
