"""Networks as functions, and who holds which, with modules small enough to write out."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import keys
from gan_jax.games.network import Role, begin, features, of_module
from gan_jax.networks import verdict

X = np.arange(6, dtype=np.float32).reshape(3, 2)
RNG = keys.per_example(jax.random.key(0), 3)
LABEL = np.array([0, 1, 0], np.int32)


class Plain(nn.Module):
    """x -> w x; asks for nothing."""

    start: float = 2.0

    @nn.compact
    def __call__(self, x):
        return self.param('w', nn.initializers.constant(self.start), ()) * x


class Labelled(nn.Module):
    """x -> x + label; it needs a label and has no parameters."""

    @nn.compact
    def __call__(self, x, label):
        return x + label[:, None].astype(jnp.float32)


class Counting(nn.Module):
    """x -> w x; counts its calls in training."""

    @nn.compact
    def __call__(self, x, train):
        calls = self.variable('statistics', 'calls', jnp.zeros, ())
        if train and not self.is_initializing():
            calls.value += 1.0
        return Plain()(x)


class Drawing(nn.Module):
    """x -> x plus a draw of each example's own key, where it is given keys."""

    @nn.compact
    def __call__(self, x, train, rng=None):
        return x if rng is None else x + jax.vmap(jax.random.uniform)(rng)[:, None]


def test_a_module_is_given_only_what_it_asks_for():
    plain, labelled = of_module(Plain()), of_module(Labelled())
    params, collections = plain.init(jax.random.key(0), X, label=LABEL, other=3)
    assert params == {'w': 2.0}
    assert collections == {}
    made, _ = plain.apply(params, collections, X, label=LABEL, other=3, rng=RNG, train=True)
    np.testing.assert_array_equal(made, 2 * X)
    assert labelled.init(jax.random.key(0), X, label=LABEL, other=3) == ({}, {})
    made, _ = labelled.apply({}, {}, X, label=LABEL, other=3, rng=RNG, train=False)
    np.testing.assert_array_equal(made, X + LABEL[:, None])


def test_a_network_names_what_it_asks_for():
    assert of_module(Plain()).asks == {'x'}
    assert of_module(Labelled()).asks == {'x', 'label'}
    assert of_module(Drawing()).asks == {'x'}


def test_what_a_module_needs_must_be_given():
    with pytest.raises(TypeError, match='label'):
        of_module(Labelled()).apply({}, {}, X)


def test_collections_come_back_in_training_and_not_after_it():
    network = of_module(Counting())
    params, before = network.init(jax.random.key(0), X)
    assert before == {'statistics': {'calls': 0.0}}
    _, after = network.apply(params, before, X)
    assert after == {'statistics': {'calls': 1.0}}
    made, same = network.apply(params, after, X, train=False)
    assert same is after
    np.testing.assert_array_equal(made, 2 * X)


def test_keys_for_dropout_are_there_in_training_with_keys_only():
    network = of_module(Drawing())
    noisy, _ = network.apply({}, {}, X, rng=RNG)
    drawn = jax.vmap(jax.random.uniform)(keys.of_name(RNG, 'dropout'))
    np.testing.assert_allclose(noisy, X + drawn[:, None], rtol=1e-6)
    for options in ({}, {'train': False}):
        np.testing.assert_array_equal(network.apply({}, {}, X, **options)[0], X)
    assert network.init(jax.random.key(0), X) == ({}, {})


def test_a_role_finds_its_players_parameters_and_collections():
    role, other = Role(of_module(Counting()), 'one'), Role(of_module(Counting()), 'two')
    params, aux = begin(jax.random.key(0), [(role, X, {}), (other, X, {})])
    assert params == {name: {'Plain_0': {'w': 2.0}} for name in ('one', 'two')}
    params['one'] = {'Plain_0': {'w': jnp.float32(5.0)}}
    made, after = role(params, {**aux, 'kept': 7}, X)
    np.testing.assert_array_equal(made, 5 * X)
    assert after == {
        'one': {'statistics': {'calls': 1.0}}, 'two': {'statistics': {'calls': 0.0}}, 'kept': 7
    }  # fmt: skip
    assert aux['one'] == {'statistics': {'calls': 0.0}}  # the given one is not written to
    assert role(params, after, X, train=False)[1] == after


def test_a_role_with_a_part_finds_it_among_its_players_networks():
    roles = {part: Role(of_module(Counting()), 'both', part) for part in ('left', 'right')}
    params, aux = begin(jax.random.key(0), [(role, X, {}) for role in roles.values()])
    assert params == {'both': {part: {'Plain_0': {'w': 2.0}} for part in roles}}
    params['both']['right'] = {'Plain_0': {'w': jnp.float32(5.0)}}
    for part, w, calls in (('right', 5, (0, 1)), ('left', 2, (1, 0))):
        made, after = roles[part](params, aux, X)
        np.testing.assert_array_equal(made, w * X)
        counted = [after['both'][name]['statistics']['calls'] for name in roles]
        assert counted == [*calls]


