"""Features of the batch: against NumPy, over devices, and in every discriminator that takes them."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from gan_jax.networks import dcgan, layers, mixture, mlp, r3gan, sngan, stacked_mnist
from gan_jax.networks.layers.minibatch import group_size_of

KEY = jax.random.key(0)
IMAGE = (16, 16, 1)
# Discriminators in which nothing but `minibatch` lets examples meet.
APART = {
    'mlp': functools.partial(mlp.Discriminator, IMAGE, (16, 8)),
    'dcgan-none': functools.partial(dcgan.Discriminator, IMAGE, 4, 8, norm='none'),
    'dcgan-layer': functools.partial(dcgan.Discriminator, IMAGE, 4, 8, norm='layer'),
    'mixture': functools.partial(mixture.Discriminator, IMAGE, 8),
    'stacked_mnist': functools.partial(stacked_mnist.Discriminator, IMAGE, norm='none'),
    'r3gan': functools.partial(r3gan.Discriminator, IMAGE, 4, 8, blocks=1, group_size=4),
}


def features(*shape, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


@pytest.mark.parametrize('shape', [(8, 3), (8, 2, 5, 3)])
@pytest.mark.parametrize('jit', [False, True])
def test_stddev_is_numpys_over_groups_of_consecutive_examples(shape, jit):
    x = features(*shape)
    stddev = jax.jit(layers.minibatch_stddev) if jit else layers.minibatch_stddev
    y = np.asarray(stddev(x))
    assert y.shape == (*shape[:-1], 4)
    np.testing.assert_array_equal(y[..., :3], x)
    for first in (0, 4):
        want = x[first : first + 4].std(axis=0).mean()
        np.testing.assert_allclose(y[first : first + 4, ..., 3], want, rtol=1e-5)


def test_two_examples_by_hand():
    """1 and 5 have the biased standard deviation 2, 0 and 6 have 3: on average 2.5."""
    y = layers.minibatch_stddev(jnp.array([[1.0, 0.0], [5.0, 6.0]]))
    np.testing.assert_allclose(y[:, 2], [2.5, 2.5], rtol=1e-6)


@pytest.mark.parametrize(
    ('batch', 'wanted', 'size'),
    [(64, 4, 4), (8, 8, 8), (6, 4, 3), (2, 4, 2), (25, 4, 25), (7, 4, 7), (1, 4, 1), (9, 2, 9)],
)
def test_the_groups_sizes(batch, wanted, size):
    assert group_size_of(batch, wanted) == size
    y = layers.minibatch_stddev(features(batch, 2), wanted)
    assert len(np.unique(y[:, 2])) == batch // size


def test_groups_of_one_are_refused():
    with pytest.raises(ValueError, match='2 or more'):
        layers.minibatch_stddev(features(4, 2), 1)


def test_stddev_has_finite_derivatives_where_the_examples_are_equal():
    x = jnp.ones((4, 3))
    first = jax.grad(lambda x: layers.minibatch_stddev(x)[:, -1].sum())
    np.testing.assert_array_equal(first(x), np.zeros((4, 3)))
    assert np.isfinite(jax.jacobian(first)(x)).all()
    np.testing.assert_allclose(layers.minibatch_stddev(x)[:, -1], 1e-4, rtol=1e-3)


def test_derivatives_in_64_bits():
    with jax.enable_x64(True):
        x = features(4, 3, dtype=np.float64)
        assert layers.minibatch_stddev(x).dtype == jnp.float64
        check_grads(layers.minibatch_stddev, (x,), order=2, modes=['rev'], rtol=1e-4)
        layer = layers.MinibatchDiscrimination(3, 2)
        params = jax.tree.map(np.float64, layer.init(KEY, x))
        assert layer.apply(params, x).dtype == jnp.float64
        check_grads(layer.apply, (params, x), order=2, modes=['rev'], rtol=1e-4)


def discriminated(x, kernel, kernels, size):
    rows = (np.float64(x) @ np.float64(kernel)).reshape(len(x), kernels, size)
    found = np.zeros((len(x), kernels))
    for i in range(len(x)):
        for j in range(len(x)):
            if j != i:
                found[i] += np.exp(-np.abs(rows[i] - rows[j]).sum(-1))
    return found


@pytest.mark.parametrize('jit', [False, True])
def test_discrimination_is_the_papers_sum_over_the_others(jit):
    x = features(5, 3)
    layer = layers.MinibatchDiscrimination(num_kernels=4, kernel_size=2)
    variables = layer.init(KEY, x)
    y = (jax.jit(layer.apply) if jit else layer.apply)(variables, x)
    kernel = variables['params']['kernel']
    assert kernel.shape == (3, 8)
    np.testing.assert_array_equal(y[:, :3], x)
    np.testing.assert_allclose(y[:, 3:], discriminated(x, kernel, 4, 2), rtol=1e-5)


def test_of_equal_examples_every_other_counts_one():
    y, _ = layers.MinibatchDiscrimination(6, 5).init_with_output(KEY, jnp.ones((4, 3)))
    np.testing.assert_array_equal(y[:, 3:], np.full((4, 6), 3.0))


def test_the_directions_are_of_about_unit_length():
    """As in the authors' code, which divides each column by its length."""
    layer = layers.MinibatchDiscrimination()
    kernel = layer.init(KEY, jnp.ones((2, 400)))['params']['kernel']
    assert kernel.shape == (400, 500)
    np.testing.assert_allclose(jnp.linalg.norm(kernel, axis=0), 1, atol=0.2)


