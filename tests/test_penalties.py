import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from gan_jax import penalties

IMAGES = np.random.default_rng(0).normal(size=(5, 4, 4, 2)).astype(np.float32)


class R1Test(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True)
    def test_of_a_linear_critic_it_is_the_squared_norm(self):
        weights = np.random.default_rng(1).normal(size=(4, 4, 2)).astype(np.float32)

        def critic(images):
            return jnp.einsum('nhwc,hwc->n', images, weights)

        value = self.variant(lambda x: penalties.r1(critic, x))(IMAGES)
        np.testing.assert_allclose(value, np.full(5, (weights**2).sum()), rtol=1e-5)

    @chex.variants(with_jit=True, without_jit=True)
    def test_of_a_quadratic_critic_it_is_four_squares(self):
        value = self.variant(
            lambda x: penalties.r1(lambda images: jnp.sum(images**2, axis=(1, 2, 3)), x)
        )(IMAGES)
        np.testing.assert_allclose(value, 4 * (IMAGES**2).sum((1, 2, 3)), rtol=1e-5)


def test_logits_of_any_rank_are_summed():
    def patches(images):
        return 3.0 * images.sum(axis=-1, keepdims=True)

    np.testing.assert_allclose(penalties.r1(patches, IMAGES), 9.0 * 4 * 4 * 2, rtol=1e-6)


def test_where_the_critic_is_flat_value_and_gradient_are_zero():
    value, gradient = jax.value_and_grad(
        lambda w: penalties.r1(lambda x: w * x.sum(axis=(1, 2, 3)), IMAGES).sum()
    )(0.0)
    assert value == 0
    assert gradient == 0


def test_it_differentiates_twice():
    with jax.enable_x64(True):
        images = np.asarray(IMAGES[:2, :2, :2, :1], np.float64)

        def penalty(w):
            return penalties.r1(lambda x: jnp.sin(w * x).sum(axis=(1, 2, 3)), images).sum()

        check_grads(penalty, (np.float64(0.7),), order=2, modes=['rev'], atol=1e-3, rtol=1e-3)


def test_a_lone_vector_is_refused():
    with pytest.raises(AssertionError):
        penalties.r1(lambda x: x, np.ones(3, np.float32))
