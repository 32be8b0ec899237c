"""Which styles, and which noise, make a given example: the projection of examples.

Source: Analyzing and Improving the Image Quality of StyleGAN (Karras et al., 2020), appendix D, and
its authors' code. Where this differs:

* The distance is the mean squared difference of the features that are given; there it is LPIPS.
* It is divided by that of the mean style, so that it has one scale in all features, about that of
  LPIPS, to which the weight of the noise's regularisation was chosen.
* Each halving of a noise map multiplies it by 2, as the paper has it; their code does not.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from gan_jax import keys
from gan_jax.arrays import floats
from gan_jax.game import Game
from gan_jax.runtime import parallel
from gan_jax.sampling import sampler, search

DRAWS = 10_000  # styles, of which the mean and the spread are taken
STEPS = 1_000
RATE, RAMP_UP, RAMP_DOWN = 0.1, 0.05, 0.25  # Adam's, and the shares of the steps
NOISE, NOISE_RAMP = 0.05, 0.75  # that styles have, in their spread, and the share of the steps
REGULARIZATION = 1e5
SMALLEST = 8  # pixels of a noise map that is not halved any more
TOGETHER = 16  # examples at a time

Smooth = tuple[Any, Callable[[Any, jax.Array], jax.Array]]
# What examples are compared in if there is no network: themselves.
THEMSELVES: Smooth = (None, lambda params, examples: examples)


class Styles(NamedTuple):
    """Where projections begin.

    Attributes:
      mean: of the styles of a prior's draws, [size].
      spread: the root of the mean squared distance from it.
      layers: how many layers have a style.
    """

    mean: np.ndarray
    spread: float
    layers: int


class Projection(NamedTuple):
    """What is found.

    Attributes:
      styles: [n, layers, size].
      examples: of these styles and their noise, as they are stored.
      distances: of these and their targets, [n].
      first: those of the mean style, [n].
    """

    styles: np.ndarray
    examples: np.ndarray
    distances: np.ndarray
    first: np.ndarray

    def of(self, place: int) -> 'Projection':
        """That of one example."""
        return Projection(*(x[place] for x in self))


def learning_rate(progress: chex.Array) -> jax.Array:
    """0.1 min(1, t / 0.05) (1 - cos(pi min(1, (1 - t) / 0.25))) / 2.

    Args:
      progress: t, the share of the steps that are done, in [0, 1].

    Returns:
      The rate, of the same shape.
    """
    t = floats(progress)
    down = 0.5 - 0.5 * jnp.cos(math.pi * jnp.minimum(1.0, (1.0 - t) / RAMP_DOWN))
    return RATE * down * jnp.minimum(1.0, t / RAMP_UP)


def style_noise(progress: chex.Array) -> jax.Array:
    """0.05 max(0, 1 - t / 0.75)^2, the standard deviation of the noise on styles by their spread.

    Args:
      progress: t, the share of the steps that are done, in [0, 1].

    Returns:
      The factor, of the same shape.
    """
    return NOISE * jnp.square(jnp.maximum(0.0, 1.0 - floats(progress) / NOISE_RAMP))


def noise_regularization(maps: chex.Array) -> jax.Array:
    """How much neighbouring places of noise maps have in common, on all scales.

    sum_s (mean_xy n_s(x, y) n_s(x - 1, y))^2 + (mean_xy n_s(x, y) n_s(x, y - 1))^2,

    n_0 the map, n_(s+1) means of 2 x 2 places of n_s times 2, which have the variance of n_s where
    that is white; down to 8 pixels a side. Beyond one side is the other.

    Args:
      maps: [n, h, w].

    Returns:
      [n], >= 0; 0 in the mean of white noise of endless size.

    Raises:
      AssertionError: if `maps` is not of rank 3.
    """
    chex.assert_rank(maps, 3)
    total = jnp.zeros(len(maps), maps.dtype)
    while True:
        for axis in (1, 2):
            total += jnp.square(jnp.mean(maps * jnp.roll(maps, 1, axis), axis=(1, 2)))
        num, height, width = maps.shape
        if min(height, width) <= SMALLEST or height % 2 or width % 2:
            return total
        halves = maps.reshape(num, height // 2, 2, width // 2, 2)
        maps = 2.0 * jnp.mean(halves, axis=(2, 4))


def normalized(maps: chex.Array) -> jax.Array:
    """Each of the maps [n, h, w] with mean 0 and mean square 1."""
    centred = maps - jnp.mean(maps, axis=(1, 2), keepdims=True)
    power = jnp.mean(jnp.square(centred), axis=(1, 2), keepdims=True)
    return centred * jax.lax.rsqrt(jnp.maximum(power, 1e-12))


def styles_of(
    game: Game,
    variables: Any,
    seed: int,
    label: int | None = None,
    compiled: Callable = parallel.over_examples,
) -> Styles:
    """The mean and the spread of styles, of 10,000 draws of a seed.

    Args:
      game: a game with styles.
      variables: (params, aux).
      seed: of the draws.
      label: their class; by default each draws its own.
      compiled: what compiles a function of examples.
    """
    inputs = sampler.draw_inputs(game, seed, DRAWS, label)
    draws = sampler.make_styles(game, compiled)(*variables, inputs).astype(np.float64)
    mean = draws.mean(axis=0)
    spread = math.sqrt(np.square(draws - mean).sum(axis=1).mean())
    layers = jax.eval_shape(game.functions['map'], *variables, sampler.part(inputs, slice(1)))
    return Styles(mean.astype(np.float32), spread, layers.shape[1])


class Problem(NamedTuple):
    """What examples are projected by; every leaf of the state is [n, ...].

    Attributes:
      game: a game with styles; with a function `noise_maps`, (params, aux) -> a tree of maps [h, w]
        as its `synthesize` takes them, [n, h, w], these are found, too.
      smooth: (params, function), function(params, examples as networks see them) -> the features
        that are compared.
      layers: how many layers have a style.
      apart: whether each layer's style is found for itself (W+), or one for all of them (W).
      steps: how many there are.
    """

    game: Game
    smooth: Smooth
    layers: int
    apart: bool = False
    steps: int = STEPS

    def compare(self, shared: Any, trained: Any, features: jax.Array) -> tuple[jax.Array, Any]:
        """The distances [n] of the features, and the examples, of what is found so far."""
        variables, of_network, _ = shared
        styles = trained['styles']
        styles = jnp.broadcast_to(styles, (len(styles), self.layers, styles.shape[-1]))
        options = {'noise': trained['noise']} if trained['noise'] else {}
        examples = self.game.functions['synthesize'](*variables, styles, **options)
        difference = floats(self.smooth[1](of_network, examples)) - features
        return jnp.mean(jnp.square(difference).reshape(len(styles), -1), axis=1), examples

    def begin(self, shared: Any, given: Any) -> Any:
        """The state before the first step.

        Args:
          shared: (variables, the network's parameters, (the mean style, the spread)).
          given: {'target': examples [n, ...], 'key': the data of a key of each}.
        """
        variables, of_network, (mean, _) = shared
        target, root = given['target'], jax.random.wrap_key_data(given['key'])
        maps = self.game.functions.get('noise_maps', lambda params, aux: {})(*variables)
        leaves, tree = jax.tree.flatten(maps)
        drawn = [_normal(keys.of_name(root, f'map {i}'), x.shape) for i, x in enumerate(leaves)]
        rows = self.layers if self.apart else 1
        trained = {
            'styles': jnp.broadcast_to(mean[None, None], (len(target), rows, len(mean))),
            'noise': jax.tree.map(normalized, jax.tree.unflatten(tree, drawn)),
        }
        features = floats(self.smooth[1](of_network, target))
        return {
            **search.begun(trained),
            'features': features,
            'first': self.compare(shared, trained, features)[0],
            'key': jax.random.key_data(keys.of_name(root, 'styles')),
        }

    def step(self, shared: Any, state: Any, number: jax.Array) -> Any:
        """The state after the step of that number, counted from 0."""
        progress, spread = number.astype(jnp.float32) / self.steps, shared[2][1]
        root = jax.random.wrap_key_data(state['key'])
        drawn = jax.vmap(lambda key: jax.random.fold_in(key, number))(root)
        noise = _normal(drawn, state['trained']['styles'].shape[1:])
        noise *= spread * style_noise(progress)

        def loss(trained: Any) -> jax.Array:
            noisy = {**trained, 'styles': trained['styles'] + noise}
            distances = self.compare(shared, noisy, state['features'])[0]
            total = jnp.sum(distances / jnp.maximum(state['first'], 1e-12))
            for maps in jax.tree.leaves(trained['noise']):
                total += REGULARIZATION * jnp.sum(noise_regularization(maps))
            return total

        state = search.descended(loss, state, number, learning_rate(progress))
        trained = state['trained']
        trained = {**trained, 'noise': jax.tree.map(normalized, trained['noise'])}
        return {**state, 'trained': trained}


def together(shape: tuple[int, ...], num: int) -> int:
    """How many of so many examples of a shape are projected at a time, 16 at most."""
    return max(1, min(num, TOGETHER, sampler.NUMBERS // math.prod(shape)))


def _normal(rng: chex.PRNGKey, shape: tuple[int, ...]) -> jax.Array:
    """N(0, 1) of a shape for each of the keys [n]."""
    return jax.vmap(lambda key: jax.random.normal(key, shape))(rng)


def make_projector(
    problem: Problem,
    styles: Styles,
    decode: Callable,
    compiled: Callable = parallel.over_examples,
) -> Callable[..., Projection]:
    """Compiles the projection of examples.

    Args:
      problem: by what they are projected.
      styles: where it begins.
      decode: examples as networks see them -> as they are stored.
      compiled: what compiles a function of examples.

    Returns:
      (params, aux, targets, keys [n], tell) -> what is found of targets [n, ...], float32 as
      networks see them; tell(text) is told how far it is. What becomes of an example depends on it
      and on its key alone.
    """

    def end(shared: Any, state: Any) -> Any:
        distances, examples = problem.compare(shared, state['trained'], state['features'])
        return distances, decode(examples)

    find = search.make(problem.begin, problem.step, end, problem.steps, compiled)

    def project(
        params: Any, aux: Any, targets: Any, rng: chex.PRNGKey, tell: Callable[[str], object]
    ) -> Projection:
        shared = (params, aux), problem.smooth[0], (styles.mean, np.float32(styles.spread))
        given = {'target': targets, 'key': jax.random.key_data(rng)}
        state, (distances, examples) = find(shared, given, tell)
        found = np.asarray(state['trained']['styles'])
        every = np.broadcast_to(found, (len(found), problem.layers, found.shape[-1]))
        return Projection(every, *(np.asarray(x) for x in (examples, distances, state['first'])))

    return project
