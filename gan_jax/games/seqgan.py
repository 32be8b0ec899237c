"""The game of SeqGAN: a generator of texts learns by the policy gradient what D likes.

Source: SeqGAN: Sequence Generative Adversarial Nets with Policy Gradient (Yu et al., 2017),
sections 3.1 and 3.2. With a text y of the generator, a token's worth is what D says of the text as
it may go on from there, over N roll-outs,

    Q_t = mean over n of sigmoid(D(y_1 .. y_t, what is drawn after them)),  Q_T = sigmoid(D(y))

and the generator minimises - sum_t log p(y_t | y_<t) (Q_t - b_t), whose gradient is on the average
that of the reward (REINFORCE, Williams, 1992). b_t is the mean of Q_t over the batch, which changes
the expected gradient of n texts by the factor 1 - 1 / n alone; the paper has none.

Phases: maximum likelihood; the discriminator alone; both. Roll-outs are drawn by the generator as
it is, where the authors' code draws them by a slowly following copy.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import lax

from gan_jax import keys
from gan_jax.game import Aux, Batch, Game, Params, Turn
from gan_jax.games import gan, likelihood
from gan_jax.games.adversary import Adversary
from gan_jax.games.network import Network, Role
from gan_jax.runtime import parallel


class Cast(NamedTuple):
    """The players by the methods that the policy gradient asks for.

    Attributes:
      likelihood: tokens [n, length] -> log p of each, of the same shape.
      completed: (tokens, uniforms [n, length - 1, length]) -> roll-outs, of that shape.
      sampled: uniforms [n, length] -> tokens.
      judge: tokens -> logits [n].
      roll_outs: how many there are of each beginning.
      axis_name: of the devices that share a batch.
    """

    likelihood: Role
    completed: Role
    sampled: Role
    judge: Role
    roll_outs: int
    axis_name: str | None


def make(
    *,
    generator: Network,
    discriminator: Network,
    adversary: Adversary,
    prior: Callable[..., dict[str, chex.Array]],
    pretraining_steps: int,
    discriminator_steps: int,
    roll_outs: int = 16,
    generator_every: int = 1,
) -> Game:
    """Builds the game.

    Args:
      generator: (uniforms in [-1, 1]) -> texts, with methods `sampled`, `completed` and
        `log_likelihood` of tokens, as text.Generator has them.
      discriminator: (texts, train) -> logits, with a method `of_tokens`.
      adversary: the discriminator's losses, penalties and cures; the generator's is not asked.
      prior: keys [batch] -> {'latent': [batch, length]}.
      pretraining_steps: the steps of maximum likelihood.
      discriminator_steps: the steps after these in which the discriminator plays alone.
      roll_outs: N.
      generator_every: the generator plays at multiples of this step.

    Returns:
      The game `gan` with these turns, and a function
      log_likelihood: (params, aux, texts) -> log p [n], in nats.

    Raises:
      ValueError: if the networks are not of tokens, there is no roll-out, or packs are judged.
    """
    role = likelihood.player(generator)
    if discriminator.module is None or not hasattr(discriminator.module, 'of_tokens'):
        raise ValueError('seqgan judges tokens: take config.discriminator.name=text.Discriminator')
    if roll_outs < 1:
        raise ValueError(f'config.roll_outs={roll_outs} must be at least 1')
    if adversary.packing > 1:
        raise ValueError('texts are judged one at a time: leave cures.packing at 1')
    if adversary.top_k is not None or adversary.noise is not None:
        raise ValueError(
            'tokens are rewarded as they are: leave cures.top_k at 1 and cures.instance_noise at 0'
        )
    game = gan.make(
        generator=generator,
        discriminator=discriminator,
        adversary=adversary,
        prior=prior,
        generator_every=generator_every,
    )
    cast = Cast(
        role,
        Role(generator.method('completed'), 'generator'),
        Role(generator.method('sampled'), 'generator'),
        Role(discriminator.method('of_tokens'), 'discriminator'),
        roll_outs,
        adversary.axis_name,
    )
    policy = Turn('generator', functools.partial(policy_loss, cast), generator_every)
    return likelihood.before(game, role, pretraining_steps, discriminator_steps, policy)


def uniforms(rng: chex.PRNGKey, name: str, *shape: int) -> jax.Array:
    """Numbers in [0, 1), [n, *shape], from keys [n]."""
    return jax.vmap(lambda key: jax.random.uniform(key, shape))(keys.of_name(rng, name))


def rewards(cast: Cast, params: Params, aux: Aux, texts: chex.Array, rng: chex.PRNGKey) -> Any:
    """Q_t of texts.

    Args:
      cast: the players.
      params: theirs; no gradient passes.
      aux: the game's.
      texts: int32 [n, length].
      rng: keys [n].

    Returns:
      Shares in [0, 1], [n, length].
    """
    num, length = texts.shape

    def judged(tokens: chex.Array) -> jax.Array:
        return jax.nn.sigmoid(cast.judge(params, aux, tokens, train=False)[0])

    def roll_out(number: chex.Array) -> jax.Array:
        own = jax.vmap(jax.random.fold_in, (0, None))(rng, number)
        drawn = uniforms(own, 'roll-out', length - 1, length)
        made, _ = cast.completed(params, aux, texts, drawn, train=False)
        return judged(made.reshape(-1, length)).reshape(num, length - 1)

    begun = lax.map(roll_out, jnp.arange(cast.roll_outs)).mean(axis=0)
    return jnp.concatenate([begun, judged(texts)[:, None]], axis=1)


def policy_loss(
    cast: Cast, params: Params, aux: Aux, batch: Batch, rng: chex.PRNGKey
) -> tuple[chex.Array, tuple[Aux, dict[str, chex.Array]]]:
    """What the generator minimises, as a LossFn gives it; its value says little, `reward` does."""
    length = batch['real'].shape[1]
    fixed = lax.stop_gradient(params)
    texts, _ = cast.sampled(fixed, aux, uniforms(rng, 'texts', length), train=False)
    found = rewards(cast, fixed, aux, texts, rng)
    steps, aux = cast.likelihood(params, aux, texts, rng=rng)
    worth = found - parallel.mean(found.mean(axis=0, keepdims=True), cast.axis_name)
    loss = -jnp.mean(jnp.sum(steps * lax.stop_gradient(worth), axis=1))
    return loss, (aux, {'reward': jnp.mean(found[:, -1])})
