import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import keys
from gan_jax import stabilization as cures

KEYS = keys.per_example(jax.random.key(0), 6)


def test_a_pack_holds_consecutive_examples_along_the_last_axis():
    images = np.arange(4 * 2 * 3 * 2, dtype=np.float32).reshape(4, 2, 3, 2)
    packs = cures.pack(images, 2)
    assert packs.shape == (2, 2, 3, 4)
    np.testing.assert_array_equal(packs[..., :2], images[::2])
    np.testing.assert_array_equal(packs[..., 2:], images[1::2])
    points = np.arange(8.0).reshape(4, 2)
    np.testing.assert_array_equal(cures.pack(points, 4), [np.arange(8.0)])
    np.testing.assert_array_equal(cures.pack(points, 1), points)
    with pytest.raises(ValueError, match='cannot be packed by 3'):
        cures.pack(points, 3)


def test_noise_has_the_standard_deviation_asked_for_and_keys_of_its_own():
    many = keys.per_example(jax.random.key(1), 500)
    noise = cures.instance_noise(jnp.ones((500, 20)), many, 0.3) - 1
    assert float(noise.std()) == pytest.approx(0.3, rel=0.03)
    assert abs(float(noise.mean())) < 0.015
    part = cures.instance_noise(jnp.ones((100, 20)), many[200:300], 0.3) - 1
    np.testing.assert_array_equal(part, noise[200:300])
    np.testing.assert_array_equal(cures.instance_noise(jnp.ones((6, 2)), KEYS, 0.0), 1.0)


@pytest.mark.parametrize(
    ('step', 'steps', 'value'),
    [(0, 10, 2.0), (5, 10, 1.5), (10, 10, 1.0), (99, 10, 1.0), (3, 0, 1.0)],
)
def test_the_schedule_is_a_line_and_then_its_end(step, steps, value):
    assert float(cures.linear(jnp.int32(step), 2.0, 1.0, steps)) == value


def test_flipping_exchanges_pairs():
    real, fake = jnp.arange(6.0), -jnp.arange(6.0) - 1
    np.testing.assert_array_equal(cures.flip_labels(real, fake, KEYS, 1.0), (fake, real))
    np.testing.assert_array_equal(cures.flip_labels(real, fake, KEYS, 0.0), (real, fake))
    many = keys.per_example(jax.random.key(1), 4000)
    flipped, other = cures.flip_labels(jnp.ones((4000, 2)), jnp.zeros((4000, 2)), many, 0.2)
    np.testing.assert_array_equal(flipped + other, 1.0)
    np.testing.assert_array_equal(flipped[:, 0], flipped[:, 1])
    assert 1 - float(flipped.mean()) == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize(('share', 'kept'), [(1.0, 6), (0.5, 3), (0.34, 2), (0.01, 1)])
def test_top_k_keeps_the_likeliest_samples_and_the_mean(share, kept):
    logits = jnp.array([0.3, -1.0, 2.0, 0.1, 5.0, -3.0])
    losses = jnp.arange(1.0, 7.0)
    found = cures.top_k(losses, logits, share)
    best = np.argsort(-np.asarray(logits))[:kept]
    np.testing.assert_allclose(found.mean(), losses[best].mean(), rtol=1e-6)
    assert sorted(np.flatnonzero(found)) == sorted(best)


def test_samples_as_likely_as_the_last_that_is_kept_are_kept_too():
    logits, losses = jnp.array([1.0, 1.0, 1.0, 0.0]), jnp.array([1.0, 2.0, 3.0, 40.0])
    found = cures.top_k(losses, logits, 0.5)
    np.testing.assert_allclose(found, [4 / 3, 8 / 3, 4.0, 0.0], rtol=1e-6)
    np.testing.assert_allclose(found.mean(), 2.0, rtol=1e-6)


def test_top_k_over_devices_is_that_of_the_whole_batch():
    logits = jax.random.normal(jax.random.key(0), (8,))
    losses = jnp.arange(8.0) + 1
    whole = cures.top_k(losses, logits, 0.5)
    parts = jax.vmap(lambda x, y: cures.top_k(x, y, 0.5, 'data'), axis_name='data')(
        losses.reshape(2, 4), logits.reshape(2, 4)
    )
    np.testing.assert_allclose(parts.ravel(), whole, rtol=1e-6)


def test_no_gradient_flows_through_the_choice():
    def loss(logits):
        return cures.top_k(jax.nn.softplus(-logits), logits, 0.5).mean()

    logits = jnp.array([0.5, -2.0, 1.0, -1.0])
    want = np.where(np.array([1, 0, 1, 0]), -1 / (1 + np.exp(np.array(logits))) / 2, 0.0)
    np.testing.assert_allclose(jax.grad(loss)(logits), want, rtol=1e-5)


def kernels(seed=0):
    """Two layers, an embedding and a number, in float32."""
    rng = np.random.default_rng(seed)
    drawn = {
        'Conv_0': {'kernel': rng.normal(size=(3, 3, 2, 4)), 'bias': rng.normal(size=4)},
        'Dense_0': {'kernel': rng.normal(size=(3, 5))},
        'embedding': rng.normal(size=(7, 3)),
        'gamma': rng.normal(),
    }
    return jax.tree.map(jnp.float32, drawn)


def test_the_orthogonal_penalty_and_its_gradient_are_the_closed_forms():
    """||W'W o (1 - I)||^2 and 4 W (W'W o (1 - I)), in float64."""
    params, want = kernels(), 0.0
    value, gradient = jax.value_and_grad(cures.orthogonal)(params)
    for name in ('Conv_0', 'Dense_0'):
        kernel = np.float64(params[name]['kernel'])
        matrix = kernel.reshape(-1, kernel.shape[-1])
        off = matrix.T @ matrix * (1 - np.eye(matrix.shape[1]))
        want += np.sum(off**2)
        slopes = (4 * matrix @ off).reshape(kernel.shape)
        np.testing.assert_allclose(gradient[name]['kernel'], slopes, rtol=1e-4, atol=1e-4)
    assert value.dtype == jnp.float32
    np.testing.assert_allclose(value, want, rtol=1e-5)
    assert not gradient['Conv_0']['bias'].any()
    assert not gradient['embedding'].any()
    named = cures.orthogonal({'w': params['Dense_0']['kernel']}, name='w')
    np.testing.assert_allclose(named, cures.orthogonal({'Dense_0': params['Dense_0']}), rtol=1e-6)


def test_filters_at_right_angles_cost_nothing_whatever_their_lengths():
    kernel = jnp.array([[3.0, 0.0], [0.0, -0.1], [0.0, 0.0]])
    assert cures.orthogonal({'kernel': kernel}) == 0
    assert cures.orthogonal({'bias': jnp.ones(3)}) == 0
    both = cures.orthogonal({'kernel': jnp.ones((3, 2))})
    np.testing.assert_allclose(both, 2 * 3.0**2)  # the two products that are off the diagonal
    with pytest.raises(AssertionError):
        cures.orthogonal({'kernel': jnp.ones(3)})
