"""Several processes that read one data set: threads that meet where processes would."""

import concurrent.futures
import dataclasses
import functools
import pickle
import threading

import numpy as np
import pytest
from PIL import Image

from gan_jax import data
from gan_jax.data import cleaning, sources
from gan_jax.errors import UserError


def together(count, function):
    """function(share) of each of so many processes, which exchange what can be pickled."""
    barrier, slots = threading.Barrier(count, timeout=30), [None] * count

    def gather(index, value):
        slots[index] = pickle.dumps(value)
        barrier.wait()
        values = [pickle.loads(x) for x in slots]
        barrier.wait()
        return values

    shares = [data.Share(i, count, functools.partial(gather, i)) for i in range(count)]
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(function, shares))


def errors(count, function):
    """The message of the UserError that function(share) ends with in each process."""

    def message(share):
        with pytest.raises(UserError) as caught:
            function(share)
        return f'{type(caught.value).__name__}: {caught.value}'

    return together(count, message)


def total(elements):
    """The sum of the processes' batches, bit by bit."""

    def add(arrays):
        bits = [x.view(f'u{x.dtype.itemsize}') for x in arrays]
        return sum(bits[1:], bits[0]).view(arrays[0].dtype)

    return {name: add([x[name] for x in elements]) for name in elements[0]}


def records(num=23, bad=(), seen=None, labels=True):
    """A source of [8, 8, 1] whose record i is i + 1 all over; what is fetched is put in `seen`."""
    seen = [] if seen is None else seen

    def fetch(indices):
        seen.extend(indices)
        return indices

    def parse(i):
        if i in bad:
            raise cleaning.BadRecord(cleaning.TRUNCATED)
        return np.full((8, 8, 1), i + 1, np.uint8), i % 3

    return sources.Source(
        'records', num, ('a', 'b', 'c'), fetch, parse, lambda i: f'records[{i}]', (8, 8, 1),
        [i % 3 for i in range(num)] if labels else None,
    )  # fmt: skip


# ---- Whose is what ---------------------------------------------------------------------------
def test_parts_are_contiguous_and_of_each_stretch():
    shares = [data.Share(i, 3) for i in range(3)]
    assert [x.of(10) for x in shares] == [slice(0, 3), slice(3, 6), slice(6, 10)]
    assert [x.places([4, 5]).tolist() for x in shares] == [[0, 4], [1, 5, 6], [2, 3, 7, 8]]
    assert data.Share().places([2, 3]).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize('memory_gb', [4.0, 0.0])
def test_each_process_reads_its_own_records_only(memory_gb):
    def load(share):
        seen = []
        dataset = data.load(records(seen=seen), image_size=8, memory_gb=memory_gb, share=share)
        loaded = sorted(seen)
        stream = data.batches(dataset, batch_size=6, seed=0, share=share)
        for _ in range(12):
            next(stream)
        return loaded, {*seen}

    found = together(3, load)
    ranges = [range(7), range(7, 15), range(15, 23)]
    assert [loaded for loaded, _ in found] == [[*x] for x in ranges]
    assert [seen for _, seen in found] == [{*x} for x in ranges]


def test_size_and_channels_follow_from_all_records_of_which_each_looks_at_its_own():
    def load(share):
        seen = []
        source = dataclasses.replace(
            records(12, seen=seen), shape=(None, None, None),
            parse=lambda i: (np.zeros((9, 9, 3 if i == 11 else 1), np.uint8), 0),
        )  # fmt: skip
        return data.load(source, image_size=None, share=share).shape, {*seen}

    assert together(3, load) == [
        ((9, 9, 3), {0, 1, 2, 3}), ((9, 9, 3), {4, 5, 6, 7}), ((9, 9, 3), {8, 9, 10, 11})
    ]  # fmt: skip


def test_the_memory_is_that_of_what_one_process_holds():
    limit = 12 * 8 * 8 / 1e9

    def load(share):
        seen = []
        dataset = data.load(records(24, seen=seen), image_size=8, memory_gb=limit, share=share)
        before = len(seen)
        dataset.batch(share.places([24]))
        return before, len(seen) - before

    assert together(1, load) == [(24, 24)]
    assert together(2, load) == [(12, 0), (12, 0)]


