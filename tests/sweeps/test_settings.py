from typing import NamedTuple

import pytest

from gan_jax.errors import UserError
from gan_jax.sweeps import settings


class Of(NamedTuple):
    name: str = 'x'
    gpus: int = 1
    share: float = 0.5
    spot: bool = True


def test_what_is_said_replaces_a_default_and_has_its_type():
    words = ('gpus=8', 'spot=false', 'share=1', 'name=a=b', 'gpus=4')
    assert settings.read('ray', Of(), words) == Of('a=b', 4, 1.0, False)
    assert settings.read('ray', Of(), ()) == Of()


@pytest.mark.parametrize(
    ('word', 'line'),
    [
        ('gpus', '--engine_option=gpus: give --engine_option=NAME=VALUE'),
        ('gpus=two', '--engine_option=gpus=two: give a whole number'),
        ('share=x', '--engine_option=share=x: give a number'),
        ('spot=yes', '--engine_option=spot=yes: give true or false'),
        (
            'gpu=1',
            '--engine_option=gpu is not read by --sweep=ray; did you mean gpus? '
            '(all: gpus, name, share, spot)',
        ),
    ],
)
def test_a_mistake_is_a_line(word, line):
    with pytest.raises(UserError) as caught:
        settings.read('ray', Of(), (word,))
    assert str(caught.value) == line


def test_an_engine_without_settings_says_so():
    with pytest.raises(UserError, match='gpus is not read by --sweep=local; leave it out'):
        settings.read('local', settings.Nothing(), ('gpus=1',))
