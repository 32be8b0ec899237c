"""The figures of an evaluation: each function names in its arguments the evidence that it needs.

A config chooses them by name (config.evaluation.metrics), and only what the chosen ones name is
gathered. There may be, of the real images that are the reference and of the generated ones:

    real_parts, fake_parts  `metrics.Moments` of the features, of parts of each side
    real_features, fake_features, train_features    float32 [n, d]; `train` is what was trained on
    real_logits, fake_logits                        float32 [n, classes]
    real_examples, fake_examples, train_examples    the first ones, uint8 [n, h, w, c] or points
    train_scores, real_scores, fake_scores          the discriminator's logits [n]
    real_labels, fake_labels                        integers [n], places in the classes
    path_examples, path_features    squared lengths [n] of ways between samples, as networks see
                            them and in features: see paths.py
    style_path_examples, style_path_features    the same between styles
    seed                    of whatever is drawn at random
    mixture                 of points, what they were drawn from
    aligned_pairs           there only if each generated image is a translation whose true image is
                            the real one of the same place
    cycles                  {'a', 'b'}: (images of a domain, what they are after the way to the
                            other one and back), float32 in [-1, 1]

Each returns {figure: value}; 'figure/stderr' is an estimate of that figure's standard error: of its
deviation if all examples on all sides, real ones too, were drawn anew, as many as there are. Where
there is none, the examples are too few or no estimate is known to be good.
"""

import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import jax
import numpy as np

from gan_jax import data, keys, metrics
from gan_jax.evaluation import standard_errors as errors

LESS, MORE = 'less', 'more'


def gives(**better: str) -> Callable[[Callable], Callable]:
    """Says of a metric which figures it returns, and whether more or less of each is better."""

    def mark(function: Callable) -> Callable:
        function.figures = better  # type: ignore[attr-defined]
        return function if hasattr(function, 'least') else at_least()(function)

    return mark


def of_package(package: str, extra: str) -> Callable[[Callable], Callable]:
    """Says of a metric which package computes it, and which extra of gan_jax has that."""

    def mark(function: Callable) -> Callable:
        function.package = package, extra  # type: ignore[attr-defined]
        return function

    return mark


def at_least(**least: int) -> Callable[[Callable], Callable]:
    """Says of a metric how many examples it needs of a side ('real', 'fake', 'train'); else 1.

    'each_class' is how many real ones it needs of each class, 'each_fake_class' how many generated
    ones, 'pixels' of which side images are.
    """

    def mark(function: Callable) -> Callable:
        function.least = least  # type: ignore[attr-defined]
        return function

    return mark


def _distance(real: Sequence[metrics.Moments], fake: Sequence[metrics.Moments]) -> float:
    sides = [functools.reduce(metrics.add_moments, parts) for parts in (real, fake)]
    real_side, fake_side = [(x.mean, metrics.covariance(x)) for x in sides]
    return metrics.frechet_distance(*real_side, *fake_side)


@gives(frechet_distance=LESS)
@at_least(real=2, fake=2)
def frechet_distance(
    real_parts: Sequence[metrics.Moments], fake_parts: Sequence[metrics.Moments]
) -> dict[str, float]:
    """`metrics.frechet_distance`; its standard error by leaving out one part at a time.

    Of g parts of each side, the jackknife: the square root of the sum over both sides of
    (g - 1) / g sum_i (D_i - mean D)^2, D_i without part i of that side.
    """
    value = _distance(real_parts, fake_parts)
    of_sides = []
    for parts, distance in (
        (fake_parts, functools.partial(_distance, real_parts)),
        (real_parts, lambda rest: _distance(rest, fake_parts)),
    ):
        g = len(parts)
        if g < 2 or sum(x.count for x in parts) - max(x.count for x in parts) < 2:
            return {'frechet_distance': value}
        values = [distance([x for x in parts if x is not part]) for part in parts]
        of_sides.append(np.std(values) * math.sqrt(g - 1))
    return errors.named(['frechet_distance'], [value], [math.hypot(*of_sides)])


