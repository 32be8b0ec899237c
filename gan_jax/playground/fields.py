"""What the page shows of two players: pure functions of what a game can do."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import chex
import jax
import jax.numpy as jnp

Score = Callable[[chex.Array], chex.Array]


def opinions(logits: chex.Array, zero_divides: bool) -> chex.Array:
    """What a discriminator says of each place, from 0, generated, to 1, real.

    sigmoid(l) where the objective has the sign of a logit say which; where only differences of
    logits mean something, sigmoid((l - mean) / deviation) over all places.

    Args:
      logits: l, [k].
      zero_divides: which of the two.

    Returns:
      float32 [k] in [0, 1]; of equal logits in the second case 1/2.
    """
    if not zero_divides:
        spread = jnp.std(logits)
        logits = (logits - jnp.mean(logits)) / jnp.where(spread > 0, spread, 1.0)
    return jax.nn.sigmoid(logits)


def arrows(
    score: Score,
    generator_loss: Callable[[chex.Array, chex.Array], chex.Array],
    real: chex.Array,
    fake: chex.Array,
) -> chex.Array:
    """Where each generated point would go to lessen the generator's loss: v_i = -n dL / dx_i.

    L is the mean over i of the loss of (D(r_i), D(x_i)). For D(x) = w x + b and the non-saturating
    loss v_i = sigmoid(-D(x_i)) w.

    Args:
      score: D, points [n, 2] -> logits [n], each of its own point only.
      generator_loss: (real logits [n], generated ones [n]) -> losses [n].
      real: r, points [n, 2].
      fake: x, points [n, 2].

    Returns:
      v, float32 [n, 2].
    """
    chex.assert_equal_shape([real, fake])
    real_logits = score(real)

    def total(x: chex.Array) -> chex.Array:
        return jnp.sum(generator_loss(real_logits, score(x)))

    return -jax.grad(total)(fake)


def latent_grid(latents: chex.Array, side: int) -> chex.Array:
    """A net over the latents' first two coordinates whose cells are equally probable.

    Its lines are at the quantiles (i + 1/2) / side of each coordinate; further coordinates are at
    their medians. With one coordinate it is a curve, each point of it `side` times.

    Args:
      latents: many draws, [n, d], whose coordinates are independent.
      side: lines each way.

    Returns:
      [side^2, d]: the first coordinate runs slowest.
    """
    chex.assert_rank(latents, 2)
    shares = (jnp.arange(side, dtype=jnp.float32) + 0.5) / side
    lines = jnp.quantile(latents, shares, axis=0)
    middle = jnp.median(latents, axis=0)
    net = jnp.tile(middle[None], (side * side, 1))
    net = net.at[:, 0].set(jnp.repeat(lines[:, 0], side))
    if latents.shape[1] > 1:
        net = net.at[:, 1].set(jnp.tile(lines[:, 1], side))
    return net


def look(
    functions: Mapping[str, Callable],
    generator_loss: Callable,
    zero_divides: bool,
    inputs: Mapping[str, chex.Array],
    net: Mapping[str, chex.Array],
    places: chex.Array,
    num_arrows: int,
    players: tuple[Any, Any],
    real: chex.Array,
) -> dict[str, chex.Array]:
    """All that is shown of one pair of players.

    Args:
      functions: the game's 'sample' and 'score'.
      generator_loss: see `arrows`.
      zero_divides: see `opinions`.
      inputs: what generated points are made of, of n.
      net: the same of a net over the latents, of m.
      places: where the field is asked for, [k, 2].
      num_arrows: at so many of the generated points, at most n.
      players: (params, aux).
      real: real points, at least num_arrows of them, [r, 2].

    Returns:
      'fake' [n, 2], 'manifold' [m, 2], 'field' [k] in [0, 1], 'arrows' [num_arrows, 2].
    """
    params, aux = players
    sample = functools.partial(functions['sample'], params, aux)

    def score(points: chex.Array) -> chex.Array:
        return functions['score'](params, aux, {'real': points})

    fake = sample(inputs)
    some = real[:num_arrows], fake[:num_arrows]
    return {
        'fake': fake,
        'manifold': sample(net),
        'field': opinions(score(places), zero_divides),
        'arrows': arrows(score, generator_loss, *some),
    }
