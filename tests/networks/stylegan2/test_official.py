"""The official weights: names both ways, literal arrays, and what is refused."""

import os
import time
import tracemalloc

import jax
import numpy as np
import pytest
import untraced
from networks.stylegan2 import tiny
from networks.torch_files import hostile, pkl, pth

from gan_jax.errors import UserError
from gan_jax.networks.stylegan2 import Discriminator, Generator, official

NAMES = {
    'mapping.embed.weight': ('params', 'mapping', 'embed', 'kernel'),
    'mapping.fc0.bias': ('params', 'mapping', 'fc0', 'bias'),
    'mapping.w_avg': ('buffers', 'mapping', 'w_avg'),
    'synthesis.b4.const': ('params', 'synthesis', 'b4', 'const'),
    'synthesis.b16.conv0.weight': ('params', 'synthesis', 'b16', 'conv0', 'kernel'),
    'synthesis.b16.conv0.affine.weight': (
        'params', 'synthesis', 'b16', 'conv0', 'affine', 'kernel'
    ),
    'synthesis.b8.conv1.noise_strength': ('params', 'synthesis', 'b8', 'conv1', 'noise_strength'),
    'synthesis.b8.conv1.noise_const': ('buffers', 'synthesis', 'b8', 'conv1', 'noise_const'),
    'synthesis.b8.torgb.weight': ('params', 'synthesis', 'b8', 'torgb', 'kernel'),
    'synthesis.b8.skip.weight': ('params', 'synthesis', 'b8', 'skip', 'kernel'),
    'b8.fromrgb.weight': ('params', 'b8', 'fromrgb', 'kernel'),
    'b4.out.bias': ('params', 'b4', 'out', 'bias'),
}  # fmt: skip


@pytest.fixture(scope='module')
def read(tmp_path_factory):
    return official.load(tiny.write(tmp_path_factory.mktemp('pickle') / 'network.pkl'))


def refused(path, *words):
    with pytest.raises(UserError) as caught:
        official.load(path)
    assert '\n' not in str(caught.value)
    for word in (str(path), *words):
        assert word in str(caught.value)


@pytest.mark.parametrize('name', NAMES)
def test_names_go_both_ways(name):
    assert official.own_path(name) == NAMES[name]
    assert official.official_name(NAMES[name]) == name


def test_filters_are_not_taken():
    assert official.own_path('b8.conv1.resample_filter') is None


@pytest.mark.parametrize('architecture', ['orig', 'skip', 'resnet'])
@pytest.mark.parametrize('conditional', [False, True])
def test_every_array_of_every_variant_has_a_name_and_comes_back(architecture, conditional):
    fields = {'channel_base': 64, 'channel_max': 4, 'architecture': architecture}
    fields |= {'conditional': conditional, 'classes': 3, 'mapping_layers': 2}
    label = np.zeros((1, 3), 'f4')
    for module, x in (
        (Generator((16, 16, 3), 2, 3, **fields), np.zeros((1, 2))),
        (Discriminator((16, 16, 3), **fields), np.zeros((1, 16, 16, 3))),
    ):
        shapes = jax.eval_shape(
            lambda m=module, x=x: m.init(jax.random.key(0), x, False, label=label)
        )
        paths = [tuple(k.key for k in p) for p, _ in jax.tree_util.tree_leaves_with_path(shapes)]
        assert [official.own_path(official.official_name(path)) for path in paths] == paths


@pytest.mark.parametrize('name', ['a.weight', 'b4.const', 'a.bias'])
def test_arrays_go_both_ways(name):
    x = np.arange(24, dtype='f4').reshape(
        {'a.weight': (4, 1, 2, 3), 'b4.const': (2, 3, 4)}.get(name, (24,))
    )
    own = official.to_own(name, x)
    np.testing.assert_array_equal(official.to_official(name, own), x)
    if name == 'a.weight':
        assert own.shape == (2, 3, 1, 4)
        assert own[1, 2, 0, 3] == x[3, 0, 1, 2]
    if name == 'b4.const':
        assert own[2, 3, 1] == x[1, 2, 3]


