"""The game of translation with a ground truth: every source has its image.

Source: Image-to-Image Translation with Conditional Adversarial Networks (Isola et al., 2017),
equation 4: pix2pix. With feature matching, a perceptual term and discriminators of several scales
it is the recipe of High-Resolution Image Synthesis and Semantic Manipulation with Conditional GANs
(Wang et al., 2018); with corrupted images as sources it is restoration (SRGAN, context encoders).
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax import keys
from gan_jax.game import Aux, Batch, Game, Params, Turn
from gan_jax.games.adversary import Adversary, Penalty


class Term(NamedTuple):
    """A part of the generator's loss that compares its image with the truth.

    Attributes:
      name: what its metric is named for.
      function: (truth, image) -> losses [batch]; or of trees of features in place of images.
      weight: the factor of its mean.
    """

    name: str
    function: Callable[[Any, Any], chex.Array]
    weight: float


def make(
    *,
    generator: nn.Module,
    discriminator: nn.Module,
    adversary: Adversary,
    output: Callable[[chex.Array, chex.Array], chex.Array],
    reconstruction: Sequence[Term] = (),
    perceptual: Sequence[Term] = (),
    feature_matching: Sequence[Term] = (),
    conditional: bool = True,
    generator_every: int = 1,
    simultaneous: bool = False,
) -> Game:
    """Builds the game.

    The discriminator plays first, as in the paper's code. Keys [batch] for a generator's dropout
    are given in training only: `a_to_b` has none.

    Args:
      generator: (sources, train, keys or None) -> images.
      discriminator: (images, train) -> logits of patches, or a tree of them; it needs a method
        `features` (activations, the logits last) where features are matched.
      adversary: the losses of both, with penalties and cures; a conditional discriminator's
        penalties differentiate by source and image together.
      output: (what the generator makes, sources) -> images, such as outputs.plain.
      reconstruction: terms such as 100 times L1.
      perceptual: terms in the features of another network.
      feature_matching: terms in the discriminator's own features.
      conditional: whether the discriminator sees the source beside the image; a source of another
        size is resized to the image's.
      generator_every: the generator plays at multiples of this step.
      simultaneous: whether the generator meets the discriminator as it was before the step.

    Returns:
      A game of the players 'generator' and 'discriminator', on batches {'image', 'source'}, with
      the function a_to_b: (params, aux, sources [n, ...]) -> images [n, ...] in [-1, 1].
    """

    def shown(source: chex.Array, image: chex.Array) -> chex.Array:
        if not conditional:
            return image
        if source.shape[1:3] != image.shape[1:3]:
            shape = (*image.shape[:3], source.shape[3])
            source = jax.image.resize(source, shape, 'linear', antialias=True)
        return jnp.concatenate([source, image], axis=-1)

    def generate(params, aux, source, rng):
        variables = {'params': params['generator'], **aux['generator']}
        made, collections = generator.apply(
            variables, source, True, keys.of_name(rng, 'dropout'), mutable=list(aux['generator'])
        )
        return output(made, source), collections

    def apply_discriminator(params, aux, x, **options):
        variables = {'params': params['discriminator'], **aux['discriminator']}
        return discriminator.apply(
            variables, x, train=True, mutable=list(aux['discriminator']), **options
        )

    def judge(params):
        def apply_to(aux, x):
            logits, collections = apply_discriminator(params, aux, x)
            return logits, {**aux, 'discriminator': collections}

        return apply_to

    def init(rng: chex.PRNGKey, batch: Batch) -> tuple[dict[str, Any], Aux]:
        source, image = batch['source'], batch['image']
        inputs = {'generator': source, 'discriminator': adversary.repeated(shown(source, image))}
        params, aux = {}, {}
        for player, network in (('generator', generator), ('discriminator', discriminator)):
            own = keys.fold_in_name(rng, player)
            variables = dict(network.init(own, inputs[player], train=True))
            params[player] = variables.pop('params')
            aux[player] = variables
        return params, {**aux, **adversary.init()}

    def pairs(params, aux, batch, rng):
        """What the discriminator compares, and the generator's new collections."""
        source = batch['source']
        made, collections = generate(params, aux, source, rng)
        return shown(source, batch['image']), shown(source, made), made, collections

    def discriminator_loss(params: Params, aux: Aux, batch: Batch, rng: chex.PRNGKey):
        real, fake, _, _ = pairs(params, aux, batch, rng)
        return adversary.discriminator(judge(params), aux, real, fake, rng)

    def lazy(penalty: Penalty):
        def loss(params: Params, aux: Aux, batch: Batch, rng: chex.PRNGKey):
            real, fake, _, _ = pairs(params, aux, batch, rng)
            return adversary.lazy(penalty, judge(params), aux, real, fake, rng)

        return Turn('discriminator', loss, penalty.every, f'discriminator_{penalty.name}')

    def features(params, aux, x):
        found, _ = apply_discriminator(params, aux, x, method='features')
        # Of several scales each has a list. Logits, the last, are left out.
        return [x[:-1] for x in found] if isinstance(found[0], list) else found[:-1]

    def generator_loss(params: Params, aux: Aux, batch: Batch, rng: chex.PRNGKey):
        real, fake, made, collections = pairs(params, aux, batch, rng)
        adversarial = adversary.generator(judge(params), aux, real, fake, rng)
        loss, metrics = adversarial, {'adversarial': adversarial}
        compared = [(term, batch['image'], made) for term in (*reconstruction, *perceptual)]
        if feature_matching:
            known, own = (features(params, aux, x) for x in (real, fake))
            compared += [(term, known, own) for term in feature_matching]
        for term, truth, image in compared:
            metrics[term.name] = jnp.mean(term.function(truth, image))
            loss = loss + term.weight * metrics[term.name]
        return loss, ({**aux, 'generator': collections}, metrics)

    def a_to_b(params: Params, aux: Aux, source: chex.Array) -> chex.Array:
        variables = {'params': params['generator'], **aux['generator']}
        return output(generator.apply(variables, source, train=False), source)

    turns = (
        Turn('discriminator', discriminator_loss),
        *(lazy(penalty) for penalty in adversary.penalties if penalty.every > 1),
        Turn('generator', generator_loss, generator_every),
    )
    return Game(init, turns, {'a_to_b': a_to_b}, simultaneous)
