"""The game of StyleGAN2: that of one generator against one discriminator, with styles between.

Source: Analyzing and Improving the Image Quality of StyleGAN (Karras et al., 2020), as its authors'
code of Training Generative Adversarial Networks with Limited Data (Karras et al., 2020) plays it.
R1, the running average and adaptive augmentation are the adversary's and the run's, as in any game.

Where this differs from that code:

* The discriminator plays first in a step, and each turn draws its own latents; there the generator
  does. Steps count from 1, so that lazy penalties are first taken at step `every`, not at the
  first.
* Each example draws for itself whether its styles are mixed and from which layer on; there a batch
  is mixed alike.
* Generated examples have the labels of the batch's real ones; there labels are drawn from the data.
* The mean of w moves in the generator's turns only (the path length's among them), and over all
  devices; there in the discriminator's, too, and on each device by itself.
* The mean of the path lengths is one for all devices; there each has its own. It is kept in
  checkpoints; there it begins anew.
* A lazy penalty of weight 0 is no turn, so that its player's optimizer is not corrected for it.
* The path length is taken of every `shrink`-th example, not of the first part of a batch, so that
  it is the same however the batch is split.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp

from gan_jax import keys
from gan_jax.game import Aux, Batch, Game, Params, Turn
from gan_jax.games import gan
from gan_jax.games.adversary import Adversary
from gan_jax.games.network import Network, Role, generate

PLACE = 'path_length'


class PathLength(NamedTuple):
    """The penalty on the generator.

    Attributes:
      function: (synthesize, styles [n, L, size], keys [n], mean) -> (penalties [n], new mean).
      weight: the factor of its mean in the loss.
      every: at which steps it is played; the weight is multiplied by it.
      shrink: it is taken of every so-many-th example.
    """

    function: Callable[..., tuple[chex.Array, chex.Array]]
    weight: float
    every: int = 4
    shrink: int = 2


def make(
    *,
    generator: Network,
    discriminator: Network,
    adversary: Adversary,
    prior: Callable[..., dict[str, chex.Array]],
    path_length: PathLength | None,
    style_mixing: float = 0.9,
) -> Game:
    """Builds the game.

    Args:
      generator: (latents, train, ...) -> examples, with `mixed` (second latents) and `crossover`
        [n], `truncation` [n]; its methods `styles`, of the same inputs -> [n, L, size], and
        `synthesize`, (styles, train, rng, noise) -> examples.
      discriminator: (examples, train, ...) -> logits or a verdict.
      adversary: the losses of both, with penalties and cures.
      prior: keys [batch] -> {'latent': [batch, size], and what else the networks ask for}.
      path_length: the penalty on the generator, a turn of its own after the generator's; or None.
      style_mixing: the probability that an example's later layers have the styles of a second
        latent, from the second layer to the last on with equal chances.

    Returns:
      The game `gan` with a turn 'generator_path_length' and aux['path_length'] = {'mean': scalar}
      if there is that penalty, and with functions
      prior: (keys [n], truncation=None) -> inputs, with it also 'truncation' [n] (psi);
      map: (params, aux, inputs) -> styles [n, L, size], each w_mean + psi (w - w_mean);
      synthesize: (params, aux, styles, noise=None) -> examples; noise as the generator names it;
      and of generators that have these methods
      affines: (params, aux) -> of each layer the kernel [size, outputs] that its style meets first;
      noise_maps: (params, aux) -> the constant noise, as `synthesize` takes noise.

    Raises:
      ValueError: if one of the two networks is given labels and the other is not.
    """
    if ('label' in generator.asks) != ('label' in discriminator.asks):
        raise ValueError(
            'generator.conditional and discriminator.conditional must be both True or both False'
        )
    style, synthesis = (Role(generator.method(x), 'generator') for x in ('styles', 'synthesize'))
    drawn = functools.partial(mixing_prior, prior, style_mixing) if style_mixing else prior
    game = gan.make(
        generator=generator, discriminator=discriminator, adversary=adversary, prior=drawn
    )

    def to_styles(params: Params, aux: Aux, inputs: Batch) -> Any:
        return generate(style, params, aux, inputs, train=False)[0]

    def synthesize(params: Params, aux: Aux, styles: Any, noise: Any = None) -> Any:
        return synthesis(params, aux, styles, train=False, noise=noise)[0]

    own: dict[str, Callable] = {
        'prior': truncating(prior),
        'map': to_styles,
        'synthesize': synthesize,
    }
    # What it tells of itself: read by those who use it, not in training.
    told = {name for name in ('affines', 'noise_maps') if hasattr(generator.module, name)}
    own |= {
        name: functools.partial(_read, Role(generator.method(name), 'generator')) for name in told
    }
    game = game._replace(functions={**game.functions, **own})
    if path_length is None or not path_length.weight:
        return game

    def init(rng: chex.PRNGKey, batch: Batch) -> tuple[dict[str, Any], Aux]:
        params, aux = game.init(rng, batch)
        return params, {**aux, PLACE: {'mean': jnp.zeros(())}}

    loss = functools.partial(path_length_loss, path_length, drawn, style, synthesis)
    turn = Turn('generator', loss, path_length.every, f'generator_{PLACE}', lazy=True)
    return game._replace(init=init, turns=(*game.turns, turn))


def _read(role: Role, params: Params, aux: Aux) -> Any:
    return role(params, aux, train=False)[0]


def path_length_loss(
    path_length: PathLength,
    prior: Callable[..., dict[str, chex.Array]],
    style: Role,
    synthesis: Role,
    params: Params,
    aux: Aux,
    batch: Batch,
    rng: chex.PRNGKey,
) -> tuple[chex.Array, tuple[Aux, dict[str, chex.Array]]]:
    """The loss of the penalty's own turn, its weight times `every`, as a LossFn gives it.

    Args:
      path_length: the penalty.
      prior: of training.
      style: the generator as far as its styles.
      synthesis: the generator from them on.
      params: every player's.
      aux: the game's.
      batch: of which labels are taken.
      rng: keys [examples].
    """
    few = slice(None, None, path_length.shrink)
    rng = rng[few]
    told = {name: x[few] for name, x in batch.items() if name in style.network.asks}
    styles, aux = generate(style, params, aux, {**prior(rng), **told})
    penalties, mean = path_length.function(
        lambda w: synthesis(params, aux, w, rng=rng)[0],
        styles,
        keys.of_name(rng, PLACE),
        aux[PLACE]['mean'],
    )
    penalty = jnp.mean(penalties)
    aux = {**aux, PLACE: {'mean': mean}}
    return path_length.weight * path_length.every * penalty, (aux, {PLACE: penalty, 'mean': mean})


def truncating(prior: Callable[..., dict[str, chex.Array]]) -> Callable[..., dict[str, Any]]:
    """(keys [n], truncation=None) -> a prior's inputs, and 'truncation' [n] where it is given."""

    def drawn(rng: chex.PRNGKey, truncation: float | None = None) -> dict[str, Any]:
        psi = {} if truncation is None else {'truncation': jnp.full(len(rng), float(truncation))}
        return {**prior(rng), **psi}

    return drawn


def mixing_prior(
    prior: Callable[..., dict[str, chex.Array]], probability: float, rng: chex.PRNGKey
) -> dict[str, chex.Array]:
    """A prior's inputs with second latents, and where these take over.

    Args:
      prior: keys [n] -> inputs.
      probability: of an example's being mixed.
      rng: keys [n].

    Returns:
      The inputs and 'mixed', latents as the first, and 'crossover', float32 [n]: the share of the
      layers after the first that keep the first latent's style, in [0, 1) of a mixed example, else
      1.
    """

    def draw(key: chex.PRNGKey) -> chex.Array:
        mixed, share = jax.random.uniform(key, (2,))
        return jnp.where(mixed < probability, share, 1.0)

    crossover = jax.vmap(draw)(keys.of_name(rng, 'crossover'))
    mixed = prior(keys.of_name(rng, 'mixed'))['latent']
    return {**prior(rng), 'mixed': mixed, 'crossover': crossover}
