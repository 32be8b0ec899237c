import jax
import jax.numpy as jnp
import linear_styles
import numpy as np
import pytest
from evaluation.test_evaluator import CYCLE, DATA, IMAGE, NETWORK

from gan_jax import game as game_lib
from gan_jax.errors import UserError
from gan_jax.evaluation import evaluator as evaluation
from gan_jax.evaluation import paths
from gan_jax.evaluation import statistics as evidence
from gan_jax.sampling import sampler


def line(params, aux, inputs):
    """A linear generator of one parameter, z -> p z as pictures of 8 x 8."""
    return params * inputs['latent'].reshape(-1, 8, 8, 1)


LINE = game_lib.Game(
    None,
    (),
    {
        'prior': lambda rng: {'latent': jax.vmap(lambda k: jax.random.normal(k, (64,)))(rng)},
        'sample': line,
    },
)


def test_the_path_length_of_a_linear_generator_is_that_of_its_latents():
    """On the sphere the squared speed is (angle |z|)^2 where both ends have that norm."""
    references = {'real': evidence.choose(DATA, 60, 0, 'train')}
    against = evaluation.Evaluation(('path_length',), None, references, IMAGE, 0, None)
    z = np.array(sampler.draw_inputs(LINE, 0, 400)['latent'])
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    angles = np.arccos(np.sum(z[::2] * z[1::2], axis=1))
    found = evaluation.of_game(LINE, against, {'latent': z})(jnp.float32(3.0), {})
    low, high = np.quantile(angles, [0.01, 0.99])
    kept = angles[(angles >= low * 0.999) & (angles <= high * 1.001)]
    assert found['path_length'] == pytest.approx(9 * np.mean(kept**2), rel=2e-3)
    error = 9 * np.std(angles**2) / 200**0.5
    assert found['path_length/stderr'] == pytest.approx(error, rel=0.1)


def test_the_path_length_in_features_is_of_networks_that_can_be_differentiated():
    smooth = NETWORK._replace(smooth=(jnp.float32(2.0), lambda p, x: p * x.reshape(len(x), -1)))
    references = {'real': evidence.choose(DATA, 60, 0, 'train')}
    names = ('path_length', 'perceptual_path_length')
    against = evaluation.Evaluation(names, smooth, references, IMAGE, 0, None)
    found = evaluation.of_game(LINE, against, sampler.draw_inputs(LINE, 0, 40))(0.5, {})
    assert found['perceptual_path_length[quarters]'] == pytest.approx(4 * found['path_length'])
    with pytest.raises(UserError, match='features=quarters cannot be differentiated'):
        evaluation.check_network(names, NETWORK)


def test_a_game_without_a_prior_has_no_path():
    with pytest.raises(UserError, match='path_length: this game has no prior'):
        evaluation.check_game(('path_length',), CYCLE)


def test_the_path_length_between_linear_styles_is_that_of_their_difference():
    """w = z M and x = sum_l w K_l: ||(w2 - w1) (K_1 + K_2)||^2, wherever on the way."""
    references = {'real': evidence.choose(DATA, 60, 0, 'train')}
    names = ('path_length_w', 'perceptual_path_length_w')
    smooth = NETWORK._replace(smooth=(jnp.float32(2.0), lambda p, x: p * x))
    against = evaluation.Evaluation(names, smooth, references, IMAGE, 0, None)
    inputs = sampler.draw_inputs(linear_styles.GAME, 0, 6)
    params, aux = linear_styles.variables()
    found = evaluation.of_game(linear_styles.GAME, against, inputs)(params, aux)
    z, total = np.asarray(inputs['latent']), np.asarray(params['layers']).sum(axis=0)
    lengths = np.square((z[1::2] - z[::2]) @ np.asarray(params['map']) @ total).sum(axis=1)
    assert found['path_length_w'] == pytest.approx(lengths.mean(), rel=1e-4)
    figure = found['perceptual_path_length_w[quarters]']
    assert figure == pytest.approx(4 * lengths.mean(), rel=1e-4)


def test_the_path_length_between_styles_is_taken_at_the_first_of_them():
    """x = |w|^2 moves by 2 w1 (w2 - w1) at w1."""

    def squares(params, aux, styles, noise=None):
        return jnp.sum(styles**2, axis=(1, 2))[:, None]

    functions = {**linear_styles.FUNCTIONS, 'synthesize': squares}
    inputs = sampler.draw_inputs(linear_styles.GAME, 0, 6)
    params, aux = linear_styles.variables()
    lengths = paths.make_style_lengths(game_lib.Game(None, (), functions), inputs, 0)(params, aux)
    w = np.asarray(inputs['latent']) @ np.asarray(params['map'])
    speed = 2 * linear_styles.LAYERS * np.sum(w[::2] * (w[1::2] - w[::2]), axis=1)
    np.testing.assert_allclose(lengths, speed**2, rtol=1e-4)


def test_a_game_without_styles_has_no_way_between_them():
    with pytest.raises(UserError, match='path_length_w: this game has no styles'):
        evaluation.check_game(('path_length_w',), LINE)
    with pytest.raises(UserError, match='cannot be differentiated; take path_length_w, or'):
        evaluation.check_network(('perceptual_path_length_w',), NETWORK)
