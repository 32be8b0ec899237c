"""What CTGAN adds to the game of one generator against one discriminator, and its config."""

import jax
import methods
import numpy as np
import pytest

from gan_jax import keys, stabilization
from gan_jax.config import experiment
from gan_jax.errors import UserError
from gan_jax.game import current
from gan_jax.networks import ctgan
from gan_jax.sampling import sampler

CONFIG = methods.method('ctgan')
RNG = keys.per_example(jax.random.key(3), 16)
BATCH = methods.batch(CONFIG)


@pytest.fixture(scope='module')
def built():
    run = experiment.rebuild(CONFIG)
    state = run.init()
    return run, *current(state)


def alone(turn):
    """A turn's loss on one device; batch statistics ask for the axis."""
    axis = experiment.parallel.AXIS
    loss = jax.vmap(turn.loss, (None, None, 0, 0), axis_name=axis)

    def one(params, aux, batch, rng):
        first = jax.tree.map(lambda x: x[None], batch)
        given = {**aux, 'step': np.int32(1)}
        return jax.tree.map(lambda x: x[0], loss(params, given, first, rng[None]))

    return jax.jit(one)


def logits_of(run, params, aux, batch):
    """Of the draws of its turn's prior, told the batch's condition."""
    inputs = {**run.game.functions['prior'](RNG), 'condition': batch['condition']}
    generator = ctgan.Generator(run.modality.fields['heads'], features=(16, 8))
    variables = {'params': params['generator'], **aux['generator']}
    (_, logits), _ = generator.apply(
        variables,
        inputs['latent'],
        True,
        inputs['noise'],
        inputs['condition'],
        method='with_logits',
        mutable=['batch_stats'],
    )
    return logits


def test_the_generators_loss_is_the_adversarial_one_and_the_cross_entropy(built):
    run, params, aux = built
    value, (_, metrics) = alone(run.game.turns[-1])(params, aux, BATCH, RNG)
    heads = run.modality.fields['heads']
    with jax.numpy_rank_promotion('allow'):
        logits = logits_of(run, params, aux, BATCH)
    want = np.mean(ctgan.cross_entropy(logits, BATCH['condition'], heads))
    np.testing.assert_allclose(metrics['condition_loss'], want, rtol=1e-4)
    np.testing.assert_allclose(value, metrics['adversarial'] + want, rtol=1e-4)


def test_the_weight_is_a_factor_of_the_cross_entropy(built):
    _, params, aux = built
    other = experiment.rebuild(CONFIG | {'condition_weight': 3.0})
    value, (_, metrics) = alone(other.game.turns[-1])(params, aux, BATCH, RNG)
    want = metrics['adversarial'] + 3 * metrics['condition_loss']
    np.testing.assert_allclose(value, want, rtol=1e-5)


def test_both_players_are_told_the_condition_in_packs(built):
    """Another condition of one row is another logit of its pack, and of no other."""
    run, params, aux = built
    other = {**BATCH, 'condition': (BATCH['condition'] + np.eye(16, 1, dtype=np.int32)) % 5}
    batch = jax.tree.map(np.asarray, BATCH)
    one, two = (run.game.functions['score'](params, aux, x) for x in (batch, other))
    assert one.shape == (16,)
    differ = np.asarray(one != two)
    assert differ.tolist() == [True] + [False] * 15
    discriminator = ctgan.Discriminator(run.modality.fields['heads'], features=(16, 8))
    variables = {'params': params['discriminator']}
    packs = [stabilization.pack(np.repeat(batch[x], 2, axis=0), 2) for x in ('real', 'condition')]
    want = discriminator.apply(variables, packs[0], False, packs[1])
    np.testing.assert_allclose(one, want, rtol=1e-5)


def test_samples_conditions_come_as_in_the_data(built):
    run, *_ = built
    drawn = sampler.draw_inputs(run.game, 0, 20_000)
    assert drawn['condition'].shape == (20_000, 1)
    assert drawn['noise'].shape == (20_000, *run.modality.shape)
    # Gumbel's mean is Euler's constant, its variance pi^2 / 6.
    np.testing.assert_allclose(drawn['noise'].mean(), 0.5772, atol=0.01)
    np.testing.assert_allclose(drawn['noise'].var(), np.pi**2 / 6, rtol=0.02)
    shares = np.bincount(drawn['condition'][:, 0]) / 20_000
    np.testing.assert_allclose(shares, [0.25, 0.15, 0.1, 0.375, 0.125], atol=0.01)


def test_a_sample_depends_on_its_own_draws_only(built):
    run, params, aux = built
    make = sampler.make_sampler(run.game, run.modality)
    few, many = (make(params, aux, sampler.draw_inputs(run.game, 1, n)) for n in (5, 130))
    np.testing.assert_array_equal(few, many[:5])


def settings(columns, **changes):
    config = CONFIG | {'modality': methods.TABLE | {'columns': columns}}
    return config | {key: {**CONFIG[key], **x} for key, x in changes.items()}


def test_a_table_without_categories_is_one_without_conditions():
    numbers = [methods.COLUMNS[0], {**methods.COLUMNS[0], 'name': 'other'}]
    run = experiment.rebuild(settings(numbers, data={'by_condition': False}))
    params, aux = current(run.init())
    _, (_, metrics) = alone(run.game.turns[-1])(
        params, aux, {'real': np.zeros((16, 8), np.float32)}, RNG
    )
    assert 'condition_loss' not in metrics
    assert {*run.game.functions['prior'](RNG)} == {'latent', 'noise'}


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'data': {'by_condition': False}}, 'config.data.by_condition=False: these networks ask'),
        ({'generator': {'name': 'mixture.Generator', 'width': 4}}, 'ctgan.Generator'),
    ],
)
def test_what_does_not_fit_is_told_in_a_line(change, words):
    config = dict(CONFIG)
    for key, x in change.items():
        config[key] = x if 'name' in x else {**CONFIG[key], **x}
    with pytest.raises(UserError) as error:
        experiment.rebuild(config)
    assert words in str(error.value)
    assert '\n' not in str(error.value)


def test_networks_of_tables_are_refused_for_points():
    config = methods.shrunk('ring8', generator=CONFIG['generator'])
    with pytest.raises(UserError, match='the data are no table with categories'):
        experiment.rebuild(config)
