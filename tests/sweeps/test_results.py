"""Runs made by hand, and what is said of them: literal means, errors, reasons."""

import json
import math
import sys

import methods
import pytest
import trials_by_hand as by_hand

from gan_jax.errors import UserError
from gan_jax.runtime import lock
from gan_jax.sweeps import results

RATE = 'optimizers__generator__learning_rate'


def ranked(folder, wanted=None):
    runs = [results.read(x, x.name) for x in sorted(folder.iterdir())]
    figure = results.choose_figure(runs, wanted)
    return results.grouped(runs, figure, results.differing(runs))


def test_seeds_of_one_setting_are_a_group_with_mean_and_error(tmp_path):
    for rate, values in {1e-4: (4.0, 6.0, 8.0), 1e-3: (7.0, 7.0, 7.0)}.items():
        for seed, value in enumerate(values):
            settings = by_hand.config(seed=seed, **{RATE: rate})
            by_hand.write(tmp_path / f'{rate}_{seed}', settings, [2.0, value], picture=False)
    first, second = ranked(tmp_path)
    assert first.settings == {'learning_rate': 1e-3}
    assert results.mean_and_error(first.values) == (7.0, 0.0)
    assert second.settings == {'learning_rate': 1e-4}
    mean, error = results.mean_and_error(second.values)
    assert mean == 6.0
    assert error == pytest.approx(2 / math.sqrt(3))
    assert second.best == [4.0, 6.0, 8.0]
    assert not first.missing


def test_seeds_as_one_program_count_as_runs_of_one_seed_do(tmp_path):
    apart, together = tmp_path / 'apart', tmp_path / 'together'
    each = {5: [7.0, 3.0], 6: [1.0, 5.0]}
    for seed, values in each.items():
        by_hand.write(apart / str(seed), by_hand.config(seed=seed), values)
    by_hand.write(together / 'run', by_hand.config(seed=5, num_replicas=2), each)
    (one,), (other,) = ranked(apart), ranked(together)
    assert one.values == other.values == [3.0, 5.0]
    assert one.best == other.best == [7.0, 5.0]
    assert one.last == other.last


def test_less_is_better_where_the_figure_says_so(tmp_path):
    for name, values in {'a': [1.0, 3.0], 'b': [0.5, 2.0]}.items():
        settings = by_hand.config(objective=name)
        settings['evaluation']['best'] = 'reverse_kl'
        by_hand.write(tmp_path / name, settings, values, figure='eval/reverse_kl')
    groups = ranked(tmp_path)
    assert [x.settings['objective'] for x in groups] == ['b', 'a']
    assert [x.best for x in groups] == [[0.5], [1.0]]


def test_one_seed_has_no_error(tmp_path):
    by_hand.write(tmp_path / 'a', by_hand.config(), [3.0])
    assert results.mean_and_error(ranked(tmp_path)[0].values) == (3.0, None)
    assert results.mean_and_error([]) == (None, None)


def test_a_last_evaluation_that_is_not_finite_is_no_value_and_the_survivors_do_not_win(tmp_path):
    values = {0: [7.0, 8.0], 1: [7.0, None]}
    for seed, x in values.items():
        by_hand.write(tmp_path / f'a{seed}', by_hand.config(seed=seed, objective='hinge'), x)
    by_hand.write(tmp_path / 'b', by_hand.config(objective='lsgan'), [1.0, 2.0])
    first, second = ranked(tmp_path)
    assert first.settings == {'objective': 'lsgan'}
    assert second.values == [8.0]
    assert second.missing == ['a1: it is not finite at step 100']


def test_runs_without_the_figure_are_there_with_a_reason(tmp_path):
    by_hand.write(tmp_path / 'a', by_hand.config(), [3.0])
    by_hand.write(tmp_path / 'b', by_hand.config(eval_every=0, steps=101), [])
    by_hand.write(tmp_path / 'c', by_hand.config(steps=102), [], finished=False)
    by_hand.write(tmp_path / 'd', by_hand.config(steps=103), [1.0], figure='eval/reverse_kl')
    (tmp_path / 'e').mkdir()
    said = {'state': 'failed', 'line': 'gan_jax: config.x is not a key', 'attempts': 1}
    (tmp_path / 'e' / 'trial.json').write_text(json.dumps(said))
    (tmp_path / 'f').mkdir()
    (tmp_path / 'f' / 'trial.json').write_text('{}')
    (tmp_path / 'g').mkdir()
    (tmp_path / 'g' / 'config.json').write_text('{')
    groups = ranked(tmp_path)
    assert [x.runs[0].name for x in groups] == ['a', *'bcdefg']
    reasons = [x for group in groups for x in group.missing]
    assert reasons[:5] == [
        'b: it is not evaluated in training (eval_every=0); use --mode=evaluate',
        'c: stopped',
        'd: modes was not evaluated, only reverse_kl',
        'e: failed: config.x is not a key',
        'f: not begun',
    ]
    assert 'g/config.json cannot be read' in reasons[5]
    assert [x.runs[0].state for x in groups] == [
        'finished', 'finished', 'stopped', 'finished', 'failed', 'not begun', 'stopped'
    ]  # fmt: skip


