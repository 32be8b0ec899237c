"""Vocoding as restoration: mel spectrograms made of sounds, and the classical way back.

As in `degradations` and `baselines`: (rng, waves, **options) -> sources, and (sources, **options)
-> waves, waves floats [n, samples, 1] in [-1, 1]. A config finds each public function by its name.

Both raise AssertionError if a shape or type differs, and ValueError if an option is out of range.
"""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from gan_jax import spectra


def log_mel(
    rng: chex.PRNGKey,
    waves: chex.Array,
    rate: int = 16_000,
    size: int = 1024,
    hop: int = 256,
    mels: int = 80,
    high: float = 8000.0,
) -> chex.Array:
    """The spectrogram that a vocoder is given: `spectra.log_mel`, a frame for each hop.

    Source: HiFi-GAN: Generative Adversarial Networks for Efficient and High Fidelity Speech
    Synthesis (Kong et al., 2020), whose rate is 22,050.

    Args:
      rng: keys [n]; nothing is drawn.
      waves: [n, samples, 1], samples a multiple of the hop.
      rate: samples a second.
      size: samples of a transform.
      hop: samples from one frame to the next.
      mels: how many bands there are.
      high: hertz where the last ends.

    Returns:
      Sources [n, samples / hop, mels], natural logarithms, at least ln 1e-5.
    """
    chex.assert_shape(waves, (None, None, 1))
    chex.assert_shape(rng, waves.shape[:1])
    if waves.shape[1] % hop:
        raise ValueError(f'hop={hop} must be a divisor of the {waves.shape[1]} samples')
    padding = (size - hop) // 2
    return spectra.log_mel(waves[..., 0], rate, size, hop, mels, 0.0, high, padding)


def speech_mels(waves: chex.Array) -> chex.Array:
    """Log-mels of waves [n, samples, 1] of 16,000 samples a second, of all frequencies.

    The features of config.perceptual with which HiFi-GAN's distance of mels is had.
    """
    return spectra.log_mel(waves[..., 0], 16_000, padding=384)


def griffin_lim(
    sources: chex.Array,
    rate: int = 16_000,
    size: int = 1024,
    hop: int = 256,
    high: float = 8000.0,
    iterations: int = 32,
    momentum: float = 0.99,
) -> chex.Array:
    """A sound of these mels: magnitudes by least squares, phases by the fast algorithm.

    Magnitudes are the pseudo-inverse of the filterbank times exp(sources), at least 0. Then, from
    phases that are all 0, t_i is the transform of the wave that is nearest to the magnitudes with
    the phases of t_{i-1} + momentum (t_{i-1} - t_{i-2}).

    Source: A Fast Griffin-Lim Algorithm (Perraudin et al., 2013), algorithm 2.

    Args:
      sources: `log_mel` of waves, [n, frames, mels].
      rate: samples a second.
      size: samples of a transform.
      hop: samples from one frame to the next.
      high: hertz where the last band ends.
      iterations: at least 1.
      momentum: at least 0; with 0 it is the algorithm of Griffin and Lim.

    Returns:
      Waves [n, hop * frames, 1], clipped to [-1, 1].
    """
    chex.assert_rank(sources, 3)
    if iterations < 1:
        raise ValueError(f'iterations={iterations} must be at least 1')
    bank = spectra.mel_filterbank(rate, size, sources.shape[2], 0.0, high)
    inverse = jnp.asarray(np.linalg.pinv(bank), sources.dtype)
    magnitudes = jnp.maximum(jnp.exp(sources) @ inverse, 0.0)
    padding = (size - hop) // 2

    def consistent(spectrum: jax.Array) -> jax.Array:
        wave = spectra.istft(spectrum, hop, padding)
        return spectra.stft(wave, size, hop, padding=padding)

    def phased(like: jax.Array) -> jax.Array:
        phases = jnp.angle(like)
        return lax.complex(magnitudes * jnp.cos(phases), magnitudes * jnp.sin(phases))

    def step(carry, _):
        guess, before = carry
        now = consistent(phased(guess))
        return (now + momentum * (now - before), now), None

    begin = consistent(lax.complex(magnitudes, jnp.zeros_like(magnitudes)))
    (guess, _), _ = lax.scan(step, (begin, begin), length=iterations)
    wave = spectra.istft(phased(guess), hop, padding)
    return jnp.clip(wave, -1.0, 1.0)[..., None]
