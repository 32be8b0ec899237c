"""What configs feed to games: prepared batches, sources, shapes, and what is refused."""

import functools

import jax
import jax.numpy as jnp
import methods
import numpy as np
import pytest
import several
from PIL import Image

from gan_jax import augment, data, keys, modalities
from gan_jax import game as game_lib
from gan_jax.config import defaults, experiment, inputs
from gan_jax.config import defaults as config_lib
from gan_jax.errors import NoSplit, UserError
from gan_jax.restoration import baselines
from gan_jax.restoration import degradations as corruptions
from gan_jax.runtime import parallel, processes

NUM, SIZE = 24, 12
IMAGES = np.random.default_rng(0).integers(0, 256, (NUM, SIZE, SIZE, 3), np.uint8)
LABELS = np.arange(NUM, dtype=np.int32)
KEYS = keys.per_example(jax.random.key(0), NUM)
STRONG = {'horizontal_flip': True, 'translation': 0.25}
CROP = {'image_size': 8, 'data': {'load_size': SIZE}}
EVERY = {'augment': STRONG} | CROP
PAIRED, UNPAIRED = {'dataset': 'paired:x'}, {'dataset': 'unpaired:x'}
NEGATIVES = {'real': IMAGES, 'source': 255 - IMAGES, 'label': LABELS}

TRANSLATES = game_lib.Game(None, (), {'a_to_b': lambda params, aux, x: x})
SAMPLES = game_lib.Game(None, (), {'prior': lambda rng: rng, 'sample': lambda *x: {}})
IMAGE = modalities.make({'name': 'images', 'shape': [SIZE, SIZE, 3]})
POINTS = modalities.make({'name': 'points', 'shape': [2]})


def make(**changes):
    """The common keys; of those that are dicts only what is named changes."""
    config = config_lib.default().to_dict()
    for key, value in changes.items():
        config[key] = config[key] | value if key in defaults.GROUPS else value
    return config


def build_prepare(config, modality=IMAGE):
    inputs.check_augment(config)
    return inputs.build_prepare(config, modality, inputs.degradation(config))


def prepared(batch=NEGATIVES, rng=KEYS, modality=IMAGE, **changes):
    return jax.jit(build_prepare(make(**changes), modality))(rng, batch)


@functools.cache
def every():
    """(keys, images) -> what becomes of images alone with all changes."""
    prepare = jax.jit(build_prepare(make(**EVERY)))
    return lambda rng, images: prepare(rng, {'real': images})['real']


# ---- Processes -------------------------------------------------------------------------------
def play_load(folder, expected):
    """In each of two processes: one data set, its batches, and one error."""
    config = make(dataset=f'folder:{folder}', data={'max_bad': 0.1})
    dataset, share = inputs.load_fed(config), inputs.own_share()
    assert dataset.bad == (('10.png', 'unreadable'),)
    assert dataset.labels.shape == (10,)
    batch = next(data.batches(dataset, batch_size=4, seed=0, share=share))
    found = parallel.distribute(batch)
    (device,) = found['real'].addressable_shards
    own = expected[2 * processes.index() : 2 * processes.index() + 2]
    np.testing.assert_array_equal(np.asarray(device.data)[0, 0, :, 0, 0, 0], own)
    assert not batch['real'].all()
    with pytest.raises(UserError, match=r'1 of 11 images \(9\.1%\) .* the first is 10\.png'):
        inputs.load_fed(make(dataset=f'folder:{folder}', data={'max_bad': 0.05}))


@pytest.mark.slow
def test_each_of_two_processes_loads_its_share(tmp_path):
    for i in range(10):
        Image.new('L', (8, 8), i + 1).save(tmp_path / f'{i:02d}.png')
    (tmp_path / '10.png').write_bytes(b'text')
    order = np.random.default_rng((0, 0)).permutation(10)[:4]
    several.play(play_load, tmp_path, (order + 1).tolist(), devices=1)


