"""A GAN is a game, and a game is data: turns, each with a player and a loss.

One update plays any game. A method is a `Game` made of pure functions, as an optimizer is in
optax; nothing here knows which method it plays, or what its data are.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import chex
import jax
import jax.numpy as jnp
import optax
from flax import struct
from flax.training import train_state
from jax import lax

from gan_jax import keys
from gan_jax.runtime import parallel

Params = Mapping[str, Any]
Metrics = dict[str, chex.Array]
Aux = Mapping[str, Any]
Batch = Mapping[str, chex.Array]


class LossFn(Protocol):
    """What a player minimises in a turn."""

    def __call__(
        self, params: Params, aux: Aux, batch: Batch, rng: chex.PRNGKey
    ) -> tuple[chex.Array, tuple[Aux, Metrics]]:
        """Returns the scalar loss, the new aux and metrics to log.

        Args:
          params: every player's parameters, {player: tree}.
          aux: what is neither parameters nor data: {player: its collections, ...}; and 'step', the
            number of the step that is played, for schedules.
          batch: arrays [examples, ...].
          rng: keys [examples], one per example. Draws made from an example's own key do not
            depend on how the batch is split among devices or micro-batches.
        """


class Turn(NamedTuple):
    """One move in the game.

    Attributes:
      player: whose parameters this turn differentiates and updates.
      loss: what it minimises.
      every: the turn is played at steps that are multiples of `every`; steps count from 1.
      name: what its metrics and keys are named for; the player if empty.
    """

    player: str
    loss: LossFn
    every: int = 1
    name: str = ''

    @property
    def label(self) -> str:
        """The prefix of this turn's metrics."""
        return self.name or self.player


class Game(NamedTuple):
    """A method.

    Attributes:
      init: (rng, batch) -> ({player: parameters}, aux).
      turns: played in this order at each step.
      functions: what the trained players are good for: 'latent', 'sample', 'score', ...
      simultaneous: whether each turn meets the other players as they were before the step.
    """

    init: Callable[[chex.PRNGKey, Batch], tuple[dict[str, Any], Aux]]
    turns: tuple[Turn, ...]
    functions: Mapping[str, Callable]
    simultaneous: bool = False


class Player(train_state.TrainState):
    """A TrainState with the running average of its parameters and of its part of aux.

    Attributes:
      ema: {'params', 'aux'}, or None where no average is kept.
      decay: step -> the weight of the old average.
    """

    ema: Any = None
    decay: Callable[[chex.Array], chex.Array] | None = struct.field(pytree_node=False, default=None)


class State(struct.PyTreeNode):
    """All that a step changes, and the root of its randomness.

    Attributes:
      step: how many steps have been played.
      players: {name: Player}.
      aux: batch statistics ({player: collections}), running means, image pools, ...
      rng: the root key's data, uint32; it never changes.
    """

    step: jax.Array
    players: dict[str, Player]
    aux: dict[str, Any]
    rng: jax.Array


def _params(players: Mapping[str, Player]) -> dict[str, Any]:
    return {name: player.params for name, player in players.items()}


def _zeros(shapes: Any) -> Any:
    return jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)


def init(
    game: Game,
    optimizers: Mapping[str, optax.GradientTransformation],
    seed: int | chex.Array,
    batch: Batch,
    decays: Mapping[str, Callable] | None = None,
) -> State:
    """The state before the first step.

    Args:
      game: the game.
      optimizers: one per player.
      seed: the seed of all randomness.
      batch: a batch like those to come; only shapes and types matter.
      decays: step -> decay, for each player whose running average is kept.

    Raises:
      KeyError: if a player has no optimizer.
      ValueError: if two turns have one name: they would share keys and metrics.
    """
    labels = [turn.label for turn in game.turns]
    if len({*labels}) < len(labels):
        raise ValueError(f'turns need names of their own, not {", ".join(labels)}')
    root = jax.random.key(seed)
    params, aux = game.init(jax.random.fold_in(root, 0), batch)
    players = {}
    for name, own in params.items():
        decay = (decays or {}).get(name)
        average = {'params': own, 'aux': aux.get(name, {})}
        players[name] = Player.create(
            apply_fn=None,
            params=own,
            tx=optimizers[name],
            # Copied, since a donated buffer may stand in the state only once.
            ema=jax.tree.map(jnp.copy, average) if decay else None,
            decay=decay,
        )
        players[name] = players[name].replace(step=jnp.zeros((), jnp.int32))
    return State(jnp.zeros((), jnp.int32), players, dict(aux), jax.random.key_data(root))


