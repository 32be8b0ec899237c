import numpy as np
import pytest

from gan_jax.errors import UserError
from gan_jax.playground import sets


def test_every_set_is_within_the_window_and_its_modes_can_be_counted():
    for name in sets.SETS:
        mixture = sets.find(name)
        points = sets.draw(mixture)
        assert mixture.name == name
        assert points.shape == (sets.POINTS, 2)
        assert np.mean(np.abs(points) < sets.HALF) > 0.99
        assert len(mixture.centers) <= sets.MOST_MODES


def test_what_is_drawn_is_a_mode_for_each_four_digits():
    mixture = sets.find('drawn', '00ff' + 'ff00' + '8080')
    np.testing.assert_allclose(mixture.centers[:2], [[-1.5, 1.5], [1.5, -1.5]])
    np.testing.assert_allclose(mixture.centers[2], [1.5 / 255] * 2, rtol=1e-4)
    assert mixture.stddev == 0.05


def test_infinite_modes_stand_behind_the_others():
    centers = sets.padded(sets.find('ring8'))
    assert centers.shape == (128, 2)
    assert np.isfinite(centers).all(axis=1).sum() == 8


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        (('ring9',), "set 'ring9' is unknown; the nearest valid name is 'ring8'"),
        (('drawn', ''), 'drawn has 0 modes; draw 1 to 128'),
        (('drawn', '8080' * 129), 'drawn has 129 modes; draw 1 to 128'),
        (('drawn', '808'), "drawn='808' must be four hexadecimal digits for each mode"),
        (('drawn', '80'), "drawn='80' must be four hexadecimal digits for each mode"),
        (('drawn', 'wxyz'), "drawn='wxyz' must be four hexadecimal digits for each mode"),
    ],
)
def test_what_is_no_set_is_refused(words, said):
    with pytest.raises(UserError) as caught:
        sets.find(*words)
    assert said in str(caught.value)
