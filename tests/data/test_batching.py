import functools
import itertools
import json

import numpy as np
import pytest
from PIL import Image

from gan_jax import data
from gan_jax.data import batching, sources
from gan_jax.errors import UserError


def numbered(num, size=8):
    """A data set whose image i is all i, labelled i % 3."""
    images = (
        np.zeros((num, size, size, 1), np.uint8)
        + np.arange(num, dtype=np.uint8)[:, None, None, None]
    )
    return data.load(sources.from_arrays('numbered', images, np.arange(num) % 3), image_size=None)


def numbers(batch):
    return batch['real'][..., 0, 0, 0].ravel().tolist()


def write(folder, sizes, mode='RGB'):
    rng = np.random.default_rng(0)
    for i, (height, width) in enumerate(sizes):
        image = Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
        image.convert(mode).save(folder / f'{i}.png')
    return f'folder:{folder}'


# ---- Loading ---------------------------------------------------------------------------------
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


@pytest.mark.parametrize('count', [1, 2, 3, 6])
def test_processes_share_each_batch_in_order(count):
    dataset = numbered(20)
    for step in range(5):
        whole = numbers(data.batch_at(dataset, step, batch_size=6, seed=0))
        parts = [
            numbers(
                data.batch_at(
                    dataset, step, batch_size=6, seed=0, process_index=i, process_count=count
                )
            )
            for i in range(count)
        ]
        assert list(itertools.chain(*parts)) == whole
        assert {len(part) for part in parts} == {6 // count}


def test_batches_are_those_of_their_steps():
    dataset = numbered(20)
    iterator = data.batches(
        dataset, batch_size=6, seed=4, steps_per_dispatch=3, process_index=1, process_count=2
    )
    for dispatch in range(5):
        element = next(iterator)
        assert element['real'].shape == (3, 3, 8, 8, 1)
        assert element['label'].shape == (3, 3)
        for i in range(3):
            batch = data.batch_at(
                dataset, 3 * dispatch + i, batch_size=6, seed=4, process_index=1, process_count=2
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


def test_a_batch_that_cannot_be_shared_is_refused():
    with pytest.raises(UserError, match=r'config\.batch_size=7 .* 2 processes; use .* such as 8'):
        data.batches(numbered(7), batch_size=7, seed=0, process_count=2)
    with pytest.raises(UserError, match='such as 1'):
        data.batches(numbered(7), batch_size=0, seed=0)
