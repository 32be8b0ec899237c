"""A run as one page: curves, pictures, figures and a blind test, without a network."""

from gan_jax.report.page import BETTER, Content, render

__all__ = ['BETTER', 'Content', 'render']
