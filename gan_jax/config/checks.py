"""Checks of what a config says: each mistake is one line that names the nearest valid thing."""

import importlib
import inspect
import pkgutil
import typing
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any, NamedTuple

from gan_jax.config.bounds import check_value
from gan_jax.errors import UserError, nearest, one_line
from gan_jax.runtime import own


class Kind(NamedTuple):
    """What a name in one place of a config may stand for.

    Attributes:
      parts: the package's own, by name.
      fits: whether what somebody else wrote can stand in their place, as package.module:name.
      needed: what such a thing has to be, in words.
    """

    parts: Mapping[str, Any]
    fits: Callable[[Any], bool]
    needed: str


def check_name(what: str, name: Any, valid: Iterable[str]) -> None:
    """Raises UserError naming the nearest valid name for an unknown one."""
    valid = sorted(valid)
    if not isinstance(name, str) or name not in valid:
        raise UserError(
            f'{what} {name!r} is unknown; the nearest valid name is '
            f'{nearest(str(name), valid)!r} (all: {", ".join(valid)})'
        )


def check_keys(what: str, given: Iterable[str], valid: Iterable[str]) -> None:
    """Raises UserError naming the nearest valid key for the first unknown one."""
    valid = sorted(valid)
    for key in given:
        if not valid:
            raise UserError(f'{what}.{key} is not a key: {what} has none; leave it out')
        if key not in valid:
            raise UserError(
                f'{what}.{key} is not a key; did you mean {what}.{nearest(str(key), valid)}? '
                f'(valid: {", ".join(valid)})'
            )


def check_options(
    what: str, function: Callable, kwargs: Mapping, least: float | None = None
) -> None:
    """Raises UserError unless options are of the kinds that the function's signature says."""
    known = arguments(function)
    for name, value in kwargs.items():
        check_value(f'{what}.{name}', value, known[name], least)


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


def part(what: str, name: Any, kind: Kind) -> Any:
    """What a name stands for: one of the package's, or anybody's package.module:name.

    Raises:
      UserError: if there is no such thing, or it is none of that kind.
    """
    if not own.named(name):
        check_name(what, name, kind.parts)
        return kind.parts[name]
    found = own.imported(what, name)
    if not kind.fits(found):
        raise UserError(f'{what}={name} is of no use there: {kind.needed} is needed')
    return found


def named(what: str, value: Any, kind: Kind) -> tuple[Any, dict[str, Any]]:
    """What {'name': ..., **kwargs} stands for, and the keyword arguments."""
    if not isinstance(value, Mapping) or 'name' not in value:
        raise UserError(f'{what} must be a dict with a name, such as {min(kind.parts)!r}')
    kwargs = {key: x for key, x in value.items() if key != 'name'}
    return part(f'{what}.name', value['name'], kind), kwargs


def takes(function: Any, *needed: str) -> bool:
    """Whether it is called with arguments, these among them."""
    try:
        return {*needed} <= {*inspect.signature(function).parameters}
    except (TypeError, ValueError):  # it is not called, or does not say with what
        return False


def begins_with(function: Any, first: str) -> bool:
    """Whether its first argument is called so."""
    return takes(function, first) and next(iter(inspect.signature(function).parameters)) == first


def gives(function: Any, kind: Any) -> bool:
    """Whether it is a function that says by its annotation that it returns such a thing."""
    if not inspect.isroutine(function):
        return False
    try:
        return typing.get_type_hints(function).get('return') == kind
    except Exception:  # names that only a type checker knows
        text = getattr(function, '__annotations__', {}).get('return')
        return isinstance(text, str) and text.rpartition('.')[2] == kind.__name__


def functions(module: ModuleType, *needed: str) -> Kind:
    """The kind of a module's functions that take these arguments."""
    return Kind(
        functions_with(module, *needed),
        lambda function: takes(function, *needed),
        f'a function with {"arguments" if len(needed) > 1 else "an argument"} '
        f'{" and ".join(needed)}',
    )


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


def fitting(what: str, call: Callable[[], Any], advice: str = '') -> Any:
    """What a call gives that is made of a user's values, whatever it makes of them.

    Raises:
      UserError: if it fails, with what it says and the advice.
    """
    try:
        return call()
    except UserError:
        raise
    except Exception as error:  # another library's check, or none
        more = f' ({advice})' if advice else ''
        raise UserError(f'{what}: {one_line(error)}{more}') from error


def submodules(package: ModuleType, *, with_: str = '', packages: bool = False) -> list[str]:
    """The names of a package's modules, packages among them or not.

    Only of those that have an attribute `with_`, if given.
    """
    found = pkgutil.iter_modules(package.__path__)
    names = [module.name for module in found if packages or not module.ispkg]
    loaded = {name: importlib.import_module(f'{package.__name__}.{name}') for name in names}
    return [name for name in names if not with_ or hasattr(loaded[name], with_)]
