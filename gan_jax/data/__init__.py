"""Data: load a set once, draw batches without end, and go between uint8 and [-1, 1]."""

from gan_jax.data.batching import batch_at, batches, poisson_batch_at
from gan_jax.data.dataset import Dataset, chunk_size, class_places
from gan_jax.data.given import source_of
from gan_jax.data.labelled import few_labels
from gan_jax.data.loading import PREFIXES, load, load_as_is
from gan_jax.data.share import Share
from gan_jax.data.sources import Source
from gan_jax.data.synthetic import Mixture
from gan_jax.data.transforms import denormalize, normalize

__all__ = [
    'PREFIXES',
    'Dataset',
    'Mixture',
    'Share',
    'Source',
    'batch_at',
    'batches',
    'chunk_size',
    'class_places',
    'denormalize',
    'few_labels',
    'load',
    'load_as_is',
    'normalize',
    'poisson_batch_at',
    'source_of',
]
