"""The game of CTGAN: `gan` on rows drawn by conditions, which the generator is told and must keep.

Source: Modeling Tabular Data using Conditional GAN (Xu et al., 2019), sections 4.3 and 4.4. A
batch's condition names a category of one column; its row is a real one that has that category. Both
players are told it, and to the generator's loss is added the cross-entropy of the category asked
for and the logits of that column.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import chex
import jax.numpy as jnp

from gan_jax.game import Aux, Batch, Game, Params
from gan_jax.games import gan
from gan_jax.games.adversary import Adversary
from gan_jax.games.network import Network, Role, generate
from gan_jax.games.turns import Opponent, Scene, adversarial_turns
from gan_jax.networks import ctgan
from gan_jax.networks.verdict import Verdict


def make(
    *,
    generator: Network,
    discriminator: Network,
    adversary: Adversary,
    prior: Callable[..., dict[str, chex.Array]],
    condition_weight: float = 1.0,
    generator_every: int = 1,
    simultaneous: bool = False,
) -> Game:
    """Builds the game.

    Args:
      generator: (latents, train, noise, condition) -> rows, with a method `with_logits` that gives
        the logits of its heads, too.
      discriminator: (packs of rows, train, condition) -> logits.
      adversary: the losses of both, with penalties and cures.
      prior: keys [batch] -> {'latent', 'noise', 'condition'}, the last by the frequency of
        categories in the data.
      condition_weight: the factor of the cross-entropy.
      generator_every: the generator plays at multiples of this step.
      simultaneous: whether the generator meets the discriminator as it was before the step.

    Returns:
      The game `gan` on batches {'real', 'condition'}; without categories on {'real'} alone.

    Raises:
      ValueError: if the generator has no logits of heads.
    """
    if not hasattr(generator.module, 'with_logits'):
        raise ValueError(
            'config.game=ctgan needs a generator that shows its logits, such as ctgan.Generator'
        )
    game = gan.make(
        generator=generator,
        discriminator=discriminator,
        adversary=adversary,
        prior=prior,
        generator_every=generator_every,
        simultaneous=simultaneous,
    )
    player = Role(generator.method('with_logits'), 'generator')
    opponent = Opponent(Role(discriminator, 'discriminator'), adversary)
    turns = adversarial_turns(
        functools.partial(show, player, prior),
        [opponent],
        generator_terms=functools.partial(condition_term, generator.module.heads, condition_weight),
        generator_every=generator_every,
    )
    return game._replace(turns=turns)


def show(
    player: Role, prior: Callable, params: Params, aux: Aux, batch: Batch, rng: chex.PRNGKey
) -> tuple[Mapping[str, Scene], Any, Aux]:
    """Real and generated rows of the batch's conditions, and the logits that the latter are of."""
    told = {name: batch[name] for name in (ctgan.CONDITION,) if name in batch}
    (rows, logits), aux = generate(player, params, aux, {**prior(rng), **told}, rng=rng)
    return {'': Scene(batch['real'], rows, told)}, logits, aux


def condition_term(
    heads: ctgan.Heads,
    weight: float,
    params: Params,
    aux: Aux,
    batch: Batch,
    logits: Any,
    verdicts: Mapping[str, tuple[Verdict, Verdict]],
    rng: chex.PRNGKey,
):
    """The cross-entropy of what was asked for, as `turns.adversarial_turns` takes terms."""
    if ctgan.CONDITION not in batch:
        return {}, aux
    value = jnp.mean(ctgan.cross_entropy(logits, batch[ctgan.CONDITION], heads))
    return {'condition_loss': (weight, value)}, aux
