"""What is opened as a picture and what is not, in training and in translation alike."""

import io
import logging
import os
import socket

import numpy as np
import pytest
from PIL import ExifTags, Image, PngImagePlugin

from gan_jax import data
from gan_jax.commands import translate
from gan_jax.data import cleaning, pictures, sources, transforms
from gan_jax.errors import UserError

NOISE = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
PACKET = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="{}"/></x:xmpmeta>'


def encoded(array, kind, **options):
    file = io.BytesIO()
    Image.fromarray(array).save(file, kind, **options)
    return file.getvalue()


def zeros(side):
    """A PNG of a few thousand bytes that is side x side x 3 when decoded."""
    return encoded(np.zeros((side, side), bool), 'PNG')


def load(folder, **options):
    return data.load(
        f'folder:{folder}', **{'image_size': 8, 'channels': 3, 'max_bad': 1.0, **options}
    )


def link(target):
    return lambda path: path.symlink_to(target)


def listen(path):
    here = os.getcwd()
    os.chdir(path.parent)  # a socket's path is short
    try:
        with socket.socket(socket.AF_UNIX) as end:
            end.bind(path.name)
    finally:
        os.chdir(here)


SPECIAL = {
    'pipe': (os.mkfifo, 'not a regular file'),
    'zeros': (link('/dev/zero'), 'not a regular file'),
    'socket': (listen, 'not a regular file'),
    'circle': (link('x.png'), 'unreadable'),
    'nothing': (link('nowhere.png'), 'unreadable'),
    'postscript': (lambda x: x.write_bytes(b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n'),
                   'unreadable'),
    'large': (lambda x: x.write_bytes(zeros(13_000)), 'too large'),
    'twice as large': (lambda x: x.write_bytes(zeros(13_400)), 'too large'),
}  # fmt: skip


@pytest.mark.filterwarnings('ignore::PIL.Image.DecompressionBombWarning')
@pytest.mark.parametrize('kind', SPECIAL)
def test_what_is_no_plain_picture_is_counted_as_bad(tmp_path, kind):
    make, reason = SPECIAL[kind]
    (tmp_path / 'good.png').write_bytes(encoded(NOISE, 'PNG'))
    make(tmp_path / 'x.png')
    for options in ({}, {'image_size': None, 'channels': None}, {'memory_gb': 0.0}):
        loaded = load(tmp_path, **options)
        assert loaded.bad == (('x.png', reason),)
        assert len(loaded) == 1
    with pytest.raises(UserError, match=rf'x\.png \({reason}\).*data\.max_bad'):
        load(tmp_path, max_bad=0.4)
    with pytest.raises(cleaning.BadRecord, match=reason):
        translate.read(tmp_path / 'x.png', 3)


@pytest.mark.filterwarnings('ignore::PIL.Image.DecompressionBombWarning')
@pytest.mark.parametrize('sides', [('ab', 'x'), ('', 'x')])
def test_so_it_is_in_two_domains(tmp_path, sides):
    wide = np.concatenate([NOISE, NOISE], axis=1)
    for side in sides[0]:
        (tmp_path / side).mkdir()
        (tmp_path / side / 'good.png').write_bytes(encoded(NOISE, 'PNG'))
        (tmp_path / side / 'x.png').write_bytes(zeros(9_600))
    if not sides[0]:
        (tmp_path / 'good.png').write_bytes(encoded(wide, 'PNG'))
        (tmp_path / 'x.png').write_bytes(zeros(9_600))
    loaded = data.load(f'paired:{tmp_path}', image_size=8, channels=3, max_bad=0.5)
    assert [reason for _, reason in loaded.bad] == ['too large']
    assert len(loaded) == 1


@pytest.mark.parametrize(('most', 'bad'), [(12 * 16, 0), (12 * 16 - 1, 1)])
def test_the_most_pixels_can_be_said(tmp_path, most, bad):
    (tmp_path / 'x.png').write_bytes(encoded(NOISE, 'PNG'))
    (tmp_path / 'y.png').write_bytes(encoded(NOISE[:8, :8], 'PNG'))
    assert len(load(tmp_path, max_pixels=most).bad) == bad
    if bad:
        with pytest.raises(cleaning.BadRecord, match='too large'):
            translate.read(tmp_path / 'x.png', 3, most)


def test_more_than_pillow_permits_can_be_said(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 50)
    (tmp_path / 'x.png').write_bytes(encoded(NOISE, 'PNG'))
    with pytest.raises(UserError, match='most often too large'):
        load(tmp_path, max_pixels=50)
    assert not load(tmp_path, max_pixels=12 * 16).bad


def test_all_of_pillows_names_of_the_permitted_formats_are_taken(tmp_path, caplog):
    names = ['a.jfif', 'b.JPE', 'c.jpg', 'd.apng', 'e.tga', 'f.pbm', 'g.sgi']
    kinds = ['JPEG', 'JPEG', 'JPEG', 'PNG', 'TGA', 'PPM', 'SGI']
    for name, kind in zip(names, kinds, strict=True):
        (tmp_path / name).write_bytes(encoded(NOISE, kind))
    for name in ('notes.txt', 'b.TXT', 'x.heic', 'README', '.hidden.png', 'x.eps'):
        (tmp_path / name).write_text('text')
    with caplog.at_level(logging.INFO, logger='absl'):
        assert len(load(tmp_path)) == 7
    assert {'.jfif', '.jpe', '.webp'} <= pictures.suffixes()
    assert not {'.eps', '.pdf', '.ico'} & pictures.suffixes()
    (line,) = [x.getMessage() for x in caplog.records if 'passed over' in x.getMessage()]
    assert line.startswith(f'folder:{tmp_path}: passed over 6 in ')
    assert ': 2 .txt, ' in line
    for kind in ('1 .heic', '1 .eps', '1 without an ending', '1 hidden'):
        assert kind in line


def test_what_is_passed_over_beside_pairs_is_counted(tmp_path, caplog):
    (tmp_path / 'a.png').write_bytes(encoded(NOISE, 'PNG'))
    for name in ('a.txt', '.b.png'):
        (tmp_path / name).write_text('text')
    with caplog.at_level(logging.INFO, logger='absl'):
        assert len(data.load(f'paired:{tmp_path}', image_size=8)) == 1
    said = f'passed over 2 in {tmp_path} whose names are not those of images: '
    assert said in caplog.text
    assert {*caplog.text.split(said)[1].strip().split(', ')} == {'1 .txt', '1 hidden'}


@pytest.mark.parametrize('kind', ['PNG', 'WEBP', 'JPEG', 'TIFF'])
@pytest.mark.parametrize('orientation', [1, 3, 6])
def test_xmp_turns_a_picture_where_exif_says_nothing(tmp_path, kind, orientation):
    y, x = np.mgrid[0:1:24j, 0:1:32j]
    scene = (255 * np.stack([x, y, (x + y) / 2], axis=-1)).astype(np.uint8)
    packet = PACKET.format(orientation)
    options = {'xmp': packet.encode()}
    if kind == 'TIFF':
        options = {'tiffinfo': {700: packet.encode()}}
    file = tmp_path / f'x.{kind.lower()}'
    file.write_bytes(encoded(scene, kind, **options, **({} if kind == 'PNG' else {'quality': 95})))
    if kind == 'PNG':
        text = PngImagePlugin.PngInfo()
        text.add_itxt('XML:com.adobe.xmp', packet)
        file.write_bytes(encoded(scene, kind, pnginfo=text))
    upright = np.rot90(scene, {1: 0, 3: 2, 6: -1}[orientation])
    with pictures.opened(file) as image:
        assert transforms.extent(image) == upright.shape[1::-1]
        made = np.asarray(transforms.upright(cleaning.picture(image, 1)))
    assert made.shape == upright.shape
    assert np.abs(made.astype(int) - upright).max() < 12
    translated = translate.read(file, 3).source
    assert np.abs(127.5 * (translated + 1) - upright).max() < 12
    side = transforms.fit(upright, 8, 3).astype(int)
    trained = load(tmp_path).batch(np.array([0]))['real'][0]
    assert np.abs(side - trained).max() < 12


def profile(text):
    """EXIF in hexadecimal, as ImageMagick writes it."""
    info = PngImagePlugin.PngInfo()
    info.add_text('Raw profile type exif', text)
    return info


BROKEN = {
    'text.png': ('PNG', {'exif': b'Exif\0\0no such thing'}),
    'cut.png': ('PNG', {'exif': b'Exif\0\0MM\0*'}),
    'text.webp': ('WEBP', {'exif': b'Exif\0\0no such thing'}),
    'cut.webp': ('WEBP', {'exif': b'Exif\0\0MM\0*'}),
    'profile.png': ('PNG', {'pnginfo': profile('\nexif\n 4\nno hexadecimal')}),
}


@pytest.mark.parametrize('name', BROKEN)
@pytest.mark.parametrize('memory_gb', [4.0, 0.0])
def test_what_malformed_exif_raises_is_met_in_training_and_translation(tmp_path, name, memory_gb):
    kind, options = BROKEN[name]
    (tmp_path / name).write_bytes(encoded(NOISE, kind, **options))
    (tmp_path / 'good.png').write_bytes(encoded(NOISE, 'PNG'))
    assert load(tmp_path, memory_gb=memory_gb).bad == ((name, 'unreadable'),)
    with pytest.raises(cleaning.BadRecord, match='unreadable'):
        translate.read(tmp_path / name, 3)


def test_whatever_is_raised_of_foreign_bytes_is_a_bad_record(monkeypatch):
    def parse(raw):
        image = Image.fromarray(NOISE)
        image.info['exif'] = b'Exif\0\0'
        image.getexif = lambda: 1 / 0
        return image, 0

    source = sources.Source('x', 1, ('',), lambda i: i, parse, str)
    with pytest.raises(UserError, match=r'1 of 1 images .* most often unreadable'):
        data.load(source, image_size=8, channels=3)


def test_names_that_are_no_utf8_can_be_printed(tmp_path, caplog):
    folder = os.fsencode(tmp_path) + b'/cl\xe4ss\n1'
    os.mkdir(folder)
    for name in (b'b\xffd.png', b'g\xfcod.png'):
        with open(folder + b'/' + name, 'wb') as file:
            file.write(b'text' if name.startswith(b'b') else encoded(NOISE, 'PNG'))
    with caplog.at_level(logging.INFO, logger='absl'):
        loaded = load(tmp_path)
    assert loaded.class_names == (r'cl\udce4ss\n1',)
    assert loaded.bad == ((r'cl\udce4ss\n1/b\udcffd.png', 'unreadable'),)
    assert len(loaded) == 1
    for record in caplog.records:
        record.getMessage().encode()
        assert '\n' not in record.getMessage()


def test_a_picture_says_no_longer_that_it_lies_on_its_side():
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    image = pictures.opened(encoded(NOISE, 'PNG', exif=exif))
    turned = transforms.upright(image)
    np.testing.assert_array_equal(np.asarray(turned), np.rot90(NOISE, -1))
    assert transforms.upright(turned) is turned
