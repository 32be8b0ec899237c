"""What the small classifier of a data set's labels is shown while it is trained."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.networks.features import classifier

RNG = np.random.default_rng(0)
LABELS = np.arange(12) % 2
IMAGES = RNG.integers(0, 128, (12, 8, 8, 1), np.uint8)
IMAGES[LABELS == 1] += 100


def trained(images, **changes):
    with jax.numpy_dtype_promotion('standard'):  # as Adam needs it
        params = classifier.train(images, LABELS, 2, steps=2, **changes)
    return jax.tree.leaves(params)


def test_the_classifier_sees_changed_images_alone():
    """Where all are made black it learns no more of images than of black ones."""
    seen = []

    def black(rng, images):
        seen.append((images.shape, images.dtype))
        return jnp.full_like(images, -1.0)

    jax.tree.map(
        np.testing.assert_array_equal,
        trained(IMAGES, change=black),
        trained(np.zeros_like(IMAGES), change=lambda rng, images: images),
    )
    assert seen == [((classifier.BATCH, 8, 8, 1), jnp.float32)]


def test_each_batch_is_changed_by_a_key_of_its_own():
    seen = []

    def looked_at(rng, images):
        jax.debug.callback(lambda key: seen.append(key.tolist()), jax.random.key_data(rng))
        return images

    trained(IMAGES, change=looked_at)
    jax.effects_barrier()
    assert len(seen) == 2
    assert seen[0] != seen[1]


def test_shifted_images_are_moved_by_up_to_two_pixels_and_slightly_noisy():
    dots = jnp.zeros((200, 8, 8, 1)).at[:, 4, 4].set(10.0)
    found = np.asarray(classifier.shifted(jax.random.key(1), dots))[..., 0]
    places = found.reshape(200, -1).argmax(axis=1)
    assert {*zip(*np.divmod(places, 8), strict=True)} == {
        (i, j) for i in range(2, 7) for j in range(2, 7)
    }
    rest = np.delete(found.reshape(200, -1).T, 0, axis=0)
    assert np.median(np.abs(rest)) == pytest.approx(0.1 * 0.6745, rel=0.05)
    corner = jnp.zeros((200, 8, 8, 1)).at[:, 0, 0].set(10.0)
    moved = np.asarray(classifier.shifted(jax.random.key(1), corner)).reshape(200, -1)
    assert (moved.max(axis=1) > 9).all()  # what leaves at a side enters at the other
