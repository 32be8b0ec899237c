"""Every objective with every penalty.

A discriminator's loss is the mean of the objective plus the weighted mean of each penalty, and
objectives and penalties are functions of logits and of the critic alone. So it is enough that the
sum is shown to be one for all pairs, in value, gradient and state, with a critic written out here;
and that in training, on one device and on eight, each objective is met once and each penalty once.
Beyond that those pairs are trained whose parts meet elsewhere than in the sum: in means over the
devices (relativistic averages, the anchors of lecam, the deviation of dragan) and in the statistics
of batch normalisation.

Which of them is played is read from the state, so that all share one compiled program per game and
number of devices.
"""

import functools
import inspect
from typing import NamedTuple

import jax
import jax.numpy as jnp
import methods
import numpy as np
import optax
import pytest
from jax import lax

from gan_jax import augment, keys, latents, objectives, penalties
from gan_jax import game as game_lib
from gan_jax.games import gan
from gan_jax.games.adversary import Adversary, Penalty
from gan_jax.games.network import of_module
from gan_jax.networks import dcgan, mlp
from gan_jax.runtime import parallel

OBJECTIVES = {k: v for k, v in vars(objectives).items() if isinstance(v, objectives.Objective)}
BRIGHTER = augment.compose({'brightness': 0.5})
PENALTIES = {
    'none': None,
    'r1': penalties.r1,
    'r2': penalties.r2,
    'gradient_penalty': penalties.gradient_penalty,
    'one_sided': functools.partial(penalties.gradient_penalty, target=1e-3, one_sided=True),
    'zero_centered': penalties.zero_centered,
    'dragan': penalties.dragan,
    'lecam': penalties.lecam,
    'consistency': functools.partial(penalties.consistency, transform=BRIGHTER),
    'balanced_consistency': functools.partial(penalties.balanced_consistency, transform=BRIGHTER),
}


def test_the_tables_are_whole():
    public = [f for f in vars(penalties).values() if inspect.isfunction(f)]
    public = [f for f in public if 'critic' in inspect.signature(f).parameters]
    used = [getattr(f, 'func', f) for f in PENALTIES.values() if f]
    assert {f.__name__ for f in public if not f.__name__.startswith('_')} <= {
        f.__name__ for f in used
    }
    assert len(OBJECTIVES) == 11
    trained = [pair for pairs in TRAINED.values() for pair in pairs]
    assert {o for o, _ in trained} == OBJECTIVES.keys()
    assert {p for _, p in trained} == PENALTIES.keys()


class Chosen(NamedTuple):
    """Objectives and penalties by name, of which traced numbers choose one each."""

    objectives: tuple[str, ...]
    penalties: tuple[str, ...]
    axis_name: str | None = None

    def numbers(self, objective, penalty):
        places = self.objectives.index(objective), self.penalties.index(penalty)
        return np.array(places, np.int32)

    def objective(self, which):
        def side(name):
            sides = [
                getattr(o.partial(axis_name=self.axis_name) if o.options() == AXIS else o, name)
                for o in map(OBJECTIVES.get, self.objectives)
            ]
            return lambda real, fake: lax.switch(which, sides, real, fake)

        return objectives.Objective(side('discriminator'), side('generator'))

    def penalty(self, which):
        def function(critic, real, fake, rng, anchors):
            given = {'real': real, 'fake': fake, 'rng': rng, 'anchors': anchors}
            given['axis_name'] = self.axis_name

            def call(f):
                if f is None:
                    return jnp.zeros(real.shape[0])
                known = inspect.signature(f).parameters
                return f(critic, **{k: v for k, v in given.items() if k in known})

            calls = [functools.partial(call, PENALTIES[name]) for name in self.penalties]
            return lax.switch(which, calls)

        return Penalty('penalty', function, WEIGHT, decay=0.9)

    def adversary(self, which):
        parts = self.objective(which[0]), (self.penalty(which[1]),)
        return Adversary(*parts, axis_name=self.axis_name)


