"""Figures of what a run's own players say of real examples."""

import jax.numpy as jnp
import methods
import numpy as np
import pytest

from gan_jax import data, modalities
from gan_jax.config import experiment, fit
from gan_jax.data import loading, sources
from gan_jax.errors import UserError
from gan_jax.evaluation import evaluator, labels, statistics
from gan_jax.game import Game

KINDS, NUM = 3, 240
LABELS = np.arange(NUM) % KINDS
# The third of an image that is bright is its class; one in eight has that of the next.
WRONG = np.arange(NUM) % 8 == 0
BRIGHT = np.where(WRONG, (LABELS + 1) % KINDS, LABELS)
IMAGES = np.zeros((NUM, 9, 9, 1), np.uint8)
for i, third in enumerate(BRIGHT):
    IMAGES[i, 3 * third : 3 * third + 3] = 200
MODALITY = modalities.make({'name': 'images', 'shape': [9, 9, 1], 'classes': KINDS})


def dataset(names=('a', 'b', 'c')):
    return loading.load(sources.from_arrays('thirds', IMAGES, LABELS, names), image_size=None)


def thirds(params, aux, examples):
    """Logits by the brightness of each third, the names turned by params."""
    bright = jnp.mean(examples.reshape(-1, KINDS, 27), axis=-1)
    return jnp.roll(bright, params, axis=1)


def draw(rng):
    return {'latent': jnp.zeros((len(rng), 81))}


def sample(params, aux, inputs):
    return inputs['latent'].reshape(-1, 9, 9, 1)


FUNCTIONS = {'prior': draw, 'sample': sample, 'classify': thirds}
FUNCTIONS |= {'recognize': lambda *x: {'category': thirds(*x)}}
GAME = Game(None, (), FUNCTIONS)


def found(params):
    names = ('classification_error', 'code_accuracy')
    references = {'real': statistics.choose(dataset(), NUM, 0, 'test')}
    against = evaluator.Evaluation(names, None, references, MODALITY, 0, None)
    return evaluator.of_game(GAME, against, {'latent': np.zeros((4, 81))})(params, {})


def test_the_error_is_of_the_classes_and_the_accuracy_of_the_best_names():
    values = found(0)
    assert values['classification_error'] == pytest.approx(1 / 8)
    assert values['code_accuracy'] == pytest.approx(7 / 8)
    error = np.sqrt(7 / 64 / NUM)
    for name in ('classification_error', 'code_accuracy'):
        assert values[f'{name}/stderr'] == pytest.approx(error)


def test_other_names_are_errors_of_a_classifier_and_none_of_a_code():
    """Turned by one, or by two: then those that were wrong before are right."""
    assert found(1)['classification_error'] == 1.0
    assert found(2)['classification_error'] == pytest.approx(7 / 8)
    for params in (1, 2):
        assert found(params)['code_accuracy'] == pytest.approx(7 / 8)


def test_games_that_say_nothing_are_refused():
    plain = Game(None, (), {'prior': draw, 'sample': sample})
    for name, words in (('code_accuracy', 'reads codes'), ('classification_error', 'classifies')):
        with pytest.raises(UserError, match=f'{name} needs a game that {words}'):
            fit.check_evidence([name], dataset(), plain, True)
        fit.check_evidence([name], dataset(), GAME, True)


def test_classes_of_another_set_are_no_error_but_a_code_has_no_names():
    train, real = dataset(), dataset(('a', 'b', 'd'))
    assert isinstance(train, data.Dataset)
    with pytest.raises(UserError, match='classification_error compares classes'):
        fit.check_classes(['classification_error'], train, real, GAME)
    fit.check_classes(['classification_error'], train, train, GAME)
    fit.check_classes(['code_accuracy'], train, real, GAME)


def test_what_is_said_is_in_the_order_of_the_examples_whatever_their_number():
    real = statistics.choose(dataset(), 7, 3, 'test')
    say = labels.of_own(GAME, {'classified', 'recognized', 'real_labels'}, real, MODALITY.encode)
    evidence = say(0, {})
    assert {*evidence} == {'classified', 'recognized'}
    for scores in evidence.values():
        np.testing.assert_array_equal(scores.argmax(axis=1), BRIGHT[real.places])
    assert labels.of_own(GAME, {'real_labels'}, real, MODALITY.encode)(0, {}) == {}


def test_a_game_that_encodes_images_reads_no_codes_off_them():
    for name in ('f_anogan', 'ganomaly'):
        game = experiment.rebuild(methods.method(name)).game
        assert labels.said_by(game) == {}
