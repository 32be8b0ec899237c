"""Files that are written whole or not at all, and what they hold: JSON, pictures, arrays."""

import io
import json
import math
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from PIL import Image

MISSING = 'missing'  # the key of reasons why numbers are null


def replace(file: pathlib.Path, write: Callable[[pathlib.Path], object]) -> None:
    """Has `write` write a temporary file beside `file`, then puts it in its place."""
    temporary = file.with_name(f'tmp_{file.name}')
    write(temporary)
    temporary.replace(file)


def json_text(record: Mapping[str, Any], indent: int | None = None) -> str:
    """JSON as every program reads it: it has no NaN and no infinities.

    A number that is not finite becomes null, and 'missing' says of each what it was: by its key, in
    dicts within dicts by all keys with dots between. Reasons that `record` has there stay.

    Args:
      record: plain dicts, lists and values.
      indent: as `json.dumps` has it.
    """
    missing = dict(record.get(MISSING) or {})

    def plain(value: Any, path: str) -> Any:
        if isinstance(value, Mapping):
            before = f'{path}.' if path else ''
            return {str(key): plain(x, f'{before}{key}') for key, x in value.items()}
        if isinstance(value, list | tuple):
            return [plain(x, path) for x in value]
        if isinstance(value, float) and not math.isfinite(value):
            missing.setdefault(path, f'it is {value}')
            return None
        return value

    text = plain({key: x for key, x in record.items() if key != MISSING}, '')
    text |= {MISSING: missing} if missing else {}
    return json.dumps(text, indent=indent, allow_nan=False)


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
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    picture.save(stream, format, **options)
    return stream.getvalue()


def png(image: np.ndarray) -> bytes:
    """A picture, uint8 [h, w, 1 or 3], as PNG."""
    return encode(image, 'png')


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
