"""Pickled PyTorch networks whose classes carry their source text, read without running it.

In such a file, as StyleGAN2's authors write it, a module is a call of
`torch_utils.persistence._reconstruct_persistent_obj` on a dictionary: its class's name, its source
text, and its state, in which are its parameters, buffers, inner modules and the arguments that it
was made with. A tensor's storage is a byte string, a file of the older form (state_dicts.py).

Nothing but dictionaries, lists, texts, numbers and `Module`s is made of a file; what tensors hold
is read when arrays are asked for.
"""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from gan_jax.errors import UserError, one_line
from gan_jax.networks.torch_files import pickles, state_dicts
from gan_jax.networks.torch_files.pickles import Form, Storage, Tensor, told, unpickle
from gan_jax.runtime import files

# The largest published, of 1024 pixels, has 382 MB and some 40,000 steps.
MOST_BYTES = 2**29  # of a file
MOST_MODULES = 2000
MOST_TENSORS = 10_000
MOST_DEPTH = 16  # of modules in modules


class Module(NamedTuple):
    """A network or a part of one.

    Attributes:
      name: its class's.
      state: its attributes.
    """

    name: str
    state: Mapping[str, Any]


class Packed(NamedTuple):
    """A storage as it stands in the file: a byte string in the older form."""

    raw: bytes | memoryview


class Unread(NamedTuple):
    """What has no meaning here, such as a number of NumPy's or a device."""


def _module(meta: Any) -> Module:
    if type(meta) is not dict or meta.get('type') != 'class':
        raise ValueError('it has a module without a class')
    name, state = meta.get('class_name'), meta.get('state')
    if type(name) is not str or type(state) is not dict:
        raise ValueError('it has a module without a name or a state')
    return Module(name, state)


def _packed(raw: Any) -> Packed:
    if not isinstance(raw, bytes | memoryview):
        raise ValueError('it has a storage that is no byte string')
    return Packed(raw)


def _unread(*_: Any) -> Unread:
    return Unread()


def _built(x: Any, state: Any) -> Any:
    return x if isinstance(x, Unread) else pickles.without_attributes(x, state)


_IGNORED = (
    'numpy dtype', 'numpy.core.multiarray scalar', 'numpy._core.multiarray scalar',
    'torch device', 'torch Size',
)  # fmt: skip
_FORM = Form(
    'a network',
    calls={
        'torch_utils.persistence _reconstruct_persistent_obj': _module,
        'collections OrderedDict': pickles.ordered,
        'dnnlib.util EasyDict': pickles.ordered,
        'torch.storage _load_from_bytes': _packed,
        'torch._utils _rebuild_tensor_v2': pickles.tensor,
        'torch._utils _rebuild_parameter': pickles.parameter,
        **dict.fromkeys(_IGNORED, _unread),
    },
    names=frozenset({'torch float16', 'torch float32', 'torch float64'}),
    most_steps=300_000,
    most_bytes=2**24,
    most_string=MOST_BYTES,
    built=_built,
)
# A storage's own pickles have some 30 steps.
_INNER = state_dicts.FORM._replace(what='a storage', most_steps=300, most_bytes=2**12)


def parse(raw: bytes, where: str | os.PathLike) -> dict[str, Any]:
    """The dictionary that a file holds; see `read`."""
    try:
        found, _, _ = unpickle(raw, _FORM)
        if type(found) is not dict:
            raise ValueError(f'it holds {told(found)}, not a dictionary of networks')
    except Exception as error:  # a damaged file may raise nearly anything
        raise UserError(
            f'{where} is not a whole network pickle of stylegan2-ada-pytorch '
            f'({one_line(error)}): fetch it again; one of TensorFlow is converted by its legacy.py'
        ) from error
    return found


def read(path: str | os.PathLike) -> dict[str, Any]:
    """Reads a file of networks as StyleGAN2's authors write them.

    Args:
      path: the file, of 512 MiB at most.

    Returns:
      What stands in it by name: `Module`s, and other things.

    Raises:
      UserError: if there is no such file or it is damaged or holds anything else.
    """
    return parse(files.contents(path, MOST_BYTES), path)


def tensors(module: Module) -> dict[str, Tensor]:
    """The parameters and buffers of a module and of those in it, by their names with dots.

    Raises:
      ValueError: if it holds anything else, or too many of them.
    """
    found: dict[str, Tensor] = {}
    waiting, modules = [('', 0, module)], 0
    while waiting:
        prefix, depth, own = waiting.pop()
        modules += 1
        if modules > MOST_MODULES or depth > MOST_DEPTH:
            raise ValueError(f'it has more than {MOST_MODULES} modules, or {MOST_DEPTH} in another')
        for group in ('_parameters', '_buffers', '_modules'):
            entries = own.state.get(group)
            if type(entries) is not dict:
                raise ValueError(f'its {own.name!r:.80} has no {group}')
            wanted = Module if group == '_modules' else Tensor
            for name, entry in entries.items():
                if entry is None:  # a bias that is not used
                    continue
                if not isinstance(entry, wanted):
                    raise ValueError(f'{prefix}{name:.80} is {told(entry)}')
                if isinstance(entry, Module):
                    waiting.append((f'{prefix}{name}.', depth + 1, entry))
                else:
                    found[f'{prefix}{name}'] = entry
            if len(found) > MOST_TENSORS or len(waiting) > MOST_MODULES:
                raise ValueError(f'it has more than {MOST_TENSORS} tensors')
    return found


def arrays(tensors: Mapping[str, Tensor], most: int) -> dict[str, np.ndarray]:
    """The tensors' arrays, each its own.

    Args:
      tensors: by name.
      most: the bytes of the file, in which all must find room; storages may be shared, but not
        endlessly.

    Raises:
      Exception: of many kinds, if a storage is broken or a tensor does not lie in it.
    """
    opened: dict[str, tuple[Tensor, memoryview]] = {}
    total = 0
    for name, tensor in tensors.items():
        if not isinstance(tensor.storage, Packed):
            raise ValueError(f'{name} is without a storage')
        storage, data = state_dicts.opened(tensor.storage.raw, _INNER)
        if not isinstance(storage, Storage) or storage.key not in data:
            raise ValueError(f'{name} is without a storage')
        tensor = tensor._replace(storage=storage)
        total += state_dicts.check(tensor)
        if total > state_dicts.MOST_SHARED * most:
            raise ValueError(f'its tensors are more than {total} bytes, the file {most}')
        opened[name] = tensor, data[storage.key]
    return {name: state_dicts.array(*given) for name, given in opened.items()}
