"""Places that cannot be written, and what writing a picture takes."""

import pathlib
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from gan_jax.errors import UserError
from gan_jax.runtime import files


def test_a_folder_that_cannot_be_written_is_found_before_there_is_anything_to_write(tmp_path):
    files.check_writable(tmp_path / 'a' / 'b', 'choose another')
    assert [*(tmp_path / 'a' / 'b').iterdir()] == []
    (tmp_path / 'file').write_text('no folder')
    for folder in (tmp_path / 'file', pathlib.Path('/proc/self')):
        with pytest.raises(UserError, match=r'cannot be written \(.*\); choose another'):
            files.check_writable(folder, 'choose another')
    with pytest.raises(UserError, match=r'a cannot be written \(it is a folder\); rename it'):
        files.check_writable(tmp_path, 'rename it', ['file', 'none', 'a'])


def test_a_picture_is_written_without_a_copy_in_memory(tmp_path):
    """Noise is not packed: what is kept of it would be as large as the picture."""
    image = np.random.default_rng(0).integers(0, 256, (1000, 1200, 3), np.uint8)
    files.write_png(tmp_path / 'first.png', image[:2, :2])  # Pillow imports what it needs
    tracemalloc.start()
    files.write_png(tmp_path / 'x.png', image)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.5 * image.nbytes
    with Image.open(tmp_path / 'x.png') as opened:
        np.testing.assert_array_equal(np.asarray(opened), image)
