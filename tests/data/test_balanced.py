"""Rarer classes' examples come as often as the commonest's, with their own labels."""

import dataclasses

import numpy as np
import pytest

from gan_jax import data
from gan_jax.errors import UserError

LABELS = np.array([0, 0, 0, 0, 0, 2, 2, 3], np.int32)
IMAGES = np.arange(8, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 1), np.uint8)
SET = data.Dataset('x', (2, 2, 1), tuple('abcd'), LABELS, IMAGES.__getitem__)


def places(images):
    return images[..., 0, 0, 0].ravel()


def test_each_class_that_there_is_comes_as_often_and_labels_stay_with_their_examples():
    balanced = SET.balanced()
    batch = balanced.batch(np.arange(len(balanced)))
    assert np.bincount(batch['label']).tolist() == [5, 0, 5, 5]
    np.testing.assert_array_equal(batch['label'], LABELS[places(batch['real'])])
    assert np.bincount(places(batch['real'])).tolist() == [1, 1, 1, 1, 1, 3, 2, 5]
    assert balanced.class_names == SET.class_names
    assert balanced.name == 'x[balanced]'


def test_an_epoch_of_batches_is_balanced():
    batches = [data.batch_at(SET.balanced(), i, batch_size=5, seed=1) for i in range(3)]
    labels = np.concatenate([x['label'] for x in batches])
    assert np.bincount(labels).tolist() == [5, 0, 5, 5]


def test_of_several_processes_each_has_its_own_part():
    half = IMAGES * (np.arange(8) < 4)[:, None, None, None]
    shared = dataclasses.replace(SET, own=dataclasses.replace(SET, fetch=half.__getitem__))
    own, whole = shared.balanced().own, SET.balanced()
    some = np.arange(len(whole))
    found, want = own.batch(some)['real'], whole.batch(some)['real']
    np.testing.assert_array_equal(found, np.where(want < 4, want, 0))


def test_without_classes_it_is_refused():
    plain = dataclasses.replace(SET, class_names=('',), labels=np.zeros(8, np.int32))
    with pytest.raises(UserError, match=r'config\.data\.balanced=True: x has no classes'):
        plain.balanced()
