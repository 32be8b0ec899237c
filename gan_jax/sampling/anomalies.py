"""How far from normal examples are, by a game's own score or by a search for their latents.

Source of the search: Unsupervised Anomaly Detection with Generative Adversarial Networks to Guide
Marker Discovery (AnoGAN; Schlegl et al., 2017), equations 2 to 5. Where this differs:

* Adam has the learning rate of a projection (`projection.learning_rate`); the paper does not say.
* All searches begin at one latent, a draw of the prior, so that an example's score is its own.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.game import Game
from gan_jax.modalities import Modality
from gan_jax.runtime import parallel
from gan_jax.sampling import projection, sampler, search

STEPS = 500
WEIGHT = 0.1  # of the features; that of the examples is 1 less this

Tell = Callable[[str], object]


class NoScore(ValueError):
    """A game has no score, and its latents cannot be searched."""


class Scores(NamedTuple):
    """What is said of examples.

    Attributes:
      scores: [n], the more the less normal.
      again: the nearest examples that the game can make, [n, ...] as they are stored.
    """

    scores: np.ndarray
    again: np.ndarray


def has_score(game: Game) -> bool:
    """Whether a game has a score of its own."""
    return 'anomaly' in game.functions


def can_search(game: Game) -> bool:
    """Whether latents alone make examples and can be searched for, by features too."""
    if not {'prior', 'sample', 'features'} <= game.functions.keys():
        return False
    drawn = jax.eval_shape(game.functions['prior'], jax.random.split(jax.random.key(0), 1))
    return drawn.keys() == {'latent'}


class Search(NamedTuple):
    """The search for latents z of examples x, G the generator and f the discriminator's features.

    It minimises, and the score is,

        (1 - w) |x - G(z)|_1 + w |f(x) - f(G(z))|_1,

    sums over an example's values and its features.

    Attributes:
      game: a game with a prior, samples and features.
      steps: how many there are.
      weight: w.
    """

    game: Game
    steps: int = STEPS
    weight: float = WEIGHT

    def begin(self, shared: Any, given: Any) -> Any:
        """The state before the first step; shared is ((params, aux), the first latent [size])."""
        variables, start = shared
        latent = jnp.broadcast_to(start, (len(given), len(start)))
        features = self.game.functions['features'](*variables, given)
        return {**search.begun(latent), 'target': given, 'features': features}

    def compare(self, shared: Any, latent: Any, state: Any) -> tuple[jax.Array, Any]:
        """The scores [n] of latents, and the examples that they make."""
        variables, _ = shared
        examples = self.game.functions['sample'](*variables, {'latent': latent})
        features = self.game.functions['features'](*variables, examples)
        residual = _absolute(state['target'] - examples)
        discrimination = _absolute(state['features'] - features)
        return (1 - self.weight) * residual + self.weight * discrimination, examples

    def step(self, shared: Any, state: Any, number: jax.Array) -> Any:
        """The state after the step of that number, counted from 0."""

        def loss(latent: Any) -> jax.Array:
            return jnp.sum(self.compare(shared, latent, state)[0])

        rate = projection.learning_rate(number.astype(jnp.float32) / self.steps)
        return search.descended(loss, state, number, rate)


def _absolute(difference: jax.Array) -> jax.Array:
    return jnp.sum(jnp.abs(difference).reshape(len(difference), -1), axis=1)


def make_scorer(
    game: Game,
    modality: Modality,
    variables: Any,
    seed: int = 0,
    steps: int = STEPS,
    compiled: Callable = parallel.over_examples,
) -> Callable[[np.ndarray, Tell], Scores]:
    """Compiles what scores examples.

    Args:
      game: a game with a score of its own, or one whose latents can be searched.
      modality: of its examples.
      variables: (params, aux).
      seed: of the latent at which searches begin.
      steps: of a search.
      compiled: what compiles a function of examples.

    Returns:
      (stored examples [n, ...], tell) -> their scores; tell(text) is told how far a search is. All
      is in evaluation, part by part of one size: no score depends on other examples.

    Raises:
      NoScore: if the game has no score and cannot be searched.
    """
    if has_score(game):
        score = _own(game, modality, variables, compiled)
    elif can_search(game):
        score = _searched(game, modality, variables, seed, steps, compiled)
    else:
        raise NoScore(
            'there is no score of what is normal; name a run of f_anogan or of ganomaly, or of a '
            'GAN without labels and codes, whose latents are searched'
        )

    def scored(examples: np.ndarray, tell: Tell) -> Scores:
        found = [
            [np.asarray(x)[: len(some)] for x in score(sampler.filled(some, size), tell)]
            for some, size in sampler.parts(modality.encode(examples))
        ]
        return Scores(*(np.concatenate(x) for x in zip(*found, strict=True)))

    return scored


def _own(game: Game, modality: Modality, variables: Any, compiled: Callable) -> Callable:
    anomaly, again = game.functions['anomaly'], game.functions['reconstruct']
    both = compiled(lambda shared, x: (anomaly(*shared, x), modality.decode(again(*shared, x))))
    return lambda x, tell: both(variables, x)


def _searched(
    game: Game, modality: Modality, variables: Any, seed: int, steps: int, compiled: Callable
) -> Callable:
    problem = Search(game, steps)

    def end(shared: Any, state: Any) -> Any:
        scores, examples = problem.compare(shared, state['trained'], state)
        return scores, modality.decode(examples)

    find = search.make(problem.begin, problem.step, end, steps, compiled)
    start = np.asarray(sampler.draw_inputs(game, seed, 1)['latent'][0])
    return lambda x, tell: find((variables, start), x, tell)[1]
