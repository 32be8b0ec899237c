import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage

from gan_jax import augment, keys

RNG = jax.random.key(7)
ALL = {
    'horizontal_flip': True,
    'rotation': 20.0,
    'translation': 0.2,
    'scaling': 0.3,
    'brightness': 0.4,
}
STRENGTHS = [(name, strength) for name, strength in ALL.items() if name != 'horizontal_flip']


def random_images(num=6, height=7, width=5, channels=3):
    shape = num, height, width, channels
    return np.random.default_rng(1).uniform(-1, 1, shape).astype(np.float32)


def identities(num):
    return np.tile(np.eye(2)[None], (num, 1, 1))


def jitted(name, strength):
    function = jax.jit(lambda rng, images: getattr(augment, name)(rng, images, strength))
    return lambda rng, images: np.asarray(function(rng, images))


def warp(*arguments):
    return np.asarray(WARP(*arguments))


WARP = jax.jit(augment.warp)
FLIP = jax.jit(augment.horizontal_flip)
CROP = jax.jit(augment.random_crop, static_argnums=2)


def test_flip_mirrors_about_half_of_the_images_and_twice_is_the_identity():
    images = random_images(400, 2, 3, 1)
    once = np.asarray(FLIP(RNG, images))
    flipped = np.all(once == images[:, :, ::-1], axis=(1, 2, 3))
    assert np.all(np.all(once == images, axis=(1, 2, 3)) ^ flipped)
    assert 150 < flipped.sum() < 250
    np.testing.assert_array_equal(FLIP(RNG, once), images)


@pytest.mark.parametrize('name', [name for name, _ in STRENGTHS])
def test_zero_strength_is_the_identity_to_the_bit(name):
    images = random_images()
    np.testing.assert_array_equal(jitted(name, 0.0)(RNG, images), images)


def test_warp_by_whole_pixels_moves_down_and_right_and_repeats_the_border():
    image = np.arange(6.0).reshape(1, 2, 3, 1) / 6
    moved = warp(image, identities(1), np.array([[1.0, 2.0]]))
    np.testing.assert_array_equal(moved[0, ..., 0] * 6, [[0, 0, 0], [0, 0, 0]])
    moved = warp(image, identities(1), np.array([[0.0, 1.0]]))
    np.testing.assert_allclose(moved[0, ..., 0] * 6, [[0, 0, 1], [3, 3, 4]], atol=1e-6)


def test_warp_is_bilinear():
    image = np.array([0.0, 1.0, 0.5]).reshape(1, 1, 3, 1)
    moved = warp(image, identities(1), np.array([[0.0, -0.25]]))
    np.testing.assert_allclose(moved[0, 0, :, 0], [0.25, 0.875, 0.5], atol=1e-6)


def test_a_quarter_turn_is_rot90():
    images = random_images(2, 5, 5, 2)
    quarter = np.tile(np.array([[0.0, -1.0], [1.0, 0.0]])[None], (2, 1, 1))
    turned = warp(images, quarter, np.zeros((2, 2)))
    np.testing.assert_array_equal(turned, np.rot90(images, -1, axes=(1, 2)))


def test_rotation_is_by_an_angle_up_to_the_bound():
    # The channels hold the place (row, column), so the result's slopes are the matrix.
    places = np.stack(np.meshgrid(*[np.linspace(-1, 1, 21)] * 2, indexing='ij'), -1)
    images = np.tile(places[None], (200, 1, 1, 1))
    turned = np.asarray(jitted('rotation', 30.0)(RNG, images))
    centre = turned[:, 10, 10]
    matrices = 10 * np.stack([turned[:, 11, 10] - centre, turned[:, 10, 11] - centre], -1)
    unit = np.broadcast_to(np.eye(2), (200, 2, 2))
    np.testing.assert_allclose(matrices @ matrices.transpose(0, 2, 1), unit, atol=1e-4)
    np.testing.assert_allclose(np.linalg.det(matrices), 1, atol=1e-4)
    angles = np.rad2deg(np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0]))
    assert 28 < angles.max() < 30.01
    assert -30.01 < angles.min() < -28


def test_translation_is_a_share_of_the_size():
    row = np.tile(np.arange(20.0)[None, None, :, None] / 20, (300, 4, 1, 1))
    moved = (row - jitted('translation', 0.25)(RNG, row))[:, 0, 10, 0] * 20
    assert 4.5 < np.abs(moved).max() <= 5.0001
    assert abs(float(moved.mean())) < 0.5


