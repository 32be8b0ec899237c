"""The game of one generator against one discriminator, without labels.

Source: Generative Adversarial Nets (Goodfellow et al., 2014), algorithm 1. The networks and the
adversary are given, so GAN, DCGAN and most of their successors are this game.
"""

from collections.abc import Callable
from typing import Any

import chex
import flax.linen as nn

from gan_jax import keys
from gan_jax.game import Aux, Batch, Game, Params, Turn
from gan_jax.games.adversary import Adversary, Penalty


def make(
    *,
    generator: nn.Module,
    discriminator: nn.Module,
    adversary: Adversary,
    latent: Callable[..., chex.Array],
    generator_every: int = 1,
    simultaneous: bool = False,
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
      adversary: the losses of both, with penalties and cures.
      latent: keys [batch] -> latents [batch, size].
      generator_every: the generator plays at multiples of this step (WGAN: 5).
      simultaneous: whether the generator meets the discriminator as it was before the step.

    Returns:
      A game of the players 'generator' and 'discriminator', on batches {'image'}, with functions
      latent: (keys [n], **options) -> latents [n, size];
      sample: (params, aux, latents) -> {'image': [n, ...]}, images in [-1, 1];
      score: (params, aux, batch) -> logits [n]; a discriminator of packs is shown packs of one
      example repeated.
    """
    networks = {'generator': generator, 'discriminator': discriminator}

    def apply(player, params, aux, x):
        """In training: batch statistics are the batch's own, the running ones come back new."""
        variables = {'params': params[player], **aux[player]}
        return networks[player].apply(variables, x, train=True, mutable=list(aux[player]))

    def generate(params, aux, rng):
        return apply('generator', params, aux, latent(rng))

    def judge(params):
        def apply_to(aux, images):
            logits, collections = apply('discriminator', params, aux, images)
            return logits, {**aux, 'discriminator': collections}

        return apply_to

    def init(rng: chex.PRNGKey, batch: Batch) -> tuple[dict[str, Any], Aux]:
        image = batch['image']
        examples = keys.per_example(rng, image.shape[0])
        packs = adversary.repeated(image)
        inputs = {'generator': latent(examples), 'discriminator': packs}
        params, aux = {}, {}
        for player, network in networks.items():
            variables = network.init(keys.fold_in_name(rng, player), inputs[player], train=True)
            params[player] = variables.pop('params')
            aux[player] = variables
        return params, {**aux, **adversary.init()}

    def discriminator_loss(params: Params, aux: Aux, batch: Batch, rng: chex.PRNGKey):
        fake, _ = generate(params, aux, rng)
        return adversary.discriminator(judge(params), aux, batch['image'], fake, rng)

    def lazy(penalty: Penalty):
        def loss(params: Params, aux: Aux, batch: Batch, rng: chex.PRNGKey):
            fake, _ = generate(params, aux, rng)
            return adversary.lazy(penalty, judge(params), aux, batch['image'], fake, rng)

        return Turn('discriminator', loss, penalty.every, f'discriminator_{penalty.name}')

    def generator_loss(params: Params, aux: Aux, batch: Batch, rng: chex.PRNGKey):
        fake, collections = generate(params, aux, rng)
        loss = adversary.generator(judge(params), aux, batch['image'], fake, rng)
        return loss, ({**aux, 'generator': collections}, {})

    def sample(params: Params, aux: Aux, latents: chex.Array) -> dict[str, Any]:
        variables = {'params': params['generator'], **aux['generator']}
        return {'image': generator.apply(variables, latents, train=False)}

    def score(params: Params, aux: Aux, batch: Batch) -> Any:
        variables = {'params': params['discriminator'], **aux['discriminator']}
        return discriminator.apply(variables, adversary.repeated(batch['image']), train=False)

    turns = (
        Turn('discriminator', discriminator_loss),
        *(lazy(penalty) for penalty in adversary.penalties if penalty.every > 1),
        Turn('generator', generator_loss, generator_every),
    )
    functions = {'latent': latent, 'sample': sample, 'score': score}
    return Game(init, turns, functions, simultaneous)
