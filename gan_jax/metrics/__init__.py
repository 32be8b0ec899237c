"""How good samples are: pure functions of arrays."""

from gan_jax.metrics.classification import auroc, average_precision, classification_accuracy
from gan_jax.metrics.diversity import (
    class_entropy,
    diversity_ratio,
    overfitting,
    pairwise_distance,
    sign_rate,
)
from gan_jax.metrics.frechet import (
    Moments,
    add_moments,
    covariance,
    frechet_distance,
    intra_class_frechet_distance,
    moments,
)
from gan_jax.metrics.inception import inception_score
from gan_jax.metrics.kernel import kernel_distance, mmd_error
from gan_jax.metrics.labels import (
    as_many,
    confusion_matrix,
    label_accuracy,
    matched_accuracy,
    within_classes,
)
from gan_jax.metrics.manifold import (
    density_coverage,
    memorised_share,
    nearest_neighbors,
    precision_recall,
)
from gan_jax.metrics.membership import (
    balanced_accuracy,
    private_auroc,
    private_balanced_accuracy,
)
from gan_jax.metrics.modes import (
    high_quality_share,
    mode_histogram,
    modes_captured,
    modes_in_histogram,
    nearest_mode,
    reverse_kl,
)
from gan_jax.metrics.path_length import perceptual_path_length, trimmed_mean
from gan_jax.metrics.similarity import (
    ms_ssim,
    pair_similarity,
    perceptual_distance,
    psnr,
    ssim,
)
from gan_jax.metrics.sliced_wasserstein import sliced_wasserstein
from gan_jax.metrics.spectral import mel_cepstral_distortion, stft_distance
from gan_jax.metrics.tables import (
    closest_share,
    contingency,
    correlation_similarity,
    ks_complement,
    tv_complement,
)
from gan_jax.metrics.text import bleu, ngram_divergence, self_bleu

__all__ = [
    'Moments',
    'add_moments',
    'as_many',
    'auroc',
    'average_precision',
    'balanced_accuracy',
    'bleu',
    'class_entropy',
    'classification_accuracy',
    'closest_share',
    'confusion_matrix',
    'contingency',
    'correlation_similarity',
    'covariance',
    'density_coverage',
    'diversity_ratio',
    'frechet_distance',
    'high_quality_share',
    'inception_score',
    'intra_class_frechet_distance',
    'kernel_distance',
    'ks_complement',
    'label_accuracy',
    'matched_accuracy',
    'mel_cepstral_distortion',
    'memorised_share',
    'mmd_error',
    'mode_histogram',
    'modes_captured',
    'modes_in_histogram',
    'moments',
    'ms_ssim',
    'nearest_mode',
    'nearest_neighbors',
    'ngram_divergence',
    'overfitting',
    'pair_similarity',
    'pairwise_distance',
    'perceptual_distance',
    'perceptual_path_length',
    'precision_recall',
    'private_auroc',
    'private_balanced_accuracy',
    'psnr',
    'reverse_kl',
    'self_bleu',
    'sign_rate',
    'sliced_wasserstein',
    'ssim',
    'stft_distance',
    'trimmed_mean',
    'tv_complement',
    'within_classes',
]
