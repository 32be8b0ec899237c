"""How many images a second the input pipeline delivers, beside what the fastest config consumes.

    python -m benchmarks.input_pipeline [--batches 2000] [--rounds 5]

Reads `data.batches` as loop.py does (the 5,000 digits, batch 64, five batches to an element), on
its own, and prints images per second: median, least and most over the rounds. Then trains
configs/gan.py, the fastest of the configs, and prints what it consumes, the ratio, and the share of
the time that the loop waited for data, from the run's own log.
"""

import argparse
import importlib.util
import json
import pathlib
import statistics
import tempfile
import time

from gan_jax import data, loop
from gan_jax.runtime import process

ROOT = pathlib.Path(__file__).parents[1]


def delivered(batch_size, several, batches, rounds):
    """Images per second in each round."""
    dataset = data.load('mnist_5k', image_size=None)
    stream = data.batches(dataset, batch_size=batch_size, seed=0, steps_per_dispatch=several)
    rates = []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(batches // several):
            next(stream)
        rates.append(batches * batch_size / (time.perf_counter() - start))
    return rates


def consumed(steps):
    """The log lines of a run of the fastest config, but for the first, which compiles."""
    spec = importlib.util.spec_from_file_location('gan', ROOT / 'configs' / 'gan.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    config = module.get_config().to_dict() | {'steps': steps, 'sample_every': 0, 'eval_every': 0}
    with tempfile.TemporaryDirectory() as folder:
        loop.train(config, pathlib.Path(folder))
        lines = (pathlib.Path(folder) / 'metrics.jsonl').read_text().splitlines()
    return [json.loads(line) for line in lines][1:], config


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--batches', type=int, default=2000)
    parser.add_argument('--rounds', type=int, default=5)
    args = parser.parse_args()
    process.keep_freed_memory()
    lines, config = consumed(1000)
    rates = delivered(config['batch_size'], config['steps_per_dispatch'], args.batches, args.rounds)
    rate = statistics.median(rates)
    print(f'pipeline: {rate:,.0f} images/s ({min(rates):,.0f} to {max(rates):,.0f})')
    used = statistics.median(line['examples_per_second'] for line in lines)
    waits = [100 * line['data_wait'] for line in lines]
    print(
        f'configs/gan.py: {used:,.0f} images/s; the pipeline delivers {rate / used:.1f} times that'
    )
    print(f'waiting for data: {statistics.median(waits):.2f}% (at most {max(waits):.2f}%)')


if __name__ == '__main__':
    main()
