"""An evaluation: the chosen figures of samples against a fixed choice of real images."""

import functools
import inspect
import json
import pathlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
import tqdm
from absl import logging

from gan_jax import data
from gan_jax import game as game_lib
from gan_jax.config import inputs
from gan_jax.config.checks import check_name
from gan_jax.errors import UserError, one_line
from gan_jax.evaluation import extractors as features
from gan_jax.evaluation import figures
from gan_jax.evaluation import statistics as evidence
from gan_jax.networks.features import FeatureNetwork
from gan_jax.sampling import sampler as sampling
from gan_jax.sampling import translation


def available() -> dict[str, Any]:
    """The metrics that a config may name."""
    return {name: x for name, x in vars(figures).items() if hasattr(x, 'figures')}


def check_metrics(what: str, names: Sequence[str]) -> None:
    """Raises UserError naming the nearest valid metric for the first unknown one."""
    if isinstance(names, str):
        raise UserError(f"{what}={names!r} must be a tuple of names, such as ('{names}',)")
    for name in names:
        check_name(what, name, available())


def check_best(what: str, best: str, names: Sequence[str]) -> None:
    """Raises UserError unless one of the metrics gives the figure that is called best."""
    check_name(what, best, [figure for name in names for figure in available()[name].figures])


def to_lessen(best: str, found: Mapping[str, float]) -> float:
    """The figure that is called best, negative if more of it is better.

    Args:
      best: its plain name.
      found: {'eval/name': value}, with or without the network's name.
    """
    better = {k: v for x in available().values() for k, v in x.figures.items()}[best]
    value = next(v for name, v in found.items() if plain(name.removeprefix('eval/')) == best)
    return -value if better == figures.MORE else value


def needed(names: Iterable[str]) -> set[str]:
    """The evidence that these metrics name."""
    valid = available()
    return {x for name in names for x in inspect.signature(valid[name]).parameters}


def needs_network(names: Iterable[str]) -> bool:
    """Whether any of these metrics is of features."""
    return any(x.endswith(evidence.OF_FEATURES) for x in needed(names))


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
        of = f'[{network.name}]' if network and needs_network([name]) else ''
        try:
            values = function(**{x: given[x] for x in arguments})
        except (ValueError, AssertionError) as error:
            raise UserError(f'the metric {name}: {one_line(error)}') from error
        for figure, value in values.items():
            base, _, rest = figure.partition('/')
            found[f'{base}{of}{"/" if rest else ""}{rest}'] = float(value)
    return found


def plain(figure: str) -> str:
    """A figure's name without its network: 'frechet_distance[mnist-classifier]' has none."""
    before, bracket, rest = figure.partition('[')
    return before + rest.partition(']')[2] if bracket else figure


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
        for name, value in values.items():
            if name.startswith('eval/') and plain(name.removeprefix('eval/')) == best:
                points.append((to_lessen(best, {name: value}), values['step'], value, name))
    if not points:
        return None
    least, last = min(points), points[-1]
    ends = {'best': least, 'last': last}
    return {'figure': last[3].removeprefix('eval/')} | {
        key: {'step': x[1], 'value': x[2]} for key, x in ends.items()
    }


