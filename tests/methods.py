"""The table of methods that the conformance tests go through, and how a config is shrunk."""

import importlib.util
import pathlib
import wave

import jax
import numpy as np

from gan_jax import modalities
from gan_jax.config import inputs

ROOT = pathlib.Path(__file__).parents[1]
CONFIGS = sorted(file.stem for file in (ROOT / 'configs').glob('*.py'))
SIZE = 16
SINES = ('sines', 'sines_paper')
SOUNDS = ('folder:data/drums', 'folder:data/speech/train')
VOCODING = {
    'corruption': {
        'name': 'log_mel',
        'rate': 8000,
        'size': 64,
        'hop': 16,
        'mels': 8,
        'high': 4000.0,
    },
    'baseline': {'name': 'griffin_lim', 'rate': 8000, 'size': 64, 'hop': 16, 'high': 4000.0},
    'perceptual': {},  # its features are those of longer sounds
    'pretraining_steps': 0,
}
SMALL_VOCODERS = {
    'vocos.Generator': {'size': 64, 'hop': 16},
    'hifigan.Generator': {
        'factors': [4, 4],
        'upsampling': [8, 8],
        'kernels': [3],
        'dilations': [[1]],
    },
}
SMALL_JUDGES = {
    'hifigan.Periods': {'periods': [2, 3]},
    'hifigan.Discriminator': {'periods': [2], 'sizes': [32], 'resolution_width': 4},
}
TEXTS = ('text', 'oracle')
TOKENS = {'name': 'tokens', 'shape': [4], 'vocabulary': ['', 'a', 'b', 'c', 'd'], 'size': 5}
TOKENS |= {'unit': 'characters', 'dictionary': ''}
POINTS = ('ring8', 'grid25', 'spiral', 'two_moons')
SERIES = {'name': 'series', 'shape': [4, 3], 'names': ['a', 'b', 'c']}
SERIES |= {'minima': [0.0, -1.0, 2.0], 'maxima': [1.0, 1.0, 2.5]}
STANDARD = {'names': ['a', 'b', 'c'], 'means': [5.0, -1.0, 0.0], 'deviations': [2.0, 0.1, 1.0]}
# A fitted table: one column of each kind of head, and numbers that may be missing.
COLUMNS = [
    {'name': 'size', 'kind': 'integer', 'low': -3, 'unit': 1, 'top': 40, 'missing': '', 'gone': 0.1,
     'weights': [0.5, 0.5], 'means': [5.0, 30.0], 'deviations': [2.0, 4.0]},
    {'name': 'sort', 'kind': 'category', 'values': ['a', 'b', 'c'], 'shares': [0.5, 0.3, 0.2]},
    {'name': 'same', 'kind': 'constant', 'value': 'x'},
    {'name': 'income', 'kind': 'category', 'values': ['no', 'yes'], 'shares': [0.75, 0.25]},
]  # fmt: skip
TABLE = {'name': 'tables', 'shape': [4], 'classes': None, 'columns': COLUMNS, 'target': 'income'}
# Larger steps multiply by thousands what one activation at a kink makes of a rounding.
# A momentum of 0 changes nothing and keeps the last gradient in the state.
# As it is once the data are known: a batch has two rows for each example that is expected.
SETTLED = {'epsilon': 10.0, 'delta': 1e-5, 'clip': 0.5, 'chunk': 2}
SETTLED |= {'noise_multiplier': 1.0, 'padding': 2, 'examples': 1000}
SGD = {'name': 'sgd', 'learning_rate': 0.02, 'clip_norm': None, 'momentum': 0.0}


