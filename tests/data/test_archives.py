"""Data sets in one file: arrays by Keras' names or ours, pictures in a zip archive."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from gan_jax import data
from gan_jax.data import archives
from gan_jax.errors import NoSplit, UserError

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2])


def load(name, split='train'):
    return data.load(name, image_size=None, split=split)


def everything(dataset):
    return dataset.batch(np.arange(len(dataset)))


def test_arrays_with_labels(tmp_path):
    np.savez(tmp_path / 'a.npz', images=IMAGES, labels=LABELS)
    dataset = load(f'npz:{tmp_path}/a.npz')
    np.testing.assert_array_equal(everything(dataset)['real'], IMAGES)
    np.testing.assert_array_equal(dataset.labels, LABELS)
    assert dataset.class_names == ('0', '1', '2')
    with pytest.raises(NoSplit, match=r"split='test' is no split of .*; valid: train"):
        load(f'npz:{tmp_path}/a.npz', 'test')


def test_arrays_of_two_splits_as_keras_has_them(tmp_path):
    grey, column = IMAGES[..., 0], LABELS[:, None]
    np.savez(tmp_path / 'k.npz', x_train=grey, y_train=column, x_test=grey[:2], y_test=column[:2])
    train, test = (load(f'npz:{tmp_path}/k.npz', split) for split in ('train', 'test'))
    np.testing.assert_array_equal(everything(train)['real'], grey[..., None])
    np.testing.assert_array_equal(test.labels, [0, 1])
    np.savez_compressed(tmp_path / 'plain.npz', x_train=grey)
    assert load(f'npz:{tmp_path}/plain.npz').class_names == ('0',)


@pytest.mark.parametrize(
    ('arrays', 'said'),
    [
        ({'faces': IMAGES}, "holds faces; name an .npz file with 'images'"),
        ({'images': IMAGES.astype(int)}, r'int64 \(6, 8, 8, 3\); .*uint8 or floats'),
        ({'images': IMAGES[..., :2]}, r'gives ndarray uint8 \(6, 8, 8, 2\)'),
        ({'images': IMAGES[:0]}, r'gives ndarray uint8 \(0, 8, 8, 3\)'),
        ({'images': IMAGES, 'labels': LABELS[:3]}, r'the labels are int64 \(3,\); one integer'),
    ],
)
def test_other_arrays_are_refused(tmp_path, arrays, said):
    np.savez(tmp_path / 'a.npz', **arrays)
    with pytest.raises(UserError, match=said):
        load(f'npz:{tmp_path}/a.npz')


def png(image):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, 'png')
    return stream.getvalue()


def archive(folder, members):
    with zipfile.ZipFile(folder / 'a.zip', 'w', zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return f'zip:{folder}/a.zip'


def test_pictures_are_read_as_those_of_a_folder(tmp_path):
    members = {f'{"ab"[i % 2]}/{i}.png': png(IMAGES[i]) for i in range(4)}
    others = {'a/notes.txt': b'x', '__MACOSX/a/0.png': b'x', 'a/.0.png': b'x', '.git/1.png': b'x'}
    dataset = load(archive(tmp_path, members | others))
    (tmp_path / 'f').mkdir()
    for name, content in members.items():
        (tmp_path / 'f' / name).parent.mkdir(exist_ok=True)
        (tmp_path / 'f' / name).write_bytes(content)
    folder = load(f'folder:{tmp_path}/f')
    assert dataset.class_names == folder.class_names == ('a', 'b')
    for key, value in everything(folder).items():
        np.testing.assert_array_equal(everything(dataset)[key], value)


def test_what_is_broken_is_left_out_or_too_much(tmp_path, monkeypatch):
    members = {f'{i}.png': png(IMAGES[i]) for i in range(4)} | {'4.png': png(IMAGES[4])[:30]}
    name = archive(tmp_path, members)
    dataset = data.load(name, image_size=None, max_bad=0.5)
    assert [which for which, _ in dataset.bad] == ['4.png']
    raw = bytearray((tmp_path / 'a.zip').read_bytes())
    raw[60] ^= 255  # in the first picture's packed bytes
    (tmp_path / 'a.zip').write_bytes(raw)
    dataset = data.load(name, image_size=None, max_bad=0.5)
    assert [which for which, _ in dataset.bad] == ['0.png', '4.png']
    monkeypatch.setattr(archives, 'MOST_BYTES', 10)
    with pytest.raises(UserError, match=r'0\.png'):
        load(name)


@pytest.mark.parametrize(
    ('content', 'said'),
    [
        (None, 'cannot be read .it is not there.; name a zip archive of images'),
        (b'text', 'cannot be read .File is not a zip file.'),
        (b'PK\x05\x06' + bytes(18), 'holds no images; name a zip archive'),
    ],
)
def test_what_is_no_archive_of_pictures_is_one_line(tmp_path, content, said):
    if content is not None:
        (tmp_path / 'a.zip').write_bytes(content)
    with pytest.raises(UserError, match=said):
        load(f'zip:{tmp_path}/a.zip')
    with pytest.raises(NoSplit):
        load(f'zip:{tmp_path}/a.zip', 'test')
