import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import keys
from gan_jax.games import augmentations

IMAGES = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (4, 8, 8, 1)), jnp.float32)
RNGS = keys.per_example(jax.random.key(0), 4)


@pytest.mark.slow
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


@pytest.mark.parametrize('name', ['ada', 'affine', 'diffaugment'])
def test_images_that_are_judged_together_are_changed_alike(name):
    options = {'start': 1.0, 'target': 1.0} if name == 'ada' else {}
    made = getattr(augmentations, name)(batch_size=4, channels=1, **options)
    state = made.init()
    alone = made.apply(RNGS, IMAGES, state)
    pairs = made.apply(RNGS, jnp.concatenate([IMAGES, -IMAGES], -1), state)
    np.testing.assert_array_equal(pairs[..., :1], alone)
    tree = made.apply(RNGS, {'one': IMAGES, 'other': IMAGES}, state)
    np.testing.assert_array_equal(tree['one'], tree['other'])


@pytest.mark.parametrize('name', ['ada', 'affine', 'diffaugment'])
@pytest.mark.parametrize('before', [(), (1,), (3,), (3, 1)])
def test_of_a_source_what_is_no_image_is_changed_as_grey_ones_are(name, before):
    """A sketch before colours, and an image with its mask: the last three channels are judged."""
    options = {'start': 1.0, 'target': 1.0} if name == 'ada' else {}
    colour, grey = (
        getattr(augmentations, name)(batch_size=4, channels=n, **options) for n in (3, 1)
    )
    state = colour.init()
    image = jnp.concatenate([IMAGES, -IMAGES, IMAGES / 2], -1)
    of = {1: (IMAGES, grey), 3: (image, colour)}
    shown = jnp.concatenate([*(of[n][0] for n in before), image], -1)
    expected = [of[n][1].apply(RNGS, of[n][0], state) for n in (*before, 3)]
    np.testing.assert_array_equal(colour.apply(RNGS, shown, state), jnp.concatenate(expected, -1))


@pytest.mark.parametrize(
    ('options', 'said'),
    [
        ({'interval': 0}, 'interval=0 and images=500000 must be at least 1'),
        ({'images': 0}, 'interval=4 and images=0 must be at least 1'),
        ({'start': 1.5}, 'start=1.5 is a probability'),
    ],
)
def test_a_rate_that_is_none_is_refused(options, said):
    with pytest.raises(ValueError, match=said):
        augmentations.ada(batch_size=4, channels=1, **options)
