"""Differentially private gradients, and what they cost: pure functions and an accountant.

An algorithm is (epsilon, delta)-private if for any two data sets that differ by one example, there
or not, and any set S of outcomes P(A(D) in S) <= e^epsilon P(A(D') in S) + delta. A step draws
every example with probability q, clips each one's gradient to a norm of C and adds noise of
standard deviation sigma C to the sum; what is then made of it costs nothing more.

Source: Deep Learning with Differential Privacy (Abadi et al., 2016), algorithm 1. The accountants
are dp-accounting's: Renyi Differential Privacy of the Sampled Gaussian Mechanism (Mironov et al.,
2019), and the tighter privacy loss distributions (Koskela et al., 2020).
"""

import functools
import importlib
import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import chex
import jax
import jax.numpy as jnp
import optax
from jax import lax

WEIGHT = 'weight'  # 1 in the rows of a batch that hold an example, 0 in the others
RDP, PLD = 'rdp', 'pld'
CUT = 1e-3  # the share of delta that pays for batches that would have been larger than they may be


def clipped_sum(
    gradient: Callable[[Any, Any], Any],
    examples: Any,
    rng: jax.Array,
    weights: jax.Array,
    clip: float,
    chunk: int,
) -> Any:
    """sum_i w_i min(1, C / |g_i|) g_i, the norm over all arrays of a gradient.

    Args:
      gradient: (one example, its key) -> its gradient, a tree of arrays.
      examples: a tree of arrays [n, ...].
      rng: keys [n].
      weights: [n], 0 or 1. A chunk without a 1 is not computed.
      clip: C > 0.
      chunk: so many gradients are in memory at a time at most; it is lowered to a divisor of n.

    Returns:
      A tree like a gradient.

    Raises:
      AssertionError: if there is not one weight and one key for each example.
    """
    chex.assert_equal_shape_prefix([weights, rng, *jax.tree.leaves(examples)], 1)
    num = len(weights)
    several = max(x for x in range(1, min(chunk, num) + 1) if num % x == 0)
    parts = jax.tree.map(lambda x: x.reshape(-1, several, *x.shape[1:]), (examples, rng, weights))

    def of_chunk(part: Any) -> Any:
        rows, drawn, counted = part
        each, structure = jax.tree.flatten(jax.vmap(gradient)(rows, drawn))
        # Chosen, not multiplied: what is not finite in a row without an example does not count.
        held = [jnp.where(counted.reshape(-1, *(1,) * (x.ndim - 1)) > 0, x, 0) for x in each]
        return jax.tree.unflatten(structure, optax.per_example_global_norm_clip(held, clip)[0])

    shapes = jax.eval_shape(of_chunk, jax.tree.map(lambda x: x[0], parts))
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)

    def add(total: Any, part: Any) -> tuple[Any, None]:
        more = lax.cond(jnp.any(part[2] > 0), of_chunk, lambda part: zeros, part)
        return jax.tree.map(jnp.add, total, more), None

    return lax.scan(add, zeros, parts)[0]


def gradients(
    loss: Callable,
    own: Any,
    aux: Any,
    batch: Any,
    rng: jax.Array,
    *,
    clip: float,
    chunk: int,
    padding: int,
) -> tuple[Any, dict[str, jax.Array], Any]:
    """Of a part of a batch the clipped sum, as a `Turn.gradients`; no noise yet.

    Nothing is logged, since every figure would be one of real examples. Aux is what a row of zeros
    leaves: what moves with the parameters alone (the vectors of spectral norms) moves on.

    Args:
      loss: (own, aux, batch, keys [n]) -> (scalar, (aux, metrics)), of one example here.
      own: the movers' parameters.
      aux: the game's.
      batch: arrays [n, ...], with 'weight' [n].
      rng: keys [n].
      clip: C.
      chunk: see `clipped_sum`.
      padding: how many rows a whole batch has for each example that is expected to come.

    Returns:
      (aux, {}, the sum * padding / n): its mean over the parts of a batch and all devices is the
      sum over the batch, divided by the number of examples that was to be expected.
    """
    rows = {name: x for name, x in batch.items() if name != WEIGHT}

    def gradient(example: Any, key: jax.Array) -> Any:
        one = jax.tree.map(lambda x: x[None], example)
        return jax.grad(loss, has_aux=True)(own, aux, one, key[None])[0]

    blank = jax.tree.map(lambda x: jnp.zeros_like(x[:1]), rows)
    _, (left, _) = loss(own, aux, blank, rng[:1])
    total = clipped_sum(gradient, rows, rng, batch[WEIGHT], clip, chunk)
    return left, {}, jax.tree.map(lambda x: x * (padding / len(rng)), total)


