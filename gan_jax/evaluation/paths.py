"""How far samples move on the way from one draw of a prior to another."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from gan_jax import keys, latents, metrics
from gan_jax.game import Game
from gan_jax.runtime import parallel
from gan_jax.sampling import sampler

MOST = 2500  # ways


def make_lengths(
    game: Game,
    inputs: dict[str, Any],
    seed: int,
    smooth: tuple[Any, Callable] = (None, lambda params, examples: examples),
) -> Callable[[Any, Any], np.ndarray]:
    """Builds what measures `metrics.perceptual_path_length`, spherical, in its limit.

    Args:
      game: a game that has a prior.
      inputs: draws of it; of each two the first latent is the beginning of a way and the second
        its end. What inputs have beside latents is that of the beginning.
      seed: of the places on the ways.
      smooth: (params, function), function(params, examples as networks see them) -> the features.

    Returns:
      (params, aux) -> squared lengths [ways].
    """
    num = min(sampler.count(inputs) // 2, MOST)
    root = keys.fold_in_name(jax.random.key(seed), 'paths')
    ways = sampler.part(inputs, slice(0, 2 * num, 2))
    ways |= {
        'end': np.asarray(inputs['latent'][1 : 2 * num : 2]),
        'place': np.asarray(jax.random.key_data(keys.per_example(root, num))),
    }

    def measure(shared: Any, ways: dict[str, jax.Array]) -> jax.Array:
        variables, params = shared
        fixed = {key: x for key, x in ways.items() if key not in ('end', 'place')}
        return metrics.perceptual_path_length(
            lambda latent: game.functions['sample'](*variables, {**fixed, 'latent': latent}),
            lambda examples: smooth[1](params, examples),
            ways['latent'],
            ways['end'],
            jax.random.wrap_key_data(ways['place']),
            interpolate=latents.slerp,
        )

    compiled = parallel.everywhere(measure)

    def lengths(params: Any, aux: Any) -> np.ndarray:
        shared = ((params, aux), smooth[0])
        parts = [
            np.asarray(compiled(shared, sampler.filled(part, size)))[: sampler.count(part)]
            for part, size in sampler.parts(ways)
        ]
        return np.concatenate(parts)

    return lengths
