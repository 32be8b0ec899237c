"""--mode=compare: all runs below a folder in one table, ranked, and as one page."""

import csv
import io
import math
import pathlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from absl import logging
from etils import epath

from gan_jax.commands import report as report_lib
from gan_jax.config import saved
from gan_jax.errors import UserError, printable
from gan_jax.evaluation import table
from gan_jax.report import comparison, elements
from gan_jax.runtime import files, metric_writer, names, processes, progress, replicas
from gan_jax.sampling import animation
from gan_jax.sweeps import halving, plan, results, trials
from gan_jax.sweeps.results import Figure, Group, Run

CSV, MARKDOWN, PAGE = 'compare.csv', 'compare.md', 'compare.html'
SHOWN = 8  # groups with curves, as many as there are colours
PICTURES = 6  # groups with a picture
PLUS_MINUS = '\N{PLUS-MINUS SIGN}'


def compare(folder: pathlib.Path, figure: str | None = None) -> list[Group]:
    """Writes compare.csv, compare.md and compare.html of the runs below a folder; prints the table.

    Args:
      folder: where the work directories are, at any depth.
      figure: by what they are ranked; by default what their configs call the best.

    Returns:
      The groups in the order of the table.

    Raises:
      UserError: if there are no runs, or they cannot be ranked by one figure.
    """
    with progress.lines('reading the runs'):
        workdirs = find(folder)
        sweeps = [*dict.fromkeys([folder, *(x.parent for x in workdirs if x != folder)])]
        halved = {sweep: halving.stopped_at(sweep) for sweep in sweeps}
        runs = [_read(x, folder, halved.get(x.parent, {})) for x in workdirs]
        runs += [run for sweep in sweeps for run in _not_begun(sweep, folder)]
    if not runs:
        raise UserError(
            f'{folder} holds no runs: no folder below it has a {saved.CONFIG}; give --workdir=...'
        )
    outputs = [CSV, MARKDOWN, PAGE]
    processes.on_first(lambda: files.check_writable(folder, 'make it writable', outputs))
    by = results.choose_figure(runs, figure)
    # On its rungs the steps are no setting that somebody chose.
    ranked = Ranked(runs, by, besides=('steps',) if any(halved.values()) else ())
    for run in runs:
        for problem in run.problems:
            logging.warning('%s: %s', run.name, problem)
    processes.on_first(lambda: _put(folder, ranked))
    return ranked.groups


def _put(folder: pathlib.Path, ranked: 'Ranked') -> None:
    _write(folder / CSV, ranked.csv())
    _write(folder / MARKDOWN, ranked.markdown())
    with progress.lines('making the page'):
        _write(folder / PAGE, comparison.render(_content(folder, ranked)))
    _print(ranked.text())
    logging.info('wrote %s, %s and %s in %s', CSV, MARKDOWN, PAGE, folder)


def find(folder: pathlib.Path) -> list[pathlib.Path]:
    """The work directories at or below a folder, by their names; links are followed, once each."""
    seen: set[str] = set()

    def walk(place: pathlib.Path) -> Iterator[pathlib.Path]:
        if str(place.resolve()) in seen:
            return
        seen.add(str(place.resolve()))
        if (place / saved.CONFIG).exists() or (place / trials.RECORD).exists():
            yield place
            return
        for below in sorted(place.iterdir()):
            if not below.name.startswith('.') and below.is_dir():
                yield from walk(below)

    if not folder.is_dir():
        raise UserError(f'{folder} is not a folder; give the one that holds the runs')
    return list(walk(folder))


def _name(workdir: pathlib.Path, folder: pathlib.Path) -> str:
    return workdir.name if workdir == folder else str(workdir.relative_to(folder))


def _read(workdir: pathlib.Path, folder: pathlib.Path, halved: Mapping[str, int]) -> Run:
    run = results.read(workdir, _name(workdir, folder))
    if run.step == halved.get(workdir.name):
        run = run._replace(state=f'stopped at rung {run.step}')
    return run._replace(judged=report_lib.evaluation(workdir))


