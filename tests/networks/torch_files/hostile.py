"""Files that mean harm to who reads weights: to run something, or to cost time or memory.

`FILES` is {name: write}, and write(folder) -> the path to be read. What would be run touches
folder/touched.
"""

import contextlib
import os
import pathlib
import socket
import struct
import zipfile

from networks.torch_files import pth

K = 1000
TOUCH = 'touch {}'
CALLS = {
    'posix.system': (TOUCH,),
    'os.system': (TOUCH,),
    'nt.system': (TOUCH,),
    'os.popen': (TOUCH,),
    'os.mkdir': ('{}',),
    'subprocess.Popen': (('touch', '{}'),),
    'subprocess.check_output': (('touch', '{}'),),
    'builtins.open': ('{}', 'w'),
    'builtins.eval': ('open("{}", "w")',),
    'builtins.exec': ('open("{}", "w")',),
    'builtins.__import__': ('antigravity',),
    'builtins.getattr': ('', 'join'),
    '__builtin__.eval': ('open("{}", "w")',),
    'io.open': ('{}', 'w'),
    'pathlib.Path.touch': (),
    'shutil.rmtree': ('{}',),
    'runpy.run_path': ('{}',),
    'importlib.import_module': ('antigravity',),
    'pickle.loads': ('cos\nsystem\n.',),
    'codecs.decode': ('', 'zip'),
    'ctypes.CDLL': ('{}',),
    'code.interact': (),
    'timeit.timeit': ('open("{}", "w")',),
    'webbrowser.open': ('{}',),
    'socket.create_connection': (('127.0.0.1', 9),),
    'time.sleep': (1000,),
    'torch.load': ('{}',),
    'torch.hub.load': ('{}',),
    'torch.storage._load_from_bytes': ('',),
    'torch._utils._rebuild_sparse_tensor': (),
    'torch.jit._script.unpackage_script_module': (),
    'torch_utils.persistence._reconstruct_persistent_obj': ('{}',),
    'collections.Counter': ('{}',),
    'collections.defaultdict': (),
}


# ---- Pieces of a pickle ----------------------------------------------------------------------
def op(x):
    return pth._opcodes(x)


def text(x):
    return b'X' + struct.pack('<I', len(x)) + x.encode()


def program(*parts):
    return b'\x80\x02' + b''.join(parts) + b'.'


def held(value):
    """A dictionary of one name, from the value's opcodes."""
    return program(b'}', op('x'), value, b's')


def named(key):
    """A dictionary whose name is this, from its opcodes."""
    return program(b'}', key, b'Ns')


def laughs(depth=60):
    """A tuple of 2^60 leaves, all shared."""
    parts = [b'N\x85q\x00']
    for _ in range(depth):
        parts.append(b'h\x00h\x00\x86q\x00')
    return b''.join(parts)


def deep(kind, depth=20 * K):
    """A tuple in a tuple in a tuple, or lists, or dictionaries."""
    if kind == 'tuple':
        return b')' + b'\x85' * depth
    if kind == 'list':
        return b']' * depth + b'a' * (depth - 1)
    return b'}X\x01\x00\x00\x00x' * (depth - 1) + b'}' + b's' * (depth - 1)


STORAGE = op(pth.Reference(('storage', pth.Global('torch', 'FloatStorage'), '7', 'cpu', 24)))
ZERO, SHAPE, STRIDES = op(0), op((24,)), op((1,))
KEY, KIND, SIZE = op('7'), op(pth.Global('torch', 'FloatStorage')), op(24)
REBUILD = op(pth.Global('torch._utils', '_rebuild_tensor_v2'))


def tensor(storage=STORAGE, offset=ZERO, shape=SHAPE, strides=STRIDES, more=b'\x89N'):
    return REBUILD + b'(' + storage + offset + shape + strides + more + b'tR'


def reference(key=KEY, kind=KIND, size=SIZE, more=b''):
    return b'(' + op('storage') + kind + key + op('cpu') + size + more + b'tQ'


def many(num, one):
    """A dictionary of so many names for what `one` leaves on the stack after being memoized."""
    items = b''.join(text(f'{i}') + b'h\x01' for i in range(num))
    return program(one, b'q\x01}(', items, b'u')


def repeated(num, before, one):
    """`one` so many times, each result thrown into a list."""
    return program(before, b'](', one * num, b'e')


# ---- Files -----------------------------------------------------------------------------------
def zipped(raw, members=None, compression=zipfile.ZIP_STORED, size=96):
    members = {'archive/data/7': bytes(size)} if members is None else members

    def write(folder):
        with zipfile.ZipFile(folder / 'a.pth', 'w', compression) as archive:
            archive.writestr('archive/data.pkl', raw)
            for name, data in members.items():
                archive.writestr(name, data)
        return folder / 'a.pth'

    return write


