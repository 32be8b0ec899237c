"""Pictures of points in the plane over a discriminator's field, and animations of pictures."""

import itertools
import pathlib
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gan_jax.runtime import files as files_lib

Bounds = tuple[np.ndarray, np.ndarray]

MARGIN = 0.25  # on each side, of the data's extent
RESOLUTION = 64
# The field's colours where the discriminator says generated, is of no opinion, says real.
FIELD = np.array([[136, 164, 204], [244, 242, 238], [240, 190, 130]], np.float32)
REAL, FAKE = (38, 44, 56), (222, 12, 96)
REAL_RADIUS, FAKE_RADIUS = 0.006, 0.0038  # of the picture's side: real points keep a rim
OPACITY = 0.9
FRAME = (120, 120, 120)
HOLD = 12  # the last frame stays this many times as long
PALETTE_FRAMES = 16  # how many of the frames the palette is made for


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


def animate(files: Sequence[pathlib.Path], file: pathlib.Path, milliseconds: int = 120) -> None:
    """Writes pictures of one size as an animated GIF that repeats, whole or not at all.

    All share one palette of 256 colours, so that still parts do not flicker. Equal pictures in a
    row become one frame of their whole time.

    Args:
      files: the pictures in order.
      file: the GIF; its folder exists.
      milliseconds: how long each is shown, in tens; the last stays 12 times as long.

    Raises:
      ValueError: if there are none, or their sizes differ.
    """
    if not files:
        raise ValueError('there are no pictures to animate')
    sizes = [_size(x) for x in files]
    for other, size in zip(files, sizes, strict=True):
        if size != sizes[0]:
            raise ValueError(f'{other} is {size}, not {sizes[0]} as the first picture')
    palette = _palette(files)
    frames = [_open(x).quantize(palette=palette, dither=Image.Dither.NONE) for x in files]
    files_lib.replace(
        file,
        lambda temporary: frames[0].save(
            temporary,
            'GIF',
            save_all=True,
            append_images=frames[1:],
            duration=[milliseconds] * (len(frames) - 1) + [HOLD * milliseconds],
            loop=0,
            optimize=False,
        ),
    )


def _open(file: pathlib.Path) -> Image.Image:
    with Image.open(file) as image:
        return image.convert('RGB')


def _size(file: pathlib.Path) -> tuple[int, int]:
    with Image.open(file) as image:
        return image.size


def _palette(files: Sequence[pathlib.Path]) -> Image.Image:
    """A picture whose palette serves evenly spread frames, the last among them."""
    places = np.linspace(len(files) - 1, 0, min(len(files), PALETTE_FRAMES)).round().astype(int)
    montage = np.concatenate([np.asarray(_open(files[i])) for i in places])
    return Image.fromarray(montage).quantize(256, Image.Quantize.MEDIANCUT)
