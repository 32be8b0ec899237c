"""Primitives that can be said in jax's own operations."""

from collections.abc import Callable

from jax.extend.core import Primitive


class Portable(Primitive):
    """A primitive for which whoever reads a program may put what it is without us.

    Attributes:
      native: (*operands, **parameters) -> the result, by jax's own operations, on any platform.
    """

    native: Callable
