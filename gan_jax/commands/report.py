"""--mode=report: what a run has written and what its newest checkpoint makes, as one page."""

import json
import math
import pathlib
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

import numpy as np
from absl import logging

from gan_jax import data, metrics, report
from gan_jax.commands import evaluate
from gan_jax.config import experiment as experiment_lib
from gan_jax.config import saved
from gan_jax.errors import one_line
from gan_jax.modalities import Modality
from gan_jax.report import confusion, diagnostics
from gan_jax.runtime import files, metric_writer, names, processes, progress, replicas
from gan_jax.sampling import animation, reconstruction, sampler, translation

FILE = 'report.html'
NUMBERS = ('ema', 'raw', 'baseline', 'stderr', 'real')  # what is known of a figure
SHOWN, PAIRS, GRIDS, BLIND = 100, 12, 40, 40  # of samples, neighbours, steps, the blind test
PACKAGES = ('gan_jax', 'jax', 'jaxlib', 'flax', 'optax', 'orbax-checkpoint', 'numpy')


def write_report(
    workdir: pathlib.Path,
    replica: int = 0,
    experiment: experiment_lib.Experiment | None = None,
) -> pathlib.Path:
    """Writes report.html of the run in `workdir`, with what of it is whole.

    Args:
      workdir: a run's work directory.
      replica: which of the run's seeds is shown, counted from 0.
      experiment: the run's, if it is at hand; its data sets are then not read again. How it is
        evaluated may be another than in the run's config.

    Returns:
      The file: report.html, of another replica than the first report_replica_<replica>.html.

    Raises:
      UserError: if there is no run, it has no checkpoint, or not so many seeds.
    """
    with progress.lines('making the report'):
        return processes.on_first(lambda: _written(workdir, replica, experiment))


def _written(
    workdir: pathlib.Path, replica: int, experiment: experiment_lib.Experiment | None
) -> pathlib.Path:
    run = experiment_lib.restore(workdir, experiment=experiment)
    file = workdir / (FILE if replica == 0 else f'report_replica_{replica}.html')
    files.check_writable(workdir, 'make it writable', [file.name])
    seeds = run.experiment.seeds
    variables = run.variables(replica)
    curves = _curves(workdir)
    judged = evaluation(workdir)
    suffix = replicas.suffix(seeds[replica], len(seeds))
    figures = _figures(curves, judged, seeds[replica])
    if 'modes' in figures and run.experiment.dataset.mixture:
        figures['modes_of'] = len(run.experiment.dataset.mixture.centers)
    if not run.experiment.zero_divides:
        figures = {key: x for key, x in figures.items() if not key.endswith('_sign')}
    histogram = (judged or {}).get('histogram')
    hints = diagnostics.hints(figures, histogram)
    for hint in hints:
        logging.warning(hint)
    content = report.Content(
        title=f'{workdir.resolve().name}, step {run.step}' + _of_seeds(seeds, replica),
        config=saved.read_config(workdir),
        versions={name: metadata.version(name) for name in PACKAGES},
        curves=curves,
        grids=_grids(workdir, suffix),
        evaluation=judged,
        hints=hints,
        histogram=histogram,
        confusion=(judged or {}).get('confusion'),
        **_pictures(run.experiment, variables, seeds[replica]),
    )
    files.replace(file, lambda part: part.write_text(report.render(content), encoding='utf-8'))
    logging.info('wrote %s', file)
    return file


def _of_seeds(seeds: Sequence[int], replica: int) -> str:
    """What is of one seed and what of all, where there are several."""
    if len(seeds) == 1:
        return ''
    return f', pictures of seed {seeds[replica]}, figures are means of {len(seeds)} seeds'


