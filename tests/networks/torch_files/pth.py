"""Writes PyTorch's files byte by byte, good ones and bad ones, without PyTorch."""

import struct
import zipfile
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

KINDS = {
    'bool': 'Bool',
    'uint8': 'Byte',
    'int8': 'Char',
    'int16': 'Short',
    'int32': 'Int',
    'int64': 'Long',
    'float16': 'Half',
    'float32': 'Float',
    'float64': 'Double',
    'bfloat16': 'BFloat16',
}
DTYPES = {name: np.dtype(getattr(ml_dtypes, name, name)) for name in KINDS}


class Global(NamedTuple):
    module: str
    name: str


class Call(NamedTuple):
    function: Any
    arguments: tuple


class Reference(NamedTuple):
    pid: tuple


class Ordered(dict):
    """Pickled as an OrderedDict with the attribute that state dictionaries have."""


ORDERED = Global('collections', 'OrderedDict')


def _opcodes(x):
    match x:
        case None:
            return b'N'
        case bool():
            return b'\x88' if x else b'\x89'
        case int():
            raw = x.to_bytes(x.bit_length() // 8 + 1, 'little', signed=True)
            return b'\x8a' + bytes([len(raw)]) + raw
        case float():
            return b'G' + struct.pack('>d', x)
        case bytes():
            return b'B' + struct.pack('<I', len(x)) + x
        case str():
            return b'X' + struct.pack('<I', len(x.encode())) + x.encode()
        case Global():
            return f'c{x.module}\n{x.name}\n'.encode()
        case Call():
            return _opcodes(x.function) + _opcodes(x.arguments) + b'R'
        case Reference():
            return _opcodes(x.pid) + b'Q'
        case Ordered():
            items = b''.join(_opcodes(y) for item in x.items() for y in item)
            metadata = {'_metadata': Call(ORDERED, ())}
            return _opcodes(Call(ORDERED, ())) + b'(' + items + b'u' + _opcodes(metadata) + b'b'
        case dict():
            return b'}(' + b''.join(_opcodes(y) for item in x.items() for y in item) + b'u'
        case tuple():
            return b'(' + b''.join(map(_opcodes, x)) + b't'
        case list():
            return b'](' + b''.join(map(_opcodes, x)) + b'e'
    raise TypeError(type(x))


def pickled(x):
    return b'\x80\x02' + _opcodes(x) + b'.'


def tensor(key, kind, size, shape, strides, offset=0, last=()):
    """What a pickle says of a tensor in storage `key` of `size` elements."""
    storage = Reference(('storage', Global('torch', f'{kind}Storage'), key, 'cpu', size, *last))
    rebuild = Global('torch._utils', '_rebuild_tensor_v2')
    return Call(rebuild, (storage, offset, shape, strides, False, Call(ORDERED, ())))


def parameter(inner):
    rebuild = Global('torch._utils', '_rebuild_parameter')
    return Call(rebuild, (inner, True, Call(ORDERED, ())))


def write_zip(path, found, storages, folder='archive', byteorder='little'):
    """`storages`: key -> (element count, bytes)."""
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr(f'{folder}/data.pkl', pickled(found))
        archive.writestr(f'{folder}/byteorder', byteorder)
        for key, (_, data) in storages.items():
            archive.writestr(f'{folder}/data/{key}', data)
        archive.writestr(f'{folder}/version', '3\n')


def write_stream(path, found, storages, little=True):
    system = {'protocol_version': 1001, 'little_endian': little, 'type_sizes': {'int': 4}}
    parts = [0x1950A86A20F9469CFC6C, 1001, system, found, list(storages)]
    data = [struct.pack('<q', count) + raw for count, raw in storages.values()]
    path.write_bytes(b''.join([*map(pickled, parts), *data]))


WRITERS = {'zip': write_zip, 'stream': write_stream}


def save(path, arrays, form='zip'):
    """Writes {name: array}, each in a storage of its own."""
    found, storages = Ordered(), {}
    for key, (name, x) in enumerate(arrays.items()):
        strides = tuple(step // x.itemsize for step in np.empty(x.shape, x.dtype).strides)
        more = (None,) if form == 'stream' else ()
        kind = KINDS[x.dtype.name]
        found[name] = tensor(str(key), kind, x.size, x.shape, strides, last=more)
        storages[str(key)] = (x.size, x.tobytes())
    WRITERS[form](path, found, storages)
