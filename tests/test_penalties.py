import functools
import inspect

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from gan_jax import augment, keys, penalties

GENERATOR = np.random.default_rng(0)
IMAGES, FAKE = GENERATOR.normal(size=(2, 6, 4, 4, 2)).astype(np.float32)
WEIGHTS = GENERATOR.normal(size=(4, 4, 2)).astype(np.float32)
SQUARE = np.float64(WEIGHTS**2).sum()
NORM = np.sqrt(SQUARE)
RNG = jax.random.key(3)
ANCHORS = (0.5, -0.25)
NAMES = [
    name
    for name, value in vars(penalties).items()
    if inspect.isfunction(value)
    and name[0] != '_'
    and 'critic' in inspect.signature(value).parameters
]


def linear(images):
    return jnp.einsum('nhwc,hwc->n', images, WEIGHTS)


def quadratic(images):
    return jnp.sum(images**2, axis=(1, 2, 3))


def flip(rng, images):
    return augment.horizontal_flip(rng, images)


def halve(rng, images):
    chex.assert_shape(rng, images.shape[:1])
    return 0.5 * images


def call(name, critic, real=IMAGES, fake=FAKE, rng=RNG, transform=halve, **options):
    """Passes what the penalty's signature asks for, as a game does."""
    function = getattr(penalties, name)
    given = {
        'critic': critic,
        'real': real,
        'fake': fake,
        'rng': rng,
        'anchors': ANCHORS,
        'transform': transform,
    }
    asked = inspect.signature(function).parameters
    return function(**{k: v for k, v in given.items() if k in asked}, **options)


def squares(x):
    return (np.float64(x) ** 2).sum((1, 2, 3))


def test_the_table_of_penalties():
    named = {'critic', 'real', 'fake', 'rng', 'anchors', 'transform', 'axis_name'}
    assert len(NAMES) == 8
    for name in NAMES:
        for key, parameter in inspect.signature(getattr(penalties, name)).parameters.items():
            if key not in named:
                assert isinstance(parameter.default, float | bool)


class ClosedFormTest(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True)
    def test_of_a_linear_critic(self):
        scores, fake_scores = (
            np.einsum('nhwc,hwc->n', np.float64(x), WEIGHTS) for x in (IMAGES, FAKE)
        )
        for name, options, want in (
            ('r1', {}, SQUARE),
            ('r2', {}, SQUARE),
            ('zero_centered', {}, SQUARE),
            ('gradient_penalty', {}, (NORM - 1) ** 2),
            ('gradient_penalty', {'target': 3.0}, (NORM - 3) ** 2),
            ('gradient_penalty', {'target': 0.0}, SQUARE),
            ('gradient_penalty', {'one_sided': True}, (NORM - 1) ** 2),
            ('gradient_penalty', {'one_sided': True, 'target': 2 * NORM}, 0.0),
            ('gradient_penalty', {'target': 2 * NORM}, SQUARE),
            ('dragan', {}, (NORM - 1) ** 2),
            ('dragan', {'target': 0.0, 'centered': True}, SQUARE),
            ('lecam', {}, (scores + 0.25) ** 2 + (fake_scores - 0.5) ** 2),
            (
                'lecam',
                {'one_sided': True},
                np.maximum(scores + 0.25, 0) ** 2 + np.maximum(0.5 - fake_scores, 0) ** 2,
            ),
            ('consistency', {}, scores**2 / 4),
            ('balanced_consistency', {}, (scores**2 + fake_scores**2) / 4),
        ):
            penalty = functools.partial(call, name, linear, **options)
            value = self.variant(lambda x, y, f=penalty: f(real=x, fake=y))(IMAGES, FAKE)
            chex.assert_shape(value, (6,))
            np.testing.assert_allclose(
                value, np.broadcast_to(want, (6,)), rtol=1e-4, atol=1e-5, err_msg=f'{name}{options}'
            )

    @chex.variants(with_jit=True, without_jit=True)
    def test_of_a_quadratic_critic(self):
        share = np.stack([jax.random.uniform(k) for k in keys.per_example(RNG, 6)])
        share = np.float64(share)[:, None, None, None]
        between = 4 * squares(share * IMAGES + (1 - share) * FAKE)
        for name, options, want in (
            ('r1', {}, 4 * squares(IMAGES)),
            ('r2', {}, 4 * squares(FAKE)),
            ('zero_centered', {}, between),
            ('gradient_penalty', {}, (np.sqrt(between) - 1) ** 2),
            ('gradient_penalty', {'target': 0.0}, between),
            ('dragan', {'scale': 0.0}, (2 * np.sqrt(squares(IMAGES)) - 1) ** 2),
            ('consistency', {}, (0.75 * squares(IMAGES)) ** 2),
        ):
            penalty = functools.partial(call, name, quadratic, **options)
            value = self.variant(lambda x, y, f=penalty: f(real=x, fake=y))(IMAGES, FAKE)
            np.testing.assert_allclose(value, want, rtol=1e-4, err_msg=name)

    @chex.variants(with_jit=True, without_jit=True)
    def test_the_literal_of_the_gradient_penalty(self):
        # D(x) = 2 x on 4 inputs, summed: the gradient's norm is 4.
        penalty = self.variant(
            lambda x, y: penalties.gradient_penalty(lambda x: 2.0 * x, x, y, RNG)
        )
        np.testing.assert_allclose(penalty(IMAGES[:, 0, :, 0], FAKE[:, 0, :, 0]), np.full(6, 9.0))


