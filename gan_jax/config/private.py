"""What settings of privacy stand for: noise, batches, what is refused, and what it has cost.

What names alone tell is refused in validate.py.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from absl import logging

from gan_jax import data, optimizers, privacy
from gan_jax.config.bounds import COUNT, HUGE, Check, optional, real, whole
from gan_jax.errors import UserError
from gan_jax.evaluation import membership, menu
from gan_jax.game import Game, Turn
from gan_jax.games import wrappers
from gan_jax.runtime import parallel

PLAYER = 'discriminator'  # who reads the data
CHUNK = 32
KEYS: dict[str, Check] = {
    'epsilon': real(0, 100, above=True),
    'delta': real(0, 1, above=True, below=True),
    'clip': real(0, above=True),
    'chunk': whole(1, HUGE),  # so many examples' gradients are in memory at a time
    'noise_multiplier': optional(real(0, above=True)),  # None: the least that the run needs
    'padding': optional(COUNT),  # rows of a batch for each example that is expected
    'examples': optional(COUNT),  # found with the data
}
NEEDED = ('epsilon', 'delta', 'clip')
FOUND = ('noise_multiplier', 'padding')  # of a run when it was begun, and not again


def settled(
    given: Mapping[str, Any], batch_size: int, steps: int, game: Game, dataset: data.Dataset
) -> dict[str, Any]:
    """The settings with what follows from the data and the steps; {} where nothing is private.

    Args:
      given: config.privacy.
      batch_size: how many examples are expected.
      steps: those of the run.
      game: of which the turns are asked how often they are played.
      dataset: what is trained on.

    Raises:
      UserError: if the data hold more than is accounted for, the budget does not pay for the steps,
        or the library that accounts is not installed.
    """
    num = len(dataset)
    if not given:
        return {}
    if dataset.fitted:
        raise UserError(
            f'config.privacy: what is fitted to {dataset.name} ({", ".join(dataset.fitted)}) is '
            f'not accounted for; name a data set whose examples are taken as they are'
        )
    if batch_size > num:
        raise UserError(
            f'config.batch_size={batch_size} is expected of {num} examples '
            f'(config.privacy); give {num} at most'
        )
    if given['delta'] * num >= 1:
        raise UserError(
            f'config.privacy.delta={given["delta"]:g} lets one of {num} examples be published; '
            f'give less than {1 / num:.2g}'
        )
    try:
        return {'chunk': CHUNK, **given, **_paid(given, batch_size, steps, turns(game, steps), num)}
    except ImportError as error:
        raise UserError(f'config.privacy: {error}') from error


def _paid(
    given: Mapping[str, Any], batch_size: int, steps: int, played: int, num: int
) -> dict[str, Any]:
    """What pays for so many turns of the discriminator."""
    epsilon, delta, rate = given['epsilon'], given['delta'], batch_size / num
    own = (1 - privacy.CUT) * delta
    noise, padding = (given.get(key) for key in FOUND)
    if noise is None:
        noise = privacy.noise_for(epsilon, rate, played, own)
    if padding is None:
        padding = privacy.padding_for(num, batch_size, played, epsilon, delta)
    spent = privacy.spent(rate, noise, played, own)
    rows = padding * batch_size
    if privacy.cut_delta(num, rate, rows, played, epsilon) > privacy.CUT * delta:
        raise UserError(
            f'config.privacy.padding={padding}: batches of more than {rows} examples are too '
            f'likely in {played} steps; leave it out, or give fewer steps'
        )
    if spent > epsilon:
        most = privacy.most_steps(epsilon, rate, noise, own)
        raise UserError(
            f'config.steps={steps} costs epsilon {spent:.4g} at a noise multiplier of '
            f'{noise:.4g}, and config.privacy.epsilon={epsilon:g} pays for {most} turns of the '
            f'{PLAYER}; give fewer steps'
        )
    logging.info(
        'private: epsilon %.4g of %.4g at delta %g after %d steps (Renyi; %.4g by privacy loss '
        'distributions); a noise multiplier of %.4g; %d of %d examples a batch on average, %d at '
        'most', spent, epsilon, delta, played,
        privacy.spent(rate, noise, played, own, privacy.PLD), noise, batch_size, num, rows,
    )  # fmt: skip
    logging.info(
        'private: the work directory is not, and who knows config.seed can take the noise away; '
        'give others no more than what the generator makes, or its weights'
    )
    return {'noise_multiplier': noise, 'padding': padding, 'examples': num}


def as_begun(given: Mapping[str, Any], then: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with the noise that their run was begun with, where they leave it open."""
    kept = {key: then[key] for key in FOUND if given.get(key) is None and key in then}
    return {**given, **kept} if given else {}


