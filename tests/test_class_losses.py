"""Losses of class heads against formulas written out in NumPy's float64."""

import functools
import inspect
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import class_losses, objectives


class Heads(NamedTuple):
    classes: object
    features: object = None


RNG = np.random.default_rng(0)
LABELS = jnp.array([0, 2, 1, 2, 0, 1])
REAL, FAKE = (RNG.normal(size=(6, 3)).astype(np.float32) for _ in range(2))
WIDE_REAL, WIDE_FAKE = (RNG.normal(size=(6, 6)).astype(np.float32) for _ in range(2))
LOSSES = {
    name: make
    for name, make in vars(class_losses).items()
    if inspect.isfunction(make)
    and inspect.signature(make).return_annotation is class_losses.ClassLoss
}


def softmax(logits):
    weights = np.exp(np.float64(logits))
    return weights / weights.sum(1, keepdims=True)


def log_loss(logits, labels):
    return -np.log(softmax(logits)[np.arange(len(logits)), np.asarray(labels)])


def unit(x):
    x = np.float64(x)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def sides(loss, real, fake):
    given = Heads(jnp.asarray(real)), Heads(jnp.asarray(fake)), LABELS
    return loss.discriminator(*given), loss.generator(*given)


def test_the_losses_are_these():
    assert {*LOSSES} == {'acgan', 'acgan_real', 'adcgan', 'reacgan'}
    assert [name for name, make in LOSSES.items() if make().per_class == 2] == ['adcgan']
    assert [name for name, make in LOSSES.items() if make().features] == ['reacgan']


def test_cross_entropy_literals():
    """Of equal logits ln k; of (ln 3, 0) and the first class ln 4 - ln 3."""
    found = class_losses.cross_entropy(jnp.array([[5.0] * 4, [0.0, 0.0, 0.0, 1e4]]), LABELS[:2])
    np.testing.assert_allclose(found, [1.3862944, 1e4], rtol=1e-6)
    found = class_losses.cross_entropy(jnp.array([[np.log(3.0), 0.0]], jnp.float32), LABELS[:1])
    np.testing.assert_allclose(found, [0.2876821], rtol=1e-6)


def test_the_gradient_of_cross_entropy_is_the_softmax_less_the_label():
    gradient = jax.grad(lambda x: class_losses.cross_entropy(x, LABELS).sum())(jnp.asarray(REAL))
    np.testing.assert_allclose(gradient, softmax(REAL) - np.eye(3)[LABELS], atol=1e-6)


def test_a_label_that_does_not_exist_is_not_a_number():
    labels = jnp.array([1, 3, -1])
    found = class_losses.cross_entropy(jnp.zeros((3, 3)), labels)
    assert np.isnan(found).tolist() == [False, True, True]
    found = class_losses.data_to_data_cross_entropy(jnp.eye(3), jnp.eye(3), labels)
    assert np.isnan(found).tolist() == [False, True, True]


def test_one_label_to_each_row():
    with pytest.raises(AssertionError):
        class_losses.cross_entropy(jnp.zeros((2, 3)), jnp.zeros(1, jnp.int32))
    with pytest.raises(AssertionError):
        class_losses.cross_entropy(jnp.zeros((2, 3)), jnp.zeros((2, 3), jnp.int32))


def test_acgan_teaches_by_both_and_studiogans_by_real_ones():
    of_real, of_fake = log_loss(REAL, LABELS), log_loss(FAKE, LABELS)
    both, generator = sides(class_losses.acgan(), REAL, FAKE)
    np.testing.assert_allclose(both, of_real + of_fake, rtol=1e-5)
    np.testing.assert_allclose(generator, of_fake, rtol=1e-5)
    real, generator = sides(class_losses.acgan_real(), REAL, FAKE)
    np.testing.assert_allclose(real, of_real, rtol=1e-5)
    np.testing.assert_allclose(generator, of_fake, rtol=1e-5)


def test_adcgan_is_a_softmax_of_twice_the_classes():
    discriminator, generator = sides(class_losses.adcgan(), WIDE_REAL, WIDE_FAKE)
    y = 2 * np.asarray(LABELS)
    expected = log_loss(WIDE_REAL, y) + log_loss(WIDE_FAKE, y + 1)
    np.testing.assert_allclose(discriminator, expected, rtol=1e-5)
    rows = np.arange(6)
    np.testing.assert_allclose(generator, WIDE_FAKE[rows, y + 1] - WIDE_FAKE[rows, y], atol=1e-5)


