"""How far samples move on the way from one draw of a prior to another, or from style to style."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import lax

from gan_jax import keys, latents, metrics
from gan_jax.game import Game
from gan_jax.runtime import parallel
from gan_jax.sampling import sampler

MOST = 2500  # ways

Smooth = tuple[Any, Callable]
PIXELS: Smooth = (None, lambda params, examples: examples)


def make_lengths(
    game: Game, inputs: dict[str, Any], seed: int, smooth: Smooth = PIXELS
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
    beginnings, ends, place = _ways(inputs, seed)
    ways = {**beginnings, 'end': ends['latent'], 'place': place}

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

    return _measured(measure, ways, smooth)


def make_style_lengths(
    game: Game, inputs: dict[str, Any], seed: int, smooth: Smooth = PIXELS
) -> Callable[[Any, Any], np.ndarray]:
    """The same between styles, linear, at the beginnings of the ways.

    There the styles are ones that the game makes, as they need not be between two of them.

    Source: Analyzing and Improving the Image Quality of StyleGAN (Karras et al., 2020), section 3.1
    and the authors' code, whose metric `ppl2_wend` it is but for the features and the limit.

    Args:
      game: a game with styles.
      inputs: draws of its prior, by twos.
      seed: not used, but for the keys that `metrics.perceptual_path_length` asks for.
      smooth: as `make_lengths` has it.

    Returns:
      (params, aux) -> squared lengths [ways].
    """
    beginnings, ends, place = _ways(inputs, seed)

    def measure(shared: Any, ways: dict[str, Any]) -> jax.Array:
        variables, params = shared
        start, end = (game.functions['map'](*variables, ways[x]) for x in ('start', 'end'))
        return metrics.perceptual_path_length(
            lambda styles: game.functions['synthesize'](*variables, styles),
            lambda examples: smooth[1](params, examples),
            start,
            end,
            jax.random.wrap_key_data(ways['place']),
            # The value of t = 0, and the derivative of t.
            interpolate=lambda a, b, t: a + (t - lax.stop_gradient(t)) * (b - a),
        )

    return _measured(measure, {'start': beginnings, 'end': ends, 'place': place}, smooth)


def _ways(inputs: dict[str, Any], seed: int) -> tuple[dict[str, Any], dict[str, Any], np.ndarray]:
    """The inputs at the beginnings and at the ends of ways, and the data of a key of each."""
    num = min(sampler.count(inputs) // 2, MOST)
    root = keys.fold_in_name(jax.random.key(seed), 'paths')
    place = np.asarray(jax.random.key_data(keys.per_example(root, num)))
    beginnings, ends = (sampler.part(inputs, slice(i, 2 * num, 2)) for i in (0, 1))
    return beginnings, ends, place


def _measured(
    measure: Callable, ways: dict[str, Any], smooth: Smooth
) -> Callable[[Any, Any], np.ndarray]:
    """(params, aux) -> measure(((params, aux), features' parameters), ways), part by part."""
    lengths = sampler.in_parts(
        lambda variables, params, ways: measure((variables, params), ways), parallel.everywhere
    )
    return lambda params, aux: lengths((params, aux), smooth[0], ways)
