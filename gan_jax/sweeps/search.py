"""Trials that Optuna suggests, in place of a grid: a config's search(trial) gives their overrides.

    def search(trial):
        return {'batch_size': trial.suggest_categorical('size', [32, 64])}

They are asked for in rounds, as many as run at a time, so that each round learns from those before.
What was asked and told is kept in optuna.log in the sweep's folder; a start after a kill goes on
with what was asked for and not told yet.
"""

import os
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from absl import logging
from etils import epath

from gan_jax.config import overrides
from gan_jax.config.checks import check_name
from gan_jax.errors import UserError
from gan_jax.evaluation import figures, menu
from gan_jax.sweeps import engines, plan, results, slots, trials
from gan_jax.sweeps import start as start_lib
from gan_jax.sweeps.trials import Trial

STORAGE = 'optuna.log'
OWN = 'overrides'  # the attribute of Optuna's trials that holds what search() gave
ROUND = 4  # trials, where an engine of other machines is not told how many run at a time


def start(
    name: str,
    folder: epath.Path,
    *,
    num: int,
    figure: str | None,
    changes: plan.Changes,
    engine: str,
    options: engines.Options,
    flags: Sequence[str],
) -> None:
    """Asks Optuna for trials, has an engine run them, and tells their figures, until all are done.

    Args:
      name: the config's file.
      folder: where the trials' work directories go.
      num: how many trials there shall be, with those of earlier starts.
      figure: what is sought the best of; None for what the config calls the best.
      changes: what the command line changes of the config for all trials.
      engine: its name.
      options: what is asked of it.
      flags: more flags for each trial.

    Raises:
      UserError: if Optuna is not installed, or search() gives what cannot be trained.
      Unfinished, Interrupted: as `engines` says.
    """
    optuna = _optuna()
    run = start_lib.ready(engine, options)
    config = overrides.apply(overrides.load(name), changes)
    if not config['eval_every']:
        raise UserError('--search needs evaluations in training; give --config.eval_every=1000')
    figure = config['evaluation']['best'] if figure is None else figure
    study = _study(optuna, folder, figure, config['evaluation']['metrics'])
    local = engine == start_lib.LOCAL
    size = len(slots.divide(options.slots)) if local else options.slots or ROUND
    unfinished: list[str] = []
    while asked := _round(optuna, study, num, size, name):
        planned: dict[int, Trial] = {}
        for number, own in asked.items():
            try:
                sweep = plan.plan(
                    name, [own], folder, changes=changes, start=start_lib.command(name, flags)
                )
            except UserError:  # of search(), which may be mended before the next start
                for other in asked.keys() - planned.keys():
                    study.tell(other, state=optuna.trial.TrialState.FAIL)
                raise
            plan.keep(folder, sweep)
            planned[number] = sweep.trials[0]
        try:
            run([*{trial.name: trial for trial in planned.values()}.values()], options)
        except trials.Unfinished as error:
            unfinished += str(error).splitlines()
        if not _tell(optuna, study, planned, figure):
            break
    else:
        _say(study)
    if unfinished:
        raise trials.Unfinished('\n'.join(unfinished))


def _optuna() -> ModuleType:
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise UserError(f"--search needs {error.name}; pip install 'gan_jax[optuna]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _study(optuna: ModuleType, folder: epath.Path, figure: str, metrics: Sequence[str]) -> Any:
    check_name('--figure', figure, menu.gives(menu.every(metrics)))
    if '://' in os.fspath(folder):
        raise UserError(
            f'--search keeps what it knows in a file that is added to, which {folder} cannot hold; '
            f'give a --workdir on a disk'
        )
    folder.mkdir(parents=True, exist_ok=True)
    file = os.fspath(folder / STORAGE)
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(file))
    more = menu.better(figure, metrics) == figures.MORE
    study = optuna.create_study(
        storage=storage, study_name=figure, load_if_exists=True,
        direction='maximize' if more else 'minimize',
    )  # fmt: skip
    # Another seed at another start, which would suggest the first ones again.
    study.sampler = optuna.samplers.TPESampler(seed=len(study.trials), constant_liar=True)
    return study


def _round(
    optuna: ModuleType, study: Any, num: int, size: int, name: str
) -> dict[int, dict[str, Any]]:
    """{number: overrides} of what was asked for and not told yet, then of new ones."""
    asked = {x.number: x for x in study.trials if not x.state.is_finished()}
    own = {number: x.user_attrs.get(OWN) for number, x in asked.items()}
    found = {number: x for number, x in own.items() if x is not None}
    for number in own.keys() - found.keys():  # killed between the two
        study.tell(number, state=optuna.trial.TrialState.FAIL)
    while len(found) < size and len(study.trials) < num:
        trial = study.ask()
        try:
            own_of = overrides.plain(overrides.load_search(name, trial))
        except UserError:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            raise
        trial.set_user_attr(OWN, own_of)
        found[trial.number] = own_of
    return found


def _tell(optuna: ModuleType, study: Any, planned: dict[int, Trial], figure: str) -> bool:
    """Tells the figures of a round; whether all of its trials have come to an end."""
    runs = {number: results.read(x.workdir, x.name) for number, x in planned.items()}
    by = results.choose_figure([*runs.values()], figure)
    ended = True
    for number, trial in planned.items():
        state = trials.state(trial)
        if state not in (trials.FINISHED, trials.FAILED):
            logging.info('%s is %s; give the same command again when it is not', trial.name, state)
            ended = False
            continue
        values, reason = results.in_training(runs[number], by)
        if reason or state == trials.FAILED:
            logging.warning('%s: %s', trial.name, reason or runs[number].said)
            told = {'state': optuna.trial.TrialState.FAIL}
        else:
            told = {'values': results.mean_and_error([*values.values()])[0]}
        study.tell(number, **told, skip_if_finished=True)  # a launcher beside this one may have
    return ended


def _say(study: Any) -> None:
    done = [x for x in study.trials if x.value is not None]
    if done:
        best = study.best_trial
        logging.info(
            'the best of %d trials: %s %.4g with %s',
            len(study.trials), study.study_name, best.value, best.user_attrs[OWN],
        )  # fmt: skip
