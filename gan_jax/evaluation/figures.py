"""The figures of an evaluation: each function names in its arguments the evidence that it needs.

A config chooses them by name (config.evaluation.metrics), and only what the chosen ones name is
gathered. There may be, of the real images that are the reference and of the generated ones:

    real_moments            `metrics.Moments` of the features
    fake_parts              the same of consecutive parts of the samples, for standard errors
    real_features, fake_features, train_features    float32 [n, d]; `train` is what was trained on
    real_logits, fake_logits                        float32 [n, classes]
    real_examples, fake_examples                        the first ones, uint8 [n, h, w, c] or points
    train_scores, real_scores, fake_scores          the discriminator's logits [n]
    real_labels, fake_labels                        integers [n], places in the classes
    seed                    of whatever is drawn at random
    mixture                 of points, what they were drawn from
    aligned_pairs           there only if each generated image is a translation whose true image is
                            the real one of the same place
    cycles                  {'a', 'b'}: (images of a domain, what they are after the way to the
                            other one and back), float32 in [-1, 1]

Each returns {figure: value}; 'figure/stderr' is an estimate of that figure's standard error.
"""

import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import jax
import numpy as np

from gan_jax import data, keys, metrics

LESS, MORE = 'less', 'more'


def gives(**better: str) -> Callable[[Callable], Callable]:
    """Says of a metric which figures it returns, and whether more or less of each is better."""

    def mark(function: Callable) -> Callable:
        function.figures = better  # type: ignore[attr-defined]
        return function

    return mark


def _distance(real: metrics.Moments, fake: metrics.Moments) -> float:
    pairs = [(x.mean, metrics.covariance(x)) for x in (real, fake)]
    return metrics.frechet_distance(*pairs[0], *pairs[1])


@gives(frechet_distance=LESS)
def frechet_distance(
    real_moments: metrics.Moments, fake_parts: Sequence[metrics.Moments]
) -> dict[str, float]:
    """`metrics.frechet_distance`; its standard error by leaving out one part at a time.

    Of the g parts' jackknife: sqrt((g - 1) / g sum_i (D_i - mean D)^2), D_i without part i.
    """
    join = functools.partial(functools.reduce, metrics.add_moments)
    found = {'frechet_distance': _distance(real_moments, join(fake_parts))}
    g = len(fake_parts)
    if g > 1:
        without = [[x for j, x in enumerate(fake_parts) if j != i] for i in range(g)]
        values = [_distance(real_moments, join(parts)) for parts in without]
        found['frechet_distance/stderr'] = float(np.std(values) * math.sqrt(g - 1))
    return found


