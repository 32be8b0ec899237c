"""Rows of tables, float32 [n, columns] as `columns.coded` has them: places and units.

Networks see a number by its mode, as in Modeling Tabular Data using Conditional GAN (Xu et al.,
2019), section 4.2,

    alpha = (x - mean_k) / (4 deviation_k), clipped to [-1, 1], and the one-hot vector of k,

and a category by its one-hot vector. k is the mode that is likeliest, where the paper draws it: so
a row is always seen alike, by all devices and in evaluation, too. A missing number has a mode of
its own, with alpha = 0; a constant column is not shown at all.

Pictures have a panel of each column, generated rows over real ones, and the columns' correlations.
"""

import csv
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gan_jax.data import columns
from gan_jax.modalities import vectors
from gan_jax.modalities.modality import Modality
from gan_jax.runtime import files

WIDTHS = 4.0  # deviations from a mode's mean at most
NUMBER, MODE, CATEGORY = 'number', 'mode', 'category'  # what outputs stand for
BARS, CELL, SHOWN = 20, 8, 60  # categories in a panel; pixels and columns of correlations
METRICS = ('column_shapes', 'pair_trends', 'adherence', 'closest_record')


class Block(NamedTuple):
    """A column's part of an encoded row.

    Attributes:
      place: the column's.
      start: its first entry.
      size: of its one-hot vector; of numbers there is alpha before it.
      modes: (log weights, means, deviations) of numbers, None of categories.
      gone: whether the last mode is that of missing numbers.
      top: the largest number, in units.
    """

    place: int
    start: int
    size: int
    modes: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
    gone: bool = False
    top: float = 0.0


def make(settings: Mapping[str, Any]) -> Modality:
    """The modality of tables.

    Args:
      settings: 'columns' as `columns.fitted` has them, 'target', the name of the column that a
        classifier predicts, or ''; and 'shape' of a stored row.
    """
    told = list(settings['columns'])
    layout = blocks(told)
    width = layout[-1].start + layout[-1].size + (layout[-1].modes is not None)
    shares = [x for column in told for x in column.get('shares', ())]
    conditions = sum(column['kind'] == 'category' for column in told)

    def picture(made, real=None, score=None, columns=None) -> np.ndarray:
        return panels(made, made[:0] if real is None else real, told, columns)

    def write(stem: pathlib.Path, rows: np.ndarray) -> list[pathlib.Path]:
        table = stem.with_name(f'{stem.name}.csv')
        files.replace(table, lambda file: _write_csv(file, told, rows))
        arrays = structured(told, rows)
        return [files.write_npz(stem.with_name(f'{stem.name}.npz'), table=arrays), table]

    return Modality(
        name='tables',
        settings=dict(settings),
        shape=(width,),
        stored='float32: places of categories, units of numbers',
        encode=lambda rows: encode(layout, rows),
        decode=lambda rows: decode(layout, len(told), rows),
        picture=picture,
        write=write,
        metrics=(*METRICS, *(('prediction',) if settings.get('target') else ())),
        fields={
            'heads': heads(layout),
            'condition_shares': tuple(x / conditions for x in shares),
        },
    )


def blocks(told: Sequence[Mapping[str, Any]]) -> list[Block]:
    """What an encoded row is made of, column by column; constant ones have no part in it."""
    found, start = [], 0
    for place, column in enumerate(told):
        if column['kind'] == 'constant':
            continue
        if column['kind'] == 'category':
            found.append(Block(place, start, len(column['values'])))
            start += len(column['values'])
            continue
        weights, means, deviations = (
            np.asarray(column[x], np.float32) for x in ('weights', 'means', 'deviations')
        )
        gone = 'missing' in column
        size = len(weights) + gone
        modes = np.log(weights), means, deviations
        found.append(Block(place, start, size, modes, gone, float(column['top'])))
        start += 1 + size
    return found


