"""The Inception network of the FID and the Inception Score, from its published weights.

This is the network of 2015-12-05 that the TensorFlow code of both metrics downloaded: 2,048
features after the last pooling, 1,008 logits. It is not the Inception v3 of today's libraries.
Average pooling does not count the margin, the last block takes a maximum in its place, and images
are resized as TensorFlow 1 did, with corners not aligned and nothing smoothed.

Source: Rethinking the Inception Architecture for Computer Vision (Szegedy et al., 2015), figures 5
to 7 and 10, for the blocks; GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash
Equilibrium (Heusel et al., 2017) for the features; High-Fidelity Performance Metrics for Generative
Models in PyTorch (Obukhov et al., 2020), version 0.4.0, `inception-v3-compat`, for the weights'
names and what is said above.
"""

import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from gan_jax.errors import UserError
from gan_jax.networks.features import Apply, FeatureNetwork, in_batches
from gan_jax.networks.features.resizing import bilinear_tensorflow1
from gan_jax.networks.layers.convolution import LAYOUT, convolve
from gan_jax.networks.torch_files import state_dicts
from gan_jax.runtime import cache as cache_lib
from gan_jax.runtime import files

# The SHA-256 of the published file. Its name has only the beginning, which is quickly forged.
PUBLISHED = '6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2'
FILE = f'pt_inception-2015-12-05-{PUBLISHED[:8]}.pth'
SIZE = 299
EPSILON = 0.001
RESIZE = f'bilinear to {SIZE}x{SIZE} as in TensorFlow 1: corners not aligned, no smoothing'

# Part of the digest and of the cache's name: another number where the arrays or what is done to
# images would differ.
FORM = 1

MAX, MAX_1, MEAN_1 = 'maximum of 3x3, stride 2', 'maximum of 3x3, stride 1', 'mean of 3x3, stride 1'


@dataclasses.dataclass(frozen=True)
class Conv:
    """A convolution without bias, BatchNorm and ReLU.

    Attributes:
      name: the weights' name in the file, before '.conv' and '.bn'.
      width: the output channels.
      kernel: height and width.
      stride: by how much the window moves.
      padded: whether a margin of zeros keeps the size, at stride 1.
    """

    name: str
    width: int
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    padded: bool = True


# A network is a convolution, a pooling, a tuple of networks one after the other, or a list of
# networks side by side, whose channels are concatenated.
Network = Conv | str | tuple['Network', ...] | list['Network']


def _chain(name: str, *convs: tuple) -> tuple[Network, ...]:
    """Convolutions `name`_1, `name`_2, ... one after the other."""
    return tuple(Conv(f'{name}_{i}', *conv) for i, conv in enumerate(convs, 1))


def _block_a(name: str, pool: int) -> list[Network]:
    return [
        Conv(f'{name}.branch1x1', 64),
        _chain(f'{name}.branch5x5', (48,), (64, (5, 5))),
        _chain(f'{name}.branch3x3dbl', (64,), (96, (3, 3)), (96, (3, 3))),
        (MEAN_1, Conv(f'{name}.branch_pool', pool)),
    ]


def _block_b(name: str) -> list[Network]:
    return [
        Conv(f'{name}.branch3x3', 384, (3, 3), 2, False),
        _chain(f'{name}.branch3x3dbl', (64,), (96, (3, 3)), (96, (3, 3), 2, False)),
        MAX,
    ]


def _block_c(name: str, width: int) -> list[Network]:
    wide, tall = (1, 7), (7, 1)
    return [
        Conv(f'{name}.branch1x1', 192),
        _chain(f'{name}.branch7x7', (width,), (width, wide), (192, tall)),
        _chain(
            f'{name}.branch7x7dbl',
            (width,),
            (width, tall),
            (width, wide),
            (width, tall),
            (192, wide),
        ),
        (MEAN_1, Conv(f'{name}.branch_pool', 192)),
    ]


def _block_d(name: str) -> list[Network]:
    last = ((3, 3), 2, False)
    return [
        _chain(f'{name}.branch3x3', (192,), (320, *last)),
        _chain(f'{name}.branch7x7x3', (192,), (192, (1, 7)), (192, (7, 1)), (192, *last)),
        MAX,
    ]


def _block_e(name: str, pooling: str) -> list[Network]:
    def fork(branch: str) -> list[Network]:
        return [Conv(f'{branch}a', 384, (1, 3)), Conv(f'{branch}b', 384, (3, 1))]

    return [
        Conv(f'{name}.branch1x1', 320),
        (*_chain(f'{name}.branch3x3', (384,)), fork(f'{name}.branch3x3_2')),
        (
            *_chain(f'{name}.branch3x3dbl', (448,), (384, (3, 3))),
            fork(f'{name}.branch3x3dbl_3'),
        ),
        (pooling, Conv(f'{name}.branch_pool', 192)),
    ]


