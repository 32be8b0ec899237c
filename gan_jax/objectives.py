"""Adversarial objectives: what the discriminator and the generator minimise, from logits.

Both sides of an objective take (real_logits, fake_logits), of any rank and equal shapes, and
return unreduced losses of that shape in float32 (float64 if the logits are). Real is the positive
class throughout, and logits are raw: no sigmoid has been applied. A side may have options, all
keyword-only and with defaults; `Objective.options` names them and `Objective.partial` sets them.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import chex
import jax
import jax.numpy as jnp
from jax import lax

from gan_jax.arrays import Array, floats


class LogitLoss(Protocol):
    """A loss per logit."""

    def __call__(self, real_logits: Any, fake_logits: Any, *args: Any, **options: Any) -> jax.Array:
        """Returns unreduced losses [batch, ...] from logits [batch, ...]."""


class Objective(NamedTuple):
    """The two sides of an adversarial game.

    Attributes:
      discriminator: what the discriminator minimises.
      generator: what the generator minimises.
    """

    discriminator: LogitLoss
    generator: LogitLoss

    def options(self) -> tuple[str, ...]:
        """The names of both sides' options, sorted."""
        return tuple(sorted(set().union(*map(_options, self))))

    def partial(self, **options: Any) -> 'Objective':
        """The same objective with options set, each at the sides that know it.

        Args:
          **options: values for some of `options()`; they can be set again later.

        Returns:
          An objective whose sides have these values as defaults.

        Raises:
          TypeError: if neither side knows one of them; the message names the valid ones.
        """
        unknown = sorted(options.keys() - set(self.options()))
        if unknown:
            valid = ', '.join(self.options()) or '(none)'
            raise TypeError(f'the objective has no option {unknown[0]!r}; valid: {valid}')
        sides = []
        for side in self:
            own = {name: options[name] for name in _options(side) if name in options}
            sides.append(functools.partial(side, **own) if own else side)
        return Objective(*sides)


def _options(side: LogitLoss) -> set[str]:
    parameters = inspect.signature(side).parameters.values()
    return {x.name for x in parameters if x.kind is inspect.Parameter.KEYWORD_ONLY}


def _logits(*logits: Array) -> tuple[jax.Array, ...]:
    """The logits in float32, or in float64 if they are."""
    chex.assert_equal_shape(logits)
    return tuple(map(floats, logits))


# The loss of a real logit y; that of a generated one is the same function of -y.
def _cross_entropy(logits: jax.Array) -> jax.Array:
    return jax.nn.softplus(-logits)


def _square(logits: jax.Array) -> jax.Array:
    return jnp.square(logits - 1.0)


def _hinge(logits: jax.Array) -> jax.Array:
    return jax.nn.relu(1.0 - logits)


def cross_entropy_discriminator(
    real_logits: Array, fake_logits: Array, *, label_smoothing: float = 0.0
) -> jax.Array:
    """The discriminator's binary cross-entropy.

    softplus(-D(x)) + softplus(D(G(z))) = -log s(D(x)) - log(1 - s(D(G(z)))), s the sigmoid. With
    smoothing e the first term is (1 - e) softplus(-D(x)) + e softplus(D(x)): the label of real
    data is 1 - e, that of generated data stays 0 (one-sided). TensorFlow's option of that name
    moves the label half as far, to 1 - e / 2.

    Source: Generative Adversarial Nets (Goodfellow et al., 2014), equation 1; of the smoothing,
    Improved Techniques for Training GANs (Salimans et al., 2016), section 3.4.

    Args:
      real_logits: D(x), [batch, ...].
      fake_logits: D(G(z)), of the same shape.
      label_smoothing: e, a Python number from 0 to below 1.

    Returns:
      Losses >= 0, [batch, ...], float32.

    Raises:
      AssertionError: if the shapes differ.
      ValueError: if `label_smoothing` is out of its range.
    """
    real, fake = _logits(real_logits, fake_logits)
    if not 0 <= label_smoothing < 1:
        raise ValueError(f'label_smoothing must be from 0 to below 1, not {label_smoothing}')
    # softplus(y) - softplus(-y) = y.
    return _cross_entropy(real) + label_smoothing * real + _cross_entropy(-fake)