def test_a_pickle_is_read_as_it_stands(read):
    given = tiny.networks()
    x, generator = given['G_ema'][2], read.generator.variables
    assert (read.shape, read.classes) == ((8, 8, 1), 3)
    mapping = generator['params']['mapping']
    np.testing.assert_array_equal(mapping['fc0']['kernel'], x['mapping.fc0.weight'].T)
    own = generator['params']['synthesis']['b8']['conv0']['kernel']
    np.testing.assert_array_equal(own, x['synthesis.b8.conv0.weight'].transpose(2, 3, 1, 0))
    strength = generator['params']['synthesis']['b4']['conv1']['noise_strength']
    assert strength.shape == ()
    assert strength == x['synthesis.b4.conv1.noise_strength']
    buffers = generator['buffers']
    np.testing.assert_array_equal(buffers['mapping']['w_avg'], x['mapping.w_avg'])
    noise = buffers['synthesis']['b8']['conv1']['noise_const']
    np.testing.assert_array_equal(noise, x['synthesis.b8.conv1.noise_const'])
    assert {*read.discriminator.variables} == {'params'}
    assert read.generator.fields['mapping_layers'] == 1
    assert read.generator.fields['clamp'] is None
    assert read.discriminator.fields['architecture'] == 'resnet'


def test_images_and_logits_are_the_networks_own(read):
    z, label = np.random.default_rng(0).normal(size=(2, 2)).astype('f4'), np.array([0, 2])
    images = official.generate(read, z, label, truncation=0.5, noise='none')
    network = read.generator
    want = network.module.apply(
        network.variables, z, False, label=label, truncation=np.full(2, 0.5, 'f4'), noise='none'
    )
    np.testing.assert_allclose(images, want, rtol=1e-4, atol=1e-5)
    logits = official.judge(read, images, np.eye(3, dtype='f4')[label])
    assert logits.shape == (2,)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, official.judge(read, images, label), rtol=1e-5)


def test_what_does_not_fit_the_networks_is_refused(read):
    z = np.zeros((2, 2))
    for given in ((z[:, :1], [0, 1]), (z, None), (z, [0])):
        with pytest.raises(UserError):
            official.generate(read, *given)
    with pytest.raises(UserError, match='images have the shape'):
        official.judge(read, np.zeros((2, 4, 4, 1)), [0, 1])


@pytest.mark.parametrize(
    ('where', 'key', 'value', 'said'),
    [
        ((), 'magnitude', 1, "'magnitude', which is not known"),
        ((), 'img_resolution', 12, 'no power of 2'),
        ((), 'img_resolution', 2**40, 'img_resolution is 1099511627776'),
        ((), 'z_dim', 'x', "z_dim is 'x'"),
        (('mapping_kwargs',), 'num_layers', 10**9, 'mapping_kwargs.num_layers is 1000000000'),
        (('mapping_kwargs',), 'activation', 'relu', "only 'lrelu' can be read"),
        (('mapping_kwargs',), 'layer_features', 4, 'only 3 can be read'),
        (('synthesis_kwargs',), 'use_noise', False, 'use_noise is False'),
        (('synthesis_kwargs',), 'fir', 1, "'synthesis_kwargs.fir', which is not known"),
        (('synthesis_kwargs',), 'channel_max', 3, 'synthesis.b4.const is (4, 4, 4), not (3, 4, 4)'),
        (('synthesis_kwargs',), 'resample_filter', [1, -1], 'sum is zero'),
    ],
)  # fmt: skip
def test_networks_made_otherwise_are_refused_by_name(tmp_path, where, key, value, said):
    name, arguments, arrays = tiny.networks()['G_ema']
    inner = arguments
    for step in where:
        inner = inner[step]
    inner[key] = value
    refused(tiny.write(tmp_path / 'a.pkl', G_ema=(name, arguments, arrays)), 'G_ema', said)


