"""launch.py in a process of its own, or in a fork of one that has imported everything."""

import json
import os
import pathlib
import select
import signal
import subprocess
import sys
import tempfile

import methods

TIMEOUT = 900  # seconds: only what hangs takes them, on a busy machine too
CACHE = tempfile.TemporaryDirectory()
DEVICES = '--xla_force_host_platform_device_count'
ENVIRONMENT = {
    **os.environ,
    'XLA_FLAGS': ' '.join(x for x in os.environ['XLA_FLAGS'].split() if DEVICES not in x),
    'XDG_CACHE_HOME': CACHE.name,
}


def launch(*arguments):
    """A new process: where how it starts, is signalled or dies is under test."""
    return subprocess.Popen(
        [sys.executable, 'launch.py', *map(str, arguments)],
        cwd=methods.ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    out, err = process.communicate(timeout=TIMEOUT)
    return process.returncode, out + err


def lines(printed):
    """What was said, without how long a busy machine has taken so far."""
    return [line for line in printed.splitlines() if not line.endswith(' so far')]


# What a command imports late is imported here early. Nothing may start JAX's backend before a fork.
SERVER = """
import gc, json, os, sys
import tensorflow_datasets
from absl import app
from gan_jax.commands import main
from gan_jax.data import sources
from gan_jax.networks import dcgan, mixture, mlp, r3gan, resnet, sngan, srresnet, unet
from gan_jax.networks.features import classifier
classifier.train.__kwdefaults__['steps'] = 20  # of 1,500: what it says is not under test
sources.mnist_5k()  # keeps what it reads
gc.freeze()  # no child looks through what is imported
for line in sys.stdin:
    job = json.loads(line)
    child = os.fork()
    if not child:
        out = os.open(job['out'], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        os.environ.update(job['environment'])
        os.chdir(job['cwd'])
        sys.argv = ['launch.py', *job['arguments']]
        sys.path[:0] = filter(None, job['environment'].get('PYTHONPATH', '').split(os.pathsep))
        app.run(main.main, flags_parser=main.parse)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Server:
    """Imports once and forks for each command line: Python's start takes longer than the rest."""

    def __init__(self):
        self._process = subprocess.Popen(
            [sys.executable, '-c', SERVER], cwd=methods.ROOT, env=ENVIRONMENT,
            text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip

    def run(self, *arguments, devices=1, cwd=methods.ROOT, **environment):
        """(exit code, what was printed) of a command line."""
        if devices > 1:
            environment['XLA_FLAGS'] = f'{ENVIRONMENT["XLA_FLAGS"]} {DEVICES}={devices}'
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / 'out.txt'
            job = {'out': str(out), 'arguments': [*map(str, arguments)], 'cwd': str(cwd)}
            job['environment'] = environment
            self._process.stdin.write(json.dumps(job) + '\n')
            self._process.stdin.flush()
            if not select.select([self._process.stdout], [], [], TIMEOUT)[0]:
                os.killpg(self._process.pid, signal.SIGKILL)  # its child, too
                raise TimeoutError(arguments)
            return int(self._process.stdout.readline()), out.read_text()

    def close(self):
        self._process.communicate(timeout=60)