def noise(entry=0, **options):
    """What DRAGAN adds to one entry: the critic's gradient there is (x^ + 10), elsewhere 0."""
    pairs = IMAGES.reshape(-1, 2)

    def critic(images):
        return images[:, entry] ** 2 / 2 + 10 * images[:, entry]

    value = jax.jit(lambda x: penalties.dragan(critic, x, RNG, target=0.0, **options))(pairs)
    return (np.sqrt(value) - 10 - pairs[:, entry]) / pairs.std()


def test_the_noise_of_dragan_is_in_units_of_the_batch_deviation():
    plain = noise(interpolate=False)
    assert -1e-5 <= plain.min() < 0.02
    assert 0.48 < plain.max() <= 0.5 + 1e-5
    np.testing.assert_allclose(plain.mean(), 0.25, atol=0.04)
    centered = noise(interpolate=False, centered=True, scale=2.0)
    assert -2 - 1e-5 <= centered.min() < -1.9
    assert 1.9 < centered.max() <= 2 + 1e-5


def test_the_noise_of_dragan_is_one_per_entry_and_its_share_one_per_example():
    full = [noise(entry, interpolate=False) for entry in (0, 1)]
    share = [noise(entry) / full[entry] for entry in (0, 1)]
    assert np.abs(full[0] - full[1]).max() > 0.3
    large = np.minimum(*full) > 0.05
    np.testing.assert_allclose(share[0][large], share[1][large], atol=1e-3)
    assert share[0][large].min() < 0.1
    assert 0.9 < share[0][large].max() <= 1 + 1e-3


def test_dragan_of_a_split_batch_is_that_of_the_whole():
    rng = keys.per_example(RNG, 6)
    whole = penalties.dragan(quadratic, IMAGES + 100.0, rng)

    def split(axis_name):
        def part(x, rng):
            return penalties.dragan(quadratic, x, rng, axis_name=axis_name)

        images = (IMAGES + 100.0).reshape(3, 2, 4, 4, 2)
        return jax.jit(jax.vmap(part, axis_name='data'))(images, rng.reshape(3, 2)).ravel()

    np.testing.assert_allclose(split('data'), whole, rtol=1e-6)
    assert not np.allclose(split(None), whole, rtol=1e-6)


@pytest.mark.parametrize('name', NAMES)
def test_an_example_draws_the_same_in_any_batch(name):
    def critic(images):
        return jnp.sum(jnp.sin(images), axis=(1, 2, 3))

    def transform(rng, images):
        return augment.brightness(rng, images, 1.0)

    # One deviation for all, so that only draws could differ.
    options = {'scale': 0.0} if name == 'dragan' else {}
    both = call(name, critic, transform=transform, **options)
    part = call(name, critic, IMAGES[:3], FAKE[:3], transform=transform, **options)
    np.testing.assert_allclose(both[:3], part, rtol=1e-5)
    late = keys.per_example(RNG, 3, offset=3)
    part = call(name, critic, IMAGES[3:], FAKE[3:], late, transform=transform, **options)
    np.testing.assert_allclose(both[3:], part, rtol=1e-5)