def update(
    game: Game,
    state: State,
    batch: Batch,
    *,
    axis_name: str | None = None,
    micro_batches: int = 1,
    prepare: Callable[[chex.PRNGKey, Batch], Batch] | None = None,
) -> tuple[State, Metrics]:
    """Plays one step: each turn that is due, in order, then the running averages.

    Args:
      game: the game.
      state: the state after `state.step` steps.
      batch: this device's arrays [examples, ...].
      axis_name: the axis over which gradients and metrics are averaged, if there is one.
      micro_batches: the batch is taken in so many parts, whose gradients are averaged.
      prepare: (keys [examples], batch) -> batch, applied first: normalising, augmenting.

    Returns:
      The new state, and metrics {'turn/name': scalar}: of a turn that was not due they are zero,
      and `played` says which to leave out.
    """
    step = state.step + 1
    root = jax.random.fold_in(jax.random.wrap_key_data(state.rng), step)
    num = jax.tree.leaves(batch)[0].shape[0]
    offset = parallel.first_example(num, axis_name)

    def examples(name: str) -> chex.PRNGKey:
        return keys.per_example(keys.fold_in_name(root, name), num, offset)

    if prepare is not None:
        batch = prepare(examples('prepare'), batch)
    players, aux = state.players, state.aux
    metrics: Metrics = {}
    for turn in game.turns:
        rng = examples(turn.label)

        def play(players, aux, turn=turn, rng=rng):
            others = _params(state.players if game.simultaneous else players)
            return _play(turn, others, players, aux, step, batch, rng, axis_name, micro_batches)

        def skip(players, aux, play=play):
            return players, aux, _zeros(jax.eval_shape(play, players, aux)[2])

        if turn.every == 1:
            players, aux, report = play(players, aux)
        else:
            players, aux, report = lax.cond(step % turn.every == 0, play, skip, players, aux)
        metrics |= {f'{turn.label}/{name}': value for name, value in report.items()}
    players = {name: _average(player, aux, name, step) for name, player in players.items()}
    return state.replace(step=step, players=players, aux=aux), metrics


def _play(turn, params, players, aux, step, batch, rng, axis_name, micro_batches):
    """One turn: only the player's own parameters are differentiated and changed."""

    def gradients(aux, part):
        def loss(own):
            given = {**params, turn.player: own}, {**aux, 'step': step}
            return turn.loss(*given, part['batch'], part['rng'])

        own = players[turn.player].params
        (value, (aux, report)), grads = jax.value_and_grad(loss, has_aux=True)(own)
        aux = {name: x for name, x in aux.items() if name != 'step'}
        return aux, (grads, {'loss': value, **report})

    whole = {'batch': batch, 'rng': rng}
    if micro_batches == 1:
        aux, means = gradients(aux, whole)
    else:
        parts = jax.tree.map(lambda x: x.reshape(micro_batches, -1, *x.shape[1:]), whole)
        shapes = jax.eval_shape(gradients, aux, jax.tree.map(lambda x: x[0], parts))[1]

        def accumulate(carry, part):
            aux, total = carry
            aux, terms = gradients(aux, part)
            return (aux, jax.tree.map(jnp.add, total, terms)), None

        (aux, total), _ = lax.scan(accumulate, (aux, _zeros(shapes)), parts)
        means = jax.tree.map(lambda x: x / micro_batches, total)
    grads, report = parallel.mean(means, axis_name)
    player = players[turn.player].apply_gradients(grads=grads)
    report['gradient_norm'] = optax.tree.norm(grads)
    report['parameter_norm'] = optax.tree.norm(player.params)
    return {**players, turn.player: player}, aux, report


def _average(player: Player, aux: Aux, name: str, step: chex.Array) -> Player:
    if player.decay is None:
        return player
    decay = player.decay(step)
    current = {'params': player.params, 'aux': aux.get(name, {})}
    return player.replace(
        ema=jax.tree.map(lambda old, new: new + decay * (old - new), player.ema, current)
    )


def current(state: State) -> tuple[Params, Aux]:
    """Every player's parameters, and aux, as they stand."""
    return _params(state.players), state.aux


def averaged(state: State) -> tuple[Params, Aux]:
    """Parameters and aux, with the running averages in place of those players' who keep them.

    A player's batch statistics are averaged with its parameters, so that they fit them.
    """
    params, aux = current(state)
    for name, player in state.players.items():
        if player.ema is not None:
            params = {**params, name: player.ema['params']}
            if name in aux:
                aux = {**aux, name: player.ema['aux']}
    return params, aux


def played(game: Game, metrics: Mapping[str, Any], step: int) -> dict[str, Any]:
    """Of a step's metrics, those of the turns that were due at it."""
    due = {turn.label for turn in game.turns if step % turn.every == 0}
    return {name: value for name, value in metrics.items() if name.rsplit('/', 1)[0] in due}
