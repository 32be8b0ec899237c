import json
import math

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


def test_json_has_no_nan_and_says_what_was_there():
    record = {'a': 1.5, 'b': math.nan, 'c': {'d': [1, -math.inf]}, 'e': math.inf, 'f': None}
    record['missing'] = {'b': 'no features'}

    def refuse(constant):
        raise AssertionError(constant)

    found = json.loads(files.json_text(record), parse_constant=refuse)
    assert found == {
        'a': 1.5, 'b': None, 'c': {'d': [1, None]}, 'e': None, 'f': None,
        'missing': {'b': 'no features', 'c.d': 'it is -inf', 'e': 'it is inf'},
    }  # fmt: skip
    assert files.json_text({'a': (1, 2)}) == '{"a": [1, 2]}'
