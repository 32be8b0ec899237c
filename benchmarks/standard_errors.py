"""Whether standard errors of figures are how far the figures deviate: evaluations drawn anew.

    python -m benchmarks.standard_errors [--draws=100] [--only=kernel_distance]

Each evaluation has new real and new generated examples of two known distributions in 16 dimensions.
Of each figure the table has its spread over the evaluations, the ratio of its standard error (root
of the mean square) to that, and the share of evaluations whose 95% interval, the figure and 1.96 of
its own standard errors to both sides, holds the figures' mean.
"""

import inspect
import math
import types
from typing import Any
from unittest import mock

import numpy as np
from absl import app, flags

from gan_jax import metrics
from gan_jax.evaluation import figures

DRAWS = flags.DEFINE_integer('draws', 100, 'How many evaluations of each.')
ONLY = flags.DEFINE_list('only', None, 'Which metrics.')

WIDTH, CLASSES, SIDE = 16, 10, 12
FIXED = np.random.default_rng(0)
CENTERS = FIXED.normal(0, 1.5, (CLASSES, WIDTH))
TO_LOGITS = FIXED.normal(0, 0.7, (WIDTH, CLASSES))
TO_IMAGES = FIXED.normal(0, 0.3, (WIDTH, SIDE * SIDE))
ANGLES = np.arange(8) * math.pi / 4
MIXTURE = types.SimpleNamespace(
    centers=np.stack([np.cos(ANGLES), np.sin(ANGLES)], 1).astype(np.float32), stddev=0.02
)
UNEVEN = np.array([6, 5, 4, 4, 3, 3, 2, 1]) / 28

# Figures that have no standard error.
WITHOUT = ('modes', 'classification_accuracy', 'precision', 'recall', 'density', 'coverage')

# (metric, real examples, generated ones, whether both have one distribution)
CASES = (
    ('frechet_distance', 2500, 2500, False),
    ('frechet_distance', 2500, 10_000, False),
    ('frechet_distance', 1000, 1000, False),
    ('frechet_distance', 1000, 1000, True),
    ('kernel_distance', 1050, 1050, False),
    ('kernel_distance', 1999, 1999, False),
    ('kernel_distance', 1999, 1999, True),
    ('inception_score', 1000, 1000, False),
    ('precision_recall', 1000, 1000, False),
    ('density_coverage', 1000, 1000, False),
    ('sliced_wasserstein', 1000, 1000, False),
    ('sliced_wasserstein', 1000, 1000, True),
    ('diversity', 1000, 1000, False),
    ('class_entropy', 1000, 1000, False),
    ('overfitting', 1000, 1000, False),
    ('memorised', 1000, 1000, False),
    ('classification_accuracy', 1000, 1000, False),
    ('pair_similarity', 1000, 1000, False),
    ('path_length', 1000, 1000, False),
    ('modes', 2500, 2500, False),
    ('psnr', 500, 500, False),
    ('ssim', 500, 500, False),
    ('l1', 500, 500, False),
    ('perceptual_distance', 500, 500, False),
    ('cycle_error', 500, 500, False),
)  # fmt: skip


def draw(rng: np.random.Generator, num: int, off: bool) -> tuple[np.ndarray, np.ndarray]:
    """Features and labels of `num` examples; of the generator that is off, or of the data."""
    weights = np.linspace(1, 3, CLASSES) if off else np.ones(CLASSES)
    labels = rng.choice(CLASSES, num, p=weights / weights.sum())
    noise = rng.normal(0, 0.9 if off else 1.0, (num, WIDTH))
    return (CENTERS[labels] + noise + 0.1 * off).astype(np.float32), labels


