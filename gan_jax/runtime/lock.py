"""One trainer in a work directory at a time."""

import contextlib
import pathlib
from collections.abc import Iterator

from gan_jax.errors import UserError

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

FILE = 'lock'


@contextlib.contextmanager
def alone(folder: pathlib.Path) -> Iterator[None]:
    """Holds the folder, which is made, until the body or the process ends, however it ends.

    Where a file system cannot lock, or the folder cannot be written, nobody holds it.

    Raises:
      UserError: if another process holds it.
    """
    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context((folder / FILE).open('a'))
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f'another process trains in {folder}; wait for its end, or give another --workdir'
            ) from None
        except OSError:
            pass
        yield
