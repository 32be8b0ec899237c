"""PyTorch's files of weights, read without PyTorch.

A `.pth` is a pickle of a dictionary of tensors, each a view (offset, shape, strides) of a storage.
In a zip the pickle is `<folder>/data.pkl` and storage k the bytes of `<folder>/data/<k>`. In the
older stream five pickles follow each other (a magic number, a protocol number, facts about the
machine, the dictionary, the storages' keys), and then each storage as an element count and its
bytes.

A pickle can call anything that it can name. Here it can name what such a dictionary consists of;
all else is refused, by its name, before it is looked up.
"""

import collections
import os
import pathlib
import pickle
import zipfile
from collections.abc import Callable, Sequence
from typing import IO, Any, NamedTuple

import ml_dtypes
import numpy as np

from gan_jax.errors import UserError, one_line

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001

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


def _tensor(storage: Any, offset: int, shape: Any, strides: Any, *_: Any) -> _Tensor:
    if not isinstance(storage, _Storage):
        raise ValueError('a tensor is without a storage')
    return _Tensor(storage, offset, shape, strides)


def _parameter(tensor: Any, *_: Any) -> Any:
    return tensor


_GLOBALS: dict[tuple[str, str], Any] = {
    ('collections', 'OrderedDict'): collections.OrderedDict,
    ('torch._utils', '_rebuild_tensor'): _tensor,
    ('torch._utils', '_rebuild_tensor_v2'): _tensor,
    ('torch._utils', '_rebuild_parameter'): _parameter,
    **{('torch', f'{name}Storage'): name for name in DTYPES},
}


class _Unpickler(pickle.Unpickler):
    """Reads one pickle; what storages it refers to, it keeps."""

    def __init__(self, file: IO[bytes]):
        super().__init__(file, encoding='utf-8')
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _GLOBALS:
            raise ValueError(
                f'it names {module}.{name}, which is no part of a dictionary of tensors'
            )
        return _GLOBALS[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _, size, *view = pid
        if kind != 'storage' or dtype not in DTYPES or any(view):
            raise ValueError(f'it refers to {pid!r:.80}, which is no storage')
        self.storages[key] = _Storage(key, DTYPES[dtype], size)
        return self.storages[key]


def _array(tensor: _Tensor, data: bytes) -> np.ndarray:
    """The tensor in an array of its own, from its storage's bytes."""
    (_, dtype, size), offset, shape, strides = tensor
    if len(data) != size * dtype.itemsize:
        raise ValueError(f'a storage of {size} {dtype} has {len(data)} bytes')
    if len(shape) != len(strides) or min((offset, *shape, *strides), default=0) < 0:
        raise ValueError(f'a tensor has offset {offset}, shape {shape}, strides {strides}')
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    if 0 in shape:
        return np.zeros(shape, dtype)
    if last >= size:
        raise ValueError(f'a tensor ends at {last + 1} of a storage of {size}')
    view = np.lib.stride_tricks.as_strided(
        np.frombuffer(data, dtype)[offset:], shape, [step * dtype.itemsize for step in strides]
    )
    return view.copy()


def _arrays(found: Any, data: Callable[[str], bytes]) -> dict[str, np.ndarray]:
    if not isinstance(found, dict):
        raise ValueError(f'it holds a {type(found).__name__}, not a dictionary of tensors')
    for name, tensor in found.items():
        if not isinstance(name, str) or not isinstance(tensor, _Tensor):
            raise ValueError(f'{name!r:.80} is a {type(tensor).__name__}, not a tensor with a name')
    return {name: _array(tensor, data(tensor.storage.key)) for name, tensor in found.items()}


def _read_zip(file: IO[bytes]) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(file) as archive:
        pickles = [name for name in archive.namelist() if name.split('/')[1:] == ['data.pkl']]
        if len(pickles) != 1:
            raise ValueError('it is a zip without one data.pkl')
        folder = pickles[0].split('/')[0]
        order = f'{folder}/byteorder'
        if order in archive.namelist() and archive.read(order) != b'little':
            raise ValueError('its numbers are big-endian')
        with archive.open(pickles[0]) as stream:
            found = _Unpickler(stream).load()
        return _arrays(found, lambda key: archive.read(f'{folder}/data/{key}'))


def read_stream(file: IO[bytes]) -> dict[str, np.ndarray]:
    """Reads the older form from where the file stands.

    Returns:
      {name: array}.

    Raises:
      Exception: of many kinds, if that is not what stands there.
    """
    if _Unpickler(file).load() != MAGIC or _Unpickler(file).load() != PROTOCOL:
        raise ValueError('it does not begin as such a file does')
    if not _Unpickler(file).load()['little_endian']:
        raise ValueError('its numbers are big-endian')
    pickled = _Unpickler(file)
    found, data = pickled.load(), {}
    for key in _Unpickler(file).load():
        _, dtype, size = pickled.storages[key]
        if int.from_bytes(file.read(8), 'little') != size:
            raise ValueError(f'storage {key} is not where it should be')
        data[key] = file.read(size * dtype.itemsize)
    return _arrays(found, data.__getitem__)


def read(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Reads what `torch.save` wrote of a dictionary of tensors, in either form.

    Args:
      path: the file.

    Returns:
      {name: array}, in the file's order; bfloat16 is that of ml_dtypes.

    Raises:
      UserError: if there is no such file or it is damaged or holds anything else.
    """
    path = pathlib.Path(path)
    try:
        with path.open('rb') as file:
            is_zip = file.read(2) == b'PK'
            file.seek(0)
            return _read_zip(file) if is_zip else read_stream(file)
    except OSError as error:
        raise UserError(f'{path} cannot be read: {error.strerror or one_line(error)}') from error
    except Exception as error:  # a damaged pickle may raise nearly anything
        raise UserError(
            f'{path} is not a whole PyTorch file of a dictionary of tensors '
            f'({one_line(error)}): fetch it again, or save a state_dict() with torch.save'
        ) from error
