"""Figures of sounds and of their true ones."""

import numpy as np

from gan_jax import metrics, spectra
from gan_jax.evaluation import sounds
from gan_jax.modalities import waveforms

RNG = np.random.default_rng(0)
REAL, FAKE = (waveforms.decode(RNG.normal(0, 0.1, (20, 4096, 1))) for _ in range(2))
RATE = 16_000


def test_distances_of_mels_are_means_over_all_sounds():
    found = sounds.mel_distances(REAL, FAKE, waveforms.encode, RATE, True)
    one, other = (spectra.log_mel(waveforms.encode(x)[..., 0], 16_000) for x in (REAL, FAKE))
    np.testing.assert_allclose(found['mel_l1'], np.abs(one - other).mean(), rtol=1e-5)
    each = metrics.mel_cepstral_distortion(one, other)
    np.testing.assert_allclose(found['mel_cepstral_distortion'], each.mean(), rtol=1e-5)
    error = np.std(each, ddof=1) / np.sqrt(20)
    np.testing.assert_allclose(found['mel_cepstral_distortion/stderr'], error, rtol=1e-4)


def test_equal_sounds_are_at_distance_0():
    found = sounds.mel_distances(REAL, REAL, waveforms.encode, RATE, True)
    found |= sounds.stft_distance(REAL, REAL, waveforms.encode, RATE, True)
    assert {x: found[x] for x in ('mel_l1', 'mel_cepstral_distortion', 'stft_distance')} == {
        'mel_l1': 0,
        'mel_cepstral_distortion': 0,
        'stft_distance': 0,
    }


def test_the_distance_of_spectra_is_the_mean_over_all_sounds():
    found = sounds.stft_distance(REAL, FAKE, waveforms.encode, RATE, True)
    one, other = (waveforms.encode(x)[..., 0] for x in (REAL, FAKE))
    np.testing.assert_allclose(
        found['stft_distance'], metrics.stft_distance(one, other).mean(), rtol=1e-5
    )
