"""Random changes of images: `basic` for training data, `diffaugment` and `ada` for discriminators.

What a discriminator is shown may be changed without the generator learning the change, if real and
generated images are changed alike and the change could be undone of a distribution.
"""

from gan_jax.augment import ada, diffaugment
from gan_jax.augment.basic import (
    affine,
    brightness,
    compose,
    horizontal_flip,
    random_crop,
    rotation,
    scaling,
    translation,
    warp,
)

__all__ = [
    'ada',
    'affine',
    'brightness',
    'compose',
    'diffaugment',
    'horizontal_flip',
    'random_crop',
    'rotation',
    'scaling',
    'translation',
    'warp',
]