def stream(*pickles, data=b''):
    system = {'protocol_version': 1001, 'little_endian': True, 'type_sizes': {'int': 4}}
    head = b''.join(map(pth.pickled, (0x1950A86A20F9469CFC6C, 1001, system)))
    return plain(head + b''.join(pickles) + data)


def plain(raw):
    def write(folder):
        (folder / 'a.pth').write_bytes(raw)
        return folder / 'a.pth'

    return write


def calling(writer, name, arguments):
    def write(folder):
        module, _, function = name.rpartition('.')
        target = str(folder / 'touched')
        given = tuple(_filled(x, target) for x in arguments)
        found = {'x': pth.Call(pth.Global(module, function), given)}
        pth.WRITERS[writer](folder / 'a.pth', found, {})
        return folder / 'a.pth'

    return write


def _filled(x, target):
    if isinstance(x, tuple):
        return tuple(_filled(y, target) for y in x)
    return x.format(target) if isinstance(x, str) else x


def changed(raw, change, size=96):
    """A zip whose bytes were changed after it was written."""

    def write(folder):
        file = zipped(raw, size=size)(folder)
        file.write_bytes(change(file.read_bytes()))
        return file

    return write


def fifo(folder):
    os.mkfifo(folder / 'a.pth')
    return folder / 'a.pth'


def listening(folder):
    with socket.socket(socket.AF_UNIX) as made, contextlib.chdir(folder):  # paths must be short
        made.bind('a.pth')
    return folder / 'a.pth'


def linked(target):
    def write(folder):
        (folder / 'a.pth').symlink_to(target)
        return folder / 'a.pth'

    return write


def sparse(size, head=b''):
    def write(folder):
        with (folder / 'a.pth').open('wb') as file:
            file.write(head)
            file.truncate(size)
        return folder / 'a.pth'

    return write


def long_directory(num, extra=b''):
    """A zip of so many members of nothing, which takes zipfile seconds to list."""

    def write(folder):
        name = b'archive/data.pkl'
        entry = struct.pack('<4s4B4HL2L5H2L', b'PK\1\2', 20, 3, 20, 0, 0, 0, 0, 0, 0, 0, 0,
                            len(name), len(extra), 0, 0, 0, 0, 0)  # fmt: skip
        directory = (entry + name + extra) * num
        place = struct.pack('<4sLQL', b'PK\6\7', 0, 30 + len(directory), 1)
        large = struct.pack('<4sQ2H2L4Q', b'PK\6\6', 44, 45, 45, 0, 0, num, num, len(directory), 30)
        end = struct.pack('<4s4H2LH', b'PK\5\6', 0, 0, 65535, 65535, 2**32 - 1, 2**32 - 1, 0)
        (folder / 'a.pth').write_bytes(b'PK\3\4' + bytes(26) + directory + large + place + end)
        return folder / 'a.pth'

    return write


GOOD = held(tensor())
BOMB = bytes(30 * K * K)  # 30 kB when deflated
LONG_NUMBERS = b'(' + b'K\x00' * (100 * K) + b't'
DEFLATED = zipfile.ZIP_DEFLATED