@gives(kernel_distance=LESS)
def kernel_distance(
    real_features: np.ndarray, fake_features: np.ndarray, seed: int
) -> dict[str, float]:
    """`metrics.kernel_distance`, 100 subsets of 1,000, or of all where there are fewer.

    Its standard error is the spread of the subsets by the root of how many would be disjoint.
    """
    num = min(len(real_features), len(fake_features))
    size = min(1000, num)
    mean, spread = metrics.kernel_distance(
        real_features, fake_features, subset_size=size, seed=seed
    )
    error = spread / math.sqrt(num // size)
    return {'kernel_distance': mean} | ({'kernel_distance/stderr': error} if size < num else {})


@gives(inception_score=MORE)
def inception_score(fake_logits: np.ndarray) -> dict[str, float]:
    """`metrics.inception_score` over ten splits; its standard error is theirs."""
    wide = fake_logits.astype(np.float64)
    powers = np.exp(wide - wide.max(axis=1, keepdims=True))
    splits = min(10, len(wide))
    mean, spread = metrics.inception_score(powers / powers.sum(axis=1, keepdims=True), splits)
    return {'inception_score': mean, 'inception_score/stderr': spread / math.sqrt(splits)}


@gives(precision=MORE, recall=MORE)
def precision_recall(real_features: np.ndarray, fake_features: np.ndarray) -> dict[str, float]:
    """`metrics.precision_recall` with 3 neighbours."""
    precision, recall = metrics.precision_recall(real_features, fake_features)
    return {'precision': precision, 'recall': recall}


@gives(density=MORE, coverage=MORE)
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
    pair = [encode(x[:num]) for x in (real_examples, fake_examples)]
    rng = keys.fold_in_name(jax.random.key(seed), 'projections')
    return {'sliced_wasserstein': float(_sliced_wasserstein(*pair, rng))}


_sliced_wasserstein = jax.jit(metrics.sliced_wasserstein)


@gives(diversity=MORE)
def diversity(real_features: np.ndarray, fake_features: np.ndarray) -> dict[str, float]:
    """`metrics.diversity_ratio` of the first 1,000: 1 is as the data, 0 is one sample only."""
    return {'diversity': float(metrics.diversity_ratio(real_features[:1000], fake_features[:1000]))}


@gives(class_entropy=MORE)
def class_entropy(fake_logits: np.ndarray) -> dict[str, float]:
    """`metrics.class_entropy` of the likeliest classes, from 0 to 1."""
    classes = fake_logits.shape[1]
    histogram = np.bincount(fake_logits.argmax(axis=1), minlength=classes)
    return {'class_entropy': float(metrics.class_entropy(histogram))}


@gives(real_sign=LESS, held_out_sign=MORE, overfitting=LESS)
def overfitting(
    train_scores: np.ndarray, real_scores: np.ndarray, fake_scores: np.ndarray
) -> dict[str, float]:
    """`metrics.sign_rate` of what was trained on and of held-out images, `metrics.overfitting`."""
    return {
        'real_sign': float(metrics.sign_rate(train_scores)),
        'held_out_sign': float(metrics.sign_rate(real_scores)),
        'overfitting': float(metrics.overfitting(train_scores, real_scores, fake_scores)),
    }


@gives(memorised=LESS)
def memorised(
    train_features: np.ndarray, real_features: np.ndarray, fake_features: np.ndarray
) -> dict[str, float]:
    """`metrics.memorised_share`: 0.05 is what held-out images have."""
    found = metrics.memorised_share(train_features, real_features, fake_features)
    return {'memorised': found.share}


@gives(intra_class_frechet_distance=LESS)
def intra_class_frechet_distance(
    real_features: np.ndarray,
    real_labels: np.ndarray,
    fake_features: np.ndarray,
    fake_labels: np.ndarray,
) -> dict[str, float]:
    """`metrics.intra_class_frechet_distance`: the mean over the classes."""
    mean, _ = metrics.intra_class_frechet_distance(
        real_features, real_labels, fake_features, fake_labels
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
def pair_similarity(fake_examples: np.ndarray, encode: Callable, seed: int) -> dict[str, float]:
    """`metrics.pair_similarity`: more where all are alike; by SSIM below MS-SSIM's 161 pixels."""
    rng = keys.fold_in_name(jax.random.key(seed), 'pairs')
    similarity = metrics.ms_ssim if min(fake_examples.shape[1:3]) >= 161 else metrics.ssim
    images = encode(fake_examples)
    value = metrics.pair_similarity(images, rng, similarity=similarity)
    return {'pair_similarity': float(value)}


@gives(modes=MORE, high_quality=MORE, reverse_kl=LESS)
def modes(fake_examples: np.ndarray, mixture: data.Mixture) -> dict[str, float]:
    """How well points cover a mixture: see `metrics.modes`."""
    place = mixture.centers, mixture.stddev
    index, _ = metrics.nearest_mode(fake_examples, mixture.centers)
    histogram = metrics.mode_histogram(index, len(mixture.centers))
    return {
        'modes': float(metrics.modes_captured(fake_examples, *place)),
        'high_quality': float(metrics.high_quality_share(fake_examples, *place)),
        'reverse_kl': float(metrics.reverse_kl(histogram)),
    }


def _pairs(
    real_examples: np.ndarray, fake_examples: np.ndarray, encode: Callable
) -> Iterator[tuple]:
    """Both in [-1, 1], part by part."""
    num = min(len(real_examples), len(fake_examples))
    for start in range(0, num, 500):
        yield tuple(
            encode(x[start : min(start + 500, num)]) for x in (real_examples, fake_examples)
        )


def _with_error(name: str, values: Sequence[np.ndarray]) -> dict[str, float]:
    every = np.concatenate(values)
    found = {name: float(every.mean())}
    if len(every) > 1:
        found[f'{name}/stderr'] = float(every.std(ddof=1) / math.sqrt(len(every)))
    return found


@gives(psnr=MORE)
def psnr(
    real_examples: np.ndarray, fake_examples: np.ndarray, encode: Callable, aligned_pairs: bool
) -> dict[str, float]:
    """The mean over the images of `metrics.psnr`, in dB; equal images count as 100 dB."""
    values = [
        np.minimum(metrics.psnr(*pair), 100.0)
        for pair in _pairs(real_examples, fake_examples, encode)
    ]
    return _with_error('psnr', values)


@gives(ssim=MORE)
def ssim(
    real_examples: np.ndarray, fake_examples: np.ndarray, encode: Callable, aligned_pairs: bool
) -> dict[str, float]:
    """The mean over the images of `metrics.ssim`."""
    values = [np.asarray(_ssim(*pair)) for pair in _pairs(real_examples, fake_examples, encode)]
    return _with_error('ssim', values)


_ssim = jax.jit(metrics.ssim)


@gives(l1=LESS)
def l1(
    real_examples: np.ndarray, fake_examples: np.ndarray, encode: Callable, aligned_pairs: bool
) -> dict[str, float]:
    """The mean absolute error of images in [-1, 1]."""
    pairs = _pairs(real_examples, fake_examples, encode)
    return _with_error('l1', [np.abs(x - y).mean(axis=(1, 2, 3)) for x, y in pairs])


@gives(perceptual_distance=LESS)
def perceptual_distance(
    real_features: np.ndarray, fake_features: np.ndarray, aligned_pairs: bool
) -> dict[str, float]:
    """The mean over the images of `metrics.perceptual_distance`, the features as one layer."""
    values = metrics.perceptual_distance([real_features], [fake_features])
    return _with_error('perceptual_distance', [np.asarray(values)])


@gives(cycle_error=LESS, cycle_error_b=LESS)
def cycle_error(cycles: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
    """The mean absolute difference of images and what comes back of them, from a and from b."""
    errors = {x: np.abs(begun - back).mean(axis=(1, 2, 3)) for x, (begun, back) in cycles.items()}
    return _with_error('cycle_error', [errors['a']]) | _with_error('cycle_error_b', [errors['b']])
