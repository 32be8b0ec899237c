import fcntl
import io
import json
import sys

import pytest
import stand_ins
from absl import logging

from gan_jax.sweeps import live
from gan_jax.sweeps.live import Progress, Row, Table

LINES = [
    {'step': 100, 'loss': 1.0, 'seconds': 10.0},
    {'step': 100, 'eval/modes': 5.0, 'eval/modes/stderr': 0.1},
    {'step': 200, 'loss': 1.0, 'seconds': 30.0},
    {'step': 200, 'eval/modes[net]': 6.5, 'eval/other': 7.0},
    {'step': 300, 'loss': 1.0, 'seconds': 45.0},
]


def make(tmp_path, name='a=1', steps=400, lines=LINES):
    trial = stand_ins.trial(tmp_path, '', name=name, steps=steps)._replace(figure='modes')
    trial.workdir.mkdir(parents=True)
    (trial.workdir / 'metrics.jsonl').write_text(''.join(json.dumps(x) + '\n' for x in lines))
    return trial


def record(trial, state, line=''):
    held = {'state': state, 'line': line, 'attempts': 1}
    (trial.workdir / 'trial.json').write_text(json.dumps(held))


def test_how_far_a_trial_is_stands_at_the_end_of_its_metrics(tmp_path):
    assert live.read(make(tmp_path)) == Progress(300, 6.5, 0.15)


def test_what_the_end_does_not_say_is_as_before(tmp_path):
    trial = make(tmp_path, lines=LINES[:1])
    assert live.read(trial, Progress(50, 4.0, 2.0)) == Progress(100, 4.0, 2.0)
    assert live.read(trial) == Progress(100, None, None)


def test_a_clock_that_began_anew_is_no_pace(tmp_path):
    resumed = [LINES[0], LINES[2], {'step': 250, 'seconds': 4.0}]
    assert live.read(make(tmp_path, lines=resumed)).pace == 0.2


def test_half_a_line_is_no_line(tmp_path):
    trial = make(tmp_path)
    with (trial.workdir / 'metrics.jsonl').open('a') as file:
        file.write('[1]\n{"step": "x"}\n\x00\n{"step": 400, "lo')
    assert live.read(trial).step == 300


def test_only_the_end_of_a_long_file_is_read(tmp_path, monkeypatch):
    trial = make(tmp_path)
    monkeypatch.setattr(live, 'TAIL', len(json.dumps(LINES[-1])) + 20)
    assert live.read(trial) == Progress(300, None, None)


def rows(tmp_path):
    names = ('a=1', 'b=1', 'c=1', 'd=1')
    trials = [stand_ins.trial(tmp_path, '', name=name, steps=400) for name in names]
    trials = [trial._replace(figure='modes') for trial in trials]
    return [
        Row(trials[0], 'finished', '', Progress(400, 7.0, 0.1)),
        Row(trials[1], 'running', '', Progress(100, 2.25, 0.3)),
        Row(trials[2], 'failed', 'no data', Progress()),
        Row(trials[3], 'waiting', '', Progress()),
    ]


def test_a_sweep_in_one_line(tmp_path):
    # 300 steps at 0.3 s, and 400 at the usual 0.2, in two slots.
    counts = '4 trials: 1 running, 1 failed, 1 finished, 1 waiting'
    assert live.summary(rows(tmp_path), 2) == f'{counts}; about 85 s left'
    assert live.summary(rows(tmp_path), 1) == f'{counts}; about 3 min left'
    # The one that waits takes as long as the one that is finished, with its start.
    finished, *others = rows(tmp_path)
    timed = [finished._replace(took=110.0), *others]
    assert live.summary(timed, 2) == f'{counts}; about 2 min left'
    assert live.summary(timed, 1) == f'{counts}; about 3 min left'
    assert live.summary(rows(tmp_path)[:1], 1) == '1 trial: 1 finished'


def test_the_table(tmp_path):
    assert live.lay_out(rows(tmp_path), 'last', 20, 80) == [
        'trial       state     step     modes  left',
        'a=1         finished  400/400  7',
        'b=1         running   100/400  2.25   2 min',
        'c=1         failed',
        'd=1         waiting',
        'last',
    ]


