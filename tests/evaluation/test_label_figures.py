"""Figures of labels as evaluations have them: of a game whose samples are of the labels drawn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import game as game_lib
from gan_jax import latents, metrics, modalities
from gan_jax.data import loading, sources
from gan_jax.errors import UserError
from gan_jax.evaluation import evaluator, labels, statistics
from gan_jax.networks.features import FeatureNetwork, classifier
from gan_jax.sampling import sampler

CLASSES, NUM = 4, 240
IMAGE = modalities.make({'name': 'images', 'shape': [8, 8, 1], 'classes': CLASSES})
RNG = np.random.default_rng(0)
PATTERNS = np.zeros((CLASSES, 8, 8, 1), np.float32)
for k in range(CLASSES):
    PATTERNS[k, 4 * (k // 2) : 4 * (k // 2) + 4, 4 * (k % 2) : 4 * (k % 2) + 4] = 0.6


def project(images):
    """The mean of each quarter, in which one class is bright; features and logits alike."""
    quarters = images.reshape(len(images), 2, 4, 2, 4).astype(np.float32).mean(axis=(2, 4))
    flat = quarters.reshape(len(images), CLASSES) / 8
    return flat, flat


NETWORK = FeatureNetwork('quarters', 'abc', 'none', project)


def shown(classes, noise):
    """Images of classes, each quarter with a brightness of its own."""
    noise = jnp.asarray(noise, jnp.float32)
    return jnp.asarray(PATTERNS)[classes] - 0.5 + 0.1 * jnp.kron(noise, jnp.ones((1, 4, 4, 1)))


def draw(rng):
    return {
        'latent': jax.vmap(lambda key: jax.random.normal(key, (2, 2, 1)))(rng),
        'label': latents.labels(rng, CLASSES),
    }


def sample(params, aux, inputs):
    """Faithful for params 0; for 1 each class is the next one: ContraGAN's fault."""
    return shown((inputs['label'] + params) % CLASSES, inputs['latent'])


GAME = game_lib.Game(None, (), {'prior': draw, 'sample': sample})
PLAIN = game_lib.Game(None, (), {'prior': lambda rng: {'latent': draw(rng)['latent']}})


def dataset(num, seed, classes=CLASSES):
    rng = np.random.default_rng(seed)
    drawn = np.arange(num) % classes
    images = IMAGE.decode(np.asarray(shown(drawn, rng.normal(size=(num, 2, 2, 1)))))
    made = sources.from_arrays('corners', np.asarray(images), drawn.astype(np.int32))
    return loading.load(made, image_size=None)


DATA = dataset(2 * NUM, 1)
NAMES = ('frechet_distance', *labels.USUAL)


def evaluation(names=NAMES, network=NETWORK, data=DATA):
    references = {'real': statistics.choose(data, NUM, 0, 'train')}
    return evaluator.Evaluation(names, network, references, IMAGE, 0, None)


def figures(found):
    return {x.replace('[quarters]', ''): value for x, value in found.items()}


@pytest.fixture(scope='module')
def found():
    """Of a faithful game, of one that permutes the classes, and of real images in their place."""
    against = evaluation()
    measure = evaluator.of_game(GAME, against, sampler.draw_inputs(GAME, 0, NUM))
    others = statistics.choose(DATA, 2 * NUM, 0, 'train')
    others = others._replace(places=others.places[NUM:])
    floor = against(others.chunks(), more={'fake_labels': others.labels()})
    return [*(measure(jnp.int32(x), {}) for x in (0, 1)), floor]


def test_permuted_classes_are_seen_by_figures_of_labels_and_not_by_the_plain_distance(found):
    faithful, permuted, floor = map(figures, found)
    # As the data of all classes together are; by luck, not by a label, one is a little nearer.
    assert faithful['frechet_distance'] < 1
    assert permuted['frechet_distance'] < 1
    name = 'intra_class_frechet_distance'
    assert floor[name] < 2 * faithful[name]
    assert faithful[name] < 2
    assert permuted[name] > 100 * faithful[name]
    assert faithful['label_accuracy'] > 0.98
    assert permuted['label_accuracy'] < 0.02
    for figure in ('conditional_precision', 'conditional_recall'):
        assert faithful[figure] > 0.8
        assert permuted[figure] < 0.05


def test_labels_permuted_afterwards_leave_the_plain_distance_as_it_is_to_the_last_bit():
    against, inputs = evaluation(), sampler.draw_inputs(GAME, 0, NUM)
    images = sampler.make_sampler(GAME, IMAGE)(jnp.int32(0), {}, inputs)
    asked = labels.of_inputs(inputs)['fake_labels']
    one, other = (
        figures(against([images], more={'fake_labels': x})) for x in (asked, (asked + 1) % CLASSES)
    )
    assert one['frechet_distance'] == other['frechet_distance']
    assert other['intra_class_frechet_distance'] > 100 * one['intra_class_frechet_distance']


def test_the_standard_error_of_the_accuracy_is_binomial(found):
    for one in map(figures, found):
        share = one['label_accuracy']
        assert one['label_accuracy/stderr'] == pytest.approx((share * (1 - share) / NUM) ** 0.5)


