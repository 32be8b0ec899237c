"""Several processes of one run on this machine: started, watched and started again.

For trying and testing, and for a machine that several processes share. The launcher itself
computes nothing, starts no backend, and knows of the run only how its processes end.
"""

import contextlib
import glob
import importlib.util
import os
import pathlib
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Any, NamedTuple

from absl import flags

from gan_jax.errors import UserError
from gan_jax.runtime.supervision import DIED, LAUNCHED, SENTENCE, say

FLAGS = ('processes', 'devices_per_process', 'max_restarts')
NOT_BESIDE = ('coordinator', 'num_processes', 'process_id')
SIGNALS = (signal.SIGINT, signal.SIGTERM)
AGAIN = (3, DIED)  # exit codes after which a run may get further when it is started again
MOMENT = 5.0  # seconds in which the others may say themselves that one died
HELD = 1.0  # seconds that another process's lines are held back, since the first may say the same
VERBOSITY = 'TF_CPP_MIN_LOG_LEVEL'  # of what is written in C++
LONGEST = 60  # seconds between two starts

flags.disclaim_key_flags()  # they are of the program that `define` is called by


def define(values: flags.FlagValues) -> None:
    """The launcher's flags."""
    flags.DEFINE_integer(
        'processes', None, 'So many processes on this machine play the run together.', 1, 1024,
        flag_values=values,
    )  # fmt: skip
    flags.DEFINE_integer(
        'devices_per_process', None, 'Devices of each: virtual ones on a CPU, or so many GPUs.', 1,
        1024, flag_values=values,
    )  # fmt: skip
    flags.DEFINE_integer(
        'max_restarts', 0, 'How often all are started again, from the last checkpoint, when one '
        'of them dies.', 0, flag_values=values,
    )  # fmt: skip


def program(file: str) -> list[str]:
    """The command that starts a program again.

    Args:
      file: what stands first in its command line.
    """
    if pathlib.Path(file).name == '__main__.py':  # nothing is to be imported from beside it
        return [sys.executable, '-m', __name__.partition('.')[0]]
    return [sys.executable, file]


def start_if_asked(argv: Sequence[str]) -> None:
    """Ends with the exit code of the processes if the command line asks for any.

    Args:
      argv: the program and its arguments.
    """
    values = flags.FlagValues()
    define(values)
    try:
        rest = values(list(argv), known_only=True)
        others = {x.lstrip('-').partition('=')[0]: x for x in rest if x.startswith('-')}
        if not any(values[name].present for name in FLAGS) or 'sweep' in others:
            return  # a sweep hands these flags on to its trials
        asked = [others[x] for x in NOT_BESIDE if x in others]
        if asked:
            raise UserError(f'{asked[0]} and --processes exclude each other; leave one of them out')
        num = values['processes'].value or 1
        environment = {**os.environ}
        if environment.get(VERBOSITY, '1') == '1':  # as JAX sets it; nobody needs its warnings
            environment[VERBOSITY] = '2'
        environments = environments_of(num, values['devices_per_process'].value, environment)
    except (flags.Error, UserError) as error:
        say(str(error))
        sys.exit(2)
    command = [*program(rest[0]), *rest[1:]]
    sys.exit(launch(command, environments, values['max_restarts'].value or 0))


def environments_of(
    num: int, devices: int | None, environment: Mapping[str, str]
) -> list[dict[str, str]]:
    """Each process's environment, with devices of its own.

    Args:
      num: how many processes.
      devices: how many devices each has; None for its share of the GPUs, or where there are none
        for as many as `environment` says.
      environment: the launcher's.

    Raises:
      UserError: if there are too few GPUs.
    """
    gpus = _gpus(environment)
    if not gpus:
        if num > 1 and not _on_cpu(environment) and glob.glob('/dev/accel*'):
            raise UserError(
                'one process has all TPUs of a machine; leave --processes out, or set '
                'JAX_PLATFORMS=cpu to try several'
            )
        return [_virtual(devices, environment) for _ in range(num)]
    each = devices or len(gpus) // num
    if each * num > len(gpus) or not each:
        raise UserError(
            f'--processes={num} of {devices or 1} devices each need {num * (devices or 1)} GPUs '
            f'and there are {len(gpus)}; give fewer, or set JAX_PLATFORMS=cpu'
        )
    slices = [gpus[i * each : (i + 1) * each] for i in range(num)]
    return [{**environment, 'CUDA_VISIBLE_DEVICES': ','.join(part)} for part in slices]


def _on_cpu(environment: Mapping[str, str]) -> bool:
    return environment.get('JAX_PLATFORMS', '').partition(',')[0] == 'cpu'


def _gpus(environment: Mapping[str, str]) -> list[str]:
    """Those that JAX would use, as CUDA_VISIBLE_DEVICES names them."""
    plugins = ('jax_cuda12_plugin', 'jax_cuda13_plugin')
    if _on_cpu(environment) or not any(importlib.util.find_spec(x) for x in plugins):
        return []
    named = environment.get('CUDA_VISIBLE_DEVICES')
    if named is not None:
        return [x for x in named.split(',') if x]
    return [str(i) for i in range(len(glob.glob('/dev/nvidia[0-9]*')))]


def _virtual(devices: int | None, environment: Mapping[str, str]) -> dict[str, str]:
    name = '--xla_force_host_platform_device_count='
    kept = [x for x in environment.get('XLA_FLAGS', '').split() if not x.startswith(name)]
    if devices is None:
        return {**environment}
    return {**environment, 'XLA_FLAGS': ' '.join([*kept, f'{name}{devices}'])}


class _Line(NamedTuple):
    """What a process said on standard error."""

    process: int
    text: bytes
    time: float


