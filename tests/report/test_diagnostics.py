import re

import jax.numpy as jnp
import pytest

from gan_jax import objectives, penalties
from gan_jax.config import defaults as config_lib
from gan_jax.report import diagnostics

HEALTHY = {
    'modes': 8,
    'modes_of': 8,
    'high_quality': 0.95,
    'diversity': 0.97,
    'class_entropy': 0.99,
    'real_sign': 0.4,
    'held_out_sign': 0.35,
    'overfitting': 0.03,
    'gradient_norm/generator': 1.2,
    'gradient_norm/discriminator': 3.0,
    'samples': 5000,
    'feature_dimensions': 2048,
}
# Key, a value beyond the threshold, the threshold as it is told, what must be said.
WRONG = [
    ('high_quality', 0.07, 'below 0.8', ('between the modes', 'r1')),
    ('diversity', 0.31, 'below 0.5', ('mode collapse', 'packing', 'discrimination', 'r1', 'r2')),
    ('class_entropy', 0.42, 'below 0.8', ('mode collapse', 'packing')),
    ('real_sign', 0.85, 'above 0.6', ('overfit', 'held-out')),
    ('held_out_sign', -0.2, 'below 0', ('overfit', 'lecam')),
    ('overfitting', 0.7, 'above 0.5', ('by heart', 'balanced_consistency')),
    ('gradient_norm/generator', 3e-6, 'below 0.0001', ('learns nothing', 'non_saturating')),
    ('gradient_norm/discriminator', 3e-6, 'below 0.0001', ('saturated', 'instance_noise')),
    ('gradient_norm/generator', 5e4, 'above 1000', ('explode', 'optimizers.generator')),
    ('gradient_norm/discriminator', 5e4, 'above 1000', ('explode', 'optimizers.discriminator')),
]


def test_nothing_is_said_of_a_healthy_run_or_of_no_figures():
    assert diagnostics.hints(HEALTHY) == []
    assert diagnostics.hints({}) == []
    assert diagnostics.hints({'step': 100.0, 'discriminator/loss': float('nan')}) == []


@pytest.mark.parametrize(('key', 'value', 'threshold', 'words'), WRONG)
def test_a_hint_tells_the_figure_the_threshold_the_meaning_and_the_cure(
    key, value, threshold, words
):
    for figures in ({key: value}, HEALTHY | {key: value}, {key: jnp.float32(value)}):
        (hint,) = diagnostics.hints(figures)
        assert hint.startswith(f'{key} = {value:.3g} is {threshold}: ')
        assert '; try ' in hint
        assert hint.endswith('.')
        assert '\n' not in hint
        for word in words:
            assert word in hint


@pytest.mark.parametrize(
    ('key', 'threshold'),
    [
        ('high_quality', diagnostics.LEAST_HIGH_QUALITY),
        ('diversity', diagnostics.LEAST_DIVERSITY),
        ('class_entropy', diagnostics.LEAST_CLASS_ENTROPY),
        ('real_sign', diagnostics.GREATEST_REAL_SIGN),
        ('held_out_sign', diagnostics.LEAST_HELD_OUT_SIGN),
        ('overfitting', diagnostics.GREATEST_OVERFITTING),
        ('gradient_norm/generator', diagnostics.LEAST_GRADIENT_NORM),
        ('gradient_norm/discriminator', diagnostics.GREATEST_GRADIENT_NORM),
    ],
)
def test_the_constants_are_the_thresholds_and_they_themselves_are_fine(key, threshold):
    assert diagnostics.hints({key: threshold}) == []
    step = 1e-3 * max(threshold, 1.0) if threshold > 1e-3 or threshold == 0 else 1e-6
    sides = [len(diagnostics.hints({key: threshold + sign * step})) for sign in (-1, 1)]
    assert sorted(sides) == [0, 1]


def test_several_hints_come_together():
    found = diagnostics.hints(HEALTHY | {key: value for key, value, *_ in WRONG[:5]})
    assert [hint.split(' = ')[0] for hint in found] == [key for key, *_ in WRONG[:5]]


