"""The networks of `gan_jax` in PyTorch, for the comparison of their speed.

Modules are named as flax names theirs (Conv_0, BatchNorm_0, ...), so that `load` finds for each
parameter its place. Images are NCHW with the channels last in memory, and feature maps are
flattened as the library flattens them, which then moves no data.
"""
# ruff: noqa: D102

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

DCGAN_SIZES = {16: (4, 2), 28: (7, 2), 32: (4, 3), 64: (4, 4), 128: (4, 5)}
SNGAN_SIZES = {16: 2, 32: 3, 64: 4}


def flat(x):
    """[b, c, h, w] to [b, h w c], a view where the channels are last in memory."""
    return x.permute(0, 2, 3, 1).flatten(1)


def unflat(x, size):
    """[b, size size c] to [b, c, size, size], a view with the channels last in memory."""
    return x.reshape(x.shape[0], size, size, -1).permute(0, 3, 1, 2)


class Network(nn.Module):
    """A module whose children are named for their kind and counted, as flax does."""

    def add(self, kind, module):
        number = sum(name.startswith(f'{kind}_') for name, _ in self.named_children())
        self.add_module(f'{kind}_{number}', module)

    def all(self, kind):
        """The children of this kind, in the order in which they were added."""
        return [child for name, child in self.named_children() if name.rsplit('_', 1)[0] == kind]


class MLPGenerator(Network):
    """gan_jax.networks.mlp.Generator."""

    def __init__(self, shape, latent, features=(256, 512, 1024)):
        super().__init__()
        self.shape = shape
        for width in (*features, math.prod(shape)):
            self.add('Dense', nn.Linear(latent, width))
            latent = width

    def forward(self, x):
        *hidden, last = self.all('Dense')
        for layer in hidden:
            x = F.leaky_relu(layer(x), 0.2)
        return torch.tanh(last(x)).reshape(-1, *self.shape).permute(0, 3, 1, 2)


class MLPDiscriminator(Network):
    """gan_jax.networks.mlp.Discriminator."""

    def __init__(self, shape, features=(1024, 512, 256)):
        super().__init__()
        size = math.prod(shape)
        for width in (*features, 1):
            self.add('Dense', nn.Linear(size, width))
            size = width

    def forward(self, x):
        *hidden, last = self.all('Dense')
        x = flat(x)
        for layer in hidden:
            x = F.leaky_relu(layer(x), 0.2)
        return last(x)[:, 0]


class DCGANGenerator(Network):
    """gan_jax.networks.dcgan.Generator without a hidden layer."""

    def __init__(self, shape, latent, width=64):
        super().__init__()
        self.size, doublings = DCGAN_SIZES[shape[0]]
        now = width * 2 ** (doublings - 1)
        self.add('Dense', nn.Linear(latent, self.size**2 * now, bias=False))
        self.add('BatchNorm', nn.BatchNorm2d(now))
        for level in reversed(range(doublings - 1)):
            after = width * 2**level
            self.add('ConvTranspose', nn.ConvTranspose2d(now, after, 4, 2, 1, bias=False))
            self.add('BatchNorm', nn.BatchNorm2d(after))
            now = after
        self.add('ConvTranspose', nn.ConvTranspose2d(now, shape[-1], 4, 2, 1))

    def forward(self, x):
        (dense,), norms, convs = self.all('Dense'), self.all('BatchNorm'), self.all('ConvTranspose')
        x = F.relu(norms[0](unflat(dense(x), self.size)))
        for conv, norm in zip(convs[:-1], norms[1:], strict=True):
            x = F.relu(norm(conv(x)))
        return torch.tanh(convs[-1](x))


class DCGANDiscriminator(Network):
    """gan_jax.networks.dcgan.Discriminator without a hidden layer."""

    def __init__(self, shape, width=64):
        super().__init__()
        size, doublings = DCGAN_SIZES[shape[0]]
        now = shape[-1]
        for level in range(doublings):
            after = width * 2**level
            self.add('Conv', nn.Conv2d(now, after, 4, 2, 1, bias=level == 0))
            if level:
                self.add('BatchNorm', nn.BatchNorm2d(after))
            now = after
        self.add('Dense', nn.Linear(size**2 * now, 1))

    def forward(self, x):
        (dense,), norms, convs = self.all('Dense'), self.all('BatchNorm'), self.all('Conv')
        x = F.leaky_relu(convs[0](x), 0.2)
        for conv, norm in zip(convs[1:], norms, strict=True):
            x = F.leaky_relu(norm(conv(x)), 0.2)
        return dense(flat(x))[:, 0]


