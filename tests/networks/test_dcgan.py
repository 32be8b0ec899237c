import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.networks import dcgan

KEY = jax.random.key(0)


def build(size, channels=3, **kwargs):
    shape = (size, size, channels)
    generator = dcgan.Generator(shape, **kwargs)
    discriminator = dcgan.Discriminator(shape, **kwargs)
    latent, image = jnp.zeros((2, 100)), jnp.zeros((2, *shape))
    return (
        (generator, jax.eval_shape(lambda: generator.init(KEY, latent, train=True))),
        (discriminator, jax.eval_shape(lambda: discriminator.init(KEY, image, train=True))),
    )


def count(variables):
    return sum(x.size for x in jax.tree.leaves(variables['params']))


def test_at_64_pixels_the_parameter_counts_are_the_pytorch_examples():
    """3,576,704 and 2,765,568 in the widely used PyTorch example, which has no bias at the ends."""
    (_, generator), (_, discriminator) = build(64, width=64)
    assert count(generator) == 3_576_704 + 3
    assert count(discriminator) == 2_765_568 + 64 + 1


@pytest.mark.parametrize('size', dcgan.SIZES)
@pytest.mark.parametrize('channels', [1, 3])
def test_every_size_comes_out(size, channels):
    (generator, g), (discriminator, d) = build(size, channels, width=4, hidden=8)
    images = jax.eval_shape(lambda v: generator.apply(v, jnp.zeros((2, 100)), train=False), g)
    assert images.shape == (2, size, size, channels)
    logits = jax.eval_shape(lambda v, x: discriminator.apply(v, x, train=False), d, images)
    assert logits.shape == (2,)


@pytest.mark.parametrize('shape', [(50, 50, 1), (32, 64, 3)])
def test_other_sizes_are_refused_with_the_valid_ones(shape):
    with pytest.raises(ValueError, match='16, 28, 32, 64, 128'):
        dcgan.Generator(shape).init(KEY, jnp.zeros((2, 4)), train=True)
    with pytest.raises(ValueError, match='16, 28, 32, 64, 128'):
        dcgan.Discriminator(shape).init(KEY, jnp.zeros((2, *shape)), train=True)


def test_initialisation_is_the_papers():
    network = dcgan.Generator((32, 32, 3), width=32)
    variables = network.init(KEY, jnp.zeros((2, 100)), train=True)
    for path, leaf in jax.tree_util.tree_leaves_with_path(variables['params']):
        name = path[-1].key
        if name == 'kernel':
            assert abs(float(leaf.std()) - 0.02) < 0.002
            assert abs(float(leaf.mean())) < 0.002
        elif name == 'scale':
            assert abs(float(leaf.mean()) - 1) < 0.02
            assert 0.005 < float(leaf.std()) < 0.04
        else:
            assert (leaf == 0).all()


def test_there_is_no_batch_norm_at_the_images():
    (_, g), (_, d) = build(32, width=4)
    assert len(g['batch_stats']) == 3  # of the 4x4, 8x8 and 16x16 feature maps
    assert len(d['batch_stats']) == 2  # of all but the first convolution


def test_images_are_within_one():
    network = dcgan.Generator((16, 16, 1), width=4)
    latent = 100 * jax.random.normal(KEY, (8, 10))
    images, _ = network.init_with_output(KEY, latent, train=True)
    assert float(jnp.abs(images).max()) <= 1


def test_training_uses_the_batchs_statistics_and_sampling_the_running_ones():
    network = dcgan.Generator((16, 16, 1), width=4)
    latent = jax.random.normal(KEY, (8, 10))
    variables = network.init(KEY, latent, train=True)
    alone = network.apply(variables, latent[:1], train=False)
    together = network.apply(variables, latent, train=False)
    np.testing.assert_allclose(alone[0], together[0], atol=1e-6)
    _, updated = network.apply(variables, latent, train=True, mutable=['batch_stats'])
    assert (updated['batch_stats']['BatchNorm_0']['var'] != 1).all()


def test_without_a_norm_every_layer_has_a_bias_and_with_one_the_first_and_last():
    biased = {}
    for norm in dcgan.NORMS:
        network = dcgan.Discriminator((32, 32, 3), 4, 8, norm=norm)
        variables = jax.eval_shape(
            lambda n=network: n.init(KEY, jnp.zeros((2, 32, 32, 3)), train=True)
        )
        assert ('batch_stats' in variables) == (norm == 'batch')
        params = variables['params']
        biased[norm] = {k for k, v in params.items() if {'kernel', 'bias'} <= {*v}}
        kind = {'batch': 'BatchNorm', 'layer': 'LayerNorm', 'none': 'none'}[norm]
        assert sum(k.startswith(kind) for k in params) == 3 * (norm != 'none')
    assert biased['batch'] == biased['layer'] == {'Conv_0', 'Dense_1'}
    assert biased['none'] == {'Conv_0', 'Conv_1', 'Conv_2', 'Dense_0', 'Dense_1'}


@pytest.mark.parametrize('norm', ['batch', 'layer', 'none'])
def test_only_batch_norm_lets_examples_meet(norm):
    network = dcgan.Discriminator((16, 16, 1), 4, norm=norm)
    x = jax.random.normal(KEY, (4, 16, 16, 1))
    variables = jax.jit(lambda x: network.init(KEY, x, train=True))(x)

    @jax.jit
    def apply(x):
        return network.apply(variables, x, train=True, mutable=['batch_stats'])[0]

    same = np.allclose(apply(x)[:1], apply(x[:1]), rtol=1e-4, atol=1e-7)
    assert same == (norm != 'batch')


def test_an_unknown_norm_is_refused_with_the_valid_ones():
    with pytest.raises(ValueError, match="'batch', 'layer', 'none'"):
        dcgan.Discriminator((16, 16, 1), norm='group').init(
            KEY, jnp.zeros((2, 16, 16, 1)), train=True
        )


def test_without_a_norm_a_generators_examples_do_not_meet_and_keep_their_scale():
    network = dcgan.Generator((16, 16, 1), 16, hidden=8, norm='none')
    latent = jax.random.normal(KEY, (64, 32))
    variables = jax.jit(lambda x: network.init(KEY, x, train=True))(latent)
    assert {*variables} == {'params'}
    assert all('bias' in layer for layer in variables['params'].values())
    made = jax.jit(lambda x: network.apply(variables, x, train=True))(latent)
    np.testing.assert_allclose(
        made[:1], network.apply(variables, latent[:1], train=True), 1e-4, 1e-6
    )
    assert 0.1 < float(made.std()) < 1  # with kernels of 0.02 it is below 0.001


def test_a_generator_has_no_layer_norm():
    with pytest.raises(ValueError, match="norm='layer' is neither 'batch' nor 'none'"):
        dcgan.Generator((16, 16, 1), norm='layer').init(KEY, jnp.zeros((2, 8)), train=True)
