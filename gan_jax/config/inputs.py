"""What a game is fed, as a config says: data sets, sources, and how batches are prepared."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax import augment, data, keys
from gan_jax.config import datasets, private, trained
from gan_jax.config.checks import (
    Kind,
    begins_with,
    check_arguments,
    check_options,
    fitting,
    functions_with,
    named,
)
from gan_jax.config.datasets import Open
from gan_jax.data import sources
from gan_jax.errors import NoSplit, UserError
from gan_jax.game import Game
from gan_jax.modalities import Modality
from gan_jax.restoration import baselines, degradations, sounds
from gan_jax.runtime import processes
from gan_jax.sampling.translation import both_ways, translates

ALIGNED, UNALIGNED = sources.PAIRED, sources.UNPAIRED
# Of data that are not trained on.
ALL_AS_THEY_ARE = {'labelled': 0, 'balanced': False, 'by_condition': False}
Prepare = Callable[[Any, Mapping[str, Any]], dict[str, Any]]


def own_share() -> data.Share:
    """The part of all data that this process reads."""
    return data.Share(processes.index(), processes.count(), processes.everyones)


def load_fed(config: Mapping[str, Any], given: Open | None = None) -> data.Dataset:
    """The data set that a config trains on, of the size that is cropped if there is one.

    All processes call this, and each reads its share.

    Args:
      config: the config.
      given: split -> the data, of a run that is handed them in Python.

    Raises:
      UserError: if it is missing, not prepared or too broken.
    """
    options = dict(config['data'])
    name, split, told = config['dataset'], options['split'], options.pop('options')
    dataset = datasets.opened(name, split, told, given, own_share())
    size = options.pop('load_size') or config['image_size']
    labelled, classes = options.pop('labelled'), options.pop('only_classes')
    balanced = options.pop('balanced')
    if labelled and balanced:
        raise UserError(
            f'config.data.balanced=True: the {labelled} examples of config.data.labelled are as '
            f'many of each class; leave it at False'
        )
    if isinstance(dataset, data.Dataset):
        loaded = _whole(dataset, size)
    else:
        loaded = data.load(dataset, image_size=size, share=own_share(), **options)
    loaded = loaded.only(classes) if classes else loaded
    loaded = loaded.balanced() if balanced else loaded
    return data.few_labels(loaded, labelled) if labelled else loaded


def _whole(dataset: data.Dataset, size: int | None) -> data.Dataset:
    """A data set that needs no reading; raises UserError if it has images of another size."""
    if size not in (None, dataset.shape[0]):
        raise UserError(
            f'config.image_size={size}: {dataset.name} has images of {dataset.shape}, and those of '
            f'a Dataset are taken as they are; leave it None, or give a Source'
        )
    return dataset


def class_shares(config: Mapping[str, Any], dataset: data.Dataset) -> dict[str, Any]:
    """What a modality's settings say of samples' classes: those of a data set, or nothing."""
    if config['sample_labels'] == 'balanced':
        return {}
    counts = np.bincount(dataset.labels, minlength=len(dataset.class_names))
    return {'class_shares': (counts / counts.sum()).tolist()}


def privacy(config: Mapping[str, Any], game: Game, dataset: data.Dataset) -> dict[str, Any]:
    """The settled settings of privacy, see `private.settled`."""
    given = config['privacy']
    return private.settled(given, config['batch_size'], config['steps'], game, dataset)


def as_shown(config: Mapping[str, Any], dataset: data.Dataset) -> data.Dataset:
    """The same with the middle of each image where training takes random crops."""
    return dataset.cropped(config['image_size']) if config['data']['load_size'] else dataset


def _another(config: Mapping[str, Any], name: str, split: str, **changes: Any) -> dict[str, Any]:
    """A config that reads other data, whole."""
    options = config['data']['options'] if name == config['dataset'] else {}
    told = {**config['data'], **ALL_AS_THEY_ARE, **changes, 'split': split, 'options': options}
    return {**config, 'dataset': name, 'data': told}


def load_held_out(config: Mapping[str, Any], given: Open | None = None) -> data.Dataset | None:
    """What evaluations compare samples with: config.evaluation.split, 'test' if that is None.

    Returns:
      The data set; None if neither a split nor a data set was named and there is no 'test', or what
      was named is what is trained on.

    Raises:
      UserError: if there is no such split, or it cannot be used.
    """
    split, other = config['evaluation']['split'], config['evaluation']['dataset']
    name = other or config['dataset']
    if (name, split or 'test') == (config['dataset'], config['data']['split']):
        return None
    changed = _another(config, name, split or 'test')
    try:
        return as_shown(changed, load_fed(changed, given))
    except NoSplit:
        if split or other:
            raise
        return None


def load_scored(config: Mapping[str, Any], split: str, given: Open | None = None) -> data.Dataset:
    """A split of the data set that is evaluated, with all its classes.

    Raises:
      UserError: if there is none, or what is trained on is a part of it.
    """
    name = config['evaluation']['dataset'] or config['dataset']
    own = config['data']['split']
    alike = name == config['dataset'] and split.partition('[')[0] == own.partition('[')[0]
    slices = '[' in split and '[' in own  # which may be different parts
    if alike and (split == own or not slices):
        raise UserError(
            f'--split={split}: {name} {own} is what this run was trained on, so its scores '
            f'would say nothing of others; name another split'
        )
    changed = _another(config, name, split, only_classes=())
    return as_shown(changed, load_fed(changed, given))


def aligned(config: Mapping[str, Any], held_out: bool = False) -> bool:
    """Whether each source has its true image, in training or where it is evaluated."""
    name = (config['evaluation']['dataset'] if held_out else None) or config['dataset']
    return bool(config['corruption']) or name.startswith(ALIGNED)


def sourced(config: Mapping[str, Any]) -> bool:
    """Whether a config's data have sources."""
    return bool(config['corruption']) or config['dataset'].startswith((ALIGNED, UNALIGNED))


