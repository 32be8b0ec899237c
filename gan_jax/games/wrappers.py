"""Cures for mode collapse and instability that act on a whole game: from a game to a game."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from gan_jax import keys, stabilization
from gan_jax.game import Game, Turn
from gan_jax.runtime import parallel

HISTORY = 'history'


def unrolled(
    game: Game,
    steps: int,
    learning_rate: float,
    *,
    player: str = 'generator',
    opponent: str = 'discriminator',
    axis_name: str | None = None,
) -> Game:
    """Has a player foresee so many steps of its opponent, and differentiate through them.

    The player's loss is taken at theta_k of theta_{i+1} = theta_i - lr * grad L(theta_i), theta_0
    the opponent's parameters; the opponent itself plays on from theta_0. A generator that puts
    everything on one mode sees that the discriminator would soon reject it.

    Source: Unrolled Generative Adversarial Networks (Metz et al., 2017), equations 2 to 6. There
    the steps are those of the opponent's optimizer, Adam; here they are plain gradient descent, on
    new latents at each of them and the step's real examples.

    Args:
      game: any game.
      steps: k.
      learning_rate: of the foreseen steps.
      player: who foresees.
      opponent: whose first turn is played ahead.
      axis_name: the axis over which the opponent's gradients are averaged.

    Raises:
      ValueError: if either has no turn.
    """
    for name in (player, opponent):
        if name not in game.movers:
            raise ValueError(f'this game has no player {name!r} to unroll')
    ahead = next(turn for turn in game.turns if opponent in turn.players)

    def wrap(turn: Turn) -> Turn:
        def loss(params, aux, batch, rng):
            def descend(own, i):
                drawn = keys.of_name(jax.vmap(jax.random.fold_in, (0, None))(rng, i), 'unrolled')

                def opponents_loss(own):
                    return ahead.loss({**params, opponent: own}, aux, batch, drawn)[0]

                grads = parallel.mean(jax.grad(opponents_loss)(own), axis_name)
                return jax.tree.map(lambda x, g: x - learning_rate * g, own, grads), None

            own, _ = lax.scan(descend, params[opponent], jnp.arange(steps))
            return turn.loss({**params, opponent: own}, aux, batch, rng)

        return turn._replace(loss=loss) if player in turn.players else turn

    return game._replace(turns=tuple(map(wrap, game.turns)))


def historical_averaging(game: Game, weight: float) -> Game:
    """Pulls each player's parameters towards the mean of all that they have been.

    Adds weight * ||theta - 1/t sum_i theta_i||^2 to each player's first turn.

    Source: Improved Techniques for Training GANs (Salimans et al., 2016), section 3.3.

    Args:
      game: any game.
      weight: the factor of the squared distance.
    """

    def init(rng, batch):
        params, aux = game.init(rng, batch)
        means = {name: jax.tree.map(jnp.zeros_like, params[name]) for name in game.movers}
        counts = {name: jnp.zeros(()) for name in means}
        return params, {**aux, HISTORY: {'means': means, 'counts': counts}}

    wrapped, turns = set(), []
    for turn in game.turns:
        first = tuple(name for name in turn.players if name not in wrapped)
        wrapped |= {*first}
        turns.append(_pulled(turn, first, weight) if first else turn)
    return game._replace(init=init, turns=tuple(turns))


def _pulled(turn: Turn, players: tuple[str, ...], weight: float) -> Turn:
    """The turn with the squared distance of these players from their means in its loss."""

    def loss(params: Any, aux: Any, batch: Any, rng: Any):
        history = aux[HISTORY]
        means, counts, distance = dict(history['means']), dict(history['counts']), 0.0
        for name in players:
            counts[name] = count = counts[name] + 1
            fixed = lax.stop_gradient(params[name])
            means[name] = jax.tree.map(
                lambda m, x, count=count: m + (x - m) / count, means[name], fixed
            )
            gaps = jax.tree.map(lambda x, m: jnp.sum(jnp.square(x - m)), params[name], means[name])
            distance = distance + sum(jax.tree.leaves(gaps))
        value, (aux, metrics) = turn.loss(params, aux, batch, rng)
        return value + weight * distance, (
            {**aux, HISTORY: {'means': means, 'counts': counts}},
            {**metrics, 'historical_distance': distance},
        )

    return turn._replace(loss=loss)


def orthogonal(game: Game, weight: float, *, player: str = 'generator') -> Game:
    """Adds weight * `stabilization.orthogonal` of a player's parameters to its first turn's loss.

    Source: Large Scale GAN Training for High Fidelity Natural Image Synthesis (Brock et al., 2019),
    section 3.1.

    Args:
      game: any game.
      weight: beta, 1e-4 in the paper.
      player: whose kernels are pulled towards orthogonal filters.

    Raises:
      ValueError: if that player has no turn.
    """
    if player not in game.movers:
        raise ValueError(f'this game has no player {player!r} whose kernels could be orthogonal')
    first = next(i for i, turn in enumerate(game.turns) if player in turn.players)
    turn = game.turns[first]

    def loss(params: Any, aux: Any, batch: Any, rng: Any):
        value, (aux, metrics) = turn.loss(params, aux, batch, rng)
        penalty = stabilization.orthogonal(params[player])
        return value + weight * penalty, (aux, {**metrics, 'orthogonal': penalty})

    turns = (*game.turns[:first], turn._replace(loss=loss), *game.turns[first + 1 :])
    return game._replace(turns=turns)


def private(
    game: Game,
    gradients: Callable,
    finish: Callable,
    padding: int,
    *,
    player: str = 'discriminator',
) -> Game:
    """Has one player alone read the data, and by gradients that are given here.

    The player's first turn takes its gradients so. All others see no data: zeros in the place of
    examples, and labels that the prior draws; so many as are expected to come, one for each
    `padding` rows.

    Source: Private GANs, Revisited (Bie et al., 2023), section 2: the generator is made of the
    discriminator alone, so what is made of it is private if the discriminator is.

    Args:
      game: any game with a prior.
      gradients: as `Turn.gradients`, private but for the noise.
      finish: as `Turn.finish`, the noise.
      padding: how many rows a batch has for each example that is expected.
      player: who reads the data.

    Raises:
      ValueError: if that player has no turn, or the game no prior.
    """
    if player not in game.movers or 'prior' not in game.functions:
        raise ValueError(f'this game trains no {player!r} against samples of a prior')
    first = next(i for i, turn in enumerate(game.turns) if player in turn.players)
    public = functools.partial(_without_data, game.functions['prior'], padding)
    turns = [turn._replace(loss=functools.partial(public, turn.loss)) for turn in game.turns]
    turns[first] = game.turns[first]._replace(gradients=gradients, finish=finish)
    return game._replace(turns=tuple(turns))


def _without_data(prior, padding, loss, params, aux, batch, rng):
    """A loss of zeros in the place of data."""
    rng = rng[::padding]
    drawn = {name: x for name, x in prior(rng).items() if name in batch}
    blank = {name: jnp.zeros_like(x[::padding]) for name, x in batch.items()}
    return loss(params, aux, {**blank, **drawn}, rng)
