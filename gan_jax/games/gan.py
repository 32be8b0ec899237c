"""The game of one generator against one discriminator, without labels.

Source: Generative Adversarial Nets (Goodfellow et al., 2014), algorithm 1. The networks, the
objective and the penalties are given, so GAN, DCGAN and most of their successors are this game.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import flax.linen as nn
import jax.numpy as jnp

from gan_jax import keys
from gan_jax.game import Aux, Batch, Game, Params, Turn
from gan_jax.objectives import Objective


class Penalty(NamedTuple):
    """A penalty on the discriminator at real data.

    Attributes:
      name: what its metrics are named for.
      function: (critic, images) -> [batch].
      weight: the factor of its mean in the loss (for R1: gamma / 2).
      every: at which steps it is played; the weight is multiplied by it.
    """

    name: str
    function: Callable[[Callable, chex.Array], chex.Array]
    weight: float
    every: int = 1


def make(
    *,
    generator: nn.Module,
    discriminator: nn.Module,
    objective: Objective,
    latent: Callable[..., chex.Array],
    penalties: tuple[Penalty, ...] = (),
    generator_every: int = 1,
) -> Game:
    """Builds the game.

    The discriminator plays first, on new samples; then the generator, on newer ones. Real and
    generated images pass through the discriminator apart, each with their own batch statistics,
    as in DCGAN's code. A turn leaves the other player's batch statistics alone. A penalty with
    `every` = 1 is part of the discriminator's loss; one that is played less often has a turn of
    its own, with its weight multiplied by `every`, and comes after the loss.

    Args:
      generator: (latents, train) -> images.
      discriminator: (images, train) -> logits.
      objective: the losses of both.
      latent: keys [batch] -> latents [batch, size].
      penalties: penalties on the discriminator.
      generator_every: the generator plays at multiples of this step (WGAN: 5).

    Returns:
      A game of the players 'generator' and 'discriminator', on batches {'image'}, with functions
      latent: (keys [n], **options) -> latents [n, size];
      sample: (params, aux, latents) -> {'image': [n, ...]} in [-1, 1];
      score: (params, aux, batch) -> logits [n].
    """
    networks = {'generator': generator, 'discriminator': discriminator}

    def apply(player, params, aux, x):
        """In training: batch statistics are the batch's own, the running ones come back new."""
        variables = {'params': params[player], **aux[player]}
        return networks[player].apply(variables, x, train=True, mutable=list(aux[player]))

    def generate(params, aux, rng):
        return apply('generator', params, aux, latent(rng))

    def judge(params, aux, images):
        logits, collections = apply('discriminator', params, aux, images)
        return logits, {**aux, 'discriminator': collections}

    def penalty_of(penalty, params, aux, images):
        def critic(x):
            return judge(params, aux, x)[0]

        return jnp.mean(penalty.function(critic, images))

    def init(rng: chex.PRNGKey, batch: Batch) -> tuple[dict[str, Any], Aux]:
        image = batch['image']
        examples = keys.per_example(rng, image.shape[0])
        inputs = {'generator': latent(examples), 'discriminator': image}
        params, aux = {}, {}
        for player, network in networks.items():
            variables = network.init(keys.fold_in_name(rng, player), inputs[player], train=True)
            params[player] = variables.pop('params')
            aux[player] = variables
        return params, aux

    def discriminator_loss(params: Params, aux: Aux, batch: Batch, rng: chex.PRNGKey):
        fake, _ = generate(params, aux, rng)
        real_logits, aux = judge(params, aux, batch['image'])
        fake_logits, aux = judge(params, aux, fake)
        loss = jnp.mean(objective.discriminator(real_logits, fake_logits))
        metrics = {
            'real_logit': jnp.mean(real_logits),
            'fake_logit': jnp.mean(fake_logits),
            'real_accuracy': jnp.mean(real_logits > 0, dtype=jnp.float32),
            'fake_accuracy': jnp.mean(fake_logits < 0, dtype=jnp.float32),
        }
        for penalty in penalties:
            if penalty.every == 1:
                metrics[penalty.name] = penalty_of(penalty, params, aux, batch['image'])
                loss = loss + penalty.weight * metrics[penalty.name]
        return loss, (aux, metrics)

    def lazy(penalty: Penalty):
        def loss(params: Params, aux: Aux, batch: Batch, rng: chex.PRNGKey):
            value = penalty_of(penalty, params, aux, batch['image'])
            return penalty.weight * penalty.every * value, (aux, {penalty.name: value})

        return Turn('discriminator', loss, penalty.every, f'discriminator_{penalty.name}')

    def generator_loss(params: Params, aux: Aux, batch: Batch, rng: chex.PRNGKey):
        fake, collections = generate(params, aux, rng)
        real_logits, _ = judge(params, aux, batch['image'])
        fake_logits, _ = judge(params, aux, fake)
        loss = jnp.mean(objective.generator(real_logits, fake_logits))
        return loss, ({**aux, 'generator': collections}, {})

    def sample(params: Params, aux: Aux, latents: chex.Array) -> dict[str, Any]:
        variables = {'params': params['generator'], **aux['generator']}
        return {'image': generator.apply(variables, latents, train=False)}

    def score(params: Params, aux: Aux, batch: Batch) -> Any:
        variables = {'params': params['discriminator'], **aux['discriminator']}
        return discriminator.apply(variables, batch['image'], train=False)

    turns = (
        Turn('discriminator', discriminator_loss),
        *(lazy(penalty) for penalty in penalties if penalty.every > 1),
        Turn('generator', generator_loss, generator_every),
    )
    return Game(init, turns, {'latent': latent, 'sample': sample, 'score': score})
