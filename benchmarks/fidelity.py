"""The metrics on features beside torch-fidelity's, and what they cost.

    python -m benchmarks.fidelity [--sets small large] [--examples 10000] [--no-cost]

Needs torch and torch-fidelity 0.4.0, whose own functions are given the same features, in float64 on
both sides; they must agree within a relative difference of 1e-4. The set in float32, as its own
programs have features, shows what torch-fidelity's rounding is there, and is not judged. The costs
are ours only, of features in 2,048 dimensions in float32: seconds on the clock and of the
processor, and the peak of memory above what was used before. On a processor that others use,
OPENBLAS_NUM_THREADS=1 avoids that threads spin while they wait for each other.
"""

import argparse
import resource
import threading
import time

import numpy as np

from gan_jax.metrics import frechet, inception, kernel, manifold

TOLERANCE = 1e-4
NAMES = ('Fréchet distance', 'kernel distance, mean', 'kernel distance, stddev')
NAMES += ('inception score, mean', 'inception score, stddev', 'precision', 'recall')


def correlated(n, m, d, power, seed=0):
    """Features >= 0 with a spectrum that falls as a power, as those of photographs do."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.normal(size=(d, d)))[0]
    spectrum = np.arange(1, d + 1) ** -power
    mean = rng.gamma(2.0, 0.2, size=d)
    real = rng.normal(size=(n, d)) * spectrum @ basis.T + mean
    fake = 0.9 * rng.normal(size=(m, d)) * spectrum @ basis.T + mean + 0.005 * rng.normal(size=d)
    return np.maximum(real, 0), np.maximum(fake, 0)


def ill_conditioned(n, m, d):
    """Standard deviations over eight orders of magnitude: the covariance's condition is 1e16."""
    rng = np.random.default_rng(1)
    basis = np.linalg.qr(rng.normal(size=(d, d)))[0]
    scale = np.logspace(0, -8, d)
    return tuple(rng.normal(size=(k, d)) * s * scale @ basis.T for k, s in ((n, 1.0), (m, 1.3)))


def gaussian(n, m, d):
    rng = np.random.default_rng(2)
    return rng.normal(size=(n, d)), 1.1 * rng.normal(size=(m, d)) + 0.1


SETS = {
    'small': {
        'random, 500 x 64': lambda: gaussian(500, 400, 64),
        'correlated, 500 x 64': lambda: correlated(500, 400, 64, 0.7),
        'ill-conditioned, 500 x 64': lambda: ill_conditioned(500, 400, 64),
        'n < d, 200 x 512': lambda: correlated(200, 150, 512, 0.7),
        'in float32, 500 x 64': lambda: [x.astype('f4') for x in correlated(500, 400, 64, 0.7)],
    },
    'large': {
        'correlated, 3000 x 2048': lambda: correlated(3000, 2500, 2048, 0.7),
        'n < d, 1000 x 2048': lambda: correlated(1000, 800, 2048, 0.7),
    },
}


def fit(features):
    moments = frechet.moments(features)
    return moments.mean, frechet.covariance(moments)


def ours(real, fake, size):
    exponents = np.exp(3 * np.asarray(fake, np.float64)[:, :10])
    kid = kernel.kernel_distance(real, fake, subsets=10, subset_size=size, seed=2020)
    isc = inception.inception_score(exponents / exponents.sum(axis=1, keepdims=True))
    distance = frechet.frechet_distance(*fit(real), *fit(fake))
    return (distance, *kid, *isc, *manifold.precision_recall(real, fake))


