"""The search for latents, on a game that is linear, and the scores of any game, by themselves."""

import jax
import jax.numpy as jnp
import methods
import numpy as np
import pytest
from linear_players import PERMUTED

from gan_jax import game, modalities
from gan_jax.config import experiment
from gan_jax.sampling import anomalies

SHAPE, SIZE = (4, 4, 1), 3
IMAGES = modalities.make({'name': 'images', 'shape': SHAPE})
KERNEL = np.random.default_rng(0).normal(size=(SIZE, 16)).astype(np.float32) / 8
VARIABLES = {'kernel': KERNEL}, {}
NOTHING = print


def prior(rng):
    return {'latent': jax.vmap(lambda key: jax.random.normal(key, (SIZE,)))(rng)}


def sample(params, aux, inputs):
    """z K."""
    return (inputs['latent'] @ params['kernel']).reshape(-1, *SHAPE)


def features(params, aux, examples):
    """The sums of the rows, doubled."""
    return 2 * examples.sum(axis=(2, 3))


GAME = game.Game(None, (), {'prior': prior, 'sample': sample, 'features': features})
OWN = {
    'anomaly': lambda params, aux, x: jnp.abs(x).sum(axis=(1, 2, 3)) * params['kernel'][0, 0],
    'reconstruct': lambda params, aux, x: -x,
}


def scorer(functions, steps=60, seed=0):
    of = game.Game(None, (), functions)
    return anomalies.make_scorer(of, IMAGES, VARIABLES, seed, steps, jax.jit)


def stored(latents):
    return IMAGES.decode(np.asarray(sample(*VARIABLES, {'latent': latents})))


def test_the_score_is_the_papers():
    """Of 0.9 and 0.1, sums of absolute differences of 16 values and of 4 features."""
    target = np.random.default_rng(1).normal(size=(2, *SHAPE)).astype(np.float32)
    latent = np.random.default_rng(2).normal(size=(2, SIZE)).astype(np.float32)
    problem = anomalies.Search(GAME)
    state = problem.begin((VARIABLES, np.zeros(SIZE, np.float32)), target)
    scores, examples = problem.compare((VARIABLES, None), latent, state)
    made = (latent @ KERNEL).reshape(2, *SHAPE)
    np.testing.assert_allclose(examples, made, rtol=1e-5)
    residual = np.abs(target - made).sum((1, 2, 3))
    discrimination = np.abs(2 * (target - made).sum((2, 3))).sum(1)
    np.testing.assert_allclose(scores, 0.9 * residual + 0.1 * discrimination, rtol=1e-5)
    assert (anomalies.STEPS, anomalies.WEIGHT) == (500, 0.1)


@pytest.fixture(scope='module')
def searched():
    """Four examples that the generator can make, and one of noise; with their scores."""
    normal = stored(np.random.default_rng(3).normal(size=(4, SIZE)).astype(np.float32))
    noise = np.random.default_rng(4).integers(0, 256, (1, *SHAPE), np.uint8)
    examples = np.concatenate([normal, noise])
    score = scorer(GAME.functions)
    return score, examples, score(examples, NOTHING)


def test_what_the_generator_makes_is_found_and_noise_is_not(searched):
    _, examples, found = searched
    assert found.again.dtype == np.uint8
    assert np.abs(found.again[:4].astype(int) - examples[:4]).max() < 12
    assert found.scores[:4].max() < 0.2 * found.scores[4]


def test_scores_do_not_depend_on_the_batch_or_the_order(searched):
    score, examples, found = searched
    np.testing.assert_allclose(
        score(examples[PERMUTED], NOTHING).scores, found.scores[PERMUTED], rtol=1e-5
    )
    alone = score(examples[4:], NOTHING)
    np.testing.assert_allclose(alone.scores[0], found.scores[4], rtol=1e-5)


def test_another_seed_begins_elsewhere(searched):
    _, examples, _ = searched
    first, same, other = (
        scorer(GAME.functions, steps=1, seed=seed)(examples, NOTHING).scores for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, same)
    assert np.abs(first - other).min() > 1e-3


def test_a_games_own_score_comes_first_in_parts_of_any_number():
    examples = np.random.default_rng(5).integers(0, 256, (230, *SHAPE), np.uint8)
    found = scorer(GAME.functions | OWN)(examples, NOTHING)
    encoded = IMAGES.encode(examples)
    np.testing.assert_allclose(
        found.scores, np.abs(encoded).sum((1, 2, 3)) * KERNEL[0, 0], rtol=1e-5
    )
    np.testing.assert_array_equal(found.again, 255 - examples)


@pytest.mark.parametrize('without', ['prior', 'sample', 'features'])
def test_a_game_without_a_score_is_told(without):
    functions = {name: x for name, x in GAME.functions.items() if name != without}
    with pytest.raises(anomalies.NoScore, match='name a run of f_anogan or of ganomaly'):
        scorer(functions)


def test_labels_are_not_searched():
    def labelled(rng):
        return {**prior(rng), 'label': jnp.zeros(len(rng), jnp.int32)}

    with pytest.raises(anomalies.NoScore, match='without labels'):
        scorer(GAME.functions | {'prior': labelled})


@pytest.mark.slow
@pytest.mark.parametrize(
    'name', ['dcgan', 'gan', 'pacgan', 'r3gan', 'ring8', 'sngan', 'stylegan2_digits', 'vectors']
)
def test_every_gan_without_labels_can_be_searched(name):
    """Whatever its discriminator, it ends in a dense layer; packs, of one example repeated, too."""
    run = experiment.rebuild(methods.shrunk(name))
    assert anomalies.can_search(run.game)
    variables = jax.eval_shape(run.game.init, jax.random.key(0), run.example)
    examples = jnp.zeros((3, *run.modality.shape))
    num, size = jax.eval_shape(run.game.functions['features'], *variables, examples).shape
    assert num == 3
    assert size >= 4


def test_latents_are_not_searched_where_samples_are_made_of_more():
    for name, searched in {'dcgan': True, 'infogan': False, 'reacgan': False}.items():
        game = experiment.rebuild(methods.method(name)).game
        assert anomalies.can_search(game) == searched