def test_examples_and_keys_draw_differently():
    same = np.repeat(IMAGES[:1], 6, axis=0)
    others = np.repeat(FAKE[:1], 6, axis=0)
    for name in ('zero_centered', 'gradient_penalty', 'dragan'):
        values = call(name, quadratic, same, others)
        assert len(np.unique(np.round(values, 3))) == 6
        assert not np.allclose(values, call(name, quadratic, same, others, jax.random.key(4)))


def test_real_and_generated_images_are_transformed_apart():
    def critic(images):
        return jnp.mean(images, axis=(1, 2, 3))

    def transform(rng, images):
        shift = jax.vmap(lambda key: jax.random.normal(key))(rng)
        return images + shift[:, None, None, None]

    both = penalties.balanced_consistency(critic, IMAGES, IMAGES, RNG, transform)
    parts = []
    for name in ('real', 'fake'):
        rng = jax.vmap(lambda key, name=name: keys.fold_in_name(key, name))(
            keys.per_example(RNG, 6)
        )
        parts.append(penalties.consistency(critic, IMAGES, rng, transform))
    np.testing.assert_allclose(both, parts[0] + parts[1], rtol=1e-5)
    assert not np.allclose(parts[0], parts[1])


def test_limits():
    close = functools.partial(np.testing.assert_allclose, rtol=1e-5)
    given = (quadratic, IMAGES, FAKE, RNG)
    centred = penalties.zero_centered(*given)
    close(penalties.gradient_penalty(*given, target=0.0), centred)
    close(penalties.gradient_penalty(*given, target=0.0, one_sided=True), centred)
    # Here all norms are above 1.
    assert centred.min() > 1
    close(penalties.gradient_penalty(*given, one_sided=True), penalties.gradient_penalty(*given))
    at_data = penalties.r1(quadratic, IMAGES)
    close(penalties.r2(quadratic, IMAGES), at_data)
    close(penalties.zero_centered(quadratic, IMAGES, IMAGES, RNG), at_data)
    close(penalties.dragan(quadratic, IMAGES, RNG, scale=0.0, target=0.0), at_data)
    close(
        penalties.dragan(quadratic, IMAGES, RNG, scale=0.0),
        penalties.gradient_penalty(quadratic, IMAGES, IMAGES, RNG),
    )
    flat = np.ones_like(IMAGES)
    close(penalties.dragan(quadratic, flat, RNG, target=0.0), penalties.r1(quadratic, flat))


def test_lecam_is_zero_where_logits_are_at_the_other_sides_anchor():
    def critic(images):
        return images[:, :1, 0, 0]

    real, fake = np.full_like(IMAGES, 2.0), np.full_like(IMAGES, -3.0)
    for one_sided in (False, True):
        value = penalties.lecam(critic, real, fake, (-3.0, 2.0), one_sided)
        np.testing.assert_array_equal(value, np.zeros(6))
    np.testing.assert_array_equal(
        penalties.lecam(critic, real, fake, (-3.0, 4.0), True), np.zeros(6)
    )
    np.testing.assert_array_equal(
        penalties.lecam(critic, real, fake, (jnp.float32(-3), jnp.float32(4))), np.full(6, 4.0)
    )


def test_a_critic_that_does_not_see_the_transform_is_consistent():
    np.testing.assert_allclose(call('consistency', quadratic, transform=flip), 0, atol=1e-6)
    np.testing.assert_allclose(
        call('balanced_consistency', quadratic, transform=flip), 0, atol=1e-6
    )
    assert call('consistency', linear, transform=flip).max() > 0.1


@pytest.mark.parametrize('name', NAMES)
def test_in_float32_whatever_the_types(name):
    def critic(images):
        return linear(images).astype(jnp.bfloat16)[:, None]

    value = call(name, critic, IMAGES.astype(jnp.bfloat16), FAKE.astype(jnp.bfloat16))
    chex.assert_shape(value, (6,))
    assert value.dtype == jnp.float32
    np.testing.assert_allclose(value, call(name, linear), rtol=0.1, atol=0.3)