NETWORK: Network = (
    Conv('Conv2d_1a_3x3', 32, (3, 3), 2, False),
    Conv('Conv2d_2a_3x3', 32, (3, 3), 1, False),
    Conv('Conv2d_2b_3x3', 64, (3, 3)),
    MAX,
    Conv('Conv2d_3b_1x1', 80),
    Conv('Conv2d_4a_3x3', 192, (3, 3), 1, False),
    MAX,
    _block_a('Mixed_5b', 32),
    _block_a('Mixed_5c', 64),
    _block_a('Mixed_5d', 64),
    _block_b('Mixed_6a'),
    _block_c('Mixed_6b', 128),
    _block_c('Mixed_6c', 160),
    _block_c('Mixed_6d', 160),
    _block_c('Mixed_6e', 192),
    _block_d('Mixed_7a'),
    _block_e('Mixed_7b', MEAN_1),
    _block_e('Mixed_7c', MAX_1),
)
LOGITS = 1008


def _walk(network: Network, channels: int, found: dict[Conv, int]) -> int:
    """Notes all convolutions with their input channels; returns what comes out."""
    if isinstance(network, Conv):
        found[network] = channels
        return network.width
    if isinstance(network, tuple):
        for part in network:
            channels = _walk(part, channels, found)
        return channels
    if isinstance(network, list):
        return sum(_walk(part, channels, found) for part in network)
    return channels


def shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes of the weights in the published file, convolutions [out, in, h, w]."""
    convs: dict[Conv, int] = {}
    features = _walk(NETWORK, 3, convs)
    made: dict[str, tuple[int, ...]] = {}
    for conv, channels in convs.items():
        made[f'{conv.name}.conv.weight'] = (conv.width, channels, *conv.kernel)
        for name in ('weight', 'bias', 'running_mean', 'running_var'):
            made[f'{conv.name}.bn.{name}'] = (conv.width,)
    return {**made, 'fc.weight': (LOGITS, features), 'fc.bias': (LOGITS,)}


def convert(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The network's parameters: each BatchNorm is folded into its convolution.

    kernel = weight * s and bias = bn.bias - running_mean * s with s = bn.weight / sqrt(running_var
    + 0.001), computed in float64. `fc.bias` is left out; see `network`.

    Args:
      weights: arrays of the names and shapes that `shapes` gives; others are left alone.

    Returns:
      '<convolution>.kernel' [h, w, in, out] and '<convolution>.bias' [out] for each, and
      'fc.kernel' [2048, 1008]; float32.

    Raises:
      ValueError: if an array is missing or has another shape.
    """
    for name, shape in shapes().items():
        if name not in weights:
            raise ValueError(f'{name} is missing')
        if weights[name].shape != shape:
            raise ValueError(f'{name} is {list(weights[name].shape)}, not {list(shape)}')
    wide = {name: weights[name].astype(np.float64) for name in shapes()}
    made = {'fc.kernel': wide['fc.weight'].T}
    for name in (key.removesuffix('.conv.weight') for key in wide if key.endswith('.conv.weight')):
        bn = f'{name}.bn'
        scale = wide[f'{bn}.weight'] / np.sqrt(wide[f'{bn}.running_var'] + EPSILON)
        made[f'{name}.kernel'] = wide[f'{name}.conv.weight'].transpose(2, 3, 1, 0) * scale
        made[f'{name}.bias'] = wide[f'{bn}.bias'] - wide[f'{bn}.running_mean'] * scale
    return {name: np.ascontiguousarray(x, np.float32) for name, x in made.items()}


def preprocess(images: chex.Array) -> jax.Array:
    """Images [n, h, w, 1 or 3] of 0 to 255 as `network` takes them, [n, 299, 299, 3] in [-1, 1)."""
    x = (bilinear_tensorflow1(images, SIZE) - 128) / 128
    return jnp.broadcast_to(x, (*x.shape[:3], 3))


def _shifted(x: jax.Array, axis: int, stride: int, margin: int, fill: float) -> list[jax.Array]:
    """What the first, second and third place of a window of three sees along an axis."""
    pads = [(0, 0, 0)] * x.ndim
    pads[axis] = (margin, margin, 0)
    x = lax.pad(x, jnp.asarray(fill, x.dtype), pads)
    last = (x.shape[axis] - 3) // stride * stride
    return [lax.slice_in_dim(x, i, last + i + 1, stride, axis) for i in range(3)]


def _pool(x: jax.Array, kind: str) -> jax.Array:
    if kind == MEAN_1:
        for axis in (1, 2):
            counts = np.full(x.shape[axis], 3, np.float32)
            counts[0], counts[-1] = counts[0] - 1, counts[-1] - 1
            shares = (1 / counts).reshape([-1 if a == axis else 1 for a in range(4)])
            x = sum(_shifted(x, axis, 1, 1, 0.0)) * jnp.broadcast_to(shares, x.shape)
        return x
    stride, margin = (2, 0) if kind == MAX else (1, 1)
    for axis in (1, 2):
        first, second, third = _shifted(x, axis, stride, margin, -np.inf)
        x = jnp.maximum(jnp.maximum(first, second), third)
    return x


