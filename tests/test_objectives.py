import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from gan_jax import objectives

# TF-GAN's fixture, recomputed in float64. Its minimax generator loss, -4.82408, counts the
# discriminator's real term too, at a constant logit of 1: -log(1 + exp(-1)) = -0.31326.
TF_GAN_CONSTANT = -0.31326
REAL = np.array([-5.0, 1.4, 12.5, 2.7], np.float32)
FAKE = np.array([10.0, 4.4, -5.5, 3.6], np.float32)
AVERAGE_REAL = np.array([-2.0, 0.4, 12.5, 2.7], np.float32)
OBJECTIVES = {name: value for name, value in vars(objectives).items() if isinstance(value, tuple)}
AVERAGES = [name for name in OBJECTIVES if '_average_' in name]
PAIRINGS = [name for name in OBJECTIVES if '_pairing_' in name]


def softplus(x):
    return np.logaddexp(0, np.float64(x))


BASES = {
    'non_saturating': lambda y: softplus(-y),
    'least_squares': lambda y: (np.float64(y) - 1) ** 2,
    'hinge': lambda y: np.maximum(0, 1 - np.float64(y)),
}


def test_the_table_of_objectives():
    relativistic = {f'relativistic_{kind}_{b}' for kind in ('average', 'pairing') for b in BASES}
    plain = {'minimax', 'non_saturating', 'least_squares', 'hinge', 'wasserstein'}
    assert set(OBJECTIVES) == plain | relativistic
    assert all(isinstance(x, objectives.Objective) for x in OBJECTIVES.values())


class LiteralTest(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True, with_device=True)
    def test_values(self):
        for objective, discriminator, generator in (
            (objectives.minimax, 5.83387, -4.82408 - TF_GAN_CONSTANT),
            (objectives.non_saturating, 5.83387, 1.38582),
            (objectives.least_squares, 41.73375, 17.69625),
            (objectives.hinge, 6.75, -3.125),
            (objectives.wasserstein, 0.225, -3.125),
        ):
            for loss, want in zip(objective, (discriminator, generator), strict=True):
                value = jnp.mean(self.variant(loss)(REAL, FAKE))
                np.testing.assert_allclose(value, want, rtol=2e-6)

    @chex.variants(with_jit=True, without_jit=True)
    def test_values_of_the_relativistic_average(self):
        objective = objectives.relativistic_average_non_saturating
        for loss, want in zip(objective, (4.390114, 4.9401135), strict=True):
            value = jnp.mean(self.variant(loss)(AVERAGE_REAL, FAKE))
            np.testing.assert_allclose(value, want, rtol=2e-7)

    @chex.variants(with_jit=True, without_jit=True)
    def test_relativistic_values_against_numpy(self):
        real, fake = np.float64(AVERAGE_REAL), np.float64(FAKE)
        for name, f in BASES.items():
            pairing = OBJECTIVES[f'relativistic_pairing_{name}']
            average = OBJECTIVES[f'relativistic_average_{name}']
            for loss, want in (
                (pairing.discriminator, f(real - fake)),
                (pairing.generator, f(fake - real)),
                (average.discriminator, f(real - fake.mean()) + f(-(fake - real.mean()))),
                (average.generator, f(fake - real.mean()) + f(-(real - fake.mean()))),
            ):
                value = self.variant(loss)(AVERAGE_REAL, FAKE)
                np.testing.assert_allclose(value, want, rtol=1e-5, atol=1e-6)

    @chex.variants(with_jit=True, without_jit=True)
    def test_gradients_have_closed_forms(self):
        sigmoid = 1 / (1 + np.exp(-np.float64(FAKE)))
        real_sigmoid = 1 / (1 + np.exp(-np.float64(REAL)))
        difference = 1 / (1 + np.exp(np.float64(REAL) - FAKE))
        one, zero = np.ones(4), np.zeros(4)
        for loss, of_real, of_fake in (
            (objectives.cross_entropy_discriminator, real_sigmoid - 1, sigmoid),
            (objectives.minimax_generator, zero, -sigmoid),
            (objectives.non_saturating_generator, zero, sigmoid - 1),
            (objectives.least_squares_discriminator, REAL - 1, FAKE),
            (objectives.least_squares_generator, zero, FAKE - one),
            (objectives.hinge_discriminator, (REAL < 1) * -one, (FAKE > -1) * one),
            (objectives.wasserstein_discriminator, -one, one),
            (objectives.wasserstein_generator, zero, -one),
            (objectives.relativistic_pairing_non_saturating[0], -difference, difference),
            (objectives.relativistic_pairing_non_saturating[1], 1 - difference, difference - 1),
        ):
            gradient = jax.grad(lambda real, fake, f=loss: f(real, fake).sum(), argnums=(0, 1))
            for value, want in zip(
                self.variant(gradient)(REAL, FAKE), (of_real, of_fake), strict=True
            ):
                np.testing.assert_allclose(value, want, rtol=1e-5, atol=1e-7)


