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
