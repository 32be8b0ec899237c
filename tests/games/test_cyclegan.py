"""CycleGAN's pools against a trace, and its losses with networks that are one number each."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import game as game_lib
from gan_jax import keys, losses, objectives, penalties
from gan_jax.games import cyclegan, network, pools
from gan_jax.games.adversary import Adversary, Penalty

SHAPE = (2, 2, 1)
RNG = jax.random.key(0)


class Scale(nn.Module):
    """Multiplies by one parameter."""

    @nn.compact
    def __call__(self, image, train, rng=None):
        return image * self.param('scale', nn.initializers.constant(0.5), ())


class Sum(nn.Module):
    """Logits [b, 2]: a parameter times the image's two columns' sums."""

    @nn.compact
    def __call__(self, image, train):
        return self.param('weight', nn.initializers.ones_init(), ()) * image.sum((1, 3))


def pictures(num, start=1):
    """Pictures that are their own number everywhere."""
    numbers = np.arange(start, start + num, dtype=np.float32)
    return np.broadcast_to(numbers[:, None, None, None], (num, *SHAPE)).copy()


def numbers(images):
    return np.asarray(images)[:, 0, 0, 0].astype(int).tolist()


class Pool:
    """The authors' rule, in plain Python; draws are given."""

    def __init__(self, size):
        self.size, self.kept = size, []

    def query(self, image, swap, place):
        if len(self.kept) < self.size:
            self.kept.append(image)
            return image
        if not swap:
            return image
        back, self.kept[place] = self.kept[place], image
        return back


def draws(rng, size):
    """What exchange draws of an image's key."""
    swap = jax.random.bernoulli(keys.fold_in_name(rng, 'swap'))
    place = jax.random.randint(keys.fold_in_name(rng, 'place'), (), 0, size)
    return bool(swap), int(place)


def test_a_pool_is_the_authors_to_the_image():
    size, expected = 3, []
    pool, rule = pools.empty(size, SHAPE), Pool(size)
    for batch in range(6):
        rng = keys.per_example(jax.random.key(batch), 4)
        images = pictures(4, 1 + 4 * batch)
        pool, back = jax.jit(pools.exchange)(pool, images, rng)
        expected = [
            rule.query(n, *draws(key, size)) for n, key in zip(numbers(images), rng, strict=True)
        ]
        assert numbers(back) == expected
        assert numbers(pool['examples'])[: len(rule.kept)] == rule.kept
    assert int(pool['count']) == size
    assert any(n <= 20 for n in expected)  # some came back from earlier batches


def test_a_literal_trace(monkeypatch):
    """Two places; the third image is swapped for place 1, the fourth is not, the fifth for 0."""
    swaps, places = iter([False, False, True, False, True]), iter([0, 0, 1, 0, 0])
    monkeypatch.setattr(jax.random, 'bernoulli', lambda key: next(swaps))
    monkeypatch.setattr(jax.random, 'randint', lambda key, *_: jnp.int32(next(places)))
    pool = pools.empty(2, SHAPE)
    seen = []
    for n in range(1, 6):
        with jax.disable_jit():
            pool, back = pools.exchange(pool, pictures(1, n), jax.random.split(RNG, 1))
        seen += numbers(back)
    assert seen == [1, 2, 2, 4, 1]
    assert numbers(pool['examples']) == [5, 3]


def test_about_half_come_back_from_a_full_pool():
    pool = pools.empty(50, SHAPE)
    _, back = pools.exchange(pool, pictures(1050), keys.per_example(RNG, 1050))
    same = np.mean([a == b for a, b in zip(numbers(back)[50:], range(51, 1051), strict=True)])
    assert 0.45 < same < 0.55
    assert numbers(back)[:50] == list(range(1, 51))


def test_no_pool_gives_back_what_it_is_shown():
    pool, back = pools.exchange(pools.empty(0, SHAPE), pictures(3), keys.per_example(RNG, 3))
    assert numbers(back) == [1, 2, 3]
    assert pool['examples'].shape[0] == 0


