"""The networks of CTGAN, for rows of tables.

Source: Modeling Tabular Data using Conditional GAN (Xu et al., 2019), section 4.4. The heads are
those of `modalities.tables`: a number's place in its mode passes tanh, a mode and a category pass a
softmax of temperature 0.2 with Gumbel noise (Jang et al., 2017).
"""

from collections.abc import Sequence

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.networks import layers

NUMBER, MODE, CATEGORY = 'number', 'mode', 'category'
CONDITION, NOISE = 'condition', 'noise'
Heads = Sequence[tuple[str, int]]


def _checked(heads: Heads | None) -> Heads:
    if heads is None:
        raise ValueError('the networks of ctgan are for tables; name config.dataset=table:PATH.csv')
    return heads


def conditions(heads: Heads | None) -> int:
    """How many categories all columns have together, that a row may be conditioned on."""
    return sum(size for kind, size in heads or () if kind == CATEGORY)


def _asks(heads: Heads | None, *more: str) -> frozenset[str]:
    """Of data not yet known there may be conditions."""
    return frozenset(more) | ({CONDITION} if heads is None or conditions(heads) else set())


def activated(logits: chex.Array, heads: Heads, noise: chex.Array, temperature: float) -> jax.Array:
    """A row of the heads' answers.

    Args:
      logits: [batch, width].
      heads: what each part of a row is, with its size.
      noise: Gumbel's, -ln(-ln u), u ~ U(0, 1), [batch, width]; that of numbers is not used.
      temperature: of the softmax.

    Returns:
      [batch, width]: numbers in [-1, 1], and for each mode and category positive entries of sum 1.
    """
    parts, start = [], 0
    for kind, size in heads:
        own = slice(start, start + size)
        if kind == NUMBER:
            parts.append(jnp.tanh(logits[:, own]))
        else:
            parts.append(nn.softmax((logits[:, own] + noise[:, own]) / temperature))
        start += size
    return jnp.concatenate(parts, axis=1)


class Generator(nn.Module):
    """latent, condition -> dense, BatchNorm, ReLU, joined to their input, for each width -> heads.

    Attributes:
      heads: what a row is made of, which the data decide.
      features: the widths of the hidden layers.
      temperature: of the softmax of modes and categories.
      axis_name: the axis over which batch statistics are averaged.
    """

    heads: Heads | None
    features: Sequence[int] = (256, 256)
    temperature: float = 0.2
    axis_name: str | None = None

    @property
    def asks(self) -> frozenset[str]:
        """A condition, if there are categories; and the noise of the heads."""
        return _asks(self.heads, NOISE)

    def __call__(
        self,
        latent: chex.Array,
        train: bool,
        noise: chex.Array,
        condition: chex.Array | None = None,
    ) -> jax.Array:
        """Maps latents [batch, size] to rows [batch, width].

        Args:
          latent: the latents.
          train: whether batch statistics are the batch's own.
          noise: Gumbel's, [batch, width].
          condition: int32 [batch, 1], places among the categories of all columns.

        Raises:
          ValueError: if the data are no table.
        """
        return self.with_logits(latent, train, noise, condition)[0]

    @nn.compact
    def with_logits(
        self,
        latent: chex.Array,
        train: bool,
        noise: chex.Array,
        condition: chex.Array | None = None,
    ) -> tuple[jax.Array, jax.Array]:
        """The same, and the heads' logits [batch, width] before tanh, noise and softmax."""
        heads = _checked(self.heads)
        x = latent
        if condition is not None:
            x = jnp.concatenate([x, one_hot(condition, heads)], axis=1)
        for width in self.features:
            h = layers.Dense(width)(x)
            h = layers.BatchNorm(use_running_average=not train, axis_name=self.axis_name)(h)
            x = jnp.concatenate([x, nn.relu(h)], axis=1)
        logits = layers.Dense(sum(size for _, size in heads))(x)
        return activated(logits, heads, noise, self.temperature), logits


class Discriminator(nn.Module):
    """rows of a pack, their conditions -> dense, leaky ReLU, dropout, for each width -> logit.

    Attributes:
      heads: what a row is made of, which the data decide.
      features: the widths of the hidden layers.
      slope: leaky ReLU's slope below zero.
      dropout: the share of hidden units set to zero in training.
    """

    heads: Heads | None
    features: Sequence[int] = (256, 256)
    slope: float = 0.2
    dropout: float = 0.5

    @property
    def asks(self) -> frozenset[str]:
        """A condition, if there are categories."""
        return _asks(self.heads)

    @nn.compact
    def __call__(
        self,
        rows: chex.Array,
        train: bool,
        condition: chex.Array | None = None,
        rng: chex.PRNGKey | None = None,
    ) -> jax.Array:
        """Maps packs [batch, m * width] to logits [batch].

        Args:
          rows: m rows to a pack, one after the other.
          train: not used: without keys there is no dropout.
          condition: int32 [batch, m], as of the generator.
          rng: keys [batch], for dropout.

        Raises:
          ValueError: if the data are no table.
        """
        heads = _checked(self.heads)
        x = rows
        if condition is not None:
            x = jnp.concatenate([x, one_hot(condition, heads)], axis=1)
        for i, width in enumerate(self.features):
            x = nn.leaky_relu(layers.Dense(width)(x), self.slope)
            drawn = None if rng is None else jax.vmap(jax.random.fold_in, (0, None))(rng, i)
            x = layers.dropout(x, drawn, self.dropout)
        return layers.Dense(1)(x)[:, 0]


def one_hot(condition: chex.Array, heads: Heads) -> jax.Array:
    """Conditions int32 [batch, m] -> [batch, m * categories of all columns]."""
    vectors = jax.nn.one_hot(condition, conditions(heads), dtype=jnp.float32)
    return vectors.reshape(condition.shape[0], -1)


def cross_entropy(logits: chex.Array, condition: chex.Array, heads: Heads) -> jax.Array:
    """How far rows are from the categories that they were to have.

    -log softmax(l_i)_k, l_i the logits of the conditioned column i and k the category asked for.

    Args:
      logits: [batch, width], before noise and softmax.
      condition: int32 [batch, 1].
      heads: what each part of a row is, with its size.

    Returns:
      [batch], at least 0.
    """
    asked, parts, start = one_hot(condition, heads), [], 0
    for kind, size in heads:
        if kind == CATEGORY:
            parts.append(nn.log_softmax(logits[:, start : start + size]))
        start += size
    return -jnp.sum(asked * jnp.concatenate(parts, axis=1), axis=1)
