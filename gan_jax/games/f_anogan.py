"""The second stage of f-AnoGAN: an encoder learns the way back into a generator at rest.

Source: f-AnoGAN: Fast unsupervised anomaly detection with generative adversarial networks (Schlegl
et al., 2019), equations 3 to 5, the training that the paper calls izi_f; and its authors' code.
"""

import functools
from collections.abc import Callable
from typing import Any

import chex
import jax.numpy as jnp

from gan_jax import keys
from gan_jax.game import Aux, Batch, Game, Params, Turn
from gan_jax.games.network import Network, Role, begin, features


def make(
    *,
    generator: Network,
    discriminator: Network,
    encoder: Network,
    prior: Callable[..., dict[str, chex.Array]],
    kappa: float = 1.0,
) -> Game:
    """Builds the game.

    The encoder E is the only player that moves. Of examples x, the generator G and the
    discriminator's features f it minimises the mean over the batch of

        |x - G(E(x))|^2 / n_x + kappa |f(x) - f(G(E(x)))|^2 / n_f,

    n_x and n_f the numbers of an example's values and features. The same sum is an example's
    score. G and f are taken as they are in evaluation, with running batch statistics, so that
    nothing of an example depends on the others.

    Args:
      generator: (latents, train) -> examples; constant.
      discriminator: (examples, train) -> logits or a verdict; constant.
      encoder: (examples, train, keys or None) -> latents.
      prior: keys [batch] -> {'latent': [batch, size]}; only its shape matters.
      kappa: the weight of the features.

    Returns:
      A game of the players 'encoder', 'generator' and 'discriminator', the last two constant, on
      batches {'real'}, with functions
      encode: (params, aux, examples) -> latents [n, size];
      reconstruct: (params, aux, examples) -> G(E(x)) [n, ...];
      anomaly: (params, aux, examples) -> scores [n], the more the less normal.
    """
    decoder, encoding = Role(generator, 'generator'), Role(encoder, 'encoder')
    judge = Role(discriminator, 'discriminator')
    errors = functools.partial(errors_of, decoder, judge._replace(network=features(discriminator)))

    def init(rng: chex.PRNGKey, batch: Batch) -> tuple[dict[str, Any], Aux]:
        real = batch['real']
        latent = prior(keys.per_example(rng, len(real)))['latent']
        return begin(rng, [(decoder, latent, {}), (judge, real, {}), (encoding, real, {})])

    def loss(params: Params, aux: Aux, batch: Batch, rng: chex.PRNGKey):
        real = batch['real']
        latent, new_aux = encoding(params, aux, real, rng=rng)
        of_examples, of_features = (jnp.mean(x) for x in errors(params, aux, real, latent))
        metrics = {'example_error': of_examples, 'feature_error': of_features}
        return of_examples + kappa * of_features, (new_aux, metrics)

    def encode(params: Params, aux: Aux, examples: Any) -> Any:
        return encoding(params, aux, examples, train=False)[0]

    def reconstruct(params: Params, aux: Aux, examples: Any) -> Any:
        return decoder(params, aux, encode(params, aux, examples), train=False)[0]

    def anomaly(params: Params, aux: Aux, examples: Any) -> Any:
        latent = encode(params, aux, examples)
        of_examples, of_features = errors(params, aux, examples, latent)
        return of_examples + kappa * of_features

    functions = {'encode': encode, 'reconstruct': reconstruct, 'anomaly': anomaly}
    return Game(init, (Turn('encoder', loss),), functions)


def errors_of(
    decoder: Role, seen: Role, params: Params, aux: Aux, examples: Any, latent: Any
) -> tuple[chex.Array, chex.Array]:
    """What latents' examples lack of the true ones, in themselves and in features, both [n].

    Args:
      decoder: latents -> examples.
      seen: examples -> features.
      params: every player's.
      aux: the game's.
      examples: the true ones [n, ...].
      latent: [n, size].
    """
    made = decoder(params, aux, latent, train=False)[0]
    known, own = (seen(params, aux, x, train=False)[0] for x in (examples, made))
    return mean_square(examples - made), mean_square(known - own)


def mean_square(difference: chex.Array) -> chex.Array:
    """The mean of the squares of each row [n, ...]."""
    return jnp.mean(jnp.square(difference).reshape(len(difference), -1), axis=1)
