import functools
import logging
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from gan_jax import data
from gan_jax.data import decoding, loading, sources
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
def test_a_data_set_says_what_it_is():
    dataset = numbered(10)
    assert dataset.shape == (8, 8, 1)
    assert len(dataset.class_names) == 3
    assert dataset.class_names == ('0', '1', '2')
    assert len(dataset) == 10
    batch = dataset.batch(np.array([7, 2]))
    assert batch['real'].shape == (2, 8, 8, 1)
    assert batch['real'].dtype == np.uint8
    assert batch['label'].dtype == np.int32
    assert numbers(batch) == [7, 2]
    np.testing.assert_array_equal(batch['label'], [1, 2])


def test_the_images_own_size_is_taken_if_they_are_equal_squares(tmp_path):
    assert data.load(write(tmp_path, [(9, 9)] * 3), image_size=None).shape == (9, 9, 3)
    assert data.load(write(tmp_path, [(9, 9), (10, 10)]), image_size=None).shape == (64, 64, 3)
    assert data.load(write(tmp_path, [(9, 12)] * 3), image_size=None).shape == (64, 64, 3)
    assert data.load(write(tmp_path, [(9, 12)] * 3), image_size=16).shape == (16, 16, 3)


def test_grey_images_have_one_channel_unless_one_is_not_grey(tmp_path):
    dataset = write(tmp_path, [(8, 8)] * 3, 'L')
    assert data.load(dataset, image_size=8).shape == (8, 8, 1)
    assert data.load(dataset, image_size=8, channels=3).shape == (8, 8, 3)
    Image.new('RGB', (8, 8)).save(tmp_path / 'x.png')
    assert data.load(dataset, image_size=8).shape == (8, 8, 3)
    assert data.load(dataset, image_size=8, channels=1).shape == (8, 8, 1)


def test_a_set_that_does_not_fit_the_memory_gives_the_same_batches(tmp_path):
    dataset = write(tmp_path, [(9, 12), (20, 20), (8, 30), (64, 64)])
    (tmp_path / '00.png').write_bytes(b'text')
    load = functools.partial(data.load, dataset, image_size=16, max_bad=0.5)
    limit = 5 * 16 * 16 * 3 / 1e9
    held, read = load(memory_gb=limit * 1.001), load(memory_gb=limit * 0.999)
    indices = np.array([3, 0, 0, 2])
    np.testing.assert_array_equal(held.batch(indices)['real'], read.batch(indices)['real'])
    for image in tmp_path.iterdir():
        image.unlink()
    held.batch(indices)
    with pytest.raises(UserError, match='is unreadable now'):
        read.batch(indices)


def test_a_set_with_a_bad_record_is_held_once():
    images = np.zeros((4000, 32, 32, 3), np.uint8)

    def parse(i):
        return (images[i], 0) if i else (images[i, 0], 0)

    source = sources.Source('x', 4000, ('',), lambda i: i, parse, str, (32, 32, 3))
    tracemalloc.start()
    dataset = data.load(source, image_size=None)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(dataset) == 3999
    assert peak < 1.5 * images.nbytes
    assert [len(x) for x in dataset.chunks()] == [500] * 7 + [499]


def test_every_record_is_decoded_once(monkeypatch):
    seen = []
    images = np.zeros((300, 8, 8, 1), np.uint8)
    source = sources.Source(
        'x', 300, ('',), lambda i: i, lambda i: (seen.append(i), (images[i], 0))[1], str, (8, 8, 1)
    )
    data.load(source, image_size=None)
    assert sorted(seen) == list(range(300))


def test_slow_loading_is_logged(monkeypatch, caplog):
    monkeypatch.setattr(decoding, 'SECONDS_BETWEEN_LINES', 0.0)
    with caplog.at_level(logging.INFO, logger='absl'):
        numbered(70)
    assert 'numbered: decoded 70 of 70' in caplog.text


def test_an_image_too_small_to_be_used_has_no_say_in_the_size(tmp_path):
    for i, side in enumerate([32] * 150 + [4]):
        Image.fromarray(np.full((side, side), i, np.uint8)).save(tmp_path / f'{i:03d}.png')
    dataset = loading.load(f'folder:{tmp_path}', image_size=None)
    assert dataset.shape == (32, 32, 1)
    assert len(dataset) == 150


