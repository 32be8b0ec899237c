"""Layers whose kernels are divided by their largest singular value.

Source: Spectral Normalization for Generative Adversarial Networks (Miyato et al., 2018),
algorithm 1. With W = the kernel as a matrix [-1, features] and u [features] from the step before,

    v = W u / |W u|;  u' = W^T v / |W^T v|;  sigma = v^T W u';  the layer computes with W / sigma.

Gradients pass through W and sigma, not through u and v. The parameters are W itself; u lives in
the collection 'spectral'. A call in training iterates once and, where that collection is mutable,
keeps u'; evaluation takes u as it stands, sigma = |W u|.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype
from flax.linen.initializers import Initializer
from jax import lax

from gan_jax.networks.layers import linear

COLLECTION = 'spectral'

Product = Callable[[jax.Array, jax.Array], jax.Array]

# What a GPU multiplies in TF32 by default would leave sigma three digits.
_matmul = partial(jnp.matmul, precision=lax.Precision.HIGHEST)


def _direction(x: jax.Array, otherwise: jax.Array) -> jax.Array:
    """x / |x|; where x is zero, whose direction is lost for good, `otherwise`."""
    norm = jnp.linalg.norm(x)
    return jnp.where(norm > 0, x / jnp.where(norm > 0, norm, 1.0), otherwise)


def _normalized(module: nn.Module, kernel: jax.Array, train: bool) -> jax.Array:
    """The module's kernel divided by sigma, of the same shape and type."""
    matrix = kernel.astype(jnp.float32).reshape(-1, kernel.shape[-1])
    fixed = lax.stop_gradient(matrix)

    def begin() -> jax.Array:
        u = jax.random.normal(module.make_rng('params'), (matrix.shape[1],))
        return u / jnp.linalg.norm(u)

    stored = module.variable(COLLECTION, 'u', begin)
    # A running average of unit vectors is shorter than one.
    u = lax.stop_gradient(_direction(stored.value, stored.value))
    product = _matmul(fixed, u)
    v = _direction(product, jnp.zeros_like(product))
    if train:
        u = _direction(_matmul(v, fixed), u)
        if not module.is_initializing() and module.is_mutable_collection(COLLECTION):
            stored.value = u
    sigma = jnp.vdot(v, _matmul(matrix, u), precision=lax.Precision.HIGHEST)
    return (kernel / jnp.where(sigma > 0, sigma, 1.0)).astype(kernel.dtype)


def spectral(
    module: Any, x: chex.Array, train: bool, shape: Sequence[int], product: Product
) -> jax.Array:
    """What a layer makes of x with its kernel divided by sigma: product(x, W / sigma) + bias.

    It wraps any layer that has a kernel. To be called once, within the compact method of the
    layer's module: the parameters `kernel` and `bias` and the variable `u` are the module's own.

    Args:
      module: has `use_bias`, `kernel_init` and `dtype`.
      x: [..., in].
      train: whether u is iterated.
      shape: the kernel's, [..., features].
      product: (x, kernel) -> [..., features], the layer without a bias, linear in both.

    Returns:
      What `product` returns, with the bias where the module has one.
    """
    kernel = module.param('kernel', module.kernel_init, tuple(shape))
    x, kernel = promote_dtype(x, _normalized(module, kernel, train), dtype=module.dtype)
    y = product(x, kernel)
    if module.use_bias:
        bias = module.param('bias', nn.initializers.zeros_init(), (y.shape[-1],))
        y = y + bias.reshape((1,) * (y.ndim - 1) + bias.shape).astype(y.dtype)
    return y


class SpectralConv(nn.Module):
    """2-D convolution with a kernel of spectral norm one.

    Attributes:
      features: the number of output channels.
      kernel_size: height and width of the kernel, [height, width, in, out].
      strides: by how much the window moves.
      padding: how many zeros are put on each side.
      use_bias: whether to add a bias [out].
      kernel_init: the initializer of the kernel as it is before the division.
      dtype: what is computed in, but for the division, which is in float32; None is the type of the
        inputs and the parameters.
    """

    features: int
    kernel_size: Sequence[int]
    strides: Sequence[int] = (1, 1)
    padding: int = 0
    use_bias: bool = True
    kernel_init: Initializer = nn.initializers.glorot_uniform()
    dtype: Any = None

    @nn.compact
    def __call__(self, x: chex.Array, train: bool) -> jax.Array:
        """Maps [batch, height, width, in] to [batch, height', width', features]."""
        convolution = partial(
            linear.convolve,
            window_strides=tuple(self.strides),
            padding=[(self.padding, self.padding)] * 2,
            dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
        )
        shape = (*self.kernel_size, x.shape[-1], self.features)
        return spectral(self, x, train, shape, convolution)


class SpectralDense(nn.Module):
    """Dense layer with a kernel of spectral norm one.

    Attributes:
      features: the number of outputs.
      use_bias: whether to add a bias [features].
      kernel_init: the initializer of the kernel as it is before the division.
      dtype: what is computed in, but for the division, which is in float32; None is the type of the
        inputs and the parameters.
    """

    features: int
    use_bias: bool = True
    kernel_init: Initializer = nn.initializers.glorot_uniform()
    dtype: Any = None

    @nn.compact
    def __call__(self, x: chex.Array, train: bool) -> jax.Array:
        """Maps [..., in] to [..., features]."""
        return spectral(self, x, train, (x.shape[-1], self.features), jnp.dot)
