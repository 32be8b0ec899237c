"""Pictures one after the other, as an animated GIF or a film."""

import importlib
import io
import pathlib
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Sequence
from types import ModuleType

import numpy as np
from absl import logging
from PIL import Image

from gan_jax.errors import UserError
from gan_jax.runtime import files as files_lib

HOLD = 12  # the last frame stays this many times as long
LOOP_MILLISECONDS = 40  # a frame of a loop, 25 to a second
QUALITY = 18  # x264's constant rate factor: what is lost cannot be seen
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


def animate(
    files: Sequence[pathlib.Path], file: pathlib.Path, milliseconds: int = 120, hold: int = HOLD
) -> None:
    """Writes pictures of one size as an animated GIF that repeats, whole or not at all.

    All share one palette of 256 colours, so that still parts do not flicker. Equal pictures in a
    row become one frame of their whole time.

    Args:
      files: the pictures in order.
      file: the GIF; its folder exists.
      milliseconds: how long each is shown, in tens.
      hold: how many times as long the last one stays.

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
            duration=[milliseconds] * (len(frames) - 1) + [hold * milliseconds],
            loop=0,
            optimize=False,
        ),
    )


def loop(frames: Iterable[np.ndarray], file: pathlib.Path) -> None:
    """Writes frames, each 40 ms long, as a GIF that repeats or as an MP4, whole or not at all.

    Args:
      frames: uint8 [h, w, 1 or 3], all of one size.
      file: ends in '.gif' or '.mp4'; its folder exists.

    Raises:
      UserError: if it is an MP4 and there is nothing that writes one.
      ValueError: if there are none, or their sizes differ.
    """
    if file.suffix == '.mp4':
        files_lib.replace(file, lambda temporary: _encode(iter(frames), temporary))
        return
    with tempfile.TemporaryDirectory() as folder:
        written = [
            files_lib.write_png(pathlib.Path(folder) / f'{i:08d}.png', frame)
            for i, frame in enumerate(frames)
        ]
        animate(written, file, LOOP_MILLISECONDS, hold=1)


def encoder() -> ModuleType:
    """What writes MP4 files.

    Raises:
      UserError: if it is not installed.
    """
    try:
        return importlib.import_module('imageio_ffmpeg')
    except ModuleNotFoundError as error:
        raise UserError(
            f"--film=mp4 needs {error.name}; pip install -e '.[film]', or give --film=gif"
        ) from error


def _encode(frames: Iterator[np.ndarray], file: pathlib.Path) -> None:
    """Writes H.264; the colours of an odd last row or column are repeated, which it asks for."""
    first = next(frames, None)
    if first is None:
        raise ValueError('there are no pictures to animate')
    height, width = (n + n % 2 for n in first.shape[:2])
    writer = encoder().write_frames(
        str(file), (width, height), fps=1000 / LOOP_MILLISECONDS, quality=None,
        macro_block_size=2, output_params=['-crf', str(QUALITY)],
    )  # fmt: skip
    with warnings.catch_warnings():  # JAX's, of a fork that only begins another program
        warnings.filterwarnings('ignore', 'os.fork', RuntimeWarning)
        writer.send(None)
    try:
        while first is not None:
            if (height, width) != tuple(n + n % 2 for n in first.shape[:2]):
                raise ValueError(f'a frame is {first.shape}, not as the first')
            margins = [(0, n - m) for n, m in zip((height, width), first.shape[:2], strict=True)]
            padded = np.pad(first, (*margins, (0, 0)), mode='edge')
            writer.send(np.ascontiguousarray(np.broadcast_to(padded, (height, width, 3))))
            first = next(frames, None)
    finally:
        writer.close()


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
