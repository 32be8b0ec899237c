"""Arrays by name in safetensors files, which hold nothing that could be run.

The library checks that the arrays fill the file without gaps and overlaps; what it is asked to
read is bounded here, and nothing is read of a file that does not hold exactly the wanted arrays.
"""

import os
import pathlib
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np

from gan_jax.errors import UserError, one_line
from gan_jax.runtime import files

SUFFIX = '.safetensors'
MOST_BYTES = 2**31  # of a file
MOST_HEADER = 2**22  # bytes of its table of names; ten thousand arrays take 1.5 MB


def _library() -> ModuleType:
    try:
        import safetensors.numpy
    except ImportError as error:
        raise UserError(
            f"{one_line(error)}: install it with pip install -e '.[weights]'"
        ) from error
    return safetensors


def write(file: pathlib.Path, arrays: Mapping[str, np.ndarray]) -> pathlib.Path:
    """Writes arrays under their names, whole or not at all; makes the folder.

    Raises:
      UserError: if the library is not installed.
      OSError: if it cannot be written.
    """
    # Not save_file: its files are nobody's but the owner's to read.
    return files.write_bytes(file, encoded(arrays))


def encoded(arrays: Mapping[str, np.ndarray]) -> bytes:
    """A file's bytes of arrays by name.

    Raises:
      UserError: if the library is not installed.
    """
    library = _library()
    return library.numpy.save({name: np.array(x, order='C') for name, x in arrays.items()})


def read(file: str | os.PathLike, wanted: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Reads a file that holds arrays of these names, shapes and types.

    Args:
      file: the file, of 2 GiB at most.
      wanted: by name, what has a shape and a dtype.

    Raises:
      UserError: if there is no such file, it is damaged, or it holds others.
    """
    library = _library()
    with files.opened(file, MOST_BYTES) as stream:
        length = int.from_bytes(stream.read(8), 'little')
    if length > MOST_HEADER:
        raise UserError(
            f'{file} is no whole safetensors file (its table has {length} bytes, more than '
            f'{MOST_HEADER}): export the run again'
        )
    try:
        with library.safe_open(str(file), 'np') as archive:
            _check(archive, wanted)
            return {name: archive.get_tensor(name) for name in wanted}
    except UserError as error:
        raise UserError(f'{file}: {error}; give the networks that it was exported from') from error
    except Exception as error:  # a damaged file may raise nearly anything
        raise UserError(
            f'{file} is no whole safetensors file ({one_line(error)}): export the run again'
        ) from error


def _check(archive: Any, wanted: Mapping[str, Any]) -> None:
    """Raises UserError unless an open file has the wanted arrays and no others."""
    names = {*archive.keys()}
    for name in sorted(names ^ wanted.keys()):
        verb = 'has no' if name in wanted else 'has besides'
        raise UserError(f'it {verb} {name:.80}')
    for name, x in wanted.items():
        part = archive.get_slice(name)
        kind = np.zeros((), x.dtype)
        if tuple(part.get_shape()) != tuple(x.shape) or part.get_dtype() != _code(kind.dtype):
            raise UserError(
                f'its {name} is {part.get_dtype()} {tuple(part.get_shape())}, not '
                f'{_code(kind.dtype)} {tuple(x.shape)}'
            )


def _code(dtype: np.dtype) -> str:
    """What the format calls a type: F32, I64, BF16, ..."""
    if dtype.name == 'bfloat16':
        return 'BF16'
    if dtype.kind == 'b':
        return 'BOOL'
    return f'{dtype.kind.upper()}{8 * dtype.itemsize}'
