"""Rungs, with an engine that writes what a training would in no time."""

import json
import logging

import methods
import pytest
import trials_by_hand as by_hand
from etils import epath

from gan_jax.commands import compare
from gan_jax.errors import UserError
from gan_jax.loop import train
from gan_jax.runtime import metric_writer
from gan_jax.sweeps import engines, halving, plan, results, trials
from gan_jax.sweeps.halving import Rungs
from gan_jax.sweeps.trials import Trial

# 'd' is slow at first: at step 50 it is the worst, at 200 it would have been the best.
CURVES = {'a': [1, 2, 3, 4], 'b': [4, 4, 5, 6], 'c': [3, 5, 6, 7], 'd': [0, 6, 7, 8]}
SLOW = Rungs((50, 100, 200), 0.5)


def make(folder, curves):
    return [
        Trial(
            name=f'{name},{seed}',
            overrides={'objective': name, 'seed': seed},
            workdir=epath.Path(folder) / f'{name},{seed}',
            command=('x', f'--config.objective={name}'),
            steps=200,
            figure='modes',
        )
        for name in curves
        for seed in range(2)
    ]


class Engine:
    """Plays each trial from its newest checkpoint to its steps; counts the steps that it made."""

    def __init__(self, curves, seeds=(0.0, 0.0)):
        self.curves, self.seeds = curves, seeds
        self.rounds, self.steps, self.broken = [], 0, {}

    def __call__(self, given, options):
        self.rounds.append([trial.name for trial in given])
        for trial in given:
            assert trial.command[-1] == f'--config.steps={trial.steps}'
            self.play(trial)
        trials.conclude(given)

    def play(self, trial):
        name, seed = trial.overrides['objective'], trial.overrides['seed']
        before = trials.newest_step(trial)
        if before >= trial.steps:
            return
        trial.workdir.mkdir(parents=True, exist_ok=True)
        settings = by_hand.config(steps=trial.steps, seed=seed, objective=name)
        (trial.workdir / 'config.json').write_text(json.dumps(settings))
        if trial.name in self.broken:
            record = {'state': 'failed', 'line': self.broken[trial.name], 'attempts': 1}
            (trial.workdir / 'trial.json').write_text(json.dumps(record))
            return
        with (trial.workdir / 'metrics.jsonl').open('a') as file:
            for i in range(before // 50, trial.steps // 50):
                value = self.curves[name][i] + self.seeds[seed]
                file.write(json.dumps({'step': 50 * (i + 1), 'eval/modes': value}) + '\n')
        (trial.workdir / 'checkpoints' / str(trial.steps)).mkdir(parents=True)
        self.steps += trial.steps - before


def climb(engine, folder, rungs=SLOW, curves=CURVES):
    halving.climbing(engine, epath.Path(folder), rungs)(make(folder, curves), engines.Options())


def both(names):
    return [f'{name},{seed}' for name in names for seed in range(2)]


def test_the_best_share_of_the_settings_goes_on_with_all_their_seeds(tmp_path):
    engine = Engine(CURVES, seeds=(0.0, 1.0))
    climb(engine, tmp_path)
    assert engine.rounds == [both('abcd'), both('bc'), both('c')]
    assert engine.steps == 2 * (4 * 50 + 2 * 50 + 100)
    record = json.loads((tmp_path / 'halving.json').read_text())
    assert record['stopped'] == {
        **dict.fromkeys(both('ad'), 50), **dict.fromkeys(both('b'), 100)
    }  # fmt: skip


@pytest.mark.parametrize(
    ('keep', 'sizes'), [(0.5, [4, 2, 1]), (0.25, [4, 1, 1]), (0.9, [4, 4, 4]), (0.01, [4, 1, 1])]
)
def test_how_many_go_on(tmp_path, keep, sizes):
    engine = Engine(CURVES)
    climb(engine, tmp_path, Rungs((50, 100, 200), keep))
    assert [len(names) / 2 for names in engine.rounds] == sizes


def test_started_again_it_chooses_the_same_and_runs_nothing_twice(tmp_path):
    class Killed(Exception):
        pass

    engine = Engine(CURVES)
    play = engine.play

    def fall(trial):
        if trial.steps == 200:
            raise Killed
        play(trial)

    engine.play = fall
    with pytest.raises(Killed):
        climb(engine, tmp_path)
    before = engine.steps
    engine.play = play
    climb(engine, tmp_path)
    assert engine.steps - before == 2 * 100  # of c, which alone was left
    climb(engine, tmp_path)
    assert engine.steps - before == 2 * 100
    assert engine.rounds[-3:] == [both('abcd'), both('bc'), both('c')]


def test_a_failed_trial_does_not_stop_the_rest_and_its_setting_goes_behind(tmp_path):
    engine = Engine(CURVES)
    engine.broken = {'c,1': 'gan_jax: it diverged'}
    with pytest.raises(trials.Unfinished, match='c,1 failed: it diverged'):
        climb(engine, tmp_path)
    assert engine.rounds == [both('abcd'), both('ab'), both('b')]
    assert results.read(tmp_path / 'b,0', 'b').step == 200


def test_a_setting_without_a_figure_never_goes_on(tmp_path):
    engine = Engine(CURVES)
    engine.broken = dict.fromkeys(both('c'), 'gan_jax: it diverged')
    with pytest.raises(trials.Unfinished):
        climb(engine, tmp_path, Rungs((50, 100), 0.9))
    assert engine.rounds == [both('abcd'), both('abd')]


def test_what_came_after_a_rung_does_not_change_who_passed_it(tmp_path):
    curves = CURVES | {'c': [3, 5, -1, -2]}  # which is the last one in, and falls below all
    engine = Engine(curves)
    climb(engine, tmp_path, curves=curves)
    climb(engine, tmp_path, curves=curves)
    assert engine.rounds == 2 * [both('abcd'), both('bc'), both('c')]


def test_an_engine_that_does_not_wait_is_asked_again_later(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    halving.climbing(lambda given, options: None, epath.Path(tmp_path), SLOW)(
        make(tmp_path, CURVES), engines.Options()
    )
    assert 'rung 50: 8 of 8 trials are not there yet' in caplog.text


def test_each_rung_is_told_of(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    climb(Engine(CURVES, seeds=(0.0, 1.0)), tmp_path)
    told = [x for x in caplog.text.splitlines() if 'rung 50: ' in x]
    assert told[0].endswith('rung 50: 1. objective=b: 4.5 +- 0.5 (2 seeds); goes on')
    assert told[3].endswith('rung 50: 4. objective=d: 0.5 +- 0.5 (2 seeds); stopped at rung 50')


def test_compare_says_at_which_rung_a_trial_was_stopped(tmp_path):
    climb(Engine(CURVES), tmp_path / 'sweep')
    groups = compare.compare(tmp_path)
    states = {x.settings['objective']: x.runs[0].state for x in groups}
    assert states == {
        'a': 'stopped at rung 50', 'b': 'stopped at rung 100', 'c': 'finished',
        'd': 'stopped at rung 50',
    }  # fmt: skip
    assert [*groups[0].settings] == ['objective']


def test_compare_lists_what_was_planned_and_has_not_begun(tmp_path):
    planned = make(tmp_path, CURVES)
    plan.write(epath.Path(tmp_path), plan.Sweep('configs/ring8.py', [], planned))
    Engine(CURVES).play(planned[0].until(50))
    groups = compare.compare(tmp_path)
    assert [x.runs[0].state for x in groups] == ['finished', *['not begun'] * 7]
    assert groups[1].missing == ['a,1: not begun']


def refused(rungs, changes=(), own=None, name='configs/ring8.py'):
    trial = Trial('x', own or {}, epath.Path('x'), (), 200, 'modes')
    with pytest.raises(UserError) as error:
        halving.check(plan.Sweep(name, [*changes], [trial]), rungs)
    return str(error.value)


def test_schedules_in_shares_of_the_steps_are_refused():
    said = refused(SLOW)
    assert 'config.optimizers.discriminator.learning_rate counts in shares of config.steps' in said


RATES = [(f'optimizers.{x}.learning_rate', '1e-3') for x in ('generator', 'discriminator')]


def test_rungs_without_an_evaluation_and_steps_of_the_sweep_are_refused():
    said = refused(Rungs((500, 1000)), RATES)
    assert 'not evaluated at step 500, a rung of --halving (config.eval_every=5000)' in said
    assert said.endswith('give --config.eval_every=500')
    said = refused(Rungs((510, 1000)), [*RATES, ('eval_every', '50')])
    assert said.startswith('trial x is not evaluated at step 510')
    said = refused(SLOW, RATES, {'steps': 7})
    assert said.startswith('--halving sets the steps, and so does sweep()')


def test_what_can_be_halved_is_not_refused():
    changes = [*RATES, ('eval_every', '500')]
    trial = Trial('x', {'objective': 'hinge'}, epath.Path('x'), (), 200, 'modes')
    halving.check(plan.Sweep('configs/ring8.py', changes, [trial]), Rungs((500, 1000)))


@pytest.mark.parametrize('text', ['', '500', '500,500', '1000,500', '0,5', '5,x', '-1,5', '1.5,2'])
def test_rungs_that_are_none_are_refused(text):
    with pytest.raises(UserError, match='two or more ascending numbers of steps'):
        halving.read_rungs(text.split(','), 0.5, None)


def test_shares_and_figures_that_are_none_are_refused():
    for keep in (0.0, 1.0, -1.0, float('nan')):
        with pytest.raises(UserError, match='must be a share between 0 and 1'):
            halving.read_rungs(['5', '10'], keep, None)
    with pytest.raises(UserError, match="the nearest valid name is 'modes'"):
        halving.read_rungs(['5', '10'], 0.5, 'mode')
    assert halving.read_rungs(['5', '10'], 0.5, 'modes') == Rungs((5, 10), 0.5, 'modes')


@pytest.mark.slow
def test_what_goes_on_is_the_run_that_was_never_stopped(tmp_path):
    """Real trainings: two settings to step 2, the better one to step 4."""
    base = methods.shrunk('ring8', steps=4) | {'log_every': 2, 'eval_every': 2}
    rates = {'optimizers': {x: {'name': 'adam', 'learning_rate': 1e-3} for x in base['optimizers']}}

    def engine(given, options):
        for trial in given:
            if trials.newest_step(trial) < trial.steps:
                train(base | rates | trial.overrides | {'steps': trial.steps}, trial.workdir)

    given = [
        Trial(name, {'objective': name}, epath.Path(tmp_path / name), (), 4)
        for name in ('hinge', 'least_squares')
    ]
    rungs = Rungs((2, 4), 0.5, 'sliced_wasserstein')
    halving.climbing(engine, epath.Path(tmp_path), rungs)(given, engines.Options())
    assert sorted(map(trials.newest_step, given)) == [2, 4]
    best = max(given, key=trials.newest_step)
    train(base | rates | best.overrides, tmp_path / 'whole')

    def logged(workdir):
        records, _ = metric_writer.read_metrics(workdir / 'metrics.jsonl')
        return [{k: x for k, x in y.items() if k not in metric_writer.TIMING} for y in records]

    assert logged(best.workdir) == logged(tmp_path / 'whole')
    assert digests(best.workdir) == digests(tmp_path / 'whole')


def digests(workdir):
    return json.loads((workdir / 'checkpoints' / '4' / 'digests' / 'metadata').read_text())[
        'arrays'
    ]
