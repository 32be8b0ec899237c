"""The order in which images of two domains come."""

import functools
import itertools

import numpy as np
import pytest

from gan_jax import data
from gan_jax.data import sources


def numbered(num, first=0):
    """Places -> images that are their own number all over."""
    images = np.arange(first, first + num, dtype=np.uint8)[:, None, None, None]
    return np.broadcast_to(images, (num, 2, 2, 1)).__getitem__


def domains(num_sources, num_images, aligned=False):
    """Sources are numbered from 0, images from 100."""
    return data.Dataset(
        'x', (2, 2, 1), ('',), np.zeros(num_images, np.int32), numbered(num_images, 100),
        source=numbered(num_sources), num_sources=None if aligned else num_sources,
    )  # fmt: skip


def values(images):
    return images[..., 0, 0, 0].ravel().tolist()


def orders(num, seed, *stream):
    for epoch in itertools.count():
        yield from np.random.default_rng((seed, epoch, *stream)).permutation(num).tolist()


def test_sources_have_their_own_permutations_of_their_own_length():
    dataset = domains(3, 5)
    steps = [data.batch_at(dataset, step, batch_size=4, seed=6) for step in range(8)]
    images = list(itertools.chain(*(values(step['real']) for step in steps)))
    given = list(itertools.chain(*(values(step['source']) for step in steps)))
    assert images == [100 + i for i in itertools.islice(orders(5, 6), 32)]
    assert given == list(itertools.islice(orders(3, 6, 1), 32))
    assert all(sorted(given[i : i + 3]) == [0, 1, 2] for i in range(0, 30, 3))


def test_two_domains_of_one_length_come_in_different_orders():
    batch = data.batch_at(domains(20, 20), 0, batch_size=20, seed=0)
    assert [100 + i for i in values(batch['source'])] != values(batch['real'])


def test_pairs_stay_pairs():
    dataset = domains(7, 7, aligned=True)
    for step in range(4):
        batch = data.batch_at(dataset, step, batch_size=5, seed=1)
        assert [100 + i for i in values(batch['source'])] == values(batch['real'])
        expected = itertools.islice(orders(7, 1), 5 * step, 5 * step + 5)
        assert values(batch['source']) == list(expected)
    assert values(dataset.batch(np.array([2, 0]), np.array([5, 6]))['source']) == [2, 0]


def test_images_may_be_asked_for_alone():
    dataset = domains(3, 5)
    batch = dataset.batch(np.array([4, 3, 0]))
    assert (values(batch['source']), values(batch['real'])) == ([1, 0, 0], [104, 103, 100])
    batch = dataset.batch(np.array([4, 0]), np.array([2, 2]))
    assert (values(batch['source']), values(batch['real'])) == ([2, 2], [104, 100])


@pytest.mark.parametrize('seeds', [4, (4, 5)])
def test_batches_of_two_domains_are_those_of_their_steps_and_go_on_exactly(seeds):
    make = functools.partial(
        data.batches, domains(3, 5), batch_size=4, seed=seeds, steps_per_dispatch=2,
        share=data.Share(1, 2),
    )  # fmt: skip
    at = functools.partial(data.batch_at, domains(3, 5), batch_size=4, share=data.Share(1, 2))
    iterator = make()
    for dispatch in range(3):
        element = next(iterator)
        for i in range(2):
            for place, seed in enumerate(np.atleast_1d(seeds).tolist()):
                batch = at(2 * dispatch + i, seed=seed)
                for key in ('real', 'source', 'label'):
                    got = element[key][i] if seeds == 4 else element[key][i][:, place]
                    np.testing.assert_array_equal(got, batch[key])
    fresh = make()
    fresh.set_state(iterator.get_state())
    np.testing.assert_array_equal(next(fresh)['source'], next(iterator)['source'])


def test_processes_share_the_sources_of_each_batch():
    at = functools.partial(data.batch_at, domains(3, 5), 3, batch_size=6, seed=0)
    whole = values(at()['source'])
    for i in range(3):
        expected = [0] * (2 * i) + whole[2 * i : 2 * i + 2] + [0] * (4 - 2 * i)
        assert values(at(share=data.Share(i, 3))['source']) == expected


def test_other_data_sets_have_no_source():
    images = np.zeros((3, 8, 8, 1), np.uint8)
    dataset = data.load(sources.from_arrays('x', images), image_size=None)
    assert (dataset.source, dataset.num_sources) == (None, None)
    assert set(dataset.batch(np.array([0]))) == {'real', 'label'}
