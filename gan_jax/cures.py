"""The former name of `gan_jax.stabilization`, for one version more."""

from gan_jax.stabilization import *  # noqa: F403
