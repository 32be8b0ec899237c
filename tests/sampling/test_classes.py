"""Grids with a class a row, and ways from class to class."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import keys, latents
from gan_jax.game import Game
from gan_jax.modalities import make
from gan_jax.sampling import classes, sampler

RNG = keys.per_example(jax.random.key(0), 4)
INPUTS = {'latent': latents.normal(RNG, 3), 'label': jnp.array([4, 4, 0, 1], jnp.int32)}


@pytest.mark.parametrize(
    ('num', 'most', 'chosen'),
    [(3, 20, [0, 1, 2]), (20, 20, [*range(20)]), (1000, 4, [0, 333, 666, 999]), (2, 1, [0])],
)
def test_classes_are_spread_over_all(num, most, chosen):
    assert classes.spread(num, most).tolist() == chosen


def test_each_row_is_of_one_class_and_each_column_of_one_draw():
    grid = classes.one_a_row(INPUTS, np.array([0, 2, 4], np.int32))
    assert grid['label'].dtype == np.int32
    assert grid['label'].reshape(3, 4).tolist() == [[0] * 4, [2] * 4, [4] * 4]
    for row in grid['latent'].reshape(3, 4, 3):
        np.testing.assert_array_equal(row, INPUTS['latent'])


def test_a_way_goes_from_one_hot_to_one_hot_with_one_draw():
    chosen = np.array([0, 2, 3, 4], np.int32)
    ways = classes.between(INPUTS, chosen, 5, 3)
    labels = ways['label'].reshape(4, 3, 5)
    assert labels.dtype == np.float32
    np.testing.assert_array_equal(labels[:, 0], np.eye(5)[chosen])
    np.testing.assert_array_equal(labels[:, 2], np.eye(5)[[2, 3, 4, 0]])
    np.testing.assert_array_equal(labels[0, 1], [0.5, 0, 0.5, 0, 0])
    for way, latent in zip(ways['latent'].reshape(4, 3, 3), INPUTS['latent'], strict=True):
        np.testing.assert_array_equal(way, [latent] * 3)


def conditional(sample):
    def prior(rng):
        return {'latent': latents.normal(rng, 3), 'label': latents.labels(rng, 5)}

    return Game(lambda key, batch: ({}, {}), (), {'prior': prior, 'sample': sample})


@pytest.mark.parametrize(
    ('look', 'mixes'),
    [
        (lambda label: label @ jnp.ones((5, 3)), True),
        (lambda label: jnp.ones((5, 3))[label], False),
    ],
)
def test_whether_labels_can_be_mixed_is_found_by_asking_the_network(look, mixes):
    def sample(params, aux, inputs):
        return jnp.concatenate([inputs['latent'], look(inputs['label'])], axis=-1)

    assert classes.mixes(conditional(sample), {'real': jnp.zeros((1, 3))}, 5) == mixes


def test_the_grid_of_a_conditional_game_has_a_class_a_row():
    def sample(params, aux, inputs):
        shade = inputs['label'].astype(jnp.float32) / 2 - 1
        return params * jnp.ones((len(shade), 4, 4, 1)) * shade[:, None, None, None]

    game = conditional(sample)
    game.functions['score'] = None
    settings = {'name': 'images', 'shape': [4, 4, 1], 'classes': 2}
    inputs = {'latent': np.zeros((7, 3), np.float32), 'label': np.full(7, 4, np.int32)}
    picture = sampler.make_picture(game, make(settings), np.zeros((1, 4, 4, 1), np.uint8), inputs)
    image = picture(np.float32(1), {})[..., 0]
    side = image.shape[0] // 3
    middles = image[side // 2 :: side, side // 2 :: side][:3, :3]
    assert middles.tolist() == [[0, 0, 0], [64, 64, 64], [0, 255, 255]]
