import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import game as game_lib
from gan_jax import metrics, modalities
from gan_jax.config import defaults as config_lib
from gan_jax.config import experiment, validate
from gan_jax.data import loading, sources
from gan_jax.errors import UserError
from gan_jax.evaluation import evaluator as evaluation
from gan_jax.evaluation import labels as labels_lib
from gan_jax.evaluation import menu
from gan_jax.evaluation import statistics as evidence
from gan_jax.networks.features import FeatureNetwork
from gan_jax.runtime import names
from gan_jax.sampling import sampler
from gan_jax.sampling.translation import Sources

RNG = np.random.default_rng(0)
IMAGE = modalities.make({'name': 'images', 'shape': [8, 8, 1]})
IMAGES = RNG.integers(0, 256, (60, 8, 8, 1), np.uint8)
DATA = loading.load(sources.from_arrays('noise', IMAGES), image_size=None)
OTHERS = loading.load(
    sources.from_arrays('others', RNG.integers(0, 256, (50, 8, 8, 1), np.uint8)), image_size=None
)
OF_LABELS = {'classification_accuracy', *labels_lib.USUAL}
TRAINED = {'classification_accuracy_score', 'classification_error', 'code_accuracy'}
OF_PAIRS = {'psnr', 'ssim', 'l1', 'perceptual_distance'}
OF_PATHS = {f'{x}path_length{y}' for x in ('', 'perceptual_') for y in ('', '_w')}
OF_TABLES = {'column_shapes', 'pair_trends', 'adherence', 'prediction'}
ELSEWHERE = {'modes', 'pair_similarity', 'cycle_error'} | OF_LABELS | TRAINED | OF_PAIRS | OF_PATHS
OF_SOUNDS = {'mel_distances', 'stft_distance', 'pesq'}
OF_SERIES = {'discriminative_score', 'predictive_score', 'kernel_discriminative_score'}
OF_TEXTS = {'ngram_divergence', 'novelty', 'real_words', 'bleu', 'self_bleu', 'oracle_nll'}
ELSEWHERE |= OF_TABLES | OF_SOUNDS | OF_SERIES | OF_TEXTS | {'held_out_nll'}
ALL = menu.available().keys() - ELSEWHERE


def project(images):
    """Four features and three logits of an image: sums of its quarters."""
    flat = images.reshape(len(images), 4, -1).astype(np.float32).mean(axis=2) / 255
    return flat, 20 * flat[:, :3]


NETWORK = FeatureNetwork('quarters', 'abc', 'none', project)


def made(dataset=OTHERS, names=tuple(ALL), cache=None, network=NETWORK):
    references = {
        'real': evidence.choose(dataset, 40, 0, 'test'),
        'train': evidence.choose(DATA, 40, 0, 'train'),
    }
    return evaluation.Evaluation(names, network, references, IMAGE, 0, cache)


def scores(images, labels):
    """Logits of images in [-1, 1]."""
    return 127.5 * images.reshape(len(images), -1).mean(axis=1) + 0.5


def test_every_metric_gives_finite_figures_that_are_named_for_the_network():
    found = made()([IMAGES], scores)
    assert all(np.isfinite(value) for value in found.values())
    figures = {f for name in ALL for f in menu.available()[name].figures}
    assert {names.parse(name).figure for name in found if '/' not in name} == figures
    assert 'frechet_distance[quarters]/stderr' in found
    assert 'sliced_wasserstein' in found
    assert 'overfitting' in found


def test_the_discriminator_judges_a_part_at_a_time(monkeypatch):
    whole = made()([IMAGES], scores, only=['overfitting'])
    monkeypatch.setattr('gan_jax.data.dataset.NUMBERS', 15 * 64)
    asked = []

    def counted(images, labels):
        asked.append(len(images))
        return scores(images, labels)

    assert made()([IMAGES], counted, only=['overfitting']) == whole
    assert asked == [15, 15, 15, 15, 15, 15, 10, 15, 15, 10]


def test_the_discriminator_is_told_the_label_of_each_example(monkeypatch):
    monkeypatch.setattr('gan_jax.data.dataset.NUMBERS', 15 * 64)

    def of_classes(seed):
        labels = np.random.default_rng(seed).integers(0, 3, 50).astype(np.int32)
        images = np.broadcast_to(labels[:, None, None, None], (50, 8, 8, 1)).astype(np.uint8)
        source = sources.from_arrays('labelled', images, labels, ('a', 'b', 'c'))
        return loading.load(source, image_size=None), images, labels

    (train, *_), (held_out, *_), (_, images, labels) = map(of_classes, range(3))
    chosen = {'real': (held_out, 'test'), 'train': (train, 'train')}
    references = {key: evidence.choose(x, 40, 0, split) for key, (x, split) in chosen.items()}
    against = evaluation.Evaluation(('overfitting',), None, references, IMAGE, 0, None)

    def told_truly(x, labels):
        shade = np.rint(127.5 * (np.asarray(x)[:, 0, 0, 0] + 1))
        return np.where(shade == labels, 1.0, -1.0)

    found = against([images], told_truly, more={'fake_labels': labels})
    assert (found['real_sign'], found['held_out_sign']) == (1, 1)
    wrong = against([images], lambda x, y: told_truly(x, (y + 1) % 3), more={'fake_labels': labels})
    assert (wrong['real_sign'], wrong['held_out_sign']) == (-1, -1)


