"""The generator: a mapping network from z to w, and a synthesis network that w's modulate."""

from collections.abc import Sequence
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.networks.layers.equalized import FILTER
from gan_jax.networks.layers.promotion import wide
from gan_jax.networks.stylegan2.common import (
    BUFFERS,
    Mapping,
    affines,
    channels,
    check_architecture,
    half_type,
    resolutions,
)
from gan_jax.networks.stylegan2.synthesis import NOISES, Noise, Synthesis


class Generator(nn.Module):
    """latent z -> mapping network -> w -> a 4x4 constant through modulated layers: no tanh.

    Each layer has a w of its own, of one latent or of two (style mixing), drawn towards their mean
    by truncation. Parameters and buffers are named and scaled as the authors' are.

    Attributes:
      shape: (height, width, channels) of an image.
      latent_size: the size of z; None for whatever is given.
      style_size: the size of w.
      mapping_layers: the mapping network's layers.
      mapping_rate: their learning rates' multiplier.
      channel_base: the channels at a resolution are this over the resolution,
      channel_max: and at most so many.
      architecture: how the image comes about: 'skip' (the sum of what each resolution adds),
        'resnet' (residual blocks) or 'orig' (of the last features).
      filter: the taps of the filter with which features and images are upsampled.
      clamp: activations are kept within +-clamp; None for no bound.
      half_resolutions: in how many of the highest resolutions `dtype` is computed in where it is of
        half precision.
      conditional: whether it takes labels.
      w_avg_decay: of the running mean of w.
      classes: how many classes there are.
      axis_name: the axis of devices over which a batch's mean of w is taken.
      dtype: what the highest resolutions are computed in; all else is in float32.
    """

    shape: Sequence[int]
    latent_size: int | None = None
    style_size: int = 512
    mapping_layers: int = 8
    mapping_rate: float = 0.01
    channel_base: int = 32768
    channel_max: int = 512
    architecture: str = 'skip'
    filter: Sequence[int] = FILTER
    clamp: float | None = 256.0
    half_resolutions: int = 4
    conditional: bool = False
    w_avg_decay: float = 0.995
    classes: int | None = None
    axis_name: str | None = None
    dtype: Any = None

    @property
    def num_styles(self) -> int:
        """How many layers have a style, L."""
        return 2 * len(resolutions(self.shape))

    @property
    def asks(self) -> frozenset[str]:
        """The optional inputs that it takes as it is configured."""
        return frozenset({'label'} if self.conditional else ())

    def setup(self) -> None:
        """The two networks."""
        check_architecture(self.architecture)
        self.mapping = Mapping(
            self.style_size,
            self.mapping_layers,
            self.mapping_rate,
            self.conditional,
            self.classes,
            self.w_avg_decay,
            self.axis_name,
        )
        sizes = resolutions(self.shape)
        self.synthesis = Synthesis(
            self.shape[-1],
            [channels(self, size) for size in sizes],
            [half_type(self, size) for size in sizes],
            self.architecture,
            self.filter,
            self.clamp,
        )

    def __call__(
        self,
        latent: chex.Array,
        train: bool,
        rng: chex.PRNGKey | None = None,
        label: chex.Array | None = None,
        mixed: chex.Array | None = None,
        crossover: chex.Array | None = None,
        truncation: chex.Array | None = None,
        noise: Noise | None = None,
    ) -> jax.Array:
        """Maps latents [n, z] to images [n, *shape], near [-1, 1] but not bounded.

        Args:
          latent: z.
          train: whether the running mean of w moves.
          rng: keys [n] of random noise; None for the constant noise.
          label: class numbers [n] or floats [n, k]; ignored unless `conditional`.
          mixed: second latents [n, z]; layers from 1 + floor(crossover * (L - 1)) on have their w.
          crossover: [n], from 0 to 1, where none has.
          truncation: psi [n], of w_avg + psi (w - w_avg); None for 1.
          noise: see `synthesize`.

        Raises:
          ValueError: if images of this shape cannot be made, or an input is missing.
        """
        styles = self.styles(latent, train, label, mixed, crossover, truncation)
        return self.synthesize(styles, train, rng, noise)

    def styles(
        self,
        latent: chex.Array,
        train: bool = False,
        label: chex.Array | None = None,
        mixed: chex.Array | None = None,
        crossover: Any = None,
        truncation: chex.Array | None = None,
    ) -> jax.Array:
        """Maps latents [n, z] to every layer's styles [n, L, style_size]; see `__call__`."""
        styles = self.map(latent, train, label, truncation)[:, None]
        layers = jnp.arange(self.num_styles)
        if mixed is None:
            return jnp.broadcast_to(styles, (styles.shape[0], len(layers), self.style_size))
        others = self.map(mixed, False, label, truncation)[:, None]
        first = 1 + jnp.floor(crossover * (self.num_styles - 1)).astype(layers.dtype)
        own = layers[None] < first[:, None]
        return jnp.where(own[..., None], styles, others)

    def map(
        self,
        latent: chex.Array,
        train: bool = False,
        label: chex.Array | None = None,
        truncation: chex.Array | None = None,
    ) -> jax.Array:
        """Maps latents [n, z] to styles [n, style_size]; in training the running mean moves.

        Raises:
          ValueError: if labels are missing, or latents are of another size.
        """
        if self.latent_size not in (None, latent.shape[-1]):
            raise ValueError(
                f'latent_size={self.latent_size} is not the size of the latents, '
                f'{latent.shape[-1]}: set one to the other'
            )
        styles = self.mapping(latent, label, train)
        return styles if truncation is None else self.mapping.truncate(styles, truncation)

    def synthesize(
        self,
        styles: chex.Array,
        train: bool = False,
        rng: chex.PRNGKey | None = None,
        noise: Noise | None = None,
    ) -> jax.Array:
        """Maps styles [n, L, style_size], or [n, style_size] for all layers, to images.

        Args:
          styles: w of each layer.
          train: makes no difference.
          rng: keys [n] of random noise.
          noise: 'random', 'constant' or 'none'; or maps, [h, w] or [n, h, w], as the buffers of
            'synthesis' hold them: {'b8': {'conv0': {'noise_const': map}}}, constant where there is
            none. None for random noise with keys and constant noise without.

        Returns:
          Images [n, *shape].

        Raises:
          ValueError: if images of this shape cannot be made, there is no such noise, or keys are
            missing.
        """
        del train
        if noise is None:
            noise = 'constant' if rng is None else 'random'
        if isinstance(noise, str) and noise not in NOISES:
            raise ValueError(f'noise={noise!r} is none of {", ".join(map(repr, NOISES))}')
        if isinstance(noise, str) and noise == 'random' and rng is None:
            raise ValueError("noise='random' needs keys, one per example")
        if styles.ndim == 2:
            shape = (styles.shape[0], self.num_styles, self.style_size)
            styles = jnp.broadcast_to(styles[:, None], shape)
        chex.assert_shape(styles, (None, self.num_styles, self.style_size))
        return self.synthesis(wide(styles), noise, rng)

    def affines(self) -> list[jax.Array]:
        """Of each of the L layers the kernel [style_size, outputs] that its style meets first."""
        return affines(self.variables['params']['synthesis'], self.shape)

    def noise_maps(self) -> Any:
        """The constant noise, in the form in which `synthesize` takes maps."""
        return self.variables[BUFFERS]['synthesis']
