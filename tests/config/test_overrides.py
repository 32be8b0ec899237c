"""--config.a.b=value, of keys that the file has and of those that it has not."""

import math

import methods
import ml_collections
import numpy as np
import pytest

from gan_jax.config import experiment, overrides
from gan_jax.errors import UserError

FILE = methods.load_config('dcgan')


def changed(*pairs):
    return overrides.apply(FILE, pairs)


@pytest.mark.parametrize(
    ('words', 'others', 'changes'),
    [
        (['--config.steps=5', '--seed=1'], ['--seed=1'], [('steps', '5')]),
        (['-config.a.b', '5', 'x'], ['x'], [('a.b', '5')]),
        (['--config.a', '-5'], [], [('a', '-5')]),
        (['--config.simultaneous', '--seed=1'], ['--seed=1'], [('simultaneous', 'True')]),
        (['--noconfig.augment.horizontal_flip'], [], [('augment.horizontal_flip', 'False')]),
        (['--config=configs/x.py', 'config.y=3'], ['--config=configs/x.py', 'config.y=3'], []),
        (['--config.dataset=folder:a=b'], [], [('dataset', 'folder:a=b')]),
    ],
)
def test_changes_are_told_from_other_words(words, others, changes):
    assert overrides.separate(words) == (others, changes)


@pytest.mark.parametrize(
    ('text', 'present', 'is_text', 'value'),
    [
        ('5', 3, False, 5),
        ('many', 3, False, 'many'),
        ('5', 0.5, False, 5.0),
        ('1e-4', 0.5, False, 1e-4),
        ('1', False, False, True),
        ('true', False, False, True),
        ('None', None, True, None),
        ('123', None, True, '123'),
        ('train[:10%]', None, True, 'train[:10%]'),
        ('5', 'mnist', False, '5'),
        ('None', 'mnist', False, 'None'),
        ('(8, 8)', (4,), False, (8, 8)),
        ('[8, 8]', (4,), False, (8, 8)),
        ('psnr', ('l1',), False, ('psnr',)),
        ("('psnr',)", ('l1',), False, ('psnr',)),
        ("{'a': 1}", None, False, {'a': 1}),
        ('batch', None, False, 'batch'),
    ],
)
def test_a_text_is_read_in_place_of_what_is_there(text, present, is_text, value):
    read = overrides.read(text, present, is_text)
    assert read == value
    assert type(read) is type(value)
    assert math.isnan(overrides.read('nan', 3))


@pytest.mark.parametrize(
    ('pairs', 'path', 'value'),
    [
        ([('penalties.r1.weight', '5')], 'penalties.r1', {'weight': 5}),
        ([('objective.name', 'hinge')], 'objective', {'name': 'hinge'}),
        ([('objective.label_smoothing', '0.1')], 'objective',
         {'name': 'non_saturating', 'label_smoothing': 0.1}),
        ([('ema.discriminator.half_life', '100')], 'ema.discriminator', {'half_life': 100}),
        ([('simultaneous', 'True')], 'simultaneous', True),
        ([('discriminator.minibatch', 'stddev')], 'discriminator.minibatch', 'stddev'),
        ([('evaluation.split', 'None')], 'evaluation.split', None),
        ([('image_size', 'None')], 'image_size', None),
        ([('corruption', "{'name': 'noise'}")], 'corruption', {'name': 'noise'}),
    ],
)  # fmt: skip
def test_any_key_can_be_set_in_the_file_or_not(pairs, path, value):
    tree = changed(*pairs)
    for key in path.split('.'):
        tree = tree[key]
    assert tree == value


@pytest.mark.parametrize(
    'pairs',
    [
        [('penalties.r1.weight', '5'), ('penalties.r1.every', '16')],
        [('objective.label_smoothing', '0.1')],
        [('simultaneous', 'True'), ('generator_every', '2')],
        [('optimizers.generator.nesterov', 'True')],
        [('optimizers.generator.learning_rate.name', 'constant_schedule'),
         ('optimizers.generator.learning_rate.value', '1e-3')],
        [('penalties.consistency.weight', '1'),
         ('penalties.consistency.transform.translation', '0.1')],
    ],
)  # fmt: skip
def test_what_was_set_is_right(pairs):
    experiment.check(changed(*pairs))