def normalized(layer):
    """The layer's weight divided by its largest singular value; u is renewed."""
    weight = layer.weight
    matrix = weight.permute(0, 2, 3, 1).flatten(1) if weight.ndim == 4 else weight
    with torch.no_grad():
        v = F.normalize(layer.u @ matrix, dim=0, eps=1e-12)
        u = F.normalize(matrix @ v, dim=0, eps=1e-12)
        layer.u.copy_(u)
    return weight / (u @ (matrix @ v))


class SpectralConv(nn.Conv2d):
    """gan_jax.networks.layers.SpectralConv in training."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.register_buffer('u', torch.zeros(self.out_channels))

    def forward(self, x):
        return F.conv2d(x, normalized(self), self.bias, self.stride, self.padding)


class SpectralDense(nn.Linear):
    """gan_jax.networks.layers.SpectralDense in training."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.register_buffer('u', torch.zeros(self.out_features))

    def forward(self, x):
        return F.linear(x, normalized(self), self.bias)


class UpBlock(Network):
    """gan_jax.networks.sngan.UpBlock."""

    def __init__(self, width):
        super().__init__()
        for size, padding in ((3, 1), (3, 1), (1, 0)):
            self.add('Conv', nn.Conv2d(width, width, size, padding=padding))
        for _ in range(2):
            self.add('BatchNorm', nn.BatchNorm2d(width))

    def forward(self, x):
        (first, second, shortcut), norms = self.all('Conv'), self.all('BatchNorm')
        y = first(F.interpolate(F.relu(norms[0](x)), scale_factor=2, mode='nearest'))
        y = second(F.relu(norms[1](y)))
        return y + F.interpolate(shortcut(x), scale_factor=2, mode='nearest')


class DownBlock(Network):
    """gan_jax.networks.sngan.DownBlock."""

    def __init__(self, ins, width, halve, first):
        super().__init__()
        self.halve, self.first = halve, first
        self.add('SpectralConv', SpectralConv(ins, width, 3, padding=1))
        self.add('SpectralConv', SpectralConv(width, width, 3, padding=1))
        if halve:
            self.add('SpectralConv', SpectralConv(ins, width, 1))

    def forward(self, x):
        first, second, *shortcut = self.all('SpectralConv')
        y = second(F.relu(first(x if self.first else F.relu(x))))
        if not self.halve:
            return x + y
        return F.avg_pool2d(y, 2) + shortcut[0](F.avg_pool2d(x, 2))


class SNGANGenerator(Network):
    """gan_jax.networks.sngan.Generator."""

    def __init__(self, shape, latent, width=256):
        super().__init__()
        self.add('Dense', nn.Linear(latent, 16 * width))
        for _ in range(SNGAN_SIZES[shape[0]]):
            self.add('UpBlock', UpBlock(width))
        self.add('BatchNorm', nn.BatchNorm2d(width))
        self.add('Conv', nn.Conv2d(width, shape[-1], 3, padding=1))

    def forward(self, x):
        (dense,), (norm,), (conv,) = self.all('Dense'), self.all('BatchNorm'), self.all('Conv')
        x = unflat(dense(x), 4)
        for block in self.all('UpBlock'):
            x = block(x)
        return torch.tanh(conv(F.relu(norm(x))))


class SNGANDiscriminator(Network):
    """gan_jax.networks.sngan.Discriminator."""

    def __init__(self, shape, width=128):
        super().__init__()
        halvings = SNGAN_SIZES[shape[0]] - 1
        for level in range(halvings + 2):
            ins = width if level else shape[-1]
            self.add('DownBlock', DownBlock(ins, width, level < halvings, level == 0))
        self.add('SpectralDense', SpectralDense(width, 1, bias=False))

    def forward(self, x):
        (dense,) = self.all('SpectralDense')
        for block in self.all('DownBlock'):
            x = block(x)
        return dense(F.relu(x).sum((2, 3)))[:, 0]


def converted(module, name, value):
    """(the tensor's name, the array as PyTorch lays it out) for a parameter of flax's."""
    if name != 'kernel':
        return {'scale': 'weight'}.get(name, name), value
    if isinstance(module, nn.Linear):
        return 'weight', value.T
    if isinstance(module, nn.ConvTranspose2d):  # the adjoint has the kernel turned round
        return 'weight', value[::-1, ::-1].transpose(2, 3, 0, 1)
    return 'weight', value.transpose(3, 2, 0, 1)


def load(module, tree):
    """Copies flax's parameters, or the vectors u, into the module; every name must be there."""
    for name, value in tree.items():
        if isinstance(value, dict):
            load(getattr(module, name), value)
        else:
            name, array = converted(module, name, np.asarray(value))
            target = getattr(module, name)
            assert target.shape == array.shape, (type(module).__name__, name, array.shape)
            with torch.no_grad():
                target.copy_(torch.from_numpy(np.array(array, order='C')))
