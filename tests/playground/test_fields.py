"""What the page shows, with discriminators and generators whose answers are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import objectives
from gan_jax.playground import fields

W, B = np.array([2.0, -1.0], np.float32), np.float32(0.5)
RNG = np.random.default_rng(0)
REAL, FAKE = (RNG.normal(size=(7, 2)).astype(np.float32) for _ in range(2))


def linear(points):
    return points @ W + B


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


# -dL/dD of a generated point's logit d, of a real one's r.
SLOPES = {
    'non_saturating': lambda d, r: sigmoid(-d),
    'minimax': lambda d, r: sigmoid(d),
    'wasserstein': lambda d, r: np.ones_like(d),
    'hinge': lambda d, r: np.ones_like(d),
    'relativistic_pairing_non_saturating': lambda d, r: sigmoid(r - d),
}


@pytest.mark.parametrize('name', SLOPES)
def test_arrows_of_a_linear_discriminator(name):
    loss = getattr(objectives, name).generator
    found = fields.arrows(linear, loss, REAL, FAKE)
    slope = SLOPES[name](linear(FAKE), linear(REAL))
    np.testing.assert_allclose(found, slope[:, None] * W, rtol=1e-5)


def test_arrows_of_least_squares_point_to_where_the_logit_is_1():
    """L = (D - 1)^2 / 2: v = (1 - D) w, or twice that without the half."""
    loss = objectives.least_squares.generator
    found = fields.arrows(linear, loss, REAL, FAKE)
    along = found @ W
    assert (np.sign(along) == np.sign(1 - linear(FAKE))).all()
    np.testing.assert_allclose(found[:, 0] * W[1], found[:, 1] * W[0], rtol=1e-5)


def test_opinions_are_probabilities_or_ranked_by_the_field_itself():
    logits = jnp.array([-2.0, 0.0, 2.0])
    np.testing.assert_allclose(fields.opinions(logits, True), sigmoid(np.array(logits)), rtol=1e-6)
    # The deviation is sqrt(8 / 3); neither a shift nor a scale of the logits changes anything.
    expected = sigmoid(np.array([-1.0, 0.0, 1.0]) * np.sqrt(1.5))
    for changed in (logits, 100 * logits + 7):
        np.testing.assert_allclose(fields.opinions(changed, False), expected, rtol=1e-5)
    assert fields.opinions(jnp.full(3, 4.0), False).tolist() == [0.5] * 3


def test_the_net_has_quantiles_in_two_coordinates_and_the_rest_at_the_median():
    ticks = np.linspace(0, 1, 1001, dtype=np.float32)
    draws = np.stack([ticks, 10 * ticks[::-1], ticks - 3], axis=-1)
    net = np.asarray(fields.latent_grid(draws, 2))
    expected = [[0.25, 2.5, -2.5], [0.25, 7.5, -2.5], [0.75, 2.5, -2.5], [0.75, 7.5, -2.5]]
    np.testing.assert_allclose(net, expected, rtol=1e-5)
    curve = fields.latent_grid(draws[:, :1], 2)
    np.testing.assert_allclose(curve, [[0.25], [0.25], [0.75], [0.75]], rtol=1e-6)


def test_a_look_at_a_linear_game():
    """G(z) = a z + c shown as it is; arrows at the first points only."""
    functions = {
        'sample': lambda params, aux, inputs: params['a'] * inputs['latent'] + aux['c'],
        'score': lambda params, aux, batch: linear(batch['real']),
    }
    players = {'a': jnp.float32(3)}, {'c': jnp.ones((1, 2))}
    found = fields.look(
        functions,
        objectives.wasserstein.generator,
        True,
        {'latent': FAKE},
        {'latent': REAL},
        np.zeros((5, 2), np.float32),
        3,
        players,
        REAL,
    )
    np.testing.assert_allclose(found['fake'], 3 * FAKE + 1, rtol=1e-6)
    np.testing.assert_allclose(found['manifold'], 3 * REAL + 1, rtol=1e-6)
    np.testing.assert_allclose(found['field'], [sigmoid(0.5)] * 5, rtol=1e-6)
    np.testing.assert_allclose(found['arrows'], [W] * 3)
    assert jax.tree.all(jax.tree.map(lambda x: x.dtype == jnp.float32, found))
