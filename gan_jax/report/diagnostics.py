"""From figures to plain words: what may be wrong with a run, and what to try."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

# Our own choice: samples of a mixture itself have 0.989, those of runs that went well 0.9.
LEAST_HIGH_QUALITY = 0.8
# Our own choice: of 500 samples a class of the least real share should have 25; fewer than 6.25 are
# too few by 3.7 standard deviations.
LEAST_CLASS_SHARE = 0.25  # of the share in the real data,
LEAST_REAL_SHARE = 0.05  # where that is as much
# Our own computation: of a ring of eight modes three neighbours have a ratio of 0.52, two of 0.30.
LEAST_DIVERSITY = 0.5
# Our own choice: as much as 10^0.8 = 6.3 of ten classes made evenly.
LEAST_CLASS_ENTROPY = 0.8
# Training Generative Adversarial Networks with Limited Data (Karras et al., 2020), section 3: the
# value of r_t that its augmentation is steered towards.
GREATEST_REAL_SIGN = 0.6
# By definition: below it more held-out data are judged false than real.
LEAST_HELD_OUT_SIGN = 0.0
# Our own choice: held-out data are judged as much like generated data as like training data.
GREATEST_OVERFITTING = 0.5
# Our own measurement: means over 10 to 1,000 steps in some thirty runs of configs/*.py and their
# changes lie between 9e-4 (weight clipping; 2e-2 without) and 110; these are ten times beyond.
LEAST_GRADIENT_NORM = 1e-4
GREATEST_GRADIENT_NORM = 1e3


class _Rule(NamedTuple):
    key: str
    below: bool
    threshold: float
    meaning: str
    cure: str


_PLAYERS = ('generator', 'discriminator')
_COLLAPSE = (
    'config.cures.packing=2, config.discriminator.minibatch=discrimination, or '
    'config.objective=relativistic_pairing_non_saturating with both config.penalties.r1 and '
    'config.penalties.r2'
)
_LIMITED_DATA = (
    'more data, config.augment.horizontal_flip=True where a mirrored image is as good, '
    'config.penalties.lecam or config.penalties.balanced_consistency'
)

_QUALITY = _Rule(
    'high_quality',
    True,
    LEAST_HIGH_QUALITY,
    'many samples lie between the modes or away from all of them',
    'more config.steps, config.ema, config.penalties.r1 or a lower '
    'config.optimizers.generator.learning_rate',
)
_RULES = (
    _Rule(
        'diversity',
        True,
        LEAST_DIVERSITY,
        'samples are much closer to each other than real data are, so mode collapse is likely',
        _COLLAPSE,
    ),
    _Rule(
        'class_entropy',
        True,
        LEAST_CLASS_ENTROPY,
        'some classes are hardly made, so mode collapse is likely unless the data are as uneven',
        _COLLAPSE,
    ),
    _Rule(
        'real_sign',
        False,
        GREATEST_REAL_SIGN,
        'the discriminator is sure of nearly all its training data, so it may be overfitting',
        f'comparing it with held-out data, then {_LIMITED_DATA}',
    ),
    _Rule(
        'held_out_sign',
        True,
        LEAST_HELD_OUT_SIGN,
        'the discriminator takes most real data that it has not seen for generated ones, so it '
        'overfits, unless it takes training data for such, too',
        _LIMITED_DATA,
    ),
    _Rule(
        'overfitting',
        False,
        GREATEST_OVERFITTING,
        'the discriminator judges unseen real data more like generated than like training data, so '
        'it knows its examples by heart',
        _LIMITED_DATA,
    ),
    _Rule(
        'gradient_norm/generator',
        True,
        LEAST_GRADIENT_NORM,
        'the generator learns nothing, most likely because the discriminator is far ahead',
        'config.objective=non_saturating in place of minimax, config.penalties.r1, '
        'config.cures.instance_noise=0.1 or a lower '
        'config.optimizers.discriminator.learning_rate',
    ),
    _Rule(
        'gradient_norm/discriminator',
        True,
        LEAST_GRADIENT_NORM,
        'the discriminator has stopped learning: its loss is saturated, or its units are dead',
        'config.penalties.r1, config.cures.instance_noise=0.1 or, with weight clipping, another '
        'constraint',
    ),
    *(
        _Rule(
            f'gradient_norm/{player}',
            False,
            GREATEST_GRADIENT_NORM,
            f"the {player}'s gradients explode",
            f'a lower config.optimizers.{player}.learning_rate, '
            f'config.optimizers.{player}.clip_norm=10.0 or config.penalties.r1',
        )
        for player in _PLAYERS
    ),
)


def _judge(rule: _Rule, figures: Mapping[str, float]) -> list[str]:
    value = figures.get(rule.key)
    if value is None or not math.isfinite(value):
        return []
    if not (value < rule.threshold if rule.below else value > rule.threshold):
        return []
    side = 'below' if rule.below else 'above'
    return [
        f'{rule.key} = {value:.3g} is {side} {rule.threshold:g}: {rule.meaning}; try {rule.cure}.'
    ]


def _modes(figures: Mapping[str, float]) -> list[str]:
    """A mode is captured by a single sample, so each that is missing says something."""
    modes, of = figures.get('modes'), figures.get('modes_of')
    if modes is None or of is None or not modes < of:
        return []
    return [
        f'modes = {modes:.3g} of {of:g}: samples come from a part of the data only, which is mode '
        f'collapse; try {_COLLAPSE}.'
    ]


def _classes(histogram: Mapping[str, Sequence] | None) -> list[str]:
    if not histogram:
        return []
    rows = zip(*(histogram[x] for x in ('names', 'real', 'generated')), strict=True)
    few = [
        (generated / real, name, real, generated)
        for name, real, generated in rows
        if real >= LEAST_REAL_SHARE and generated < LEAST_CLASS_SHARE * real
    ]
    if not few:
        return []
    _, name, real, generated = min(few, key=lambda row: row[0])
    return [
        f'{len(few)} of {len(histogram["names"])} classes are made less than {LEAST_CLASS_SHARE:g} '
        f'times as often as they are in the data, least of all {name!r} ({100 * generated:.3g}% '
        f'instead of {100 * real:.3g}%), so mode collapse is likely; try {_COLLAPSE}.'
    ]


def hints(
    figures: Mapping[str, float], histogram: Mapping[str, Sequence] | None = None
) -> list[str]:
    """What figures of a run say in plain words; an empty list if nothing stands out.

    Hints, not findings: the thresholds are rules of thumb (each is a constant of this module, with
    where it is from), and a figure on their right side proves nothing. What is missing of the data
    comes first.

    Args:
      figures: any of these; other keys are left alone.
        'modes', 'modes_of': `metrics.modes_captured`, and how many there are; only together.
        'high_quality': `metrics.high_quality_share`, [0, 1].
        'diversity': `metrics.diversity_ratio`, [0, ...).
        'class_entropy': `metrics.class_entropy`, [0, 1].
        'real_sign', 'held_out_sign': `metrics.sign_rate` of training and of held-out data, [-1, 1],
          for logits that are judged by 0.
        'overfitting': `metrics.overfitting`.
        'gradient_norm/generator', 'gradient_norm/discriminator': global norms >= 0.
        'samples', 'feature_dimensions': how many samples a Fréchet distance was taken of, and the
          length of their features; only together.
      histogram: {'names': classes, 'real': shares, 'generated': shares}, equally long.

    Returns:
      One sentence each: the figure, the threshold, what it means, what to try. Of a figure that is
      not finite, that alone.
    """
    found = [*_modes(figures), *_judge(_QUALITY, figures), *_classes(histogram)]
    for rule in _RULES:
        found += _judge(rule, figures)
    samples, dimensions = figures.get('samples'), figures.get('feature_dimensions')
    if samples is not None and dimensions is not None and samples <= dimensions:
        found.append(
            f'samples = {samples:g} is not above {dimensions:g}, the length of the features: their '
            'covariance is singular and Fréchet distances are far too large; try a higher '
            'config.eval_samples, or a kernel distance, which has no such bias.'
        )
    for key in dict.fromkeys(['modes', *(rule.key for rule in (_QUALITY, *_RULES))]):
        value = figures.get(key)
        if value is not None and not math.isfinite(value):
            found.append(
                f'{key} = {value:g} is not a finite number: the run has diverged or too few '
                'examples were measured; try lower config.optimizers.<player>.learning_rate, or '
                'config.optimizers.<player>.clip_norm=10.0.'
            )
    return found
