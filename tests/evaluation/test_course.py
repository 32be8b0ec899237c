"""Which of a run's own evaluations was best."""

import json

from gan_jax.evaluation import course


def test_the_best_and_the_last_of_a_run(tmp_path):
    file = tmp_path / 'metrics.jsonl'
    assert course.best_and_last(file, 'precision') is None
    lines = [
        {'step': s, 'eval/precision[x]': v, 'eval/recall[x]': 1} for s, v in enumerate((3, 7, 5))
    ]
    file.write_text(''.join(json.dumps(line) + '\n' for line in lines))
    with file.open('a') as stream:  # one that could not be had
        stream.write('{"step": 3, "eval/precision[x]": null, "missing": {"eval/precision[x]": ""}}')
    assert course.best_and_last(file, 'precision') == {
        'figure': 'precision[x]',
        'best': {'step': 1, 'value': 7},
        'last': {'step': 2, 'value': 5},
    }


def test_what_is_to_be_lessened():
    found = {'eval/recall[x]': 0.25, 'eval/frechet_distance[x]': 3.0}
    assert course.to_lessen('recall', found) == -0.25
    assert course.to_lessen('frechet_distance', found) == 3.0
