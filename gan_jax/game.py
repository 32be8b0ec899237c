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
COPIED = jax.tree_util.DictKey('buffers')  # a collection that averages do not average


@jax.tree_util.register_pytree_with_keys_class
class Carried(dict[str, Any]):
    """A part of aux that each micro-batch takes over from the one before, such as a pool.

    Of all the rest each micro-batch is given what was there before the turn, and the mean of what
    they leave is kept: a running mean moves once in a turn, however many parts the batch has.
    """

    def tree_flatten_with_keys(self) -> tuple[list[tuple[Any, Any]], tuple[str, ...]]:
        """As a dict's."""
        names = tuple(sorted(self))
        return [(jax.tree_util.DictKey(name), self[name]) for name in names], names

    @classmethod
    def tree_unflatten(cls, names: tuple[str, ...], values: Any) -> 'Carried':
        """The inverse."""
        return cls(zip(names, values, strict=True))


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


def value_and_gradients(
    loss: Callable, own: Any, aux: Aux, batch: Batch, rng: chex.PRNGKey
) -> tuple[Aux, Metrics, Any]:
    """The gradients of a loss of the whole batch, as most turns take them.

    Args:
      loss: (own, aux, batch, rng) -> (scalar, (aux, metrics)).
      own: {player: parameters} of those who move.
      aux: as the loss is given it.
      batch: arrays [examples, ...].
      rng: keys [examples].

    Returns:
      The new aux, the metrics with 'loss' among them, and gradients like `own`.
    """
    (value, (aux, metrics)), gradients = jax.value_and_grad(loss, has_aux=True)(
        own, aux, batch, rng
    )
    return aux, {'loss': value, **metrics}, gradients


class Turn(NamedTuple):
    """One move in the game.

    Attributes:
      player: whose parameters this turn differentiates and updates: one name, or several that move
        together.
      loss: what it minimises.
      every: the turn is played at steps that are multiples of `every`; steps count from 1.
      name: what its metrics and keys are named for; the players if empty.
      start: the turn is played after this step.
      stop: the last step at which it may be played; None for no end.
      lazy: whether it is a penalty taken less often than the loss that it belongs to, for which
        the optimizer is corrected.
      gradients: (loss, own, aux, batch, rng) -> (aux, metrics, gradients), as
        `value_and_gradients`; another one may clip each example's.
      finish: (key, gradients) -> gradients, of the means over the whole batch and all devices; the
        key is one, the same on all devices. None leaves them as they are.
    """

    player: str | tuple[str, ...]
    loss: LossFn
    every: int = 1
    name: str = ''
    start: int = 0
    stop: int | None = None
    lazy: bool = False
    gradients: Callable = value_and_gradients
    finish: Callable[[chex.PRNGKey, Any], Any] | None = None

    @property
    def players(self) -> tuple[str, ...]:
        """The names of those who move."""
        return (self.player,) if isinstance(self.player, str) else tuple(self.player)

    @property
    def label(self) -> str:
        """The prefix of this turn's metrics."""
        return self.name or '_'.join(self.players)

    @property
    def always(self) -> bool:
        """Whether it is played at every step."""
        return self.every == 1 and self.start == 0 and self.stop is None

    def due(self, step: Any) -> Any:
        """Whether it is played at a step; of a traced number a traced answer."""
        due = step % self.every == 0
        if self.start:
            due = due & (step > self.start)
        return due if self.stop is None else due & (step <= self.stop)