@pytest.mark.parametrize('mapped', ['pmap', 'vmap'])
def test_two_devices_see_the_whole_batch_as_one_does(mapped):
    x = features(6, 3)
    layer = layers.MinibatchDiscrimination(4, 2, axis_name='devices')
    alone = layer.clone(axis_name=None)
    variables = layer.init(KEY, x)  # without the axis, as before a run

    def loss(network, variables, x):
        return jnp.mean(jnp.sin(network.apply(variables, x)))

    want, gradient = jax.value_and_grad(functools.partial(loss, alone))(variables, x)

    def share(x):
        value, gradient = jax.value_and_grad(functools.partial(loss, layer))(variables, x)
        return layer.apply(variables, x), jax.lax.pmean((value, gradient), 'devices')

    shards = x.reshape(2, 3, 3)
    over = jax.pmap(share, 'devices') if mapped == 'pmap' else jax.vmap(share, axis_name='devices')
    y, (value, gradients) = over(shards)
    np.testing.assert_allclose(y.reshape(6, -1), alone.apply(variables, x), rtol=1e-5)
    np.testing.assert_allclose(value, [want, want], rtol=1e-5)
    found, wanted = gradients['params']['kernel'], gradient['params']['kernel']
    for device in (0, 1):
        np.testing.assert_allclose(found[device], wanted, rtol=1e-4, atol=1e-6)


class Appended(nn.Module):
    kind: str

    @nn.compact
    def __call__(self, x):
        return layers.append_minibatch(x, self.kind)


@pytest.mark.parametrize('kind', ['stddev', 'discrimination'])
def test_half_precision_comes_out_as_it_went_in(kind):
    def append(x):
        return Appended(kind).init_with_output(KEY, x)[0]

    x = jnp.asarray(features(4, 8), jnp.bfloat16)
    y = append(x)
    assert y.dtype == jnp.bfloat16
    np.testing.assert_allclose(np.float32(y), append(np.float32(x)), rtol=1e-2)


@pytest.fixture(params=APART)
def network(request):
    return APART[request.param]


def logits(network, images, seed=1):
    variables = network.init(KEY, images, train=True)
    # Zeros at the start, as R3GAN's last kernels, would let nothing through.
    leaves, tree = jax.tree.flatten(variables)
    rng = np.random.default_rng(seed)
    leaves = [x + jnp.asarray(rng.normal(0, 0.1, x.shape), x.dtype) for x in leaves]
    variables = jax.tree.unflatten(tree, leaves)
    return variables, network.apply(variables, images, train=True)


def test_without_it_examples_are_apart_and_with_it_they_meet(network):
    images = features(4, *IMAGE)
    others = np.concatenate([images[:1], features(3, *IMAGE, seed=2)])
    for kind in ('', 'stddev', 'discrimination'):
        discriminator = network(minibatch=kind)
        variables, one = logits(discriminator, images)
        assert one.shape == (4,)
        assert one.dtype == jnp.float32
        two = discriminator.apply(variables, others, train=True)
        same = abs(float(one[0] - two[0])) < 1e-6 * (1 + abs(float(one[0])))
        # Far apart examples are told apart by exp(-distance), which may round to nothing.
        assert same == (kind == '') or kind == 'discrimination'


def test_of_a_batch_of_copies_it_tells(network):
    """Copies of one example get another logit than it among others."""
    images = features(4, *IMAGE)
    for kind in ('stddev', 'discrimination'):
        discriminator = network(minibatch=kind)
        variables, among = logits(discriminator, images)
        copies = discriminator.apply(variables, np.repeat(images[:1], 4, 0), train=True)
        np.testing.assert_allclose(copies, np.full(4, copies[0]), rtol=1e-5)
        assert abs(float(copies[0] - among[0])) > 1e-3


def test_gradients_of_loss_and_of_r1_are_finite(network):
    images = features(4, *IMAGE)
    for kind in ('', 'stddev', 'discrimination'):
        discriminator = network(minibatch=kind)
        variables, _ = logits(discriminator, images)

        @jax.jit
        def gradients(variables, discriminator=discriminator):
            def loss(variables):
                def critic(x):
                    return discriminator.apply(variables, x, train=True).sum()

                value, gradient = jax.value_and_grad(critic)(images)
                return value + jnp.sum(gradient**2)

            return jax.grad(loss)(variables)

        assert all(np.isfinite(g).all() for g in jax.tree.leaves(gradients(variables)))


def test_an_unknown_kind_is_refused_with_the_valid_ones(network):
    with pytest.raises(ValueError, match="'stddev', 'discrimination'"):
        network(minibatch='std').init(KEY, features(2, *IMAGE), train=True)


def test_sampling_and_scoring_need_no_axis(network):
    """Outside the mapped step, evaluation takes the batch it is given as the whole."""
    discriminator = network(minibatch='discrimination', axis_name='devices')
    images = features(4, *IMAGE)
    variables = discriminator.init(KEY, images, train=True)
    assert discriminator.apply(variables, images, train=False).shape == (4,)


def test_sngans_critic_keeps_examples_apart():
    images = features(4, *IMAGE)
    critic = sngan.Discriminator(IMAGE, 4, spectral=False)
    variables, one = logits(critic, images)
    np.testing.assert_allclose(
        critic.apply(variables, images[:1], train=True)[0], one[0], rtol=1e-5
    )
