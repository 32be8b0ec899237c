"""Whether networks and metrics fit the data, the batch and the machine; nothing is compiled."""

import functools
import importlib.util
import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax import modalities
from gan_jax.config.checks import fitting
from gan_jax.data import Dataset
from gan_jax.errors import UserError
from gan_jax.evaluation import evaluator, labels, menu, statistics
from gan_jax.game import Game
from gan_jax.runtime import mirror, parallel
from gan_jax.sampling import sampler
from gan_jax.sampling.reconstruction import reconstructs

STATISTICS, MEAN = 'batch_stats', 'mean'  # flax's names
# What a config says of the generator's losses that need more than logits.
HEADS = ('feature_matching', 'class_head', 'information', 'matching')
# Evidence that not all data or games have, and what has it.
CONDITIONS = {
    'sequences': 'series, as config.dataset=sines is',
    'mixture': 'points drawn from a mixture, as config.dataset=ring8 is',
    'real_labels': 'a data set with classes',
    'fake_labels': 'samples with labels, which networks that ask for a label make, and two folders '
    'of classes have (--real and --fake)',
    'classified': 'a game that classifies, as semi_supervised',
    'columns': 'a table, as config.dataset=table:PATH.csv is',
    'target': 'a column to predict, which config.data.target names',
    'rate': 'sounds, as a folder of .wav and .flac files is',
    'recognized': 'a game that reads codes off examples, as infogan',
    'likelihoods': 'a game that knows how likely an example is, as seqgan',
    'unit': 'texts, as config.dataset=text:PATH is',
    'vocabulary': 'texts, as config.dataset=text:PATH is',
    'dictionary': 'a file of real words, which config.data.dictionary names',
    'oracle': 'data whose law is known, as config.dataset=oracle',
    **dict.fromkeys(
        statistics.SCORES,
        'a game whose discriminator scores examples, with classes if it asks for them',
    ),
}


def check_networks(
    game: Game, example: Mapping[str, Any], kind: str, generator: str, losses: bool
) -> None:
    """Raises UserError unless the networks can be built and make such examples.

    Args:
      game: the game.
      example: a prepared batch of one.
      kind: what examples are, for messages.
      generator: what the config calls its network, for messages.
      losses: whether the generator's losses ask for what discriminators need not have.
    """

    def make() -> Any:
        params, aux = jax.eval_shape(game.init, jax.random.key(0), example)
        made_of = example['real'] if reconstructs(game) else example.get('source')
        if made_of is None:
            rng = jax.random.split(jax.random.key(0), 1)
            made_of = jax.eval_shape(game.functions['prior'], rng)
        if losses:  # an error of these has nothing to do with shapes, and is handed on as it is
            played = functools.partial(_play, game, params, aux, example, 1, 'generator')
            fitting('config.discriminator', played)
        return jax.eval_shape(sampler.generate(game), params, aux, made_of)

    what = f'the networks cannot be built for {kind}'
    shape = fitting(what, make, 'those of mixture and mlp take any shape').shape
    if shape != example['real'].shape:
        raise UserError(
            f'config.generator.name={generator!r} makes arrays of shape {shape[1:]}, not examples '
            f'of {example["real"].shape[1:]}; is it a generator?'
        )


def _play(
    game: Game, params: Any, aux: Any, batch: Mapping[str, Any], devices: int, player: str = ''
) -> None:
    """Evaluates the losses of a player, or of all, abstractly on one device of several."""
    num = len(next(iter(batch.values())))
    keys = jax.random.split(jax.random.key(0), num)
    for turn in game.turns:
        if not player or player in turn.players:
            # Batch statistics ask for the axis of the devices.
            alone = jax.vmap(turn.loss, None, axis_name=parallel.AXIS, axis_size=devices)
            jax.eval_shape(alone, params, {**aux, 'step': jnp.int32(1)}, batch, keys)


def check_statistics(game: Game, example: Mapping[str, Any], part: int, devices: int) -> None:
    """Raises UserError if batch normalisation would see one number at a time.

    (x - mean) / deviation of one number is 0 whatever x is: no gradient passes, and what lies below
    learns nothing. Who keeps a mean of its batches is asked in the losses themselves.

    Args:
      game: the game.
      example: a prepared batch of one.
      part: examples of a device's micro-batch.
      devices: over how many devices statistics are averaged.
    """
    lonely: list[str] = []

    def watch(call: Callable, args: Sequence[Any], kwargs: Any, context: Any) -> Any:
        module = context.module
        trained = module.is_mutable_collection(STATISTICS)
        if context.method_name == '__call__' and module.has_variable(STATISTICS, MEAN) and trained:
            mean = module.get_variable(STATISTICS, MEAN)
            if args[0].size * devices == mean.size:
                root = module
                while isinstance(root.parent, nn.Module):
                    root = root.parent
                lonely.append(f'{"/".join(module.path)} of {type(root).__name__}')
        return call(*args, **kwargs)

    batch = {name: jnp.zeros((part, *x.shape[1:]), x.dtype) for name, x in example.items()}
    params, aux = jax.eval_shape(game.init, jax.random.key(0), example)
    with nn.intercept_methods(watch):
        _play(game, params, aux, batch, devices)
    if lonely:
        raise UserError(
            f'config.batch_size and config.micro_batches leave one example (or pack) to a part of '
            f'a batch, and the batch normalisation {lonely[0]} makes 0 of a single number: nothing '
            f'would be learned; give parts of two or more, or another norm than batch'
        )


