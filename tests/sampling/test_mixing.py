import numpy as np
import pytest

from gan_jax.sampling import mixing

ROWS = np.array([[[1], [2], [3], [4]], [[5], [6], [7], [8]]])
COLUMNS = 10 * ROWS[:1]


def test_the_first_layers_are_the_columns_and_the_others_the_rows():
    found = mixing.cross(ROWS, COLUMNS, 1)
    assert found[..., 0].tolist() == [[[10, 2, 3, 4]], [[10, 6, 7, 8]]]
    assert mixing.cross(ROWS, COLUMNS)[..., 0].tolist() == [[[10, 20, 3, 4]], [[10, 20, 7, 8]]]
    assert (mixing.cross(ROWS, COLUMNS, 0) == ROWS[:, None]).all()
    assert (mixing.cross(ROWS, COLUMNS, 4) == COLUMNS[None]).all()


def test_what_cannot_be_mixed_is_refused():
    with pytest.raises(ValueError, match='layers must be from 0 to 4, not 5'):
        mixing.cross(ROWS, COLUMNS, 5)
    with pytest.raises(AssertionError):
        mixing.cross(ROWS, COLUMNS[:, :3])


def test_the_sources_stand_along_the_borders():
    def pictures(*values):
        return np.array(values, np.uint8)[:, None, None, None]

    found = mixing.bordered(pictures(1, 2), pictures(3, 4, 5), pictures(6, 7, 8, 9, 10, 11))
    assert found.dtype == np.uint8
    assert found.shape == (12, 1, 1, 1)
    assert found.ravel().tolist() == [255, 3, 4, 5, 1, 6, 7, 8, 2, 9, 10, 11]
