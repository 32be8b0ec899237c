"""The game of GANomaly: an encoder, a decoder and a second encoder against a discriminator.

Source: GANomaly: Semi-Supervised Anomaly Detection via Adversarial Training (Akcay et al., 2018),
equations 1 to 5, and its authors' code. Where the two differ this is the code: the distances of
features and of latents are means of squares.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import chex
import jax.numpy as jnp

from gan_jax.game import Aux, Batch, Game, Params, Turn
from gan_jax.games.adversary import Adversary
from gan_jax.games.f_anogan import mean_square
from gan_jax.games.network import Network, Role, begin, features
from gan_jax.games.turns import Opponent, Scene, adversarial_turns


def make(
    *,
    generator: Network,
    discriminator: Network,
    encoder: Network,
    adversary: Adversary,
    adversarial_weight: float = 1.0,
    reconstruction_weight: float = 50.0,
    latent_weight: float = 1.0,
) -> Game:
    """Builds the game.

    The player 'generator' holds the networks 'encoder' E, 'decoder' G and 'second' F. Of examples
    x, latents z = E(x), what is made of them x' = G(z), and the discriminator's features f it
    minimises the mean of

        w_adv |f(x) - f(x')|^2 / n_f + w_con |x - x'|_1 / n_x + w_lat |z - F(x')|^2 / n_z;

    the discriminator tells x from x' by the adversary's objective, whose generator's side is not
    used. An example's score is |z - F(x')|^2 / n_z, with running batch statistics.

    Args:
      generator: (latents, train, keys or None) -> examples: the decoder.
      discriminator: (examples, train) -> logits or a verdict.
      encoder: (examples, train, keys or None) -> latents: both encoders are such.
      adversary: the discriminator's losses, with penalties and cures, but no packs.
      adversarial_weight: w_adv, 1 in the authors' code.
      reconstruction_weight: w_con, 50 there.
      latent_weight: w_lat, 1 there.

    Returns:
      A game of the players 'generator' and 'discriminator', on batches {'real'}, with functions
      encode: (params, aux, examples) -> latents z [n, size];
      reconstruct: (params, aux, examples) -> x' [n, ...];
      anomaly: (params, aux, examples) -> scores [n], the more the less normal.

    Raises:
      ValueError: if the adversary judges packs.
    """
    if adversary.packing > 1:
        raise ValueError('features of packs are not those of examples: leave cures.packing at 1')
    first, second = (Role(encoder, 'generator', name) for name in ('encoder', 'second'))
    decoder = Role(generator, 'generator', 'decoder')
    opponent = Opponent(Role(discriminator, 'discriminator'), adversary)
    seen = opponent.role._replace(network=features(discriminator))

    def init(rng: chex.PRNGKey, batch: Batch) -> tuple[dict[str, Any], Aux]:
        real = batch['real']
        params, aux = begin(rng, [(first, real, {}), (second, real, {}), (opponent.role, real, {})])
        latent = first(params, aux, real, train=False)[0]
        own, collections = decoder.init(rng, latent)
        params['generator'][decoder.part], aux['generator'][decoder.part] = own, collections
        return params, {**aux, **adversary.init(real)}

    travel = functools.partial(travel_of, first, decoder)
    weights = {
        'adversarial': adversarial_weight,
        'reconstruction': reconstruction_weight,
        'latent': latent_weight,
    }
    loss = functools.partial(generator_loss, weights, travel, second, seen)

    def show(params: Params, aux: Aux, batch: Batch, rng: chex.PRNGKey):
        _, made, aux = travel(params, aux, batch['real'], rng=rng)
        return {'': Scene(batch['real'], made)}, made, aux

    def encode(params: Params, aux: Aux, examples: Any) -> Any:
        return first(params, aux, examples, train=False)[0]

    def reconstruct(params: Params, aux: Aux, examples: Any) -> Any:
        return travel(params, aux, examples, train=False)[1]

    def anomaly(params: Params, aux: Aux, examples: Any) -> Any:
        latent, made, _ = travel(params, aux, examples, train=False)
        return mean_square(latent - second(params, aux, made, train=False)[0])

    *discriminators, _ = adversarial_turns(show, [opponent])
    functions = {'encode': encode, 'reconstruct': reconstruct, 'anomaly': anomaly}
    return Game(init, (*discriminators, Turn('generator', loss)), functions)


def travel_of(
    encoder: Role, decoder: Role, params: Params, aux: Aux, examples: Any, **options: Any
) -> tuple[Any, Any, Aux]:
    """The latents of examples, what is made of these, and aux.

    Args:
      encoder: examples -> latents.
      decoder: latents -> examples.
      params: every player's.
      aux: the game's.
      examples: [n, ...].
      **options: of both roles.
    """
    latent, aux = encoder(params, aux, examples, **options)
    made, aux = decoder(params, aux, latent, **options)
    return latent, made, aux


def generator_loss(
    weights: Mapping[str, float],
    travel: Callable[..., tuple[Any, Any, Aux]],
    second: Role,
    seen: Role,
    params: Params,
    aux: Aux,
    batch: Batch,
    rng: chex.PRNGKey,
) -> tuple[chex.Array, tuple[Aux, dict[str, chex.Array]]]:
    """The weighted sum of the three errors, as a LossFn gives it.

    Args:
      weights: of the means of the errors, by their names.
      travel: (params, aux, examples, **options) -> as `travel_of` has it.
      second: what is made -> latents.
      seen: examples -> the discriminator's features.
      params: every player's.
      aux: the game's.
      batch: {'real': examples}.
      rng: keys [examples].
    """
    real = batch['real']
    latent, made, new_aux = travel(params, aux, real, rng=rng)
    again, new_aux = second(params, new_aux, made, rng=rng)
    known, own = (seen(params, aux, x)[0] for x in (real, made))
    errors = {
        'adversarial': mean_square(known - own),
        'reconstruction': jnp.abs(real - made),
        'latent': mean_square(latent - again),
    }
    metrics = {name: jnp.mean(x) for name, x in errors.items()}
    total = sum(weights[name] * x for name, x in metrics.items())
    return jnp.asarray(total), (new_aux, metrics)
