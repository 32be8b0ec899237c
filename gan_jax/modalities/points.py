"""Points of the plane: float32 [n, 2], networks see them as they are.

Pictures show real and generated points over the discriminator's field.
"""

import itertools
import math
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gan_jax.modalities.modality import Modality
from gan_jax.runtime import files

Bounds = tuple[np.ndarray, np.ndarray]

MARGIN = 0.25  # on each side, of the data's extent
RESOLUTION = 64
# The field's colours where the discriminator says generated, is of no opinion, says real.
FIELD = np.array([[136, 164, 204], [244, 242, 238], [240, 190, 130]], np.float32)
REAL, FAKE = (38, 44, 56), (222, 12, 96)
REAL_RADIUS, FAKE_RADIUS = 0.006, 0.0038  # of the picture's side: real points keep a rim
OPACITY = 0.9
FRAME = (120, 120, 120)


def make(settings: Mapping[str, Any]) -> Modality:
    """The modality of points.

    Args:
      settings: 'shape' (2,) and, if there are any, 'classes'.
    """
    return Modality(
        name='points',
        settings=dict(settings),
        shape=tuple(settings['shape']),
        stored='float32',
        encode=_as_they_are,
        decode=_as_they_are,
        picture=picture,
        write=write,
        metrics=('sliced_wasserstein', 'modes'),
        fields={x: settings.get(x) for x in ('classes', 'class_shares')},
    )


def _as_they_are(points: Any) -> Any:
    return points.astype(np.float32)


def picture(
    made: np.ndarray,
    real: np.ndarray,
    score: Callable[[np.ndarray], Any] | None = None,
    columns: int | None = None,
) -> np.ndarray:
    """Generated points and real ones, over what a discriminator says of the plane.

    Args:
      made: points [m, 2], perhaps none.
      real: points [n, 2], which say what part of the plane is shown.
      score: points [k, 2] -> logits [k]; None for an empty ground.
      columns: not used.

    Returns:
      uint8 [480, 480, 3].
    """
    box = bounds(real)
    field = None
    if score is not None:
        places = field_points(box)
        side = math.isqrt(len(places))
        field = np.asarray(score(places)).reshape(side, side)
    return scatter(real, made, field, box)


def write(stem: pathlib.Path, points: np.ndarray) -> list[pathlib.Path]:
    """Writes <stem>.npz: 'points', float32 [n, 2]."""
    return [files.write_npz(stem.with_name(f'{stem.name}.npz'), points=points)]


def bounds(real: np.ndarray) -> Bounds:
    """The square that a picture of the data shows, with a margin of 25% of their extent.

    Args:
      real: points [n, 2].

    Returns:
      Its lower left and upper right corner, float32 [2] each.
    """
    low, high = real.min(axis=0), real.max(axis=0)
    half = (0.5 + MARGIN) * (float((high - low).max()) or 1.0)
    center = (low + high) / 2
    return (center - half).astype(np.float32), (center + half).astype(np.float32)


def field_points(bounds: Bounds, resolution: int = RESOLUTION) -> np.ndarray:
    """The centres of resolution^2 equal cells, row by row from the top left (least x, largest y).

    Returns:
      float32 [resolution^2, 2].
    """
    low, high = bounds
    steps = (np.arange(resolution) + 0.5) / resolution
    x = low[0] + (high[0] - low[0]) * steps
    y = high[1] - (high[1] - low[1]) * steps
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2).astype(np.float32)


def scatter(
    real: np.ndarray,
    fake: np.ndarray,
    field: Callable[[np.ndarray], np.ndarray] | np.ndarray | None,
    bounds: Bounds,
    size: int = 480,
    ranks: bool = True,
) -> np.ndarray:
    """Real and generated points over what the discriminator says of the plane.

    Args:
      real: points [n, 2]; what is out of bounds is not drawn.
      fake: points [m, 2], drawn last and smaller.
      field: logits [r, r] or [r^2] at field_points(bounds, r), or a function from these points
        [r^2, 2] to logits; None for an empty ground.
      bounds: the corners, as bounds() gives them.
      size: the picture's side in pixels.
      ranks: whether colours stand for the logits' ranks, which suits every objective and any scale
        of logits, or else for their sigmoids.

    Returns:
      uint8 [size, size, 3].
    """
    canvas = np.full((size, size, 3), FIELD[1], np.float32)
    if field is not None:
        logits = field(field_points(bounds)) if callable(field) else field
        canvas = _colours(_opinions(np.asarray(logits, np.float32), ranks), size)
    for points, colour, radius in ((real, REAL, REAL_RADIUS), (fake, FAKE, FAKE_RADIUS)):
        mask = OPACITY * _coverage(_pixels(points, bounds, size), size, max(1.0, radius * size))
        canvas += mask[..., None] * (np.array(colour, np.float32) - canvas)
    picture = canvas.round().astype(np.uint8)
    if size >= 200:
        picture = _legend(picture)
    picture[[0, -1]] = picture[:, [0, -1]] = FRAME
    return picture


def _opinions(logits: np.ndarray, ranks: bool) -> np.ndarray:
    """Logits [r, r] or [r^2] -> [r, r] in [0, 1]."""
    side = round(logits.size**0.5)
    flat = np.nan_to_num(logits.reshape(-1))
    if not ranks:
        return (0.5 + 0.5 * np.tanh(flat / 2)).reshape(side, side)
    _, places, counts = np.unique(flat, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - counts / 2  # equal logits share their mean rank
    return (middle[places] / flat.size).reshape(side, side).astype(np.float32)


def _colours(opinions: np.ndarray, size: int) -> np.ndarray:
    """[r, r] in [0, 1] -> float32 colours [size, size, 3], between the cells' centres linear."""
    smooth = Image.fromarray(opinions).resize((size, size), Image.Resampling.BILINEAR)
    ticks = np.linspace(0, 1, len(FIELD))
    channels = [np.interp(np.asarray(smooth), ticks, FIELD[:, c]) for c in range(3)]
    return np.stack(channels, axis=-1).astype(np.float32)


def _pixels(points: np.ndarray, bounds: Bounds, size: int) -> np.ndarray:
    """Points -> (row, column), float, of those within the picture; pixel i spans [i, i + 1]."""
    low, high = bounds
    share = (np.asarray(points, np.float32) - low) / (high - low)
    share = share[((share >= 0) & (share < 1)).all(axis=1)]
    return np.stack([(1 - share[:, 1]) * size, share[:, 0] * size], axis=-1)


def _coverage(pixels: np.ndarray, size: int, radius: float) -> np.ndarray:
    """How much of each pixel the nearest dot covers, in [0, 1], [size, size]."""
    mask = np.zeros((size, size), np.float32)
    reach = int(radius + 1)
    first = np.floor(pixels).astype(int)
    for shift in itertools.product(range(-reach, reach + 1), repeat=2):
        place = first + shift
        cover = np.clip(radius + 0.5 - np.linalg.norm(place + 0.5 - pixels, axis=1), 0, 1)
        inside = ((place >= 0) & (place < size)).all(axis=1)
        np.maximum.at(mask, tuple(place[inside].T), cover[inside])
    return mask


def _legend(picture: np.ndarray) -> np.ndarray:
    """Names the two colours, small, in the upper left corner."""
    image = Image.fromarray(picture)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default()
    x, y = 8, 6
    for name, colour in (('real', REAL), ('generated', FAKE)):
        draw.ellipse((x, y + 3, x + 6, y + 9), fill=colour)
        draw.text((x + 11, y), name, fill=REAL, font=font)
        x += 22 + int(draw.textlength(name, font=font))
    return np.array(image)
