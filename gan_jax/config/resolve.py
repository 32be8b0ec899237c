"""The objects that a config's names stand for.

A config names things (`objective`, `generator.name`, ...) and gives their keyword arguments.
There is no registry: a name is looked up in the module that holds its kind, and what a name
accepts is read off its signature, so a new loss or network is known as soon as it is written.
"""

import dataclasses
import functools
import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax import augment, games, latents, losses, networks, objectives, optimizers
from gan_jax import penalties as penalties_lib
from gan_jax import stabilization as cures
from gan_jax.config.checks import (
    arguments,
    check_arguments,
    check_keys,
    check_name,
    check_number,
    check_options,
    functions_with,
    imported,
    named,
)
from gan_jax.errors import UserError, one_line
from gan_jax.game import Game
from gan_jax.games import wrappers
from gan_jax.games.adversary import Adversary, Penalty
from gan_jax.games.pix2pix import Term
from gan_jax.restoration import heads as outputs

# What a game gives a penalty, by the names of its arguments.
GIVEN = ('critic', 'real', 'fake', 'rng', 'anchors')
ANCHORS_DECAY = 0.99

BUILT_IN = ('adversary', 'axis_name')  # what a game is given that is no key of a config


def submodules(package: ModuleType, *, with_: str = '') -> list[str]:
    """The names of a package's modules; only those that have an attribute `with_`, if given."""
    names = [module.name for module in pkgutil.iter_modules(package.__path__) if not module.ispkg]
    loaded = {name: importlib.import_module(f'{package.__name__}.{name}') for name in names}
    return [name for name in names if not with_ or hasattr(loaded[name], with_)]


def game_module(name: str) -> ModuleType:
    """The module of a game."""
    return importlib.import_module(f'{games.__name__}.{name}')


def game_keys(name: str) -> list[str]:
    """The keys of a config that a game takes beyond the common ones."""
    return list(arguments(game_module(name).make, BUILT_IN))


def _network_classes() -> dict[str, type[nn.Module]]:
    classes = {}
    for family in submodules(networks):
        module = importlib.import_module(f'{networks.__name__}.{family}')
        for name, value in vars(module).items():
            own = isinstance(value, type) and value.__module__ == module.__name__
            if own and issubclass(value, nn.Module):
                classes[f'{family}.{name}'] = value
    return classes


def _network(what: str, value: Any, built_in: Mapping[str, Any]) -> nn.Module:
    network, kwargs = named(what, value, _network_classes())
    fields = {field.name for field in dataclasses.fields(network)}
    given = {name: x for name, x in built_in.items() if name in fields}
    if 'dtype' not in fields and built_in.get('dtype', jnp.float32) != jnp.float32:
        raise UserError(
            f'{what}.name={value["name"]!r} has no field dtype, so it computes in float32 only; '
            f'use --config.precision=float32'
        )
    check_arguments(what, network, kwargs, (*given, 'parent', 'name'))
    for field in dataclasses.fields(network):
        if field.name in kwargs and type(field.default) in (int, float):
            check_number(f'{what}.{field.name}', kwargs[field.name], type(field.default), 0)
        if field.name in kwargs and type(field.default) in (bool, str):
            kind = type(field.default)
            if not isinstance(kwargs[field.name], kind):
                raise UserError(
                    f'{what}.{field.name}={kwargs[field.name]!r} must be '
                    f'{"True or False" if kind is bool else "a name"}'
                )
    return network(**given, **kwargs)


def _objective(what: str, value: Any, axis_name: str | None) -> objectives.Objective:
    valid = {k: v for k, v in vars(objectives).items() if isinstance(v, objectives.Objective)}
    if isinstance(value, Mapping):
        objective, options = named(what, value, valid)
    else:
        check_name(what, value, valid)
        objective, options = valid[value], {}
    known = objective.options()
    check_keys(what, options, [name for name in known if name != 'axis_name'])
    for name, number in options.items():
        check_number(f'{what}.{name}', number, float, -float('inf'))
    try:
        for side in objective.partial(**options):
            side(jnp.zeros(2), jnp.zeros(2))
    except ValueError as error:
        raise UserError(f'{what}: {error}') from error
    built_in = {'axis_name': axis_name} if 'axis_name' in known else {}
    return objective.partial(**built_in, **options)


