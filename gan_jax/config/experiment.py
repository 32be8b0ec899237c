"""From a config to the objects it stands for: everything is checked here, nothing is compiled."""

import pathlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax.errors import FlaxError

from gan_jax import data
from gan_jax import game as game_lib
from gan_jax.config import inputs, resolve, validate
from gan_jax.config import saved as workdir_lib
from gan_jax.errors import UserError, one_line
from gan_jax.runtime import checkpoint, parallel, replicas
from gan_jax.sampling import sampler as sampling


class Players(NamedTuple):
    """What is played, without data.

    Attributes:
      game: the game.
      init: () -> the state before the first step.
    """

    game: game_lib.Game
    init: Callable[[], game_lib.State]


class Setup(NamedTuple):
    """A run.

    Attributes:
      config: the config with what the data set decides filled in.
      dataset: the data, images as they are shown and compared.
      fed: the same as it is trained on, perhaps larger, to be cropped.
      players: the game and its first state.
      prepare: (keys, batch) -> batch, applied inside the step.
    """

    config: dict[str, Any]
    dataset: data.Dataset
    fed: data.Dataset
    players: Players
    prepare: Callable


def build_players(config: Mapping[str, Any]) -> Players:
    """The game of a resolved config and its first state.

    Raises:
      UserError: if a name or an argument in it is wrong, or the networks do not fit the images.
    """
    size, channels = config['image_size'], config['data']['channels']
    shape = (size, size, channels) if size else (channels,)
    dtype = jnp.dtype(config['precision'])
    game = resolve.build_game(config, shape=shape, axis_name=parallel.AXIS, dtype=dtype)
    example = inputs.example(config, game)
    try:
        params, aux = jax.eval_shape(game.init, jax.random.key(0), example)
        made = jax.eval_shape(sampling.make(game), params, aux, _one_input(game, example))
    except (TypeError, ValueError, ArithmeticError, AssertionError, FlaxError) as error:
        points = '' if size else ' (the data are points: use networks of mixture or mlp)'
        raise UserError(f'the networks cannot be built: {one_line(error)}{points}') from error
    if made.shape != example['image'].shape:
        raise UserError(
            f'config.generator.name={config["generator"]["name"]!r} makes arrays of shape '
            f'{made.shape[1:]}, not examples of {shape}; is it a generator?'
        )
    optimizers, decays = resolve.build_optimizers(config, game, params)

    def begin(seed: Any) -> game_lib.State:
        return game_lib.init(game, optimizers, seed, example, decays)

    return Players(game, jax.jit(lambda: replicas.init(begin, replicas.seeds(config))))


def _one_input(game: game_lib.Game, example: Mapping[str, jax.Array]) -> Any:
    """What the game makes an image of, by its shape."""
    if inputs.translates(game):
        return example['source']
    return jax.eval_shape(game.functions['latent'], jax.random.split(jax.random.key(0), 1))


def build(config: Mapping[str, Any]) -> Setup:
    """Checks everything that a config says and builds what it stands for.

    Raises:
      UserError: if anything in it is wrong, or its data set cannot be used.
    """
    validate.check(config)
    validate.check_batches(config, parallel.num_devices())
    prepare = inputs.build_prepare(config)
    # Names are resolved once before the data are read, which may take minutes.
    game = resolve.build_game(
        config, shape=(32, 32, 3), axis_name=None, dtype=jnp.dtype(config['precision'])
    )
    inputs.check_sources(config, game)
    inputs.build_baseline(config)
    fed = inputs.load_data(config)
    dataset = fed.cropped(config['image_size']) if config['data']['load_size'] else fed
    *sides, channels = dataset.shape
    if not sides and any(config['augment'].values()):
        raise UserError(f'config.augment: {dataset.name} has no images; leave it as it is')
    size = sides[0] if sides else None
    resolved = {**config, 'image_size': size, 'data': {**config['data'], 'channels': channels}}
    _check_baseline(resolved, dataset.shape)
    return Setup(resolved, dataset, fed, build_players(resolved), prepare)


def _check_baseline(config: Mapping[str, Any], shape: tuple[int, ...]) -> None:
    baseline = inputs.build_baseline(config)
    if baseline is None:
        return
    source = jnp.zeros((1, *inputs.source_shape(config)))
    try:
        found = jax.eval_shape(baseline, source).shape[1:]
    except (TypeError, ValueError, AssertionError) as error:
        raise UserError(f'config.baseline: {one_line(error)}') from error
    if found != tuple(shape):
        raise UserError(f'config.baseline makes images of {found}, not of {tuple(shape)}')


class Run(NamedTuple):
    """A run as its newest or its best checkpoint has it.

    Attributes:
      config: the resolved config.
      players: the game.
      step: the checkpoint's.
      state: the state, of several seeds with an axis.
    """

    config: dict[str, Any]
    players: Players
    step: int
    state: game_lib.State


def restore(workdir: pathlib.Path, best: bool = False) -> Run:
    """What a run has come to.

    Args:
      workdir: a run's work directory.
      best: the best checkpoint by the evaluated figure, not the newest.

    Raises:
      UserError: if there is no run, or it has no sound checkpoint.
    """
    config = workdir_lib.read_config(workdir)
    validate.check(config)
    players = build_players(config)
    restored = None
    if (workdir / 'checkpoints').exists():
        checkpoints = checkpoint.Checkpoints(workdir / 'checkpoints', read_only=True)
        restored = checkpoints.restore(jax.eval_shape(players.init), best)
        checkpoints.close()
    if restored is None:
        raise UserError(f'{workdir} has no checkpoint yet; train with --workdir={workdir} first')
    step, state, _ = restored
    return Run(config, players, step, state)
