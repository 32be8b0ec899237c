import collections
import io
import os
import pathlib
import pickle
import subprocess
import sys
import types

import methods
import numpy as np
import pytest
import untraced
from networks.torch_files import hostile, pth

from gan_jax.errors import UserError
from gan_jax.networks.torch_files import state_dicts

FORMS = pytest.mark.parametrize('form', pth.WRITERS)
NUMBERS = np.arange(24, dtype='<f4')
STORAGES = {'7': (24, NUMBERS.tobytes())}


def number_tensor(shape, strides, offset=0):
    return pth.tensor('7', 'Float', 24, shape, strides, offset)


def refused(path, *words):
    with pytest.raises(UserError) as caught:
        state_dicts.read(path)
    message = str(caught.value)
    assert '\n' not in message
    for word in (str(path), *words):
        assert word in message


@FORMS
@pytest.mark.parametrize('dtype', pth.DTYPES)
def test_every_type_and_shape_comes_back(tmp_path, form, dtype):
    dtype, draw = pth.DTYPES[dtype], np.random.default_rng(0)
    arrays = {
        'b.weight': draw.integers(-3, 3, (2, 3, 4)).astype(dtype),
        'a.num': np.array(1).astype(dtype),
        'nöne': np.zeros((0, 2), dtype),
    }
    pth.save(tmp_path / 'a.pth', arrays, form)
    found = state_dicts.read(tmp_path / 'a.pth')
    assert list(found) == list(arrays)
    for name, want in arrays.items():
        assert found[name].dtype == dtype
        assert found[name].shape == want.shape
        assert found[name].tobytes() == want.tobytes()


@FORMS
def test_offsets_strides_and_shared_storages(tmp_path, form):
    made = {
        'turned': number_tensor((3, 4), (1, 3), 5),
        'slice': pth.parameter(number_tensor((4, 2), (6, 2), 1)),
        'expanded': number_tensor((2, 3), (0, 0), 23),
    }
    pth.WRITERS[form](tmp_path / 'a.pth', made, STORAGES)
    found = state_dicts.read(str(tmp_path / 'a.pth'))
    np.testing.assert_array_equal(found['turned'], NUMBERS[5:17].reshape(4, 3).T)
    np.testing.assert_array_equal(found['slice'], NUMBERS.reshape(4, 6)[:, 1:4:2])
    np.testing.assert_array_equal(found['expanded'], np.full((2, 3), 23, 'f4'))
    found['expanded'][0, 0] = 1
    assert found['expanded'].sum() == 1 + 5 * 23


class Tensor:
    """Pickles as PyTorch's tensors do."""

    def __init__(self, rebuild, key, shape, strides):
        self._made = rebuild, key, shape, strides

    def __reduce__(self):
        rebuild, key, shape, strides = self._made
        return rebuild, (key, 0, shape, strides, False, collections.OrderedDict())


@pytest.mark.parametrize('protocol', [2, 3, 4, 5])
def test_what_pythons_own_pickler_writes_is_read(tmp_path, monkeypatch, protocol):
    """With its memo, marks and frames, as torch.save has it write."""
    torch, utils = types.ModuleType('torch'), types.ModuleType('torch._utils')
    torch.FloatStorage = type('FloatStorage', (), {'__module__': 'torch'})
    utils._rebuild_tensor_v2 = lambda: None
    utils._rebuild_tensor_v2.__module__ = 'torch._utils'
    utils._rebuild_tensor_v2.__qualname__ = '_rebuild_tensor_v2'
    monkeypatch.setitem(sys.modules, 'torch', torch)
    monkeypatch.setitem(sys.modules, 'torch._utils', utils)

    class Key(str):
        __slots__ = ()

    class Pickler(pickle.Pickler):
        def persistent_id(self, x):
            if isinstance(x, Key):
                return 'storage', torch.FloatStorage, str(x), 'cpu', 24
            return None

    found = collections.OrderedDict(
        (f'layer{i}.weight', Tensor(utils._rebuild_tensor_v2, Key('7'), (3, 8), (8, 1)))
        for i in range(300)
    )
    found._metadata = collections.OrderedDict({'': {'version': 1}, 'layer0': {'version': 2}})
    stream = io.BytesIO()
    Pickler(stream, protocol).dump(found)
    hostile.zipped(stream.getvalue(), {'archive/data/7': NUMBERS.tobytes()})(tmp_path)
    read = state_dicts.read(tmp_path / 'a.pth')
    assert list(read) == list(found)
    for x in read.values():
        np.testing.assert_array_equal(x, NUMBERS.reshape(3, 8))


