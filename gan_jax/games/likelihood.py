"""What games of texts share: maximum likelihood as a turn that comes before all others.

A generator of texts draws one token after the other, so the likelihood of a real text is known, and
games begin with its maximum (SeqGAN's pre-training). A run whose `pretraining_steps` are all its
steps is the maximum-likelihood model alone.
"""

import functools
from collections.abc import Callable
from typing import Any

import chex
import jax.numpy as jnp

from gan_jax.game import Aux, Batch, Game, Params, Turn
from gan_jax.games.network import Network, Role

METHOD = 'log_likelihood'


def player(generator: Network) -> Role:
    """The generator in the player's hands, by its likelihood of tokens.

    Raises:
      ValueError: if it has none.
    """
    if generator.module is None or not hasattr(generator.module, METHOD):
        raise ValueError(
            'games of texts need a generator that knows how likely a text is: take '
            'config.generator.name=text.Generator'
        )
    return Role(generator.method(METHOD), 'generator')


def loss(
    role: Role, params: Params, aux: Aux, batch: Batch, rng: chex.PRNGKey
) -> tuple[chex.Array, tuple[Aux, dict[str, chex.Array]]]:
    """-mean over the texts of sum_t log p(y_t | y_<t), in nats, as a LossFn gives it."""
    steps, aux = role(params, aux, tokens(batch['real']), rng=rng)
    return -jnp.mean(jnp.sum(steps, axis=1)), (aux, {})


def tokens(texts: chex.Array) -> chex.Array:
    """The tokens int32 [n, length] of one-hot texts [n, length, vocabulary]."""
    return jnp.argmax(texts, axis=-1).astype(jnp.int32)


def turn(role: Role, steps: int) -> Turn:
    """The turn of maximum likelihood, played up to a step."""
    return Turn('generator', functools.partial(loss, role), name='likelihood', stop=steps)


def of_texts(role: Role) -> Callable[[Params, Aux, Any], Any]:
    """(params, aux, texts as networks see them) -> log p of each, [n], in nats."""

    def log_likelihood(params: Params, aux: Aux, texts: Any) -> Any:
        return role(params, aux, tokens(texts), train=False)[0].sum(axis=1)

    return log_likelihood


def before(game: Game, role: Role, pretraining: int, discriminator: int, made: Turn) -> Game:
    """The phases of a game of texts.

    Args:
      game: an adversarial game; its last turn is the generator's.
      role: of `player`.
      pretraining: the steps of maximum likelihood.
      discriminator: the steps after these in which the discriminator plays alone.
      made: the generator's turn, in place of the game's.
    """
    *judges, _ = game.turns
    turns = (
        turn(role, pretraining),
        *(x._replace(start=pretraining) for x in judges),
        made._replace(start=pretraining + discriminator),
    )
    return game._replace(turns=turns, functions={**game.functions, METHOD: of_texts(role)})