def test_metrics_of_labels():
    labels = np.arange(60) % 2
    two = loading.load(sources.from_arrays('two', IMAGES, labels), image_size=None)
    references = {'real': evidence.choose(two, 60, 0, 'train')}
    against = evaluation.Evaluation(tuple(OF_LABELS), NETWORK, references, IMAGE, 0, None)
    places = references['real'].places
    found = against([IMAGES[places]], more={'fake_labels': labels[places]})
    assert found['intra_class_frechet_distance[quarters]'] == pytest.approx(0, abs=1e-9)
    assert 0.5 <= found['classification_accuracy[quarters]'] <= 1
    assert found['conditional_precision[quarters]'] == 1
    assert found['conditional_recall[quarters]'] == 1
    with pytest.raises(UserError, match='fake_labels'):
        against([IMAGES])


def of_pairs(real, fake, names, network=None, **more):
    pair = loading.load(sources.from_arrays('pair', real), image_size=None)
    reference = evidence.Reference(pair, np.arange(len(real)), 'train')
    against = evaluation.Evaluation(names, network, {'real': reference}, IMAGE, 0, None)
    return against([fake], more={'aligned_pairs': True, **more})


def with_offsets(offsets, size):
    """Images of up to 200 levels, and the same brighter by so many levels."""
    real = RNG.integers(0, 200, (len(offsets), size, size, 3), np.uint8)
    return real, real + np.array(offsets, np.uint8)[:, None, None, None]


def test_errors_of_translations_are_means_over_the_images():
    found = of_pairs(*with_offsets([0, 10, 20], 8), ('psnr', 'l1'))
    levels = np.array([10, 20])
    decibels = np.array([100, *(20 * np.log10(255 / levels))])  # equal images count as 100
    errors = np.array([0, *(levels / 127.5)])
    assert found['psnr'] == pytest.approx(decibels.mean(), rel=1e-5)
    assert found['psnr/stderr'] == pytest.approx(decibels.std(ddof=1) / 3**0.5, rel=1e-5)
    assert found['l1'] == pytest.approx(errors.mean(), rel=1e-5)
    assert found['l1/stderr'] == pytest.approx(errors.std(ddof=1) / 3**0.5, rel=1e-5)


def test_errors_of_many_translations_are_of_all_of_them():
    pair = with_offsets([10] * 500 + [20], 8)
    want = (500 * 10 + 20) / 501 / 127.5
    assert of_pairs(*pair, ('l1',))['l1'] == pytest.approx(want, rel=1e-5)


def test_one_translation_has_no_standard_error():
    assert set(of_pairs(*with_offsets([10], 8), ('psnr', 'l1'))) == {'psnr', 'l1'}


def test_the_similarity_of_translations_is_that_of_their_true_images():
    real = RNG.integers(0, 256, (2, 16, 16, 1), np.uint8)
    fake = np.stack([real[0], real[1, ::-1]])
    x, y = (image[1:].astype(np.float32) / 127.5 - 1 for image in (real, fake))
    want = (1 + float(metrics.ssim(x, y)[0])) / 2
    assert of_pairs(real, fake, ('ssim',))['ssim'] == pytest.approx(want, abs=1e-5)
    assert want < 0.7


def test_the_perceptual_distance_is_between_the_features_of_pairs():
    real, fake = (RNG.integers(0, 256, (4, 8, 8, 1), np.uint8) for _ in range(2))
    x, y = (project(images)[0].astype(np.float64) for images in (real, fake))
    cosines = (x * y).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)
    found = of_pairs(real, fake, ('perceptual_distance',), NETWORK)
    name = 'perceptual_distance[quarters]'
    assert found[name] == pytest.approx((2 - 2 * cosines).mean(), rel=1e-3)
    assert f'{name}/stderr' in found


@pytest.mark.parametrize('name', sorted(OF_PAIRS))
def test_without_true_images_translations_have_no_error(name):
    with pytest.raises(UserError, match=f'metric {name} needs aligned_pairs'):
        made(names=(name,))([IMAGES])


