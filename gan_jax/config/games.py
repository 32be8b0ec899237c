"""Games by their names, and which keys of a config each takes."""

import importlib
from collections.abc import Callable
from typing import Any

from gan_jax import games
from gan_jax.config.checks import Kind, arguments, gives, part, submodules
from gan_jax.game import Game

BUILT_IN = ('adversary',)  # what a game is given that is no key of a config
CALLED = {'prior': 'latent'}  # arguments of games that a config calls otherwise


def maker(name: Any) -> Callable[..., Game]:
    """The function that makes a game of its keyword arguments, by the game's name.

    Raises:
      UserError: if there is no such game.
    """
    makers = {
        each: importlib.import_module(f'{games.__name__}.{each}').make
        for each in submodules(games, with_='make')
    }
    needed = f'a function that is annotated to return a {Game.__module__}.{Game.__name__}'
    return part('config.game', name, Kind(makers, lambda own: gives(own, Game), needed))


def game_keys(name: str) -> list[str]:
    """The keys of a config that a game takes beyond the common ones."""
    return [CALLED.get(key, key) for key in arguments(maker(name), BUILT_IN)]
