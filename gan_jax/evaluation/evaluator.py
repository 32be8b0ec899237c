"""An evaluation: the chosen figures of samples against a fixed choice of real examples."""

import functools
import inspect
import math
import pathlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tqdm
from absl import logging

from gan_jax import data
from gan_jax.errors import UserError, one_line
from gan_jax.evaluation import (
    judges,
    labels,
    paths,
    statistics,
)
from gan_jax.evaluation.menu import metric, needed, needs_network
from gan_jax.game import Game
from gan_jax.modalities import Modality
from gan_jax.networks.features import FeatureNetwork
from gan_jax.runtime import names as names_lib
from gan_jax.runtime import parallel, processes, progress
from gan_jax.sampling import sampler, translation

OF_STYLES = {'style_path_examples', 'style_path_features'}  # what goes from style to style
PATHS = {'path_examples', 'path_features', *OF_STYLES}  # what figures name that goes on ways
# What figures name that a modality's settings say.
TOLD = ('columns', 'target', 'rate', 'unit', 'vocabulary', 'dictionary', 'oracle')
TRUE_PAIRS = 'aligned_pairs'  # what figures name that compare a translation with its true image


def too_few(name: str, counts: Mapping[str, int]) -> str:
    """Why a metric cannot be had of so few examples, or so small ones; '' if it can.

    Args:
      name: of the metric.
      counts: of each side that there is ('real', 'fake', 'train') the examples; perhaps
        'each_class' and 'each_fake_class', of the real and the generated ones the fewest in a
        class, and 'pixels', an image's side.
    """
    least, sides = metric(name).least, {x.partition('_')[0] for x in needed([name])}
    for what, words in (
        *((x, f'{word} examples or more') for x, word in statistics.WORDS.items()),
        ('each_class', 'real examples or more of each class'),
        ('each_fake_class', 'generated examples or more of each class'),
        ('pixels', 'pixels a side or more'),
    ):
        asked = least.get(what, 1 if what in sides else 0)
        if counts.get(what, asked) < asked:
            return f'the metric {name} needs {asked} {words}, and there are {counts[what]}'
    return ''


def counts_of(
    references: Mapping[str, statistics.Reference], generated: int, modality: Modality
) -> dict[str, int]:
    """What `too_few` asks for."""
    counts = {prefix: len(x.places) for prefix, x in references.items()} | {'fake': generated}
    real = references['real']
    if len(real.dataset.class_names) > 1 and len(real.places):
        counts['each_class'] = labels.fewest(real.labels(), len(real.dataset.class_names))
    if modality.thumbnails is not None:
        counts['pixels'] = min(real.dataset.shape[:2])
    return counts


def check_counts(names: Iterable[str], counts: Mapping[str, int]) -> None:
    """Raises UserError if there is too little for one of these metrics."""
    for reason in filter(None, (too_few(name, counts) for name in names)):
        raise UserError(f'{reason}; give more, or leave that metric out')


def check_game(names: Iterable[str], game: Game) -> None:
    """Raises UserError if a metric asks for what the game cannot do."""
    for name in names:
        wanted = needed([name])
        if 'cycles' in wanted and not translation.both_ways(game):
            raise UserError(f'{name}: this game has no way back')
        if wanted & PATHS and not {'prior', 'sample'} <= game.functions.keys():
            raise UserError(f'{name}: this game has no prior, so no way between its draws')
        if wanted & OF_STYLES and not sampler.has_styles(game):
            raise UserError(f'{name}: this game has no styles, so no way between them')


def check_network(names: Iterable[str], network: FeatureNetwork | None) -> None:
    """Raises UserError if a metric differentiates features and the network cannot."""
    for name in names:
        of_paths = [x for x in needed([name]) & PATHS if x.endswith(statistics.OF_FEATURES)]
        if of_paths and network is not None and network.smooth is None:
            raise UserError(
                f'{name}: features={network.name} cannot be differentiated; take '
                f'{name.removeprefix("perceptual_")}, or give a FeatureNetwork that has `smooth`'
            )


class Found(dict[str, float]):
    """{figure: value}; a value that could not be had is NaN.

    Attributes:
      missing: {figure: why it could not be had}.
      tables: {name: what comes with figures and is an array}.
    """

    def __init__(self, *args: Any):
        """As a dict."""
        super().__init__(*args)
        self.missing: dict[str, str] = {}
        self.tables: dict[str, np.ndarray] = {}


def _network_of(name: str, network: FeatureNetwork | None) -> str:
    return network.name if network and needs_network([name]) else ''


