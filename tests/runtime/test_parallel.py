import jax
import jax.numpy as jnp
import numpy as np
import pytest
import several

from gan_jax.runtime import parallel, processes


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


# ---- Batches over processes ------------------------------------------------------------------
def batches_of_all_types():
    """[2 steps, 16 examples, ...], with what a sum of floats would not bring across."""
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2**32, (2, 16, 3), dtype=np.uint32)
    bits[0, :4] = np.array([np.nan, -0.0, np.inf], np.float32).view(np.uint32)
    return {
        'real': rng.integers(0, 256, (2, 16, 5, 5, 1), dtype=np.uint8),
        'source': bits.view(np.float32),
        'sound': rng.integers(-(2**15), 2**15, (2, 16, 3, 2), dtype=np.int16),
        'label': rng.integers(-5, 10, (2, 16), dtype=np.int32),
    }


def held(batches, index, count):
    """What one of the processes holds of them, here and there, and zeros."""
    owners = np.random.default_rng(1).integers(0, count, (2, 16))

    def own(x):
        return np.where((owners == index).reshape(2, 16, *(1,) * (x.ndim - 2)), x, np.zeros_like(x))

    return {name: own(x) for name, x in batches.items()}


def test_one_process_hands_its_batches_to_its_devices_as_they_are():
    batches = batches_of_all_types()
    found = parallel.distribute(batches)
    expected = parallel.shard(batches, 8)
    assert {name: x.shape for name, x in found.items()} == {
        'real': (8, 2, 2, 5, 5, 1), 'source': (8, 2, 2, 3), 'sound': (8, 2, 2, 3, 2),
        'label': (8, 2, 2),
    }  # fmt: skip
    for name, x in found.items():
        assert np.shares_memory(x, batches[name])
        assert x.tobytes() == expected[name].tobytes()


@pytest.mark.parametrize('count', [2, 4])
def test_what_processes_hold_is_exchanged_bit_by_bit(count):
    """All of them played by this one, whose devices are shared out among them."""
    devices, each = jax.devices(), 8 // count
    exchange, sharding = parallel._exchange(
        tuple(tuple(devices[i * each : (i + 1) * each]) for i in range(count))
    )
    batches = batches_of_all_types()
    parts = [held(batches, i, count) for i in range(count)]
    assert all((part['label'] == 0).any() and (part['label'] != 0).any() for part in parts)

    def placed(name):
        rows = [parallel._parts(part[name], count, each) for part in parts]
        return jax.device_put(np.concatenate(rows), sharding)

    found = exchange({name: placed(name) for name in batches})
    for name, expected in parallel.shard(batches, 8).items():
        assert found[name].dtype == expected.dtype
        assert found[name].shape == expected.shape
        assert np.asarray(found[name]).tobytes() == expected.tobytes()
        assert [x.data.shape[0] for x in found[name].addressable_shards] == [1] * 8


def play_distribute():
    """In each of two processes: every bit arrives where pmap wants it, compiled once."""
    compiled = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: compiled.append(event) if 'backend_compile' in event else None
    )
    batches = batches_of_all_types()
    own = held(batches, processes.index(), processes.count())
    found = parallel.distribute(own)
    for name, expected in parallel.shard(batches, 8).items():
        for x in found[name].addressable_shards:
            place = x.index[0].start
            assert place // 4 == processes.index()
            assert np.asarray(x.data)[0].tobytes() == expected[place].tobytes(), name

    def step(state, batch):
        place = parallel.first_example(batch['label'].shape[0], parallel.AXIS)
        weights = (place + jnp.arange(2)).astype(jnp.int32)
        total = jax.lax.psum((weights * batch['label']).sum(), parallel.AXIS)
        return state + total, {'total': total}

    update = parallel.pmap_steps(step)
    state, counts = parallel.replicate(np.int32(0)), []
    for _ in range(3):
        state, metrics = update(state, parallel.distribute(own))
        counts.append(len(compiled))
    expected = (batches['label'] * np.arange(16)).sum(axis=1)
    np.testing.assert_array_equal(parallel.to_host(metrics)['total'], expected)
    assert int(parallel.to_host(state)) == 3 * expected.sum()
    assert counts == [counts[0]] * 3


@pytest.mark.slow
def test_two_processes_exchange_what_they_hold():
    several.play(play_distribute, devices=4)


def test_a_state_is_placed_in_the_order_of_processes(monkeypatch):
    """Which is that of pmap; on a slice of TPUs `jax.devices()` goes by the places of chips."""
    by_process = [tuple(jax.devices()[i::2]) for i in range(2)]
    monkeypatch.setattr(processes, 'count', lambda: 2)
    monkeypatch.setattr(jax, 'local_devices', lambda index: by_process[index])
    state = parallel.replicate(np.float32(1.0))
    assert [x.device for x in state.addressable_shards] == [*by_process[0], *by_process[1]]


# ---- Devices ---------------------------------------------------------------------------------
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