def degradation(config: Mapping[str, Any]) -> Callable | None:
    """(keys [n], images) -> sources; None if the config has none.

    Raises:
      UserError: if it is unknown.
    """
    of_sounds = functions_with(sounds, 'rng', 'waves')
    valid = functions_with(degradations, 'rng', 'images') | of_sounds
    fits = functools.partial(begins_with, first='rng')
    kind = Kind(valid, fits, 'a function of rng and examples')
    return _function('config.corruption', config['corruption'], kind, 2)


def baseline(config: Mapping[str, Any]) -> Callable | None:
    """sources -> examples: the classical answer that a translation is compared with, or None.

    Raises:
      UserError: if it is unknown.
    """
    valid = functions_with(baselines, 'sources') | functions_with(sounds, 'sources')
    fits = functools.partial(begins_with, first='sources')
    kind = Kind(valid, fits, 'a function of sources')
    return _function('config.baseline', config['baseline'], kind, 1)


def _function(what: str, value: Any, kind: Kind, given: int) -> Callable | None:
    """A function by its name, with options; so many of its first arguments are no options."""
    if not value:
        return None
    function, options = named(what, value, kind)
    check_arguments(what, function, options, tuple(inspect.signature(function).parameters)[:given])
    check_options(what, function, options)
    return functools.partial(function, **options)


def check_sources(config: Mapping[str, Any], game: Game) -> None:
    """Raises UserError unless a game that translates has sources, and no other has any.

    Sources are needed where it is evaluated, too; and a baseline answers to sources only.
    """
    if config['corruption'] and sourced({**config, 'corruption': {}}):
        raise UserError(
            f'config.corruption={config["corruption"].get("name")!r}: {config["dataset"]} has '
            f'sources of its own; use one or the other'
        )
    if translates(game) and not sourced(config):
        raise UserError(
            f'config.game={config["game"]!r} translates, so it needs sources: give '
            f'config.corruption, or config.dataset={ALIGNED}PATH or {UNALIGNED}PATH'
        )
    if translates(game) and not both_ways(game) and not aligned(config):
        raise UserError(
            f'config.game={config["game"]!r} needs pairs, and {config["dataset"]} has none; use '
            f'{ALIGNED}PATH, or config.game=cyclegan'
        )
    if sourced(config) and not translates(game):
        raise UserError(
            f'config.game={config["game"]!r} has no use for sources; leave config.corruption '
            f'empty and name a data set without {ALIGNED} or {UNALIGNED}'
        )
    if config['baseline'] and not translates(game):
        raise UserError(
            f'config.game={config["game"]!r} translates nothing, so there is nothing to compare '
            f'with; leave config.baseline empty'
        )
    other = config['evaluation']['dataset']
    if other and translates(game) and not sourced({**config, 'dataset': other}):
        raise UserError(
            f'config.evaluation.dataset={other!r} has no sources to translate; name a data set '
            f'{ALIGNED}PATH or {UNALIGNED}PATH'
        )


def check_labelled(config: Mapping[str, Any], game: Game) -> None:
    """Raises UserError unless a game that learns to classify knows few labels, and no other."""
    labelled = config['data']['labelled']
    if labelled and 'classify' not in game.functions:
        raise UserError(
            f'config.data.labelled={labelled}: config.game={config["game"]!r} does not learn from '
            f'few labels; leave it at 0'
        )
    if not labelled and 'classify' in game.functions:
        raise UserError(
            f'config.game={config["game"]!r} learns from few labels; say how many in '
            f'config.data.labelled, 100, say'
        )


