"""Paths on buckets, such as gs://bucket/run, that are used as those on a disk are.

There are no folders on a bucket, only objects whose names have slashes; an object is there whole or
not at all. Nothing here is cached: another process may have written meanwhile.
"""

import contextlib
import errno
import functools
import importlib.util
import os
import pathlib
from collections.abc import Callable, Iterator
from typing import Any, cast

import fsspec
from etils.epath import gpath

from gan_jax.errors import UserError, one_line

# What each kind of bucket needs: the package that knows it, and how that is installed.
PACKAGES = {
    'gs': ('gcsfs', "'gan_jax[gcs]'"),
    's3': ('s3fs', 's3fs'),
    'az': ('adlfs', 'adlfs'),
    'hf': ('huggingface_hub', 'huggingface_hub'),
}
UNREACHED = errno.ECONNABORTED  # what cannot be told from a network that is down
_REFUSED = (401, 403)


def at(name: str) -> pathlib.Path:
    """The path that a person names: on a bucket if it says so, as gs://bucket/run does.

    Raises:
      UserError: if there is no such kind of bucket, no bucket is named, or the package that it
        needs is not installed.
    """
    scheme, separator, rest = name.partition('://')
    if not separator:
        return pathlib.Path(name)
    if scheme not in PACKAGES:
        known = ', '.join(f'{x}://' for x in PACKAGES)
        raise UserError(
            f'{name}: there are no places {scheme}://; give a folder, or one of {known}'
        )
    if not rest.strip('/'):
        raise UserError(f'{name} names no bucket; say {scheme}://BUCKET/PATH')
    package, install = PACKAGES[scheme]
    if scheme not in fsspec.available_protocols() or importlib.util.find_spec(package) is None:
        raise UserError(f'{name} needs the package {package}: pip install {install}')
    # etils takes TensorFlow's client where that is installed, which has other errors.
    os.environ['EPATH_USE_TF'] = 'false'
    for protocol in (scheme, 'gcs')[: 2 if scheme == 'gs' else 1]:
        fsspec.config.conf.setdefault(protocol, {})['use_listings_cache'] = False
    return cast(pathlib.Path, Bucket(name))  # in all that is asked of one here


def is_bucket(path: pathlib.PurePath) -> bool:
    """Whether it lies on a bucket."""
    return isinstance(path, Bucket)