def test_the_zips_folder_may_have_any_name(tmp_path):
    found = {'x': number_tensor((24,), (1,))}
    pth.write_zip(tmp_path / 'a.pth', found, STORAGES, folder='pt_inception-6726825d')
    np.testing.assert_array_equal(state_dicts.read(tmp_path / 'a.pth')['x'], NUMBERS)


@FORMS
@pytest.mark.parametrize(
    ('module', 'name', 'arguments'),
    [
        ('posix', 'system', ('touch {}',)),
        ('builtins', 'open', ('{}', 'w')),
        ('pathlib', 'Path.touch', ()),
        ('torch', 'load', ('{}',)),
        ('collections', 'Counter', ()),
        ('torch.storage', '_load_from_bytes', ('',)),
    ],
)
def test_what_is_no_tensor_is_refused_by_name_and_not_called(
    tmp_path, form, module, name, arguments
):
    touched = tmp_path / 'touched'
    arguments = tuple(x.format(touched) for x in arguments)
    found = {'x': pth.Call(pth.Global(module, name), arguments)}
    pth.WRITERS[form](tmp_path / 'a.pth', found, {})
    refused(tmp_path / 'a.pth', f'{module}.{name}', 'state_dict()')
    assert not touched.exists()


@FORMS
def test_a_truncated_file_is_refused(tmp_path, form):
    pth.save(tmp_path / 'a.pth', {'a': NUMBERS, 'b': NUMBERS}, form)
    whole = (tmp_path / 'a.pth').read_bytes()
    state_dicts.read(tmp_path / 'a.pth')
    for size in (0, 1, 2, 10, 30, len(whole) // 2, len(whole) - 100, len(whole) - 1):
        (tmp_path / 'a.pth').write_bytes(whole[:size])
        refused(tmp_path / 'a.pth', 'fetch it again')


@pytest.mark.parametrize('place', [100, 200, 300])
def test_a_flipped_byte_in_a_zip_is_noticed(tmp_path, place):
    pth.save(tmp_path / 'a.pth', {'a': NUMBERS}, 'zip')
    data = bytearray((tmp_path / 'a.pth').read_bytes())
    data[place] ^= 1
    (tmp_path / 'a.pth').write_bytes(data)
    refused(tmp_path / 'a.pth')


@pytest.mark.parametrize(
    'content', [b'<html>404</html>', b'\x89PNG\r\n\x1a\n' + bytes(99), b'PK\x03\x04' + bytes(99)]
)
def test_foreign_files_are_refused(tmp_path, content):
    (tmp_path / 'a.pth').write_bytes(content)
    refused(tmp_path / 'a.pth', 'fetch it again')


@FORMS
@pytest.mark.parametrize(
    ('found', 'words'),
    [
        ([1, 2], 'a list'),
        ({'epoch': 3}, "'epoch'"),
        ({'state_dict': {'x': number_tensor((1,), (1,))}}, "'state_dict'"),
        ({3: number_tensor((1,), (1,))}, '3 is'),
        ({'x': number_tensor((24,), (1,), 1)}, 'ends at 25'),
        ({'x': number_tensor((5, 5), (5, 1))}, 'ends at 25'),
        ({'x': number_tensor((2,), (-1,), 5)}, 'strides (-1,)'),
        ({'x': number_tensor((2,), (1,), -1)}, 'offset -1'),
        ({'x': number_tensor((2, 2), (1,))}, 'shape (2, 2)'),
        ({'x': pth.tensor('7', 'Double', 24, (1,), (1,))}, 'float64'),
        ({'x': pth.tensor('7', 'Quantized', 24, (1,), (1,))}, 'torch.QuantizedStorage'),
        ({'x': pth.Reference(('module', 'x', 'y', 'z', 1))}, 'no storage'),
    ],
)
def test_what_is_no_dictionary_of_tensors_is_refused(tmp_path, form, found, words):
    storages = STORAGES if b'Storage' in pth.pickled(found) else {}
    pth.WRITERS[form](tmp_path / 'a.pth', found, storages)
    refused(tmp_path / 'a.pth', words)


def test_storages_of_the_wrong_length_are_refused(tmp_path):
    found = {'x': number_tensor((2,), (1,))}
    pth.write_zip(tmp_path / 'a.pth', found, {'7': (24, bytes(92))})
    refused(tmp_path / 'a.pth', '92 bytes')
    pth.write_stream(tmp_path / 'a.pth', found, {'7': (23, bytes(96))})
    refused(tmp_path / 'a.pth', 'storage 7')
    pth.write_stream(tmp_path / 'a.pth', found, {})
    refused(tmp_path / 'a.pth')


def test_big_endian_files_are_refused(tmp_path):
    found = {'x': number_tensor((2,), (1,))}
    pth.write_zip(tmp_path / 'a.pth', found, STORAGES, byteorder='big')
    refused(tmp_path / 'a.pth', 'big-endian')
    pth.write_stream(tmp_path / 'a.pth', found, STORAGES, little=False)
    refused(tmp_path / 'a.pth', 'big-endian')


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    refused(tmp_path / 'absent.pth', 'No such file')
    refused(pathlib.Path(tmp_path), 'directory')


def test_there_are_many_hostile_files():
    assert len(hostile.FILES) + len(hostile.LARGE) >= 150
    assert hostile.FILES.keys() > SAID.keys()


SAID = {
    'a pipe': 'a device or a pipe',
    'zeros without end': 'a device or a pipe',
    'a terabyte': '1099511627776 bytes, more than 268435456',
    'a deflated storage': 'compressed',
    'a deflated pickle': 'compressed',
    'a deflated byte order': 'compressed',
    'a zip of 600,000 members': 'a directory of 37200000 bytes',
    'a zip of endless notes': 'a directory of 51249600 bytes',
    'a zip that hides its end': 'without its end',
    'billion laughs for a name': 'a tuple is no name',
    'billion laughs for an id': 'no storage',
    'a deep tuple for a shape': 'no numbers for its offset, shape and strides',
    'four million steps': 'more than 100000 steps',
    'a number of a million bytes': '7999999 bits',
    'numbers of 255 bytes': '2039 bits',
    'one number, often': 'its tensors are 40000000000 bytes',
    'whole copies of one storage': 'it holds 20000 tensors',
    'copies of one storage': 'its tensors are 4000000000 bytes',
    'views of one storage': 'more than 100000 steps',
    'a storage of 2^62': 'its storages are 18446744073709551616 bytes',
    'a storage that is elsewhere': 'archive/data/../../../../etc/passwd',
    'a name that clears the screen': "'posix.\\x1b[2Jsystem'",
}


@pytest.mark.parametrize('name', hostile.FILES)
def test_a_hostile_file_runs_nothing_and_is_refused_at_once(tmp_path, name):
    path = hostile.FILES[name](tmp_path)
    with untraced.at_most(seconds=2):
        refused(path, SAID.get(name, ''))
    assert not (tmp_path / 'touched').exists()
    assert not os.path.exists('/tmp/hostile')


# Each in a process of its own, whose peak of memory is its own.
MEASURE = """
import os, pathlib, resource, sys, tempfile, time
from networks.torch_files import hostile
from gan_jax.errors import UserError
from gan_jax.networks.torch_files import state_dicts
for name, write in (hostile.FILES | hostile.LARGE).items():
    with tempfile.TemporaryDirectory() as folder:
        writer = os.fork()  # what a file takes to be written is not counted
        if not writer:
            write(pathlib.Path(folder))
            os._exit(0)
        os.waitpid(writer, 0)
        path = pathlib.Path(folder, 'a.pth')
        path = path if os.path.lexists(path) else write(pathlib.Path(folder))
        start, child = time.monotonic(), os.fork()
        if not child:
            try:
                state_dicts.read(path)
            except UserError:
                os._exit(7)
            os._exit(1)
        _, status, usage = os.wait4(child, 0)
        print(os.waitstatus_to_exitcode(status), round(time.monotonic() - start, 3),
              usage.ru_maxrss // 1024, name, sep='\t', flush=True)
"""


@pytest.mark.slow
def test_no_hostile_file_takes_a_gigabyte():
    places = os.pathsep.join([str(methods.ROOT), str(methods.ROOT / 'tests')])
    done = subprocess.run(
        [sys.executable, '-c', MEASURE], cwd=methods.ROOT, check=True, capture_output=True,
        text=True, timeout=600, env={**os.environ, 'PYTHONPATH': places},
    )  # fmt: skip
    rows = [line.split('\t') for line in done.stdout.splitlines()]
    assert [name for *_, name in rows] == [*hostile.FILES, *hostile.LARGE]
    for code, seconds, megabytes, name in rows:
        assert code == '7', name
        assert float(seconds) < 2, name
        assert int(megabytes) < 1000, name
