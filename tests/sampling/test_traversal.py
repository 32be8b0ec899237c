import jax
import numpy as np

from gan_jax import keys, latents
from gan_jax.game import Game
from gan_jax.sampling import traversal

RNG = keys.per_example(jax.random.key(0), 2)


def test_each_row_goes_through_one_code_of_one_draw():
    inputs = latents.coded(RNG, 3, 5, 2)
    grid = {name: np.asarray(x) for name, x in traversal.traversals(inputs, 5).items()}
    assert {len(x) for x in grid.values()} == {3 * 2 * 5}
    rows = {name: x.reshape(3, 2, 5, *x.shape[1:]) for name, x in grid.items()}
    for code in range(3):
        for row in range(2):
            np.testing.assert_array_equal(
                rows['latent'][code, row], np.tile(inputs['latent'][row], (5, 1))
            )
    np.testing.assert_array_equal(rows['category'][0], [[0, 1, 2, 3, 4]] * 2)
    np.testing.assert_array_equal(rows['category'][1:], [[[0] * 5, [1] * 5]] * 2)
    drawn = np.asarray(inputs['continuous'])
    np.testing.assert_array_equal(rows['continuous'][0], drawn[:, None].repeat(5, axis=1))
    for code in (0, 1):
        np.testing.assert_allclose(
            rows['continuous'][1 + code, :, :, code], [[-2, -1, 0, 1, 2]] * 2
        )
        other = rows['continuous'][1 + code, :, :, 1 - code]
        np.testing.assert_array_equal(other, drawn[:, 1 - code, None].repeat(5, axis=1))


def test_only_priors_with_codes_have_any():
    coded = {'prior': lambda rng: latents.coded(rng, 3, 5, 0)}
    plain = {'prior': lambda rng: {'latent': latents.normal(rng, 3)}}
    assert traversal.has_codes(Game(None, (), coded))
    assert not traversal.has_codes(Game(None, (), plain))
    assert not traversal.has_codes(Game(None, (), {}))
