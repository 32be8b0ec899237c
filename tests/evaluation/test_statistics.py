"""What cannot be had: it is told before anything long, or left out with the reason."""

import numpy as np
import pytest
from evaluation.test_evaluator import DATA, IMAGE, IMAGES, NETWORK, OTHERS, made, project

from gan_jax.data import loading, sources
from gan_jax.errors import UserError
from gan_jax.evaluation import evaluator as evaluation
from gan_jax.networks.features import FeatureNetwork


def blind(images):
    """Features that are not finite of images that are all alike."""
    features, logits = project(images)
    return np.where(features.std(axis=1, keepdims=True) > 0, features, np.nan), logits


BLIND = FeatureNetwork('blind', 'abc', 'none', blind)


def test_figures_of_features_that_are_not_finite_are_missing_and_the_others_are_there():
    names = ('frechet_distance', 'precision_recall', 'sliced_wasserstein')
    found = made(names=names, network=BLIND)([IMAGES, np.zeros((3, 8, 8, 1), np.uint8)])
    of_features = {'frechet_distance[blind]', 'precision[blind]', 'recall[blind]'}
    assert found.missing == dict.fromkeys(
        of_features, 'features of blind: 3 of 3 are not finite (NaN or infinity)'
    )
    assert {name for name, value in found.items() if np.isnan(value)} == of_features
    assert found['sliced_wasserstein'] > 0


def test_a_network_that_fails_on_samples_leaves_their_figures_out():
    def broken(images):
        if len(images) == 60:
            raise RuntimeError('out of memory')
        return project(images)

    found = made(names=('frechet_distance',), network=NETWORK._replace(apply=broken))([IMAGES])
    assert found.missing == {
        'frechet_distance[quarters]': 'the network quarters fails: out of memory'
    }


def test_a_value_that_is_not_finite_is_missing():
    """Diversity by that of real examples that are all alike."""
    alike = loading.load(sources.from_arrays('alike', IMAGES[[0] * 60]), image_size=None)
    with np.errstate(all='ignore'):
        found = made(alike, ('diversity',))([IMAGES])
    assert found.missing == {'diversity[quarters]': 'it is inf'}


def test_real_images_without_finite_features_are_an_error_at_once(tmp_path):
    black = loading.load(sources.from_arrays('b', np.zeros_like(IMAGES)), image_size=None)
    for cache in (None, tmp_path):
        with pytest.raises(UserError, match='of test images: features of blind: 40 of 40'):
            made(black, ('frechet_distance',), cache, BLIND)
    assert not list(tmp_path.rglob('*.npz'))


def few(num, name, dataset=DATA, held_out=OTHERS, generated=None, modality=IMAGE):
    """An evaluation that would fail if it loaded the network."""
    return evaluation.build(
        (name,), modality=modality, train=dataset, held_out=held_out, splits=('train', 'test'),
        aligned=True, load_network=None, num=num, seed=0, cache=None, generated=generated,
    )  # fmt: skip


@pytest.mark.parametrize(
    ('name', 'num', 'said'),
    [
        ('frechet_distance', 1, '2 real examples or more, and there are 1'),
        ('kernel_distance', 1, '2 real'),
        ('inception_score', 1, '2 generated'),
        ('precision_recall', 3, '4 real'),
        ('density_coverage', 5, '6 real'),
        ('diversity', 1, '2 real'),
        ('memorised', 19, '20 real'),
        ('pair_similarity', 1, '2 generated'),
        ('path_length', 1, '2 generated'),
        ('ssim', 9, '11 pixels a side or more, and there are 8'),
        ('pair_similarity', 9, '11 pixels'),
    ],
)
def test_too_little_for_a_metric_is_told_before_the_network_is_loaded(name, num, said):
    with pytest.raises(UserError, match=f'the metric {name} needs {said}.*leave that metric out'):
        few(num, name)


def test_too_few_samples_or_too_few_of_a_class_are_told_as_early():
    with pytest.raises(UserError, match='precision_recall needs 4 generated'):
        few(60, 'precision_recall', generated=3)
    labels = np.zeros(60, int)
    labels[7] = 1
    lone = loading.load(sources.from_arrays('lone', IMAGES, labels), image_size=None)
    with pytest.raises(UserError, match='needs 2 real examples or more of each class'):
        few(60, 'intra_class_frechet_distance', held_out=lone)
