"""What runs have found so far: read from their work directories, grouped by setting, ranked."""

import json
import math
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from etils import epath

from gan_jax.config import saved
from gan_jax.config.checks import check_name
from gan_jax.config.defaults import MAY_CHANGE
from gan_jax.errors import UserError, one_line
from gan_jax.evaluation import figures, menu
from gan_jax.runtime import buckets, lock, metric_writer, names, replicas
from gan_jax.sweeps import trials

Points = list[tuple[int, float]]

# Which seeds a run has, and what changes nothing of what it learns.
NO_SETTINGS = ('seed', 'num_replicas', *(x for x in MAY_CHANGE if x != 'steps'))
FOUND = ('modality.', 'init_config.')  # keys that follow from others
NOT_BEGUN = 'not begun'
NOT_THERE = '-'  # the value of a setting that a run's config does not have


class Run(NamedTuple):
    """One work directory.

    Attributes:
      name: what it is called in tables.
      workdir: where it is.
      config: its resolved config; None if there is none that can be read.
      state: 'finished', 'running', 'stopped', 'failed' or 'not begun'.
      said: the last line of a trial that failed or was stopped.
      step: the step that it has reached.
      curves: points (step, value) by metric, in the order of the steps.
      judged: what its evaluation.json holds; None if it was not evaluated after training.
      problems: what of it could not be read, in phrases.
    """

    name: str
    workdir: pathlib.Path
    config: Mapping[str, Any] | None = None
    state: str = NOT_BEGUN
    said: str = ''
    step: int = 0
    curves: Mapping[str, Points] = {}
    judged: Mapping[str, Any] | None = None
    problems: Sequence[str] = ()

    @property
    def seeds(self) -> list[int]:
        """Those that it trains as one program; none if its config is not known."""
        if self.config is None:
            return []
        return replicas.seeds(self.config['seed'], self.config['num_replicas'])

    def of_seed(self, name: names.Name, seed: int) -> Points:
        """What one seed's metric was, at which steps."""
        of = seed if len(self.seeds) > 1 else None
        return self.curves.get(str(name._replace(seed=of)), [])


class Figure(NamedTuple):
    """By what runs are ranked.

    Attributes:
      name: its name, with its network's.
      better: 'less' or 'more'.
    """

    name: names.Name
    better: str

    def best(self, values: Iterable[float]) -> float:
        """The best of some numbers; NaN of none, and where none is finite."""
        finite = [x for x in values if math.isfinite(x)]
        choose = max if self.better == figures.MORE else min
        return choose(finite, default=math.nan)

    def cost(self, value: float) -> float:
        """What is less the better the value is."""
        return -value if self.better == figures.MORE else value


class Group(NamedTuple):
    """The runs of one setting, and what their seeds have found.

    Attributes:
      settings: values by setting, as `differing` calls them.
      runs: the runs.
      values: the figure of each seed that has one.
      best: of each of these seeds the best in training.
      last: of each the last in training.
      missing: why seeds, or whole runs, have no figure; one phrase each.
    """

    settings: Mapping[str, Any]
    runs: Sequence[Run]
    values: Sequence[float]
    best: Sequence[float]
    last: Sequence[float]
    missing: Sequence[str]


def read(workdir: pathlib.Path, name: str) -> Run:
    """What a run has written so far, whatever is missing or damaged."""
    problems: list[str] = []
    config = None
    try:
        config = saved.read_config(workdir) if (workdir / saved.CONFIG).exists() else None
    except (UserError, OSError) as error:
        problems.append(one_line(error))
    file = workdir / 'metrics.jsonl'
    try:
        records, wrong = metric_writer.read_metrics(file)
    except OSError as error:
        records, wrong = [], [one_line(error)]
    if wrong:
        problems.append(f'{file}: {wrong[0]}; {len(wrong)} of its lines left out')
    steps = 1 if config is None else config['steps']
    trial = trials.Trial(name, {}, epath.Path(workdir), (), steps)
    found = trials.outcome(trial)
    if found.state == trials.WAITING:  # or begun without a sweep
        begun = (workdir / saved.CONFIG).exists()
        now = trials.RUNNING if begun and lock.is_held(workdir) else trials.STOPPED
        found = found._replace(state=now if begun else NOT_BEGUN)
    elif found.state == trials.RUNNING and buckets.is_bucket(workdir) and not lock.is_held(workdir):
        found = found._replace(state=trials.STOPPED)  # killed, and its launcher too
    step = max([trials.newest_step(trial), *(x['step'] for x in records)])
    said = found.line.removeprefix(trials.TOLD)
    return Run(name, workdir, config, found.state, said, step, _curves(records), problems=problems)


