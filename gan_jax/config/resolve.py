"""The objects that a config's names stand for.

A config names things (`objective`, `generator.name`, ...) and gives their keyword arguments.
There is no registry: a name is looked up in the module that holds its kind, and what a name
accepts is read off its signature, so a new loss or network is known as soon as it is written.

Names and arguments are checked at once; what depends on the data (shapes, classes) comes later: a
resolver gives a function of what is built in.
"""

import dataclasses
import functools
import importlib
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax import (
    keys,
    latents,
    losses,
    networks,
    optimizers,
    penalties,
)
from gan_jax.config import adversaries, class_heads, optimizing, private
from gan_jax.config.adversaries import BuiltIn, Later
from gan_jax.config.bounds import HUGE, SHARE, check_number, real, table, whole
from gan_jax.config.checks import (
    Kind,
    arguments,
    check_arguments,
    check_keys,
    check_options,
    fitting,
    functions,
    named,
    part,
    submodules,
)
from gan_jax.config.games import BUILT_IN, CALLED, maker
from gan_jax.errors import UserError
from gan_jax.game import Game
from gan_jax.games import wrappers
from gan_jax.games.network import Network, of_module
from gan_jax.games.stylegan2 import PathLength
from gan_jax.games.timegan import Moments
from gan_jax.games.turns import Term
from gan_jax.restoration import heads
from gan_jax.runtime import own, parallel

CODES = ('categories', 'continuous')  # of latents, that networks with such fields are told
# Of networks, that a config cannot set.
FIELDS = ('shape', 'dtype', 'axis_name', 'classes', 'heads', 'ends', *CODES)
NO_FAMILIES = (
    'layers',
    'features',
    'torch_files',
)  # packages of networks that hold none to be named
LABEL, CONDITION, NOISE = 'label', 'condition', 'noise'
PATH_LENGTH = {'weight': real(), 'every': whole(1), 'decay': SHARE, 'shrink': whole(1, HUGE)}


def _is_network(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, nn.Module)


def _networks() -> Kind:
    classes = {}
    for family in submodules(networks, packages=True):
        if family in NO_FAMILIES:
            continue
        module = importlib.import_module(f'{networks.__name__}.{family}')
        for name, value in vars(module).items():
            if _is_network(value) and f'{value.__module__}.'.startswith(f'{module.__name__}.'):
                classes[f'{family}.{name}'] = value
    return Kind(classes, _is_network, 'a class of flax.linen.Module')


def _network(what: str, value: Any) -> Later:
    network, kwargs = named(what, value, _networks())
    fields = {field.name: field for field in dataclasses.fields(network)}
    check_arguments(what, network, kwargs, (*FIELDS, 'parent', 'name'))
    check_options(what, network, kwargs, 0)

    def build(built_in: BuiltIn) -> Any:
        if 'dtype' not in fields and built_in['dtype'] != jnp.float32:
            raise UserError(
                f'{what}.name={value["name"]!r} has no field dtype, so it computes in float32 '
                f'only; use --config.precision=float32'
            )
        own = {name: x for name, x in built_in.items() if name in fields}
        return of_module(network(**own, **kwargs))

    return build


def _prior(what: str, value: Any) -> Later:
    function, kwargs = named(what, value, functions(latents, 'rng', 'size'))
    check_arguments(what, function, kwargs, ('rng',))
    check_number(f'{what}.size', kwargs['size'], int, 1, HUGE)
    check_options(what, function, kwargs, 0)
    rng = jax.random.split(jax.random.key(0), 1)
    fitting(what, lambda: jax.eval_shape(functools.partial(function, **kwargs), rng))

    def build(built_in: BuiltIn) -> Callable:
        labelled = LABEL in built_in['asked']
        if labelled and built_in['shape'] and not built_in.get('classes'):
            raise UserError(
                'the networks ask for labels, and the data set has no classes; name another'
            )

        shares = built_in.get('condition_shares') or ()
        if CONDITION in built_in['asked'] and built_in['shape'] and not shares:
            raise UserError(
                'the networks ask for conditions, and the data are no table with categories; name '
                'config.dataset=table:PATH.csv'
            )

        def prior(rng, **options):
            drawn = function(rng, **kwargs, **options)
            inputs = dict(drawn) if isinstance(drawn, Mapping) else {'latent': drawn}
            if labelled:
                told = built_in['classes'], built_in.get('class_shares')
                inputs[LABEL] = latents.labels(keys.of_name(rng, LABEL), *told)
            if CONDITION in built_in['asked']:
                told = len(shares), shares
                inputs[CONDITION] = latents.labels(keys.of_name(rng, CONDITION), *told)[:, None]
            if NOISE in built_in['asked']:
                own = keys.of_name(rng, 'key')  # as it was named, so that a seed's samples stay
                draw = functools.partial(jax.random.gumbel, shape=built_in['shape'])
                inputs[NOISE] = jax.vmap(draw)(own)
            return inputs

        return prior

    return build


