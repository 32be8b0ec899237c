"""A tiny official pickle, of arrays named and shaped by hand."""

import numpy as np
from networks.torch_files import pkl

CLASSES = 3
GENERATOR = {
    'mapping.embed.weight': (3, 3), 'mapping.embed.bias': (3,),
    'mapping.fc0.weight': (3, 5), 'mapping.fc0.bias': (3,), 'mapping.w_avg': (3,),
    'synthesis.b4.const': (4, 4, 4),
    'synthesis.b4.conv1.weight': (4, 4, 3, 3), 'synthesis.b4.conv1.bias': (4,),
    'synthesis.b4.conv1.affine.weight': (4, 3), 'synthesis.b4.conv1.affine.bias': (4,),
    'synthesis.b4.conv1.noise_strength': (), 'synthesis.b4.conv1.noise_const': (4, 4),
    'synthesis.b4.torgb.weight': (1, 4, 1, 1), 'synthesis.b4.torgb.bias': (1,),
    'synthesis.b4.torgb.affine.weight': (4, 3), 'synthesis.b4.torgb.affine.bias': (4,),
    'synthesis.b8.conv0.weight': (2, 4, 3, 3), 'synthesis.b8.conv0.bias': (2,),
    'synthesis.b8.conv0.affine.weight': (4, 3), 'synthesis.b8.conv0.affine.bias': (4,),
    'synthesis.b8.conv0.noise_strength': (), 'synthesis.b8.conv0.noise_const': (8, 8),
    'synthesis.b8.conv0.resample_filter': (4, 4),
    'synthesis.b8.conv1.weight': (2, 2, 3, 3), 'synthesis.b8.conv1.bias': (2,),
    'synthesis.b8.conv1.affine.weight': (2, 3), 'synthesis.b8.conv1.affine.bias': (2,),
    'synthesis.b8.conv1.noise_strength': (), 'synthesis.b8.conv1.noise_const': (8, 8),
    'synthesis.b8.torgb.weight': (1, 2, 1, 1), 'synthesis.b8.torgb.bias': (1,),
    'synthesis.b8.torgb.affine.weight': (2, 3), 'synthesis.b8.torgb.affine.bias': (2,),
}  # fmt: skip
DISCRIMINATOR = {
    'b8.fromrgb.weight': (2, 1, 1, 1), 'b8.fromrgb.bias': (2,),
    'b8.conv0.weight': (2, 2, 3, 3), 'b8.conv0.bias': (2,),
    'b8.conv1.weight': (4, 2, 3, 3), 'b8.conv1.bias': (4,),
    'b8.skip.weight': (4, 2, 1, 1), 'b8.resample_filter': (4, 4),
    'mapping.embed.weight': (4, 3), 'mapping.embed.bias': (4,),
    'mapping.fc0.weight': (4, 4), 'mapping.fc0.bias': (4,),
    'b4.conv.weight': (4, 5, 3, 3), 'b4.conv.bias': (4,),
    'b4.fc.weight': (4, 64), 'b4.fc.bias': (4,),
    'b4.out.weight': (4, 4), 'b4.out.bias': (4,),
}  # fmt: skip
COMMON = {'c_dim': CLASSES, 'img_resolution': 8, 'img_channels': 1}
CHANNELS = {'channel_base': 16, 'channel_max': 4}


def arguments(**more):
    generator = {**COMMON, 'z_dim': 2, 'w_dim': 3, 'mapping_kwargs': {'num_layers': 1}}
    discriminator = {**COMMON, **CHANNELS, 'mapping_kwargs': {'num_layers': 1}}
    return {**generator, 'synthesis_kwargs': dict(CHANNELS)}, {**discriminator, **more}


def arrays(shapes, seed=0):
    draw = np.random.default_rng(seed)
    return {name: draw.normal(size=shape).astype('f4') for name, shape in shapes.items()}


def networks():
    """{'G_ema': (its class, arguments, arrays), 'D': ...}."""
    generator, discriminator = arguments()
    return {
        'G_ema': ('Generator', generator, arrays(GENERATOR)),
        'D': ('Discriminator', discriminator, arrays(DISCRIMINATOR, 1)),
    }


def write(path, **changed):
    given = {**networks(), **changed}
    made = {name: pkl.network(*x) if isinstance(x, tuple) else x for name, x in given.items()}
    return pkl.write(path, **made)
