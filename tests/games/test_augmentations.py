import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import keys
from gan_jax.games import augmentations

IMAGES = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (4, 8, 8, 1)), jnp.float32)
RNGS = keys.per_example(jax.random.key(0), 4)


def test_ada_follows_the_signs_of_logits():
    ada = augmentations.ada(batch_size=100, channels=1, interval=1, images=1000)
    state = ada.init()
    np.testing.assert_array_equal(ada.apply(RNGS, IMAGES, state), IMAGES)
    for _ in range(8):
        state = ada.update(state, jnp.array([3.0, 0.1, 2.0, 5.0]), None)
    np.testing.assert_allclose(ada.metrics(state)['augmentation_p'], 0.8, atol=1e-6)
    assert (ada.apply(RNGS, IMAGES, state) != IMAGES).any()
    # Of 3 positive and 1 negative the mean sign is 0.5, below the target.
    after = ada.update(state, jnp.array([3.0, 0.1, 2.0, -5.0]), None)
    np.testing.assert_allclose(ada.metrics(after)['augmentation_p'], 0.7, atol=1e-6)


@pytest.mark.parametrize('name', ['ada', 'diffaugment'])
def test_images_that_are_judged_together_are_changed_alike(name):
    options = {'start': 1.0, 'target': 1.0} if name == 'ada' else {}
    made = getattr(augmentations, name)(batch_size=4, channels=1, **options)
    state = made.init()
    alone = made.apply(RNGS, IMAGES, state)
    pairs = made.apply(RNGS, jnp.concatenate([IMAGES, -IMAGES], -1), state)
    np.testing.assert_array_equal(pairs[..., :1], alone)
    tree = made.apply(RNGS, {'one': IMAGES, 'other': IMAGES}, state)
    np.testing.assert_array_equal(tree['one'], tree['other'])