class Evaluation:
    """What is compared, with what, in which features.

    Attributes:
      names: the metrics.
      network: what makes features; None if no metric is of features.
      references: {'real': what samples are compared with, 'train': what was trained on}.
      given: the evidence of the references.
    """

    def __init__(
        self,
        names: Sequence[str],
        network: FeatureNetwork | None,
        references: Mapping[str, evidence.Reference],
        seed: int,
        cache: pathlib.Path | None,
    ):
        """Gathers what the metrics name of the references."""
        mixture = references['real'].dataset.mixture
        self.names = tuple(names)
        self.network, self.references = network, references
        self.given: dict[str, Any] = {'seed': seed} | ({'mixture': mixture} if mixture else {})
        for prefix, reference in references.items():
            if len(reference.dataset.class_names) > 1:
                self.given[f'{prefix}_labels'] = reference.labels()
            self.given |= evidence.gather_reference(
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
          chunks: uint8 images [n, h, w, c] or points [n, 2].
          scores: images or points -> the discriminator's logits, for metrics that name them.
          only: of the metrics only these.
          more: further evidence, such as 'fake_labels'.

        Raises:
          UserError: if a metric names what there is not.
        """
        wanted = needed(self.names if only is None else only)
        images = {'fake_images'} if 'fake_scores' in wanted else set()
        given = self.given | evidence.gather(chunks, wanted | images, self.network, 'fake')
        given |= more or {}
        if scores is not None and 'fake_scores' in wanted:
            given['fake_scores'] = scores(given['fake_images'])
            for prefix, reference in self.references.items():
                shown = reference.dataset.batch(reference.places[: evidence.KEPT])['image']
                given[f'{prefix}_scores'] = scores(shown)
        return compute(self.names if only is None else only, given, self.network)


def build(
    config: Mapping[str, Any],
    train: data.Dataset,
    *,
    num: int,
    names: Sequence[str] | None = None,
    cache: pathlib.Path | None = None,
) -> Evaluation:
    """The evaluation that a config describes.

    Samples are compared with the split config.evaluation.split, by default 'test' where the set has
    it, else with what was trained on.

    Args:
      config: the resolved config.
      train: what is trained on.
      num: how many real images at most.
      names: the metrics; by default config.evaluation.metrics.
      cache: the folder for what is kept; the user's by default.

    Raises:
      UserError: if there is no such split, or a classifier cannot be trained on the labels.
    """
    chosen, seed = config['evaluation'], config['seed']
    names = chosen['metrics'] if names is None else names
    cache = cache or features.cache_folder()
    for name in names:
        if 'aligned_pairs' in needed([name]) and not inputs.aligned(config, held_out=True):
            raise UserError(
                f'the metric {name} needs true images: translate with config.corruption or a '
                f'data set {inputs.ALIGNED}PATH, or name one in config.evaluation.dataset'
            )
    test = inputs.load_held_out(config)
    real = train if test is None else test
    split = config['data']['split'] if test is None else chosen['split'] or 'test'
    network = None
    if needs_network(names):
        network = features.load(chosen['features'], train, test, cache)
    if test is None:
        for name in (x for x in names if _of_training(x)):
            logging.warning(
                '%s is left out: %s has no other split to compare with', name, train.name
            )
        names = [x for x in names if not _of_training(x)]
    if train.mixture and 'modes' not in names:
        names = (*names, 'modes')
    references = {'real': evidence.choose(real, num, seed, split)}
    if test is not None:
        references['train'] = evidence.choose(train, num, seed, config['data']['split'])
    return Evaluation(names, network, references, seed, cache)


def _of_training(name: str) -> bool:
    return any(x.startswith('train_') for x in needed([name]))


def of_game(
    config: Mapping[str, Any], game: game_lib.Game, evaluation: Evaluation, seed: int, num: int
) -> Callable[[Any, Any], dict[str, float]]:
    """(params, aux) -> the figures of `num` samples, always of the same latents.

    Of a game that translates, of the translations of the references' sources.
    """
    given = fed(config, game, evaluation, seed, num)
    sampler = sampling.make_sampler(game)
    judge = jax.jit(game.functions['score']) if 'score' in game.functions else None
    further = None
    if 'cycles' in needed(evaluation.names) and not inputs.both_ways(game):
        raise UserError(f'cycle_error: config.game={config["game"]!r} has no way back')
    if inputs.translates(game):
        pairs = inputs.aligned(config, held_out=True)
        further = translation.more_evidence(game, needed(evaluation.names), given, pairs)

    def evaluate(params: Any, aux: Any) -> dict[str, float]:
        scores = None
        if judge is not None:

            def scores(images: np.ndarray) -> np.ndarray:
                return np.asarray(judge(params, aux, {'image': data.normalize(images)}))

        made = samples(functools.partial(sampler, params, aux), given)
        return evaluation(made, scores, more=further((params, aux)) if further else None)

    return evaluate


def fed(
    config: Mapping[str, Any], game: game_lib.Game, evaluation: Evaluation, seed: int, num: int
) -> Any:
    """What images are made of: latents, or the sources of the real images compared with."""
    if not inputs.translates(game):
        return sampling.draw_latents(game, seed, num)
    real = evaluation.references['real']
    return inputs.Sources(config, real.dataset, real.places)


def samples(make: Callable, given: Any) -> Iterator[np.ndarray]:
    """make(given), chunk by chunk."""
    starts = range(0, len(given), evidence.CHUNK)
    hidden = len(starts) < 4 or not sys.stderr.isatty()
    for start in tqdm.tqdm(starts, 'samples', disable=hidden, leave=False):
        yield make(given[start : start + evidence.CHUNK])
