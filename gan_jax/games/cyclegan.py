"""The game of translation without pairs: two generators and two discriminators, two players.

Source: Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks (Zhu et
al., 2017), sections 3 and 4, and the authors' code.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import chex
import jax.numpy as jnp

from gan_jax import keys
from gan_jax.game import Aux, Batch, Game, Params
from gan_jax.games.adversary import Adversary
from gan_jax.games.network import Network, Role, begin
from gan_jax.games.turns import Opponent, Scene, adversarial_turns
from gan_jax.networks import verdict

Distance = Callable[[chex.Array, chex.Array], chex.Array]
Translators = Mapping[str, Role]

DOMAINS = {'a': 'source', 'b': 'real'}  # and what they are called in a batch
DIRECTIONS = {'a_to_b': ('a', 'b'), 'b_to_a': ('b', 'a')}  # and whence they lead whither


def make(
    *,
    generator: Network,
    discriminator: Network,
    adversary: Adversary,
    distance: Distance,
    adversarial_weight: float = 1.0,
    cycle_weight: float = 10.0,
    identity_weight: float = 0.5,
    pool_size: int = 50,
    generator_every: int = 1,
) -> Game:
    """Builds the game.

    The player 'generator' holds the networks 'a_to_b' and 'b_to_a', the player 'discriminator' 'a'
    and 'b'. Its loss is adversarial_weight times that of both adversaries, plus cycle_weight times

        d(b_to_a(a_to_b(a)), a) + d(a_to_b(b_to_a(b)), b)
        + identity_weight * (d(b_to_a(a), a) + d(a_to_b(b), b)).

    Both players move from the same state, as in the authors' code: the discriminator sees what the
    generator made before its move. Pools of earlier images are arrays in aux, the same on all
    devices; a batch passes them in the order of its examples (with several devices and
    micro-batches, those of each micro-batch device by device). A generator with
    dropout draws anew in each turn.

    Args:
      generator: (images, train, keys or None) -> images, for either direction.
      discriminator: (images, train) -> logits of patches, for either domain.
      adversary: the losses of both, with penalties and cures, for either domain.
      distance: d, (x, y) -> [batch], such as losses.l1.
      adversarial_weight: 2 is the authors' with this library's least_squares, which has a factor of
        1/2 that their generator's loss has not.
      cycle_weight: lambda, 10 in the paper.
      identity_weight: of the identity loss, as a share of lambda; 0.5 in the paper, 0 for none.
      pool_size: how many images each pool keeps, 50 in the paper.
      generator_every: the generator plays at multiples of this step.

    Returns:
      A game of the players 'generator' and 'discriminator', on batches {'source': a, 'real': b}
      of one shape, with functions
      a_to_b, b_to_a: (params, aux, images [n, ...]) -> images [n, ...] in [-1, 1];
      score: (params, aux, batch) -> the logits of the domain b, [n].
    """
    translators = {name: Role(generator, 'generator', name) for name in DIRECTIONS}
    opponents = {}
    for domain in DOMAINS:
        own = adversary._replace(pool_size=pool_size, place=f'{adversary.place}_{domain}')
        judge = Role(discriminator, 'discriminator', domain)
        opponents[domain] = Opponent(judge, own, domain, adversarial_weight)

    def init(rng: chex.PRNGKey, batch: Batch) -> tuple[dict[str, Any], Aux]:
        image = batch['real']
        cast: list[Any] = [(role, image, {}) for role in translators.values()]
        cast += [(x.role, x.adversary.repeated(image), {}) for x in opponents.values()]
        params, aux = begin(rng, cast)
        for opponent in opponents.values():
            aux |= opponent.adversary.init(image)
        return params, aux

    def direction(name: str) -> Callable:
        role = translators[name]
        return lambda params, aux, images: role(params, aux, images, train=False)[0]

    def score(params: Params, aux: Aux, batch: Batch) -> Any:
        shown = adversary.repeated(batch['real'])
        found, _ = opponents['b'].role(params, aux, shown, train=False)
        return verdict.per_example(verdict.of(found).logits)

    weights = {'cycle': cycle_weight, 'identity': cycle_weight * identity_weight}
    discriminators, *lazy, generators = adversarial_turns(
        functools.partial(_show, translators),
        [*opponents.values()],
        generator_terms=functools.partial(_terms, translators, distance, weights),
        generator_every=generator_every,
    )
    functions = {name: direction(name) for name in DIRECTIONS} | {'score': score}
    return Game(init, (generators, discriminators, *lazy), functions, simultaneous=True)


def _to_each(
    translators: Translators, params: Params, aux: Aux, images: Any, rng: chex.PRNGKey, name: str
) -> tuple[dict[str, Any], Aux]:
    """{domain: what becomes of the images of the other one}, in training; and aux."""
    made = {}
    for direction, (start, end) in DIRECTIONS.items():
        drawn = keys.of_name(rng, f'{name} {direction}'.strip())
        made[end], aux = translators[direction](params, aux, images[start], rng=drawn)
    return made, aux


def _show(translators: Translators, params: Params, aux: Aux, batch: Batch, rng: chex.PRNGKey):
    real = {domain: batch[name] for domain, name in DOMAINS.items()}
    made, aux = _to_each(translators, params, aux, real, rng, '')
    return {domain: Scene(real[domain], made[domain]) for domain in DOMAINS}, made, aux


def _terms(translators, distance, weights, params, aux, batch, made, verdicts, rng):
    """The cycle's and the identity's losses, for each domain."""
    back, aux = _to_each(translators, params, aux, made, rng, 'back')
    compared = {'cycle': back}
    if weights['identity']:
        own = {'a': batch[DOMAINS['b']], 'b': batch[DOMAINS['a']]}  # of the target's domain
        compared['identity'], aux = _to_each(translators, params, aux, own, rng, 'identity')
    return {
        f'{term}_{domain}': (weights[term], jnp.mean(distance(images[domain], batch[name])))
        for term, images in compared.items()
        for domain, name in DOMAINS.items()
    }, aux
