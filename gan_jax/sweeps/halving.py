"""Successive halving: all trials make a few steps, the best go on to more, and so forth.

Jamieson & Talwalkar, Non-stochastic best arm identification and hyperparameter optimization (2016).

A rung is a number of steps. On each an engine is handed the trials that are still in, with
config.steps raised to it, so they resume; it need not know of rungs. Seeds of one setting stay or
go together, by the mean of their figure at the rung's step. Nothing has to be remembered: started
again, finished trials are not run, and the same figures at the same steps choose the same ones.

halving.json   in the sweep's folder: the rungs, and at which of them a trial was stopped
"""

import functools
import itertools
import json
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from absl import logging
from etils import epath

from gan_jax.config import overrides
from gan_jax.config.checks import check_name
from gan_jax.config.optimizing import SHARES
from gan_jax.errors import UserError, one_line
from gan_jax.evaluation import menu
from gan_jax.runtime import files
from gan_jax.sweeps import plan, results, trials
from gan_jax.sweeps.engines import Engine, Options
from gan_jax.sweeps.results import Figure, Group, Run
from gan_jax.sweeps.trials import Trial

FILE = 'halving.json'
KEEP = 0.5


class Rungs(NamedTuple):
    """How a sweep is halved.

    Attributes:
      steps: of each rung, ascending; the last is the end.
      keep: the share of the settings that goes on, at least one of them.
      figure: by which they are ranked; None for what the config calls the best.
    """

    steps: tuple[int, ...]
    keep: float = KEEP
    figure: str | None = None


def read_rungs(text: Sequence[str], keep: float, figure: str | None) -> Rungs:
    """Rungs as the command line says them.

    Raises:
      UserError: if they are no ascending numbers of steps, or `keep` is no share.
    """
    steps = tuple(int(x) if x.isascii() and x.strip().isdigit() else 0 for x in text)
    if len(steps) < 2 or steps[0] < 1 or any(x >= y for x, y in itertools.pairwise(steps)):
        raise UserError(
            f'--halving={",".join(text)} must be two or more ascending numbers of steps, such as '
            f'--halving=500,1000,2000'
        )
    if not 0 < keep < 1:
        raise UserError(f'--keep={keep} must be a share between 0 and 1, such as --keep=0.5')
    if figure is not None:
        check_name('--figure', figure, menu.gives(menu.available()))
    return Rungs(steps, keep, figure)


def check(sweep: plan.Sweep, rungs: Rungs) -> None:
    """Raises UserError if a trial cannot be stopped at each rung, compared there, and resumed."""
    file = overrides.load(sweep.name)
    figures = set()
    for trial in sweep.trials:
        if 'steps' in trial.overrides:
            raise UserError(
                f'--halving sets the steps, and so does sweep() of {sweep.name}; leave one out'
            )
        words = [(key, overrides.written(x)) for key, x in trial.overrides.items()]
        config = overrides.apply(file, [*sweep.changes, *words])
        for key in _shares(config):
            raise UserError(
                f'config.{key} counts in shares of config.steps ({SHARES}), which --halving raises '
                f'from rung to rung: a shorter run would be another one and no beginning of the '
                f'longer; give numbers of steps, or a number'
            )
        every = config['eval_every']
        for steps in rungs.steps:
            if not every or steps % every:
                raise UserError(
                    f'trial {trial.name} is not evaluated at step {steps}, a rung of --halving '
                    f'(config.eval_every={every}); give '
                    f'--config.eval_every={math.gcd(*rungs.steps)}'
                )
        figures.add(config['evaluation']['best'])
    if rungs.figure is None and len(figures) > 1:
        raise UserError(
            f'the trials call several figures the best ({", ".join(sorted(figures))}); choose one '
            f'with --figure'
        )


def _shares(tree: Any, prefix: str = '') -> list[str]:
    """The keys of schedules that count in shares of the run."""
    if not isinstance(tree, Mapping):
        return []
    found = [prefix.removesuffix('.')] if tree.get(SHARES) else []
    return found + [y for key, x in tree.items() for y in _shares(x, f'{prefix}{key}.')]


def climbing(engine: Engine, folder: epath.Path, rungs: Rungs) -> Engine:
    """An engine that has another one run the trials rung by rung, the best of each rung further.

    It returns when the last are finished. It raises what the other raises; if trials failed
    (`Unfinished`), it goes on with those of the others that are good enough, and raises at the end.

    Args:
      engine: what runs the trials.
      folder: the sweep's.
      rungs: the rungs.
    """
    return functools.partial(_climb, engine, folder, rungs)


