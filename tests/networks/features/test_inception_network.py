import hashlib
import zlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from networks.torch_files import pth

from gan_jax.errors import UserError
from gan_jax.networks import features
from gan_jax.networks.features import inception
from gan_jax.networks.features.resizing import bilinear_tensorflow1
from gan_jax.networks.torch_files import state_dicts

# A network of the same parts that is quick to compile, for what concerns files.
SMALL = (
    inception.Conv('stem', 4, (3, 3), 2, False),
    inception.MAX,
    [
        inception.Conv('left', 3, (1, 5)),
        (inception.MEAN_1, inception.Conv('right', 2)),
    ],
)


def random_weights():
    """As in benchmarks/inception.py."""
    made = {}
    for name, shape in inception.shapes().items():
        draw = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape, np.float32)
        if name.endswith(('conv.weight', 'fc.weight')):
            made[name] = draw * np.float32(np.sqrt(2 / np.prod(shape[1:])))
        else:
            centre = 1 if name.endswith(('running_var', 'bn.weight')) else 0
            made[name] = centre + np.float32(0.1) * draw
    return made


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(inception, 'NETWORK', SMALL)
    monkeypatch.setattr(inception, 'LOGITS', 6)
    monkeypatch.setattr(inception, 'SIZE', 21)


@pytest.fixture
def file(small, tmp_path):
    pth.save(tmp_path / 'small.pth', random_weights())
    return tmp_path / 'small.pth'