class OptionsTest(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True)
    def test_label_smoothing_is_of_real_labels_only(self):
        # 6.19637 is printed for a TensorFlow smoothing of 0.25, which makes the label 0.875.
        for smoothing, want in ((0.125, 6.19637), (0.25, 6.558866)):
            loss = objectives.non_saturating.partial(label_smoothing=smoothing).discriminator
            np.testing.assert_allclose(self.variant(loss)(REAL, FAKE).mean(), want, rtol=1e-6)
        label = 1 - smoothing
        want = label * softplus(-REAL) + (1 - label) * softplus(REAL) + softplus(FAKE)
        np.testing.assert_allclose(self.variant(loss)(REAL, FAKE), want, rtol=1e-6)

    @chex.variants(with_jit=True, without_jit=True)
    def test_targets_of_least_squares(self):
        discriminator = functools.partial(objectives.least_squares.discriminator, a=-1.0, b=2.0)
        generator = functools.partial(objectives.least_squares.generator, c=0.5)
        np.testing.assert_allclose(
            self.variant(discriminator)(REAL, FAKE),
            ((REAL - 2) ** 2 + (FAKE + 1) ** 2) / 2,
            rtol=1e-6,
        )
        np.testing.assert_allclose(
            self.variant(generator)(REAL, FAKE), (FAKE - 0.5) ** 2 / 2, rtol=1e-6
        )


def test_partial_gives_each_side_its_own_options():
    objective = objectives.least_squares.partial(a=-1.0, c=0.0)
    chex.assert_trees_all_equal(
        objective.discriminator(REAL, FAKE),
        objectives.least_squares.discriminator(REAL, FAKE, a=-1.0),
    )
    chex.assert_trees_all_equal(
        objective.generator(REAL, FAKE), objectives.least_squares.generator(REAL, FAKE, c=0.0)
    )
    assert objective.options() == ('a', 'b', 'c')
    again = objective.partial(a=0.0, c=1.0)
    for side, plain in zip(again, objectives.least_squares, strict=True):
        chex.assert_trees_all_equal(side(REAL, FAKE), plain(REAL, FAKE))
    assert objectives.hinge.partial() == objectives.hinge


def test_an_option_that_no_side_knows_is_refused():
    with pytest.raises(TypeError, match="no option 'd'; valid: a, b, c"):
        objectives.least_squares.partial(a=0.0, d=1.0)
    with pytest.raises(TypeError, match=r"no option 'a'; valid: \(none\)"):
        objectives.wasserstein.partial(a=0.0)


def test_the_names_of_options():
    smoothing = ('minimax', 'non_saturating')
    want = dict.fromkeys(AVERAGES, ('axis_name',))
    want |= dict.fromkeys(smoothing, ('label_smoothing',)) | {'least_squares': ('a', 'b', 'c')}
    assert {name: x.options() for name, x in OBJECTIVES.items() if x.options()} == want


@pytest.mark.parametrize('value', [-0.1, 1.0])
def test_label_smoothing_has_a_range(value):
    with pytest.raises(ValueError, match='label_smoothing must be'):
        objectives.minimax.discriminator(REAL, FAKE, label_smoothing=value)


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