def _curves(records: Iterable[Mapping[str, Any]]) -> dict[str, Points]:
    """Points by metric; of one step the last.

    What was not finite is null in metrics.jsonl and so not in `records`. A figure that earlier
    evaluations have and a later one lacks was such: it is NaN there.
    """
    curves: dict[str, dict[int, float]] = {}
    for record in sorted(records, key=lambda x: x['step']):
        if not record.keys() & {*metric_writer.TIMING}:  # an evaluation's line
            for name, points in curves.items():
                if names.parse(name).turn == names.EVALUATION:
                    points[record['step']] = math.nan
        for name, value in record.items():
            if name != 'step':
                curves.setdefault(name, {})[record['step']] = float(value)
    return {name: sorted(points.items()) for name, points in curves.items()}


def choose_figure(runs: Sequence[Run], wanted: str | None, flag: str = '--figure') -> Figure:
    """By which figure these runs are ranked.

    Args:
      runs: the runs.
      wanted: its name, perhaps with a network's: 'frechet_distance[mnist-classifier]'. None for
        what all their configs call the best.
      flag: what a person says it with.

    Raises:
      UserError: if there is no such figure, the configs name several, or it was taken in the
        features of several networks, which cannot be compared.
    """
    if wanted is None:
        named = sorted({x.config['evaluation']['best'] for x in runs if x.config is not None})
        if len(named) != 1:
            said = f'are ranked by several ({", ".join(named)})' if named else 'have no config'
            raise UserError(f'the runs {said}; choose one figure, such as {flag}=modes')
        wanted = named[0]
    name = names.parse(wanted)
    configs = [x.config for x in runs if x.config is not None]
    metrics = [name for config in configs for name in config['evaluation']['metrics']]
    check_name(flag, name.figure, menu.gives(menu.every(metrics)))
    known = [names.parse(x) for run in runs for x in (*run.curves, *_judged(run))]
    networks = sorted({x.network for x in known if x.figure == name.figure and _evaluated(x)})
    if not name.network and len(networks) > 1:
        several = ', '.join(f"'{name.figure}[{x}]'" if x else name.figure for x in networks)
        raise UserError(
            f'{name.figure} was taken in the features of several networks, which cannot be '
            f'compared; choose one with {flag}: {several}'
        )
    network = name.network or (networks[0] if networks else '')
    better = menu.better(name.figure, metrics)
    return Figure(names.Name(name.figure, names.EVALUATION, network), better)


def _evaluated(name: names.Name) -> bool:
    return name.turn in ('', names.EVALUATION) and not name.stderr


def _judged(run: Run) -> Mapping[str, Any]:
    return (run.judged or {}).get('figures') or {}


def in_training(run: Run, figure: Figure) -> tuple[dict[int, float], str]:
    """The last value of each seed's figure, and why there is none, or not of all seeds."""
    curves = {seed: run.of_seed(figure.name, seed) for seed in run.seeds}
    found = {seed: points[-1][1] for seed, points in curves.items() if points}
    if not found:
        return {}, _why_none(run, figure)
    return _finite(found, f'it is not finite at step {max(x[-1][0] for x in curves.values() if x)}')


def after_training(run: Run, figure: Figure) -> tuple[dict[int, float], str]:
    """The figure of each seed in evaluation.json, and why there is none, or not of all seeds."""
    text = str(figure.name._replace(turn=''))
    row = _judged(run).get(text)
    if run.config is None or row is None:
        return {}, _why_none(run, figure) if run.config is None else f'{text} is not in it'
    found = {run.seeds[0]: row.get('ema', row.get('raw'))}
    if len(run.seeds) > 1:
        each = (run.judged or {}).get('each_seed') or {}
        found = dict(zip(run.seeds, each.get(text) or [], strict=False))
    return _finite(found, 'it is not finite')


def _finite(found: Mapping[int, float | None], reason: str) -> tuple[dict[int, float], str]:
    finite = {seed: x for seed, x in found.items() if x is not None and math.isfinite(x)}
    lost = [str(seed) for seed in found if seed not in finite]
    several = f'of seed {", ".join(lost)} ' if len(found) > 1 else ''
    return finite, f'{several}{reason}' if lost else ''


def _why_none(run: Run, figure: Figure) -> str:
    """Why a run has no value of a figure."""
    if run.config is None or not run.step:
        return next(iter(run.problems), ': '.join(filter(None, (run.state, run.said))))
    others = sorted(
        {names.parse(x).figure for x in run.curves if names.parse(x).turn == names.EVALUATION}
    )
    if others:
        return f'{figure.name.figure} was not evaluated, only {", ".join(others)}'
    every = run.config['eval_every']
    if not every:
        return 'it is not evaluated in training (eval_every=0); use --mode=evaluate'
    return f'not evaluated yet: step {run.step}, an evaluation every {every}'


