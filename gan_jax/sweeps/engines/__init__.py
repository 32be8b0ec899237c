"""Engines: where the trials of a sweep run.

An engine is a module of this package with one function,

    run(trials: Sequence[Trial], options: Options) -> None

It has each trial's command run until `trials.state` says that it is finished, by calling
`trials.run` wherever the trial shall run, or by other means. Finished trials may be among those
that it is given. One that waits for its trials ends with `trials.conclude`, which raises
`trials.Unfinished` if some failed, and raises `trials.Interrupted` if a signal ended it. One that
hands them over returns when it has. `--sweep=NAME` finds it by the module's name.
"""

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from typing import NamedTuple

from gan_jax.errors import UserError, nearest
from gan_jax.sweeps.trials import Trial


class Options(NamedTuple):
    """What is asked of an engine.

    Attributes:
      slots: how many trials run at a time; None for as many as the engine thinks right.
      retries: how often a broken trial is started again.
      words: what else the engine is told, each NAME=VALUE; see `sweeps.settings`.
    """

    slots: int | None = None
    retries: int = 1
    words: tuple[str, ...] = ()


Engine = Callable[[Sequence[Trial], Options], None]
MODULES = {'print': 'printed'}  # where the module cannot have the engine's name


def names() -> list[str]:
    """Of all engines."""
    others = {module: name for name, module in MODULES.items()}
    return sorted(others.get(x.name, x.name) for x in pkgutil.iter_modules(__path__))


def find(name: str) -> Engine:
    """The engine of that name.

    Raises:
      UserError: if there is none, or what it needs is not installed.
    """
    if name not in names():
        raise UserError(
            f'--sweep={name} is no engine; did you mean --sweep={nearest(name, names())}? '
            f'(all: {", ".join(names())})'
        )
    try:
        return importlib.import_module(f'{__name__}.{MODULES.get(name, name)}').run
    except ModuleNotFoundError as error:
        raise UserError(
            f"--sweep={name} needs {error.name}; pip install 'gan_jax[{name}]'"
        ) from error
