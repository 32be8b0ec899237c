"""Attacks as figures: what copies its data is caught, what does not know them is not."""

import numpy as np
import pytest

from gan_jax import metrics
from gan_jax.evaluation import membership, menu

RNG = np.random.default_rng(0)
MEMBERS, OTHERS, SAMPLES = (RNG.normal(size=(300, 4, 4, 1)).astype(np.float32) for _ in range(3))


def plain(x):
    return x


def test_a_generator_that_copies_is_caught():
    copies = MEMBERS + 0.01 * RNG.normal(size=MEMBERS.shape)
    found = membership.membership(MEMBERS, OTHERS, copies, plain)
    assert found['membership_auroc'] > 0.99
    assert found['membership_accuracy'] > 0.95
    assert 0 <= found['membership_auroc/stderr'] < 0.05


def test_a_generator_that_knows_nothing_is_not():
    """Not above what chance makes of 300 and 300, at any epsilon."""
    found = membership.membership(MEMBERS, OTHERS, SAMPLES, plain)
    assert found['membership_auroc'] == pytest.approx(0.5, abs=0.07)
    assert found['membership_accuracy'] < metrics.private_balanced_accuracy(0.5, 1e-5)


def test_members_and_others_are_as_many_and_seen_as_networks_see_them():
    seen = []

    def encode(x):
        seen.append(len(x))
        return x / 2

    few = membership.membership(MEMBERS, OTHERS[:100], SAMPLES, encode)
    same = membership.membership(MEMBERS[:100], OTHERS[:100], SAMPLES, plain)
    assert few['membership_auroc'] == same['membership_auroc']
    assert seen == [300, 100, 300]


def test_a_discriminator_that_knows_its_data_is_caught():
    scores = np.linspace(0, 1, 200)
    found = membership.discriminator_membership(scores + 2, scores)
    assert found['discriminator_membership_auroc'] == 1
    assert found['discriminator_membership_accuracy'] == 1
    found = membership.discriminator_membership(scores, scores)
    assert found['discriminator_membership_auroc'] == 0.5


def test_both_are_metrics_of_an_evaluation():
    names = ['membership', 'discriminator_membership']
    assert {*names} <= menu.available().keys()
    assert {'train_examples', 'real_examples', 'train_scores'} <= menu.needed(names)
    assert menu.better('membership_auroc') == 'less'
