"""The game of translation without pairs: two generators and two discriminators, two players.

Source: Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks (Zhu et
al., 2017), sections 3 and 4, and the authors' code.
"""

from collections.abc import Callable
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from gan_jax import keys
from gan_jax.game import Aux, Batch, Game, Params, Turn
from gan_jax.games.adversary import Adversary, Penalty

Pool = dict[str, jax.Array]
Distance = Callable[[chex.Array, chex.Array], chex.Array]

DOMAINS = {'a': 'source', 'b': 'image'}  # and what they are called in a batch
DIRECTIONS = {'a_to_b': 'a', 'b_to_a': 'b'}  # and what they start from
POOLS = 'pools'


def empty_pool(size: int, shape: tuple[int, ...]) -> Pool:
    """A pool for so many images of a shape, none in it yet."""
    return {'images': jnp.zeros((size, *shape)), 'count': jnp.zeros((), jnp.int32)}


def exchange(pool: Pool, images: chex.Array, rng: chex.PRNGKey) -> tuple[Pool, chex.Array]:
    """Shows images to a pool, one after the other, and gives back as many.

    While the pool is not full an image is kept and comes back itself. Then with probability 1/2 it
    takes the place of one that was kept, drawn uniformly, which comes back; else it comes back
    itself and is not kept.

    Source: Learning from Simulated and Unsupervised Images through Adversarial Training
    (Shrivastava et al., 2017), section 2.3; in this form the code of Zhu et al., 2017, with
    a pool of 50.

    Args:
      pool: see `empty_pool`; of a size of 0 all images come back.
      images: [n, ...].
      rng: keys [n].

    Returns:
      The new pool, and images [n, ...].
    """
    size = pool['images'].shape[0]
    if size == 0:
        return pool, images

    def show(pool: Pool, given: tuple) -> tuple[Pool, jax.Array]:
        image, key = given
        kept, count = pool['images'], pool['count']
        full = count >= size
        swap = full & jax.random.bernoulli(keys.fold_in_name(key, 'swap'))
        drawn = jax.random.randint(keys.fold_in_name(key, 'place'), (), 0, size)
        place = jnp.where(full, drawn, jnp.minimum(count, size - 1))
        back = jnp.where(swap, kept[place], image)
        kept = kept.at[place].set(jnp.where(swap | ~full, image, kept[place]))
        return {'images': kept, 'count': jnp.minimum(count + 1, size)}, back

    return lax.scan(show, pool, (images, rng))


def _over_devices(
    pool: Pool, images: chex.Array, rng: chex.PRNGKey, axis_name: str | None
) -> tuple[Pool, chex.Array]:
    """`exchange` of the whole batch, the same on every device; each gets back its own part."""
    if axis_name is None:
        return exchange(pool, images, rng)
    data = jax.random.key_data(rng)
    everything, all_keys = lax.all_gather((images, data), axis_name, tiled=True)
    pool, back = exchange(pool, everything, jax.random.wrap_key_data(all_keys))
    num = images.shape[0]
    return pool, lax.dynamic_slice_in_dim(back, lax.axis_index(axis_name) * num, num)