def test_the_table_is_of_the_labels_that_the_prior_drew(found):
    asked = np.bincount(sampler.draw_inputs(GAME, 0, NUM)['label'], minlength=CLASSES)
    faithful, permuted, _ = (x.tables['confusion'] for x in found)
    for table in (faithful, permuted):
        np.testing.assert_array_equal(table.sum(axis=1), asked)
    assert np.trace(permuted[:, [1, 2, 3, 0]]) > 0.98 * NUM
    record = labels.confusion(['a', 'b', 'c', 'd'], [found[0].tables, found[1].tables])
    assert record == {'names': ['a', 'b', 'c', 'd'], 'counts': (faithful + permuted).tolist()}
    assert labels.confusion(['a', 'b'], [found[0].tables]) is None
    assert labels.confusion(['a', 'b'], [{}]) is None


def test_no_class_counts_with_more_samples_than_it_has_real_ones():
    """The figures are those of the first samples of each class."""
    places = statistics.choose(DATA, NUM, 0, 'train')
    many = np.arange(3 * NUM) % CLASSES
    noise = np.random.default_rng(2).normal(size=(3 * NUM, 2, 2, 1))
    images = np.asarray(IMAGE.decode(shown(many, noise)))
    kept = metrics.as_many(places.labels(), many)
    assert len(kept) == NUM
    against = evaluation(NAMES[1:])
    whole, first = (
        against([images[x]], more={'fake_labels': many[x]}) for x in (np.arange(3 * NUM), kept)
    )
    for figure in ('intra_class_frechet_distance', 'conditional_precision', 'conditional_recall'):
        name = f'{figure}[quarters]'
        assert whole[name] == first[name]


@pytest.mark.slow
def test_a_classifier_trained_on_samples_knows_real_images_if_the_samples_are_of_their_class(
    monkeypatch,
):
    """And what is trained on real ones stands beside it; nothing is chosen by the real side."""
    monkeypatch.setattr(classifier, 'STEPS', 30)
    against = evaluation(('classification_accuracy_score',), None)
    inputs = sampler.draw_inputs(GAME, 0, NUM)
    measure = evaluator.of_game(GAME, against, inputs)
    name = 'classification_accuracy_score'
    with jax.numpy_dtype_promotion('standard'):  # as Adam needs it
        found = [measure(jnp.int32(x), {}) for x in (0, 1)]
        reference = against.references['real']
        real = against(reference.chunks(), more={'fake_labels': reference.labels()})
    assert not found[0].missing
    faithful, permuted = (x[name] for x in found)
    assert faithful > 0.9
    assert permuted < 0.1
    assert real[name] > 0.9


def test_the_score_is_of_the_first_samples_with_their_own_labels(monkeypatch):
    """Of more samples than are kept, labels beyond them are of none."""
    seen = []

    def train(images, classes, num, steps):
        seen.append((images, classes, num, steps))
        return {}

    monkeypatch.setattr(classifier, 'train', train)
    monkeypatch.setattr(
        classifier, 'network', lambda name, params, num: NETWORK._replace(apply=project)
    )
    images = np.asarray(IMAGE.decode(shown(np.arange(8) % CLASSES, np.zeros((8, 2, 2, 1)))))
    asked, wrong = np.arange(12) % CLASSES, np.array([0, 1, 2, 3, 1, 2, 3, 0, 0, 0])
    found = labels.classification_accuracy_score(images, asked, images, wrong)
    assert found == {'classification_accuracy_score': 0.5}
    ((fed, classes, num, steps),) = seen
    np.testing.assert_array_equal(fed, images)
    np.testing.assert_array_equal(classes, asked[:8])
    assert (num, steps) == (CLASSES, classifier.STEPS)
    with pytest.raises(AssertionError):  # points are no images
        labels.classification_accuracy_score(images[..., 0], asked, images, wrong)


def test_games_that_draw_classes_are_conditional():
    assert sampler.draws_labels(GAME)
    assert not sampler.draws_labels(PLAIN)
    assert not sampler.draws_labels(game_lib.Game(None, (), {}))
    assert labels.of_inputs(sampler.draw_inputs(PLAIN, 0, 3)) == {}
    assert labels.of_inputs([1, 2]) == {}


def test_too_few_of_a_class_are_refused_in_a_line():
    assert labels.fewest(np.array([0, 0, 1, 1, 1]), 2) == 2
    assert labels.fewest(np.array([0, 0, 1, 1, 1]), 3) == 0
    for name, enough in (('conditional_precision_recall', 4), (NAMES[1], 2)):
        evaluator.check_counts([name], {'each_class': enough, 'each_fake_class': enough})
        with pytest.raises(UserError, match=f'{enough} generated examples or more of each class'):
            evaluator.check_counts([name], {'each_fake_class': enough - 1})
        with pytest.raises(UserError, match=f'{enough} real examples or more of each class'):
            evaluator.check_counts([name], {'each_class': enough - 1})


def test_a_network_of_other_classes_is_refused():
    inception = NETWORK._replace(name='inception-2015-12-05')
    with pytest.raises(UserError, match=r'label_accuracy: the classes of inception.*=classifier'):
        evaluation(network=inception)
    evaluation(('intra_class_frechet_distance',), inception)


def test_a_network_of_fewer_classes_has_the_reason():
    few = NETWORK._replace(apply=lambda x: (project(x)[0], project(x)[1][:, :3]))
    against = evaluation(('label_accuracy',), few)
    found = against([np.zeros((4, 8, 8, 1), np.uint8)], more={'fake_labels': np.arange(4)})
    assert np.isnan(found['label_accuracy[quarters]'])
    assert 'not among the 3 classes' in found.missing['label_accuracy[quarters]']
    assert not found.tables
