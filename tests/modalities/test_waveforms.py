"""Waveforms: the way from 16 bits and back, pictures, and files that others open."""

import wave

import jax
import numpy as np

from gan_jax import modalities
from gan_jax.modalities import waveforms

SETTINGS = {'name': 'waveforms', 'shape': [1024, 1], 'rate': 8000, 'classes': None}


def tone(hertz, num=1, samples=1024, rate=8000):
    times = np.arange(samples) / rate
    return np.tile(waveforms.decode(0.5 * np.sin(2 * np.pi * hertz * times))[:, None], (num, 1, 1))


def test_all_levels_come_back_in_numpy_and_compiled():
    levels = np.arange(-(2**15), 2**15, dtype=np.int16).reshape(1, -1, 1)
    seen = waveforms.encode(levels)
    assert seen.dtype == np.float32
    assert (seen.min(), seen.max()) == (-1, 1 - 2**-15)
    np.testing.assert_array_equal(waveforms.decode(seen), levels)
    np.testing.assert_array_equal(jax.jit(waveforms.decode)(seen), levels)


def test_what_is_too_loud_is_clipped():
    np.testing.assert_array_equal(
        waveforms.decode(np.float32([-2, -1, 0, 1, 2])), [-32768, -32768, 0, 32767, 32767]
    )


def test_a_higher_tone_is_higher_in_the_spectrogram():
    rows = [
        int(waveforms.spectrograms(tone(hertz), 8000)[0, :, 20:40, 0].mean(axis=1).argmax())
        for hertz in (300, 1000, 3000)
    ]
    assert rows[0] > rows[1] > rows[2]


def test_thumbnails_are_pictures_whatever_the_length():
    for samples in (64, 1000, 16_384):
        shown = waveforms.spectrograms(tone(440, 2, samples), 8000)
        assert (shown.shape, shown.dtype) == ((2, 64, 64, 1), np.uint8)
    assert waveforms.spectrograms(tone(440)[:0], 8000).shape == (0, 64, 64, 1)


def test_a_sound_that_begins_late_is_dark_at_the_left():
    sound = tone(440)
    sound[:, :512] = 0
    shown = waveforms.spectrograms(sound, 8000)[0, ..., 0]
    assert shown[:, :28].max() == 0
    assert shown[:, 36:].max() > 150


def test_files_are_waves_of_the_rate_and_an_archive(tmp_path):
    modality = modalities.make(SETTINGS)
    sounds = np.concatenate([tone(440), tone(880)])
    archive, *waves = modality.write(tmp_path / 'seed_0', sounds)
    assert [x.name for x in waves] == ['seed_0_00000.wav', 'seed_0_00001.wav']
    stored = np.load(archive)
    np.testing.assert_array_equal(stored['waveforms'], sounds)
    assert stored['rate'] == 8000
    with wave.open(str(waves[1])) as stream:
        assert (stream.getframerate(), stream.getnchannels(), stream.getsampwidth()) == (8000, 1, 2)
        read = np.frombuffer(stream.readframes(2000), '<i2')
    np.testing.assert_array_equal(read, sounds[1, :, 0])


def test_a_picture_has_the_waveform_over_its_spectrogram():
    modality = modalities.make(SETTINGS)
    silence = np.zeros((1, 1024, 1), np.int16)
    panels = waveforms.panels(np.concatenate([tone(440), silence]), 8000)
    assert panels.shape == (2, 176, 128, 1)
    drawn = (panels[:, :48, :, 0] < 255).sum(axis=1)  # pixels of each column
    assert 20 < drawn[0].max() < 28  # half of 48
    assert drawn[1].max() == 1
    assert panels[1, 48:].max() == 0
    assert modality.picture(np.concatenate([tone(440), silence])).ndim == 3
