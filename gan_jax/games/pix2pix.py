"""The game of translation with a ground truth: every source has its image.

Source: Image-to-Image Translation with Conditional Adversarial Networks (Isola et al., 2017),
equation 4. With feature matching, a perceptual term and discriminators of several scales it is the
recipe of High-Resolution Image Synthesis and Semantic Manipulation with Conditional GANs (Wang et
al., 2018); with corrupted images as sources it is restoration (SRGAN, context encoders).
"""

from collections.abc import Callable, Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp

from gan_jax.game import Aux, Batch, Game, Params
from gan_jax.games.adversary import Adversary
from gan_jax.games.network import Network, Role, begin
from gan_jax.games.turns import Opponent, Scene, Term, adversarial_turns, pretrained, values


def make(
    *,
    generator: Network,
    discriminator: Network,
    adversary: Adversary,
    output: Callable[[chex.Array, chex.Array], chex.Array],
    reconstruction: Sequence[Term] = (),
    perceptual: Sequence[Term] = (),
    feature_matching: Sequence[Term] = (),
    conditional: bool = True,
    generator_every: int = 1,
    pretraining_steps: int = 0,
    simultaneous: bool = False,
) -> Game:
    """Builds the game.

    The discriminator plays first, as in the paper's code. A generator has dropout in training only:
    `a_to_b` has none.

    Args:
      generator: (sources, train, keys or None) -> images.
      discriminator: (images, train) -> a verdict: logits of patches, or a tree of them; and its
        features where these are matched.
      adversary: the losses of both, with penalties and cures; a conditional discriminator's
        penalties differentiate by source and image together.
      output: (what the generator makes, sources) -> images, such as restoration.heads.plain.
      reconstruction: terms such as 100 times L1.
      perceptual: terms in the features of another network.
      feature_matching: terms in the discriminator's own features.
      conditional: whether the discriminator sees the source beside the image; a source of another
        size is resized to the image's.
      generator_every: the generator plays at multiples of this step.
      pretraining_steps: for so many steps at first the generator plays alone, with the
        reconstruction and perceptual terms as its loss (SRGAN's begins so).
      simultaneous: whether the generator meets the discriminator as it was before the step.

    Returns:
      A game of the players 'generator' and 'discriminator', on batches {'real', 'source'}, with
      the function a_to_b: (params, aux, sources [n, ...]) -> images [n, ...] in [-1, 1].

    Raises:
      ValueError: if `pretraining_steps` is negative, or there are no such terms.
    """
    distances = (*reconstruction, *perceptual)
    translator = Role(generator, 'generator')
    opponent = Opponent(Role(discriminator, 'discriminator'), adversary)
    shown = beside if conditional else _alone

    def translate(params: Params, aux: Aux, source: chex.Array, **options: Any):
        made, aux = translator(params, aux, source, **options)
        return output(made, source), aux

    def init(rng: chex.PRNGKey, batch: Batch) -> tuple[dict[str, Any], Aux]:
        pair = shown(batch['source'], batch['real'])
        judged = adversary.repeated(pair)
        params, aux = begin(rng, [(translator, batch['source'], {}), (opponent.role, judged, {})])
        return params, {**aux, **adversary.init(pair)}

    def show(params: Params, aux: Aux, batch: Batch, rng: chex.PRNGKey):
        source = batch['source']
        made, aux = translate(params, aux, source, rng=rng)
        return {'': Scene(shown(source, batch['real']), shown(source, made))}, made, aux

    def terms(params, aux, batch, made, verdicts, rng):
        found = values(distances, batch['real'], made)
        if feature_matching:
            found |= values(feature_matching, *(x.features for x in verdicts['']))
        return found, aux

    def alone(params: Params, aux: Aux, batch: Batch, rng: chex.PRNGKey):
        return translate(params, aux, batch['source'], rng=rng)

    def a_to_b(params: Params, aux: Aux, source: chex.Array) -> chex.Array:
        return translate(params, aux, source, train=False)[0]

    every = generator_every
    turns = adversarial_turns(show, [opponent], generator_terms=terms, generator_every=every)
    turns = pretrained('generator', alone, distances, pretraining_steps, turns)
    return Game(init, turns, {'a_to_b': a_to_b}, simultaneous)


def beside(source: chex.Array, image: chex.Array) -> chex.Array:
    """A source, brought to the image's size, and the image, one behind the other in channels."""
    if source.shape[1:3] != image.shape[1:3]:
        shape = (*image.shape[:3], source.shape[3])
        source = jax.image.resize(source, shape, 'linear', antialias=True)
    return jnp.concatenate([source, image], axis=-1)


def _alone(source: chex.Array, image: chex.Array) -> chex.Array:
    return image
