"""--mode=report: what a run has written and what its newest checkpoint makes, as one page."""

import json
import math
import pathlib
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import numpy as np
from absl import logging

from gan_jax import metrics, report
from gan_jax.commands import evaluate
from gan_jax.config import experiment as experiment_lib
from gan_jax.config import saved
from gan_jax.modalities import Modality
from gan_jax.report import diagnostics
from gan_jax.runtime import files, names, replicas
from gan_jax.sampling import sampler, translation

FILE = 'report.html'
SHOWN, PAIRS, GRIDS, BLIND = 100, 12, 40, 40  # of samples, neighbours, steps, the blind test
PACKAGES = ('gan_jax', 'jax', 'jaxlib', 'flax', 'optax', 'orbax-checkpoint', 'numpy')


def write_report(
    workdir: pathlib.Path,
    replica: int = 0,
    experiment: experiment_lib.Experiment | None = None,
) -> pathlib.Path:
    """Writes report.html of the run in `workdir`.

    Args:
      workdir: a run's work directory.
      replica: which of the run's seeds is shown, counted from 0.
      experiment: the run's, if it is at hand; its data sets are then not read again. How it is
        evaluated may be another than in the run's config.

    Returns:
      The file.

    Raises:
      UserError: if there is no run, it has no checkpoint, or not so many seeds.
    """
    run = experiment_lib.restore(workdir, experiment=experiment)
    seeds = run.experiment.seeds
    variables = run.variables(replica)
    curves = _curves(workdir)
    judged = _evaluation(workdir)
    suffix = replicas.suffix(seeds[replica], len(seeds))
    figures = _figures(curves, judged, seeds[replica])
    if not run.experiment.zero_divides:
        figures = {key: x for key, x in figures.items() if not key.endswith('_sign')}
    hints = diagnostics.hints(figures)
    for hint in hints:
        logging.warning(hint)
    content = report.Content(
        title=f'{workdir.name}, step {run.step}' + (f', seed {seeds[replica]}' if suffix else ''),
        config=saved.read_config(workdir),
        versions={name: metadata.version(name) for name in PACKAGES},
        curves=curves,
        grids=_grids(workdir, suffix),
        evaluation=judged,
        hints=hints,
        histogram=(judged or {}).get('histogram'),
        **_pictures(run.experiment, variables, seeds[replica]),
    )
    file = workdir / FILE
    files.replace(file, lambda part: part.write_text(report.render(content), encoding='utf-8'))
    logging.info('wrote %s', file)
    return file


def _curves(workdir: pathlib.Path) -> dict[str, list[tuple[int, float]]]:
    curves: dict[str, list[tuple[int, float]]] = {}
    file = workdir / 'metrics.jsonl'
    for line in file.read_text().splitlines() if file.exists() else ():
        values = json.loads(line)
        step = values.pop('step')
        values.pop(files.MISSING, None)
        for name, value in values.items():
            curves.setdefault(name, []).append((step, math.nan if value is None else value))
    return curves


def _evaluation(workdir: pathlib.Path) -> dict[str, Any] | None:
    file = workdir / evaluate.FILE
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError):
        return None


def _grids(workdir: pathlib.Path, suffix: str) -> list[tuple[int, bytes]]:
    """Grids of samples, evenly chosen where there are many; the last is always there."""
    found = sorted((workdir / 'samples').glob(f'{"[0-9]" * 8}{suffix}.png'))
    places = np.unique(np.linspace(0, len(found) - 1, min(GRIDS, len(found))).round().astype(int))
    return [(int(found[i].name[:8]), found[i].read_bytes()) for i in places]


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
    for text, row in (judged or {}).get('figures', {}).items():
        value = row.get('ema', row['raw'])
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
    everything = dataset.batch(order)['real']
    index, distance = metrics.nearest_neighbors(_flat(modality, made), _flat(modality, everything))
    worst = np.argsort(distance[:, 0], kind='stable')[:PAIRS]
    near = _singles(modality, dataset.batch(order[index[worst, 0]])['real'])
    return {
        'real': files.png(modality.picture(real)),
        'generated': files.png(modality.picture(made)),
        'interpolation': files.png(modality.picture(between, columns=10)),
        'nearest': [
            (one, other, float(distance[i, 0]))
            for i, one, other in zip(worst, _singles(modality, made[worst]), near, strict=True)
        ],
        'blind': tuple(_singles(modality, x) for x in (unseen, fresh)),
    }


def _singles(modality: Modality, examples: np.ndarray) -> list[bytes]:
    """A PNG of each example by itself."""
    return [files.png(x) for x in modality.thumbnails(examples)]  # type: ignore[misc]


def _flat(modality: Modality, examples: np.ndarray) -> np.ndarray:
    images = modality.thumbnails(examples)  # type: ignore[misc]
    return images.reshape(len(images), -1).astype(np.float32) / 255.0