def test_true_images_are_asked_for_before_anything_is_read():
    with pytest.raises(UserError, match=r'psnr needs true images: .*evaluation\.dataset'):
        evaluation.build(
            ('sliced_wasserstein', 'psnr'), modality=IMAGE, train=DATA, held_out=None,
            splits=('train', 'test'), aligned=False, load_network=None, num=10, seed=0, cache=None,
        )  # fmt: skip


CYCLE = game_lib.Game(
    None,
    (),
    {'a_to_b': lambda params, aux, x: params * x, 'b_to_a': lambda params, aux, x: 0.5 * x},
)


def translated(game, *names):
    """An evaluation of translations of images, which are their own sources, into themselves."""
    reference = evidence.Reference(DATA, np.array([5, 3, 40, 8]), 'train')
    against = evaluation.Evaluation(names, None, {'real': reference}, IMAGE, 0, None)
    own = Sources(DATA, reference.places, IMAGE.encode, lambda rng, images: images, 0)
    return evaluation.of_game(game, against, own, aligned=True)


def test_of_a_game_that_translates_the_figures_are_of_pairs_and_of_the_way_back():
    measure = translated(CYCLE, 'psnr', 'l1', 'cycle_error')
    size = np.abs(IMAGES[[5, 3, 40, 8]] / 127.5 - 1).mean(axis=(1, 2, 3))
    found = measure(jnp.float32(0.6), {})
    assert found['cycle_error'] == pytest.approx(0.7 * size.mean(), rel=1e-5)
    assert found['cycle_error_b'] == pytest.approx(found['cycle_error'], rel=1e-5)
    assert found['cycle_error/stderr'] == pytest.approx(0.7 * size.std(ddof=1) / 2, rel=1e-4)
    assert found['l1'] == pytest.approx(0.4 * size.mean(), rel=0.01)  # in whole levels
    assert measure(jnp.float32(1.0), {})['psnr'] == 100


def test_a_game_without_the_way_back_has_no_cycle():
    game = game_lib.Game(None, (), {'a_to_b': CYCLE.functions['a_to_b']})
    with pytest.raises(UserError, match='this game has no way back'):
        translated(game, 'cycle_error')


def test_the_similarity_of_pairs_of_small_images_is_by_ssim():
    pair = loading.load(
        sources.from_arrays('pair', RNG.integers(0, 256, (9, 16, 16, 1), np.uint8)), image_size=None
    )
    references = {'real': evidence.choose(pair, 9, 0, 'train')}
    against = evaluation.Evaluation(('pair_similarity',), None, references, IMAGE, 0, None)
    same = np.repeat(pair.batch(np.arange(1))['real'], 9, axis=0)
    assert against([same])['pair_similarity'] == pytest.approx(1, abs=1e-5)
    assert against(references['real'].chunks())['pair_similarity'] < 0.3


def test_figures_do_not_depend_on_how_samples_are_cut_into_chunks():
    whole, cut = (made()(np.split(IMAGES, parts), scores) for parts in (1, 12))
    assert whole.keys() == cut.keys()
    for name, value in whole.items():
        assert cut[name] == pytest.approx(value, rel=1e-9, abs=1e-12), name


def test_the_frechet_distance_is_that_of_the_features():
    against = made(names=('frechet_distance',))
    real, fake = (
        metrics.moments(project(x)[0])
        for x in (np.concatenate([*against.references['real'].chunks()]), IMAGES)
    )
    want = metrics.frechet_distance(
        real.mean, metrics.covariance(real), fake.mean, metrics.covariance(fake)
    )
    found = against(np.split(IMAGES, 3))
    assert found['frechet_distance[quarters]'] == pytest.approx(want, rel=1e-9)
    assert 0 < found['frechet_distance[quarters]/stderr'] < 10 * want


def test_a_reference_is_read_from_the_cache_and_made_anew_for_other_images(tmp_path):
    calls = []

    def counted(images):
        calls.append(len(images))
        return project(images)

    network = NETWORK._replace(apply=counted)
    names = ('frechet_distance', 'kernel_distance', 'sliced_wasserstein')
    first = made(names=names, cache=tmp_path, network=network)
    again = made(names=names, cache=tmp_path, network=network)
    probes = evidence.PROBES
    assert calls == [probes, 40, probes]
    assert first([IMAGES]) == again([IMAGES])
    made(DATA, names, tmp_path, network)
    made(names=names, cache=tmp_path, network=network._replace(digest='another'))
    # The two evaluations' samples, the other images, the other network.
    assert calls[3:] == [60, 60, probes, 40, probes, 40]
    file = next((tmp_path / 'references').iterdir())
    file.write_bytes(b'not an array')
    assert made(names=names, cache=tmp_path, network=network)([IMAGES]) == first([IMAGES])


