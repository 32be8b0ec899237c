"""The game of TimeGAN: a GAN in the space of an autoencoder's states, in three phases.

Source: Time-series Generative Adversarial Networks (Yoon et al., 2019), section 4, and its authors'
code. Where the two differ this is the code: roots are taken of the squared errors, the moments of
series are matched, and the discriminator rests while it is far ahead.

Of series x, states h = E(x), what is made of them R(h), the supervisor S, that says the next state
of those up to it, and generated states e = G(z), which it refines to h' = S(e), each phase has its
turns:

    1   E, R    10 sqrt(mean (x - R(h))^2)
    2   S       s = mean (h_t+1 - S(h)_t)^2
    3   G, S    L_G(D(h')) + w_e L_G(D(e)) + w_s sqrt(s) + w_m moments(x, R(h'))
        E, R    10 sqrt(mean (x - R(h))^2) + 0.1 s
        D       L_D(D(h), D(h')) + w_e softplus(D(e)), only if that is above the threshold

D gives a logit for each step, L_D and L_G are the adversary's objective, and `moments` is
losses.moments_matching. A player has one optimizer for all phases; in the code each loss has its
own. D sees the batch of the last of the others' steps, in the code one of its own.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp

from gan_jax import keys, objectives
from gan_jax.game import Aux, Batch, Game, Params, Turn, value_and_gradients
from gan_jax.games.adversary import Adversary
from gan_jax.games.network import Network, Role, begin, generate
from gan_jax.games.turns import Opponent, Scene, adversarial_turns
from gan_jax.networks import verdict
from gan_jax.runtime import parallel

RECONSTRUCTION, FORESIGHT = 10.0, 0.1  # what the autoencoder's terms weigh in the authors' code


class Moments(NamedTuple):
    """How the moments of generated series are held to those of real ones.

    Attributes:
      function: (real series, generated ones) -> a scalar, of the whole batch on all devices.
      weight: its factor in the generator's loss.
    """

    function: Callable[[chex.Array, chex.Array], chex.Array]
    weight: float = 100.0


class Cast(NamedTuple):
    """The players.

    Attributes:
      encoder: E, series -> states.
      recovery: R, states -> series.
      generator: G, latents -> states.
      supervisor: S, states -> the states after them.
      opponent: D, states -> logits, with the losses of both sides.
      prior: keys [batch] -> inputs of G.
      distance: (x, y) -> the errors of each example, [batch].
    """

    encoder: Role
    recovery: Role
    generator: Role
    supervisor: Role
    opponent: Opponent
    prior: Callable[..., dict[str, chex.Array]]
    distance: Callable[[chex.Array, chex.Array], chex.Array]

    def root(self, x: chex.Array, y: chex.Array) -> chex.Array:
        """The root of the mean error of the whole batch, on all devices; at least 1e-6.

        At 0 the root's gradient would be infinite.
        """
        mean = jnp.mean(self.distance(x, y))
        return jnp.sqrt(parallel.mean(mean, self.opponent.adversary.axis_name) + 1e-12)

    def init(self, rng: chex.PRNGKey, batch: Batch) -> tuple[dict[str, Any], Aux]:
        """({player: parameters}, aux)."""
        real = batch['real']
        latent = self.prior(keys.per_example(rng, len(real)))['latent']
        params, aux = begin(rng, [(self.encoder, real, {}), (self.generator, latent, {})])
        states = self.encoder(params, aux, real, train=False)[0]
        others = self.recovery, self.supervisor, self.opponent.role
        own, collections = begin(rng, [(role, states, {}) for role in others])
        return params | own, {**aux, **collections, **self.opponent.adversary.init(states)}

    def made(self, params: Params, aux: Aux, inputs: Mapping[str, Any], **options: Any):
        """Generated states e and h' of latents, and aux."""
        first, aux = generate(self.generator, params, aux, inputs, **options)
        last, aux = self.supervisor(params, aux, first, **options)
        return first, last, aux

    def show(self, params: Params, aux: Aux, batch: Batch, rng: chex.PRNGKey):
        """The states that D is shown, as `adversarial_turns` asks for them."""
        states, _ = self.encoder(params, aux, batch['real'], rng=rng)
        first, last, aux = self.made(params, aux, self.prior(rng), rng=rng)
        return {'': Scene(states, last)}, (first, states, last), aux

    def sample(self, params: Params, aux: Aux, inputs: Mapping[str, Any]) -> Any:
        """Series of latents."""
        _, last, aux = self.made(params, aux, inputs, train=False)
        return self.recovery(params, aux, last, train=False)[0]

    def verdict(self, params: Params, aux: Aux, batch: Batch) -> verdict.Verdict:
        """What D says of real series' states."""
        states, _ = self.encoder(params, aux, batch['real'], train=False)
        return verdict.of(self.opponent.role(params, aux, states, train=False)[0])

    def score(self, params: Params, aux: Aux, batch: Batch) -> Any:
        """The mean over the steps of its logits, [n]."""
        return verdict.per_example(self.verdict(params, aux, batch).logits)


