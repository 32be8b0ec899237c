"""Sources of a data set's examples: made when they are asked for, always the same."""

import functools

import jax
import numpy as np
import pytest

from gan_jax import data, keys
from gan_jax.data import loading, sources
from gan_jax.restoration import degradations
from gan_jax.sampling import translation

NUM, SIZE = 24, 12
IMAGES = np.random.default_rng(0).integers(0, 256, (NUM, SIZE, SIZE, 3), np.uint8)
LABELS = np.arange(NUM, dtype=np.int32)
NOISE = functools.partial(degradations.noise, stddev=0.5)
PLAIN = loading.load(sources.from_arrays('x', IMAGES), image_size=None)
PLACES = np.array([7, 2, 19, 0, 4])


def make_sources(dataset, places, degrade=NOISE, seed=0):
    return translation.Sources(dataset, places, data.normalize, degrade, seed)


def test_sources_are_the_same_however_they_are_sliced():
    made = make_sources(PLAIN, PLACES)
    whole = made[:]
    assert (len(made), whole.shape, whole.dtype) == (5, (5, SIZE, SIZE, 3), np.float32)
    assert isinstance(whole, np.ndarray)
    parts = np.concatenate([made[:2], made[2:4], made[4:100]])
    np.testing.assert_allclose(parts, whole, atol=1e-6)
    np.testing.assert_array_equal(made[:], whole)
    others = make_sources(PLAIN, PLACES[[3, 0]])
    np.testing.assert_allclose(others[:], whole[[3, 0]], atol=1e-6)
    np.testing.assert_array_equal(made.truths(slice(1, 3)), IMAGES[[2, 19]])


@pytest.mark.parametrize('seed', [0, 5])
def test_sources_are_drawn_with_the_keys_of_their_places(seed):
    root = keys.fold_in_name(jax.random.key(seed), 'sources')
    rng = keys.per_example(root, NUM)[PLACES]
    want = degradations.noise(rng, data.normalize(IMAGES[PLACES]), 0.5)
    found = make_sources(PLAIN, PLACES, seed=seed)[:]
    np.testing.assert_allclose(found, want, atol=1e-6)
    added = found - data.normalize(IMAGES[PLACES])
    assert len(np.unique(np.round(added[:, 0, 0, 0], 3))) == 5


@pytest.mark.parametrize(('num_sources', 'want'), [(None, PLACES), (3, PLACES % 3)])
def test_sources_that_a_data_set_has_are_taken_as_they_are(num_sources, want):
    dataset = data.Dataset(
        'x', IMAGES.shape[1:], ('',), LABELS, IMAGES.__getitem__,
        source=(255 - IMAGES).__getitem__, num_sources=num_sources,
    )  # fmt: skip
    made = make_sources(dataset, PLACES, None)
    np.testing.assert_allclose(made[1:], 1 - IMAGES[want[1:]] / 127.5, atol=1e-6)
    assert made[:].dtype == np.float32
    np.testing.assert_array_equal(made.truths(slice(None)), IMAGES[PLACES])
