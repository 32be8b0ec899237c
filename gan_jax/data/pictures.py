"""Which files are opened as pictures: regular ones, of formats that Pillow decodes by itself."""

import functools
import io
import pathlib
import stat

from PIL import Image

# Pillow also opens documents and icons, some of them by programs of others (EPS by Ghostscript).
FORMATS = (
    'AVIF', 'BMP', 'GIF', 'JPEG', 'JPEG2000', 'PCX', 'PNG', 'PPM', 'PSD', 'SGI', 'TGA', 'TIFF',
    'WEBP',
)  # fmt: skip
MAX_PIXELS = 89_478_485  # as Pillow has it
NOT_A_FILE = 'not a regular file'


class BadRecord(Exception):
    """A record that cannot be used; its one argument is the reason."""


@functools.cache
def suffixes() -> frozenset[str]:
    """All that names of such files end in, as Pillow knows them: '.jpg', '.jpeg', '.jfif', ..."""
    known = Image.registered_extensions()
    return frozenset(suffix for suffix, format in known.items() if format in FORMATS)


@functools.cache
def _formats() -> list[str]:
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]  # some builds lack AVIF or WebP


def opened(source: pathlib.Path | bytes) -> Image.Image:
    """A picture whose header is read; nothing is decoded yet.

    Args:
      source: its file, or what that holds.

    Raises:
      BadRecord: if it is a folder, a pipe, a device or a socket, which may never end.
      Exception: whatever Pillow makes of foreign bytes.
    """
    if isinstance(source, bytes):
        return Image.open(io.BytesIO(source), formats=_formats())
    if not stat.S_ISREG(source.stat().st_mode):
        raise BadRecord(NOT_A_FILE)
    return Image.open(source, formats=_formats())


def permit(pixels: int) -> None:
    """Has Pillow open what is permitted here: it refuses twice its own limit by itself."""
    if Image.MAX_IMAGE_PIXELS is not None:
        Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, pixels)
