"""Distances of sounds: their definitions, and what must not change them."""

import numpy as np
import pytest
from scipy import fft

from gan_jax import spectra
from gan_jax.metrics import spectral

NOISE = np.random.default_rng(0).normal(0, 0.1, (3, 4000)).astype(np.float32)


def test_the_distance_of_spectra_is_its_definition():
    one, other = NOISE[:1], NOISE[1:2]
    total = 0.0
    for window, hop, size in spectral.RESOLUTIONS:
        x, y = (
            np.maximum(np.abs(np.asarray(spectra.stft(w, size, hop, window))), 1e-5)
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


def test_too_few_bands_are_refused():
    with pytest.raises(ValueError, match='not 4000'):
        spectral.mel_cepstral_distortion(NOISE[None], NOISE[None], 4000)
