import logging

import methods

from gan_jax.runtime import process


def record(path, level):
    return logging.LogRecord('x', level, str(path), 1, 'message', (), None)


def test_the_log_has_our_lines_and_jaxs_warnings_wherever_the_checkout_lies():
    libraries = methods.ROOT / '.venv' / 'lib' / 'python3.11' / 'site-packages'
    assert process.worth_reading(record(methods.ROOT / 'gan_jax' / 'train.py', logging.INFO))
    assert process.worth_reading(record(libraries / 'jax' / '_src' / 'xla.py', logging.WARNING))
    assert process.worth_reading(record(libraries / 'orbax' / 'x.py', logging.CRITICAL))
    for library, level in (('jax', logging.INFO), ('orbax', logging.WARNING)):
        assert not process.worth_reading(record(libraries / library / 'x.py', level))
    elsewhere = libraries.parents[3].parent / 'gan_jax' / '.venv' / 'orbax' / 'y.py'
    assert not process.worth_reading(record(elsewhere, logging.INFO))
