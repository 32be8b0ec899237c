"""How the output of a network that restores becomes an image.

Each is a pure function (made, source) -> images: `made` is what the network made, floats
[n, h, w, c], `source` what it was given. Images are [n, h, w, c], float32 (float64 if `made` is).
A config finds each public function by its name.
"""

import chex
import jax
import jax.numpy as jnp

from gan_jax.arrays import floats


def _images(made: chex.Array, source: chex.Array) -> tuple[jax.Array, jax.Array]:
    chex.assert_rank([made, source], 4)
    return _pair(made, source)


def _pair(made: chex.Array, source: chex.Array) -> tuple[jax.Array, jax.Array]:
    chex.assert_type([made, source], float)
    chex.assert_equal_shape_prefix([made, source], 1)
    made = floats(made)
    return made, jnp.asarray(source).astype(made.dtype)


def plain(made: chex.Array, source: chex.Array) -> chex.Array:
    """What the network made.

    Source: Image-to-Image Translation with Conditional Adversarial Networks (Isola et al., 2017),
    section 3.2.

    Args:
      made: [n, ...], images or what else.
      source: [n, ...], not used.

    Returns:
      [n, ...] as `made`, float32.

    Raises:
      AssertionError: if a type or the number of examples differs.
    """
    return _pair(made, source)[0]


def residual(made: chex.Array, source: chex.Array) -> chex.Array:
    """What the network made plus the source, enlarged by bicubic where it is smaller.

    So a network that makes zeros is the classical answer. A grey source is repeated in all
    channels. The sum is not clipped: values outside [-1, 1] would get no gradient back into it;
    who writes images clips them.

    Source: Accurate Image Super-Resolution Using Very Deep Convolutional Networks (Kim et al.,
    2016), section 3.

    Args:
      made: [n, h, w, c], the difference.
      source: [n, h', w', c or 1], h' <= h, w' <= w.

    Returns:
      Images [n, h, w, c], float32, not clipped.

    Raises:
      AssertionError: if a rank, a type or the number of examples differs.
      ValueError: if the source is larger or has other channels.
    """
    made, source = _images(made, source)
    num, height, width, channels = made.shape
    if source.shape[-1] not in (1, channels):
        raise ValueError(
            f'a residual of {channels} channels needs a source of as many or 1, '
            f'not {source.shape[-1]}'
        )
    if source.shape[1] > height or source.shape[2] > width:
        raise ValueError(
            f'a residual of {height}x{width} needs a source that is no larger, '
            f'not {source.shape[1]}x{source.shape[2]}'
        )
    source = jax.image.resize(source, (num, height, width, source.shape[-1]), 'cubic')
    return made + jnp.broadcast_to(source, made.shape)


def composite(made: chex.Array, source: chex.Array) -> chex.Array:
    """What the network made in the hole, the known pixels elsewhere.

    m made + (1 - m) known, m the source's last channel: known pixels stay as they are to the bit,
    and only the hole has a gradient.

    Source: Globally and Locally Consistent Image Completion (Iizuka et al., 2017), section 3.

    Args:
      made: [n, h, w, c].
      source: [n, h, w, c + 1]: known pixels, and 1 where they are missing, 0 where known.

    Returns:
      Images [n, h, w, c], float32.

    Raises:
      AssertionError: if a rank, a type or the number of examples differs.
      ValueError: if the source is of another size or has not c + 1 channels.
    """
    made, source = _images(made, source)
    if source.shape != (*made.shape[:3], made.shape[3] + 1):
        raise ValueError(
            f'a composite of {made.shape[1:]} needs a source of its size with a channel more, '
            f'the mask, not {source.shape[1:]}'
        )
    missing = source[..., -1:]
    return missing * made + (1.0 - missing) * source[..., :-1]