def evidence(rng: np.random.Generator, real: int, fake: int, equal: bool) -> dict[str, Any]:
    """All that metrics may name, of new examples."""
    sides = {
        'real': draw(rng, real, False),
        'fake': draw(rng, fake, not equal),
        'train': draw(rng, real, False),
    }
    given: dict[str, Any] = {'seed': 0, 'encode': np.asarray, 'aligned_pairs': True}
    for prefix, (features, labels) in sides.items():
        images = np.tanh(features[:500] @ TO_IMAGES).reshape(-1, SIDE, SIDE, 1)
        given |= {
            f'{prefix}_features': features,
            f'{prefix}_labels': labels,
            f'{prefix}_logits': (features @ TO_LOGITS).astype(np.float32),
            f'{prefix}_moments': metrics.moments(features),
            f'{prefix}_parts': [metrics.moments(features[i::5]) for i in range(5)],
            f'{prefix}_images': images.astype(np.float32),
            f'{prefix}_scores': features[:, 0] + {'train': 0.5, 'real': 0.2, 'fake': -0.5}[prefix],
        }
    given['cycles'] = {'a': (given['real_images'], given['fake_images'])}
    given['cycles']['b'] = given['cycles']['a']
    given['path_examples'] = rng.lognormal(0, 1, fake // 2).astype(np.float32)
    given['mixture'] = MIXTURE
    place = rng.choice(8, fake, p=UNEVEN)
    spread = rng.normal(0, 0.02, (fake, 2)) * (1 + (rng.uniform(size=(fake, 1)) < 0.2) * 2)
    given['points'] = (MIXTURE.centers[place] + spread).astype(np.float32)
    return given


def measure(name: str, given: dict[str, Any]) -> dict[str, float]:
    """The figures of a metric."""
    images = name in ('pair_similarity', 'psnr', 'ssim', 'l1')
    for prefix in ('real', 'fake'):
        given[f'{prefix}_examples'] = given[f'{prefix}_{"images" if images else "features"}']
    if name == 'modes':
        given['fake_examples'] = given['points']
    function = getattr(figures, name)
    return function(**{x: given[x] for x in inspect.signature(function).parameters})


def kernel_distance(
    real: np.ndarray, fake: np.ndarray, *, subset_size: int, seed: int, subsets: int = 100
) -> tuple[float, float]:
    """`metrics.kernel_distance`, quick."""
    rng = np.random.RandomState(seed)
    chosen = [np.zeros((subsets, len(x))) for x in (fake, real)]
    for i in range(subsets):
        for side in chosen:
            side[i, rng.choice(side.shape[1], subset_size, replace=False)] = 1
    sides = [x.astype(np.float64) for x in (fake, real)]
    values = np.zeros(subsets)
    for x, some in zip(sides, chosen, strict=True):
        kernel = cubes(x, x)
        np.fill_diagonal(kernel, 0)
        values += ((some @ kernel) * some).sum(axis=1) / (subset_size * (subset_size - 1))
    cross = ((chosen[0] @ cubes(*sides)) * chosen[1]).sum(axis=1)
    values -= 2 * cross / subset_size**2
    return float(values.mean()), float(values.std())


def cubes(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The polynomial kernel of degree 3 of all pairs."""
    base = x @ y.T / x.shape[1] + 1
    return base * base * base


def simulate(
    name: str, real: int, fake: int, equal: bool, draws: int
) -> dict[str, tuple[float, float, float, float]]:
    """{figure: (mean, spread, ratio of the standard error to it, coverage)}; NaN without an error.

    Args:
      name: of the metric.
      real: how many real examples.
      fake: how many generated ones.
      equal: whether both are drawn from one distribution.
      draws: how many evaluations.
    """
    rng = np.random.default_rng(1)
    with mock.patch.object(metrics, 'kernel_distance', kernel_distance):
        found = [measure(name, evidence(rng, real, fake, equal)) for _ in range(draws)]
    results = {}
    for figure in (x for x in found[0] if not x.endswith('/stderr')):
        values = np.array([x[figure] for x in found])
        errors = np.array([x.get(f'{figure}/stderr', np.nan) for x in found])
        spread = values.std(ddof=1)
        ratio = float(np.sqrt(np.mean(errors**2)) / spread) if spread else math.nan
        held = np.mean(np.abs(values - values.mean()) <= 1.96 * errors)
        coverage = math.nan if np.isnan(errors).any() else float(held)
        results[figure] = float(values.mean()), float(spread), ratio, coverage
    return results


def main(_: list[str]) -> None:
    """Prints the table."""
    print('| Figure | Real, generated | Mean | Spread | Error / spread | Coverage of 95% |')
    print('|--------|-----------------|------|--------|----------------|-----------------|')
    for name, real, fake, equal in CASES:
        if (ONLY.value and name not in ONLY.value) or not hasattr(figures, name):
            continue
        for figure, row in simulate(name, real, fake, equal, DRAWS.value).items():
            mean, spread, ratio, coverage = row
            ends = ('-', '-') if math.isnan(coverage) else (f'{ratio:.2f}', f'{coverage:.0%}')
            title = f'`{figure}`' + (', equal' if equal else '')
            counts = f'{real:,}, {fake:,}'
            print(f'| {title} | {counts} | {mean:.4g} | {spread:.2g} | {" | ".join(ends)} |')


if __name__ == '__main__':
    app.run(main)
