"""--mode=score: how far from normal the pictures of a folder are, or a run's own test examples."""

import csv
import functools
import io
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from absl import logging

from gan_jax import data, metrics
from gan_jax.commands import folders, project
from gan_jax.config import experiment as experiment_lib
from gan_jax.data import pictures
from gan_jax.errors import UserError, printable
from gan_jax.modalities import Modality
from gan_jax.report import scores as page
from gan_jax.runtime import files, parallel, processes, progress
from gan_jax.sampling import anomalies, reconstruction, sampler

CSV, PAGE = 'scores.csv', 'scores.html'
FOLDER = 'scores'  # in the work directory, where no other is named
SHOWN = 24  # examples at either end
Scorer = Callable[[np.ndarray, anomalies.Tell], anomalies.Scores]


class _Ends:
    """The least and the most normal examples so far."""

    def __init__(self) -> None:
        self.rows: list[tuple[float, str, np.ndarray, np.ndarray]] = []  # by scores, rising

    def add(self, names: Sequence[str], originals: np.ndarray, found: anomalies.Scores) -> None:
        """Takes examples in, and lets go of those in the middle."""
        scores = found.scores.astype(float).tolist()
        self.rows += zip(scores, names, originals, found.again, strict=True)
        self.rows.sort(key=lambda row: row[0])
        if len(self.rows) > 2 * SHOWN:
            self.rows = self.rows[:SHOWN] + self.rows[-SHOWN:]

    def shown(self, modality: Modality) -> dict[str, Any]:
        """The page's sections of them; none where single examples cannot be looked at."""
        if modality.thumbnails is None:
            return {}
        few = min(SHOWN, (len(self.rows) + 1) // 2)
        most, least = self.rows[:few], self.rows[: -few - 1 : -1]
        return {'most': [*map(_shown, most)], 'least': [*map(_shown, least)]}


def _shown(row: tuple[float, str, np.ndarray, np.ndarray]) -> page.Shown:
    score, name, original, again = row
    three = original, again, reconstruction.difference(original, again)
    return page.Shown(name, score, [files.png(x) for x in three])


def score(
    workdir: pathlib.Path,
    *,
    input: str | None = None,
    output: str | None = None,
    split: str | None = None,
    num: int | None = None,
    steps: int | None = None,
    seed: int = 0,
    best: bool = False,
    replica: int = 0,
) -> int:
    """Writes scores.csv and scores.html of a folder, or of a split with labels.

    Args:
      workdir: a work directory of f_anogan or ganomaly, or of a GAN, whose latents are searched.
      input: a folder of pictures, in any nesting, or one file. By default a split of the run's own
        data set is scored with all its classes, and AUROC and AUPRC say how well those are told
        apart that were not trained on.
      output: the folder where the files go; by default `scores` in the work directory.
      split: which split; by default config.evaluation.split, or 'test'.
      num: how many of its examples at most, always the same.
      steps: of a search, 500 by default.
      seed: of the latent at which searches begin.
      best: from the best checkpoint by the evaluated figure, not the newest.
      replica: which of the run's seeds, counted from 0.

    Returns:
      How many have a score.

    Raises:
      UserError: if there is no run, it has no checkpoint or no score; if there are no files, or no
        such split, or that is what was trained on; if nothing can be written.
    """
    for flag, value in {'split': split, 'num': num}.items():
        if input is not None and value is not None:
            raise UserError(f'--{flag} is of a split, and --input names a folder; leave one out')
    run = experiment_lib.restore(workdir, best)
    experiment = run.experiment
    scorer = _scorer(workdir, run, replica, steps, seed)
    out = pathlib.Path(os.path.expanduser(output)) if output else workdir / FOLDER
    title = f'{workdir.resolve().name}, step {run.step}'
    if input is None:
        return _of_split(experiment, scorer, out, title, split, num)
    return _of_folder(experiment, scorer, pathlib.Path(os.path.expanduser(input)), out, title)


def _scorer(
    workdir: pathlib.Path, run: experiment_lib.Run, replica: int, steps: int | None, seed: int
) -> Scorer:
    experiment = run.experiment
    game = experiment.game
    if steps is not None and anomalies.has_score(game):
        raise UserError(
            f'--steps is of a search, and {workdir} has a score of its own; leave it out'
        )
    steps = steps or anomalies.STEPS
    make = functools.partial(anomalies.make_scorer, game, experiment.modality)
    try:
        return make(run.variables(replica), seed, steps, parallel.everywhere)
    except anomalies.NoScore as error:
        what = f'{workdir} holds a run of the game {experiment.config["game"]!r}'
        raise UserError(f'{what}: {error}') from error


def _of_folder(
    experiment: experiment_lib.Experiment,
    scorer: Scorer,
    folder: pathlib.Path,
    out: pathlib.Path,
    title: str,
) -> int:
    modality = experiment.modality
    if modality.thumbnails is None:
        raise UserError(f'--input={folder}: this run is of {modality.name}, not of pictures')
    names = processes.on_first(lambda: _planned(folder, out))
    root, limit = folders.root_of(folder), experiment.config['data']['max_pixels']
    pictures.permit(limit)
    ends, rows, bad, several = _Ends(), [], [], []
    for start in range(0, len(names), sampler.CHUNK):
        some = names[start : start + sampler.CHUNK]
        read = processes.on_first(
            functools.partial(project.read_targets, root, some, modality.shape, limit)
        )
        good = {i: x for i, x in enumerate(read) if isinstance(x, project.Target)}
        found = {}
        if good:
            originals = np.stack([x.target for x in good.values()])
            with progress.lines(f'scoring {start + len(some)} of {len(names)} pictures') as tell:
                scores = scorer(originals, tell)
            ends.add([printable(some[i]) for i in good], originals, scores)
            found = dict(zip(good, scores.scores.tolist(), strict=True))
            several += [printable(some[i]) for i, x in good.items() if x.picture.several]
        for i, name in enumerate(some):
            problem = '' if i in found else str(read[i])
            rows.append((printable(name), found.get(i, ''), problem))
            if problem:
                bad.append(f'{printable(name)} ({problem})')
                logging.warning('%s cannot be read (%s)', printable(root / name), problem)
    folders.Plan(root, out, dict.fromkeys(names, ''), 'score', 'scored').report(bad, several)
    num = len(names) - len(bad)
    cards = [('scored', f'{num:,}', ''), ('without a score', f'{len(bad):,}', '')]
    content = page.Content(title, cards, bad, **ends.shown(modality))
    processes.on_first(lambda: _write(out, ('file', 'score', 'problem'), rows, content))
    return num


def _planned(folder: pathlib.Path, out: pathlib.Path) -> list[str]:
    """The names of the files, after a look at where scores are to be written."""
    names = folders.find_files(folder, out)
    files.check_writable(out, 'give another --output', (CSV, PAGE))
    return names


def _of_split(
    experiment: experiment_lib.Experiment,
    scorer: Scorer,
    out: pathlib.Path,
    title: str,
    split: str | None,
    num: int | None,
) -> int:
    config = experiment.config
    classes = config['data']['only_classes']
    if not classes:
        raise UserError(
            'config.data.only_classes of this run is empty: every class was trained on, so none is '
            'known not to be normal; give --input=FOLDER, or train on some classes'
        )
    split = split or config['evaluation']['split'] or 'test'
    processes.on_first(lambda: files.check_writable(out, 'give another --output', (CSV, PAGE)))
    dataset = experiment.scored(split)
    normal = np.isin(dataset.labels, data.class_places(dataset, classes))
    places = np.arange(len(dataset))
    if num is not None and num < len(places):
        drawn = np.random.default_rng(config['seed']).permutation(len(dataset))
        places = np.sort(drawn[:num])
    ends, scores = _Ends(), np.zeros(len(places))
    for where, originals in _chunks(dataset, places):
        with progress.lines(f'scoring {where.stop} of {len(places)} examples') as tell:
            found = scorer(originals, tell)
        scores[where] = found.scores
        some = places[where].tolist()
        names = [f'{dataset.class_names[dataset.labels[i]]}, [{i}]' for i in some]
        ends.add(names, originals, found)
    labels, anomalous = dataset.labels[places], ~normal[places]
    areas = _areas(scores, anomalous)
    kept = ', '.join(dataset.class_names[x] for x in data.class_places(dataset, classes))
    line = (
        f'AUROC {areas[0]:.4f}, AUPRC {areas[1]:.4f}: {dataset.name} {split}, {len(places)} '
        f'examples, {anomalous.sum()} of them of other classes than {kept}'
    )
    processes.on_first(lambda: print(line))
    share = f'chance: {anomalous.mean():.4g}'
    cards = [('scored', f'{len(places):,}', f'{dataset.name}, {split}')]
    cards += [('AUROC', f'{areas[0]:.4f}', 'chance: 0.5'), ('AUPRC', f'{areas[1]:.4f}', share)]
    by_class = _by_class(dataset.class_names, labels, anomalous, scores)
    content = page.Content(title, cards, classes=by_class, **ends.shown(experiment.modality))
    rows = [
        (int(place), dataset.class_names[label], int(not other), float(score))
        for place, label, other, score in zip(places, labels, anomalous, scores, strict=True)
    ]
    headings = ('place', 'class', 'normal', 'score')
    processes.on_first(lambda: _write(out, headings, rows, content))
    return len(places)


def _chunks(dataset: data.Dataset, places: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Where examples stand among all that are scored, and they, chunk by chunk."""
    start = 0
    for originals in dataset.chunks(places):
        yield slice(start, start + len(originals)), originals
        start += len(originals)


def _areas(scores: np.ndarray, anomalous: np.ndarray) -> tuple[float, float]:
    """AUROC and average precision.

    Raises:
      UserError: if all examples are normal, or none is.
    """
    try:
        return metrics.auroc(scores, anomalous), metrics.average_precision(scores, anomalous)
    except ValueError as error:
        raise UserError(f'AUROC cannot be had: {error}; score more, or another split') from error


def _by_class(
    names: Sequence[str], labels: np.ndarray, anomalous: np.ndarray, scores: np.ndarray
) -> list[page.OfClass]:
    """Each class that occurs, with its AUROC against all that is normal."""
    rows = []
    for label in np.unique(labels).tolist():
        own = labels == label
        area = None
        if anomalous[own].all():
            compared = own | ~anomalous
            area = metrics.auroc(scores[compared], own[compared])
        median = float(np.median(scores[own]))
        rows.append(page.OfClass(names[label], int(own.sum()), median, area))
    return rows


def _write(
    folder: pathlib.Path, headings: Sequence[str], rows: Sequence[Any], content: page.Content
) -> None:
    """Writes the table and the page."""
    table = io.StringIO()
    csv.writer(table, lineterminator='\n').writerows([headings, *rows])
    html = page.render(content)
    files.replace(folder / CSV, lambda part: part.write_text(table.getvalue(), 'utf-8'))
    files.replace(folder / PAGE, lambda part: part.write_text(html, 'utf-8'))
    logging.info('wrote %s and %s in %s', CSV, PAGE, folder)
