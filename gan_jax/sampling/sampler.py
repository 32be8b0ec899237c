"""Samples from trained players, and the way between latents."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from gan_jax import keys
from gan_jax import latents as latents_lib
from gan_jax.errors import UserError
from gan_jax.game import Game
from gan_jax.modalities import Modality
from gan_jax.runtime import parallel

CHUNK = 100  # examples to a call, so that memory does not grow with the number asked for
NUMBERS = 1_200_000  # of inputs to a call


def generate(game: Game) -> Callable[..., jax.Array]:
    """(params, aux, inputs) -> what a game makes.

    These are samples of a prior's draws, or translations, or reconstructions of examples.
    """
    names = ('sample', 'a_to_b', 'reconstruct')
    return next(game.functions[name] for name in names if name in game.functions)


def count(inputs: Any) -> int:
    """How many examples inputs are for."""
    return count(next(iter(inputs.values()))) if isinstance(inputs, Mapping) else len(inputs)


def part(inputs: Any, where: slice) -> Any:
    """A part of inputs: of each array of a tree of dicts, or of what is sliced like an array."""
    if isinstance(inputs, Mapping):
        return {name: part(x, where) for name, x in inputs.items()}
    return np.asarray(inputs[where])


def parts(inputs: Any) -> Iterator[tuple[Any, int]]:
    """Inputs part by part, each with the size that it is filled up to, the same for all."""
    numbers = sum(math.prod(x.shape[1:]) for x in jax.tree.leaves(part(inputs, slice(1))))
    size = min(CHUNK, max(1, NUMBERS // max(numbers, 1)))
    for start in range(0, count(inputs), size):
        yield part(inputs, slice(start, start + size)), size


def filled(inputs: Any, size: int) -> Any:
    """With zeros up to so many, so that one compiled program serves all parts."""
    return jax.tree.map(
        lambda x: np.pad(x, ((0, size - len(x)), *((0, 0),) * (len(x.shape) - 1))), inputs
    )


def in_parts(
    function: Callable, compiled: Callable = parallel.over_examples
) -> Callable[..., np.ndarray]:
    """Compiles a function of examples for any number of them, with bounded memory on the device.

    Args:
      function: (params, aux, inputs) -> an array [n, ...], each example by itself.
      compiled: what compiles a function of examples.

    Returns:
      The same; inputs are a dict of arrays [n, ...] as a prior gives them, or an array or what is
      sliced like one.
    """
    apply = compiled(lambda variables, inputs: function(*variables, inputs))

    def applied(params: Any, aux: Any, inputs: Any) -> np.ndarray:
        results, done = np.empty(0), 0
        for some, size in parts(inputs):
            made = np.asarray(apply((params, aux), filled(some, size)))[: count(some)]
            if not done:  # all of them are held once, not as parts and whole
                results = np.empty((count(inputs), *made.shape[1:]), made.dtype)
            results[done : done + len(made)] = made
            done += len(made)
        return results

    return applied


def make_sampler(
    game: Game,
    modality: Modality,
    compiled: Callable = parallel.over_examples,
    function: Callable | None = None,
) -> Callable[..., np.ndarray]:
    """(params, aux, inputs) -> examples as they are stored, [n, ...].

    Args:
      game: the game.
      modality: of its examples.
      compiled: what compiles a function of examples.
      function: what makes examples of what, such as the game's `synthesize` of styles; by default
        its samples of a prior's draws, or its translations of sources.
    """
    made = function or generate(game)
    return in_parts(lambda *x: modality.decode(made(*x)), compiled)


def draw_inputs(
    game: Game, seed: int, num: int, label: int | None = None, **options: Any
) -> dict[str, chex.Array]:
    """The prior's draws [num, ...], which depend on the seed and on their own place only.

    Args:
      game: a game that has a prior.
      seed: of the draws.
      num: how many there are.
      label: the class of all of them; by default each draws its own.
      **options: the prior's.

    Raises:
      UserError: if the prior does not know an option, or draws no classes.
    """
    root = keys.fold_in_name(jax.random.key(seed), 'samples')
    try:
        inputs = game.functions['prior'](keys.per_example(root, num), **options)
    except (TypeError, ValueError) as error:
        raise UserError(f'this latent prior cannot be drawn so: {error}') from error
    if label is None:
        return inputs
    if 'label' not in inputs:
        raise UserError(f'--label={label}: this run knows no classes; leave it out')
    return {**inputs, 'label': jnp.full_like(inputs['label'], label)}


def draws_labels(game: Game) -> bool:
    """Whether a game is conditional: whether its prior draws a class with each latent."""
    prior = game.functions.get('prior')
    if prior is None:
        return False
    label = jax.eval_shape(prior, jax.random.split(jax.random.key(0), 1)).get('label')
    return label is not None and label.shape == (1,) and jnp.issubdtype(label.dtype, jnp.integer)


def make_score(game: Game) -> Callable[..., Any]:
    """(params, aux, encoded examples, labels [n] or None) -> the discriminator's logits [n].

    A discriminator that asks for labels is told them; to others they are nothing.
    """

    @jax.jit
    def compiled(params, aux, batch):
        return game.functions['score'](params, aux, batch)

    def score(params: Any, aux: Any, x: Any, labels: np.ndarray | None = None) -> np.ndarray:
        told = {} if labels is None else {'label': labels}
        return np.asarray(compiled(params, aux, {'real': x, **told}))

    return score


def make_picture(
    game: Game, modality: Modality, real: np.ndarray, inputs: Any
) -> Callable[[Any, Any], np.ndarray]:
    """Builds what draws the state of a game.

    Args:
      game: a game that makes samples.
      modality: of its examples.
      real: real examples as they are stored; some kinds show them beside the generated ones.
      inputs: of the samples to show; of a conditional game row i of their grid is of class i, and
        over again after the last.

    Returns:
      (params, aux) -> uint8 [h, w, c].
    """
    sampler, score = make_sampler(game, modality), make_score(game)
    columns = None
    if modality.thumbnails is not None and draws_labels(game):
        columns = math.ceil(math.sqrt(count(inputs)))
        rows = np.arange(count(inputs), dtype=np.int32) // columns
        inputs = {**inputs, 'label': rows % modality.fields['classes']}

    def draw(params: Any, aux: Any) -> np.ndarray:
        samples = sampler(params, aux, inputs)
        return modality.picture(samples, real, lambda x: score(params, aux, x), columns)

    return draw


def interpolation(inputs: Mapping[str, chex.Array], columns: int = 10) -> dict[str, chex.Array]:
    """Spherical interpolations [pairs * columns, ...] between latents 2i and 2i + 1.

    What inputs have beside latents is that of the beginning.
    """
    latents = inputs['latent']
    start, end = latents[0::2], latents[1::2]
    fractions = jnp.linspace(0.0, 1.0, columns)
    between = jax.vmap(lambda t: latents_lib.slerp(start, end, t), out_axes=1)(fractions)
    others = {k: jnp.repeat(x[0::2], columns, axis=0) for k, x in inputs.items() if k != 'latent'}
    return {'latent': between.reshape(-1, latents.shape[-1]), **others}


def has_styles(game: Game) -> bool:
    """Whether latents become styles, and these become examples: functions `map`, `synthesize`."""
    return {'prior', 'map', 'synthesize'} <= game.functions.keys()


def make_styles(game: Game, compiled: Callable = parallel.over_examples) -> Callable:
    """(params, aux, inputs) -> styles [n, size] of the first layer; unmixed, all have the same."""
    return in_parts(lambda *x: game.functions['map'](*x)[:, 0], compiled)


def interpolated(styles: np.ndarray, columns: int = 10) -> np.ndarray:
    """Linear interpolations [pairs * columns, ...] between styles 2i and 2i + 1, [2 pairs, ...]."""
    start, end = styles[0::2, None], styles[1::2, None]
    fractions = np.linspace(0, 1, columns, dtype=styles.dtype)
    fractions = fractions.reshape(1, -1, *(1 for _ in styles.shape[1:]))
    return (start + fractions * (end - start)).reshape(-1, *styles.shape[1:])
