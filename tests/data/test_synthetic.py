import itertools
import json

import numpy as np
import pytest

from gan_jax import data
from gan_jax.data import synthetic
from gan_jax.errors import UserError

NAMES = ['ring8', 'grid25', 'spiral', 'two_moons']


def steps(points):
    return np.linalg.norm(np.diff(points, axis=0), axis=1)


def test_the_ring_has_its_published_modes():
    mixture = synthetic.ring()
    half = np.sqrt(0.5)
    np.testing.assert_allclose(
        mixture.centers,
        [(1, 0), (half, half), (0, 1), (-half, half), (-1, 0), (-half, -half), (0, -1),
         (half, -half)],
        atol=1e-7,
    )  # fmt: skip
    assert mixture.stddev == 0.01


def test_the_grid_has_its_published_modes():
    mixture = synthetic.grid()
    expected = list(itertools.product((-4, -2, 0, 2, 4), repeat=2))
    np.testing.assert_array_equal(mixture.centers, expected)
    assert mixture.stddev == 0.05


def test_the_spirals_modes_are_evenly_spaced_on_its_curve():
    mixture = synthetic.spiral()
    assert mixture.centers.shape == (100, 2)
    np.testing.assert_allclose(mixture.centers[[0, -1]], [(0, 0), (2, 0)], atol=1e-6)
    gaps = steps(mixture.centers)
    np.testing.assert_allclose(gaps[3:], gaps[3:].mean(), rtol=0.01)
    assert 2.4 < gaps.mean() / mixture.stddev < 2.8
    x, y = mixture.centers.astype(np.float64).T
    radii, angles = np.hypot(x, y), np.arctan2(y, x)
    turns = radii * 2 * 2 * np.pi / 2 - angles  # r = 2 t / (4 pi)
    np.testing.assert_allclose(np.sin(turns), 0, atol=1e-4)
    np.testing.assert_allclose(np.cos(turns), 1, atol=1e-4)


def test_the_moons_are_half_circles_and_each_others_images():
    centers = synthetic.two_moons().centers
    assert centers.shape == (64, 2)
    upper, lower = centers[:32], centers[32:]
    np.testing.assert_allclose(np.linalg.norm(upper - [-0.5, -0.25], axis=1), 1, rtol=1e-6)
    assert (upper[:, 1] >= -0.25 - 1e-6).all()
    np.testing.assert_array_equal(lower, -upper)
    gaps = np.linalg.norm(upper[:, None] - lower[None], axis=-1)
    assert 0.4 < gaps.min() < 0.6
    with pytest.raises(ValueError, match='must be even'):
        synthetic.two_moons(num=7)


@pytest.mark.parametrize('name', NAMES)
def test_every_mixture_has_its_name_and_types(name):
    mixture = synthetic.MIXTURES[name]()
    assert mixture.name == name
    assert mixture.centers.dtype == np.float32
    points, labels = synthetic.draw(mixture, 10)
    assert (points.dtype, labels.dtype) == (np.float32, np.int32)
    assert (points.shape, labels.shape) == ((10, 2), (10,))


@pytest.mark.parametrize('name', NAMES)
def test_points_spread_round_their_modes_as_wide_as_said(name):
    mixture = synthetic.MIXTURES[name]()
    points, labels = synthetic.draw(mixture, 40_000, seed=3)
    noise = (points - mixture.centers[labels]).astype(np.float64) / mixture.stddev
    # Five standard errors: 1 / sqrt(2 n) of a standard deviation, 1 / sqrt(n) of the others.
    np.testing.assert_allclose(noise.std(axis=0), 1, atol=5 / np.sqrt(80_000))
    np.testing.assert_allclose(noise.mean(axis=0), 0, atol=5 / np.sqrt(40_000))
    assert abs(np.corrcoef(noise.T)[0, 1]) < 5 / np.sqrt(40_000)


@pytest.mark.parametrize('name', NAMES)
def test_modes_have_equal_weights_drawn_at_random(name):
    mixture = synthetic.MIXTURES[name]()
    modes = len(mixture.centers)
    _, labels = synthetic.draw(mixture, 40_000)
    counts = np.bincount(labels, minlength=modes)
    assert len(counts) == modes
    expected = 40_000 / modes
    chi_squared = ((counts - expected) ** 2 / expected).sum()
    assert abs(chi_squared - (modes - 1)) < 5 * np.sqrt(2 * (modes - 1))
    assert counts.std() > 0


def test_the_seed_decides():
    mixture = synthetic.ring()
    first, again, other = (synthetic.draw(mixture, 100, seed) for seed in (4, 4, 5))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])


# ---- As a data set ---------------------------------------------------------------------------
@pytest.mark.parametrize('name', NAMES)
def test_points_load_as_a_data_set(name):
    dataset = data.load(name, image_size=None)
    points, labels = synthetic.draw(synthetic.MIXTURES[name]())
    modes = len(dataset.mixture.centers)
    assert (dataset.name, dataset.shape, len(dataset)) == (name, (2,), 100_000)
    assert dataset.class_names == tuple(f'mode {i}' for i in range(modes))
    batch = dataset.batch(np.array([99_999, 5]))
    assert batch['real'].dtype == np.float32
    assert batch['label'].dtype == np.int32
    np.testing.assert_array_equal(batch['real'], points[[99_999, 5]])
    np.testing.assert_array_equal(batch['label'], labels[[99_999, 5]])


def test_the_test_split_is_drawn_from_another_seed():
    test = data.load('ring8', image_size=None, split='test')
    assert len(test) == 10_000
    points, _ = synthetic.draw(synthetic.ring(), 10_000, seed=1)
    np.testing.assert_array_equal(test.batch(np.arange(10_000))['real'], points)


def test_batches_of_points_go_on_exactly():
    make = {'batch_size': 6, 'seed': 2, 'steps_per_dispatch': 2}
    dataset = data.load('grid25', image_size=None)
    iterator = data.batches(dataset, **make)
    element = next(iterator)
    assert element['real'].shape == (2, 6, 2)
    np.testing.assert_array_equal(
        element['real'][1], data.batch_at(dataset, 1, batch_size=6, seed=2)['real']
    )
    state = json.loads(json.dumps(iterator.get_state()))
    fresh = data.batches(data.load('grid25', image_size=None), **make)
    fresh.set_state(state)
    for _ in range(3):
        expected, again = next(iterator), next(fresh)
        np.testing.assert_array_equal(expected['real'], again['real'])
        np.testing.assert_array_equal(expected['label'], again['label'])


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'image_size': 32}, r'config\.image_size=32: ring8 has no images; leave it None'),
        ({'channels': 1}, r'config\.data\.channels=1: ring8 has no images'),
        ({'split': 'valid'}, r"config\.data\.split='valid' is no split of ring8; valid: train, te"),
    ],
)
def test_what_makes_no_sense_for_points_is_refused(options, message):
    with pytest.raises(UserError, match=message):
        data.load('ring8', **{'image_size': None, **options})


def test_images_have_no_mixture():
    assert data.load('mnist_5k', image_size=None).mixture is None
