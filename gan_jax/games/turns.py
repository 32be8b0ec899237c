"""The turns that adversarial games share: discriminators, their lazy penalties, the generator.

A game says by a function what each discriminator is shown, and by terms what its losses have
beyond the adversarial ones; the rest is the same for any number of discriminators.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import chex
import jax.numpy as jnp

from gan_jax import keys
from gan_jax.game import Aux, Batch, Params, Turn
from gan_jax.games.adversary import Adversary
from gan_jax.games.network import Role


class Scene(NamedTuple):
    """What one discriminator is shown.

    Attributes:
      real: real examples [batch, ...], or a tree of what is judged together.
      fake: generated ones, of the same shapes.
      conditions: inputs by name that both sides share, such as 'label'.
    """

    real: Any
    fake: Any
    conditions: Mapping[str, Any] = {}


class Opponent(NamedTuple):
    """A discriminator in a game.

    Attributes:
      role: the network that judges.
      adversary: its losses.
      name: what its metrics end with; empty if it is the only one.
      weight: the factor of its part of the generator's loss.
    """

    role: Role
    adversary: Adversary
    name: str = ''
    weight: float = 1.0

    @property
    def suffix(self) -> str:
        """What is added to the names of its metrics."""
        return f'_{self.name}' if self.name else ''

    def drawn(self, rng: chex.PRNGKey) -> chex.PRNGKey:
        """Its own keys, of the turn's."""
        return keys.of_name(rng, self.name) if self.name else rng

    def judge(self, params: Params, conditions: Mapping[str, Any], rng: chex.PRNGKey) -> Callable:
        """(aux, examples) -> (verdict, aux), in training.

        What a network draws (noise, dropout) is the same at each call, on both sides.
        """
        drawn = keys.of_name(self.drawn(rng)[:: self.adversary.packing], 'judge')
        told = self.adversary.packed(dict(conditions))
        return lambda aux, examples: self.role(params, aux, examples, rng=drawn, **told)


class Term(NamedTuple):
    """A part of the generator's loss that compares what was made with the truth.

    Attributes:
      name: what its metric is named for.
      function: (truth, made) -> losses [batch]; or of trees of features.
      weight: the factor of its mean.
    """

    name: str
    function: Callable[[Any, Any], chex.Array]
    weight: float


def values(terms: Sequence[Term], truth: Any, made: Any) -> dict[str, tuple[float, chex.Array]]:
    """{name: (weight, value)} of what compares the truth with what was made."""
    return {x.name: (x.weight, jnp.mean(x.function(truth, made))) for x in terms}


# (params, aux, batch, rng) -> ({opponent: Scene}, what was generated, aux with the generator's
# collections). In the discriminators' turns that aux is left alone.
Show = Callable[[Params, Aux, Batch, chex.PRNGKey], tuple[Mapping[str, Scene], Any, Aux]]
# (params, aux, batch, generated, {opponent: (verdict on real, on generated)}, rng)
#   -> ({name: (weight, value)}, aux)
Terms = Callable[..., tuple[Mapping[str, tuple[float, chex.Array]], Aux]]


def no_terms(params, aux, batch, made, verdicts, rng):
    """Nothing beyond the adversarial losses."""
    return {}, aux


def adversarial_turns(
    show: Show,
    opponents: Sequence[Opponent],
    *,
    generator_terms: Terms = no_terms,
    discriminator_terms: Terms = no_terms,
    generator_every: int = 1,
    generator: str | tuple[str, ...] = 'generator',
    discriminator: str | tuple[str, ...] = 'discriminator',
) -> tuple[Turn, ...]:
    """The discriminators' turn, their lazy penalties' turns, the generator's turn.

    A penalty with `every` = 1 is part of the discriminators' loss; one that is played less often
    has a turn of its own, with its weight multiplied by `every`. A turn leaves the other player's
    collections alone.

    Args:
      show: what each opponent is shown.
      opponents: the discriminators; their losses are added.
      generator_terms: further parts of the generator's loss, (weight, value) by name.
      discriminator_terms: likewise of the discriminators'.
      generator_every: the generator plays at multiples of this step (WGAN: 5).
      generator: who moves in the generator's turn.
      discriminator: who moves in the discriminators'.
    """
    opponents = tuple(opponents)
    alone = len(opponents) == 1 and generator_terms is no_terms
    judged = functools.partial(discriminator_loss, show, opponents, discriminator_terms)
    made = functools.partial(generator_loss, show, opponents, generator_terms, alone)
    lazy = {
        penalty.name: penalty.every
        for opponent in opponents
        for penalty in opponent.adversary.penalties
        if penalty.every > 1
    }
    first = discriminator if isinstance(discriminator, str) else discriminator[0]
    return (
        Turn(discriminator, judged),
        *(
            Turn(
                discriminator,
                functools.partial(lazy_loss, show, opponents, name),
                every,
                f'{first}_{name}',
                lazy=True,
            )
            for name, every in lazy.items()
        ),
        Turn(generator, made, generator_every),
    )


