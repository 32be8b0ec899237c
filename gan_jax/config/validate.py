"""Checks of a config's common keys, before the data are read and anything is compiled."""

from collections.abc import Mapping
from typing import Any

from gan_jax.config import features, private
from gan_jax.config.bounds import COMMON, kind_of
from gan_jax.config.checks import Kind, check_keys, check_name, part
from gan_jax.config.defaults import GROUPS, INTERVALS, PRECISIONS, default
from gan_jax.config.games import game_keys
from gan_jax.errors import UserError, nearest
from gan_jax.evaluation import menu
from gan_jax.runtime import own

METRICS = Kind(
    menu.available(),
    lambda metric: callable(metric) and hasattr(metric, 'figures'),
    'a function that is marked by gan_jax.evaluation.figures.gives',
)
# What papers call metrics that have longer names here.
ABBREVIATED = {
    'fid': 'frechet_distance',
    'kid': 'kernel_distance',
    'is': 'inception_score',
    'swd': 'sliced_wasserstein',
    'lpips': 'perceptual_distance',
}


def check_batches(config: Mapping[str, Any], num_devices: int) -> None:
    """Raises UserError unless the batch and the intervals can be divided as the config asks."""
    packing = config['cures']['packing']
    parts = num_devices * config['micro_batches'] * packing
    size = config['batch_size']
    if size % parts:
        packs = f' in packs of {packing}' if packing > 1 else ''
        raise UserError(
            f'config.batch_size={size} cannot be divided among {num_devices} devices x '
            f'{config["micro_batches"]} micro-batches{packs}; use a multiple of {parts}, such as '
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


def check_metrics(what: str, names: Any) -> None:
    """Raises UserError naming the nearest valid metric for the first unknown one."""
    if isinstance(names, str) and names:
        raise UserError(f"{what}={names!r} must be a tuple of names, such as ('{names}',)")
    if not isinstance(names, list | tuple) or not names:
        raise UserError(
            f'{what}={names!r} names no metric; give a tuple of names, such as '
            f"('sliced_wasserstein',) (all: {', '.join(sorted(menu.available()))})"
        )
    for name in names:
        if str(name) not in menu.available() and str(name).lower() in ABBREVIATED:
            long = ABBREVIATED[str(name).lower()]
            raise UserError(f'{what} {name!r} is unknown; the nearest valid name is {long!r}')
        metric = part(what, name, METRICS)
        if own.named(name):
            _check_own(what, name, metric)


def _check_own(what: str, name: str, metric: Any) -> None:
    """Raises UserError if somebody's metric asks for what there never is, or takes a known name."""
    known = menu.needed(menu.available())
    for evidence in menu.needed([name]) - known:
        raise UserError(
            f'{what}={name} asks for {evidence}, which no evaluation has; did you mean '
            f'{nearest(evidence, known)}? (all: {", ".join(sorted(known))})'
        )
    for figure in {*metric.figures} & {*menu.gives(menu.available())}:
        raise UserError(f'{what}={name} gives {figure}, as one of the package does; rename it')


def check_best(what: str, best: str, names: Any) -> None:
    """Raises UserError unless one of the metrics gives the figure that is called best."""
    check_name(what, best, menu.gives(names))


def check(config: Mapping[str, Any]) -> None:
    """Raises UserError unless every key is known and every common value makes sense."""
    common = default().to_dict()
    keys = {*common, *game_keys(config.get('game', ''))}
    check_name('config.precision', config.get('precision', 'float32'), PRECISIONS)
    check_keys('config', config, keys)
    for key in sorted(common.keys() - config.keys()):
        raise UserError(f'config.{key} is missing; start from gan_jax.config.default()')
    for key in sorted(COMMON.keys() & common.keys()):
        COMMON[key](f'config.{key}', config[key])
    for group in GROUPS:
        _check_group(f'config.{group}', config[group], common[group])
    check_private(config)
    if config['seed'] + config['num_replicas'] > 2**32:
        raise UserError(
            f'config.seed={config["seed"]} and the seeds after it, {config["num_replicas"]} in all '
            f'(config.num_replicas), must be below 2**32; give a smaller seed'
        )
    chosen = config['evaluation']
    check_metrics('config.evaluation.metrics', chosen['metrics'])
    check_best('config.evaluation.best', chosen['best'], chosen['metrics'])
    features.check('config.evaluation.features', chosen['features'])


def _check_group(what: str, given: Mapping[str, Any], valid: Mapping[str, Any]) -> None:
    check_keys(what, given, valid)
    for key, default_value in valid.items():
        if key not in given:
            group = what.rpartition('.')[2]
            raise UserError(f'{what}.{key} is missing; change keys, not {group} as a whole')
        own = COMMON.get(f'{what.partition(".")[2]}.{key}')
        check_kind = own or kind_of(None, default_value, 0)
        if check_kind is not None:
            check_kind(f'{what}.{key}', given[key])


def check_private(config: Mapping[str, Any]) -> None:
    """Raises UserError if something that a config says is not private, as far as names tell."""
    given, what = config['privacy'], 'config.privacy'
    if not given:
        return
    check_keys(what, given, private.KEYS)
    for key in private.NEEDED:
        if key not in given:
            raise UserError(f'{what}.{key} is missing; {what}={{}} is no privacy')
    for key, value in given.items():
        private.KEYS[key](f'{what}.{key}', value)
    for key, allowed, why in (
        ('num_replicas', 1, 'each seed would spend the budget on the same examples'),
        ('data.balanced', False, 'an example that comes several times is no single one'),
        ('data.labelled', 0, 'labelled examples are drawn apart, which is not accounted for'),
        ('sample_labels', 'balanced', "the classes' shares are counted in the data"),
        ('cures.packing', 1, 'a pack is several examples, and each is clipped by itself'),
        ('cures.unrolled_steps', 0, 'the generator would foresee steps on real examples'),
    ):
        group, _, name = key.rpartition('.')
        value = (config[group] if group else config)[name]
        if value != allowed:
            raise UserError(f'config.{key}={value!r}: {why} ({what}); give {allowed!r}')
    discriminator = config['discriminator']
    if isinstance(discriminator, Mapping) and discriminator.get('minibatch'):
        raise UserError(
            f'config.discriminator.minibatch={discriminator["minibatch"]!r} compares the examples '
            f"of a batch, and each is clipped by itself ({what}); give ''"
        )
    for name, settings in config['penalties'].items():
        if isinstance(settings, Mapping) and settings.get('every', 1) != 1:
            raise UserError(
                f'config.penalties.{name}.every={settings["every"]} is a second query of the real '
                f"examples; with every=1 it is a part of each example's clipped loss ({what})"
            )