class Game(NamedTuple):
    """A method.

    Attributes:
      init: (rng, batch) -> ({player: parameters}, aux). A player whom no turn moves is constant.
      turns: played in this order at each step.
      functions: what the trained players are good for, each there only if the game can do it:
        prior: (keys [n], **options) -> inputs, a dict of arrays [n, ...] with 'latent';
        sample: (params, aux, inputs) -> examples [n, ...] as networks see them;
        score, verdict: (params, aux, batch) -> logits [n], the discriminator's whole answer;
        map, synthesize: (params, aux, inputs) -> styles; (params, aux, styles) -> examples;
        a_to_b, b_to_a: (params, aux, sources [n, ...]) -> examples [n, ...];
        classify, encode, reconstruct, features, anomaly: (params, aux, examples).
      simultaneous: whether each turn meets the other players as they were before the step.
    """

    init: Callable[[chex.PRNGKey, Batch], tuple[dict[str, Any], Aux]]
    turns: tuple[Turn, ...]
    functions: Mapping[str, Callable]
    simultaneous: bool = False

    @property
    def movers(self) -> set[str]:
        """The players whom a turn moves; the others are constant."""
        return {player for turn in self.turns for player in turn.players}


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
      aux: batch statistics ({player: collections}), running means, pools, ...
      rng: the root key's data, uint32; it never changes.
    """

    step: jax.Array
    players: dict[str, Player]
    aux: dict[str, Any]
    rng: jax.Array


# Which parts of a state differ between seeds side by side: a prefix of the tree, not a state.
_REPLICATED: dict[str, Any] = {'step': None, 'players': 0, 'aux': 0, 'rng': 0}
REPLICA_AXES: Any = State(**_REPLICATED)


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
    trained: tuple[Params, Aux] | None = None,
) -> State:
    """The state before the first step.

    Args:
      game: the game.
      optimizers: one for each player whom a turn moves.
      seed: the seed of all randomness.
      batch: a batch like those to come; only shapes and types matter.
      decays: step -> decay, for each player whose running average is kept.
      trained: (params, aux) of players that take the place of the game's own.

    Raises:
      KeyError: if a player has no optimizer.
      ValueError: if two turns have one name: they would share keys and metrics.
    """
    labels = [turn.label for turn in game.turns]
    if len({*labels}) < len(labels):
        raise ValueError(f'turns need names of their own, not {", ".join(labels)}')
    root = jax.random.key(seed)
    params, aux = game.init(jax.random.fold_in(root, 0), batch)
    if trained is not None:
        params = {**params, **trained[0]}
        aux = {**aux, **{name: trained[1][name] for name in trained[0] if name in trained[1]}}
    constant = dict.fromkeys(params.keys() - game.movers, optax.identity())
    players = {}
    for name, own in params.items():
        decay = (decays or {}).get(name)
        average = {'params': own, 'aux': aux.get(name, {})}
        players[name] = Player.create(
            apply_fn=None,
            params=own,
            tx={**optimizers, **constant}[name],
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
      micro_batches: the batch is taken in so many parts, whose gradients, metrics and aux are
        averaged; see `Carried`.
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
        rng = examples(turn.label), keys.fold_in_name(root, f'{turn.label} finish')

        def play(players, aux, turn=turn, rng=rng):
            others = _params(state.players if game.simultaneous else players)
            return _play(turn, others, players, aux, step, batch, rng, axis_name, micro_batches)

        def skip(players, aux, play=play):
            return players, aux, _zeros(jax.eval_shape(play, players, aux)[2])

        if turn.always:
            players, aux, report = play(players, aux)
        else:
            players, aux, report = lax.cond(turn.due(step), play, skip, players, aux)
        metrics |= {f'{turn.label}/{name}': value for name, value in report.items()}
    players = {name: _average(player, aux, name, step) for name, player in players.items()}
    return state.replace(step=step, players=players, aux=aux), metrics


def _play(turn, params, players, aux, step, batch, rng, axis_name, micro_batches):
    """One turn: only the movers' own parameters are differentiated and changed."""

    def loss(own, aux, batch, rng):
        value, (aux, report) = turn.loss({**params, **own}, {**aux, 'step': step}, batch, rng)
        return value, ({name: x for name, x in aux.items() if name != 'step'}, report)

    def gradients(aux, part):
        aux, report, grads = turn.gradients(loss, own, aux, part['batch'], part['rng'])
        return aux, (grads, report)

    own = {name: players[name].params for name in turn.players}
    whole = {'batch': batch, 'rng': rng[0]}
    if micro_batches == 1:
        aux, means = gradients(aux, whole)
    else:
        parts = jax.tree.map(lambda x: x.reshape(micro_batches, -1, *x.shape[1:]), whole)
        shapes = jax.eval_shape(gradients, aux, jax.tree.map(lambda x: x[0], parts))[1]

        def accumulate(carry, numbered):
            given, mean, total = carry
            number, part = numbered
            left, terms = gradients(given, part)
            carry = _handed_on(given, left), _running_mean(mean, left, number)
            return (*carry, jax.tree.map(jnp.add, total, terms)), None

        numbered = jnp.arange(1, micro_batches + 1), parts
        (_, aux, total), _ = lax.scan(accumulate, (aux, aux, _zeros(shapes)), numbered)
        means = jax.tree.map(lambda x: x / micro_batches, total)
    grads, report = parallel.mean(means, axis_name)
    if turn.finish is not None:
        grads = turn.finish(rng[1], grads)
    moved = {name: players[name].apply_gradients(grads=grads[name]) for name in turn.players}
    report['gradient_norm'] = optax.tree.norm(grads)
    report['parameter_norm'] = optax.tree.norm({name: x.params for name, x in moved.items()})
    return {**players, **moved}, aux, report


def _is_carried(x: Any) -> bool:
    return isinstance(x, Carried)


def _handed_on(given: Aux, left: Aux) -> Aux:
    """The aux that the next micro-batch is given."""
    return jax.tree.map(lambda x, y: y if _is_carried(x) else x, given, left, is_leaf=_is_carried)


def _running_mean(mean: Aux, left: Aux, number: chex.Array) -> Aux:
    """The mean of what so many micro-batches left; of what is no float, or carried, the last."""

    def join(x, y):
        if _is_carried(x) or not jnp.issubdtype(x.dtype, jnp.floating):
            return y
        return x + (y - x) / number.astype(x.dtype)  # exact to the bit where nothing changes

    return jax.tree.map(join, mean, left, is_leaf=_is_carried)


def _average(player: Player, aux: Aux, name: str, step: chex.Array) -> Player:
    if player.decay is None:
        return player
    decay = player.decay(step)
    current = {'params': player.params, 'aux': aux.get(name, {})}

    def join(path, old, new):
        return new if COPIED in path and path[0].key == 'aux' else new + decay * (old - new)

    return player.replace(ema=jax.tree_util.tree_map_with_path(join, player.ema, current))


def current(state: State) -> tuple[Params, Aux]:
    """Every player's parameters, and aux, as they stand."""
    return _params(state.players), state.aux


def averaged(state: State) -> tuple[Params, Aux]:
    """Parameters and aux, with the running averages in place of those players' who keep them.

    Batch statistics are averaged with the parameters that they fit; 'buffers' are copied.
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
    due = {turn.label for turn in game.turns if turn.due(step)}
    return {name: value for name, value in metrics.items() if name.rsplit('/', 1)[0] in due}
