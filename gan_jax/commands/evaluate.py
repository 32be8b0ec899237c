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
from gan_jax.config import datasets, private, saved, validate
from gan_jax.config import experiment as experiment_lib
from gan_jax.config import features as features_lib
from gan_jax.errors import UserError, printable
from gan_jax.evaluation import course, evaluator, extractors, labels, menu, statistics, table
from gan_jax.evaluation.evaluator import Evaluation, Found
from gan_jax.runtime import cache as cache_lib
from gan_jax.runtime import files, own, parallel, processes, progress, replicas
from gan_jax.sampling import sampler, translation

FILE = 'evaluation.json'


def evaluate(
    workdir: pathlib.Path,
    *,
    num: int,
    best: bool = False,
    changes: Mapping[str, Any] | None = None,
    cache: pathlib.Path | None = None,
    then: Callable[[experiment_lib.Experiment], object] | None = None,
) -> dict[str, Any]:
    """Compares samples of the run in `workdir` with real images; writes evaluation.json.

    Args:
      workdir: a run's work directory.
      num: how many samples, and at most how many real images.
      best: of the best checkpoint by the run's own evaluations, not of the newest.
      changes: keys of config.evaluation to be others than the run's; without 'metrics' all usual
        metrics that the data allow.
      cache: where networks and references are kept; the user's cache folder by default.
      then: what is done once it is written, with the run's experiment, whose data are read.

    Returns:
      What is written: {'settings', 'figures': {figure: {'ema', 'raw', 'stderr', 'real',
      'better'}}, 'warnings', 'missing': {figure: why}, 'each_seed': {figure: values}, 'best',
      'histogram', 'confusion'}. A figure that could not be had is None.

    Raises:
      UserError: if there is no run or no checkpoint, or something cannot be evaluated.
    """
    run = experiment_lib.restore(workdir, best, changed(saved.read_config(workdir), changes or {}))
    processes.on_first(lambda: files.check_writable(workdir, 'make it writable', [FILE]))
    figure = run.experiment.config['evaluation']['best']
    content = of_run(run, num, changes or {}, cache)

    def write() -> dict[str, Any]:
        metrics = run.experiment.config['evaluation']['metrics']
        ends = course.best_and_last(workdir / 'metrics.jsonl', figure, metrics)
        content['settings']['checkpoint'] = 'best' if best else 'newest'
        _write(workdir, content | {'best': ends})
        if then is not None:
            then(run.experiment)
        return content | {'best': ends}

    return processes.on_first(write)


def of_run(
    run: experiment_lib.Run,
    num: int,
    changes: Mapping[str, Any],
    cache: pathlib.Path | None = None,
) -> dict[str, Any]:
    """What `evaluate` writes of a run, but for which of its checkpoints that is.

    Args:
      run: the run, of which the experiment has the `changes` already, see `changed`.
      num: how many samples, and at most how many real images.
      changes: as `evaluate` takes them.
      cache: where networks and references are kept; the user's cache folder by default.

    Raises:
      UserError: if something cannot be evaluated.
    """
    with progress.lines('evaluating'):
        return _of_run(run, num, changes, cache)


def _of_run(
    run: experiment_lib.Run, num: int, changes: Mapping[str, Any], cache: pathlib.Path | None
) -> dict[str, Any]:
    experiment, game = run.experiment, run.experiment.game
    chosen = chosen_metrics(experiment, changes, num)
    against = experiment.evaluation(num, chosen, cache)
    seeds = experiment.seeds
    inputs = experiment.evaluated(against, seeds[0], num)
    real, how = of_real(against, sampler.count(inputs))
    kinds = {'ema': game_lib.averaged(run.state)} if experiment.config['ema'] else {}
    kinds['raw'] = game_lib.current(run.state)
    results: dict[str, list[Found]] = {}
    for kind, variables in kinds.items():
        parts = replicas.split(variables, len(seeds))
        results[kind] = [
            experiment.evaluate(against, seed, num)(*part)
            for seed, part in zip(seeds, parts, strict=True)
        ]
    if experiment.baseline is not None:
        results['baseline'] = [_of_baseline(experiment, against, experiment.baseline)]
    record = {
        'step': run.step,
        'seeds': seeds,
        'generated': sampler.count(inputs),
        'baseline': experiment.config['baseline'].get('name'),
        **_settings(against, how),
        **private.bounds(experiment.config['privacy']),
    }
    first = replicas.split(next(iter(kinds.values())), len(seeds))[0]
    make = sampler.make_sampler(game, experiment.modality, parallel.everywhere)
    some = sampler.part(inputs, slice(statistics.CHUNK))
    more = {'histogram': histogram(against, make(*first, some))}
    more[labels.CONFUSION] = confusion(against, next(iter(results.values())))
    return _content(record, results, real, against, more)