def theirs(real, fake, size):
    import torch
    from torch_fidelity import metric_fid, metric_isc, metric_kid, metric_prc

    real, fake = torch.tensor(real), torch.tensor(fake)
    statistics = [metric_fid.fid_features_to_statistics(x) for x in (real, fake)]
    for x in statistics:  # the mean's type follows the features, the covariance's does not
        x['mu'] = x['mu'].astype(np.float64)
    fid = metric_fid.fid_statistics_to_metric(*statistics, verbose=False)
    kid = metric_kid.kid_features_to_metric(
        fake,
        real,
        kid_subsets=10,
        kid_subset_size=size,
        kid_kernel='poly',
        kid_kernel_poly_degree=3,
        kid_kernel_poly_gamma=None,
        kid_kernel_poly_coef0=1.0,
        rng_seed=2020,
        verbose=False,
    )
    isc = metric_isc.isc_features_to_metric(3 * fake[:, :10].double(), splits=10, shuffle=False)
    prc = metric_prc.prc_features_to_metric(
        fake, real, prc_neighborhood=3, prc_batch_size=1000, save_cpu_ram=True, verbose=False
    )
    return (*fid.values(), *kid.values(), *isc.values(), prc['precision'], prc['recall'])


def compare(name, sides):
    size = min(200, *map(len, sides))
    start = time.perf_counter()
    mine = ours(*sides, size)
    middle = time.perf_counter()
    reference = theirs(*sides, size)
    times = f'{middle - start:.1f} s, torch-fidelity {time.perf_counter() - middle:.1f} s'
    print(f'\n{name} ({times})')
    print(f'{"":26}{"ours":>18}{"torch-fidelity":>18}{"difference":>12}')
    worst = 0.0
    for metric, value, other in zip(NAMES, mine, reference, strict=True):
        difference = abs(value - other) / max(abs(other), 1e-12)
        worst = max(worst, difference)
        print(f'{metric:26}{value:18.10g}{other:18.10g}{difference:12.1e}')
    return worst


def resident():
    with open('/proc/self/statm') as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def measure(call):
    """Seconds on the clock and of the processor, and the most memory above that at the start."""
    done, sizes = threading.Event(), [resident()]

    def watch():
        while not done.wait(0.02):
            sizes.append(resident())

    thread = threading.Thread(target=watch)
    thread.start()
    clock, processor = time.perf_counter(), time.process_time()
    call()
    clock, processor = time.perf_counter() - clock, time.process_time() - processor
    done.set()
    thread.join()
    return clock, processor, max(sizes) - sizes[0]


def cost(examples):
    rng = np.random.default_rng(0)
    real, fake = (rng.normal(size=(examples, 2048)).astype(np.float32) for _ in range(2))
    for side in (real, fake):
        side *= np.arange(1, 2049, dtype=np.float32) ** -0.3
    third = examples // 3
    calls = {
        'Fréchet distance': lambda: frechet.frechet_distance(*fit(real), *fit(fake)),
        'kernel distance, 100 of 1000': lambda: kernel.kernel_distance(real, fake),
        'precision and recall': lambda: manifold.precision_recall(real, fake),
        'density and coverage': lambda: manifold.density_coverage(real, fake),
        'memorised share': lambda: manifold.memorised_share(real[third:], real[:third], fake),
    }
    print(f'{examples} x 2048 on each side, which take {2 * real.nbytes / 1e6:.0f} MB')
    print(f'{"":30}{"seconds":>10}{"processor":>12}{"memory":>12}')
    for name, call in calls.items():
        clock, processor, memory = measure(call)
        print(f'{name:30}{clock:10.1f}{processor:12.1f}{memory / 1e6:9.0f} MB', flush=True)
    print(f'peak of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB')


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--sets', nargs='*', choices=[*SETS], default=[*SETS])
    parser.add_argument('--examples', type=int, default=10_000)
    parser.add_argument('--no-cost', action='store_true')
    args = parser.parse_args()
    if not args.no_cost:  # first: torch would share the processor and the memory
        cost(args.examples)
    worst = {
        name: compare(name, make()) for group in args.sets for name, make in SETS[group].items()
    }
    print('\nlargest relative differences')
    for name, difference in worst.items():
        judged = difference > TOLERANCE and 'float32' not in name
        print(f'{name:30}{difference:10.1e}{"  TOO LARGE" if judged else ""}')


if __name__ == '__main__':
    main()
