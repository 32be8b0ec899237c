"""What a config stands for: read here, once; everything is checked, nothing is compiled."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
import optax

from gan_jax import data, keys, modalities
from gan_jax import game as game_lib
from gan_jax.config import (
    defaults,
    features,
    fit,
    inputs,
    resolve,
    saved,
    trained,
    training,
    validate,
)  # fmt: skip
from gan_jax.config.datasets import Open
from gan_jax.errors import UserError, one_line
from gan_jax.evaluation import evaluator, labels, menu
from gan_jax.modalities import Modality
from gan_jax.runtime import buckets, own, parallel, replicas
from gan_jax.runtime import cache as cache_lib
from gan_jax.sampling import reconstruction, sampler, translation


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A run as all parts of the program know it; the same in training and after it.

    Attributes:
      config: the resolved config: what the data decide is filled in.
      modality: what an example is.
      game: the game.
      optimizers: one for each player that moves.
      decays: of the running averages, for each player that has one.
      prepare: (keys, batch) -> batch, applied inside the step.
      degrade: (keys, examples) -> sources, for restoration; or None.
      baseline: sources -> examples, the classical answer to them; or None.
      aligned: whether sources have their true images where translations are evaluated.
      given: split -> the data, if these were handed over in Python.
    """

    config: dict[str, Any]
    modality: Modality
    game: game_lib.Game = dataclasses.field(repr=False)
    optimizers: Mapping[str, optax.GradientTransformation] = dataclasses.field(repr=False)
    decays: Mapping[str, Callable] = dataclasses.field(repr=False)
    prepare: Callable = dataclasses.field(repr=False)
    degrade: Callable | None = None
    baseline: Callable | None = None
    aligned: bool = False
    given: Open | None = None

    @functools.cached_property
    def seeds(self) -> list[int]:
        """The seeds that are trained: seed, seed + 1, ..."""
        return replicas.seeds(self.config['seed'], self.config['num_replicas'])

    @property
    def zero_divides(self) -> bool:
        """Whether the sign of a logit is known to say real or generated, of this objective."""
        objective = self.config['objective']
        name = objective if isinstance(objective, str) else objective['name']
        return not (own.named(name) or name.startswith(('wasserstein', 'relativistic')))

    @functools.cached_property
    def fed(self) -> data.Dataset:
        """What is trained on, perhaps larger than what networks see, to be cropped."""
        return inputs.load_fed(self.config, self.given)

    @functools.cached_property
    def dataset(self) -> data.Dataset:
        """The same as it is shown and compared."""
        return inputs.as_shown(self.config, self.fed)

    @functools.cached_property
    def held_out(self) -> data.Dataset | None:
        """What evaluations compare samples with; None if that is what is trained on."""
        return inputs.load_held_out(self.config, self.given)

    def scored(self, split: str) -> data.Dataset:
        """A split with all its classes, see `inputs.load_scored`."""
        return inputs.load_scored(self.config, split, self.given)

    @property
    def shown(self) -> data.Dataset:
        """What pictures are of: to translate, held-out data if there are any."""
        if translation.translates(self.game) and self.held_out is not None:
            return self.held_out
        return self.dataset

    @property
    def source_shape(self) -> tuple[int, ...]:
        """The shape of what is translated."""
        return inputs.source_shape(self.modality, self.degrade)

    @property
    def example(self) -> dict[str, jax.Array]:
        """A prepared batch of one, all zeros."""
        return inputs.example(self.config, self.game, self.modality, self.degrade)

    @functools.cached_property
    def init(self) -> Callable[..., game_lib.State]:
        """(trained=None) -> the state before the first step, compiled; see `game.init`."""
        example = self.example

        def begin(seed: Any, trained: Any) -> game_lib.State:
            return game_lib.init(self.game, self.optimizers, seed, example, self.decays, trained)

        def init(trained: Any = None) -> game_lib.State:
            one = functools.partial(begin, trained=trained)
            return replicas.init(one, self.seeds, game_lib.REPLICA_AXES)

        return jax.jit(init)

    def begin(self) -> game_lib.State:
        """The state that a new run starts from, with the players of `init_from` if there are any.

        Raises:
          UserError: if that is a run without a checkpoint, or none of its players fit.
        """
        return self.init(self._trained()) if self.config['init_from'] else self.init()

    def _trained(self) -> tuple[Any, Any]:
        """(params, aux) of the players of `init_from` that this game has, too."""
        where = buckets.at(self.config['init_from'])
        wanted = jax.eval_shape(self.game.init, jax.random.key(0), self.example)
        is_run = trained.is_run(where)
        given = restore(where).variables(0) if is_run else trained.read(where, wanted)
        return trained.fitted(where, given, wanted, trained.constant(self.game))

    def check_weights(self) -> None:
        """Raises UserError if `init_from` names weights that cannot be read or do not fit."""
        where = self.config['init_from']
        if where and not trained.is_run(buckets.at(where)):
            self._trained()

    def sources(self, dataset: data.Dataset, places: np.ndarray) -> translation.Sources:
        """Sources of a data set's examples, always the same."""
        return translation.Sources(
            dataset, places, self.modality.encode, self.degrade, self.config['seed']
        )

    def picture(self, seed: int, num: int) -> tuple[np.ndarray, Callable[..., np.ndarray]]:
        """Real examples, and (params, aux) -> a picture of what players make, always of the same.

        Args:
          seed: of the prior's draws.
          num: how many examples there are at most.
        """
        places = np.random.default_rng(self.config['seed']).permutation(len(self.shown))[:num]
        real = self.shown.batch(places)['real']
        if translation.translates(self.game):
            made_of = self.sources(self.shown, places)
            return real, translation.make_picture(self.game, self.modality, made_of)
        if reconstruction.reconstructs(self.game):
            return real, reconstruction.make_picture(self.game, self.modality, real)
        drawn = sampler.draw_inputs(self.game, seed, num)
        return real, sampler.make_picture(self.game, self.modality, real, drawn)

    def check_metrics(self, names: Sequence[str]) -> None:
        """Raises UserError if the data or the game cannot give one of these metrics."""
        held_out = self.held_out
        real = self.dataset if held_out is None else held_out
        evaluator.check_game(names, self.game)
        fit.check_evidence(names, real, self.game, held_out is not None)
        fit.check_classes(names, self.dataset, real, self.game)
        for name in names:
            features = self.config['evaluation']['features']
            labels.check_classes(name, menu.needed([name]), features)

    @property
    def changes(self) -> bool:
        """Whether the discriminator is shown other examples than there are: augmented, cropped."""
        return bool(any(self.config['augment'].values()) or self.config['data']['load_size'])

    def as_fed(self, places: np.ndarray) -> np.ndarray:
        """Examples of the data set as the discriminator may be shown them, as they are stored."""
        root = keys.fold_in_name(jax.random.key(self.config['seed']), 'as_fed')

        def shown(batch: Mapping[str, jax.Array]) -> jax.Array:
            return self.modality.decode(
                self.prepare(keys.per_example(root, len(places)), batch)['real']
            )

        return np.asarray(jax.jit(shown)(self.fed.batch(places)))

    def evaluation(
        self, num: int, names: Sequence[str] | None = None, cache: pathlib.Path | None = None
    ) -> evaluator.Evaluation:
        """What samples are compared with.

        Args:
          num: how many real examples at most.
          names: the metrics; by default config.evaluation.metrics.
          cache: where networks and references are kept; the user's cache folder by default.

        Raises:
          UserError: if a metric cannot be had of these data.
        """
        chosen, cache = self.config['evaluation'], cache or cache_lib.folder()
        names = chosen['metrics'] if names is None else names
        self.check_metrics(names)
        if 'fake_labels' in menu.needed(names):
            evaluator.check_counts(names, {'each_fake_class': self.fewest_drawn(num)})
        return evaluator.build(
            names,
            modality=self.modality,
            train=self.dataset,
            held_out=self.held_out,
            splits=(self.config['data']['split'], chosen['split'] or 'test'),
            aligned=self.aligned,
            load_network=lambda: features.load(
                chosen['features'], self.modality, self.dataset, self.held_out, cache
            ),
            num=num,
            seed=self.config['seed'],
            cache=cache,
            repeats=chosen['repeats'],
            generated=None if translation.translates(self.game) else num,
        )

    def fewest_drawn(self, num: int) -> int:
        """Of `num` samples of a conditional game, of any seed, the fewest in a class."""
        drawn = [sampler.draw_inputs(self.game, seed, num)['label'] for seed in self.seeds]
        classes = len(self.dataset.class_names)
        return min(labels.fewest(np.asarray(x), classes) for x in drawn)

    def evaluated(self, evaluation: evaluator.Evaluation, seed: int, num: int) -> Any:
        """What an evaluation's examples are made of: draws of the prior, or the sources."""
        if not translation.translates(self.game):
            return sampler.draw_inputs(self.game, seed, num)
        real = evaluation.references['real']
        return self.sources(real.dataset, real.places)

    def evaluate(
        self, evaluation: evaluator.Evaluation, seed: int, num: int
    ) -> Callable[[Any, Any], evaluator.Found]:
        """(params, aux) -> the figures of `num` samples of a seed; of translations, of them all."""
        given = self.evaluated(evaluation, seed, num)
        return evaluator.of_game(self.game, evaluation, given, self.aligned)