def forward(network: Network, params: dict[str, jax.Array], x: chex.Array) -> jax.Array:
    """What a network makes of feature maps, from parameters as `convert` names them.

    Args:
      network: a convolution, a pooling, or networks in sequence or side by side.
      params: all that it needs, and perhaps more.
      x: [n, h, w, channels].

    Returns:
      [n, h', w', channels'].
    """
    chex.assert_rank(x, 4)
    if isinstance(network, Conv):
        height, width = network.kernel
        padding = ((height // 2,) * 2, (width // 2,) * 2) if network.padded else ((0, 0), (0, 0))
        # With a type asked for, `convolve` is lax's on CPUs too. Without gradients that is as quick
        # as products of matrices, and compiles in a seventh of the time.
        y = convolve(
            x,
            params[f'{network.name}.kernel'],
            (network.stride, network.stride),
            padding,
            dimension_numbers=LAYOUT,
            precision=lax.Precision.HIGHEST,
            preferred_element_type=jnp.float32,
        )
        return jax.nn.relu(y + params[f'{network.name}.bias'].reshape(1, 1, 1, -1))
    if isinstance(network, tuple):
        for part in network:
            x = forward(part, params, x)
        return x
    if isinstance(network, list):
        return jnp.concatenate([forward(part, params, x) for part in network], -1)
    return _pool(x, network)


def features_and_logits(params: dict[str, jax.Array], x: chex.Array) -> tuple[jax.Array, jax.Array]:
    """The network itself.

    Args:
      params: from `convert`.
      x: from `preprocess`.

    Returns:
      Features [n, 2048], the mean over the places of the last block; logits [n, 1008] without their
      bias, which the Inception Score is taken of (its first code left the bias out, and torch-
      fidelity's default, 'logits_unbiased', keeps to that).
    """
    features = forward(NETWORK, params, x).mean((1, 2))
    return features, jnp.matmul(features, params['fc.kernel'], precision=lax.Precision.HIGHEST)


def _levels(images: jax.Array) -> jax.Array:
    """Images in [-1, 1] as they were from 0 to 255, not rounded."""
    return (images + 1.0) * 127.5


def make(params: dict[str, np.ndarray], batch: int, compiled: Callable = jax.jit) -> Apply:
    """uint8 images -> (features, logits), compiled for each size of images.

    Args:
      params: from `convert`.
      batch: how many images at a time.
      compiled: what compiles it, as `in_batches` has it.

    Returns:
      `FeatureNetwork.apply`.
    """
    return in_batches(
        lambda params, images: features_and_logits(params, preprocess(images)),
        params, batch, compiled,
    )  # fmt: skip


def load(
    path: str | os.PathLike,
    *,
    cache: str | os.PathLike | None = None,
    batch: int = 32,
    compiled: Callable = jax.jit,
    expected: str = PUBLISHED,
) -> FeatureNetwork:
    """The network with the weights of a file.

    The file is read once. Nothing is made of it unless its digest is the expected one. Its arrays
    are converted once and kept in the cache, under a name that has the digest in it.

    Args:
      path: the published file, FILE.
      cache: the folder of converted weights; None is gan_jax in $XDG_CACHE_HOME or ~/.cache. One
        that cannot be written is done without.
      batch: how many images pass the network at a time, at least 1.
      compiled: what compiles the network, as `in_batches` has it.
      expected: the file's SHA-256, all 64 hexadecimal digits.

    Returns:
      The network, named 'inception-2015-12-05'; with another digest 'inception-' and its beginning.

    Raises:
      UserError: if the file is missing, is another file, or does not hold such weights.
      ValueError: if batch is less than 1.
    """
    path = pathlib.Path(os.path.expanduser(path))
    if not path.is_file():
        raise UserError(
            f'there is no file {path}: fetch {FILE}, which the project mseitzer/pytorch-fid '
            f"published on GitHub as a file of its release 'fid_weights'"
        )
    raw = files.contents(path, state_dicts.MOST_BYTES)
    digest = hashlib.sha256(raw).hexdigest()
    if digest != expected:
        raise UserError(
            f'the SHA-256 of {path} is {digest}, not {expected}: fetch {FILE} again from the '
            f'release fid_weights of mseitzer/pytorch-fid'
        )
    folder = cache_lib.folder() if cache is None else pathlib.Path(cache)
    kept = folder and folder / f'inception_{FORM}_{digest}.npz'
    try:
        params = cache_lib.kept(kept, lambda: convert(state_dicts.parse(raw, path)))
    except ValueError as error:
        raise UserError(f'{path} does not hold the weights of {FILE}: {error}') from error
    identity = f'{digest} {RESIZE} (x - 128) / 128 {FORM}'
    name = '2015-12-05' if digest == PUBLISHED else digest[:8]
    return FeatureNetwork(
        name=f'inception-{name}',
        digest=hashlib.sha256(identity.encode()).hexdigest(),
        resize=RESIZE,
        apply=make(params, batch, compiled),
        smooth=(params, lambda params, x: features_and_logits(params, preprocess(_levels(x)))[0]),
    )