def heads(layout: Sequence[Block]) -> tuple[tuple[str, int], ...]:
    """What each part of an encoded row is, with its size: 'number', 'mode' or 'category'."""
    return tuple(
        head
        for x in layout
        for head in ([(CATEGORY, x.size)] if x.modes is None else [(NUMBER, 1), (MODE, x.size)])
    )


def encode(layout: Sequence[Block], rows: Any) -> Any:
    """Rows [n, columns] -> float32 [n, width]; of NumPy and JAX arrays."""
    xp = jnp if isinstance(rows, jax.Array) else np
    parts = []
    for block in layout:
        x = rows[:, block.place].astype(np.float32)
        if block.modes is None:
            parts.append(_one_hot(xp, x.astype(np.int32), block.size))
            continue
        log_weights, means, deviations = block.modes
        gone = x == np.float32(columns.MISSING)
        known = xp.where(gone, np.float32(0), x)[:, None]
        z = (known - means[None]) / deviations[None]
        mode = xp.argmax((log_weights - np.log(deviations))[None] - z * z / np.float32(2), axis=1)
        picked = _one_hot(xp, mode, len(means))
        alpha = xp.clip((z * picked).sum(axis=1) / np.float32(WIDTHS), -1, 1)
        if block.gone:
            alpha = xp.where(gone, np.float32(0), alpha)
            picked = xp.where(gone[:, None], np.float32(0), picked)
            picked = xp.concatenate([picked, gone[:, None].astype(np.float32)], axis=1)
        parts += [alpha[:, None], picked]
    return xp.concatenate(parts, axis=1)


def _one_hot(xp: Any, places: Any, size: int) -> Any:
    return (places[:, None] == xp.arange(size)[None]).astype(np.float32)


def decode(layout: Sequence[Block], num: int, rows: Any) -> Any:
    """Encoded rows [n, width] -> rows [n, num] in float32, rounded and within their bounds."""
    xp = jnp if isinstance(rows, jax.Array) else np
    parts = [xp.zeros(len(rows), np.float32)] * num
    for block in layout:
        start = block.start + (block.modes is not None)
        place = xp.argmax(rows[:, start : start + block.size], axis=1)
        if block.modes is None:
            parts[block.place] = place.astype(np.float32)
            continue
        _, means, deviations = block.modes
        picked = _one_hot(xp, place, len(means))  # zeros for a missing number
        alpha = xp.clip(rows[:, block.start].astype(np.float32), -1, 1)
        scale = np.float32(WIDTHS) * (picked * deviations[None]).sum(axis=1)
        x = xp.round(alpha * scale + (picked * means[None]).sum(axis=1))
        x = xp.clip(x, 0, np.float32(block.top))
        if block.gone:
            x = xp.where(place == len(means), np.float32(columns.MISSING), x)
        parts[block.place] = x
    return xp.stack(parts, axis=1).astype(np.float32)


def structured(told: Sequence[Mapping[str, Any]], rows: np.ndarray) -> np.ndarray:
    """Rows as a structured array [n] with the columns' names and own types."""
    each = [columns.values(x, rows[:, i]) for i, x in enumerate(told)]
    table = np.zeros(len(rows), [(x['name'], y.dtype) for x, y in zip(told, each, strict=True)])
    for column, cells in zip(told, each, strict=True):
        table[column['name']] = cells
    return table


def _write_csv(file: pathlib.Path, told: Sequence[Mapping[str, Any]], rows: np.ndarray) -> None:
    """The header and the rows, as the table that was read has them."""
    each = [columns.texts(x, rows[:, i]) for i, x in enumerate(told)]
    with file.open('w', newline='', encoding='utf-8') as stream:
        writer = csv.writer(stream)
        writer.writerow([x['name'] for x in told])
        writer.writerows(zip(*each, strict=True))


