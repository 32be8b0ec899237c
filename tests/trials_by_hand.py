"""Work directories that no training made: a config, lines of metrics, pictures."""

import json

import numpy as np

from gan_jax import config as config_lib
from gan_jax.runtime import files


def config(**changes):
    """The defaults with keys such as 'optimizers__generator__b1' set."""
    tree = json.loads(json.dumps(config_lib.default().to_dict()))
    tree |= {'steps': 100, 'eval_every': 50, 'dataset': 'ring8'}
    tree['evaluation'] |= {'metrics': ['modes'], 'best': 'modes'}
    for path, value in changes.items():
        *parents, last = path.split('__')
        node = tree
        for key in parents:
            node = node.setdefault(key, {})
        node[last] = value
    return tree


def write(workdir, settings, values, *, finished=True, picture=True, figure='eval/modes'):
    """A run with a figure at every 50th step; None leaves the figure out of an evaluation.

    Args:
      workdir: made.
      settings: its config.
      values: of the figure, at steps 50, 100, ...; a dict of them by seed where there are several.
      finished: whether a checkpoint is there at its last step.
      picture: whether there is one of each seed at its last step.
      figure: what it is called in metrics.jsonl.
    """
    workdir.mkdir(parents=True)
    (workdir / 'config.json').write_text(json.dumps(settings))
    several = isinstance(values, dict)
    by_name = {f'{figure}/seed_{k}': x for k, x in values.items()} if several else {figure: values}
    lines = []
    for i in range(max(map(len, by_name.values()), default=0)):
        step = 50 * (i + 1)
        lines.append({'step': step, 'generator/loss': 1.0 / step, 'seconds': step / 10})
        lines.append({'step': step} | {name: x[i] for name, x in by_name.items()})
    text = ''.join(json.dumps(x) + '\n' for x in lines)
    (workdir / 'metrics.jsonl').write_text(text)
    if finished:
        (workdir / 'checkpoints' / str(settings['steps'])).mkdir(parents=True)
    for seed in values if several and picture else (('',) if picture else ()):
        suffix = f'_seed_{seed}' if several else ''
        grey = np.full((16, 16, 1), 128, np.uint8)
        files.write_png(workdir / 'samples' / f'{settings["steps"]:08d}{suffix}.png', grey)