def d2d(features, cosines, labels, m_p=0.98, m_n=0.02, t=0.5):
    """The formula, example by example."""
    features, cosines, found = np.float64(features), np.float64(cosines), []
    for i, y in enumerate(np.asarray(labels)):
        a = max(m_p - cosines[i, y], 0.0) / t
        terms = [
            np.exp(max(features[i] @ features[j] - m_n, 0.0) / t)
            for j in range(len(labels))
            if labels[j] != y
        ]
        found.append(a + np.log(np.exp(-a) + sum(terms)))
    return np.array(found)


UNITS = unit(RNG.normal(size=(6, 4))).astype(np.float32)
COSINES = (UNITS @ unit(RNG.normal(size=(3, 4))).T).astype(np.float32)


def test_data_to_data_cross_entropy_is_the_formula():
    found = class_losses.data_to_data_cross_entropy(UNITS, COSINES, LABELS)
    np.testing.assert_allclose(found, d2d(UNITS, COSINES, LABELS), rtol=1e-5)
    other = {'positive_margin': 0.5, 'negative_margin': 0.3, 'temperature': 0.1}
    found = class_losses.data_to_data_cross_entropy(UNITS, COSINES, LABELS, **other)
    np.testing.assert_allclose(found, d2d(UNITS, COSINES, LABELS, 0.5, 0.3, 0.1), rtol=1e-5)


def test_data_to_data_cross_entropy_by_hand():
    """Two examples at right angles, each at its proxy: a = 0, one negative of weight e^0."""
    found = class_losses.data_to_data_cross_entropy(jnp.eye(2), jnp.eye(2), jnp.array([0, 1]))
    np.testing.assert_allclose(found, np.log(2.0), rtol=1e-6)
    # Of one class only there is no negative: a + log e^-a = 0, whatever the cosine.
    found = class_losses.data_to_data_cross_entropy(jnp.eye(2), jnp.eye(2), jnp.array([0, 0]))
    np.testing.assert_allclose(found, 0.0, atol=1e-6)


def test_with_margins_at_the_ends_it_is_the_softmax_of_similarities():
    """m_p = 1 and m_n = -1 clip nothing: logits (s - 1) / t of the proxy, (s + 1) / t of others."""
    t = 0.7
    found = class_losses.data_to_data_cross_entropy(
        UNITS, COSINES, LABELS, positive_margin=1.0, negative_margin=-1.0, temperature=t
    )
    own = COSINES[np.arange(6), LABELS] - 1
    others = np.where(LABELS[:, None] == LABELS[None], -np.inf, UNITS @ UNITS.T + 1)
    logits = np.concatenate([own[:, None], others], 1) / t
    np.testing.assert_allclose(found, log_loss(logits, np.zeros(6, int)), rtol=1e-5)


def test_what_is_within_its_margins_pulls_no_more():
    loss = functools.partial(class_losses.data_to_data_cross_entropy, labels=jnp.array([0, 1]))
    features = jnp.array([[1.0, 0.0], [-0.6, 0.8]], jnp.float32)
    by_features, by_cosines = jax.grad(lambda f, c: loss(f, c).sum(), (0, 1))(
        features, jnp.array([[0.99, 0.0], [0.0, 0.99]], jnp.float32)
    )
    assert not by_features.any()
    assert not by_cosines.any()
    near = jnp.array([[0.9, 0.0], [0.0, 0.9]], jnp.float32)
    gradient = jax.grad(lambda c: loss(features, c).sum())(near)
    # d/da (a + log(e^-a + 1)) = 1 / (1 + e^-a), da/ds = -1 / t; a = 0.08 / 0.5.
    np.testing.assert_allclose(np.diag(gradient), -2 / (1 + np.exp(-0.16)), rtol=1e-5)
    assert not np.asarray(gradient)[~np.eye(2, dtype=bool)].any()


def test_a_batch_of_one_class_has_a_finite_gradient():
    labels = jnp.zeros(6, jnp.int32)
    gradients = jax.grad(
        lambda f, c: class_losses.data_to_data_cross_entropy(f, c, labels).sum(), (0, 1)
    )(jnp.asarray(UNITS), jnp.asarray(COSINES))
    assert all(np.isfinite(x).all() for x in gradients)


def test_over_devices_the_negatives_are_those_of_the_whole_batch():
    loss = functools.partial(class_losses.data_to_data_cross_entropy, axis_name='devices')
    parts = [jnp.asarray(x).reshape(2, 3, *x.shape[1:]) for x in (UNITS, COSINES, LABELS)]
    found = jax.vmap(loss, axis_name='devices')(*parts).reshape(-1)
    np.testing.assert_allclose(found, d2d(UNITS, COSINES, LABELS), rtol=1e-5)


