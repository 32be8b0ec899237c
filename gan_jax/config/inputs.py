"""What a game is fed, as a config says: its data set, its sources, and how batches are prepared."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax import augment, data, keys
from gan_jax.config.checks import check_arguments, check_options, functions_with, named
from gan_jax.data import sources
from gan_jax.errors import NoSplit, UserError, one_line
from gan_jax.game import Game
from gan_jax.restoration import baselines
from gan_jax.restoration import degradations as corruptions

ALIGNED, UNALIGNED = sources.PAIRED, sources.UNPAIRED
Prepare = Callable[[Any, Mapping[str, Any]], dict[str, Any]]


def load_data(config: Mapping[str, Any]) -> data.Dataset:
    """The data set that a config names, of the size that is cropped if there is one.

    Raises:
      UserError: if it is missing, not prepared or too broken.
    """
    options = dict(config['data'])
    size = options.pop('load_size') or config['image_size']
    if options['channels'] not in (1, 3):  # of points it is the number of coordinates
        options['channels'] = None
    return data.load(config['dataset'], image_size=size, **options)


def load_images(config: Mapping[str, Any]) -> data.Dataset:
    """The same with the middle of each image where training takes random crops."""
    dataset = load_data(config)
    return dataset.cropped(config['image_size']) if config['data']['load_size'] else dataset


def load_held_out(config: Mapping[str, Any]) -> data.Dataset | None:
    """What evaluations compare samples with: config.evaluation.split, 'test' if that is None.

    Returns:
      The data set; None if neither a split nor a data set was named and there is no 'test'.

    Raises:
      UserError: if there is no such split, or it cannot be used.
    """
    split, other = config['evaluation']['split'], config['evaluation']['dataset']
    name = other or config['dataset']
    changed = {'dataset': name, 'data': {**config['data'], 'split': split or 'test'}}
    try:
        return load_images({**config, **changed})
    except NoSplit:
        if split or other:
            raise
        return None


def load_shown(config: Mapping[str, Any], game: Game) -> data.Dataset:
    """What pictures are of: what is trained on, or to translate, held-out data if there are any."""
    held_out = load_held_out(config) if translates(game) else None
    return load_images(config) if held_out is None else held_out


def aligned(config: Mapping[str, Any], held_out: bool = False) -> bool:
    """Whether each source has its true image, in training or where it is evaluated."""
    name = (config['evaluation']['dataset'] if held_out else None) or config['dataset']
    return bool(config['corruption']) or name.startswith(ALIGNED)


def _corruption(config: Mapping[str, Any]) -> Callable | None:
    """(keys [n], images) -> sources; None if the config has none."""
    if not config['corruption']:
        return None
    what = 'config.corruption'
    valid = functions_with(corruptions, 'rng', 'images')
    function, options = named(what, config['corruption'], valid)
    check_arguments(what, function, options, ('rng', 'images'))
    check_options(what, function, options)
    return functools.partial(function, **options)


def build_baseline(config: Mapping[str, Any]) -> Callable | None:
    """sources -> images: the classical answer that a translation is compared with, or None.

    Raises:
      UserError: if it is unknown.
    """
    if not config['baseline']:
        return None
    what, valid = 'config.baseline', functions_with(baselines, 'sources')
    function, options = named(what, config['baseline'], valid)
    check_arguments(what, function, options, ('sources',))
    check_options(what, function, options)
    return functools.partial(function, **options)


def translates(game: Game) -> bool:
    """Whether a game is of sources and images, not of latents."""
    return 'a_to_b' in game.functions


def both_ways(game: Game) -> bool:
    """Whether a game translates in both directions, for which it needs no pairs."""
    return 'b_to_a' in game.functions


def sourced(config: Mapping[str, Any]) -> bool:
    """Whether a config's data have sources."""
    return bool(config['corruption']) or config['dataset'].startswith((ALIGNED, UNALIGNED))


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