def _climb(
    engine: Engine, folder: epath.Path, rungs: Rungs, all_: Sequence[Trial], options: Options
) -> None:
    going, stopped, unfinished = [*all_], dict[str, int](), list[str]()
    _write(folder, rungs, stopped)
    for steps in rungs.steps:
        going = [trial.until(steps) for trial in going]
        try:
            engine(going, options)
        except trials.Unfinished as error:
            unfinished += [x for x in str(error).splitlines() if x not in unfinished]
        later = [x for x in going if trials.state(x) in (trials.WAITING, trials.RUNNING)]
        if later:  # an engine that hands them over does not wait for them
            logging.info(
                'rung %d: %d of %d trials are not there yet; give the same command again when they '
                'are', steps, len(later), len(going),
            )  # fmt: skip
            return
        try:
            groups = ranking(going, steps, rungs.figure)
        except UserError as error:
            if unfinished:  # which says more
                raise trials.Unfinished('\n'.join(unfinished)) from error
            raise
        num = len(groups) if steps == rungs.steps[-1] else max(1, round(rungs.keep * len(groups)))
        best = [group for group in groups[:num] if group.values]
        names = {run.name for group in best for run in group.runs}
        stopped |= {trial.name: steps for trial in going if trial.name not in names}
        _write(folder, rungs, stopped)
        _tell(groups, len(best), steps, last=steps == rungs.steps[-1])
        going = [trial for trial in going if trial.name in names]
    if unfinished:
        raise trials.Unfinished('\n'.join(unfinished))


def ranking(among: Sequence[Trial], steps: int, figure: str | None) -> list[Group]:
    """Trials by setting, seeds together, in the order of their figure at a step.

    Raises:
      UserError: if none of them has it there.
    """
    together: dict[str, list[Run]] = {}
    own: dict[str, dict[str, Any]] = {}
    for trial in among:
        settings = {k: x for k, x in trial.overrides.items() if k not in results.NO_SETTINGS}
        key = json.dumps(settings, sort_keys=True, default=repr)
        own[key] = settings
        run = results.read(trial.workdir, trial.name)
        together.setdefault(key, []).append(run)
    by = results.choose_figure([run for runs in together.values() for run in runs], figure)
    value = functools.partial(_at, steps)
    groups = [results.group(runs, by, own[key], value) for key, runs in together.items()]
    ranked = results.ranked(groups, by)
    if not ranked[0].values:
        reasons = '; '.join(x for group in ranked for x in group.missing)
        raise UserError(f'no trial has {by.name.figure} at step {steps}: {reasons}')
    return ranked


def _at(steps: int, run: Run, figure: Figure) -> tuple[dict[int, float], str]:
    """The figure of each seed at a step: a trial may have gone on since."""
    until = {
        name: [point for point in points if point[0] <= steps]
        for name, points in run.curves.items()
    }
    cut = run._replace(curves={name: points for name, points in until.items() if points})
    ends = {points[-1][0] for seed in run.seeds if (points := cut.of_seed(figure.name, seed))}
    if ends and max(ends) < steps:
        return {}, f'{run.state} at step {run.step}'
    return results.in_training(cut, figure)


def _tell(groups: Sequence[Group], num: int, steps: int, last: bool) -> None:
    """One line for each setting: what it has, and whether it goes on."""
    for i, group in enumerate(groups):
        mean, error = results.mean_and_error(group.values)
        what = 'finished' if last else 'goes on' if i < num else f'stopped at rung {steps}'
        found = '; '.join(group.missing) if mean is None else f'{mean:.4g}'
        if error is not None:
            found += f' +- {error:.2g} ({len(group.values)} seeds)'
        settings = ', '.join(f'{key}={x}' for key, x in group.settings.items())
        logging.info('rung %d: %d. %s: %s; %s', steps, i + 1, settings, found, what)


def _write(folder: epath.Path, rungs: Rungs, stopped: Mapping[str, int]) -> None:
    text = json.dumps({**rungs._asdict(), 'stopped': stopped}, indent=2) + '\n'
    files.replace(folder / FILE, lambda file: file.write_text(text))


def stopped_at(folder: pathlib.Path) -> dict[str, int]:
    """At which rung each trial of a folder was stopped that was; {} without halving."""
    file = folder / FILE
    if not file.exists():
        return {}
    try:
        return {
            str(name): int(steps)
            for name, steps in json.loads(file.read_bytes())['stopped'].items()
        }
    except (OSError, LookupError, TypeError, ValueError, AttributeError) as error:
        logging.warning('%s left out: %s', file, one_line(error))
        return {}
