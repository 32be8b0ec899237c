"""One discriminator and all that is asked of it: objective, penalties and cures.

A game holds one adversary per discriminator and asks it for both sides' losses. So what a config
says of objectives, penalties and cures works in every game.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp

from gan_jax import keys
from gan_jax import stabilization as cures
from gan_jax.objectives import Objective
from gan_jax.runtime import parallel

# (aux, examples) -> (logits, new aux): the discriminator, in training. Logits are an array, or a
# tree of arrays where there are several scales; each array then counts alike.
Judge = Callable[[Any, chex.Array], tuple[Any, Any]]
Schedule = Callable[[chex.Array], chex.Array]

ANCHORS = 'anchors'


def mean(tree: Any) -> jax.Array:
    """The mean of the means of all arrays."""
    means = [jnp.mean(x, dtype=jnp.float32) for x in jax.tree.leaves(tree)]
    return sum(means[1:], means[0]) / len(means)


def _rows(logits: Any) -> jax.Array:
    """One array [batch, ...] of all logits."""
    leaves = jax.tree.leaves(logits)
    if len(leaves) == 1:
        return leaves[0]
    return jnp.concatenate([x.reshape(x.shape[0], -1) for x in leaves], axis=1)


class Penalty(NamedTuple):
    """A penalty on the discriminator.

    Attributes:
      name: what its metrics are named for.
      function: (critic, real, fake, rng, anchors) -> [batch].
      weight: the factor of its mean in the loss (for R1: gamma / 2).
      every: at which steps it is played; the weight is multiplied by it.
      decay: of the running means of the logits that it is given as anchors; None if it needs none.
    """

    name: str
    function: Callable[..., chex.Array]
    weight: float
    every: int = 1
    decay: float | None = None


class Adversary(NamedTuple):
    """The losses of a discriminator and of the generator that plays against it.

    Attributes:
      objective: the losses of both.
      penalties: on the discriminator, at what it sees.
      packing: so many examples are judged as one (PacGAN).
      noise: step -> the standard deviation of noise on all that the discriminator sees; or None.
      top_k: step -> the share of the samples that the generator learns from; or None.
      flipping: the probability of wrong labels for the discriminator.
      axis_name: the axis of the devices that share a batch.
    """

    objective: Objective
    penalties: tuple[Penalty, ...] = ()
    packing: int = 1
    noise: Schedule | None = None
    top_k: Schedule | None = None
    flipping: float = 0.0
    axis_name: str | None = None

    def init(self) -> dict[str, Any]:
        """What the adversary adds to aux: running means of the logits, if a penalty asks."""
        if all(penalty.decay is None for penalty in self.penalties):
            return {}
        return {ANCHORS: {'real': jnp.zeros(()), 'fake': jnp.zeros(())}}

    def repeated(self, examples: chex.Array) -> chex.Array:
        """Packs of one example each, repeated: how single examples are shown."""
        return cures.pack(jnp.repeat(examples, self.packing, axis=0), self.packing)

    def see(self, examples: chex.Array, rng: chex.PRNGKey, aux: Any, name: str) -> chex.Array:
        """What the discriminator is shown: with noise and in packs."""
        if self.noise is not None:
            rng = keys.of_name(rng, f'noise on {name}')
            examples = cures.instance_noise(examples, rng, self.noise(aux['step']))
        return cures.pack(examples, self.packing)

    def discriminator(
        self, judge: Judge, aux: Any, real: chex.Array, fake: chex.Array, rng: chex.PRNGKey
    ) -> tuple[chex.Array, tuple[Any, dict[str, chex.Array]]]:
        """The discriminator's loss with its penalties, but for the lazy ones.

        Args:
          judge: the discriminator; real and generated examples pass it apart, in this order.
          aux: the game's aux.
          real: real examples [batch, ...].
          fake: generated ones.
          rng: keys [batch].

        Returns:
          (loss, (aux, metrics)).
        """
        real, fake = self.see(real, rng, aux, 'real'), self.see(fake, rng, aux, 'fake')
        packs = rng[:: self.packing]
        real_logits, aux = judge(aux, real)
        fake_logits, aux = judge(aux, fake)
        flips = keys.of_name(packs, 'flip')

        def losses(real: jax.Array, fake: jax.Array) -> jax.Array:
            labelled = real, fake
            if self.flipping:
                labelled = cures.flip_labels(*labelled, flips, self.flipping)
            return self.objective.discriminator(*labelled)

        loss = mean(jax.tree.map(losses, real_logits, fake_logits))
        metrics = {
            'real_logit': mean(real_logits),
            'fake_logit': mean(fake_logits),
            'real_accuracy': mean(jax.tree.map(lambda x: x > 0, real_logits)),
            'fake_accuracy': mean(jax.tree.map(lambda x: x < 0, fake_logits)),
        }
        for penalty in self.penalties:
            if penalty.every == 1:
                value = self._penalty(penalty, judge, aux, real, fake, packs)
                metrics[penalty.name] = value
                loss = loss + penalty.weight * value
        for penalty in self.penalties:
            if penalty.decay is not None:
                aux = {**aux, ANCHORS: self._moved(aux[ANCHORS], metrics, penalty.decay)}
        return loss, (aux, metrics)

    def _penalty(self, penalty, judge, aux, real, fake, rng):
        anchors = aux.get(ANCHORS, {})
        anchors = tuple(anchors[name] for name in ('real', 'fake') if name in anchors)
        rng = keys.of_name(rng, penalty.name)
        values = penalty.function(lambda x: _rows(judge(aux, x)[0]), real, fake, rng, anchors)
        return jnp.mean(values)

    def _moved(self, anchors, metrics, decay):
        logits = {name: jax.lax.stop_gradient(metrics[f'{name}_logit']) for name in anchors}
        logits = parallel.mean(logits, self.axis_name)
        return {name: decay * anchors[name] + (1 - decay) * logits[name] for name in anchors}

    def lazy(
        self,
        penalty: Penalty,
        judge: Judge,
        aux: Any,
        real: chex.Array,
        fake: chex.Array,
        rng: chex.PRNGKey,
    ) -> tuple[chex.Array, tuple[Any, dict[str, chex.Array]]]:
        """The loss of a turn that is a penalty alone: its weight times `every`."""
        real, fake = self.see(real, rng, aux, 'real'), self.see(fake, rng, aux, 'fake')
        value = self._penalty(penalty, judge, aux, real, fake, rng[:: self.packing])
        return penalty.weight * penalty.every * value, (aux, {penalty.name: value})

    def generator(
        self, judge: Judge, aux: Any, real: chex.Array, fake: chex.Array, rng: chex.PRNGKey
    ) -> chex.Array:
        """The generator's loss; the discriminator's part of aux stays as it was."""
        real, fake = self.see(real, rng, aux, 'real'), self.see(fake, rng, aux, 'fake')
        real_logits, _ = judge(aux, real)
        fake_logits, _ = judge(aux, fake)

        def losses(real: jax.Array, fake: jax.Array) -> jax.Array:
            each = self.objective.generator(real, fake)
            if self.top_k is None:
                return each
            return cures.top_k(each, fake, self.top_k(aux['step']), self.axis_name)

        return mean(jax.tree.map(losses, real_logits, fake_logits))