def test_reacgan_is_of_real_ones_and_of_generated_ones():
    real, fake = Heads(COSINES, UNITS), Heads(COSINES[::-1], UNITS[::-1])
    loss = class_losses.reacgan(positive_margin=0.9, temperature=0.4)
    expected = d2d(UNITS, COSINES, LABELS, 0.9, 0.1, 0.4)
    np.testing.assert_allclose(loss.discriminator(real, fake, LABELS), expected, rtol=1e-5)
    expected = d2d(UNITS[::-1], COSINES[::-1], LABELS, 0.9, 0.1, 0.4)
    np.testing.assert_allclose(loss.generator(real, fake, LABELS), expected, rtol=1e-5)


@pytest.mark.parametrize('wrong', [{'positive_margin': 1.5}, {'temperature': 0.0}])
def test_reacgans_options_are_checked(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        class_losses.reacgan(**wrong)


def test_information_has_its_ceiling():
    """ln 10 = 2.303 for a code that is read off without doubt; 0 if nothing is known of it."""
    codes = jnp.arange(10)
    known, unknown = 1e4 * jnp.eye(10), jnp.ones((10, 10))
    found = class_losses.categorical_information(known, codes)
    np.testing.assert_allclose(found, 2.302585, rtol=1e-6)
    found = class_losses.categorical_information(unknown, codes)
    np.testing.assert_allclose(found, 0.0, atol=1e-6)


def test_continuous_codes_have_the_gradient_of_half_the_squares():
    codes, means = jnp.array([[0.5, -1.0]], jnp.float32), jnp.array([[0.0, 1.0]], jnp.float32)
    found = class_losses.uniform_information(codes, codes)
    np.testing.assert_allclose(found, 2 * (np.log(2) - 0.9189385), rtol=1e-5)
    found = class_losses.uniform_information(means, codes)
    expected = 2 * (np.log(2) - 0.9189385) - (0.25 + 4.0) / 2
    np.testing.assert_allclose(found, [expected], rtol=1e-5)
    gradient = jax.grad(lambda m: class_losses.uniform_information(m, codes).sum())(means)
    np.testing.assert_allclose(gradient, codes - means, rtol=1e-6)


def explicit(logits):
    """Probabilities of K + 1 classes, the last of logit 0."""
    return softmax(np.concatenate([np.float64(logits), np.zeros((len(logits), 1))], 1))


def test_semi_supervised_is_the_softmax_of_one_class_more():
    unlabelled, fake = 3 * REAL[:4], 3 * FAKE[1:]
    with jax.enable_x64():
        given = (jnp.asarray(np.float64(x)) for x in (REAL, unlabelled, fake))
        labelled, shown, generated = given
        found = class_losses.semi_supervised(labelled, LABELS, shown, generated)
        assert found.dtype == jnp.float64
    p = explicit(REAL)
    of_class = p[np.arange(6), LABELS] / (1 - p[:, -1])  # given that it is real
    real, generated = 1 - explicit(unlabelled)[:, -1], explicit(fake)[:, -1]
    halves = -np.log(real).mean() - np.log(generated).mean()
    np.testing.assert_allclose(found, -np.log(of_class).mean() + halves / 2, rtol=1e-12)


def test_realness_makes_it_the_plain_discriminators_loss():
    z = class_losses.realness(REAL), class_losses.realness(FAKE)
    plain = objectives.non_saturating.discriminator(*z)
    expected = -np.log(1 - explicit(REAL)[:, -1]) - np.log(explicit(FAKE)[:, -1])
    np.testing.assert_allclose(plain, expected, rtol=1e-5)


@pytest.mark.parametrize('size', [1e4, -1e4])
def test_large_logits_are_finite_with_their_gradients(size):
    logits = jnp.array([[size, 0.0, -size], [size, size, size]], jnp.float32)
    labels = jnp.array([0, 2])

    def total(x):
        return class_losses.semi_supervised(x, labels, x, x)

    value, gradient = jax.value_and_grad(total)(logits)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()
    z = np.float64(jax.nn.logsumexp(logits, axis=1))
    own = np.float64([logits[0, 0], logits[1, 2]])
    expected = (z - own).mean() + 0.5 * (np.logaddexp(0, -z) + np.logaddexp(0, z)).mean()
    np.testing.assert_allclose(value, expected, rtol=1e-6)