def digest_of(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


def load(file, **settings):
    """The network of a file that is the one expected."""
    return inception.load(file, expected=digest_of(file), **settings)


def test_there_are_94_convolutions_and_as_many_parameters_as_in_inception_v3():
    """torchvision's Inception v3 has 23,834,568 without the second head, with 1,000 classes."""
    shapes = inception.shapes()
    learned = {k: v for k, v in shapes.items() if 'running' not in k}
    total = sum(int(np.prod(shape)) for shape in learned.values())
    assert total == 23_834_568 + 8 * 2049
    assert sum(name.endswith('conv.weight') for name in shapes) == 94
    assert shapes['Mixed_7c.branch3x3dbl_3b.conv.weight'] == (384, 384, 3, 1)
    assert shapes['Mixed_6d.branch7x7dbl_5.conv.weight'] == (192, 160, 1, 7)


# (what is looked at, features, their mean, logits)
WANT = [
    (
        lambda rgb: rgb,
        [0.024101, 0.104689, 0.053226, 0.033108, 0.975692, 0.018856],
        0.388075,
        [0.653162, -1.181671, 0.493184, -0.829131],
    ),
    (
        lambda rgb: rgb[..., :1],
        [0.033147, 0.137835, 0.038382, 0.035284, 1.080206, 0.016891],
        0.427188,
        [0.724203, -1.273514, 0.533669, -0.907440],
    ),
]


@pytest.mark.slow
def test_features_and_logits_are_torch_fidelitys():
    """Version 0.4.0, `inception-v3-compat`, PyTorch 2.13, with these random weights."""
    row, column, channel = np.meshgrid(*map(np.arange, (20, 24, 3)), indexing='ij')
    image = (7 * row**2 + 5 * row * column + 11 * column + 61 * channel) % 256
    image = image.astype(np.uint8)[None]
    apply = inception.make(inception.convert(random_weights()), batch=1)
    places = [0, 1, 500, 1024, 1857, 2047]
    for picture, want_features, mean, want_logits in WANT:
        found, logits = apply(picture(image))
        assert found.shape == (1, 2048)
        assert logits.shape == (1, 1008)
        assert found.dtype == logits.dtype == np.float32
        np.testing.assert_allclose(found[0, places], want_features, atol=2e-5)
        np.testing.assert_allclose(found.mean(), mean, rtol=1e-5)
        np.testing.assert_allclose(logits[0, [0, 1, 500, 1007]], want_logits, atol=2e-5)


SQUARES = np.arange(12, dtype=np.float32).reshape(1, 3, 4, 1) ** 2


@pytest.mark.parametrize(
    ('size', 'want'),
    [
        (2, [[0, 4], [40, 68]]),
        (
            5,
            [
                [0, 0.8, 2.8, 6, 9],
                [9.6, 14.24, 20.08, 27.12, 33],
                [25.6, 34.08, 43.76, 54.64, 63.4],
                [54.4, 66.72, 80.24, 94.96, 106.6],
                [64, 77.6, 92.4, 108.4, 121],
            ],
        ),
    ],
)
def test_images_are_resized_as_torch_fidelity_resizes(size, want):
    """`interpolate_bilinear_2d_like_tensorflow1x` of 3x4 squares, corners not aligned."""
    for resize in (bilinear_tensorflow1, jax.jit(bilinear_tensorflow1, static_argnums=1)):
        found = resize(SQUARES, size)
        assert found.dtype == jnp.float32
        np.testing.assert_allclose(found[0, :, :, 0], want, rtol=1e-6)


def test_resizing_keeps_channels_and_images_apart_and_takes_uint8():
    images = np.random.default_rng(0).integers(0, 256, (2, 5, 9, 3), np.uint8)
    resize = bilinear_tensorflow1
    found = resize(images, 7)
    for n in range(2):
        for c in range(3):
            alone = resize(images[n : n + 1, :, :, c : c + 1].astype(np.float32), 7)
            np.testing.assert_array_equal(found[n, :, :, c], alone[0, :, :, 0])
    # Every third pixel, unsmoothed.
    thirds = resize(np.arange(81.0).reshape(1, 9, 9, 1), 3)
    np.testing.assert_array_equal(thirds[0, :, :, 0], np.arange(81).reshape(9, 9)[::3, ::3])


def test_pixels_lie_around_128_and_grey_is_repeated():
    images = np.array([0, 128, 255], np.uint8).reshape(3, 1, 1, 1)
    found = jax.jit(inception.preprocess)(images)
    assert found.shape == (3, 299, 299, 3)
    np.testing.assert_array_equal(found[:, 7, 9], [[-1] * 3, [0] * 3, [127 / 128] * 3])


@pytest.mark.parametrize('size', [(5, 7), (6, 6), (3, 8)])
@pytest.mark.parametrize('kind', [inception.MAX, inception.MAX_1, inception.MEAN_1])
def test_pools_see_no_margin(kind, size):
    x = np.random.default_rng(0).standard_normal((2, *size, 3), np.float32) - 5
    stride = 2 if kind == inception.MAX else 1
    margin = 0 if kind == inception.MAX else 1
    reduce = np.mean if kind == inception.MEAN_1 else np.max
    want = [
        [
            reduce(x[:, max(i, 0) : i + 3, max(j, 0) : j + 3], (1, 2))
            for j in range(-margin, size[1] - 2 + margin, stride)
        ]
        for i in range(-margin, size[0] - 2 + margin, stride)
    ]
    found = jax.jit(lambda x: inception.forward(kind, {}, x))(x)
    np.testing.assert_allclose(found, np.array(want).transpose(2, 0, 1, 3), rtol=1e-6)


def test_batchnorm_is_folded():
    """A 1x1 convolution of one pixel in float64: relu of the normalised product."""
    conv = inception.Conv('c', 4)
    rng = np.random.default_rng(0)
    weights = {'c.conv.weight': rng.standard_normal((4, 3, 1, 1)), 'fc.weight': np.ones((1, 4))}
    weights |= {'fc.bias': np.ones(1), 'c.bn.num_batches_tracked': np.array(7)}
    stats = ('weight', 'bias', 'running_mean', 'running_var')
    weight, bias, mean, var = (rng.uniform(1e-3, 0.1, 4) for _ in stats)
    weights |= {f'c.bn.{k}': v for k, v in zip(stats, (weight, bias, mean, var), strict=True)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inception, 'NETWORK', conv)
        patch.setattr(inception, 'LOGITS', 1)
        params = inception.convert(weights)
    x = rng.standard_normal((1, 1, 1, 3), np.float32)
    product = x.reshape(3) @ weights['c.conv.weight'].reshape(4, 3).T
    want = np.maximum((product - mean) / np.sqrt(var + 1e-3) * weight + bias, 0)
    found = inception.forward(conv, params, x)
    np.testing.assert_allclose(found[0, 0, 0], want, rtol=1e-5)


def test_the_parts_are_put_together_as_their_types_say(small):
    params = inception.convert(random_weights())
    x = np.random.default_rng(0).standard_normal((2, 21, 21, 3), np.float32)

    @jax.jit
    def branches(params, x):
        stem = inception.forward(inception.MAX, {}, inception.forward(SMALL[0], params, x))
        assert stem.shape == (2, 4, 4, 4)
        return [inception.forward(branch, params, stem) for branch in SMALL[2]]

    left, right = branches(params, x)
    want = np.concatenate([left, right], -1).mean((1, 2))
    found, logits = jax.jit(inception.features_and_logits)(params, x)
    np.testing.assert_allclose(found, want, rtol=1e-5)
    np.testing.assert_allclose(logits, want @ params['fc.kernel'], rtol=1e-4)


@pytest.mark.parametrize('n', [0, 1, 4, 9])
def test_any_number_of_images_passes_in_batches_of_one_size(n):
    seen = []

    def function(scale, images):
        seen.append(images.shape)
        flat = images.astype(jnp.float32).reshape(len(images), -1)
        return flat[:, :2], scale * flat[:, 2:5]

    images = np.random.default_rng(0).integers(0, 256, (n, 2, 2, 3), np.uint8)
    found, logits = features.in_batches(function, np.float32(2), 4)(images)
    np.testing.assert_array_equal(found, images.reshape(n, 12)[:, :2])
    np.testing.assert_array_equal(logits, 2.0 * images.reshape(n, 12)[:, 2:5])
    assert found.dtype == logits.dtype == np.float32
    assert seen == [(4, 2, 2, 3)]


def test_other_arrays_and_batches_are_refused():
    apply = features.in_batches(lambda _, x: (x, x), None, 2)
    for images in (np.zeros((2, 4, 4, 3)), np.zeros((4, 4, 3), np.uint8)):
        with pytest.raises(ValueError, match='uint8'):
            apply(images)
    with pytest.raises(ValueError, match=r'\[1, 4, 4, 4\]'):
        apply(np.zeros((1, 4, 4, 4), np.uint8))
    with pytest.raises(ValueError, match='at least 1'):
        features.in_batches(lambda _, x: (x, x), None, 0)


def test_a_file_is_loaded_and_named(file, tmp_path):
    network = load(file, cache=tmp_path, batch=2)
    images = np.random.default_rng(0).integers(0, 256, (3, 9, 8, 1), np.uint8)
    found, logits = network.apply(images)
    params = inception.convert(state_dicts.read(file))
    pixels = jax.jit(inception.preprocess)(images)
    want = jax.jit(inception.features_and_logits)(params, pixels)
    np.testing.assert_allclose(found, want[0], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(logits, want[1], rtol=1e-4, atol=1e-6)
    params, smooth = network.smooth  # of images as networks see them
    floats = jnp.asarray(images / 127.5 - 1, jnp.float32)
    np.testing.assert_allclose(jax.jit(smooth)(params, floats), found, rtol=1e-3, atol=1e-5)
    assert network.name != 'inception-2015-12-05'
    assert '299' in network.resize
    assert len(network.digest) == 64


def test_the_digest_is_that_of_weights_and_preprocessing(file, tmp_path, monkeypatch):
    def digest():
        return load(file, cache=tmp_path).digest

    first = digest()
    assert digest() == first
    monkeypatch.setattr(inception, 'RESIZE', 'bicubic')
    assert digest() != first


def test_the_published_file_is_known_by_all_of_its_digest(file, tmp_path, monkeypatch):
    """Public repositories that check this file name the same 64 digits."""
    published = '6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2'
    assert published == inception.PUBLISHED
    assert inception.FILE == 'pt_inception-2015-12-05-6726825d.pth'
    with pytest.raises(UserError) as caught:
        inception.load(file, cache=tmp_path)
    for part in (str(file), digest_of(file), published, inception.FILE):
        assert part in str(caught.value)
    monkeypatch.setattr(inception, 'PUBLISHED', digest_of(file))
    assert load(file, cache=tmp_path).name == 'inception-2015-12-05'


@pytest.mark.parametrize('digits', [0, 8, 16, 63])
def test_a_file_whose_digest_begins_alike_is_refused_before_anything_is_made_of_it(
    file, tmp_path, monkeypatch, digits
):
    """Eight digits are forged in minutes."""

    def touched(*_):
        raise AssertionError

    monkeypatch.setattr(state_dicts, 'parse', touched)
    monkeypatch.setattr(inception.cache_lib, 'kept', touched)
    digest = digest_of(file)
    other = digest[:digits] + ''.join('0' if x != '0' else '1' for x in digest[digits:])
    for expected in (other, digest[:digits], digest.upper()):
        with pytest.raises(UserError, match=digest):
            inception.load(file, cache=tmp_path, expected=expected)


def test_the_bytes_that_were_digested_are_those_that_are_read(file, tmp_path, monkeypatch):
    """Although another file takes the place in between."""
    real, forged, swaps = hashlib.sha256, tmp_path / 'forged.pth', []
    pth.save(forged, {name: x + 1 for name, x in random_weights().items()})
    want = inception.convert(state_dicts.read(file))

    def swapped(raw=b''):
        if len(raw) > 1000 and not swaps:
            swaps.append(raw)
            file.write_bytes(forged.read_bytes())
        return real(raw)

    expected = digest_of(file)
    monkeypatch.setattr(inception.hashlib, 'sha256', swapped)
    inception.load(file, cache=tmp_path / 'cache', expected=expected)
    assert file.read_bytes() == forged.read_bytes()
    (kept,) = (tmp_path / 'cache').iterdir()
    with np.load(kept) as found:
        for name, x in want.items():
            np.testing.assert_array_equal(found[name], x)


def test_a_missing_file_is_named_with_where_it_was_published(tmp_path):
    with pytest.raises(UserError) as caught:
        inception.load(tmp_path / 'absent.pth')
    for part in (str(tmp_path / 'absent.pth'), inception.FILE, 'pytorch-fid', 'fid_weights'):
        assert part in str(caught.value)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('change', ['missing', 'shape'])
def test_other_weights_are_refused(small, tmp_path, change):
    weights = random_weights()
    stem = weights.pop('stem.conv.weight')
    if change == 'shape':
        weights['stem.conv.weight'] = stem[:, :2]
    pth.save(tmp_path / 'a.pth', weights)
    with pytest.raises(UserError, match=r'a\.pth.*stem\.conv\.weight'):
        load(tmp_path / 'a.pth', cache=tmp_path / 'cache')
    assert not (tmp_path / 'cache').exists()


def test_the_file_is_converted_once(file, tmp_path, monkeypatch):
    """In $XDG_CACHE_HOME; a damaged entry, such as a half-written one, is made again."""
    reads = []
    real = state_dicts.parse
    monkeypatch.setattr(state_dicts, 'parse', lambda *given: reads.append(given) or real(*given))
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'xdg'))
    images = np.random.default_rng(0).integers(0, 256, (2, 21, 21, 3), np.uint8)
    found = [load(file, batch=2).apply(images) for _ in range(2)]
    np.testing.assert_array_equal(*[f for f, _ in found])
    assert len(reads) == 1
    (kept,) = (tmp_path / 'xdg' / 'gan_jax').iterdir()
    kept.write_bytes(kept.read_bytes()[:500])
    for _ in range(2):
        again, _ = load(file, batch=2).apply(images)
        np.testing.assert_array_equal(again, found[0][0])
    assert len(reads) == 2
    assert [x.name for x in kept.parent.iterdir()] == [kept.name]


def test_other_weights_do_not_take_anothers_place_in_the_cache(file, tmp_path):
    first = load(file, cache=tmp_path / 'cache')
    pth.save(file, {name: x + 1 for name, x in random_weights().items()})
    second = load(file, cache=tmp_path / 'cache')
    assert first.digest != second.digest
    assert len(list((tmp_path / 'cache').iterdir())) == 2


def test_a_cache_that_cannot_be_written_is_done_without(file, tmp_path):
    (tmp_path / 'cache').write_text('not a folder')
    network = load(file, cache=tmp_path / 'cache', batch=1)
    features, _ = network.apply(np.zeros((1, 21, 21, 3), np.uint8))
    assert np.isfinite(features).all()