def test_a_table_fits_the_terminal(tmp_path):
    lines = live.lay_out(rows(tmp_path), 'last', 5, 80)
    assert [x.split()[0] for x in lines] == ['trial', 'b=1', 'c=1', 'last']
    assert lines[-1] == 'last (2 not shown)'
    long = rows(tmp_path)[1]
    long = long._replace(trial=long.trial._replace(name='optimizers.generator.learning_rate=0.1'))
    lines = live.lay_out([long], 'l' * 99, 20, 60)
    assert lines[1].startswith('…')
    assert 'learning_rate=0.1  running' in lines[1]
    assert max(map(len, lines)) < 60


@pytest.fixture
def said(monkeypatch):
    lines = []
    monkeypatch.setattr(live.logging, 'info', lambda text, *more: lines.append(text % more))
    return lines


def test_each_change_of_state_is_a_line(tmp_path, said):
    first, second = make(tmp_path), make(tmp_path, name='b=1', lines=[])
    with Table([first, second], 2) as table:
        table.show()
        assert said == ['2 trials: 2 waiting']
        record(second, 'failed', 'gan_jax: no data')
        table.show()
        table.show()
        assert said[1:] == ['b=1 failed: gan_jax: no data']
        (first.workdir / 'checkpoints' / '400').mkdir(parents=True)
    assert said[2:] == ['a=1 finished, step 300/400, modes 6.5', '2 trials: 1 failed, 1 finished']


def test_what_runs_is_said_with_what_is_left(tmp_path):
    assert rows(tmp_path)[1].said() == 'b=1 running, step 100/400, modes 2.25, 2 min left'
    assert rows(tmp_path)[2].said() == 'c=1 failed: no data'


def test_a_trial_is_timed_from_its_start_to_its_end(tmp_path, said, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(live.time, 'monotonic', lambda: now[0])
    first, second = make(tmp_path), make(tmp_path, name='b=1', lines=[])
    with (
        open(first.workdir / 'trial.lock', 'ab') as lock,
        Table([first, second], 1) as table,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)
        record(first, 'running')
        table.show()
        now[0] += 50
        (first.workdir / 'checkpoints' / '400').mkdir(parents=True)
    assert said[-1] == '2 trials: 1 finished, 1 waiting; about 50 s left'


def test_a_bucket_that_is_not_reached_for_a_moment_is_looked_at_again(tmp_path, said, monkeypatch):
    trial, warned = make(tmp_path), []
    record(trial, 'failed', 'broken')
    monkeypatch.setattr(live.logging, 'log_every_n_seconds', lambda *x: warned.append(x[-1]))

    def unreached(trial):
        raise OSError('no answer')

    with monkeypatch.context() as patch, Table([trial], 1) as table:
        patch.setattr(live, 'outcome', unreached)
        table.show()
        patch.undo()
        table.show()
    assert warned == ['a=1 was not looked at: no answer']
    assert said == ['a=1 failed, step 300/400, modes 6.5: broken', '1 trial: 1 failed']


def test_each_minute_is_a_line(tmp_path, said, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(live.time, 'monotonic', lambda: now[0])
    with Table([make(tmp_path)], 1) as table:
        for now[0] in (1000.0, 1030.0, 1059.0, 1061.0):
            table.show()
    assert said == ['1 trial: 1 waiting'] * 3  # the last at the end


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_in_a_terminal_the_table_is_drawn_over(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, 'stderr', Terminal())
    trial = make(tmp_path)
    with Table([trial], 1) as table:
        table.show()
        first = sys.stderr.getvalue()
        assert first.splitlines()[-1] == '1 trial: 1 waiting'
        assert len(first.splitlines()) == 3
        table.show()
        assert sys.stderr.getvalue() == first  # nothing is new
        record(trial, 'failed')
        table.show()
        drawn = sys.stderr.getvalue()[len(first) :]
        assert drawn.startswith('\x1b[3F\x1b[Jtrial')
        assert drawn.splitlines()[-1] == '1 trial: 1 failed'
        # A line of the log takes the place of the table, which is drawn again below.
        before = len(first + drawn)
        logging.get_absl_handler().filter(logging.logging.LogRecord('x', 50, 'x', 1, '', (), None))
        assert sys.stderr.getvalue()[before:] == '\x1b[3F\x1b[J'
        table.show()
        assert sys.stderr.getvalue()[before:] == drawn
