"""The thread behind the page, with a program that counts in place of one that is compiled."""

import base64
import contextlib
import json
import time
import types

import methods
import numpy as np
import pytest

from gan_jax.errors import UserError
from gan_jax.playground import live as live_lib
from gan_jax.playground import program, settings

BASE = methods.shrunk('playground')
WAIT = 20  # seconds


class Counting:
    """A program whose state is its number of steps; it notes which turns were asked for."""

    def __init__(self, experiment):
        self.turns, self.experiment = [], types.SimpleNamespace(seeds=[0], begin=self.begin)
        self.runs = {x: self.run(x) for x in ('both', 'discriminator', 'generator')}
        self.built = {'generator': 1e-3, 'discriminator': 1e-3}
        self.loss = 0.5

    def begin(self):
        return types.SimpleNamespace(step=0)

    def run(self, turn):
        def several(state, points, num):
            self.turns += [turn] * int(num)
            names = program.ONLY if turn == 'both' else (turn,)
            state = types.SimpleNamespace(step=state.step + int(num))
            return state, dict.fromkeys(names, np.float32(self.loss)), dict.fromkeys(names, num)

        return several

    def show(self, state, points, centers, stddev):
        places = np.array([[[1.0, -0.5], [9.0, np.nan]]])
        return {
            'fake': places, 'manifold': places, 'arrows': places, 'field': np.array([[0.0, 1.0]]),
            'modes': np.array([3]), 'quality': np.array([0.25]),
        }  # fmt: skip


@pytest.fixture
def live(monkeypatch):
    made = []
    monkeypatch.setattr(settings, 'build', lambda config: types.SimpleNamespace(seeds=[0]))
    monkeypatch.setattr(settings, '_check_game', lambda experiment: None)
    monkeypatch.setattr(live_lib.jax, 'clear_caches', lambda: None)  # other tests' programs
    monkeypatch.setattr(program, 'compiled', lambda x: made.append(Counting(x)) or made[-1])
    monkeypatch.setattr(program, 'kept', lambda old, new: (old, ['generator']))
    monkeypatch.setattr(program, 'set_factors', lambda state, factors: state)
    started = live_lib.Live(BASE)
    started.programs = made
    with contextlib.closing(started):
        started.start()
        until(started, lambda x: x['frame'])
        yield started


def until(live, holds):
    """The first of the frames to come that something holds of."""
    end, version = time.monotonic() + WAIT, 0
    while time.monotonic() < end:
        version, text = live.wait(version, 1.0)
        seen = json.loads(text)
        if holds(seen):
            return seen
    raise TimeoutError(text)


def test_nothing_moves_before_it_is_asked_to(live):
    time.sleep(0.1)
    assert live.programs[0].turns == []
    assert until(live, lambda x: not x['status']['busy'])['frame']['step'] == 0


@pytest.mark.parametrize(
    ('act', 'turn'), [('step', 'both'), ('discriminator',) * 2, ('generator',) * 2]
)
def test_a_move_is_one_and_pauses(live, act, turn):
    live.act(act)
    assert until(live, lambda x: x['frame']['step'] == 1)['frame']['moved'] == turn
    assert live.programs[0].turns == [turn]
    live.act('play')
    live.act(act)
    until(live, lambda x: not x['status']['playing'])
    time.sleep(0.1)
    count = len(live.programs[0].turns)
    time.sleep(0.1)
    assert len(live.programs[0].turns) == count


def test_it_plays_until_it_pauses(live):
    live.act('fast')
    live.act('play')
    seen = until(live, lambda x: x['frame']['step'] > 20)
    assert seen['status']['playing'] is True
    assert seen['status']['speed'] == 'fast'
    live.act('pause')
    until(live, lambda x: not x['status']['playing'])
    time.sleep(0.1)
    count = len(live.programs[0].turns)
    time.sleep(0.1)
    assert len(live.programs[0].turns) == count