def _latent(what: str, value: Any, built_in: Mapping[str, Any]) -> Callable:
    function, kwargs = named(what, value, functions_with(latents, 'rng', 'size'))
    check_arguments(what, function, kwargs, ('rng',))
    check_number(f'{what}.size', kwargs['size'], int, 1)
    return functools.partial(function, **kwargs)


def _penalty(name: str, settings: Any, axis_name: str | None) -> Penalty:
    what = f'config.penalties.{name}'
    check_name('config.penalties', name, functions_with(penalties_lib, 'critic'))
    if not isinstance(settings, Mapping):
        raise UserError(f"{what}={settings!r} must be a dict such as {{'weight': 5.0}}")
    function = getattr(penalties_lib, name)
    known = arguments(function)
    ours = {'weight', 'every'} | ({'decay'} if 'anchors' in known else set())
    ours |= {'transform'} & set(known)
    options = {key: value for key, value in settings.items() if key not in ours}
    check_keys(what, settings, ours | {key for key in known if key not in (*GIVEN, 'axis_name')})
    check_number(f'{what}.weight', settings.get('weight'), float, 0)
    check_number(f'{what}.every', settings.get('every', 1), int, 1)
    check_options(what, function, options)
    if 'transform' in known:
        if not isinstance(settings.get('transform'), Mapping):
            raise UserError(
                f"{what}.transform must be a dict of augmentations such as {{'translation': 0.1}}"
            )
        try:
            options['transform'] = augment.compose(settings['transform'])
        except ValueError as error:
            raise UserError(f'{what}.transform: {error}') from error
    if 'axis_name' in known:
        options['axis_name'] = axis_name
    decay = None
    if 'anchors' in known:
        decay = settings.get('decay', ANCHORS_DECAY)
        check_number(f'{what}.decay', decay, float, 0, 1)

    def penalty(critic, *given):
        taken = dict(zip(GIVEN, (critic, *given), strict=True))
        return function(**{key: taken[key] for key in GIVEN if key in known}, **options)

    return Penalty(name, penalty, settings['weight'], settings.get('every', 1), decay)


def _adversary(config: Mapping[str, Any], axis_name: str | None) -> Adversary:
    chosen = config['cures']
    if not isinstance(config['penalties'], Mapping):
        raise UserError(f'config.penalties={config["penalties"]!r} must be a dict, {{}} for none')
    noise = top_k = None
    if chosen['instance_noise']:
        start, steps = chosen['instance_noise'], chosen['instance_noise_steps']
        noise = functools.partial(
            cures.linear, start=start, end=0.0 if steps else start, steps=steps
        )
    if chosen['top_k'] < 1:
        top_k = functools.partial(
            cures.linear, start=1.0, end=chosen['top_k'], steps=chosen['top_k_steps']
        )
    return Adversary(
        _objective('config.objective', config['objective'], axis_name),
        tuple(_penalty(name, value, axis_name) for name, value in config['penalties'].items()),
        packing=chosen['packing'],
        noise=noise,
        top_k=top_k,
        flipping=chosen['label_flipping'],
        axis_name=axis_name,
    )


def _every(what: str, value: Any, built_in: Mapping[str, Any]) -> int:
    check_number(what, value, int, 1)
    return value


def _output(what: str, value: Any, built_in: Mapping[str, Any]) -> Callable:
    valid = functions_with(outputs, 'made', 'source')
    check_name(what, value, valid)
    return valid[value]


def _distance(what: str, value: Any, built_in: Mapping[str, Any]) -> Callable:
    valid = functions_with(losses, 'x', 'y')
    check_name(what, value, valid)
    return valid[value]


def _reconstruction(what: str, value: Any, built_in: Mapping[str, Any]) -> tuple[Term, ...]:
    if not isinstance(value, Mapping):
        raise UserError(f"{what}={value!r} must be a dict of weights such as {{'l1': 100.0}}")
    for name, weight in value.items():
        check_number(f'{what}.{name}', weight, float, 0)
    return tuple(Term(name, _distance(what, name, {}), weight) for name, weight in value.items())