def test_gradients_in_64_bits():
    with jax.enable_x64(True):
        real, fake = np.float64(AVERAGE_REAL)[:2] / 5, np.float64(FAKE)[:2] / 5

        @jax.jit
        def losses(real, fake):
            return jnp.stack([loss(real, fake) for x in OBJECTIVES.values() for loss in x])

        assert losses(real, fake).dtype == jnp.float64
        check_grads(losses, (real, fake), order=2, modes=['rev'], atol=1e-6, rtol=1e-6)


def test_minimax_is_a_zero_sum_game_in_the_fake_logits():
    total = objectives.minimax.discriminator(REAL, FAKE) + objectives.minimax.generator(REAL, FAKE)
    np.testing.assert_allclose(total, np.log1p(np.exp(-REAL)), rtol=1e-5, atol=1e-5)


def test_at_equilibrium_the_discriminator_pays_twice_log_two():
    zero = jnp.zeros(3)
    np.testing.assert_allclose(objectives.minimax.discriminator(zero, zero), 2 * np.log(2))
    np.testing.assert_allclose(objectives.minimax.generator(zero, zero), -np.log(2))
    np.testing.assert_allclose(objectives.non_saturating.generator(zero, zero), np.log(2))
    average = objectives.relativistic_average_non_saturating
    np.testing.assert_allclose(average.discriminator(zero, zero), 2 * np.log(2))
    pairing = objectives.relativistic_pairing_non_saturating
    np.testing.assert_allclose(pairing.generator(zero, zero), np.log(2))


@pytest.mark.parametrize('name', [*AVERAGES, *PAIRINGS])
def test_relativistic_sides_are_each_other_with_roles_swapped(name):
    discriminator, generator = OBJECTIVES[name]
    chex.assert_trees_all_equal(discriminator(REAL, FAKE), generator(FAKE, REAL))


@pytest.mark.parametrize('name', [*AVERAGES, *PAIRINGS])
def test_relativistic_losses_do_not_see_a_shift_of_all_logits(name):
    for loss in OBJECTIVES[name]:
        np.testing.assert_allclose(loss(REAL + 8, FAKE + 8), loss(REAL, FAKE), rtol=1e-5, atol=1e-5)


def test_with_opposite_equal_logits_a_relativistic_average_is_a_plain_loss_of_the_difference():
    # All real logits are r and all generated ones -r: their means are the logits themselves.
    real = np.full(4, 0.4, np.float32)
    value = objectives.relativistic_average_hinge.discriminator(real, -real)
    np.testing.assert_allclose(value, objectives.hinge.discriminator(2 * real, -2 * real))


def test_means_are_of_all_logits():
    real, fake = AVERAGE_REAL.reshape(2, 2, 1, 1), FAKE.reshape(2, 2, 1, 1)
    for loss in objectives.relativistic_average_non_saturating:
        np.testing.assert_allclose(loss(real, fake).ravel(), loss(AVERAGE_REAL, FAKE), rtol=1e-6)


@pytest.mark.parametrize('name', AVERAGES)
def test_a_split_batch_has_the_means_and_gradients_of_the_whole(name):
    real, fake = np.random.default_rng(0).normal(size=(2, 16, 1)).astype(np.float32)

    for loss in OBJECTIVES[name].partial(axis_name='data'):

        def step(weight, real, fake, loss=loss):
            def mean(weight):
                losses = loss(weight * real, weight * fake)
                return losses.mean(), losses

            return jax.grad(mean, has_aux=True)(weight)

        def parts(x):
            return x.reshape(8, 2, 1)

        split = jax.pmap(step, 'data', in_axes=(None, 0, 0))
        gradients, losses = split(0.7, parts(real), parts(fake))
        whole = functools.partial(step, loss=functools.partial(loss, axis_name=None))
        gradient, want = whole(0.7, real, fake)
        np.testing.assert_allclose(losses.reshape(16, 1), want, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(np.mean(gradients), gradient, rtol=1e-5, atol=1e-6)
