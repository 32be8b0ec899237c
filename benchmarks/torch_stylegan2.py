"""StyleGAN2's networks in PyTorch, for the comparison of their speed.

Written from the papers' definitions for what is compared: a generator that sums images, a residual
discriminator, random noise, float32, no labels. Names are those of `gan_jax.networks.stylegan2`.
"""
# ruff: noqa: D102

import functools
import math

import torch
import torch.nn.functional as F
from torch import nn

TAPS = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8


def depthwise(x, convolve, gain=1.0, **settings):
    """The filter on each channel."""
    kernel = gain * torch.outer(TAPS, TAPS).to(x.device)
    kernel = kernel.expand(x.shape[1], 1, 4, 4)
    return convolve(x, kernel, groups=x.shape[1], **settings)


def activate(x, gain=1.0, clamp=256.0):
    return (F.leaky_relu(x, 0.2) * (math.sqrt(2) * gain)).clamp(-clamp * gain, clamp * gain)


def normalize(x):
    return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


class Dense(nn.Linear):
    """gan_jax.networks.layers.EqualizedDense."""

    def __init__(self, ins, outs, rate=1.0):
        super().__init__(ins, outs)
        self.rate, self.gain = rate, rate / math.sqrt(ins)

    def forward(self, x):
        return F.linear(x, self.weight * self.gain, self.bias * self.rate)


class Conv(nn.Conv2d):
    """gan_jax.networks.layers.EqualizedConv; `halve` filters and takes every second pixel."""

    def __init__(self, ins, outs, size, halve=False, bias=True):
        super().__init__(ins, outs, size, bias=bias)
        self.halve, self.gain = halve, 1 / math.sqrt(ins * size * size)

    def forward(self, x):
        weight, size = self.weight * self.gain, self.kernel_size[0]
        if not self.halve:
            return F.conv2d(x, weight, self.bias, padding=size // 2)
        if size == 1:
            return F.conv2d(depthwise(x, F.conv2d, stride=2, padding=1), weight, self.bias)
        return F.conv2d(depthwise(x, F.conv2d, padding=2), weight, self.bias, stride=2)


class Modulated(nn.Conv2d):
    """A modulated convolution; `double` is a transposed one, then the filter."""

    def __init__(self, ins, outs, size, style, double=False, demodulate=True):
        super().__init__(ins, outs, size)
        self.affine = Dense(style, ins)
        self.double, self.demodulate = double, demodulate
        if demodulate:
            self.noise_strength = nn.Parameter(torch.zeros([]))

    def forward(self, x, w):
        style = self.affine(w)
        if not self.demodulate:
            style = style / math.sqrt(x.shape[1])
        x = x * style[:, :, None, None]
        if self.double:
            x = F.conv_transpose2d(x, self.weight.transpose(0, 1), stride=2)
            x = depthwise(x, F.conv2d, gain=4, padding=1)
        else:
            x = F.conv2d(x, self.weight, padding=self.kernel_size[0] // 2)
        bias = self.bias[None, :, None, None]
        if not self.demodulate:
            return (x + bias).clamp(-256, 256)
        power = style.square() @ self.weight.square().sum((2, 3)).T
        x = x * (power + 1e-8).rsqrt()[:, :, None, None]
        noise = torch.randn(len(x), 1, *x.shape[2:], device=x.device)
        return activate(x + self.noise_strength * noise + bias)


def width(base, most, resolution):
    return min(base // resolution, most)


def resolutions(shape):
    return [2**i for i in range(2, shape[0].bit_length())]


class StyleGAN2Generator(nn.Module):
    """gan_jax.networks.stylegan2.Generator, in training."""

    def __init__(self, shape, latent, style_size, mapping_layers, channel_base, channel_max):
        super().__init__()
        self.sizes = resolutions(shape)
        self.mapping, self.synthesis = nn.Module(), nn.Module()
        self.mapping.register_buffer('w_avg', torch.zeros(style_size))
        for i in range(mapping_layers):
            layer = Dense(style_size if i else latent, style_size, 0.01)
            self.mapping.add_module(f'fc{i}', layer)
        before, modulated = None, functools.partial(Modulated, style=style_size)
        for size in self.sizes:
            block, now = nn.Module(), width(channel_base, channel_max, size)
            if before is None:
                block.const = nn.Parameter(torch.zeros(size, size, now))
            else:
                block.conv0 = modulated(before, now, 3, double=True)
            block.conv1 = modulated(now, now, 3)
            block.torgb = modulated(now, shape[-1], 1, demodulate=False)
            self.synthesis.add_module(f'b{size}', block)
            before = now

    def forward(self, z):
        w = normalize(z)
        for name, layer in self.mapping.named_children():
            assert name.startswith('fc')
            w = activate(layer(w), clamp=math.inf)
        with torch.no_grad():
            self.mapping.w_avg.lerp_(w.mean(0), 0.005)
        x = image = None
        for block in self.synthesis.children():
            if x is None:
                x = block.const.permute(2, 0, 1).expand(len(w), -1, -1, -1)
            else:
                x = block.conv0(x, w)
                image = depthwise(image, F.conv_transpose2d, gain=4, stride=2, padding=1)
            x = block.conv1(x, w)
            y = block.torgb(x, w)
            image = y if image is None else image + y
        return image


class StyleGAN2Discriminator(nn.Module):
    """gan_jax.networks.stylegan2.Discriminator."""

    def __init__(self, shape, channel_base, channel_max):
        super().__init__()
        own = functools.partial(width, channel_base, channel_max)
        for size in reversed(resolutions(shape)[1:]):
            block, now, after = nn.Module(), own(size), own(size // 2)
            if size == shape[0]:
                block.fromrgb = Conv(shape[-1], now, 1)
            block.conv0, block.conv1 = Conv(now, now, 3), Conv(now, after, 3, halve=True)
            block.skip = Conv(now, after, 1, halve=True, bias=False)
            self.add_module(f'b{size}', block)
        self.b4, last = nn.Module(), own(4)
        self.b4.conv = Conv(last + 1, last, 3)
        self.b4.fc, self.b4.out = Dense(16 * last, last), Dense(last, 1)

    def forward(self, x):
        *blocks, end = self.children()
        for block in blocks:
            if hasattr(block, 'fromrgb'):
                x = activate(block.fromrgb(x))
            y = activate(block.conv0(x))
            y = activate(block.conv1(y), math.sqrt(0.5))
            x = y + block.skip(x) * math.sqrt(0.5)
        groups = x.reshape(4, -1, *x.shape[1:])
        spread = (groups.var(0, unbiased=False) + 1e-8).sqrt().mean((1, 2, 3)).repeat(4)
        spread = spread[:, None, None, None].expand(-1, 1, *x.shape[2:])
        x = activate(end.conv(torch.cat([x, spread], 1)))
        return end.out(activate(end.fc(x.flatten(1)), clamp=math.inf))[:, 0]
