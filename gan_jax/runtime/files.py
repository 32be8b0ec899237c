"""Files that are written whole or not at all, and what they hold: JSON, pictures, arrays."""

import contextlib
import errno
import io
import json
import math
import os
import pathlib
import re
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from gan_jax.errors import UserError, one_line
from gan_jax.runtime import buckets

if TYPE_CHECKING:
    from PIL import Image

MISSING = 'missing'  # the key of reasons why numbers are null
# What no other place need help against.
NOT_OF_THE_PLACE = (
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EMFILE, errno.ENFILE,
    buckets.UNREACHED,
)  # fmt: skip
_TEMPORARY = re.compile(r'tmp_[0-9a-f]{16}(\.\w{1,8})?')
_STALE = 24 * 3600  # seconds; nothing is written for so long
_unfinished: set[pathlib.Path] = set()
_swept: set[pathlib.Path] = set()


def replace(file: pathlib.Path, write: Callable[[pathlib.Path], object]) -> None:
    """Has `write` write a temporary file beside `file`, then puts it in its place.

    The temporary file's name is nobody else's, and all of it is on the disk before it takes the
    place. Several writers of one file do not meet: the last one's stays. The folder is made. On a
    bucket the temporary file is this machine's, and one put of the whole object takes the place.

    Args:
      file: the file; a symbolic link is replaced, not followed.
      write: writes the path that it is given, which has the suffix of `file`.

    Raises:
      OSError: if it cannot be written; it names `file`. Nothing is left beside it then.
    """
    if isinstance(file, buckets.Bucket):
        with tempfile.TemporaryDirectory() as folder:
            whole = pathlib.Path(folder) / f'whole{file.suffix}'
            write(whole)
            file.put(whole)
        return
    with naming(file, over=True):
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.parent not in _swept:
            _swept.add(file.parent)
            sweep(file.parent, _STALE)
        # Short, so that every legal name of a file can be written; savez asks for the suffix.
        suffix = file.suffix if re.fullmatch(r'\.\w{1,8}', file.suffix) else ''
        temporary = file.with_name(f'tmp_{secrets.token_hex(8)}{suffix}')
        _unfinished.add(temporary)
        try:
            # Not tempfile's: its files are nobody's but the owner's to read.
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            write(temporary)
            _sync(temporary)
            temporary.replace(file)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            _unfinished.discard(temporary)
        with contextlib.suppress(OSError):  # not every file system can
            _sync(file.parent)


@contextlib.contextmanager
def opened(path: str | os.PathLike, most: int) -> Iterator[IO[bytes]]:
    """A file to be read, if it is one of a size that can be read.

    Raises:
      UserError: if there is none, it is no regular file, or it has more than `most` bytes.
    """
    try:
        # A pipe that nobody writes to is opened at once, too.
        number = os.open(path, os.O_RDONLY | getattr(os, 'O_NONBLOCK', 0))
        file = os.fdopen(number, 'rb')
    except (OSError, ValueError) as error:  # no file has a name with a null byte
        reason = getattr(error, 'strerror', None) or one_line(error)
        raise UserError(f'{path} cannot be read: {reason}') from error
    with file:
        facts = os.fstat(file.fileno())
        if not stat.S_ISREG(facts.st_mode):
            raise UserError(f'{path} cannot be read: it is a device or a pipe, not a file')
        if facts.st_size > most:
            raise UserError(
                f'{path} cannot be read: it has {facts.st_size} bytes, more than {most}'
            )
        yield file


def contents(path: str | os.PathLike, most: int) -> bytes:
    """All of a file, if it is one of a size that can be read.

    Raises:
      UserError: if there is none, it is no regular file, or it has more than `most` bytes.
    """
    with opened(path, most) as file:
        try:
            return file.read(os.fstat(file.fileno()).st_size)
        except OSError as error:
            raise UserError(f'{path} cannot be read: {error.strerror}') from error


def move_folder(folder: pathlib.Path, place: pathlib.Path) -> None:
    """Renames a folder; what is at its new place goes."""
    if isinstance(place, buckets.Bucket):
        place.rmtree(missing_ok=True)
    else:
        shutil.rmtree(place, ignore_errors=True)
    folder.rename(place)


def remove_unfinished() -> None:
    """Removes the temporary files that are being written, since the process is about to end."""
    for temporary in [*_unfinished]:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def naming(file: pathlib.Path, over: bool = False) -> Iterator[None]:
    """Has an error of the operating system name the file that it is about.

    Args:
      file: the file.
      over: whether also where the error names another one.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None or (error.filename is not None and not over):
            raise
        raise OSError(error.errno, error.strerror, str(file)) from error


def _sync(path: pathlib.Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def sweep(folder: pathlib.Path, seconds: float = 0) -> None:
    """Removes the temporary files of killed processes, as old as this or older."""
    if buckets.is_bucket(folder):  # there are none
        return
    for file in folder.glob('tmp_*'):
        with contextlib.suppress(OSError):
            if _TEMPORARY.fullmatch(file.name) and time.time() - file.stat().st_mtime >= seconds:
                file.unlink()


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
    _picture(image).save(stream, format, **options)
    return stream.getvalue()


def _picture(image: np.ndarray) -> 'Image.Image':
    from PIL import Image  # networks read files, too, and need none of it

    return Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)


def png(image: np.ndarray) -> bytes:
    """A picture, uint8 [h, w, 1 or 3], as PNG."""
    return encode(image, 'png')


def write_bytes(file: pathlib.Path, content: bytes) -> pathlib.Path:
    """Writes a file's bytes, whole or not at all; makes the folder."""
    replace(file, lambda temporary: temporary.write_bytes(content))
    return file


def write_png(file: pathlib.Path, image: np.ndarray) -> pathlib.Path:
    """Writes uint8 [h, w, 1 or 3]; makes the folder."""
    replace(file, lambda temporary: _picture(image).save(temporary, 'png'))
    return file


def write_npz(file: pathlib.Path, **arrays: np.ndarray) -> pathlib.Path:
    """Writes arrays under their names, compressed; makes the folder."""

    def write(temporary: pathlib.Path) -> None:
        with temporary.open('wb') as stream:  # of a path savez would make another by a suffix
            np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]

    replace(file, write)
    return file


def check_writable(folder: pathlib.Path, remedy: str, names: Iterable[str] = ()) -> None:
    """Makes a folder, and a file in it that is removed again: what would fail later fails here.

    Args:
      folder: the folder.
      remedy: what a person may do if it cannot be written.
      names: of files to be written there; none may be a folder.

    Raises:
      UserError: if that cannot be done.
      OSError: if there is no space, or the disk fails.
    """
    try:
        if isinstance(folder, buckets.Bucket):
            probe = folder / f'tmp_{secrets.token_hex(8)}'
            probe.write_bytes(b'')
            probe.unlink()
            return
        with naming(folder, over=True):
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
    except OSError as error:
        if error.errno in NOT_OF_THE_PLACE:
            raise
        reason = error.strerror or one_line(error)
        raise UserError(f'{folder} cannot be written ({reason}); {remedy}') from error
    for name in names:
        if (folder / name).is_dir():
            raise UserError(f'{folder / name} cannot be written (it is a folder); {remedy}')
