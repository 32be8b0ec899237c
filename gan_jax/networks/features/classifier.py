"""A small classifier of a data set's own labels, for figures where no published weights are given.

Its figures order runs on one data set; they are not the FID and cannot be compared with it.
"""

import hashlib
import math
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from gan_jax.networks import layers
from gan_jax.networks.features import FeatureNetwork, in_batches
from gan_jax.runtime import progress

STEPS, BATCH, RATE, SHIFT, NOISE = 1500, 128, 2e-3, 2, 0.1
VERSION = 1  # of this file's network and training: another one gives other figures
FEATURES = 128
SETTINGS = (VERSION, STEPS, BATCH, RATE, SHIFT, NOISE, FEATURES)  # what a kept one depends on


class Classifier(nn.Module):
    """Strided 4x4 convolutions down to 4 pixels or less, a dense layer, one logit per class.

    Attributes:
      classes: the number of classes.
      width: the channels after the first convolution, doubled by each other, up to 128.
    """

    classes: int
    width: int = 32

    @nn.compact
    def __call__(self, image: jax.Array, train: bool = False) -> tuple[jax.Array, jax.Array]:
        """Maps images [batch, height, width, c] in [-1, 1] to features [batch, 128] and logits."""
        x = image
        for level in range(max(2, math.ceil(math.log2(max(image.shape[1:3]) / 4)))):
            x = nn.relu(layers.Conv(min(self.width * 2**level, 128), (4, 4), (2, 2), padding=1)(x))
        x = nn.Dropout(0.3, deterministic=not train)(x.reshape(len(x), -1))
        features = nn.relu(layers.Dense(FEATURES)(x))
        return features, layers.Dense(self.classes)(
            nn.Dropout(0.3, deterministic=not train)(features)
        )


def _floats(images: jax.Array) -> jax.Array:
    return images.astype(jnp.float32) / 127.5 - 1.0


def shifted(rng: jax.Array, images: jax.Array) -> jax.Array:
    """Slightly noisy copies, moved by up to two pixels; what leaves at a side enters at the other.

    Args:
      rng: a key.
      images: [batch, height, width, c].
    """
    shift, noise = jax.random.split(rng, 3)[:2]
    by = jax.random.randint(shift, (len(images), 2), -SHIFT, SHIFT + 1)
    images = jax.vmap(lambda x, n: jnp.roll(x, n, (0, 1)))(images, by)
    return images + NOISE * jax.random.normal(noise, images.shape)


def train(
    images: Any,
    labels: np.ndarray,
    classes: int,
    change: Callable[[jax.Array, jax.Array], jax.Array] = shifted,
    *,
    steps: int = STEPS,
    seed: int = 0,
) -> Any:
    """Trains the classifier by cross-entropy, on copies that are changed anew in each batch.

    Args:
      images: uint8 [n, height, width, c], or what has such a shape and gives rows of it by their
        places; 128 are asked for at a time.
      labels: integers [n] in [0, classes).
      classes: how many there are, at least 2.
      change: (a key, images [128, height, width, c] in [-1, 1]) -> what is shown in their place.
      steps: how many batches of 128, at a rate that falls along a cosine.
      seed: of the first weights, the batches and the noise.

    Returns:
      The parameters.

    Raises:
      ValueError: if there are fewer than two classes.
    """
    if classes < 2:
        raise ValueError('a classifier needs two classes or more')
    network, key = Classifier(classes), jax.random.key(seed)
    params = network.init(key, jnp.zeros((1, *images.shape[1:])))
    optimizer = optax.adam(optax.cosine_decay_schedule(RATE, steps))

    def loss(params, image, label, dropout):
        logits = network.apply(params, image, train=True, rngs={'dropout': dropout})[1]
        return optax.softmax_cross_entropy_with_integer_labels(logits, label).mean()

    @jax.jit
    def step(params, state, image, label, i):
        rng = jax.random.fold_in(key, i)
        dropout = jax.random.split(rng, 3)[2]  # which `shifted` leaves alone
        image = change(rng, _floats(image))
        updates, state = optimizer.update(jax.grad(loss)(params, image, label, dropout), state)
        return optax.apply_updates(params, updates), state

    state, rng = optimizer.init(params), np.random.default_rng(seed)
    with progress.lines('training the classifier of features') as tell:
        for i in range(steps):
            tell(f'batch {i + 1} of {steps}')
            rows = rng.integers(0, len(images), BATCH)
            params, state = step(params, state, images[rows], labels[rows], np.int32(i))
        return jax.device_get(params)


def network(
    name: str, params: Any, classes: int, batch: int = 500, compiled: Callable = jax.jit
) -> FeatureNetwork:
    """The trained classifier as a feature network.

    Args:
      name: 'mnist-classifier', say.
      params: of `train`.
      classes: the number of classes.
      batch: how many images at a time.
      compiled: what compiles it, as `in_batches` has it.
    """
    digest = hashlib.sha256(repr((VERSION, classes)).encode())
    for leaf in jax.tree.leaves(params):
        digest.update(np.ascontiguousarray(leaf).tobytes())

    def apply(params: Any, images: jax.Array) -> Any:
        return Classifier(classes).apply(params, _floats(images))

    def smooth(params: Any, images: jax.Array) -> jax.Array:
        return Classifier(classes).apply(params, images)[0]

    judged = in_batches(apply, params, batch, compiled)
    return FeatureNetwork(name, digest.hexdigest(), 'none', judged, (params, smooth))


def accuracy(network: FeatureNetwork, images: Any, labels: np.ndarray, batch: int = 500) -> float:
    """The share of images that are named rightly; so many are asked for at a time."""
    rights = [
        network.apply(images[i : i + batch])[1].argmax(axis=1) == labels[i : i + batch]
        for i in range(0, len(labels), batch)
    ]
    return float(np.concatenate(rights).mean())
