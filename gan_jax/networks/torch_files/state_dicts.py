"""PyTorch's files of weights, read without PyTorch.

A `.pth` is a pickle of a dictionary of tensors, each a view (offset, shape, strides) of a storage.
In a zip the pickle is `<folder>/data.pkl` and storage k the bytes of `<folder>/data/<k>`. In the
older stream five pickles follow each other (a magic number, a protocol number, facts about the
machine, the dictionary, the storages' keys), and then each storage as an element count and its
bytes.

A file may mean to cost time or memory, and a pickle to run something (pickles.py). So what a file
says of itself is bounded before anything is built of it: its size, a zip's directory, what a
pickle does, the tensors and their bytes.
"""

import io
import math
import os
import pathlib
import zipfile
from collections.abc import Mapping
from typing import IO, Any

import numpy as np

from gan_jax.errors import UserError, one_line
from gan_jax.networks.torch_files import pickles
from gan_jax.networks.torch_files.pickles import DTYPES, Form, Global, Storage, Tensor, unpickle
from gan_jax.runtime import files

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001

# The published Inception has 96 MB and 566 tensors.
MOST_BYTES = 2**28  # of a file
MOST_DIRECTORY = 2**20  # bytes of a zip's directory
MOST_TENSORS = 10_000
MOST_SHARED = 2  # the tensors' bytes in the file's: storages may be shared, but not endlessly

_STORAGES = {f'torch {name}Storage': dtype for name, dtype in DTYPES.items()}


def _storage(pid: Any) -> Storage:
    match pid:
        case ('storage', Global(name), str(key), _, int(size)) | (
            'storage',
            Global(name),
            str(key),
            _,
            int(size),
            None,
        ):
            if name in _STORAGES and size >= 0:
                return Storage(key, _STORAGES[name], size)
    raise ValueError('it refers to what is no storage')


# The published Inception's has some 25,000 steps.
FORM = Form(
    'a dictionary of tensors',
    calls={
        'collections OrderedDict': pickles.ordered,
        'torch._utils _rebuild_tensor': pickles.tensor,
        'torch._utils _rebuild_tensor_v2': pickles.tensor,
        'torch._utils _rebuild_parameter': pickles.parameter,
    },
    names=frozenset(_STORAGES),
    reference=_storage,
    built=pickles.without_attributes,
)


def check(tensor: Tensor) -> int:
    """The bytes of a tensor in an array of its own.

    Raises:
      ValueError: if it does not lie in its storage.
    """
    (_, dtype, size), offset, shape, strides = tensor
    if len(shape) != len(strides) or min((offset, *shape, *strides), default=0) < 0:
        raise ValueError(f'a tensor has offset {offset}, shape {shape}, strides {strides}')
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    if 0 not in shape and last >= size:
        raise ValueError(f'a tensor ends at {last + 1} of a storage of {size}')
    return math.prod(shape) * dtype.itemsize


def array(tensor: Tensor, data: bytes | memoryview) -> np.ndarray:
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


def _tensors(found: Any, most: int) -> dict[str, Tensor]:
    """What a pickle holds if that is a dictionary of tensors with at most so many bytes."""
    if not isinstance(found, dict):
        raise ValueError(f'it holds a {type(found).__name__}, not a dictionary of tensors')
    if len(found) > MOST_TENSORS:
        raise ValueError(f'it holds {len(found)} tensors, more than {MOST_TENSORS}')
    total = 0
    for name, tensor in found.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise ValueError(f'{name!r:.80} is a {type(tensor).__name__}, not a tensor with a name')
        total += check(tensor)
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

        names = [name for name in infos if name.split('/')[1:] == ['data.pkl']]
        if len(names) != 1:
            raise ValueError('it is a zip without one data.pkl')
        folder = names[0].split('/')[0]
        order = f'{folder}/byteorder'
        if order in infos and member(order, 16) != b'little':
            raise ValueError('its numbers are big-endian')
        found, references, _ = unpickle(member(names[0], FORM.most_bytes), FORM)
        storages = {x.key: x for x in references}
        tensors = _tensors(found, len(raw))
        sizes = {key: x.size * x.dtype.itemsize for key, x in storages.items()}
        if sum(sizes.values()) > len(raw):
            raise ValueError(f'its storages are {sum(sizes.values())} bytes, the file {len(raw)}')
        used = dict.fromkeys(x.storage.key for x in tensors.values())
        data = {key: member(f'{folder}/data/{key}', sizes[key]) for key in used}
    return _arrays(tensors, data)


def _arrays(tensors: Mapping[str, Tensor], data: Mapping[str, Any]) -> dict[str, np.ndarray]:
    return {name: array(tensor, data[tensor.storage.key]) for name, tensor in tensors.items()}


def opened(raw: bytes | memoryview, form: Form) -> tuple[Any, dict[str, memoryview]]:
    """What the older form holds, and the bytes of each of its storages, not copied.

    Raises:
      Exception: of many kinds, if that is not what stands there.
    """
    raw, place = memoryview(raw), 0

    def load() -> tuple[Any, dict[str, Storage]]:
        nonlocal place
        found, references, length = unpickle(raw[place:], form)
        place += length
        return found, {x.key: x for x in references}

    for wanted in (MAGIC, PROTOCOL):
        found = load()[0]
        if type(found) is not int or found != wanted:
            raise ValueError('it does not begin as such a file does')
    if load()[0]['little_endian'] is not True:
        raise ValueError('its numbers are big-endian')
    pickled, storages = load()
    keys, data = load()[0], {}
    if type(keys) is not list or not all(type(key) is str for key in keys):
        raise ValueError('it does not name its storages')
    for key in keys:
        _, dtype, size = storages[key]
        if int.from_bytes(raw[place : place + 8], 'little') != size:
            raise ValueError(f'storage {key:.80} is not where it should be')
        end = place + 8 + size * dtype.itemsize
        data[key] = raw[place + 8 : end]
        place = end
    return pickled, data


def read_stream(file: IO[bytes]) -> dict[str, np.ndarray]:
    """Reads the older form from where the file stands.

    Returns:
      {name: array}.

    Raises:
      Exception: of many kinds, if that is not what stands there.
    """
    raw = file.read(MOST_BYTES)
    found, data = opened(raw, FORM)
    return _arrays(_tensors(found, len(raw)), data)


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
    return parse(files.contents(path, MOST_BYTES), path)
