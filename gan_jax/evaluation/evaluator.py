"""An evaluation: the chosen figures of samples against a fixed choice of real examples."""

import functools
import inspect
import json
import pathlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tqdm
from absl import logging

from gan_jax import data
from gan_jax.errors import UserError, one_line
from gan_jax.evaluation import figures, statistics
from gan_jax.game import Game
from gan_jax.modalities import Modality
from gan_jax.networks.features import FeatureNetwork
from gan_jax.runtime import names as names_lib
from gan_jax.sampling import sampler, translation

TRUE_PAIRS = 'aligned_pairs'  # what figures name that compare a translation with its true image


def available() -> dict[str, Any]:
    """The metrics that a config may name."""
    return {name: x for name, x in vars(figures).items() if hasattr(x, 'figures')}


def gives(names: Iterable[str]) -> list[str]:
    """The figures that these metrics give."""
    return [figure for name in names for figure in available()[name].figures]


def to_lessen(best: str, found: Mapping[str, float]) -> float:
    """The figure that is called best, negative if more of it is better.

    Args:
      best: its plain name.
      found: {'eval/name': value}, with or without the network's name.
    """
    better = {k: v for x in available().values() for k, v in x.figures.items()}[best]
    value = next(x for name, x in found.items() if names_lib.parse(name).figure == best)
    return -value if better == figures.MORE else value


def needed(names: Iterable[str]) -> set[str]:
    """The evidence that these metrics name."""
    valid = available()
    return {x for name in names for x in inspect.signature(valid[name]).parameters}


def needs_network(names: Iterable[str]) -> bool:
    """Whether any of these metrics is of features."""
    return any(x.endswith(statistics.OF_FEATURES) for x in needed(names))


def compute(
    names: Iterable[str], given: Mapping[str, Any], network: FeatureNetwork | None
) -> dict[str, float]:
    """The figures; those of features are called figure[network].

    Raises:
      UserError: if evidence that a metric names is not there.
    """
    found = {}
    for name in names:
        function = available()[name]
        arguments = list(inspect.signature(function).parameters)
        for missing in (x for x in arguments if x not in given):
            raise UserError(f'the metric {name} needs {missing}, which there is not here')
        try:
            values = function(**{x: given[x] for x in arguments})
        except (ValueError, AssertionError) as error:
            raise UserError(f'the metric {name}: {one_line(error)}') from error
        of = network.name if network and needs_network([name]) else ''
        for figure, value in values.items():
            found[str(names_lib.parse(figure)._replace(network=of))] = float(value)
    return found


