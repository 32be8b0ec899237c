"""A page on which two players are watched and changed while they learn; --mode=playground."""

from gan_jax.playground.server import serve

__all__ = ['serve']