def make(
    *,
    generator: nn.Module,
    discriminator: nn.Module,
    adversary: Adversary,
    distance: Distance,
    adversarial_weight: float = 1.0,
    cycle_weight: float = 10.0,
    identity_weight: float = 0.5,
    pool_size: int = 50,
    generator_every: int = 1,
    axis_name: str | None = None,
) -> Game:
    """Builds the game.

    The player 'generator' holds the networks 'a_to_b' and 'b_to_a', the player 'discriminator' 'a'
    and 'b'. Its loss is adversarial_weight times that of both adversaries, plus cycle_weight times

        d(b_to_a(a_to_b(a)), a) + d(a_to_b(b_to_a(b)), b)
        + identity_weight * (d(b_to_a(a), a) + d(a_to_b(b), b)).

    Both players move from the same state, as in the authors' code: the discriminator sees what the
    generator made before its move. Pools of earlier images are arrays in aux, the same on all
    devices; a batch passes them in the order of its examples (with several devices and
    micro-batches, those of each micro-batch device by device). A generator with
    dropout draws anew in each turn.

    Args:
      generator: (images, train, keys or None) -> images, for either direction.
      discriminator: (images, train) -> logits of patches, for either domain.
      adversary: the losses of both, with penalties and cures, for either domain.
      distance: d, (x, y) -> [batch], such as losses.l1.
      adversarial_weight: 2 is the authors' with this library's least_squares, which has a factor of
        1/2 that their generator's loss has not.
      cycle_weight: lambda, 10 in the paper.
      identity_weight: of the identity loss, as a share of lambda; 0.5 in the paper, 0 for none.
      pool_size: how many images each pool keeps, 50 in the paper.
      generator_every: the generator plays at multiples of this step.
      axis_name: the axis of the devices that share a batch.

    Returns:
      A game of the players 'generator' and 'discriminator', on batches {'source': a, 'image': b}
      of one shape, with functions
      a_to_b, b_to_a: (params, aux, images [n, ...]) -> images [n, ...] in [-1, 1];
      score: (params, aux, batch) -> the logits of the domain b, [n].
    """

    def translate(params, aux, direction, images, rng=None):
        """In training where keys are given: (images, new collections)."""
        own = aux['generator'][direction]
        variables = {'params': params['generator'][direction], **own}
        if rng is None:
            return generator.apply(variables, images, train=False), own
        rng = keys.of_name(rng, 'dropout')
        return generator.apply(variables, images, True, rng, mutable=list(own))

    def there(params, aux, direction, images, rng):
        made, collections = translate(params, aux, direction, images, rng)
        return made, {**aux, 'generator': {**aux['generator'], direction: collections}}

    def judge(params, domain):
        def apply_to(view, images):
            variables = {'params': params['discriminator'][domain], **view['discriminator']}
            logits, collections = discriminator.apply(
                variables, images, train=True, mutable=list(view['discriminator'])
            )
            return logits, {**view, 'discriminator': collections}

        return apply_to

    own = ('discriminator', *adversary.init())

    def seen_by(aux, domain):
        """Aux as the adversary of one domain knows it."""
        return {**aux, **{name: aux[name][domain] for name in own}}

    def joined(aux, views):
        return {**aux, **{n: {domain: view[n] for domain, view in views.items()} for n in own}}

    def init(rng: chex.PRNGKey, batch: Batch) -> tuple[dict[str, Any], Aux]:
        image = batch['image']
        inputs = {'generator': image, 'discriminator': adversary.repeated(image)}
        networks = {'generator': (generator, DIRECTIONS), 'discriminator': (discriminator, DOMAINS)}
        params: dict[str, Any] = {}
        aux: dict[str, Any] = {}
        for player, (network, names) in networks.items():
            params[player], aux[player] = {}, {}
            for name in names:
                key = keys.fold_in_name(rng, f'{player} {name}')
                variables = dict(network.init(key, inputs[player], train=True))
                params[player][name] = variables.pop('params')
                aux[player][name] = variables
        for name, value in adversary.init().items():
            aux[name] = dict.fromkeys(DOMAINS, value)
        pools = {domain: empty_pool(pool_size, image.shape[1:]) for domain in DOMAINS}
        return params, {**aux, POOLS: pools}

    def fakes(params, aux, batch, rng):
        """{domain: what was translated into it}, and aux."""
        fake_b, aux = there(params, aux, 'a_to_b', batch['source'], keys.of_name(rng, 'a_to_b'))
        fake_a, aux = there(params, aux, 'b_to_a', batch['image'], keys.of_name(rng, 'b_to_a'))
        return {'a': fake_a, 'b': fake_b}, aux

    def of_both(aux, batch, made, rng, play):
        """The sum over the domains of play(domain, view, real, fake, keys)."""
        views: dict[str, Any] = {}
        metrics: dict[str, Any] = {}
        total = jnp.float32(0)
        for domain, name in DOMAINS.items():
            drawn, view = keys.of_name(rng, domain), seen_by(aux, domain)
            loss, (views[domain], found) = play(domain, view, batch[name], made[domain], drawn)
            total = total + loss
            metrics |= {f'{key}_{domain}': x for key, x in found.items()}
        return total, (joined(aux, views), metrics)

    def discriminator_loss(params: Params, aux: Aux, batch: Batch, rng: chex.PRNGKey):
        made, _ = fakes(params, aux, batch, rng)
        pools, shown = {}, {}
        for domain, images in made.items():
            drawn = keys.of_name(rng, f'pool {domain}')
            pools[domain], shown[domain] = _over_devices(
                aux[POOLS][domain], images, drawn, axis_name
            )

        def play(domain, view, real, fake, drawn):
            return adversary.discriminator(judge(params, domain), view, real, fake, drawn)

        loss, (aux, metrics) = of_both(aux, batch, shown, rng, play)
        return loss, ({**aux, POOLS: pools}, metrics)

    def lazy(penalty: Penalty):
        def loss(params: Params, aux: Aux, batch: Batch, rng: chex.PRNGKey):
            made, _ = fakes(params, aux, batch, rng)

            def play(domain, view, real, fake, drawn):
                return adversary.lazy(penalty, judge(params, domain), view, real, fake, drawn)

            return of_both(aux, batch, made, rng, play)

        return Turn('discriminator', loss, penalty.every, f'discriminator_{penalty.name}')

    def generator_loss(params: Params, aux: Aux, batch: Batch, rng: chex.PRNGKey):
        made, aux = fakes(params, aux, batch, rng)
        total, metrics = jnp.float32(0), {}
        for domain, name in DOMAINS.items():
            loss = adversary.generator(
                judge(params, domain), seen_by(aux, domain), batch[name], made[domain],
                keys.of_name(rng, domain),
            )  # fmt: skip
            metrics[f'adversarial_{domain}'] = loss
            total = total + adversarial_weight * loss
        back = {}
        for direction, domain in DIRECTIONS.items():
            other = 'b' if domain == 'a' else 'a'
            drawn = keys.of_name(rng, f'back {direction}')
            back[other], aux = there(params, aux, direction, made[domain], drawn)
        terms = {'cycle': (back, cycle_weight)}
        if identity_weight:
            same = {}
            for direction, domain in DIRECTIONS.items():
                other = 'b' if domain == 'a' else 'a'
                drawn = keys.of_name(rng, f'identity {direction}')
                same[other], aux = there(params, aux, direction, batch[DOMAINS[other]], drawn)
            terms['identity'] = (same, cycle_weight * identity_weight)
        for term, (images, weight) in terms.items():
            for domain, name in DOMAINS.items():
                value = jnp.mean(distance(images[domain], batch[name]))
                metrics[f'{term}_{domain}'] = value
                total = total + weight * value
        return total, (aux, metrics)

    def direction(name: str) -> Callable:
        return lambda params, aux, images: translate(params, aux, name, images)[0]

    def score(params: Params, aux: Aux, batch: Batch) -> Any:
        variables = {'params': params['discriminator']['b'], **aux['discriminator']['b']}
        logits = discriminator.apply(variables, adversary.repeated(batch['image']), train=False)
        leaves = [x.reshape(x.shape[0], -1).mean(1) for x in jax.tree.leaves(logits)]
        return sum(leaves[1:], leaves[0]) / len(leaves)

    turns = (
        Turn('generator', generator_loss, generator_every),
        Turn('discriminator', discriminator_loss),
        *(lazy(penalty) for penalty in adversary.penalties if penalty.every > 1),
    )
    functions = {name: direction(name) for name in DIRECTIONS} | {'score': score}
    return Game(init, turns, functions, simultaneous=True)
