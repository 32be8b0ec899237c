import numpy as np
import pytest
from PIL import Image, ImageSequence

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
