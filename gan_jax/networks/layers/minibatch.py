"""What a discriminator sees of an example beside the others of its batch.

A generator that makes the same thing again and again passes a discriminator that judges one example
at a time. These features tell it how alike the examples of a batch are.
"""

from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.initializers import Initializer
from jax import lax

from gan_jax.networks.layers.promotion import wide

KINDS = ('', 'stddev', 'discrimination')


def group_size_of(batch: int, group_size: int = 4) -> int:
    """The size of the groups that `minibatch_stddev` makes of a batch.

    The largest divisor of `batch` from 2 to `group_size`; if there is none, the batch is one group,
    since a group of one says nothing.

    Args:
      batch: how many examples there are, at least 1.
      group_size: the size that is wanted, at least 2.

    Returns:
      A divisor of `batch`.

    Raises:
      ValueError: if `group_size` is less than 2.
    """
    if group_size < 2:
        raise ValueError(f'group_size={group_size} leaves each example alone: use 2 or more')
    return next((n for n in range(group_size, 1, -1) if batch % n == 0), batch)


def minibatch_stddev(x: chex.Array, group_size: int = 4) -> jax.Array:
    """Appends one feature: how much the examples of a group differ.

    s = mean over pixels and features of sqrt(var + 1e-8), with var the biased variance over the
    examples of the group; all its examples and pixels get the same s. Groups are consecutive
    examples, of a size that `group_size_of` chooses: where each device's share of a batch is a
    multiple of `group_size`, one device equals many. `strided_stddev` has StyleGAN2's groups.

    Source: Progressive Growing of GANs for Improved Quality, Stability, and Variation (Karras et
    al., 2018), section 3; in groups, as in Analyzing and Improving the Image Quality of StyleGAN
    (Karras et al., 2020).

    Args:
      x: features [batch, c] or [batch, height, width, c].
      group_size: how many examples are compared, at least 2.

    Returns:
      [batch, c + 1] or [batch, height, width, c + 1], of x's type; computed in float32.

    Raises:
      AssertionError: if x has another rank.
      ValueError: if `group_size` is less than 2.
    """
    chex.assert_rank(x, {2, 4})
    size = group_size_of(x.shape[0], group_size)
    groups = wide(x).reshape(-1, size, *x.shape[1:])
    return _with_feature(x, jnp.repeat(_spread(groups, 1), size))


def strided_stddev(x: chex.Array, group_size: int = 4, axis_name: str | None = None) -> jax.Array:
    """`minibatch_stddev` of groups of every (batch / size)th example, over all devices.

    Of a batch of 8 in groups of 4, examples 0, 2, 4 and 6 are one group and 1, 3, 5 and 7 the
    other. The groups are of the whole batch, so one device equals many.

    Source: the authors' code of Analyzing and Improving the Image Quality of StyleGAN (Karras et
    al., 2020).

    Args:
      x: features [batch, c] or [batch, height, width, c], of this device.
      group_size: how many examples are compared, at least 2; see `group_size_of`.
      axis_name: the axis of devices over which the batch is spread; None if x is all of it.

    Returns:
      x with one feature more, of x's type; computed in float32.

    Raises:
      AssertionError: if x has another rank.
      ValueError: if `group_size` is less than 2.
    """
    chex.assert_rank(x, {2, 4})
    whole = wide(x)
    if axis_name is not None:
        whole = lax.all_gather(whole, axis_name, tiled=True)
    size = group_size_of(len(whole), group_size)
    means = jnp.tile(_spread(whole.reshape(size, -1, *x.shape[1:]), 0), size)
    if axis_name is not None:
        first = lax.axis_index(axis_name) * len(x)
        means = lax.dynamic_slice_in_dim(means, first, len(x))
    return _with_feature(x, means)


def _spread(groups: jax.Array, axis: int) -> jax.Array:
    """The mean standard deviation of each group, whose examples lie along `axis`, 0 or 1."""
    # The constant keeps the root's derivatives finite where the examples of a group are equal.
    deviations = jnp.sqrt(jnp.var(groups, axis=axis) + 1e-8)
    return jnp.mean(deviations, axis=range(1, deviations.ndim))