def pretrained(
    player: str, makes: Callable, distances: Sequence[Term], steps: int, turns: Sequence[Turn]
) -> tuple[Turn, ...]:
    """A game's turns after so many steps in which a player plays alone, for its distances.

    Args:
      player: who.
      makes: (params, aux, batch, rng) -> (what it makes of a batch, aux).
      distances: of that from the batch's real examples.
      steps: how many; with 0 the turns stay as they are.
      turns: the game's.

    Raises:
      ValueError: if `steps` is negative, or there are no distances.
    """
    if steps < 0 or (steps and not distances):
        raise ValueError(f'pretraining_steps={steps} must be 0 or more, and 0 without distances')

    def loss(params: Params, aux: Aux, batch: Batch, rng: chex.PRNGKey):
        made, aux = makes(params, aux, batch, rng)
        total, metrics = _total([], values(distances, batch['real'], made))
        return total, (aux, metrics)

    alone = (Turn(player, loss, name='pretraining', stop=steps),) if steps else ()
    return (*alone, *(turn._replace(start=steps) for turn in turns))


def discriminator_loss(
    show: Show,
    opponents: Sequence[Opponent],
    terms: Terms,
    params: Params,
    aux: Aux,
    batch: Batch,
    rng: chex.PRNGKey,
):
    """The sum of the discriminators' losses and their terms."""
    scenes, made, _ = show(params, aux, batch, rng)
    losses: list[chex.Array] = []
    metrics: dict[str, chex.Array] = {}
    verdicts = {}
    for opponent in opponents:
        scene, adversary = scenes[opponent.name], opponent.adversary
        pooled = keys.of_name(rng, f'pool {opponent.name}'.strip())
        fake, aux = adversary.recalled(aux, scene.fake, pooled)
        judge = opponent.judge(params, scene.conditions, rng)
        loss, (aux, found), verdicts[opponent.name] = adversary.discriminator(
            judge, aux, scene.real, fake, opponent.drawn(rng)
        )
        losses.append(loss)
        metrics |= {f'{name}{opponent.suffix}': x for name, x in found.items()}
    more, aux = terms(params, aux, batch, made, verdicts, rng)
    loss, more_metrics = _total(losses, more)
    return loss, (aux, metrics | more_metrics)


def lazy_loss(
    show: Show,
    opponents: Sequence[Opponent],
    name: str,
    params: Params,
    aux: Aux,
    batch: Batch,
    rng: chex.PRNGKey,
):
    """The sum of one lazy penalty over the discriminators that have it."""
    scenes, _, _ = show(params, aux, batch, rng)
    losses: list[chex.Array] = []
    metrics: dict[str, chex.Array] = {}
    for opponent in opponents:
        scene, adversary = scenes[opponent.name], opponent.adversary
        judge = opponent.judge(params, scene.conditions, rng)
        for penalty in adversary.penalties:
            if penalty.name == name:
                loss, found = adversary.lazy(
                    penalty, judge, aux, scene.real, scene.fake, opponent.drawn(rng)
                )
                losses.append(loss)
                metrics |= {f'{key}{opponent.suffix}': x for key, x in found.items()}
    return _total(losses, {})[0], (aux, metrics)


def generator_loss(
    show: Show,
    opponents: Sequence[Opponent],
    terms: Terms,
    alone: bool,
    params: Params,
    aux: Aux,
    batch: Batch,
    rng: chex.PRNGKey,
):
    """The weighted sum of the generator's losses against each discriminator, and its terms."""
    scenes, made, aux = show(params, aux, batch, rng)
    losses: list[chex.Array] = []
    metrics: dict[str, chex.Array] = {}
    verdicts = {}
    for opponent in opponents:
        scene = scenes[opponent.name]
        judge = opponent.judge(params, scene.conditions, rng)
        loss, verdicts[opponent.name] = opponent.adversary.generator(
            judge, aux, scene.real, scene.fake, opponent.drawn(rng)
        )
        if not alone:  # else it is the whole loss, which is logged
            metrics[f'adversarial{opponent.suffix}'] = loss
        losses.append(opponent.weight * loss if opponent.weight != 1 else loss)
    more, aux = terms(params, aux, batch, made, verdicts, rng)
    loss, more_metrics = _total(losses, more)
    return loss, (aux, metrics | more_metrics)


def _total(
    losses: Sequence[chex.Array], terms: Mapping[str, tuple[float, chex.Array]]
) -> tuple[chex.Array, dict[str, chex.Array]]:
    """The losses and the weighted terms added up in their order, and the terms' values."""
    parts = [*losses, *(weight * value for weight, value in terms.values())]
    total = sum(parts[1:], parts[0])
    return jnp.asarray(total), {name: value for name, (_, value) in terms.items()}
