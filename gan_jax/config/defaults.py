"""The common keys of a config, with their defaults."""

from collections.abc import Mapping
from typing import Any

import ml_collections
from ml_collections import config_dict

PRECISIONS = ('float32', 'bfloat16')
INTERVALS = ('log_every', 'sample_every', 'checkpoint_every', 'eval_every')

GROUPS = ('data', 'augment', 'cures', 'evaluation')  # dicts of common keys

# Keys with which a run may go on although they differ from those it was begun with.
MAY_CHANGE = ('steps', *INTERVALS, 'wandb', 'data.data_dir', 'data.memory_gb')

NO_DATA = 'none'  # the data set of a run that was made of weights alone
GIVEN = 'given'  # that of a run whose data were handed over in Python
RENAMED_GAMES = {'paired': 'pix2pix'}  # what version 0.1 called them


def renewed(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config of version 0.1 in the words of this one."""
    game = config.get('game')
    renamed = RENAMED_GAMES.get(game, game) if isinstance(game, str) else game
    return {**config, 'game': renamed} if 'game' in config else dict(config)


def _data() -> dict[str, Any]:
    return {
        'split': 'train',
        'options': {},  # what a data set package.module:name is called with beside the split
        'labelled': 0,  # so many examples' labels are known, of each class as many; 0: all
        'balanced': False,  # rarer classes' examples come as often as the commonest's
        'only_classes': (),  # names or places of those that are kept; (): all
        'header': True,  # whether the first row has the columns' names
        'categorical': (),  # names of columns of numbers that stand for categories
        'target': '',  # the column that a classifier is to predict; '': none
        'by_condition': False,  # rows are drawn by a column's category that is drawn first
        'channels': config_dict.placeholder(int),  # 1, 3, or None: the data set's own
        'max_bad': 0.01,  # the share of unusable files that is borne
        'min_size': 8,  # smaller images are unusable
        'max_pixels': 89_478_485,  # larger ones are, too: what Pillow warns of
        'load_size': config_dict.placeholder(int),  # image_size is a random crop of it
        'memory_gb': 4.0,  # larger sets are decoded as they are read
        'data_dir': config_dict.placeholder(str),  # None: TFDS's own
        'length': config_dict.placeholder(int),  # steps, samples, or tokens
        'rate': config_dict.placeholder(int),  # of sounds, samples a second; None: 16,000
        'pieces': 'all',  # of a file of sound, or the 'first' only
        'unit': 'characters',  # of texts; or words
        'vocabulary': config_dict.placeholder(int),  # of an oracle, its size; None: 5,000
        'dictionary': '',  # a file of real words, that generated ones are looked up in; '': none
    }


def default() -> ml_collections.ConfigDict:
    """The common keys with their defaults; configs/*.py start from here."""
    config = ml_collections.ConfigDict()
    config.seed = 0
    config.steps = 10_000
    config.batch_size = 64  # over all devices
    config.micro_batches = 1  # a device's share is taken in so many parts (gradient accumulation)
    config.steps_per_dispatch = 1  # steps compiled into one call
    config.dataset = 'mnist_5k'  # or a TFDS name, or folder:PATH of pictures or of sounds
    config.image_size = config_dict.placeholder(int)  # None: the data set's own
    config.data = ml_collections.ConfigDict(_data())
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
    config.modality = ml_collections.ConfigDict()  # what the data are; found with them
    config.init_from = config_dict.placeholder(str)  # a run, an export or a pickle: its players
    config.init_config = ml_collections.ConfigDict()  # the config of that, for the record
    config.precision = 'float32'  # what networks compute in; or bfloat16
    config.game = 'gan'
    config.objective = 'non_saturating'
    config.generator = ml_collections.ConfigDict({'name': 'dcgan.Generator'})
    config.discriminator = ml_collections.ConfigDict({'name': 'dcgan.Discriminator'})
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
            'orthogonal': 0.0,  # weight, of the generator's kernels
            'augmentation': {},  # of all that the discriminator is shown: games.augmentations
        }
    )
    for named in ('penalties', 'optimizers', 'ema'):
        config[named] = ml_collections.ConfigDict()
    config.privacy = ml_collections.ConfigDict()  # epsilon, delta, clip: of what is trained on
    config.log_every = 100
    config.wandb = ''  # the project at Weights & Biases that shows what is logged, too
    config.sample_every = 1000  # 0: never
    config.checkpoint_every = 1000  # 0: only at the end
    config.eval_every = 0  # 0: never
    config.evaluation = ml_collections.ConfigDict(
        {
            'metrics': ('sliced_wasserstein',),  # functions of gan_jax.evaluation.figures
            'best': 'sliced_wasserstein',  # the figure by which the best checkpoint is kept
            'features': 'classifier',  # or inception:PATH, or package.module:name
            'split': config_dict.placeholder(str),  # None: 'test', or without one 'data.split'
            'dataset': config_dict.placeholder(str),  # None: the one that is trained on
            'repeats': 10,  # trainings of judges, of which their figures are the mean
        }
    )
    config.num_replicas = 1  # seeds seed, seed + 1, ... trained as one program
    config.sample_labels = 'balanced'  # or as_in_data: classes of samples
    config.num_samples = 100  # images in a sample grid
    config.eval_samples = 1000
    return config


def optimizer(name: str, **kwargs: Any) -> ml_collections.ConfigDict:
    """A player's optimizer: a name in optax and its keyword arguments.

    `clip_norm` bounds the gradients' global norm, `clip_weights` each parameter.
    """
    bounds = {key: config_dict.placeholder(float) for key in ('clip_norm', 'clip_weights')}
    return ml_collections.ConfigDict({'name': name, **bounds, **kwargs})
