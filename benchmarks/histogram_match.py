"""What a translation must beat: the source itself, and with the true image's own histograms.

    python -m benchmarks.histogram_match paired:data/emoji --size 64

Of the test pairs, the mean PSNR in dB and L1 in [-1, 1] to the true images of (a) the sources, (b)
the sources with each channel's histogram matched to the true image's, which no translator is told.
"""

import argparse

import numpy as np

from gan_jax import data, metrics


def matched(source, truth):
    """A channel's values replaced by those of the same rank in the other; ties share their mean."""
    flat, known = source.ravel(), np.sort(truth.ravel()).astype(np.float64)
    _, places, counts = np.unique(flat, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    sums = np.concatenate([[0], np.cumsum(known)])
    means = (sums[ends] - sums[ends - counts]) / counts
    return means[places].reshape(source.shape)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('dataset')
    parser.add_argument('--size', type=int, default=64)
    args = parser.parse_args()
    pairs = data.load(args.dataset, image_size=args.size, split='test', channels=3)
    batch = pairs.batch(np.arange(len(pairs)))
    source, truth = (data.normalize(batch[x]) for x in ('source', 'real'))
    alike = np.stack(
        [
            np.stack([matched(x[..., c], y[..., c]) for c in range(3)], axis=-1)
            for x, y in zip(source, truth, strict=True)
        ]
    ).astype(np.float32)
    print(f'{len(pairs)} test pairs of {args.size} pixels')
    for name, images in (('source', source), ('histograms matched', alike)):
        psnr = np.asarray(metrics.psnr(images, truth)).mean()
        print(f'{name}: PSNR {psnr:.2f} dB, L1 {np.abs(images - truth).mean():.3f}')


if __name__ == '__main__':
    main()