def test_any_process_may_be_asked_for_any_example():
    def load(share):
        seen = []
        dataset = data.load(records(bad=(2, 9), seen=seen), image_size=8, max_bad=0.5, share=share)
        seen.clear()
        return dataset.batch(np.array([20, 0, 7, 3, 0])), sorted(seen)

    (first, read), (second, others) = together(2, load)
    for batch in (first, second):
        assert batch['real'][:, 0, 0, 0].tolist() == [23, 1, 9, 5, 1]
        assert batch['label'].tolist() == [1, 0, 2, 1, 0]
    assert (read, others) == ([22], [0, 0, 4, 8])


# ---- All come to one data set ----------------------------------------------------------------
def grey(value, side=8):
    return Image.fromarray(np.full((side, side), value, np.uint8))


def folders(root):
    """A folder of classes, two domains of 5 and 8 images, 6 pairs, some rows; some of all bad."""
    for i in range(11):
        (root / 'plain' / 'ab'[i % 2]).mkdir(parents=True, exist_ok=True)
        grey(i + 1, 9 if i == 10 else 8).save(root / 'plain' / 'ab'[i % 2] / f'{i:02d}.png')
    (root / 'plain/b/05.png').write_bytes(b'text')
    for side, num in (('A', 5), ('B', 8)):
        (root / 'two' / side).mkdir(parents=True)
        (root / 'pairs' / side).mkdir(parents=True)
        for i in range(num):
            grey(100 * (side == 'B') + i + 1).save(root / 'two' / side / f'{i}.png')
        for i in range(6):
            grey(100 * (side == 'B') + i + 1).save(root / 'pairs' / side / f'{i}.png')
    (root / 'two/A/2.png').write_bytes(b'text')
    (root / 'pairs/A/1.png').write_bytes(b'text')
    (root / 'pairs/B/4.png').write_bytes(b'text')
    rows = np.random.default_rng(0).normal(size=(9, 3))
    rows[4, 1] = np.nan
    np.savez(root / 'rows.npz', train=rows)
    np.savetxt(root / 'rows.csv', rows, delimiter=',', header='a,b,c', comments='')
    lines = [f'{i * 7 % 50},{"abc"[i % 3]}\n' for i in range(40)]
    (root / 'table.csv').write_text('size,sort\n' + ''.join(lines))


KINDS = {
    'folder:{}/plain': {'image_size': None},
    'paired:{}/pairs': {'image_size': None},
    'unpaired:{}/two': {'image_size': 8},
    'unpaired:records[a],records[c]': {'image_size': None},
    'records': {'image_size': None},
    'stacked:records': {'image_size': None},
    'vectors:{}/rows.npz': {'image_size': None},
    'table:{}/table.csv': {'image_size': None, 'by_condition': True},
    'ring8': {'image_size': None},
    'series:{}/rows.csv': {'image_size': None, 'length': 3},
}
HELD_BY_ALL = ('vectors:{}/rows.npz', 'ring8', 'series:{}/rows.csv', 'table:{}/table.csv')


@pytest.mark.parametrize(('count', 'memory_gb'), [(2, 4.0), (3, 0.0)])
@pytest.mark.parametrize('kind', KINDS)
def test_the_sum_over_processes_is_the_batch_of_one(tmp_path, monkeypatch, kind, count, memory_gb):
    folders(tmp_path)
    opened = sources.open_source

    def open_source(name, **options):
        known = records(bad=(3, 20), labels=False)
        return known if name == 'records' else opened(name, **options)

    monkeypatch.setattr(sources, 'open_source', open_source)
    options = {**KINDS[kind], 'max_bad': 0.5, 'memory_gb': memory_gb}
    name = kind.format(tmp_path)

    def read(share):
        dataset = data.load(name, **options, share=share)
        make = functools.partial(
            data.batches, dataset, batch_size=6, steps_per_dispatch=2, share=share
        )
        streams = make(seed=4), make(seed=(1, 2, 3))
        everything = dataset.batch(np.arange(min(len(dataset), 50)))
        return dataset, everything, [[next(x) for _ in range(3)] for x in streams]

    ((one, every, expected),) = together(1, read)
    found = together(count, read)
    kept = [x.name for x in dataclasses.fields(data.Dataset)]
    for name in {*kept} - {'fetch', 'source', 'own', 'labels', 'mixture', 'conditioned'}:
        assert [getattr(dataset, name) for dataset, *_ in found] == [getattr(one, name)] * count
    assert one.own is None
    for dataset, its_every, _ in found:
        assert (dataset.own is None) == (kind in HELD_BY_ALL)
        np.testing.assert_array_equal(dataset.labels, one.labels)
        for key, x in every.items():
            np.testing.assert_array_equal(its_every[key], x)
    for i, elements in enumerate(expected):
        for j, element in enumerate(elements):
            summed = total([batches[i][j] for _, _, batches in found])
            assert summed.keys() == element.keys()
            for key, x in element.items():
                assert summed[key].dtype == x.dtype
                np.testing.assert_array_equal(summed[key], x)


