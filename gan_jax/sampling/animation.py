"""Pictures one after the other, as an animated GIF."""

import io
import pathlib
from collections.abc import Iterable, Sequence

import numpy as np
from absl import logging
from PIL import Image

from gan_jax.runtime import files as files_lib

HOLD = 12  # the last frame stays this many times as long
PALETTE_FRAMES = 16  # how many of the frames the palette is made for


def whole(files: Iterable[pathlib.Path]) -> list[pathlib.Path]:
    """Those of PNG files that can be shown; one warning names the others."""
    good, bad = [], []
    for file in files:
        try:
            if not file.is_file():
                raise ValueError
            with Image.open(io.BytesIO(file.read_bytes()), formats=['PNG']) as image:
                image.load()
            good.append(file)
        except Exception:  # foreign bytes: anything may be raised
            bad.append(file)
    if bad:
        more = f' and {len(bad) - 1} more' if len(bad) > 1 else ''
        logging.warning('%s%s left out: no whole picture', bad[0], more)
    return good


def of_last_size(files: Sequence[pathlib.Path]) -> list[pathlib.Path]:
    """Those of pictures that have the size of the last one; one warning counts the others."""
    alike = [x for x in files if _size(x) == _size(files[-1])]
    if len(alike) < len(files):
        logging.warning(
            '%d pictures left out: they are not as large as %s', len(files) - len(alike), files[-1]
        )
    return alike


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
    with Image.open(io.BytesIO(file.read_bytes())) as image:
        return image.convert('RGB')


def _size(file: pathlib.Path) -> tuple[int, int]:
    with Image.open(io.BytesIO(file.read_bytes())) as image:
        return image.size


def _palette(files: Sequence[pathlib.Path]) -> Image.Image:
    """A picture whose palette serves evenly spread frames, the last among them."""
    places = np.linspace(len(files) - 1, 0, min(len(files), PALETTE_FRAMES)).round().astype(int)
    montage = np.concatenate([np.asarray(_open(files[i])) for i in places])
    return Image.fromarray(montage).quantize(256, Image.Quantize.MEDIANCUT)
