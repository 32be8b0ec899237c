import json
import logging
import re
import time

import numpy as np
import pytest
from tensorboardX.proto import event_pb2, plugin_hparams_pb2

from gan_jax.runtime import metric_writer as log_lib
from gan_jax.runtime import progress


def test_means_are_over_the_steps_at_which_a_metric_was_given():
    means = log_lib.Means()
    means.add({'d': 1.0, 'g': 10.0})
    means.add({'d': 2.0})
    assert means.take() == {'d': 1.5, 'g': 10.0}
    assert means.take() == {}


def test_means_go_on_from_json_to_the_last_bit():
    values = np.random.default_rng(0).normal(size=9).astype(np.float32)
    whole, first = log_lib.Means(), log_lib.Means()
    for value in values:
        whole.add({'x': value})
    for value in values[:4]:
        first.add({'x': value})
    second = log_lib.Means(json.loads(json.dumps(first.sums)))
    for value in values[4:]:
        second.add({'x': value})
    assert whole.take() == second.take()


BROKEN = {
    b'not json': 'line 2 is not JSON',
    b'{"step": 2, "la': 'line 2 is not JSON',
    b'\xff\x00\x93NUMPY': 'line 2 is not JSON',
    b'[' * 100_000: 'line 2 is not JSON',
    b'[2, 0.5]': 'line 2 is no object',
    b'null': 'line 2 is no object',
    b'{"loss": 0.5}': 'line 2 has no step',
    b'{"step": "2"}': 'line 2 has no step',
    b'{"step": 2.5}': 'line 2 has no step',
    b'{"step": true}': 'line 2 has no step',
    b'{"step": -2}': 'line 2 has no step',
    b'{"step": 2, "loss": [0.5]}': 'line 2 has no number as loss',
    b'{"step": 2, "loss": "0.5"}': 'line 2 has no number as loss',
    b'{"step": 2, "missing": "nan"}': 'line 2 has no number as missing',
    b'{"step": 2, "loss": {"x": "nan"}}': 'line 2 has no number as loss',
}


@pytest.mark.parametrize('line', BROKEN, ids=lambda line: line[:20].decode(errors='replace'))
def test_a_damaged_line_is_left_out_by_name_and_a_run_goes_on_over_it(tmp_path, line, caplog):
    file = tmp_path / 'metrics.jsonl'
    sound = b'{"step": 1, "loss": NaN, "text\xe2\x80\xa8": 1}\n'
    file.write_bytes(sound + line + b'\n\n{"step": 3, "loss": 2}')
    records, problems = log_lib.read_metrics(file)
    assert problems == [BROKEN[line]]
    assert [x['step'] for x in records] == [1, 3]
    log_lib.Log(tmp_path, 3, 9, 4).close()
    (warning,) = caplog.messages
    assert warning == f'{file}: {BROKEN[line]}; 1 of its lines dropped'
    records, problems = log_lib.read_metrics(file)
    assert (problems, records[1]) == ([], {'step': 3, 'loss': 2})
    assert log_lib.read_metrics(tmp_path / 'none.jsonl') == ([], [])


def test_what_is_null_is_not_read_and_stays_with_its_reason(tmp_path):
    file = tmp_path / 'metrics.jsonl'
    text = '{"step": 1, "a": null, "b": 0.10, "missing": {"a": "it is nan"}}\n' * 2
    file.write_text(text)
    assert log_lib.read_metrics(file) == ([{'step': 1, 'b': 0.1}] * 2, [])
    log_lib.Log(tmp_path, 1, 9, 4).close()
    assert file.read_text() == text


def test_lines_after_the_step_and_broken_ones_are_dropped(tmp_path):
    file = tmp_path / 'metrics.jsonl'
    file.write_text('{"step": 1}\nnot json\n{"step": 2}\n{"step": 3}\n{"step": 2, "la')
    log = log_lib.Log(tmp_path, 2, 9, 4)
    log.write(3, {'loss': 0.5})
    log.close()
    found = [json.loads(line) for line in file.read_text().splitlines()]
    assert found == [{'step': 1}, {'step': 2}, {'step': 3, 'loss': 0.5}]
    assert list(tmp_path.glob('events.out.*'))


