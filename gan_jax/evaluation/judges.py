"""Figures of series by judges that are trained on them: recurrent networks, and random kernels.

They are of what metrics beside those of figures.py name:

    real_every, fake_every   all examples, as they are stored
    sequences                stored examples -> [n, length, d], of series: the modality's
    repeats                  how often a judge is trained, or a set is split, anew

Each figure is the mean over the repeats. Its standard error is the root of the sum of the mean's
variance over these and of that of one judge's test examples, which the repeats share.

Source of the recurrent judges: Time-series Generative Adversarial Networks (Yoon et al., 2019),
section 5, and its authors' code. Batches are drawn with replacement here.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from gan_jax import keys
from gan_jax.evaluation import standard_errors as errors
from gan_jax.evaluation.figures import LESS, at_least, gives

REPEATS = 10  # where nothing is said of it
TRAINED = 0.8  # the share of both sides that a judge is trained on, where it is tested on the rest
STEPS, PREDICTOR_STEPS, BATCH, RATE = 2000, 5000, 128, 1e-3
KERNELS, LENGTHS, RIDGE = 200, (3, 5, 7, 9), 1e-3

Sequences = Callable[[np.ndarray], Any]


class Judge(nn.Module):
    """A GRU, and a dense layer of one unit after each step.

    Attributes:
      width: the GRU's units.
    """

    width: int

    @nn.compact
    def __call__(self, series: jax.Array) -> jax.Array:
        """Maps [batch, length, d] to [batch, length]."""
        return nn.Dense(1)(nn.RNN(nn.GRUCell(self.width))(series))[..., 0]


@gives(discriminative_score=LESS)
@at_least(real=10, fake=10)
def discriminative_score(
    real_every: np.ndarray, fake_every: np.ndarray, sequences: Sequences, repeats: int, seed: int
) -> dict[str, float]:
    """|accuracy - 1/2| of a GRU that tells generated series from real ones; 0 is the best.

    As published: d / 2 units, the logit of the last step, 2,000 batches of 128 of either side, four
    fifths of which it is trained on and one it is tested on. So small a judge misses much.
    """
    sides = _as_many(real_every, fake_every, sequences)
    rngs = _rngs(seed, 'discriminative', repeats)
    rights = np.asarray(_told(*sides, rngs, width=_width(sides[0]), steps=STEPS))
    return _of_accuracies('discriminative_score', rights)


@gives(predictive_score=LESS)
@at_least(real=10, fake=10)
def predictive_score(
    real_every: np.ndarray, fake_every: np.ndarray, sequences: Sequences, repeats: int, seed: int
) -> dict[str, float]:
    """The mean absolute error of a GRU that was trained on generated series, on real ones.

    As published: of all features but the last it is told the steps so far, and says the last
    feature at the next step; d / 2 units, then a sigmoid, 5,000 batches of 128. A series of one
    feature is predicted of itself. Real series in the generated ones' place have what can be had.
    """
    real, fake = (np.asarray(sequences(x)) for x in (real_every, fake_every))
    rngs = _rngs(seed, 'predictive', repeats)
    width = _width(real)
    gaps = np.asarray(_predicted(real, fake, rngs, width=width, steps=PREDICTOR_STEPS))
    return _mean('predictive_score', gaps.mean(axis=1), gaps.mean(axis=0).std() / len(real) ** 0.5)


@gives(kernel_discriminative_score=LESS)
@at_least(real=10, fake=10)
def kernel_discriminative_score(
    real_every: np.ndarray, fake_every: np.ndarray, sequences: Sequences, repeats: int, seed: int
) -> dict[str, float]:
    """|accuracy - 1/2| of a linear classifier of random convolutions: a judge that misses less.

    Each of 200 random kernels, dilated and perhaps padded, gives a series two features: the largest
    value, and the share of values above 0. A ridge regression tells the sides apart by them. A
    repeat is another split; the kernels are the same.

    Source: ROCKET: Exceptionally fast and accurate time series classification using random
    convolutional kernels (Dempster et al., 2020), there with 10,000 kernels of 7, 9 and 11 steps.
    Series are scaled together here, not each by itself, since its level tells, too.
    """
    real, fake = _as_many(real_every, fake_every, sequences)
    both = np.concatenate([real, fake])
    both = (both - both.mean((0, 1))) / np.maximum(both.std((0, 1)), 1e-6)
    features = convolved(both, np.random.default_rng(seed))
    rights = [
        _linearly_told(features, np.random.default_rng([seed, repeat])) for repeat in range(repeats)
    ]
    return _of_accuracies('kernel_discriminative_score', np.stack(rights))


def _as_many(real: np.ndarray, fake: np.ndarray, sequences: Sequences) -> list[np.ndarray]:
    """So many of both sides as there are of the smaller one, as judges see them."""
    num = min(len(real), len(fake))
    return [np.asarray(sequences(x[:num])) for x in (real, fake)]


def _width(series: np.ndarray) -> int:
    return max(1, series.shape[-1] // 2)


def _rngs(seed: int, name: str, repeats: int) -> chex.PRNGKey:
    return jax.random.split(keys.fold_in_name(jax.random.key(seed), name), repeats)


def _mean(name: str, values: np.ndarray, of_examples: float) -> dict[str, float]:
    of_judges = values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return errors.named([name], [values.mean()], [math.hypot(of_judges, of_examples)])


def _of_accuracies(name: str, rights: np.ndarray) -> dict[str, float]:
    """The figure of what was told rightly, booleans [repeats, n]."""
    shares = rights.mean(axis=1)
    spread = math.sqrt(np.mean(shares * (1 - shares)) / rights.shape[1])
    return _mean(name, np.abs(shares - 0.5), spread)


def _fitted(judge: Judge, loss: Callable, series: jax.Array, rng: chex.PRNGKey, steps: int) -> Any:
    """The parameters after so many steps of Adam on loss(params, key)."""
    begin, play = jax.random.split(rng)
    params = judge.init(begin, series[:1])
    optimizer = optax.adam(RATE)

    def step(state: Any, key: chex.PRNGKey) -> tuple[Any, None]:
        params, moments = state
        updates, moments = optimizer.update(jax.grad(loss)(params, key), moments)
        return (optax.apply_updates(params, updates), moments), None

    state = params, optimizer.init(params)
    (params, _), _ = lax.scan(step, state, jax.random.split(play, steps))
    return params


def _said(judge: Judge, params: Any, series: jax.Array) -> jax.Array:
    said: Any = judge.apply(params, series)
    return said


def _drawn(rng: chex.PRNGKey, name: str, num: int) -> jax.Array:
    """The places of a batch among so many."""
    return jax.random.randint(keys.fold_in_name(rng, name), (BATCH,), 0, num)


@functools.partial(jax.jit, static_argnames=('width', 'steps'))
def _told(real: Any, fake: Any, rngs: chex.PRNGKey, *, width: int, steps: int) -> jax.Array:
    """Whether each test example was told rightly, booleans [repeats, n]."""
    judge, bound = Judge(width), int(TRAINED * len(real))

    def once(rng: chex.PRNGKey) -> jax.Array:
        split, fit = jax.random.split(rng)
        orders = [jax.random.permutation(x, len(real)) for x in jax.random.split(split)]

        def loss(params: Any, key: chex.PRNGKey) -> jax.Array:
            places = [
                order[_drawn(key, name, bound)]
                for order, name in zip(orders, ('real', 'fake'), strict=True)
            ]
            on_real, on_fake = (
                _said(judge, params, side[place])[:, -1]
                for side, place in zip((real, fake), places, strict=True)
            )
            return jnp.mean(jax.nn.softplus(-on_real)) + jnp.mean(jax.nn.softplus(on_fake))

        params = _fitted(judge, loss, real, fit, steps)
        on_real, on_fake = (
            _said(judge, params, side[order[bound:]])[:, -1]
            for side, order in zip((real, fake), orders, strict=True)
        )
        return jnp.concatenate([on_real > 0, on_fake <= 0])

    return jax.vmap(once)(rngs)


def _shown(series: jax.Array) -> tuple[jax.Array, jax.Array]:
    """What a predictor is told [n, length - 1, k], and what it is to say [n, length - 1]."""
    last = series.shape[-1] - 1
    return series[:, :-1, : max(last, 1)], series[:, 1:, last]


@functools.partial(jax.jit, static_argnames=('width', 'steps'))
def _predicted(real: Any, fake: Any, rngs: chex.PRNGKey, *, width: int, steps: int) -> jax.Array:
    """The mean absolute error on each real series, [repeats, n]."""
    judge = Judge(width)

    def gaps(params: Any, series: jax.Array) -> jax.Array:
        told, truth = _shown(series)
        return jnp.mean(jnp.abs(jax.nn.sigmoid(_said(judge, params, told)) - truth), axis=1)

    def once(rng: chex.PRNGKey) -> jax.Array:
        def loss(params: Any, key: chex.PRNGKey) -> jax.Array:
            return jnp.mean(gaps(params, fake[_drawn(key, 'fake', len(fake))]))

        return gaps(_fitted(judge, loss, _shown(fake)[0], rng, steps), real)

    return jax.vmap(once)(rngs)


def convolved(series: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Two features of each random kernel, float32 [n, 400].

    Args:
      series: [n, length, d], of no mean and unit variance.
      rng: of the kernels.
    """
    length, features = series.shape[1:]
    lengths = [x for x in LENGTHS if x <= length] or [length]
    found = []
    for _ in range(KERNELS):
        taps = int(rng.choice(lengths))
        most = math.log2(max(1.0, (length - 1) / max(1, taps - 1)))
        dilation = int(2 ** rng.uniform(0, most))
        used = rng.permutation(features)[: rng.integers(1, features + 1)]
        kernel = rng.normal(size=(taps, len(used)))
        kernel = (kernel - kernel.mean()).astype(np.float32)
        margin = (taps - 1) * dilation // 2 * int(rng.integers(2))
        values = np.pad(series[..., used], ((0, 0), (margin, margin), (0, 0))) @ kernel.T
        steps = values.shape[1] - (taps - 1) * dilation
        total = sum(values[:, i * dilation : i * dilation + steps, i] for i in range(taps))
        total = total + np.float32(rng.uniform(-1, 1))
        found += [total.max(axis=1), (total > 0).mean(axis=1)]
    return np.stack(found, axis=1).astype(np.float32)


def _linearly_told(features: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Whether each test example was told rightly, of features of real ones, then of as many fakes.

    Both halves are split alike in size; the classifier is a ridge regression on +-1.
    """
    num = len(features) // 2
    bound = int(TRAINED * num)
    orders = rng.permutation(num), num + rng.permutation(num)
    train, test = (
        np.concatenate([x[part] for x in orders]) for part in (slice(bound), slice(bound, None))
    )
    truth = np.where(np.arange(len(features)) < num, 1.0, -1.0)
    mean, spread = features[train].mean(axis=0), features[train].std(axis=0)
    scaled = ((features - mean) / np.maximum(spread, 1e-6)).astype(np.float64)
    known = scaled[train]
    square = known.T @ known + RIDGE * len(train) * np.eye(known.shape[1])
    weights = np.linalg.solve(square, known.T @ truth[train])
    return (scaled[test] @ weights > 0) == (truth[test] > 0)
