"""Writes network pickles as StyleGAN2's authors' code does, without PyTorch."""

import struct

import numpy as np
from networks.torch_files import pth

SOURCE = 'raise SystemExit("the source text of a class was run")'
RECONSTRUCT = pth.Global('torch_utils.persistence', '_reconstruct_persistent_obj')
SYSTEM = {'protocol_version': 1001, 'little_endian': True, 'type_sizes': {'int': 4}}


def storage(x, key='7', size=None):
    """What PyTorch writes of a storage: a stream of its own, in a byte string."""
    size = x.size if size is None else size
    kind = pth.Global('torch', f'{pth.KINDS[x.dtype.name]}Storage')
    reference = pth.Reference(('storage', kind, key, 'cpu', size, None))
    parts = [0x1950A86A20F9469CFC6C, 1001, SYSTEM, reference, [key]]
    return b''.join(map(pth.pickled, parts)) + struct.pack('<q', size) + x.tobytes()


def loaded(raw):
    return pth.Call(pth.Global('torch.storage', '_load_from_bytes'), (raw,))


def tensor(x, raw=None):
    strides = tuple(step // x.itemsize for step in np.empty(x.shape, x.dtype).strides)
    rebuild = pth.Global('torch._utils', '_rebuild_tensor_v2')
    inner = loaded(storage(x) if raw is None else raw)
    return pth.Call(rebuild, (inner, 0, x.shape, strides, False, pth.Call(pth.ORDERED, ())))


def module(name, parameters=None, buffers=None, modules=None, **state):
    state = {
        '_parameters': parameters or {}, '_buffers': buffers or {}, '_modules': modules or {}
    } | state  # fmt: skip
    facts = {'type': 'class', 'version': 6, 'module_src': SOURCE, 'class_name': name}
    return pth.Call(RECONSTRUCT, (facts | {'state': state},))


def network(name, arguments, arrays, buffers=('w_avg', 'noise_const', 'resample_filter')):
    """A network of {'mapping.fc0.weight': array, ...}."""

    def part(name, arrays, **state):
        own = {key: x for key, x in arrays.items() if '.' not in key}
        inner = {}
        for key, x in arrays.items():
            if '.' in key:
                first, _, rest = key.partition('.')
                inner.setdefault(first, {})[rest] = x
        return module(
            name,
            {k: pth.parameter(tensor(x)) for k, x in own.items() if k not in buffers},
            {k: tensor(x) for k, x in own.items() if k in buffers},
            {k: part('Part', x) for k, x in inner.items()},
            **state,
        )

    return part(name, arrays, _init_args=(), _init_kwargs=arguments)


def write(path, **networks):
    """The file; of a value that is no network, it is as it stands."""
    path.write_bytes(pth.pickled({'training_set_kwargs': {'path': 'x'}, **networks}))
    return path