def test_the_rate_counts_the_examples_since_the_last_line(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(log_lib.time, 'monotonic', lambda: now[0])
    log = log_lib.Log(tmp_path, 0, 100, examples=64)
    now[0] += 50.0  # compilation
    log.restart_clock(1)
    now[0] += 2.0
    log.scalars(11, {'loss': 1.0})
    now[0] += 5.0
    log.scalars(21, {'loss': 1.0})
    log.close()
    lines = [json.loads(x) for x in (tmp_path / 'metrics.jsonl').read_text().splitlines()]
    assert [x['examples_per_second'] for x in lines] == [320.0, 128.0]
    assert [x['seconds'] for x in lines] == [52.0, 57.0]


def test_not_finite_names_what_broke():
    metrics = {'a': 1.0, 'b': float('nan'), 'c': float('-inf')}
    assert log_lib.not_finite(metrics) == ['b', 'c']


def test_the_means_so_far_leave_them_as_they_were():
    means = log_lib.Means()
    means.add({'x': 1.0})
    assert means.now() == {'x': 1.0}
    means.add({'x': 2.0})
    assert means.now() == means.take() == {'x': 1.5}


def test_a_log_says_that_it_is_compiling(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(progress, 'SECONDS', 0.02)
    caplog.set_level(logging.INFO, 'absl')
    log = log_lib.Log(tmp_path, 0, 9, 4)
    with log.compiling():
        end = time.monotonic() + 5
        while not caplog.records and time.monotonic() < end:
            time.sleep(0.005)
    log.close()
    assert caplog.records[0].getMessage() == 'compiling: 0 s so far'


def test_a_progress_bar_says_that_it_is_compiling(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(log_lib.sys.stderr, 'isatty', lambda: True)
    log = log_lib.Log(tmp_path, 0, 9, 4)
    with log.compiling():
        assert 'compiling:   0%' in capsys.readouterr().err
    log.advance(9)
    log.close()
    assert 'compiling' not in capsys.readouterr().err.rpartition('\r')[2]


def test_a_line_is_short_although_there_are_many_metrics(tmp_path, caplog):
    caplog.set_level(logging.INFO, 'absl')
    log = log_lib.Log(tmp_path, 0, 100_000, 64)
    names = ('loss', 'real_logit', 'fake_logit', 'gradient_norm')
    log.scalars(1000, {f'{who}/{x}': 1.5 for who in ('discriminator', 'generator') for x in names})
    log.close()
    (line,) = [x.getMessage() for x in caplog.records]
    assert re.fullmatch(
        r'step 1000/100000, \S+ \w+ left, \d+ examples/s: discriminator 1.500, generator 1.500',
        line,
    )


def test_a_line_has_100_columns_at_most_with_its_time_of_day(tmp_path, caplog, monkeypatch):
    caplog.set_level(logging.INFO, 'absl')
    log = log_lib.Log(tmp_path, 0, 10_000, 64)
    players = 'embedder', 'recovery', 'generator', 'supervisor', 'discriminator'
    log._waited = 1e4  # as long as the clock has run
    monkeypatch.setattr(log_lib.time, 'monotonic', lambda now=log._last: now + 1e4)
    log.scalars(5000, {f'{who}/loss': 123.456 for who in players})
    log.close()
    (line,) = [x.getMessage() for x in caplog.records]
    assert line.endswith('32 examples/s, 100% waiting for data: embedder 123.456, ...')
    assert len('16:41:50 ') + len(line) <= 100


def test_settings_and_the_figure_beside_them_are_shown_in_tensorboard(tmp_path):
    log = log_lib.Log(tmp_path, 0, 9, 4)
    log.settings({'steps': 9, 'a.b': 0.5, 'on': True, 'x': None, 'name': 'dcgan'}, ['eval/best'])
    log.close()
    (file,) = tmp_path.glob('events.out.*')
    values = [v for event in parsed(file.read_bytes()) for v in event.summary.value]
    told = {v.tag: v.metadata.plugin_data.content for v in values}
    experiment, start = (told[f'_hparams_/{x}'] for x in ('experiment', 'session_start_info'))
    data = plugin_hparams_pb2.HParamsPluginData.FromString(start).session_start_info.hparams
    assert data['steps'].number_value == 9
    assert data['a.b'].number_value == 0.5
    assert data['on'].bool_value is True
    assert data['x'].string_value == 'null'
    assert data['name'].string_value == 'dcgan'
    shown = plugin_hparams_pb2.HParamsPluginData.FromString(experiment).experiment
    assert [x.name.tag for x in shown.metric_infos] == ['eval/best']


def test_numbers_that_are_not_finite_are_null_with_the_reason_beside_them(tmp_path):
    log = log_lib.Log(tmp_path, 0, 9, 4)
    values = {'eval/a': float('nan'), 'eval/b': 2.0, 'eval/c': float('inf')}
    log.write(3, values, {'eval/a': 'no features'})
    log.close()
    (line,) = (tmp_path / 'metrics.jsonl').read_text().splitlines()
    assert json.loads(line) == {
        'step': 3, 'eval/a': None, 'eval/b': 2.0, 'eval/c': None,
        'missing': {'eval/a': 'no features', 'eval/c': 'it is inf'},
    }  # fmt: skip
    assert 'NaN' not in line
    assert 'Infinity' not in line


def steps_in(file):
    return [json.loads(line)['step'] for line in file.read_bytes().splitlines()]


def test_on_a_bucket_all_lines_are_there_when_a_checkpoint_is_saved(bucket):
    log = log_lib.Log(bucket / 'run', 0, 9, 4)
    file = bucket / 'run' / 'metrics.jsonl'
    log.write(1, {'loss': 1.0})
    assert steps_in(file) == [1]  # one sees that it began
    log.write(2, {'loss': 1.0})
    assert steps_in(file) == [1]
    log.flush()
    assert steps_in(file) == [1, 2]
    log.write(3, {'loss': 1.0})
    log.close()
    assert steps_in(file) == [1, 2, 3]
    later = log_lib.Log(bucket / 'run', 2, 9, 4)  # from a checkpoint of step 2
    assert steps_in(file) == [1, 2]
    later.write(3, {'loss': 2.0})
    later.close()
    assert log_lib.read_metrics(file)[0][-1] == {'step': 3, 'loss': 2.0}


def test_what_is_put_on_a_bucket_in_all_grows_with_the_time_not_with_the_square(
    bucket, monkeypatch
):
    clock, puts = [0.0], []
    monkeypatch.setattr(log_lib.time, 'monotonic', lambda: clock[0])
    monkeypatch.setattr(log_lib, 'RATE', 1000)
    monkeypatch.setattr(type(bucket), 'write_bytes', lambda file, data: puts.append(len(data)))
    lines = log_lib._Object(bucket / 'metrics.jsonl', None)
    for _ in range(1000):  # a line every 2 seconds
        lines.write(b'x' * 100)
        clock[0] += 2.0
    lines.close()
    assert puts[-1] == 100_000
    assert sum(puts) < 2000 * 1000 + 2 * 100_000
    assert len(puts) < 2000 / log_lib.PAUSE + 2
    assert sum(puts) < 0.05 * sum(range(100, 100_001, 100))  # what a put a line would be


def test_on_a_bucket_each_flush_puts_the_events_that_are_new(bucket, monkeypatch):
    monkeypatch.setattr(log_lib, 'FLUSH', 0.0)
    log = log_lib.Log(bucket / 'run', 4, 9, 4)
    log.write(5, {'loss': 1.0, 'other': 2.0})
    log.image(5, 'samples', np.zeros((2, 2, 3), np.uint8))
    log.close()
    objects = sorted((bucket / 'run').glob('events.out.*'))
    events = [event for file in objects for event in parsed(file.read_bytes())]
    assert len(objects) > 3
    assert all(next(parsed(x.read_bytes())).file_version == 'brain.Event:2' for x in objects)
    tags = [x.summary.value[0].tag for x in events if x.HasField('summary')]
    assert sorted(tags) == ['loss', 'other', 'samples']
    starts = [x.step for x in events if x.HasField('session_log')]
    assert starts == [5]  # what was after step 4 is dropped


def parsed(content):
    """The events of a file: each a length, its CRC, so many bytes, their CRC."""
    while content:
        length = int.from_bytes(content[:8], 'little')
        yield event_pb2.Event.FromString(content[12 : 12 + length])
        content = content[16 + length :]