def made(**changes):
    settings = {'adversary': Adversary(objectives.wasserstein), 'distance': losses.l1}
    players = {'generator': network.of_module(Scale())}
    players |= {'discriminator': network.of_module(Sum())}
    return cyclegan.make(**players, **(settings | changes))


def begun(game, num=2):
    batch = {'source': jnp.ones((num, *SHAPE)), 'real': 3 * jnp.ones((num, *SHAPE))}
    params, aux = game.init(RNG, batch)
    return params, aux, batch, keys.per_example(RNG, num)


def test_the_generators_loss_is_the_papers_sum():
    """Both generators halve. D sums a column of two: logits 2 x; a = 1, b = 3."""
    game = made(adversarial_weight=2.0, cycle_weight=10.0, identity_weight=0.5)
    params, aux, batch, rng = begun(game)
    loss, (_, metrics) = game.turns[0].loss(params, aux, batch, rng)
    assert game.turns[0].player == 'generator'
    adversarial = -(2 * 0.5 * 1) - (2 * 0.5 * 3)  # of D_b and of D_a
    cycle = (1 - 0.25) * (1 + 3)
    identity = 0.5 * (1 + 3)
    assert float(loss) == pytest.approx(2 * adversarial + 10 * (cycle + 0.5 * identity))
    assert float(metrics['cycle_a']) == pytest.approx(0.75)
    assert float(metrics['cycle_b']) == pytest.approx(2.25)
    assert float(metrics['identity_a']) == pytest.approx(0.5)
    assert float(metrics['identity_b']) == pytest.approx(1.5)


def test_without_identity_there_is_no_such_term():
    game = made(identity_weight=0.0)
    params, aux, batch, rng = begun(game)
    assert 'identity_a' not in game.turns[0].loss(params, aux, batch, rng)[1][1]


def test_each_direction_has_its_own_network_and_each_domain_its_own_judge():
    game = made()
    params, aux, batch, rng = begun(game)
    params['generator']['a_to_b']['scale'] = jnp.float32(2)
    params['generator']['b_to_a']['scale'] = jnp.float32(0.5)
    params['discriminator']['a']['weight'] = jnp.float32(10)
    _, (_, metrics) = game.turns[0].loss(params, aux, batch, rng)
    assert float(metrics['cycle_a']) == float(metrics['cycle_b']) == 0
    assert float(metrics['identity_b']) == pytest.approx(3)  # a_to_b(3) = 6
    assert float(metrics['adversarial_b']) == pytest.approx(-2 * 2)
    assert float(metrics['adversarial_a']) == pytest.approx(-10 * 2 * 1.5)
    assert float(game.functions['a_to_b'](params, aux, batch['source'])[0, 0, 0, 0]) == 2
    assert float(game.functions['b_to_a'](params, aux, batch['real'])[0, 0, 0, 0]) == 1.5


def test_the_discriminators_see_the_pools():
    game = made(pool_size=1)
    params, aux, batch, rng = begun(game, num=1)
    play = next(turn.loss for turn in game.turns if turn.player == 'discriminator')
    loss, (aux, metrics) = play(params, aux, batch, rng)
    assert float(loss) == pytest.approx((2 * 1.5 - 2 * 1) + (2 * 0.5 - 2 * 3))
    assert numbers(aux['adversary_a']['pool']['examples'] * 2) == [3]
    later = {'source': 10 * batch['source'], 'real': 10 * batch['real']}
    seen = set()
    for i in range(8):
        _, (_, metrics) = play(params, aux, later, keys.per_example(jax.random.key(i), 1))
        seen.add(round(float(metrics['fake_logit_b']), 3))
    assert seen == {1.0, 10.0}  # what was kept, and the new one


