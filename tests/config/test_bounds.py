"""What a value of a config may be: kinds and bounds, whatever stands in the file."""

import inspect
import math
from collections.abc import Sequence

import jax
import methods
import pytest

from gan_jax.config import bounds, defaults, experiment
from gan_jax.errors import UserError

DCGAN = methods.shrunk('dcgan')


def changed(config, path, value):
    """The config with one key set; dicts on the way are copied, or made."""
    *parents, last = path.split('.')
    config = dict(config)
    node = config
    for key in parents:
        node[key] = dict(node.get(key) or {})
        node = node[key]
    node[last] = value
    return config


@pytest.mark.parametrize(
    ('path', 'value', 'words'),
    [
        ('evaluation', math.nan, 'config.evaluation=nan must be a dict'),
        ('data', [], 'config.data=[] must be a dict'),
        ('cures', None, 'config.cures=None must be a dict'),
        ('augment', 'x', "config.augment='x' must be a dict"),
        ('optimizers', 3, 'config.optimizers=3 must be a dict'),
        ('ema', None, 'config.ema=None must be a dict'),
        ('baseline', None, 'config.baseline=None must be a dict'),
        ('corruption', -1, 'config.corruption=-1 must be a dict'),
        ('evaluation.metrics', None, 'config.evaluation.metrics=None names no metric'),
        ('evaluation.metrics', (), 'config.evaluation.metrics=() names no metric'),
        ('evaluation.metrics', ('FID',), "nearest valid name is 'frechet_distance'"),
        ('evaluation.metrics', (3,), 'config.evaluation.metrics 3 is unknown'),
        ('evaluation.dataset', -1, 'config.evaluation.dataset=-1 must be a name'),
        ('evaluation.split', 2.5, 'config.evaluation.split=2.5 must be a name'),
        ('dataset', None, 'config.dataset=None must be a name'),
        ('dataset', '', "config.dataset='' must be a name"),
        ('data.split', None, 'config.data.split=None must be a name'),
        ('data.data_dir', 3, 'config.data.data_dir=3 must be a name'),
        ('data.max_bad', math.nan, 'config.data.max_bad=nan must be finite'),
        ('data.max_bad', 1.5, 'config.data.max_bad=1.5 must be at most 1'),
        ('data.only_classes', 3, 'config.data.only_classes=3 must be a tuple of classes, such as'),
        ('data.only_classes', '3', "config.data.only_classes='3' must be a tuple of classes"),
        ('data.only_classes', (-1,), 'config.data.only_classes, of which -1 is one,=-1 must be at'),
        ('data.only_classes', (2.5,), 'of which 2.5 is one,=2.5 must be an integer'),
        ('data.memory_gb', math.inf, 'config.data.memory_gb=inf must be finite'),
        ('data.channels', True, 'config.data.channels=True must be 1, 3 or None'),
        ('cures.label_flipping', math.nan, 'config.cures.label_flipping=nan must be finite'),
        ('cures.instance_noise', math.inf, 'config.cures.instance_noise=inf must be finite'),
        ('cures.top_k', 0.0, 'config.cures.top_k=0.0 must be above 0'),
        ('augment.rotation', True, 'config.augment.rotation=True must be a number'),
        ('augment.horizontal_flip', 2, 'config.augment.horizontal_flip=2 must be True or False'),
        ('batch_size', 10**9, 'config.batch_size=1000000000 must be at most 16777216'),
        ('num_samples', 10**12, 'config.num_samples=1000000000000 must be at most 16777216'),
        ('image_size', 10**20, 'must be at most 16384'),
        ('steps', 2**31, 'config.steps=2147483648 must be at most 2147483647'),
        ('seed', 2**32, 'config.seed=4294967296 must be below 4294967296'),
        ('init_from', [], 'config.init_from=[] must be a name'),
        ('generator.width', 10**20, 'must be at most 2147483647'),
        ('generator.width', math.nan, 'config.generator.width=nan must be an integer'),
        ('discriminator.norm', None, 'config.discriminator.norm=None must be a name'),
        ('latent.size', 10**20, 'config.latent.size=100000000000000000000 must be at most'),
        ('latent.truncation', math.nan, 'config.latent.truncation=nan must be finite'),
        ('latent.truncation', 0.0, 'config.latent: truncation must be above 0, not 0.0'),
        ('penalties.r1', {'weight': math.inf}, 'config.penalties.r1.weight=inf must be finite'),
        ('optimizers.generator.b1', 2.5, 'config.optimizers.generator.b1=2.5 must be below 1'),
        ('optimizers.generator.b2', 1.0, 'config.optimizers.generator.b2=1.0 must be below 1'),
        ('optimizers.generator.eps', -1.0, 'optimizers.generator.eps=-1.0 must be at least 0'),
        ('optimizers.generator.nesterov', 1, 'nesterov=1 must be True or False'),
        ('optimizers.generator.mu_dtype', 'x', 'config.optimizers.generator: '),
        ('optimizers.generator.learning_rate', math.nan, 'learning_rate=nan must be finite'),
        ('optimizers.generator.clip_norm', math.inf, 'clip_norm=inf must be finite'),
        (
            'optimizers.generator',
            {'name': 'adam', 'learning_rate': 1.0, 'mu_dtype': [1]},
            'config.optimizers.generator: ',
        ),
        ('ema.generator.half_life', math.inf, 'config.ema.generator.half_life=inf must be finite'),
        ('ema.generator.ramp_up', -1, 'config.ema.generator.ramp_up=-1 must be at least 0'),
        ('objective', {'name': 'hinge', 'x': 1}, 'config.objective.x is not a key'),
    ],
)
def test_what_is_no_value_of_its_kind_is_one_line(path, value, words):
    config = changed(DCGAN | {'ema': {'generator': {'half_life': 1.0}}}, path, value)
    with pytest.raises(UserError) as caught:
        experiment.check(config)
    assert words in str(caught.value)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    ('path', 'value'),
    [
        ('evaluation.metrics', ['sliced_wasserstein']),  # as JSON has it
        ('data.max_bad', 1),
        ('cures.top_k', 1),
        ('cures.label_flipping', 1.0),
        ('image_size', None),
        ('seed', 2**32 - 1),
        ('optimizers.generator.b1', 0),
        ('optimizers.generator.mu_dtype', 'bfloat16'),
        ('optimizers.generator.mu_dtype', None),
        ('ema.generator.ramp_up', None),
        ('latent.truncation', 2),
        ('augment.rotation', 180),
    ],
)
def test_what_is_at_its_bound_is_right(path, value):
    experiment.check(changed(DCGAN | {'ema': {'generator': {'half_life': 1.0}}}, path, value))


