"""Configs: the common keys, the checks before compilation, and the objects that names stand for.

A config names things (`objective`, `generator.name`, ...) and gives their keyword arguments.
There is no registry: a name is looked up in the module that holds its kind, and what a name
accepts is read off its signature, so a new loss or network is known as soon as it is written.
"""

import dataclasses
import difflib
import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import ml_collections
from ml_collections import config_dict

from gan_jax import augment, data, games, latents, networks, objectives, optimizers, penalties
from gan_jax.errors import UserError
from gan_jax.game import Game
from gan_jax.games.gan import Penalty

PRECISIONS = ('float32', 'bfloat16')
INTERVALS = ('log_every', 'sample_every', 'checkpoint_every', 'eval_every')

# Keys with which a run may go on although they differ from those it was begun with.
MAY_CHANGE = ('steps', *INTERVALS, 'data.data_dir', 'data.memory_gb')


def default() -> ml_collections.ConfigDict:
    """The common keys with their defaults; configs/*.py start from here."""
    config = ml_collections.ConfigDict()
    config.seed = 0
    config.steps = 10_000
    config.batch_size = 64  # over all devices
    config.micro_batches = 1  # a device's share is taken in so many parts (gradient accumulation)
    config.steps_per_dispatch = 1  # steps compiled into one call
    config.dataset = 'mnist_5k'  # or a TFDS name, or folder:PATH
    config.image_size = config_dict.placeholder(int)  # None: the data set's own
    config.data = ml_collections.ConfigDict(
        {
            'split': 'train',
            'channels': config_dict.placeholder(int),  # 1, 3, or None: the data set's own
            'max_bad': 0.01,  # the share of unusable files that is borne
            'min_size': 8,  # smaller images are unusable
            'memory_gb': 4.0,  # larger sets are decoded as they are read
            'data_dir': config_dict.placeholder(str),  # None: TFDS's own
        }
    )
    config.augment = ml_collections.ConfigDict(
        {
            'horizontal_flip': False,
            'rotation': 0.0,  # degrees
            'translation': 0.0,  # share of the image's size
            'scaling': 0.0,
            'brightness': 0.0,
        }
    )
    config.precision = 'float32'  # what networks compute in; or bfloat16
    config.game = 'gan'
    config.objective = 'non_saturating'
    config.generator = ml_collections.ConfigDict({'name': 'dcgan.Generator'})
    config.discriminator = ml_collections.ConfigDict({'name': 'dcgan.Discriminator'})
    config.optimizers = ml_collections.ConfigDict()
    config.ema = ml_collections.ConfigDict()
    config.log_every = 100
    config.sample_every = 1000  # 0: never
    config.checkpoint_every = 1000  # 0: only at the end
    config.eval_every = 0  # 0: never
    config.num_samples = 100  # images in a sample grid
    config.eval_samples = 1000
    return config


def optimizer(name: str, **kwargs: Any) -> ml_collections.ConfigDict:
    """A player's optimizer: a name in optax and its keyword arguments."""
    return ml_collections.ConfigDict(
        {'name': name, 'clip_norm': config_dict.placeholder(float), **kwargs}
    )


def nearest(name: str, valid: Iterable[str]) -> str:
    """The valid name that looks most like `name`."""
    valid = sorted(valid)
    matches = difflib.get_close_matches(name, valid, n=1, cutoff=0.0)
    return matches[0] if matches else '(none)'


def _check_name(what: str, name: Any, valid: Iterable[str]) -> None:
    valid = sorted(valid)
    if name not in valid:
        raise UserError(
            f'{what} {name!r} is unknown; the nearest valid name is '
            f'{nearest(str(name), valid)!r} (all: {", ".join(valid)})'
        )


def check_keys(what: str, given: Iterable[str], valid: Iterable[str]) -> None:
    """Raises UserError naming the nearest valid key for the first unknown one."""
    valid = sorted(valid)
    for key in given:
        if key not in valid:
            raise UserError(
                f'{what}.{key} is not a key; did you mean {what}.{nearest(key, valid)}? '
                f'(valid: {", ".join(valid)})'
            )


def _check_number(what: str, value: Any, kind: type, least: float) -> None:
    number = isinstance(value, (int, float) if kind is float else int)
    if not number or isinstance(value, bool):
        raise UserError(f'{what}={value!r} must be {"a number" if kind is float else "an integer"}')
    if value < least:
        raise UserError(f'{what}={value} must be at least {least}')


def _check_numbers(config: Mapping[str, Any]) -> None:
    for key in ('steps', 'batch_size', 'micro_batches', 'steps_per_dispatch', 'log_every',
                'num_samples', 'eval_samples'):  # fmt: skip
        _check_number(f'config.{key}', config[key], int, 1)
    for key in ('seed', 'sample_every', 'checkpoint_every', 'eval_every'):
        _check_number(f'config.{key}', config[key], int, 0)
    if config['seed'] >= 2**32:
        raise UserError(f'config.seed={config["seed"]} must be below 2**32')
    if config['image_size'] is not None:
        _check_number('config.image_size', config['image_size'], int, 1)
    if config['data']['channels'] not in (None, 1, 3):
        raise UserError(f'config.data.channels={config["data"]["channels"]!r} must be 1, 3 or None')
    _check_number('config.data.max_bad', config['data']['max_bad'], float, 0)
    _check_number('config.data.min_size', config['data']['min_size'], int, 1)
    _check_number('config.data.memory_gb', config['data']['memory_gb'], float, 0)


