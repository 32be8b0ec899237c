"""The record of a run: metrics.jsonl, TensorBoard's events, and the line a person watches."""

import contextlib
import json
import math
import pathlib
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import tqdm
from absl import logging
from tensorboardX import event_file_writer, summary
from tensorboardX.proto import event_pb2

from gan_jax.runtime import buckets, files, mirror, progress

FLUSH = 120.0  # seconds between which TensorBoard is shown something new
# Between two puts of a metrics.jsonl on a bucket: seconds, or more if that is less than so many
# bytes a second. So what is put in all grows with a run's time, not with the square of its lines.
PAUSE, RATE = 10.0, 100_000
COLUMNS = 90  # of a line, behind its time of day
WAITING = 0.02  # the share of the time that is said
# Keys of metrics.jsonl that say how fast a run was, not what it computed.
TIMING = ('seconds', 'examples_per_second', 'data_wait')


class Means:
    """Running means of metrics since they were last taken; exact across a checkpoint."""

    def __init__(self, sums: Mapping[str, Any] | None = None):
        """Starts empty, or from an earlier `sums`."""
        self.sums = {name: list(pair) for name, pair in (sums or {}).items()}

    def add(self, metrics: Mapping[str, float]) -> None:
        """Counts one step's metrics; they need not be the same at every step."""
        for name, value in metrics.items():
            total, count = self.sums.get(name, (0.0, 0))
            self.sums[name] = [total + float(value), count + 1]

    def now(self) -> dict[str, float]:
        """The means so far."""
        return {name: total / count for name, (total, count) in self.sums.items()}

    def take(self) -> dict[str, float]:
        """The means, and a fresh start."""
        means = self.now()
        self.sums = {}
        return means


def read_metrics(file: pathlib.Path) -> tuple[list[dict[str, Any]], list[str]]:
    """The lines of a metrics.jsonl, and what is wrong with those that are left out.

    A process that was killed leaves half a line, and other programs may have written anything.

    Args:
      file: it need not exist.

    Returns:
      (records, problems): a dict for each sound line, of 'step', a whole number from 0, and of
      numbers, which may be NaN or infinite; what is null in the file is not there. And a phrase
      for each other line that is not empty, such as 'line 3 is not JSON'.

    Raises:
      OSError: if it cannot be read.
    """
    lines, problems = _read_lines(file)
    records = [
        {name: x for name, x in record.items() if name != files.MISSING and x is not None}
        for _, record in lines
    ]
    return records, problems


def _read_lines(file: pathlib.Path) -> tuple[list[tuple[bytes, dict[str, Any]]], list[str]]:
    """([(line, what it holds)], problems); as `read_metrics`, with all that a sound line holds."""
    sound, problems = [], []
    with files.naming(file):
        lines = file.read_bytes().split(b'\n') if file.exists() else []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):  # bytes that are no text are a ValueError, too
            problems.append(f'line {number} is not JSON')
            continue
        wrong = _wrong(record)
        if wrong:
            problems.append(f'line {number} {wrong}')
        else:
            sound.append((line, record))
    return sound, problems


def _wrong(record: Any) -> str:
    """What keeps it from being a record; nothing if it is one."""
    if not isinstance(record, dict):
        return 'is no object'
    step = record.get('step')
    if type(step) is not int or step < 0:
        return 'has no step'
    for name, value in record.items():
        # A number that is not finite is null, and 'missing' says why.
        reasons = name == files.MISSING and isinstance(value, dict)
        if not reasons and value is not None and type(value) not in (int, float):
            return f'has no number as {name}'
    return ''


class _Lines:
    """The lines of a file, each on the disk as soon as it is written."""

    def __init__(self, file: pathlib.Path, kept: bytes | None):
        """The file is to hold `kept` first; None is what it holds."""
        self._file = file
        if kept is not None:
            files.write_bytes(file, kept)
        self._stream = file.open('ab')

    def write(self, line: bytes) -> None:
        with files.naming(self._file):
            self._stream.write(line)
            self._stream.flush()

    def flush(self) -> None:
        """Has all be where a resume finds it; it is."""

    def close(self) -> None:
        with files.naming(self._file):
            self._stream.close()