def example(config: Mapping[str, Any], game: Game) -> dict[str, jax.Array]:
    """A prepared batch of one, all zeros.

    Raises:
      UserError: if the corruption cannot be applied to images of this shape.
    """
    size, channels = config['image_size'], config['data']['channels']
    shape = (size, size, channels) if size else (channels,)
    batch = {'image': jnp.zeros((1, *shape)), 'label': jnp.zeros((1,), jnp.int32)}
    if translates(game):
        batch['source'] = jnp.zeros((1, *source_shape(config)))
        if both_ways(game) and batch['source'].shape != batch['image'].shape:
            raise UserError(
                f'config.game={config["game"]!r} needs two domains of one shape; '
                f'config.corruption makes {batch["source"].shape[1:]} of {shape}'
            )
    return batch


def source_shape(config: Mapping[str, Any]) -> tuple[int, ...]:
    """(height, width, channels) of the sources of a resolved config that has some.

    Raises:
      UserError: if the corruption cannot be applied to images of its size.
    """
    size, channels = config['image_size'], config['data']['channels']
    corruption = _corruption(config)
    if corruption is None:
        return size, size, channels
    if size is None:
        raise UserError('config.corruption: the data are points, not images')
    rng, image = jax.random.split(jax.random.key(0), 1), jnp.zeros((1, size, size, channels))
    try:
        return jax.eval_shape(corruption, rng, image).shape[1:]
    except (TypeError, ValueError, AssertionError) as error:
        raise UserError(f'config.corruption: {one_line(error)}') from error


def build_prepare(config: Mapping[str, Any]) -> Prepare:
    """(keys [n], batch) -> batch, normalised to [-1, 1], cropped, augmented, with its sources.

    A source and its true image are cropped and augmented as one; those of unpaired sets apart.

    Raises:
      UserError: if an augmentation cannot be as strong as asked, or crops would be too large.
    """
    try:
        augmentation = augment.compose(config['augment'])
    except ValueError as error:
        raise UserError(f'config.augment: {error}') from error
    anything = any(config['augment'].values())
    corruption, paired = _corruption(config), aligned(config)
    load_size, size = config['data']['load_size'], config['image_size']
    if load_size and (not size or size > load_size):
        raise UserError(
            f'config.data.load_size={load_size} is what crops of config.image_size={size} are '
            f'taken of; give an image_size that is not larger'
        )

    def change(rng, images):
        if load_size:
            images = augment.random_crop(keys.of_name(rng, 'crop'), images, size)
        return augmentation(rng, images) if anything else images

    def prepare(rng, batch):
        image = data.normalize(batch['image'])
        source = data.normalize(batch['source']) if 'source' in batch else None
        if source is not None and paired:
            both = change(rng, jnp.concatenate([source, image], axis=-1))
            source, image = jnp.split(both, [source.shape[-1]], axis=-1)
        else:
            image = change(rng, image)
            if source is not None:
                source = change(keys.of_name(rng, 'source'), source)
        if corruption is not None:
            source = corruption(keys.of_name(rng, 'corruption'), image)
        sources = {} if source is None else {'source': source}
        return {**batch, 'image': image, **sources}

    return prepare


class Sources:
    """Sources of a data set's examples, made when they are asked for; always the same.

    Attributes:
      dataset: the data set.
      places: which of its examples.
    """

    def __init__(self, config: Mapping[str, Any], dataset: data.Dataset, places: np.ndarray):
        """Compiles nothing yet."""
        self.dataset, self.places = dataset, places
        corruption = _corruption(config)
        root = keys.fold_in_name(jax.random.key(config['seed']), 'sources')

        def corrupt(places, images):
            rng = jax.vmap(lambda place: jax.random.fold_in(root, place))(places)
            return corruption(rng, data.normalize(images))  # type: ignore[misc]

        self._corrupt = jax.jit(corrupt) if corruption else None

    def __len__(self) -> int:
        """The number of sources."""
        return len(self.places)

    def __getitem__(self, part: slice) -> np.ndarray:
        """Float32 [n, height, width, channels]."""
        places = self.places[part]
        batch = self.dataset.batch(places)
        if self._corrupt is None:
            return data.normalize(batch['source'])
        return np.asarray(self._corrupt(jnp.asarray(places, jnp.uint32), batch['image']))

    def images(self, part: slice) -> np.ndarray:
        """The images that belong to them, or of unpaired sets others; uint8."""
        return self.dataset.batch(self.places[part])['image']