def confusion(against: Evaluation, found: Sequence[Found]) -> dict[str, Any] | None:
    """Which classes the network names in samples of which; None if that was not asked for."""
    names = against.references['real'].dataset.class_names
    return labels.confusion(names, [x.tables for x in found])


def _of_baseline(
    experiment: experiment_lib.Experiment, against: Evaluation, baseline: Callable
) -> Found:
    """What the classical answer to the same sources has."""
    answer = jax.jit(lambda sources: experiment.modality.decode(baseline(sources)))
    real = against.references['real']
    sources = experiment.sources(real.dataset, real.places)
    only = [x for x in against.names if 'cycles' not in menu.needed([x])]
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
    given = _given(changes or {})
    chosen = {**config['evaluation'], **given}
    if 'metrics' in given:
        validate.check_metrics('--metrics', given['metrics'])
    features_lib.check('--features', chosen['features'])
    processes.on_first(lambda: files.check_writable(workdir, 'give another --workdir', [FILE]))
    sets = [data.load_as_is(flag, name) for flag, name in (('--real', real), ('--fake', fake))]
    if sets[0].shape != sets[1].shape:
        raise UserError(
            f'--real has images of {sets[0].shape} and --fake of {sets[1].shape}; make them alike: '
            f'figures of rescaled images are figures of the rescaling'
        )
    modality = modalities.make(modalities.settings_of(sets[0]))
    references = {'real': statistics.choose(sets[0], num, config['seed'], printable(real))}
    generated = statistics.choose(sets[1], num, config['seed'], printable(fake))
    counts = evaluator.counts_of(references, len(generated.places), modality)
    alike = sets[0].class_names == sets[1].class_names and len(sets[0].class_names) > 1
    if alike:
        fewest = labels.fewest(generated.labels(), len(sets[0].class_names))
        counts['each_fake_class'] = fewest
    metrics = _possible(given.get('metrics'), modality.metrics, {'real'}, counts)
    network, cache = None, cache or cache_lib.folder()
    with progress.lines('evaluating'):
        if menu.needs_network(metrics):
            features = chosen['features']
            network = features_lib.load(features, modality, sets[0], None, cache)
        against = Evaluation(metrics, network, references, modality, config['seed'], cache)
        floor, how = of_real(against, len(generated.places))
        classes = {'fake_labels': generated.labels()} if alike else None
        found = {'raw': [against(generated.chunks(), more=classes)]}
    record = {'fake': fake, 'generated': len(generated.places), **_settings(against, how)}
    table_ = confusion(against, found['raw'])
    more = {labels.CONFUSION: table_} if table_ else {}
    content = _content(record, found, floor, against, more)
    processes.on_first(lambda: _write(workdir, content))
    return content


def _given(changes: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in changes.items() if value is not None}


def changed(
    config: Mapping[str, Any], changes: Mapping[str, Any], given: datasets.Open | None = None
) -> experiment_lib.Experiment:
    """The experiment of a resolved config with other settings of evaluation."""
    chosen = {**config['evaluation'], **_given(changes)}
    for key, check in (('metrics', validate.check_metrics), ('features', features_lib.check)):
        check(f'--{key}' if key in _given(changes) else f'config.evaluation.{key}', chosen[key])
    if 'metrics' in _given(changes):  # they need not have the figure that the run calls best
        chosen['metrics'] = config['evaluation']['metrics']
    return experiment_lib.rebuild({**config, 'evaluation': chosen}, given)


def chosen_metrics(
    experiment: experiment_lib.Experiment, changes: Mapping[str, Any], num: int
) -> Sequence[str]:
    """The metrics that were asked for; by default all usual ones, of translations the run's own."""
    if 'metrics' in _given(changes):
        return _given(changes)['metrics']
    if translation.translates(experiment.game):
        return experiment.config['evaluation']['metrics']
    real = experiment.dataset if experiment.held_out is None else experiment.held_out
    counts = {'real': min(num, len(real)), 'train': min(num, len(experiment.dataset)), 'fake': num}
    of_styles = ('path_length_w',) if sampler.has_styles(experiment.game) else ()
    same = len(real.class_names) > 1 and [*real.class_names] == [*experiment.dataset.class_names]
    said = labels.said_by(experiment.game).values()
    of_own = [x for x in said if same or 'real_labels' not in menu.needed([x])]
    theirs = [x for x in experiment.config['evaluation']['metrics'] if own.named(x)]
    usual = (*theirs, *experiment.modality.metrics, *of_styles, *of_own)
    told = same and sampler.draws_labels(experiment.game)
    if experiment.modality.thumbnails is None or not told:
        return _of_enough(usual, counts)
    compared = statistics.choose(real, num, experiment.config['seed'], '')
    counts['each_class'] = labels.fewest(compared.labels(), len(real.class_names))
    counts['each_fake_class'] = experiment.fewest_drawn(num)
    return _of_enough((*usual, *_of_labels(experiment)), counts)


