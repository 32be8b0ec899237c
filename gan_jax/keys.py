"""Random keys, derived from names and numbers; none is carried and none is used twice."""

import zlib

import chex
import jax


def fold_in_name(rng: chex.PRNGKey, name: str) -> chex.PRNGKey:
    """The key that belongs to `name`: fold_in(rng, crc32(name))."""
    return jax.random.fold_in(rng, zlib.crc32(name.encode()))


def of_name(rng: chex.PRNGKey, name: str) -> chex.PRNGKey:
    """`fold_in_name` of each of the keys [n]."""
    return jax.vmap(lambda key: fold_in_name(key, name))(rng)


def per_example(rng: chex.PRNGKey, num: int, offset: jax.Array | int = 0) -> chex.PRNGKey:
    """One key per example, keys[i] = fold_in(rng, offset + i).

    Random draws made from these do not depend on how a batch is split among devices or
    micro-batches, only on an example's place in the whole batch.

    Args:
      rng: one key, or keys [num] which are returned as they are.
      num: the number of examples.
      offset: the place of the first example in the whole batch.

    Returns:
      Keys [num].

    Raises:
      AssertionError: if `rng` already holds keys, but not `num` of them.
    """
    if rng.ndim:
        chex.assert_shape(rng, (num,))
        return rng
    return jax.vmap(jax.random.fold_in, (None, 0))(rng, offset + jax.numpy.arange(num))