def minimax_generator(real_logits: Array, fake_logits: Array) -> jax.Array:
    """The generator's side of the zero-sum game; it saturates where D rejects its samples.

    -softplus(D(G(z))) = log(1 - s(D(G(z)))).

    Source: Generative Adversarial Nets (Goodfellow et al., 2014), equation 1.

    Args:
      real_logits: D(x), [batch, ...]; only its shape is used.
      fake_logits: D(G(z)), of the same shape.

    Returns:
      Losses <= 0, [batch, ...], float32.

    Raises:
      AssertionError: if the shapes differ.
    """
    _, fake = _logits(real_logits, fake_logits)
    return -_cross_entropy(-fake)


def non_saturating_generator(real_logits: Array, fake_logits: Array) -> jax.Array:
    """The generator's heuristic loss, with a strong gradient where D rejects its samples.

    softplus(-D(G(z))) = -log s(D(G(z))).

    Source: Generative Adversarial Nets (Goodfellow et al., 2014), section 3.

    Args:
      real_logits: D(x), [batch, ...]; only its shape is used.
      fake_logits: D(G(z)), of the same shape.

    Returns:
      Losses >= 0, [batch, ...], float32.

    Raises:
      AssertionError: if the shapes differ.
    """
    _, fake = _logits(real_logits, fake_logits)
    return _cross_entropy(fake)


def least_squares_discriminator(
    real_logits: Array, fake_logits: Array, *, a: float = 0.0, b: float = 1.0
) -> jax.Array:
    """The discriminator's squared distances to two targets, on raw logits.

    (D(x) - b)^2 / 2 + (D(G(z)) - a)^2 / 2. D is the network's output itself, as in the paper; some
    code puts a sigmoid before it, which is another loss.

    Source: Least Squares Generative Adversarial Networks (Mao et al., 2017), equation 2; its
    section 3.2 also has a = -1, b = 1, c = 0, which minimises Pearson's chi^2.

    Args:
      real_logits: D(x), [batch, ...].
      fake_logits: D(G(z)), of the same shape.
      a: the target of generated data.
      b: the target of real data.

    Returns:
      Losses >= 0, [batch, ...], float32.

    Raises:
      AssertionError: if the shapes differ.
    """
    real, fake = _logits(real_logits, fake_logits)
    return 0.5 * (jnp.square(real - b) + jnp.square(fake - a))


def least_squares_generator(real_logits: Array, fake_logits: Array, *, c: float = 1.0) -> jax.Array:
    """The generator's squared distance to a target, on raw logits.

    (D(G(z)) - c)^2 / 2.

    Source: Least Squares Generative Adversarial Networks (Mao et al., 2017), equation 2.

    Args:
      real_logits: D(x), [batch, ...]; only its shape is used.
      fake_logits: D(G(z)), of the same shape.
      c: what the generator wants the discriminator to give.

    Returns:
      Losses >= 0, [batch, ...], float32.

    Raises:
      AssertionError: if the shapes differ.
    """
    _, fake = _logits(real_logits, fake_logits)
    return 0.5 * jnp.square(fake - c)


def hinge_discriminator(real_logits: Array, fake_logits: Array) -> jax.Array:
    """The discriminator's margins.

    max(0, 1 - D(x)) + max(0, 1 + D(G(z))).

    Source: Geometric GAN (Lim & Ye, 2017); Spectral Normalization for Generative Adversarial
    Networks (Miyato et al., 2018), equation 16.

    Args:
      real_logits: D(x), [batch, ...].
      fake_logits: D(G(z)), of the same shape.

    Returns:
      Losses >= 0, [batch, ...], float32.

    Raises:
      AssertionError: if the shapes differ.
    """
    real, fake = _logits(real_logits, fake_logits)
    return _hinge(real) + _hinge(-fake)


def wasserstein_discriminator(real_logits: Array, fake_logits: Array) -> jax.Array:
    """The critic's side of the Wasserstein distance; the critic must be kept Lipschitz.

    D(G(z)) - D(x).

    Source: Wasserstein GAN (Arjovsky et al., 2017), equation 2 and algorithm 1.

    Args:
      real_logits: D(x), [batch, ...].
      fake_logits: D(G(z)), of the same shape.

    Returns:
      Losses of any sign, [batch, ...], float32.

    Raises:
      AssertionError: if the shapes differ.
    """
    real, fake = _logits(real_logits, fake_logits)
    return fake - real


