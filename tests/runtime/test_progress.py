import logging
import time

import pytest

from gan_jax.runtime import progress


@pytest.fixture
def spoken(monkeypatch, caplog):
    """What is said of blocks; a line comes every 20 ms."""
    monkeypatch.setattr(progress, 'SECONDS', 0.02)
    caplog.set_level(logging.INFO, 'absl')
    return lambda: [record.getMessage() for record in caplog.records]


def until(said, start):
    """Waits for a line that begins so, as one long call would."""
    end = time.monotonic() + 5
    while not any(line.startswith(start) for line in said()):
        assert time.monotonic() < end, said()
        time.sleep(0.005)


def test_one_long_call_is_seen_to_go_on_and_where_it_is(spoken):
    with progress.lines('compiling') as tell:
        until(spoken, 'compiling: 0 s so far')
        tell('part 2 of 3')
        until(spoken, 'compiling: part 2 of 3, 0 s so far')


def test_of_blocks_within_blocks_only_the_innermost_speaks(spoken):
    with progress.lines('outer'), progress.lines('inner'):
        until(spoken, 'inner')
        outer = [line for line in spoken() if line.startswith('outer')]
    assert not outer


def test_after_an_error_nothing_more_is_said(spoken):
    with pytest.raises(ValueError, match='wrong'), progress.lines('failing'):
        raise ValueError('wrong')
    time.sleep(0.06)
    assert spoken() == []
    assert not progress._doing


def test_what_is_quick_says_nothing(spoken):
    progress.SECONDS = 10.0
    with progress.lines('quick'):
        pass
    assert spoken() == []


@pytest.mark.parametrize(
    ('seconds', 'said'),
    [(0, '0 s'), (89, '89 s'), (90, '2 min'), (1200, '20 min'), (5400, '1.5 h'), (36000, '10.0 h')],
)
def test_durations_are_said_as_a_person_would(seconds, said):
    assert progress.duration(seconds) == said
