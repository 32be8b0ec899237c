"""What metrics.jsonl has, shown at Weights & Biases too: a copy, which no run needs."""

import contextlib
import pathlib
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from absl import logging

from gan_jax.errors import one_line
from gan_jax.runtime import buckets, files

PACKAGE = 'wandb'
ID = 'id'  # the file, in the work directory's folder of the package, by which a run goes on


class Mirror:
    """A run as the service shows it; of what fails there a warning is left and no more."""

    def __init__(self, project: str, workdir: pathlib.Path, settings: Mapping[str, Any]):
        """Begins the run, or goes on with the one of this work directory.

        Where it goes, or whether it stays on the disk for later, the package's own settings say, as
        WANDB_MODE.

        Args:
          project: the project's name.
          workdir: the run's, whose name it has.
          settings: {key: value}, for the record.
        """
        self._run: Any = None
        with self._guarded():
            self._run = _begun(project, workdir, settings)

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Shows finite metrics of a step."""
        with self._guarded():
            if self._run is not None:
                self._run.log(metrics, step)

    def close(self) -> None:
        """Has all be shown."""
        with self._guarded():
            if self._run is not None:
                self._run.finish()

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # another program's, on another machine
            logging.warning('%s shows nothing more: %s', PACKAGE, one_line(error))
            self._run = None


def _begun(project: str, workdir: pathlib.Path, settings: Mapping[str, Any]) -> Any:
    import wandb

    file = workdir / PACKAGE / ID
    if not file.exists():
        files.write_bytes(file, secrets.token_hex(8).encode())
    return wandb.init(
        project=project,
        name=workdir.name,
        dir=None if buckets.is_bucket(workdir) else str(workdir),
        id=file.read_bytes().decode(),
        resume='allow',
        config=dict(settings),
        settings=wandb.Settings(silent=True, console='off'),
    )