def test_slow_motion_is_of_one_player_after_the_other(live, monkeypatch):
    monkeypatch.setitem(live_lib.SPEEDS, 'slow', 50.0)
    live.act('slow')
    live.act('play')
    until(live, lambda x: x['frame']['step'] >= 4)
    assert live.programs[0].turns[:4] == ['discriminator', 'generator'] * 2


def test_what_a_frame_holds(live):
    live.act('step')
    seen = until(live, lambda x: x['frame']['step'] == 1)['frame']
    (one,) = seen['replicas']
    assert one['losses'] == {'discriminator': 0.5, 'generator': 0.5}
    assert (one['modes'], one['quality'], seen['num_modes'], seen['seeds']) == (3, 0.25, 8, [0])
    assert [*base64.b64decode(one['field'])] == [0, 255]
    places = np.frombuffer(base64.b64decode(one['fake']), '<i2')
    assert places.tolist() == [8192, -4096, 32767, 0]  # cut off at the ends


def test_settings_that_need_a_new_program_say_so_and_keep_players(live):
    live.act('step')
    until(live, lambda x: x['frame']['step'] == 1)
    answer = live.change({'set': 'grid25'})
    assert answer['compiles'] is False
    assert until(live, lambda x: x['frame']['num_modes'] == 25)['frame']['step'] == 1
    assert len(live.programs) == 1
    answer = live.change({'set': 'grid25', 'objective': 'hinge'})
    assert answer['compiles'] is True
    seen = until(live, lambda x: 'kept' in x['status']['note'])
    assert seen['status']['note'] == 'kept: generator'
    assert seen['status']['settings'] == {
        **settings.defaults(BASE),
        'set': 'grid25',
        'objective': 'hinge',
    }
    assert len(live.programs) == 2


def test_what_is_wrong_changes_nothing(live):
    with pytest.raises(UserError, match="did you mean 'objective'"):
        live.change({'objectiv': 'hinge'})
    with pytest.raises(UserError, match="'ply' is not known; did you mean 'play'"):
        live.act('ply')
    assert live.hello()['settings'] == settings.defaults(BASE)


def test_a_restart_begins_again_and_empties_the_curves(live):
    live.act('step')
    live.act('step')
    begun = until(live, lambda x: x['frame']['step'] == 2)['status']['begun']
    assert [x[0] for x in live.hello()['history']][-1] == 2
    live.act('restart')
    seen = until(live, lambda x: x['frame']['step'] == 0)
    assert seen['status']['begun'] == begun + 1
    assert live.hello()['history'] == []


def test_what_is_not_finite_pauses_and_says_so(live):
    live.programs[0].loss = float('nan')
    live.act('play')
    seen = until(live, lambda x: x['status']['note'])
    assert seen['status']['playing'] is False
    assert 'is not finite after 1 updates; restart' in seen['status']['note']
    live.programs[0].loss = 0.5
    live.act('restart')
    live.act('step')
    assert until(live, lambda x: x['frame']['step'] == 1)['status']['note'] == ''


def test_it_rests_when_nobody_looks(live, monkeypatch):
    monkeypatch.setattr(live_lib, 'ABSENT', 0.2)
    live.act('fast')
    live.act('play')
    time.sleep(0.7)
    count = len(live.programs[0].turns)
    assert count > 0
    time.sleep(0.3)
    assert len(live.programs[0].turns) == count
    live.wait(0, 0.1)
    until(live, lambda x: x['frame']['step'] > count)


def test_what_is_kept_has_a_bound(live, monkeypatch):
    monkeypatch.setattr(live_lib, 'FRAMES', 1e9)
    live.act('fast')
    live.act('play')
    until(live, lambda x: len(live.hello()['history']) == live_lib.HISTORY)
    seen = until(live, lambda x: True)['frame']['step']
    until(live, lambda x: x['frame']['step'] > seen)
    assert len(live.hello()['history']) == live_lib.HISTORY
