"""--mode=evaluate: the figures of a run, or of any two sets of images, and what they rest on."""

import json
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import metadata
from typing import Any

import jax
import numpy as np
from absl import logging

from gan_jax import config as config_lib
from gan_jax import data, modalities
from gan_jax import game as game_lib
from gan_jax.config import experiment as experiment_lib
from gan_jax.config import saved, validate
from gan_jax.errors import UserError
from gan_jax.evaluation import evaluator, extractors, statistics
from gan_jax.evaluation.evaluator import Evaluation
from gan_jax.runtime import files, names, replicas
from gan_jax.sampling import sampler, translation

FILE = 'evaluation.json'
WIDE = 0.1  # a standard error above this share of its figure is warned of
Figures = dict[str, float]


def evaluate(
    workdir: pathlib.Path,
    *,
    num: int,
    best: bool = False,
    changes: Mapping[str, Any] | None = None,
    cache: pathlib.Path | None = None,
) -> dict[str, Any]:
    """Compares samples of the run in `workdir` with real images; writes evaluation.json.

    Args:
      workdir: a run's work directory.
      num: how many samples, and at most how many real images.
      best: of the best checkpoint by the run's own evaluations, not of the newest.
      changes: keys of config.evaluation to be others than the run's; without 'metrics' all usual
        metrics that the data allow.
      cache: where networks and references are kept; the user's cache folder by default.

    Returns:
      What is written: {'settings', 'figures': {figure: {'ema', 'raw', 'stderr', 'real'}},
      'warnings', 'each_seed': {figure: values}, 'best', 'histogram'}.

    Raises:
      UserError: if there is no run or no checkpoint, or something cannot be evaluated.
    """
    run = experiment_lib.restore(workdir, best, changed(saved.read_config(workdir), changes or {}))
    experiment, game = run.experiment, run.experiment.game
    chosen = chosen_metrics(experiment, changes or {})
    against = experiment.evaluation(num, chosen, cache)
    floor, how = real_floor(against)
    seeds = experiment.seeds
    kinds = {'ema': game_lib.averaged(run.state)} if experiment.config['ema'] else {}
    kinds['raw'] = game_lib.current(run.state)
    results: dict[str, list[Figures]] = {}
    for kind, variables in kinds.items():
        parts = replicas.split(variables, len(seeds))
        results[kind] = [
            experiment.evaluate(against, seed, num)(*part)
            for seed, part in zip(seeds, parts, strict=True)
        ]
    if experiment.baseline is not None:
        results['baseline'] = [_of_baseline(experiment, against, experiment.baseline)]
    inputs = experiment.evaluated(against, seeds[0], num)
    record = {
        'step': run.step,
        'checkpoint': 'best' if best else 'newest',
        'seeds': seeds,
        'generated': sampler.count(inputs),
        'baseline': experiment.config['baseline'].get('name'),
        **_settings(against, how),
    }
    first = replicas.split(next(iter(kinds.values())), len(seeds))[0]
    make = sampler.make_sampler(game, experiment.modality)
    some = sampler.part(inputs, slice(statistics.CHUNK))
    figure = experiment.config['evaluation']['best']
    more = {
        'best': evaluator.best_and_last(workdir / 'metrics.jsonl', figure),
        'histogram': histogram(against, make(*first, some)),
    }
    return _write(workdir, record, results, floor, against, more)


def _of_baseline(
    experiment: experiment_lib.Experiment, against: Evaluation, baseline: Callable
) -> Figures:
    """What the classical answer to the same sources has."""
    answer = jax.jit(lambda sources: experiment.modality.decode(baseline(sources)))
    real = against.references['real']
    sources = experiment.sources(real.dataset, real.places)
    only = [x for x in against.names if 'cycles' not in evaluator.needed([x])]
    more = {evaluator.TRUE_PAIRS: True} if experiment.aligned else {}
    made = evaluator.samples(lambda part: np.asarray(answer(part)), sources)
    return against(made, only=only, more=more)


def histogram(against: Evaluation, made: np.ndarray) -> dict[str, list] | None:
    """The shares of the classes that the network sees in real images and in samples.

    Returns:
      {'names', 'real', 'generated'}; None if the network does not know the data set's classes.
    """
    real, network = against.references['real'], against.network
    names = real.dataset.class_names
    if network is None or not network.name.endswith('-classifier'):
        return None
    shares = [
        np.bincount(network.apply(x)[1].argmax(axis=1), minlength=len(names)) / len(x)
        for x in (next(real.chunks()), made)
    ]
    return {'names': list(names), 'real': shares[0].tolist(), 'generated': shares[1].tolist()}


