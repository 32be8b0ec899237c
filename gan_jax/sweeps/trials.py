"""Trials: each is one command with a work directory, which also says how far it has come.

An engine is a function of trials, see `gan_jax.sweeps.engines`. It calls `run` of each trial
wherever the trial shall run, or has its command run by other means; `state`, `attempts` and
`newest_step` read how it went from the work directory alone. So a sweep may be killed and started
again, by the same or another engine.

In a trial's work directory, beside what the run itself writes:

    trial.json   its name, overrides and steps; state, attempts, the last exit code and last line
    trial.lock   held by the trial's process and by `run`; where a file system has locks
    log.txt      what the command printed, all attempts behind one another
"""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any, NamedTuple

from absl import logging
from etils import epath

from gan_jax.runtime import files

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

WAITING, RUNNING, FINISHED = 'waiting', 'running', 'finished'
STOPPED, FAILED = 'stopped', 'failed'
RECORD, LOCK, LOG = 'trial.json', 'trial.lock', 'log.txt'
CHECKPOINTS = 'checkpoints'
CHILD = str(pathlib.Path(__file__).with_name('child.py'))
TOLD = 'gan_jax: '  # how the line begins with which launch.py ends
HELD = 'another process trains in'  # what it says of a work directory in use
# Exit codes of launch.py when it was stopped; by the signal itself, before it listens.
SAVED = (0, 75, *(x for n in (signal.SIGINT, signal.SIGTERM) for x in (128 + n, -n)))
LOOK = 0.1  # seconds between two looks at a process,
PAUSE = 2.0  # at a directory in use, and before a broken trial is tried again


class Trial(NamedTuple):
    """One run of a sweep.

    Attributes:
      name: short, unique in the sweep, and its work directory's name.
      overrides: what it changes of the sweep's config: {'optimizers.generator.b1': 0.5}.
      workdir: its work directory.
      command: what runs it, or has it go on; all of the overrides are in it.
      steps: with so many it is finished.
      figure: the plain name of the figure by which it is judged, config.evaluation.best.
    """

    name: str
    overrides: dict[str, Any]
    workdir: epath.Path
    command: tuple[str, ...]
    steps: int
    figure: str = ''

    def until(self, steps: int) -> 'Trial':
        """The same trial with another number of steps; its command goes on, or begins."""
        flag = '--config.steps='
        command = (x for x in self.command if not x.startswith(flag))
        return self._replace(command=(*command, f'{flag}{steps}'), steps=steps)


class Outcome(NamedTuple):
    """How a trial went.

    Attributes:
      state: FINISHED, FAILED, or STOPPED by a signal or before its last step.
      code: the exit code of its last attempt; None if there was none.
      line: why, in its own words; '' if it is finished.
      attempts: how often its command was started, earlier sweeps' starts among them.
    """

    state: str
    code: int | None
    line: str
    attempts: int


class Unfinished(Exception):
    """Some trials were not finished; the message has a line for each of them."""


class Interrupted(Exception):
    """A signal ended the engine, and all its trials with it.

    Attributes:
      number: the signal's.
    """

    def __init__(self, name: str):
        super().__init__(name)
        self.number = signal.Signals[name].value


def newest_step(trial: Trial) -> int:
    """The step of its newest checkpoint, 0 without one."""
    folder = trial.workdir / CHECKPOINTS
    if not folder.exists():
        return 0
    steps = [x for x in folder.iterdir() if x.name.rstrip('/').isdigit()]
    if _is_remote(trial):  # nothing is renamed there: Orbax writes a file when a step is whole
        steps = [x for x in steps if (x / 'commit_success.txt').exists()]
    return max((int(x.name) for x in steps), default=0)


def record(trial: Trial) -> dict[str, Any]:
    """What trial.json holds; {} if it is missing or damaged."""
    try:
        held = json.loads((trial.workdir / RECORD).read_bytes())
    except (OSError, ValueError):
        return {}
    return held if isinstance(held, dict) else {}


def outcome(trial: Trial) -> Outcome:
    """How far it has come, by its work directory; `state` may be WAITING or RUNNING, too."""
    held = record(trial)
    attempts, code = held.get('attempts', 0), held.get('code')
    if newest_step(trial) >= trial.steps:
        return Outcome(FINISHED, code, '', attempts)
    now = held.get('state', WAITING)
    if now == RUNNING and not _is_held(trial):  # by nobody who lives
        now = STOPPED
    elif now == FINISHED:  # with fewer steps
        now = WAITING
    return Outcome(now, code, '' if now == WAITING else held.get('line', ''), attempts)


def state(trial: Trial) -> str:
    """WAITING, RUNNING, FINISHED, STOPPED or FAILED, by its work directory."""
    return outcome(trial).state


