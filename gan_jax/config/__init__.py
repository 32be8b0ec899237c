"""Configs: the common keys, the checks of what a config says, and the experiment it stands for."""

from gan_jax.config.defaults import default, optimizer

__all__ = ['default', 'optimizer']
