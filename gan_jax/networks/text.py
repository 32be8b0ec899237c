"""Networks of texts: sequences of tokens, each a place in a vocabulary.

Sources: SeqGAN: Sequence Generative Adversarial Nets with Policy Gradient (Yu et al., 2017),
section 3: an LSTM that says what the next token is, and convolutions over the whole text with a
highway that judge it; Highway Networks (Srivastava et al., 2015); Categorical Reparameterization
with Gumbel-Softmax (Jang et al., 2017).
"""

import functools
import math
from collections.abc import Sequence
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from gan_jax.networks import layers

END = 0  # the token that ends a text, where texts end
State = tuple[jax.Array, jax.Array]


def inverse_cdf(logits: chex.Array, uniforms: chex.Array) -> jax.Array:
    """Draws the first k with sum_{i <= k} softmax(logits)_i > u.

    The sums are taken by blocks, since a running sum over thousands of tokens is slow.

    Args:
      logits: [..., vocabulary].
      uniforms: u in [0, 1], [...].

    Returns:
      int32 [...] in [0, vocabulary).
    """
    size = logits.shape[-1]
    side = math.isqrt(size - 1) + 1
    weights = jnp.exp(logits - logits.max(axis=-1, keepdims=True))
    fill = [(0, 0)] * (logits.ndim - 1) + [(0, side * side - size)]
    blocks = jnp.pad(weights, fill).reshape(*logits.shape[:-1], side, side)
    sums = jnp.cumsum(blocks.sum(axis=-1), axis=-1)
    target = (uniforms * sums[..., -1])[..., None]
    block = jnp.minimum((sums <= target).sum(axis=-1, keepdims=True), side - 1)
    before = jnp.where(block > 0, jnp.take_along_axis(sums, jnp.maximum(block - 1, 0), -1), 0)
    inside = jnp.take_along_axis(blocks, block[..., None], axis=-2)[..., 0, :]
    place = (jnp.cumsum(inside, axis=-1) <= target - before).sum(axis=-1)
    drawn = block[..., 0] * side + jnp.minimum(place, side - 1)
    return jnp.minimum(drawn, size - 1).astype(jnp.int32)


