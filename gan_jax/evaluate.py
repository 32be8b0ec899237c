"""What is measured while a run trains."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from gan_jax import data, keys, metrics, sampling
from gan_jax import game as game_lib


def make(
    game: game_lib.Game, dataset: data.Dataset, seed: int, num: int
) -> Callable[[Any, Any], dict[str, float]]:
    """Builds an evaluation against a fixed random choice of real images.

    Args:
      game: the game.
      dataset: where the real images come from.
      seed: the seed of the choice, of the latents and of the projections.
      num: the number of real and of generated images; at most the data set's size is used.

    Returns:
      (params, aux) -> {'eval/sliced_wasserstein': distance of images in [-1, 1], less is better};
      and of points from a mixture 'eval/modes', 'eval/high_quality' and 'eval/reverse_kl'.
    """
    num = min(num, len(dataset))
    chosen = np.random.default_rng(seed).permutation(len(dataset))[:num]
    real = data.normalize(dataset.batch(chosen)['image'])
    latents = sampling.draw_latents(game, seed, num)
    rng = keys.fold_in_name(jax.random.key(seed), 'projections')
    sampler = sampling.make_sampler(game)
    distance = jax.jit(metrics.sliced_wasserstein)

    def evaluate(params: Any, aux: Any) -> dict[str, float]:
        fake = data.normalize(sampler(params, aux, latents))
        values = {BEST: float(distance(real, fake, rng))}
        if dataset.mixture is not None:
            values |= of_mixture(dataset.mixture, fake)
        return values

    return evaluate


def of_mixture(mixture: data.Mixture, points: np.ndarray) -> dict[str, float]:
    """How well points [n, 2] cover a mixture: see `metrics.modes`."""
    place = mixture.centers, mixture.stddev
    index, _ = metrics.nearest_mode(points, mixture.centers)
    histogram = metrics.mode_histogram(index, len(mixture.centers))
    return {
        'eval/modes': float(metrics.modes_captured(points, *place)),
        'eval/high_quality': float(metrics.high_quality_share(points, *place)),
        'eval/reverse_kl': float(metrics.reverse_kl(histogram)),
    }


# The metric by which the best checkpoint is kept; the least is best.
BEST = 'eval/sliced_wasserstein'