def test_this_process_alone_holds_everything():
    assert inputs.own_share() == data.Share(0, 1, processes.everyones)
    assert inputs.own_share().of(5) == slice(0, 5)


# ---- Batches ---------------------------------------------------------------------------------
def test_ordinary_batches_are_normalised_and_augmented_and_no_more():
    batch = {'real': IMAGES, 'label': LABELS}
    found = prepared(batch)
    assert set(found) == {'real', 'label'}
    np.testing.assert_allclose(found['real'], IMAGES / 127.5 - 1, atol=1e-6)
    np.testing.assert_array_equal(found['label'], LABELS)
    settings = {'horizontal_flip': True, 'brightness': 0.5}
    changed = prepared(batch, augment=settings)['real']
    want = augment.compose(settings)(KEYS, data.normalize(IMAGES))
    np.testing.assert_allclose(changed, want, atol=1e-5)
    assert np.abs(changed - found['real']).max() > 0.5
    points = np.float32([[3.0, -4.0], [0.5, 0.25]])
    unchanged = prepared({'real': points}, KEYS[:2], POINTS)['real']
    np.testing.assert_array_equal(unchanged, points)


@pytest.mark.parametrize('changes', [{}, EVERY])
def test_a_source_and_its_true_image_are_changed_as_one(changes):
    found = prepared(**PAIRED, **changes)
    np.testing.assert_allclose(found['source'], -found['real'], atol=2e-6)
    alone = every()(KEYS, IMAGES) if changes else data.normalize(IMAGES)
    np.testing.assert_allclose(found['real'], alone, atol=2e-6)
    np.testing.assert_array_equal(found['label'], LABELS)
    middle = data.normalize(IMAGES)[:, 2:10, 2:10] if 'data' in changes else data.normalize(IMAGES)
    assert np.allclose(found['real'], middle, atol=0.1) == (not changes)


def test_sources_without_true_images_are_changed_apart():
    found = prepared(**UNPAIRED, **EVERY)
    for name, rng in (('real', KEYS), ('source', keys.of_name(KEYS, 'source'))):
        np.testing.assert_allclose(found[name], every()(rng, NEGATIVES[name]), atol=2e-6)
    apart = np.abs(found['source'] + found['real']).max(axis=(1, 2, 3)) > 0.1
    assert apart.all()


def test_sources_without_true_images_may_have_other_channels():
    grey = prepared({'real': IMAGES, 'source': IMAGES[..., :1]}, **UNPAIRED, **CROP)
    assert grey['source'].shape == (NUM, 8, 8, 1)


@pytest.mark.parametrize(
    ('corruption', 'function'),
    [
        ({'name': 'greyscale'}, corruptions.greyscale),
        ({'name': 'noise', 'stddev': 0.4}, functools.partial(corruptions.noise, stddev=0.4)),
    ],
)
def test_sources_are_made_of_the_augmented_images(corruption, function):
    found = prepared({'real': IMAGES}, corruption=corruption, **EVERY)
    np.testing.assert_allclose(found['real'], every()(KEYS, IMAGES), atol=2e-6)
    want = function(keys.of_name(KEYS, 'corruption'), found['real'])
    np.testing.assert_allclose(found['source'], want, atol=1e-5)


