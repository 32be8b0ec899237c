"""What both networks are made of: sizes, channels, types and the mapping network."""

import math
from collections.abc import Sequence
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from gan_jax.networks.layers.equalized import EqualizedDense, leaky_relu, normalize_moment
from gan_jax.networks.layers.labels import one_hot
from gan_jax.networks.layers.promotion import wide

ARCHITECTURES = ('orig', 'skip', 'resnet')
SMALLEST = 4
HALF_POWER = math.sqrt(0.5)  # what each of two branches is multiplied by before they are added
BUFFERS = 'buffers'  # the collection of what is neither trained nor averaged


def resolutions(shape: Sequence[int]) -> list[int]:
    """4, 8, ... up to the image's size.

    Raises:
      ValueError: if images are not squares of such a size, 8 or more.
    """
    height, width, _ = shape
    if height != width or height < 2 * SMALLEST or height & (height - 1):
        raise ValueError(
            f'StyleGAN2 makes images of 8, 16, 32, ... pixels, a power of 2, not {height}x{width}: '
            f'set image_size to one of these'
        )
    return [2**i for i in range(SMALLEST.bit_length() - 1, height.bit_length())]


def channels(network: Any, resolution: int) -> int:
    """min(channel_base / resolution, channel_max), rounded down.

    Raises:
      ValueError: if that is none.
    """
    width = min(network.channel_base // resolution, network.channel_max)
    if width < 1:
        raise ValueError(
            f'channel_base={network.channel_base} and channel_max={network.channel_max} leave no '
            f'channel at {resolution} pixels: enlarge them'
        )
    return width


def affines(synthesis: Any, shape: Sequence[int]) -> list[Any]:
    """The kernels of affine maps of styles, layer by layer, in the parameters of `Synthesis`.

    They are those of the convolutions; a ToRGB layer shares the style of the next one, but for the
    last, whose style is its own.
    """
    blocks = [synthesis[f'b{x}'] for x in resolutions(shape)]
    layers = [block[x] for block in blocks for x in ('conv0', 'conv1') if x in block]
    return [x['affine']['kernel'] for x in (*layers, blocks[-1]['torgb'])]


def half_type(network: Any, resolution: int) -> Any:
    """`dtype` where a block computes in half precision, else None.

    It does in the highest `half_resolutions` if `dtype` is of half precision, never at 4 pixels.
    """
    lowest = max(network.shape[0] * 2 // 2**network.half_resolutions, 2 * SMALLEST)
    half = network.dtype is not None and jnp.dtype(network.dtype).itemsize < 4
    return network.dtype if half and resolution >= lowest else None


def check_architecture(architecture: str) -> None:
    """Raises ValueError if there is no such architecture."""
    if architecture not in ARCHITECTURES:
        listed = ', '.join(map(repr, ARCHITECTURES))
        raise ValueError(f'architecture={architecture!r} is none of {listed}')


class Mapping(nn.Module):
    """Normalised latents, and embedded labels beside them, through dense layers: z to w.

    Attributes:
      features: the size of w, of every layer and of the labels' embedding.
      depth: how many layers.
      rate: their learning rates' multiplier.
      conditional: whether there are labels.
      classes: how many classes there are.
      decay: of the running mean of w, which training moves; None for none.
      axis_name: the axis of devices over which that mean is taken.
    """

    features: int
    depth: int
    rate: float
    conditional: bool = False
    classes: int | None = None
    decay: float | None = None
    axis_name: str | None = None

    @nn.compact
    def __call__(
        self, latent: chex.Array | None, label: chex.Array | None = None, train: bool = False
    ) -> jax.Array:
        """Maps [n, z], labels or both to [n, features], in float32.

        Raises:
          ValueError: if labels are needed and missing, or a rate or a decay is none.
        """
        if self.rate <= 0:
            raise ValueError(f'mapping_rate={self.rate} must be above 0')
        if self.decay is not None and not 0 <= self.decay <= 1:
            raise ValueError(f'w_avg_decay={self.decay} must be from 0 to 1')
        inputs = [] if latent is None else [normalize_moment(wide(latent))]
        if self.conditional:
            embedded = EqualizedDense(self.features, name='embed')(one_hot(label, self.classes))
            inputs.append(normalize_moment(embedded))
        x = jnp.concatenate(inputs, 1)
        for i in range(self.depth):
            x = EqualizedDense(self.features, self.rate, 0.0, leaky_relu, name=f'fc{i}')(x)
        if self.decay is not None:
            self._follow(x, self.decay, train)
        return x

    def _follow(self, x: jax.Array, decay: float, train: bool) -> None:
        average: Any = self.variable(BUFFERS, 'w_avg', jnp.zeros, (self.features,))
        if train and not self.is_initializing() and self.is_mutable_collection(BUFFERS):
            mean = lax.stop_gradient(jnp.mean(x, 0))
            if self.axis_name is not None:
                mean = lax.pmean(mean, self.axis_name)
            average.value = mean + decay * (average.value - mean)

    def truncate(self, styles: chex.Array, truncation: chex.Array) -> jax.Array:
        """w_avg + psi (w - w_avg), for styles [n, features] and psi [n]."""
        average: Any = self.get_variable(BUFFERS, 'w_avg')[None]
        return average + truncation[:, None] * (styles - average)