def test_a_network_whose_weights_changed_is_not_met_by_its_former_features(tmp_path):
    """A set against itself: with the features of other weights it would be at 5, not at 0."""
    for weight in (1.0, 3.0):
        network = NETWORK._replace(apply=lambda x, w=weight: (w * project(x)[0], project(x)[1]))
        against = made(DATA, ('frechet_distance',), tmp_path, network)
        found = against(against.references['real'].chunks())
        assert found['frechet_distance[quarters]'] == pytest.approx(0, abs=1e-9)


def parrot(params, aux, inputs):
    """A generator that knows one image by heart, times its one parameter."""
    picture = jnp.asarray(IMAGES[0], jnp.float32) / 127.5 - 1.0
    return jnp.broadcast_to(params * picture, (len(inputs['latent']), *picture.shape))


GAME = game_lib.Game(
    None, (), {'prior': lambda rng: {'latent': jnp.zeros((rng.shape[0], 1))}, 'sample': parrot}
)


def test_of_a_game_the_data_themselves_are_at_zero_and_others_are_not():
    one = loading.load(sources.from_arrays('one', IMAGES[[0] * 60]), image_size=None)
    references = {'real': evidence.choose(one, 60, 0, 'train')}
    against = evaluation.Evaluation(('sliced_wasserstein',), None, references, IMAGE, 0, None)
    measure = evaluation.of_game(GAME, against, sampler.draw_inputs(GAME, 0, 60))
    assert measure(jnp.float32(1.0), {})['sliced_wasserstein'] < 1e-3
    assert measure(jnp.float32(0.5), {})['sliced_wasserstein'] > 0.05
    assert measure(jnp.float32(0.9), {}) == measure(jnp.float32(0.9), {})


def test_a_metric_of_what_there_is_not_says_so():
    references = {'real': evidence.choose(DATA, 60, 0, 'train')}
    against = evaluation.Evaluation(('overfitting',), None, references, IMAGE, 0, None)
    with pytest.raises(UserError, match='overfitting needs train_scores'):
        against([IMAGES])


def built(dataset='mnist_5k', **changes):
    config = config_lib.default().to_dict()
    config |= {'dataset': dataset, 'image_size': None if dataset == 'ring8' else 8}
    config['evaluation'] |= changes
    sgd = {'name': 'sgd', 'learning_rate': 0.1}
    config['optimizers'] = {'generator': sgd, 'discriminator': sgd}
    config['generator'] = {'name': 'mlp.Generator'}
    config['discriminator'] = {'name': 'mlp.Discriminator'}
    config['latent'] = {'name': 'normal', 'size': 2}
    if 'metrics' in changes:
        config['evaluation']['best'] = menu.gives(changes['metrics'])[0]
    return experiment.build(config).evaluation(100)


def test_a_set_without_a_test_split_is_compared_with_itself_and_memory_is_left_out(tmp_path):
    network = 'evaluation.test_evaluator:NETWORK'
    against = built(metrics=('sliced_wasserstein', 'memorised'), features=network)
    assert against.names == ('sliced_wasserstein',)
    assert against.references['real'].split == 'train'
    assert set(against.references) == {'real'}
    with pytest.raises(
        UserError, match="'memorised' is unknown"
    ):  # as train asks, before it begins
        validate.check_best('config.evaluation.best', 'memorised', against.names)


def test_points_are_compared_with_their_test_split_by_their_modes_too():
    against = built('ring8')
    assert against.names == ('sliced_wasserstein', 'modes')
    assert [x.split for x in against.references.values()] == ['test', 'train']
    found = against([next(against.references['train'].chunks())])
    assert found['modes'] == 8
    assert found['high_quality'] > 0.95


def test_a_split_that_there_is_not_is_an_error():
    with pytest.raises(UserError, match="no split but 'train'"):
        built(split='validation')


@pytest.mark.parametrize(
    ('key', 'value', 'said'),
    [
        ('metrics', ('frechet_distanc',), "nearest valid name is 'frechet_distance'"),
        ('metrics', 'recall', 'must be a tuple'),
        ('best', 'recal', "nearest valid name is 'sliced_wasserstein'"),
        ('features', 'resnet', "'classifier', 'inception:PATH' or 'package.module:name'"),
        ('feature', 'classifier', 'did you mean config.evaluation.features'),
    ],
)
def test_mistakes_in_a_config(key, value, said):
    config = config_lib.default().to_dict()
    config['evaluation'][key] = value
    with pytest.raises(UserError, match=said):
        validate.check(config)
