"""Figures of sounds that belong to true ones: how far a vocoder's are from them.

They name `rate`, the samples a second, which only sounds have.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from gan_jax import metrics, spectra
from gan_jax.errors import UserError
from gan_jax.evaluation import standard_errors as errors
from gan_jax.evaluation.figures import LESS, MORE, gives, of_package

PART = 16  # sounds at a time
WIDE, NARROW = 16_000, 8_000  # samples a second that PESQ knows


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


@of_package('pesq', extra='pesq')
@gives(pesq=MORE)
def pesq(
    real_examples: np.ndarray,
    fake_examples: np.ndarray,
    encode: Callable,
    rate: int,
    aligned_pairs: bool,
) -> dict[str, float]:
    """The mean over the sounds of PESQ, the quality of speech as a listener would judge it.

    From 1 to 4.6, ITU-T P.862.2 (wide band) at 16,000 samples a second, P.862 with the mapping of
    P.862.1 (narrow band) at 8,000; sounds of another rate are brought to 16,000. Those in which it
    finds no speech are left out. It was made for recordings of seconds: of shorter pieces it says
    less.

    Raises:
      UserError: if it finds speech in none.
    """
    own = rate if rate == NARROW else WIDE
    common = math.gcd(own, rate)
    found = []
    for pair in _pairs(real_examples, fake_examples, encode):
        for both in zip(*(np.asarray(x) for x in pair), strict=True):
            real, fake = (_resampled(x, own // common, rate // common) for x in both)
            found.append(_pesq(real, fake, own))
    heard = np.array([x for x in found if x is not None])
    if not len(heard):
        raise UserError(f'pesq finds no speech in any of the {len(found)} sounds; leave it out')
    return errors.of_values('pesq', [heard])


def _resampled(wave: np.ndarray, up: int, down: int) -> np.ndarray:
    import scipy.signal  # of the extra that sounds are read with

    return wave if up == down else scipy.signal.resample_poly(wave, up, down)


def _pesq(real: np.ndarray, fake: np.ndarray, rate: int) -> float | None:
    import pesq as package

    mode = 'nb' if rate == NARROW else 'wb'
    if not real.any():  # it would divide by the loudest sample
        return None
    try:
        return float(package.pesq(rate, real, fake, mode))
    except (package.NoUtterancesError, package.BufferTooShortError):
        return None
