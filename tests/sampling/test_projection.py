"""The projection, on a game whose styles and noise enter linearly."""

import jax
import jax.numpy as jnp
import linear_styles
import numpy as np
import pytest

from gan_jax import keys
from gan_jax.sampling import projection


@pytest.mark.parametrize(
    ('progress', 'rate'),
    [(0, 0), (0.01, 0.02), (0.05, 0.1), (0.5, 0.1), (0.75, 0.1), (0.875, 0.05), (1, 0)],
)
def test_the_rate_goes_up_in_a_twentieth_and_down_in_a_fourth(progress, rate):
    assert float(projection.learning_rate(progress)) == pytest.approx(rate, abs=1e-8)


@pytest.mark.parametrize(
    ('progress', 'factor'), [(0, 0.05), (0.375, 0.0125), (0.6, 0.002), (0.75, 0), (1, 0)]
)
def test_the_noise_of_styles_goes_down_in_three_fourths(progress, factor):
    assert float(projection.style_noise(progress)) == pytest.approx(factor, abs=1e-8)


def test_the_regularization_of_known_maps():
    flat = np.ones((1, 8, 8), np.float32)
    assert projection.noise_regularization(flat).tolist() == [2]  # 1 down, 1 across
    stripes = np.broadcast_to([1.0, -1.0] * 4, (1, 8, 8)).astype(np.float32)
    assert projection.noise_regularization(stripes).tolist() == [2]  # the square forgets the sign
    impulse = np.zeros((1, 8, 8), np.float32)
    impulse[0, 7, 3] = 5
    assert projection.noise_regularization(impulse).tolist() == [0]
    impulse[0, 0, 3] = 4  # its neighbour beyond the side: (20 / 64)^2
    assert projection.noise_regularization(impulse).tolist() == [0.09765625]
    # Of 16 places: at its own size 2, halved it is 2 everywhere, (2 * 2)^2 both ways.
    assert projection.noise_regularization(np.ones((1, 16, 16), np.float32)).tolist() == [34]


def definition(maps):
    """Of one map, in float64, place by place."""
    total, side = 0.0, len(maps)
    for down, right in ((1, 0), (0, 1)):
        products = [
            maps[y, x] * maps[(y - down) % side, (x - right) % side]
            for y in range(side)
            for x in range(side)
        ]
        total += np.mean(products) ** 2
    if side <= 8:
        return total
    quarters = [maps[y::2, x::2] for y in (0, 1) for x in (0, 1)]
    return total + definition(sum(quarters) / 2)


def test_the_regularization_is_its_definition_and_does_not_hang_on_places():
    maps = np.random.default_rng(0).normal(size=(3, 32, 32)).cumsum(axis=1)
    found = projection.noise_regularization(jnp.asarray(maps, jnp.float32))
    np.testing.assert_allclose(found, [definition(x) for x in maps], rtol=1e-4)
    small = maps[:, :8, :8].astype(np.float32)
    first = projection.noise_regularization(small)
    for same in (-small, np.roll(small, (3, 5), (1, 2)), small.swapaxes(1, 2), small[:, ::-1]):
        np.testing.assert_allclose(projection.noise_regularization(same), first, rtol=1e-5)
    np.testing.assert_allclose(projection.noise_regularization(2 * small), 16 * first, rtol=1e-6)


def test_white_noise_costs_little_on_all_scales():
    """Of n places the mean of a square is 1 / n: 2 (1 / 4096 + 1 / 1024 + 1 / 256 + 1 / 64)."""
    maps = np.random.default_rng(0).normal(size=(400, 64, 64)).astype(np.float32)
    mean = float(projection.noise_regularization(maps).mean())
    assert mean == pytest.approx(2 * (1 / 4096 + 1 / 1024 + 1 / 256 + 1 / 64), rel=0.15)


