"""A GAN of texts whose generator is differentiated through relaxed samples.

Sources: GANs for Sequences of Discrete Elements with the Gumbel-Softmax Distribution (Kusner &
Hernandez-Lobato, 2016); Categorical Reparameterization with Gumbel-Softmax (Jang et al., 2017). In
training a token is softmax((logits + g) / tau), g Gumbel's noise; tau falls geometrically,

    tau = tau_0 (tau_1 / tau_0)^min(1, t / temperature_steps)

with t the steps after the first phases. With `straight_through` the discriminator is shown the
one-hot vector of the largest entry, and gradients pass as if it were the relaxed one. Samples after
training are drawn as such, without any relaxation.

Phases: maximum likelihood; the discriminator alone; both.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import lax

from gan_jax import keys
from gan_jax.game import Aux, Batch, Game, Params
from gan_jax.games import gan, likelihood
from gan_jax.games.adversary import Adversary
from gan_jax.games.network import Network, Role
from gan_jax.games.turns import Opponent, Scene, adversarial_turns


class Schedule(NamedTuple):
    """The temperature of the relaxation.

    Attributes:
      first: tau_0.
      last: tau_1.
      steps: how long it falls; 0 for no fall, it is tau_1 from the start.
      start: the step before the first of these.
    """

    first: float
    last: float
    steps: int
    start: int

    def __call__(self, step: chex.Numeric) -> jax.Array:
        """tau at a step."""
        share = jnp.clip((step - self.start) / self.steps, 0, 1) if self.steps else 1.0
        return self.first * (self.last / self.first) ** share


def make(
    *,
    generator: Network,
    discriminator: Network,
    adversary: Adversary,
    prior: Callable[..., dict[str, chex.Array]],
    pretraining_steps: int,
    discriminator_steps: int,
    temperature: float = 1.0,
    last_temperature: float = 0.5,
    temperature_steps: int = 0,
    straight_through: bool = True,
    generator_every: int = 1,
) -> Game:
    """Builds the game.

    Args:
      generator: (uniforms in [-1, 1]) -> texts, with methods `relaxed` and `log_likelihood`, as
        text.Generator has them.
      discriminator: (texts, train) -> logits.
      adversary: the losses of both, with penalties and cures.
      prior: keys [batch] -> {'latent': [batch, length]}.
      pretraining_steps: the steps of maximum likelihood.
      discriminator_steps: the steps after these in which the discriminator plays alone.
      temperature: tau_0.
      last_temperature: tau_1.
      temperature_steps: how many steps tau falls; 0: it is tau_1 from the start.
      straight_through: whether the discriminator is shown one-hot vectors.
      generator_every: the generator plays at multiples of this step.

    Returns:
      The game `gan` with these turns, and a function
      log_likelihood: (params, aux, texts) -> log p [n], in nats.

    Raises:
      ValueError: if the generator has no likelihood, or a temperature is not above 0.
    """
    role = likelihood.player(generator)
    if not (temperature > 0 and last_temperature > 0):
        raise ValueError(
            f'config.temperature={temperature} and config.last_temperature={last_temperature} '
            f'must be above 0'
        )
    game = gan.make(
        generator=generator,
        discriminator=discriminator,
        adversary=adversary,
        prior=prior,
        generator_every=generator_every,
    )
    start = pretraining_steps + discriminator_steps
    schedule = Schedule(temperature, last_temperature, temperature_steps, start)
    player = Role(generator.method('relaxed'), 'generator')
    opponent = Opponent(Role(discriminator, 'discriminator'), adversary)
    shown = functools.partial(show, player, schedule, straight_through)
    *judges, made = adversarial_turns(shown, [opponent], generator_every=generator_every)
    game = game._replace(turns=(*judges, made))
    return likelihood.before(game, role, pretraining_steps, discriminator_steps, made)


def show(
    player: Role,
    schedule: Schedule,
    straight_through: bool,
    params: Params,
    aux: Aux,
    batch: Batch,
    rng: chex.PRNGKey,
):
    """Real and generated texts, as `adversarial_turns` asks for them."""
    shape, drawn = batch['real'].shape[1:], keys.of_name(rng, 'gumbel')
    noise = jax.vmap(lambda key: jax.random.gumbel(key, shape))(drawn)
    (soft, hard), aux = player(params, aux, noise, schedule(aux['step']), rng=rng)
    made = hard + soft - lax.stop_gradient(soft) if straight_through else soft
    return {'': Scene(batch['real'], made)}, made, aux