AXIS = ('axis_name',)
WEIGHT = 1.5
ALL = Chosen(tuple(OBJECTIVES), tuple(PENALTIES))
REAL, FAKE = np.random.default_rng(0).uniform(-1, 1, (2, 6, 4, 4, 1)).astype(np.float32)
RNG = keys.per_example(jax.random.key(0), 6)
CRITIC = {
    'w': np.random.default_rng(1).normal(size=(16, 5)).astype(np.float32),
    'v': np.random.default_rng(2).normal(size=5).astype(np.float32),
}
STATE = {'adversary': {'anchors': {'real': jnp.float32(0.3), 'fake': jnp.float32(-0.2)}}}


def judge(critic):
    """v tanh(W x), with a count of its calls in aux, as batch statistics would be."""

    def apply_to(aux, x):
        logits = jnp.tanh(x.reshape(x.shape[0], -1) @ critic['w']) @ critic['v']
        return logits, {**aux, 'calls': aux.get('calls', jnp.int32(0)) + 1}

    return apply_to


@functools.partial(jax.jit, static_argnums=0)
def loss_and_gradient(with_penalty, which):
    """Of the discriminator's loss: (loss, state, metrics), gradient; and the generator's loss."""
    whole = ALL.adversary(which)
    adversary = whole if with_penalty else whole._replace(penalties=())

    def loss(critic):
        value, (aux, metrics), _ = adversary.discriminator(judge(critic), STATE, REAL, FAKE, RNG)
        return value, (value, aux, metrics)

    gradient, found = jax.grad(loss, has_aux=True)(CRITIC)
    return found, gradient, adversary.generator(judge(CRITIC), STATE, REAL, FAKE, RNG)[0]


@jax.jit
def penalty_and_gradient(which):
    """Of a penalty's mean, by itself."""
    function, anchors = ALL.penalty(which).function, STATE['adversary']['anchors']

    def mean(critic):
        drawn = keys.of_name(RNG, 'penalty')
        anchor = anchors['real'], anchors['fake']
        return jnp.mean(function(lambda x: judge(critic)({}, x)[0], REAL, FAKE, drawn, anchor))

    return jax.value_and_grad(mean)(CRITIC)


@pytest.mark.parametrize('objective', OBJECTIVES)
@pytest.mark.parametrize('penalty', PENALTIES)
def test_the_loss_of_a_pair_is_the_sum_of_its_parts(objective, penalty):
    which = ALL.numbers(objective, penalty)
    (plain, aux, plain_metrics), plain_gradient, plain_generator = loss_and_gradient(False, which)
    value, gradient = penalty_and_gradient(which[1])
    (loss, after, metrics), of_both, generator = loss_and_gradient(True, which)
    np.testing.assert_allclose(loss, plain + WEIGHT * value, rtol=1e-6)
    expected = jax.tree.map(lambda x, y: x + WEIGHT * y, plain_gradient, gradient)
    assert methods.relative_error(expected, of_both) < 2e-6
    np.testing.assert_allclose(metrics.pop('penalty'), value, rtol=1e-6)
    for name, x in plain_metrics.items():
        np.testing.assert_allclose(metrics[name], x, rtol=1e-6, err_msg=name)
    assert metrics.keys() == plain_metrics.keys()
    # The penalty calls the critic, too, but leaves the discriminator's statistics alone.
    assert after['calls'] == aux['calls'] == 2
    anchors = after['adversary']['anchors']
    np.testing.assert_allclose(anchors['real'], 0.27 + 0.1 * metrics['real_logit'], rtol=1e-5)
    np.testing.assert_allclose(generator, plain_generator, rtol=1e-6)
    assert (value != 0) == (penalty != 'none')


AVERAGES = tuple(name for name in OBJECTIVES if name.startswith('relativistic_average'))
TRAINED = {
    'gan': (
        *((objective, 'r1') for objective in OBJECTIVES),
        *(('non_saturating', penalty) for penalty in PENALTIES if penalty != 'r1'),
        *((objective, 'lecam') for objective in AVERAGES),
    ),
    'dcgan': (
        ('relativistic_average_hinge', 'lecam'),
        ('relativistic_average_hinge', 'dragan'),
        ('relativistic_pairing_least_squares', 'dragan'),
        ('relativistic_pairing_least_squares', 'balanced_consistency'),
        ('non_saturating', 'gradient_penalty'),
    ),
}
SHAPE = (16, 16, 1)
NETWORKS = {
    'gan': (mlp.Generator(SHAPE, (16, 8)), mlp.Discriminator(SHAPE, (16, 8))),
    'dcgan': (
        dcgan.Generator(SHAPE, width=4, axis_name=parallel.AXIS),
        dcgan.Discriminator(SHAPE, width=4, axis_name=parallel.AXIS),
    ),
}


