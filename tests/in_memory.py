"""A bucket in this process's memory: no server, no gcsfs; what the fast tests write to."""

import sys
import threading

import fsspec
from etils.epath import backend
from fsspec.implementations import memory

from gan_jax.runtime import buckets

ONE = threading.Lock()
NAME = 'gs://bucket'
IMPLEMENTATIONS = sys.modules[fsspec.filesystem.__module__]._registry


class Storage(memory.MemoryFileSystem):
    """fsspec's file system in memory, as gs://; its clock can be set and it can be cut off."""

    protocol = ('gs', 'gcs')
    cachable = False
    down = None  # what every request raises

    def pipe_file(self, *args, **kwargs):
        """One after the other, so that one of those who create an object does."""
        with ONE:
            super().pipe_file(*args, **kwargs)

    @classmethod
    def _strip_protocol(cls, path):
        if cls.down is not None:
            raise cls.down
        scheme, _, rest = str(path).rpartition('gs://')
        del scheme
        return super()._strip_protocol(rest)


def bucket(monkeypatch):
    """An empty one, as long as the test runs."""
    storage = type('Storage', (Storage,), {'store': {}, 'pseudo_dirs': ['', '/bucket']})
    for protocol in ('gs', 'gcs'):
        monkeypatch.setitem(IMPLEMENTATIONS, protocol, storage)
    monkeypatch.setitem(buckets.PACKAGES, 'gs', ('fsspec', 'fsspec'))
    backend.fsspec_backend._get_filesystem.cache_clear()
    return buckets.at(NAME)
