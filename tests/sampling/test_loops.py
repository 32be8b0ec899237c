import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.sampling import loops


def test_a_spherical_loop_goes_through_its_points_and_back_to_the_first():
    """A great circle in four steps of a right angle, each in two."""
    points = jnp.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    angles = np.arange(8) * np.pi / 4
    found = loops.spherical(points, 2)
    np.testing.assert_allclose(found, np.stack([np.cos(angles), np.sin(angles)], 1), atol=1e-6)


def test_a_smooth_loop_by_hand():
    """Halfway between two points is (9 (p1 + p2) - p0 - p3) / 16."""
    points = jnp.array([[0.0], [16.0], [32.0], [0.0]])
    found = loops.smooth(points, 2)[:, 0]
    np.testing.assert_allclose(found[::2], points[:, 0])
    np.testing.assert_allclose(
        found[1::2], [(9 * 16 - 32) / 16, 9 * 48 / 16, (9 * 32 - 16) / 16, -3]
    )


@pytest.mark.parametrize('loop', [loops.spherical, loops.smooth])
def test_after_the_last_frame_comes_the_first(loop):
    """From wherever it begins, it is the same loop: its end goes on in its beginning."""
    points = jnp.asarray(np.random.default_rng(0).normal(size=(3, 5)), jnp.float32)
    found = loop(points, 40)
    turned = loop(jnp.roll(points, -1, axis=0), 40)
    np.testing.assert_allclose(jnp.roll(found, -40, axis=0), turned, atol=1e-5)
    steps = np.linalg.norm(np.roll(found, -1, axis=0) - found, axis=1)
    assert steps[-1] == pytest.approx(steps[-2], rel=0.2)


def test_a_smooth_loop_has_no_kinks():
    points = jnp.asarray(np.random.default_rng(0).normal(size=(4, 2, 3)), jnp.float32)
    found = np.asarray(loops.smooth(points, 200), np.float64)
    speed = np.roll(found, -1, axis=0) - found
    jumps = np.abs(np.roll(speed, -1, axis=0) - speed).max()
    assert jumps < 0.05 * np.abs(speed).max()
