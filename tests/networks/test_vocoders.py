"""Vocoders: the authors' sizes, layers against their definitions, a spectrum's way to sound."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import spectra
from gan_jax.networks import hifigan, layers, vocos

MELS = jnp.zeros((1, 32, 80))
V2 = {'width': 128}
V3 = {
    'width': 256, 'factors': (8, 8, 4), 'upsampling': (16, 16, 8), 'kernels': (3, 5, 7),
    'dilations': ((1, 2), (2, 6), (3, 12)), 'pairs': False,
}  # fmt: skip


def size(network, *inputs):
    shapes = jax.eval_shape(lambda: network.init(jax.random.key(0), *inputs, train=True))
    return sum(x.size for x in jax.tree.leaves(shapes))


@pytest.mark.parametrize(
    ('options', 'parameters'), [({}, 13_926_017), (V2, 925_985), (V3, 1_462_273)]
)
def test_hifi_gans_generators_have_as_many_parameters_as_the_authors(options, parameters):
    network = hifigan.Generator((8192, 1), **options)
    assert size(network, MELS) == parameters
    sound = jax.eval_shape(lambda: network.init_with_output(jax.random.key(0), MELS, train=True)[0])
    assert sound.shape == (1, 8192, 1)


def test_its_discriminators_have_as_many_parameters_as_the_authors():
    sound = jnp.zeros((1, 8192, 1))
    assert size(hifigan.Periods((8192, 1)), sound) == 41_092_165
    assert size(hifigan.Scales((8192, 1)), sound) == 29_610_627


def test_the_generator_of_spectra_has_as_many_parameters_as_the_authors():
    assert size(vocos.Generator((8192, 1)), jnp.zeros((1, 32, 100))) == 13_531_650


@pytest.mark.parametrize('dilation', [1, 3, 5])
@pytest.mark.parametrize('samples', [20, 23])
def test_a_dilated_convolution_is_its_sum(dilation, samples):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, samples, 3)).astype(np.float32)
    layer = layers.TimeConv(4, 5, dilation)
    found, variables = layer.init_with_output(jax.random.key(0), jnp.asarray(x))
    kernel = np.asarray(variables['params']['Conv_0']['kernel'])[:, 0]
    padded = np.pad(x, ((0, 0), (2 * dilation, 2 * dilation), (0, 0)))
    expected = sum(padded[:, k * dilation : k * dilation + samples] @ kernel[k] for k in range(5))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_upsampling_puts_a_kernel_at_every_factor_th_sample():
    layer = layers.TimeUpsample(1, 4, 2)
    x = jnp.zeros((1, 5, 1)).at[0, 2, 0].set(1.0)
    found, variables = layer.init_with_output(jax.random.key(0), x)
    kernel = np.asarray(variables['params']['ConvTranspose_0']['kernel']).ravel()
    assert found.shape == (1, 10, 1)
    placed = np.zeros(10)
    placed[3:7] = np.asarray(found).ravel()[3:7]
    np.testing.assert_array_equal(found.ravel(), placed.astype(np.float32))
    np.testing.assert_allclose(sorted(placed[3:7]), sorted(kernel), rtol=1e-6)


@pytest.mark.parametrize('call', [
    lambda: layers.TimeConv(1, 4).init(jax.random.key(0), jnp.zeros((1, 8, 1))),
    lambda: layers.TimeUpsample(1, 5, 2).init(jax.random.key(0), jnp.zeros((1, 8, 1))),
    lambda: hifigan.Generator((8192, 1), factors=(8, 8)).init(jax.random.key(0), MELS, True),
])  # fmt: skip
def test_fields_that_do_not_fit_are_refused(call):
    with pytest.raises(ValueError, match=r'must be|as even or odd'):
        call()


def test_a_period_sees_every_p_th_sample_alone():
    """What changes samples of one column changes logits of that column only."""
    sound = jax.random.normal(jax.random.key(0), (1, 60, 1))
    network = hifigan.Periods((60, 1), periods=(5,), width=2)
    variables = network.init(jax.random.key(1), sound, train=True)
    changed = sound.at[0, 2::5].add(1.0)
    one, other = (network.apply(variables, x, train=True).logits[0] for x in (sound, changed))
    assert one.shape[-1] == 5
    differs = np.asarray(one != other).any(axis=(0, 1))
    np.testing.assert_array_equal(differs, [False, False, True, False, False])


@pytest.mark.slow
def test_features_are_of_every_convolution_but_the_last():
    sound = jnp.zeros((2, 256, 1))
    for network, sides, layer in (
        (hifigan.Periods((256, 1), width=1), 5, 5),
        (hifigan.Scales((256, 1), narrower=64), 3, 7),
    ):
        verdict, _ = network.init_with_output(jax.random.key(0), sound, train=True)
        assert len(verdict.logits) == len(verdict.features) == sides
        assert [len(x) for x in verdict.features] == [layer] * sides


def test_the_made_spectrum_is_turned_into_a_sound_as_long_as_its_frames():
    network = vocos.Generator((256, 1), width=4, hidden=8, blocks=2, size=64, hop=16)
    mels = jax.random.normal(jax.random.key(0), (2, 16, 10))
    sound, variables = network.init_with_output(jax.random.key(1), mels, train=True)
    assert sound.shape == (2, 256, 1)
    head = variables['params']['Dense_0']
    silent = jax.tree.map(jnp.zeros_like, head)
    silent['bias'] = silent['bias'].at[8].set(3.0)  # the magnitude at bin 8; other phases are 0
    quiet = jnp.full(33, -20.0).at[8].set(3.0)
    silent['bias'] = silent['bias'].at[:33].set(quiet)
    variables = {'params': {**variables['params'], 'Dense_0': silent}}
    tone = network.apply(variables, mels, train=False)
    spectrum = jnp.abs(spectra.stft(tone[..., 0], 64, 16))
    np.testing.assert_array_equal(spectrum[:, 2:-2].argmax(axis=-1), 8)


def test_a_discriminator_of_spectra_does_not_hear_the_sign():
    sound = jax.random.normal(jax.random.key(0), (2, 600, 1))
    network = hifigan.Resolutions((600, 1), sizes=(128, 64), width=2)
    variables = network.init(jax.random.key(1), sound, train=True)
    one, other = (network.apply(variables, x, train=True) for x in (sound, -sound))
    for x, y in zip(one.logits, other.logits, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6)
    # 1 + 600 // 32 frames and 65 bins, halved three times.
    assert one.logits[0].shape == (2, 19, 9)


def test_periods_and_resolutions_are_one_discriminators_scales():
    sound = jax.random.normal(jax.random.key(0), (2, 600, 1))
    network = hifigan.Discriminator((600, 1), (2, 3), 1, (128, 64, 32), 2)
    verdict, _ = network.init_with_output(jax.random.key(1), sound, train=True)
    assert len(verdict.logits) == len(verdict.features) == 5
