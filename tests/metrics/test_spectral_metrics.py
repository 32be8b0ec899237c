"""Spectra of sounds: librosa 0.11's values, definitions, and what must not change a distance."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import fft, signal

from gan_jax.metrics import spectral

TIMES = np.arange(4000) / 16_000
WAVE = 0.5 * np.sin(2 * np.pi * 440 * TIMES) + 0.25 * np.sin(2 * np.pi * 3000 * TIMES**2)
NOISE = np.random.default_rng(0).normal(0, 0.1, (3, 4000)).astype(np.float32)


def test_the_transform_is_librosas():
    found = np.asarray(spectral.stft(WAVE[None].astype(np.float32), 256, 64))[0]
    assert found.shape == (63, 129)
    expected = [
        1.06544777e01,
        -3.14040207e01 - 6.00817926e00j,
        -4.18077945e01 + 1.25474073e01j,
        0,
    ]
    np.testing.assert_allclose(found[[0, 3, 20, 60], [0, 7, 7, 100]], expected, atol=1e-4)
    short = np.asarray(spectral.stft(WAVE[None].astype(np.float32), 256, 64, window=200))[0]
    np.testing.assert_allclose(short[20, 7], -33.80150541 + 10.22487933j, atol=1e-4)


def test_the_transform_is_scipys():
    found = np.asarray(spectral.stft(NOISE, 128, 32, padding=0))
    transform = signal.ShortTimeFFT(spectral.hann(128), 32, 1.0, fft_mode='onesided')
    for one, wave in zip(found, NOISE, strict=True):
        # scipy's frame p is about sample 32 p and without a phase of its middle.
        frames = (
            transform.stft(wave, p0=2, p1=2 + len(one))
            * np.exp(-2j * np.pi * np.arange(65) * 64 / 128)[:, None]
        )
        np.testing.assert_allclose(np.abs(one.T), np.abs(frames), atol=1e-4)


def test_the_filterbank_is_librosas():
    bank = spectral.mel_filterbank(16_000, 256, 20, 50, 7000)
    assert bank.shape == (129, 20)
    expected = [6.84955354e-04, 1.32047931e-04, 0.0, 8.06652638e-05]
    np.testing.assert_allclose(bank[[1, 3, 21, 111], [0, 1, 10, 19]], expected, rtol=1e-8)
    np.testing.assert_allclose(bank.sum(), 0.3202033656266069, rtol=1e-10)


def test_mel_and_hertz_are_inverses_and_1000_hertz_are_15_mels():
    hertz = np.array([0, 200 / 3, 1000, 6400, 8000])
    mels = spectral.to_mel(hertz)
    np.testing.assert_allclose(mels[:4], [0, 1, 15, 42], rtol=1e-12)
    np.testing.assert_allclose(spectral.to_hertz(mels), hertz, rtol=1e-12)


def test_logarithms_of_mels_are_librosas_and_silence_is_their_floor():
    found = np.asarray(
        spectral.log_mel(WAVE[None].astype(np.float32), 16_000, 256, 64, 20, 50, 7000)
    )[0]
    expected = [-2.16461099, -10.43878426, np.log(1e-5)]
    np.testing.assert_allclose(found[[0, 10, 30], [0, 5, 19]], expected, rtol=2e-3)
    silence = spectral.log_mel(jnp.zeros((1, 2000)), 16_000, 256, 64)
    np.testing.assert_allclose(silence, np.log(1e-5), rtol=1e-6)


def test_hifi_gans_padding_gives_a_frame_for_each_hop():
    assert spectral.log_mel(jnp.zeros((1, 8192)), 22_050, padding=384).shape == (1, 32, 80)


def test_the_distance_of_spectra_is_its_definition():
    one, other = NOISE[:1], NOISE[1:2]
    total = 0.0
    for window, hop, size in spectral.RESOLUTIONS:
        x, y = (
            np.maximum(np.abs(np.asarray(spectral.stft(w, size, hop, window))), 1e-5)
            for w in (one, other)
        )
        total += np.linalg.norm(x - y) / np.linalg.norm(x) + np.abs(np.log(x / y)).mean()
    found = spectral.stft_distance(one, other)
    np.testing.assert_allclose(found, [total / 3], rtol=1e-5)
    np.testing.assert_array_equal(spectral.stft_distance(one, one), [0])


def test_a_louder_sound_is_as_far_as_the_logarithm_says():
    """Where nothing is silent: |X - 2X| / |X| + ln 2."""
    found = spectral.stft_distance(NOISE, 2 * NOISE)
    np.testing.assert_allclose(found, 1 + np.log(2), rtol=1e-5)


def test_the_distortion_of_cepstra_is_its_definition_and_ignores_the_level():
    rng = np.random.default_rng(1)
    one, other = rng.normal(0, 1, (2, 2, 7, 24)).astype(np.float32)
    cepstra = fft.dct(one - other, type=2, norm='ortho', axis=-1)[..., 1:14]
    expected = 10 / np.log(10) * np.sqrt(2 * (cepstra**2).sum(axis=-1)).mean(axis=1)
    found = spectral.mel_cepstral_distortion(one, other)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_allclose(spectral.mel_cepstral_distortion(one, one + 1), 0, atol=1e-5)


@pytest.mark.parametrize(
    ('call', 'sentence'),
    [
        (lambda: spectral.stft(NOISE, 256, 64, window=300), 'window of at most'),
        (lambda: spectral.stft(NOISE, 255, 64), 'even'),
        (lambda: spectral.stft(NOISE[:, :100], 256, 64), '100 samples are too few'),
        (lambda: spectral.mel_filterbank(16_000, 256, high=9000), 'not within 0 to 8000'),
        (lambda: spectral.mel_cepstral_distortion(NOISE, NOISE, 4000), 'not 4000'),
    ],
)
def test_what_cannot_be_is_refused(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