def test_what_is_cropped_is_shared_as_it_was():
    def read(share):
        dataset = data.load(records(), image_size=8, share=share).cropped(4)
        assert (dataset.own is None) == (share.count == 1)
        return data.batch_at(dataset, 1, batch_size=6, seed=0, share=share)

    (whole,), parts = together(1, read), together(2, read)
    assert whole['real'].shape == (6, 4, 4, 1)
    np.testing.assert_array_equal(total(parts)['real'], whole['real'])
    assert all((part['real'] == 0).any() and (part['real'] > 0).any() for part in parts)


def test_of_two_domains_each_is_shared_out(tmp_path, monkeypatch):
    seen = {}

    def open_source(name, **_):
        return records(12, seen=seen.setdefault(threading.get_ident(), []), labels=False)

    monkeypatch.setattr(sources, 'open_source', open_source)

    def load(share):
        data.load('unpaired:x[a],y[b]', image_size=8, share=share)
        return sorted(seen[threading.get_ident()])

    # Labels of both, then those that are of the class: 0, 3, 6, 9 of x and 1, 4, 7, 10 of y.
    first, second = together(2, load)
    assert first == sorted([*range(6), *range(6), 0, 3, 1, 4])
    assert second == sorted([*range(6, 12), *range(6, 12), 6, 9, 7, 10])


def test_a_stream_goes_on_with_another_number_of_processes():
    def read(share, state=None):
        dataset = data.load(records(), image_size=8, share=share)
        stream = data.batches(dataset, batch_size=6, seed=0, share=share)
        if state is not None:
            stream.set_state(state)
        elements = [next(stream) for _ in range(2)]
        return elements, stream.get_state()

    ((_, state),) = together(1, read)
    (_, same), _ = together(2, read)
    assert state == same
    ((expected, _),) = together(1, functools.partial(read, state=state))
    found = together(3, functools.partial(read, state=state))
    for i in range(2):
        summed = total([elements[i] for elements, _ in found])
        np.testing.assert_array_equal(summed['real'], expected[i]['real'])


# ---- All come to one error -------------------------------------------------------------------
def test_bad_records_of_another_are_known_to_all():
    def load(share):
        return data.load(records(bad=(3, 20)), image_size=8, max_bad=0.1, share=share)

    for dataset in together(3, load):
        assert dataset.bad == (('records[3]', 'truncated'), ('records[20]', 'truncated'))
        assert len(dataset) == 21
    refused = errors(3, lambda share: data.load(records(bad=(3, 20)), image_size=8, share=share))
    assert refused == [
        'UserError: records: 2 of 23 images (8.7%) cannot be used: most often truncated, the first '
        'is records[3] (truncated); fix or remove these, or raise config.data.max_bad (now 0.01)'
    ] * 3  # fmt: skip


def test_an_error_of_one_process_is_that_of_all(tmp_path):
    def fetch(indices):
        if 20 in indices:
            raise UserError('the disk is gone; mount it')
        return indices

    broken = dataclasses.replace(records(), fetch=fetch)
    found = errors(3, lambda share: data.load(broken, image_size=8, share=share))
    assert found == ['UserError: the disk is gone; mount it'] * 3
    grey(1).save(tmp_path / '1.png')
    for order in (1, -1):
        names = [f'folder:{tmp_path}', f'folder:{tmp_path}/none'][::order]

        def load(share, names=names):
            return data.load(names[share.index], image_size=8, share=share)

        assert errors(2, load) == [
            f'UserError: config.dataset=folder:{tmp_path}/none: {tmp_path}/none does not exist; '
            f'name a folder of images'
        ] * 2  # fmt: skip


def test_processes_that_see_other_files_are_told():
    found = errors(2, lambda share: data.load(records(20 + share.index), image_size=8, share=share))
    assert found == [
        'UserError: records: process 1 sees 21 records of 3 classes, process 0 20 of 3; give all '
        'of them the same files'
    ] * 2  # fmt: skip
