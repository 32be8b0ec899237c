"""Networks whose features images are compared in: FID, precision and recall, the Inception Score.

A module per network makes a `FeatureNetwork`; metrics know nothing else of it.
"""

import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

Apply = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


class FeatureNetwork(NamedTuple):
    """A fixed network and all that a figure depends on besides the images.

    Attributes:
      name: what it is called beside a figure, such as 'inception-2015-12-05'.
      digest: hexadecimal; it differs where weights or preprocessing differ.
      resize: what is done to images first: filter and size.
      apply: uint8 images [n, h, w, 1 or 3], any n -> (features [n, d], logits [n, k]), float32.
      smooth: (params, function) whose function(params, images [n, h, w, 1 or 3]) are the same
        features of images that are floats in [-1, 1] and not rounded, to be differentiated by JAX;
        None if there is no such function.
    """

    name: str
    digest: str
    resize: str
    apply: Apply
    smooth: tuple[Any, Callable] | None = None


def digest_of_outputs(apply: Apply, images: np.ndarray) -> str:
    """The SHA-256, hexadecimal, of what a network makes of images, to the last bit.

    It differs where anything that the network reads differs, which no digest of a text can say.
    """
    digest = hashlib.sha256()
    features, logits = apply(images)
    for x in (images, features, logits):
        digest.update(repr((np.shape(x), str(np.asarray(x).dtype))).encode())
        digest.update(np.ascontiguousarray(x).tobytes())
    return digest.hexdigest()


def in_batches(function: Callable, params: Any, batch: int, compiled: Callable = jax.jit) -> Apply:
    """A function of any number of images, from one of `batch` images that is compiled once.

    The last batch is filled up with black images, whose outputs are dropped.

    Args:
      function: (params, uint8 images [batch, h, w, c]) -> (features [batch, d], logits [batch, k]),
        each image by itself.
      params: the network's.
      batch: how many images at a time, at least 1.
      compiled: what compiles such a function; jax.jit, or one that splits images among devices.

    Returns:
      `FeatureNetwork.apply`.

    Raises:
      ValueError: if batch is less than 1; the returned function, if images are not such an array.
    """
    if batch < 1:
        raise ValueError(f'batch must be at least 1, not {batch}')
    params, judge = jax.device_put(params), compiled(function)

    def apply(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        images = np.asarray(images)
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3):
            raise ValueError(
                f'images must be uint8 [n, height, width, 1 or 3], '
                f'not {images.dtype} {list(images.shape)}'
            )
        parts, coming = [], None
        for start in range(0, max(len(images), 1), batch):
            chunk = images[start : start + batch]
            missing = np.zeros((batch - len(chunk), *images.shape[1:]), np.uint8)
            # The device is given its next batch before the host waits for the last.
            coming, last = judge(params, np.concatenate([chunk, missing])), coming
            if last is not None:
                parts.append(jax.device_get(last))
        parts.append(jax.device_get(coming))
        features, logits = (np.concatenate(x)[: len(images)] for x in zip(*parts, strict=True))
        return features, logits

    return apply
