"""Checks of what a config says: each mistake is one line that names the nearest valid thing."""

import difflib
import importlib
import inspect
import math
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any

from gan_jax.errors import UserError, one_line


def nearest(name: str, valid: Iterable[str]) -> str:
    """The valid name that looks most like `name`."""
    valid = sorted(valid)
    matches = difflib.get_close_matches(name, valid, n=1, cutoff=0.0)
    return matches[0] if matches else '(none)'


def check_name(what: str, name: Any, valid: Iterable[str]) -> None:
    """Raises UserError naming the nearest valid name for an unknown one."""
    valid = sorted(valid)
    if name not in valid:
        raise UserError(
            f'{what} {name!r} is unknown; the nearest valid name is '
            f'{nearest(str(name), valid)!r} (all: {", ".join(valid)})'
        )


def check_keys(what: str, given: Iterable[str], valid: Iterable[str]) -> None:
    """Raises UserError naming the nearest valid key for the first unknown one."""
    valid = sorted(valid)
    for key in given:
        if key not in valid:
            raise UserError(
                f'{what}.{key} is not a key; did you mean {what}.{nearest(key, valid)}? '
                f'(valid: {", ".join(valid)})'
            )


def check_number(what: str, value: Any, kind: type, least: float, most: float = math.inf) -> None:
    """Raises UserError unless the value is a number of that kind within the bounds."""
    number = isinstance(value, (int, float) if kind is float else int)
    if not number or isinstance(value, bool):
        raise UserError(f'{what}={value!r} must be {"a number" if kind is float else "an integer"}')
    if value < least:
        raise UserError(f'{what}={value} must be at least {least}')
    if value > most:
        raise UserError(f'{what}={value} must be at most {most}')


def check_options(what: str, function: Callable, kwargs: Mapping, least: float = -math.inf) -> None:
    """Raises UserError unless options whose defaults are numbers or switches are of their kind."""
    for name, value in kwargs.items():
        kind = type(arguments(function)[name].default)
        if kind is bool and not isinstance(value, bool):
            raise UserError(f'{what}.{name}={value!r} must be True or False')
        if kind in (int, float):
            check_number(f'{what}.{name}', value, kind, least)


def arguments(function: Callable, given: Iterable[str] = ()) -> dict[str, inspect.Parameter]:
    """The arguments that a config may set: all that have a name, less those `given`."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {
        name: parameter
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind in kinds and name not in given
    }


def check_arguments(
    what: str, function: Callable, kwargs: Mapping, given: Iterable[str] = ()
) -> None:
    """Raises UserError for an unknown keyword argument, or for one that is missing."""
    known = arguments(function, given)
    check_keys(what, kwargs, known)
    for name, parameter in known.items():
        if parameter.default is inspect.Parameter.empty and name not in kwargs:
            raise UserError(f'{what}.{name} is missing')


def named(what: str, value: Any, valid: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """What {'name': ..., **kwargs} stands for, and the keyword arguments."""
    if not isinstance(value, Mapping) or 'name' not in value:
        raise UserError(f'{what} must be a dict with a name, such as {min(valid)!r}')
    kwargs = {key: x for key, x in value.items() if key != 'name'}
    check_name(f'{what}.name', value['name'], valid)
    return valid[value['name']], kwargs


def imported(what: str, name: Any) -> Any:
    """What 'package.module:name' stands for.

    Raises:
      UserError: if it cannot be imported.
    """
    module, _, attribute = name.partition(':') if isinstance(name, str) else ('', '', '')
    if not module or not attribute:
        raise UserError(f"{what}={name!r} must be 'package.module:name'")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UserError(f'{what}={name}: {one_line(error)}; say package.module:name') from error


def functions_with(module: ModuleType, *needed: str) -> dict[str, Callable]:
    """A module's own public functions that take these arguments."""
    return {
        name: value
        for name, value in vars(module).items()
        if inspect.isfunction(value)
        and not name.startswith('_')
        and value.__module__ == module.__name__
        and set(needed) <= set(inspect.signature(value).parameters)
    }


def submodules(package: ModuleType, *, with_: str = '') -> list[str]:
    """The names of a package's modules; only those that have an attribute `with_`, if given."""
    names = [module.name for module in pkgutil.iter_modules(package.__path__) if not module.ispkg]
    loaded = {name: importlib.import_module(f'{package.__name__}.{name}') for name in names}
    return [name for name in names if not with_ or hasattr(loaded[name], with_)]
