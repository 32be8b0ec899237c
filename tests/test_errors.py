import errno

import pytest

from gan_jax import errors


@pytest.mark.parametrize(
    ('error', 'line'),
    [
        (
            OSError(errno.ENOSPC, 'No space left on device', '/runs/a/config.json'),
            '/runs/a/config.json: No space left on device; free some space, and give the same '
            'command again',
        ),
        (
            OSError(errno.EACCES, 'Permission denied', b'x'),
            'x: Permission denied; allow it, and give the same command again',
        ),
        (
            OSError(errno.EMFILE, 'Too many open files'),
            'Too many open files; allow more open files (ulimit -n), and give the same command '
            'again',
        ),
        (OSError('cannot identify\n image'), 'cannot identify image'),
    ],
)
def test_an_error_of_the_system_is_one_line_that_says_what_to_do(error, line):
    assert errors.of_system(error) == line


def raised_from(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ('error', 'number'),
    [
        (OSError(errno.EIO, 'x'), errno.EIO),
        (ValueError('INTERNAL: Error writing "x": [OS error 28: No space left on device]'), 28),
        (ValueError('PERMISSION_DENIED: Permission denied'), errno.EACCES),
        (raised_from(RuntimeError('a'), OSError(errno.EROFS, 'x')), errno.EROFS),
        (ValueError('shapes differ'), None),
        (OSError('cannot identify'), None),
        (None, None),
    ],
)
def test_the_number_behind_an_error(error, number):
    assert errors.number_of(error) == number