def _perceptual(what: str, value: Any, built_in: Mapping[str, Any]) -> tuple[Term, ...]:
    if not value:
        return ()
    if not isinstance(value, Mapping) or {*value} != {'features', 'weight'}:
        raise UserError(
            f"{what} must be {{}} or {{'features': 'package.module:name', 'weight': 1.0}}"
        )
    check_number(f'{what}.weight', value['weight'], float, 0)
    features = imported(f'{what}.features', value['features'])
    try:
        jax.eval_shape(features, jnp.zeros((1, *built_in['shape'])))
    except Exception as error:  # it may be anything
        raise UserError(f'{what}.features={value["features"]}: {one_line(error)}') from error

    def compare(truth, image):
        return losses.feature_matching(features(truth), features(image))

    return (Term('perceptual', compare, value['weight']),)


def _feature_matching(what: str, value: Any, built_in: Mapping[str, Any]) -> tuple[Term, ...]:
    check_number(what, value, float, 0)
    return (Term('feature_matching', losses.feature_matching, value),) if value else ()


_RESOLVE = {
    'generator': _network,
    'discriminator': _network,
    'latent': _latent,
    'generator_every': _every,
    'output': _output,
    'distance': _distance,
    'reconstruction': _reconstruction,
    'perceptual': _perceptual,
    'feature_matching': _feature_matching,
}


def build_game(config: Mapping[str, Any], **built_in: Any) -> Game:
    """The game that a config describes.

    Args:
      config: the resolved config.
      **built_in: what networks get that have a field of that name (shape, axis_name, dtype).

    Raises:
      UserError: if a name or an argument is unknown.
    """
    make = game_module(config['game']).make
    axis_name = built_in.get('axis_name')
    kwargs: dict[str, Any] = {}
    for key in (x for x in game_keys(config['game']) if x in config):
        if key in _RESOLVE:
            kwargs[key] = _RESOLVE[key](f'config.{key}', config[key], built_in)
        else:
            kwargs[key] = config[key]
            check_options('config', make, {key: config[key]}, 0)
    check_arguments('config', make, kwargs, BUILT_IN)
    if 'adversary' in arguments(make):
        kwargs['adversary'] = _adversary(config, axis_name)
    if 'axis_name' in arguments(make):
        kwargs['axis_name'] = axis_name
    if kwargs.get('feature_matching') and not hasattr(kwargs['discriminator'], 'features'):
        raise UserError(
            f'config.feature_matching: config.discriminator.name='
            f'{config["discriminator"]["name"]!r} gives no features; use patchgan.Discriminator'
        )
    game = make(**kwargs)
    chosen = config['cures']
    if chosen['unrolled_steps']:
        steps, rate = chosen['unrolled_steps'], chosen['unrolled_learning_rate']
        game = wrappers.unrolled(game, steps, rate, axis_name=axis_name)
    if chosen['historical_averaging']:
        game = wrappers.historical_averaging(game, chosen['historical_averaging'])
    return game


def _learning_rate(what: str, value: Any) -> Any:
    """A number, or a schedule of optax's."""
    if not isinstance(value, Mapping):
        check_number(what, value, float, 0)
        return value
    function, kwargs = named(what, value, optimizers.schedules())
    check_arguments(what, function, kwargs)
    return function(**kwargs)


def _optimizer(what: str, value: Any, correction: float) -> Any:
    function, kwargs = named(what, value, optimizers.available())
    bounds = {key: kwargs.pop(key, None) for key in ('clip_norm', 'clip_weights')}
    for key, bound in bounds.items():
        if bound is not None:
            check_number(f'{what}.{key}', bound, float, 0)
    check_arguments(what, function, kwargs)
    kwargs['learning_rate'] = _learning_rate(f'{what}.learning_rate', kwargs['learning_rate'])
    return optimizers.make(value['name'], correction, **bounds, **kwargs)


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
        correction = optimizers.lazy_correction(game.turns, player)
        made[player] = _optimizer(what, config['optimizers'][player], correction)
        if player in config['ema']:
            settings = config['ema'][player]
            what = f'config.ema.{player}'
            if not isinstance(settings, Mapping):
                raise UserError(f'{what}={settings!r} must be a dict with a half_life')
            check_arguments(what, optimizers.ema_decay, settings, ('batch_size',))
            check_number(f'{what}.half_life', settings['half_life'], float, 0)
            decays[player] = optimizers.ema_decay(config['batch_size'], **settings)
    return made, decays
