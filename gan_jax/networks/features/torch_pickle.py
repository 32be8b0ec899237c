"""The pickles in PyTorch's files of weights, read without PyTorch and without running them.

A pickle is a program. Here it is taken step by step, and only the steps that make a dictionary of
tensors are known: nothing that it names is looked up, and all that is not such a dictionary is
refused by its name. What a pickle can nest is never hashed, compared or printed, for a few steps
can nest it beyond all measure; and steps and numbers are bounded.
"""

import io
import pickletools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

# The published Inception's has some 25,000 steps.
MOST_BYTES = 2**22  # of a pickle
MOST_STEPS = 100_000
MOST_BITS = 80  # of a number; the magic one has 77
MOST_ARGUMENTS = 16  # of a call
MOST_AXES = 64  # NumPy's

# What `torch.<name>Storage` holds; all little-endian.
DTYPES = {
    'Bool': np.dtype('?'),
    'Byte': np.dtype('u1'),
    'Char': np.dtype('i1'),
    'Short': np.dtype('<i2'),
    'Int': np.dtype('<i4'),
    'Long': np.dtype('<i8'),
    'Half': np.dtype('<f2'),
    'Float': np.dtype('<f4'),
    'Double': np.dtype('<f8'),
    'BFloat16': np.dtype(ml_dtypes.bfloat16),
}


class Storage(NamedTuple):
    """So many numbers of a type, one after the other, and what they are kept under."""

    key: str
    dtype: np.dtype
    size: int


class Tensor(NamedTuple):
    """A view of a storage, in numbers, not in bytes."""

    storage: Storage
    offset: int
    shape: Sequence[int]
    strides: Sequence[int]


class _Global(NamedTuple):
    name: str


def _is_numbers(x: Any) -> bool:
    return type(x) is tuple and len(x) <= MOST_AXES and all(type(n) is int for n in x)


def _told(x: Any) -> str:
    """A value in an error's line; of what can be nested its kind only."""
    return f'{x!r:.80}' if isinstance(x, str | int | None) else f'a {type(x).__name__}'


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Tensor:
    if not isinstance(storage, Storage):
        raise ValueError('a tensor is without a storage')
    if type(offset) is not int or not _is_numbers(shape) or not _is_numbers(strides):
        raise ValueError('a tensor has no numbers for its offset, shape and strides')
    return Tensor(storage, offset, shape, strides)


def _parameter(tensor: Any, *_: Any) -> Any:
    return tensor


def _ordered(items: Any = None) -> dict:
    made: dict = {}
    if items is not None:  # as Python 2 wrote it
        for key, value in items:
            _set(made, key, value)
        items.clear()  # a list serves once, or a short pickle could take long
    return made


def _set(target: Any, key: Any, value: Any) -> None:
    if type(target) is not dict or type(key) is not str:
        raise ValueError(f'{_told(key)} is no name in a dictionary')
    target[key] = value


def _append(target: Any, items: list) -> None:
    if type(target) is not list:
        raise ValueError(f'it appends to {_told(target)}')
    target.extend(items)


# By their names in GLOBAL's form. Storages stand for themselves.
_CALLED: dict[str, Callable] = {
    'collections OrderedDict': _ordered,
    'torch._utils _rebuild_tensor': _tensor,
    'torch._utils _rebuild_tensor_v2': _tensor,
    'torch._utils _rebuild_parameter': _parameter,
}
_STORAGES = {f'torch {name}Storage': dtype for name, dtype in DTYPES.items()}

_MADE = {'EMPTY_DICT': dict, 'EMPTY_LIST': list, 'EMPTY_TUPLE': tuple}
_CONSTANTS = {'NONE': None, 'NEWTRUE': True, 'NEWFALSE': False}
_VALUES = {
    'BININT', 'BININT1', 'BININT2', 'LONG1', 'BINFLOAT',
    'BINUNICODE', 'SHORT_BINUNICODE', 'BINSTRING', 'SHORT_BINSTRING',
}  # fmt: skip
_TUPLES = {'TUPLE1': 1, 'TUPLE2': 2, 'TUPLE3': 3}