def run(
    trial: Trial,
    retries: int = 1,
    *,
    environment: Mapping[str, str] | None = None,
    cores: Sequence[int] = (),
    stop: threading.Event | None = None,
) -> Outcome:
    """Runs a trial's command here until it is finished, or given up; it ends with this process.

    A finished trial is not started, and one that diverged neither: it would again. What launch.py
    calls a mistake of the user's is not retried. Where another process still has the trial, its
    end is waited for.

    Args:
      trial: the trial.
      retries: how often it is started again after it broke; it goes on from its checkpoint.
      environment: more variables for the command.
      cores: those that the command may use; () for all.
      stop: once it is set, the command is sent SIGTERM, saves and ends; none is started any more.

    Returns:
      How it went; the same stands in its trial.json.
    """
    stop = stop or threading.Event()
    trial.workdir.mkdir(parents=True, exist_ok=True)
    with _alone(trial, stop) as lock:
        before = outcome(trial)
        if before.state == FINISHED or _would_again(before):
            return before
        left = retries
        while not stop.is_set():
            _write(trial, Outcome(RUNNING, None, '', before.attempts + 1))
            code, line = _attempt(trial, environment or {}, cores, stop, lock)
            if code == 2 and HELD in line:  # by an orphan, where there are no locks of ours
                logging.info('%s: %s', trial.name, line)
                stop.wait(PAUSE)
                continue
            before = _judged(trial, code, line, before.attempts + 1)
            _write(trial, before)
            if before.state == FINISHED or _would_again(before) or code == 2 or not left:
                return before
            if not stop.is_set():
                left -= 1
                logging.warning('%s: %s; tried again', trial.name, before.line)
                stop.wait(PAUSE)
        return before if before.state == FAILED else before._replace(state=STOPPED)


def conclude(trials: Sequence[Trial]) -> None:
    """Ends an engine that waits for its trials.

    Raises:
      Unfinished: if some are not finished, with a line for each: its last one, and its log.
    """
    lines = []
    for trial in trials:
        found = outcome(trial)
        if found.state != FINISHED:
            none = 'it was not started' if found.state == WAITING else 'how it ended is not known'
            line = found.line.removeprefix(TOLD) or none
            lines.append(f'{trial.name} {found.state}: {line} ({trial.workdir / LOG})')
    if lines:
        raise Unfinished('\n'.join(lines))


def _would_again(found: Outcome) -> bool:
    """Whether it diverged; another error of Python's ends with 1, too, but in its own words."""
    return found.state == FAILED and found.code == 1 and found.line.startswith(TOLD)


def _judged(trial: Trial, code: int, line: str, attempts: int) -> Outcome:
    if newest_step(trial) >= trial.steps:
        return Outcome(FINISHED, code, '', attempts)
    if code in SAVED:
        far = f'ended at step {newest_step(trial)} of {trial.steps}'
        return Outcome(STOPPED, code, far, attempts)
    if code < 0:
        line = f'killed by {signal.Signals(-code).name}; its last line: {line}'
    return Outcome(FAILED, code, line or f'exit code {code}', attempts)


def _write(trial: Trial, found: Outcome) -> None:
    held = {'name': trial.name, 'overrides': trial.overrides, 'steps': trial.steps}
    text = files.json_text({**held, **found._asdict()}, indent=2) + '\n'
    files.replace(trial.workdir / RECORD, lambda file: file.write_text(text))


def _attempt(
    trial: Trial,
    environment: Mapping[str, str],
    cores: Sequence[int],
    stop: threading.Event,
    lock: Sequence[int],
) -> tuple[int, str]:
    """(exit code, the line that says most of what it printed) of one start of the command."""
    wrapper = (sys.executable, '-I', '-S', CHILD, str(os.getpid()), ','.join(map(str, cores)))
    with _log(trial) as log:
        start = log.tell()
        process = subprocess.Popen(
            (*wrapper, *trial.command),
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=lock,
            env={**os.environ, **environment},
            start_new_session=True,  # Ctrl-C in a terminal is for the launcher, which passes it on
        )  # fmt: skip
        told = False
        while process.poll() is None:
            if stop.is_set() and not told:
                process.terminate()
                told = True
            time.sleep(LOOK)
        log.seek(max(start, log.seek(0, os.SEEK_END) - 10_000))
        printed = log.read().decode(errors='replace')
    # A bar that was redrawn left returns in its line.
    lines = [x for x in (line.strip() for line in re.split(r'[\r\n]', printed)) if x]
    own = [x for x in lines if x.startswith(TOLD)]
    return process.returncode, (own or lines or [''])[-1]


@contextlib.contextmanager
def _log(trial: Trial) -> Iterator[IO[bytes]]:
    """The log, open to be added to and read; of a directory that is far away it is sent there."""
    file = trial.workdir / LOG
    if not _is_remote(trial):
        with open(file, 'a+b') as log:
            log.seek(0, os.SEEK_END)
            yield log
        return
    with tempfile.TemporaryFile() as log:
        log.write(file.read_bytes() if file.exists() else b'')
        yield log
        log.seek(0)
        file.write_bytes(log.read())


def _is_remote(trial: Trial) -> bool:
    return '://' in os.fspath(trial.workdir)


@contextlib.contextmanager
def _alone(trial: Trial, stop: threading.Event) -> Iterator[Sequence[int]]:
    """Waits until nobody else runs the trial; the file numbers by which its command holds it.

    The command inherits them, so that it is held until that ends, too, whatever becomes of us.
    """
    if fcntl is None or _is_remote(trial):
        yield ()
        return
    with open(trial.workdir / LOCK, 'ab') as file:
        looks = 0
        while not stop.is_set():
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                looks += 1  # the first time it may be somebody who only looks, see `_is_held`
                if looks == 2:
                    logging.info('%s is still run by another process; it is waited for', trial.name)
                stop.wait(LOOK if looks == 1 else PAUSE)
            except OSError:  # this file system has none
                break
        yield (file.fileno(),)


def _is_held(trial: Trial) -> bool:
    """Whether a process runs the trial; where that cannot be seen, yes."""
    file = trial.workdir / LOCK
    if fcntl is None or _is_remote(trial):
        return True
    try:
        with open(file, 'ab') as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