@contextlib.contextmanager
def telling(path: pathlib.PurePath) -> Iterator[None]:
    """Has every error of a storage be one of the operating system that names the path."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise of_system(error, path) from error


def of_system(error: Exception, path: pathlib.PurePath) -> OSError:
    """What a storage says, as an error of the operating system that names the path.

    Each client library has errors of its own, some with the number of HTTP's status.
    """
    if isinstance(error, OSError) and None not in (error.errno, error.filename):
        return error
    known: tuple[tuple[type[Exception], int, str], ...] = (
        (FileNotFoundError, errno.ENOENT, 'there is no such object, or no such bucket'),
        (FileExistsError, errno.EEXIST, 'it is there already'),
        (IsADirectoryError, errno.EISDIR, os.strerror(errno.EISDIR)),
        (NotADirectoryError, errno.ENOTDIR, os.strerror(errno.ENOTDIR)),
        (PermissionError, errno.EACCES, one_line(error)),
    )
    for kind, number, reason in known:
        if isinstance(error, kind):
            return OSError(number, reason, str(path))
    words = one_line(error)
    status = getattr(error, 'code', getattr(error, 'status', None))
    refused = str(status) in map(str, _REFUSED) or words.startswith('Forbidden')
    if refused or type(error).__module__.startswith('google.auth'):
        return OSError(errno.EACCES, words, str(path))
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EMFILE):
        return OSError(error.errno, error.strerror, str(path))
    return OSError(UNREACHED, words, str(path))


@contextlib.contextmanager
def _putting(path: 'Bucket') -> Iterator[None]:
    """As `telling`; of an object that is put only its bucket can be missing.

    Raises:
      UserError: if it is.
    """
    with telling(path):
        try:
            yield
        except FileNotFoundError:
            bucket = '/'.join(str(path).split('/')[:3])
            raise UserError(
                f'there is no bucket {bucket}, or none that you may see; make it, or name another'
            ) from None


def _told(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def apply(self: 'Bucket', *args: Any, **kwargs: Any) -> Any:
        with telling(self):
            return method(self, *args, **kwargs)

    return apply


class Bucket(gpath.PosixGPath):
    """A path on a bucket: etils.epath's, which Orbax takes, with errors that are OSErrors.

    What is written is one put of the whole object.
    """

    @property
    def _storage(self) -> fsspec.AbstractFileSystem:
        return fsspec.filesystem(str(self).partition('://')[0])

    def absolute(self) -> 'Bucket':
        """Itself."""
        return self

    def resolve(self, strict: bool = False) -> 'Bucket':
        """Itself."""
        return self

    def expanduser(self) -> 'Bucket':
        """Itself."""
        return self

    def _kind(self) -> str:
        try:
            return self._storage.info(str(self))['type']
        except FileNotFoundError:
            return ''

    @_told
    def exists(self) -> bool:
        """Whether there is such an object, or any below it."""
        return bool(self._kind())

    @_told
    def is_dir(self) -> bool:
        """Whether there are objects below it."""
        return self._kind() == 'directory'

    @_told
    def is_file(self) -> bool:
        """Whether there is such an object."""
        return self._kind() == 'file'

    @_told
    def iterdir(self) -> Iterator['Bucket']:
        """What is below it, to the next slash."""
        return iter([*super().iterdir()])

    @_told
    def glob(self, pattern: str) -> Iterator['Bucket']:
        """What is below it and matches; nothing where nothing is."""
        try:
            return iter([*super().glob(pattern)])
        except FileNotFoundError:
            return iter(())

    def mkdir(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: there are no folders."""

    @_told
    def open(self, *args: Any, **kwargs: Any) -> Any:
        """A stream; of one to be written an error comes when it is closed, too."""
        return super().open(*args, **kwargs)

    @_told
    def stat(self) -> Any:
        """Its size, and when it was written."""
        return super().stat()

    @_told
    def read_bytes(self) -> bytes:
        """All that it holds."""
        return self._storage.cat_file(str(self))

    def read_text(self, encoding: str | None = None) -> str:
        """All that it holds, as text."""
        return self.read_bytes().decode(encoding or 'utf-8')

    def write_bytes(self, data: bytes) -> int:
        """Puts the whole object in the place of what is there."""
        with _putting(self):
            self._storage.pipe_file(str(self), bytes(data))
        return len(data)

    def write_text(self, data: str, *args: Any, **kwargs: Any) -> int:
        """As `write_bytes`, as UTF-8."""
        return self.write_bytes(data.encode())

    def create(self, data: bytes) -> bool:
        """Puts an object where there is none: of many who try at once one is told that it did."""
        with _putting(self):
            try:
                self._storage.pipe_file(str(self), bytes(data), mode='create')
            except FileExistsError:  # perhaps by a try of ours whose answer was lost
                return self._storage.cat_file(str(self)) == bytes(data)
        return True

    def put(self, file: pathlib.Path) -> None:
        """Puts a file of this machine's in the place of what is there."""
        with _putting(self):
            self._storage.put_file(str(file), str(self))

    @_told
    def modified(self) -> float:
        """When it was written, in seconds, by the storage's clock."""
        return self._storage.modified(str(self)).timestamp()

    @_told
    def unlink(self, missing_ok: bool = False) -> None:
        """Removes the object."""
        try:
            self._storage.rm_file(str(self))
        except FileNotFoundError:
            if not missing_ok:
                raise

    @_told
    def rmtree(self, missing_ok: bool = False) -> None:
        """Removes all that is below it."""
        super().rmtree(missing_ok)

    @_told
    def rename(self, target: Any) -> 'Bucket':
        """Copies all that is below it, then removes it: there is no other way on a bucket."""
        self._storage.mv(str(self), str(target), recursive=True)
        return self._new(target)
