"""Data sets of Hugging Face's library, as save_to_disk writes them."""

import io
import sys

import numpy as np
import pytest
from PIL import Image

from gan_jax import data
from gan_jax.errors import NoSplit, UserError

hf = pytest.importorskip('datasets')
IMAGES = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), np.uint8)
LABELS = [0, 1, 1, 0, 1, 1]
FEATURES = {'picture': hf.Image(), 'kind': hf.ClassLabel(names=['cat', 'dog'])}


def png(image):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, 'png')
    return {'bytes': stream.getvalue(), 'path': None}


def rows(pictures, labels=LABELS):
    columns = {'picture': pictures, 'kind': labels}
    return hf.Dataset.from_dict(columns, features=hf.Features(FEATURES))


def load(folder, split='train', **options):
    return data.load(f'hf:{folder}', image_size=None, split=split, **options)


def test_images_and_classes_of_each_split(tmp_path):
    pictures = [png(x) for x in IMAGES]
    splits = {'train': rows(pictures), 'test': rows(pictures[4:], LABELS[4:])}
    hf.DatasetDict(splits).save_to_disk(tmp_path / 'set')
    train, test = (load(tmp_path / 'set', split) for split in ('train', 'test'))
    np.testing.assert_array_equal(train.batch(np.arange(6))['real'], IMAGES)
    np.testing.assert_array_equal(train.labels, LABELS)
    np.testing.assert_array_equal(test.batch(np.arange(2))['real'], IMAGES[4:])
    assert train.class_names == ('cat', 'dog')
    with pytest.raises(NoSplit, match=r"split='validation' is no split of .*: train, test"):
        load(tmp_path / 'set', 'validation')


def test_a_single_split_without_labels_and_a_broken_picture(tmp_path):
    pictures = [png(x) for x in IMAGES]
    pictures[2] = {'bytes': pictures[2]['bytes'][:40], 'path': None}
    rows(pictures).remove_columns('kind').save_to_disk(tmp_path / 'set')
    found = load(tmp_path / 'set', max_bad=0.5)
    assert found.class_names == ('',)
    assert [name.rpartition(' ')[2] for name, _ in found.bad] == ['train[2]']
    np.testing.assert_array_equal(found.batch(np.arange(5))['real'], np.delete(IMAGES, 2, 0))
    with pytest.raises(NoSplit):
        load(tmp_path / 'set', 'test')


def test_what_is_no_such_folder_is_one_line(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r'cannot be read .*name a folder that save_to_disk wrote'):
        load(tmp_path / 'nothing')
    hf.Dataset.from_dict({'text': ['a']}).save_to_disk(tmp_path / 'texts')
    with pytest.raises(UserError, match='has no feature of images; its features: text'):
        load(tmp_path / 'texts')
    monkeypatch.setitem(sys.modules, 'datasets', None)
    with pytest.raises(UserError, match=r"needs datasets; pip install 'gan_jax\[hf\]'"):
        load(tmp_path / 'texts')
