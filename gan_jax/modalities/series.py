"""Series: float32 [n, length, features]; networks see each feature between 0 and 1.

Pictures are a panel of curves for each feature, generated over real ones.
"""

import csv
import functools
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gan_jax.modalities.modality import Modality
from gan_jax.runtime import files

DRAWN, MOST_FEATURES = 30, 36  # of each side so many curves; how many features are shown
PANEL, GAP, TITLE = (260, 130), 12, 16  # pixels
FINER = 3  # times as many pixels are drawn on, for smooth lines
PAPER, REAL, FAKE = (255, 255, 255), (150, 156, 166), (222, 12, 96)
TEXT, GROUND = (38, 44, 56), (236, 238, 241)
METRICS = (
    'discriminative_score', 'predictive_score', 'kernel_discriminative_score',
    'sliced_wasserstein',
)  # fmt: skip


def make(settings: Mapping[str, Any]) -> Modality:
    """The modality of series.

    encode(x) = (x - minimum) / (maximum - minimum), by features; decode is its inverse, and neither
    clips: what a network makes beyond what was seen in training is kept as it is.

    Args:
      settings: 'shape' (length, d); 'names', 'minima' and 'maxima' of the d features.
    """
    minima = np.asarray(settings['minima'], np.float32)[None, None]
    extents = np.asarray(settings['maxima'], np.float32)[None, None] - minima
    extents = np.where(extents > 0, extents, np.float32(1))
    names = list(settings['names'])

    def encode(series: Any) -> Any:
        return (series.astype(np.float32) - minima) / extents

    def decode(series: Any) -> Any:
        return series.astype(np.float32) * extents + minima

    def picture(made, real=None, score=None, columns=None) -> np.ndarray:
        return curves(made, made[:0] if real is None else real, names, columns)

    return Modality(
        name='series',
        settings=dict(settings),
        shape=tuple(settings['shape']),
        stored='float32',
        encode=encode,
        decode=decode,
        picture=picture,
        write=functools.partial(write, names),
        metrics=METRICS,
        fields={x: settings.get(x) for x in ('classes', 'class_shares')},
        sequences=encode,
    )


def write(names: Sequence[str], stem: pathlib.Path, series: np.ndarray) -> list[pathlib.Path]:
    """Writes <stem>.npz, 'series', float32 [n, length, d]; and <stem>.csv, a line for each step."""
    table = stem.with_name(f'{stem.name}.csv')
    files.replace(table, lambda file: _write_csv(file, names, series))
    return [files.write_npz(stem.with_name(f'{stem.name}.npz'), series=series), table]


def _write_csv(file: pathlib.Path, names: Sequence[str], series: np.ndarray) -> None:
    """The places of series and of steps from 0, and features in as many digits as float32 has."""
    with file.open('w', newline='', encoding='utf-8') as stream:
        writer = csv.writer(stream)
        writer.writerow(['series', 'step', *names])
        for i, one in enumerate(series.tolist()):
            writer.writerows([i, j, *(f'{x:.9g}' for x in row)] for j, row in enumerate(one))


def curves(
    made: np.ndarray, real: np.ndarray, names: Sequence[str], columns: int | None = None
) -> np.ndarray:
    """A panel for each feature: curves of generated series over those of real ones.

    Args:
      made: series [m, length, d], perhaps none; the first 30 are drawn.
      real: series [n, length, d], whose extent is shown with a margin; of none the generated ones'.
        The first 30 are drawn.
      names: the d features' names; the first 36 are shown.
      columns: how many panels stand in a row; as square as their number allows by default.

    Returns:
      uint8 [h, w, 3].
    """
    shown = min(len(names), MOST_FEATURES)
    columns = min(columns or math.ceil(math.sqrt(shown)), shown)
    width, height = PANEL[0] + GAP, PANEL[1] + GAP + TITLE
    size = columns * width + GAP, math.ceil(shown / columns) * height + GAP + TITLE
    image = Image.new('RGB', size, PAPER)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default()
    for left, name, colour in ((GAP, 'real', REAL), (GAP + 40, 'generated', FAKE)):
        draw.text((left, GAP // 2), name, fill=colour, font=font)
    for i in range(shown):
        row, column = divmod(i, columns)
        left, top = GAP + column * width, GAP + TITLE + row * height
        draw.text((left, top), names[i][:36], fill=TEXT, font=font)
        image.paste(_panel(made[..., i], real[..., i]), (left, top + TITLE))
    return np.asarray(image)


def _panel(made: np.ndarray, real: np.ndarray) -> Image.Image:
    """Curves [m, length] over others [n, length]."""
    extent = real if len(real) else made
    low, high = (float(extent.min()), float(extent.max())) if extent.size else (0.0, 1.0)
    margin = 0.1 * (high - low) or 1.0
    width, height = (x * FINER for x in PANEL)
    panel = Image.new('RGB', (width, height), GROUND)
    draw = ImageDraw.Draw(panel)
    for series, colour in ((real, REAL), (made, FAKE)):
        for one in series[:DRAWN]:
            x = np.linspace(0, width - 1, len(one))
            y = (high + margin - one) / (high - low + 2 * margin) * (height - 1)
            points = np.stack([x, np.clip(y, -height, 2 * height)], axis=1)
            draw.line([tuple(point) for point in points.tolist()], fill=colour, width=FINER)
    return panel.resize(PANEL, Image.Resampling.BOX)
