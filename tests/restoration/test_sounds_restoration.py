"""Mels of sounds and the classical way back."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import spectra
from gan_jax.restoration import sounds

TIMES = np.arange(8192) / 16_000
CHIRP = 0.3 * np.sin(2 * np.pi * (300 * TIMES + 1500 * TIMES**2))
WAVES = jnp.asarray(np.stack([CHIRP, 0.5 * CHIRP])[..., None], jnp.float32)
KEYS = jax.random.split(jax.random.key(0), 2)


def test_there_is_a_frame_for_each_hop_and_half_as_loud_is_ln_2_less():
    mels = sounds.log_mel(KEYS, WAVES)
    assert mels.shape == (2, 32, 80)
    loud = mels[0] > -5
    assert loud.sum() > 100
    np.testing.assert_allclose((mels[0] - mels[1])[loud], np.log(2), rtol=1e-4)


def test_griffin_lim_gives_a_sound_of_nearly_these_mels_and_more_steps_nearer_ones():
    mels = sounds.log_mel(KEYS, WAVES)
    distances = []
    for iterations in (1, 32):
        waves = sounds.griffin_lim(mels, iterations=iterations)
        assert waves.shape == WAVES.shape
        loud = mels > -6
        distances.append(jnp.abs(sounds.log_mel(KEYS, waves) - mels)[loud].mean())
    assert distances[1] < distances[0]
    assert distances[1] < 0.5


def test_griffin_lim_without_momentum_never_leaves_the_magnitudes_behind():
    """Griffin and Lim's theorem: the distance to the magnitudes does not grow."""
    mels = sounds.log_mel(KEYS, WAVES)
    bank = spectra.mel_filterbank(16_000, 1024, 80, 0.0, 8000)
    wanted = np.maximum(np.exp(mels) @ np.linalg.pinv(bank), 0)
    distances = []
    for iterations in (1, 2, 4, 8, 16):
        waves = sounds.griffin_lim(mels, iterations=iterations, momentum=0.0)
        found = jnp.abs(spectra.stft(waves[..., 0], 1024, 256, padding=384))
        distances.append(float(np.linalg.norm(found - wanted)))
    assert distances == sorted(distances, reverse=True)


def test_features_of_speech_are_of_all_frequencies():
    mels = sounds.speech_mels(WAVES)
    expected = sounds.log_mel(KEYS, WAVES, 16_000, 1024, 256, 80, 8000.0)
    np.testing.assert_array_equal(mels, expected)


@pytest.mark.parametrize(
    ('call', 'error'),
    [
        (lambda: sounds.log_mel(KEYS, WAVES[:, :8000]), ValueError),
        (lambda: sounds.log_mel(KEYS, WAVES[..., 0]), AssertionError),
        (lambda: sounds.log_mel(KEYS, WAVES, high=9000.0), ValueError),
        (lambda: sounds.griffin_lim(jnp.zeros((1, 4, 80)), iterations=0), ValueError),
    ],
)
def test_what_cannot_be_is_refused(call, error):
    with pytest.raises(error):
        call()
