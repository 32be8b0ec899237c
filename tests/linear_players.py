"""Players that can be written out, for games that reconstruct examples, and examples for them."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from gan_jax import keys

X = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
BATCH = {'real': X}
RNG = keys.per_example(jax.random.key(1), 5)
PERMUTED = np.array([3, 0, 4, 1, 2])


class Linear(nn.Module):
    """x -> w x; in training less the batch's mean, as batch normalisation has it."""

    start: float
    normalized: bool = False

    @nn.compact
    def __call__(self, x, train):
        x = x - x.mean(axis=0, keepdims=True) if self.normalized and train else x
        return self.param('w', nn.initializers.constant(self.start), ()) * x


class Critic(nn.Module):
    """x -> (2 x, how far it is from the batch's mean) -> logit."""

    @nn.compact
    def __call__(self, x, train):
        return nn.Dense(1)(
            jnp.concatenate([2 * x, jnp.abs(x - x.mean(axis=0, keepdims=True))], -1)
        )[:, 0]