def check(config: Mapping[str, Any]) -> Callable[..., game_lib.Game]:
    """Checks all that can be checked of a config before its data are read.

    Returns:
      What builds the game once they are, see `resolve.resolve_game`.

    Raises:
      UserError: if a key is unknown or missing, or a value is none of its kind.
    """
    validate.check(config)
    validate.check_batches(config, parallel.num_devices())
    inputs.check_augment(config)
    inputs.check_datasets(config)
    make_game = resolve.resolve_game(config)
    inputs.degradation(config)
    inputs.baseline(config)
    draft = make_game(shape=None)
    inputs.check_sources(config, draft)
    inputs.check_labelled(config, draft)
    inputs.check_constant(config, draft)
    resolve.build_optimizers(config, draft)
    return make_game


def build(config: Mapping[str, Any], given: Open | None = None) -> Experiment:
    """Checks everything that a config says and builds what it stands for.

    Names and arguments are checked before the data are read, which may take minutes.

    Args:
      config: the config.
      given: split -> the data, of a run that is handed them in Python.

    Raises:
      UserError: if anything in it is wrong, or its data set cannot be used.
    """
    config = defaults.renewed(config)
    make_game = check(config)
    where = config['init_from']
    init_config = trained.record(buckets.at(where)) if where else {}
    fed = inputs.load_fed(config, given)
    dataset = inputs.as_shown(config, fed)
    settings = modalities.settings_of(dataset) | inputs.class_shares(config, dataset)
    size, channels = modalities.image_options(settings)
    resolved = {
        **config,
        'image_size': size,
        'data': {**config['data'], 'channels': channels},
        'modality': settings,
        'init_config': init_config,
        'privacy': inputs.privacy(config, make_game(shape=None), dataset),
    }
    experiment = _assembled(resolved, make_game, given)
    experiment.__dict__.update(fed=fed, dataset=dataset)  # read already
    experiment.check_weights()
    training.check(experiment, parallel.num_devices())
    return experiment