class _Object:
    """The lines of an object on a bucket, to which nothing can be added: it is put anew, whole.

    Not at each line, see RATE; lines after the last checkpoint, which a resume writes again, may be
    missing if the process is killed.
    """

    def __init__(self, file: pathlib.Path, kept: bytes | None):
        self._file, self._content = file, bytearray(kept or b'')
        self._put = 0 if kept is None else -1  # the length that was put
        self._when = -float('inf')
        self.flush()

    def write(self, line: bytes) -> None:
        self._content += line
        if time.monotonic() - self._when >= max(PAUSE, len(self._content) / RATE):
            self.flush()

    def flush(self) -> None:
        """Has all be where a resume finds it."""
        if len(self._content) != self._put:
            self._file.write_bytes(bytes(self._content))
            self._put, self._when = len(self._content), time.monotonic()

    close = flush


class _EventObjects:
    """tensorboardX's EventsWriter on a bucket: each flush puts an object with what is new.

    TensorBoard reads the files of a folder one after the other, in the order of their names.
    """

    def __init__(self, workdir: pathlib.Path):
        self._workdir, self._count, self._lock = workdir, 0, threading.Lock()
        self._folder = tempfile.TemporaryDirectory()
        self._writer: event_file_writer.EventsWriter | None = None

    def write_event(self, event: event_pb2.Event) -> None:
        with self._lock:
            if self._writer is None:
                prefix, suffix = f'{self._folder.name}/events', f'.{self._count:06d}'
                self._writer = event_file_writer.EventsWriter(prefix, suffix)
                self._count += 1
            self._writer.write_event(event)

    def flush(self) -> None:
        with self._lock:
            if self._writer is None:
                return
            self._writer.close()
            self._writer = None
            for file in pathlib.Path(self._folder.name).iterdir():
                content = file.read_bytes()
                (self._workdir / file.name).write_bytes(content)
                file.unlink()

    def close(self) -> None:
        self.flush()
        self._folder.cleanup()


class _Events:
    """TensorBoard's events, written where they are given, and safe to give from several threads.

    tensorboardX's own SummaryWriter has a thread and a queue: on a full disk the thread dies, and
    what is given next waits for ever.
    """

    def __init__(self, workdir: pathlib.Path, purge_step: int):
        self._folder = workdir
        with files.naming(workdir):
            self._writer: Any = (
                _EventObjects(workdir)
                if buckets.is_bucket(workdir)
                else event_file_writer.EventsWriter(str(workdir / 'events'))
            )
        self._flushed = 0.0
        self._write(purge_step, file_version='brain.Event:2')
        start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        self._write(purge_step, session_log=start)

    def scalar(self, step: int, name: str, value: float) -> None:
        self._write(step, summary=summary.scalar(name, value))

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        self._write(step, summary=summary.image(name, image, dataformats='HWC'))

    def settings(self, step: int, settings: Mapping[str, Any], figures: Iterable[str]) -> None:
        plain = {name: _plain(x) for name, x in settings.items()}
        for part in summary.hparams(plain, dict.fromkeys(figures, 0.0)):
            self._write(step, summary=part)

    def _write(self, step: int, **what: Any) -> None:
        now = time.time()
        with files.naming(self._folder):
            self._writer.write_event(event_pb2.Event(wall_time=now, step=step, **what))
            if now - self._flushed > FLUSH:
                self._writer.flush()
                self._flushed = now

    def close(self) -> None:
        with files.naming(self._folder):
            self._writer.close()


