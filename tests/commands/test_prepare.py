"""Folders made into one file, which trains as the folder does."""

import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from gan_jax import data
from gan_jax.commands import prepare
from gan_jax.errors import UserError

PIXELS = np.random.default_rng(0).integers(0, 256, (7, 20, 30, 3), np.uint8)


def folder(root, classes=('cats', 'dogs'), grey=False):
    """Seven pictures of 30 x 20 pixels by turns in the classes' folders."""
    for i, pixels in enumerate(PIXELS):
        file = root / 'pictures' / classes[i % len(classes)] / f'{i}.png'
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[..., 0] if grey else pixels).save(file)
    return root / 'pictures'


def everything(name, size=None):
    dataset = data.load(name, image_size=size)
    return dataset, dataset.batch(np.arange(len(dataset)))


@pytest.mark.parametrize('ending', ['npz', 'zip'])
@pytest.mark.parametrize('grey', [False, True])
def test_what_is_prepared_is_what_a_folder_is_trained_as(tmp_path, ending, grey):
    given = folder(tmp_path, grey=grey)
    file = tmp_path / 'out' / f'small.{ending}'
    prepare.prepare(input=str(given), output=str(file), size=16)
    want, images = everything(f'folder:{given}', 16)
    got, again = everything(f'{ending}:{file}')
    assert got.shape == want.shape == (16, 16, 1 if grey else 3)
    assert got.class_names == want.class_names == ('cats', 'dogs')
    for key in images:
        np.testing.assert_array_equal(again[key], images[key])


def test_a_summary_and_pictures_stand_beside(tmp_path):
    given = folder(tmp_path)
    (given / 'cats' / 'broken.png').write_bytes(b'no picture')
    files = prepare.prepare(input=str(given), output=str(tmp_path / 'a.npz'), size=20)
    about = json.loads(files[1].read_text())
    assert about['images'] == 7
    assert about['shape'] == [20, 20, 3]
    assert about['classes'] == {'cats': 4, 'dogs': 3}
    assert about['left_out'] == {'cats/broken.png': 'unreadable'}
    assert about['left_out_for'] == {'unreadable': 1}
    cropped = PIXELS[:, :, 5:25] / 255  # the centre square, not resized
    np.testing.assert_allclose(about['mean'], cropped.mean((0, 1, 2)), atol=1e-4)
    np.testing.assert_allclose(about['stddev'], cropped.std((0, 1, 2)), atol=1e-4)
    with Image.open(files[2]) as grid:
        assert grid.mode == 'RGB'


def test_an_archive_has_labels_as_stylegans_tools_read_them(tmp_path):
    file = tmp_path / 'a.zip'
    prepare.prepare(input=str(folder(tmp_path)), output=str(file), size=8)
    with zipfile.ZipFile(file) as archive:
        labels = json.loads(archive.read('dataset.json'))['labels']
        assert {x.compress_type for x in archive.infolist()} == {zipfile.ZIP_STORED}
    assert labels[0] == ['cats/img00000000.png', 0]
    assert [x for _, x in labels] == [0] * 4 + [1] * 3


@pytest.mark.parametrize('names', [('T-shirt/top', 'Bag', '.hidden'), ('b', 'a', 'c')])
def test_classes_keep_their_places_whatever_their_names(tmp_path, names):
    labels = np.arange(7) % 3
    source = data.sources.from_arrays('clothes', PIXELS[:, :, :20], labels, names)
    dataset = data.load(source, image_size=None)
    prepare._write(dataset, [tmp_path / f'a.{x}' for x in ('zip', 'json', 'png')])
    got, _ = everything(f'zip:{tmp_path}/a.zip')
    np.testing.assert_array_equal(got.labels, np.sort(labels))
    prepare._write(dataset, [tmp_path / f'a.{x}' for x in ('npz', 'json', 'png')])
    got, _ = everything(f'npz:{tmp_path}/a.npz')
    assert got.class_names == names
    np.testing.assert_array_equal(got.labels, labels)


