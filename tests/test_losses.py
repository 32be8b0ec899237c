import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from gan_jax import losses

GENERATOR = np.random.default_rng(0)
X, Y = GENERATOR.normal(size=(2, 3, 4, 5, 2)).astype(np.float32)
DISTANCES = {name: getattr(losses, name) for name in ('l1', 'l2', 'charbonnier', 'cosine')}
FLAT_X, FLAT_Y = (np.float64(v).reshape(3, -1) for v in (X, Y))
LENGTHS = np.linalg.norm(FLAT_X, axis=1) * np.linalg.norm(FLAT_Y, axis=1)
WANT = {
    'l1': np.abs(FLAT_X - FLAT_Y).mean(1),
    'l2': ((FLAT_X - FLAT_Y) ** 2).mean(1),
    'charbonnier': np.sqrt((FLAT_X - FLAT_Y) ** 2 + 1e-6).mean(1),
    'cosine': 1 - (FLAT_X * FLAT_Y).sum(1) / LENGTHS,
}


class LiteralTest(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True)
    def test_by_hand(self):
        x, y = np.array([[3.0, 4.0]], np.float32), np.array([[0.0, 2.0]], np.float32)
        for name, want in (('l1', 2.5), ('l2', 6.5), ('cosine', 0.2), ('charbonnier', 2.5000002)):
            np.testing.assert_allclose(self.variant(DISTANCES[name])(x, y), [want], rtol=1e-6)

    @chex.variants(with_jit=True, without_jit=True)
    def test_against_numpy(self):
        for name, distance in DISTANCES.items():
            np.testing.assert_allclose(self.variant(distance)(X, Y), WANT[name], rtol=1e-5)

    @chex.variants(with_jit=True, without_jit=True)
    def test_total_variation(self):
        down = np.abs(np.diff(np.float64(X), axis=1)).mean((1, 2, 3))
        right = np.abs(np.diff(np.float64(X), axis=2)).mean((1, 2, 3))
        np.testing.assert_allclose(self.variant(losses.total_variation)(X), down + right, rtol=1e-5)

    @chex.variants(with_jit=True, without_jit=True)
    def test_gradients_have_closed_forms(self):
        for name, want in (
            ('l1', np.sign(FLAT_X - FLAT_Y) / 40),
            ('l2', (FLAT_X - FLAT_Y) / 20),
            ('charbonnier', (FLAT_X - FLAT_Y) / np.sqrt((FLAT_X - FLAT_Y) ** 2 + 1e-6) / 40),
        ):
            gradient = self.variant(jax.grad(lambda x, f=DISTANCES[name]: f(x, Y).sum()))(X)
            np.testing.assert_allclose(gradient.reshape(3, -1), want, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize('name', DISTANCES)
def test_distances_are_per_example_float32_and_symmetric(name):
    value = DISTANCES[name](jnp.asarray(X, jnp.bfloat16), jnp.asarray(Y, jnp.bfloat16))
    chex.assert_shape(value, (3,))
    assert value.dtype == jnp.float32
    np.testing.assert_allclose(value, WANT[name], rtol=2e-2)
    np.testing.assert_allclose(DISTANCES[name](X, Y), DISTANCES[name](Y, X), rtol=1e-6)


@pytest.mark.parametrize(('name', 'least'), [('l1', 0), ('l2', 0), ('charbonnier', 1e-3)])
def test_of_equal_examples_it_is_least_and_flat(name, least):
    np.testing.assert_allclose(DISTANCES[name](X, X), np.full(3, least), rtol=1e-5)
    gradient = jax.grad(lambda x: DISTANCES[name](x, X).sum())(X)
    np.testing.assert_array_equal(gradient, np.zeros_like(X))


def test_cosine_sees_directions_only():
    np.testing.assert_allclose(losses.cosine(X, 3 * X), np.zeros(3), atol=1e-6)
    np.testing.assert_allclose(losses.cosine(X, -X), np.full(3, 2.0), rtol=1e-6)
    np.testing.assert_allclose(losses.cosine(X, 5 * Y), WANT['cosine'], rtol=1e-5)


def test_cosine_of_zero_is_one_and_flat():
    value, gradients = jax.value_and_grad(lambda x, y: losses.cosine(x, y).sum(), argnums=(0, 1))(
        np.zeros_like(X), Y
    )
    assert value == 3
    chex.assert_trees_all_equal(gradients, (np.zeros_like(X), np.zeros_like(X)))


def test_charbonnier_far_above_epsilon_is_l1_and_far_below_it_half_a_square():
    np.testing.assert_allclose(losses.charbonnier(X, Y, 1e-6), losses.l1(X, Y), rtol=1e-5)
    near = 1e-2 * X
    np.testing.assert_allclose(
        losses.charbonnier(near, 0 * X, 10.0) - 10.0, losses.l2(near, 0 * X) / 20, atol=2e-6
    )
    with pytest.raises(ValueError, match='epsilon must be above 0'):
        losses.charbonnier(X, Y, 0.0)


def test_gradients_in_64_bits():
    with jax.enable_x64(True):
        x, y = np.float64(X[:2, :3, :3, :1]), np.float64(Y[:2, :3, :3, :1])

        @jax.jit
        def all_losses(x, y):
            # Charbonnier's own epsilon bends more than finite differences can follow.
            return (
                losses.l1(x, y),
                losses.l2(x, y),
                losses.charbonnier(x, y, epsilon=0.1),
                losses.cosine(x, y),
                losses.total_variation(x),
                losses.feature_matching([x, 2 * y], [y, x]),
                losses.feature_statistics_matching([x, 2 * y], [y, x]),
            )

        assert all(value.dtype == jnp.float64 for value in all_losses(x, y))
        check_grads(all_losses, (x, y), order=2, modes=['rev'], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('name', DISTANCES)
def test_unequal_shapes_are_refused(name):
    with pytest.raises(AssertionError):
        DISTANCES[name](X, Y[:2])
    with pytest.raises(AssertionError):
        DISTANCES[name](X[..., :1], Y)


def test_total_variation_of_flat_images_of_a_step_and_of_a_line():
    flat = np.full((2, 4, 6, 3), 0.3, np.float32)
    np.testing.assert_array_equal(losses.total_variation(flat), [0, 0])
    gradient = jax.grad(lambda x: losses.total_variation(x).sum())(flat)
    np.testing.assert_array_equal(gradient, np.zeros_like(flat))
    # One of three differences down each column is 1, none along the rows.
    step = np.repeat(np.array([0, 0, 1, 1], np.float32), 6).reshape(1, 4, 6, 1)
    np.testing.assert_allclose(losses.total_variation(step), [1 / 3], rtol=1e-6)
    line = np.array([0.0, 1.0, 3.0], np.float32).reshape(1, 1, 3, 1)
    np.testing.assert_allclose(losses.total_variation(line), [1.5])
    with pytest.raises(AssertionError):
        losses.total_variation(flat[0])


FEATURES = {'deep': X[:, 0, :, 0], 'shallow': X}
OTHERS = {'deep': Y[:, 0, :, 0], 'shallow': Y}


class FeatureTest(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True)
    def test_matching_is_the_mean_distance_over_layers(self):
        for distance in (losses.l1, losses.l2):
            match = self.variant(lambda x, y, f=distance: losses.feature_matching(x, y, f))
            want = (distance(X[:, 0, :, 0], Y[:, 0, :, 0]) + distance(X, Y)) / 2
            np.testing.assert_allclose(match(FEATURES, OTHERS), want, rtol=1e-6)

    @chex.variants(with_jit=True, without_jit=True)
    def test_statistics_are_squared_distances_of_batch_means(self):
        match = self.variant(losses.feature_statistics_matching)
        squares = [
            ((np.float64(x).mean(0) - np.float64(y).mean(0)) ** 2).sum()
            for x, y in zip(FEATURES.values(), OTHERS.values(), strict=True)
        ]
        np.testing.assert_allclose(match(FEATURES, OTHERS), np.mean(squares), rtol=1e-5)


def test_the_default_distance_is_l1_and_one_layer_is_that_distance():
    np.testing.assert_allclose(losses.feature_matching([X], [Y]), losses.l1(X, Y))


def test_statistics_do_not_see_the_order_of_examples_but_matching_does():
    assert losses.feature_statistics_matching(X, X[::-1]) < 1e-10
    assert losses.feature_matching(X, X[::-1]).min() >= 0
    assert losses.feature_matching(X, X[::-1]).max() > 0.1


def test_statistics_of_a_split_batch_are_those_of_the_whole():
    x, y = np.random.default_rng(1).normal(size=(2, 8, 5)).astype(np.float32)
    split = jax.vmap(
        lambda x, y: losses.feature_statistics_matching([x], [y], 'data'), axis_name='data'
    )(x.reshape(4, 2, 5), y.reshape(4, 2, 5))
    want = losses.feature_statistics_matching([x], [y])
    np.testing.assert_allclose(split, np.full(4, want), rtol=1e-5)


@pytest.mark.parametrize(
    'others', [{'deep': OTHERS['deep']}, {**OTHERS, 'deep': Y[:, 0, :3, 0]}, [X, Y], {}]
)
def test_features_that_do_not_match_are_refused(others):
    for match in (losses.feature_matching, losses.feature_statistics_matching):
        with pytest.raises(AssertionError):
            match(FEATURES, others)
        with pytest.raises(AssertionError):
            match({}, {})


def test_the_means_absolute_distance_is_that_of_the_cifar_code():
    want = np.abs(np.float64(X).mean(0) - np.float64(Y).mean(0)).mean()
    found = losses.feature_statistics_matching([X], [Y], size=losses.mean_absolute)
    np.testing.assert_allclose(found, want, rtol=1e-5)
    alike = jax.grad(
        lambda x: losses.feature_statistics_matching([x], [X], size=losses.mean_absolute)
    )(jnp.asarray(X))
    assert not alike.any()


def test_the_means_mean_square_is_that_of_the_mnist_code():
    want = np.square(np.float64(X).mean(0) - np.float64(Y).mean(0)).mean()
    found = losses.feature_statistics_matching([X], [Y], size=losses.mean_square)
    np.testing.assert_allclose(found, want, rtol=1e-5)


RECONSTRUCTION = {'kernel': jnp.array([[3.0, 0.0]]), 'bias': jnp.array([4.0])}
ADVERSARIAL = {'kernel': jnp.array([[0.0, 0.3]]), 'bias': jnp.array([0.4])}


@pytest.mark.parametrize(
    ('changes', 'want'),
    [
        ({}, 5 / 0.5001),
        ({'weight': 0.8}, 0.8 * 5 / 0.5001),
        ({'most': 7.0}, 7.0),
        ({'most': 7.0, 'weight': 0.5}, 3.5),
        ({'start': 11}, 0.0),
        ({'start': 10}, 5 / 0.5001),
    ],
)
def test_the_adaptive_weight_by_hand(changes, want):
    found = losses.adaptive_weight(RECONSTRUCTION, ADVERSARIAL, 10, **changes)
    np.testing.assert_allclose(found, want, rtol=1e-6)


def test_the_adaptive_weight_is_a_factor_without_a_gradient_and_never_infinite():
    nothing = jax.tree.map(jnp.zeros_like, ADVERSARIAL)
    np.testing.assert_allclose(losses.adaptive_weight(RECONSTRUCTION, nothing, 0), 1e4, rtol=1e-6)
    assert losses.adaptive_weight(nothing, nothing, 0) == 0
    for given in (RECONSTRUCTION, nothing):
        gradients = jax.grad(lambda x: losses.adaptive_weight(x, ADVERSARIAL, 0))(given)
        assert not any(x.any() for x in jax.tree.leaves(gradients))
    with pytest.raises(AssertionError):
        losses.adaptive_weight(RECONSTRUCTION, {'kernel': jnp.zeros((1, 2))}, 0)


def test_the_adaptive_weight_makes_both_pull_alike():
    """Of a linear decoder: |reconstruction's gradient| = |weight times the adversarial one|."""
    layer, codes = jnp.array([0.7, -0.2]), jnp.asarray(X[0, 0, :, :])
    reconstruction = jax.grad(lambda w: jnp.mean(jnp.square(codes @ w - 1.0)))(layer)
    adversarial = jax.grad(lambda w: -jnp.mean(codes @ w))(layer)
    factor = losses.adaptive_weight(reconstruction, adversarial, jnp.int32(0), epsilon=1e-12)
    lengths = [np.linalg.norm(x) for x in (reconstruction, factor * adversarial)]
    np.testing.assert_allclose(*lengths, rtol=1e-5)


def test_moments_by_hand():
    x, y = np.array([[0.0, 1.0], [2.0, 1.0]], np.float32), np.array([[3.0, 1.0], [3.0, 5.0]])
    y = y.astype(np.float32)
    # Means 1, 1 and 3, 3; deviations 1, 0 and 0, 2, each with 1e-6 under its root.
    np.testing.assert_allclose(losses.moments_matching(x, y), 2 + 2.998 / 2, rtol=1e-5)
    assert losses.moments_matching(x, x) == 0
    np.testing.assert_allclose(losses.moments_matching(x, x[::-1]), 0, atol=1e-6)


def test_moments_are_of_all_devices():
    """Their gradients, too: the mean over the devices is the whole batch's."""
    x, y = np.random.default_rng(3).normal(size=(2, 8, 5)).astype(np.float32)
    whole, gradient = jax.value_and_grad(losses.moments_matching)(x, y)
    shards = [v.reshape(4, 2, 5) for v in (x, y)]

    def of_part(x, y):
        return losses.moments_matching(x, y, 'data')

    values, gradients = jax.vmap(jax.value_and_grad(of_part), axis_name='data')(*shards)
    np.testing.assert_allclose(values, np.full(4, whole), rtol=1e-5)
    # Each device's gradient is of its own 2 examples, of a mean over 4 devices.
    np.testing.assert_allclose(gradients.reshape(8, 5) / 4, gradient, rtol=1e-4, atol=1e-6)


def test_moments_have_a_gradient_where_all_is_equal():
    x = np.ones((3, 2), np.float32)
    np.testing.assert_array_equal(jax.grad(losses.moments_matching)(x, x), 0)
    with pytest.raises(AssertionError):
        losses.moments_matching(x, x[:2])
