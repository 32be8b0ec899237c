"""The set-up of a process, before the first array is made: the log, memory, compiled programs."""

import contextlib
import ctypes
import io
import logging as python_logging
import os
import pathlib
import platform
import sys
import tempfile
import warnings
import zlib
from typing import Any

import jax
from absl import logging
from PIL import Image

from gan_jax.runtime import parallel

PACKAGE = pathlib.Path(__file__).parents[1]


def set_up(compiled: str) -> None:
    """Does all of this.

    Args:
      compiled: where compiled programs are kept for the next start; '' for nowhere.
    """
    show_all_characters()
    # Larger pictures are counted as such where they are read.
    warnings.filterwarnings('ignore', category=Image.DecompressionBombWarning)
    logging.set_verbosity(logging.INFO)
    logging.use_absl_handler()
    handler = logging.get_absl_handler()
    handler.addFilter(worth_reading)
    handler.setFormatter(python_logging.Formatter('%(asctime)s %(message)s', '%H:%M:%S'))
    leave_out_closed_loops()
    # The backend reads the environment once.
    wanted = parallel.virtual_device_environment(os.environ.get('XLA_FLAGS', ''))
    os.environ.update(wanted | os.environ)
    keep_freed_memory()
    keep_compiled(compiled)


def cores() -> int:
    """How many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def show_all_characters() -> None:
    """Has the terminal get escapes for characters that it does not know, instead of an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors='backslashreplace')


def keep_freed_memory() -> None:
    """Has the C library keep the buffers that XLA frees after each step.

    To give them back to the kernel and fault them in again takes up to half of a convolution's time
    on a CPU. Only the main thread's arena can hold large ones, so a program runs in the thread that
    calls it. Other threads keep arenas of their own: XLA's convolutions ask for memory row by row,
    and in an arena that compilers have left in pieces the search takes longer than the convolution.
    Elsewhere than with glibc nothing of the memory changes.
    """
    jax.config.update('jax_cpu_enable_async_dispatch', False)
    trim_threshold, mmap_max = -1, -4  # mallopt's names for them
    with contextlib.suppress(AttributeError, OSError, TypeError):
        library = ctypes.CDLL(None)
        library.mallopt(mmap_max, 0)
        library.mallopt(trim_threshold, 2**31 - 1)


def keep_compiled(folder: str) -> None:
    """Keeps compiled programs in a subfolder that belongs to this kind of processor.

    Machine code for a CPU may hold instructions that another one lacks. Programs for several
    virtual devices are not kept: to read them back has crashed the process.
    """
    if not folder or parallel.virtual_device_environment(os.environ.get('XLA_FLAGS', '')):
        return
    kind = platform.machine() + platform.processor()
    with contextlib.suppress(OSError):
        lines = pathlib.Path('/proc/cpuinfo').read_text().splitlines()
        kind += next((line for line in lines if line.startswith(('flags', 'Features'))), '')
    try:
        path = pathlib.Path(folder).expanduser() / f'{zlib.crc32(kind.encode()):08x}'
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except (OSError, RuntimeError) as error:  # the latter if nobody knows whose home ~ is
        logging.warning('compiled programs are not kept: %s', error)
        return
    tell_once('persistent compilation cache')  # JAX goes on, and says so of each program
    jax.config.update('jax_compilation_cache_dir', str(path))
    jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.0)
    jax.config.update('jax_persistent_cache_min_entry_size_bytes', -1)


def tell_once(words: str) -> None:
    """Has the first warning with these words be a line of the log, and no other be shown."""
    show = warnings.showwarning
    told: list[Warning | str] = []

    def tell(message: Warning | str, *where: Any) -> None:
        if words not in str(message):
            show(message, *where)
        elif not told:
            told.append(message)
            logging.warning('%s', message)

    warnings.showwarning = tell  # type: ignore[assignment]


def leave_out_closed_loops() -> None:
    """Has nothing be printed of reads and writes that end after one beside them has failed.

    Orbax closes their event loop at the first failure, which is told of; each of the others that
    comes to its end then would print a traceback.
    """
    show = sys.unraisablehook

    def tell(what: Any) -> None:
        if not (
            isinstance(what.exc_value, RuntimeError) and 'loop is closed' in str(what.exc_value)
        ):
            show(what)

    sys.unraisablehook = tell


def worth_reading(record: python_logging.LogRecord) -> bool:
    """Our own lines, errors, and JAX's warnings: libraries tell at length of every file.

    Orbax and gcsfs log the traceback of what they raise, too.
    """
    file = pathlib.Path(record.pathname)
    least = python_logging.ERROR
    for library, level in (
        ('jax', python_logging.WARNING),
        ('orbax', python_logging.CRITICAL),
        ('gcsfs', python_logging.CRITICAL),
    ):
        if library in file.parts:
            least = level
    return record.levelno >= least or file.is_relative_to(PACKAGE)
