import jax.numpy as jnp
import numpy as np

from gan_jax import evaluate
from gan_jax import game as game_lib
from gan_jax.data import pipeline, sources

IMAGES = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 1), np.uint8)
DATA = pipeline.load(sources.from_arrays('noise', IMAGES), image_size=None)


def parrot(params, aux, latents):
    """A generator that knows the data by heart, times its one parameter."""
    pictures = jnp.asarray(IMAGES, jnp.float32) / 127.5 - 1.0
    return {'image': params * pictures[jnp.arange(latents.shape[0]) % 16]}


GAME = game_lib.Game(
    None, (), {'latent': lambda rng: jnp.zeros((rng.shape[0], 1)), 'sample': parrot}
)


def test_the_data_themselves_are_at_zero_and_others_are_not():
    measure = evaluate.make(GAME, DATA, seed=0, num=1000)
    assert measure(jnp.float32(1.0), {})[evaluate.BEST] < 1e-3
    assert measure(jnp.float32(0.5), {})[evaluate.BEST] > 0.05


def test_it_is_the_same_each_time():
    for num in (4, 16):
        values = {
            evaluate.make(GAME, DATA, seed=3, num=num)(jnp.float32(0.9), {})[evaluate.BEST]
            for _ in range(2)
        }
        assert len(values) == 1