class Log:
    """Writes what a run has to say; after a resume, as if it had never been stopped."""

    def __init__(self, workdir: pathlib.Path, step: int, steps: int, examples: int):
        """Opens the record, dropping what was written after `step`.

        Args:
          workdir: where the files go.
          step: the step that the run starts from.
          steps: the step that it ends with.
          examples: examples per step.

        Raises:
          OSError: if it cannot be read or written; so do all that write.
        """
        file, kept = workdir / 'metrics.jsonl', None
        if file.exists():
            lines, problems = _read_lines(file)
            if problems:
                logging.warning('%s: %s; %d of its lines dropped', file, problems[0], len(problems))
            kept = b''.join(line + b'\n' for line, record in lines if record['step'] <= step)
        self._lines = (_Object if buckets.is_bucket(workdir) else _Lines)(file, kept)
        self._events = _Events(workdir, step + 1)
        self._mirror: mirror.Mirror | None = None
        self._folder, self._examples = workdir, examples
        self._last = self._start = time.monotonic()
        self._last_step = step
        self._waited = 0.0
        terminal = sys.stderr.isatty()
        self._bar = tqdm.tqdm(total=steps, initial=step, unit='step') if terminal else None
        self._steps = steps

    def advance(self, steps: int) -> None:
        """Moves the progress bar."""
        if self._bar is not None:
            self._bar.update(steps)

    @contextlib.contextmanager
    def compiling(self) -> Iterator[None]:
        """Says on the progress bar, or in lines of the log, that what is done inside is that."""
        if self._bar is None:
            with progress.lines('compiling'):
                yield
            return
        self._bar.set_description('compiling')
        try:
            yield
        finally:
            self._bar.set_description('')

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Times what is done inside as waiting for data."""
        start = time.monotonic()
        yield
        self._waited += time.monotonic() - start

    def restart_clock(self, step: int) -> None:
        """Leaves what was done until `step` (compilation) out of the rate."""
        self._last, self._last_step, self._waited = time.monotonic(), step, 0.0

    def scalars(self, step: int, means: Mapping[str, float]) -> None:
        """Writes the metrics of the steps up to `step`, with the rate and the wait for data."""
        now = time.monotonic()
        passed = max(now - self._last, 1e-9)
        rate, wait = (step - self._last_step) * self._examples / passed, self._waited / passed
        self._last, self._last_step, self._waited = now, step, 0.0
        timing = dict(zip(TIMING, (now - self._start, rate, wait), strict=True))
        self.write(step, {**means, **timing})
        losses = _losses(means)
        if self._bar is not None:
            self._bar.set_postfix_str(', '.join(losses))
            return
        left = progress.duration((self._steps - step) * self._examples / rate)
        slow = f', {wait:.0%} waiting for data' if wait >= WAITING else ''
        line = f'step {step}/{self._steps}, {left} left, {rate:.0f} examples/s{slow}: '
        logging.info('%s', line + _fitting(losses, COLUMNS - len(line)))

    def write(
        self, step: int, metrics: Mapping[str, float], missing: Mapping[str, str] | None = None
    ) -> None:
        """Writes metrics under a step; those that are not finite as null, with the reasons."""
        record = {'step': step, **metrics, files.MISSING: missing}
        self._lines.write(f'{files.json_text(record)}\n'.encode())
        finite = {name: metrics[name] for name in metrics.keys() - not_finite(metrics)}
        for name, value in finite.items():
            self._events.scalar(step, name, value)
        if self._mirror is not None:
            self._mirror.write(step, finite)

    def settings(
        self, settings: Mapping[str, Any], figures: Iterable[str], project: str = ''
    ) -> None:
        """Shows a run's settings in TensorBoard's table, with these figures beside them.

        Args:
          settings: {key: value}.
          figures: as they are logged.
          project: at Weights & Biases, where all that is written from now on is shown, too.
        """
        self._events.settings(self._last_step, settings, figures)
        if project:
            self._mirror = mirror.Mirror(project, self._folder, settings)

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        """Shows a picture [height, width, channels] in TensorBoard."""
        self._events.image(step, name, image)

    def flush(self) -> None:
        """Has all that was written be where a resume finds it: before a checkpoint is saved."""
        self._lines.flush()

    def close(self) -> None:
        """Flushes all."""
        with contextlib.ExitStack() as stack:  # each, though another fails
            if self._mirror is not None:
                stack.callback(self._mirror.close)  # last: it may wait for the network
            stack.callback(self._events.close)
            stack.callback(self._lines.close)
            if self._bar is not None:
                self._bar.close()


def _plain(value: Any) -> str | bool | int | float:
    return value if isinstance(value, bool | int | float | str) else json.dumps(value)


def _losses(metrics: Mapping[str, float]) -> list[str]:
    """Those among them, in words: 'generator 1.386'."""
    found = {name: x for name, x in metrics.items() if name.endswith('loss')}
    return [f'{name.removesuffix("/loss")} {x:.3f}' for name, x in found.items()]


def _fitting(words: list[str], room: int) -> str:
    """As many words as there is room for, then dots."""
    whole = ', '.join(words)
    while len(whole) > room and words:
        words = words[:-1]
        whole = ', '.join([*words, '...'])
    return whole


def not_finite(metrics: Mapping[str, float]) -> list[str]:
    """The names of those that are NaN or infinite."""
    return [name for name, value in metrics.items() if not math.isfinite(value)]