def test_seeds_end_where_keys_do():
    """seed, seed + 1, ... are all below 2^32."""
    last = DCGAN | {'seed': 2**32 - 2}
    experiment.check(last | {'num_replicas': 2})
    with pytest.raises(UserError, match=r'seeds after it, 3 in all .* must be below 2\*\*32'):
        experiment.check(last | {'num_replicas': 3})


def test_every_common_key_has_a_kind_or_is_looked_up_by_name():
    """So that no value of a new key goes by unseen."""
    names = {'precision', 'game', 'objective', 'generator', 'discriminator'}
    names |= {'evaluation.metrics', 'evaluation.best', 'evaluation.features'}
    common = defaults.default().to_dict()
    left = set()
    for key, value in common.items():
        paths = {f'{key}.{x}': y for x, y in value.items()} if key in defaults.GROUPS else {}
        for path, default in ({key: value} | paths).items():
            kind = '.' in path and bounds.kind_of(None, default, 0)
            if path not in bounds.COMMON and not kind:
                left.add(path)
    assert left == names - {'evaluation.best', 'evaluation.features'}


@pytest.mark.parametrize(
    ('annotation', 'default', 'good', 'bad'),
    [
        (inspect.Parameter.empty, 3, 0, 2.5),
        (inspect.Parameter.empty, 0.5, 1, 'x'),
        (inspect.Parameter.empty, False, True, 0),
        (inspect.Parameter.empty, 'batch', '', None),
        (float | None, None, None, math.nan),
        (float | None, None, 2.0, -1.0),
        (int, inspect.Parameter.empty, 1, 1.0),
        (jax.typing.ArrayLike, inspect.Parameter.empty, 0.1, 'x'),
        (Sequence[int], inspect.Parameter.empty, [8, 8], [8, 0]),
        (Sequence[int], inspect.Parameter.empty, (8,), 8),
    ],
)
def test_a_signature_says_the_kind(annotation, default, good, bad):
    check = bounds.kind_of(annotation, default, 0)
    check('x', good)
    with pytest.raises(UserError, match='x'):
        check('x', bad)
