"""StyleGAN2's official weights: read from the authors' pickles, without PyTorch.

    official = load('network.pkl')
    images = generate(official, z, truncation=0.7)

Parameters and buffers have the authors' names, with slashes for dots and `kernel` for `weight`,
and lie as JAX's layers have them:

    mapping.fc0.weight [out, in]                    mapping/fc0/kernel [in, out]
    synthesis.b8.conv0.weight [out, in, h, w]       synthesis/b8/conv0/kernel [h, w, in, out]
    synthesis.b4.const [c, h, w]                    synthesis/b4/const [h, w, c]
    mapping.w_avg, *.noise_const                    the same, in the collection 'buffers'
    *.resample_filter                               none: the field `filter` says it

Source: the network pickles of the authors' code of Training Generative Adversarial Networks with
Limited Data (Karras et al., 2020).
"""

import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from gan_jax.errors import UserError, one_line
from gan_jax.networks.stylegan2.arguments import Facts, of_discriminator, of_generator
from gan_jax.networks.stylegan2.common import BUFFERS
from gan_jax.networks.stylegan2.discriminator import Discriminator
from gan_jax.networks.stylegan2.generator import Generator
from gan_jax.networks.torch_files import modules
from gan_jax.networks.torch_files.modules import Module
from gan_jax.runtime import files

PARAMS = 'params'
OF_BUFFERS = ('w_avg', 'noise_const')  # the last parts of their names
UNREAD = 'resample_filter'
# By the last part of a name and the rank: the axes of theirs that are those of ours.
AXES = {('weight', 2): (1, 0), ('weight', 4): (2, 3, 1, 0), ('const', 3): (1, 2, 0)}

Path = tuple[str, ...]


class Network(NamedTuple):
    """One of the two networks.

    Attributes:
      fields: those of the module that a config may set.
      module: the module.
      variables: {'params': ..., 'buffers': ...}; of the discriminator without buffers.
    """

    fields: dict[str, Any]
    module: Any
    variables: dict[str, Any]


class Official(NamedTuple):
    """What is read of a pickle.

    Attributes:
      shape: (height, width, channels) of an image.
      classes: the size of a label, 0 without labels.
      generator: the running average of the generator, G_ema.
      discriminator: the discriminator, D.
    """

    shape: tuple[int, int, int]
    classes: int
    generator: Network
    discriminator: Network


# ---- The table of names ----------------------------------------------------------------------
def own_path(name: str) -> Path | None:
    """Where ours has what the authors call `name`; None if it has no such array.

    'mapping.fc0.weight' is ('params', 'mapping', 'fc0', 'kernel').
    """
    *inner, last = name.split('.')
    if last == UNREAD:
        return None
    collection = BUFFERS if last in OF_BUFFERS else PARAMS
    return collection, *inner, 'kernel' if last == 'weight' else last


def official_name(path: Path) -> str:
    """What the authors call the array that ours has at `path`; the inverse of `own_path`."""
    _, *inner, last = path
    return '.'.join([*inner, 'weight' if last == 'kernel' else last])


def _axes(name: str, rank: int) -> tuple[int, ...]:
    return AXES.get((name.rpartition('.')[2], rank), tuple(range(rank)))


def to_own(name: str, x: np.ndarray) -> np.ndarray:
    """The authors' array `name` as ours has it."""
    return np.array(np.transpose(x, _axes(name, x.ndim)), order='C')


def to_official(name: str, x: np.ndarray) -> np.ndarray:
    """Our array as the authors have it, whose name there is `name`; the inverse of `to_own`."""
    return np.array(np.transpose(x, np.argsort(_axes(name, x.ndim))), order='C')


# ---- Reading ---------------------------------------------------------------------------------
def _expected(make: Callable[[], Any]) -> dict[str, tuple[int, ...]]:
    """{the authors' name: its shape} of a network's variables, which are not made."""
    flat = traverse_util.flatten_dict(jax.eval_shape(make))
    shapes = {}
    for path, x in flat.items():
        name = official_name(path)
        axes = np.argsort(_axes(name, len(x.shape)))
        shapes[name] = tuple(x.shape[axis] for axis in axes)
    return shapes


def _variables(network: Module, wanted: Mapping[str, tuple[int, ...]], most: int) -> dict[str, Any]:
    """The arrays of a pickled network as the variables of ours.

    Raises:
      Exception: of many kinds, if there are others than those wanted or they are broken.
    """
    found = modules.tensors(network)
    found = {name: x for name, x in found.items() if own_path(name) is not None}
    for name in sorted(wanted.keys() | found.keys()):
        if name not in wanted:
            raise ValueError(f'it has {name:.80}, which the network of its arguments does not have')
        if name not in found:
            raise ValueError(f'it has no {name}')
        if found[name].shape != wanted[name]:
            raise ValueError(f'its {name} is {found[name].shape}, not {wanted[name]}')
    flat = {}
    for name, x in modules.arrays(found, most).items():
        if x.dtype != np.float32:
            raise ValueError(f'its {name} is {x.dtype}, not float32')
        if not np.isfinite(x).all():
            raise ValueError(f'its {name} has numbers that are not finite')
        flat[own_path(name)] = to_own(name, x)
    return traverse_util.unflatten_dict(flat)


