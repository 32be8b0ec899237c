"""A private game beside the plain one, and who reads the data."""

import functools

import jax
import methods
import numpy as np
import pytest

from gan_jax import game as game_lib
from gan_jax import privacy
from gan_jax.config import experiment
from gan_jax.games import wrappers


def built(**changes):
    config = methods.sgd(methods.shrunk('gan', **changes))
    return config, experiment.rebuild(config)


def private(game, clip, noise, padding):
    """Of 16 expected examples."""
    gradients = functools.partial(privacy.gradients, clip=clip, chunk=4, padding=padding)
    finish = functools.partial(privacy.noisy, stddev=noise * clip / 16)
    return wrappers.private(game, gradients, finish, padding)


def step(game, state, batch, **options):
    return jax.jit(functools.partial(game_lib.update, game, **options))(state, batch)


@pytest.fixture(scope='module')
def plain():
    return built(penalties=methods.R1)


def test_without_noise_and_with_a_huge_bound_it_is_the_plain_game(plain):
    """Of both players, on two batches that are as large as expected."""
    config, run = plain
    game, state = run.game, run.init()
    other, mine = private(game, 1e6, 0.0, 1), state
    for seed in range(2):
        batch = methods.batch(config, seed)
        state, _ = step(game, state, batch)
        mine, _ = step(other, mine, batch | {'weight': np.ones(16, np.float32)})
    methods.assert_trees_close(game_lib.current(state), game_lib.current(mine), 1e-5)


def test_rows_without_examples_change_nothing(plain):
    """The discriminator of 16 examples in 32 rows is that of 16 in 16."""
    config, run = plain
    one, batch = private(run.game, 0.1, 0.0, 1), methods.batch(config)
    two = private(run.game, 0.1, 0.0, 2)
    padded = {k: np.concatenate([x, np.full_like(x, 9)]) for k, x in batch.items()}
    padded['weight'] = (np.arange(32) < 16).astype(np.float32)
    batch['weight'] = np.ones(16, np.float32)
    ends = [step(one, run.init(), batch)[0], step(two, run.init(), padded)[0]]
    found, wanted = (x.players['discriminator'].params for x in ends)
    assert methods.relative_error(wanted, found) < 1e-5


def test_the_noise_is_added_once_and_scaled_by_those_expected(plain):
    config, run = plain
    batch = methods.batch(config) | {'weight': np.zeros(16, np.float32)}
    game, state = private(run.game, 0.5, 2.0, 1), run.init()
    for micro_batches in (1, 4):
        after, metrics = step(game, state, batch, micro_batches=micro_batches)
        moved = jax.tree.map(
            lambda x, y: (x - y) / 0.02,
            state.players['discriminator'].params,
            after.players['discriminator'].params,
        )
        values = np.concatenate([np.ravel(x) for x in jax.tree.leaves(moved)])
        assert len(values) > 1000
        assert values.std() == pytest.approx(2.0 * 0.5 / 16, rel=0.1)
        assert metrics['discriminator/gradient_norm'] > 0


def test_only_the_discriminators_first_turn_sees_the_data(plain):
    """With a discriminator that stays, other examples are nothing to the generator."""
    config, run = plain
    game = private(run.game, 0.5, 1.0, 1)
    game = game._replace(turns=game.turns[1:])
    ends = [
        step(game, run.init(), methods.batch(config, seed) | {'weight': np.ones(16, np.float32)})
        for seed in (0, 1)
    ]
    methods.assert_trees_equal(*ends)


def test_labels_come_from_the_prior_where_the_data_are_not_seen():
    seen = []

    def loss(params, aux, batch, rng):
        seen.append(batch)
        return params['generator'], (aux, {})

    def prior(rng):
        return {'latent': jax.random.key_data(rng), 'label': np.arange(len(rng)) + 100}

    turns = (game_lib.Turn('discriminator', loss), game_lib.Turn('generator', loss))
    game = game_lib.Game(lambda *_: None, turns, {'prior': prior})
    wrapped = wrappers.private(game, None, None, 2)
    batch = {'real': np.ones((6, 2)), 'label': np.arange(6), 'weight': np.ones(6)}
    wrapped.turns[1].loss({'generator': 0.0}, {}, batch, jax.random.split(jax.random.key(0), 6))
    assert seen[0]['label'].tolist() == [100, 101, 102]
    assert seen[0]['real'].shape == (3, 2)
    assert not seen[0]['real'].any()


def test_nothing_of_real_examples_is_logged():
    config, run = built(privacy={})
    batch = methods.batch(config)
    _, metrics = step(run.game, run.init(), batch)
    assert {x for x in metrics if x.startswith('discriminator')} == {
        'discriminator/gradient_norm', 'discriminator/parameter_norm'
    }  # fmt: skip


@pytest.mark.slow
def test_the_vectors_of_spectral_norms_move_though_aux_sees_no_example():
    config = methods.sgd(
        methods.shrunk(
            'sngan',
            privacy={},
            generator={'name': 'dcgan.Generator', 'width': 4, 'hidden': 8, 'norm': 'none'},
        )
    )
    run = experiment.rebuild(config)
    alone = run.game._replace(turns=run.game.turns[:1])
    ends = [step(alone, run.init(), methods.batch(config, seed))[0].aux for seed in (0, 1)]
    methods.assert_trees_equal(*ends)
    assert methods.any_difference(run.init().aux, ends[0])


@pytest.mark.parametrize('row', ['pix2pix', 'f_anogan'])
def test_games_without_a_discriminator_against_a_prior_are_refused(row):
    game = experiment.rebuild(methods.method(row)).game
    with pytest.raises(ValueError, match="trains no 'discriminator' against samples of a prior"):
        wrappers.private(game, None, None, 1)
