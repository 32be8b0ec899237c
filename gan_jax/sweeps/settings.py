"""What --engine_option says: an engine's settings, each NAME=VALUE."""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

from gan_jax.errors import UserError, nearest

Settings = TypeVar('Settings', bound=NamedTuple)
FLAG = '--engine_option'
BOOLS = {'true': True, 'false': False}


class Nothing(NamedTuple):
    """Of an engine that reads none."""


def pairs(words: Sequence[str]) -> dict[str, str]:
    """The values by name, as the command line has them; the last of one name holds.

    Raises:
      UserError: if one of them is no NAME=VALUE.
    """
    for word in words:
        if '=' not in word:
            raise UserError(f'{FLAG}={word}: give {FLAG}=NAME=VALUE')
    return {name: value for name, _, value in (word.partition('=') for word in words)}


def read(engine: str, defaults: Settings, words: Sequence[str]) -> Settings:
    """The engine's settings: its defaults, and what the command line says.

    Args:
      engine: its name, for lines.
      defaults: a NamedTuple; the type of each value says what it may be.
      words: what the command line says, each NAME=VALUE.

    Raises:
      UserError: if there is no such setting, or it cannot have the value.
    """
    known, values = defaults._asdict(), {}
    for name, value in pairs(words).items():
        if name not in known:
            names = sorted(known)
            reads = f'did you mean {nearest(name, names)}? (all: {", ".join(names)})'
            raise UserError(
                f'{FLAG}={name} is not read by --sweep={engine}; '
                f'{reads if names else "leave it out"}'
            )
        values[name] = _value(name, value, type(known[name]))
    return defaults._replace(**values)


def _value(name: str, text: str, kind: type) -> Any:
    if kind is bool and text in BOOLS:
        return BOOLS[text]
    if kind is not bool:
        try:
            return kind(text)
        except ValueError:
            pass
    needed = {bool: 'true or false', int: 'a whole number', float: 'a number'}[kind]
    raise UserError(f'{FLAG}={name}={text}: give {needed}')
