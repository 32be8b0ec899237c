"""Samples of a game, part by part."""

import tracemalloc

import numpy as np

from gan_jax import game, modalities
from gan_jax.sampling import sampler

SHAPE = (16, 16, 3)


def test_samples_are_held_once_however_many_there_are():
    def made(variables, inputs):
        first = inputs['latent'][:, :1, None, None].astype(np.uint8)
        return np.broadcast_to(first, (len(first), *SHAPE)).copy()

    modality = modalities.make({'name': 'images', 'shape': SHAPE})
    make = sampler.make_sampler(
        game.Game(None, (), {'sample': None}), modality, lambda function: made
    )
    inputs = {'latent': np.arange(4_050, dtype=np.float32)[:, None] % 251}
    tracemalloc.start()
    samples = make({}, {}, inputs)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert samples.shape == (4_050, *SHAPE)
    np.testing.assert_array_equal(samples[:, 3, 4, 1], np.arange(4_050) % 251)
    assert peak < 1.2 * samples.nbytes
