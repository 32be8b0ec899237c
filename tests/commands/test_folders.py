"""Where translations go: what would be lost is refused before anything is written."""

import logging
import os
import pathlib

import numpy as np
import pytest
from PIL import Image

from gan_jax.commands import folders, translate
from gan_jax.config import experiment, saved
from gan_jax.errors import UserError

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 7, 3), np.uint8)
PSD = (
    b'8BPS\0\1' + bytes(6) + b'\0\3\0\0\0\6\0\0\0\7\0\x08\0\3' + bytes(14)
    + PIXELS.transpose(2, 0, 1).tobytes()
)  # fmt: skip


def put(folder, *names):
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == '.psd':
            file.write_bytes(PSD)
        else:
            kind = {'.jpg': 'JPEG'}.get(file.suffix, 'PNG')
            Image.fromarray(PIXELS).save(file, kind)


def run(folder, function=lambda params, aux, x: -x, **options):
    return translate.translate_folder(
        function, ({}, {}), folder / 'in', folder / 'out', size=(8, 8), channels=3, **options
    )


@pytest.fixture
def of_pictures(monkeypatch):
    settings = {'name': 'images', 'shape': [8, 8, 3], 'classes': None}
    monkeypatch.setattr(saved, 'read_config', lambda workdir: {'modality': settings})


def written(folder):
    out = folder / 'out'
    return sorted(str(x.relative_to(out)) for x in out.rglob('*') if x.is_file())


@pytest.mark.parametrize(
    ('names', 'both'),
    [
        (('a.psd', 'a.psd.png'), ('a.psd', 'a.psd.png')),
        (('x.png', 'X.png'), ('X.png', 'x.png')),
        (('b/x.png', 'B/X.PNG'), ('B/X.PNG', 'b/x.png')),
        (('caf\u00e9.png', 'cafe\u0301.png'), ('cafe\u0301.png', 'caf\u00e9.png')),
        (('a.psd', 'A.PSD.PNG/b.png'), ('a.psd', 'A.PSD.PNG/b.png')),
    ],
)
def test_translations_that_would_be_one_file_are_refused(tmp_path, names, both):
    put(tmp_path / 'in', 'good.png', *names)
    with pytest.raises(UserError) as error:
        run(tmp_path)
    assert '\n' not in str(error.value)
    for name in both:
        assert str(tmp_path / 'in' / name) in str(error.value)
    assert 'rename one of them' in str(error.value)
    assert not (tmp_path / 'out').exists()


def test_names_that_only_look_alike_are_translated(tmp_path):
    names = ('a.jpg', 'a.jpg.png', 'a.png', 'b.psd', 'tmp_a.png')
    put(tmp_path / 'in', *names)
    assert run(tmp_path) == 5
    assert written(tmp_path) == ['a.jpg', 'a.jpg.png', 'a.png', 'b.psd.png', 'tmp_a.png']


@pytest.mark.parametrize('name', ['x.png', 'x.psd'])
def test_what_is_to_be_translated_is_not_overwritten(tmp_path, name):
    """The folder where translations go is a link to one within the input."""
    put(tmp_path / 'in', name, 'other.png')
    output = folders.plan(tmp_path / 'in', tmp_path / 'out').outputs[name]
    put(tmp_path / 'in', 'kept.png')
    (tmp_path / 'out' / output).symlink_to(tmp_path / 'in' / 'kept.png')
    before = (tmp_path / 'in' / 'kept.png').read_bytes()
    with pytest.raises(UserError, match=rf'{name} would overwrite .*kept\.png') as error:
        run(tmp_path)
    assert '\n' not in str(error.value)
    assert (tmp_path / 'in' / 'kept.png').read_bytes() == before
    assert written(tmp_path) == [output]


def test_a_name_that_would_be_too_long_is_refused_at_once(tmp_path):
    put(tmp_path / 'in', 'a.png', 'b' * 251 + '.png', 'c' * 248 + '.psd')
    with pytest.raises(UserError, match=r'has 256 bytes, and 255 are the most') as error:
        run(tmp_path)
    assert f'{"c" * 248}.psd.png' in str(error.value)
    assert not (tmp_path / 'out').exists()


