"""Generative adversarial networks in JAX and Flax: games as data, losses as maths.

The maths other projects may use: objectives, penalties, losses, latents, stabilization, augment,
metrics. And whole runs from Python, with the extra `train`: `train`, and `load` of what was
trained.

Each is imported when it is first asked for, and nothing with it that it does not need.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gan_jax import (
        augment,
        cures,
        latents,
        losses,
        metrics,
        objectives,
        penalties,
        stabilization,
    )
    from gan_jax.commands.api import Run, load, train

__all__ = [
    'Run',
    'augment',
    'cures',
    'latents',
    'load',
    'losses',
    'metrics',
    'objectives',
    'penalties',
    'stabilization',
    'train',
]

_OF_RUNS = ('Run', 'load', 'train')


def __getattr__(name: str) -> Any:
    if name in _OF_RUNS:
        from gan_jax import commands

        try:
            api = importlib.import_module('gan_jax.commands.api')
        except ModuleNotFoundError as error:
            raise commands.lacking(error) from error
        return getattr(api, name)
    if name in __all__:
        return importlib.import_module(f'gan_jax.{name}')
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


def __dir__() -> list[str]:
    return [*globals(), *__all__]
