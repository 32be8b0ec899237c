"""Images: uint8 [n, h, w, 1 or 3]; networks see floats in [-1, 1]."""

import functools
import math
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gan_jax import augment, data
from gan_jax.modalities.modality import Modality
from gan_jax.runtime import files

LONGEST = 800  # pixels of a picture's longer side, about; small images are enlarged to that
HEADING = 16  # pixels
# Those that no other figure stands for better at its cost.
METRICS = (
    'frechet_distance', 'kernel_distance', 'inception_score', 'precision_recall',
    'density_coverage', 'sliced_wasserstein', 'diversity', 'class_entropy', 'memorised',
    'path_length',
)  # fmt: skip


def make(settings: Mapping[str, Any]) -> Modality:
    """The modality of images of one size.

    Args:
      settings: 'shape' (height, width, channels) and, if there are any, 'classes', and perhaps
        'class_shares', those of samples.
    """
    return Modality(
        name='images',
        settings=dict(settings),
        shape=tuple(settings['shape']),
        stored='uint8, clipped to [0, 255]',
        encode=data.normalize,
        decode=data.denormalize,
        picture=picture,
        write=write,
        metrics=METRICS,
        fields={x: settings.get(x) for x in ('classes', 'class_shares')},
        thumbnails=_themselves,
        augment=augment.compose,
        sources=functools.partial(as_images, shape=tuple(settings['shape'])),
    )


def _themselves(images: np.ndarray) -> np.ndarray:
    return images


def picture(
    made: np.ndarray,
    real: np.ndarray | None = None,
    score: Callable | None = None,
    columns: int | None = None,
    headings: Sequence[str] = (),
) -> np.ndarray:
    """A grid of images [n, h, w, c], row by row; as square as n allows by default.

    Args:
      made: the images. Small ones are enlarged by the whole number that brings the grid's longer
        side nearest to 800 pixels.
      real: not used.
      score: not used.
      columns: how many stand in a row.
      headings: stand above the columns, over and over.

    Returns:
      uint8 [height, width, c].
    """
    num, height, width, _ = made.shape
    columns = columns or math.ceil(math.sqrt(num))
    longer = max(math.ceil(num / columns) * height, columns * width, 1)
    factor = max(1, round(LONGEST / longer))
    if factor > 1:  # by 1 it would be copied twice for nothing
        made = made.repeat(factor, axis=1).repeat(factor, axis=2)
    image = grid(made, columns)
    if not headings:
        return image
    texts = [headings[i % len(headings)] for i in range(columns)]
    return np.concatenate([_headings(texts, image.shape, factor * width), image])


def _headings(texts: Sequence[str], shape: tuple[int, ...], width: int, gap: int = 2) -> np.ndarray:
    """A line of texts over a grid's columns, each cut off where its column ends."""
    band = np.full((HEADING, *shape[1:]), 255, np.uint8)
    font = ImageFont.load_default()
    for i, text in enumerate(texts):
        column = Image.new('L', (width, HEADING), 255)
        ImageDraw.Draw(column).text((width / 2, HEADING / 2), text, 0, font, 'mm')
        left = gap + i * (width + gap)
        band[:, left : left + width] = np.asarray(column)[..., None]
    return band


def as_images(x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Sources or images, floats, as uint8 images of a shape: enlarged, grey repeated.

    Of a source with a mask the missing pixels are as they were filled.
    """
    height, width, channels = shape
    x = x[..., :channels] if x.shape[-1] > channels else x
    x = np.broadcast_to(x, (*x.shape[:3], max(channels, x.shape[-1])))
    images = data.denormalize(x)
    factors = height // images.shape[1], width // images.shape[2]
    return images.repeat(factors[0], axis=1).repeat(factors[1], axis=2)


def grid(images: np.ndarray, columns: int | None = None, gap: int = 2) -> np.ndarray:
    """Tiles images [n, h, w, c] into one, row by row; as square as n allows by default."""
    num, height, width, channels = images.shape
    columns = columns or math.ceil(math.sqrt(num))
    rows = math.ceil(num / columns)
    shape = rows * (height + gap) + gap, columns * (width + gap) + gap, channels
    canvas = np.full(shape, 255, np.uint8)
    for i, image in enumerate(images):
        row, column = divmod(i, columns)
        top, left = gap + row * (height + gap), gap + column * (width + gap)
        canvas[top : top + height, left : left + width] = image
    return canvas


def write(stem: pathlib.Path, images: np.ndarray) -> list[pathlib.Path]:
    """Writes <stem>.npz: 'images', uint8 [n, h, w, c]."""
    return [files.write_npz(stem.with_name(f'{stem.name}.npz'), images=images)]
