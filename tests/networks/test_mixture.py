import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.networks import mixture

KEY = jax.random.key(0)
Z = jax.random.normal(KEY, (64, 2))


def count(variables):
    return sum(x.size for x in jax.tree.leaves(variables['params']))


def test_the_generators_layout_is_2_400_400_400_400_2():
    """Hidden layers have BatchNorm's scale and bias, 2 * 400, in place of a bias."""
    variables = mixture.Generator((2,)).init(KEY, Z, train=True)
    assert count(variables) == 2 * 400 + 3 * 400 * 400 + 4 * 800 + 400 * 2 + 2 == 484_802
    params = variables['params']
    assert {*params} == {f'{n}_{i}' for n in ('Dense', 'BatchNorm') for i in range(4)} | {'Dense_4'}
    assert [{*params[f'Dense_{i}']} for i in (0, 3, 4)] == [{'kernel'}] * 2 + [{'kernel', 'bias'}]


@pytest.mark.parametrize(('points', 'want'), [(1, 406_201), (2, 408_201), (4, 412_201)])
def test_the_discriminators_layout_is_2m_200_200_200_1_in_5_pieces(points, want):
    x = jnp.zeros((3, 2 * points))
    variables = mixture.Discriminator((2,)).init(KEY, x, train=True)
    assert want == (2 * points + 1) * 1000 + 2 * 201 * 1000 + 201
    assert count(variables) == want
    assert mixture.Discriminator((2,)).apply(variables, x, train=True).shape == (3,)


def test_all_kernels_are_of_deviation_0_02_and_all_biases_0():
    g = mixture.Generator((2,)).init(KEY, Z, train=True)
    d = mixture.Discriminator((2,)).init(KEY, Z, train=True)
    for path, leaf in jax.tree_util.tree_leaves_with_path((g['params'], d['params'])):
        if path[-1].key == 'kernel':
            np.testing.assert_allclose(leaf.std(), 0.02, rtol=0.15)
        else:
            np.testing.assert_array_equal(leaf, float(path[-1].key == 'scale'))


def test_samples_are_shaped_and_not_squashed():
    network = mixture.Generator((2, 2, 1), width=16)
    samples, variables = network.init_with_output(KEY, Z, train=True)
    assert samples.shape == (64, 2, 2, 1)
    variables['params']['Dense_4']['bias'] = jnp.full(4, 7.0)
    moved = network.apply(variables, Z, train=False)
    np.testing.assert_allclose(moved.mean(), 7, atol=0.5)


def test_at_the_start_samples_are_around_zero_of_the_size_of_one():
    """400 ReLUs of a standard normal, second moment 1/2, by N(0, 0.02): 0.02 sqrt(200) = 0.28."""
    samples, _ = mixture.Generator((2,)).init_with_output(KEY, Z, train=True)
    np.testing.assert_allclose(samples.std(), 0.28, rtol=0.4)


def test_training_uses_the_batchs_statistics_and_keeps_them():
    network = mixture.Generator((2,), width=8, depth=2)
    variables = network.init(KEY, Z, train=True)
    _, updated = network.apply(variables, Z, train=True, mutable=['batch_stats'])
    assert (updated['batch_stats']['BatchNorm_1']['var'] != 1).all()
    alone = network.apply(variables, Z[:1], train=False)
    np.testing.assert_allclose(alone[0], network.apply(variables, Z, train=False)[0], atol=1e-6)


def test_two_devices_share_statistics():
    network = mixture.Generator((2,), width=8, depth=2, axis_name='devices')
    variables = network.init(KEY, Z, train=True)

    def run(network, z):
        return network.apply(variables, z, train=True, mutable=['batch_stats'])

    y, stats = jax.pmap(lambda z: run(network, z), 'devices')(Z.reshape(2, 32, 2))
    want, wanted = run(network.clone(axis_name=None), Z)
    np.testing.assert_allclose(y.reshape(64, 2), want, atol=1e-5)
    for x, w in zip(jax.tree.leaves(stats), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(x[1], w, atol=1e-5)


def test_half_precision_inside_float32_outside():
    kwargs = {'width': 8, 'depth': 1, 'dtype': jnp.bfloat16}
    samples, _ = mixture.Generator((2,), **kwargs).init_with_output(KEY, Z, train=True)
    logits, _ = mixture.Discriminator((2,), **kwargs).init_with_output(KEY, Z, train=True)
    assert samples.dtype == logits.dtype == jnp.float32