SHARES = {'names': ['cat', 'dog', 'emu'], 'real': [0.5, 0.46, 0.04], 'generated': [0.9, 0.1, 0.0]}


def test_a_collapsed_run_is_called_that_before_all_else():
    """Three of eight modes and 7% of high quality, with every other hint there is."""
    figures = HEALTHY | {key: value for key, value, *_ in WRONG[:6]}
    found = diagnostics.hints(figures | {'modes': 3, 'high_quality': 0.07}, SHARES)
    assert found[0].startswith('modes = 3 of 8: samples come from a part of the data only')
    assert 'mode collapse; try config.cures.packing=2' in found[0]
    assert found[1].startswith('high_quality = 0.07 is below 0.8: ')
    assert found[2].startswith('1 of 3 classes are made less than 0.25 times as often')
    assert "least of all 'dog' (10% instead of 46%)" in found[2]
    assert [hint.split(' = ')[0] for hint in found[3:]] == [key for key, *_ in WRONG[1:6]]


@pytest.mark.parametrize('modes', [0, 7, 7.67])
def test_each_missing_mode_is_told_also_in_a_mean_over_seeds(modes):
    (hint,) = diagnostics.hints({'modes': modes, 'modes_of': 8})
    assert hint.startswith(f'modes = {modes:g} of 8: ')
    assert diagnostics.hints({'modes': modes}) == diagnostics.hints({'modes_of': 8}) == []


@pytest.mark.parametrize(
    ('real', 'generated', 'told'),
    [
        ([0.5, 0.5], [0.876, 0.124], True),
        ([0.5, 0.5], [0.875, 0.125], False),
        ([0.96, 0.04], [1.0, 0.0], False),  # too few real ones to say
        ([0.95, 0.05], [1.0, 0.0], True),
        ([0.0, 1.0], [0.0, 1.0], False),
        ([], [], False),
    ],
)
def test_a_class_must_have_a_quarter_of_its_share(real, generated, told):
    names = [str(i) for i in range(len(real))]
    histogram = {'names': names, 'real': real, 'generated': generated}
    assert len(diagnostics.hints({}, histogram)) == told


def test_samples_must_outnumber_the_dimensions():
    (hint,) = diagnostics.hints({'samples': 2048, 'feature_dimensions': 2048})
    assert hint.startswith('samples = 2048 is not above 2048')
    assert 'eval_samples' in hint
    assert diagnostics.hints({'samples': 2049, 'feature_dimensions': 2048}) == []
    assert diagnostics.hints({'samples': 10}) == diagnostics.hints({'feature_dimensions': 10}) == []


@pytest.mark.parametrize('value', [float('nan'), float('inf'), float('-inf')])
def test_what_is_not_finite_is_told_once(value):
    (hint,) = diagnostics.hints({'gradient_norm/generator': value})
    assert hint.startswith(f'gradient_norm/generator = {value:g} is not a finite number')


def test_every_config_key_that_is_named_exists():
    config = config_lib.default()
    for player in ('generator', 'discriminator'):
        config.optimizers[player] = config_lib.optimizer('adam', learning_rate=1e-3)
    everything = [diagnostics.hints({key: value}) for key, value, *_ in WRONG]
    everything.append(diagnostics.hints({'samples': 1, 'feature_dimensions': 2}))
    everything.append(diagnostics.hints({'modes': 1, 'modes_of': 2}, SHARES))
    text = ' '.join(hint for found in everything for hint in found)
    named = set(re.findall(r'config\.([a-z0-9_.]*[a-z0-9_])(?:=([\w.]*\w))?', text))
    assert len(named) > 10
    for path, value in named:
        kind, _, name = path.partition('.')
        if kind == 'penalties':
            assert callable(getattr(penalties, name))
        elif path == 'objective':
            assert isinstance(getattr(objectives, value), objectives.Objective)
        elif path == 'discriminator.minibatch':
            assert value == 'discrimination'
        else:
            node = config
            for part in path.split('.'):
                assert part in node, path
                node = node[part]
