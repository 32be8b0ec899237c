"""Recurrent networks of series: one step's output depends on the steps up to it.

Sources: Real-valued (Medical) Time Series Generation with Recurrent Conditional GANs (Esteban et
al., 2017), section 3: an LSTM that is given new noise at each step, and one that judges each step;
Time-series Generative Adversarial Networks (Yoon et al., 2019), section 4: stacks of GRUs with a
dense layer of sigmoids. The cells are flax's, whose GRU applies the reset gate after the product
with the state, not before it.
"""

from collections.abc import Sequence
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.networks import layers

CELLS = {'gru': nn.GRUCell, 'lstm': nn.OptimizedLSTMCell}
OUTPUTS = {'sigmoid': nn.sigmoid, 'tanh': nn.tanh, 'linear': lambda x: x}


def _chosen(what: str, name: str, valid: dict[str, Any]) -> Any:
    if name not in valid:
        raise ValueError(f'{what} must be one of {", ".join(valid)}, not {name!r}')
    return valid[name]


def in_steps(latent: chex.Array, shape: Sequence[int], static: int = 0) -> chex.Array:
    """What is given at each step: [batch, length, static + rest / length] of latents [batch, size].

    Args:
      latent: [batch, size]: what every step is given alike, then the rest, each step's part after
        that of the step before; or what has steps already.
      shape: of a series, (length, features).
      static: how many of the latent's numbers every step is given.

    Raises:
      ValueError: if the rest's size is no multiple of the length, or nothing can be static.
    """
    if static and latent.ndim != 2:
        raise ValueError(f'static={static} is of latents, and a series of states has none')
    length, size = shape[0], latent[0].size - static
    if static < 0 or size < 0 or size % length:
        raise ValueError(
            f'a latent of {latent[0].size} numbers has no equal part for each of {length} steps'
            f'{f" beside the {static} of all steps" if static else ""}; let config.latent.size be '
            f'{length} times the noise of a step{f", and {static}" if static else ""}'
        )
    each = latent[:, static:].reshape(latent.shape[0], length, size // length)
    if not static:
        return each
    alike = jnp.broadcast_to(latent[:, None, :static], (latent.shape[0], length, static))
    return jnp.concatenate([alike, each], -1)


def recurrent(
    x: chex.Array, width: int, depth: int, cell: str, dtype: Any, both_ways: bool = False
) -> chex.Array:
    """So many recurrent layers, from states of zeros, within a compact module.

    Args:
      x: [batch, length, size].
      width: the units of each layer.
      depth: how many layers.
      cell: 'gru' or 'lstm'.
      dtype: what is computed in.
      both_ways: whether each layer also reads backwards, with units of its own.

    Returns:
      The last layer's outputs [batch, length, width], or twice as many features.

    Raises:
      ValueError: if there is no such cell.
    """
    kind = _chosen('cell', cell, CELLS)
    for _ in range(depth):
        layer: nn.Module = nn.RNN(kind(width, dtype=dtype))
        if both_ways:
            layer = nn.Bidirectional(layer, nn.RNN(kind(width, dtype=dtype)))
        x = layer(x)
    return x


class Generator(nn.Module):
    """noise of each step -> recurrent layers -> dense: a series.

    With a series of states in place of noise it is TimeGAN's recovery network.

    Attributes:
      shape: of a series, (length, features).
      width: the units of each recurrent layer.
      layers: the number of recurrent layers.
      cell: 'gru' or 'lstm'.
      output: 'sigmoid', for series between 0 and 1, 'tanh' or 'linear'.
      static: how many of the latent's numbers every step is given alike; the others are noise of
        single steps, without which series are smooth.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    shape: Sequence[int]
    width: int = 24
    layers: int = 1
    cell: str = 'lstm'
    output: str = 'sigmoid'
    static: int = 0
    dtype: Any = None

    @nn.compact
    def __call__(self, latent: chex.Array) -> jax.Array:
        """Maps latents [batch, size], or states [batch, length, k], to [batch, *shape].

        Raises:
          ValueError: if the size is no multiple of the length beside what is static, that is asked
            of states, or there is no such cell or output.
        """
        squash = _chosen('output', self.output, OUTPUTS)
        x = in_steps(latent, self.shape, self.static)
        x = recurrent(x, self.width, self.layers, self.cell, self.dtype)
        return squash(layers.Dense(self.shape[-1], dtype=self.dtype)(x)).astype(latent.dtype)


class States(nn.Module):
    """series, states, or noise of each step -> recurrent layers -> dense, sigmoid: states.

    TimeGAN's embedder, supervisor and generator are such.

    Attributes:
      shape: of a series, (length, features).
      width: the units of each recurrent layer, and the size of a state.
      layers: the number of recurrent layers.
      cell: 'gru' or 'lstm'.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    shape: Sequence[int]
    width: int = 24
    layers: int = 3
    cell: str = 'gru'
    dtype: Any = None

    @nn.compact
    def __call__(self, series: chex.Array) -> jax.Array:
        """Maps [batch, length, k], or latents [batch, size], to states in (0, 1), [..., width].

        Raises:
          ValueError: if the size is no multiple of the length, or there is no such cell.
        """
        x = in_steps(series, self.shape)
        x = recurrent(x, self.width, self.layers, self.cell, self.dtype)
        return nn.sigmoid(layers.Dense(self.width, dtype=self.dtype)(x)).astype(series.dtype)


class Discriminator(nn.Module):
    """series -> recurrent layers -> dense: a logit for each step.

    Attributes:
      width: the units of each recurrent layer.
      layers: the number of recurrent layers.
      cell: 'gru' or 'lstm'.
      both_ways: whether each layer also reads the series backwards, so that every step's logit is
        of the whole series.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    width: int = 24
    layers: int = 1
    cell: str = 'lstm'
    both_ways: bool = False
    dtype: Any = None

    @nn.compact
    def __call__(self, series: chex.Array) -> jax.Array:
        """Maps series [batch, length, k] to logits [batch, length].

        Raises:
          ValueError: if there is no such cell.
        """
        x = recurrent(series, self.width, self.layers, self.cell, self.dtype, self.both_ways)
        return layers.Dense(1, dtype=self.dtype)(x)[..., 0].astype(series.dtype)
