"""Which records can be used: the others are skipped, counted, listed, and borne up to a share."""

import collections
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from absl import logging
from PIL import Image

from gan_jax.data import transforms
from gan_jax.data.pictures import MAX_PIXELS, BadRecord
from gan_jax.data.sources import Source
from gan_jax.errors import UserError, printable

Result = TypeVar('Result')

# Other modes (I, I;16, F, LAB, HSV, ...) have no faithful 8-bit grey or RGB.
GREY_MODES = frozenset({'1', 'L', 'LA'})
MODES = GREY_MODES | {'P', 'PA', 'RGB', 'RGBA', 'RGBX', 'CMYK', 'YCbCr'}
LISTED = 10

UNREADABLE = 'unreadable'
TRUNCATED = 'truncated'
WRONG_MODE = 'wrong mode'
TOO_SMALL = 'too small'
TOO_LARGE = 'too large'
NOT_FINITE = 'not finite'
OUT_OF_RANGE = 'out of range'


def guarded(function: Callable[..., Result], *args: Any, reason: str = UNREADABLE) -> Result:
    """function(*args), of foreign bytes, on which libraries may raise anything.

    Raises:
      BadRecord: with its own reason if the function raises one, as too large if Pillow thinks so,
        or else with the one that is given.
    """
    try:
        return function(*args)
    except BadRecord:
        raise
    except Image.DecompressionBombError as error:
        raise BadRecord(TOO_LARGE) from error
    except Exception as error:
        raise BadRecord(reason) from error


def picture(image: Image.Image, min_size: int, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The picture, decoded to its end and upright.

    Args:
      image: perhaps not yet decoded.
      min_size: the least length of the shorter side, in pixels.
      max_pixels: the most pixels.

    Raises:
      BadRecord: if it is of the wrong mode, too small, too large, truncated or has malformed EXIF.
    """
    if image.mode not in MODES:
        raise BadRecord(WRONG_MODE)
    if min(image.size) < min_size:
        raise BadRecord(TOO_SMALL)
    if image.width * image.height > max_pixels:
        raise BadRecord(TOO_LARGE)
    guarded(image.load, reason=TRUNCATED)
    return guarded(transforms.upright, image)


def _array(array: np.ndarray, min_size: int) -> np.ndarray:
    if array.ndim != 3 or array.shape[-1] not in (1, 3):
        raise BadRecord(WRONG_MODE)
    if min(array.shape[:2]) < min_size:
        raise BadRecord(TOO_SMALL)
    if array.dtype == np.uint8:
        return array
    if not np.issubdtype(array.dtype, np.floating):
        raise BadRecord(WRONG_MODE)
    if not np.isfinite(array).all():
        raise BadRecord(NOT_FINITE)
    if np.abs(array).max() > 1:
        raise BadRecord(OUT_OF_RANGE)
    return transforms.denormalize(array)


def read(
    source: Source, raw: Any, min_size: int, max_pixels: int = MAX_PIXELS
) -> tuple[Image.Image | np.ndarray, int]:
    """Parses one fetched record and decodes it to its end.

    Args:
      source: where it is from.
      raw: what source.fetch gave for it.
      min_size: the least length of the shorter side, in pixels.
      max_pixels: the most pixels of a picture.

    Returns:
      A decoded, upright picture of a mode in MODES or uint8 [h, w, 1 or 3], and the label.

    Raises:
      BadRecord: if it cannot be used: unreadable, truncated (or corrupt), of the wrong mode, too
        small or large, not finite, or out of [-1, 1] (arrays of floats); or as source.parse says.
    """
    image, label = guarded(source.parse, raw)
    if isinstance(image, np.ndarray):
        return _array(image, min_size), label
    return picture(image, min_size, max_pixels), label


def fitted(
    source: Source, raw: Any, shape: tuple[int, int], min_size: int, max_pixels: int
) -> tuple[np.ndarray, int]:
    """`read`, then `transforms.fit` to a side and channels: uint8 [side, side, channels], label.

    Raises:
      BadRecord: if it cannot be used.
    """
    image, label = read(source, raw, min_size, max_pixels)
    return guarded(transforms.fit, image, *shape), label  # a palette may be broken


def report(
    name: str,
    bad: Sequence[tuple[str, str]],
    total: int,
    max_bad: float,
    records: str = 'images',
) -> None:
    """Logs what was skipped: a count by reason, and the first names.

    Args:
      name: the data set's.
      bad: (name, reason) of each record that was skipped.
      total: the number of records, good and bad.
      max_bad: the share of bad ones that is borne.
      records: what they are called.

    Raises:
      UserError: if more are bad than that, or all are.
    """
    if not total:
        raise UserError(f'{name} has no {records}; name another data set or split')
    if not bad:
        return
    reasons = collections.Counter(reason for _, reason in bad).most_common()
    logging.warning(
        '%s: skipped %d of %d %s: %s; %s%s', name, len(bad), total, records,
        ', '.join(f'{count} {reason}' for reason, count in reasons),
        printable(', '.join(f'{record} ({reason})' for record, reason in bad[:LISTED])),
        f' and {len(bad) - LISTED} more' if len(bad) > LISTED else '',
    )  # fmt: skip
    found = f'{name}: {len(bad)} of {total} {records} ({len(bad) / total:.1%}) cannot be used'
    which = f'most often {reasons[0][0]}, the first is {bad[0][0]} ({bad[0][1]})'
    if len(bad) == total:
        raise UserError(f'{found}: {which}; fix them or name another data set')
    if len(bad) / total > max_bad:
        raise UserError(
            f'{found}: {which}; fix or remove these, or raise config.data.max_bad (now {max_bad})'
        )
