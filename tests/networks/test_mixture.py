import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.networks import mixture

KEY = jax.random.key(0)
Z = jax.random.normal(KEY, (64, 2))


def made(network, x):
    """The first variables and what comes out, compiled in one."""
    return jax.jit(lambda x: network.init_with_output(KEY, x, train=True))(x)


def count(variables):
    return sum(x.size for x in jax.tree.leaves(variables['params']))


def test_the_generators_layout_is_2_400_400_400_400_2():
    """Hidden layers have BatchNorm's scale and bias, 2 * 400, in place of a bias."""
    network = mixture.Generator((2,))
    variables = jax.eval_shape(lambda: network.init(KEY, Z, train=True))
    assert count(variables) == 2 * 400 + 3 * 400 * 400 + 4 * 800 + 400 * 2 + 2 == 484_802
    params = variables['params']
    assert {*params} == {f'{n}_{i}' for n in ('Dense', 'BatchNorm') for i in range(4)} | {'Dense_4'}
    assert [{*params[f'Dense_{i}']} for i in (0, 3, 4)] == [{'kernel'}] * 2 + [{'kernel', 'bias'}]


@pytest.mark.parametrize(('points', 'want'), [(1, 405_201), (2, 407_201), (4, 411_201)])
def test_the_discriminators_layout_is_2m_200_200_200_1_in_5_pieces(points, want):
    x = jnp.zeros((3, 2 * points))
    network = mixture.Discriminator((2,))
    variables = jax.eval_shape(lambda: network.init(KEY, x, train=True))
    assert want == (2 * points + 1) * 1000 + 2 * 201 * 1000 + 201
    assert count(variables) == want
    logits = jax.eval_shape(lambda v: network.apply(v, x, train=True), variables)
    assert logits.shape == (3,)


def test_all_kernels_are_of_deviation_0_02_and_all_biases_0():
    g = made(mixture.Generator((2,)), Z)[1]
    d = made(mixture.Discriminator((2,)), Z)[1]
    for path, leaf in jax.tree_util.tree_leaves_with_path((g['params'], d['params'])):
        if path[-1].key == 'kernel':
            np.testing.assert_allclose(leaf.std(), 0.02, rtol=0.15)
        else:
            np.testing.assert_array_equal(leaf, float(path[-1].key == 'scale'))


def test_samples_are_shaped_and_not_squashed():
    network = mixture.Generator((2, 2, 1), width=16)
    samples, variables = made(network, Z)
    assert samples.shape == (64, 2, 2, 1)
    variables['params']['Dense_4']['bias'] = jnp.full(4, 7.0)
    moved = network.apply(variables, Z, train=False)
    np.testing.assert_allclose(moved.mean(), 7, atol=0.5)


def test_at_the_start_samples_are_around_zero_of_the_size_of_one():
    """400 ReLUs of a standard normal, second moment 1/2, by N(0, 0.02): 0.02 sqrt(200) = 0.28."""
    samples, _ = made(mixture.Generator((2,)), Z)
    np.testing.assert_allclose(samples.std(), 0.28, rtol=0.4)


def test_training_uses_the_batchs_statistics_and_keeps_them():
    network = mixture.Generator((2,), width=8, depth=2)
    variables = made(network, Z)[1]
    _, updated = network.apply(variables, Z, train=True, mutable=['batch_stats'])
    assert (updated['batch_stats']['BatchNorm_1']['var'] != 1).all()
    alone = network.apply(variables, Z[:1], train=False)
    np.testing.assert_allclose(alone[0], network.apply(variables, Z, train=False)[0], atol=1e-6)


def test_two_devices_share_statistics():
    network = mixture.Generator((2,), width=8, depth=2, axis_name='devices')
    variables = made(network, Z)[1]

    def run(network, z):
        return network.apply(variables, z, train=True, mutable=['batch_stats'])

    y, stats = jax.pmap(lambda z: run(network, z), 'devices')(Z.reshape(2, 32, 2))
    want, wanted = run(network.clone(axis_name=None), Z)
    np.testing.assert_allclose(y.reshape(64, 2), want, atol=1e-5)
    for x, w in zip(jax.tree.leaves(stats), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(x[1], w, atol=1e-5)


def test_half_precision_inside_float32_outside():
    kwargs = {'width': 8, 'depth': 1, 'dtype': jnp.bfloat16}
    samples, _ = made(mixture.Generator((2,), **kwargs), Z)
    logits, _ = made(mixture.Discriminator((2,), **kwargs), Z)
    assert samples.dtype == logits.dtype == jnp.float32
