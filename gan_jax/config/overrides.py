"""What the command line says of a config: --config.a.b=value, of any key that there can be.

A key need not be in the file: whether it is one, and what it may be, is checked with the rest.
"""

import ast
import contextlib
import os
import pathlib
import re
import runpy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ml_collections
import numpy as np

from gan_jax.config.defaults import default
from gan_jax.errors import UserError, nearest, one_line

CONFIGS = pathlib.Path(__file__).parents[1] / 'configs'  # those that have names
FLAG = 'config'
FOUND = ('modality', 'init_config')  # what a run itself keeps in its config
WORDS = {'True': True, 'true': True, 'False': False, 'false': False, 'None': None}
RATE = 'learning_rate'
_EXAMPLES = {
    'get_config': 'configs/gan.py',
    'sweep': 'that of configs/dcgan.py',
    'search': 'that of configs/ring8.py',
}


def listed() -> list[tuple[str, str]]:
    """(name, the first line of its docstring) of each config in the package."""
    docs = {x.stem: ast.get_docstring(ast.parse(x.read_bytes())) for x in _files(CONFIGS)}
    return [(name, (doc or '').partition('\n')[0]) for name, doc in docs.items()]


def find(name: str) -> str:
    """The file of a config, without the argument that may follow a colon.

    Args:
      name: a file, or the name of a config in the package, such as dcgan.

    Raises:
      UserError: if there is none; it names the nearest one.
    """
    path = name.partition(':')[0]
    if not pathlib.Path(path).is_file():
        own = {x.stem: str(x) for x in _files(CONFIGS)}
        if path in own:
            return own[path]
        folder = pathlib.Path(path).parent
        others = [str(x) for x in (*_files(folder), *_files(pathlib.Path('configs')))]
        others = [*own] if os.sep not in path and not path.endswith('.py') else others or [*own]
        advice = f'did you mean {nearest(path, others)}?' if others else 'name a file'
        raise UserError(f'--{FLAG}={name}: there is no such file; {advice}')
    return path


def load(name: str) -> ml_collections.ConfigDict:
    """What get_config of a file gives; behind a colon its argument may follow.

    Raises:
      UserError: if there is no such file, or it gives no config.
    """
    path, argument = find(name), name.partition(':')[2]
    config = _called(path, 'get_config', *([argument] if argument else []))
    if not isinstance(config, ml_collections.ConfigDict):
        raise UserError(
            f'{path}: get_config gives {type(config).__name__}, not a ConfigDict; start from '
            f'gan_jax.config.default()'
        )
    return config


def load_sweep(name: str) -> list[dict[str, Any]]:
    """The overrides of each trial, as sweep() of a config file gives them.

    Raises:
      UserError: if it has none, or gives something else than dicts of keys.
    """
    path = find(name)
    trials = _called(path, 'sweep', then=list)
    if not trials:
        raise UserError(f'{path}: sweep() gives no trial')
    for trial in trials:
        if not isinstance(trial, Mapping) or not all(isinstance(x, str) for x in trial):
            raise UserError(
                f"{path}: sweep() gives {trial!r}, not a dict of keys such as {{'steps': 100}}"
            )
    return [dict(trial) for trial in trials]


def load_search(name: str, trial: Any) -> dict[str, Any]:
    """The overrides of one trial, as search(trial) of a config file gives them.

    Args:
      name: the config's file.
      trial: Optuna's, of which it asks for values.

    Raises:
      UserError: if it has no such function, or it gives something else than a dict of keys.
    """
    path = find(name)
    own = _called(path, 'search', trial)
    if not isinstance(own, Mapping) or not own or not all(isinstance(x, str) for x in own):
        raise UserError(
            f"{path}: search() gives {own!r}, not a dict of keys such as {{'batch_size': 32}}"
        )
    return dict(own)


def _called(path: str, function: str, *arguments: Any, then: Callable[[Any], Any] | None = None):
    """What a function of a config file gives, and what `then` makes of it.

    Raises:
      UserError: if there is none, or anything goes wrong.
    """
    try:
        given = runpy.run_path(path)[function](*arguments)
        return given if then is None else then(given)
    except KeyError as error:
        if error.args != (function,):
            raise UserError(f'{path}: {type(error).__name__}: {one_line(error)}') from error
        raise UserError(
            f'{path} has no function {function}; start from {_EXAMPLES[function]}'
        ) from None
    except SystemExit as error:
        raise UserError(f'{path}: SystemExit: {error}; a config file gives a config') from error
    except Exception as error:  # a config file is code, and may raise anything
        raise UserError(f'{path}: {type(error).__name__}: {one_line(error)}') from error