def test_a_class_of_which_nothing_is_left_keeps_its_place_or_is_named(tmp_path):
    source = data.sources.from_arrays(
        'clothes', PIXELS[:, :, :20], np.arange(7) % 2 * 2, tuple('abc')
    )
    dataset = data.load(source, image_size=None)
    with pytest.raises(UserError, match='classes without images, and none of b can be used'):
        prepare._write(dataset, [tmp_path / f'a.{x}' for x in ('zip', 'json', 'png')])
    assert [*tmp_path.iterdir()] == []
    prepare._write(dataset, [tmp_path / f'a.{x}' for x in ('npz', 'json', 'png')])
    got, _ = everything(f'npz:{tmp_path}/a.npz')
    np.testing.assert_array_equal(got.labels, np.arange(7) % 2 * 2)


def test_a_bucket_is_no_file(tmp_path):
    with pytest.raises(UserError, match='is no file of this machine'):
        prepare.prepare(input=str(folder(tmp_path)), output='gs://bucket/a.npz', size=8)


def test_pictures_without_classes_stay_without(tmp_path):
    given = folder(tmp_path, ('.',))
    for ending in ('npz', 'zip'):
        file = tmp_path / ending / f'a.{ending}'
        prepare.prepare(input=str(given), output=str(file), channels=1)
        got, _ = everything(f'{ending}:{file}')
        assert got.shape == (64, 64, 1)
        assert got.class_names == ('',)
    with zipfile.ZipFile(tmp_path / 'zip' / 'a.zip') as archive:
        assert json.loads(archive.read('dataset.json'))['labels'] is None


def test_a_prepared_file_is_prepared_again(tmp_path):
    first, second = tmp_path / 'a.zip', tmp_path / 'b.npz'
    prepare.prepare(input=str(folder(tmp_path)), output=str(first), size=20)
    prepare.prepare(input=f'zip:{first}', output=str(second))
    np.testing.assert_array_equal(
        everything(f'npz:{second}')[1]['real'], everything(f'zip:{first}')[1]['real']
    )


def test_more_than_the_memory_is_written_a_few_at_a_time(tmp_path, monkeypatch):
    given = folder(tmp_path)
    seen = []
    monkeypatch.setattr('gan_jax.data.dataset.CHUNK', 2)
    load = data.loading.load

    def watched(source, **options):
        dataset = load(source, **{**options, 'memory_gb': 1e-9})
        fetch = dataset.fetch
        object.__setattr__(dataset, 'fetch', lambda x: seen.append(len(x)) or fetch(x))
        return dataset

    monkeypatch.setattr(data.loading, 'load', watched)
    prepare.prepare(input=str(given), output=str(tmp_path / 'a.npz'), size=16)
    monkeypatch.undo()
    assert seen == [2, 2, 2, 1, 7]  # each once, and those of the picture
    np.testing.assert_array_equal(
        everything(f'npz:{tmp_path}/a.npz')[1]['real'], everything(f'folder:{given}', 16)[1]['real']
    )


def test_nothing_is_written_over_and_nothing_is_left_of_what_fails(tmp_path, monkeypatch):
    given = folder(tmp_path)
    (tmp_path / 'a.png').write_bytes(b'mine')
    with pytest.raises(UserError, match=r'a\.png is there already; move it'):
        prepare.prepare(input=str(given), output=str(tmp_path / 'a.npz'))
    monkeypatch.setattr(prepare.files, 'png', lambda image: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        prepare.prepare(input=str(given), output=str(tmp_path / 'b.zip'))
    assert {x.name for x in tmp_path.iterdir()} == {'a.png', 'pictures'}


@pytest.mark.parametrize(
    ('input', 'output', 'said'),
    [
        ('pictures', 'a.tar', r'is a file that ends in \.npz or \.zip'),
        ('pictures', 'pictures/dogs/a.npz', 'lies within --input, and would be read with it'),
        ('none', 'a.npz', 'does not exist; name a folder of images'),
        ('paired:pictures', 'a.npz', 'is no set of single images'),
        ('mnist', 'a.npz', 'folder:mnist'),
    ],
)
def test_what_cannot_be_prepared_is_one_line(tmp_path, monkeypatch, input, output, said):
    folder(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=said):
        prepare.prepare(input=input, output=output)


def test_of_broken_pictures_alone_there_is_no_file(tmp_path):
    (tmp_path / 'in').mkdir()
    (tmp_path / 'in' / 'a.png').write_bytes(b'x')
    with pytest.raises(UserError, match='1 of 1 images'):
        prepare.prepare(input=str(tmp_path / 'in'), output=str(tmp_path / 'out' / 'a.npz'))
    assert not [*(tmp_path / 'out').iterdir()]