def check_batches(config: Mapping[str, Any], num_devices: int) -> None:
    """Raises UserError unless the batch and the intervals can be divided as the config asks."""
    parts = num_devices * config['micro_batches']
    size = config['batch_size']
    if size % parts:
        raise UserError(
            f'config.batch_size={size} cannot be divided among {num_devices} devices x '
            f'{config["micro_batches"]} micro-batches; use a multiple of {parts}, such as '
            f'{max(1, round(size / parts)) * parts}'
        )
    several = config['steps_per_dispatch']
    for key in ('steps', *INTERVALS):
        if config[key] % several:
            raise UserError(
                f'config.{key}={config[key]} is not a multiple of config.steps_per_dispatch='
                f'{several}; use {max(1, round(config[key] / several)) * several}, or '
                f'--config.steps_per_dispatch=1'
            )


def _arguments(function: Callable, given: Iterable[str] = ()) -> dict[str, inspect.Parameter]:
    """The arguments that a config may set: all that have a name, less those `given`."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {
        name: parameter
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind in kinds and name not in given
    }


def _check_arguments(what: str, function: Callable, kwargs: Mapping, given: Iterable[str] = ()):
    arguments = _arguments(function, given)
    check_keys(what, kwargs, arguments)
    for name, parameter in arguments.items():
        if parameter.default is inspect.Parameter.empty and name not in kwargs:
            raise UserError(f'{what}.{name} is missing')


def _submodules(package: ModuleType) -> list[str]:
    return [module.name for module in pkgutil.iter_modules(package.__path__) if not module.ispkg]


def _functions(module: ModuleType, *arguments: str) -> dict[str, Callable]:
    """A module's own functions that take these arguments."""
    return {
        name: value
        for name, value in vars(module).items()
        if inspect.isfunction(value)
        and value.__module__ == module.__name__
        and set(arguments) <= set(inspect.signature(value).parameters)
    }


def _network_classes() -> dict[str, type[nn.Module]]:
    classes = {}
    for family in _submodules(networks):
        module = importlib.import_module(f'{networks.__name__}.{family}')
        for name, value in vars(module).items():
            own = isinstance(value, type) and value.__module__ == module.__name__
            if own and issubclass(value, nn.Module):
                classes[f'{family}.{name}'] = value
    return classes


