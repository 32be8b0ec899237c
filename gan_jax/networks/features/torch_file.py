"""PyTorch's files of weights, read without PyTorch.

A `.pth` is a pickle of a dictionary of tensors, each a view (offset, shape, strides) of a storage.
In a zip the pickle is `<folder>/data.pkl` and storage k the bytes of `<folder>/data/<k>`. In the
older stream five pickles follow each other (a magic number, a protocol number, facts about the
machine, the dictionary, the storages' keys), and then each storage as an element count and its
bytes.

A pickle is a program. Here it is read step by step, and only the steps that make a dictionary of
tensors are taken: nothing that it names is looked up, and all that is not such a dictionary is
refused by its name. A file may also mean to cost time or memory. So what it says of itself is
bounded before anything is built of it: its size, a zip's directory, a pickle's steps, the numbers,
the tensors' bytes. What a pickle can nest is never hashed, compared or printed.
"""

import io
import math
import os
import pathlib
import pickletools
import stat
import zipfile
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any, NamedTuple

import ml_dtypes
import numpy as np

from gan_jax.errors import UserError, one_line

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001

# The published Inception has 96 MB, 566 tensors and a pickle of some 25,000 steps.
MOST_BYTES = 2**28  # of a file
MOST_DIRECTORY = 2**20  # bytes of a zip's directory
MOST_PICKLE = 2**22  # bytes of one pickle,
MOST_STEPS = 250_000  # and its steps
MOST_TENSORS = 10_000
MOST_BITS = 80  # of a number; the magic one has 77
MOST_ARGUMENTS = 16  # of a call
MOST_AXES = 64  # NumPy's
MOST_SHARED = 2  # the tensors' bytes in the file's: storages may be shared, but not endlessly

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


class _Storage(NamedTuple):
    key: str
    dtype: np.dtype
    size: int


class _Tensor(NamedTuple):
    storage: _Storage
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


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _Tensor:
    if not isinstance(storage, _Storage):
        raise ValueError('a tensor is without a storage')
    if type(offset) is not int or not _is_numbers(shape) or not _is_numbers(strides):
        raise ValueError('a tensor has no numbers for its offset, shape and strides')
    return _Tensor(storage, offset, shape, strides)


def _parameter(tensor: Any, *_: Any) -> Any:
    return tensor


def _ordered(items: Any = None) -> dict:
    made: dict = {}
    if (
        items is not None
    ):  # as Python 2 wrote it; a list serves once, or a short pickle could take long
        for key, value in items:
            _set(made, key, value)
        items.clear()
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


def _storage(pid: Any) -> _Storage:
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
                return _Storage(key, _STORAGES[name], size)
    raise ValueError('it refers to what is no storage')


def _unpickle(raw: bytes) -> tuple[Any, dict[str, _Storage], int]:
    """(what a pickle at the beginning of `raw` holds, the storages it refers to, its length).

    A machine with a stack, marks in it, and a memo, as `pickletools` describes it.
    """
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[int, Any] = {}
    storages: dict[str, _Storage] = {}
    stream = io.BytesIO(raw[:MOST_PICKLE])

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


def _check(tensor: _Tensor) -> int:
    """The bytes of the tensor in an array of its own."""
    (_, dtype, size), offset, shape, strides = tensor
    if len(shape) != len(strides) or min((offset, *shape, *strides), default=0) < 0:
        raise ValueError(f'a tensor has offset {offset}, shape {shape}, strides {strides}')
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    if 0 not in shape and last >= size:
        raise ValueError(f'a tensor ends at {last + 1} of a storage of {size}')
    return math.prod(shape) * dtype.itemsize


def _array(tensor: _Tensor, data: bytes) -> np.ndarray:
    """The tensor in an array of its own, from its storage's bytes."""
    (_, dtype, size), offset, shape, strides = tensor
    if len(data) != size * dtype.itemsize:
        raise ValueError(f'a storage of {size} {dtype} has {len(data)} bytes')
    if 0 in shape:
        return np.zeros(shape, dtype)
    view = np.lib.stride_tricks.as_strided(
        np.frombuffer(data, dtype)[offset:], shape, [step * dtype.itemsize for step in strides]
    )
    return view.copy()


def _tensors(found: Any, most: int) -> dict[str, _Tensor]:
    """What a pickle holds if that is a dictionary of tensors with at most so many bytes."""
    if not isinstance(found, dict):
        raise ValueError(f'it holds a {type(found).__name__}, not a dictionary of tensors')
    if len(found) > MOST_TENSORS:
        raise ValueError(f'it holds {len(found)} tensors, more than {MOST_TENSORS}')
    total = 0
    for name, tensor in found.items():
        if not isinstance(name, str) or not isinstance(tensor, _Tensor):
            raise ValueError(f'{name!r:.80} is a {type(tensor).__name__}, not a tensor with a name')
        total += _check(tensor)
    if total > MOST_SHARED * most:
        raise ValueError(f'its tensors are {total} bytes, the file {most}')
    return found


def _check_directory(raw: bytes) -> None:
    """Raises ValueError unless a zip ends in a directory that is not too long to be read.

    The end must be as `torch.save` and `zipfile` write it: no comment, and the record of large
    files, if there is one, right before.
    """
    end, locator, large = raw[-22:], raw[-42:-22], raw[-98:-42]
    if end[:4] != b'PK\5\6' or end[20:] != b'\0\0':
        raise ValueError('it is a zip without its end')
    size = int.from_bytes(end[12:16], 'little')
    if locator[:4] == b'PK\6\7':
        place = int.from_bytes(locator[8:16], 'little')
        if large[:4] != b'PK\6\6' or place != len(raw) - 98:
            raise ValueError('it is a zip with a broken end')
        size = int.from_bytes(large[40:48], 'little')
    if size > MOST_DIRECTORY:
        raise ValueError(f'its zip has a directory of {size} bytes, more than {MOST_DIRECTORY}')


