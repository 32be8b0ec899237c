import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.runtime import parallel


def test_shard_gives_each_device_its_contiguous_share_of_each_step():
    batches = {'x': np.arange(2 * 8).reshape(2, 8)}
    shards = parallel.shard(batches, 4)['x']
    assert shards.shape == (4, 2, 2)
    np.testing.assert_array_equal(shards[1], [[2, 3], [10, 11]])


def test_shares_and_first_examples_agree():
    def first(x):
        return parallel.first_example(x.shape[0], parallel.AXIS)

    batch = parallel.shard({'x': np.arange(16)[None]}, 8)['x'][:, 0]
    found = jax.pmap(first, axis_name=parallel.AXIS)(batch)
    np.testing.assert_array_equal(found, batch[:, 0])
    assert parallel.first_example(5, None) == 0


def test_mean_is_over_devices_leaf_by_leaf():
    tree = {'a': jnp.arange(8.0), 'b': jnp.ones((8, 2, 3)) * jnp.arange(8.0)[:, None, None]}
    means = jax.pmap(lambda x: parallel.mean(x, parallel.AXIS), axis_name=parallel.AXIS)(tree)
    np.testing.assert_allclose(means['a'], np.full(8, 3.5))
    np.testing.assert_allclose(means['b'], np.full((8, 2, 3), 3.5))
    assert parallel.mean(tree, None) is tree


def test_one_collective_carries_all_leaves():
    tree = {'a': jnp.ones((8, 3)), 'b': jnp.ones((8, 2)), 'c': jnp.ones((8,))}
    step = jax.pmap(lambda x: parallel.mean(x, parallel.AXIS), axis_name=parallel.AXIS)
    assert step.lower(tree).as_text().count('all_reduce') == 1


def test_the_state_is_donated():
    update = parallel.pmap_steps(lambda s, b: (s + b['x'].sum(), {'s': s}), jax.devices()[:1])
    state = parallel.replicate(jnp.float32(1.0), jax.devices()[:1])
    batches = parallel.shard({'x': np.ones((1, 4), np.float32)}, 1)
    new, _ = update(state, batches)
    assert state.is_deleted()
    assert float(new[0]) == 5.0


@pytest.mark.parametrize('steps', [1, 3])
def test_steps_run_in_order_and_their_metrics_are_stacked(steps):
    update = parallel.pmap_steps(
        lambda s, b: (2.0 * s + b['x'].sum(), {'before': s}), jax.devices()[:1]
    )
    state = parallel.replicate(jnp.float32(1.0), jax.devices()[:1])
    x = np.arange(steps, dtype=np.float32)[:, None]
    state, metrics = update(state, parallel.shard({'x': x}, 1))
    want, seen = 1.0, []
    for value in x[:, 0]:
        seen.append(want)
        want = 2 * want + value
    assert float(parallel.to_host(state)) == want
    np.testing.assert_array_equal(parallel.to_host(metrics)['before'], seen)


def test_to_host_shares_no_memory_with_the_device():
    update = parallel.pmap_steps(lambda s, b: (s + 1.0, {}), jax.devices()[:1])
    state = parallel.replicate(jnp.zeros(1000), jax.devices()[:1])
    batches = parallel.shard({'x': np.ones((1, 1), np.float32)}, 1)
    state, _ = update(state, batches)
    copy = parallel.to_host(state)
    for _ in range(3):
        state, _ = update(state, batches)
    assert (copy == 1.0).all()
    assert copy.base is None


def test_replicate_and_first_are_inverse():
    tree = {'a': np.arange(3.0, dtype=np.float32), 'b': np.int32(2)}
    replicated = parallel.replicate(tree)
    assert replicated['a'].shape == (8, 3)
    np.testing.assert_array_equal(parallel.first(replicated)['a'], tree['a'])
    assert int(parallel.to_host(replicated)['b']) == 2


@pytest.mark.parametrize(
    ('flags', 'threads'),
    [
        ('', None),
        ('--xla_force_host_platform_device_count=1', None),
        ('--xla_force_host_platform_device_count=four', None),
        ('--xla_force_host_platform_device_count=4', '16'),
        ('--other --xla_force_host_platform_device_count=32', '64'),
    ],
)
def test_virtual_devices_need_threads(flags, threads):
    want = {'PJRT_NPROC': threads} if threads else {}
    assert parallel.virtual_device_environment(flags) == want


@pytest.mark.parametrize('num', [1, 8, 19])
def test_examples_are_spread_over_the_devices_and_come_back_in_order(num):
    shapes = []

    def function(shared, x):
        shapes.append(x.shape)
        return {'sum': jnp.sum(x, axis=1) + shared}

    x = np.arange(2.0 * num, dtype=np.float32).reshape(num, 2)
    apply = parallel.over_examples(function)
    for shared in (1.0, 2.0):
        found = apply(jnp.float32(shared), x)
        np.testing.assert_array_equal(found['sum'], x.sum(axis=1) + shared)
    assert shapes == [(-(-num // jax.local_device_count()), 2)]