class Generator(nn.Module):
    """start, tokens so far -> embedding -> LSTM -> dense: the next token's distribution.

    A text's probability is the product of its tokens'. Where texts end, whatever comes after the
    first token 0 is 0 as well, with probability 1.

    Attributes:
      shape: of an encoded text, (length, vocabulary).
      ends: whether token 0 ends a text.
      embedding: numbers of a token's vector.
      width: the LSTM's units.
      temperature: logits are divided by it; less than 1 makes the likely likelier.
      dtype: what the products of matrices are computed in; None is the parameters' type.
    """

    shape: Sequence[int]
    ends: bool | None = None
    embedding: int = 32
    width: int = 32
    temperature: float = 1.0
    dtype: Any = None

    def setup(self) -> None:
        """Weights as flax has them, forget gates that begin open.

        Raises:
          ValueError: if the temperature is not above 0, or the data are no texts.
        """
        if not self.temperature > 0:
            raise ValueError(f'temperature={self.temperature} must be above 0')
        _, vocabulary = _text_shape(self.shape)
        normal, scaled = nn.initializers.normal(0.1), nn.initializers.lecun_normal()
        self.vectors = self.param('vectors', normal, (vocabulary + 1, self.embedding))
        shape = self.embedding + self.width, 4 * self.width
        self.kernel = self.param('kernel', scaled, shape)
        self.bias = self.param('bias', _open_gates, shape[1:])
        self.out_kernel = self.param('out_kernel', scaled, (self.width, vocabulary))
        self.out_bias = self.param('out_bias', nn.initializers.zeros_init(), (vocabulary,))

    def __call__(self, latent: chex.Array) -> jax.Array:
        """Maps latents in [-1, 1], [batch, length], to texts, one-hot [batch, length, vocabulary].

        The number of each step says by `inverse_cdf` which token is drawn.

        Raises:
          ValueError: if there is not one number for each step.
        """
        length, vocabulary = _text_shape(self.shape)
        if latent.shape[1:] != (length,):
            raise ValueError(
                f'a latent of {latent[0].size} numbers does not draw the {length} tokens of a '
                f'text; let config.latent be uniform, of size {length}'
            )
        return jax.nn.one_hot(self.sampled((latent + 1) / 2), vocabulary, dtype=latent.dtype)

    def sampled(self, uniforms: chex.Array) -> jax.Array:
        """Texts, int32 [batch, length], drawn by uniforms on [0, 1] of the same shape."""

        def step(carry: Any, uniform: jax.Array) -> Any:
            state, last = carry
            state = self._read(state, self.vectors[last])
            drawn = self._after(last, inverse_cdf(self._logits(state), uniform))
            return (state, drawn), drawn

        _, tokens = lax.scan(step, self._begin(uniforms.shape[:1]), uniforms.T)
        return tokens.T

    def log_likelihood(self, tokens: chex.Array) -> jax.Array:
        """log p(y_t | y_1 .. y_{t-1}) of texts int32 [batch, length], of the same shape.

        It is 0 after the end.
        """

        def step(state: State, token: jax.Array) -> Any:
            state = self._read(state, self.vectors[token])
            return state, state[0]

        state, start = self._begin(tokens.shape[:1])
        told = jnp.concatenate([start[:, None], tokens[:, :-1]], axis=1)
        _, hidden = lax.scan(step, state, told.T)
        every = jax.nn.log_softmax(self._logits((hidden, hidden)))
        own = jnp.take_along_axis(every, tokens.T[..., None], axis=-1)[..., 0].T
        ended = jnp.cumsum(told == END, axis=1) > 0
        return jnp.where(ended, 0.0, own) if self.ends else own

    def completed(self, tokens: chex.Array, uniforms: chex.Array) -> jax.Array:
        """Roll-outs: each beginning of each text, gone on with by the generator.

        Args:
          tokens: texts, int32 [batch, length].
          uniforms: on [0, 1], [batch, length - 1, length].

        Returns:
          int32 [batch, length - 1, length]: at [:, t - 1] the first t tokens and what was drawn
          after them.
        """
        state, last = self._begin((len(tokens), 1))
        texts = tokens[:, None]
        for step in range(tokens.shape[1]):
            state = self._read(state, self.vectors[last])
            if not step:
                last = tokens[:, :1]
                continue
            # The text itself comes first; of its state a new roll-out begins.
            state = jax.tree.map(lambda x: jnp.concatenate([x, x[:, :1]], axis=1), state)
            texts = jnp.concatenate([texts, tokens[:, None]], axis=1)
            last = jnp.concatenate([last, last[:, :1]], axis=1)
            drawn = inverse_cdf(
                self._logits(jax.tree.map(lambda x: x[:, 1:], state)), uniforms[:, :step, step]
            )
            drawn = self._after(last[:, 1:], drawn)
            texts = texts.at[:, 1:, step].set(drawn)
            last = jnp.concatenate([tokens[:, step, None], drawn], axis=1)
        return texts[:, 1:]

    def relaxed(self, noise: chex.Array, temperature: chex.Numeric) -> tuple[jax.Array, jax.Array]:
        """Relaxed samples: y_t = softmax((logits_t + g_t) / temperature), fed back as they are.

        Args:
          noise: g, Gumbel's, [batch, length, vocabulary].
          temperature: of the relaxation.

        Returns:
          (relaxed, hard) texts, both [batch, length, vocabulary]: hard ones are the one-hot vectors
          of the largest entries, ends after the first end. After an end, relaxed ones are as likely
          to have ended.
        """
        vocabulary = self.shape[1]
        end = jax.nn.one_hot(END, vocabulary)[None]

        def step(carry: Any, drawn: jax.Array) -> Any:
            state, vector, ended = carry
            state = self._read(state, vector)
            soft = jax.nn.softmax((self._logits(state) + drawn) / temperature)
            if self.ends:
                soft = ended * end + (1 - ended) * soft
                ended = soft[:, :1]
            return (state, soft @ self.vectors[:-1], ended), soft

        state, start = self._begin(noise.shape[:1])
        begun = state, self.vectors[start], jnp.zeros((len(noise), 1))
        _, soft = lax.scan(step, begun, noise.swapaxes(0, 1))
        soft = soft.swapaxes(0, 1)
        hard = jax.nn.one_hot(soft.argmax(axis=-1), vocabulary)
        if self.ends:  # as no real text, none goes on after the first
            over = jnp.cumsum(hard[..., END], axis=1)[..., None] > 0
            hard = jnp.where(over, end[None], hard)
        return soft, hard

    def _begin(self, shape: Sequence[int]) -> tuple[State, jax.Array]:
        """The state and the token before the first."""
        zeros = jnp.zeros((*shape, self.width))
        return (zeros, zeros), jnp.full(shape, self.shape[1], jnp.int32)

    def _read(self, state: State, vector: jax.Array) -> State:
        """One step of the LSTM, (h, c)."""
        hidden, cell = state
        given = jnp.concatenate([vector, hidden], axis=-1)
        gates = self._dense(given, self.kernel, self.bias)
        i, f, g, o = jnp.split(gates, 4, axis=-1)
        cell = nn.sigmoid(f) * cell + nn.sigmoid(i) * jnp.tanh(g)
        return nn.sigmoid(o) * jnp.tanh(cell), cell

    def _logits(self, state: State) -> jax.Array:
        return self._dense(state[0], self.out_kernel, self.out_bias) / self.temperature

    def _dense(self, x: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
        dtype = self.dtype or kernel.dtype
        product = (x.astype(dtype) @ kernel.astype(dtype)).astype(kernel.dtype)
        return product + bias.reshape((1,) * (x.ndim - 1) + bias.shape)

    def _after(self, last: jax.Array, drawn: jax.Array) -> jax.Array:
        """What was drawn, or the end again."""
        return jnp.where(last == END, END, drawn) if self.ends else drawn


def _text_shape(shape: Sequence[int]) -> tuple[int, int]:
    if len(shape) != 2:
        raise ValueError('the networks of text are for texts; name config.dataset=text:PATH')
    return shape[0], shape[1]


def _open_gates(rng: chex.PRNGKey, shape: Sequence[int], dtype: Any = jnp.float32) -> jax.Array:
    """Zeros, and ones for the second of four gates."""
    return jnp.zeros((4, shape[0] // 4), dtype).at[1].set(1).reshape(shape)


class Discriminator(nn.Module):
    """embedding -> convolutions of several sizes, maximum over steps -> highway -> dense.

    Attributes:
      shape: of an encoded text, (length, vocabulary).
      embedding: numbers of a token's vector.
      sizes: tokens that each convolution sees; longer ones than a text see all of it.
      features: of each convolution, as many as there are sizes, or one number for all.
      dropout: the share of features that are left out in training.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    shape: Sequence[int]
    embedding: int = 64
    sizes: Sequence[int] = (1, 2, 3, 4, 5)
    features: int = 64
    dropout: float = 0.25
    dtype: Any = None

    def setup(self) -> None:
        """The layers, by name."""
        _, vocabulary = _text_shape(self.shape)
        normal = nn.initializers.normal(0.1)
        self.vectors = self.param('vectors', normal, (vocabulary, self.embedding))
        dense = functools.partial(layers.Dense, dtype=self.dtype)
        self.windows = [dense(self.features) for _ in self.sizes]
        width = self.features * len(self.sizes)
        self.gate = dense(width, bias_init=nn.initializers.constant(-2.0))
        self.change, self.logit = dense(width), dense(1)

    def __call__(self, text: chex.Array, train: bool, rng: chex.PRNGKey | None = None) -> jax.Array:
        """Maps one-hot or relaxed texts [batch, length, vocabulary] to logits [batch].

        Args:
          text: the texts.
          train: whether features are left out.
          rng: keys [batch], of these.
        """
        return self._judge(text @ self.vectors, rng if train else None)

    def of_tokens(self, tokens: chex.Array) -> jax.Array:
        """Logits [batch] of texts int32 [batch, length], nothing left out."""
        return self._judge(self.vectors[tokens], None)

    def _judge(self, x: jax.Array, rng: chex.PRNGKey | None) -> jax.Array:
        found, length = [], x.shape[1]
        for size, layer in zip(self.sizes, self.windows, strict=True):
            size = min(size, length)
            shifted = [x[:, i : length - size + 1 + i] for i in range(size)]
            found.append(nn.relu(layer(jnp.concatenate(shifted, axis=-1))).max(axis=1))
        h = jnp.concatenate(found, axis=-1)
        gate = nn.sigmoid(self.gate(h))
        h = gate * nn.relu(self.change(h)) + (1 - gate) * h
        return self.logit(layers.dropout(h, rng, self.dropout))[:, 0].astype(jnp.float32)
