"""Folders of pictures, sound and broken, through translators that are known in closed form."""

import logging
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from PIL import ExifTags, Image

from gan_jax import modalities
from gan_jax.commands import folders, tiles, translate
from gan_jax.config import experiment, saved
from gan_jax.data import normalize
from gan_jax.errors import UserError
from gan_jax.runtime import parallel

NOTHING = ({}, {})
GENERATOR = np.random.default_rng(0)


def negative(params, aux, x):
    return -x


def same(params, aux, x):
    return x


def enlarged(params, aux, x):
    return jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)


def blurred(params, aux, x):
    def total(x):
        return lax.reduce_window(x, 0.0, lax.add, (1, 9, 9, 1), (1, 1, 1, 1), 'SAME')

    return total(x) / total(jnp.ones_like(x))


def mean_grey(params, aux, x):
    return jnp.mean(x, axis=-1, keepdims=True)


def noise(height, width, channels=3):
    return GENERATOR.integers(0, 256, (height, width, channels), np.uint8)


def smooth(height, width):
    """What a JPEG keeps to a few grey levels, with four corners that differ."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    return (255 * np.stack([x, y, (x + y) / 2], axis=-1)).astype(np.uint8)


def save(file, array, **options):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array).save(file, **options)


def pixels(file):
    with Image.open(file) as image:
        return np.asarray(image)


def run(folder, function=negative, size=(8, 8), channels=3, **options):
    found = translate.translate_folder(
        function, NOTHING, folder / 'in', folder / 'out', size=size, channels=channels, **options
    )
    out = folder / 'out'
    return found, {str(x.relative_to(out)): x for x in sorted(out.rglob('*')) if x.is_file()}


def make(function, channels=3, largest=512, size=(8, 8)):
    return translate.make_translator(
        function, NOTHING, size=size, channels=channels, largest=largest
    )


@pytest.fixture
def log():
    """What is logged, a line each."""
    logger, records = logging.getLogger('absl'), []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield records
    logger.removeHandler(handler)
    logger.setLevel(level)


def test_good_ones_are_translated_and_bad_ones_named(tmp_path, log):
    folder = tmp_path / 'in'
    portrait, large, grey, clear = smooth(36, 60), noise(70, 100), noise(9, 17, 1), noise(5, 6, 4)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    save(folder / 'people' / 'portrait.JPG', portrait, quality=95, exif=exif)
    save(folder / 'large.png', large)
    save(folder / 'a' / 'b' / 'grey.png', grey)
    clear[..., 3] = [[0, 255, 0, 255, 255, 102]]
    save(folder / 'clear.png', clear)
    save(folder / 'whole.jpg', large)
    whole = (folder / 'whole.jpg').read_bytes()
    (folder / 'broken.jpg').write_bytes(whole[: len(whole) // 2])
    (folder / 'whole.jpg').unlink()
    (folder / 'fake.png').write_text('no picture')
    (folder / 'notes.txt').write_text('no picture either')
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(folder / 'depth.png')
    (folder / '.hidden.png').write_text('skipped')
    save(folder / '.thumbnails' / 'x.png', large)

    found, files = run(tmp_path, largest=32)
    assert found == 4
    assert set(files) == {'people/portrait.JPG', 'large.png', 'a/b/grey.png', 'clear.png'}
    upright = np.rot90(portrait, -1)
    made = pixels(files['people/portrait.JPG'])
    assert made.shape == (60, 36, 3)
    assert np.abs(made - (255.0 - upright)).max() < 12
    with Image.open(files['people/portrait.JPG']) as image:
        assert (image.format, image.getexif().get(ExifTags.Base.Orientation, 1)) == ('JPEG', 1)
    np.testing.assert_array_equal(pixels(files['large.png']), 255 - large)
    np.testing.assert_array_equal(pixels(files['a/b/grey.png']), np.repeat(255 - grey, 3, axis=-1))
    share = clear[..., 3:] / 255
    over_white = np.round(clear[..., :3] * share + 255 * (1 - share))
    assert np.abs(pixels(files['clear.png']) - (255 - over_white)).max() <= 1

    bad = [
        'broken.jpg (truncated)', 'depth.png (wrong mode)', 'fake.png (unreadable)',
        'notes.txt (not an image)',
    ]  # fmt: skip
    assert log[-1] == f'translated 4 of 8 files, 4 could not be read: {", ".join(bad)}'
    named = [line for line in log if ' cannot be read (' in line]
    assert len(named) == 4
    for name, reason in (x.split(' ', 1) for x in bad):
        assert f'{folder / name} cannot be read {reason}' in named


def test_none_can_be_read(tmp_path, log):
    (tmp_path / 'in').mkdir()
    for i in range(12):
        (tmp_path / 'in' / f'{i:02}.txt').write_text('x')
    assert run(tmp_path) == (0, {})
    assert log[-1].startswith('translated 0 of 12 files, 12 could not be read: 00.txt (not an')
    assert log[-1].endswith('09.txt (not an image) and 2 more')


def test_formats_and_names_are_kept(tmp_path, log):
    folder, image = tmp_path / 'in', noise(6, 7)
    formats = {'a.bmp': 'BMP', 'b.PPM': 'PPM', 'c.tif': 'TIFF', 'd.webp': 'WEBP', 'e.jpeg': 'JPEG'}
    for name in formats:
        save(folder / name, image)
    more = [Image.new('L', (2, 2))]
    save(folder / 'f.jpg', image, format='MPO', save_all=True, append_images=more)
    save(folder / 'g.jpg', image, format='PNG')
    frames = [Image.fromarray(np.full((6, 7), x, np.uint8)) for x in (10, 200)]
    frames[0].save(folder / 'moving.gif', save_all=True, append_images=frames[1:])
    header = b'8BPS\0\1' + bytes(6) + b'\0\3\0\0\0\6\0\0\0\7\0\x08\0\3' + bytes(14)
    (folder / 'h.psd').write_bytes(header + image.transpose(2, 0, 1).tobytes())
    found, files = run(tmp_path)
    formats |= {'f.jpg': 'JPEG', 'g.jpg': 'PNG', 'moving.gif': 'GIF', 'h.psd.png': 'PNG'}
    assert found == len(formats) == 9
    assert log[-1] == 'translated 9 of 9 files'
    assert set(files) == set(formats)
    for name, format in formats.items():
        with Image.open(files[name]) as opened:
            assert opened.format == format
            assert getattr(opened, 'n_frames', 1) == 1
    for name in ('a.bmp', 'b.PPM', 'c.tif', 'g.jpg', 'h.psd.png'):
        np.testing.assert_array_equal(pixels(files[name]), 255 - image)
    with Image.open(files['moving.gif']) as opened:
        np.testing.assert_array_equal(np.asarray(opened.convert('L')), 245)
    with Image.open(folder / 'f.jpg') as opened:
        assert opened.format == 'MPO'
    with Image.open(files['e.jpeg']) as opened, Image.open(tmp_path / 'in' / 'e.jpeg') as plain:
        assert sum(opened.quantization[0]) < sum(plain.quantization[0]) / 3  # 95, not the usual 75


def test_a_grey_result_is_written_as_grey(tmp_path):
    image = noise(5, 9)
    save(tmp_path / 'in' / 'x.png', image)
    _, files = run(tmp_path, mean_grey)
    with Image.open(files['x.png']) as opened:
        assert opened.mode == 'L'
        assert np.abs(np.asarray(opened) - image.mean(-1)).max() <= 0.51


def test_a_grey_translator_gets_luma(tmp_path):
    image = noise(5, 9)
    save(tmp_path / 'in' / 'x.png', image)
    _, files = run(tmp_path, same, channels=1)
    luma = image @ np.array([0.299, 0.587, 0.114])
    assert np.abs(pixels(files['x.png']) - luma).max() <= 1


@pytest.mark.parametrize(('height', 'width'), [(3, 5), (1, 1), (8, 8), (9, 23), (1, 40)])
def test_pictures_of_all_sizes_come_out_at_theirs(height, width):
    image = noise(height, width)
    seen = []

    def function(params, aux, x):
        seen.append(x.shape)
        return -x

    made = make(function, size=(8, 16))(normalize(image))
    np.testing.assert_array_equal(made, 255 - image)
    assert all(h % 8 == 0 and w % 16 == 0 for _, h, w, _ in seen)


def test_pictures_are_reflected_on_all_sides():
    image = noise(3, 5)
    made = make(lambda params, aux, x: jnp.roll(x, (2, 1), (1, 2)))(normalize(image))
    reflected = np.pad(image, ((2, 0), (1, 0), (0, 0)), mode='symmetric')[:3, :5]
    np.testing.assert_array_equal(made, reflected)


@pytest.mark.parametrize(('height', 'width'), [(70, 100), (40, 24), (33, 200)])
def test_tiled_equals_whole_for_a_pointwise_function(height, width):
    source = normalize(noise(height, width))

    def function(params, aux, x):
        return jnp.sin(3 * x)

    whole = make(function, largest=1000)(source)
    tiled = make(function, largest=32)(source)
    assert np.abs(whole.astype(int) - tiled).max() <= 1


def test_tiles_have_one_shape_and_overlap_by_a_fourth(monkeypatch):
    monkeypatch.setattr(parallel, 'over_examples', jax.jit)  # as on one device
    shapes = []

    def function(params, aux, x):
        shapes.append(x.shape)
        return x

    translator = make(function, largest=37)
    translator(normalize(noise(70, 60)))
    translator(normalize(noise(99, 55)))
    assert shapes == [(1, 8, 8, 3), (tiles.CHUNK, 32, 32, 3)]
    for length in (32, 40, 64, 104, 1000):
        starts = tiles._starts(length, 32)
        assert starts[0] == 0
        assert starts[-1] + 32 == length
        assert all(0 < gap <= 24 for gap in np.diff(starts))


def test_no_seam_is_seen_where_tiles_differ():
    """Each tile is less half its own mean: side by side they would differ by 16 grey levels."""
    x = np.linspace(-0.5, 0.5, 96, dtype=np.float32)
    source = np.broadcast_to(x[:, None], (32, 96, 1))

    def function(params, aux, x):
        return x - 0.5 * jnp.mean(x, axis=(1, 2, 3), keepdims=True)

    made = make(function, channels=1, largest=32)(source).astype(int)
    assert np.abs(np.diff(made, axis=1)).max() <= 4


def test_a_blur_is_the_same_in_tiles_although_it_sees_less_at_their_borders():
    source = normalize(smooth(40, 48))
    whole, tiled = (make(blurred, largest=x)(source).astype(int) for x in (1000, 32))
    assert 0 < np.abs(whole - tiled).max() <= 2


@pytest.mark.parametrize('largest', [16, 1000])
def test_translations_may_be_larger(largest, tmp_path):
    image = noise(21, 30)
    save(tmp_path / 'in' / 'x.png', image)
    _, files = run(tmp_path, enlarged, largest=largest)
    np.testing.assert_array_equal(pixels(files['x.png']), image.repeat(2, 0).repeat(2, 1))


def test_a_part_of_a_size_is_refused():
    with pytest.raises(UserError, match='whole number'):
        make(lambda params, aux, x: x[:, ::2])


@pytest.mark.parametrize('channels', [2, 4])
def test_transparent_pixels_are_missing(channels):
    image = noise(4, 6, 4)
    image[..., 3] = [[0, 127, 128, 255, 255, 0]]
    source = translate.to_source(Image.fromarray(image), channels)
    assert source.shape == (4, 6, channels)
    assert source.dtype == np.float32
    np.testing.assert_array_equal(source[..., -1], [[1, 1, 0, 0, 0, 1]] * 4)
    np.testing.assert_array_equal(source[:, [0, 1, 5], :-1], 0)
    known = image[:, 2:5, :3] if channels == 4 else image[:, 2:5, :3] @ [[0.299], [0.587], [0.114]]
    np.testing.assert_allclose(source[:, 2:5, :-1], known / 127.5 - 1, atol=1.01 / 127.5)
    if channels == 4:
        np.testing.assert_array_equal(source[:, 2:5, :-1], normalize(image[:, 2:5, :3]))


def test_without_transparency_nothing_is_missing(tmp_path):
    def show_mask(params, aux, x):
        return jnp.where(x[..., 3:] > 0.5, 1.0, x[..., :3])

    opaque, holed = noise(5, 7), noise(5, 7, 4)
    holed[..., 3] = np.where(np.arange(7) < 3, 0, 255)
    save(tmp_path / 'in' / 'opaque.png', opaque)
    save(tmp_path / 'in' / 'holed.png', holed)
    found, files = run(tmp_path, show_mask, channels=4)
    assert found == 2
    np.testing.assert_array_equal(pixels(files['opaque.png']), opaque)
    np.testing.assert_array_equal(pixels(files['holed.png'])[:, :3], 255)
    np.testing.assert_array_equal(pixels(files['holed.png'])[:, 3:], holed[:, 3:, :3])


def test_one_file_can_be_translated(tmp_path):
    image = noise(5, 9)
    save(tmp_path / 'in' / 'x.png', image)
    save(tmp_path / 'in' / 'y.png', image)
    arguments = (negative, NOTHING, tmp_path / 'in' / 'x.png', tmp_path / 'out')
    assert translate.translate_folder(*arguments, size=(8, 8), channels=3) == 1
    assert [x.name for x in (tmp_path / 'out').iterdir()] == ['x.png']
    with pytest.raises(UserError, match='same folder'):
        folders.find_files(tmp_path / 'in' / 'x.png', tmp_path / 'in')


def test_an_output_within_the_input_is_not_translated_again(tmp_path):
    save(tmp_path / 'x.png', noise(5, 9))
    (tmp_path / 'circle').symlink_to(tmp_path)
    arguments = (negative, NOTHING, tmp_path, tmp_path / 'out')
    for _ in range(2):
        assert translate.translate_folder(*arguments, size=(8, 8), channels=3) == 1
    assert [x.name for x in (tmp_path / 'out').rglob('*')] == ['x.png']


def test_what_cannot_be_translated_is_told_in_one_line(tmp_path):
    def fails(match, folder_in, folder_out=tmp_path / 'out'):
        arguments = (negative, NOTHING, folder_in, folder_out)
        with pytest.raises(UserError, match=match) as info:
            translate.translate_folder(*arguments, size=(8, 8), channels=3)
        assert '\n' not in str(info.value)

    empty, full = tmp_path / 'empty', tmp_path / 'full'
    empty.mkdir()
    (empty / '.hidden.png').write_text('x')
    before = noise(5, 9)
    for name in ('x.png', 'full/x.png'):
        save(full / name, before)
    fails('does not exist; name a folder', tmp_path / 'missing')
    fails('holds no files; put images there', empty)
    fails('same folder', full, full)
    fails('same folder', full, empty / '..' / 'full')
    fails('would overwrite', full, tmp_path)
    np.testing.assert_array_equal(pixels(full / 'x.png'), before)
    fails('is not a folder', full, full / 'x.png')
    blocked = tmp_path / 'blocked'
    blocked.mkdir()
    (blocked / 'full').write_text('a file where a folder is needed')
    fails('cannot be written', full, blocked)
    np.testing.assert_array_equal(pixels(full / 'x.png'), before)
    assert not list(tmp_path.rglob('tmp_*'))


@pytest.fixture
def restored(monkeypatch):
    """A run of two seeds; the second one's translator is the negative."""
    scales = jnp.array([1.0, -1.0])
    player = types.SimpleNamespace(params={'scale': scales}, ema=None)
    state = types.SimpleNamespace(players={'generator': player}, aux={})

    def a_to_b(params, aux, x):
        return params['generator']['scale'] * x

    functions, bests = {'a_to_b': a_to_b, 'prior': None}, []
    config = {'game': 'pix2pix', 'data': {'max_pixels': 1000}}
    of = types.SimpleNamespace(config=config, seeds=[0, 1], source_shape=(8, 4, 3))
    of.game = types.SimpleNamespace(functions=functions)

    def restore(workdir, best):
        bests.append(best)
        return experiment.Run(of, 1, state)

    settings = {'name': 'images', 'shape': [8, 4, 3], 'classes': None}
    of.modality = modalities.make(settings)
    monkeypatch.setattr(saved, 'read_config', lambda workdir: {'modality': settings})
    monkeypatch.setattr(experiment, 'restore', restore)
    return functions, bests


def test_a_run_translates_with_the_seed_that_is_asked_for(restored, tmp_path):
    functions, bests = restored
    image = noise(5, 9)
    save(tmp_path / 'in' / 'x.png', image)
    folders = {'input': str(tmp_path / 'in'), 'output': str(tmp_path / 'out')}
    for replica, want in ((0, image), (1, 255 - image)):
        assert translate.translate(tmp_path, **folders, best=True, replica=replica) == 1
        np.testing.assert_array_equal(pixels(tmp_path / 'out' / 'x.png'), want)
    assert bests == [True, True]
    with pytest.raises(UserError, match=r"--direction 'b_to_a' is unknown.*all: a_to_b\)"):
        translate.translate(tmp_path, **folders, direction='b_to_a')
    with pytest.raises(UserError, match=r'--replica=2'):
        translate.translate(tmp_path, **folders, replica=2)
    del functions['a_to_b']
    with pytest.raises(UserError, match=r"'pix2pix', which translates nothing; .* a_to_b or b"):
        translate.translate(tmp_path, **folders)