def differing(runs: Sequence[Run], besides: Sequence[str] = ()) -> dict[str, list[str]]:
    """The settings in which configs differ: {what a setting is called: its keys}.

    Keys that have the same values as each other in every run are one setting. It is called by the
    end that its keys have in common, or else by the shortest ends that tell them from others.

    Args:
      runs: the runs; those without a config are passed over.
      besides: keys that are none, beside the seeds and what changes nothing.
    """
    configs = [saved.flat(run.config) for run in runs if run.config is not None]
    apart = {*NO_SETTINGS, *besides}
    together: dict[tuple[str, ...], list[str]] = {}
    for key in dict.fromkeys(key for config in configs for key in config):
        if key in apart or key.startswith(FOUND):
            continue
        values = tuple(json.dumps(config.get(key, NOT_THERE)) for config in configs)
        if len({*values}) > 1:
            together.setdefault(values, []).append(key)
    settings = list(together.values())
    return dict(zip(_called(settings), settings, strict=True))


def _called(settings: Sequence[Sequence[str]]) -> list[str]:
    """Short names of settings, each of one key or of several that move together."""
    keys = [key for setting in settings for key in setting]
    called = []
    for setting in settings:
        end = _common_end([key.split('.') for key in setting])
        others = [key for key in keys if key not in setting]
        own = [next((x for x in _ends(k) if not _is_end_of_any(x, others)), k) for k in setting]
        alone = len(setting) > 1 and end and not _is_end_of_any(end, others)
        called.append(end if alone else ' = '.join(own))
    return called


def _common_end(parts: Sequence[Sequence[str]]) -> str:
    common: list[str] = []
    for level in zip(*(reversed(x) for x in parts), strict=False):
        if len({*level}) > 1:
            break
        common.insert(0, level[0])
    return '.'.join(common)


def _ends(key: str) -> list[str]:
    """'a.b.c' as ['c', 'b.c', 'a.b.c']."""
    parts = key.split('.')
    return ['.'.join(parts[i:]) for i in range(len(parts) - 1, -1, -1)]


def _is_end_of_any(end: str, keys: Iterable[str]) -> bool:
    return any(f'.{key}'.endswith(f'.{end}') for key in keys)


def grouped(
    runs: Sequence[Run],
    figure: Figure,
    settings: Mapping[str, Sequence[str]],
    value: Callable[[Run, Figure], tuple[dict[int, float], str]] = in_training,
) -> list[Group]:
    """Runs by setting, the best group first.

    A group of which a seed has no figure comes after those that are whole, since the mean of the
    others is that of survivors; one without any is last. A run whose config cannot be read is a
    group of its own.

    Args:
      runs: the runs.
      figure: by which they are ranked.
      settings: as `differing` gives them.
      value: (run, figure) -> (the figure of each seed, why it is not there).
    """
    together: dict[str, list[Run]] = {}
    for run in runs:
        key = run.name
        if run.config is not None:
            key = json.dumps([list(_values(run, settings).values())])
        together.setdefault(key, []).append(run)
    return ranked(
        [group(x, figure, _values(x[0], settings), value) for x in together.values()], figure
    )


def ranked(groups: Iterable[Group], figure: Figure) -> list[Group]:
    """Groups in the order of their means; see `grouped`."""

    def place(group: Group) -> tuple[bool, bool, float]:
        mean, _ = mean_and_error(group.values)
        return not group.values, bool(group.missing), 0.0 if mean is None else figure.cost(mean)

    return sorted(groups, key=place)


def _values(run: Run, settings: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    if run.config is None:
        return {}
    config = saved.flat(run.config)
    return {name: config.get(keys[0], NOT_THERE) for name, keys in settings.items()}


def group(
    runs: Sequence[Run],
    figure: Figure,
    settings: Mapping[str, Any],
    value: Callable[[Run, Figure], tuple[dict[int, float], str]] = in_training,
) -> Group:
    """What the seeds of one setting have found; `value` as `grouped` has it."""
    values: list[float] = []
    best: list[float] = []
    last: list[float] = []
    missing: list[str] = []
    for run in runs:
        found, reason = value(run, figure)
        values += found.values()
        missing += [f'{run.name}: {reason}'] if reason else []
        for seed in run.seeds:
            points = [x for _, x in run.of_seed(figure.name, seed)]
            best += [figure.best(points)] if points else []
            last += points[-1:]
    return Group(settings, runs, values, best, last, missing)


def mean_and_error(values: Sequence[float]) -> tuple[float | None, float | None]:
    """The mean and its standard error, s / sqrt(n); of one value there is no error."""
    if not values:
        return None, None
    error = float(np.std(values, ddof=1) / math.sqrt(len(values))) if len(values) > 1 else None
    return float(np.mean(values)), error