@gives(kernel_distance=LESS)
@at_least(real=2, fake=2)
def kernel_distance(
    real_features: np.ndarray, fake_features: np.ndarray, seed: int
) -> dict[str, float]:
    """`metrics.kernel_distance`, 100 subsets of 1,000, or of all where there are fewer.

    Its variance is that of the estimate from all examples, by `metrics.mmd_error`, and what the
    choice of 100 subsets adds, their own variance by 100.
    """
    size = min(1000, len(real_features), len(fake_features))
    mean, spread = metrics.kernel_distance(
        real_features, fake_features, subset_size=size, seed=seed
    )
    if size < 2 * errors.GROUPS:
        return {'kernel_distance': mean}
    error = metrics.mmd_error(real_features, fake_features, parts=errors.GROUPS)
    return errors.named(['kernel_distance'], [mean], [math.hypot(error, spread / math.sqrt(100))])


@gives(inception_score=MORE)
@at_least(fake=2)
def inception_score(fake_logits: np.ndarray) -> dict[str, float]:
    """`metrics.inception_score` over ten splits; its standard error is theirs."""
    wide = fake_logits.astype(np.float64)
    powers = np.exp(wide - wide.max(axis=1, keepdims=True))
    splits = min(10, len(wide) // 2)  # of one sample the score is always 1
    mean, spread = metrics.inception_score(powers / powers.sum(axis=1, keepdims=True), splits)
    error = [spread / math.sqrt(splits - 1)] if splits == 10 else None
    return errors.named(['inception_score'], [mean], error)


@gives(precision=MORE, recall=MORE)
@at_least(real=4, fake=4)
def precision_recall(real_features: np.ndarray, fake_features: np.ndarray) -> dict[str, float]:
    """`metrics.precision_recall` with 3 neighbours.

    Without standard errors, as density and coverage are: in groups neighbours are so far away that
    the spread of their figures says little of that of all.
    """
    precision, recall = metrics.precision_recall(real_features, fake_features)
    return {'precision': precision, 'recall': recall}


@gives(density=MORE, coverage=MORE)
@at_least(real=6)
def density_coverage(real_features: np.ndarray, fake_features: np.ndarray) -> dict[str, float]:
    """`metrics.density_coverage` with 5 neighbours."""
    density, coverage = metrics.density_coverage(real_features, fake_features)
    return {'density': density, 'coverage': coverage}


@gives(sliced_wasserstein=LESS)
def sliced_wasserstein(
    real_examples: np.ndarray, fake_examples: np.ndarray, encode: Callable, seed: int
) -> dict[str, float]:
    """`metrics.sliced_wasserstein` of examples as networks see them."""
    num = min(len(real_examples), len(fake_examples))
    pair = [np.asarray(encode(x[:num])) for x in (real_examples, fake_examples)]
    rng = keys.fold_in_name(jax.random.key(seed), 'projections')
    return errors.measured(
        ['sliced_wasserstein'], lambda real, fake: [_sliced_wasserstein(real, fake, rng)], *pair
    )


_sliced_wasserstein = jax.jit(metrics.sliced_wasserstein)


@gives(diversity=MORE)
@at_least(real=2, fake=2)
def diversity(real_features: np.ndarray, fake_features: np.ndarray) -> dict[str, float]:
    """`metrics.diversity_ratio` of the first 1,000: 1 is as the data, 0 is one sample only."""
    sides = real_features[:1000], fake_features[:1000]
    return errors.measured(['diversity'], lambda *x: [metrics.diversity_ratio(*x)], *sides)


@gives(class_entropy=MORE)
def class_entropy(fake_logits: np.ndarray) -> dict[str, float]:
    """`metrics.class_entropy` of the likeliest classes, from 0 to 1."""
    classes = fake_logits.shape[1]
    histogram = np.bincount(fake_logits.argmax(axis=1), minlength=classes)
    return errors.of_histogram('class_entropy', metrics.class_entropy, histogram)


@gives(real_sign=LESS, held_out_sign=MORE, overfitting=LESS)
def overfitting(
    train_scores: np.ndarray, real_scores: np.ndarray, fake_scores: np.ndarray
) -> dict[str, float]:
    """`metrics.sign_rate` of what was trained on and of held-out images, `metrics.overfitting`."""

    sides = train_scores, real_scores, fake_scores
    return {
        **errors.of_values('real_sign', [np.sign(train_scores)]),
        **errors.of_values('held_out_sign', [np.sign(real_scores)]),
        **errors.measured(['overfitting'], lambda *x: [metrics.overfitting(*x)], *sides),
    }


@gives(memorised=LESS)
@at_least(real=20)
def memorised(
    train_features: np.ndarray, real_features: np.ndarray, fake_features: np.ndarray
) -> dict[str, float]:
    """`metrics.memorised_share`: 0.05 is what held-out images have."""
    sides = train_features, real_features, fake_features
    return errors.measured(['memorised'], lambda *x: [metrics.memorised_share(*x).share], *sides)


@gives(intra_class_frechet_distance=LESS)
@at_least(each_class=2, each_fake_class=2)
def intra_class_frechet_distance(
    real_features: np.ndarray,
    real_labels: np.ndarray,
    fake_features: np.ndarray,
    fake_labels: np.ndarray,
) -> dict[str, float]:
    """`metrics.intra_class_frechet_distance`: the mean over the classes.

    Of no class more generated examples count than there are real ones: `metrics.as_many`.
    """
    kept = metrics.as_many(real_labels, fake_labels)
    mean, _ = metrics.intra_class_frechet_distance(
        real_features, real_labels, fake_features[kept], fake_labels[kept]
    )
    return {'intra_class_frechet_distance': mean}


@gives(classification_accuracy=MORE)
def classification_accuracy(
    fake_features: np.ndarray,
    fake_labels: np.ndarray,
    real_features: np.ndarray,
    real_labels: np.ndarray,
) -> dict[str, float]:
    """`metrics.classification_accuracy`: trained on generated images, tested on real ones."""
    score = metrics.classification_accuracy(fake_features, fake_labels, real_features, real_labels)
    return {'classification_accuracy': score}


@gives(pair_similarity=LESS)
@at_least(fake=2, pixels=11)
def pair_similarity(fake_examples: np.ndarray, encode: Callable, seed: int) -> dict[str, float]:
    """`metrics.pair_similarity`: more where all are alike; by SSIM below MS-SSIM's 161 pixels.

    Of 100 pairs; its standard error by ten groups of 10.
    """
    rng = keys.fold_in_name(jax.random.key(seed), 'pairs')
    similarity = metrics.ms_ssim if min(fake_examples.shape[1:3]) >= 161 else metrics.ssim

    def mean(pairs: int, images: np.ndarray) -> list:
        return [_pair_similarity(encode(images), rng, pairs, similarity)]

    error = errors.by_groups(functools.partial(mean, 100 // errors.GROUPS), fake_examples)
    return errors.named(['pair_similarity'], mean(100, fake_examples), error)


_pair_similarity = jax.jit(metrics.pair_similarity, static_argnums=(2, 3))


@gives(path_length=LESS)
@at_least(fake=2)
def path_length(path_examples: np.ndarray) -> dict[str, float]:
    """The perceptual path length with the examples themselves, as networks see them, as features.

    The mean of `metrics.perceptual_path_length` without the least and the largest hundredth.
    """
    return errors.of_lengths('path_length', path_examples)


@gives(perceptual_path_length=LESS)
@at_least(fake=2)
def perceptual_path_length(path_features: np.ndarray) -> dict[str, float]:
    """The same in the network's features, for networks that can be differentiated."""
    return errors.of_lengths('perceptual_path_length', path_features)


@gives(path_length_w=LESS)
@at_least(fake=2)
def path_length_w(style_path_examples: np.ndarray) -> dict[str, float]:
    """`path_length` in the space of styles, at the ends of linear ways."""
    return errors.of_lengths('path_length_w', style_path_examples)


@gives(perceptual_path_length_w=LESS)
@at_least(fake=2)
def perceptual_path_length_w(style_path_features: np.ndarray) -> dict[str, float]:
    """The same in the network's features, for networks that can be differentiated."""
    return errors.of_lengths('perceptual_path_length_w', style_path_features)


@gives(modes=MORE, high_quality=MORE, reverse_kl=LESS)
def modes(fake_examples: np.ndarray, mixture: data.Mixture) -> dict[str, float]:
    """How well points cover a mixture: see `metrics.modes`.

    The share of high quality has the binomial standard error; the number of modes has none.
    """
    place = mixture.centers, mixture.stddev
    index, _ = metrics.nearest_mode(fake_examples, mixture.centers)
    histogram = np.asarray(metrics.mode_histogram(index, len(mixture.centers)))
    good = float(metrics.high_quality_share(fake_examples, *place))
    found = {'modes': float(metrics.modes_captured(fake_examples, *place)), 'high_quality': good}
    found['high_quality/stderr'] = math.sqrt(good * (1 - good) / len(fake_examples))
    return found | errors.of_histogram('reverse_kl', metrics.reverse_kl, histogram)


def _pairs(
    real_examples: np.ndarray, fake_examples: np.ndarray, encode: Callable
) -> Iterator[tuple]:
    """Both in [-1, 1], part by part."""
    num = min(len(real_examples), len(fake_examples))
    for start in range(0, num, 500):
        yield tuple(
            encode(x[start : min(start + 500, num)]) for x in (real_examples, fake_examples)
        )


@gives(psnr=MORE)
def psnr(
    real_examples: np.ndarray, fake_examples: np.ndarray, encode: Callable, aligned_pairs: bool
) -> dict[str, float]:
    """The mean over the images of `metrics.psnr`, in dB; equal images count as 100 dB."""
    values = [
        np.minimum(metrics.psnr(*pair), 100.0)
        for pair in _pairs(real_examples, fake_examples, encode)
    ]
    return errors.of_values('psnr', values)


@gives(ssim=MORE)
@at_least(pixels=11)
def ssim(
    real_examples: np.ndarray, fake_examples: np.ndarray, encode: Callable, aligned_pairs: bool
) -> dict[str, float]:
    """The mean over the images of `metrics.ssim`."""
    values = [np.asarray(_ssim(*pair)) for pair in _pairs(real_examples, fake_examples, encode)]
    return errors.of_values('ssim', values)


_ssim = jax.jit(metrics.ssim)


@gives(l1=LESS)
def l1(
    real_examples: np.ndarray, fake_examples: np.ndarray, encode: Callable, aligned_pairs: bool
) -> dict[str, float]:
    """The mean absolute error of images in [-1, 1]."""
    pairs = _pairs(real_examples, fake_examples, encode)
    return errors.of_values('l1', [np.abs(x - y).mean(axis=(1, 2, 3)) for x, y in pairs])


@gives(perceptual_distance=LESS)
def perceptual_distance(
    real_features: np.ndarray, fake_features: np.ndarray, aligned_pairs: bool
) -> dict[str, float]:
    """The mean over the images of `metrics.perceptual_distance`, the features as one layer."""
    values = metrics.perceptual_distance([real_features], [fake_features])
    return errors.of_values('perceptual_distance', [np.asarray(values)])


@gives(cycle_error=LESS, cycle_error_b=LESS)
def cycle_error(cycles: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
    """The mean absolute difference of images and what comes back of them, from a and from b."""
    apart = {x: np.abs(begun - back).mean(axis=(1, 2, 3)) for x, (begun, back) in cycles.items()}
    return errors.of_values('cycle_error', [apart['a']]) | errors.of_values(
        'cycle_error_b', [apart['b']]
    )