def check_constant(config: Mapping[str, Any], game: Game) -> None:
    """Raises UserError if players that no turn moves are taken from nowhere."""
    names = trained.constant(game)
    if names and not config['init_from']:
        raise UserError(
            f'config.game={config["game"]!r} trains no {" and no ".join(names)}; give '
            f'--config.init_from=WORKDIR, a run that has trained them, of wgan_gp, say'
        )


def source_shape(modality: Modality, degrade: Callable | None) -> tuple[int, ...]:
    """The shape of a source: that of an example, or of what a degradation makes of one.

    Raises:
      UserError: if the degradation cannot be applied to such examples.
    """
    if degrade is None:
        return modality.shape
    rng, example = jax.random.split(jax.random.key(0), 1), jnp.zeros((1, *modality.shape))
    call = functools.partial(jax.eval_shape, degrade, rng, example)
    return fitting('config.corruption', call, f'the data are {modality.name}').shape[1:]


def example(
    config: Mapping[str, Any], game: Game, modality: Modality, degrade: Callable | None
) -> dict[str, jax.Array]:
    """A prepared batch of one, all zeros.

    Raises:
      UserError: if the degradation cannot be applied to such examples.
    """
    batch = {'real': jnp.zeros((1, *modality.shape)), 'label': jnp.zeros((1,), jnp.int32)}
    if config['data']['labelled']:
        batch['labelled'] = batch['real']
    if config['data']['by_condition']:
        batch['condition'] = jnp.zeros((1, 1), jnp.int32)
    if translates(game):
        batch['source'] = jnp.zeros((1, *source_shape(modality, degrade)))
        if both_ways(game) and batch['source'].shape != batch['real'].shape:
            raise UserError(
                f'config.game={config["game"]!r} needs two domains of one shape; '
                f'config.corruption makes {batch["source"].shape[1:]} of {modality.shape}'
            )
    return batch


def check_datasets(config: Mapping[str, Any]) -> None:
    """Raises UserError unless functions that a config names for data are there."""
    name, options = config['dataset'], config['data']['options']
    datasets.function('config.dataset', name, options)
    other = config['evaluation']['dataset']
    if other not in (None, name):
        datasets.function('config.evaluation.dataset', other, {})


def check_augment(config: Mapping[str, Any]) -> None:
    """Raises UserError if an augmentation cannot be as strong as asked."""
    fitting('config.augment', functools.partial(augment.compose, config['augment']))


def check_shown(config: Mapping[str, Any], modality: Modality) -> None:
    """Raises UserError if the discriminator would be shown augmented what cannot be augmented."""
    if config['cures']['augmentation'] and modality.augment is None:
        raise UserError(
            f'config.cures.augmentation: {modality.name} are not augmented; leave it empty'
        )


def build_prepare(
    config: Mapping[str, Any], modality: Modality, degrade: Callable | None
) -> Prepare:
    """(keys [n], batch) -> batch, encoded, cropped, augmented, with its sources.

    A source and its true image are cropped and augmented as one; those of unpaired sets apart.

    Raises:
      UserError: if these examples are not augmented, or crops would be too large.
    """
    augmentation = None
    if any(config['augment'].values()):
        if modality.augment is None:
            raise UserError(f'config.augment: {modality.name} are not augmented; leave it as it is')
        augmentation = modality.augment(config['augment'])
    paired, load_size, size = aligned(config), config['data']['load_size'], config['image_size']
    if load_size and (not size or size > load_size):
        raise UserError(
            f'config.data.load_size={load_size} is what crops of config.image_size={size} are '
            f'taken of; give an image_size that is not larger'
        )

    def change(rng, examples):
        if load_size:
            examples = augment.random_crop(keys.of_name(rng, 'crop'), examples, size)
        return examples if augmentation is None else augmentation(rng, examples)

    def prepare(rng, batch):
        real = modality.encode(batch['real'])
        source = modality.encode(batch['source']) if 'source' in batch else None
        if source is not None and paired:
            both = change(rng, jnp.concatenate([source, real], axis=-1))
            source, real = jnp.split(both, [source.shape[-1]], axis=-1)
        else:
            real = change(rng, real)
            if source is not None:
                source = change(keys.of_name(rng, 'source'), source)
        if degrade is not None:
            source = degrade(keys.of_name(rng, 'corruption'), real)
        more = {} if source is None else {'source': source}
        if 'labelled' in batch:
            labelled = modality.encode(batch['labelled'])
            more['labelled'] = change(keys.of_name(rng, 'labelled'), labelled)
        return {**batch, 'real': real, **more}

    return prepare
