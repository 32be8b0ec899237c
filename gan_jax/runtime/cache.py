"""Arrays that took long to make, kept between runs: a cache that can be done without."""

import hashlib
import os
import pathlib
from collections.abc import Callable, Mapping

import numpy as np
from absl import logging

from gan_jax.errors import one_line
from gan_jax.runtime import files

DIGEST = 'sha256'  # the array of a file that says what the others were when it was written


def folder() -> pathlib.Path | None:
    """gan_jax in $XDG_CACHE_HOME or ~/.cache; None, with a warning, where there is no home."""
    root = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
    try:
        return pathlib.Path(root).expanduser() / 'gan_jax'
    except RuntimeError:
        logging.log_first_n(
            logging.WARNING,
            'there is no home folder, so nothing is kept for the next start; set XDG_CACHE_HOME',
            1,
        )
        return None


def kept(
    file: pathlib.Path | None,
    make: Callable[[], Mapping[str, np.ndarray]],
    agreed: Callable[[bool], bool] = bool,
) -> dict[str, np.ndarray]:
    """The arrays in a file; if they are not there as they were written, what `make` makes.

    That is then put there. A file that cannot be read or written is told in one warning, and ends
    nothing.

    Args:
      file: an .npz; None for nowhere.
      make: () -> arrays by name.
      agreed: told whether they are there, whether they are taken: several processes that `make`
        together do so unless all of them have them.
    """
    found, trouble = _read(file) if file is not None else (None, '')
    if agreed(found is not None) and found is not None:
        return found
    if file is None:
        return {**make()}
    if trouble:
        logging.warning('%s cannot be used and is made anew: %s', file, trouble)
    arrays = {name: np.asarray(x) for name, x in make().items()}
    signed = {**arrays, DIGEST: np.array(_digest(arrays))}
    try:
        files.replace(file, lambda part: np.savez(part, **signed))  # type: ignore[arg-type]
    except OSError as error:
        if not trouble:
            logging.warning('%s is not kept for the next start: %s', file, one_line(error))
    return arrays


def _read(file: pathlib.Path) -> tuple[dict[str, np.ndarray] | None, str]:
    """The arrays, or None and what is wrong with the file; nothing is if there is none."""
    try:
        with np.load(file) as stored:
            arrays = dict(stored)
    except FileNotFoundError:
        return None, ''
    except Exception as error:  # damaged bytes: anything may be raised
        return None, one_line(error)
    if str(arrays.pop(DIGEST, None)) != _digest(arrays):
        return None, 'it is not as it was written'
    return arrays, ''


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        x = np.ascontiguousarray(arrays[name])
        digest.update(repr((name, x.shape, x.dtype.str)).encode() + x.tobytes())
    return digest.hexdigest()