def batch(seed, num=16):
    """One step's."""
    return {'real': np.random.default_rng(seed).uniform(-1, 1, (1, num, *SHAPE)).astype('float32')}


def switching(name):
    """The game of two networks with its pairs of TRAINED; aux['which'] says which is played."""
    parts = (tuple(dict.fromkeys(x)) for x in zip(*TRAINED[name], strict=True))
    chosen = Chosen(*parts, parallel.AXIS)

    def with_adversary(which):
        generator, discriminator = map(of_module, NETWORKS[name])
        return gan.make(
            generator=generator,
            discriminator=discriminator,
            adversary=chosen.adversary(which),
            prior=lambda rng: {'latent': latents.normal(rng, 8)},
        )

    drawn = with_adversary(jnp.zeros(2, jnp.int32))

    def turn(place):
        def loss(params, aux, batch, rng):
            return with_adversary(aux['which']).turns[place].loss(params, aux, batch, rng)

        return drawn.turns[place]._replace(loss=loss)

    def init(rng, batch):
        params, aux = drawn.init(rng, batch)
        return params, {**aux, 'which': jnp.zeros(2, jnp.int32)}

    return chosen, drawn._replace(init=init, turns=(turn(0), turn(1)))


@functools.cache
def compiled(name):
    """The choice, the first state, the updates on one device and on eight, how often traced."""
    chosen, game = switching(name)
    traces = []

    def step(state, batch):
        traces.append(1)
        return game_lib.update(game, state, batch, axis_name=parallel.AXIS)

    sgd = dict.fromkeys(('generator', 'discriminator'), optax.sgd(0.005))
    one = {'real': batch(0, num=1)['real'][0]}
    state = jax.jit(lambda: game_lib.init(game, sgd, 0, one))()
    updates = {n: parallel.pmap_steps(step, jax.local_devices()[:n]) for n in (1, 8)}
    return chosen, jax.tree.map(np.asarray, state), updates, traces


def play(name, pair, steps, devices, state=None):
    chosen, first, updates, _ = compiled(name)
    state = first if state is None else state
    start = int(state.step)
    state = state.replace(aux={**state.aux, 'which': chosen.numbers(*pair)})
    state = parallel.replicate(state, jax.local_devices()[:devices])
    for seed in range(start, steps):
        state, metrics = updates[devices](state, parallel.shard(batch(seed), devices))
    return parallel.to_host(state), parallel.to_host(metrics)


@pytest.mark.slow
@pytest.mark.parametrize(
    ('name', 'pair'),
    [
        pytest.param(name, pair, id='-'.join((name, *pair)))
        for name, pairs in TRAINED.items()
        for pair in dict.fromkeys(pairs)
    ],
)
def test_a_pair_plays(name, pair):
    """Finite, trained, the same on one device and on eight, and the same when resumed."""
    _, first, _, traces = compiled(name)
    half, _ = play(name, pair, 1, 1)
    one, metrics = play(name, pair, 2, 1)
    eight, metrics_eight = play(name, pair, 2, 8)
    traced = len(traces)
    resumed, _ = play(name, pair, 2, 1, state=half)
    assert all(np.isfinite(x).all() for x in jax.tree.leaves((one, metrics)))
    for player in first.players:
        assert methods.any_difference(first.players[player].params, one.players[player].params)
    methods.assert_trees_equal(one, resumed)
    params = [game_lib.current(state)[0] for state in (one, eight)]
    methods.assert_trees_close(*([x] for x in params), 1e-5)
    assert methods.relative_error(metrics, metrics_eight) < 1e-4
    assert (metrics['discriminator/penalty'] != 0) == (pair[1] != 'none')
    assert len(traces) == traced