class Random(nn.Module):
    """x -> w x, with w drawn."""

    @nn.compact
    def __call__(self, x):
        return self.param('w', nn.initializers.normal(), ()) * x


def test_each_role_begins_with_a_key_of_its_own():
    names = ('one', ''), ('two', ''), ('three', 'a'), ('three', 'b')
    cast = [(Role(of_module(Random()), *name), X, {}) for name in names]
    drawn = [float(x) for x in jax.tree.leaves(begin(jax.random.key(0), cast)[0])]
    assert len({*drawn}) == 4
    again = jax.tree.leaves(begin(jax.random.key(0), cast[::-1])[0])
    assert sorted(map(float, again)) == sorted(drawn)  # not of its place among the others


class TwoHalves(nn.Module):
    """x -> 3 (w x + label), where `told` a label."""

    told: bool = False

    @property
    def asks(self):
        return frozenset({'label'} if self.told else ())

    def setup(self):
        self.first = Plain()
        self.calls = self.variable('statistics', 'calls', jnp.zeros, ())

    def begin(self, x, train, label=None):
        if train and not self.is_initializing():
            self.calls.value += 1.0
        return self.first(x) + (label[:, None].astype(jnp.float32) if self.told else 0.0)

    def end(self, half, factor=3.0):
        return factor * half

    def __call__(self, x, train, label=None):
        return self.end(self.begin(x, train, label))


def test_a_networks_other_methods_share_its_parameters_and_collections():
    whole = of_module(TwoHalves())
    first, last = Role(whole.method('begin'), 'one'), Role(whole.method('end'), 'one')
    params, aux = begin(jax.random.key(0), [(Role(whole, 'one'), X, {})])
    half, after = first(params, aux, X, label=LABEL)
    np.testing.assert_array_equal(half, 2 * X)
    assert after['one'] == {'statistics': {'calls': 1.0}}
    made, same = last(params, after, half, label=LABEL)  # which it does not ask for
    np.testing.assert_array_equal(made, 6 * X)
    assert same == after
    np.testing.assert_array_equal(last(params, after, half, factor=1.0, train=False)[0], half)
    np.testing.assert_array_equal(Role(whole, 'one')(params, aux, X, label=LABEL)[0], made)
    with pytest.raises(AttributeError, match='middle'):
        whole.method('middle')


def test_a_module_may_say_what_it_asks_for():
    for told in (False, True):
        whole = of_module(TwoHalves(told))
        asked = {'label'} if told else set()
        assert whole.asks == whole.method('begin').asks == asked
        assert whole.method('end').asks == set()


class Comparing(nn.Module):
    """x -> 3 x and how far it is from the batch's mean -> logit."""

    heads: bool = False

    @nn.compact
    def __call__(self, x, train):
        apart = jnp.abs(x - x.mean(axis=0, keepdims=True))
        shown = nn.Dense(4)(jnp.concatenate([3 * x, apart], axis=-1))
        logit = nn.Dense(1)(jnp.concatenate([3 * x, apart], axis=-1))[:, 0]
        return verdict.Verdict(logit, shown) if self.heads else logit


def test_features_are_what_the_last_dense_layer_is_given():
    network = of_module(Comparing())
    params, aux = network.init(jax.random.key(0), X)
    found, _ = features(network).apply(params, aux, X, train=True)
    np.testing.assert_allclose(found, np.concatenate([3 * X, np.abs(X - X.mean(0))], -1))


def test_in_evaluation_no_feature_depends_on_other_examples():
    """Of a batch of one the mean is the example."""
    network = of_module(Comparing())
    params, aux = network.init(jax.random.key(0), X)
    found, _ = jax.jit(lambda x: features(network).apply(params, aux, x, train=False))(X)
    np.testing.assert_allclose(found, np.concatenate([3 * X, 0 * X], -1))


def test_features_of_a_verdict_come_first_and_without_either_there_are_none():
    network = of_module(Comparing(heads=True))
    params, aux = network.init(jax.random.key(0), X)
    found, _ = features(network).apply(params, aux, X, train=True)
    np.testing.assert_array_equal(found, network.apply(params, aux, X)[0].features)
    plain = of_module(Plain())
    with pytest.raises(ValueError, match='ends in no dense layer'):
        features(plain).apply(*plain.init(jax.random.key(0), X), X, train=True)
