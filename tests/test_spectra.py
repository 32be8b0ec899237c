"""Spectra of sounds: librosa 0.11's values, and the way back."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import signal

from gan_jax import spectra

TIMES = np.arange(4000) / 16_000
WAVE = 0.5 * np.sin(2 * np.pi * 440 * TIMES) + 0.25 * np.sin(2 * np.pi * 3000 * TIMES**2)
NOISE = np.random.default_rng(0).normal(0, 0.1, (3, 4000)).astype(np.float32)


def test_the_transform_is_librosas():
    found = np.asarray(spectra.stft(WAVE[None].astype(np.float32), 256, 64))[0]
    assert found.shape == (63, 129)
    expected = [
        1.06544777e01,
        -3.14040207e01 - 6.00817926e00j,
        -4.18077945e01 + 1.25474073e01j,
        0,
    ]
    np.testing.assert_allclose(found[[0, 3, 20, 60], [0, 7, 7, 100]], expected, atol=1e-4)
    short = np.asarray(spectra.stft(WAVE[None].astype(np.float32), 256, 64, window=200))[0]
    np.testing.assert_allclose(short[20, 7], -33.80150541 + 10.22487933j, atol=1e-4)


def test_the_transform_is_scipys():
    found = np.asarray(spectra.stft(NOISE, 128, 32, padding=0))
    transform = signal.ShortTimeFFT(spectra.hann(128), 32, 1.0, fft_mode='onesided')
    for one, wave in zip(found, NOISE, strict=True):
        # scipy's frame p is about sample 32 p and without a phase of its middle.
        frames = (
            transform.stft(wave, p0=2, p1=2 + len(one))
            * np.exp(-2j * np.pi * np.arange(65) * 64 / 128)[:, None]
        )
        np.testing.assert_allclose(np.abs(one.T), np.abs(frames), atol=1e-4)


def test_the_filterbank_is_librosas():
    bank = spectra.mel_filterbank(16_000, 256, 20, 50, 7000)
    assert bank.shape == (129, 20)
    expected = [6.84955354e-04, 1.32047931e-04, 0.0, 8.06652638e-05]
    np.testing.assert_allclose(bank[[1, 3, 21, 111], [0, 1, 10, 19]], expected, rtol=1e-8)
    np.testing.assert_allclose(bank.sum(), 0.3202033656266069, rtol=1e-10)


def test_mel_and_hertz_are_inverses_and_1000_hertz_are_15_mels():
    hertz = np.array([0, 200 / 3, 1000, 6400, 8000])
    mels = spectra.to_mel(hertz)
    np.testing.assert_allclose(mels[:4], [0, 1, 15, 42], rtol=1e-12)
    np.testing.assert_allclose(spectra.to_hertz(mels), hertz, rtol=1e-12)


def test_logarithms_of_mels_are_librosas_and_silence_is_their_floor():
    found = np.asarray(
        spectra.log_mel(WAVE[None].astype(np.float32), 16_000, 256, 64, 20, 50, 7000)
    )[0]
    expected = [-2.16461099, -10.43878426, np.log(1e-5)]
    np.testing.assert_allclose(found[[0, 10, 30], [0, 5, 19]], expected, rtol=2e-3)
    silence = spectra.log_mel(jnp.zeros((1, 2000)), 16_000, 256, 64)
    np.testing.assert_allclose(silence, np.log(1e-5), rtol=1e-6)


@pytest.mark.parametrize('padding', [None, 96, 0])
def test_the_inverse_gives_the_wave_back(padding):
    spectrum = spectra.stft(NOISE, 256, 64, padding=padding)
    found = np.asarray(spectra.istft(spectrum, 64, padding))
    rim = 128 if padding == 0 else 0  # where a window alone is all but 0
    inside = slice(rim, found.shape[1] - rim)
    np.testing.assert_allclose(found[:, inside], NOISE[:, inside], atol=1e-5)
    assert np.isfinite(found).all()


def test_the_inverse_of_a_spectrum_that_no_wave_has_is_the_nearest_wave():
    """Of small changes of the wave none has a spectrum that is nearer."""
    rng = np.random.default_rng(2)
    shape = (1, 9, 33)
    spectrum = jnp.asarray(rng.normal(size=shape) + 1j * rng.normal(size=shape), jnp.complex64)
    weights = np.full((1, 1, 33), 2.0, np.float32)
    weights[..., [0, -1]] = 1  # the other bins stand for two each
    spectrum = spectrum.at[..., 0].set(0).at[..., -1].set(0)

    def distance(wave):
        difference = jnp.abs(spectra.stft(wave, 64, 16, padding=0) - spectrum)
        return jnp.sum(weights * jnp.square(difference))

    wave = spectra.istft(spectrum, 16, padding=0)
    wave = wave.at[:, 0].set(0.0)
    slope = jax.grad(distance)(wave)[:, 1:-1]
    assert jnp.abs(slope).max() < 1e-2 * jnp.abs(jax.grad(distance)(0.9 * wave)[:, 1:-1]).max()


def test_hifi_gans_padding_gives_a_frame_for_each_hop():
    assert spectra.log_mel(jnp.zeros((1, 8192)), 22_050, padding=384).shape == (1, 32, 80)


@pytest.mark.parametrize(
    ('call', 'sentence'),
    [
        (lambda: spectra.stft(NOISE, 256, 64, window=300), 'window of at most'),
        (lambda: spectra.stft(NOISE, 255, 64), 'even'),
        (lambda: spectra.stft(NOISE[:, :100], 256, 64), '100 samples are too few'),
        (lambda: spectra.mel_filterbank(16_000, 256, high=9000), 'not within 0 to 8000'),
        (lambda: spectra.istft(jnp.zeros((1, 3, 129), jnp.complex64), 100), 'a divisor'),
    ],
)
def test_what_cannot_be_is_refused(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


@pytest.mark.parametrize('hop', [64, 60])
def test_frames_are_parts_of_the_wave_whether_or_not_the_hop_is_a_divisor(hop):
    found = np.asarray(spectra.stft(NOISE, 256, hop, padding=0))
    for f in (0, 1, found.shape[1] - 1):
        part = NOISE[:, f * hop : f * hop + 256] * spectra.hann(256)
        np.testing.assert_allclose(found[:, f], np.fft.rfft(part), atol=1e-4)
    assert found.shape[1] == 1 + (4000 - 256) // hop
