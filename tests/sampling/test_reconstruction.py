"""Pictures of what is made again: originals, what they become, and the difference."""

import numpy as np

from gan_jax import game, modalities
from gan_jax.sampling import reconstruction

IMAGES = modalities.make({'name': 'images', 'shape': (4, 4, 1)})
GAME = game.Game(None, (), {'reconstruct': lambda params, aux, x: -x})


def test_the_difference_does_not_wrap_around():
    originals, again = np.array([0, 200, 7], np.uint8), np.array([255, 190, 7], np.uint8)
    assert reconstruction.difference(originals, again).tolist() == [255, 10, 0]


def test_each_example_stands_beside_what_it_becomes_and_the_difference():
    real = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 1), np.uint8)
    picture = reconstruction.make_picture(GAME, IMAGES, real)({}, {})
    again = 255 - real
    rows = np.stack([real, again, reconstruction.difference(real, again)], axis=1)
    expected = IMAGES.picture(rows.reshape(-1, 4, 4, 1), columns=12, headings=('a', 'b', 'c'))
    np.testing.assert_array_equal(picture[20:], expected[20:])  # below the headings


def test_which_games_reconstruct():
    assert reconstruction.reconstructs(GAME)
    assert not reconstruction.reconstructs(GAME._replace(functions={'sample': None}))