def _files(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted(folder.glob('*.py')) if folder.is_dir() else []


def separate(arguments: Sequence[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """(the other arguments, [(path of a key, what it shall be)]) of a command line.

    Of a key without a value the next word is the value, or True if that is a flag or there is none;
    --noconfig.a.b is False.
    """
    others: list[str] = []
    changes: list[tuple[str, str]] = []
    words = [*arguments]
    while words:
        word = words.pop(0)
        flag, equals, text = word.partition('=')
        name = flag.removeprefix('-').removeprefix('-')
        negative = name.startswith(f'no{FLAG}.')
        if name == flag or not (negative or name.startswith(f'{FLAG}.')):
            others.append(word)
            continue
        if negative:
            text = 'False'
        elif not equals:
            is_flag = not words or bool(re.match(r'-(?!\.?\d)', words[0]))
            text = 'True' if is_flag else words.pop(0)
        changes.append((name.partition('.')[2], text))
    return others, changes


def _at(tree: Any, path: str) -> Any:
    for key in path.split('.'):
        tree = tree.get(key) if isinstance(tree, Mapping | ml_collections.ConfigDict) else None
    return tree


def apply(file: ml_collections.ConfigDict, changes: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """A file's config with what the command line says, as dicts within dicts.

    Where the file has a text the value is taken as it stands; elsewhere as Python's number,
    tuple, dict, True, False or None if it can be read as one.

    Args:
      file: the file's.
      changes: [('a.b.c', text)], in the order of the command line.

    Raises:
      UserError: if a key stands below a value that has no keys, or cannot be set.
    """
    tree = file.to_dict()
    for path, text in changes:
        _set(tree, path, text, _is_text(file, path))
    return tree


def _is_text(file: Any, path: str) -> bool:
    *parents, last = path.split('.')
    node = _at(file, '.'.join(parents)) if parents else file
    inside = isinstance(node, ml_collections.ConfigDict) and last in node
    return inside and node.get_type(last) is str


def _set(tree: dict[str, Any], path: str, text: str, is_text: bool) -> None:
    *parents, last = path.split('.')
    if not all((*parents, last)):
        raise UserError(f'--{FLAG}.{path} is not a key; write --{FLAG}.steps=500, say')
    if path.partition('.')[0] in FOUND:
        raise UserError(f'{FLAG}.{path} is found by the run itself; leave it out')
    node, done = tree, FLAG
    for key in parents:
        done, below = f'{done}.{key}', node.get(key)
        if below is None or (key == RATE and not isinstance(below, Mapping)):
            below = {}
        elif done == f'{FLAG}.objective' and isinstance(below, str):
            below = {'name': below}
        elif not isinstance(below, Mapping):
            raise UserError(
                f'{FLAG}.{path} is not a key: {done} is {below!r}, which has none; give '
                f'--{done}=...'
            )
        node[key] = dict(below)
        node = node[key]
    node[last] = read(text, node.get(last), is_text)


def read(text: str, present: Any, is_text: bool = False) -> Any:
    """What a text on the command line says, in place of a present value; see `apply`."""
    if isinstance(present, str):
        return text
    if text in WORDS:
        return WORDS[text]
    if is_text:
        return text
    if isinstance(present, bool) and text in ('0', '1', 'f', 't'):
        return text in ('1', 't')
    try:
        value = ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        value = text
        with contextlib.suppress(ValueError):
            value = float(text)  # nan and inf, which are then refused for what they are
    if isinstance(present, tuple):
        several = isinstance(value, tuple | list)
        return tuple(value) if several else (value,) if value != '' else ()
    if isinstance(present, float) and isinstance(value, int) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):
            return float(value)
    return value


def written(value: Any) -> str:
    """What `read` reads as this value, as far as the command line can say it."""
    return value if isinstance(value, str) else repr(plain(value))


def plain(value: Any) -> Any:
    """The same in Python's own types: NumPy's numbers and arrays are no texts to read back."""
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {key: plain(x) for key, x in value.items()}
    return tuple(plain(x) for x in value) if isinstance(value, list | tuple) else value


def likely(flag: str, flags: Sequence[str]) -> str:
    """The flag that was meant by one that there is not: of the program, or a key of a config."""
    keys = {key: f'--{key}' for key in flags}
    for path in _paths(default().to_dict()):
        keys.setdefault(path.rpartition('.')[2], f'--{FLAG}.{path}')
        keys.setdefault(path, f'--{FLAG}.{path}')
    return keys[nearest(flag, keys)]


def _paths(tree: Mapping[str, Any], prefix: str = '') -> list[str]:
    paths = []
    for key, below in tree.items():
        nested = isinstance(below, Mapping)
        paths += [f'{prefix}{key}', *(_paths(below, f'{prefix}{key}.') if nested else [])]
    return paths
