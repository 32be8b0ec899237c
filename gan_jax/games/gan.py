"""The game of one generator against one discriminator, with or without labels.

Source: Generative Adversarial Nets (Goodfellow et al., 2014), algorithm 1. The networks and the
adversary are given, so GAN, DCGAN and most of their successors are this game; with networks that
ask for a label it is that of Conditional Generative Adversarial Nets (Mirza and Osindero, 2014).
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import chex

from gan_jax import keys
from gan_jax.game import Aux, Batch, Game, Params
from gan_jax.games import class_heads
from gan_jax.games.adversary import Adversary
from gan_jax.games.class_heads import BothTerms, ClassHead
from gan_jax.games.network import Network, Role, begin, features, generate
from gan_jax.games.turns import Opponent, Scene, adversarial_turns
from gan_jax.networks import verdict


def make(
    *,
    generator: Network,
    discriminator: Network,
    adversary: Adversary,
    prior: Callable[..., dict[str, chex.Array]],
    class_head: ClassHead | None = None,
    generator_every: int = 1,
    simultaneous: bool = False,
) -> Game:
    """Builds the game.

    The discriminator plays first, on new samples; then the generator, on newer ones. Real and
    generated examples pass through the discriminator apart, each with their own batch statistics,
    as in DCGAN's code. What the networks ask for beside their first input (a label) is in training
    that of the batch, for both players and both sides alike; after it that of the prior.

    Args:
      generator: (latents, train, ...) -> examples.
      discriminator: (examples, train, ...) -> logits or a verdict.
      adversary: the losses of both, with penalties and cures.
      prior: keys [batch] -> {'latent': [batch, size], and what else the networks ask for}.
      class_head: what the discriminator's class head adds to both losses; None for nothing.
      generator_every: the generator plays at multiples of this step (WGAN: 5).
      simultaneous: whether the generator meets the discriminator as it was before the step.

    Returns:
      A game of the players 'generator' and 'discriminator', on batches {'real'}, with functions
      prior: (keys [n], **options) -> inputs;
      sample: (params, aux, inputs) -> examples [n, ...] as networks see them;
      score, verdict: (params, aux, batch) -> logits [n], the discriminator's answer; a
      discriminator of packs is shown packs of one example repeated;
      features: (params, aux, examples) -> what the discriminator's logit is read off, [n, ...].

    Raises:
      ValueError: if there is a class head, and the generator asks for no label.
    """
    return with_terms(
        generator=generator,
        discriminator=discriminator,
        adversary=adversary,
        prior=prior,
        terms=class_heads.terms(class_head, generator),
        generator_every=generator_every,
        simultaneous=simultaneous,
    )


def with_terms(
    *,
    generator: Network,
    discriminator: Network,
    adversary: Adversary,
    prior: Callable[..., dict[str, chex.Array]],
    terms: BothTerms,
    generator_every: int,
    simultaneous: bool,
) -> Game:
    """`make` with any further terms in both players' losses."""
    generated = functools.partial(generate, Role(generator, 'generator'))
    opponent = Opponent(Role(discriminator, 'discriminator'), adversary)

    def conditions(batch: Batch) -> dict[str, Any]:
        return {name: x for name, x in batch.items() if name in generator.asks | discriminator.asks}

    def init(rng: chex.PRNGKey, batch: Batch) -> tuple[dict[str, Any], Aux]:
        real, told = batch['real'], conditions(batch)
        inputs = {**prior(keys.per_example(rng, real.shape[0])), **told}
        latent = inputs.pop('latent')
        shown = opponent.role, *adversary.repeated((real, told))
        cast = (Role(generator, 'generator'), latent, inputs), shown
        params, aux = begin(rng, cast)
        return params, {**aux, **adversary.init(real)}

    def show(params: Params, aux: Aux, batch: Batch, rng: chex.PRNGKey):
        told = conditions(batch)
        fake, aux = generated(params, aux, {**prior(rng), **told}, rng=rng)
        return {'': Scene(batch['real'], fake, told)}, fake, aux

    def sample(params: Params, aux: Aux, inputs: Mapping[str, Any]) -> Any:
        return generated(params, aux, inputs, train=False)[0]

    def judge(params: Params, aux: Aux, batch: Batch) -> verdict.Verdict:
        shown, told = adversary.repeated((batch['real'], conditions(batch)))
        return verdict.of(opponent.role(params, aux, shown, train=False, **told)[0])

    def score(params: Params, aux: Aux, batch: Batch) -> Any:
        return verdict.per_example(judge(params, aux, batch).logits)

    def look(params: Params, aux: Aux, examples: Any) -> Any:
        seen = Role(features(discriminator), 'discriminator')
        return seen(params, aux, adversary.repeated(examples), train=False)[0]

    turns = adversarial_turns(show, [opponent], **terms, generator_every=generator_every)
    functions = {'prior': prior, 'sample': sample, 'score': score, 'verdict': judge}
    functions |= {'features': look}
    return Game(init, turns, functions, simultaneous)