def _of_labels(experiment: experiment_lib.Experiment) -> list[str]:
    """The usual metrics of labels that the network can tell."""
    named = experiment.config['evaluation']['features'].startswith(extractors.INCEPTION)
    return [x for x in labels.USUAL if not (named and menu.needed([x]) >= labels.OF_CLASSES)]


def _of_enough(names: Iterable[str], counts: Mapping[str, int]) -> list[str]:
    """The metrics that there are examples enough for; of the others there is a warning.

    Raises:
      UserError: if there are too few for all.
    """
    reasons = {name: evaluator.too_few(name, counts) for name in names}
    for reason in filter(None, reasons.values()):
        logging.warning('%s; it is left out', reason)
    enough = [name for name, reason in reasons.items() if not reason]
    if not enough:
        raise UserError(f'there is nothing to compute: {next(iter(reasons.values()))}')
    return enough


def _possible(
    asked: Sequence[str] | None,
    usual: Iterable[str],
    references: Iterable[str],
    counts: Mapping[str, int],
) -> list[str]:
    """The metrics of two sets: those asked for, or by default the usual ones that can be had.

    Raises:
      UserError: if one that was asked for cannot.
    """
    have = (*(f'{x}_' for x in references), 'fake_', 'seed', 'encode', 'repeats')
    usual = [x for x in usual if all(y.startswith(have) for y in menu.needed([x]))]
    if asked is None:
        return _of_enough(usual, counts)
    for name in asked:
        for evidence in menu.needed([name]):
            if not evidence.startswith(have):
                raise UserError(
                    f'the metric {name} needs {evidence}, which two sets of images do not have; '
                    f'leave it out'
                )
    evaluator.check_counts(asked, counts)
    return list(asked)


def of_real(against: Evaluation, generated: int) -> tuple[Found, str]:
    """What real images have that are no samples: the best that a generator can honestly reach.

    As many of them as there are samples are compared with the same reference, so that a figure
    whose bias falls with the number, as the Frechet distance's does, is biased alike. They are
    what was trained on; where samples are compared with that, others of it.

    Args:
      against: what samples are compared with.
      generated: how many samples there are.

    Returns:
      Their figures, none if there are not so many; and what they are, or why there are none.
    """
    apart = {
        *statistics.SCORES,
        'train_features',
        'train_examples',
        evaluator.TRUE_PAIRS,
        'cycles',
        *evaluator.PATHS,
    }
    apart |= labels.OWN.keys()
    only = [x for x in against.names if not apart & menu.needed([x])]
    real, train = against.references['real'], against.references.get('train')
    if not only:
        return Found(), 'no figure compares real images with real ones'
    used, pool = (0, train) if train is not None else (len(real.places), real)
    order = statistics.choose(pool.dataset, len(pool.dataset), against.given['seed'], pool.split)
    places = order.places[used : used + generated]
    if len(places) < generated:
        what = 'others' if used else f'of {pool.split}'
        return Found(), f'none, there are {len(places)} {what} and {generated} samples'
    others = pool._replace(places=places)
    classes = {'fake_labels': others.labels()} if len(pool.dataset.class_names) > 1 else None
    how = f'{generated} {"others " if used else ""}of {pool.split} against {len(real.places)}'
    return against(others.chunks(), only=only, more=classes), f'{how} of {real.split}'


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


def _content(
    record: dict[str, Any],
    found: Mapping[str, Sequence[Found]],
    real: Found,
    against: Evaluation,
    more: Mapping[str, Any],
) -> dict[str, Any]:
    """What evaluation.json holds, as it is read back."""
    if against.network and against.given.get('real_parts') is not None:
        record['width'] = len(against.given['real_parts'][0].mean)
    main = next(iter(found))
    figures, missing = table.rows(found, real, against.names)
    warnings = table.warnings_of(figures, record, missing)
    content = {'settings': record, 'figures': figures, 'warnings': warnings, 'missing': missing}
    each = {name: [x[name] for x in found[main]] for name in figures if len(found[main]) > 1}
    return json.loads(files.json_text({**content, 'each_seed': each, **more}))


def _write(workdir: pathlib.Path, content: Mapping[str, Any]) -> None:
    """Prints the table and the warnings, and writes evaluation.json."""
    text = files.json_text(content, indent=1) + '\n'
    table.print_table(content)
    files.replace(workdir / FILE, lambda file: file.write_text(text))
    for warning in content['warnings']:
        logging.warning('!!! %s', warning)
    logging.info('wrote %s', workdir / FILE)
