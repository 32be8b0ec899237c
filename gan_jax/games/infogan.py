"""The game of InfoGAN: the generator is told codes, and a third player reads them off its samples.

Source: InfoGAN: Interpretable Representation Learning by Information Maximizing Generative
Adversarial Nets (Chen et al., 2016), equation 6:

    min over G and Q, max over D of V(D, G) - lambda L(G, Q),

L the lower bound of the mutual information of the codes c and G(z, c): the entropy of c plus
E[log Q(c | G(z, c))]. Q, the recognizer, is a head on the discriminator's features. As in the
authors' code both losses have - lambda L, so the discriminator's features learn to tell codes, too.

Q moves with both sides, as a player of its own: in the paper it moves with G alone, in the authors'
code, where it is a part of D, with D alone. So the movers of either turn are those whom its loss is
about, and of the two others each stays as it was in the other's turn.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp

from gan_jax.game import Aux, Batch, Game, Params, Turn
from gan_jax.games import gan
from gan_jax.games.adversary import Adversary
from gan_jax.games.network import Network, Role
from gan_jax.networks import verdict

RECOGNIZER = 'recognizer'


class Code(NamedTuple):
    """A code that is to be read off of samples.

    Attributes:
      name: what the prior, the generator and the recognizer call it.
      bound: (the recognizer's answer [n, d], codes [n, ...]) -> lower bounds [n] of the mutual
        information.
      weight: lambda, the factor of the mean in both losses.
      ceiling: what the bound cannot exceed, for the log.
    """

    name: str
    bound: Callable[[chex.Array, chex.Array], chex.Array]
    weight: float
    ceiling: float


def make(
    *,
    generator: Network,
    discriminator: Network,
    recognizer: Network,
    adversary: Adversary,
    prior: Callable[..., dict[str, chex.Array]],
    information: tuple[Code, ...],
    generator_every: int = 1,
    simultaneous: bool = False,
) -> Game:
    """Builds the game.

    Args:
      generator: (latents, train, ...) -> examples; it asks for the codes by their names.
      discriminator: (examples, train, ...) -> a verdict with features [n, d].
      recognizer: (features, train) -> {name of a code: [n, ...]}.
      adversary: the losses of the first two, with penalties and cures.
      prior: keys [batch] -> {'latent': [batch, size], the codes by their names}.
      information: the codes.
      generator_every: the generator plays at multiples of this step.
      simultaneous: whether the generator meets the discriminator as it was before the step.

    Returns:
      The game `gan` with a player 'recognizer', who moves in both turns but no lazy penalty's, with
      metrics '<code>_information' and '<code>_ceiling', and with a function
      recognize: (params, aux, examples) -> {name of a code: what is read off of examples [n, ...]}.

    Raises:
      ValueError: if the prior draws no such codes, the generator does not ask for them, the
        discriminator gives no features or judges packs.
    """
    _check(generator, adversary, prior, information)
    reader, judge = Role(recognizer, RECOGNIZER), Role(discriminator, 'discriminator')
    terms = functools.partial(information_terms, reader, prior, information)
    game = gan.with_terms(
        generator=generator,
        discriminator=discriminator,
        adversary=adversary,
        prior=prior,
        terms={'generator_terms': terms, 'discriminator_terms': terms},
        generator_every=generator_every,
        simultaneous=simultaneous,
    )

    def init(rng: chex.PRNGKey, batch: Batch) -> tuple[dict[str, Any], Aux]:
        params, aux = game.init(rng, batch)
        features = _features(verdict.of(judge(params, aux, batch['real'], train=False)[0]))
        own, collections = reader.init(rng, features)
        return {**params, RECOGNIZER: own}, {**aux, RECOGNIZER: collections}

    def recognize(params: Params, aux: Aux, examples: chex.Array) -> Any:
        found = verdict.of(judge(params, aux, examples, train=False)[0])
        return reader(params, aux, _features(found), train=False)[0]

    turns = tuple(turn if turn.lazy else _joined(turn) for turn in game.turns)
    functions = {**game.functions, 'recognize': recognize}
    return game._replace(init=init, turns=turns, functions=functions)


def _joined(turn: Turn) -> Turn:
    return turn._replace(player=(*turn.players, RECOGNIZER), name=turn.label)


def _check(
    generator: Network,
    adversary: Adversary,
    prior: Callable[..., dict[str, chex.Array]],
    information: tuple[Code, ...],
) -> None:
    drawn = jax.eval_shape(prior, jax.random.split(jax.random.key(0), 1))
    for code in information:
        if code.name not in drawn:
            raise ValueError(f"config.latent draws no {code.name}; give it the name 'coded'")
        if code.name not in generator.asks:
            raise ValueError(
                f'config.generator asks for no {code.name}; use infogan.Generator, say'
            )
    if adversary.packing > 1:
        raise ValueError(
            f'config.cures.packing={adversary.packing}: codes are those of single examples; leave '
            f'it at 1'
        )


def _features(found: verdict.Verdict) -> Any:
    if found.features is None:
        raise ValueError(
            'config.discriminator gives no features to read codes off; use infogan.Discriminator'
        )
    return found.features


def information_terms(
    reader: Role,
    prior: Callable[..., dict[str, chex.Array]],
    information: tuple[Code, ...],
    params: Params,
    aux: Aux,
    batch: Batch,
    made: Any,
    verdicts: Mapping[str, tuple[verdict.Verdict, verdict.Verdict]],
    rng: chex.PRNGKey,
):
    """The bounds of either loss, subtracted, as `turns.adversarial_turns` takes terms.

    The codes are those that the turn's samples were made of, since these were drawn from the same
    keys.
    """
    codes = prior(rng)
    found, aux = reader(params, aux, _features(verdicts[''][1]), rng=rng)
    terms = {}
    for code in information:
        bound = jnp.mean(code.bound(found[code.name], codes[code.name]))
        terms[f'{code.name}_information'] = -code.weight, bound
        terms[f'{code.name}_ceiling'] = 0.0, jnp.float32(code.ceiling)
    return terms, aux