def noisy(key: jax.Array, means: Any, stddev: float) -> Any:
    """Gaussian noise added to every number, as a `Turn.finish`.

    Args:
      key: one key.
      means: a tree of arrays, divided by the expected number of examples B.
      stddev: sigma C / B.
    """
    drawn = optax.tree.random_like(key, means, jax.random.normal)
    return optax.tree.add_scale(means, stddev, drawn)


def _library(name: str) -> ModuleType:
    """A module that is imported only where something is private.

    Raises:
      ImportError: if it is not installed, with what to do.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(f"{error}: install it with pip install -e '.[privacy]'") from error


def _event(rate: float, noise_multiplier: float, steps: int) -> Any:
    lib = _library('dp_accounting')
    one = lib.PoissonSampledDpEvent(rate, lib.GaussianDpEvent(noise_multiplier))
    return lib.SelfComposedDpEvent(one, steps)


def _accountant(kind: str) -> Any:
    names = {RDP: 'RdpAccountant', PLD: 'PLDAccountant'}
    return getattr(_library(f'dp_accounting.{kind}'), names[kind])()


@functools.lru_cache(maxsize=256)
def spent(
    rate: float, noise_multiplier: float, steps: int, delta: float, accountant: str = RDP
) -> float:
    """epsilon after so many steps, each on examples drawn with probability `rate`.

    Args:
      rate: q in (0, 1].
      noise_multiplier: sigma > 0.
      steps: from 0.
      delta: in (0, 1).
      accountant: RDP, or PLD, which is tighter and takes seconds.

    Raises:
      ImportError: if dp-accounting is not installed.
    """
    if not steps:
        return 0.0
    account = _accountant(accountant)
    account.compose(_event(rate, noise_multiplier, steps))
    return float(account.get_epsilon(delta))


def noise_for(epsilon: float, rate: float, steps: int, delta: float) -> float:
    """The least sigma with which so many steps cost epsilon, by RDP; the arguments as of `spent`.

    Raises:
      ImportError: if dp-accounting is not installed.
    """
    return float(
        _library('dp_accounting').calibrate_dp_mechanism(
            functools.partial(_accountant, RDP),
            lambda sigma: _event(rate, sigma, steps),
            epsilon,
            delta,
        )
    )


def most_steps(epsilon: float, rate: float, noise_multiplier: float, delta: float) -> int:
    """How many steps epsilon pays for, by RDP; the arguments as of `spent`.

    Raises:
      ImportError: if dp-accounting is not installed.
    """

    def paid(steps: int) -> bool:
        return spent(rate, noise_multiplier, steps, delta) <= epsilon

    most = 1
    while paid(most) and most < 2**31:
        most *= 2
    least = most // 2
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (middle, most) if paid(middle) else (least, middle)
    return least


def cut_delta(num: int, rate: float, rows: int, steps: int, epsilon: float) -> float:
    """What of delta pays for batches that are cut to `rows` examples.

    An algorithm that is another one with probability t at most is (epsilon, delta + (1 + e^epsilon)
    t)-private if the other is (epsilon, delta)-private; here t = T P(Binomial(n, q) > rows).

    Args:
      num: n.
      rate: q.
      rows: how many examples a batch can hold.
      steps: T.
      epsilon: of the other algorithm.

    Raises:
      ImportError: if scipy, which dp-accounting brings, is not installed.
    """
    tail = _library('scipy.stats').binom.sf(rows, num, rate)
    return float((1 + math.exp(epsilon)) * steps * tail)


def padding_for(num: int, batch_size: int, steps: int, epsilon: float, delta: float) -> int:
    """The least k for which batches of k B rows cost no more than `CUT` of delta.

    Args:
      num: n.
      batch_size: B, expected; at most n.
      steps: T.
      epsilon: that is to be kept to.
      delta: likewise.

    Raises:
      ImportError: if scipy, which dp-accounting brings, is not installed.
    """
    rate, k = batch_size / num, 1
    while cut_delta(num, rate, k * batch_size, steps, epsilon) > CUT * delta:
        k += 1
    return k