# ---- Pictures --------------------------------------------------------------------------------
def panels(
    made: np.ndarray,
    real: np.ndarray,
    told: Sequence[Mapping[str, Any]],
    across: int | None = None,
) -> np.ndarray:
    """A panel of each column over maps of correlations, of real and of generated rows.

    Args:
      made: rows [m, columns], perhaps none.
      real: rows [n, columns], perhaps none.
      told: the columns.
      across: how many panels stand in a row.

    Returns:
      uint8 [h, w, 3].
    """
    shares = [_shares(x, made[:, i], real[:, i]) for i, x in enumerate(told)]
    upper = vectors.drawn(shares, [x['name'] for x in told], across)
    lower = _correlations([real, made], [x for x in told if x['kind'] != 'constant'], told)
    width = max(upper.shape[1], lower.shape[1])
    parts = [
        np.pad(x, ((0, 0), (0, width - x.shape[1]), (0, 0)), constant_values=255)
        for x in (upper, lower)
    ]
    return np.concatenate(parts)


def _shares(
    column: Mapping[str, Any], made: np.ndarray, real: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The shares of real and of generated rows: of each category, or of numbers by bins.

    Of many categories the commonest are shown; missing numbers have a bin of their own, the first.
    """
    if column['kind'] in ('category', 'constant'):
        size = min(len(column.get('values', [''])), BARS)
        edges = np.arange(size + 1) - 0.5
        of_real, of_made = (np.histogram(x, edges)[0] / max(len(x), 1) for x in (real, made))
        return of_real, of_made
    known = [x[x != np.float32(columns.MISSING)] for x in (real, made)]
    edges = np.linspace(-0.5, column['top'] + 0.5, vectors.BINS + 1)
    found = []
    for x, every in zip(known, (real, made), strict=True):
        shares = np.histogram(x, edges)[0] / max(len(every), 1)
        gone = [1 - len(x) / max(len(every), 1)] if 'missing' in column else []
        found.append(np.append(gone, shares))
    return found[0], found[1]


def _correlations(
    sides: Sequence[np.ndarray],
    shown: Sequence[Mapping[str, Any]],
    told: Sequence[Mapping[str, Any]],
) -> np.ndarray:
    """Maps of the correlations of columns, from -1 (blue) by 0 (white) to 1 (red), side by side.

    Those of categories are of their places in the order of their shares; missing numbers count as
    the column's mean.
    """
    places = [i for i, x in enumerate(told) if x in shown][:SHOWN]
    side, gap = CELL * len(places), vectors.GAP
    height = side + 2 * gap + vectors.TITLE
    image = Image.new('RGB', (2 * (side + gap) + gap, height), vectors.PAPER)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default()
    names = ('correlations, real', 'correlations, generated')
    for i, (rows, name) in enumerate(zip(sides, names, strict=True)):
        left = gap + i * (side + gap)
        draw.text((left, gap // 2), name if side > 150 else name.split()[1], vectors.TEXT, font)
        colours = _colours(correlation(rows[:, places])) if len(rows) > 1 else None
        if colours is not None:
            picture = Image.fromarray(colours).resize((side, side), Image.Resampling.NEAREST)
            image.paste(picture, (left, gap + vectors.TITLE))
    return np.asarray(image)


def correlation(rows: np.ndarray) -> np.ndarray:
    """The correlations of columns, [d, d]; 0 where one is constant."""
    wide = np.where(rows == np.float32(columns.MISSING), np.nan, rows.astype(np.float64))
    known = np.isfinite(wide)
    means = np.where(known, wide, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    centred = np.where(known, wide - means, 0)
    spread = np.sqrt(np.square(centred).sum(axis=0))
    scaled = centred / np.where(spread > 0, spread, 1)
    return scaled.T @ scaled


def _colours(values: np.ndarray) -> np.ndarray:
    """[-1, 1] -> uint8 [..., 3]."""
    strength = np.abs(values)[..., None]
    ends = np.where(values[..., None] > 0, np.array([200, 30, 60]), np.array([30, 80, 190]))
    return (255 + np.clip(strength, 0, 1) * (ends - 255)).round().astype(np.uint8)