def _at_once(value: Any) -> Later:
    return lambda built_in: value


def _every(what: str, value: Any) -> Later:
    check_number(what, value, int, 1)
    return _at_once(value)


def _one_of(module: ModuleType, *arguments: str) -> Callable[[str, Any], Later]:
    """The resolver of a module's functions that take these arguments."""

    def resolve(what: str, value: Any) -> Later:
        return _at_once(part(what, value, functions(module, *arguments)))

    return resolve


_distance = _one_of(losses, 'x', 'y')


def _reconstruction(what: str, value: Any) -> Later:
    if not isinstance(value, Mapping):
        raise UserError(f"{what}={value!r} must be a dict of weights such as {{'l1': 100.0}}")
    for name, weight in value.items():
        check_number(f'{what}.{name}', weight, float, 0)
    distances = {name: _distance(what, name)({}) for name in value}
    return _at_once(
        tuple(
            Term(name.rpartition(':')[2], distances[name], weight) for name, weight in value.items()
        )
    )


def _perceptual(what: str, value: Any) -> Later:
    if not value:
        return _at_once(())
    if not isinstance(value, Mapping) or {*value} != {'features', 'weight'}:
        raise UserError(f"{what} must be {{}} or {{'features': '{own.FORM}', 'weight': 1.0}}")
    check_number(f'{what}.weight', value['weight'], float, 0)
    features = own.imported(f'{what}.features', value['features'])

    def compare(truth, image):
        return losses.feature_matching(features(truth), features(image))

    def build(built_in: BuiltIn) -> tuple[Term, ...]:
        if built_in['shape']:
            example = jnp.zeros((1, *built_in['shape']))
            named_so = f'{what}.features={value["features"]}'
            fitting(named_so, lambda: jax.eval_shape(features, example))
        return (Term('perceptual', compare, value['weight']),)

    return build


def _feature_matching(what: str, value: Any) -> Later:
    check_number(what, value, float, 0)
    term = Term('feature_matching', losses.feature_matching, value)
    return _at_once((term,) if value else ())


def _share(what: str, value: Any) -> Later:
    check_number(what, value, float, 0, 1)
    return _at_once(value)


def _moments(what: str, value: Any) -> Later:
    table(what, value)
    check_keys(what, value, Moments._fields[1:])
    if 'weight' in value:
        check_number(f'{what}.weight', value['weight'], float, 0)
    function = functools.partial(losses.moments_matching, axis_name=parallel.AXIS)
    return _at_once(Moments(function, **value))


def _path_length(what: str, value: Any) -> Later:
    table(what, value)
    if not value:
        return _at_once(None)
    check_keys(what, value, PATH_LENGTH)
    if 'weight' not in value:
        raise UserError(f'{what}.weight is missing; {what}={{}} is no path length')
    for key, given in value.items():
        PATH_LENGTH[key](f'{what}.{key}', given)
    own = {key: x for key, x in value.items() if key != 'decay'}
    decay = {key: x for key, x in value.items() if key == 'decay'}
    function = functools.partial(penalties.path_length, axis_name=parallel.AXIS, **decay)
    return _at_once(PathLength(function, **own))


_RESOLVE = {
    'generator': _network,
    'discriminator': _network,
    'recognizer': _network,
    'encoder': _network,
    'recovery': _network,
    'supervisor': _network,
    'latent': _prior,
    'class_head': class_heads.class_head,
    'information': class_heads.information,
    'classification': class_heads.classification,
    'matching': class_heads.matching,
    'generator_every': _every,
    'discriminator_every': _every,
    'output': _one_of(heads, 'made', 'source'),
    'distance': _distance,
    'reconstruction': _reconstruction,
    'perceptual': _perceptual,
    'feature_matching': _feature_matching,
    'path_length': _path_length,
    'moments': _moments,
    'style_mixing': _share,
}