def _with_feature(x: jax.Array, values: jax.Array) -> jax.Array:
    """x with one feature more, each example's value [batch] at all its pixels."""
    feature = values.reshape(-1, *(1,) * (x.ndim - 1))
    feature = jnp.broadcast_to(feature, (*x.shape[:-1], 1))
    return jnp.concatenate([x, feature.astype(x.dtype)], -1)


class MinibatchDiscrimination(nn.Module):
    """Appends how close an example is to the others, along learned directions.

    With M = x T, [batch, num_kernels, kernel_size], T a kernel [c, num_kernels * kernel_size],

        o_ik = sum over j != i of exp(-|M_ik - M_jk|_1),

    j over the whole batch of all devices. The paper's sum has j = i too, which adds 1 to every
    feature; its authors' code leaves it out, as here.

    Source: Improved Techniques for Training GANs (Salimans et al., 2016), section 3.2. 100 kernels
    of size 5 and columns of T of about unit length are its code's.

    Attributes:
      num_kernels: how many features are appended.
      kernel_size: in how many dimensions a distance is measured.
      kernel_init: the initializer of T.
      axis_name: the axis of devices over which the batch is spread.
    """

    num_kernels: int = 100
    kernel_size: int = 5
    kernel_init: Initializer = nn.initializers.lecun_normal()
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: chex.Array) -> jax.Array:
        """Maps features [batch, c] to [batch, c + num_kernels]; computed in float32."""
        chex.assert_rank(x, 2)
        columns = self.num_kernels * self.kernel_size
        kernel = self.param('kernel', self.kernel_init, (x.shape[1], columns))
        x_wide = wide(x)
        rows = jnp.dot(x_wide, kernel.astype(x_wide.dtype), precision=lax.Precision.HIGHEST)
        rows = rows.reshape(-1, self.num_kernels, self.kernel_size)
        everyone, place = rows, jnp.arange(len(rows))
        if self.axis_name is not None and not self.is_initializing():
            everyone = lax.all_gather(rows, self.axis_name, tiled=True)
            place = place + len(rows) * lax.axis_index(self.axis_name)
        everyone = everyone.transpose(2, 0, 1)

        # One example against all at a time: the distances of all pairs, and what their gradients
        # keep, fill no cache. A CPU takes a quarter of the time.
        @jax.checkpoint
        def closeness(place: jax.Array, row: jax.Array) -> jax.Array:
            apart = [jnp.abs(one[None] - all_) for one, all_ in zip(row.T, everyone, strict=True)]
            itself = jnp.arange(everyone.shape[1]) == place
            return jnp.sum(jnp.where(itself[:, None], 0.0, jnp.exp(-sum(apart))), 0)

        close = lax.map(lambda pair: closeness(*pair), (place, rows), batch_size=32)
        return jnp.concatenate([x, close.astype(x.dtype)], 1)


def append_minibatch(x: chex.Array, kind: str, axis_name: Any = None) -> jax.Array:
    """Appends features of the batch, of a kind that a config names.

    To be called within a module's compact method: a kind may have parameters.

    Args:
      x: features [batch, c].
      kind: '' for none, 'stddev' (`minibatch_stddev`) or 'discrimination'
        (`MinibatchDiscrimination`).
      axis_name: the axis of devices over which the batch is spread; None if x is all of it.

    Returns:
      [batch, c + 0, 1 or n], of x's type: discrimination has a quarter as many kernels as there are
      features, at least 1 and at most the paper's 100.

    Raises:
      ValueError: if there is no such kind.
    """
    if kind not in KINDS:
        raise ValueError(f'minibatch={kind!r} is none of {", ".join(map(repr, KINDS))}')
    if kind == 'stddev':
        return minibatch_stddev(x)
    if kind == 'discrimination':
        return MinibatchDiscrimination(min(-(-x.shape[-1] // 4), 100), axis_name=axis_name)(x)
    return x
