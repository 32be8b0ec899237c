"""The pickles in PyTorch's files, read without PyTorch and without running them.

A pickle is a program. Here it is taken step by step, and only the steps that make what the file
should hold are known: nothing that it names is looked up, and all else is refused by its name. What
a pickle can nest is never hashed, compared or printed, for a few steps can nest it beyond all
measure; and steps and numbers are bounded. A `Form` says what a kind of file should hold.
"""

import pickletools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

MOST_BITS = 80  # of a number; the magic one has 77
MOST_ARGUMENTS = 16  # of a call
MOST_AXES = 64  # NumPy's
MOST_LINE = 1000  # bytes of a name

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
    """A view of a storage (or of what one is found in), in numbers, not in bytes."""

    storage: Any
    offset: int
    shape: Sequence[int]
    strides: Sequence[int]


class Global(NamedTuple):
    """What a pickle names, by its name in GLOBAL's form, 'module name'."""

    name: str


class Form(NamedTuple):
    """What a kind of pickle may hold and how long it may be.

    Attributes:
      what: what it is, for an error's line.
      calls: what is made where a name is called, by the name.
      names: what may be named and is not called.
      most_steps: how many steps it may have.
      most_bytes: how long it may be, its byte strings not counted.
      most_string: how long a byte string may be; 0 if there should be none.
      reference: what stands for an object outside the pickle, of its persistent id; None if there
        should be none.
      built: (object, state) -> the object, where attributes are given to one.
    """

    what: str
    calls: Mapping[str, Callable]
    names: frozenset[str] = frozenset()
    most_steps: int = 100_000
    most_bytes: int = 2**22
    most_string: int = 0
    reference: Callable[[Any], Any] | None = None
    built: Callable[[Any, Any], Any] | None = None


def _is_numbers(x: Any) -> bool:
    return type(x) is tuple and len(x) <= MOST_AXES and all(type(n) is int for n in x)


def told(x: Any) -> str:
    """A value in an error's line; of what can be nested its kind only."""
    return f'{x!r:.80}' if isinstance(x, str | int | None) else f'a {type(x).__name__}'


def tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Tensor:
    """What `torch._utils._rebuild_tensor_v2` is called with, in a checked form."""
    if not isinstance(storage, tuple) or type(storage) is tuple:
        raise ValueError('a tensor is without a storage')
    if type(offset) is not int or not _is_numbers(shape) or not _is_numbers(strides):
        raise ValueError('a tensor has no numbers for its offset, shape and strides')
    return Tensor(storage, offset, shape, strides)


def parameter(inner: Any, *_: Any) -> Any:
    """A parameter is its tensor."""
    return inner


def ordered(items: Any = None) -> dict:
    """An OrderedDict, as Python 3 writes it, empty, or as Python 2 did."""
    made: dict = {}
    if items is not None:
        for key, value in items:
            _set(made, key, value)
        items.clear()  # a list serves once, or a short pickle could take long
    return made


def without_attributes(x: Any, state: Any) -> Any:
    """What a dictionary knows beside what is in it is left out."""
    del state
    if type(x) is not dict:
        raise ValueError(f'it gives attributes to {told(x)}')
    return x


def _set(target: Any, key: Any, value: Any) -> None:
    if type(target) is not dict or type(key) is not str:
        raise ValueError(f'{told(key)} is no name in a dictionary')
    target[key] = value


def _append(target: Any, items: list) -> None:
    if type(target) is not list:
        raise ValueError(f'it appends to {told(target)}')
    target.extend(items)


# A set is a list: what is in it is not hashed.
_MADE = {'EMPTY_DICT': dict, 'EMPTY_LIST': list, 'EMPTY_TUPLE': tuple, 'EMPTY_SET': list}
_CONSTANTS = {'NONE': None, 'NEWTRUE': True, 'NEWFALSE': False}
_STRINGS = {'BINBYTES', 'SHORT_BINBYTES', 'BINBYTES8'}
_VALUES = {
    'BININT', 'BININT1', 'BININT2', 'LONG1', 'BINFLOAT',
    'BINUNICODE', 'SHORT_BINUNICODE', 'BINSTRING', 'SHORT_BINSTRING', *_STRINGS,
}  # fmt: skip
_TUPLES = {'TUPLE1': 1, 'TUPLE2': 2, 'TUPLE3': 3}
_CODES = {ord(opcode.code): opcode for opcode in pickletools.opcodes}


