"""Few labels: which are known, and that they travel with their examples and no others do."""

import numpy as np
import pytest

from gan_jax import data
from gan_jax.data import labelled
from gan_jax.errors import UserError

CLASSES, NUM = 4, 200
LABELS = np.random.default_rng(0).integers(0, CLASSES, NUM).astype(np.int32)
# An image holds its own place, so that its label can be told from it.
IMAGES = np.arange(NUM, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 1), np.uint8)


def dataset(num=12, labels=LABELS, names='abcd'):
    made = data.Dataset('x', (2, 2, 1), tuple(names), labels, IMAGES.__getitem__)
    return data.few_labels(made, num)


def places(images):
    return images[..., 0, 0, 0].ravel()


def test_as_many_of_each_class_are_chosen_by_the_seed_alone():
    chosen = [labelled.choose(LABELS, 12, CLASSES, seed) for seed in (0, 0, 1)]
    for one in chosen:
        assert len({*one}) == 12
        np.testing.assert_array_equal(np.bincount(LABELS[one]), [3] * CLASSES)
    np.testing.assert_array_equal(*chosen[:2])
    assert {*chosen[0]} != {*chosen[2]}


def test_labels_travel_with_their_examples_and_no_others_are_there():
    few = dataset()
    known = {*few.labelled(5)}
    seen = []
    for step in range(7):
        batch = data.batch_at(few, step, batch_size=8, seed=5)
        assert {name: len(x) for name, x in batch.items()} == dict.fromkeys(
            ('real', 'labelled', 'label'), 8
        )
        np.testing.assert_array_equal(batch['label'], LABELS[places(batch['labelled'])])
        seen += [*places(batch['labelled'])]
    for start in range(0, 48, 12):  # one permutation after another
        assert {*seen[start : start + 12]} == known


def test_the_unlabelled_stream_is_that_of_the_whole_set():
    plain = data.Dataset('x', (2, 2, 1), tuple('abcd'), LABELS, IMAGES.__getitem__)
    for step in (0, 30):
        one, other = (data.batch_at(x, step, batch_size=8, seed=5) for x in (plain, dataset()))
        np.testing.assert_array_equal(one['real'], other['real'])


def test_seeds_side_by_side_have_their_own_labels():
    batches = data.batches(dataset(), batch_size=12, seed=[0, 1], steps_per_dispatch=1)
    batch = next(batches)
    assert batch['labelled'].shape == (1, 12, 2, 2, 2, 1)
    for seed in (0, 1):
        own = places(batch['labelled'][0][:, seed])
        assert {*own} == {*dataset().labelled(seed)}
        np.testing.assert_array_equal(batch['label'][0, :, seed], LABELS[own])


@pytest.mark.parametrize('held', [True, False])
def test_parts_of_several_processes_add_up(held):
    """Each gives its part and zeros, whether it holds all images or its part alone."""
    whole = data.batch_at(dataset(), 3, batch_size=8, seed=1)
    total = None
    for index in (0, 1):
        share = data.Share(index, 2, None)
        few = dataset()
        if not held:
            mine = np.zeros_like(IMAGES)
            mine[index::2] = IMAGES[index::2]
            few = few.remade(lambda x: x)
            object.__setattr__(
                few, 'own', data.Dataset('x', (2, 2, 1), (), LABELS, mine.__getitem__)
            )
        part = data.batch_at(few, 3, batch_size=8, seed=1, share=share)
        total = part if total is None else {name: total[name] + part[name] for name in part}
    for name in whole:
        np.testing.assert_array_equal(total[name], whole[name])


@pytest.mark.parametrize(
    ('num', 'options', 'words'),
    [
        (10, {}, 'use a multiple, such as 8'),
        (2, {}, 'use a multiple, such as 4'),
        (4 * NUM, {}, 'use at most'),
        (4, {'labels': np.zeros(NUM, np.int32), 'names': 'a'}, 'x has no classes'),
        (4, {'labels': np.minimum(LABELS, 2)}, 'has 0 of one'),
    ],
)
def test_numbers_that_classes_cannot_share_are_refused(num, options, words):
    with pytest.raises(UserError, match=words) as error:
        dataset(num, **options)
    assert f'config.data.labelled={num}' in str(error.value)
