import json

import numpy as np

from gan_jax.runtime import metric_writer as log_lib


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