def test_maps_are_normalized_one_by_one():
    maps = np.array([[[1.0, 3.0], [5.0, 7.0]], [[0.0, 0.0], [0.0, 8.0]]], np.float32)
    found = np.asarray(projection.normalized(maps))
    np.testing.assert_allclose(found.mean(axis=(1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose((found**2).mean(axis=(1, 2)), 1, rtol=1e-6)
    np.testing.assert_allclose(found[0], (maps[0] - 4) / 5**0.5, rtol=1e-6)


def test_the_styles_begin_at_their_mean_in_their_spread():
    """w = z M of normal z: mean 0, spread the norm of M."""
    variables = linear_styles.variables()
    found = projection.styles_of(linear_styles.GAME, variables, 0)
    norm = float(jnp.linalg.norm(variables[0]['map']))
    assert found.layers == linear_styles.LAYERS
    assert np.abs(found.mean).max() < 0.05 * norm
    assert found.spread == pytest.approx(norm, rel=0.02)


STYLES = projection.Styles(np.array([0.1, -0.2, 0.0], np.float32), 2.0, linear_styles.LAYERS)
PARAMS, AUX = linear_styles.variables()


def projected(targets, places, game=linear_styles.GAME, apart=False, steps=200, **options):
    smooth = options.get('smooth', projection.THEMSELVES)
    problem = projection.Problem(game, smooth, STYLES.layers, apart, steps)
    projector = projection.make_projector(problem, STYLES, lambda x: x, jax.jit)
    rng = keys.per_example(jax.random.key(0), 8)[np.array(places)]
    return projector(PARAMS, AUX, targets, rng, lambda _: None)


@pytest.fixture(scope='module')
def known():
    """Styles, one for both layers, and what is made of them."""
    w = np.random.default_rng(1).normal(size=(3, 1, linear_styles.SIZE)).astype(np.float32)
    w = np.broadcast_to(w, (3, linear_styles.LAYERS, linear_styles.SIZE))
    return w, np.asarray(linear_styles.synthesize(PARAMS, AUX, w))


@pytest.fixture(scope='module')
def found(known):
    return projected(known[1], [0, 1, 2], linear_styles.SILENT)


def test_what_the_game_made_is_found_again(known, found):
    styles, targets = known
    assert found.styles.shape == styles.shape
    np.testing.assert_array_equal(found.styles[:, 0], found.styles[:, 1])
    np.testing.assert_allclose(found.styles, styles, atol=0.02)
    np.testing.assert_allclose(found.examples, targets, atol=0.02)
    begun = linear_styles.synthesize(PARAMS, AUX, np.tile(STYLES.mean, (3, 2, 1)))
    np.testing.assert_allclose(found.first, np.square(begun - targets).mean((1, 2, 3)), rtol=1e-4)
    distances = np.square(found.examples - targets).mean((1, 2, 3))
    np.testing.assert_allclose(found.distances, distances, rtol=1e-3)
    assert (found.distances < found.first / 100).all()


def test_an_example_is_projected_alike_in_any_company(known):
    both = projected(known[1][:2], [0, 1], linear_styles.SILENT, steps=9)
    alone = projected(known[1][1:2], [1], linear_styles.SILENT, steps=9)
    np.testing.assert_allclose(alone.styles[0], both.styles[1], atol=1e-6)
    other = projected(known[1][1:2], [7], linear_styles.SILENT, steps=9)
    assert np.abs(other.styles[0] - both.styles[1]).max() > 1e-3


def test_the_layers_styles_are_found_one_by_one_in_w_plus():
    w = np.random.default_rng(2).normal(size=(1, linear_styles.LAYERS, linear_styles.SIZE))
    w = w.astype(np.float32)
    target = np.asarray(linear_styles.synthesize(PARAMS, AUX, w))
    one = projected(target, [0], linear_styles.SILENT)
    each = projected(target, [0], linear_styles.SILENT, apart=True)
    np.testing.assert_allclose(each.styles, w, atol=0.05)
    assert each.distances[0] < 0.01 * one.distances[0]


def test_noise_is_found_too_and_stays_noise(known):
    """Left to itself it would copy the example; it has mean 0 and mean square 1 after each step."""
    problem, shared, state = begun(known, steps=20)
    before = state['trained']['noise']
    state = jax.jit(problem.step)(shared, state, jnp.int32(5))
    after = state['trained']['noise']
    assert {name: x.shape for name, x in after.items()} == {'a': (3, 8, 8), 'b': (3, 16, 16)}
    for name, x in after.items():
        assert np.abs(x - before[name]).max() > 0.01
        np.testing.assert_allclose(jnp.mean(x, (1, 2)), 0, atol=1e-6)
        np.testing.assert_allclose(jnp.mean(x**2, (1, 2)), 1, rtol=1e-5)


def test_the_features_are_what_is_compared(known):
    """A network that sees the left half only, by a factor of its own."""
    half = (jnp.float32(3.0), lambda params, x: params * x[:, :, :4])
    found = projected(known[1], [0, 1, 2], linear_styles.SILENT, smooth=half, steps=20)
    left = np.square(found.examples - known[1])[:, :, :4].mean((1, 2, 3))
    np.testing.assert_allclose(found.distances, 9 * left, rtol=1e-3)


@pytest.mark.parametrize(
    ('side', 'num', 'together'), [(32, 100, 16), (32, 3, 3), (256, 100, 6), (1024, 100, 1)]
)
def test_fewer_large_examples_are_projected_together(side, num, together):
    assert projection.together((side, side, 3), num) == together


def begun(known, steps=30):
    problem = projection.Problem(
        linear_styles.GAME, projection.THEMSELVES, STYLES.layers, steps=steps
    )
    shared = (PARAMS, AUX), None, (STYLES.mean, np.float32(STYLES.spread))
    rng = keys.per_example(jax.random.key(0), 3)
    state = problem.begin(shared, {'target': known[1], 'key': jax.random.key_data(rng)})
    return problem, shared, state


def test_noise_maps_are_made_white(known):
    """Neighbours that are alike in the beginning have nothing in common in the end."""
    problem, shared, state = begun(known)
    maps = state['trained']['noise']
    smooth = {name: projection.normalized(x + jnp.roll(x, 1, 1)) for name, x in maps.items()}
    state['trained']['noise'] = smooth
    step = jax.jit(problem.step)
    for number in range(30):
        state = step(shared, state, jnp.int32(number))
    for name, x in state['trained']['noise'].items():
        before = projection.noise_regularization(smooth[name])
        assert (projection.noise_regularization(x) < 0.1 * before).all()


def test_each_step_draws_its_own_noise_for_styles(known, monkeypatch):
    """The mean of the first gradient, which hangs on the step's number through that alone."""
    monkeypatch.setattr(projection, 'style_noise', lambda progress: 0.05)
    problem, shared, state = begun(known)
    first, again, other = (
        problem.step(shared, state, jnp.int32(i))['moments'][0]['styles'] for i in (5, 5, 6)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3