def _global(name: str) -> _Global:
    if name not in _CALLED and name not in _STORAGES:
        told = f'{name.replace(" ", ".")!r:.80}'
        raise ValueError(f'it names {told}, which is no part of a dictionary of tensors')
    return _Global(name)


def _call(function: Any, arguments: Any) -> Any:
    if not isinstance(function, _Global) or function.name not in _CALLED:
        raise ValueError(f'it calls {_told(function)}')
    if type(arguments) is not tuple or len(arguments) > MOST_ARGUMENTS:
        raise ValueError(f'it calls {function.name} with other arguments than such a file has')
    return _CALLED[function.name](*arguments)


def _storage(pid: Any) -> Storage:
    match pid:
        case ('storage', _Global(name), str(key), _, int(size)) | (
            'storage',
            _Global(name),
            str(key),
            _,
            int(size),
            None,
        ):
            if name in _STORAGES and size >= 0:
                return Storage(key, _STORAGES[name], size)
    raise ValueError('it refers to what is no storage')


def unpickle(raw: bytes) -> tuple[Any, dict[str, Storage], int]:
    """Takes the steps of the pickle at the beginning of `raw`.

    It is a machine with a stack, marks in it, and a memo, as `pickletools` describes it.

    Returns:
      What the pickle holds: dictionaries with names, lists, tuples, texts, numbers, `Tensor`s;
      the storages that it refers to, by key; and its length in bytes.

    Raises:
      Exception: of many kinds, if it is broken; ValueError if it does or names anything else.
    """
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[int, Any] = {}
    storages: dict[str, Storage] = {}
    stream = io.BytesIO(raw[:MOST_BYTES])

    def since_mark() -> list[Any]:
        start = marks.pop()
        items = stack[start:]
        del stack[start:]
        return items

    value: Any
    for step, (opcode, value, _) in enumerate(pickletools.genops(stream)):
        name = opcode.name
        if step >= MOST_STEPS:
            raise ValueError(f'its pickle has more than {MOST_STEPS} steps')
        if isinstance(value, int) and value.bit_length() > MOST_BITS:
            raise ValueError(f'it has a number of {value.bit_length()} bits')
        if name in _VALUES:
            stack.append(value)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _MADE:
            stack.append(_MADE[name]())
        elif name in ('BINPUT', 'LONG_BINPUT'):
            memo[value] = stack[-1]
        elif name == 'MEMOIZE':
            memo[len(memo)] = stack[-1]
        elif name in ('BINGET', 'LONG_BINGET'):
            stack.append(memo[value])
        elif name == 'MARK':
            marks.append(len(stack))
        elif name == 'TUPLE':
            stack.append(tuple(since_mark()))
        elif name in _TUPLES:
            items = [stack.pop() for _ in range(_TUPLES[name])]
            stack.append(tuple(reversed(items)))
        elif name in ('APPEND', 'APPENDS'):
            items = [stack.pop()] if name == 'APPEND' else since_mark()
            _append(stack[-1], items)
        elif name in ('SETITEM', 'SETITEMS'):
            items = [stack.pop(), stack.pop()][::-1] if name == 'SETITEM' else since_mark()
            for key, item in zip(items[::2], items[1::2], strict=True):
                _set(stack[-1], key, item)
        elif name == 'GLOBAL':
            stack.append(_global(value))
        elif name == 'STACK_GLOBAL':
            last, module = stack.pop(), stack.pop()
            if type(last) is not str or type(module) is not str:
                raise ValueError('it names something by no name')
            stack.append(_global(f'{module} {last}'))
        elif name == 'REDUCE':
            arguments, function = stack.pop(), stack.pop()
            stack.append(_call(function, arguments))
        elif name == 'BINPERSID':
            storage = _storage(stack.pop())
            storages[storage.key] = storage
            stack.append(storage)
        elif name == 'BUILD':
            stack.pop()  # what a state dictionary knows beside its tensors
            if type(stack[-1]) is not dict:
                raise ValueError(f'it gives attributes to {_told(stack[-1])}')
        elif name == 'STOP':
            return stack.pop(), storages, stream.tell()
        elif name not in ('PROTO', 'FRAME'):
            raise ValueError(f'{name} in its pickle is no part of a dictionary of tensors')
    raise ValueError('its pickle does not end')