def test_a_lazy_penalty_has_a_turn_for_both_domains():
    """R1 of a sum of four pixels is 4, of one with a weight of 3 it is 36."""
    lazy = Penalty('r1', lambda critic, real, *_: penalties.r1(critic, real), 0.5, every=4)
    game = made(adversary=Adversary(objectives.wasserstein, (lazy,)))
    turn = game.turns[-1]
    assert (turn.player, turn.every, turn.label) == ('discriminator', 4, 'discriminator_r1')
    params, aux, batch, rng = begun(game)
    params['discriminator']['b']['weight'] = jnp.float32(3)
    loss, (_, metrics) = turn.loss(params, aux, batch, rng)
    assert float(metrics['r1_a']) == pytest.approx(4)
    assert float(metrics['r1_b']) == pytest.approx(36)
    assert float(loss) == pytest.approx(4 * 0.5 * 40)


def test_anchors_are_kept_for_each_domain():
    """LeCam's running means move by 1% of the mean logits: 2 and 6, real; 3 and 1, generated."""

    def seen(critic, real, fake, rng, anchors):
        return jnp.zeros(real.shape[0])

    adversary = Adversary(objectives.wasserstein, (Penalty('lecam', seen, 1.0, decay=0.99),))
    game = made(adversary=adversary, pool_size=0)
    params, aux, batch, rng = begun(game)
    play = next(turn.loss for turn in game.turns if turn.player == 'discriminator')
    _, (aux, _) = play(params, aux, batch, rng)
    kept = {x: aux[f'adversary_{x}']['anchors'] for x in 'ab'}
    found = jax.tree.map(lambda x: round(100 * float(x), 4), kept)
    assert found == {'a': {'real': 2.0, 'fake': 3.0}, 'b': {'real': 6.0, 'fake': 1.0}}


def test_both_players_move_from_the_same_state():
    assert made().simultaneous
    assert [turn.player for turn in made().turns] == ['generator', 'discriminator']


def test_on_eight_devices_a_batch_passes_the_pools_as_on_one():
    """To the bit, with a pool that is full within the second batch."""
    game = made(pool_size=10, adversary=Adversary(objectives.wasserstein, axis_name='data'))
    images = np.random.default_rng(0).normal(size=(2, 16, *SHAPE)).astype(np.float32)
    play = next(turn.loss for turn in game.turns if turn.player == 'discriminator')

    def pools(devices):
        params, aux, _, _ = begun(game)
        places = ('adversary_a', 'adversary_b')
        kept = {place: aux[place] for place in places}
        for step in range(3):
            rng = keys.per_example(jax.random.key(step), 16)
            rng = jax.random.key_data(rng).reshape(devices, 16 // devices, -1)
            batch = dict(zip(('source', 'real'), images + step, strict=True))
            parts = jax.tree.map(lambda x: x.reshape(devices, -1, *SHAPE), batch)

            def one(kept, batch, rng):
                view = {**aux, **kept}
                rng = jax.random.wrap_key_data(rng)
                after, metrics = play(params, view, batch, rng)[1]
                return {x: after[x] for x in places}, metrics['fake_logit_b']

            copies = jax.tree.map(lambda x: np.stack([x] * devices), kept)
            on = jax.pmap(one, 'data', devices=jax.devices()[:devices])
            found, logits = on(copies, parts, rng)
            for leaf in jax.tree.leaves(found):
                np.testing.assert_array_equal(leaf, np.broadcast_to(leaf[:1], leaf.shape))
            kept = jax.tree.map(lambda x: np.asarray(x)[0], found)
        return kept, np.asarray(logits).mean()

    (one, logits), (eight, others) = pools(1), pools(8)
    jax.tree.map(np.testing.assert_array_equal, one, eight)
    assert logits == pytest.approx(others, abs=1e-6)


def test_score_is_of_the_domain_b():
    game = made()
    params, aux, batch, _ = begun(game)
    params['discriminator']['b']['weight'] = jnp.float32(7)
    np.testing.assert_allclose(game.functions['score'](params, aux, batch), [42, 42])
    assert isinstance(game, game_lib.Game)