@pytest.mark.parametrize('key', ['mapping.fc0.weight', 'mapping.w_avg', 'synthesis.b4.const'])
def test_missing_other_and_broken_arrays_are_refused(tmp_path, key):
    name, arguments, arrays = tiny.networks()['G_ema']
    for changed, said in (
        ({k: x for k, x in arrays.items() if k != key}, f'it has no {key}'),
        ({**arrays, f'{key}2': arrays[key]}, f'it has {key}2'),
        ({**arrays, key: arrays[key].astype('f8')}, 'float64'),
        ({**arrays, key: arrays[key] * np.nan}, 'not finite'),
    ):
        refused(tiny.write(tmp_path / 'a.pkl', G_ema=(name, arguments, changed)), said)


def test_other_classes_and_networks_are_refused(tmp_path):
    given = tiny.networks()
    refused(tiny.write(tmp_path / 'a.pkl', D=given['G_ema']), 'its D', "'Generator'")
    refused(pkl.write(tmp_path / 'a.pkl', G=1), 'G_ema', 'it is not there')
    _, discriminator = tiny.arguments(c_dim=0)
    arrays = {k: x for k, x in given['D'][2].items() if not k.startswith('mapping')}
    arrays |= {'b4.out.weight': np.zeros((1, 4), 'f4'), 'b4.out.bias': np.zeros(1, 'f4')}
    refused(tiny.write(tmp_path / 'a.pkl', D=('Discriminator', discriminator, arrays)), 'judges')


# ---- What means harm -------------------------------------------------------------------------
def calling(function, arguments):
    def write(folder):
        module, _, name = function.rpartition('.')
        target = str(folder / 'touched')
        given = tuple(hostile._filled(x, target) for x in arguments)
        call = pth.Call(pth.Global(module, name), given)
        return pkl.write(folder / 'a.pkl', G_ema=call)

    return write


def of(value):
    return lambda folder: pkl.write(folder / 'a.pkl', G_ema=value(folder))


def with_storage(raw):
    """The tiny generator, whose storages are these bytes."""

    def value(folder):
        _, arguments, arrays = tiny.networks()['G_ema']
        parts = {'mapping': {}, 'synthesis': {}}
        state = {'_init_args': (), '_init_kwargs': arguments}
        for name, x in arrays.items():
            first, _, rest = name.partition('.')
            parts[first][rest] = pkl.tensor(x, raw)
        modules = {k: pkl.module('Part', x) for k, x in parts.items()}
        return pkl.module('Generator', modules=modules, **state)

    return of(value)


def raw(data):
    def write(folder):
        (folder / 'a.pkl').write_bytes(data)
        return folder / 'a.pkl'

    return write


def shared(depth=12, width=50):
    """Modules in modules, each many times the same one."""
    one = b'NX\x01\x00\x00\x00x' + b'0' + b'0'
    inner = pth._opcodes(pkl.module('Part')) + b'q\x01'
    out = [one, inner]
    for _ in range(depth):
        items = b''.join(hostile.text(f'{i}') + b'h\x01' for i in range(width))
        state = b'}(' + hostile.text('_parameters') + b'}' + hostile.text('_buffers') + b'}'
        state += hostile.text('_modules') + b'}(' + items + b'u'
        state += hostile.text('_init_args') + b')' + hostile.text('_init_kwargs') + b'}u'
        facts = b'}(' + hostile.text('type') + hostile.text('class')
        facts += hostile.text('class_name') + hostile.text('Generator')
        facts += hostile.text('state') + state + b'u'
        out.append(pth._opcodes(pkl.RECONSTRUCT) + facts + b'\x85R' + b'q\x01' + b'0')
    body = hostile.text('G_ema') + b'h\x01s'
    return hostile.program(*out[1:2], b'0', *out[2:], b'}', body)