def _not_begun(sweep: pathlib.Path, folder: pathlib.Path) -> list[Run]:
    """The trials that are planned in a sweep's folder and have left nothing there yet."""
    try:
        planned = plan.read(epath.Path(sweep))
    except UserError as error:
        logging.warning('%s', error)
        return []
    workdirs = [sweep / trial.name for trial in planned.trials] if planned else []
    return [Run(_name(x, folder), x) for x in workdirs if not x.exists()]


class Ranked:
    """The table: groups of runs in their order, with what they differ in.

    Attributes:
      figure: what they are ranked by.
      runs: all the runs.
      settings: in what their configs differ: {what it is called: its keys}.
      groups: the runs by setting, the best first.
      how: a sentence on what the ranking rests on.
      hints: what to know before comparing.
    """

    def __init__(self, runs: Sequence[Run], figure: Figure, besides: Sequence[str] = ()):
        """Ranks by evaluation.json where every run that has the figure at all has it there.

        `besides` are keys of configs that are no settings, see `results.differing`.
        """
        self.runs, self.figure = runs, figure
        self.settings = results.differing(runs, besides)
        valued = [x for x in runs if results.in_training(x, figure)[0]]
        judged = [x for x in runs if results.after_training(x, figure)[0]]
        after = bool(judged) and {x.name for x in valued} <= {x.name for x in judged}
        value = results.after_training if after else results.in_training
        self.groups = results.grouped(runs, figure, self.settings, value)
        self.how = (
            f'By {self._name()}, {figure.better} is better: '
            + ('what evaluation.json has' if after else 'its last value in training')
            + f', mean {PLUS_MINUS} standard error over seeds. One seed has no error. Groups of '
            'which a seed has no value stand behind those that are whole.'
        )
        self.hints = self._hints(judged, after)

    def _hints(self, judged: Sequence[Run], after: bool) -> list[str]:
        hints = [f'{run.name}: {problem}' for run in self.runs for problem in run.problems]
        if judged and not after:
            hints.append(
                f'{len(judged)} of {len(self.runs)} runs have {self._name()} in evaluation.json, '
                f'so it is not used; give --mode=evaluate for the others'
            )
        if after:
            keys = ('generated', 'real_images', 'split', 'features_digest')
            rests = [(x.judged or {}).get('settings') or {} for x in judged]
            for key in keys:
                values = sorted({str(x.get(key)) for x in rests})
                if len(values) > 1:
                    hints.append(f'the evaluations differ in {key}: {", ".join(values)}')
        for place, group in enumerate(self.groups):
            counts = Counter(seed for run in group.runs for seed in run.seeds)
            twice = ', '.join(str(seed) for seed, n in sorted(counts.items()) if n > 1)
            if twice:
                hints.append(
                    f'rank {place + 1} has seed {twice} in several runs; each counts as a seed of '
                    f'its own, so the standard error is too small'
                )
        single = sum(len(x.values) == 1 for x in self.groups)
        if single:
            hints.append(
                f'{single} of {len(self.groups)} groups have one seed: what differs between them '
                f'may be chance'
            )
        return hints

    def _name(self) -> str:
        return str(self.figure.name._replace(turn=''))

    def label(self, place: int) -> str:
        """What a group is called: its rank and its settings, as short as can be."""
        group = self.groups[place]
        parts = []
        for name, x in group.settings.items():
            ends = ' = '.join(dict.fromkeys(y.rpartition('.')[2] for y in name.split(' = ')))
            parts.append(x if isinstance(x, str) else f'{ends}={_plain(x)}')
        return f'{place + 1}. {", ".join(parts) or group.runs[0].name}'

    def headings(self) -> list[str]:
        """Of the columns."""
        arrow = table.ARROWS[self.figure.better]
        columns = [f'{self._name()} {arrow}', 'seeds', 'best', 'last', 'steps', 'state']
        return ['rank', *self.settings, *columns]

    def rows(self) -> list[list[str]]:
        """The cells of each group, for a reader."""
        found = []
        for place, group in enumerate(self.groups):
            mean, error = results.mean_and_error(group.values)
            cells = [str(place + 1) if group.values else '-']
            cells += [_plain(group.settings.get(name, '')) for name in self.settings]
            cells += [_with_error(mean, error), str(len(group.values))]
            cells += [elements.number(_mean(x)) for x in (group.best, group.last)]
            found.append([*cells, _range(group), _states(group)])
        return found

    def remarks(self) -> list[str]:
        """Of each group why values are missing, or ''."""
        return ['; '.join(group.missing) for group in self.groups]

    def csv(self) -> str:
        """The table for programs: all digits, settings by their keys, empty for what is missing."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator='\n')
        keys = [' = '.join(x) for x in self.settings.values()]
        name = self._name()
        columns = [name, f'{name}/stderr', 'seeds', 'best', 'last', 'steps', 'state']
        writer.writerow(['rank', *keys, *columns, 'runs', 'missing'])
        for place, group in enumerate(self.groups):
            mean, error = results.mean_and_error(group.values)
            writer.writerow(
                [
                    place + 1 if group.values else '',
                    *(_plain(group.settings.get(name, ''), digits=17) for name in self.settings),
                    *(mean, error, len(group.values), _mean(group.best), _mean(group.last)),
                    *(_range(group), _states(group)),
                    ' '.join(x.name for x in group.runs),
                    '; '.join(group.missing),
                ]
            )
        return stream.getvalue()

    def markdown(self) -> str:
        """The table for people."""
        cells = [[*self.headings(), 'remarks']]
        cells += [[*x, y] for x, y in zip(self.rows(), self.remarks(), strict=True)]
        lines = [f'| {" | ".join(x.replace("|", chr(92) + "|") for x in y)} |' for y in cells]
        lines.insert(1, f'|{" --- |" * len(cells[0])}')
        hints = [f'* {x}' for x in self.hints]
        return '\n'.join([self.how, '', *lines, *([''] if hints else []), *hints]) + '\n'

    def text(self) -> str:
        """The table for a terminal."""
        lines = [self.headings(), *self.rows()]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        shown = [self.how]
        for line, remark in zip(lines, ['', *self.remarks()], strict=True):
            padded = (x.rjust(width) for x, width in zip(line, widths, strict=True))
            shown += ['  '.join(padded).rstrip(), *([f'      {remark}'] if remark else [])]
        return '\n'.join(shown)


def _plain(value: Any, digits: int = 4) -> str:
    if isinstance(value, float):
        return f'{value:.{digits}g}' if digits < 17 else repr(value)
    return printable(value)


def _mean(values: Sequence[float]) -> float | None:
    return results.mean_and_error(values)[0]


def _with_error(mean: float | None, error: float | None) -> str:
    shown = elements.number(mean)
    return shown if error is None else f'{shown} {PLUS_MINUS} {error:.2g}'


def _range(group: Group) -> str:
    """The steps that the runs have reached."""
    steps = sorted({x.step for x in group.runs})
    return str(steps[0]) if len(steps) == 1 else f'{steps[0]} to {steps[-1]}'


def _states(group: Group) -> str:
    counts = Counter(x.state for x in group.runs)
    if len(counts) == 1:
        return group.runs[0].state
    return ', '.join(f'{number} {state}' for state, number in sorted(counts.items()))


def _content(folder: pathlib.Path, ranked: Ranked) -> comparison.Content:
    valued = [i for i, group in enumerate(ranked.groups) if group.values]
    states = Counter(run.state for run in ranked.runs)
    others = ', '.join(f'{n} {state}' for state, n in sorted(states.items()) if state != 'finished')
    cards = [
        ('runs', str(len(ranked.runs)), f'{len(ranked.groups)} settings'),
        ('finished', str(states['finished']), others),
    ]
    arrow = table.ARROWS[ranked.figure.better]
    name = str(ranked.figure.name._replace(turn=''))
    if valued:
        best = results.mean_and_error(ranked.groups[0].values)
        cards.append((f'{name} {arrow}', _with_error(*best), ranked.label(0)))
    shown = valued[:SHOWN]
    several = len(valued) > len(shown)
    return comparison.Content(
        title=f'{printable(folder.resolve().name)}: {len(ranked.runs)} runs by {name}',
        figure=f'{name} {arrow}',
        how=ranked.how,
        headings=ranked.headings(),
        rows=ranked.rows(),
        remarks=ranked.remarks(),
        cards=cards,
        hints=ranked.hints,
        settings=_dots(ranked, valued),
        curves={ranked.label(i): _curves(ranked.groups[i]) for i in shown},
        metric=str(ranked.figure.name),
        shown=f'Of the {len(shown)} best of {len(valued)} groups.' if several else '',
        pictures=_pictures(ranked, valued[:PICTURES]),
        config=_common(ranked),
    )


def _dots(ranked: Ranked, places: Sequence[int]) -> dict[str, list[comparison.Dot]]:
    dots: dict[str, list[comparison.Dot]] = {}
    for name in ranked.settings:
        for i in places:
            mean, error = results.mean_and_error(ranked.groups[i].values)
            if mean is not None:
                value = ranked.groups[i].settings[name]
                dots.setdefault(name, []).append(
                    comparison.Dot(ranked.label(i), value, mean, error)
                )
    return dots


def _curves(group: Group) -> dict[str, list[results.Points]]:
    """What each seed of a group has logged, by metric."""
    curves: dict[str, list[results.Points]] = {}
    for run in group.runs:
        metrics = {names.parse(x).main for x in run.curves} - {names.Name('')}
        for name in sorted(metrics):
            if name.figure in metric_writer.TIMING:
                continue
            found = [run.of_seed(name, seed) for seed in run.seeds]
            curves.setdefault(str(name), []).extend(x for x in found if x)
    return curves


def _pictures(ranked: Ranked, places: Sequence[int]) -> list[tuple[str, bytes]]:
    """The newest picture of the best seed of each of these groups that has one."""
    found = []
    for i in places:
        ends = [
            (ranked.figure.cost(points[-1][1]), run, seed)
            for run in ranked.groups[i].runs
            for seed in run.seeds
            if (points := run.of_seed(ranked.figure.name, seed)) and math.isfinite(points[-1][1])
        ]
        for _, run, seed in sorted(ends, key=lambda x: x[0]):
            suffix = replicas.suffix(seed, len(run.seeds))
            files_of = sorted((run.workdir / 'samples').glob(f'{"[0-9]" * 8}{suffix}.png'))
            newest = animation.whole(files_of[-1:])
            if newest:
                step = int(newest[0].name[:8])
                of = f'{ranked.label(i)}; seed {seed} at step {step}'
                found.append((of, newest[0].read_bytes()))
                break
    return found


def _common(ranked: Ranked) -> Mapping[str, Any]:
    """What all configs have in common."""
    configs = [saved.flat(x.config) for x in ranked.runs if x.config is not None]
    first, *others = configs or [{}]
    return {key: x for key, x in first.items() if all(y.get(key, ...) == x for y in others)}


def _write(file: pathlib.Path, text: str) -> None:
    files.replace(file, lambda part: part.write_text(text, encoding='utf-8'))


def _print(text: str) -> None:
    """Prints a table, where a terminal has no such characters with v, ^ and +-."""
    try:
        print(text)
    except UnicodeEncodeError:
        plain_ones = {**dict(zip(table.ARROWS.values(), 'v^', strict=True)), PLUS_MINUS: '+-'}
        for character, plain in plain_ones.items():
            text = text.replace(character, plain)
        print(text.encode('ascii', 'backslashreplace').decode())
