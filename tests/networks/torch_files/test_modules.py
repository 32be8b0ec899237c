"""Pickled networks: what is found in them, and bounds of what can be shared."""

import pytest
from networks.torch_files import pkl

from gan_jax.networks.torch_files import modules
from gan_jax.networks.torch_files.modules import Module


def parsed(path, call):
    return modules.read(pkl.write(path, G=call))['G']


def nested(inner, width, depth):
    for _ in range(depth):
        state = {'_parameters': {}, '_buffers': {}}
        inner = Module('x', state | {'_modules': {f'{i}': inner for i in range(width)}})
    return inner


LEAF = Module('x', {'_parameters': {}, '_buffers': {}, '_modules': {}})


def test_what_is_unused_is_left_out(tmp_path):
    found = parsed(tmp_path / 'a.pkl', pkl.module('x', {'bias': None}, modules={'y': None}))
    assert found.name == 'x'
    assert modules.tensors(found) == {}


@pytest.mark.parametrize(('width', 'depth'), [(50, 12), (1, 17), (2001, 1)])
def test_modules_in_modules_are_bounded(width, depth):
    with pytest.raises(ValueError, match='it has more than'):
        modules.tensors(nested(LEAF, width, depth))
    assert modules.tensors(nested(LEAF, 40, 2)) == {}


def test_a_storage_has_few_steps():
    raw = b'\x80\x02' + b'N' * 400 + b'N.'
    tensor = modules.Tensor(modules.Packed(raw), 0, (1,), (1,))
    with pytest.raises(ValueError, match='more than 300 steps'):
        modules.arrays({'a': tensor}, 100)