class _Stream:
    """Bytes that are read as a file's are; long ones are not copied."""

    def __init__(self, raw: memoryview):
        self._raw, self.place, self.most = raw, 0, 0

    def byte(self) -> int:
        self.place += 1
        return self._raw[self.place - 1]

    def read(self, num: int) -> bytes | memoryview:
        if num > self.most:
            raise ValueError(f'it has {num} bytes where at most {self.most} should be')
        part = self._raw[self.place : self.place + num]
        self.place += len(part)
        return part if num > MOST_LINE else bytes(part)

    def readline(self) -> bytes:
        part = bytes(self._raw[self.place : self.place + MOST_LINE])
        line = part[: part.find(b'\n') + 1]
        self.place += len(line)
        return line


def _steps(stream: _Stream, form: Form) -> Iterator[tuple[str, Any]]:
    """(opcode, its argument) up to the pickle's end."""
    strings = 0
    for _ in range(form.most_steps):
        opcode = _CODES.get(stream.byte())
        if opcode is None or stream.place - strings > form.most_bytes:
            raise ValueError('its pickle does not end')
        string = opcode.name in _STRINGS
        stream.most = form.most_string if string and form.most_string else form.most_bytes
        reader: Any = opcode.arg.reader if opcode.arg else None
        value: Any = reader(stream) if reader else None
        if string:
            strings += len(value)
        yield opcode.name, value
        if opcode.name == 'STOP':
            return
    raise ValueError(f'its pickle has more than {form.most_steps} steps')


def _named(name: str, form: Form) -> Global:
    if name not in form.calls and name not in form.names:
        raise ValueError(
            f'it names {name.replace(" ", ".")!r:.80}, which is no part of {form.what}'
        )
    return Global(name)


def _call(function: Any, arguments: Any, form: Form) -> Any:
    if not isinstance(function, Global) or function.name not in form.calls:
        raise ValueError(f'it calls {told(function)}')
    if type(arguments) is not tuple or len(arguments) > MOST_ARGUMENTS:
        raise ValueError(f'it calls {function.name} with other arguments than such a file has')
    return form.calls[function.name](*arguments)


def unpickle(raw: bytes | memoryview, form: Form) -> tuple[Any, list[Any], int]:
    """Takes the steps of the pickle at the beginning of `raw`.

    It is a machine with a stack, marks in it, and a memo, as `pickletools` describes it.

    Returns:
      What the pickle holds: dictionaries with names, lists, tuples, texts, numbers, byte strings
      (long ones as views of `raw`), and what the form's calls make; what its references stand for;
      and its length in bytes.

    Raises:
      Exception: of many kinds, if it is broken; ValueError if it does or names anything else.
    """
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[int, Any] = {}
    references: list[Any] = []
    stream = _Stream(memoryview(raw))

    def since_mark() -> list[Any]:
        start = marks.pop()
        items = stack[start:]
        del stack[start:]
        return items

    for name, value in _steps(stream, form):
        if isinstance(value, int) and value.bit_length() > MOST_BITS:
            raise ValueError(f'it has a number of {value.bit_length()} bits')
        if name in _STRINGS and not form.most_string:
            raise ValueError(f'{name} in its pickle is no part of {form.what}')
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
        elif name in ('APPEND', 'APPENDS', 'ADDITEMS'):
            items = [stack.pop()] if name == 'APPEND' else since_mark()
            _append(stack[-1], items)
        elif name in ('SETITEM', 'SETITEMS'):
            items = [stack.pop(), stack.pop()][::-1] if name == 'SETITEM' else since_mark()
            for key, item in zip(items[::2], items[1::2], strict=True):
                _set(stack[-1], key, item)
        elif name == 'GLOBAL':
            stack.append(_named(value, form))
        elif name == 'STACK_GLOBAL':
            last, module = stack.pop(), stack.pop()
            if type(last) is not str or type(module) is not str:
                raise ValueError('it names something by no name')
            stack.append(_named(f'{module} {last}', form))
        elif name in ('REDUCE', 'NEWOBJ'):
            arguments, function = stack.pop(), stack.pop()
            stack.append(_call(function, arguments, form))
        elif name == 'BINPERSID' and form.reference is not None:
            references.append(form.reference(stack.pop()))
            stack.append(references[-1])
        elif name == 'BUILD' and form.built is not None:
            state = stack.pop()
            stack[-1] = form.built(stack[-1], state)
        elif name == 'STOP':
            return stack.pop(), references, stream.place
        elif name not in ('PROTO', 'FRAME'):
            raise ValueError(f'{name} in its pickle is no part of {form.what}')
    raise ValueError('its pickle does not end')
