"""From any picture to uint8 [size, size, channels], and between uint8 and [-1, 1]."""

from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from PIL import ExifTags, Image

Array = TypeVar('Array', np.ndarray, jax.Array)

# PIL widens its support when it reduces, so it does not alias (Lanczos windowed sinc, a = 3).
FILTER = Image.Resampling.LANCZOS

# What undoes each value of the EXIF tag Orientation; 1 is upright.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_SIDEWAYS = frozenset((5, 6, 7, 8))

# Where pictures say how they are turned; XMP counts where EXIF says nothing.
_TOLD_IN = frozenset(('exif', 'Raw profile type exif', 'xmp', 'XML:com.adobe.xmp'))


def normalize(images: Array) -> Array:
    """uint8 in [0, 255] -> float32 in [-1, 1]: x / 127.5 - 1; floats (points) stay as they are.

    For NumPy and JAX arrays; the result is float32.
    """
    if jnp.issubdtype(images.dtype, jnp.floating):
        return images.astype(np.float32)
    return images.astype(np.float32) / 127.5 - 1


def denormalize(images: Array) -> Array:
    """Floats in [-1, 1] -> uint8: round(127.5 (x + 1)), what lies outside clipped.

    The inverse of normalize on images. For NumPy and JAX arrays; ties are rounded to even.
    """
    return ((images.astype(np.float32) + 1) * 127.5).clip(0, 255).round().astype(np.uint8)


def from_array(array: np.ndarray) -> Image.Image:
    """A picture from uint8 [h, w, 1 or 3]."""
    return Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array)


def _orientation(image: Image.Image) -> int:
    """1 to 8, as EXIF numbers them; 1 is upright.

    ImageOps.exif_transpose would copy every picture and encode its EXIF anew, which raises for tags
    that it cannot write.
    """
    if not _TOLD_IN & image.info.keys():  # getexif costs as much as decoding a digit
        return 1
    return image.getexif().get(ExifTags.Base.Orientation, 1)


def upright(image: Image.Image) -> Image.Image:
    """The picture turned as its EXIF says, or its XMP; what is returned does not say so any more.

    Raises:
      Exception: whatever Pillow makes of malformed EXIF or XMP.
    """
    turn = _UPRIGHT.get(_orientation(image))
    if turn is None:
        return image
    turned = image.transpose(turn)
    for key in _TOLD_IN:
        turned.info.pop(key, None)
    return turned


def extent(image: Image.Image) -> tuple[int, int]:
    """Width and height of the picture when it is upright; decodes nothing."""
    if ExifTags.Base.Orientation in getattr(image, 'tag_v2', ()):  # TIFF's are given so
        return image.size
    return image.size[::-1] if _orientation(image) in _SIDEWAYS else image.size


def crop_square(image: Image.Image) -> Image.Image:
    """The centre square; where it cannot be centred, half a pixel up and to the left."""
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return image if width == height else image.crop((left, top, left + side, top + side))


def convert(image: Image.Image, channels: int) -> Image.Image:
    """8-bit grey or RGB, transparent pixels over white.

    Grey is ITU-R 601-2 luma, 0.299 R + 0.587 G + 0.114 B.

    Args:
      image: of any mode that cleaning accepts.
      channels: 1 (grey) or 3 (RGB).
    """
    if image.has_transparency_data:
        white = Image.new('RGBA', image.size, 'white')
        image = Image.alpha_composite(white, image.convert('RGBA'))
    return image.convert('L' if channels == 1 else 'RGB')


def fit(image: Image.Image | np.ndarray, size: int, channels: int) -> np.ndarray:
    """Turns as EXIF or XMP says, crops the centre square, converts the colours and resizes.

    Args:
      image: a picture, or uint8 [h, w, 1 or 3].
      size: the side of the result; smaller images are enlarged.
      channels: 1 (grey) or 3 (RGB).

    Returns:
      uint8 [size, size, channels].
    """
    if isinstance(image, np.ndarray):
        if image.shape == (size, size, channels):
            return image
        image = from_array(image)
    image = convert(crop_square(upright(image)), channels)
    if image.size != (size, size):
        image = image.resize((size, size), FILTER)
    return np.asarray(image).reshape(size, size, channels)
