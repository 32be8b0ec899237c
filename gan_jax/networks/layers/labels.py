"""What networks make of a class's number."""

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp


def one_hot(label: chex.Array | None, classes: int | None) -> jax.Array:
    """Class numbers [n] as [n, classes]; floats [n, k] as they are.

    Raises:
      ValueError: if there are no labels, or numbers of how many classes is not known.
    """
    if label is None:
        raise ValueError('a conditional network needs labels: name a data set that has classes')
    if jnp.issubdtype(label.dtype, jnp.floating):
        chex.assert_rank(label, 2)
        return label
    if not classes:
        raise ValueError('a conditional network needs to know how many classes the data set has')
    return jax.nn.one_hot(label, classes)


def embedded(label: chex.Array, classes: int, features: int) -> jax.Array:
    """Rows [n, features] of a table by class numbers [n]; of floats [n, k] sums of rows.

    The sums are label @ table, of as many rows as there are floats. To be called within a module's
    compact method, of which the table is a layer `nn.Embed`.
    """
    if not jnp.issubdtype(label.dtype, jnp.floating):
        return nn.Embed(classes, features)(label)
    chex.assert_rank(label, 2)
    return jnp.dot(label, nn.Embed(label.shape[-1], features).embedding)
