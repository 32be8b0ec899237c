"""Checks of a config's common keys, before the data are read and anything is compiled."""

from collections.abc import Mapping
from typing import Any

from gan_jax import games
from gan_jax.config.checks import check_keys, check_name, check_number, submodules
from gan_jax.config.defaults import GROUPS, INTERVALS, PRECISIONS, default
from gan_jax.config.resolve import game_keys
from gan_jax.errors import UserError
from gan_jax.evaluation import evaluator, extractors


def _check_numbers(config: Mapping[str, Any]) -> None:
    for key in ('steps', 'batch_size', 'micro_batches', 'steps_per_dispatch', 'log_every',
                'num_replicas', 'num_samples', 'eval_samples'):  # fmt: skip
        check_number(f'config.{key}', config[key], int, 1)
    for key in ('seed', 'sample_every', 'checkpoint_every', 'eval_every'):
        check_number(f'config.{key}', config[key], int, 0)
    if config['seed'] >= 2**32:
        raise UserError(f'config.seed={config["seed"]} must be below 2**32')
    if config['image_size'] is not None:
        check_number('config.image_size', config['image_size'], int, 1)
    if config['data']['channels'] not in (None, 1, 3):
        raise UserError(f'config.data.channels={config["data"]["channels"]!r} must be 1, 3 or None')
    if config['data']['load_size'] is not None:
        check_number('config.data.load_size', config['data']['load_size'], int, 1)
    check_number('config.data.max_bad', config['data']['max_bad'], float, 0)
    check_number('config.data.min_size', config['data']['min_size'], int, 1)
    check_number('config.data.max_pixels', config['data']['max_pixels'], int, 1)
    check_number('config.data.memory_gb', config['data']['memory_gb'], float, 0)


def _check_cures(cures: Mapping[str, Any]) -> None:
    check_number('config.cures.packing', cures['packing'], int, 1)
    for key in ('instance_noise_steps', 'top_k_steps', 'unrolled_steps'):
        check_number(f'config.cures.{key}', cures[key], int, 0)
    for key in ('instance_noise', 'unrolled_learning_rate', 'historical_averaging'):
        check_number(f'config.cures.{key}', cures[key], float, 0)
    for key in ('label_flipping', 'top_k'):
        check_number(f'config.cures.{key}', cures[key], float, 0, 1)


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
    if isinstance(names, str):
        raise UserError(f"{what}={names!r} must be a tuple of names, such as ('{names}',)")
    for name in names:
        check_name(what, name, evaluator.available())


def check_best(what: str, best: str, names: Any) -> None:
    """Raises UserError unless one of the metrics gives the figure that is called best."""
    check_name(what, best, evaluator.gives(names))


def check_features(what: str, name: Any) -> None:
    """Raises UserError unless the name has a form that `extractors` knows; loads nothing."""
    if isinstance(name, str) and (name == 'classifier' or name.partition(':')[2]):
        return
    raise UserError(
        f"{what}={name!r} must be 'classifier', '{extractors.INCEPTION}PATH' or "
        f"'package.module:name'"
    )


def check(config: Mapping[str, Any]) -> None:
    """Raises UserError unless every key is known and every common value makes sense."""
    common = default().to_dict()
    check_name('config.game', config.get('game'), submodules(games, with_='make'))
    check_name('config.precision', config.get('precision', 'float32'), PRECISIONS)
    check_keys('config', config, {*common, *game_keys(config['game'])})
    for key in sorted(common.keys() - config.keys()):
        raise UserError(f'config.{key} is missing; start from gan_jax.config.default()')
    for key in GROUPS:
        check_keys(f'config.{key}', config[key], common[key])
        for missing in sorted(common[key].keys() - config[key].keys()):
            raise UserError(f'config.{key}.{missing} is missing; change keys, not {key} as a whole')
    _check_numbers(config)
    _check_cures(config['cures'])
    chosen = config['evaluation']
    check_metrics('config.evaluation.metrics', chosen['metrics'])
    check_best('config.evaluation.best', chosen['best'], chosen['metrics'])
    check_features('config.evaluation.features', chosen['features'])
    for key, value in config['augment'].items():
        if not isinstance(value, bool):
            check_number(f'config.augment.{key}', value, float, 0)