def wasserstein_generator(real_logits: Array, fake_logits: Array) -> jax.Array:
    """The generator's side of the Wasserstein distance, and of the hinge.

    -D(G(z)).

    Source: Wasserstein GAN (Arjovsky et al., 2017), algorithm 1; Spectral Normalization for
    Generative Adversarial Networks (Miyato et al., 2018), equation 17.

    Args:
      real_logits: D(x), [batch, ...]; only its shape is used.
      fake_logits: D(G(z)), of the same shape.

    Returns:
      Losses of any sign, [batch, ...], float32.

    Raises:
      AssertionError: if the shapes differ.
    """
    _, fake = _logits(real_logits, fake_logits)
    return -fake


def relativistic_average(base: Callable[[jax.Array], jax.Array]) -> Objective:
    """An objective of each logit less the mean logit of the other side.

    With f the base, r = D(x), q = D(G(z)), and means over the batch:
    discriminator f(r - mean q) + f(mean r - q), generator f(q - mean r) + f(mean q - r).
    The two terms are summed, not averaged. Means are of all logits, those of a patch
    discriminator's places too, and gradients pass through them. With micro-batches each has its
    own means.

    Source: The relativistic discriminator: a key element missing from standard GAN
    (Jolicoeur-Martineau, 2019), section 4, "relativistic average".

    Args:
      base: f, the loss of a real logit; that of a generated logit y is f(-y).

    Returns:
      An objective whose sides have an option `axis_name`: the device axis over which the batch
      is split, or None.
    """

    def loss(upper: jax.Array, lower: jax.Array, axis_name: str | None) -> jax.Array:
        means = jnp.stack([jnp.mean(upper), jnp.mean(lower)])
        if axis_name is not None:
            means = lax.pmean(means, axis_name)
        return base(upper - means[1]) + base(means[0] - lower)

    def discriminator(real_logits, fake_logits, *, axis_name=None):
        real, fake = _logits(real_logits, fake_logits)
        return loss(real, fake, axis_name)

    def generator(real_logits, fake_logits, *, axis_name=None):
        real, fake = _logits(real_logits, fake_logits)
        return loss(fake, real, axis_name)

    return Objective(discriminator, generator)


def relativistic_pairing(base: Callable[[jax.Array], jax.Array]) -> Objective:
    """An objective of the differences of logits, each real one paired with a generated one.

    With f the base: discriminator f(D(x) - D(G(z))), generator f(D(G(z)) - D(x)).

    Source: The relativistic discriminator: a key element missing from standard GAN
    (Jolicoeur-Martineau, 2019), section 4; The GAN is dead; long live the GAN! (Huang et al.,
    2024), section 2, with f(y) = softplus(-y).

    Args:
      base: f, the loss of a real logit.

    Returns:
      The objective; it has no options.
    """

    def discriminator(real_logits, fake_logits):
        real, fake = _logits(real_logits, fake_logits)
        return base(real - fake)

    def generator(real_logits, fake_logits):
        real, fake = _logits(real_logits, fake_logits)
        return base(fake - real)

    return Objective(discriminator, generator)


minimax = Objective(cross_entropy_discriminator, minimax_generator)
non_saturating = Objective(cross_entropy_discriminator, non_saturating_generator)
least_squares = Objective(least_squares_discriminator, least_squares_generator)
hinge = Objective(hinge_discriminator, wasserstein_generator)
wasserstein = Objective(wasserstein_discriminator, wasserstein_generator)

# The squares are the paper's, (y - 1)^2 and (y + 1)^2: without the factor 1/2 of least_squares.
relativistic_average_non_saturating = relativistic_average(_cross_entropy)
relativistic_average_least_squares = relativistic_average(_square)
relativistic_average_hinge = relativistic_average(_hinge)
relativistic_pairing_non_saturating = relativistic_pairing(_cross_entropy)
relativistic_pairing_least_squares = relativistic_pairing(_square)
relativistic_pairing_hinge = relativistic_pairing(_hinge)
