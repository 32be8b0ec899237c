"""Weight norm, and the perceptrons of semi-supervised learning that have it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import class_losses, keys
from gan_jax.networks import layers, semi_supervised

KEY = jax.random.key(0)
X = jax.random.normal(KEY, (4, 5))
SMALL = semi_supervised.Classifier(classes=3, features=(8, 6), pixel_noise=0.3, noise=0.5)
IMAGES = jax.random.uniform(KEY, (4, 3, 3, 1), minval=-1.0)


def size(module, *given):
    shapes = jax.eval_shape(lambda: module.init(KEY, *given, True)['params'])
    return sum(x.size for x in jax.tree.leaves(shapes))


def test_a_column_is_a_direction_times_a_length():
    layer = layers.WeightNormDense(3, 1.5)
    params = jax.tree.map(np.asarray, layer.init(KEY, X)['params'])
    np.testing.assert_array_equal(params['scale'], [[1.5] * 3])
    params['bias'] = np.array([0.1, 0.2, 0.3], np.float32)
    params['scale'] = np.array([[2.0, 1.0, 0.5]], np.float32)
    unit = params['kernel'] / np.linalg.norm(params['kernel'], axis=0)
    want = np.asarray(X) @ (unit * params['scale']) + params['bias']
    for factor in (1.0, 7.0):  # the length of the direction has no say
        grown = {**params, 'kernel': factor * params['kernel']}
        np.testing.assert_allclose(layer.apply({'params': grown}, X), want, atol=1e-5)


def test_a_length_that_is_not_trained_is_no_parameter():
    layer = layers.WeightNormDense(3, 1.5, False)
    params = jax.tree.map(np.asarray, layer.init(KEY, X)['params'])
    assert {*params} == {'kernel', 'bias'}
    unit = params['kernel'] / np.linalg.norm(params['kernel'], axis=0)
    np.testing.assert_allclose(
        layer.apply({'params': params}, X), 1.5 * np.asarray(X) @ unit, atol=1e-5
    )


def test_the_papers_networks_have_their_parameters():
    generator = semi_supervised.Generator((28, 28, 1))
    assert size(generator, jnp.zeros((2, 100))) == 694_568
    classifier = semi_supervised.Classifier(classes=10)
    assert size(classifier, jnp.zeros((2, 28, 28, 1))) == 1_538_770


@pytest.fixture(scope='module')
def variables():
    return jax.jit(lambda: SMALL.init(KEY, IMAGES, True))()


def judged(variables, train, rng=None, network=SMALL):
    return jax.jit(lambda: network.apply(variables, IMAGES, train, rng))()


def test_the_logit_is_the_realness_of_the_classes(variables):
    found = judged(variables, False)
    np.testing.assert_allclose(found.logits, class_losses.realness(found.classes), rtol=1e-5)
    assert found.features.shape == (4, 6)
    assert (np.asarray(found.features) >= 0).all()


def test_pixels_are_seen_from_0_to_1(variables):
    params = jax.tree.map(np.asarray, variables['params'])
    x = (np.asarray(IMAGES).reshape(4, -1) + 1) / 2
    for i, gain in enumerate((2.5, 1.3)):
        kernel = params[f'WeightNormDense_{i}']['kernel']
        x = np.maximum(gain * x @ (kernel / np.linalg.norm(kernel, axis=0)), 0)
    np.testing.assert_allclose(judged(variables, False).features, x, atol=1e-5)


def test_noise_is_each_examples_own_and_only_in_training(variables):
    rng = keys.per_example(KEY, 4)
    plain, noisy = judged(variables, False), judged(variables, True, rng)
    np.testing.assert_array_equal(judged(variables, False, rng).classes, plain.classes)
    np.testing.assert_array_equal(judged(variables, True).classes, plain.classes)
    assert (np.abs(noisy.classes - plain.classes).max(axis=1) > 1e-3).all()
    half = jax.jit(lambda: SMALL.apply(variables, IMAGES[2:], True, rng[2:]))()
    np.testing.assert_allclose(half.classes, noisy.classes[2:], atol=1e-5)


def test_noise_has_its_deviation_and_each_layer_its_own():
    rng = keys.per_example(KEY, 2000)
    zeros = jnp.zeros((2000, 20))
    first, second = (
        np.asarray(jax.jit(lambda i=i: semi_supervised._noisy(zeros, rng, i, 0.3))())
        for i in (0, 1)
    )
    assert abs(first.std() - 0.3) < 0.005
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.02


def test_a_set_without_classes_is_refused():
    with pytest.raises(ValueError, match='the data set has none'):
        semi_supervised.Classifier(classes=None).init(KEY, IMAGES, True)
