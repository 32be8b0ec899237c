"""Runs that a benchmark's figures may rest on: those that came to their end."""

import pathlib
import sys
from collections.abc import Mapping
from typing import Any

from gan_jax.loop import train


def to_the_end(config: Mapping[str, Any], workdir: pathlib.Path) -> None:
    """Trains; where a signal stopped it, the program ends there and no unfinished run is scored."""
    if train(config, workdir) is None:
        sys.exit(f'{workdir} was stopped: the same command goes on from there')