def _named(what: str, value: Any, valid: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """What {'name': ..., **kwargs} stands for, and the keyword arguments."""
    if not isinstance(value, Mapping) or 'name' not in value:
        raise UserError(f'{what} must be a dict with a name, such as {min(valid)!r}')
    kwargs = {key: x for key, x in value.items() if key != 'name'}
    _check_name(f'{what}.name', value['name'], valid)
    return valid[value['name']], kwargs


def _network(what: str, value: Any, built_in: Mapping[str, Any]) -> nn.Module:
    network, kwargs = _named(what, value, _network_classes())
    fields = {field.name for field in dataclasses.fields(network)}
    given = {name: x for name, x in built_in.items() if name in fields}
    if 'dtype' not in fields and built_in.get('dtype', jnp.float32) != jnp.float32:
        raise UserError(
            f'{what}.name={value["name"]!r} has no field dtype, so it computes in float32 only; '
            f'use --config.precision=float32'
        )
    _check_arguments(what, network, kwargs, (*given, 'parent', 'name'))
    for field in dataclasses.fields(network):
        if type(field.default) in (int, float) and field.name in kwargs:
            _check_number(f'{what}.{field.name}', kwargs[field.name], type(field.default), 0)
    return network(**given, **kwargs)


def _objective(what: str, value: Any, built_in: Mapping[str, Any]) -> objectives.Objective:
    valid = {k: v for k, v in vars(objectives).items() if isinstance(v, objectives.Objective)}
    _check_name(what, value, valid)
    return valid[value]


def _latent(what: str, value: Any, built_in: Mapping[str, Any]) -> Callable:
    function, kwargs = _named(what, value, _functions(latents, 'rng', 'size'))
    _check_arguments(what, function, kwargs, ('rng',))
    _check_number(f'{what}.size', kwargs['size'], int, 1)
    return functools.partial(function, **kwargs)


def _penalties(what: str, value: Any, built_in: Mapping[str, Any]) -> tuple[Penalty, ...]:
    if not isinstance(value, Mapping):
        raise UserError(f'{what}={value!r} must be a dict, {{}} for none')
    found = []
    for name, settings in value.items():
        _check_name(what, name, _functions(penalties, 'critic', 'images'))
        if not isinstance(settings, Mapping):
            raise UserError(f"{what}.{name}={settings!r} must be a dict such as {{'weight': 5.0}}")
        check_keys(f'{what}.{name}', settings, ('weight', 'every'))
        _check_number(f'{what}.{name}.weight', settings.get('weight'), float, 0)
        _check_number(f'{what}.{name}.every', settings.get('every', 1), int, 1)
        found.append(Penalty(name, getattr(penalties, name), **settings))
    return tuple(found)


def _every(what: str, value: Any, built_in: Mapping[str, Any]) -> int:
    _check_number(what, value, int, 1)
    return value


_RESOLVE = {
    'generator': _network,
    'discriminator': _network,
    'objective': _objective,
    'latent': _latent,
    'penalties': _penalties,
    'generator_every': _every,
}


def check(config: Mapping[str, Any]) -> None:
    """Raises UserError unless every key is known and every common value makes sense."""
    common = default().to_dict()
    _check_name('config.game', config.get('game'), _submodules(games))
    _check_name('config.precision', config.get('precision', 'float32'), PRECISIONS)
    check_keys('config', config, {*common, *_arguments(_game_module(config['game']).make)})
    for key in sorted(common.keys() - config.keys()):
        raise UserError(f'config.{key} is missing; start from gan_jax.config.default()')
    for key in ('data', 'augment'):
        check_keys(f'config.{key}', config[key], common[key])
        for missing in sorted(common[key].keys() - config[key].keys()):
            raise UserError(f'config.{key}.{missing} is missing; change keys, not {key} as a whole')
    _check_numbers(config)
    for key, value in config['augment'].items():
        if not isinstance(value, bool):
            _check_number(f'config.augment.{key}', value, float, 0)


def _game_module(name: str) -> ModuleType:
    return importlib.import_module(f'{games.__name__}.{name}')


def build_game(config: Mapping[str, Any], **built_in: Any) -> Game:
    """The game that a config describes.

    Args:
      config: the resolved config.
      **built_in: what networks get that have a field of that name (shape, axis_name, dtype).

    Raises:
      UserError: if a name or an argument is unknown.
    """
    make = _game_module(config['game']).make
    arguments = _arguments(make)
    kwargs = {}
    for key in arguments:
        if key in config:
            resolve = _RESOLVE.get(key, lambda what, value, built_in: value)
            kwargs[key] = resolve(f'config.{key}', config[key], built_in)
    _check_arguments('config', make, kwargs)
    return make(**kwargs)


def build_optimizers(
    config: Mapping[str, Any], game: Game, players: Iterable[str]
) -> tuple[dict[str, Any], dict[str, Callable]]:
    """Each player's optimizer, and the decay of the running average of those that have one.

    Raises:
      UserError: if a player, a name or an argument is unknown or missing.
    """
    players = tuple(players)
    check_keys('config.optimizers', config['optimizers'], players)
    check_keys('config.ema', config['ema'], players)
    made, decays = {}, {}
    for player in players:
        what = f'config.optimizers.{player}'
        if player not in config['optimizers']:
            raise UserError(f'{what} is missing: every player needs an optimizer')
        function, kwargs = _named(what, config['optimizers'][player], optimizers.available())
        clip_norm = kwargs.pop('clip_norm', None)
        _check_arguments(what, function, kwargs)
        _check_number(f'{what}.learning_rate', kwargs['learning_rate'], float, 0)
        if clip_norm is not None:
            _check_number(f'{what}.clip_norm', clip_norm, float, 0)
        correction = optimizers.lazy_correction(game.turns, player)
        made[player] = optimizers.make(
            config['optimizers'][player]['name'], correction, clip_norm, **kwargs
        )
        if player in config['ema']:
            settings = config['ema'][player]
            if not isinstance(settings, Mapping):
                raise UserError(f'config.ema.{player}={settings!r} must be a dict with a half_life')
            _check_arguments(
                f'config.ema.{player}', optimizers.ema_decay, settings, ('batch_size',)
            )
            _check_number(f'config.ema.{player}.half_life', settings['half_life'], float, 0)
            decays[player] = optimizers.ema_decay(config['batch_size'], **settings)
    return made, decays


def load_data(config: Mapping[str, Any]) -> data.Dataset:
    """The data set that a config names.

    Raises:
      UserError: if it is missing, not prepared or too broken.
    """
    return data.load(config['dataset'], image_size=config['image_size'], **config['data'])


def build_prepare(config: Mapping[str, Any]) -> Callable:
    """(keys [n], batch) -> batch with images normalised to [-1, 1] and augmented.

    Raises:
      UserError: if an augmentation cannot be as strong as asked.
    """
    try:
        augmentation = augment.compose(config['augment'])
    except ValueError as error:
        raise UserError(f'config.augment: {error}') from error

    def prepare(rng, batch):
        return {**batch, 'image': augmentation(rng, data.normalize(batch['image']))}

    return prepare