def _curves(workdir: pathlib.Path) -> dict[str, list[tuple[int, float]]]:
    """What metrics.jsonl holds, by metric; one warning counts the lines that are broken."""
    file = workdir / 'metrics.jsonl'
    try:
        records, problems = metric_writer.read_metrics(file)
    except OSError as error:
        records, problems = [], [one_line(error)]
    if problems:
        logging.warning('%s: %s; %d of its lines left out', file, problems[0], len(problems))
    curves: dict[str, list[tuple[int, float]]] = {}
    for values in records:
        step = values.pop('step')
        for name, value in values.items():
            curves.setdefault(name, []).append((step, value))
    return curves


def evaluation(workdir: pathlib.Path) -> dict[str, Any] | None:
    """What evaluation.json holds; None if there is none, or with a warning if it is damaged."""
    file = workdir / evaluate.FILE
    try:
        judged = json.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        judged, said = None, one_line(error)
    else:
        said = 'it is no evaluation'
    if not _is_evaluation(judged):
        logging.warning('%s left out: %s', file, said)
        return None
    return judged


def _is_evaluation(judged: Any) -> bool:
    """Whether it is what `evaluate` writes, as far as a page shows it."""
    if not isinstance(judged, dict):
        return False
    parts = [judged.get(x) or {} for x in ('settings', 'figures', 'best', 'histogram')]
    if not all(isinstance(x, dict) for x in parts):
        return False
    _, figures, _, histogram = parts
    columns: list[Any] = [[]] * 3
    if histogram:
        columns = [histogram.get(x) for x in ('names', 'real', 'generated')]
    warnings = judged.get('warnings') or []
    if not all(isinstance(x, list) for x in [*columns, warnings]):
        return False
    return (
        len({len(x) for x in columns}) == 1
        and all(isinstance(x, str) for x in [*columns[0], *warnings])
        and confusion.is_whole(judged.get('confusion'))
        and all(_is_number(x) for column in columns[1:] for x in column)
        and all(isinstance(row, dict) and _is_figure(row) for row in figures.values())
    )


def _is_figure(row: Mapping[str, Any]) -> bool:
    return row.get('better', 'less') in tuple(report.BETTER) and all(
        x is None or _is_number(x) or (isinstance(x, str) and key not in NUMBERS)
        for key, x in row.items()
    )


def _is_number(x: Any) -> bool:
    return isinstance(x, float) or (type(x) is int and abs(x) < 2**64)


def _grids(workdir: pathlib.Path, suffix: str) -> list[tuple[int, bytes]]:
    """Grids of samples, evenly chosen where there are many; the last is always there."""
    found = sorted((workdir / 'samples').glob(f'{"[0-9]" * 8}{suffix}.png'))
    places = np.unique(np.linspace(0, len(found) - 1, min(GRIDS, len(found))).round().astype(int))
    chosen = animation.whole(found[i] for i in places)
    return [(int(file.name[:8]), file.read_bytes()) for file in chosen]


def _figures(
    curves: Mapping[str, list[tuple[int, float]]],
    judged: Mapping[str, Any] | None,
    seed: int,
) -> dict[str, float]:
    """The last of each figure, as `diagnostics.hints` calls them; of several seeds that one's."""
    latest: dict[str, float] = {}
    for text, points in curves.items():
        name = names.parse(text)
        own = str(name.main._replace(seed=seed))
        if name.stderr or name.seed not in (None, seed) or (text != own and own in curves):
            continue
        by_player = name.figure == 'gradient_norm'
        latest[f'{name.figure}/{name.turn}' if by_player else _hinted(name)] = points[-1][1]
    for text, row in ((judged or {}).get('figures') or {}).items():
        value = row.get('ema', row.get('raw'))
        latest[names.parse(text).figure] = math.nan if value is None else value
    return {name: value for name, value in latest.items() if math.isfinite(value)}


def _hinted(name: names.Name) -> str:
    """An evaluation's figure by itself, another one with its turn."""
    evaluated = name.turn == names.EVALUATION
    return str(names.Name(name.figure, '' if evaluated else name.turn))


def _pictures(experiment: experiment_lib.Experiment, variables: Any, seed: int) -> dict[str, Any]:
    """What the checkpoint makes, beside real examples, where single ones can be looked at."""
    if experiment.modality.thumbnails is None:
        return {}
    if reconstruction.reconstructs(experiment.game):
        return _reconstructions(experiment, variables)
    if translation.translates(experiment.game):
        return _translations(experiment, variables)
    return _samples(experiment, variables, seed)


