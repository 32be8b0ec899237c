"""Plain vectors: rows of numbers, float32 [n, d]; networks see them standardised.

Pictures are a histogram of each column, generated over real.
"""

import csv
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gan_jax.modalities.modality import Modality
from gan_jax.runtime import files

BINS, MOST_COLUMNS = 24, 36  # of a histogram; how many columns are shown
PANEL, GAP, TITLE = (200, 110), 12, 16  # pixels
PAPER, REAL, FAKE = (255, 255, 255), (120, 128, 140), (222, 12, 96)
TEXT = (38, 44, 56)
LEGEND = {'real': REAL, 'generated': FAKE}


def make(settings: Mapping[str, Any]) -> Modality:
    """The modality of vectors.

    encode(x) = (x - mean) / deviation, by columns.

    Args:
      settings: 'shape' (d,); 'names', 'means' and 'deviations' of the d columns.
    """
    means = np.asarray(settings['means'], np.float32)
    deviations = np.asarray(settings['deviations'], np.float32)
    names = list(settings['names'])

    def encode(rows: Any) -> Any:
        return (rows.astype(np.float32) - means[None]) / deviations[None]

    def decode(rows: Any) -> Any:
        return rows.astype(np.float32) * deviations[None] + means[None]

    def picture(made, real=None, score=None, columns=None) -> np.ndarray:
        return histograms(made, made[:0] if real is None else real, names, columns)

    def write(stem: pathlib.Path, rows: np.ndarray) -> list[pathlib.Path]:
        table = stem.with_name(f'{stem.name}.csv')
        files.replace(table, lambda file: _write_csv(file, names, rows))
        return [files.write_npz(stem.with_name(f'{stem.name}.npz'), vectors=rows), table]

    return Modality(
        name='vectors',
        settings=dict(settings),
        shape=tuple(settings['shape']),
        stored='float32',
        encode=encode,
        decode=decode,
        picture=picture,
        write=write,
        metrics=('sliced_wasserstein',),
        fields={x: settings.get(x) for x in ('classes', 'class_shares')},
    )


def _write_csv(file: pathlib.Path, names: list[str], rows: np.ndarray) -> None:
    """A header and one line a row, numbers in as many digits as float32 has."""
    with file.open('w', newline='', encoding='utf-8') as stream:
        writer = csv.writer(stream)
        writer.writerow(names)
        writer.writerows([[f'{x:.9g}' for x in row] for row in rows.tolist()])


def histograms(
    made: np.ndarray, real: np.ndarray, names: list[str], columns: int | None = None
) -> np.ndarray:
    """A histogram of each column: real rows filled, generated ones as a line over them.

    Args:
      made: rows [m, d], perhaps none.
      real: rows [n, d], whose extent is shown with a margin; of none the generated ones'.
      names: the d columns' names; the first 36 are shown.
      columns: how many stand in a row; as square as their number allows by default.

    Returns:
      uint8 [h, w, 3].
    """
    return drawn([_shares(made[:, i], real[:, i]) for i in range(len(names))], names, columns)


def drawn(
    shares: Sequence[tuple[np.ndarray, np.ndarray]], names: list[str], columns: int | None = None
) -> np.ndarray:
    """Panels of shares of bins: real ones filled, generated ones as a line over them.

    Args:
      shares: of each panel (real ones [bins], generated ones [bins], all 0 for none).
      names: of the panels; the first 36 are shown.
      columns: how many stand in a row.

    Returns:
      uint8 [h, w, 3].
    """
    shown = min(len(names), MOST_COLUMNS)
    columns = columns or math.ceil(math.sqrt(shown))
    width, height = PANEL[0] + GAP, PANEL[1] + GAP + TITLE
    size = columns * width + GAP, math.ceil(shown / columns) * height + GAP + TITLE
    image = Image.new('RGB', size, PAPER)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default()
    for left, (name, colour) in zip((GAP, GAP + 40), LEGEND.items(), strict=True):
        draw.text((left, GAP // 2), name, fill=colour, font=font)
    for i in range(shown):
        row, column = divmod(i, columns)
        left, top = GAP + column * width, GAP + TITLE + row * height
        draw.text((left, top), names[i][:28], fill=TEXT, font=font)
        _panel(draw, (left, top + TITLE), shares[i])
    return np.asarray(image)


def _shares(made: np.ndarray, real: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    extent = real if len(real) else made
    low, high = (float(extent.min()), float(extent.max())) if len(extent) else (0.0, 1.0)
    margin = 0.1 * (high - low) or 1.0
    edges = np.linspace(low - margin, high + margin, BINS + 1)
    of_real, of_made = (np.histogram(x, edges)[0] / max(len(x), 1) for x in (real, made))
    return of_real, of_made


def _panel(
    draw: ImageDraw.ImageDraw, corner: tuple[int, int], shares: tuple[np.ndarray, np.ndarray]
) -> None:
    most = max(float(x.max()) for x in shares) or 1.0
    (left, top), (width, height) = corner, PANEL
    ground = top + height
    bins = len(shares[0])
    x = [left + width * i / bins for i in range(bins + 1)]
    for i, share in enumerate(shares[0]):
        if share:
            draw.rectangle((x[i], ground - height * share / most, x[i + 1] - 1, ground), fill=REAL)
    if shares[1].any():
        line = [
            (a, ground - height * s / most) for i, s in enumerate(shares[1]) for a in x[i : i + 2]
        ]
        draw.line(line, fill=FAKE, width=2)
    draw.line((left, ground, left + width, ground), fill=REAL)
