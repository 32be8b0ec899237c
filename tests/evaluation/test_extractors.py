import dataclasses

import jax
import numpy as np
import pytest

from gan_jax import data, modalities
from gan_jax.config import features as features_lib
from gan_jax.data import loading, sources
from gan_jax.errors import UserError
from gan_jax.evaluation import extractors as features
from gan_jax.networks.features import FeatureNetwork, classifier


def bright(images):
    return images.reshape(len(images), -1).astype(np.float32), np.zeros((len(images), 2))


IMAGE = modalities.make({'name': 'images', 'shape': [8, 8, 1]})
OWN = FeatureNetwork('own', 'digest', 'none', bright)


def halves(seed, num=300):
    """Two classes: the upper or the lower half of the image is the brighter one."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, num)
    images = rng.integers(0, 128, (num, 8, 8, 1), np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[4 * label : 4 * label + 4] += 100
    return loading.load(sources.from_arrays('halves', images, labels), image_size=None)


def test_a_classifier_learns_the_labels_once_and_is_kept(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(classifier, 'STEPS', 30)
    monkeypatch.setattr(classifier.train, '__kwdefaults__', {'steps': 30, 'seed': 0})
    train, test = halves(0), halves(1)
    with jax.numpy_dtype_promotion('standard'):  # as Adam needs it
        network = features.load('classifier', train, test, tmp_path)
    assert network.name == 'halves-classifier'
    some = test.batch(np.arange(100))
    assert classifier.accuracy(network, some['real'], some['label']) > 0.95
    found, logits = network.apply(some['real'][:3])
    assert found.shape == (3, 128)
    assert logits.shape == (3, 2)
    params, smooth = network.smooth
    seen = (some['real'][:3] / 127.5 - 1).astype(np.float32)
    np.testing.assert_allclose(smooth(params, seen), found, rtol=1e-4, atol=1e-5)

    monkeypatch.setattr(classifier, 'train', None)  # it is not called again
    again = features.load('classifier', train, test, tmp_path)
    assert again.digest == network.digest
    np.testing.assert_array_equal(again.apply(some['real'][:3])[0], found)
    with pytest.raises(TypeError):
        features.load('classifier', halves(2), test, tmp_path)


def test_a_set_without_labels_has_no_classifier(tmp_path):
    plain = loading.load(
        sources.from_arrays('plain', np.zeros((9, 8, 8, 1), np.uint8)), image_size=None
    )
    with pytest.raises(UserError, match=r'no labels .* --features=inception:PATH'):
        features.load('classifier', plain, None, tmp_path)


def test_a_network_or_a_function_of_ones_own():
    images = np.zeros((2, 4, 4, 1), np.uint8)
    for name, own in (('own', OWN), ('bright', bright)):
        network = features.load(f'evaluation.test_extractors:{name}', halves(0, 9), own=own)
        assert network.name == name
        np.testing.assert_array_equal(network.apply(images)[0], bright(images)[0])
    assert features.load('x:own', halves(0, 9), own=OWN).digest == OWN.digest
    for name, said in (
        ('no_module:x', 'there is no module no_module'),
        ('evaluation.test_extractors:none', 'has no none; did you mean'),
        ('evaluation.test_extractors:__name__', 'neither'),
    ):
        with pytest.raises(UserError, match=said):
            features_lib.load(name, IMAGE, halves(0, 9), None, None)


def test_a_classifier_reads_its_set_a_part_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(classifier, 'STEPS', 2)
    monkeypatch.setattr(classifier.train, '__kwdefaults__', {'steps': 2, 'seed': 0})
    whole, asked = halves(0, 1700), []

    def fetch(places):
        asked.append(len(places))
        return whole.fetch(places)

    train = dataclasses.replace(whole, fetch=fetch)
    with jax.numpy_dtype_promotion('standard'):  # as Adam needs it
        network = features.load('classifier', train, None, tmp_path)
    assert max(asked) == 500
    assert sum(asked) >= 1700 + 170
    assert network.name == 'halves-classifier'
    assert [data.chunk_size(x) for x in ((28, 28, 1), (128, 128, 3), (4096, 4096, 3))] == [
        500, 341, 1,
    ]  # fmt: skip


def test_inception_without_its_file_says_which(tmp_path):
    with pytest.raises(UserError, match=r'pt_inception-2015-12-05-6726825d\.pth'):
        features.load(f'inception:{tmp_path / "none.pth"}', None, None, tmp_path)


WEIGHT = np.ones(64, np.float32)


def weighted(images):
    flat = images.reshape(len(images), -1).astype(np.float32)
    return flat * WEIGHT[: flat.shape[1]], np.zeros((len(images), 2))


def test_a_functions_digest_is_of_what_it_computes(monkeypatch):
    data = halves(0, 9)
    digest = features.load('x:weighted', data, own=weighted).digest
    assert features.load('x:weighted', data, own=weighted).digest == digest
    monkeypatch.setitem(globals(), 'WEIGHT', WEIGHT * 2)
    assert features.load('x:weighted', data, own=weighted).digest != digest


@pytest.mark.parametrize(
    'own', [lambda images: images, lambda images: 1 / 0, lambda images: images.reshape(3, 5)]
)
def test_a_function_that_is_none_of_features_is_told_so_at_once(own):
    with pytest.raises(UserError, match=r'uint8 images \[8, 8, 8, 1\].*\(features \[8, d\]'):
        features.load('x:own', halves(0, 9), own=own)


def test_a_classifier_of_more_classes_is_another(tmp_path, monkeypatch):
    """The same images and labels, but a class that no image has: other parameters."""
    trained = []

    def train(images, labels, classes):
        trained.append(classes)
        return classifier_params(classes)

    def classifier_params(classes):
        network = classifier.Classifier(classes)
        return network.init(jax.random.key(0), np.zeros((1, 8, 8, 1), np.float32))

    monkeypatch.setattr(classifier, 'train', train)
    data = halves(0, 40)
    three = dataclasses.replace(data, class_names=('a', 'b', 'c'))
    for dataset, classes in ((data, 2), (three, 3), (data, 2)):
        network = features.load('classifier', dataset, None, tmp_path)
        assert network.apply(data.batch(np.arange(2))['real'])[1].shape == (2, classes)
    assert trained == [2, 3]


@pytest.mark.parametrize('num', [1, 2])
def test_a_classifier_of_too_few_images_is_not_trained(tmp_path, num):
    with pytest.raises(UserError, match=r'too few images .* --features=inception:PATH'):
        features.load('classifier', halves(0, num), None, tmp_path)