class _Team:
    """The processes, once started."""

    def __init__(self, command: Sequence[str], environments: Sequence[Mapping[str, str]]) -> None:
        num, port = len(environments), _free_port()
        self._lines: queue.SimpleQueue[_Line] = queue.SimpleQueue()
        self._held: list[_Line] = []
        self._first: set[bytes] = set()  # what the first process said
        self.processes: list[subprocess.Popen] = []
        self._readers: list[threading.Thread] = []
        for index, environment in enumerate(environments):
            words = [f'--coordinator=localhost:{port}', f'--num_processes={num}']
            words = [*words, f'--process_id={index}'] if num > 1 else []
            process = subprocess.Popen(
                [*command, *words],
                env={**environment, LAUNCHED: str(os.getpid())},
                stdout=None if index == 0 else subprocess.DEVNULL,
                stderr=subprocess.PIPE if num > 1 else None,
                start_new_session=True,  # Ctrl-C in the terminal comes by way of the launcher
            )
            self.processes.append(process)
            if process.stderr is not None:
                reader = threading.Thread(target=self._read, args=(index, process.stderr))
                reader.start()
                self._readers.append(reader)

    def _read(self, index: int, stream: Any) -> None:
        for text in iter(stream.readline, b''):
            self._lines.put(_Line(index, text, time.monotonic()))

    def running(self) -> list[int]:
        """Those that have not ended."""
        return [i for i, process in enumerate(self.processes) if process.poll() is None]

    def send(self, number: int) -> None:
        """Sends a signal to those that run."""
        for i in self.running():
            self.processes[i].send_signal(number)

    def pass_on(self, seconds: float) -> None:
        """Passes on what they say, for so long."""
        until = time.monotonic() + seconds
        while True:
            with contextlib.suppress(queue.Empty):
                self._take(self._lines.get(timeout=max(0.01, until - time.monotonic())))
            while not self._lines.empty():
                self._take(self._lines.get())
            now = time.monotonic()
            self._release(lambda line, now=now: now > line.time + HELD)  # type: ignore[misc]
            if now >= until:
                return

    def close(self) -> None:
        """Passes on the rest; all have ended."""
        for process in self.processes:
            process.wait()
        for reader in self._readers:
            reader.join()
        self.pass_on(0)
        self._release(lambda line: True)

    def _take(self, line: _Line) -> None:
        if line.process:
            self._held.append(line)
            return
        self._first.add(_words(line.text))
        _write(line.text)

    def _release(self, due: Callable[[_Line], bool]) -> None:
        for line in [x for x in self._held if due(x)]:
            self._held.remove(line)
            if _words(line.text) not in self._first:
                _write(b'process %d: %s' % (line.process, line.text))


def _words(text: bytes) -> bytes:
    """A line without the time that it begins with in the log."""
    return text.partition(b' ')[2] if text[:1].isdigit() else text


def _write(text: bytes) -> None:
    while text:
        text = text[os.write(2, text) :]


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(('localhost', 0))
        return one.getsockname()[1]


def launch(
    command: Sequence[str],
    environments: Sequence[Mapping[str, str]],
    max_restarts: int = 0,
    pause: float = 1.0,
) -> int:
    """Runs the command in so many processes, again if one dies, and passes signals on to them.

    Only the main thread can call it.

    Args:
      command: what each runs; where there are several, with the flags of its place.
      environments: each process's.
      max_restarts: how often all are started again.
      pause: seconds before they are for the first time; twice as many the next.

    Returns:
      The exit code.
    """
    came: list[int] = []
    team: _Team | None = None

    def forward(number: int, frame: FrameType | None) -> None:
        came.append(number)
        if team is not None:
            team.send(number)

    for number in SIGNALS:
        signal.signal(number, forward)
    for restart in range(max_restarts + 1):
        team = _Team(command, environments)
        for early in came[:1]:
            team.send(early)  # it came between the two
        code = _follow(team)
        if code not in AGAIN or came or restart == max_restarts:
            return code
        seconds = min(LONGEST, pause * 2**restart)
        say(
            f'starts all again from the last checkpoint in {seconds:g} s (restart {restart + 1} of '
            f'{max_restarts})'
        )
        until = time.monotonic() + seconds
        while time.monotonic() < until and not came:
            time.sleep(0.05)
        if came:
            say(f'ended by {signal.Signals(came[0]).name}')
            return 128 + came[0]
    raise AssertionError


def _follow(team: _Team) -> int:
    """Waits for the end of all, which that of one that fails brings about; the exit code."""
    while True:
        team.pass_on(0.1)
        running = team.running()
        ended = {i: x.returncode for i, x in enumerate(team.processes) if i not in running}
        failed = {i: code for i, code in ended.items() if code not in (0, 75)}
        if failed:
            break
        if not running:
            team.close()
            return max(ended.values())
    index = min(failed, key=lambda i: (failed[i] >= 0, failed[i] == DIED))
    code = failed[index]
    stopped = -code in SIGNALS  # so early that it could not say so itself
    died = not stopped and (code < 0 or code > 128 + max(SIGNALS))
    until = time.monotonic() + MOMENT
    while team.running() and time.monotonic() < until:
        team.pass_on(0.1)
    team.send(signal.SIGKILL)  # they wait for one that is gone, and can save nothing
    team.close()
    who = f'process {index} (pid {team.processes[index].pid})'
    if stopped:
        say(f'{who} was ended by {signal.Signals(-code).name} at its start')
        return 128 - code
    if not died:
        return code
    how = f'was killed by {signal.Signals(-code).name}' if code < 0 else f'ended with code {code}'
    others = ', and the others were ended' if len(team.processes) > 1 else ''
    say(f'{who} {how}{others}; {SENTENCE}')
    return DIED
