import pytest

from gan_jax.runtime import files


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    file = tmp_path / 'a.txt'
    files.replace(file, lambda x: x.write_text('old'))

    def broken(temporary):
        temporary.write_text('ne')
        raise OSError('full')

    with pytest.raises(OSError, match='full'):
        files.replace(file, broken)
    assert file.read_text() == 'old'
    files.replace(file, lambda x: x.write_text('new'))
    assert file.read_text() == 'new'
