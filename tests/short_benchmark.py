"""A benchmark's command with smaller constants: python short_benchmark.py CHANGES NAME WORDS...

CHANGES is JSON, {module: {name: value}}; those of a module of configs/ are keys of its config. What
a benchmark keeps in benchmarks/results goes to the folder `results` of where this runs.
"""

import importlib
import inspect
import json
import pathlib
import sys

from absl import app

from gan_jax.networks.features import classifier


def shorter(get_config, keys):
    def changed():
        config = get_config()
        with config.unlocked():
            config.update_from_flattened_dict(keys)
        return config

    return changed


def main():
    """Reads the command line as the benchmark itself would."""
    changes, name, *words = sys.argv[1:]
    module = importlib.import_module(f'benchmarks.{name}')
    for place, values in json.loads(changes).items():
        other = importlib.import_module(place)
        if place.startswith('configs.'):
            other.get_config = shorter(other.get_config, values)
            continue
        assert all(hasattr(other, x) for x in values), (place, values)
        vars(other).update(values)
    if hasattr(module, 'RESULTS'):
        file = module.RESULTS.suffix == '.json'
        module.RESULTS = pathlib.Path('results', module.RESULTS.name if file else '').absolute()
        pathlib.Path('results').mkdir(exist_ok=True)
    classifier.train.__kwdefaults__['steps'] = 20  # of 1,500: what it says is not under test
    sys.argv = [name, *words]
    if inspect.signature(module.main).parameters:
        app.run(module.main)
    else:
        module.main()


if __name__ == '__main__':
    main()
