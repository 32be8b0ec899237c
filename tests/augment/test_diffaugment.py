import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import keys
from gan_jax.augment import diffaugment

NUM = 64
IMAGES = np.random.default_rng(0).uniform(-1, 1, (NUM, 16, 16, 3)).astype(np.float32)
RNG = jax.random.key(0)


def drawn(name):
    return np.asarray(jax.vmap(jax.random.uniform)(keys.of_name(keys.per_example(RNG, NUM), name)))


def test_color_is_brightness_saturation_and_contrast():
    u, v, w = (drawn(x)[:, None, None, None] for x in ('brightness', 'saturation', 'contrast'))
    x = IMAGES + u - 0.5
    grey = x.mean(3, keepdims=True)
    x = grey + 2 * v * (x - grey)
    mean = x.mean((1, 2, 3), keepdims=True)
    expected = mean + (w + 0.5) * (x - mean)
    np.testing.assert_allclose(diffaugment.color(RNG, IMAGES), expected, atol=1e-5)


def test_translation_moves_by_up_to_an_eighth_and_fills_with_zeros():
    rows = np.arange(1, 17, dtype=np.float32)[None, :, None, None]
    images = np.tile(
        rows * 100 + np.arange(1, 17, dtype=np.float32)[None, None, :, None], (NUM, 1, 1, 1)
    )
    moved = np.asarray(diffaugment.translation(RNG, images))[..., 0]
    seen = set()
    for image in moved:
        for down in range(-3, 4):
            for right in range(-3, 4):
                wide = np.pad(images[0, ..., 0], 3)
                if (image == wide[3 - down : 19 - down, 3 - right : 19 - right]).all():
                    seen.add((down, right))
    downs, rights = ({x[i] for x in seen} for i in (0, 1))
    assert downs == rights == {-2, -1, 0, 1, 2}


def test_cutout_makes_one_hole_of_half_the_sides():
    holes = 1 - np.asarray(diffaugment.cutout(RNG, jnp.ones((NUM, 16, 16, 1))))[..., 0]
    heights, widths = holes.max(2).sum(1), holes.max(1).sum(1)
    assert (holes.sum((1, 2)) == heights * widths).all()
    assert {*heights} | {*widths} <= {4.0, 5.0, 6.0, 7.0, 8.0}
    assert max(heights) == max(widths) == 8


def test_the_policy_is_applied_in_one_order_whatever_is_named_first():
    one = diffaugment.compose(('cutout', 'color'))(RNG, IMAGES)
    np.testing.assert_array_equal(one, diffaugment.compose(('color', 'cutout'))(RNG, IMAGES))
    assert (np.asarray(one) == 0).any()


@pytest.mark.parametrize('policy', [(), ('colour',)])
def test_a_policy_has_known_names(policy):
    with pytest.raises(ValueError, match='color, translation, cutout'):
        diffaugment.compose(policy)


def test_gradients_pass_all():
    apply = diffaugment.compose(('color', 'translation', 'cutout'))
    gradient = jax.grad(lambda x: jnp.sum(apply(RNG, x) ** 2))(jnp.asarray(IMAGES[:4]))
    assert (abs(np.asarray(gradient)).sum((1, 2, 3)) > 0).all()