def test_what_a_format_has_no_room_for_gets_no_name_of_another(tmp_path, caplog):
    """WebP has room for 16,383 pixels on a side."""
    wide = Image.new('L', (20, 4_100))
    (tmp_path / 'in').mkdir()
    for name in ('a.webp', 'b.webp'):
        wide.save(tmp_path / 'in' / name)
    put(tmp_path / 'in', 'a.webp.png')

    def longer(params, aux, x):
        return x.repeat(4, axis=1).repeat(4, axis=2)

    with caplog.at_level(logging.INFO, logger='absl'):
        assert run(tmp_path, longer) == 2
    assert written(tmp_path) == ['a.webp.png', 'b.webp.png']
    last = caplog.records[-1].getMessage()
    assert last.startswith('translated 2 of 3 files, 1 could not be read: a.webp (its format')
    with Image.open(tmp_path / 'out' / 'a.webp.png') as image:
        assert image.size == (28, 24)


def test_an_output_that_cannot_be_written_is_found_first(tmp_path, of_pictures, monkeypatch):
    put(tmp_path / 'in', 'a.png')
    monkeypatch.setattr(experiment, 'restore', lambda *_: pytest.fail('restored'))
    (tmp_path / 'file').write_text('no folder')
    (tmp_path / 'taken' / 'a.png').mkdir(parents=True)
    for place in ('/proc/none', f'{tmp_path}/file/below', f'{tmp_path}/taken'):
        with pytest.raises(UserError, match=r'cannot be written \(.*\); give another --output'):
            translate.translate(tmp_path, input=str(tmp_path / 'in'), output=place)


def test_frames_after_the_first_are_counted(tmp_path, caplog):
    frames = [Image.fromarray(np.full((6, 7), x, np.uint8)) for x in (10, 200)]
    (tmp_path / 'in').mkdir()
    for name in ('a.gif', 'b.webp', 'c.tiff', 'd.png'):
        frames[0].save(tmp_path / 'in' / name, save_all=True, append_images=frames[1:])
    put(tmp_path / 'in', 'e.gif', 'f.psd', '.hidden/x.png', '.y.png')
    with caplog.at_level(logging.INFO, logger='absl'):
        assert run(tmp_path) == 6
    assert [x.getMessage() for x in caplog.records] == [
        f'passed over 2 hidden files and folders in {tmp_path / "in"}',
        '4 files have several frames, of which only the first is translated: a.gif, b.webp, '
        'c.tiff, d.png',
        'translated 6 of 6 files',
    ]


def test_names_that_are_no_utf8_are_kept_and_can_be_printed(tmp_path, caplog):
    put(tmp_path / 'in', 'a.png')
    place = os.fsencode(tmp_path / 'in')
    os.rename(place + b'/a.png', place + b'/\xe4\n.png')
    with open(place + b'/\xff.png', 'wb') as file:
        file.write(b'text')
    with caplog.at_level(logging.INFO, logger='absl'):
        assert run(tmp_path) == 1
    assert os.listdir(os.fsencode(tmp_path / 'out')) == [b'\xe4\n.png']
    for record in caplog.records:
        record.getMessage().encode()
        assert '\n' not in record.getMessage()
    assert caplog.records[-1].getMessage().endswith(r'could not be read: \udcff.png (unreadable)')


def test_the_plan_is_found_before_the_run_is(tmp_path, of_pictures, monkeypatch):
    monkeypatch.setattr(experiment, 'restore', lambda *_: pytest.fail('restored'))
    put(tmp_path / 'in', 'x.png', 'X.png')
    options = {'input': str(tmp_path / 'in'), 'output': str(tmp_path / 'out')}
    with pytest.raises(UserError, match='at one place'):
        translate.translate(pathlib.Path('none'), **options)


def test_every_legal_name_is_translated(tmp_path):
    """Those of temporary files too, and the longest."""
    names = ['b' * 251 + '.png', 'tmp_z.png', 'z.png']
    put(tmp_path / 'in', *names)
    run(tmp_path)
    assert written(tmp_path) == names
    for name in names:
        with Image.open(tmp_path / 'out' / name) as image:
            np.testing.assert_array_equal(np.asarray(image), 255 - PIXELS)
