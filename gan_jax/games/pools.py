"""Pools of earlier examples, shown to a discriminator in place of some of the newest."""

import chex
import jax
import jax.numpy as jnp
from jax import lax

from gan_jax import keys
from gan_jax.game import Carried

Pool = Carried


def empty(size: int, shape: tuple[int, ...]) -> Pool:
    """A pool for so many examples of a shape, none in it yet."""
    return Pool(examples=jnp.zeros((size, *shape)), count=jnp.zeros((), jnp.int32))


def exchange(pool: Pool, examples: chex.Array, rng: chex.PRNGKey) -> tuple[Pool, chex.Array]:
    """Shows examples to a pool, one after the other, and gives back as many.

    While the pool is not full an example is kept and comes back itself. Then with probability 1/2
    it takes the place of one that was kept, drawn uniformly, which comes back; else it comes back
    itself and is not kept.

    Source: Learning from Simulated and Unsupervised Images through Adversarial Training
    (Shrivastava et al., 2017), section 2.3; in this form the code of Unpaired Image-to-Image
    Translation using Cycle-Consistent Adversarial Networks (Zhu et al., 2017), with a pool of 50.

    Args:
      pool: see `empty`; of a size of 0 all examples come back.
      examples: [n, ...].
      rng: keys [n].

    Returns:
      The new pool, and examples [n, ...].
    """
    size = pool['examples'].shape[0]
    if size == 0:
        return pool, examples

    def show(pool: Pool, given: tuple) -> tuple[Pool, jax.Array]:
        example, key = given
        kept, count = pool['examples'], pool['count']
        full = count >= size
        swap = full & jax.random.bernoulli(keys.fold_in_name(key, 'swap'))
        drawn = jax.random.randint(keys.fold_in_name(key, 'place'), (), 0, size)
        place = jnp.where(full, drawn, jnp.minimum(count, size - 1))
        back = jnp.where(swap, kept[place], example)
        kept = kept.at[place].set(jnp.where(swap | ~full, example, kept[place]))
        return Pool(examples=kept, count=jnp.minimum(count + 1, size)), back

    return lax.scan(show, pool, (examples, rng))


def exchange_over_devices(
    pool: Pool, examples: chex.Array, rng: chex.PRNGKey, axis_name: str | None
) -> tuple[Pool, chex.Array]:
    """`exchange` of the whole batch, the same on every device; each gets back its own part."""
    if axis_name is None:
        return exchange(pool, examples, rng)
    data = jax.random.key_data(rng)
    everything, all_keys = lax.all_gather((examples, data), axis_name, tiled=True)
    pool, back = exchange(pool, everything, jax.random.wrap_key_data(all_keys))
    num = examples.shape[0]
    return pool, lax.dynamic_slice_in_dim(back, lax.axis_index(axis_name) * num, num)
