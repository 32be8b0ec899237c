"""What a person sees of a sweep as it runs: a table in a terminal, lines of the log elsewhere."""

import json
import logging as python_logging
import os
import shutil
import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, NamedTuple

from absl import logging

from gan_jax.errors import one_line
from gan_jax.runtime import names
from gan_jax.runtime.progress import duration
from gan_jax.sweeps.trials import FAILED, FINISHED, RUNNING, STOPPED, WAITING, Trial, outcome

METRICS = 'metrics.jsonl'
TAIL = 2**16  # bytes at its end, in which the newest lines are looked for
EVERY = 60.0  # seconds between two lines of the log, and between two looks at what is far away
ORDER = (RUNNING, FAILED, STOPPED, FINISHED, WAITING)


class Progress(NamedTuple):
    """How far a trial is, by the end of its metrics.jsonl.

    Attributes:
      step: of the newest line.
      value: the newest of its figure; None if it was not evaluated yet.
      pace: seconds a step; None if that is not known yet.
    """

    step: int = 0
    value: float | None = None
    pace: float | None = None


def read(trial: Trial, before: Progress = Progress()) -> Progress:  # noqa: B008
    """How far it is; what the last lines do not say is as it was before."""
    step, value, pace = before
    wanted = names.Name(trial.figure, names.EVALUATION)
    clock: tuple[int, float] | None = None
    for record in _newest(trial):
        step = record['step']
        seconds = record.get('seconds')
        for key, x in record.items():
            if names.parse(key)._replace(network='') == wanted and isinstance(x, int | float):
                value = float(x)
        if isinstance(seconds, int | float):
            if clock and step > clock[0] and seconds > clock[1]:
                pace = (seconds - clock[1]) / (step - clock[0])
            clock = step, seconds
    return Progress(step, value, pace)


def _newest(trial: Trial) -> list[dict[str, Any]]:
    file = trial.workdir / METRICS
    try:
        with file.open('rb') as stream:
            start = max(0, stream.seek(0, os.SEEK_END) - TAIL)
            stream.seek(start)
            lines = stream.read().split(b'\n')[1 if start else 0 :]
    except OSError:
        return []
    records = []
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:  # half of one
            continue
        if isinstance(record, dict) and type(record.get('step')) is int:
            records.append(record)
    return records


class Row(NamedTuple):
    """What is known of a trial.

    Attributes:
      trial: the trial.
      state: as `trials.outcome` has it.
      line: why it failed or was stopped.
      progress: how far it is.
      took: seconds from its start to its end, if both were seen.
    """

    trial: Trial
    state: str
    line: str
    progress: Progress
    took: float | None = None

    @property
    def left(self) -> float | None:
        """Seconds until it is finished, at its own pace."""
        steps = max(self.trial.steps - self.progress.step, 0)
        if self.state == FINISHED:
            return 0.0
        return None if self.progress.pace is None else steps * self.progress.pace

    def cells(self) -> tuple[str, ...]:
        """Trial, state, step, figure, time left."""
        step, value, _ = self.progress
        left = self.left if self.state == RUNNING else None
        return (
            self.trial.name,
            self.state,
            f'{step}/{self.trial.steps}' if step else '',
            '' if value is None else f'{value:.4g}',
            '' if left is None else duration(left),
        )

    def said(self) -> str:
        """All of it in a line."""
        name, state, step, value, left = self.cells()
        parts = [
            f'{name} {state}',
            step and f'step {step}',
            value and f'{self.trial.figure} {value}',
            left and f'{left} left',
        ]
        return ', '.join(x for x in parts if x) + (f': {self.line}' if self.line else '')


def summary(rows: Sequence[Row], slots: int) -> str:
    """How many are in which state, and the time that all of them take yet, if it can be guessed."""
    counts = [(state, sum(row.state == state for row in rows)) for state in ORDER]
    num = '1 trial' if len(rows) == 1 else f'{len(rows)} trials'
    line = f'{num}: {", ".join(f"{n} {state}" for state, n in counts if n)}'
    paces = [row.progress.pace for row in rows if row.progress.pace is not None]
    took = [row.took for row in rows if row.took is not None]  # with what comes before the steps
    open_ = [row for row in rows if row.state in (RUNNING, WAITING)]
    if not (paces or took) or not open_:
        return line
    total = 0.0
    for row in open_:
        steps = max(row.trial.steps - row.progress.step, 0)
        if row.progress.pace is not None:
            total += steps * row.progress.pace
        else:
            total += sum(took) / len(took) if took else steps * sum(paces) / len(paces)
    return f'{line}; about {duration(total / max(1, min(slots, len(open_))))} left'


