"""Configs: the common keys, and the checks of their values before compilation."""

from collections.abc import Mapping
from typing import Any

import ml_collections
from ml_collections import config_dict

from gan_jax import evaluation, features, games
from gan_jax.checks import check_keys, check_name, check_number
from gan_jax.errors import UserError
from gan_jax.resolve import game_keys, submodules

PRECISIONS = ('float32', 'bfloat16')
INTERVALS = ('log_every', 'sample_every', 'checkpoint_every', 'eval_every')

GROUPS = ('data', 'augment', 'cures', 'evaluation')  # dicts of common keys

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
            'load_size': config_dict.placeholder(int),  # image_size is a random crop of it
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
    config.corruption = ml_collections.ConfigDict()  # what makes sources of images, for restoration
    config.baseline = ml_collections.ConfigDict()  # what translations are evaluated beside
    config.precision = 'float32'  # what networks compute in; or bfloat16
    config.game = 'gan'
    config.objective = 'non_saturating'
    config.generator = ml_collections.ConfigDict({'name': 'dcgan.Generator'})
    config.discriminator = ml_collections.ConfigDict({'name': 'dcgan.Discriminator'})
    config.penalties = ml_collections.ConfigDict()
    config.cures = ml_collections.ConfigDict(
        {
            'packing': 1,  # examples that the discriminator judges as one
            'instance_noise': 0.0,  # standard deviation at the start
            'instance_noise_steps': 0,  # after which it has vanished; 0: it stays
            'label_flipping': 0.0,  # probability
            'top_k': 1.0,  # the share of its samples that the generator learns from, in the end
            'top_k_steps': 0,  # after which that share is reached
            'unrolled_steps': 0,  # of the discriminator, foreseen by the generator
            'unrolled_learning_rate': 0.01,
            'historical_averaging': 0.0,  # weight
        }
    )
    config.optimizers = ml_collections.ConfigDict()
    config.ema = ml_collections.ConfigDict()
    config.log_every = 100
    config.sample_every = 1000  # 0: never
    config.checkpoint_every = 1000  # 0: only at the end
    config.eval_every = 0  # 0: never
    config.evaluation = ml_collections.ConfigDict(
        {
            'metrics': ('sliced_wasserstein',),  # functions of gan_jax.figures
            'best': 'sliced_wasserstein',  # the figure by which the best checkpoint is kept
            'features': 'classifier',  # or inception:PATH, or package.module:name
            'split': config_dict.placeholder(str),  # None: 'test', or without one 'data.split'
            'dataset': config_dict.placeholder(str),  # None: the one that is trained on
        }
    )
    config.num_replicas = 1  # seeds seed, seed + 1, ... trained as one program
    config.num_samples = 100  # images in a sample grid
    config.eval_samples = 1000
    return config


def optimizer(name: str, **kwargs: Any) -> ml_collections.ConfigDict:
    """A player's optimizer: a name in optax and its keyword arguments.

    `clip_norm` bounds the gradients' global norm, `clip_weights` each parameter.
    """
    bounds = {key: config_dict.placeholder(float) for key in ('clip_norm', 'clip_weights')}
    return ml_collections.ConfigDict({'name': name, **bounds, **kwargs})


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
    # Points have no size, and as many channels as coordinates.
    if config['data']['channels'] not in (None, 1, 3, *(() if config['image_size'] else (2,))):
        raise UserError(f'config.data.channels={config["data"]["channels"]!r} must be 1, 3 or None')
    if config['data']['load_size'] is not None:
        check_number('config.data.load_size', config['data']['load_size'], int, 1)
    check_number('config.data.max_bad', config['data']['max_bad'], float, 0)
    check_number('config.data.min_size', config['data']['min_size'], int, 1)
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
    evaluation.check_metrics('config.evaluation.metrics', chosen['metrics'])
    evaluation.check_best('config.evaluation.best', chosen['best'], chosen['metrics'])
    features.check('config.evaluation.features', chosen['features'])
    for key, value in config['augment'].items():
        if not isinstance(value, bool):
            check_number(f'config.augment.{key}', value, float, 0)