def evaluate_sets(
    workdir: pathlib.Path,
    real: str,
    fake: str,
    *,
    num: int,
    changes: Mapping[str, Any] | None = None,
    cache: pathlib.Path | None = None,
) -> dict[str, Any]:
    """Compares two sets of images; writes evaluation.json in `workdir`.

    Args:
      workdir: made if it is not there.
      real: 'folder:PATH', a file PATH.npz of uint8 images [n, h, w, c], or a data set's name.
      fake: likewise, of images of the same size.
      num: how many of each at most.
      changes: keys of config.evaluation to be others than the defaults.
      cache: where networks and references are kept; the user's cache folder by default.

    Raises:
      UserError: if one cannot be read, or has images of several sizes: nothing is resized here.
    """
    config = config_lib.default().to_dict()
    chosen = {**config['evaluation'], **_given(changes or {})}
    validate.check_features('--features', chosen['features'])
    sets = [data.load_as_is(flag, name) for flag, name in (('--real', real), ('--fake', fake))]
    if sets[0].shape != sets[1].shape:
        raise UserError(
            f'--real has images of {sets[0].shape} and --fake of {sets[1].shape}; make them alike: '
            f'figures of rescaled images are figures of the rescaling'
        )
    modality = modalities.make(modalities.settings_of(sets[0]))
    metrics = chosen['metrics'] if 'metrics' in _given(changes or {}) else modality.metrics
    validate.check_metrics('--metrics', metrics)
    possible = _possible(metrics, {'real'})
    if not possible or ('metrics' in _given(changes or {}) and len(possible) < len(metrics)):
        without = next(x for x in metrics if x not in possible)
        raise UserError(
            f'--metrics={",".join(metrics)}: two sets of images cannot give {without}; leave it out'
        )
    network, cache = None, cache or extractors.cache_folder()
    if evaluator.needs_network(metrics):
        network = experiment_lib.load_network(chosen['features'], modality, sets[0], None, cache)
    references = {'real': statistics.choose(sets[0], num, config['seed'], real)}
    against = Evaluation(possible, network, references, modality, config['seed'], cache)
    floor, how = real_floor(against)
    generated = statistics.choose(sets[1], num, config['seed'], fake)
    alike = sets[0].class_names == sets[1].class_names and len(sets[0].class_names) > 1
    labels = {'fake_labels': generated.labels()} if alike else None
    found = {'raw': [against(generated.chunks(), more=labels)]}
    workdir.mkdir(parents=True, exist_ok=True)
    record = {'fake': fake, 'generated': len(generated.places), **_settings(against, how)}
    return _write(workdir, record, found, floor, against)


def _given(changes: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in changes.items() if value is not None}


def changed(config: Mapping[str, Any], changes: Mapping[str, Any]) -> experiment_lib.Experiment:
    """The experiment of a resolved config with other settings of evaluation."""
    chosen = {**config['evaluation'], **_given(changes)}
    validate.check_metrics('--metrics', chosen['metrics'])
    validate.check_features('--features', chosen['features'])
    if 'metrics' in _given(changes):  # they need not have the figure that the run calls best
        chosen['metrics'] = config['evaluation']['metrics']
    return experiment_lib.rebuild({**config, 'evaluation': chosen})


def chosen_metrics(
    experiment: experiment_lib.Experiment, changes: Mapping[str, Any]
) -> Sequence[str]:
    """The metrics that were asked for; by default all usual ones, of translations the run's own."""
    if 'metrics' in _given(changes):
        return _given(changes)['metrics']
    if translation.translates(experiment.game):
        return experiment.config['evaluation']['metrics']
    return experiment.modality.metrics


def _possible(names: Iterable[str], references: Iterable[str]) -> list[str]:
    """The metrics that need no set of images but these and the generated ones."""
    have = (*(f'{x}_' for x in references), 'fake_', 'seed', 'encode')
    return [x for x in names if all(y.startswith(have) for y in evaluator.needed([x]))]