def check_baseline(
    baseline: Callable, source_shape: tuple[int, ...], shape: tuple[int, ...]
) -> None:
    """Raises UserError unless a baseline makes examples of that shape of sources of this one."""
    call = functools.partial(jax.eval_shape, baseline, jnp.zeros((1, *source_shape)))
    answer = fitting('config.baseline', call).shape[1:]
    if answer != shape:
        raise UserError(f'config.baseline makes images of {answer}, not of {shape}')


def memory() -> float:
    """This machine's memory in bytes; infinite if it does not say."""
    try:
        return float(os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES'))
    except (AttributeError, ValueError, OSError):
        return math.inf


def size(tree: Any) -> int:
    """The bytes of a tree of arrays or of their shapes."""
    leaves = [x for x in jax.tree.leaves(tree) if hasattr(x, 'shape')]
    return sum(math.prod(x.shape) * x.dtype.itemsize for x in leaves)


def check_memory(needed: Mapping[str, int]) -> None:
    """Raises UserError if one thing alone is larger than this machine's memory.

    Args:
      needed: {what needs it: bytes at least}.
    """
    for what, num in needed.items():
        if num > memory():
            raise UserError(
                f'{what} needs at least {num / 1e9:.4g} GB, and this machine has '
                f'{memory() / 1e9:.4g} GB; give less'
            )


def check_classes(names: Sequence[str], trained: Dataset, real: Dataset, game: Game) -> None:
    """Raises UserError if labels of the run and of what it is compared with differ in meaning.

    Args:
      names: the metrics.
      trained: what the run is trained on, whose classes samples are asked for, or named.
      real: what samples are compared with.
      game: the run's.
    """
    if [*trained.class_names] == [*real.class_names]:
        return
    conditional = sampler.draws_labels(game)
    told = ({'fake_labels'} if conditional else set()) | {'classified'}
    for name in names:
        wanted = menu.needed([name])
        shown = conditional and wanted & statistics.SCORES
        if shown or ('real_labels' in wanted and wanted & told):
            raise UserError(
                f'the metric {name} compares classes, and {real.name} has others than '
                f'{trained.name}, which the run was trained on; leave it out'
            )


def _installed(package: str) -> bool:
    """Whether a package can be imported; a folder of its name, such as a run's ./wandb, is none."""
    spec = importlib.util.find_spec(package)
    return spec is not None and spec.origin is not None


def check_packages(names: Sequence[str]) -> None:
    """Raises UserError if the package that computes one of these metrics is not installed."""
    for name in names:
        package, extra = getattr(menu.metric(name), 'package', (None, None))
        if package and not _installed(package):
            raise UserError(f"the metric {name} needs: pip install 'gan_jax[{extra}]'")


def check_mirror(project: str, private: bool) -> None:
    """Raises UserError if what is logged cannot be shown: no package, or a private run."""
    if project and private:
        raise UserError(
            f'config.wandb={project} tells others the command line, and who knows the seed of a '
            f'private run can take its noise away; leave config.wandb empty'
        )
    if project and not _installed(mirror.PACKAGE):
        raise UserError(
            f"config.wandb={project} needs: pip install 'gan_jax[wandb]'; or leave it empty"
        )


def check_evidence(names: Sequence[str], real: Dataset, game: Game, held_out: bool) -> None:
    """Raises UserError for the first metric that needs a package or evidence that is not there.

    Args:
      names: the metrics.
      real: what samples are compared with.
      game: the run's.
      held_out: whether that is another split than what is trained on.
    """
    check_packages(names)
    if reconstructs(game):
        raise UserError(
            'this game makes no samples, and its reconstructions are compared with their own '
            'originals by --mode=score alone; leave config.eval_every at 0'
        )
    absent = set() if sampler.draws_labels(game) else {'fake_labels'}
    absent |= set() if real.mixture else {'mixture'}
    modality = modalities.make(modalities.settings_of(real))
    absent |= set() if modality.sequences else {'sequences'}
    absent |= {x for x in evaluator.TOLD if not real.fitted.get(x)}
    absent |= set() if len(real.class_names) > 1 else {'real_labels'}
    absent |= labels.OWN.keys() - labels.said_by(game).keys()
    unlabelled = sampler.draws_labels(game) and 'real_labels' in absent
    if 'score' not in game.functions or unlabelled:
        absent |= statistics.SCORES
    for name in names:
        for evidence in sorted(menu.needed([name]) & absent):
            raise UserError(
                f'the metric {name} needs {CONDITIONS[evidence]}, and {real.name} with this game '
                f'has none of that; leave it out'
            )
    of_training = [any(x.startswith('train_') for x in menu.needed([y])) for y in names]
    if not held_out and all(of_training):
        raise UserError(
            f'{", ".join(names)}: {real.name} has no other split to compare with; name one in '
            f'config.evaluation.split (--split), or other metrics'
        )