def best_and_last(file: pathlib.Path, best: str) -> dict[str, Any] | None:
    """What a run's own evaluations found, at their best and at last.

    Args:
      file: its metrics.jsonl.
      best: the plain name of the figure by which the best checkpoint is kept.

    Returns:
      {'figure', 'best': {'step', 'value'}, 'last': {...}}; None if it was never evaluated.
    """
    points = []
    for line in file.read_text().splitlines() if file.exists() else ():
        values = json.loads(line)
        for text, value in values.items():
            name = names_lib.parse(text)
            if name == name.main and (name.turn, name.figure) == (names_lib.EVALUATION, best):
                figure = str(name._replace(turn=''))
                points.append((to_lessen(best, {text: value}), values['step'], value, figure))
    if not points:
        return None
    least, last = min(points), points[-1]
    ends = {'best': least, 'last': last}
    return {'figure': last[3]} | {key: {'step': x[1], 'value': x[2]} for key, x in ends.items()}


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
    ):
        """Gathers what the metrics name of the references."""
        mixture = references['real'].dataset.mixture
        self.names = tuple(names)
        self.network, self.references, self.modality = network, references, modality
        self.given: dict[str, Any] = {'seed': seed, 'encode': modality.encode}
        self.given |= {'mixture': mixture} if mixture else {}
        for prefix, reference in references.items():
            if len(reference.dataset.class_names) > 1:
                self.given[f'{prefix}_labels'] = reference.labels()
            self.given |= statistics.gather_reference(
                reference, needed(self.names), network, cache, prefix
            )

    def __call__(
        self,
        chunks: Iterable[np.ndarray],
        scores: Callable | None = None,
        only: Sequence[str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> dict[str, float]:
        """The figures of samples.

        Args:
          chunks: stored examples [n, ...].
          scores: encoded examples -> the discriminator's logits, for metrics that name them.
          only: of the metrics only these.
          more: further evidence, such as 'fake_labels'.

        Raises:
          UserError: if a metric names what there is not.
        """
        wanted = needed(self.names if only is None else only)
        judged = {'fake_examples'} if 'fake_scores' in wanted else set()
        given = self.given | statistics.gather(chunks, wanted | judged, self.network, 'fake')
        given |= more or {}
        if scores is not None and 'fake_scores' in wanted:
            given['fake_scores'] = scores(self.modality.encode(given['fake_examples']))
            for prefix, reference in self.references.items():
                shown = reference.dataset.batch(reference.places[: statistics.KEPT])['real']
                given[f'{prefix}_scores'] = scores(self.modality.encode(shown))
        return compute(self.names if only is None else only, given, self.network)


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

    Raises:
      UserError: if a metric asks for what the data do not have.
    """
    for name in names:
        if TRUE_PAIRS in needed([name]) and not aligned:
            raise UserError(
                f'the metric {name} needs true images: translate with config.corruption or a '
                f'data set paired:PATH, or name one in config.evaluation.dataset'
            )
    real, split = (train, splits[0]) if held_out is None else (held_out, splits[1])
    network = load_network() if needs_network(names) else None
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
    return Evaluation(names, network, references, modality, seed, cache)


def _of_training(name: str) -> bool:
    return any(x.startswith('train_') for x in needed([name]))


def of_game(
    game: Game, evaluation: Evaluation, inputs: Any, aligned: bool = False
) -> Callable[[Any, Any], dict[str, float]]:
    """(params, aux) -> the figures of samples, always of the same inputs.

    Args:
      game: the game.
      evaluation: what they are compared with.
      inputs: what examples are made of: a prior's draws, or the sources of the references.
      aligned: whether these sources have their true images.

    Raises:
      UserError: if a metric asks for what the game cannot do.
    """
    modality, wanted = evaluation.modality, needed(evaluation.names)
    make = sampler.make_sampler(game, modality)
    judge = sampler.make_score(game) if 'score' in game.functions else None
    further = None
    if 'cycles' in wanted and not translation.both_ways(game):
        raise UserError('cycle_error: this game has no way back')
    if translation.translates(game):
        further = translation.more_evidence(game, wanted, inputs, aligned, modality.encode)

    def evaluate(params: Any, aux: Any) -> dict[str, float]:
        scores = None if judge is None else functools.partial(judge, params, aux)
        made = samples(functools.partial(make, params, aux), inputs)
        return evaluation(made, scores, more=further((params, aux)) if further else None)

    return evaluate


def samples(make: Callable, inputs: Any) -> Iterator[np.ndarray]:
    """make(inputs), chunk by chunk."""
    starts = range(0, sampler.count(inputs), statistics.CHUNK)
    hidden = len(starts) < 4 or not sys.stderr.isatty()
    for start in tqdm.tqdm(starts, 'samples', disable=hidden, leave=False):
        yield make(sampler.part(inputs, slice(start, start + statistics.CHUNK)))


# Evidence that not all data or games have, and what has it.
CONDITIONS = {
    'mixture': 'points drawn from a mixture, as config.dataset=ring8 is',
    'real_labels': 'a data set with classes',
    'fake_labels': 'samples with labels, which two folders of classes have (--real and --fake)',
    'fake_scores': 'a game whose discriminator scores examples',
    'cycles': 'a game with a way back, such as config.game=cyclegan',
}


def check_evidence(names: Sequence[str], real: data.Dataset, game: Game, held_out: bool) -> None:
    """Raises UserError for the first metric that needs evidence which a run does not have.

    Args:
      names: the metrics.
      real: what samples are compared with.
      game: the run's.
      held_out: whether that is another split than what is trained on.
    """
    absent = {'fake_labels'}  # those that a prior draws are no figure's
    absent |= set() if real.mixture else {'mixture'}
    absent |= set() if len(real.class_names) > 1 else {'real_labels'}
    absent |= set() if 'score' in game.functions else {'fake_scores'}
    absent |= set() if translation.both_ways(game) else {'cycles'}
    for name in names:
        for evidence in sorted(needed([name]) & absent):
            raise UserError(
                f'the metric {name} needs {CONDITIONS[evidence]}, and {real.name} with this game '
                f'has none of that; leave it out'
            )
    if not held_out and all(map(_of_training, names)):
        raise UserError(
            f'{", ".join(names)}: {real.name} has no other split to compare with; name one in '
            f'config.evaluation.split (--split), or other metrics'
        )
