"""What is not the package's: an object by the name package.module:name, of a module on the path."""

import contextlib
import difflib
import importlib
import os
import pkgutil
import re
import sys
import sysconfig
from typing import Any

from gan_jax.errors import UserError, nearest, one_line

FORM = 'package.module:name'
_NAME = re.compile(r'[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*')


def named(name: Any) -> bool:
    """Whether a name is, or was meant to be, of the form package.module:name."""
    return isinstance(name, str) and ':' in name


def formed(name: str) -> bool:
    """Whether a name is of that form, where other names have colons, too."""
    return _NAME.fullmatch(name) is not None


def imported(what: str, name: Any) -> Any:
    """What package.module:name stands for.

    The module is looked for as Python does, and in the current folder after all others.

    Args:
      what: what names it, for messages.
      name: the name.

    Raises:
      UserError: if there is no such module, it has no such name, or it cannot be imported.
    """
    if not isinstance(name, str) or not formed(name):
        raise UserError(f'{what}={name!r} must be {FORM!r}')
    module, _, path = name.partition(':')
    _see_current_folder()
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = error.name or ''
        if f'{module}.'.startswith(f'{missing}.'):
            raise UserError(f'{what}={name}: {_no_module(missing, name)}') from error
        raise UserError(
            f'{what}={name}: {module} imports {missing}, which is not there; install it, or put '
            f'the folder that holds it on PYTHONPATH'
        ) from error
    except (Exception, SystemExit) as error:  # a module is code, and may raise anything
        raise UserError(
            f'{what}={name}: {module} cannot be imported ({type(error).__name__}: '
            f'{one_line(error)})'  # type: ignore[arg-type]
        ) from error
    for attribute in path.split('.'):
        if not hasattr(found, attribute):
            names = [x for x in dir(found) if not x.startswith('_')]
            raise UserError(
                f'{what}={name}: {module} has no {path}; did you mean '
                f'{module}:{nearest(attribute, names)}?'
            )
        found = getattr(found, attribute)
    return found


def _see_current_folder() -> None:
    with contextlib.suppress(FileNotFoundError):  # it was removed
        if not {'', os.getcwd()} & {*sys.path}:
            sys.path.append(os.getcwd())


def _own_folders() -> list[str]:
    """Those on the path where somebody's own modules may lie: not where packages are installed."""
    installed = {sysconfig.get_path(x) for x in ('stdlib', 'platstdlib', 'purelib', 'platlib')}
    return [x for x in sys.path if not any(x.startswith(y) for y in installed)]


def _no_module(missing: str, name: str) -> str:
    """What to do about a module that there is not, a part of the way to a name."""
    package, _, last = missing.rpartition('.')
    folders = list(sys.modules[package].__path__) if package in sys.modules else _own_folders()
    others = [x.name for x in pkgutil.iter_modules(folders)]
    near = difflib.get_close_matches(last, others, 1, 0.75)
    rest = name.removeprefix(missing)
    meant = (
        f'did you mean {name.removesuffix(last + rest)}{near[0]}{rest}? If not, ' if near else ''
    )
    holds = f'{last}.py' if rest.startswith(':') else f'{last}/'
    if package:
        return f'{package} has no module {last}; {meant}write {holds} in it'
    return (
        f'there is no module {last} in the current folder or on the path; {meant}put the folder '
        f'that holds {holds} on it: PYTHONPATH=FOLDER'
    )
