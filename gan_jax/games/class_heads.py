"""A discriminator's class head in a game: what it adds to the losses of both players."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypedDict

import chex
import jax.numpy as jnp

from gan_jax.game import Aux, Batch, Params
from gan_jax.games.network import Network
from gan_jax.games.turns import Terms, no_terms
from gan_jax.networks.verdict import Verdict

LABEL = 'label'
NAME = 'class_loss'

# (verdict on real examples, on generated ones, the labels of both) -> losses [batch]
Side = Callable[[Verdict, Verdict, chex.Array], chex.Array]


class ClassHead(NamedTuple):
    """The losses of a class head.

    Attributes:
      discriminator: what the discriminator minimises.
      generator: what the generator minimises.
      outputs: how many class logits there are to be.
      features: whether the discriminator must give features, too.
      weight: the factor of the mean in either loss.
    """

    discriminator: Side
    generator: Side
    outputs: int
    features: bool = False
    weight: float = 1.0

    def discriminator_terms(
        self, params: Params, aux: Aux, batch: Batch, made: Any, verdicts: Any, rng: chex.PRNGKey
    ):
        """The term of the discriminator's loss, as `turns.adversarial_turns` takes it."""
        return self._terms(self.discriminator, batch, verdicts), aux

    def generator_terms(
        self, params: Params, aux: Aux, batch: Batch, made: Any, verdicts: Any, rng: chex.PRNGKey
    ):
        """The term of the generator's loss, as `turns.adversarial_turns` takes it."""
        return self._terms(self.generator, batch, verdicts), aux

    def _terms(self, side: Side, batch: Batch, verdicts: Any) -> dict[str, Any]:
        real, fake = verdicts['']
        self.check(fake)
        return {NAME: (self.weight, jnp.mean(side(real, fake, batch[LABEL])))}

    def check(self, found: Verdict) -> None:
        """Raises ValueError unless a verdict has the heads that the losses need."""
        outputs = 0 if found.classes is None else found.classes.shape[-1]
        if outputs != self.outputs:
            raise ValueError(
                f'config.class_head needs {self.outputs} class logits, and the discriminator gives '
                f'{outputs or "none"}; use conditional.Classifier with per_class 1, or 2 for adcgan'
            )
        if self.features and found.features is None:
            raise ValueError(
                'config.class_head needs features beside the classes, and the discriminator gives '
                'none; use conditional.CosineClassifier'
            )


class BothTerms(TypedDict):
    """What `turns.adversarial_turns` takes of both players' losses."""

    generator_terms: Terms
    discriminator_terms: Terms


def terms(head: ClassHead | None, generator: Network) -> BothTerms:
    """The terms of a head, or none.

    Raises:
      ValueError: if there is a head, and the generator asks for no label.
    """
    if head is None:
        return {'generator_terms': no_terms, 'discriminator_terms': no_terms}
    if LABEL not in generator.asks:
        raise ValueError(
            'config.class_head needs a generator that asks for a label, such as '
            'conditional.Generator'
        )
    return {
        'generator_terms': head.generator_terms,
        'discriminator_terms': head.discriminator_terms,
    }