def turn_of(game: Game) -> Turn:
    """The turn that reads the data."""
    return next(turn for turn in game.turns if PLAYER in turn.players)


def turns(game: Game, steps: int) -> int:
    """How often the data are read in so many steps."""
    if PLAYER not in game.movers:
        raise UserError(f'config.privacy: this game trains no {PLAYER}, which could be private')
    return optimizers.updates([turn_of(game)], PLAYER, steps)


def wrapped(settings: Mapping[str, Any], batch_size: int, game: Game) -> Game:
    """The game as settled settings have it; the game itself where nothing is private."""
    if not settings:
        return game
    gradients = functools.partial(
        privacy.gradients,
        clip=settings['clip'],
        chunk=settings['chunk'],
        padding=settings['padding'],
    )
    stddev = settings['noise_multiplier'] * settings['clip'] / batch_size
    finish = functools.partial(privacy.noisy, stddev=stddev)
    return wrappers.private(game, gradients, finish, settings['padding'], player=PLAYER)


def drawing(settings: Mapping[str, Any], batch_size: int) -> Callable[..., dict[str, Any]]:
    """What makes the batches of settled settings."""
    if not settings:
        return data.batch_at
    return functools.partial(data.poisson_batch_at, rows=settings['padding'] * batch_size)


def ledger(
    settings: Mapping[str, Any], batch_size: int, game: Game
) -> Callable[[int], dict[str, float]]:
    """step -> what a run has spent by then, for its log; {} where nothing is private."""
    if not settings:
        return lambda step: {}
    rate, own = batch_size / settings['examples'], (1 - privacy.CUT) * settings['delta']

    def spent(step: int) -> dict[str, float]:
        played = turns(game, step)
        epsilon = privacy.spent(rate, settings['noise_multiplier'], played, own)
        return {'privacy/epsilon': epsilon, 'privacy/delta': settings['delta']}

    return spent


def bounds(settings: Mapping[str, Any]) -> dict[str, str]:
    """What an evaluation's record says of privacy; {} where nothing is private."""
    if not settings:
        return {}
    return {'privacy': membership.bound(settings['epsilon'], settings['delta'])}