def lay_out(rows: Sequence[Row], last: str, height: int, width: int) -> list[str]:
    """The table's lines, no more than `height` and none longer than `width`.

    What has no room is what comes last: waiting trials, before these finished ones.
    """
    room = max(1, height - 3)
    chosen = sorted(range(len(rows)), key=lambda i: ORDER.index(rows[i].state))[:room]
    shown = [rows[i].cells() for i in sorted(chosen)]
    figures = {row.trial.figure for row in rows}
    figure = figures.pop() if len(figures) == 1 else 'figure'
    table = [('trial', 'state', 'step', figure or 'figure', 'left'), *shown]
    widths = [max(len(cells[i]) for cells in table) for i in range(5)]
    # A long name is cut at its beginning: trials differ at their ends more often.
    widths[0] = max(10, min(widths[0], width - sum(widths[1:]) - 9))
    lines = []
    for cells in table:
        name = cells[0] if len(cells[0]) <= widths[0] else f'…{cells[0][1 - widths[0] :]}'
        padded = [x.ljust(n) for x, n in zip((name, *cells[1:]), widths, strict=True)]
        lines.append('  '.join(padded).rstrip()[: width - 1])
    hidden = len(rows) - len(shown)
    more = f' ({hidden} not shown)' if hidden else ''
    return [*lines, f'{last}{more}'[: width - 1]]


class Table:
    """Shows trials as their work directories say they are, whoever runs them.

    In a terminal one table is drawn over and over; elsewhere there is a line for each change of
    state, and one each minute.
    """

    def __init__(self, trials: Sequence[Trial], slots: int):
        """Shows nothing yet; so many trials run at a time."""
        self._trials, self._slots = trials, slots
        self._rows: dict[str, Row] = {}
        self._begun: dict[str, float] = {}  # when each was seen to run first
        self._terminal = sys.stderr.isatty()
        self._drawn: list[str] = []  # the table's lines that stand in the terminal
        self._looked = self._told = time.monotonic() - EVERY
        self._far = any('://' in os.fspath(trial.workdir) for trial in trials)
        self._filter = _Before(self._erase)

    def __enter__(self) -> 'Table':
        logging.get_absl_handler().addFilter(self._filter)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._look()
        self._tell()
        logging.get_absl_handler().removeFilter(self._filter)

    def show(self) -> None:
        """Looks at the trials and shows what is new; may be called often."""
        if self._far and time.monotonic() - self._looked < EVERY:
            return
        self._look()
        if self._terminal or time.monotonic() - self._told >= EVERY:
            self._tell()

    def _look(self) -> None:
        self._looked = time.monotonic()
        for trial in self._trials:
            before = self._rows.get(trial.name)
            if before is not None and before.state == FINISHED:
                continue
            progress = before.progress if before is not None else Progress()
            try:
                found = outcome(trial)
                if found.state != WAITING:
                    progress = read(trial, progress)
            except OSError as error:  # a bucket that was not reached: trials go on all the same
                line = f'{trial.name} was not looked at: {one_line(error)}'
                logging.log_every_n_seconds(logging.WARNING, '%s', EVERY, line)
                continue
            took = None
            if found.state == RUNNING:
                self._begun.setdefault(trial.name, self._looked)
            elif found.state == FINISHED and trial.name in self._begun:
                took = self._looked - self._begun[trial.name]
            row = Row(trial, found.state, found.line, progress, took)
            self._rows[trial.name] = row
            changed = before is None or before.state != row.state
            if changed and not self._terminal and row.state != WAITING:
                logging.info('%s', row.said())

    def _tell(self) -> None:
        self._told = time.monotonic()
        rows = [*self._rows.values()]
        if not rows:
            return
        last = summary(rows, self._slots)
        if not self._terminal:
            running = [row.said() for row in rows if row.state == RUNNING]
            logging.info('%s', '; '.join([last, *running]))
            return
        size = shutil.get_terminal_size()
        lines = lay_out(rows, last, size.lines, size.columns)
        if lines != self._drawn:
            self._erase()
            sys.stderr.write('\n'.join(lines) + '\n')
            sys.stderr.flush()
            self._drawn = lines

    def _erase(self) -> None:
        if self._drawn:
            sys.stderr.write(f'\x1b[{len(self._drawn)}F\x1b[J')  # to its first line, clear below
            sys.stderr.flush()
            self._drawn = []


class _Before(python_logging.Filter):
    """Has something be done before each line of the log; a table is redrawn below the line."""

    def __init__(self, do: Any):
        super().__init__()
        self._do = do

    def filter(self, record: python_logging.LogRecord) -> bool:
        self._do()
        return True