@pytest.mark.parametrize('names', [PAIRED, UNPAIRED])
def test_crops_are_windows_at_random_places(names):
    """Every pixel holds its own place and its image's number."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    places = np.stack([rows, columns], axis=-1)
    numbers = np.broadcast_to(LABELS[:, None, None, None], (NUM, SIZE, SIZE, 1))
    images = np.concatenate([np.broadcast_to(places, (NUM, SIZE, SIZE, 2)), numbers], axis=-1)
    batch = {'real': images.astype(np.uint8), 'source': images.astype(np.uint8)}
    found = prepared(batch, **names, **CROP)
    tops = {}
    for name in batch:
        crops = np.asarray(data.denormalize(found[name])).astype(int)
        assert crops.shape == (NUM, 8, 8, 3)
        tops[name] = crops[:, 0, 0, :2]
        for i, crop in enumerate(crops):
            top, left = tops[name][i]
            np.testing.assert_array_equal(crop, images[i, top : top + 8, left : left + 8])
        assert {*tops[name][:, 0]} == {*tops[name][:, 1]} == {0, 1, 2, 3, 4}
        assert np.any(tops[name][:, 0] != tops[name][:, 1])
    assert np.array_equal(tops['real'], tops['source']) == (names is PAIRED)


@pytest.mark.parametrize(
    ('changes', 'said'),
    [
        ({'image_size': 13, 'data': {'load_size': 12}}, 'load_size=12 .*config.image_size=13 '),
        ({'data': {'load_size': 12}}, 'load_size=12 .*config.image_size=None '),
        ({'augment': {'rotation': 200.0}}, 'config.augment: rotation must be from 0 to 180'),
        ({'corruption': {'name': 'greyscal'}}, "'greyscal' .* nearest valid name is 'greyscale'"),
        ({'corruption': {'name': '_luma'}}, "config.corruption.name '_luma' is unknown"),
        ({'corruption': {'name': 'noise', 'stdev': 1}}, 'did you mean config.corruption.stddev'),
        ({'corruption': {'name': 'noise', 'stddev': 'x'}}, 'must be a number'),
        ({'corruption': {'stddev': 0.1}}, 'config.corruption must be a dict with a name'),
    ],
)
def test_what_cannot_be_prepared_is_refused_at_once(changes, said):
    with pytest.raises(UserError, match=said):
        build_prepare(make(**changes))


def test_only_what_is_known_to_leave_an_example_what_it_is_augments_it():
    with pytest.raises(UserError, match='points are not augmented'):
        build_prepare(make(augment=STRONG), POINTS)


def test_a_crop_may_be_the_whole():
    found = prepared({'real': IMAGES}, image_size=SIZE, data={'load_size': SIZE})['real']
    np.testing.assert_allclose(found, IMAGES / 127.5 - 1, atol=1e-6)


# ---- Shapes ----------------------------------------------------------------------------------
def images(size, channels):
    return modalities.make({'name': 'images', 'shape': [size, size, channels]})


@pytest.mark.parametrize(
    ('corruption', 'want'),
    [
        ({}, (16, 16, 3)),
        ({'name': 'greyscale'}, (16, 16, 1)),
        ({'name': 'downsample', 'factor': 2}, (8, 8, 3)),
        ({'name': 'downsample'}, (4, 4, 3)),
        ({'name': 'box_mask'}, (16, 16, 4)),
        ({'name': 'noise'}, (16, 16, 3)),
    ],
)
def test_the_shape_of_sources(corruption, want):
    config, modality = make(corruption=corruption), images(16, 3)
    degrade = inputs.degradation(config)
    assert inputs.source_shape(modality, degrade) == want
    batch = inputs.example(config, TRANSLATES, modality, degrade)
    assert {key: x.shape for key, x in batch.items()} == {
        'real': (1, 16, 16, 3), 'label': (1,), 'source': (1, *want),
    }  # fmt: skip
    assert set(inputs.example(config, SAMPLES, modality, degrade)) == {'real', 'label'}


@pytest.mark.parametrize(
    ('corruption', 'size', 'said'),
    [
        ({'name': 'downsample', 'factor': 3}, 16, 'config.corruption: factor must be .* 16 and 16'),
        ({'name': 'center_mask', 'fraction': 1.0}, 16, 'config.corruption: fraction must be'),
        ({'name': 'greyscale'}, 16, 'config.corruption: images must have 1 or 3 channels, not 2'),
        ({'name': 'greyscale'}, None, 'the data are points'),
    ],
)
def test_a_corruption_that_does_not_fit_the_images(corruption, size, said):
    modality = images(size, 2) if size else POINTS
    with pytest.raises(UserError, match=said):
        inputs.source_shape(modality, inputs.degradation(make(corruption=corruption)))


# ---- What goes with what ---------------------------------------------------------------------
BOTH_WAYS = TRANSLATES._replace(functions={'a_to_b': None, 'b_to_a': None})
GREY = {'corruption': {'name': 'greyscale'}}


def elsewhere(name):
    return {'evaluation': {'dataset': name}}


@pytest.mark.parametrize(
    ('game', 'changes'),
    [
        (TRANSLATES, PAIRED),
        (BOTH_WAYS, UNPAIRED),
        (TRANSLATES, GREY),
        (BOTH_WAYS, UNPAIRED | elsewhere('paired:y')),
        (BOTH_WAYS, PAIRED),
        (TRANSLATES, GREY | elsewhere('cifar10')),
        (TRANSLATES, GREY | {'baseline': {'name': 'grey'}}),
        (SAMPLES, {}),
        (SAMPLES, elsewhere('cifar10')),
    ],
)
def test_what_goes_together(game, changes):
    inputs.check_sources(make(**changes), game)


@pytest.mark.parametrize(
    ('game', 'changes', 'said'),
    [
        (TRANSLATES, {}, "config.game='gan' translates, so it needs sources"),
        (TRANSLATES, UNPAIRED, "config.game='gan' needs pairs, and unpaired:x has none"),
        (TRANSLATES, UNPAIRED | elsewhere('paired:y'), 'needs pairs'),
        (TRANSLATES, PAIRED | GREY, "config.corruption='greyscale': paired:x has sources of its"),
        (SAMPLES, UNPAIRED, "config.game='gan' has no use for sources"),
        (SAMPLES, GREY, "config.game='gan' has no use for sources"),
        (SAMPLES, {'baseline': {'name': 'median'}}, 'leave config.baseline empty'),
        (TRANSLATES, PAIRED | elsewhere('mnist_5k'), "evaluation.dataset='mnist_5k' has no source"),
    ],
)
def test_what_does_not_go_together(game, changes, said):
    with pytest.raises(UserError, match=said):
        inputs.check_sources(make(**changes), game)


@pytest.mark.parametrize(
    ('name', 'corruption', 'other', 'trained', 'held_out'),
    [
        ('paired:x', {}, None, True, True),
        ('unpaired:x', {}, None, False, False),
        ('unpaired:x', {}, 'paired:y', False, True),
        ('paired:x', {}, 'unpaired:y', True, False),
        ('cifar10', {'name': 'noise'}, None, True, True),
        ('cifar10', {'name': 'noise'}, 'mnist_5k', True, True),
        ('cifar10', {}, None, False, False),
    ],
)
def test_whether_sources_have_true_images(name, corruption, other, trained, held_out):
    config = make(dataset=name, corruption=corruption, evaluation={'dataset': other})
    assert inputs.aligned(config) is trained
    assert inputs.aligned(config, held_out=True) is held_out


# ---- Baselines -------------------------------------------------------------------------------
def test_a_baseline_is_the_function_of_that_name():
    x = np.random.default_rng(1).uniform(-1, 1, (2, 4, 4, 3)).astype(np.float32)
    found = inputs.baseline(make(baseline={'name': 'bicubic', 'factor': 2}))(x)
    np.testing.assert_array_equal(found, baselines.bicubic(x, 2))
    assert found.shape == (2, 8, 8, 3)
    assert inputs.baseline(make()) is None


@pytest.mark.parametrize(
    ('baseline', 'said'),
    [
        ({'name': 'bicubi'}, "'bicubi' is unknown; the nearest valid name is 'bicubic'"),
        ({'name': 'bicubic', 'factr': 2}, 'did you mean config.baseline.factor'),
        ({'name': 'bicubic', 'factor': 2.5}, 'config.baseline.factor=2.5 must be an integer'),
        ({'factor': 2}, 'config.baseline must be a dict with a name'),
    ],
)
def test_a_baseline_that_there_is_not(baseline, said):
    with pytest.raises(UserError, match=said):
        inputs.baseline(make(baseline=baseline))


@pytest.mark.parametrize(
    ('baseline', 'said'),
    [
        ({'name': 'bicubic', 'factor': 2}, r'makes images of \(8, 8, 3\), not of \(16, 16, 3\)'),
        ({'name': 'mean_fill'}, r'makes images of \(4, 4, 2\), not of'),
        ({'name': 'median', 'size': 2}, 'config.baseline: size must be odd'),
    ],
)
def test_a_baseline_that_makes_other_images_is_refused_before_training(tmp_path, baseline, said):
    write(tmp_path, size=16)
    config = methods.shrunk('super_resolution', dataset=f'folder:{tmp_path}', baseline=baseline)
    with pytest.raises(UserError, match=said):
        experiment.build(config)


# ---- Loading ---------------------------------------------------------------------------------
def write(*folders, size=SIZE, num=3):
    for k, folder in enumerate(folders):
        folder.mkdir(parents=True, exist_ok=True)
        for i in range(num):
            image = Image.fromarray(IMAGES[k * num + i])
            (image if size == SIZE else image.resize((size, size))).save(folder / f'{i}.png')


def test_evaluations_may_be_of_another_data_set(tmp_path):
    write(tmp_path / 'u' / 'a', tmp_path / 'u' / 'b', num=2)
    write(tmp_path / 'p' / 'test' / 'a', tmp_path / 'p' / 'test' / 'b')
    settings = {'dataset': f'unpaired:{tmp_path}/u', 'image_size': SIZE, 'data': {'channels': 3}}
    assert inputs.load_held_out(make(**settings)) is None
    other = settings | elsewhere(f'paired:{tmp_path}/p')
    held_out = inputs.load_held_out(make(**other))
    assert (len(held_out), held_out.num_sources) == (3, None)
    batch = held_out.batch(np.arange(3))
    np.testing.assert_array_equal(batch['source'], IMAGES[:3])
    np.testing.assert_array_equal(batch['real'], IMAGES[3:6])
    # What was trained on would be in place of it, perhaps without true images.
    (tmp_path / 'p' / 'test').rename(tmp_path / 'p' / 'val')
    with pytest.raises(NoSplit):
        inputs.load_held_out(make(**other))
    named = {'evaluation': {**other['evaluation'], 'split': 'val'}}
    assert len(inputs.load_held_out(make(**other | named))) == 3
    with pytest.raises(NoSplit):
        inputs.load_held_out(make(**settings, evaluation={'split': 'val'}))


def test_held_out_images_are_the_middle_of_what_is_cropped_in_training(tmp_path):
    write(*(tmp_path / split / half for split in ('train', 'test') for half in 'ab'))
    config = make(dataset=f'paired:{tmp_path}', **CROP)
    fed = inputs.load_fed(config)
    assert fed.shape == (SIZE, SIZE, 3)
    shown = inputs.as_shown(config, fed), inputs.load_held_out(config)
    for dataset, first in zip(shown, (0, 6), strict=True):
        assert dataset.shape == (8, 8, 3)
        batch = dataset.batch(np.arange(3))
        middle = IMAGES[first : first + 6, 2:10, 2:10]
        np.testing.assert_array_equal(batch['source'], middle[:3])
        np.testing.assert_array_equal(batch['real'], middle[3:])


def test_points_are_loaded_as_they_are():
    config = make(dataset='ring8', data={'channels': None})
    dataset = inputs.as_shown(config, inputs.load_fed(config))
    assert (dataset.shape, dataset.kind) == ((2,), 'points')
    batch = inputs.example(config, SAMPLES, POINTS, None)
    assert batch['real'].shape == (1, 2)
    assert jnp.all(batch['real'] == 0)


@pytest.mark.parametrize('split', ['train', None])
def test_what_is_trained_on_is_not_held_out(tmp_path, split):
    """A floor of the same images would be 0, and a classifier would know them."""
    write(tmp_path)
    data = {'split': 'train' if split else 'test'}
    config = make(dataset=f'folder:{tmp_path}', data=data, evaluation={'split': split})
    assert inputs.load_held_out(config) is None