@pytest.mark.parametrize(
    ('path', 'text', 'words'),
    [
        ('stpes', '5', 'config.stpes is not a key; did you mean config.steps?'),
        ('penalties.r1.wieght', '5', 'did you mean config.penalties.r1.weight?'),
        ('penalties.r3.weight', '5', "config.penalties 'r3' is unknown; the nearest valid name"),
        ('generator.widht', '5', 'did you mean config.generator.width?'),
        ('steps.x', '5', 'config.steps.x is not a key: config.steps is 4000, which has none'),
        ('modality.shape', '[3]', 'config.modality.shape is found by the run itself'),
        ('steps.', '5', 'write --config.steps=500'),
        ('steps', 'many', "config.steps='many' must be an integer"),
        ('augment.horizontal_flip', 'yes', "config.augment.horizontal_flip='yes' must be True"),
        ('image_size', 'x', "config.image_size='x' must be an integer"),
    ],
)
def test_what_cannot_be_set_is_one_line(path, text, words):
    with pytest.raises(UserError) as caught:
        experiment.check(changed((path, text)))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ('flag', 'meant'),
    [
        ('steps', '--config.steps'),
        ('batchsize', '--config.batch_size'),
        ('channels', '--config.data.channels'),
        ('wrokdir', '--workdir'),
        ('data.max_bad', '--config.data.max_bad'),
    ],
)
def test_a_flag_that_there_is_not_has_a_nearest_one(flag, meant):
    assert overrides.likely(flag, ['workdir', 'seed', 'mode']) == meant


@pytest.mark.parametrize(
    ('name', 'content', 'words'),
    [
        ('configs/dcgn.py', None, 'did you mean configs/dcgan.py?'),
        ('x.py', 'def get_config():\n  1 / 0', 'ZeroDivisionError: division by zero'),
        ('x.py', 'get_confg = 1', 'has no function get_config'),
        ('x.py', 'def get_config():\n  return {}', 'gives dict, not a ConfigDict'),
        ('x.py', 'def get_config():\n  raise SystemExit(0)', 'SystemExit'),
    ],
)
def test_a_file_that_gives_no_config_is_one_line(tmp_path, name, content, words):
    if content is not None:
        (tmp_path / name).write_text(content)
        name = tmp_path / name
    with pytest.raises(UserError) as caught:
        overrides.load(str(name))
    assert words in str(caught.value)


def test_a_file_may_take_an_argument(tmp_path):
    file = tmp_path / 'x.py'
    file.write_text('import ml_collections\ndef get_config(a="b"):\n'
                    '  return ml_collections.ConfigDict({"a": a})\n')  # fmt: skip
    assert overrides.load(str(file)) == ml_collections.ConfigDict({'a': 'b'})
    assert overrides.load(f'{file}:c') == ml_collections.ConfigDict({'a': 'c'})


@pytest.mark.parametrize('name', methods.CONFIGS)
def test_every_config_is_right_as_the_command_line_reads_it(name):
    experiment.check(overrides.apply(overrides.load(f'configs/{name}.py'), [('batch_size', '160')]))


SWEEP = """
from gan_jax import config, sweeps
def get_config():
    return config.default()
def sweep():
    {}
"""


@pytest.mark.parametrize(
    ('body', 'words'),
    [
        ('return []', 'sweep() gives no trial'),
        ('yield from ()', 'sweep() gives no trial'),
        ('yield {"steps": 1}; yield {5: 1}', 'sweep() gives {5: 1}, not a dict of keys'),
        ('return sweeps.seeds', "TypeError: 'function' object is not iterable"),
        ('return sweeps.product(sweeps.seeds(1), {"seed": [1]})', 'seed is in two of the spaces'),
        ('yield {}["x"]', "KeyError: 'x'"),
    ],
)
def test_a_sweep_that_gives_no_trials_is_one_line(tmp_path, body, words):
    file = tmp_path / 'mine.py'
    file.write_text(SWEEP.replace('{}', body, 1))
    with pytest.raises(UserError) as error:
        overrides.load_sweep(str(file))
    assert words in str(error.value)
    assert str(file) in str(error.value)


def test_a_file_without_a_sweep_is_one_line():
    with pytest.raises(UserError, match='has no function sweep; start from that of'):
        overrides.load_sweep('configs/gan.py')


def test_the_trials_of_dcgan():
    key = 'optimizers.generator.learning_rate'
    assert overrides.load_sweep('configs/dcgan.py') == [
        {key: rate, 'seed': seed} for rate in (1e-4, 2e-4) for seed in (0, 1, 2)
    ]


@pytest.mark.parametrize(
    ('value', 'text'),
    [
        (5, '5'),
        (1e-4, '0.0001'),
        ('hinge', 'hinge'),
        (True, 'True'),
        (None, 'None'),
        ([8, (4,)], '(8, (4,))'),
        ({'name': 'hinge'}, "{'name': 'hinge'}"),
        (np.float64(0.5), '0.5'),
        (np.arange(2), '(0, 1)'),
        ({'a': [np.int64(3)]}, "{'a': (3,)}"),
    ],
)
def test_a_value_is_written_as_it_is_read(value, text):
    assert overrides.written(value) == text
    assert overrides.read(text, None) == overrides.plain(value)