def real_floor(against: Evaluation) -> tuple[Figures, str]:
    """What real images themselves have: the least, or most, that a generator could honestly reach.

    Returns:
      The figures of what was trained on against what is compared with; where that is the same, of
      one half of it against the other. And which it was.
    """
    apart = {'train_scores', 'train_features', evaluator.TRUE_PAIRS, 'cycles'}
    only = [x for x in against.names if not apart & evaluator.needed([x])]
    real, train = against.references['real'], against.references.get('train')
    if not only:
        return {}, 'no figure compares real images with real ones'
    if train is not None:
        judge, given = against, train
        how = f'{len(train.places)} of {train.split} against {len(real.places)} of {real.split}'
    else:
        half = len(real.places) // 2
        first, given = (real._replace(places=x) for x in (real.places[:half], real.places[half:]))
        seed = against.given['seed']
        judge = Evaluation(only, against.network, {'real': first}, against.modality, seed, None)
        how = f'{half} of {real.split} against {len(given.places)} others of it'
    labels = {'fake_labels': given.labels()} if len(given.dataset.class_names) > 1 else None
    return judge(given.chunks(), only=only, more=labels), how


def _settings(against: Evaluation, how: str) -> dict[str, Any]:
    """What the figures rest on."""
    real, network = against.references['real'], against.network
    return {
        'real': real.dataset.name,
        'split': real.split,
        'real_images': len(real.places),
        'size': list(real.dataset.shape),
        'floor': how,
        'features': network.name if network else None,
        'features_digest': network.digest if network else None,
        'resize': network.resize if network else None,
        'images': against.modality.stored,
        'gan_jax': metadata.version('gan_jax'),
        'jax': metadata.version('jax'),
    }


def warnings_of(table: Mapping[str, Mapping[str, Any]], record: Mapping[str, Any]) -> list[str]:
    """What a reader of the figures must know."""
    found = []
    num, real, width = record['generated'], record['real_images'], record.get('width')
    if width and min(num, real) < width:
        found.append(
            f'{num} samples and {real} real images are fewer than the {width} features: the '
            f'Frechet distance is of covariances that are not of full rank, and far too large or '
            f'small; give --num={4 * width} or more'
        )
    for name, row in table.items():
        value, error = row.get('ema', row['raw']), row['stderr']
        if error is not None and error > WIDE * abs(value):
            found.append(
                f'{name} is {value:.4g} with a standard error of {error:.2g}: give more samples '
                f'or seeds before comparing it'
            )
    return found


def _write(
    workdir: pathlib.Path,
    record: dict[str, Any],
    found: Mapping[str, Sequence[Figures]],
    floor: Figures,
    against: Evaluation,
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Prints the table and the warnings; writes and returns what evaluation.json holds."""
    if against.network and against.given.get('real_moments') is not None:
        record['width'] = len(against.given['real_moments'].mean)
    main = next(iter(found))
    table: dict[str, dict[str, Any]] = {}
    each: dict[str, list[float]] = {}
    for name in found[main][0]:
        if names.parse(name).stderr:
            continue
        row: dict[str, Any] = {
            kind: float(np.mean([x[name] for x in of_seeds]))
            for kind, of_seeds in found.items()
            if name in of_seeds[0]
        }
        values = [x[name] for x in found[main]]
        if len(values) > 1:
            row['stderr'] = float(np.std(values, ddof=1) / np.sqrt(len(values)))
            each[name] = values
        else:
            row['stderr'] = found[main][0].get(str(names.parse(name)._replace(stderr=True)))
        table[name] = {**row, 'real': floor.get(name)}
    content = {'settings': record, 'figures': table, 'warnings': warnings_of(table, record)}
    content |= {'each_seed': each} | dict(more or {})
    text = json.dumps(content, indent=1) + '\n'
    files.replace(workdir / FILE, lambda file: file.write_text(text))
    print(shown(content))
    for warning in content['warnings']:
        logging.warning('!!! %s', warning)
    logging.info('wrote %s', workdir / FILE)
    return content


def shown(content: Mapping[str, Any]) -> str:
    """The table that is printed."""
    record, rows = content['settings'], content['figures']
    kinds = [x for x in ('ema', 'raw', 'baseline') if any(x in row for row in rows.values())]
    width = max(len(name) for name in rows)
    lines = [
        f'{record["generated"]} samples against {record["real_images"]} images of '
        f'{record["real"]}, {record["split"]}; features: {record["features"]}; '
        f'real: {record["floor"]}',
        ' '.join([' ' * width, *(f'{x:>10}' for x in (*kinds, 'stderr', 'real'))]),
    ]
    for name, row in rows.items():
        cells = [row.get(kind) for kind in kinds] + [row['stderr'], row['real']]
        text = ('-' if x is None else f'{x:.4g}' for x in cells)
        lines.append(' '.join([f'{name:<{width}}', *(f'{x:>10}' for x in text)]))
    return '\n'.join(lines)
