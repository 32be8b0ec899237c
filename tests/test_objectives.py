import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import objectives

# TF-GAN's fixture, recomputed in float64. Its minimax generator loss, -4.82408, counts the
# discriminator's real term too, at a constant logit of 1: -log(1 + exp(-1)) = -0.31326.
TF_GAN_CONSTANT = -0.31326
REAL = np.array([-5.0, 1.4, 12.5, 2.7], np.float32)
FAKE = np.array([10.0, 4.4, -5.5, 3.6], np.float32)
OBJECTIVES = {'minimax': objectives.minimax, 'non_saturating': objectives.non_saturating}


class LiteralTest(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True, with_device=True)
    def test_values(self):
        for objective, discriminator, generator in (
            (objectives.minimax, 5.83387, -4.82408 - TF_GAN_CONSTANT),
            (objectives.non_saturating, 5.83387, 1.38582),
        ):
            for loss, want in zip(objective, (discriminator, generator), strict=True):
                value = jnp.mean(self.variant(loss)(REAL, FAKE))
                np.testing.assert_allclose(value, want, rtol=2e-6)

    @chex.variants(with_jit=True, without_jit=True)
    def test_gradients_have_closed_forms(self):
        sigmoid = 1 / (1 + np.exp(-np.float64(FAKE)))
        for loss, want in (
            (objectives.cross_entropy_discriminator, sigmoid),
            (objectives.minimax_generator, -sigmoid),
            (objectives.non_saturating_generator, sigmoid - 1),
        ):
            gradient = self.variant(jax.grad(lambda fake, f=loss: f(REAL, fake).sum()))(FAKE)
            np.testing.assert_allclose(gradient, want, rtol=1e-5, atol=1e-7)
        real = 1 / (1 + np.exp(-np.float64(REAL)))
        loss = objectives.cross_entropy_discriminator
        gradient = self.variant(jax.grad(lambda x: loss(x, FAKE).sum()))(REAL)
        np.testing.assert_allclose(gradient, real - 1, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize('name', OBJECTIVES)
@pytest.mark.parametrize('shape', [(4,), (3, 1), (2, 5, 5, 1)])
def test_losses_are_unreduced_and_float32(name, shape):
    logits = jnp.ones(shape, jnp.bfloat16)
    for loss in OBJECTIVES[name]:
        value = loss(logits, -logits)
        chex.assert_shape(value, shape)
        assert value.dtype == jnp.float32


@pytest.mark.parametrize('name', OBJECTIVES)
def test_large_logits_stay_finite(name):
    logits = jnp.array([-1e4, 1e4])
    for loss in OBJECTIVES[name]:
        assert jnp.isfinite(loss(logits, -logits)).all()
        assert jnp.isfinite(jax.grad(lambda x, f=loss: f(x, -x).sum())(logits)).all()


@pytest.mark.parametrize('name', OBJECTIVES)
def test_unequal_shapes_are_refused(name):
    for loss in OBJECTIVES[name]:
        with pytest.raises(AssertionError):
            loss(jnp.ones((4, 1)), jnp.ones((4,)))


def test_minimax_is_a_zero_sum_game_in_the_fake_logits():
    total = objectives.minimax.discriminator(REAL, FAKE) + objectives.minimax.generator(REAL, FAKE)
    np.testing.assert_allclose(total, np.log1p(np.exp(-REAL)), rtol=1e-5, atol=1e-5)


def test_at_equilibrium_the_discriminator_pays_twice_log_two():
    zero = jnp.zeros(3)
    np.testing.assert_allclose(objectives.minimax.discriminator(zero, zero), 2 * np.log(2))
    np.testing.assert_allclose(objectives.minimax.generator(zero, zero), -np.log(2))
    np.testing.assert_allclose(objectives.non_saturating.generator(zero, zero), np.log(2))
