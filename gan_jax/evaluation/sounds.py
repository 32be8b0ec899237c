"""Figures of sounds that belong to true ones: how far a vocoder's are from them.

They name `rate`, the samples a second, which only sounds have.
"""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from gan_jax import metrics, spectra
from gan_jax.evaluation import standard_errors as errors
from gan_jax.evaluation.figures import LESS, gives

PART = 16  # sounds at a time


def _pairs(
    real_examples: np.ndarray, fake_examples: np.ndarray, encode: Callable
) -> Iterator[list[Any]]:
    """Waves [n, samples] of both, part by part."""
    num = min(len(real_examples), len(fake_examples))
    for start in range(0, num, PART):
        stop = min(start + PART, num)
        yield [encode(x[start:stop])[..., 0] for x in (real_examples, fake_examples)]


@gives(mel_l1=LESS, mel_cepstral_distortion=LESS)
def mel_distances(
    real_examples: np.ndarray,
    fake_examples: np.ndarray,
    encode: Callable,
    rate: int,
    aligned_pairs: bool,
) -> dict[str, float]:
    """Of `spectra.log_mel` with 80 bands of all frequencies, frames of 1,024 samples every 256:

    the mean absolute difference of natural logarithms, and `metrics.mel_cepstral_distortion` in dB.
    """
    values = [
        [np.asarray(x) for x in _mel_distances(rate, *pair)]
        for pair in _pairs(real_examples, fake_examples, encode)
    ]
    names = ('mel_l1', 'mel_cepstral_distortion')
    found: dict[str, float] = {}
    for name, parts in zip(names, zip(*values, strict=True), strict=True):
        found |= errors.of_values(name, parts)
    return found


@jax.jit(static_argnums=0)
def _mel_distances(rate: int, real: jax.Array, fake: jax.Array) -> tuple[jax.Array, jax.Array]:
    one, other = (spectra.log_mel(x, rate) for x in (real, fake))
    return abs(one - other).mean(axis=(1, 2)), metrics.mel_cepstral_distortion(one, other)


@gives(stft_distance=LESS)
def stft_distance(
    real_examples: np.ndarray,
    fake_examples: np.ndarray,
    encode: Callable,
    rate: int,
    aligned_pairs: bool,
) -> dict[str, float]:
    """The mean over the sounds of `metrics.stft_distance`."""
    pairs = _pairs(real_examples, fake_examples, encode)
    return errors.of_values('stft_distance', [np.asarray(_stft_distance(*pair)) for pair in pairs])


_stft_distance = jax.jit(metrics.stft_distance)
