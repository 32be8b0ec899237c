import io
import logging

import numpy as np
import pytest
from PIL import Image

from gan_jax import data
from gan_jax.data import cleaning, sources
from gan_jax.errors import UserError

NOISE = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)


def encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png(array):
    return encoded(Image.fromarray(array), 'PNG')


RGB = Image.fromarray(NOISE)
BAD = {
    'text.png': (b'not an image\n', cleaning.UNREADABLE),
    'empty.jpg': (b'', cleaning.UNREADABLE),
    'header_only.png': (png(NOISE)[:20], cleaning.UNREADABLE),
    'cut.png': (png(NOISE)[:-1500], cleaning.TRUNCATED),
    'cut.jpg': (encoded(RGB, 'JPEG')[:-400], cleaning.TRUNCATED),
    'cut.gif': (encoded(RGB, 'GIF')[:-700], cleaning.TRUNCATED),
    'deep.png': (png(np.full((32, 32), 40_000, np.uint16)), cleaning.WRONG_MODE),
    'whole.tiff': (encoded(RGB.convert('I'), 'TIFF'), cleaning.WRONG_MODE),
    'float.tiff': (encoded(RGB.convert('F'), 'TIFF'), cleaning.WRONG_MODE),
    'lab.tiff': (encoded(RGB.convert('LAB'), 'TIFF'), cleaning.WRONG_MODE),
    'tiny.png': (png(NOISE[:7, :20]), cleaning.TOO_SMALL),
}
GOOD = {
    'rgb.png': png(NOISE),
    'rgb.jpg': encoded(RGB, 'JPEG'),
    'grey.png': png(NOISE[..., 0]),
    'bit.png': encoded(RGB.convert('1'), 'PNG'),
    'cmyk.jpg': encoded(RGB.convert('CMYK'), 'JPEG'),
    'palette.png': encoded(RGB.convert('P'), 'PNG'),
    'alpha.png': encoded(RGB.convert('RGBA'), 'PNG'),
    'least.png': png(NOISE[:8, :20]),
    'anim.gif': encoded(RGB, 'GIF', save_all=True, append_images=[RGB.rotate(90)]),
}


def write(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return f'folder:{folder}'


def load(dataset, **options):
    return data.load(dataset, **{'image_size': 16, 'channels': 3, 'max_bad': 1.0, **options})


@pytest.mark.parametrize('name', BAD)
@pytest.mark.parametrize('memory_gb', [4.0, 0.0])
def test_a_bad_file_is_left_out_with_its_reason(tmp_path, name, memory_gb):
    content, reason = BAD[name]
    dataset = write(tmp_path, {f'a/{name}': content, 'b/rgb.png': GOOD['rgb.png']})
    loaded = load(dataset, memory_gb=memory_gb)
    assert loaded.bad == ((f'a/{name}', reason),)
    assert len(loaded) == 1
    assert loaded.batch(np.array([0]))['label'] == [1]
    np.testing.assert_array_equal(
        loaded.batch(np.array([0]))['real'],
        load(write(tmp_path / 'b', {}), memory_gb=memory_gb).batch(np.array([0]))['real'],
    )


def test_every_good_kind_is_kept(tmp_path):
    loaded = load(write(tmp_path, GOOD))
    assert loaded.bad == ()
    assert len(loaded) == len(GOOD)


def test_hsv_is_no_mode_that_is_taken():
    source = sources.Source(
        'hsv', 1, ('',), lambda i: i, lambda i: (RGB.convert('HSV'), 0), str
    )  # fmt: skip
    with pytest.raises(cleaning.BadRecord, match=cleaning.WRONG_MODE):
        cleaning.read(source, 0, 8)


@pytest.mark.parametrize(
    ('spoil', 'reason'),
    [
        (np.nan, cleaning.NOT_FINITE),
        (-np.inf, cleaning.NOT_FINITE),
        (1.5, cleaning.OUT_OF_RANGE),
    ],
)
def test_arrays_that_are_not_finite_or_out_of_range_are_left_out(spoil, reason):
    images = np.zeros((3, 8, 8, 1), np.float32)
    images[1, 2, 3, 0] = spoil
    images[2] = 1
    loaded = data.load(sources.from_arrays('x', images), image_size=None, max_bad=0.5)
    assert loaded.bad == (('x[1]', reason),)
    np.testing.assert_array_equal(loaded.batch(np.array([0, 1]))['real'][:, 0, 0, 0], [128, 255])


def test_arrays_of_other_types_are_of_the_wrong_mode():
    source = sources.from_arrays('x', np.zeros((1, 8, 8, 1), np.int32))
    with pytest.raises(UserError, match='most often wrong mode'):
        data.load(source, image_size=None)


def test_what_was_skipped_is_counted_by_reason_and_listed(tmp_path, caplog):
    files = {f'text{i:02d}.png': b'text' for i in range(11)}
    dataset = write(tmp_path, {**files, 'tiny.png': BAD['tiny.png'][0], **GOOD})
    with caplog.at_level(logging.WARNING, logger='absl'):
        load(dataset)
    (line,) = [record.getMessage() for record in caplog.records]
    assert f'skipped 12 of {12 + len(GOOD)} images: 11 unreadable, 1 too small;' in line
    assert 'text09.png (unreadable) and 2 more' in line
    assert 'text10.png' not in line


def test_nothing_is_said_when_nothing_is_bad(tmp_path, caplog):
    with caplog.at_level(logging.WARNING, logger='absl'):
        load(write(tmp_path, GOOD))
    assert not caplog.records


def test_the_bad_share_may_reach_max_bad_and_not_pass_it(tmp_path):
    files = {f'{i}.png': GOOD['rgb.png'] for i in range(8)}
    dataset = write(tmp_path, {**files, 'x.png': b'text', 'y.png': BAD['cut.png'][0]})
    assert len(load(dataset, max_bad=0.2)) == 8
    with pytest.raises(UserError) as error:
        load(dataset, max_bad=0.19)
    message = str(error.value)
    assert '\n' not in message
    assert '2 of 10 images (20.0%)' in message
    assert 'the first is x.png (unreadable)' in message
    assert 'fix or remove these, or raise config.data.max_bad (now 0.19)' in message


def test_no_good_record_is_an_error_whatever_is_borne(tmp_path):
    dataset = write(tmp_path, {'a.png': b'text', 'b.png': b'text', 'c.png': BAD['tiny.png'][0]})
    with pytest.raises(UserError, match=r'3 of 3 .* most often unreadable.*fix them or name') as e:
        load(dataset, max_bad=1.0, image_size=None, channels=None)
    assert '\n' not in str(e.value)


def test_a_set_without_images_is_an_error():
    source = sources.from_arrays('x', np.zeros((0, 8, 8, 1), np.uint8))
    with pytest.raises(UserError, match='x has no images; name another data set or split'):
        data.load(source, image_size=None)


def test_min_size_is_of_the_shorter_side(tmp_path):
    dataset = write(tmp_path, {'a.png': png(NOISE[:20]), 'b.png': png(NOISE[:, :21])})
    assert [name for name, _ in load(dataset, min_size=21).bad] == ['a.png']
    assert not load(dataset, min_size=20).bad


def test_a_file_that_breaks_after_loading_is_named(tmp_path):
    loaded = load(write(tmp_path, {'a.png': GOOD['rgb.png']}), memory_gb=0.0)
    (tmp_path / 'a.png').write_bytes(b'text')
    with pytest.raises(UserError, match=r'a\.png is unreadable now'):
        loaded.batch(np.array([0]))