def _network(
    found: Any, read: Callable[[Module], tuple[dict[str, Any], Facts]], most: int
) -> tuple[Network, Facts]:
    if not isinstance(found, Module):
        raise ValueError('it is not there')
    fields, facts = read(found)
    built_in: dict[str, Any] = {'shape': facts.shape, 'classes': facts.classes or None}
    labels = jnp.zeros((1, facts.classes)) if facts.classes else None
    rng = jax.random.key(0)
    if read is of_generator:
        module: Any = Generator(**built_in, **fields)
        example = jnp.zeros((1, fields['latent_size']))
    else:
        module, example = Discriminator(**built_in, **fields), jnp.zeros((1, *facts.shape))
    wanted = _expected(lambda: module.init(rng, example, False, label=labels))
    return Network(fields, module, _variables(found, wanted, most)), facts


def load(path: str | os.PathLike) -> Official:
    """Reads the averaged generator and the discriminator of a network pickle.

    Args:
      path: a .pkl as stylegan2-ada-pytorch writes it, of 512 MiB at most. Pickles of TensorFlow,
        and of StyleGAN3, are refused.

    Raises:
      UserError: if there is no such file, it is damaged, or its networks are others than
        StyleGAN2's.
    """
    return parse(files.contents(path, modules.MOST_BYTES), path)


def parse(raw: bytes, path: str | os.PathLike) -> Official:
    """What a file holds, as `load` reads it; `path` is what it is called in an error's line."""
    found = modules.parse(raw, path)
    networks, facts = {}, {}
    for name, read in (('G_ema', of_generator), ('D', of_discriminator)):
        try:
            networks[name], facts[name] = _network(found.get(name), read, len(raw))
        except Exception as error:  # a damaged file may raise nearly anything
            raise UserError(
                f'{path}: its {name} cannot be read ({one_line(error)}); give a network pickle of '
                f'stylegan2-ada-pytorch'
            ) from error
    if facts['G_ema'] != facts['D']:
        raise UserError(
            f'{path}: its generator makes {facts["G_ema"]}, its discriminator judges {facts["D"]}; '
            f'give another network pickle'
        )
    return Official(*facts['D'], networks['G_ema'], networks['D'])


# ---- Using -----------------------------------------------------------------------------------
def _labelled(official: Official, label: Any, num: int) -> jax.Array | None:
    """The labels that the networks take, checked.

    Raises:
      UserError: if they are missing, or of another number or size.
    """
    if not official.classes:
        return None
    if label is None:
        raise UserError(f'these networks need labels: class numbers below {official.classes}')
    label = jnp.asarray(label)
    shape = (num, official.classes) if jnp.issubdtype(label.dtype, jnp.floating) else (num,)
    if label.shape != shape:
        raise UserError(
            f'the labels have the shape {label.shape}; give {num} class numbers below '
            f'{official.classes}, or floats {[num, official.classes]}'
        )
    return label


def _loaded(source: str | os.PathLike | Official) -> Official:
    return source if isinstance(source, Official) else load(source)


def generate(
    source: str | os.PathLike | Official,
    z: chex.ArrayTree,
    label: Any = None,
    truncation: float = 1.0,
    noise: str = 'constant',
    seed: int = 0,
) -> np.ndarray:
    """Images of latents, as the authors' G_ema makes them in float32.

    Args:
      source: a network pickle, or what `load` gives.
      z: latents [n, size].
      label: class numbers [n] or floats [n, classes], where the networks take labels.
      truncation: psi, of w_avg + psi (w - w_avg).
      noise: 'constant', 'none' or 'random'.
      seed: of random noise.

    Returns:
      Images [n, h, w, c], float32, near [-1, 1] but not bounded.

    Raises:
      UserError: if the file cannot be read, or latents or labels are of another size.
      ValueError: if there is no such noise.
    """
    official = _loaded(source)
    network, z = official.generator, jnp.asarray(z, jnp.float32)
    size = network.module.latent_size
    if z.ndim != 2 or z.shape[1] != size:
        raise UserError(f'latents have the shape {z.shape}; give [n, {size}]')
    psi = None if truncation == 1 else jnp.full(len(z), truncation, jnp.float32)
    rng = jax.random.split(jax.random.key(seed), len(z)) if noise == 'random' else None

    def images(variables: Any, z: Any, label: Any, psi: Any, rng: Any) -> jax.Array:
        return network.module.apply(
            variables, z, False, rng=rng, label=label, truncation=psi, noise=noise
        )

    return np.asarray(
        jax.jit(images)(network.variables, z, _labelled(official, label, len(z)), psi, rng)
    )


def judge(
    source: str | os.PathLike | Official, images: chex.ArrayTree, label: Any = None
) -> np.ndarray:
    """Logits of images, as the authors' D gives them in float32.

    Logits depend on the whole batch, through the minibatch's standard deviation.

    Args:
      source: a network pickle, or what `load` gives.
      images: [n, h, w, c], in [-1, 1].
      label: class numbers [n] or floats [n, classes], where the networks take labels.

    Returns:
      Logits [n].

    Raises:
      UserError: if the file cannot be read, or images or labels are of another size.
    """
    official = _loaded(source)
    network, images = official.discriminator, jnp.asarray(images, jnp.float32)
    if images.ndim != 4 or images.shape[1:] != official.shape:
        raise UserError(f'images have the shape {images.shape}; give {["n", *official.shape]}')

    def logits(variables: Any, images: Any, label: Any) -> jax.Array:
        return network.module.apply(variables, images, False, label=label)

    return np.asarray(
        jax.jit(logits)(network.variables, images, _labelled(official, label, len(images)))
    )
