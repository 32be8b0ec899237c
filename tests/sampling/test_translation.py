"""Journeys and pictures of translators that are known in closed form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import data, modalities
from gan_jax import game as game_lib
from gan_jax.config import inputs
from gan_jax.modalities import images
from gan_jax.sampling import sampler as sampling
from gan_jax.sampling import translation

SIDE, GAP = 4, 2
ENLARGED, HEADING = 17, 16  # 12 images of 4 pixels to about 800
IMAGES = modalities.make({'name': 'images', 'shape': [SIDE, SIDE, 3]})
FACTOR = {'factor': jnp.float32(0.5)}, {}
NOISE = np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE, 3), np.uint8)


def scaled(params, aux, x):
    return params['factor'] * x


def negative(params, aux, x):
    return -x


def darker(params, aux, x):
    return x - 0.25


def make_game(a_to_b, b_to_a=None):
    functions = {'a_to_b': a_to_b} | ({'b_to_a': b_to_a} if b_to_a else {})
    return game_lib.Game(None, (), functions)


def plain(values):
    """Images of one colour each."""
    values = np.array(values, np.uint8)[:, None, None, None]
    return np.broadcast_to(values, (len(values), SIDE, SIDE, 3)).__getitem__


def make_sources(dataset, places=None, corruption=None):
    degrade = inputs.degradation({'corruption': corruption or {}})
    places = np.arange(len(dataset)) if places is None else np.array(places)
    return translation.Sources(dataset, places, IMAGES.encode, degrade, seed=0)


def pairs(num, num_sources=None):
    """Sources 0, 10, 20, ...; images 100, 110, 120, ..."""
    return data.Dataset(
        'x', (SIDE, SIDE, 3), ('',), np.zeros(num, np.int32), plain(100 + 10 * np.arange(num)),
        source=plain(10 * np.arange(num_sources or num)), num_sources=num_sources,
    )  # fmt: skip


def cells(picture, columns):
    """The images of a grid of so many columns, row by row, without the headings, at their size."""
    side = SIDE * ENLARGED
    step = side + GAP
    assert picture.dtype == np.uint8
    assert picture.shape[1:] == (GAP + columns * step, 3)
    picture = picture[HEADING:]
    rows = picture.shape[0] // step
    assert picture.shape[0] == GAP + rows * step
    inside = picture[GAP:, GAP:].reshape(rows, step, columns, step, 3)[:, :side, :, :side]
    large = inside.swapaxes(1, 2).reshape(-1, side, side, 3)
    small = large[:, ::ENLARGED, ::ENLARGED]
    assert np.all(large == small.repeat(ENLARGED, axis=1).repeat(ENLARGED, axis=2))
    return small


def values(images):
    assert np.all(images == images[:, :1, :1, :1])
    return images[:, 0, 0, 0].astype(float).tolist()


# ---- Journeys --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ('game', 'start', 'want'),
    [
        (make_game(scaled, darker), 'a', [0.4, 0.15]),
        (make_game(scaled, darker), 'b', [0.55, 0.275]),
        (make_game(scaled), 'a', [0.4]),
    ],
)
def test_the_way_there_and_back(game, start, want):
    images = np.full((3, SIDE, SIDE, 1), 0.8, np.float32)
    found = translation.make_journey(game, start)(FACTOR, images)
    assert len(found) == len(want)
    for stage, value in zip(found, want, strict=True):
        assert isinstance(stage, np.ndarray)
        np.testing.assert_allclose(stage, np.full_like(images, value), rtol=1e-6)


@pytest.mark.parametrize(('chunk', 'numbers'), [(4, 1000), (100, 8 * SIDE * SIDE + 1)])
def test_many_examples_are_translated_part_by_part_by_one_program(monkeypatch, chunk, numbers):
    shapes = []

    def seen(params, aux, x):
        shapes.append(x.shape)
        return jnp.sin(3 * x)

    monkeypatch.setattr(sampling, 'CHUNK', chunk)
    monkeypatch.setattr(sampling, 'NUMBERS', numbers)
    images = np.random.default_rng(1).uniform(-1, 1, (10, SIDE, SIDE, 2)).astype(np.float32)
    journey = translation.make_journey(make_game(seen, darker), compiled=jax.jit)
    there, back = journey(FACTOR, images)
    assert shapes == [(4, SIDE, SIDE, 2)]
    alone = [journey(FACTOR, images[i : i + 1]) for i in range(10)]
    assert len(shapes) == 1
    np.testing.assert_allclose(there, np.concatenate([x[0] for x in alone]), rtol=1e-6)
    np.testing.assert_allclose(back, np.concatenate([x[1] for x in alone]), rtol=1e-6)
    np.testing.assert_allclose(there, np.sin(3 * images), rtol=1e-4, atol=1e-6)


def test_an_image_larger_than_a_part_is_one(monkeypatch):
    monkeypatch.setattr(sampling, 'NUMBERS', 3)
    images = np.full((3, SIDE, SIDE, 1), 0.8, np.float32)
    (found,) = translation.make_journey(make_game(scaled))(FACTOR, images)
    np.testing.assert_allclose(found, 0.5 * images)


# ---- Pictures --------------------------------------------------------------------------------
def test_of_one_direction_source_translation_and_true_image_stand_together():
    sources = make_sources(pairs(9), [8, 0, 3, 5, 2])
    picture = translation.make_picture(make_game(negative), IMAGES, sources)(*FACTOR)
    shown = values(cells(picture, 12))
    want = [x for i in (8, 0, 3, 5, 2) for x in (10 * i, 255 - 10 * i, 100 + 10 * i)]
    assert shown == want + [255] * 9


@pytest.mark.parametrize(
    ('game', 'headings'),
    [
        (make_game(negative), ('source', 'made', 'true')),
        (make_game(negative, darker), ('a', 'made b', 'back', 'b', 'made a', 'back')),
    ],
)
def test_headings_say_what_stands_below_them(monkeypatch, game, headings):
    seen, real = [], IMAGES.picture

    def picture(*given, **options):
        seen.append(options['headings'])
        return real(*given, **options)

    modality = IMAGES._replace(picture=picture)
    shown = translation.make_picture(game, modality, make_sources(pairs(2)))(*FACTOR)
    assert seen == [headings]
    for i in range(12):
        left = GAP + i * (SIDE * ENLARGED + GAP)
        assert shown[:HEADING, left : left + SIDE * ENLARGED].min() < 100  # ink


@pytest.mark.parametrize('num_sources', [None, 2])
def test_of_both_directions_each_example_shows_two_ways(num_sources):
    """Darker by 0.25 is by 31.875 levels."""
    sources = make_sources(pairs(6, num_sources), [5, 0, 1])
    game = make_game(negative, darker)
    shown = values(cells(translation.make_picture(game, IMAGES, sources)(*FACTOR), 12))
    want = []
    for i in (5, 0, 1):
        a, b = 10 * (i % num_sources if num_sources else i), 100 + 10 * i
        want += [a, 255 - a, 255 - a - 32, b, b - 32, 255 - b + 32]
    assert shown == want + [255] * 6


def test_pictures_change_with_the_parameters():
    draw = translation.make_picture(make_game(scaled), IMAGES, make_sources(pairs(1)))
    for factor, want in ((1.0, 0), (-1.0, 255)):
        shown = cells(draw({'factor': jnp.float32(factor)}, {}), 12)
        assert values(shown)[:3] == [0, want, 100]


def repeated(factor):
    return lambda params, aux, x: jnp.repeat(jnp.repeat(x, factor, axis=1), factor, axis=2)


def hole(images):
    images = images.copy()
    images[:, 1:3, 1:3] = 128  # 0 is between two levels
    return images


@pytest.mark.parametrize(
    ('corruption', 'a_to_b', 'want'),
    [
        (
            {'name': 'greyscale'},
            lambda params, aux, x: jnp.repeat(x, 3, axis=-1),
            lambda x: np.repeat(x @ [[0.299], [0.587], [0.114]], 3, axis=-1),
        ),
        ({'name': 'center_mask'}, lambda params, aux, x: x[..., :3], hole),
        (
            {'name': 'downsample', 'factor': 4},
            repeated(4),
            lambda x: np.broadcast_to(x.mean(axis=(1, 2), keepdims=True), x.shape),
        ),
    ],
)
def test_sources_are_shown_as_images_whatever_they_are(corruption, a_to_b, want):
    dataset = data.Dataset('x', (SIDE, SIDE, 3), ('',), np.zeros(3, np.int32), NOISE.__getitem__)
    if corruption['name'] == 'downsample':  # to one pixel: only flat images are sure of their mean
        dataset = pairs(3)
        dataset = data.Dataset('x', dataset.shape, ('',), dataset.labels, dataset.fetch)
    sources = make_sources(dataset, corruption=corruption)
    shown = cells(translation.make_picture(make_game(a_to_b), IMAGES, sources)(*FACTOR), 12)
    images = dataset.fetch(np.arange(3))
    for column in (0, 1):
        assert np.abs(shown[column:9:3] - want(images).astype(float)).max() <= 0.51
    np.testing.assert_array_equal(shown[2:9:3], images)


def test_a_smaller_source_is_enlarged_pixel_by_pixel():
    source = np.array([[-1.0, 1.0], [0.2, -0.2]], np.float32)[None, :, :, None]
    want = np.array([[0, 255], [153, 102]], np.uint8).repeat(2, 0).repeat(3, 1)
    shown = images.as_images(source, (4, 6, 3))
    np.testing.assert_array_equal(shown, np.broadcast_to(want[None, :, :, None], (1, 4, 6, 3)))


def test_of_a_grey_source_the_mask_is_left_out_and_values_beyond_the_range_are_cut():
    source = np.array([[1.5, 1.0], [-3.0, 0.0]], np.float32).reshape(1, 1, 2, 2)
    np.testing.assert_array_equal(images.as_images(source, (1, 2, 1)).ravel(), [255, 0])


# ---- Evidence --------------------------------------------------------------------------------
def more_evidence(game, wanted, sources, aligned):
    return translation.more_evidence(game, wanted, sources, aligned, IMAGES.encode)


def test_evidence_of_the_way_back(monkeypatch):
    monkeypatch.setattr(translation, 'MOST_CYCLES', 3)
    sources = make_sources(pairs(5), [4, 2, 0, 1])
    wanted = {'cycles', 'fake_examples'}
    find = more_evidence(make_game(scaled, darker), wanted, sources, False)
    found = find(FACTOR)
    assert set(found) == {'cycles'}
    assert set(found['cycles']) == {'a', 'b'}
    begun, back = found['cycles']['a']
    start = np.array([40, 20, 0]) / 127.5 - 1
    np.testing.assert_allclose(begun[:, 0, 0, 0], start, rtol=1e-6)
    np.testing.assert_allclose(back[:, 3, 3, 2], 0.5 * start - 0.25, rtol=1e-5)
    assert back.shape == begun.shape == (3, SIDE, SIDE, 3)
    begun, back = found['cycles']['b']
    np.testing.assert_allclose(begun, sources.truths(slice(3)) / 127.5 - 1, rtol=1e-6)
    np.testing.assert_allclose(back, 0.5 * (begun - 0.25), rtol=1e-5)
    other = find(({'factor': jnp.float32(1.0)}, {}))['cycles']['a'][1]
    np.testing.assert_allclose(other[:, 0, 0, 0], start - 0.25, rtol=1e-5)


@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize(
    ('wanted', 'game'),
    [({'fake_examples'}, make_game(scaled, darker)), ({'cycles'}, make_game(scaled))],
)
def test_no_way_back_is_made_that_is_not_wanted_or_not_there(wanted, game, aligned):
    find = more_evidence(game, wanted, make_sources(pairs(2)), aligned)
    assert find(FACTOR) == ({'aligned_pairs': True} if aligned else {})


def test_evidence_says_that_there_are_pairs():
    game = make_game(scaled, darker)
    find = more_evidence(game, {'cycles'}, make_sources(pairs(2)), True)
    found = find(FACTOR)
    assert found['aligned_pairs'] is True
    assert len(found['cycles']['a'][1]) == 2
