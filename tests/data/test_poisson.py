"""Batches of examples that come independently of each other."""

import logging

import numpy as np
import pytest
from data.test_loading import numbered, numbers

from gan_jax import data
from gan_jax.data import batching


def drawn(num, expected, steps=400, seed=0):
    return [batching.poisson(num, expected, step, seed) for step in range(steps)]


def test_every_example_comes_with_its_probability_and_once_at_most():
    steps = drawn(50, 10)
    assert all(len({*places}) == len(places) for places in steps)
    shares = np.bincount(np.concatenate(steps), minlength=50) / len(steps)
    assert abs(shares - 0.2).max() < 5 * np.sqrt(0.2 * 0.8 / len(steps))


def test_numbers_of_examples_are_binomial():
    counts = [len(places) for places in drawn(50, 10)]
    assert np.mean(counts) == pytest.approx(10, abs=5 * np.sqrt(8 / 400))
    assert np.var(counts) == pytest.approx(8, rel=0.35)


def test_two_examples_come_independently():
    together = np.mean([{3, 7} <= {*places} for places in drawn(20, 10, 2000)])
    assert together == pytest.approx(0.25, abs=0.05)


def test_seed_and_step_alone_decide():
    one, again, other = (drawn(50, 10, 3, seed) for seed in (1, 1, 2))
    for x, y, z in zip(one, again, other, strict=True):
        np.testing.assert_array_equal(x, y)
        assert x.tolist() != z.tolist()
    assert one[0].tolist() != one[1].tolist()


def test_a_batch_has_weights_where_it_has_examples_and_zeros_behind():
    dataset = numbered(12)
    for step in range(5):
        batch = data.poisson_batch_at(dataset, step, batch_size=6, seed=0, rows=16)
        places = batching.poisson(12, 6, step, 0)
        num = len(places)
        assert batch['weight'].tolist() == [1.0] * num + [0.0] * (16 - num)
        assert numbers(batch)[:num] == places.tolist()
        assert not batch['real'][num:].any()
        np.testing.assert_array_equal(batch['label'][:num], dataset.labels[places])


def test_more_examples_than_rows_are_cut_with_a_warning(caplog):
    dataset = numbered(12)
    with caplog.at_level(logging.WARNING):
        batch = data.poisson_batch_at(dataset, 6, batch_size=12, seed=0, rows=9)
    assert batch['weight'].tolist() == [1.0] * 9
    assert len({*numbers(batch)}) == 9
    assert 'step 7 draws 12 examples and has room for 9' in caplog.text


@pytest.mark.parametrize('holds_all', [True, False])
def test_the_parts_of_several_processes_are_the_batch(holds_all):
    dataset = numbered(12)
    whole = data.poisson_batch_at(dataset, 2, batch_size=6, seed=0, rows=16)
    parts = []
    for index in range(3):
        share = data.Share(index, 3)
        held = dataset
        if not holds_all:
            mine = np.arange(12) % 3 == index
            own = data.Dataset(
                'own', dataset.shape, dataset.class_names, dataset.labels,
                lambda places, mine=mine: dataset.fetch(places)
                * mine[places].reshape(-1, 1, 1, 1).astype(np.uint8),
            )  # fmt: skip
            held = data.Dataset(
                dataset.name, dataset.shape, dataset.class_names, dataset.labels,
                dataset.fetch, own=own,
            )  # fmt: skip
        parts.append(data.poisson_batch_at(held, 2, batch_size=6, seed=0, rows=16, share=share))
    for name, x in whole.items():
        np.testing.assert_array_equal(sum(part[name] for part in parts), x)


def test_dispatches_are_made_by_what_is_given():
    dataset = numbered(12)

    def batch_at(dataset, step, **options):
        return data.poisson_batch_at(dataset, step, rows=16, **options)

    stacked = next(
        data.batches(dataset, batch_size=6, seed=0, steps_per_dispatch=2, batch_at=batch_at)
    )
    for step in range(2):
        one = batch_at(dataset, step, batch_size=6, seed=0)
        for name, x in one.items():
            np.testing.assert_array_equal(stacked[name][step], x)
