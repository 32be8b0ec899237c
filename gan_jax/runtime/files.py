"""Files that are written whole or not at all."""

import io
import pathlib
import tempfile
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from PIL import Image

from gan_jax.errors import UserError, one_line


def replace(file: pathlib.Path, write: Callable[[pathlib.Path], object]) -> None:
    """Has `write` write a temporary file beside `file`, then puts it in its place."""
    temporary = file.with_name(f'tmp_{file.name}')
    write(temporary)
    temporary.replace(file)


def encode(image: np.ndarray, format: str, **options: Any) -> bytes:
    """A picture, uint8 [h, w, 1 or 3], as a file of a format that Pillow writes.

    Args:
      image: the picture.
      format: Pillow's name of the format, such as 'png'.
      **options: Pillow's for that format; others are ignored.

    Raises:
      KeyError, OSError, ValueError: if Pillow cannot write the format, or not so many pixels.
    """
    stream = io.BytesIO()
    _picture(image).save(stream, format, **options)
    return stream.getvalue()


def _picture(image: np.ndarray) -> Image.Image:
    return Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)


def png(image: np.ndarray) -> bytes:
    """A picture, uint8 [h, w, 1 or 3], as PNG."""
    return encode(image, 'png')


def write_png(file: pathlib.Path, image: np.ndarray) -> pathlib.Path:
    """Writes uint8 [h, w, 1 or 3]; makes the folder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    replace(file, lambda temporary: _picture(image).save(temporary, 'png'))
    return file


def write_npz(file: pathlib.Path, **arrays: np.ndarray) -> pathlib.Path:
    """Writes arrays under their names, compressed; makes the folder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    replace(file, lambda temporary: np.savez_compressed(temporary, **arrays))  # type: ignore[arg-type]
    return file


def check_writable(folder: pathlib.Path, remedy: str, names: Iterable[str] = ()) -> None:
    """Makes a folder, and a file in it that is removed again: what would fail later fails here.

    Args:
      folder: the folder.
      remedy: what a person may do if it cannot be written.
      names: of files to be written there; none may be a folder.

    Raises:
      UserError: if that cannot be done.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix='tmp_'):
            pass
    except OSError as error:
        reason = error.strerror or one_line(error)
        raise UserError(f'{folder} cannot be written ({reason}); {remedy}') from error
    for name in names:
        if (folder / name).is_dir():
            raise UserError(f'{folder / name} cannot be written (it is a folder); {remedy}')
