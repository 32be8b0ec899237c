import functools
import itertools

import numpy as np
import pytest
from PIL import Image

from gan_jax import data
from gan_jax.data import dataset as dataset_lib
from gan_jax.data import sources
from gan_jax.errors import UserError


@functools.cache
def digits(split='train'):
    return data.load('stacked:mnist_5k', image_size=None, split=split)


def base(classes=3, num=30):
    """Grey images that are their own number all over, labelled number % classes."""
    images = np.broadcast_to(np.arange(num, dtype=np.uint8)[:, None, None, None], (num, 8, 8, 1))
    source = sources.from_arrays('numbers', images, np.arange(num) % classes)
    return data.load(source, image_size=None)


def test_stacked_digits_say_what_they_are():
    stacked = digits()
    assert stacked.name == 'stacked:mnist_5k'
    assert stacked.shape == (28, 28, 3)
    assert len(stacked) == 128_000
    assert stacked.mixture is None
    assert stacked.class_names == tuple(map(''.join, itertools.product('0123456789', repeat=3)))
    batch = stacked.batch(np.array([7, 127_999]))
    assert batch['real'].shape == (2, 28, 28, 3)
    assert batch['real'].dtype == np.uint8
    assert batch['real'].flags.c_contiguous
    assert batch['label'].dtype == np.int32


def test_each_channel_is_a_digit_of_the_class_that_the_label_names():
    places = np.arange(0, 128_000, 2_500)
    batch = digits().batch(places)
    plain = data.load('mnist_5k', image_size=None).batch(np.arange(5_000))
    known = {
        image.tobytes(): label for image, label in zip(plain['real'], plain['label'], strict=True)
    }
    for image, label in zip(batch['real'], batch['label'], strict=True):
        classes = [known[image[..., c].tobytes()] for c in range(3)]
        assert label == 100 * classes[0] + 10 * classes[1] + classes[2]


def test_pixels_are_the_bases_and_channels_are_independent():
    images = base()
    stacked = dataset_lib.stack(images, 'stacked:numbers')
    batch = stacked.batch(np.arange(20_000))
    np.testing.assert_array_equal(
        batch['real'], np.broadcast_to(batch['real'][:, :1, :1], batch['real'].shape)
    )
    numbers = batch['real'][:, 0, 0].astype(int)
    np.testing.assert_array_equal(batch['label'], numbers % 3 @ [9, 3, 1])
    np.testing.assert_array_equal(np.unique(numbers), np.arange(30))
    correlations = np.corrcoef(numbers.T)[np.triu_indices(3, 1)]
    np.testing.assert_allclose(correlations, 0, atol=5 / np.sqrt(20_000))
    assert stacked.class_names[:4] == ('00', '01', '02', '03')
    assert len(stacked.class_names) == 27


def test_all_thousand_classes_are_about_equally_frequent():
    counts = np.bincount(digits().labels, minlength=1000)
    assert len(counts) == 1000
    # 128 each, with the spread of a multinomial.
    assert abs(((counts - 128) ** 2 / 128).sum() - 999) < 5 * np.sqrt(2 * 999)


def test_stacks_are_the_same_each_time_and_others_in_another_split():
    again = data.load('stacked:mnist_5k', image_size=None)
    places = np.array([0, 64_000])
    np.testing.assert_array_equal(again.labels, digits().labels)
    np.testing.assert_array_equal(again.batch(places)['real'], digits().batch(places)['real'])
    test = dataset_lib.stack(base(), 'stacked:numbers', split='test')
    train = dataset_lib.stack(base(), 'stacked:numbers')
    assert len(test) == 26_000
    assert not np.array_equal(test.labels, train.labels[:26_000])


def test_batches_of_stacks_go_on_exactly():
    iterator, fresh = (data.batches(digits(), batch_size=4, seed=0) for _ in range(2))
    next(iterator)
    fresh.set_state(iterator.get_state())
    for _ in range(3):
        expected, again = next(iterator), next(fresh)
        np.testing.assert_array_equal(expected['real'], again['real'])
        np.testing.assert_array_equal(expected['label'], again['label'])


@pytest.mark.parametrize('memory_gb', [4.0, 0.0])
def test_coloured_images_of_a_folder_become_grey_and_bad_ones_are_left_out(tmp_path, memory_gb):
    for name, colour in (('a', (255, 0, 0)), ('b', (0, 0, 255))):
        (tmp_path / name).mkdir()
        Image.new('RGB', (16, 16), colour).save(tmp_path / name / '1.png')
    (tmp_path / 'b' / '2.png').write_bytes(b'text')
    stacked = data.load(
        f'stacked:folder:{tmp_path}', image_size=8, max_bad=0.5, memory_gb=memory_gb
    )
    assert stacked.bad == (('b/2.png', 'unreadable'),)
    assert stacked.shape == (8, 8, 3)
    batch = stacked.batch(np.arange(40))
    grey = np.array([76, 29])  # luma of red and of blue
    classes = np.stack([batch['label'] // 4, batch['label'] // 2 % 2, batch['label'] % 2], axis=-1)
    np.testing.assert_array_equal(batch['real'][:, 3, 5], grey[classes])


@pytest.mark.parametrize(
    ('name', 'options', 'message'),
    [
        ('stacked:ring8', {}, 'stacked:ring8: ring8 cannot be stacked'),
        ('stacked:stacked:mnist_5k', {}, 'stacked:mnist_5k cannot be stacked'),
        ('stacked:mnist_5k', {'channels': 1}, r'config\.data\.channels=1: .* has 3; leave it None'),
        ('stacked:mnist_5k', {'split': 'test'}, "stacked:mnist_5k: .* has no split but 'train'"),
        ('stacked:mnist5k', {}, 'stacked:mnist5k: .* did you mean mnist_5k'),
    ],
)
def test_what_cannot_be_stacked_is_said_in_one_line(name, options, message):
    with pytest.raises(UserError, match=message) as error:
        data.load(name, **{'image_size': None, **options})
    assert '\n' not in str(error.value)


def test_three_channels_may_be_asked_for():
    assert data.load('stacked:mnist_5k', image_size=None, channels=3).shape == (28, 28, 3)


def test_a_set_of_too_many_classes_is_refused():
    with pytest.raises(UserError, match='has 101 classes, too many to stack'):
        dataset_lib.stack(base(101, 202), 'stacked:numbers')