def rebuild(config: Mapping[str, Any], given: Open | None = None) -> Experiment:
    """The experiment of a resolved config, such as a work directory's; reads no data.

    Raises:
      UserError: if anything in it is wrong.
    """
    try:
        validate.check(config)
        return _assembled(dict(config), resolve.resolve_game(config), given)
    except (AttributeError, ImportError, LookupError, TypeError, ValueError) as error:
        raise UserError(
            f'the config of this run is damaged ({type(error).__name__}: {one_line(error)}); '
            f'restore its {saved.CONFIG} from a copy, or train with another --workdir'
        ) from error


def _assembled(
    config: dict[str, Any], make_game: Callable[..., game_lib.Game], given: Open | None
) -> Experiment:
    modality = modalities.make(config['modality'])
    degrade, baseline = inputs.degradation(config), inputs.baseline(config)
    prepare = inputs.build_prepare(config, modality, degrade)
    inputs.check_shown(config, modality)
    game = make_game(shape=modality.shape, privacy=config['privacy'], **modality.fields)
    if baseline is not None:
        fit.check_baseline(baseline, inputs.source_shape(modality, degrade), modality.shape)
    example = inputs.example(config, game, modality, degrade)
    heads = any(config.get(key) for key in fit.HEADS)
    fit.check_networks(game, example, modality.name, config['generator']['name'], heads)
    optimizers, decays = resolve.build_optimizers(config, game)
    aligned = inputs.aligned(config, held_out=True)
    return Experiment(
        config, modality, game, optimizers, decays, prepare, degrade, baseline, aligned, given
    )


class Run(NamedTuple):
    """A run as its newest or its best checkpoint has it.

    Attributes:
      experiment: what its config stands for.
      step: the checkpoint's.
      state: the state, of several seeds with an axis.
    """

    experiment: Experiment
    step: int
    state: game_lib.State

    def variables(self, replica: int, averaged: bool = True) -> Any:
        """(params, aux) of one seed, with the running averages where there are any.

        Raises:
          UserError: if there is no such replica, counted from 0.
        """
        seeds = self.experiment.seeds
        replicas.check(replica, seeds)
        choose = game_lib.averaged if averaged else game_lib.current
        return replicas.split(choose(self.state), len(seeds))[replica]


def restore(workdir: pathlib.Path, best: bool = False, experiment: Experiment | None = None) -> Run:
    """What a run has come to.

    Args:
      workdir: a run's work directory.
      best: the best checkpoint by the evaluated figure, not the newest.
      experiment: the run's, if it is at hand; by default that of the directory's config.

    Raises:
      UserError: if there is no run, or it has no sound checkpoint.
    """
    experiment = experiment or rebuild(saved.read_config(workdir))
    restored = None
    if (workdir / saved.CHECKPOINTS).exists():
        checkpoints = saved.open_checkpoints(workdir, read_only=True)
        if best and not checkpoints.evaluated():
            checkpoints.close()
            raise UserError(
                f'{workdir} has no best checkpoint: it was never evaluated; leave --best out, or '
                f'train with --config.eval_every=1000, say'
            )
        restored = checkpoints.restore(jax.eval_shape(experiment.init), best)
        checkpoints.close()
    if restored is None:
        raise UserError(f'{workdir} has no checkpoint yet; train with --workdir={workdir} first')
    step, state, _ = restored
    return Run(experiment, step, state)
