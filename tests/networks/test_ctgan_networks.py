"""CTGAN's networks: layout, heads, conditions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import keys
from gan_jax.networks import ctgan

HEADS = (('number', 1), ('mode', 3), ('category', 3), ('category', 2))
KEY = jax.random.key(0)
RNG = keys.per_example(KEY, 6)
NOISE = jax.random.gumbel(KEY, (6, 9))
Z = jax.random.normal(KEY, (6, 128))
CONDITION = jnp.array([[0], [1], [2], [3], [4], [0]], jnp.int32)
GENERATOR, DISCRIMINATOR = ctgan.Generator(HEADS), ctgan.Discriminator(HEADS)


def shapes(variables):
    return jax.tree.map(jnp.shape, variables['params'])


def generated(generator=GENERATOR):
    """Variables, and rows with their logits, in training."""

    def make():
        variables = generator.init(KEY, Z, True, NOISE, CONDITION)
        made = generator.apply(
            variables, Z, True, NOISE, CONDITION, method='with_logits', mutable=['batch_stats']
        )
        return variables, *made[0]

    return jax.jit(make)()


def test_the_generators_layers_are_given_all_that_came_before():
    """128 + 5, joined to 256, joined to 256 again; then 9 outputs."""
    variables, rows, logits = generated()
    kernels = [shapes(variables)[f'Dense_{i}']['kernel'] for i in range(3)]
    assert kernels == [(133, 256), (389, 256), (645, 9)]
    assert {*shapes(variables)} == {'Dense_0', 'Dense_1', 'Dense_2', 'BatchNorm_0', 'BatchNorm_1'}
    assert rows.shape == logits.shape == (6, 9)


def test_the_discriminators_layers_are_of_a_pack_and_its_conditions():
    """Two rows of 9 with their conditions of 5: 28, then 256, 256, 1."""
    packs, told = jnp.zeros((3, 18)), CONDITION.reshape(3, 2)
    variables = jax.jit(lambda: DISCRIMINATOR.init(KEY, packs, True, told))()
    kernels = [shapes(variables)[f'Dense_{i}']['kernel'] for i in range(3)]
    assert kernels == [(28, 256), (256, 256), (256, 1)]
    assert DISCRIMINATOR.apply(variables, packs, True, told).shape == (3,)


def test_heads_are_tanh_and_softmax_with_gumbel_noise():
    _, rows, logits = generated()
    np.testing.assert_allclose(rows[:, 0], np.tanh(logits[:, 0]), rtol=1e-5)
    for part in (slice(1, 4), slice(4, 7), slice(7, 9)):
        powers = np.exp((np.float64(logits[:, part]) + NOISE[:, part]) / 0.2)
        want = powers / powers.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(rows[:, part], want, rtol=1e-3, atol=1e-6)


def test_categories_come_as_often_as_their_logits_say():
    """The largest of logits with Gumbel noise is a draw from their softmax."""
    logits = jnp.tile(jnp.log(jnp.array([[0.6, 0.3, 0.1]])), (20_000, 1))
    noise = jax.random.gumbel(KEY, (20_000, 3))
    rows = ctgan.activated(logits, (('category', 3),), noise, 0.2)
    shares = np.bincount(np.argmax(rows, axis=1)) / 20_000
    np.testing.assert_allclose(shares, [0.6, 0.3, 0.1], atol=0.015)


def test_conditions_are_one_hot_among_the_categories_of_all_columns():
    np.testing.assert_array_equal(ctgan.one_hot(CONDITION[:5], HEADS), np.eye(5))
    packs = ctgan.one_hot(CONDITION.reshape(3, 2), HEADS)
    np.testing.assert_array_equal(packs[1], [0, 0, 1, 0, 0, 0, 0, 0, 1, 0])
    assert ctgan.conditions(HEADS) == 5


def test_the_cross_entropy_is_of_the_column_asked_for_alone():
    logits = np.random.default_rng(0).normal(size=(5, 9)).astype(np.float32)
    found = ctgan.cross_entropy(logits, CONDITION[:5], HEADS)
    for i in range(5):
        part = logits[i, 4:7] if i < 3 else logits[i, 7:9]
        shares = np.exp(part) / np.exp(part).sum()
        np.testing.assert_allclose(found[i], -np.log(shares[i if i < 3 else i - 3]), rtol=1e-5)
    sure = np.zeros((1, 9), np.float32)
    sure[0, 5] = 100
    assert ctgan.cross_entropy(sure, jnp.array([[1]]), HEADS)[0] == 0


def test_dropout_is_of_keys_and_in_training_only():
    packs, told = jnp.ones((6, 9)), CONDITION
    variables = DISCRIMINATOR.init(KEY, packs, True, told)
    calm = DISCRIMINATOR.apply(variables, packs, False, told)
    np.testing.assert_array_equal(calm, DISCRIMINATOR.apply(variables, packs, True, told))
    one, other = (
        DISCRIMINATOR.apply(variables, packs, True, told, rng=keys.of_name(RNG, x)) for x in 'ab'
    )
    assert not np.array_equal(calm, one)
    assert not np.array_equal(one, other)
    same = DISCRIMINATOR.apply(variables, packs, True, told, rng=keys.of_name(RNG, 'a'))
    np.testing.assert_array_equal(one, same)


def test_a_column_of_categories_makes_a_condition_and_a_table_is_needed():
    assert GENERATOR.asks == {'condition', 'noise'}
    assert DISCRIMINATOR.asks == {'condition'}
    numbers = (('number', 1), ('mode', 3))
    assert ctgan.Generator(numbers).asks == {'noise'}
    assert ctgan.Discriminator(numbers).asks == frozenset()
    with pytest.raises(ValueError, match='are for tables'):
        ctgan.Discriminator(None).init(KEY, Z, True)
