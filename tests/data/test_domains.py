import functools
import io
import logging

import numpy as np
import pytest
from PIL import Image

from gan_jax import data
from gan_jax.data import cleaning, decoding, sources
from gan_jax.data import domains as pairs
from gan_jax.errors import NoSplit, UserError

NOISE = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
DIGITS = functools.cache(sources.mnist_5k)


@pytest.fixture(autouse=True)
def digits_are_read_once(monkeypatch):
    monkeypatch.setattr(sources, 'mnist_5k', DIGITS)


def png(value, size=(8, 8), mode='RGB', **options):
    """A picture of one colour; `size` is (width, height)."""
    file = io.BytesIO()
    image = Image.fromarray(value) if isinstance(value, np.ndarray) else None
    (image or Image.new(mode, size, value)).save(file, 'PNG', **options)
    return file.getvalue()


def grey(value, **options):
    return png((value, value, value), **options)


def write(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def values(images):
    return images[..., 0, 0, 0].ravel().tolist()


def both(dataset, indices=None):
    """(source, image) values, one pair per place."""
    batch = dataset.batch(np.arange(len(dataset)) if indices is None else np.array(indices))
    return list(zip(values(batch['source']), values(batch['real']), strict=True))


def load(dataset, **options):
    return data.load(dataset, **{'image_size': 8, 'channels': 3, **options})


def refused(dataset, *parts, error=UserError, **options):
    with pytest.raises(error) as raised:
        load(dataset, **options)
    assert '\n' not in str(raised.value)
    for part in parts:
        assert part in str(raised.value)


# ---- Pairs in two folders --------------------------------------------------------------------
def test_pairs_of_two_folders_are_found_by_their_names_without_suffixes(tmp_path):
    write(tmp_path, {f'A/{i}.png': grey(i) for i in (3, 1, 2)})
    write(tmp_path, {f'B/{i}.{"bmp" if i == 2 else "png"}': grey(100 + i) for i in (1, 2, 3)})
    write(tmp_path, {'A/deep/4.png': grey(4), 'B/deep/4.png': grey(104), 'A/notes.txt': b'text'})
    write(tmp_path, {'.hidden/1.png': grey(0)})
    dataset = load(f'paired:{tmp_path}', image_size=None)
    assert dataset.name == f'paired:{tmp_path}'
    assert dataset.shape == (8, 8, 3)
    assert (len(dataset), dataset.num_sources) == (4, None)
    assert dataset.class_names == ('',)
    assert both(dataset) == [(i, 100 + i) for i in (1, 2, 3, 4)]
    batch = dataset.batch(np.array([2, 0, 2]))
    assert batch['real'].shape == batch['source'].shape == (3, 8, 8, 3)
    assert batch['real'].dtype == batch['source'].dtype == np.uint8
    assert batch['label'].dtype == np.int32
    assert batch['label'].tolist() == [0, 0, 0]
    assert both(dataset, [2, 0, 2]) == [(3, 103), (1, 101), (3, 103)]


def test_the_folder_that_comes_first_in_the_alphabet_is_the_source(tmp_path):
    write(tmp_path, {'twitter/1.png': grey(1), 'google/1.png': grey(2)})
    assert both(load(f'paired:{tmp_path}')) == [(2, 1)]


def test_a_split_is_a_folder_and_train_may_be_the_folder_itself(tmp_path):
    write(tmp_path / 'x', {'train/A/1.png': grey(1), 'train/B/1.png': grey(2)})
    write(tmp_path / 'x', {'val/A/1.png': grey(3), 'val/B/1.png': grey(4)})
    assert both(load(f'paired:{tmp_path}/x')) == [(1, 2)]
    assert both(load(f'paired:{tmp_path}/x', split='val')) == [(3, 4)]
    assert both(load(f'paired:{tmp_path}/x/val')) == [(3, 4)]
    refused(f'paired:{tmp_path}/x', "config.data.split='test'", f'make {tmp_path}/x/test',
            error=NoSplit, split='test')  # fmt: skip


@pytest.mark.parametrize('memory_gb', [4.0, 0.0])
def test_a_pair_with_a_bad_half_is_left_out_and_named_once(tmp_path, memory_gb, caplog):
    good = png(NOISE)
    bad = {
        '1': (good[:-300], good, 'A/1.png', cleaning.TRUNCATED),
        '2': (good, good[:-300], 'B/2.png', cleaning.TRUNCATED),
        '3': (b'text', good, 'A/3.png', cleaning.UNREADABLE),
        '4': (good, b'text', 'B/4.png', cleaning.UNREADABLE),
        '5': (good, None, 'A/5.png', 'no partner in B'),
        '6': (None, good, 'B/6.png', 'no partner in A'),
        '7': (grey(0, size=(20, 16)), grey(0, size=(16, 9)), 'A/7.png',
              'other size than its partner: 20x16 and 16x9'),
        '8': (b'text', b'text', 'A/8.png', cleaning.UNREADABLE),
    }  # fmt: skip
    halves = {name: half[:2] for name, half in bad.items()}
    halves |= {f'0{i}': (grey(i, size=(16, 16)), grey(100 + i, size=(16, 16))) for i in range(3)}
    for name, (a, b) in halves.items():
        write(tmp_path, {f'A/{name}.png': a} if a else {})
        write(tmp_path, {f'B/{name}.png': b} if b else {})
    open_ = functools.partial(load, f'paired:{tmp_path}', memory_gb=memory_gb)
    with caplog.at_level(logging.WARNING, logger='absl'):
        dataset = open_(max_bad=0.73, image_size=None)
    assert dataset.shape == (16, 16, 3)  # the odd sizes have no say
    assert dataset.bad == tuple((name, reason) for _, _, name, reason in bad.values())
    assert both(dataset) == [(i, 100 + i) for i in range(3)]
    (line,) = [record.getMessage() for record in caplog.records]
    assert f'paired:{tmp_path}: skipped 8 of 11 pairs: 3 unreadable, 2 truncated, 1 no' in line
    with pytest.raises(UserError, match=r'8 of 11 pairs .* raise config\.data\.max_bad') as raised:
        open_(max_bad=0.72)
    assert '\n' not in str(raised.value)


def test_no_good_pair_is_an_error(tmp_path):
    write(tmp_path, {'A/1.png': grey(1), 'B/2.png': grey(2)})
    refused(f'paired:{tmp_path}', '2 of 2 pairs', 'no partner in B', max_bad=1.0)


def test_a_photograph_lying_on_its_side_is_as_large_as_its_partner(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    write(
        tmp_path, {'A/1.png': grey(1, size=(10, 16), exif=exif), 'B/1.png': grey(2, size=(16, 10))}
    )
    write(tmp_path, {'A/2.png': grey(3, size=(10, 16)), 'B/2.png': grey(4, size=(10, 16))})
    assert both(load(f'paired:{tmp_path}')) == [(1, 2), (3, 4)]


def test_both_halves_are_cropped_and_resized_alike(tmp_path):
    wide = np.tile(NOISE, (1, 2, 1))
    write(tmp_path, {'A/1.png': png(wide), 'B/1.png': png(255 - wide)})
    batch = load(f'paired:{tmp_path}', image_size=12).batch(np.array([0]))
    np.testing.assert_allclose(batch['source'] + batch['real'].astype(int), 255, atol=1)
    same = load(f'paired:{tmp_path}', image_size=16).batch(np.array([0]))
    np.testing.assert_array_equal(same['source'][0], wide[:, 8:24])
    np.testing.assert_array_equal(same['real'][0], 255 - wide[:, 8:24])


def test_channels_are_one_only_if_both_domains_are_grey(tmp_path):
    write(tmp_path, {'A/1.png': png(7, mode='L'), 'B/1.png': png(9, mode='L')})
    open_ = functools.partial(load, f'paired:{tmp_path}', channels=None, image_size=None)
    assert open_().shape == (8, 8, 1)
    for a, b in ((png(7, mode='L'), grey(9)), (grey(7), png(9, mode='L'))):
        write(tmp_path, {'A/1.png': a, 'B/1.png': b})
        assert open_().shape == (8, 8, 3)
        assert open_().batch(np.array([0]))['source'].shape == (1, 8, 8, 3)


def test_the_memory_is_that_of_both_domains(tmp_path, monkeypatch):
    write(tmp_path, {f'{side}/{i}.png': grey(i) for side in 'AB' for i in range(3)})
    streamed = []
    monkeypatch.setattr(
        decoding, '_decoder', lambda *args: streamed.append(args) or (lambda places: None)
    )
    both_sides = 2 * 3 * 8 * 8 * 3 / 1e9
    load(f'paired:{tmp_path}', memory_gb=both_sides * 1.001)
    assert not streamed
    load(f'paired:{tmp_path}', memory_gb=both_sides * 0.999)
    assert len(streamed) == 1


# ---- Pairs side by side ----------------------------------------------------------------------
@pytest.mark.parametrize('memory_gb', [4.0, 0.0])
def test_pictures_side_by_side_are_cut_in_the_middle(tmp_path, memory_gb):
    image = np.concatenate([NOISE, 255 - NOISE], axis=1)
    write(tmp_path, {'train/1.png': png(image), 'train/2.png': png(image)[:-300]})
    write(tmp_path, {'train/3.png': grey(0, size=(33, 16)), 'test/1.png': png(image[:, ::-1])})
    open_ = functools.partial(load, f'paired:{tmp_path}', memory_gb=memory_gb, image_size=None)
    dataset = open_(max_bad=0.7)
    assert dataset.bad == (('2.png', cleaning.TRUNCATED), ('3.png', 'odd width 33'))
    batch = dataset.batch(np.array([0]))
    np.testing.assert_array_equal(batch['source'][0], NOISE)
    np.testing.assert_array_equal(batch['real'][0], 255 - NOISE)
    test = open_(split='test').batch(np.array([0]))
    np.testing.assert_array_equal(test['source'][0], 255 - NOISE[:, ::-1])


def test_a_picture_side_by_side_is_turned_before_it_is_cut(tmp_path):
    image = np.concatenate([NOISE, 255 - NOISE], axis=1)
    exif = Image.Exif()
    exif[0x0112] = 6
    write(tmp_path, {'1.png': png(np.ascontiguousarray(np.rot90(image)), exif=exif)})
    batch = load(f'paired:{tmp_path}', image_size=16).batch(np.array([0]))
    np.testing.assert_array_equal(batch['source'][0], NOISE)
    np.testing.assert_array_equal(batch['real'][0], 255 - NOISE)


# ---- What cannot be paired -------------------------------------------------------------------
def test_folders_that_cannot_be_used_are_said_in_one_line(tmp_path):
    for kind in ('paired', 'unpaired'):
        refused(f'{kind}:{tmp_path}/nowhere', 'does not exist; name a folder of two domains')
        write(tmp_path, {'x.txt': b'text'})
        refused(f'{kind}:{tmp_path}/x.txt', 'x.txt is not a folder')
        refused(f'{kind}:{tmp_path}', 'holds 0 folders and 0 images; put there two folders')
    write(tmp_path, {'A/1.png': grey(1)})
    for kind in ('paired', 'unpaired'):
        refused(f'{kind}:{tmp_path}', 'holds 1 folders and 0 images; put there two folders')
    (tmp_path / 'B').mkdir()
    for kind in ('paired', 'unpaired'):
        refused(f'{kind}:{tmp_path}', f'{tmp_path}/B holds no images; put files there', '.png')
    write(tmp_path, {'1.png': grey(1), 'B/1.png': grey(2)})
    refused(f'paired:{tmp_path}', '2 folders and 1 images', 'or images alone that show both')
    refused(f'stacked:paired:{tmp_path}', 'cannot be stacked')


def test_two_files_of_one_name_are_refused(tmp_path):
    write(tmp_path, {'A/1.png': grey(1), 'A/1.bmp': grey(1), 'B/1.png': grey(2)})
    refused(f'paired:{tmp_path}', 'A/1.bmp and ', 'A/1.png have one name but for', 'remove one')


def test_the_new_names_are_named():
    refused('pair:x', 'paired:PATH, unpaired:PATH, unpaired:NAME,NAME')


# ---- Unpaired --------------------------------------------------------------------------------
def unpaired(tmp_path, num_a=3, num_b=5, **options):
    write(tmp_path, {f'A/{i}.png': grey(i) for i in range(num_a)})
    write(tmp_path, {f'B/{i}.png': grey(100 + i) for i in range(num_b)})
    return load(f'unpaired:{tmp_path}', **options)


def test_two_folders_of_any_files(tmp_path):
    dataset = unpaired(tmp_path)
    assert (len(dataset), dataset.num_sources) == (5, 3)
    assert dataset.class_names == ('',)
    assert dataset.labels.tolist() == [0] * 5
    assert both(dataset) == [(0, 100), (1, 101), (2, 102), (0, 103), (1, 104)]
    batch = dataset.batch(np.array([4, 0]), np.array([2, 2]))
    assert (values(batch['source']), values(batch['real'])) == ([2, 2], [104, 100])


def test_cyclegans_folders_and_splits(tmp_path):
    write(tmp_path, {'trainA/1.png': grey(1), 'trainB/2.png': grey(2), 'trainB/3.png': grey(3)})
    write(tmp_path, {'testA/1.png': grey(4), 'testA/2.png': grey(5), 'testB/2.png': grey(6)})
    write(tmp_path, {'val/cats/1.png': grey(7), 'val/dogs/1.png': grey(8)})
    name = f'unpaired:{tmp_path}'
    assert both(load(name)) == [(1, 2), (1, 3)]
    assert both(load(name, split='test')) == [(4, 6)]
    assert load(name, split='test').num_sources == 2
    assert both(load(name, split='val')) == [(7, 8)]
    refused(name, "config.data.split='x'", f'{tmp_path}/x, or {tmp_path}/xA and {tmp_path}/xB',
            error=NoSplit, split='x')  # fmt: skip


@pytest.mark.parametrize('memory_gb', [4.0, 0.0])
def test_bad_files_of_either_domain_are_left_out_and_borne_apart(tmp_path, memory_gb):
    write(tmp_path, {'A/00.png': b'text', 'A/x.png': grey(9, size=(4, 4)), 'B/00.png': b'text'})
    dataset = unpaired(tmp_path, max_bad=0.4, memory_gb=memory_gb)
    assert dataset.bad == (
        ('A/00.png', cleaning.UNREADABLE), ('A/x.png', cleaning.TOO_SMALL),
        ('B/00.png', cleaning.UNREADABLE),
    )  # fmt: skip
    assert both(dataset) == [(0, 100), (1, 101), (2, 102), (0, 103), (1, 104)]
    refused(f'unpaired:{tmp_path}', ', A: 2 of 5 images (40.0%)', max_bad=0.39)
    for i in range(5):
        (tmp_path / 'B' / f'{i}.png').write_bytes(b'text')
    refused(f'unpaired:{tmp_path}', ', B: 6 of 6 images', max_bad=1.0)


def test_domains_of_two_sizes_need_to_be_told_one(tmp_path):
    write(tmp_path, {'A/1.png': grey(1, size=(16, 16)), 'B/1.png': grey(2)})
    refused(
        f'unpaired:{tmp_path}', 'images of A would be 16x16 and of B 8x8',
        '--config.image_size=16', image_size=None,
    )  # fmt: skip
    assert load(f'unpaired:{tmp_path}', image_size=12).shape == (12, 12, 3)
    refused('unpaired:mnist_5k,folder:' + str(tmp_path / 'A'), '28x28 and of', image_size=None)


def test_two_data_sets_or_classes_of_them(tmp_path):
    write(tmp_path, {'x/cats/1.png': grey(1), 'x/dogs/1.png': grey(2), 'x/dogs/2.png': grey(3)})
    write(tmp_path, {'y/1.png': grey(4), 'x/cats/bad.png': b'text'})
    x, y = f'folder:{tmp_path}/x', f'folder:{tmp_path}/y'
    dataset = load(f'unpaired:{y},{x}[dogs]')
    assert dataset.bad == ()
    assert both(dataset) == [(4, 2), (4, 3)]
    assert (dataset.name, dataset.class_names) == (f'unpaired:{y},{x}[dogs]', ('',))
    dataset = load(f'unpaired:{x}[dogs],{x}[cats]', max_bad=0.5)
    assert dataset.bad == (('cats/bad.png', 'unreadable'),)
    assert both(dataset) == [(2, 1)]
    assert dataset.num_sources == 2


def test_classes_of_digits():
    dataset = load('unpaired:mnist_5k[3],mnist_5k[8]', image_size=None, channels=None)
    assert dataset.shape == (28, 28, 1)
    assert (len(dataset), dataset.num_sources) == (500, 500)
    digits = data.load('mnist_5k', image_size=None)
    batch, places = dataset.batch(np.arange(500)), np.arange(5000)
    for key, label in (('source', 3), ('real', 8)):
        chosen = places[digits.labels == label]
        np.testing.assert_array_equal(batch[key], digits.batch(chosen)['real'])


def test_a_class_is_found_by_reading_where_labels_are_not_known(monkeypatch):
    monkeypatch.setattr(pairs, 'CHUNK', 4)
    images = np.broadcast_to(np.arange(10, dtype=np.uint8)[:, None, None, None], (10, 8, 8, 3))
    read = []

    def parse(i):
        read.append(i)
        if i == 6:
            raise OSError
        return images[i], i % 2

    source = sources.Source('x', 10, ('even', 'odd'), lambda i: i, parse, str, (8, 8, 3))
    monkeypatch.setattr(sources, 'open_source', lambda name, split, data_dir: source)
    dataset = load('unpaired:x[odd],x[even]', max_bad=0.2)
    assert values(dataset.source(np.arange(5))) == [1, 3, 5, 7, 9]
    assert values(dataset.fetch(np.arange(4))) == [0, 2, 4, 8]
    assert dataset.bad == (('6', 'unreadable'), ('6', 'unreadable'))  # it may be of either
    assert sorted(read)[:2] == [0, 0]  # once for its label, once for its pixels


@pytest.mark.parametrize(
    ('name', 'parts'),
    [
        ('mnist_5k[11],mnist_5k', ("mnist_5k has no class '11'; the nearest is '1'", 'all: 0, 1')),
        ('mnst_5k,mnist_5k', ('no known data set', 'did you mean mnist_5k')),
        ('ring8,mnist_5k', ('ring8 cannot be one of two domains; name sets of images',)),
        ('stacked:mnist_5k,mnist_5k', ('stacked:mnist_5k cannot be one of two domains',)),
        ('mnist_5k,mnist_5k,mnist_5k', ('names 3 data sets; name two',)),
        ('mnist_5k', ('mnist_5k does not exist; name a folder of two domains',)),
        ('folder:/nowhere,mnist_5k', ('/nowhere does not exist',)),
        ('mnist_5k[a,b],mnist_5k', ("has no class 'a,b'",)),
    ],
)
def test_what_is_no_two_data_sets_is_said_in_one_line(name, parts):
    refused(f'unpaired:{name}', f'unpaired:{name}', *parts)


def test_classes_of_a_folder_without_any_and_splits_that_are_not_there(tmp_path):
    x = f'folder:{write(tmp_path, {"1.png": grey(1)})}'
    refused(f'unpaired:{x}[cats],{x}', 'has no classes; leave out [cats]')
    refused(f'unpaired:{x},{x}', "no split but 'train'", error=NoSplit, split='test')
    source = sources.from_arrays('x', np.zeros((1, 8, 8, 1), np.uint8), class_names=('a', 'b'))
    with pytest.raises(UserError, match=r'x\[b\] has no images; name another class or split'):
        pairs._of_class(source, 'x[b]', np.zeros(1, int), 1)