FILES = {
    # What would be run.
    **{
        f'{name}, {form}': calling(form, name, arguments)
        for name, arguments in CALLS.items()
        for form in pth.WRITERS
    },
    'a name from the stack': zipped(
        held(b'\x8c\x05posix\x8c\x06system\x93' + op(('touch /tmp/hostile',)) + b'R')
    ),
    'a name that clears the screen': calling('zip', 'posix.\x1b[2Jsystem', ()),
    'a name with a space': zipped(held(b'ctorch FloatStorage\nx\n')),
    'INST': zipped(held(b'(' + op('touch /tmp/hostile') + b'iposix\nsystem\n')),
    'OBJ': zipped(held(b'(cposix\nsystem\n' + op('touch /tmp/hostile') + b'o')),
    'NEWOBJ': zipped(held(b'csubprocess\nPopen\n' + op(('true',)) + b'\x81')),
    'NEWOBJ_EX': zipped(held(b'csubprocess\nPopen\n' + op(('true',)) + b'}\x92')),
    'EXT1': zipped(held(b'\x82\x01')),
    'EXT2': zipped(held(b'\x83\x01\x00')),
    'EXT4': zipped(held(b'\x84\x01\x00\x00\x00')),
    'a persistent id as text': zipped(held(b'Pstorage\n')),
    'a call of a text': zipped(held(op('system') + op(('x',)) + b'R')),
    'a call of a storage': zipped(held(op(pth.Global('torch', 'FloatStorage')) + b')R')),
    'a call of a dictionary': zipped(held(b'})R')),
    'attributes of a name': zipped(held(op(pth.ORDERED) + b'}b')),
    'attributes of a tensor': zipped(held(tensor() + b'}b')),
    'a buffer from outside': zipped(held(b'\x97')),
    'an object array': plain(b'\x93NUMPY\x01\x00v\x00' + bytes(200)),
    # What cannot end.
    'a pipe': fifo,
    'a socket': listening,
    'zeros without end': linked('/dev/zero'),
    'noise without end': linked('/dev/urandom'),
    'nothing': linked('/dev/null'),
    'a terminal': linked('/dev/tty'),
    'a link to itself': linked('a.pth'),
    'a folder': lambda folder: folder,
    'memory': lambda folder: pathlib.Path('/proc/self/mem'),
    'a name that cannot be': lambda folder: pathlib.Path(f'{folder}/a\0.pth'),
    'a name that is too long': lambda folder: folder / ('a' * 5000),
    'a terabyte': sparse(2**40),
    'a zip of a terabyte': sparse(2**40, b'PK\3\4'),
    'an empty file': plain(b''),
    # Bombs in zips.
    'a deflated storage': zipped(GOOD, {'archive/data/7': BOMB}, DEFLATED),
    'a deflated pickle': zipped(BOMB, {}, DEFLATED),
    'a deflated byte order': zipped(GOOD, {'archive/byteorder': BOMB}, DEFLATED),
    'bzip2': zipped(GOOD, {'archive/data/7': BOMB[: 5 * K * K]}, zipfile.ZIP_BZIP2),
    'lzma': zipped(GOOD, {'archive/data/7': BOMB[: 5 * K * K]}, zipfile.ZIP_LZMA),
    'a zip of 600,000 members': long_directory(600 * K),
    'a zip of endless notes': long_directory(800, struct.pack('<HH', 7, 0) * 16000),
    'a zip that hides its end': changed(GOOD, lambda raw: raw + bytes(60 * K)),
    'a zip with a comment': changed(GOOD, lambda raw: raw[:-2] + b'\xff\xff' + bytes(65535)),
    'a zip that lies of its directory': changed(
        GOOD, lambda raw: raw[:-10] + b'\xff\xff\xff\x0f' + raw[-6:]
    ),
    'a zip with a far directory': changed(
        GOOD, lambda raw: raw[:-22] + struct.pack('<4sLQL', b'PK\6\7', 0, 2**62, 1) + raw[-22:]
    ),
    'a zip of unknown methods': changed(GOOD, lambda raw: raw.replace(bytes(7), b'\x63' * 7)),
    'two dictionaries': zipped(GOOD, {'other/data.pkl': GOOD}),
    # Pickles that are small and hold much.
    'billion laughs': zipped(held(laughs())),
    'billion laughs for the whole': zipped(program(laughs())),
    'billion laughs for a name': zipped(named(laughs())),
    'billion laughs for an ordered name': zipped(
        program(op(pth.ORDERED), b'](' + laughs() + b'N\x86e\x85R')
    ),
    'billion laughs for a storage': zipped(held(tensor(laughs()))),
    'billion laughs for an id': zipped(held(tensor(laughs() + b'Q'))),
    'billion laughs for a key': zipped(held(tensor(reference(key=laughs())))),
    'billion laughs for a kind': zipped(held(tensor(reference(kind=laughs())))),
    'billion laughs for a size': zipped(held(tensor(reference(size=laughs())))),
    'billion laughs for a view': zipped(held(tensor(reference(more=laughs())))),
    'billion laughs for an offset': zipped(held(tensor(offset=laughs()))),
    'billion laughs for a shape': zipped(held(tensor(shape=laughs()))),
    'billion laughs for strides': zipped(held(tensor(strides=laughs()))),
    'billion laughs for a function': zipped(held(laughs() + b')R')),
    'billion laughs for a module': zipped(held(laughs() + op('x') + b'\x93')),
    'billion laughs for the keys': stream(GOOD, program(b'](', laughs(), b'e')),
    'billion laughs for the magic number': plain(program(laughs())),
    **{
        f'a deep {kind} for {what}': zipped(make(deep(kind)))
        for kind in ('tuple', 'list', 'dictionary')
        for what, make in {
            'a tensor': held,
            'the whole': program,
            'a name': named,
            'an id': lambda x: held(tensor(x + b'Q')),
            'a shape': lambda x: held(tensor(shape=x)),
            'a kind': lambda x: held(tensor(reference(kind=x))),
        }.items()
    },
    'a very deep tuple for a name': zipped(named(deep('tuple', 100 * K))),
    'a very deep tuple for a kind': zipped(held(tensor(reference(kind=deep('tuple', 100 * K))))),
    'a list in itself': zipped(program(b']q\x00h\x00a')),
    'a dictionary in itself': zipped(program(b'}q\x00', op('x'), b'h\x00s')),
    # Pickles that take long.
    'four million steps': zipped(b'\x80\x02' + b'N' * 4 * K * K),
    'four million marks': zipped(b'\x80\x02' + b'(' * 4 * K * K),
    'a number of a million bytes': zipped(
        held(b'\x8b' + struct.pack('<i', K * K) + b'\x77' * K * K)
    ),
    'numbers of 255 bytes': zipped(held(tensor(offset=b'\x8a\xff' + b'\x7f' * 255))),
    'a number of a million digits': zipped(held(b'I' + b'9' * K * K + b'\n')),
    'a long number of a million digits': zipped(held(b'L' + b'9' * K * K + b'L\n')),
    'a text that is not there': zipped(held(b'\x8d' + struct.pack('<Q', 2**62))),
    'bytes that are not there': zipped(held(b'\x8e' + struct.pack('<Q', 2**62))),
    'a frame that is not there': zipped(b'\x80\x04\x95' + struct.pack('<Q', 2**62) + b'N.'),
    'a memo without end': zipped(program(b'Nr\xff\xff\xff\xff', b'j\xff\xff\xff\xff')),
    'what was never kept': zipped(held(b'h\x09')),
    'an empty stack': zipped(program(b'R')),
    'a line without end': zipped(b'\x80\x02c' + b'x' * 4 * K * K),
    'a long list of items used often': zipped(
        repeated(
            50 * K,
            b'](' + (op('x') + b'N\x86') * 20 * K + b'e\x85q\x00' + op(pth.ORDERED) + b'q\x01',
            b'h\x01h\x00R',
        )
    ),
    'long arguments used often': zipped(
        repeated(50 * K, LONG_NUMBERS + b'q\x00' + REBUILD + b'q\x01', b'h\x01h\x00R')
    ),
    'a long id used often': zipped(
        repeated(50 * K, b'(' + op('storage') + LONG_NUMBERS[1:] + b'q\x00', b'h\x00Q')
    ),
    'a long shape used often': zipped(
        repeated(
            20 * K,
            LONG_NUMBERS + b'q\x00' + STORAGE + b'q\x01' + REBUILD + b'q\x02',
            b'h\x02(h\x01K\x00h\x00h\x00\x89NtR',
        )
    ),
    'names with one hash': zipped(
        program(b'}(', *(op(i * (2**61 - 1)) + b'N' for i in range(60 * K)), b'u')
    ),
    # Tensors that are not there.
    'views of one storage': zipped(many(100 * K, tensor(reference(size=op(5 * K * K)))),
                                   size=20 * K * K),
    'whole copies of one storage': zipped(
        many(20 * K, tensor(reference(size=op(K * K)), shape=op((K * K,)))), size=4 * K * K
    ),
    'copies of one storage': zipped(
        many(1000, tensor(reference(size=op(K * K)), shape=op((K * K,)))), size=4 * K * K
    ),
    'one number, often': zipped(held(tensor(shape=op((10 * K * K * K,)), strides=op((0,))))),
    'one number, very often': zipped(held(tensor(shape=op((2**40,) * 6), strides=op((0,) * 6)))),
    'a thousand axes': zipped(held(tensor(shape=op((1,) * 1000), strides=op((0,) * 1000)))),
    'no number, very often': zipped(held(tensor(shape=op((0, 2**63)), strides=op((1, 1))))),
    'a storage of 2^62': zipped(held(tensor(reference(size=op(2**62))))),
    'a storage of less than nothing': zipped(held(tensor(reference(size=op(-24))))),
    'a storage that is too short': zipped(held(tensor(reference(size=op(2400))))),
    'a storage of a stream that is too short': stream(
        held(tensor(reference(size=op(2**34)))), program(b']', op('7'), b'a'), data=bytes(8)
    ),
    'a storage named a million times': stream(
        GOOD, program(op('7'), b'q\x00](', b'h\x00' * 200 * K, b'e'), data=struct.pack('<q', 24)
    ),
    'a storage that is elsewhere': zipped(
        held(tensor(reference(key=op('../../../../etc/passwd')))), {'../../etc/passwd': b'x' * 96}
    ),
}  # fmt: skip
# Which take a moment to write.
LARGE = {
    'zeros as large as may be': sparse(2**28),
    'a stream as large as may be': sparse(2**28, program(op(0x1950A86A20F9469CFC6C))),
    'a zip as large as may be': sparse(2**28, b'PK\3\4'),
    'a storage as large as may be, with another sum': changed(
        held(tensor(reference(size=op(60 * K * K)), shape=op((60 * K * K,)))),
        lambda raw: raw[:10000] + b'\1' + raw[10001:],
        size=240 * K * K,
    ),
}
