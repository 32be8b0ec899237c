"""Whether the Inception network is that of torch-fidelity, and how fast each is.

    python -m benchmarks.inception [--images 4] [--rounds 3]

Random weights are written by PyTorch as the published file is, in both of its forms. torch-fidelity
0.4.0 and `gan_jax` read them and look at the same images of several sizes. Printed are the largest
difference relative to the largest feature (and logit), which must be below 1e-3, and the images a
second that pass each network, the best of the rounds. Needs PyTorch, torchvision, torch-fidelity.
"""

import argparse
import hashlib
import pathlib
import tempfile
import time
import zlib

import jax
import numpy as np
import torch
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from gan_jax.networks.features import inception
from gan_jax.runtime import process

SIZES = ((28, 28, 1), (32, 32, 3), (64, 64, 3), (299, 299, 3), (300, 400, 3))
BOUND = 1e-3


def random_weights():
    """{name: array} of sizes that keep the activations' scale; each array from its name alone."""
    made = {}
    for name, shape in inception.shapes().items():
        draw = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape, np.float32)
        if name.endswith(('conv.weight', 'fc.weight')):
            made[name] = draw * np.float32(np.sqrt(2 / np.prod(shape[1:])))
        else:
            centre = 1 if name.endswith(('running_var', 'bn.weight')) else 0
            made[name] = centre + np.float32(0.1) * draw
    return made


def reference(path):
    """torch-fidelity's network: uint8 [n, h, w, 1 or 3] -> (features, logits)."""
    network = FeatureExtractorInceptionV3(
        'inception-v3-compat', ['2048', 'logits_unbiased'], feature_extractor_weights_path=str(path)
    )

    def apply(images):
        x = torch.from_numpy(np.repeat(images, 3 // images.shape[3], 3)).permute(0, 3, 1, 2)
        with torch.no_grad():
            return tuple(y.numpy() for y in network(x))

    return apply


def seconds(function, images, rounds):
    """The least over the rounds."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        function(images)
        times.append(time.perf_counter() - start)
    return min(times)


def difference(found, want):
    return float(np.abs(found - want).max() / np.abs(want).max())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--images', type=int, default=4, help='of each size')
    parser.add_argument('--rounds', type=int, default=3)
    flags = parser.parse_args()
    process.keep_freed_memory()
    state = {name: torch.from_numpy(x) for name, x in random_weights().items()}
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for form, is_zip in (('zip', True), ('stream', False)):
            path = pathlib.Path(folder, f'{form}.pth')
            torch.save(state, path, _use_new_zipfile_serialization=is_zip)
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            settings = {'cache': folder, 'batch': flags.images, 'expected': digest}
            for what in ('converted', 'from the cache'):
                start = time.perf_counter()
                ours = inception.load(path, **settings)
                print(f'{form}: {what} in {time.perf_counter() - start:.2f} s')
            theirs = reference(path)
            for shape in SIZES if is_zip else SIZES[1:2]:
                rng = np.random.default_rng(0)
                images = rng.integers(0, 256, (flags.images, *shape), np.uint8)
                start = time.perf_counter()
                found = ours.apply(images)
                first = time.perf_counter() - start
                gaps = [difference(*pair) for pair in zip(found, theirs(images), strict=True)]
                worst = max(worst, *gaps)
                rates = [
                    flags.images / seconds(f, images, flags.rounds) for f in (ours.apply, theirs)
                ]
                print(
                    f'{form} {"x".join(map(str, shape)):>9}: features {gaps[0]:.1e}, '
                    f'logits {gaps[1]:.1e}; images/s gan_jax {rates[0]:.2f}, '
                    f'torch-fidelity {rates[1]:.2f}; first call {first:.1f} s',
                    flush=True,
                )
    print(f'jax {jax.__version__} on {jax.default_backend()}, torch {torch.__version__}')
    print(f'largest difference {worst:.1e}, bound {BOUND:.0e}')
    raise SystemExit(worst >= BOUND)


if __name__ == '__main__':
    main()
