"""The game of learning to classify from few labels: the discriminator is the classifier.

Source: Improved Techniques for Training GANs (Salimans et al., 2016), sections 3.1 and 5. Of K
class logits l, Z = log sum_k exp(l_k) is the logit of being real: there are K + 1 classes, the last
that of generated examples, whose own logit is 0. With the weight 1/2 of the authors' code

    D: E[-l_y + Z] on examples with labels
       + 1/2 {E[softplus(-Z)] on real examples + E[softplus(Z)] on generated ones},
    G: the distance of the mean features of real and of generated examples,

the middle line being the discriminator's side of objectives.non_saturating at Z. The generator has
no adversarial loss: one that made examples of the data's own density would teach the classifier
nothing.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import chex
import jax.numpy as jnp

from gan_jax import keys
from gan_jax.game import Aux, Batch, Game, Params
from gan_jax.games import gan
from gan_jax.games.adversary import Adversary
from gan_jax.games.network import Network, Role
from gan_jax.networks import verdict
from gan_jax.objectives import Objective


class Classification(NamedTuple):
    """What is learned from labels.

    Attributes:
      function: (class logits [n, k], labels [n]) -> losses [n].
      weight: the factor of the mean in the discriminator's loss.
    """

    function: Callable[[chex.Array, chex.Array], chex.Array]
    weight: float = 1.0


def make(
    *,
    generator: Network,
    discriminator: Network,
    adversary: Adversary,
    prior: Callable[..., dict[str, chex.Array]],
    classification: Classification,
    matching: Callable[[chex.Array, chex.Array], chex.Array],
    adversarial_weight: float = 0.5,
    generator_every: int = 1,
    simultaneous: bool = False,
) -> Game:
    """Builds the game.

    Args:
      generator: (latents, train, ...) -> examples.
      discriminator: (examples, train, ...) -> a verdict with features and classes.
      adversary: the discriminator's loss but for the labels, with penalties and cures; these see
        the unlabelled real examples and the generated ones.
      prior: keys [batch] -> {'latent': [batch, size]}.
      classification: what is learned from labels.
      matching: (features of real examples [n, d], of generated ones) -> what the generator
        minimises, a scalar.
      adversarial_weight: the factor of the discriminator's adversarial loss; 0 leaves the labels
        alone, which is supervised learning.
      generator_every: the generator plays at multiples of this step.
      simultaneous: whether the generator meets the discriminator as it was before the step.

    Returns:
      The game `gan` on batches {'real', 'labelled', 'label'}, the labels those of 'labelled', with
      a function
      classify: (params, aux, examples) -> class logits [n, k].

    Raises:
      ValueError: if it judges packs; the losses, if the discriminator gives no features or classes.
    """
    if adversary.packing > 1:
        raise ValueError(
            f'config.cures.packing={adversary.packing}: classes are those of single examples; '
            f'leave it at 1'
        )
    judge = Role(discriminator, 'discriminator')
    game = gan.with_terms(
        generator=generator,
        discriminator=discriminator,
        adversary=adversary._replace(objective=one_sided(adversary.objective, adversarial_weight)),
        prior=prior,
        terms={
            'generator_terms': functools.partial(matching_term, matching),
            'discriminator_terms': functools.partial(classification_term, judge, classification),
        },
        generator_every=generator_every,
        simultaneous=simultaneous,
    )

    def classify(params: Params, aux: Aux, examples: chex.Array) -> Any:
        return _whole(verdict.of(judge(params, aux, examples, train=False)[0])).classes

    return game._replace(functions={**game.functions, 'classify': classify})


def one_sided(objective: Objective, weight: float) -> Objective:
    """An objective whose discriminator's side is weighted, and whose generator's side is 0."""

    def discriminator(real_logits: chex.Array, fake_logits: chex.Array) -> chex.Array:
        return weight * objective.discriminator(real_logits, fake_logits)

    def generator(real_logits: chex.Array, fake_logits: chex.Array) -> chex.Array:
        return jnp.zeros_like(fake_logits)

    return Objective(discriminator, generator)


def _whole(found: verdict.Verdict) -> verdict.Verdict:
    if found.classes is None or found.features is None:
        raise ValueError(
            'config.discriminator gives no classes or no features; use semi_supervised.Classifier'
        )
    return found


def classification_term(
    judge: Role,
    classification: Classification,
    params: Params,
    aux: Aux,
    batch: Batch,
    made: Any,
    verdicts: Mapping[str, tuple[verdict.Verdict, verdict.Verdict]],
    rng: chex.PRNGKey,
):
    """What is learned from labels, as `turns.adversarial_turns` takes terms."""
    drawn = keys.of_name(rng, 'labelled')
    output, aux = judge(params, aux, batch['labelled'], rng=drawn)
    classes, labels = _whole(verdict.of(output)).classes, batch['label']
    value = jnp.mean(classification.function(classes, labels))
    error = jnp.mean(jnp.argmax(classes, axis=1) != labels, dtype=jnp.float32)
    return {'class_loss': (classification.weight, value), 'training_error': (0.0, error)}, aux


def matching_term(
    matching: Callable[[chex.Array, chex.Array], chex.Array],
    params: Params,
    aux: Aux,
    batch: Batch,
    made: Any,
    verdicts: Mapping[str, tuple[verdict.Verdict, verdict.Verdict]],
    rng: chex.PRNGKey,
):
    """The distance of mean features, as `turns.adversarial_turns` takes terms."""
    real, fake = (_whole(x).features for x in verdicts[''])
    return {'feature_statistics': (1.0, matching(real, fake))}, aux
