"""How far sounds are from one another: distances of spectra and of mel cepstra."""

import math
from collections.abc import Sequence

import chex
import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.arrays import Array, floats
from gan_jax.spectra import LEAST, stft

# The window, the hop and the transform of each resolution of `stft_distance`.
RESOLUTIONS = ((600, 120, 1024), (1200, 240, 2048), (240, 50, 512))


def stft_distance(
    one: Array, other: Array, resolutions: Sequence[Sequence[int]] = RESOLUTIONS
) -> jax.Array:
    """The multi-resolution distance of spectra, the mean over the resolutions of

    ||X - Y||_F / ||X||_F + mean |ln X - ln Y|,   X and Y magnitudes of at least 1e-5.

    Source: Parallel WaveGAN: A Fast Waveform Generation Model Based on Generative Adversarial
    Networks with Multi-Resolution Spectrogram (Yamamoto et al., 2020), equations 3 to 6.

    Args:
      one: the true waves [n, samples].
      other: of the same shape.
      resolutions: window, hop and size of each transform.

    Returns:
      [n], 0 where they are equal.

    Raises:
      AssertionError: if the shapes differ.
      ValueError: if the waves are too short.
    """
    chex.assert_equal_shape([one, other])
    distances = []
    for window, hop, size in resolutions:
        x, y = (jnp.maximum(jnp.abs(stft(w, size, hop, window)), LEAST) for w in (one, other))
        norm = jnp.linalg.norm((x - y).reshape(len(x), -1), axis=1)
        convergence = norm / jnp.linalg.norm(x.reshape(len(x), -1), axis=1)
        distances.append(convergence + jnp.mean(jnp.abs(jnp.log(x) - jnp.log(y)), axis=(1, 2)))
    return jnp.mean(jnp.stack(distances), axis=0)


def mel_cepstral_distortion(one: Array, other: Array, order: int = 13) -> jax.Array:
    """The distance of mel cepstra, in decibels.

    (10 / ln 10) mean_f sqrt(2 sum_{k=1}^{order} (c_{f,k} - d_{f,k})^2), c and d the orthonormal
    cosine transforms (type II) of logarithms of mel magnitudes; c_0, the level, is left out. There
    is no alignment: frame f is compared with frame f.

    Source: Mel-Cepstral Distance Measure for Objective Speech Quality Assessment (Kubichek, 1993).

    Args:
      one: `log_mel` of the true waves, [n, frames, mels].
      other: of the same shape.
      order: how many coefficients are compared, below `mels`.

    Returns:
      [n], 0 where they are equal.

    Raises:
      AssertionError: if the shapes differ.
      ValueError: if there are too few bands.
    """
    chex.assert_equal_shape([one, other])
    mels = one.shape[-1]
    if not 0 < order < mels:
        raise ValueError(f'{mels} bands have {mels - 1} coefficients after the level, not {order}')
    k = np.arange(1, order + 1)
    cosines = np.cos(np.pi * (np.arange(mels)[:, None] + 0.5) * k[None] / mels)
    difference = floats(one) - floats(other)
    cepstra = difference @ jnp.asarray(math.sqrt(2 / mels) * cosines, difference.dtype)
    squares = 2 * jnp.sum(jnp.square(cepstra), axis=-1)
    return 10 / math.log(10) * jnp.mean(jnp.sqrt(squares), axis=1)