@pytest.mark.skipif(sys.platform != 'linux', reason='only Linux tells')
def test_a_run_that_no_sweep_began_is_running_while_its_work_directory_is_held(tmp_path):
    by_hand.write(tmp_path / 'a', by_hand.config(), [3.0], finished=False)
    with lock.alone(tmp_path / 'a'):
        assert results.read(tmp_path / 'a', 'a').state == 'running'
    assert results.read(tmp_path / 'a', 'a').state == 'stopped'


def test_damaged_lines_are_left_out_and_told_of(tmp_path):
    by_hand.write(tmp_path / 'a', by_hand.config(), [3.0, 4.0])
    file = tmp_path / 'a' / 'metrics.jsonl'
    file.write_bytes(b'\x00\xff{\n' + file.read_bytes() + b'{"step": 150, "eval/modes": 9')
    run = results.read(tmp_path / 'a', 'a')
    assert run.curves['eval/modes'] == [(50, 3.0), (100, 4.0)]
    assert len(run.problems) == 1
    assert run.problems[0].endswith('line 1 is not JSON; 2 of its lines left out')


def test_settings_are_what_differs_but_seeds_and_what_changes_nothing():
    def run(**changes):
        return results.Run('x', None, by_hand.config(**changes))

    rates = {
        f'optimizers__{x}__learning_rate': rate
        for x, rate in (('generator', 1e-4), ('discriminator', 1e-4))
    }
    other = dict.fromkeys(rates, 0.001)
    runs = [
        run(seed=0, log_every=7, penalties__r1__weight=1.0, **rates),
        run(seed=1, num_replicas=3, penalties__lecam__weight=1.0, **other),
        run(seed=2, steps=7, **other),
    ]
    assert results.differing(runs) == {
        'steps': ['steps'],
        'r1.weight': ['penalties.r1.weight'],
        'lecam.weight': ['penalties.lecam.weight'],
        'learning_rate': [
            'optimizers.generator.learning_rate', 'optimizers.discriminator.learning_rate'
        ],
    }  # fmt: skip
    assert 'steps' not in results.differing(runs, ['steps'])
    assert results.differing(runs[:1]) == {}


def test_a_key_that_is_the_end_of_another_keeps_its_whole_name():
    values = ((1, 1), (1, 2), (2, 2))
    configs = [{'width': one, 'encoder': {'width': other}} for one, other in values]
    runs = [results.Run('x', None, config) for config in configs]
    assert results.differing(runs) == {'width': ['width'], 'encoder.width': ['encoder.width']}


def test_runs_of_all_configs_can_be_compared():
    configs = [methods.load_config(name).to_dict() for name in methods.CONFIGS]
    found = results.differing([results.Run('x', None, config) for config in configs])
    keys = [key for setting in found.values() for key in setting]
    assert len(keys) == len({*keys})
    assert {'game', 'dataset', 'steps'} <= {*keys}


@pytest.mark.parametrize(
    ('wanted', 'said'),
    [
        ('mode', "--figure 'mode' is unknown; the nearest valid name is 'modes'"),
        (None, 'the runs are ranked by several (modes, reverse_kl); choose one figure'),
        ('frechet_distance', "several networks, which cannot be compared; choose one with --figure:"
         " 'frechet_distance[a]', 'frechet_distance[b]'"),
    ],
)  # fmt: skip
def test_a_figure_that_does_not_compare_is_refused(wanted, said):
    other = by_hand.config()
    other['evaluation']['best'] = 'reverse_kl'
    curves = [{f'eval/frechet_distance[{x}]': [(1, 1.0)]} for x in 'ab']
    runs = [
        results.Run('x', None, config, curves=curve)
        for config, curve in zip((by_hand.config(), other), curves, strict=True)
    ]
    with pytest.raises(UserError) as error:
        results.choose_figure(runs, wanted)
    assert said in str(error.value)
    chosen = results.choose_figure(runs, 'frechet_distance[b]')
    assert (str(chosen.name), chosen.better) == ('eval/frechet_distance[b]', 'less')
