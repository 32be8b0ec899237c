import jax
import numpy as np
import pytest

from gan_jax import keys

ROOT = jax.random.key(3)


def data(key):
    return np.asarray(jax.random.key_data(key))


def test_keys_are_folded_from_their_place_in_the_whole_batch():
    whole = data(keys.per_example(ROOT, 8))
    parts = [data(keys.per_example(ROOT, 4, offset)) for offset in (0, 4)]
    np.testing.assert_array_equal(whole, np.concatenate(parts))
    np.testing.assert_array_equal(whole[5], data(jax.random.fold_in(ROOT, 5)))
    assert len(np.unique(whole, axis=0)) == 8


def test_keys_per_example_are_returned_as_they_are():
    given = jax.random.split(ROOT, 4)
    np.testing.assert_array_equal(data(keys.per_example(given, 4)), data(given))
    with pytest.raises(AssertionError):
        keys.per_example(given, 5)


def test_names_give_different_keys():
    assert (data(keys.fold_in_name(ROOT, 'a')) != data(keys.fold_in_name(ROOT, 'b'))).any()
