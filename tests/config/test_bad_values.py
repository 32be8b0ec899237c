"""Every key of every config with values of every wrong kind: one line, or a run that may be.

What is checked is all that comes before the data are read, and for what networks are made of the
networks themselves. Nothing is trained: a value that passes is legal as far as that can be known.
"""

import collections
import math
import time

import methods
import ml_collections
import pytest

from gan_jax.config import defaults, experiment, overrides
from gan_jax.errors import UserError

VALUES = (
    math.nan, math.inf, -math.inf, -1, 0, None, [], {}, (), 'x', '', True, False, 10**20, 2.5, -0.5,
    '\0', b'x', {'name': 'x'}, {'name': None}, [None], 10**400, object,
)  # fmt: skip
TEXTS = (
    'nan', 'inf', '-inf', '-1', '0', 'None', '[]', '{}', '()', 'x', '', 'True', '1e400', '2.5',
    '100000000000000000000', '-0.5', "{'name': 'x'}", '(None,)', '[[', '{[1]:2}', '1' * 400,
)  # fmt: skip
MOST = 20  # seconds
# Every which of the values, for networks that take long to be built.
EACH = {'biggan': 2, 'recurrent': 3, 'stylegan2': 4, 'vocos': 2}
NETWORKS = ('generator', 'discriminator', 'encoder', 'latent', 'corruption', 'baseline')
EXTRA = {
    'penalties': {'gradient_penalty': {'weight': 10.0, 'every': 1, 'target': 1.0}},
    'ema': {'generator': {'half_life': 1000, 'ramp_up': 0.05}},
}


def paths(tree, prefix=()):
    for key, value in tree.items():
        yield (*prefix, key)
        if isinstance(value, dict):
            yield from paths(value, (*prefix, key))


def changed(config, path, value):
    *parents, last = path
    config = dict(config)
    node = config
    for key in parents:
        node[key] = dict(node[key])
        node = node[key]
    node[last] = value
    return config


def outcome(config, path):
    """'legal', or the line; raises what is no UserError."""
    begun = time.monotonic()
    try:
        experiment.check(config)
        if path[0] in NETWORKS:
            experiment.rebuild(config)
        line = 'legal'
    except UserError as error:
        line = str(error)
    assert time.monotonic() - begun < MOST, path
    return line


def signature(config, path):
    """Two configs that say the same names around a key are asked once."""
    names, node = [], config
    for key in path:
        node = node[key]
        names.append(node.get('name') if isinstance(node, dict) else None)
    common = path[0] in defaults.default().to_dict() or path[0] in NETWORKS
    if path[0] == 'optimizers':  # whose does not matter
        path = path[0], *path[2:]
    return path, tuple(names), '' if common else config['game']


@pytest.mark.slow
def test_no_value_of_any_key_ends_in_a_traceback(capsys):
    counts, asked = collections.Counter(), set()
    for name in methods.CONFIGS:
        config = methods.shrunk(name)
        moves = 'generator' in config['optimizers']  # the second stage's has no average
        config |= {k: extra | config[k] for k, extra in EXTRA.items() if moves or k != 'ema'}
        assert outcome(config, ('generator',)) == 'legal', name
        for path in paths(config):
            if path[0] in overrides.FOUND:
                continue
            what = signature(config, path)
            counts['keys'] += 1
            if what in asked:
                counts['keys said alike in another config'] += 1
                continue
            asked.add(what)
            family = config['generator']['name'].split('.')[0]
            built = path[0] in NETWORKS
            few = EACH.get(family, 1) if built else 1
            for value in VALUES[::few]:
                counts.update(judged(changed(config, path, value), path, value, 'file'))
            for text in TEXTS[:: 2 * few if built else 1]:
                counts.update(flagged(config, path, text))
    with capsys.disabled():
        print(f'\n{len(methods.CONFIGS)} configs: {dict(counts)}')
    assert counts['keys'] > 1000
    assert counts['file: refused'] > 5000
    assert counts['flag: refused'] > 4000
    assert counts['file: legal'] > 200
    assert counts['flag: several lines'] == 0


def judged(config, path, value, where):
    try:
        line = outcome(config, path)
    except Exception as error:
        raise AssertionError(f'{".".join(path)}={value!r} ({where})') from error
    if line == 'legal':
        return [f'{where}: legal']
    assert '\n' not in line
    assert len(line) < 2500, line
    assert 'config.' in line or 'the networks cannot be built' in line, line
    return [f'{where}: refused']


def flagged(config, path, text):
    file = ml_collections.ConfigDict(config)
    try:
        tree = overrides.apply(file, [('.'.join(path), text)])
    except UserError as error:
        return ['flag: refused'] if '\n' not in str(error) else ['flag: several lines']
    return judged(tree, path, text, 'flag')