K = 1000
WHOLE = {'a': np.ones(3, 'f4')}
HOSTILE = {
    **{name: calling(name, arguments) for name, arguments in hostile.CALLS.items()
       if 'torch' not in name},
    'a pipe': hostile.fifo,
    'zeros without end': hostile.linked('/dev/zero'),
    'a terabyte': hostile.sparse(2**40),
    'nothing': raw(b''),
    'a page': raw(b'<html>404</html>'),
    'a list': raw(pth.pickled([1])),
    'steps without end': raw(b'\x80\x02' + b'N' * 2000 * K),
    'marks without end': raw(b'\x80\x02' + b'(' * 2000 * K),
    'bytes that are not there': raw(b'\x80\x04\x8e' + (2**62).to_bytes(8, 'little')),
    'a text that is too long': raw(b'\x80\x04\x8d' + (2**25).to_bytes(8, 'little') + bytes(2**25)),
    'a number of a million bytes': raw(b'\x8b' + (K * K).to_bytes(4, 'little') + b'\x77' * K * K),
    'billion laughs': raw(hostile.held(hostile.laughs())),
    'billion laughs for a name': raw(hostile.named(hostile.laughs())),
    **{f'a deep {kind}': raw(hostile.held(hostile.deep(kind)))
       for kind in ('tuple', 'list', 'dictionary')},
    'modules without end': raw(shared()),
    'a module of nothing': of(lambda folder: pth.Call(pkl.RECONSTRUCT, ({},))),
    'a module without parts': of(lambda folder: pth.Call(
        pkl.RECONSTRUCT, ({'type': 'class', 'class_name': 'Generator', 'state': {}},))),
    'a storage of nothing': with_storage(b''),
    'a storage that is cut off': with_storage(pkl.storage(np.zeros(600, 'f4'))[:-1]),
    'a storage that is too small': with_storage(pkl.storage(np.zeros(2, 'f4'))),
    'a storage of 2^62': with_storage(pkl.storage(np.zeros(600, 'f4'), size=2**62)),
    'a storage that calls': with_storage(pth.pickled(
        pth.Call(pth.Global('posix', 'system'), ('touch /tmp/hostile',)))),
    'a storage of many steps': with_storage(b'\x80\x02' + b'N' * 4000 + b'.'),
}  # fmt: skip


@pytest.mark.parametrize('name', HOSTILE)
def test_a_hostile_pickle_runs_nothing_and_is_refused_at_once(tmp_path, name):
    path = HOSTILE[name](tmp_path)
    with untraced.at_most(seconds=2):
        refused(path)
    assert not (tmp_path / 'touched').exists()
    assert not os.path.exists('/tmp/hostile')


def test_a_file_as_large_as_may_be_is_refused_as_soon_as_it_is_read(tmp_path):
    path = hostile.sparse(2**29)(tmp_path)
    start = time.process_time()
    path.read_bytes()
    reading = time.process_time() - start
    with untraced.at_most(seconds=2 + 2 * reading):
        refused(path)


def test_a_truncated_pickle_is_refused(tmp_path):
    path = tiny.write(tmp_path / 'network.pkl')
    whole = path.read_bytes()
    for size in (1, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        refused(path)


def test_wide_arguments_with_one_number_take_no_memory(tmp_path):
    """Strides of zero make a kernel of any size of one number."""
    name, arguments, arrays = tiny.networks()['G_ema']
    arguments |= {'w_dim': 2**16, 'c_dim': 0}
    wide = np.broadcast_to(np.float32(0), (2**16, 2))
    arrays = {k: x for k, x in arrays.items() if 'embed' not in k} | {'mapping.w_avg': wide[:, 0]}
    path = tmp_path / 'a.pkl'
    tracemalloc.start()
    refused(tiny.write(path, G_ema=(name, arguments, arrays)), 'G_ema')
    assert tracemalloc.get_traced_memory()[1] < 2**27
    tracemalloc.stop()