def make(
    *,
    encoder: Network,
    recovery: Network,
    generator: Network,
    supervisor: Network,
    discriminator: Network,
    adversary: Adversary,
    prior: Callable[..., dict[str, chex.Array]],
    embedding_steps: int,
    supervised_steps: int,
    distance: Callable[[chex.Array, chex.Array], chex.Array],
    moments: Moments,
    first_weight: float = 1.0,
    supervised_weight: float = 100.0,
    threshold: float = 0.15,
    discriminator_every: int = 2,
) -> Game:
    """Builds the game.

    Args:
      encoder: E, (series [batch, length, features]) -> states [batch, length, size].
      recovery: R, states -> series.
      generator: G, latents -> states.
      supervisor: S, states -> states.
      discriminator: D, states -> logits [batch, length], or any a verdict may hold.
      adversary: the losses of D and G on h and h', with penalties and cures; a cross-entropy.
      prior: keys [batch] -> {'latent': [batch, size]}.
      embedding_steps: the steps of the first phase.
      supervised_steps: those of the second; all that come after are the third's.
      distance: (x, y) -> squared errors [batch].
      moments: w_m, and how far the moments of series are apart.
      first_weight: w_e, gamma in the paper.
      supervised_weight: w_s.
      threshold: D's gradients are 0 where its loss is no more than this.
      discriminator_every: D plays at multiples of this step: in the code after every second one of
        the others.

    Returns:
      A game of the players 'encoder', 'recovery', 'generator', 'supervisor' and 'discriminator',
      on batches {'real'}, with functions
      prior: (keys [n], **options) -> inputs;
      sample: (params, aux, inputs) -> series [n, length, features], R(h');
      score, verdict: (params, aux, batch) -> D's logits of E(x), the mean over the steps [n]; its
      answer.

    Raises:
      ValueError: if the objective is no cross-entropy, or the adversary judges packs.
    """
    _check(adversary)
    cast = Cast(
        Role(encoder, 'encoder'),
        Role(recovery, 'recovery'),
        Role(generator, 'generator'),
        Role(supervisor, 'supervisor'),
        Opponent(Role(discriminator, 'discriminator'), adversary),
        prior,
        distance,
    )
    weights = {'first': first_weight, 'supervised': supervised_weight}
    terms = functools.partial(generator_terms, cast, weights, moments)
    begun = alone(cast, embedding_steps, supervised_steps)
    judged = functools.partial(resting, threshold, adversary.axis_name)
    start = embedding_steps + supervised_steps
    joint = together(cast, terms, first_weight, start, discriminator_every, judged)
    functions = {'prior': prior, 'sample': cast.sample, 'score': cast.score}
    return Game(cast.init, (*begun, *joint), functions | {'verdict': cast.verdict})


def alone(cast: Cast, embedding_steps: int, supervised_steps: int) -> tuple[Turn, ...]:
    """The turns of the first two phases."""
    embedding, supervised = (functools.partial(x, cast) for x in (embedding_loss, supervised_loss))
    stop = embedding_steps + supervised_steps
    return (
        Turn(('encoder', 'recovery'), embedding, name='embedding', stop=embedding_steps),
        Turn('supervisor', supervised, start=embedding_steps, stop=stop),
    )


def together(
    cast: Cast,
    terms: Callable,
    first_weight: float,
    start: int,
    every: int,
    gradients: Callable,
) -> tuple[Turn, ...]:
    """The turns of the third phase, D's last.

    Args:
      cast: the players.
      terms: of the generator.
      first_weight: of the discriminator's.
      start: the last step of the phases before.
      every: at which steps D plays.
      gradients: how D's are taken.
    """
    judges, *lazy, makers = adversarial_turns(
        cast.show,
        [cast.opponent],
        generator_terms=terms,
        discriminator_terms=functools.partial(discriminator_terms, cast, first_weight),
        generator=('generator', 'supervisor'),
    )
    autoencoder = functools.partial(autoencoder_loss, cast)
    return (
        makers._replace(name='generator', start=start),
        Turn(('encoder', 'recovery'), autoencoder, name='autoencoder', start=start),
        judges._replace(every=every, start=start, gradients=gradients),
        *(turn._replace(start=start) for turn in lazy),
    )