def _read_zip(raw: bytes) -> dict[str, np.ndarray]:
    _check_directory(raw)
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        infos = {info.filename: info for info in archive.infolist()}

        def member(name: str, size: int) -> bytes:
            """Its bytes, at most so many; stored as they are, since that is how torch.save does."""
            info = infos[name]
            if info.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f'{name:.80} is compressed, as torch.save never writes it')
            if max(info.file_size, info.compress_size) > size:
                raise ValueError(f'{name:.80} has {info.file_size} bytes, more than {size}')
            return archive.read(info)

        pickles = [name for name in infos if name.split('/')[1:] == ['data.pkl']]
        if len(pickles) != 1:
            raise ValueError('it is a zip without one data.pkl')
        folder = pickles[0].split('/')[0]
        order = f'{folder}/byteorder'
        if order in infos and member(order, 16) != b'little':
            raise ValueError('its numbers are big-endian')
        found, storages, _ = _unpickle(member(pickles[0], MOST_PICKLE))
        tensors = _tensors(found, len(raw))
        sizes = {key: x.size * x.dtype.itemsize for key, x in storages.items()}
        if sum(sizes.values()) > len(raw):
            raise ValueError(f'its storages are {sum(sizes.values())} bytes, the file {len(raw)}')
        used = dict.fromkeys(x.storage.key for x in tensors.values())
        data = {key: member(f'{folder}/data/{key}', sizes[key]) for key in used}
    return _arrays(tensors, data)


def _arrays(tensors: Mapping[str, _Tensor], data: Mapping[str, bytes]) -> dict[str, np.ndarray]:
    return {name: _array(tensor, data[tensor.storage.key]) for name, tensor in tensors.items()}


def read_stream(file: IO[bytes]) -> dict[str, np.ndarray]:
    """Reads the older form from where the file stands.

    Returns:
      {name: array}.

    Raises:
      Exception: of many kinds, if that is not what stands there.
    """
    raw = memoryview(file.read(MOST_BYTES))
    place = 0

    def load() -> tuple[Any, dict[str, _Storage]]:
        nonlocal place
        found, storages, length = _unpickle(bytes(raw[place : place + MOST_PICKLE]))
        place += length
        return found, storages

    for wanted in (MAGIC, PROTOCOL):
        found = load()[0]
        if type(found) is not int or found != wanted:
            raise ValueError('it does not begin as such a file does')
    if load()[0]['little_endian'] is not True:
        raise ValueError('its numbers are big-endian')
    pickled, storages = load()
    tensors = _tensors(pickled, len(raw))
    keys, data = load()[0], {}
    if type(keys) is not list or not all(type(key) is str for key in keys):
        raise ValueError('it does not name its storages')
    for key in keys:
        _, dtype, size = storages[key]
        if int.from_bytes(raw[place : place + 8], 'little') != size:
            raise ValueError(f'storage {key:.80} is not where it should be')
        end = place + 8 + size * dtype.itemsize
        data[key] = bytes(raw[place + 8 : end])
        place = end
    return _arrays(tensors, data)


def contents(path: str | os.PathLike) -> bytes:
    """All of a file, if it is one of a size that can be read.

    Raises:
      UserError: if there is none, it is no regular file, or it has more than 256 MiB.
    """
    try:
        # A pipe that nobody writes to is opened at once, too.
        flags = getattr(os, 'O_NONBLOCK', 0)
        with open(path, 'rb', opener=lambda name, mode: os.open(name, mode | flags)) as file:
            facts = os.fstat(file.fileno())
            if not stat.S_ISREG(facts.st_mode):
                raise UserError(f'{path} cannot be read: it is a device or a pipe, not a file')
            if facts.st_size > MOST_BYTES:
                raise UserError(
                    f'{path} cannot be read: it has {facts.st_size} bytes, more than {MOST_BYTES}'
                )
            return file.read(facts.st_size)
    except (OSError, ValueError) as error:  # no file has a name with a null byte
        reason = getattr(error, 'strerror', None) or one_line(error)
        raise UserError(f'{path} cannot be read: {reason}') from error


def parse(raw: bytes, where: str | os.PathLike) -> dict[str, np.ndarray]:
    """Reads what a file holds, as `read` does.

    Args:
      raw: the file.
      where: what it is called in an error's line.

    Raises:
      UserError: if it is damaged or holds anything else.
    """
    try:
        return _read_zip(raw) if raw[:2] == b'PK' else read_stream(io.BytesIO(raw))
    except Exception as error:  # a damaged file may raise nearly anything
        raise UserError(
            f'{where} is not a whole PyTorch file of a dictionary of tensors '
            f'({one_line(error)}): fetch it again, or save a state_dict() with torch.save'
        ) from error


def read(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Reads what `torch.save` wrote of a dictionary of tensors, in either form.

    Args:
      path: the file, of 256 MiB at most.

    Returns:
      {name: array}, in the file's order; bfloat16 is that of ml_dtypes.

    Raises:
      UserError: if there is no such file or it is damaged or holds anything else.
    """
    path = pathlib.Path(path)
    return parse(contents(path), path)
