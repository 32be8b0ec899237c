"""Files that are written whole or not at all."""

import io
import pathlib
from collections.abc import Callable

import numpy as np
from PIL import Image


def replace(file: pathlib.Path, write: Callable[[pathlib.Path], object]) -> None:
    """Has `write` write a temporary file beside `file`, then puts it in its place."""
    temporary = file.with_name(f'tmp_{file.name}')
    write(temporary)
    temporary.replace(file)


def png(image: np.ndarray) -> bytes:
    """A picture, uint8 [h, w, 1 or 3], as PNG."""
    stream = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(stream, 'png')
    return stream.getvalue()


def write_png(file: pathlib.Path, image: np.ndarray) -> pathlib.Path:
    """Writes uint8 [h, w, 1 or 3]; makes the folder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    replace(file, lambda temporary: temporary.write_bytes(png(image)))
    return file


def write_npz(file: pathlib.Path, **arrays: np.ndarray) -> pathlib.Path:
    """Writes arrays under their names, compressed; makes the folder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    replace(file, lambda temporary: np.savez_compressed(temporary, **arrays))  # type: ignore[arg-type]
    return file
