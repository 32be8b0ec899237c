"""Successive halving against the whole grid of configs/ring8.py: what each finds, in which steps.

    python -m benchmarks.halving [--rungs 2500,5000,10000] [--keep 0.33] [--seeds 2]
        [--figure sliced_wasserstein] [--workdir runs/halving]

The grid is sweep() of the config, 12 settings, all seeds of each as one program. --workdir/halving
has the best share of each rung only; --workdir/grid has each trained to the last rung, from copies
of those, since a resumed run is the uninterrupted one bit for bit. An engine runs both that trains
in this process. Trials that are done are not run again. It prints the grid's ranking, with the rung
at which halving stopped each setting, and writes it to benchmarks/results/halving.json.
"""

import argparse
import json
import pathlib
import shutil

from absl import logging
from etils import epath

from benchmarks.runs import to_the_end
from gan_jax.config import overrides
from gan_jax.runtime import files, process
from gan_jax.sweeps import engines, halving, plan, results, trials

CONFIG = str(pathlib.Path(__file__).parents[1] / 'configs' / 'ring8.py')
RESULTS = pathlib.Path(__file__).parent / 'results' / 'halving.json'


class Here:
    """An engine that trains one trial after the other in this process."""

    def __init__(self, changes):
        self.changes = changes

    def __call__(self, given, options):
        """Trains each to its steps, or on to them."""
        del options
        for trial in given:
            if trials.newest_step(trial) < trial.steps:
                words = [(key, overrides.written(x)) for key, x in trial.overrides.items()]
                config = overrides.apply(overrides.load(CONFIG), [*self.changes, *words])
                to_the_end(config | {'steps': trial.steps}, trial.workdir)


def steps_of(folder):
    """The steps that all trials of a folder have made."""
    sweep = plan.read(folder)
    return sum(trials.newest_step(trial) for trial in sweep.trials)


def played(folder, engine, rungs, changes):
    """The trials of the grid, planned and handed to an engine."""
    sweep = plan.plan(
        CONFIG, overrides.load_sweep(CONFIG), folder, changes=changes, start=lambda _: ('-',)
    )
    halving.check(sweep, rungs)
    plan.keep(folder, sweep)
    engine([trial.until(rungs.steps[-1]) for trial in sweep.trials], engines.Options())
    return sweep.trials


def row(group, stopped):
    mean, error = results.mean_and_error(group.values)
    return {
        'setting': {key.rpartition('.')[2]: x for key, x in group.settings.items()},
        'mean': mean, 'stderr': error, 'seeds': len(group.values),
        'stopped': stopped.get(group.runs[0].name),
    }  # fmt: skip


def show(found):
    print(f'{"rank":>4} {found["figure"]:>20}  {"halving":<20} setting')
    for place, x in enumerate(found['grid'], 1):
        value = f'{x["mean"]:.4f}' + (f' +- {x["stderr"]:.4f}' if x['stderr'] is not None else '')
        fate = 'finished' if x['stopped'] is None else f'stopped at rung {x["stopped"]}'
        print(f'{place:>4} {value:>20}  {fate:<20} {x["setting"]}')
    for name in ('grid', 'halving'):
        print(f'{name:>8}: {found["steps"][name]} steps, its best has {found["best"][name]:.4f}')
    share = found['steps']['halving'] / found['steps']['grid']
    print(f'halving made {100 * share:.0f}% of the steps; its pick is rank {found["pick"]}')


def main():
    """Runs what is missing, then prints and writes the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--rungs', default='2500,5000,10000')
    parser.add_argument('--keep', type=float, default=0.33)
    parser.add_argument('--seeds', type=int, default=2)
    parser.add_argument('--figure', default='sliced_wasserstein')
    parser.add_argument('--workdir', default='runs/halving')
    parser.add_argument('--compiled', default='')
    args = parser.parse_args()
    process.set_up(args.compiled)
    logging.set_verbosity(logging.WARNING)
    rungs = halving.read_rungs(args.rungs.split(','), args.keep, args.figure)
    folder = epath.Path(args.workdir)
    changes = [
        ('num_replicas', str(args.seeds)), ('eval_every', str(rungs.steps[0])),
        ('checkpoint_every', '0'), ('sample_every', '0'), ('log_every', '500'),
    ]  # fmt: skip
    engine = Here(changes)
    halved = halving.climbing(engine, folder / 'halving', rungs)
    chosen = played(folder / 'halving', halved, rungs, changes)
    for trial in chosen:
        if not (folder / 'grid' / trial.name).exists():
            shutil.copytree(trial.workdir, folder / 'grid' / trial.name)
    all_ = played(folder / 'grid', engine, rungs, changes)
    stopped = halving.stopped_at(folder / 'halving')
    ranking = halving.ranking(all_, rungs.steps[-1], args.figure)
    last = [trial for trial in chosen if trial.name not in stopped]
    pick = halving.ranking(last, rungs.steps[-1], args.figure)[0]
    place = next(i for i, x in enumerate(ranking, 1) if x.settings == pick.settings)
    found = {
        'rungs': rungs.steps, 'keep': rungs.keep, 'figure': args.figure,
        'grid': [row(x, stopped) for x in ranking], 'pick': place,
        'best': {
            'grid': results.mean_and_error(ranking[0].values)[0],
            'halving': results.mean_and_error(pick.values)[0],
        },
        'steps': {name: steps_of(folder / name) for name in ('grid', 'halving')},
    }  # fmt: skip
    files.replace(RESULTS, lambda file: file.write_text(json.dumps(found, indent=1) + '\n'))
    show(found)


if __name__ == '__main__':
    main()
