"""Waveforms: int16 [n, samples, 1] at a rate; networks see floats in [-1, 1].

Pictures show the waveform over its mel spectrogram, whose bands and frames are 64 whatever the
length, so that networks for images can judge sounds, too.
"""

import functools
import io
import math
import pathlib
import wave
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image, ImageDraw

from gan_jax import spectra
from gan_jax.data import cleaning, sounds
from gan_jax.modalities import images
from gan_jax.modalities.modality import Modality, Recordings
from gan_jax.runtime import files

TOP = 2**15
SIDE = 64  # bands and frames of a spectrogram
PANEL, TALL = 128, 48  # pixels: a spectrogram's side, a waveform's height
FLOOR, CEILING = math.log(spectra.LEAST), 2.0  # of logarithms of mels that are black and white
PAPER, LINE = 255, 40
NOT_A_SOUND = 'not a sound'
METRICS = (
    'frechet_distance',
    'kernel_distance',
    'inception_score',
    'precision_recall',
    'diversity',
)


def make(settings: Mapping[str, Any]) -> Modality:
    """The modality of waveforms of one length.

    encode(x) = x / 32768.

    Args:
      settings: 'shape' (samples, 1), 'rate' in samples a second and, if there are any, 'classes',
        and perhaps 'class_shares', those of samples.
    """
    rate = settings['rate']

    def thumbnails(waves: np.ndarray) -> np.ndarray:
        return spectrograms(waves, rate)

    def picture(
        made: np.ndarray,
        real: np.ndarray | None = None,
        score: Callable | None = None,
        columns: int | None = None,
        headings: Sequence[str] = (),
    ) -> np.ndarray:
        return images.picture(panels(made, rate), columns=columns, headings=headings)

    def write(stem: pathlib.Path, waves: np.ndarray) -> list[pathlib.Path]:
        return write_files(stem, waves, rate)

    def read(file: pathlib.Path) -> np.ndarray:
        if file.suffix.lower() not in sounds.SUFFIXES:
            raise cleaning.BadRecord(NOT_A_SOUND)
        read_one = sounds.reader(f'--input={file}')
        return sounds.quantized(cleaning.guarded(read_one, file, rate))[:, None]

    return Modality(
        name='waveforms',
        settings=dict(settings),
        shape=tuple(settings['shape']),
        stored='int16, clipped to [-32768, 32767]',
        encode=encode,
        decode=decode,
        picture=picture,
        write=write,
        metrics=METRICS,
        fields={x: settings.get(x) for x in ('classes', 'class_shares')},
        thumbnails=thumbnails,
        recordings=Recordings(
            sounds.SUFFIXES, read, functools.partial(wav, rate=rate), ending='.wav'
        ),
    )


def encode(waves: chex.Array) -> Any:
    """int16 -> float32 in [-1, 1)."""
    return waves.astype(np.float32) / np.float32(TOP)


def decode(waves: chex.Array) -> Any:
    """Floats -> int16, rounded and clipped."""
    library = np if isinstance(waves, np.ndarray) else jnp
    levels = library.round(waves.astype(np.float32) * np.float32(TOP))
    return library.clip(levels, -TOP, TOP - 1).astype(np.int16)


def spectrograms(waves: np.ndarray, rate: int) -> np.ndarray:
    """Mel spectrograms as pictures: low bands at the bottom, loud ones white.

    Args:
      waves: int16 [n, samples, 1].
      rate: samples a second.

    Returns:
      uint8 [n, 64, 64, 1].
    """
    if not len(waves):
        return np.zeros((0, SIDE, SIDE, 1), np.uint8)
    return np.asarray(_spectrograms(rate, encode(waves)[..., 0]))


@functools.partial(jax.jit, static_argnums=0)
def _spectrograms(rate: int, waves: chex.Array) -> jax.Array:
    hop = max(1, waves.shape[1] // SIDE)
    # Of four hops, the first frame about the first sample.
    levels = spectra.log_mel(waves, rate, 4 * hop, hop, SIDE)[:, :SIDE]
    shares = (levels - FLOOR) / (CEILING - FLOOR)
    pixels = jnp.round(255 * jnp.clip(shares, 0, 1)).astype(jnp.uint8)
    return jnp.flip(pixels.swapaxes(1, 2), axis=1)[..., None]


def panels(waves: np.ndarray, rate: int) -> np.ndarray:
    """Each waveform over its spectrogram, uint8 [n, 176, 128, 1]."""
    shown = np.full((len(waves), TALL + PANEL, PANEL, 1), PAPER, np.uint8)
    large = spectrograms(waves, rate).repeat(PANEL // SIDE, 1).repeat(PANEL // SIDE, 2)
    shown[:, TALL:] = large
    for panel, samples in zip(shown, waves[..., 0], strict=True):
        panel[:TALL, :, 0] = _drawn(samples)
    return shown


def _drawn(samples: np.ndarray) -> np.ndarray:
    """A waveform's extent in each column of pixels, uint8 [48, 128]."""
    image = Image.new('L', (PANEL, TALL), PAPER)
    draw = ImageDraw.Draw(image)
    for x, part in enumerate(np.array_split(samples, PANEL)):
        if len(part):
            ends = (TALL - 1) * (0.5 - np.array([part.max(), part.min()]) / (2 * TOP))
            draw.line((x, ends[0], x, ends[1]), fill=LINE)
    return np.asarray(image)


def write_files(stem: pathlib.Path, waves: np.ndarray, rate: int) -> list[pathlib.Path]:
    """Writes <stem>.npz, 'waveforms' int16 [n, samples, 1] and 'rate', and <stem>_00000.wav, ..."""
    archive = stem.with_name(f'{stem.name}.npz')
    written = [files.write_npz(archive, waveforms=waves, rate=np.array(rate, np.int32))]
    for i, samples in enumerate(waves):
        file = stem.with_name(f'{stem.name}_{i:05}.wav')
        written.append(files.write_bytes(file, wav(samples, rate)))
    return written


def wav(samples: np.ndarray, rate: int) -> bytes:
    """A file's bytes of int16 [samples, 1] at a rate, in samples a second."""
    stream = io.BytesIO()
    with wave.open(stream, 'wb') as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype('<i2').tobytes())
    return stream.getvalue()