@pytest.mark.parametrize(('size', 'top'), [(8, 0), (5, 1), (4, 2), (1, 3)])
def test_what_is_cropped_is_the_middle_of_images_and_of_sources(size, top):
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 8, 8, 1), np.uint8)
    whole = data.Dataset(
        'x', (8, 8, 1), ('a', 'b'), np.array([0, 1, 1], np.int32), images[0].__getitem__,
        source=images[1].__getitem__, num_sources=3,
    )  # fmt: skip
    cropped = whole.cropped(size)
    assert (cropped.shape, cropped.num_sources, len(cropped)) == ((size, size, 1), 3, 3)
    batch = cropped.batch(np.array([2, 0]), np.array([1, 1]))
    inside = slice(top, top + size)
    np.testing.assert_array_equal(batch['real'], images[0][[2, 0], inside, inside])
    np.testing.assert_array_equal(batch['source'], images[1][[1, 1], inside, inside])
    np.testing.assert_array_equal(batch['label'], [1, 0])
    assert numbered(3).cropped(size).source is None


# ---- As they are -----------------------------------------------------------------------------
def test_images_to_compare_are_never_cropped_or_resized(tmp_path):
    dataset = write(tmp_path, [(9, 9)] * 3)
    (tmp_path / '9.png').write_bytes(b'text')
    for i in range(10, 110):
        Image.new('RGB', (9, 9)).save(tmp_path / f'{i}.png')
    assert loading.load_as_is('--real', dataset).shape == (9, 9, 3)
    Image.new('RGB', (9, 12)).save(tmp_path / 'x.png')
    with pytest.raises(UserError, match=r'--real=.* has images of 2 sizes \(9x9, 9x12'):
        loading.load_as_is('--real', dataset)


@pytest.mark.parametrize('kind', ['folder', 'npz', 'source'])
def test_images_to_compare_that_are_no_squares_are_refused(tmp_path, monkeypatch, kind):
    images = np.zeros((3, 9, 12, 3), np.uint8)
    name = write(tmp_path, [(9, 12)] * 3)
    if kind == 'npz':
        name = f'{tmp_path}/x.npz'
        np.savez(name, images=images)
    if kind == 'source':  # which says its images' size beforehand, as TFDS sets do
        source = sources.from_arrays('x', images)
        monkeypatch.setattr(sources, 'open_source', lambda name, **_: source)
    with pytest.raises(UserError, match=r'--fake=.* has images of \(9, 12\), not squares'):
        loading.load_as_is('--fake', name)


def test_arrays_to_compare_are_held_once(tmp_path):
    images = np.zeros((2000, 32, 32, 3), np.uint8)
    np.savez(tmp_path / 'x.npz', images)
    tracemalloc.start()
    dataset = loading.load_as_is('--real', f'{tmp_path}/x.npz')
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(dataset) == 2000
    assert peak < 1.5 * images.nbytes


def test_some_classes_are_kept_with_their_labels():
    whole = numbered(10)
    kept = whole.only((2, '0'))
    assert kept.name == 'numbered[0,2]'
    assert kept.class_names == whole.class_names
    assert kept.labels.tolist() == [0, 2, 0, 2, 0, 2, 0]
    batch = kept.batch(np.array([1, 6, 0]))
    assert numbers(batch) == [2, 9, 0]
    assert batch['label'].tolist() == [2, 0, 0]
    assert len(kept.cropped(4)) == 7


@pytest.mark.parametrize(
    ('classes', 'said'),
    [
        ((3,), 'has 3 classes, and none is 3; their places are 0 to 2'),
        (('one',), "none is 'one'; the nearest name is "),
        (('1', 7), 'none is 7'),
    ],
)
def test_a_class_that_there_is_not_is_named(classes, said):
    with pytest.raises(UserError, match=said) as info:
        numbered(10).only(classes)
    assert '(all: 0, 1, 2)' in str(info.value)


def test_a_class_without_examples_or_a_set_without_classes_is_refused():
    with pytest.raises(UserError, match=r'numbered\[0,1\] has no examples of 2; name'):
        numbered(10).only((0, 1)).only((2,))
    plain = data.load(sources.from_arrays('plain', np.zeros((4, 8, 8, 1), np.uint8)), image_size=8)
    with pytest.raises(UserError, match='plain has no classes; leave it empty'):
        plain.only((0,))


@pytest.mark.parametrize(
    'kind',
    ['folder', 'paired', 'unpaired', 'npz', 'zip', 'hf', 'vectors', 'series', 'table', 'text'],
)
def test_a_home_that_nobody_has_is_no_traceback(kind):
    if kind == 'hf':
        pytest.importorskip('datasets', reason='the extra named hf is not here')
    with pytest.raises(UserError, match='~nobody-has-this'):
        loading.load(f'{kind}:~nobody-has-this/x.csv', image_size=None)
