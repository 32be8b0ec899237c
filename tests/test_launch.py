import logging
import platform
import subprocess
import sys

import methods
import pytest

import launch


def record(path, level):
    return logging.LogRecord('x', level, str(path), 1, 'message', (), None)


def test_the_log_has_our_lines_and_jaxs_warnings_wherever_the_checkout_lies():
    libraries = methods.ROOT / '.venv' / 'lib' / 'python3.11' / 'site-packages'
    assert launch.worth_reading(record(methods.ROOT / 'gan_jax' / 'train.py', logging.INFO))
    assert launch.worth_reading(record(libraries / 'jax' / '_src' / 'xla.py', logging.WARNING))
    assert launch.worth_reading(record(libraries / 'orbax' / 'x.py', logging.CRITICAL))
    for library, level in (('jax', logging.INFO), ('orbax', logging.WARNING)):
        assert not launch.worth_reading(record(libraries / library / 'x.py', level))
    elsewhere = libraries.parents[3].parent / 'gan_jax' / '.venv' / 'orbax' / 'y.py'
    assert not launch.worth_reading(record(elsewhere, logging.INFO))


FAULTS = """
import resource, jax, jax.numpy as jnp, launch
{before}
large = jax.jit(lambda x: jnp.cumsum(x @ x.T, 0) @ x)  # its middle is 64 MiB
x = jnp.ones((4096, 16))
large(x).block_until_ready()
start = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    large(x).block_until_ready()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - start)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != 'glibc', reason='only glibc has mallopt')
def test_freed_memory_is_kept():
    """Page faults of a function with large buffers, called again: several times fewer."""

    def faults(before):
        code = FAULTS.format(before=before)
        run = [sys.executable, '-c', code]
        return int(subprocess.run(run, cwd=methods.ROOT, capture_output=True, check=True).stdout)

    assert faults('launch.keep_freed_memory()') < faults('') / 4