def resolve_game(config: Mapping[str, Any]) -> Callable[..., Game]:
    """Checks what a config says of its game, and gives what builds it once the data are known.

    Args:
      config: the config.

    Returns:
      (shape, privacy, **fields) -> the game: the shape of an example, settled settings of privacy,
      {} for none, and what a modality's fields say. With a shape of None, of data not yet known,
      it is a draft whose functions' names are the game's.

    Raises:
      UserError: if a name or an argument is unknown; the function, if these do not fit the data.
    """
    make = maker(config['game'])
    later: dict[str, Later] = {}
    for argument, parameter in arguments(make, BUILT_IN).items():
        key = CALLED.get(argument, argument)
        if key not in config:
            if parameter.default is parameter.empty:
                raise UserError(f'config.{key} is missing')
        elif key in _RESOLVE:
            later[argument] = _RESOLVE[key](f'config.{key}', config[key])
        elif parameter.annotation in (Network, Network.__name__):  # of one's own game
            later[argument] = _network(f'config.{key}', config[key])
        else:
            check_options('config', make, {argument: config[key]}, 0)
            later[argument] = _at_once(config[key])
    takes_adversary = 'adversary' in arguments(make)
    adversary = None
    if takes_adversary:
        chosen = (config[key] for key in ('objective', 'penalties', 'cures'))
        adversary = adversaries.adversary(*chosen)
    shown = adversaries.augmentation(
        'config.cures.augmentation', config['cures']['augmentation'], config['batch_size']
    )
    dtype = jnp.dtype(config['precision'])

    def build(
        shape: tuple[int, ...] | None, privacy: Mapping[str, Any] | None = None, **fields: Any
    ) -> Game:
        known = {'shape': shape, 'dtype': dtype, 'axis_name': parallel.AXIS, **fields}
        codes = {key: x for key, x in config.get('latent', {}).items() if key in CODES}
        built_in = dict.fromkeys(FIELDS) | codes | known
        kwargs = {key: later[key](built_in) for key in later if key != 'prior'}
        networks = {key: x for key, x in kwargs.items() if isinstance(x, Network)}
        asked = {name for network in networks.values() for name in network.asks}
        if 'prior' in later:
            kwargs['prior'] = later['prior']({**built_in, 'asked': asked})
        if LABEL in asked and config['cures']['packing'] > 1:
            raise UserError(
                f'config.cures.packing={config["cures"]["packing"]}: networks that ask for a label '
                f'judge single examples; leave it at 1'
            )
        if shape and config['data']['by_condition'] != (CONDITION in asked):
            word = 'a' if CONDITION in asked else 'no'
            raise UserError(
                f'config.data.by_condition={config["data"]["by_condition"]}: these networks ask '
                f'for {word} condition; set it to {CONDITION in asked}'
            )
        if LABEL not in asked and config['sample_labels'] != 'balanced':
            raise UserError(
                f'config.sample_labels={config["sample_labels"]!r}: these networks ask for no '
                f'label; leave it at balanced'
            )
        if adversary is not None:
            kwargs['adversary'] = adversary._replace(augmentation=shown(built_in))
        advice = 'do the networks fit this game?'
        game = fitting('config.game', functools.partial(make, **kwargs), advice)
        if any(hasattr(x.module, 'log_likelihood') for x in networks.values()):
            _check_texts(config, game)
        game = _wrapped(config['cures'], game)
        return private.wrapped(privacy or {}, config['batch_size'], game)

    return build


def _check_texts(config: Mapping[str, Any], game: Game) -> None:
    """Raises UserError unless a generator that draws tokens can learn, and draws as it should."""
    if 'log_likelihood' not in game.functions:
        raise UserError(
            f'config.game={config["game"]!r} has no gradient for a generator that draws tokens; '
            f'take seqgan or gumbel'
        )
    if config['latent']['name'] != 'uniform':
        raise UserError(
            f'config.latent.name={config["latent"]["name"]!r}: texts are drawn by uniform numbers; '
            f'set it to uniform'
        )


def _wrapped(cures: Mapping[str, Any], game: Game) -> Game:
    """The game with those cures that act on it as a whole."""
    if cures['unrolled_steps']:
        steps, rate = cures['unrolled_steps'], cures['unrolled_learning_rate']
        game = wrappers.unrolled(game, steps, rate, axis_name=parallel.AXIS)
    if cures['historical_averaging']:
        game = wrappers.historical_averaging(game, cures['historical_averaging'])
    if cures['orthogonal']:
        regularized = functools.partial(wrappers.orthogonal, game, cures['orthogonal'])
        game = fitting('config.cures.orthogonal', regularized)
    return game


def build_optimizers(
    config: Mapping[str, Any], game: Game
) -> tuple[dict[str, Any], dict[str, Callable]]:
    """The optimizer of each player that moves, and the decay of its running average if it has one.

    Raises:
      UserError: if a player, a name or an argument is unknown or missing.
    """
    players = sorted(game.movers)
    check_keys('config.optimizers', config['optimizers'], players)
    check_keys('config.ema', config['ema'], players)
    made, decays = {}, {}
    for player in players:
        what = f'config.optimizers.{player}'
        if player not in config['optimizers']:
            raise UserError(f'{what} is missing: every player needs an optimizer')
        made[player] = optimizing.optimizer(
            what,
            config['optimizers'][player],
            optimizers.lazy_correction(game.turns, player),
            optimizers.updates(game.turns, player, config['steps']),
        )
        if player in config['ema']:
            settings = config['ema'][player]
            optimizing.check_average(f'config.ema.{player}', settings)
            decays[player] = optimizers.ema_decay(config['batch_size'], **settings)
    return made, decays


def spent_rates(config: Mapping[str, Any], game: Game) -> list[str]:
    """A line on each learning rate that has come to its end before the run has."""
    lines = []
    for player, settings in config['optimizers'].items():
        updates = optimizers.updates(game.turns, player, config['steps'])
        what = f'config.optimizers.{player}.learning_rate'
        lines.append(optimizing.spent(what, settings['learning_rate'], updates))
    return [line for line in lines if line]