def check_game(game: Game, example: Mapping[str, Any]) -> None:
    """Raises UserError if the data are read elsewhere, or examples mixed.

    The one turn that may read them is the discriminator's first, each example by itself.

    Its losses are asked themselves: they are traced with an axis of examples, and what they give
    either has it or not.

    Args:
      game: the game as it is without privacy.
      example: a prepared batch of one.
    """
    if PLAYER not in game.movers or 'prior' not in game.functions:
        raise UserError(
            f'config.privacy: this game trains no {PLAYER} against samples of a prior, which could '
            f'be private; take gan, or another that does'
        )
    params, aux = jax.eval_shape(game.init, jax.random.key(0), example)
    _check_norms(aux)
    own = turn_of(game)
    for turn in game.turns:
        for name in (x for x in example if x != 'label' and turn is not own):
            if _depends(turn, params, aux, example, name, lambda found: found):
                raise UserError(
                    f'config.privacy: the loss of {turn.label} reads real examples ({name}), and '
                    f"only the {PLAYER}'s first turn is private; take an objective whose "
                    f'generator sees its own logits alone, and no features or sources of real ones'
                )
    moved = (_depends(own, params, aux, example, x, lambda found: found[1][0]) for x in example)
    if any(moved):
        raise UserError(
            f'config.privacy: what the {PLAYER} keeps from step to step would be moved by real '
            f"examples without noise; leave out LeCam's anchors, pools and adaptive augmentation"
        )
    try:
        _traced(own, params, aux, example, (), axis_name=None)
    except NameError as error:  # an axis of devices that is not there
        raise UserError(
            f'config.privacy: the loss of {own.label} compares the examples of a batch over the '
            f'devices, and each is clipped by itself; leave out groups of examples in networks, '
            f'batch means in objectives and class heads, and DRAGAN'
        ) from error


def _check_norms(aux: Any) -> None:
    """Raises UserError if a player has batch statistics."""
    for path, _ in jax.tree_util.tree_leaves_with_path(aux):
        names = [str(getattr(key, 'key', key)) for key in path]
        if 'batch_stats' in names and names[-1] == 'mean':
            raise UserError(
                f'config.{names[0]} has batch norm, which mixes the examples of a batch, and each '
                f"is clipped by itself (config.privacy); give it norm='none', or take "
                f'another network'
            )


def _traced(
    turn: Turn,
    params: Any,
    aux: Any,
    example: Any,
    names: tuple[str, ...],
    choose: Callable[[Any], Any] = lambda found: found,
    axis_name: str | None = parallel.AXIS,
) -> Any:
    """Evaluates a turn's loss abstractly, with an axis of examples before what is named of them.

    Raises:
      ValueError: if what is chosen of the outcome has that axis, too.
      NameError: if it asks for the axis of the devices, and that has no name.
    """

    def loss(seen: Any, told: Any, params: Any, aux: Any, rng: Any) -> Any:
        found = turn.loss(params, {**aux, 'step': jnp.int32(1)}, {**told, **seen}, rng)
        return choose(found)

    seen = {name: jnp.stack([example[name]] * 2) for name in names}
    told = {name: x for name, x in example.items() if name not in names}
    mapped = jax.vmap(loss, (0, None, None, None, None), None) if names else loss
    if axis_name is not None:
        mapped = jax.vmap(mapped, None, axis_name=axis_name, axis_size=1)
    rng = jax.random.split(jax.random.key(0), 1)
    return jax.eval_shape(mapped, seen, told, params, aux, rng)


def _depends(
    turn: Turn, params: Any, aux: Any, example: Any, name: str, choose: Callable[[Any], Any]
) -> bool:
    """Whether what is chosen of a turn's loss depends on that part of a batch."""
    try:
        _traced(turn, params, aux, example, (name,), choose)
    except ValueError as error:
        if 'out_axes' not in str(error):
            raise
        return True
    return False


def check_evaluation(experiment: Any) -> None:
    """Raises UserError if figures in training would be of what is trained on.

    Figures of held-out examples are said to be so: these have no privacy here.
    """
    config = experiment.config
    if not config['privacy'] or not config['eval_every']:
        return
    names = config['evaluation']['metrics']
    of_training = [x for x in names if any(y.startswith('train_') for y in menu.needed([x]))]
    if experiment.held_out is None or of_training:
        raise UserError(
            f'config.eval_every={config["eval_every"]}: {", ".join(of_training or names)} would be '
            f'taken of what is trained on, and the best checkpoint chosen by it, which '
            f'config.privacy does not pay for; leave it at 0, or name another split and metrics'
        )
    logging.warning(
        '!!! figures in training, and the choice of the best checkpoint, are of %s, whose examples '
        'have no privacy here', experiment.held_out.name,
    )  # fmt: skip
