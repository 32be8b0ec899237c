"""The record of a run: metrics.jsonl, TensorBoard's events, and the line a person watches."""

import contextlib
import json
import math
import pathlib
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorboardX
import tqdm
from absl import logging

from gan_jax.runtime import files

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

    def take(self) -> dict[str, float]:
        """The means, and a fresh start."""
        means = {name: total / count for name, (total, count) in self.sums.items()}
        self.sums = {}
        return means


class Log:
    """Writes what a run has to say; after a resume, as if it had never been stopped."""

    def __init__(self, workdir: pathlib.Path, step: int, steps: int, examples: int):
        """Opens the record, dropping what was written after `step`.

        Args:
          workdir: where the files go.
          step: the step that the run starts from.
          steps: the step that it ends with.
          examples: examples per step.
        """
        self._file = workdir / 'metrics.jsonl'
        if self._file.exists():
            kept = [line for line in self._file.read_text().splitlines() if _upto(line, step)]
            text = ''.join(line + '\n' for line in kept)
            files.replace(self._file, lambda file: file.write_text(text))
        self._stream = self._file.open('a')
        self._events = tensorboardX.SummaryWriter(str(workdir), purge_step=step + 1)
        self._examples = examples
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
        if self._bar is not None:
            losses = {name: value for name, value in means.items() if name.endswith('loss')}
            self._bar.set_postfix_str(_line(losses))
            return
        shown = {name: value for name, value in means.items() if name.endswith(('loss', 'logit'))}
        left = (self._steps - step) * self._examples / rate
        logging.info('step %d/%d: %s; %.0f examples/s, %.1f%% waiting for data, %.0f s left',
                     step, self._steps, _line(shown), rate, 100 * wait, left)  # fmt: skip

    def write(
        self, step: int, metrics: Mapping[str, float], missing: Mapping[str, str] | None = None
    ) -> None:
        """Writes metrics under a step; those that are not finite as null, with the reasons."""
        record = {'step': step, **metrics, files.MISSING: missing}
        self._stream.write(files.json_text(record) + '\n')
        self._stream.flush()
        for name in metrics.keys() - not_finite(metrics):
            self._events.add_scalar(name, metrics[name], step)

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        """Shows a picture [height, width, channels] in TensorBoard."""
        self._events.add_image(name, image, step, dataformats='HWC')

    def close(self) -> None:
        """Flushes all."""
        if self._bar is not None:
            self._bar.close()
        self._stream.close()
        self._events.close()


def _line(metrics: Mapping[str, float]) -> str:
    return ', '.join(f'{name} {value:.3f}' for name, value in metrics.items())


def _upto(line: str, step: int) -> bool:
    """Whether a line is whole and not of a step after `step`."""
    try:
        return json.loads(line)['step'] <= step
    except (ValueError, KeyError, TypeError):
        return False


def not_finite(metrics: Mapping[str, float]) -> list[str]:
    """The names of those that are NaN or infinite."""
    return [name for name, value in metrics.items() if not math.isfinite(value)]