def _translations(experiment: experiment_lib.Experiment, variables: Any) -> dict[str, Any]:
    """Translations of held-out sources beside the true images, or others of their domain."""
    dataset, modality = experiment.shown, experiment.modality
    order = np.random.default_rng(experiment.config['seed']).permutation(len(dataset))
    sources = experiment.sources(dataset, order[: SHOWN + BLIND])
    made = sampler.make_sampler(experiment.game, modality)(*variables, sources)
    real = sources.truths(slice(None))
    return {
        'real': files.png(modality.picture(real[:SHOWN])),
        'generated': files.png(modality.picture(made[:SHOWN])),
        'blind': tuple(_singles(modality, x[SHOWN:]) for x in (real, made)),
    }


def _reconstructions(experiment: experiment_lib.Experiment, variables: Any) -> dict[str, Any]:
    """Examples beside their reconstructions."""
    dataset, modality = experiment.shown, experiment.modality
    order = np.random.default_rng(experiment.config['seed']).permutation(len(dataset))
    real = dataset.batch(order[:SHOWN])['real']
    made = sampler.make_sampler(experiment.game, modality)(*variables, modality.encode(real))
    return {
        'real': files.png(modality.picture(real)),
        'generated': files.png(modality.picture(made)),
    }


def _samples(experiment: experiment_lib.Experiment, variables: Any, seed: int) -> dict[str, Any]:
    game, modality, dataset = experiment.game, experiment.modality, experiment.shown
    make = sampler.make_sampler(game, modality)
    inputs = sampler.draw_inputs(game, seed, SHOWN + BLIND)
    made = make(*variables, inputs)
    order = np.random.default_rng(seed).permutation(len(dataset))
    real = dataset.batch(order[:SHOWN])['real']
    # Neither is in the grids above, where a person would have seen them.
    unseen = dataset.batch(order[SHOWN : SHOWN + BLIND])['real']
    made, fresh = made[:SHOWN], made[SHOWN:][: len(unseen)]
    between = make(*variables, sampler.interpolation(sampler.draw_inputs(game, seed, 16)))
    places, distances = _nearest(modality, made, dataset)
    worst = np.argsort(distances, kind='stable')[:PAIRS]
    near = _singles(modality, dataset.batch(places[worst])['real'])
    return {
        'real': files.png(modality.picture(real)),
        'generated': files.png(modality.picture(made)),
        'interpolation': files.png(modality.picture(between, columns=10)),
        'nearest': [
            (one, other, float(distances[i]))
            for i, one, other in zip(worst, _singles(modality, made[worst]), near, strict=True)
        ],
        'blind': tuple(_singles(modality, x) for x in (unseen, fresh)),
    }


def _nearest(
    modality: Modality, made: np.ndarray, dataset: data.Dataset
) -> tuple[np.ndarray, np.ndarray]:
    """The place of each sample's nearest example, and its distance; the set chunk by chunk."""
    queries = _flat(modality, made)
    places, least, seen = np.zeros(len(made), np.intp), np.full(len(made), np.inf), 0
    for chunk in dataset.chunks():
        index, distance = (
            x[:, 0] for x in metrics.nearest_neighbors(queries, _flat(modality, chunk))
        )
        places = np.where(distance < least, seen + index, places)
        least = np.minimum(distance, least)
        seen += len(chunk)
    return places, least


def _singles(modality: Modality, examples: np.ndarray) -> list[bytes]:
    """A PNG of each example by itself."""
    return [files.png(x) for x in modality.thumbnails(examples)]  # type: ignore[misc]


def _flat(modality: Modality, examples: np.ndarray) -> np.ndarray:
    images = modality.thumbnails(examples)  # type: ignore[misc]
    return images.reshape(len(images), -1).astype(np.float32) / 255.0