def _check(adversary: Adversary) -> None:
    side = adversary.objective.discriminator
    if getattr(side, 'func', side) is not objectives.cross_entropy_discriminator:
        raise ValueError(
            'the losses of timegan are cross-entropies: leave config.objective at non_saturating'
        )
    if adversary.packing > 1:
        raise ValueError('states are judged one series at a time: leave cures.packing at 1')


def embedding_loss(
    cast: Cast, params: Params, aux: Aux, batch: Batch, rng: chex.PRNGKey
) -> tuple[chex.Array, tuple[Aux, dict[str, chex.Array]]]:
    """What the autoencoder minimises by itself, as a LossFn gives it."""
    states, aux = cast.encoder(params, aux, batch['real'], rng=rng)
    again, aux = cast.recovery(params, aux, states, rng=rng)
    error = cast.root(batch['real'], again)
    return RECONSTRUCTION * error, (aux, {'reconstruction': error})


def supervised_loss(
    cast: Cast, params: Params, aux: Aux, batch: Batch, rng: chex.PRNGKey
) -> tuple[chex.Array, tuple[Aux, dict[str, chex.Array]]]:
    """What the supervisor minimises by itself: s."""
    states, _ = cast.encoder(params, aux, batch['real'], rng=rng)
    said, aux = cast.supervisor(params, aux, states, rng=rng)
    return jnp.mean(cast.distance(*_next(states, said))), (aux, {})


def autoencoder_loss(
    cast: Cast, params: Params, aux: Aux, batch: Batch, rng: chex.PRNGKey
) -> tuple[chex.Array, tuple[Aux, dict[str, chex.Array]]]:
    """What the autoencoder minimises beside the GAN: its states are to be foreseeable."""
    loss, (new_aux, metrics) = embedding_loss(cast, params, aux, batch, rng)
    foresight, _ = supervised_loss(cast, params, aux, batch, rng)
    return loss + FORESIGHT * foresight, (new_aux, {**metrics, 'foresight': foresight})


def _next(states: chex.Array, said: chex.Array) -> tuple[chex.Array, chex.Array]:
    """The states after the first, and what was said of them at the step before."""
    return states[:, 1:], said[:, :-1]


def _first_logits(cast: Cast, params: Params, aux: Aux, states: Any, rng: chex.PRNGKey) -> Any:
    """What D says of generated states before the supervisor refines them."""
    output, _ = cast.opponent.judge(params, {}, rng)(aux, states)
    return verdict.of(output).logits


def generator_terms(
    cast: Cast,
    weights: Mapping[str, float],
    moments: Moments,
    params: Params,
    aux: Aux,
    batch: Batch,
    made: Any,
    verdicts: Any,
    rng: chex.PRNGKey,
):
    """What G and S minimise beside the adversarial loss, as `adversarial_turns` takes terms."""
    first, states, last = made
    logits = _first_logits(cast, params, aux, first, rng)
    objective = cast.opponent.adversary.objective
    adversarial = verdict.mean(jax.tree.map(objective.generator, logits, logits))
    said, _ = cast.supervisor(params, aux, states, rng=rng)
    series, _ = cast.recovery(params, aux, last, rng=rng)
    return {
        'first': (weights['first'], adversarial),
        'supervised': (weights['supervised'], cast.root(*_next(states, said))),
        'moments': (moments.weight, moments.function(batch['real'], series)),
    }, aux


def discriminator_terms(
    cast: Cast,
    weight: float,
    params: Params,
    aux: Aux,
    batch: Batch,
    made: Any,
    verdicts: Any,
    rng: chex.PRNGKey,
):
    """What D is shown beside real and refined states: generated ones as they are."""
    logits = _first_logits(cast, params, aux, made[0], rng)
    return {'first': (weight, verdict.mean(jax.tree.map(jax.nn.softplus, logits)))}, aux


def resting(
    threshold: float,
    axis_name: str | None,
    loss: Callable,
    own: Any,
    aux: Aux,
    batch: Batch,
    rng: chex.PRNGKey,
) -> tuple[Aux, dict[str, chex.Array], Any]:
    """The gradients of a turn whose loss is above a threshold, else zeros, as a Turn takes them.

    An optimizer with momentum still moves a little on zeros. Micro-batches each rest by themselves.

    Args:
      threshold: of the loss of the whole batch, on all devices.
      axis_name: the axis of these.
      loss: the turn's.
      own: {player: parameters} of those who move.
      aux: the game's.
      batch: arrays [examples, ...].
      rng: keys [examples].
    """
    aux, metrics, gradients = value_and_gradients(loss, own, aux, batch, rng)
    plays = (parallel.mean(metrics['loss'], axis_name) > threshold).astype(jnp.float32)
    gradients = jax.tree.map(lambda x: x * plays.astype(x.dtype), gradients)
    return aux, {**metrics, 'plays': plays}, gradients
