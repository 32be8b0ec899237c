import functools
import itertools
import json

import numpy as np
import pytest
from data.test_loading import numbered, numbers

from gan_jax import data
from gan_jax.data import batching


# ---- The stream ------------------------------------------------------------------------------
def test_every_example_comes_once_an_epoch_and_each_epoch_in_another_order():
    dataset = numbered(12)
    seen = [
        number
        for step in range(9)
        for number in numbers(data.batch_at(dataset, step, batch_size=4, seed=0))
    ]
    epochs = [seen[:12], seen[12:24], seen[24:]]
    assert all(sorted(epoch) == list(range(12)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]
    assert epochs[0] != list(range(12))


def test_the_orders_are_those_of_numpys_generator():
    stream = batching.examples(7, 3, 0, 21)
    expected = [np.random.default_rng((3, epoch)).permutation(7) for epoch in range(3)]
    np.testing.assert_array_equal(stream, np.concatenate(expected))


@pytest.mark.parametrize('batch_size', [1, 5, 7, 18])
def test_batches_cut_the_stream_wherever_they_fall(batch_size):
    dataset = numbered(7)
    stream = batching.examples(7, 0, 0, 4 * batch_size).tolist()
    cut = [numbers(data.batch_at(dataset, s, batch_size=batch_size, seed=0)) for s in range(4)]
    assert list(itertools.chain(*cut)) == stream
    assert all(len(batch) == batch_size for batch in cut)


def test_the_seed_alone_decides():
    dataset = numbered(50)
    first, again, other = (
        [numbers(next(data.batches(dataset, batch_size=50, seed=seed)))] for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize('count', [1, 2, 4, 6])
def test_of_a_set_that_all_hold_each_process_gives_a_part_of_the_batch(count):
    dataset = numbered(20)
    for step in range(5):
        whole = data.batch_at(dataset, step, batch_size=6, seed=0)
        for i in range(count):
            share = data.Share(i, count)
            batch = data.batch_at(dataset, step, batch_size=6, seed=0, share=share)
            own = slice(i * 6 // count, (i + 1) * 6 // count)
            for name in ('real', 'label'):
                assert batch[name].dtype == whole[name].dtype
                expected = np.zeros_like(whole[name])
                expected[own] = whole[name][own]
                np.testing.assert_array_equal(batch[name], expected)


def test_batches_are_those_of_their_steps():
    dataset = numbered(20)
    iterator = data.batches(
        dataset, batch_size=6, seed=4, steps_per_dispatch=3, share=data.Share(1, 2)
    )
    for dispatch in range(5):
        element = next(iterator)
        assert element['real'].shape == (3, 6, 8, 8, 1)
        assert element['label'].shape == (3, 6)
        for i in range(3):
            batch = data.batch_at(
                dataset, 3 * dispatch + i, batch_size=6, seed=4, share=data.Share(1, 2)
            )
            np.testing.assert_array_equal(element['real'][i], batch['real'])
            np.testing.assert_array_equal(element['label'][i], batch['label'])


@pytest.mark.parametrize('before', [0, 1, 5])
def test_a_restored_state_goes_on_exactly(before):
    make = functools.partial(data.batches, numbered(20), batch_size=6, seed=0)
    iterator = make()
    for _ in range(before):
        next(iterator)
    state = json.loads(json.dumps(iterator.get_state()))
    expected = [numbers(next(iterator)) for _ in range(8)]
    fresh = make()
    fresh.set_state(state)
    assert [numbers(next(fresh)) for _ in range(8)] == expected
    iterator.set_state(state)
    assert [numbers(next(iterator)) for _ in range(8)] == expected


def test_a_late_step_is_found_at_once():
    batch = data.batch_at(numbered(7), 10**12, batch_size=64, seed=0)
    assert len(numbers(batch)) == 64


def test_an_epochs_order_is_drawn_once(monkeypatch):
    drawn = []
    generator = np.random.default_rng

    def counted(seed):
        drawn.append(seed)
        return generator(seed)

    batching._permutations.cache_clear()
    monkeypatch.setattr(np.random, 'default_rng', counted)
    dataset = numbered(100)
    for step in range(12):
        data.batch_at(dataset, step, batch_size=10, seed=0)
    assert drawn == [(0, 0), (0, 1)]