def compute(
    names: Iterable[str], given: Mapping[str, Any], network: FeatureNetwork | None
) -> Found:
    """The figures; those of features are called figure[network].

    Raises:
      UserError: if evidence that a metric names is not there.
    """
    found = Found()
    for name in names:
        function = metric(name)
        arguments = list(inspect.signature(function).parameters)
        for missing in (x for x in arguments if x not in given):
            raise UserError(f'the metric {name} needs {missing}, which there is not here')
        reason = '; '.join(filter(None, (statistics.unusable(given[x]) for x in arguments)))
        values = dict.fromkeys(function.figures, math.nan)
        if not reason:
            try:
                with progress.lines(name):
                    values = function(**{x: given[x] for x in arguments})
            except (ValueError, AssertionError) as error:
                reason = one_line(error)
        of = _network_of(name, network)
        for figure, value in values.items():
            parsed = names_lib.parse(figure)._replace(network=of)
            if isinstance(value, np.ndarray):
                found.tables[figure] = value
            elif math.isfinite(value):
                found[str(parsed)] = float(value)
            elif not parsed.stderr:
                found[str(parsed)] = math.nan
                found.missing[str(parsed)] = reason or f'it is {value}'
    return found


class Evaluation:
    """What is compared, with what, in which features.

    Attributes:
      names: the metrics.
      network: what makes features; None if no metric is of features.
      references: {'real': what samples are compared with, 'train': what was trained on}.
      modality: of all examples.
      given: the evidence of the references.
    """

    def __init__(
        self,
        names: Sequence[str],
        network: FeatureNetwork | None,
        references: Mapping[str, statistics.Reference],
        modality: Modality,
        seed: int,
        cache: pathlib.Path | None,
        repeats: int = judges.REPEATS,
    ):
        """Gathers what the metrics name of the references."""
        mixture = references['real'].dataset.mixture
        self.names = tuple(names)
        for name in names:
            labels.check_classes(name, needed([name]), network.name if network else '')
        self.network, self.references, self.modality = network, references, modality
        self.given: dict[str, Any] = {'seed': seed, 'encode': modality.encode}
        self.given['repeats'] = repeats
        self.given |= {'sequences': modality.sequences} if modality.sequences else {}
        self.given |= {'mixture': mixture} if mixture else {}
        told = modality.settings
        self.given |= {x: told[x] for x in TOLD if told.get(x)}
        for prefix, reference in references.items():
            if len(reference.dataset.class_names) > 1:
                self.given[f'{prefix}_labels'] = reference.labels()
            self.given |= statistics.gather_reference(
                reference, needed(self.names), network, cache, prefix
            )

        if 'train_all' in needed(self.names):  # to a choice of them copies of the others are new
            whole = references['train'].dataset
            self.given['train_all'] = np.concatenate([*whole.chunks(np.arange(len(whole)))])

    def logged(self, figure: str) -> str:
        """What a figure is called in the log: 'eval/frechet_distance[mnist-classifier]'."""
        of = next(x for x in self.names if figure in metric(x).figures)
        return str(names_lib.Name(figure, names_lib.EVALUATION, _network_of(of, self.network)))

    def __call__(
        self,
        chunks: Iterable[np.ndarray],
        scores: Callable | None = None,
        only: Sequence[str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> Found:
        """The figures of samples.

        Args:
          chunks: stored examples [n, ...].
          scores: (encoded examples, their labels or None) -> the discriminator's logits, for
            metrics that name them.
          only: of the metrics only these.
          more: further evidence, such as 'fake_labels'.

        Raises:
          UserError: if a metric names what there is not.
        """
        wanted = needed(self.names if only is None else only)
        judged = {'fake_examples'} if wanted & statistics.SCORES else set()
        given = self.given | statistics.gather(chunks, wanted | judged, self.network, 'fake')
        given |= more or {}
        return processes.on_first(lambda: self._compute(given, scores, only))

    def _compute(
        self, given: dict[str, Any], scores: Callable | None, only: Sequence[str] | None
    ) -> Found:
        """The figures, of evidence from which only the logits are still missing."""
        names = self.names if only is None else only
        if scores is not None and needed(names) & statistics.SCORES:
            fake = given['fake_examples']
            several = data.chunk_size(fake.shape[1:])
            parts = iter(np.split(fake, range(several, len(fake), several)))
            shown = {
                prefix: reference.dataset.chunks(reference.places[: statistics.KEPT])
                for prefix, reference in self.references.items()
            }
            for prefix, chunks in {'fake': parts, **shown}.items():
                given[f'{prefix}_scores'] = statistics.judged(
                    scores, map(self.modality.encode, chunks), given.get(f'{prefix}_labels')
                )
        return compute(names, given, self.network)


def build(
    names: Sequence[str],
    *,
    modality: Modality,
    train: data.Dataset,
    held_out: data.Dataset | None,
    splits: tuple[str, str],
    aligned: bool,
    load_network: Callable[[], FeatureNetwork],
    num: int,
    seed: int,
    cache: pathlib.Path | None,
    repeats: int = judges.REPEATS,
    generated: int | None = None,
) -> Evaluation:
    """Samples compared with held-out examples, or without any with what was trained on.

    Args:
      names: the metrics; of points drawn from a mixture `modes` comes with them.
      modality: of the examples.
      train: what is trained on.
      held_out: what samples are compared with; None for what is trained on.
      splits: what both are called, for the record.
      aligned: whether sources have their true images.
      load_network: what makes features; called only if a metric is of features.
      num: how many real examples at most.
      seed: of their choice.
      cache: the folder for what is kept.
      repeats: how often judges are trained anew.
      generated: how many samples there will be; as many as real examples by default.

    Raises:
      UserError: if a metric asks for what the data do not have, before the network is loaded.
    """
    for name in names:
        if TRUE_PAIRS in needed([name]) and not aligned:
            raise UserError(
                f'the metric {name} needs true images: translate with config.corruption or a '
                f'data set paired:PATH, or name one in config.evaluation.dataset'
            )
    real, split = (train, splits[0]) if held_out is None else (held_out, splits[1])
    if held_out is None:
        for name in (x for x in names if _of_training(x)):
            logging.warning(
                '%s is left out: %s has no other split to compare with', name, train.name
            )
        names = [x for x in names if not _of_training(x)]
    if train.mixture and 'modes' not in names:
        names = (*names, 'modes')
    references = {'real': statistics.choose(real, num, seed, split)}
    if held_out is not None:
        references['train'] = statistics.choose(train, num, seed, splits[0])
    generated = len(references['real'].places) if generated is None else generated
    check_counts(names, counts_of(references, generated, modality))
    network = load_network() if needs_network(names) else None
    check_network(names, network)
    return Evaluation(names, network, references, modality, seed, cache, repeats)


def _of_training(name: str) -> bool:
    return any(x.startswith('train_') for x in needed([name]))


def of_game(
    game: Game, evaluation: Evaluation, inputs: Any, aligned: bool = False
) -> Callable[[Any, Any], Found]:
    """(params, aux) -> the figures of samples, always of the same inputs.

    Args:
      game: the game.
      evaluation: what they are compared with.
      inputs: what examples are made of: a prior's draws, or the sources of the references.
      aligned: whether these sources have their true images.

    Raises:
      UserError: if a metric asks for what the game cannot do.
    """
    check_game(evaluation.names, game)
    modality, wanted = evaluation.modality, needed(evaluation.names)
    make = sampler.make_sampler(game, modality, parallel.everywhere)
    judge = sampler.make_score(game) if 'score' in game.functions else None
    further: list[Callable[[Any, Any], Mapping[str, Any]]] = [lambda *_: labels.of_inputs(inputs)]
    further.append(labels.of_own(game, wanted, evaluation.references['real'], modality.encode))
    if translation.translates(game):
        travel = translation.more_evidence(game, wanted, inputs, aligned, modality.encode)
        further.append(lambda params, aux: travel((params, aux)))
    for name in sorted(wanted & PATHS):
        of_network = evaluation.network.smooth if evaluation.network else None
        featured = of_network is not None and name.endswith(statistics.OF_FEATURES)
        smooth = of_network if of_network is not None and featured else paths.PIXELS
        make_lengths = paths.make_style_lengths if name in OF_STYLES else paths.make_lengths
        lengths = make_lengths(game, inputs, evaluation.given['seed'], smooth)
        further.append(lambda *x, name=name, lengths=lengths: {name: lengths(*x)})

    def evaluate(params: Any, aux: Any) -> Found:
        scores = None if judge is None else functools.partial(judge, params, aux)
        made = samples(functools.partial(make, params, aux), inputs)
        more = {key: x for evidence in further for key, x in evidence(params, aux).items()}
        return evaluation(made, scores, more=more)

    return evaluate


def samples(make: Callable, inputs: Any) -> Iterator[np.ndarray]:
    """make(inputs), chunk by chunk."""
    starts = range(0, sampler.count(inputs), statistics.CHUNK)
    hidden = len(starts) < 4 or not sys.stderr.isatty()
    for start in tqdm.tqdm(starts, 'samples', disable=hidden, leave=False):
        yield make(sampler.part(inputs, slice(start, start + statistics.CHUNK)))
