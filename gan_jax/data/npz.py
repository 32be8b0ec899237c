"""Arrays from .npz files that others wrote: perhaps damaged, perhaps made to fill the memory."""

import os
import pathlib
import stat
import zipfile
from collections.abc import Callable, Iterable

import numpy as np

from gan_jax.errors import UserError, one_line

# What a file's arrays may take, 10^9 bytes; more only if the file itself is no less than a
# hundredth of it. Zeros are packed a thousandfold.
MOST_GB, MOST_PACKED = 4.0, 100


def read(
    what: str, path: str, choose: Callable[[list[str]], Iterable[str]], needed: str
) -> dict[str, np.ndarray]:
    """Some arrays of a file; the others are not built.

    Args:
      what: what names it, for messages.
      path: the file; ~ is the home.
      choose: the names of all arrays, perhaps none -> those that are wanted.
      needed: what is, for messages.

    Raises:
      UserError: if it is no regular file, no .npz, damaged, holds what are no plain arrays, or is
        too large when unpacked.
    """
    file = pathlib.Path(os.path.expanduser(path))
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            raise ValueError('it is not a regular file')
        with zipfile.ZipFile(file) as archive:
            sizes = {x.filename.removesuffix('.npy'): x.file_size for x in archive.infolist()}
        wanted = list(choose(list(sizes)))
        most = max(MOST_GB * 1e9, MOST_PACKED * file.stat().st_size)
        total = sum(sizes[name] for name in wanted)
        if total > most:
            raise UserError(
                f'{what} unpacks to {total / 1e9:.3g} GB, more than {MOST_GB:g} GB and than '
                f'{MOST_PACKED} times its size; write it by numpy.savez, which does not pack'
            )
        with np.load(file) as stored:
            arrays = {name: stored[name] for name in wanted}
        for name, array in arrays.items():
            if not isinstance(array, np.ndarray):
                raise ValueError(f'{name} is no array')
    except UserError:
        raise
    except Exception as error:  # foreign bytes: anything may be raised
        raise UserError(f'{what} cannot be read ({one_line(error)}); {needed}') from error
    return arrays
