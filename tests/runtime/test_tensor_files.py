"""Arrays in safetensors files: bit by bit, and what is refused."""

import json
import os
import sys

import ml_dtypes
import numpy as np
import pytest

from gan_jax.errors import UserError
from gan_jax.runtime import tensor_files

pytest.importorskip('safetensors')
ARRAYS = {
    'params/a': np.arange(6, dtype='f4').reshape(2, 3).T,
    'params/b': np.array(-0.0, 'f4'),
    'aux/n': np.array([2**31], 'u4'),
    'aux/h': np.array([1.5], ml_dtypes.bfloat16),
    'aux/t': np.array([True]),
}


def refused(file, *words, wanted=ARRAYS):
    with pytest.raises(UserError) as caught:
        tensor_files.read(file, wanted)
    assert '\n' not in str(caught.value)
    for word in (str(file), *words):
        assert word in str(caught.value)


def test_arrays_come_back_bit_by_bit(tmp_path):
    file = tensor_files.write(tmp_path / 'new' / 'a.safetensors', ARRAYS)
    read = tensor_files.read(file, ARRAYS)
    assert {*read} == {*ARRAYS}
    for name, x in ARRAYS.items():
        assert (read[name].dtype, read[name].shape) == (x.dtype, x.shape)
        assert read[name].tobytes() == x.tobytes()
    assert file.stat().st_mode & 0o044 == 0o666 & ~_umask() & 0o044


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_other_arrays_are_refused_by_name(tmp_path):
    file = tensor_files.write(tmp_path / 'a.safetensors', ARRAYS)
    less = {k: x for k, x in ARRAYS.items() if k != 'params/b'}
    refused(file, 'has besides params/b', wanted=less)
    refused(file, 'has no params/c', wanted={**ARRAYS, 'params/c': ARRAYS['params/b']})
    refused(file, '(3, 2)', '(2, 3)', wanted={**ARRAYS, 'params/a': np.zeros((2, 3), 'f4')})
    refused(file, 'F32', 'F64', wanted={**ARRAYS, 'params/b': np.zeros(())})


def file_of(header, data=bytes(8), length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, 'little') + text + data


def entry(start, end, shape=(1,), dtype='F32'):
    return {'dtype': dtype, 'shape': list(shape), 'data_offsets': [start, end]}


@pytest.mark.parametrize(
    'raw',
    [
        b'',
        bytes(8),
        b'\xff' * 8,
        file_of(b'{}', length=2**40),
        file_of(b'{}', length=2**22 + 1),
        file_of(b'[' * 2**20),
        file_of({'a': entry(0, 4), 'b': entry(0, 4)}, bytes(4)),
        file_of({'a': entry(0, 4), 'b': entry(2, 6)}, bytes(6)),
        file_of({'a': entry(0, 4), 'b': entry(8, 12)}, bytes(12)),
        file_of({'a': entry(0, 400), 'b': entry(400, 404)}),
        file_of({'a': entry(0, 4, (2**62, 2**62)), 'b': entry(4, 8)}),
        file_of({'a': entry(4, 0), 'b': entry(4, 8)}),
        file_of({'a': entry(0, 4), 'b': entry(4, 8)}, bytes(7)),
        file_of({'a': entry(0, 4, dtype='PICKLE'), 'b': entry(4, 8)}),
    ],
)
def test_broken_and_hostile_files_are_refused(tmp_path, raw):
    (tmp_path / 'a.safetensors').write_bytes(raw)
    wanted = dict.fromkeys('ab', np.zeros(1, 'f4'))
    refused(tmp_path / 'a.safetensors', 'no whole safetensors file', wanted=wanted)


def test_pipes_and_large_files_are_refused(tmp_path):
    os.mkfifo(tmp_path / 'pipe')
    refused(tmp_path / 'pipe', 'not a file')
    with (tmp_path / 'large').open('wb') as file:
        file.truncate(2**31 + 1)
    refused(tmp_path / 'large', 'more than')
    refused(tmp_path / 'absent', 'No such file')


def test_without_the_library_a_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'safetensors.numpy', None)
    with pytest.raises(UserError, match='pip install -e'):
        tensor_files.write(tmp_path / 'a', ARRAYS)