def test_scaling_is_between_shrinking_and_growing_by_the_fraction():
    row = np.tile(np.linspace(-1, 1, 21)[None, None, :, None], (300, 1, 1, 1))
    slopes = 1 / (jitted('scaling', 0.5)(RNG, row)[:, 0, 12, 0] / row[:, 0, 12, 0])
    assert 1.45 < slopes.max() <= 1.5001
    assert 0.6666 <= slopes.min() < 0.69
    assert abs(float(np.log(slopes).mean())) < 0.05


def test_brightness_adds_one_number_to_an_image_and_clips():
    images = np.zeros((200, 2, 2, 3))
    offsets = jitted('brightness', 0.5)(RNG, images)
    np.testing.assert_array_equal(offsets, np.broadcast_to(offsets[:, :1, :1, :1], offsets.shape))
    assert 0.45 < np.abs(offsets).max() <= 0.5
    assert offsets.min() < -0.4
    bright = jitted('brightness', 0.5)(RNG, images + 0.9)
    assert bright.max() == 1
    np.testing.assert_allclose(bright, np.clip(0.9 + offsets, -1, 1), atol=1e-6)


def test_the_result_does_not_depend_on_how_the_batch_is_split():
    images, rngs = random_images(), keys.per_example(RNG, 6)
    apply = jax.jit(augment.compose(ALL))
    whole = apply(rngs, images)
    parts = [apply(rngs[:3], images[:3]), apply(rngs[3:], images[3:])]
    np.testing.assert_allclose(whole, np.concatenate(parts), atol=1e-6)
    np.testing.assert_allclose(whole, apply(RNG, images), atol=1e-6)
    assert not np.allclose(whole, apply(jax.random.key(8), images))


def test_compose_uses_a_key_for_each_and_a_fixed_order():
    images, rngs = random_images(), keys.per_example(RNG, 6)

    def named(name):
        return jax.vmap(lambda key: keys.fold_in_name(key, name))(rngs)

    by_hand = FLIP(named('horizontal_flip'), images)
    for name, strength in STRENGTHS:
        by_hand = jitted(name, strength)(named(name), by_hand)
    backwards = augment.compose(dict(reversed(ALL.items())))
    np.testing.assert_allclose(jax.jit(backwards)(RNG, images), by_hand, atol=1e-5)


def test_compose_of_nothing_is_the_identity():
    images = random_images()
    for settings in ({}, {'horizontal_flip': False, 'rotation': 0.0}):
        np.testing.assert_array_equal(augment.compose(settings)(RNG, images), images)


def test_types_are_kept_and_values_stay_in_range():
    images = random_images().astype(jnp.bfloat16)
    changed = jax.jit(augment.compose(ALL))(RNG, images)
    assert changed.dtype == jnp.bfloat16
    assert np.abs(changed).max() <= 1


def test_an_unknown_name_gets_all_that_are_valid():
    names = 'horizontal_flip, rotation, translation, scaling, brightness'
    with pytest.raises(ValueError, match=rf"'rotate' is not.* \(all: {names}\)"):
        augment.compose({'rotate': 1.0})


def test_compose_checks_the_strengths_before_it_is_applied():
    with pytest.raises(ValueError, match=r'scaling .* from 0 to 1, not 1\.5'):
        augment.compose({'scaling': 1.5})
    with pytest.raises(ValueError, match=r'rotation .* from 0 to 180, not -1'):
        augment.compose({'rotation': -1.0})


def test_integers_are_refused():
    with pytest.raises(AssertionError):
        augment.horizontal_flip(RNG, np.zeros((1, 2, 2, 1), np.uint8))
    with pytest.raises(AssertionError):
        augment.brightness(RNG, np.zeros((2, 2, 1), np.float32), 0.1)


# ---- Two images at once ----------------------------------------------------------------------
def test_random_crop_takes_squares_of_the_image():
    places = np.stack(np.meshgrid(np.arange(7.0), np.arange(5.0), indexing='ij'), -1)
    images = np.tile(places[None], (600, 1, 1, 1))
    crops = np.asarray(CROP(RNG, images, 4))
    assert crops.shape == (600, 4, 4, 2)
    corners = crops[:, 0, 0].astype(int)
    for crop, (top, left) in zip(crops, corners, strict=True):
        np.testing.assert_array_equal(crop, places[top : top + 4, left : left + 4])
    _, counts = np.unique(corners, axis=0, return_counts=True)
    assert len(counts) == 4 * 2  # tops 0 to 3, lefts 0 and 1
    assert ((counts - 75) ** 2 / 75).sum() < 7 + 5 * np.sqrt(14)


