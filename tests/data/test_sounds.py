"""Sounds from files: rates, channels, pieces, classes, and what is wrong with them."""

import numpy as np
import pytest
import soundfile

from gan_jax.data import loading, sounds
from gan_jax.errors import NoSplit, UserError


def write(file, samples, rate=16_000, **options):
    file.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(file, samples, rate, **options)


def ramp(length):
    return np.arange(length) / 32768


def load(folder, **options):
    return sounds.sounds(f'folder:{folder}', **options)


def test_samples_of_16_bits_are_kept_and_the_end_is_silence(tmp_path):
    write(tmp_path / 'a.wav', ramp(100))
    dataset = load(tmp_path, length=128)
    assert (dataset.shape, dataset.kind, dict(dataset.fitted)) == (
        (128, 1), 'waveforms', {'rate': 16_000},
    )  # fmt: skip
    (sound,) = dataset.fetch(np.arange(1))
    assert sound.dtype == np.int16
    np.testing.assert_array_equal(sound[:, 0], [*range(100), *[0] * 28])


@pytest.mark.parametrize(
    ('samples', 'pieces', 'number'),
    [(100, 'all', 1), (319, 'all', 2), (320, 'all', 3), (10, 'all', 1), (320, 'first', 1)],
)
def test_a_last_piece_counts_from_half_the_length_on(tmp_path, samples, pieces, number):
    write(tmp_path / 'a.wav', ramp(samples))
    dataset = load(tmp_path, length=128, pieces=pieces)
    assert len(dataset) == number
    np.testing.assert_array_equal(dataset.fetch(np.arange(1))[0, :10, 0], np.arange(10))


def test_channels_are_averaged_and_classes_are_folders(tmp_path):
    write(tmp_path / 'snare' / 'b.flac', np.stack([ramp(64), 3 * ramp(64)], axis=1))
    write(tmp_path / 'kick' / 'A.WAV', ramp(64))
    dataset = load(tmp_path, length=64)
    assert dataset.class_names == ('kick', 'snare')
    np.testing.assert_array_equal(dataset.labels, [0, 1])
    np.testing.assert_array_equal(dataset.fetch(np.arange(2))[1, :, 0], 2 * np.arange(64))


def test_another_rate_keeps_the_pitch(tmp_path):
    """A tone of 440 Hz has its 440 periods a second after the rate was changed, too."""
    write(tmp_path / 'a.wav', 0.5 * np.sin(2 * np.pi * 440 * np.arange(44_100) / 44_100), 44_100)
    (sound,) = load(tmp_path, length=8192, rate=16_000).fetch(np.arange(1))
    spectrum = np.abs(np.fft.rfft(sound[:, 0] * np.hanning(8192)))
    assert abs(spectrum.argmax() * 16_000 / 8192 - 440) < 2
    assert 0.49 < np.abs(sound).max() / 32768 < 0.51


def test_what_is_too_high_for_the_rate_is_gone(tmp_path):
    write(tmp_path / 'a.wav', 0.5 * np.sin(2 * np.pi * 12_000 * np.arange(44_100) / 44_100), 44_100)
    (sound,) = load(tmp_path, length=8192, rate=16_000).fetch(np.arange(1))
    assert np.abs(sound[1000:-1000]).max() / 32768 < 0.01


def test_damaged_files_are_named_and_borne_up_to_a_share(tmp_path):
    for i in range(3):
        write(tmp_path / f'{i}.wav', ramp(64))
    (tmp_path / 'bad.wav').write_bytes(b'RIFF and nothing')
    write(tmp_path / 'empty.wav', np.zeros(0))
    (tmp_path / '.hidden.wav').write_bytes(b'')
    dataset = load(tmp_path, length=64, max_bad=0.5)
    assert dataset.bad == (('bad.wav', 'unreadable'), ('empty.wav', 'empty'))
    with pytest.raises(UserError, match='2 of 5 files'):
        load(tmp_path, length=64)


def test_not_a_number_is_no_sample(tmp_path):
    write(tmp_path / 'a.wav', ramp(64))
    write(tmp_path / 'b.wav', np.full(64, np.nan), subtype='FLOAT')
    assert load(tmp_path, length=64, max_bad=0.5).bad == (('b.wav', 'not finite'),)


def test_too_loud_floats_are_clipped(tmp_path):
    write(tmp_path / 'a.wav', np.array([2.0, -2.0]), subtype='FLOAT')
    np.testing.assert_array_equal(
        load(tmp_path, length=2).fetch(np.arange(1))[0, :, 0], [32767, -32768]
    )


def test_a_folder_is_heard_if_it_has_sounds_and_no_pictures(tmp_path):
    assert not sounds.heard(f'folder:{tmp_path}')
    write(tmp_path / 'a' / 'a.wav', ramp(64))
    assert sounds.heard(f'folder:{tmp_path}')
    assert not sounds.heard(str(tmp_path))
    dataset = loading.load(f'folder:{tmp_path}', image_size=None, length=64)
    assert dataset.kind == 'waveforms'
    (tmp_path / 'cover.png').write_bytes(b'')
    assert not sounds.heard(f'folder:{tmp_path}')


@pytest.mark.parametrize('option', [{'length': 64}, {'rate': 8000}, {'pieces': 'first'}])
def test_what_is_said_of_sounds_is_refused_for_others(option):
    with pytest.raises(UserError, match=f'config.data.{next(iter(option))}=.*has no use for it'):
        loading.load('ring8', image_size=None, **option)


def test_the_side_of_images_is_refused_for_sounds(tmp_path):
    write(tmp_path / 'a.wav', ramp(64))
    with pytest.raises(UserError, match='image_size'):
        loading.load(f'folder:{tmp_path}', image_size=32)


def test_a_split_and_too_little_memory_are_refused(tmp_path):
    write(tmp_path / 'a.wav', ramp(64))
    with pytest.raises(NoSplit, match='train'):
        load(tmp_path, split='test')
    with pytest.raises(UserError, match='memory_gb'):
        load(tmp_path, length=64, memory_gb=1e-9)
