"""Sounds as spectra: the short-time Fourier transform, its inverse, and mel bands.

Waveforms are [n, samples] in [-1, 1]; times are in samples, frequencies in hertz.
"""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.arrays import Array, floats

NOTHING = 1e-11  # of a window: at its first sample it is 0
LEAST = 1e-5  # magnitudes below it are silence
# Slaney's scale is linear up to 1,000 Hz, the 15th mel, and 27 mels then are a factor of 6.4.
KNEE, MELS_BELOW, MELS_PER_FACTOR, FACTOR = 1000.0, 15.0, 27.0, 6.4


def hann(size: int) -> np.ndarray:
    """The periodic Hann window, w_k = (1 - cos(2 pi k / size)) / 2, float64 [size]."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)


def stft(
    waves: Array,
    size: int = 1024,
    hop: int = 256,
    window: int | None = None,
    padding: int | None = None,
) -> jax.Array:
    """The short-time Fourier transform.

    X_{f,k} = sum_j w_j x_{f hop + j} exp(-2 pi i j k / size), of waves that are mirrored at their
    ends, with a Hann window in the middle of the transform.

    Source: Signal Estimation from Modified Short-Time Fourier Transform (Griffin & Lim, 1984).

    Args:
      waves: [n, samples].
      size: samples of a transform, even.
      hop: samples from one frame to the next.
      window: samples of the window; None is `size`.
      padding: samples that are put on each side; None is size / 2, with which frame f is about
        sample f hop.

    Returns:
      complex64 (complex128 of float64) [n, 1 + (samples + 2 padding - size) // hop, size / 2 + 1].

    Raises:
      AssertionError: if waves are no [n, samples].
      ValueError: if the window is longer than the transform, or the waves are too short.
    """
    chex.assert_rank(waves, 2)
    window = size if window is None else window
    padding = size // 2 if padding is None else padding
    if not 0 < window <= size or size % 2:
        raise ValueError(f'a transform of {size} samples needs a window of at most as many, even')
    if waves.shape[1] <= padding or waves.shape[1] + 2 * padding < size:
        raise ValueError(f'{waves.shape[1]} samples are too few for transforms of {size}')
    x = jnp.pad(floats(waves), ((0, 0), (padding, padding)), mode='reflect')
    before = (size - window) // 2
    weights = np.pad(hann(window), (before, size - window - before))
    return jnp.fft.rfft(_framed(x, size, hop) * jnp.asarray(weights, x.dtype)[None, None])


def _framed(waves: jax.Array, size: int, hop: int) -> jax.Array:
    """[n, samples] -> [n, frames, size], frame f from sample f hop on.

    Where the hop is a divisor they are put together from pieces of a hop: the gradient of pieces by
    their places is slow on a CPU.
    """
    frames = 1 + (waves.shape[1] - size) // hop
    if size % hop:
        return waves[:, hop * np.arange(frames)[:, None] + np.arange(size)[None]]
    pieces = size // hop
    parts = waves[:, : (frames - 1 + pieces) * hop].reshape(len(waves), -1, hop)
    return jnp.concatenate([parts[:, k : k + frames] for k in range(pieces)], axis=-1)


def istft(spectrum: Array, hop: int = 256, padding: int | None = None) -> jax.Array:
    """The inverse of `stft` with a window as long as the transform.

    x_t = sum_f w_{t - f hop} y_{f, t - f hop} / sum_f w_{t - f hop}^2, y the inverse transforms of
    the frames: of all waves the one whose transform is nearest to the spectrum.

    Source: Signal Estimation from Modified Short-Time Fourier Transform (Griffin & Lim, 1984),
    equation 6.

    Args:
      spectrum: complex [n, frames, size / 2 + 1].
      hop: samples from one frame to the next, a divisor of the transform's samples.
      padding: samples that are cut off on each side; None is size / 2.

    Returns:
      [n, (frames - 1) hop + size - 2 padding].

    Raises:
      AssertionError: if the spectrum is no [n, frames, bins].
      ValueError: if the hop is no divisor.
    """
    chex.assert_rank(spectrum, 3)
    size = 2 * (spectrum.shape[2] - 1)
    padding = size // 2 if padding is None else padding
    if size % hop:
        raise ValueError(f'hop={hop} must be a divisor of the {size} samples of a transform')
    frames = jnp.fft.irfft(spectrum, size)
    window = jnp.asarray(hann(size), frames.dtype)
    waves = _overlapped(frames * window[None, None], hop)
    squares = jnp.broadcast_to(jnp.square(window), (1, *frames.shape[1:]))
    total = _overlapped(squares, hop)
    inside = slice(padding, waves.shape[1] - padding)
    return waves[:, inside] / jnp.maximum(total[:, inside], NOTHING)


def _overlapped(frames: jax.Array, hop: int) -> jax.Array:
    """[n, frames, size] -> [n, (frames - 1) hop + size], frame f added from f hop on."""
    num, count, size = frames.shape
    parts = frames.reshape(num, count, size // hop, hop)
    rows = [
        jnp.pad(parts[:, :, k], ((0, 0), (k, size // hop - 1 - k), (0, 0)))
        for k in range(size // hop)
    ]
    return sum(rows[1:], rows[0]).reshape(num, -1)


def to_mel(hertz: Any) -> np.ndarray:
    """Slaney's mel scale: 3 f / 200 up to 1,000 Hz, 15 + 27 ln(f / 1,000) / ln 6.4 above.

    Source: Auditory Toolbox, version 2 (Slaney, 1998).
    """
    hertz = np.asarray(hertz, np.float64)
    above = MELS_BELOW + MELS_PER_FACTOR * np.log(np.maximum(hertz, KNEE) / KNEE) / np.log(FACTOR)
    return np.where(hertz < KNEE, hertz * MELS_BELOW / KNEE, above)


def to_hertz(mel: Any) -> np.ndarray:
    """The inverse of `to_mel`."""
    mel = np.asarray(mel, np.float64)
    above = KNEE * FACTOR ** ((np.maximum(mel, MELS_BELOW) - MELS_BELOW) / MELS_PER_FACTOR)
    return np.where(mel < MELS_BELOW, mel * KNEE / MELS_BELOW, above)


def mel_filterbank(
    rate: int, size: int, mels: int = 80, low: float = 0.0, high: float | None = None
) -> np.ndarray:
    """Triangles over the frequencies of a transform, each of the area 1 hertz.

    The triangles' corners are equally far apart in mels; m's height is 2 / (its width in hertz).

    Source: Auditory Toolbox, version 2 (Slaney, 1998).

    Args:
      rate: samples a second.
      size: samples of a transform.
      mels: how many bands there are.
      low: hertz where the first begins.
      high: hertz where the last ends; None is half the rate.

    Returns:
      float64 [size / 2 + 1, mels].

    Raises:
      ValueError: unless 0 <= low < high <= rate / 2.
    """
    high = rate / 2 if high is None else high
    if not 0 <= low < high <= rate / 2:
        raise ValueError(f'bands from {low} to {high} Hz are not within 0 to {rate / 2} Hz')
    first, last = to_mel([low, high]).tolist()
    corners = to_hertz(np.linspace(first, last, mels + 2))
    left, middle, right = corners[:-2], corners[1:-1], corners[2:]
    hertz = np.linspace(0, rate / 2, size // 2 + 1)[:, None]
    rising, falling = (hertz - left) / (middle - left), (right - hertz) / (right - middle)
    return np.maximum(0, np.minimum(rising, falling)) * 2 / (right - left)


def log_mel(
    waves: Array,
    rate: int,
    size: int = 1024,
    hop: int = 256,
    mels: int = 80,
    low: float = 0.0,
    high: float | None = None,
    padding: int | None = None,
) -> jax.Array:
    """ln max(|X| M, 1e-5), X the transform and M the filterbank.

    Source: HiFi-GAN: Generative Adversarial Networks for Efficient and High Fidelity Speech
    Synthesis (Kong et al., 2020), whose padding is (size - hop) / 2.

    Args:
      waves: [n, samples].
      rate: samples a second.
      size, hop, padding: of `stft`.
      mels, low, high: of `mel_filterbank`.

    Returns:
      [n, frames, mels].

    Raises:
      ValueError: what `stft` and `mel_filterbank` raise.
    """
    magnitudes = jnp.abs(stft(waves, size, hop, padding=padding))
    bank = jnp.asarray(mel_filterbank(rate, size, mels, low, high), magnitudes.dtype)
    return jnp.log(jnp.maximum(magnitudes @ bank, LEAST))
