import math

import numpy as np
import pytest

from gan_jax.report import curves

NAN = math.nan


def panels(given):
    return {
        (group['title'], panel['title']): panel['series']
        for group in curves.arrange(given)
        for panel in group['panels']
    }


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('generator/loss', ('Losses', 'loss')),
        ('discriminator/real_logit', ('Logits and accuracy', 'logit')),
        ('discriminator/fake_accuracy', ('Logits and accuracy', 'accuracy')),
        ('discriminator_r1/r1', ('Penalties and others', 'r1')),
        ('discriminator/gradient_norm', ('Norms', 'gradient norm')),
        ('eval/sliced_wasserstein', ('Evaluation', 'sliced_wasserstein')),
        ('eval/raw/recall', ('Evaluation', 'recall')),
        ('eval/recall_raw', ('Evaluation', 'recall')),
        ('eval/real_loss', ('Evaluation', 'loss')),
        ('diagnostics/held_out_sign', ('Diagnostics', 'sign')),
        ('data_wait', ('Speed', 'data_wait')),
        ('eval', ('Evaluation', 'eval')),
        ('raw', ('Penalties and others', 'raw')),
    ],
)
def test_a_metric_has_a_place(name, expected):
    assert curves.place(name) == expected


def test_groups_are_in_order_and_curves_of_a_kind_share_a_panel():
    names = ['seconds', 'd/loss', 'eval/x', 'g/loss', 'd/real_logit', 'd/fake_logit']
    found = panels({name: [(1, 0.5)] for name in names})
    assert list(found) == [
        ('Evaluation', 'x'),
        ('Losses', 'loss'),
        ('Logits and accuracy', 'logit'),
        ('Speed', 'seconds'),
    ]
    assert [s['name'] for s in found['Losses', 'loss']] == ['d/loss', 'g/loss']
    assert [s['colour'] for s in found['Losses', 'loss']] == ['0', '1']
    logits = found['Logits and accuracy', 'logit']
    assert [s['colour'] for s in logits] == ['real', 'generated']


def test_seeds_and_errors_join_their_metric():
    given = {
        'eval/x': [(20, 3.0), (10, 2.0)],
        'eval/x/seed_0': [(10, 1.0), (20, 4.0)],
        'eval/x/seed_1': [(10, 3.0), (20, 2.0)],
        'eval/x/stderr': [(10, 0.5), (20, 0.25)],
    }
    (series,) = panels(given)['Evaluation', 'x']
    assert series['points'] == {'steps': [10, 20], 'values': [2.0, 3.0]}
    assert [x['name'] for x in series['seeds']] == ['seed_0', 'seed_1']
    assert series['seeds'][1]['points'] == {'steps': [10, 20], 'values': [3.0, 2.0]}
    assert series['error'] == {'steps': [10, 20], 'values': [0.5, 0.25]}


def test_without_a_mean_it_is_that_of_the_common_steps():
    given = {'d/loss/seed_0': [(1, 1.0), (2, 2.0)], 'd/loss/seed_7': [(2, 5.0), (3, 9.0)]}
    (series,) = panels(given)['Losses', 'loss']
    assert series['name'] == 'd/loss'
    assert series['points'] == {'steps': [2], 'values': [3.5]}


def test_what_is_not_finite_is_a_gap_and_counted():
    given = {'g/loss': [(1, 0.5), (2, NAN), (3, math.inf), (4, 1.5)], 'g/loss/seed_0': [(2, NAN)]}
    (series,) = panels(given)['Losses', 'loss']
    assert series['points']['values'] == [0.5, None, None, 1.5]
    assert series['lost'] == 3


def test_thinning_keeps_peaks_gaps_and_order():
    points = [(i, math.sin(i / 500)) for i in range(10_000)]
    points[4321], points[7000] = (4321, 99.0), (7000, NAN)
    few = curves.thin(points, 300)
    steps = [step for step, _ in few]
    assert len(few) <= 300
    assert steps == sorted(set(steps))
    assert (4321, 99.0) in few
    assert 7000 in steps
    assert set(steps) <= set(range(10_000))
    assert curves.thin(points[:300], 300) == points[:300]


def test_a_long_curve_has_its_seeds_values_where_it_is_read():
    rng = np.random.default_rng(0)
    seeds = rng.normal(size=(2, 5000))
    given = {f'g/loss/seed_{i}': list(enumerate(map(float, x))) for i, x in enumerate(seeds)}
    (series,) = panels(given)['Losses', 'loss']
    steps = series['points']['steps']
    assert 500 < len(steps) <= curves.MOST_POINTS
    for i, seed in enumerate(series['seeds']):
        assert set(steps) <= set(seed['points']['steps'])
        assert len(seed['points']['steps']) <= 2 * curves.MOST_POINTS
        assert max(seed['points']['values']) == pytest.approx(seeds[i].max(), rel=1e-5)
