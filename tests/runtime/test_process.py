import logging
import os
import pathlib
import platform
import subprocess
import sys
import types
import warnings

import jax
import methods
import pytest

from gan_jax.runtime import process


def record(path, level):
    return logging.LogRecord('x', level, str(path), 1, 'message', (), None)


def test_the_log_has_our_lines_and_jaxs_warnings_wherever_the_checkout_lies():
    libraries = methods.ROOT / '.venv' / 'lib' / 'python3.11' / 'site-packages'
    assert process.worth_reading(record(methods.ROOT / 'gan_jax' / 'loop.py', logging.INFO))
    assert process.worth_reading(record(libraries / 'jax' / '_src' / 'xla.py', logging.WARNING))
    assert process.worth_reading(record(libraries / 'orbax' / 'x.py', logging.CRITICAL))
    for library, level in (('jax', logging.INFO), ('orbax', logging.ERROR), ('x', logging.WARNING)):
        assert not process.worth_reading(record(libraries / library / 'x.py', level))
    elsewhere = libraries.parents[3].parent / 'gan_jax' / '.venv' / 'orbax' / 'y.py'
    assert not process.worth_reading(record(elsewhere, logging.INFO))


@pytest.fixture
def settings():
    before = jax.config.jax_compilation_cache_dir
    show = warnings.showwarning
    yield
    jax.config.update('jax_compilation_cache_dir', before)
    warnings.showwarning = show


@pytest.mark.parametrize(
    'trouble', ['a file there', 'a file for the folder', 'unwritable', 'no home']
)
def test_without_a_place_for_compiled_programs_there_is_one_warning(
    tmp_path, monkeypatch, caplog, settings, trouble
):
    monkeypatch.setenv('XLA_FLAGS', '')
    folder = str(tmp_path / 'cache')
    if trouble == 'a file there':
        (tmp_path / 'cache').write_text('')
    elif trouble == 'a file for the folder':
        process.keep_compiled(folder)
        (kept,) = (tmp_path / 'cache').iterdir()
        kept.rmdir()
        kept.write_text('')
    elif trouble == 'unwritable':

        def refuse(**where):
            raise OSError(30, 'Read-only file system', str(where['dir']))

        monkeypatch.setattr(process.tempfile, 'TemporaryFile', refuse)
    else:

        def nobody(self):
            raise RuntimeError('Could not determine home directory.')

        monkeypatch.setattr(pathlib.Path, 'expanduser', nobody)
        folder = '~/.cache'
    jax.config.update('jax_compilation_cache_dir', None)
    process.keep_compiled(folder)
    (line,) = caplog.messages
    assert line.startswith('compiled programs are not kept: ')
    assert jax.config.jax_compilation_cache_dir is None


def test_only_the_first_program_that_cannot_be_kept_is_told_of(caplog, settings):
    shown = []
    warnings.showwarning = lambda *args: shown.append(str(args[0]))
    process.tell_once('persistent compilation cache')
    warnings.simplefilter('always')
    for program in 'ab':
        warnings.warn(f'Error writing persistent compilation cache entry {program}', stacklevel=1)
    warnings.warn('another', stacklevel=1)
    assert caplog.messages == ['Error writing persistent compilation cache entry a']
    assert shown == ['another']


def test_cores_are_those_that_the_process_may_use(monkeypatch):
    monkeypatch.setattr(os, 'sched_getaffinity', lambda pid: {0, 3, 5}, raising=False)
    assert process.cores() == 3
    monkeypatch.delattr(os, 'sched_getaffinity')
    assert process.cores() == (os.cpu_count() or 1)


PROGRAM = """
import ctypes, resource
from gan_jax.runtime import process
process.keep_freed_memory()
import jax, jax.numpy as jnp
compute = jax.jit(lambda x: jnp.cumsum(jnp.sort(x[::-1] * 2, 0), 0) + 1)
x = jnp.arange(2.0**22).reshape(2**11, -1)
for _ in range(2):
    compute(x).block_until_ready()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
y = compute(x)
print(y.is_ready(), resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before, flush=True)
ctypes.CDLL(None).malloc_stats()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != 'glibc', reason='another C library')
def test_the_calling_thread_computes_in_memory_that_is_kept():
    """Buffers of 16 MB, 12,290 page faults a call, are else given back."""
    done = subprocess.run(
        [sys.executable, '-c', PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        cwd=methods.ROOT,
        env=os.environ | {'XLA_FLAGS': ''},  # of one device
    )
    ready, faults = done.stdout.split()
    assert ready == 'True'
    assert int(faults) < 200
    assert done.stderr.count('\nArena ') > 1  # other threads have arenas of their own


def test_what_ends_after_a_failure_beside_it_is_not_told_of(monkeypatch):
    shown = []
    monkeypatch.setattr(sys, 'unraisablehook', shown.append)
    process.leave_out_closed_loops()

    def happens(error):
        what = types.SimpleNamespace(exc_value=error, exc_type=type(error))
        sys.unraisablehook(what)

    happens(RuntimeError('Event loop is closed'))
    assert not shown
    happens(RuntimeError('another'))
    happens(ValueError('loop is closed'))
    assert [str(x.exc_value) for x in shown] == ['another', 'loop is closed']
