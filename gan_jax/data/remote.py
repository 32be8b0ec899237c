"""Data sets on buckets: what is under a path is listed at once, and many objects are fetched."""

import errno
import hashlib
import os
import pathlib
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import fsspec

from gan_jax.errors import UserError, one_line


def is_remote(path: str) -> bool:
    """Whether it names a place on a bucket, as gs://bucket/pictures does."""
    return '://' in path


@contextmanager
def _telling(what: str, path: str) -> Iterator[None]:
    """Has a storage's errors be the operating system's, of a place that is not there the user's."""
    try:
        yield
    except UserError:
        raise
    except FileNotFoundError as error:
        raise UserError(f'{what}: {path} does not exist; name a place on a bucket') from error
    except (ImportError, ValueError) as error:  # no such kind of storage, or its package is missing
        raise UserError(f'{what}: {one_line(error)}') from error
    except Exception as error:
        if getattr(error, 'errno', None) in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise OSError(errno.ECONNABORTED, one_line(error), path) from error


def listed(what: str, path: str) -> tuple[list[str], Callable[[Sequence[str]], list[bytes]]]:
    """The names of the objects under a path, relative to it, and what fetches some of them.

    Args:
      what: what names the data set, for messages.
      path: the path.

    Raises:
      UserError: if there is nothing, or the path cannot be read by any package that is there.
      OSError: if the storage cannot be reached.
    """
    with _telling(what, path):
        storage, root = fsspec.core.url_to_fs(path, use_listings_cache=False)
        root = root.rstrip('/')
        names = [x[len(root) + 1 :] for x in storage.find(root) if x.startswith(f'{root}/')]
        if not names:
            raise FileNotFoundError(path)

    def fetch(some: Sequence[str]) -> list[bytes]:
        objects = [f'{root}/{x}' for x in some]
        with _telling(what, path):
            contents = storage.cat(objects) if len(objects) > 1 else {}
            return [contents[x] if contents else storage.cat_file(x) for x in objects]

    return sorted(names, key=lambda x: x.split('/')), fetch  # as paths are sorted


def prepared(name: str, split: str, path: str) -> pathlib.Path:
    """A folder of this machine with a prepared TFDS set: its files' reader knows no buckets.

    It is kept in the user's cache folder; what is there in its size is not fetched again. Several
    processes may do so at once.

    Args:
      name: the set, as TFDS has it.
      split: of which splits the examples are wanted; slices of them are.
      path: the place of the prepared sets on a bucket.

    Raises:
      UserError: if the path cannot be read by any package that is there.
      OSError: if the storage cannot be reached, or there is no space here.
    """
    splits = '|'.join(re.findall(r'[^\W\d]\w*', split))
    below = name.replace(':', '/')
    what = f'config.data.data_dir={path}'
    with _telling(what, path):
        storage, root = fsspec.core.url_to_fs(f'{path}/{below}', use_listings_cache=False)
        root = root.rstrip('/')
        objects = storage.find(root, detail=True)
    cache = pathlib.Path(os.environ.get('XDG_CACHE_HOME') or '~/.cache').expanduser()
    folder = cache / 'gan_jax' / 'data' / hashlib.sha256(path.encode()).hexdigest()[:16]
    for place, about in objects.items():
        file = folder / below / place.removeprefix(f'{root}/')
        if '.array_record' in file.name and not re.search(rf'-({splits})\.array', file.name):
            continue
        if file.exists() and file.stat().st_size == about['size']:
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_name(f'tmp_{secrets.token_hex(8)}')
        try:
            with _telling(what, path):
                storage.get_file(place, str(part))
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)
    return folder
