import sys

import numpy as np
import pytest
from PIL import Image, ImageSequence

from gan_jax.errors import UserError
from gan_jax.modalities import points as pictures
from gan_jax.sampling import animation

BOUNDS = (np.array([-2.0, -2.0], np.float32), np.array([2.0, 2.0], np.float32))
NONE = np.zeros((0, 2), np.float32)


# ---- Animations ------------------------------------------------------------------------------
def frames(folder, num):
    """Pictures of a dot that goes to the right."""
    files = []
    for i in range(num):
        point = np.array([(-1.5 + i * 0.5, 0)], np.float32)
        picture = pictures.scatter(NONE, point, pictures.field_points(BOUNDS)[:, 0], BOUNDS, 100)
        files.append(folder / f'{i}.png')
        Image.fromarray(picture).save(files[-1])
    return files


def test_an_animation_has_its_frames_for_their_times(tmp_path):
    files = frames(tmp_path, 5)
    animation.animate(files, tmp_path / 'all.gif', milliseconds=70)
    with Image.open(tmp_path / 'all.gif') as gif:
        assert gif.n_frames == 5
        assert gif.info['loop'] == 0
        durations, errors = [], []
        for file, frame in zip(files, ImageSequence.Iterator(gif), strict=True):
            durations.append(frame.info['duration'])
            shown = np.asarray(frame.convert('RGB')).astype(int)
            errors.append(np.abs(shown - np.asarray(Image.open(file))))
    assert durations == [70, 70, 70, 70, 840]
    assert np.mean(errors) < 2
    assert np.max(errors) < 60
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        '0.png', '1.png', '2.png', '3.png', '4.png', 'all.gif'
    ]  # fmt: skip


def test_grey_pictures_and_a_single_one_can_be_animated(tmp_path):
    Image.fromarray(np.arange(100, dtype=np.uint8).reshape(10, 10)).save(tmp_path / 'x.png')
    animation.animate([tmp_path / 'x.png'], tmp_path / 'x.gif')
    with Image.open(tmp_path / 'x.gif') as gif:
        assert gif.size == (10, 10)
        np.testing.assert_allclose(gif.convert('L'), np.arange(100).reshape(10, 10), atol=4)


def test_what_cannot_be_animated_leaves_the_old_file(tmp_path):
    old = tmp_path / 'all.gif'
    old.write_bytes(b'old')
    with pytest.raises(ValueError, match='no pictures'):
        animation.animate([], old)
    files = frames(tmp_path, 1)
    Image.new('RGB', (9, 9)).save(tmp_path / 'other.png')
    with pytest.raises(ValueError, match=r'other\.png is \(9, 9\), not \(100, 100\)'):
        animation.animate([*files, tmp_path / 'other.png'], old)
    assert old.read_bytes() == b'old'


# ---- Loops -----------------------------------------------------------------------------------
GREYS = [np.full((6, 9, 1), x, np.uint8) for x in (0, 90, 180)]


def test_a_loop_has_equal_times_and_does_not_wait(tmp_path):
    animation.loop(iter(GREYS), tmp_path / 'loop.gif')
    with Image.open(tmp_path / 'loop.gif') as gif:
        assert gif.info['loop'] == 0
        shown = [(x.info['duration'], x.convert('L').getpixel((4, 3))) for x in
                 ImageSequence.Iterator(gif)]  # fmt: skip
    assert shown == [(40, 0), (40, 90), (40, 180)]
    assert [x.name for x in tmp_path.iterdir()] == ['loop.gif']


class Writer:
    """In place of imageio-ffmpeg: keeps what it is given."""

    def write_frames(self, path, size, **options):
        self.size, self.options, self.frames, self.path = size, options, [], path
        while True:
            self.frames.append((yield))
            with open(path, 'ab') as file:
                file.write(b'frame')


def test_a_film_is_given_its_frames_in_even_sizes_and_colours(tmp_path, monkeypatch):
    writer = Writer()
    monkeypatch.setattr(animation, 'encoder', lambda: writer)
    animation.loop(GREYS, tmp_path / 'loop.mp4')
    assert writer.size == (10, 6)
    assert writer.options['fps'] == 25
    assert [x.shape for x in writer.frames] == [(6, 10, 3)] * 3
    assert [x.max() for x in writer.frames] == [0, 90, 180]
    assert (tmp_path / 'loop.mp4').read_bytes() == b'frame' * 3
    with pytest.raises(ValueError, match='not as the first'):
        animation.loop([GREYS[0], np.zeros((9, 6, 1), np.uint8)], tmp_path / 'bad.mp4')
    with pytest.raises(ValueError, match='no pictures'):
        animation.loop([], tmp_path / 'bad.mp4')
    assert [x.name for x in tmp_path.iterdir()] == ['loop.mp4']


def test_without_an_encoder_a_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, 'imageio_ffmpeg', None)
    with pytest.raises(UserError, match=r"needs imageio_ffmpeg; pip install -e '\.\[film\]'"):
        animation.encoder()
