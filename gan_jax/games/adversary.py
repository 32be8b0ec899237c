"""One discriminator and all that is asked of it: objective, penalties, cures, augmentation, pool.

A game holds one adversary per discriminator and asks it for both sides' losses. So what a config
says of objectives, penalties and cures works in every game. What an adversary keeps from step to
step is one entry in aux, under its place.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp

from gan_jax import keys, stabilization
from gan_jax.games import pools
from gan_jax.networks import verdict
from gan_jax.networks.verdict import Verdict
from gan_jax.objectives import Objective
from gan_jax.runtime import parallel

# (aux, examples) -> (verdict or logits, new aux): the discriminator, in training. What it is told
# beside the examples (a label) is closed over, so that a penalty's critic is one of examples alone.
Judge = Callable[[Any, Any], tuple[Any, Any]]
Schedule = Callable[[chex.Array], chex.Array]

PLACE = 'adversary'
ANCHORS, AUGMENTATION, POOL = 'anchors', 'augmentation', 'pool'


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


class Augmentation(NamedTuple):
    """What is done to all that the discriminator is shown, in both players' turns and in penalties.

    Attributes:
      init: () -> state, arrays; {} for none.
      apply: (keys [n], examples [n, ...], state) -> examples, differentiable.
      update: (state, logits of real examples, axis_name) -> state, once a discriminator's turn. Of
        micro-batches each has an update of its own, from the same state, and the mean is kept:
        that of the whole batch if it is linear in the logits.
      metrics: state -> what is logged of it with a discriminator's turn.
    """

    init: Callable[[], Any]
    apply: Callable[..., Any]
    update: Callable[..., Any]
    metrics: Callable[[Any], dict[str, chex.Array]] = lambda state: {}


class Adversary(NamedTuple):
    """The losses of a discriminator and of the generator that plays against it.

    Attributes:
      objective: the losses of both.
      penalties: on the discriminator, at what it sees.
      packing: so many examples are judged as one (PacGAN).
      noise: step -> the standard deviation of noise on all that the discriminator sees; or None.
      top_k: step -> the share of the samples that the generator learns from; or None.
      flipping: the probability of wrong labels for the discriminator.
      pool_size: how many earlier generated examples are kept to be shown again; 0 for none.
      augmentation: of what the discriminator sees, or None. A penalty's gradients are taken before
        it and pass through it.
      axis_name: the axis of the devices that share a batch.
      place: where in aux its state is.
    """

    objective: Objective
    penalties: tuple[Penalty, ...] = ()
    packing: int = 1
    noise: Schedule | None = None
    top_k: Schedule | None = None
    flipping: float = 0.0
    pool_size: int = 0
    augmentation: Augmentation | None = None
    axis_name: str | None = None
    place: str = PLACE

    def init(self, examples: Any) -> dict[str, Any]:
        """What the adversary adds to aux, {place: state}; {} if it keeps nothing.

        Args:
          examples: what is pooled, [n, ...]; only its shape matters.
        """
        state: dict[str, Any] = {}
        if any(penalty.decay is not None for penalty in self.penalties):
            state[ANCHORS] = {'real': jnp.zeros(()), 'fake': jnp.zeros(())}
        if self.pool_size:
            state[POOL] = pools.empty(self.pool_size, examples.shape[1:])
        if self.augmentation is not None:
            state[AUGMENTATION] = self.augmentation.init()
        return {self.place: state} if state else {}

    def packed(self, examples: Any) -> Any:
        """Examples in packs, as they are judged; or what is told with them, [n, ...] as they."""
        if self.packing == 1:
            return examples
        return jax.tree.map(lambda x: stabilization.pack(x, self.packing), examples)

    def repeated(self, examples: Any) -> Any:
        """Packs of one example each, repeated: how single examples are shown."""
        return self.packed(jax.tree.map(lambda x: jnp.repeat(x, self.packing, axis=0), examples))

    def recalled(self, aux: Any, fake: Any, rng: chex.PRNGKey) -> tuple[Any, Any]:
        """Generated examples as the pool gives them back, and aux with the new pool."""
        if not self.pool_size:
            return fake, aux
        pool = aux[self.place][POOL]
        pool, fake = pools.exchange_over_devices(pool, fake, rng, self.axis_name)
        return fake, self._with(aux, {POOL: pool})

    def see(self, examples: Any, rng: chex.PRNGKey, aux: Any, name: str) -> Any:
        """What the discriminator is shown: with noise and in packs; of a tree each array."""
        leaves, structure = jax.tree.flatten(examples)
        if self.noise is not None:
            stddev = self.noise(aux['step'])
            for i, x in enumerate(leaves):
                drawn = keys.of_name(rng, f'noise on {name}' + (f' {i}' if i else ''))
                leaves[i] = stabilization.instance_noise(x, drawn, stddev)
        return jax.tree.unflatten(structure, self.packed(leaves))

    def discriminator(
        self, judge: Judge, aux: Any, real: Any, fake: Any, rng: chex.PRNGKey
    ) -> tuple[chex.Array, tuple[Any, dict[str, chex.Array]], tuple[Verdict, Verdict]]:
        """The discriminator's loss with its penalties, but for the lazy ones.

        Args:
          judge: the discriminator; real and generated examples pass it apart, in this order.
          aux: the game's aux.
          real: real examples [batch, ...], or a tree of what is judged together.
          fake: generated ones.
          rng: keys [batch].

        Returns:
          (loss, (aux, metrics), (verdict on the real ones, on the generated ones)).
        """
        real, fake = self.see(real, rng, aux, 'real'), self.see(fake, rng, aux, 'fake')
        packs = rng[:: self.packing]
        found, aux = self._verdicts(judge, aux, real, fake, rng)
        real_logits, fake_logits = (x.logits for x in found)
        flips = keys.of_name(packs, 'flip')

        def losses(real: jax.Array, fake: jax.Array) -> jax.Array:
            labelled = real, fake
            if self.flipping:
                labelled = stabilization.flip_labels(*labelled, flips, self.flipping)
            return self.objective.discriminator(*labelled)

        loss = verdict.mean(jax.tree.map(losses, real_logits, fake_logits))
        metrics = {
            'real_logit': verdict.mean(real_logits),
            'fake_logit': verdict.mean(fake_logits),
            'real_accuracy': verdict.mean(jax.tree.map(lambda x: x > 0, real_logits)),
            'fake_accuracy': verdict.mean(jax.tree.map(lambda x: x < 0, fake_logits)),
        }
        if self.augmentation is not None:
            metrics |= self.augmentation.metrics(aux[self.place][AUGMENTATION])
        for penalty in self.penalties:
            if penalty.every == 1:
                value = self._penalty(penalty, judge, aux, real, fake, rng)
                metrics[penalty.name] = value
                loss = loss + penalty.weight * value
        return loss, (self._moved(aux, metrics, real_logits), metrics), found

    def _verdicts(self, judge, aux, real, fake, rng):
        """What is said of both sides, and aux after both."""
        on_real, aux = self._augmented(judge, aux, rng, 'real')(aux, real)
        on_fake, aux = self._augmented(judge, aux, rng, 'fake')(aux, fake)
        return (verdict.of(on_real), verdict.of(on_fake)), aux

    def _augmented(self, judge, aux, rng, name):
        """The judge of augmented packs, with the same draws at each call."""
        augmentation = self.augmentation
        if augmentation is None:
            return judge
        drawn, state = keys.of_name(rng, f'augmentation {name}'), aux[self.place][AUGMENTATION]

        def augmented(aux, packs):
            examples = jax.tree.map(lambda x: stabilization.unpack(x, self.packing), packs)
            examples = augmentation.apply(drawn, examples, state)
            return judge(aux, self.packed(examples))

        return augmented

    def _penalty(self, penalty, judge, aux, real, fake, rng):
        anchors = aux.get(self.place, {}).get(ANCHORS, {})
        anchors = tuple(anchors[name] for name in ('real', 'fake') if name in anchors)
        shown = self._augmented(judge, aux, rng, penalty.name)

        def critic(x):
            return verdict.rows(verdict.of(shown(aux, x)[0]).logits)

        packs = keys.of_name(rng[:: self.packing], penalty.name)
        return jnp.mean(penalty.function(critic, real, fake, packs, anchors))

    def _moved(self, aux: Any, metrics: Mapping[str, Any], real_logits: Any) -> Any:
        """Aux with the running means of the logits and the augmentation's state after a turn."""
        for penalty in self.penalties:
            if penalty.decay is not None:
                anchors, decay = aux[self.place][ANCHORS], penalty.decay
                logits = {x: jax.lax.stop_gradient(metrics[f'{x}_logit']) for x in anchors}
                logits = parallel.mean(logits, self.axis_name)
                anchors = {x: decay * anchors[x] + (1 - decay) * logits[x] for x in anchors}
                aux = self._with(aux, {ANCHORS: anchors})
        if self.augmentation is not None:
            rows = jax.lax.stop_gradient(verdict.rows(real_logits))
            state = aux[self.place][AUGMENTATION]
            state = self.augmentation.update(state, rows, self.axis_name)
            aux = self._with(aux, {AUGMENTATION: state})
        return aux

    def _with(self, aux: Any, state: Mapping[str, Any]) -> Any:
        return {**aux, self.place: {**aux[self.place], **state}}

    def lazy(
        self, penalty: Penalty, judge: Judge, aux: Any, real: Any, fake: Any, rng: chex.PRNGKey
    ) -> tuple[chex.Array, dict[str, chex.Array]]:
        """The loss of a turn that is a penalty alone, its weight times `every`; and its metric."""
        real, fake = self.see(real, rng, aux, 'real'), self.see(fake, rng, aux, 'fake')
        value = self._penalty(penalty, judge, aux, real, fake, rng)
        return penalty.weight * penalty.every * value, {penalty.name: value}

    def generator(
        self, judge: Judge, aux: Any, real: Any, fake: Any, rng: chex.PRNGKey
    ) -> tuple[chex.Array, tuple[Verdict, Verdict]]:
        """The generator's loss, and the verdicts; the discriminator's part of aux stays as it was.

        The arguments are those of `discriminator`.
        """
        real, fake = self.see(real, rng, aux, 'real'), self.see(fake, rng, aux, 'fake')
        on_real, _ = self._augmented(judge, aux, rng, 'real')(aux, real)
        on_fake, _ = self._augmented(judge, aux, rng, 'fake')(aux, fake)
        found = verdict.of(on_real), verdict.of(on_fake)

        def losses(real: jax.Array, fake: jax.Array) -> Any:
            each = self.objective.generator(real, fake)
            if self.top_k is None:
                return each
            return stabilization.top_k(each, fake, self.top_k(aux['step']), self.axis_name)

        return verdict.mean(jax.tree.map(losses, found[0].logits, found[1].logits)), found
