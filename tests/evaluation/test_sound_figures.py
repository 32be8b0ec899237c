"""Figures of sounds and of their true ones."""

import importlib.util

import numpy as np
import pytest

from gan_jax import metrics, spectra
from gan_jax.config import fit
from gan_jax.errors import UserError
from gan_jax.evaluation import sounds
from gan_jax.modalities import waveforms

RNG = np.random.default_rng(0)
REAL, FAKE = (waveforms.decode(RNG.normal(0, 0.1, (20, 4096, 1))) for _ in range(2))
RATE = 16_000
ASKED = waveforms.encode, RATE, True


def speechlike(rate, seconds=2):
    """Harmonics of 120 hertz that come and go four times a second."""
    times = np.arange(seconds * rate) / rate
    tone = sum(np.sin(2 * np.pi * 120 * k * times) / k for k in range(1, 20))
    return (0.1 * tone * np.clip(np.sin(2 * np.pi * 4 * times), 0, 1))[:, None]


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


def test_pesq_of_a_sound_that_is_there_is_its_best_and_silence_is_left_out():
    """4.644 and 4.549: the ends of the mappings of P.862.2 and P.862.1."""
    spoken = waveforms.decode(speechlike(16_000))
    found = sounds.pesq(np.stack([spoken, 0 * spoken]), np.stack([spoken] * 2), *ASKED)
    assert 4.64 < found['pesq'] < 4.65
    assert 'pesq/stderr' not in found
    assert (
        4.54 < sounds.pesq(spoken[None], spoken[None], waveforms.encode, 8000, True)['pesq'] < 4.56
    )


def test_pesq_falls_with_noise_and_other_rates_are_resampled():
    spoken = speechlike(22_050)
    noises = np.random.default_rng(1).normal(0, 1, spoken.shape)
    scores = [
        sounds.pesq(
            waveforms.decode(spoken)[None], waveforms.decode(spoken + level * noises)[None],
            waveforms.encode, 22_050, True,
        )['pesq']
        for level in (0.0001, 0.003)
    ]  # fmt: skip
    assert 3.5 > scores[0] > scores[1] + 1


def test_where_nobody_speaks_there_is_no_pesq():
    silence = np.zeros((2, 16_000, 1), np.int16)
    with pytest.raises(UserError, match='no speech in any of the 2 sounds'):
        sounds.pesq(silence, silence, *ASKED)


def test_a_metric_without_its_package_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    fit.check_packages(['mel_distances'])
    with pytest.raises(UserError, match=r"pesq needs: pip install 'gan_jax\[pesq\]'"):
        fit.check_packages(['mel_distances', 'pesq'])
