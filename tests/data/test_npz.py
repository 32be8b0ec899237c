"""Files of arrays that others damaged, or made to harm."""

import pickle
import zipfile

import numpy as np
import pytest

from gan_jax.data import loading, npz, sources, vectors
from gan_jax.errors import UserError

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), np.uint8)


def save(path, **arrays):
    np.savez_compressed(path, **arrays)


def cut(path):
    save(path, images=IMAGES, train=IMAGES.reshape(6, -1))
    path.write_bytes(path.read_bytes()[:-300])


def flip(path):
    """Damages what arrays hold, not where they are."""
    np.savez(path, images=IMAGES, train=IMAGES.reshape(6, -1))
    content = bytearray(path.read_bytes())
    for i in (400, -700):  # an array each
        content[i] ^= 255
    path.write_bytes(content)


def member(name, content):
    def make(path):
        with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, content)

    return make


def pickled(path):
    with np.errstate(all='ignore'):
        np.savez(path, images=np.array([{}], object), train=np.array([{}], object))


def header(shape):
    """An array that says it is so large, without its numbers."""
    text = repr({'descr': '|u1', 'fortran_order': False, 'shape': shape}).ljust(117) + '\n'
    return b'\x93NUMPY\x01\x00' + len(text).to_bytes(2, 'little') + text.encode()


DAMAGED = {
    'empty': lambda x: x.write_bytes(b''),
    'text': lambda x: x.write_text('no archive'),
    'cut': cut,
    'flipped': flip,
    'npy': lambda x: x.write_bytes(header((2,)) + b'12'),
    'pickle': lambda x: x.write_bytes(pickle.dumps([1, 2])),
    'objects': pickled,
    'no array': member('images.npy', b'text'),
    'no array, either': member('train.npy', b'text'),
    'short': member('images.npy', header((10**15,))),
    'folder': lambda x: x.mkdir(),
    'zeros': lambda x: x.symlink_to('/dev/zero'),
}


@pytest.mark.parametrize('kind', DAMAGED)
def test_a_damaged_file_is_one_line(tmp_path, kind):
    path = tmp_path / 'x.npz'
    DAMAGED[kind](path)
    for read in (
        lambda: loading.load_as_is('--real', str(path)),
        lambda: vectors.vectors(str(path)),
    ):
        with pytest.raises(UserError) as error:
            read()
        assert '\n' not in str(error.value)
        assert 'x.npz' in str(error.value)


def test_what_unpacks_to_more_than_is_reasonable_is_refused_before_it_is_built(
    tmp_path, monkeypatch
):
    path = tmp_path / 'x.npz'
    save(path, images=np.zeros((4, 512, 512, 3), np.uint8), train=np.zeros((4000, 100)))
    monkeypatch.setattr(npz, 'MOST_GB', 1e-3)
    monkeypatch.setattr(np, 'load', None)
    with pytest.raises(UserError, match=r'--fake=.*x\.npz unpacks to 0\.00315 GB, .*numpy\.savez'):
        loading.load_as_is('--fake', str(path))
    with pytest.raises(UserError, match=r'x\.npz unpacks to 0\.0032 GB, .*numpy\.savez'):
        vectors.vectors(str(path))
    assert npz.MOST_PACKED == 100


def test_what_is_not_packed_may_be_large(tmp_path, monkeypatch):
    path = tmp_path / 'x.npz'
    np.savez(path, images=IMAGES, other=np.zeros(10**6))
    monkeypatch.setattr(npz, 'MOST_GB', 0.0)
    dataset = loading.load_as_is('--fake', str(path))
    np.testing.assert_array_equal(dataset.batch(np.arange(6))['real'], IMAGES)


@pytest.mark.parametrize(
    ('labels', 'words'),
    [
        (np.arange(5), 'int64 (5,); one integer for each of the 6 images'),
        (np.eye(6, dtype=int), 'int64 (6, 6); one integer'),
        (np.array(list('abcdef')), '<U1 (6,); one integer'),
        (np.linspace(0, 1, 6), 'float64 (6,); one integer'),
        (np.array([0, 1, 2, -1, 0, 1]), 'from -1 to 2; they are to count from 0'),
        (np.array([0, 1, 2, 200_000_000, 0, 1]), 'from 0 to 200000000; '),
        (np.int64(3), 'int64 (); one integer'),
    ],
)
def test_labels_that_are_none_are_named(tmp_path, labels, words):
    path = tmp_path / 'x.npz'
    save(path, images=IMAGES, labels=labels)
    with pytest.raises(UserError) as error:
        loading.load_as_is('--real', str(path))
    assert words in str(error.value)
    assert '\n' not in str(error.value)


def test_labels_of_arrays_are_places_in_the_classes():
    with pytest.raises(UserError, match=r'from 0 to 2; .* below 2'):
        sources.from_arrays('x', IMAGES, np.array([0, 1, 2, 0, 1, 2]), ('a', 'b'))
    assert sources.from_arrays('x', IMAGES, [0, 1, 2, 0, 1, 2]).class_names == ('0', '1', '2')


def test_names_of_columns_are_of_any_shape_and_can_be_printed(tmp_path):
    save(tmp_path / 'x.npz', train=np.eye(3)[:, :1], names=np.array('a\nb'))
    assert vectors.vectors(str(tmp_path / 'x.npz')).fitted['names'] == [r'a\nb']


def test_complex_numbers_are_no_rows(tmp_path):
    save(tmp_path / 'x.npz', train=np.eye(3) + 1j)
    with pytest.raises(UserError, match='train is complex128'):
        vectors.vectors(str(tmp_path / 'x.npz'))