def test_random_crop_of_all_is_the_identity_and_of_more_is_refused():
    images = random_images(height=5)
    np.testing.assert_array_equal(CROP(RNG, images, 5), images)
    for size in (0, 6):
        with pytest.raises(ValueError, match=f'size must be from 1 to 5, not {size}'):
            augment.random_crop(RNG, images, size)


def test_random_crop_cuts_two_images_alike_however_the_batch_is_split():
    first, rngs = random_images(), keys.per_example(RNG, 6)
    second = -first[..., :1]
    crops = np.asarray(CROP(RNG, first, 3))
    np.testing.assert_array_equal(CROP(RNG, second, 3), -crops[..., :1])
    parts = [CROP(rngs[i : i + 3], first[i : i + 3], 3) for i in (0, 3)]
    np.testing.assert_array_equal(np.concatenate(parts), crops)
    assert not np.array_equal(CROP(jax.random.key(8), first, 3), crops)


def test_images_joined_along_channels_are_augmented_alike():
    # The warps are linear in the pixels, so they commute with x -> (0.3 - x) / 2.
    first = random_images(num=12) / 2
    joined = np.concatenate([first, (0.3 - first[..., ::-1]) / 2], -1)
    changed = np.asarray(jax.jit(augment.compose(ALL))(RNG, joined))
    assert (np.abs(changed - joined).max(axis=(1, 2, 3)) > 0.1).all()
    # What is left is the offset of the brightness, once and by half.
    left = changed[..., 3:] + changed[..., 2::-1] / 2 - 0.15
    np.testing.assert_allclose(left, np.broadcast_to(left[:, :1, :1, :1], left.shape), atol=1e-6)
    assert 0.3 < np.abs(left).max() < 1.5 * ALL['brightness']


def test_affine_is_scipys_map_of_the_matrix_of_its_draws():
    images, strengths = random_images(5, 9, 9, 1), {'rotation': 30, 'shear': 0.5, 'scaling': 0.4}
    made = np.asarray(augment.affine(RNG, images, **strengths, translation=0.2))
    rngs = keys.per_example(RNG, 5)

    def drawn(name, shape, limit):
        rng = keys.of_name(rngs, name)
        return np.array([jax.random.uniform(x, shape, minval=-limit, maxval=limit) for x in rng])

    angles = np.deg2rad(drawn('rotation', (), 30))
    slants, logs = drawn('shear', (), 0.5), drawn('scaling', (2,), np.log2(1.4))
    shifts = drawn('translation', (2,), 0.2) * 9
    for i, image in enumerate(images):
        turn = [[np.cos(angles[i]), -np.sin(angles[i])], [np.sin(angles[i]), np.cos(angles[i])]]
        matrix = np.array(turn) @ [[1, 0], [slants[i], 1]] @ np.diag(2 ** -logs[i])
        offset = 4 - matrix @ [4, 4] - shifts[i]
        expected = scipy.ndimage.affine_transform(
            image[..., 0].astype(np.float64), matrix, offset, order=1, mode='nearest'
        )
        np.testing.assert_allclose(made[i, ..., 0], expected, atol=1e-5)


def test_affine_of_no_strength_is_the_identity_and_of_one_is_its_like():
    images = random_images()
    np.testing.assert_array_equal(augment.affine(RNG, images), images)
    rngs = keys.per_example(RNG, len(images))
    np.testing.assert_allclose(
        augment.affine(RNG, images, rotation=40.0),
        augment.rotation(keys.of_name(rngs, 'rotation'), images, 40.0),
        atol=1e-5,
    )


def test_affine_slants_rows_against_each_other():
    column = np.zeros((200, 5, 5, 1), np.float32)
    column[:, :, 2] = 1
    made = np.asarray(augment.affine(RNG, column, shear=0.5))[..., 0]
    np.testing.assert_array_equal(made[:, 2], column[:, 2, :, 0])  # the middle row stays
    moved = made @ np.arange(5) - 2
    np.testing.assert_allclose(moved, moved[:, :1] * [1, 0.5, 0, -0.5, -1], atol=1e-5)
    assert 0.9 < np.abs(moved[:, 0]).max() <= 1


def test_affine_is_differentiable():
    def total(image):
        return jnp.sum(jnp.sin(3 * augment.affine(RNG, image, rotation=20.0, shear=0.2)))

    chex.assert_numerical_grads(total, (jnp.asarray(random_images(2)),), order=1, atol=1e-2)
