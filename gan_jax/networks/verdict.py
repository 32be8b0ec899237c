"""What a discriminator says of examples."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp


class Verdict(NamedTuple):
    """A discriminator's answer. One that gives logits alone may return these as they are.

    Attributes:
      logits: an array [batch, ...], or a tree of them where there are several scales.
      features: activations, for terms that compare them; None where it gives none.
      classes: logits of classes [batch, k], or None.
      code: what it reads off of a code, or None.
    """

    logits: Any
    features: Any = None
    classes: Any = None
    code: Any = None


def of(output: Any) -> Verdict:
    """A network's output as a verdict."""
    return output if isinstance(output, Verdict) else Verdict(output)


def mean(tree: Any) -> jax.Array:
    """The mean of the means of all arrays: every scale counts alike."""
    means = [jnp.mean(x, dtype=jnp.float32) for x in jax.tree.leaves(tree)]
    return sum(means[1:], means[0]) / len(means)


def rows(logits: Any) -> jax.Array:
    """One array [batch, ...] of all logits."""
    leaves = jax.tree.leaves(logits)
    if len(leaves) == 1:
        return leaves[0]
    return jnp.concatenate([x.reshape(x.shape[0], -1) for x in leaves], axis=1)


def per_example(logits: Any) -> jax.Array:
    """One number [batch] for each example: the mean over scales of the means over places."""
    means = [x.reshape(x.shape[0], -1).mean(axis=1) for x in jax.tree.leaves(logits)]
    return sum(means[1:], means[0]) / len(means)