@pytest.mark.parametrize('name', NAMES)
def test_logits_of_any_rank(name):
    def patches(images):
        return 3.0 * images.sum(axis=-1, keepdims=True)

    def summed(images):
        # Gradients are of the sum; scores are the mean.
        logits = patches(images).sum(axis=(1, 2, 3))
        return logits / 16 if name in ('lecam', 'consistency', 'balanced_consistency') else logits

    np.testing.assert_allclose(call(name, patches), call(name, summed), rtol=1e-4)


@pytest.mark.parametrize('name', NAMES)
def test_a_critic_may_pack_images(name):
    def packed(images):
        return quadratic(images).reshape(3, 2).sum(axis=1)

    value = call(name, packed)
    if name in ('lecam', 'consistency', 'balanced_consistency'):
        chex.assert_shape(value, (3,))
    else:
        np.testing.assert_allclose(value, call(name, quadratic), rtol=1e-5)


@pytest.mark.parametrize('name', NAMES)
def test_where_the_critic_is_flat_values_and_gradients_are_finite(name):
    value, gradient = jax.value_and_grad(
        lambda w: call(name, lambda x: w * jnp.sum(x, axis=(1, 2, 3))).sum()
    )(0.0)
    # lecam has its anchors there; the norm is at its distance 1 from the target.
    expected = {'lecam': 6 * (0.5**2 + 0.25**2), 'gradient_penalty': 6.0, 'dragan': 6.0}
    np.testing.assert_allclose(value, expected.get(name, 0.0))
    assert jnp.isfinite(gradient)
    if name != 'lecam':
        assert gradient == 0


def test_with_target_zero_the_second_derivative_is_right_where_the_critic_is_flat():
    def penalty(w):
        return penalties.gradient_penalty(
            lambda x: w * jnp.sum(x, axis=(1, 2, 3)), IMAGES, FAKE, RNG, target=0.0
        ).sum()

    assert jax.grad(jax.grad(penalty))(0.0) == 2 * 32 * 6


def test_gradients_in_64_bits():
    variants = [
        *((name, {}) for name in NAMES),
        ('gradient_penalty', {'target': 0.0}),
        ('gradient_penalty', {'one_sided': True, 'target': 0.1}),
        ('dragan', {'centered': True, 'interpolate': False}),
        ('lecam', {'one_sided': True}),
    ]
    with jax.enable_x64(True):
        generator = np.random.default_rng(5)
        real, fake = generator.normal(size=(2, 2, 3))
        weights = (generator.normal(size=(3, 2)), generator.normal(size=(2,)))

        def critic(weights, x):
            return jnp.tanh(x @ weights[0]) @ weights[1]

        @jax.jit
        def values(weights):
            bound = functools.partial(critic, weights)
            return [call(name, bound, real, fake, **options) for name, options in variants]

        assert all(value.dtype == jnp.float64 for value in values(weights))
        check_grads(values, (weights,), order=2, modes=['rev'], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('name', NAMES)
def test_a_lone_vector_is_refused(name):
    with pytest.raises(AssertionError):
        call(name, lambda x: x, np.ones(3, np.float32), np.ones(3, np.float32))


@pytest.mark.parametrize(
    'name', ['gradient_penalty', 'zero_centered', 'lecam', 'balanced_consistency']
)
def test_unequal_shapes_are_refused(name):
    with pytest.raises(AssertionError):
        call(name, quadratic, IMAGES, FAKE[:3])


def test_other_wrong_shapes_are_refused():
    with pytest.raises(AssertionError):
        penalties.lecam(quadratic, IMAGES, FAKE, (jnp.zeros(2), jnp.zeros(2)))
    with pytest.raises(AssertionError):
        penalties.consistency(quadratic, IMAGES, RNG, lambda rng, x: x[:, :2])
    with pytest.raises(AssertionError):
        penalties.dragan(quadratic, IMAGES, keys.per_example(RNG, 4))