def load_config(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / 'configs' / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config()


def shrunk(name, **changes):
    """A real config, small enough for a test: tiny images, networks, batches."""
    config = load_config(name).to_dict()
    kind = config['dataset'].partition(':')[0]
    timed = config['dataset'] in SINES
    sound = config['dataset'] in SOUNDS
    told = kind in TEXTS
    flat = kind in ('vectors', 'table') or told or timed or sound or config['dataset'] in POINTS
    config |= {'steps_per_dispatch': 1, 'image_size': None if flat else SIZE}
    config |= {'batch_size': 16, 'num_samples': 4, 'eval_samples': 16}
    coloured = inputs.sourced(config) or config['dataset'].startswith('stacked:')
    channels = 3 if coloured else 1
    config['data'] |= {'channels': None if flat else channels, 'load_size': None}
    config['data']['labelled'] = min(config['data']['labelled'], 20)
    if timed or told:
        config['data'] |= {'length': 4, 'dictionary': '', 'vocabulary': None}
    networks = {'generator', 'discriminator', 'recognizer', 'encoder', 'recovery', 'supervisor'}
    for player in networks & config.keys():
        small = {'width': 4, 'max_width': 8, 'hidden': 8, 'features': [16, 8]}
        small |= {'depth': 3, 'layers': 1, 'blocks': 1}
        small |= {'attention': 8, 'static': 4}
        small |= {'channel_base': 64, 'channel_max': 8, 'style_size': 8, 'mapping_layers': 2}
        small |= {'size': 8} if player == 'encoder' else {}
        small |= {'features': 8, 'embedding': 4} if told else {}
        network = dict(config[player])
        config[player] = network | {key: x for key, x in small.items() if key in network}
    if 'latent' in config:
        config['latent'] = config['latent'] | {'size': 4 if told else 8}
    config['modality'] = modalities.settings_from(*((None, 2) if flat else (SIZE, channels)))
    if not flat:
        config['modality'] |= {'classes': 10}
    if sound:
        config['data'] |= {'length': 256}
        config['modality'] = {'name': 'waveforms', 'shape': [256, 1], 'rate': 16_000}
    if config['corruption'].get('name') == 'log_mel':
        config |= VOCODING
        config['generator'] |= SMALL_VOCODERS[config['generator']['name']]
        config['discriminator'] |= SMALL_JUDGES[config['discriminator']['name']]
    if kind == 'vectors':
        config['modality'] = {'name': 'vectors', 'shape': [3], **STANDARD}
    if timed:
        config['modality'] = SERIES
    if told:
        config['modality'] = TOKENS
    if kind == 'table':
        config['modality'] = TABLE
    config['cures'] |= {'packing': min(config['cures']['packing'], 2)}
    if config['privacy'] or 'privacy' in changes:
        changes |= {'privacy': SETTLED | config['privacy'] | changes.get('privacy', {})}
    for key in ('cures', 'discriminator'):
        changes |= {key: config[key] | changes.get(key, {})}
    return config | changes


def table(file, num=64):
    """Writes normal rows of the columns of STANDARD; returns the data set's name."""
    rows = np.random.default_rng(0).normal(STANDARD['means'], STANDARD['deviations'], (num, 3))
    np.savez(file, train=rows, names=STANDARD['names'])
    return f'vectors:{file}'


def rows(file, num=64):
    """Writes rows of a number and two categories as CSV; returns the data set's name."""
    rng = np.random.default_rng(0)
    lines = [f'{rng.integers(90)},{"abc"[rng.integers(3)]},{i % 4 > 2}\n' for i in range(num)]
    file.write_text('size,sort,income\n' + ''.join(lines))
    return f'table:{file}'


def words(file, num=64):
    """Writes words of up to four letters a to d; returns the data set's name."""
    rng = np.random.default_rng(0)
    lines = [''.join(rng.choice([*'abcd'], rng.integers(1, 5))) for _ in range(num)]
    file.write_text('\n'.join(lines))
    return f'text:{file}'


def sounds(folder, num=20):
    """Writes wave files of noise into a folder; returns the data set's name."""
    folder.mkdir()
    levels = np.random.default_rng(0).integers(-999, 999, (num, 300), np.int16)
    for i, samples in enumerate(levels):
        with wave.open(str(folder / f'{i}.wav'), 'wb') as file:
            file.setparams((1, 2, 16_000, 0, 'NONE', None))
            file.writeframes(samples.tobytes())
    return f'folder:{folder}'


# Instance norm after kernels of 0.02 makes gradients of 70, ten times the parameters' own norm.
SMALL_RATES = {'cyclegan': 2e-4}


def sgd(config, learning_rate=SGD['learning_rate']):
    optimizer = SGD | {'learning_rate': SMALL_RATES.get(config['game'], learning_rate)}
    return config | {'optimizers': dict.fromkeys(config['optimizers'], optimizer)}


R1 = {'r1': {'weight': 1.0, 'every': 1}}
LAZY_R1 = {'r1': {'weight': 1.0, 'every': 3}}
CURES = {
    'packing': 2,
    'instance_noise': 0.1,
    'instance_noise_steps': 4,
    'label_flipping': 0.2,
    'top_k': 0.5,
    'top_k_steps': 2,
    'unrolled_steps': 2,
    'historical_averaging': 0.1,
    'orthogonal': 1e-3,
}
MULTI_SCALE = {'name': 'patchgan.MultiScale', 'scales': 2, 'width': 4}
GENTLE_ADA = {'augmentation': {'name': 'ada', 'pipeline': 'b', 'start': 0.8}}
STYLES = {'cures': GENTLE_ADA, 'penalties': {'r1': {'weight': 1.0, 'every': 2}}}
STYLES |= {'path_length': {'weight': 2.0, 'every': 2}, 'style_mixing': 0.9}
PHASES = {'embedding_steps': 0, 'supervised_steps': 0}
# The first step is of maximum likelihood, all others of both players.
TEXT_PHASES = {'pretraining_steps': 1, 'discriminator_steps': 0, 'generator_every': 1}
DISCRIMINATION = {'minibatch': 'discrimination'}

# Every method, by config and changes to it. A new method is one more row. Objectives and penalties
# are in test_pairs.py.
METHODS = {
    'gan-lazy': ('gan', {'generator_every': 2, 'penalties': LAZY_R1}),
    'gan-cures': ('gan', {'cures': CURES}),
    'gan-ada': ('gan', {'cures': {'augmentation': {'name': 'ada', 'start': 0.8}}}),
    'gan-private': ('gan', {'privacy': {}, 'penalties': R1, 'generator_every': 2}),
    'dcgan': ('dcgan', {}),
    'sngan': ('sngan', {}),
    'ring8': ('ring8', {'discriminator': DISCRIMINATION}),
    'reacgan': ('reacgan', {}),
    'infogan': ('infogan', {'generator_every': 2, 'penalties': LAZY_R1}),
    'semi_supervised': ('semi_supervised', {}),
    'biggan': ('biggan_digits', {}),
    'stylegan2': ('stylegan2_digits', STYLES),
    'ctgan': ('ctgan_census', {'objective': 'non_saturating'}),
    # In Wasserstein's losses the last bias cancels.
    'wavegan': ('wavegan_drums', {'objective': 'non_saturating', 'generator_every': 2}),
    'f_anogan': ('f_anogan', {}),
    'rcgan': ('rcgan', {'penalties': LAZY_R1}),
    'timegan': ('timegan', {**PHASES, 'penalties': LAZY_R1}),
    'words': ('words', {**TEXT_PHASES, 'penalties': LAZY_R1}),
    'seqgan': ('seqgan', {**TEXT_PHASES, 'roll_outs': 2}),
    'ganomaly': ('ganomaly', {'penalties': LAZY_R1}),
    'vocoder': ('vocoder', {}),
    'pix2pix': ('pix2pix_emoji', {'feature_matching': 1.0, 'discriminator': MULTI_SCALE}),
    # L1's kinks, of which a cycle has thousands, make much of a rounding; squares have none.
    'cyclegan': ('cyclegan', {'pool_size': 20, 'distance': 'l2'}),
}

HALF = {'precision': 'bfloat16', 'penalties': R1}


def method(row, **changes):
    name, own = METHODS[row]
    return shrunk(name, **(own | changes))


def batch(config, seed=0, num=None):
    private = config['privacy']
    num = num or config['batch_size'] * (private['padding'] if private else 1)
    modality = modalities.make(config['modality'])
    shape = modality.shape
    rng = np.random.default_rng(seed)
    images = rng.uniform(-1, 1, (num, *shape)).astype(np.float32)
    made = {'real': images, 'label': rng.integers(0, 10, num).astype(np.int32)}
    if private:
        made['weight'] = rng.integers(0, 2, num).astype(np.float32)
    if config['data']['labelled']:
        made['labelled'] = rng.uniform(-1, 1, (num, *shape)).astype(np.float32)
    if config['data']['by_condition']:
        made['condition'] = rng.integers(0, 5, (num, 1)).astype(np.int32)
    if inputs.sourced(config):
        shape = inputs.source_shape(modality, inputs.degradation(config))
        made['source'] = rng.uniform(-1, 1, (num, *shape)).astype(np.float32)
    return made


def assert_trees_equal(one, other):
    """Bit for bit; optimizers, which are functions, are not compared."""
    leaves, others = map(jax.tree_util.tree_leaves_with_path, (one, other))
    for (path, x), (_, y) in zip(leaves, others, strict=True):
        np.testing.assert_array_equal(x, y, err_msg=jax.tree_util.keystr(path))


def relative_error(one, other):
    """||one - other|| / ||one||, the trees taken as vectors."""
    leaves = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    pairs = [(np.float64(x).ravel(), np.float64(y).ravel()) for x, y in leaves]
    x, y = (np.concatenate(part) for part in zip(*pairs, strict=True))
    return np.linalg.norm(x - y) / np.linalg.norm(x)


def assert_trees_close(one, other, relative):
    """(params, aux) of one and of the other agree, each player's as vectors."""
    for part, other_part in zip(one, other, strict=True):
        for name in part:
            if jax.tree.leaves(part[name]):
                error = relative_error(part[name], other_part[name])
                assert error < relative, (name, error)


def any_difference(one, other):
    return any(
        not np.array_equal(x, y)
        for x, y in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    )
