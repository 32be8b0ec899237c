"""What a page's game is compiled to: some steps of `game.update`, and a look at the players."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from gan_jax import game as game_lib
from gan_jax import keys, metrics
from gan_jax.config import adversaries
from gan_jax.config.experiment import Experiment
from gan_jax.game import Game, State
from gan_jax.modalities import points as points_lib
from gan_jax.playground import fields, sets
from gan_jax.runtime import parallel, replicas

RESOLUTION = 40  # of the field, each way
SAMPLES = 512  # generated points that are shown, and counted by modes
ARROWS = 48
NET = 16  # lines of the manifold each way
DRAWS = 2048  # of the prior, whose quantiles are the net's

BOTH, ONLY = 'both', ('discriminator', 'generator')


def with_factor(optimizer: optax.GradientTransformation) -> optax.GradientTransformation:
    """The optimizer with updates times a number in its state, so that a rate is no new program."""
    scale = optax.inject_hyperparams(optax.scale)(step_size=jnp.float32(1.0))
    return optax.chain(optimizer, scale)


def set_factors(state: State, factors: Mapping[str, float]) -> State:
    """The state with these numbers for its players' optimizers, see `with_factor`."""
    players = dict(state.players)
    for name, factor in factors.items():
        inner, scale = players[name].opt_state
        step_size = jnp.full_like(scale.hyperparams['step_size'], factor)
        scale = scale._replace(hyperparams={**scale.hyperparams, 'step_size': step_size})
        players[name] = players[name].replace(opt_state=(inner, scale))
    return state.replace(players=players)


def of_player(game: Game, player: str) -> Game:
    """The game's turns of one player, at every step; its lazy penalties when they are due."""
    turns = [turn for turn in game.turns if player in turn.players]
    return game._replace(
        turns=tuple(x if x.lazy else x._replace(every=1, start=0, stop=None) for x in turns)
    )


def several(experiment: Experiment, game: Game) -> Callable:
    """(state, points, num) -> (state, {turn: mean loss}, {turn: how often it was played}).

    Each step draws its batch from the points [n, 2] by the seed and the step's number. Of several
    seeds the losses are [replicas].
    """
    settings, num_seeds = experiment.config, len(experiment.seeds)
    root = jax.random.fold_in(jax.random.key(settings['seed']), 1)
    shape = (settings['batch_size'],) + ((num_seeds,) if num_seeds > 1 else ())
    turns = {turn.label: turn for turn in game.turns if not turn.lazy}

    def one(state: State, batch: game_lib.Batch) -> tuple[State, game_lib.Metrics]:
        return game_lib.update(
            game,
            state,
            batch,
            axis_name=parallel.AXIS,
            micro_batches=settings['micro_batches'],
            prepare=experiment.prepare,
        )

    step = replicas.step(one, num_seeds, game_lib.REPLICA_AXES)

    def run(state: State, points: jax.Array, num: jax.Array):
        def body(_, carry):
            state, sums, counts = carry
            places = jax.random.randint(
                jax.random.fold_in(root, state.step), shape, 0, points.shape[0]
            )
            label = jnp.zeros(shape, jnp.int32)
            state, found = step(state, {'real': points[places], 'label': label})
            for name, turn in turns.items():
                due = jnp.asarray(turn.due(state.step), jnp.float32)
                sums = {**sums, name: sums[name] + due * found[f'{name}/loss']}
                counts = {**counts, name: counts[name] + due}
            return state, sums, counts

        zeros = dict.fromkeys(turns, jnp.zeros(shape[1:]))
        none = dict.fromkeys(turns, jnp.zeros(()))
        state, sums, counts = lax.fori_loop(0, num, body, (state, zeros, none))
        return state, {x: sums[x] / jnp.maximum(counts[x], 1) for x in sums}, counts

    return parallel.on_first_device(run)


def observer(experiment: Experiment) -> Callable:
    """(state, points, centers, stddev) -> what is shown, each [replicas, ...]: see `fields.look`.

    Beside it 'modes' and 'quality', of all generated points. Centers [k, 2] may be infinite.
    """
    settings, game = experiment.config, experiment.game
    adversary = adversaries.adversary(
        settings['objective'], settings['penalties'], settings['cures'], axis_name=None
    )
    generator_loss = adversary.objective.generator
    prior = game.functions['prior']
    root = jax.random.key(settings['seed'])
    several_seeds = len(experiment.seeds) > 1
    window = np.full(2, -sets.HALF), np.full(2, sets.HALF)
    places = points_lib.field_points(window, RESOLUTION)

    def show(state: State, points, centers, stddev):
        inputs = prior(keys.per_example(root, SAMPLES))
        drawn = prior(keys.per_example(root, DRAWS))['latent']
        net = {'latent': fields.latent_grid(drawn, NET)}
        look = functools.partial(
            fields.look, game.functions, generator_loss, experiment.zero_divides,
            inputs, net, jnp.asarray(places), ARROWS,
        )  # fmt: skip

        def one(players):
            found = look(players, points)
            fake = found['fake']
            found['modes'] = metrics.modes_captured(fake, centers, stddev)
            found['quality'] = metrics.high_quality_share(fake, centers, stddev)
            return found

        players = game_lib.current(state)
        if several_seeds:
            return jax.vmap(one)(players)
        return jax.tree.map(lambda x: x[None], one(players))

    return jax.jit(show)


def kept(old: State, new: State) -> tuple[State, list[str]]:
    """The new state with the players of the old one that have the same shapes, and their names.

    A player's optimizer goes on, too, if its state has the same shapes. Of other numbers of seeds
    nothing fits: all of them begin again, so that they can be compared.
    """
    names, players, aux = [], dict(new.players), dict(new.aux)
    for name, player in new.players.items():
        before = old.players.get(name)
        if before is None or not _alike(before.params, player.params):
            continue
        names.append(name)
        player = player.replace(params=before.params)
        if _alike(before.opt_state, player.opt_state):
            player = player.replace(opt_state=before.opt_state)
        players[name] = player
        if name in aux and _alike(old.aux.get(name), aux[name]):
            aux[name] = old.aux[name]
    step = old.step if names else new.step
    return new.replace(players=players, aux=aux, step=step), names


def _alike(old: Any, new: Any) -> bool:
    def shapes(tree: Any) -> Any:
        return jax.tree_util.tree_structure(tree), [jnp.shape(x) for x in jax.tree.leaves(tree)]

    return shapes(old) == shapes(new)


class Program(NamedTuple):
    """A game that can be played live.

    Attributes:
      experiment: what it is of, with optimizers whose rates can be changed.
      runs: {'both', 'discriminator', 'generator': see `several`}.
      show: see `observer`.
      built: {player: the rate that it was built with}.
    """

    experiment: Experiment
    runs: dict[str, Callable]
    show: Callable
    built: dict[str, float]


def compiled(experiment: Experiment) -> Program:
    """What an experiment is compiled to, when it is first called."""
    optimizers = {name: with_factor(x) for name, x in experiment.optimizers.items()}
    experiment = dataclasses.replace(experiment, optimizers=optimizers)
    runs = {BOTH: several(experiment, experiment.game)}
    runs |= {name: several(experiment, of_player(experiment.game, name)) for name in ONLY}
    rates = {
        name: x['learning_rate']
        for name, x in experiment.config['optimizers'].items()
        if isinstance(x['learning_rate'], float | int)
    }
    return Program(experiment, runs, observer(experiment), rates)
