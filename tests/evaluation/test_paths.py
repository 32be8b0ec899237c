import jax
import jax.numpy as jnp
import numpy as np
import pytest
from evaluation.test_evaluator import CYCLE, DATA, IMAGE, NETWORK

from gan_jax import game as game_lib
from gan_jax.errors import UserError
from gan_jax.evaluation import evaluator as evaluation
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
