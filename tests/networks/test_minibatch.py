"""Features of the batch: against NumPy, over devices, and in the discriminators that take them."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from gan_jax.networks import dcgan, layers, mixture, mlp, r3gan, stacked_mnist
from gan_jax.networks.layers.minibatch import KINDS, group_size_of

KEY = jax.random.key(0)
IMAGE = (16, 16, 1)
# Discriminators in which nothing but `minibatch` lets examples meet.
APART = {
    'mlp': functools.partial(mlp.Discriminator, IMAGE, (16, 8)),
    'dcgan-none': functools.partial(dcgan.Discriminator, IMAGE, 4, 8, norm='none'),
    'dcgan-layer': functools.partial(dcgan.Discriminator, IMAGE, 4, 8, norm='layer'),
    'mixture': functools.partial(mixture.Discriminator, IMAGE, 8),
    'stacked_mnist': functools.partial(stacked_mnist.Discriminator, IMAGE, norm='none'),
    'r3gan': functools.partial(r3gan.Discriminator, IMAGE, 4, 4, blocks=1, group_size=4),
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
    first = jax.jit(jax.grad(lambda x: layers.minibatch_stddev(x)[:, -1].sum()))
    np.testing.assert_array_equal(first(x), np.zeros((4, 3)))
    assert np.isfinite(jax.jit(jax.jacobian(first))(x)).all()
    np.testing.assert_allclose(layers.minibatch_stddev(x)[:, -1], 1e-4, rtol=1e-3)


def test_derivatives_in_64_bits():
    with jax.enable_x64(True):
        x = features(4, 3, dtype=np.float64)
        assert layers.minibatch_stddev(x).dtype == jnp.float64
        check_grads(jax.jit(layers.minibatch_stddev), (x,), order=2, modes=['rev'], rtol=1e-4)
        layer = layers.MinibatchDiscrimination(3, 2)
        params = jax.tree.map(np.float64, jax.jit(layer.init)(KEY, x))
        apply = jax.jit(layer.apply)
        assert apply(params, x).dtype == jnp.float64
        check_grads(apply, (params, x), order=2, modes=['rev'], rtol=1e-4)


@pytest.mark.parametrize('shape', [(8, 3), (8, 2, 5, 3)])
def test_strided_groups_are_every_nth_example(shape):
    x = features(*shape)
    y = np.asarray(jax.jit(layers.strided_stddev)(x))
    np.testing.assert_array_equal(y[..., :3], x)
    for first in (0, 1):
        want = x[first::2].std(axis=0).mean()
        np.testing.assert_allclose(y[first::2, ..., 3], want, rtol=1e-5)


@pytest.mark.parametrize('devices', [2, 4])
def test_strided_groups_span_the_devices(devices):
    x = features(8, 2, 2, 3)

    def loss(x, axis=None):
        return jnp.sum(jnp.sin(layers.strided_stddev(x, 4, axis)))

    def share(x):
        return layers.strided_stddev(x, 4, 'devices'), jax.grad(loss)(x, 'devices')

    y, gradient = jax.pmap(share, 'devices')(x.reshape(devices, -1, 2, 2, 3))
    np.testing.assert_allclose(y.reshape(8, 2, 2, 4), layers.strided_stddev(x), rtol=1e-6)
    want = jax.jit(jax.grad(loss))(x)
    np.testing.assert_allclose(gradient.reshape(x.shape), want, rtol=1e-4, atol=1e-6)


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
    variables = jax.jit(layer.init)(KEY, x)
    y = (jax.jit(layer.apply) if jit else layer.apply)(variables, x)
    kernel = variables['params']['kernel']
    assert kernel.shape == (3, 8)
    np.testing.assert_array_equal(y[:, :3], x)
    np.testing.assert_allclose(y[:, 3:], discriminated(x, kernel, 4, 2), rtol=1e-5)


def test_of_equal_examples_every_other_counts_one():
    layer = layers.MinibatchDiscrimination(6, 5)
    y, _ = jax.jit(layer.init_with_output)(KEY, jnp.ones((4, 3)))
    np.testing.assert_array_equal(y[:, 3:], np.full((4, 6), 3.0))


def test_the_directions_are_of_about_unit_length():
    """As in the authors' code, which divides each column by its length."""
    layer = layers.MinibatchDiscrimination()
    kernel = jax.jit(layer.init)(KEY, jnp.ones((2, 400)))['params']['kernel']
    assert kernel.shape == (400, 500)
    np.testing.assert_allclose(jnp.linalg.norm(kernel, axis=0), 1, atol=0.2)


@pytest.mark.parametrize('mapped', ['pmap', 'vmap'])
def test_two_devices_see_the_whole_batch_as_one_does(mapped):
    x = features(6, 3)
    layer = layers.MinibatchDiscrimination(4, 2, axis_name='devices')
    alone = layer.clone(axis_name=None)
    variables = jax.jit(layer.init)(KEY, x)  # without the axis, as before a run

    def loss(network, variables, x):
        return jnp.mean(jnp.sin(network.apply(variables, x)))

    want, gradient = jax.jit(jax.value_and_grad(functools.partial(loss, alone)))(variables, x)

    def share(x):
        value, gradient = jax.value_and_grad(functools.partial(loss, layer))(variables, x)
        return layer.apply(variables, x), jax.lax.pmean((value, gradient), 'devices')

    shards = x.reshape(2, 3, 3)
    if mapped == 'pmap':
        over = jax.pmap(share, 'devices')
    else:
        over = jax.jit(jax.vmap(share, axis_name='devices'))
    y, (value, gradients) = over(shards)
    whole = jax.jit(alone.apply)(variables, x)
    np.testing.assert_allclose(y.reshape(6, -1), whole, rtol=1e-5)
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
        return jax.jit(Appended(kind).init_with_output)(KEY, x)[0]

    x = jnp.asarray(features(4, 8), jnp.bfloat16)
    y = append(x)
    assert y.dtype == jnp.bfloat16
    np.testing.assert_allclose(np.float32(y), append(np.float32(x)), rtol=1e-2)


@pytest.fixture(params=APART)
def network(request):
    return APART[request.param]


def shapes(network):
    return jax.eval_shape(lambda: network.init(KEY, jnp.zeros((4, *IMAGE)), train=True))


def random(network, seed=1):
    """Variables of which none is zero, as R3GAN's last kernels are at the start."""
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda x: rng.normal(0, 0.2, x.shape).astype(x.dtype), shapes(network))


@pytest.mark.parametrize('kind', KINDS)
def test_examples_meet_by_this_alone_and_gradients_are_finite(network, kind):
    network = network(minibatch=kind)
    images = features(4, *IMAGE)
    # Not far apart, where exp(-distance) would round to nothing.
    steps = 0.3 * np.arange(4, dtype=np.float32).reshape(4, 1, 1, 1)
    near, copies = images[:1] + steps * features(4, *IMAGE, seed=2), np.repeat(images[:1], 4, 0)

    @jax.jit
    def run(variables):
        def judge(variables, x):
            logits = network.apply(variables, x, train=True)
            return jnp.sum(jnp.sin(logits)), logits

        differentiated = jax.grad(judge, (0, 1), has_aux=True)
        # One after the other: the network is compiled once.
        return jax.lax.map(lambda x: differentiated(variables, x), jnp.stack([near, copies]))

    gradients, logits = run(random(network))
    assert logits.shape == (2, 4)
    assert logits.dtype == jnp.float32
    np.testing.assert_allclose(logits[1], np.full(4, logits[1, 0]), rtol=1e-5)
    moved = abs(float(logits[0, 0] - logits[1, 0]))
    assert (moved > 1e-5) == (kind != '')
    assert all(np.isfinite(g).all() for g in jax.tree.leaves(gradients))


def test_an_unknown_kind_is_refused_with_the_valid_ones(network):
    with pytest.raises(ValueError, match="'stddev', 'discrimination'"):
        shapes(network(minibatch='std'))


def test_evaluation_needs_no_axis(network):
    """Outside the mapped step, the batch that is given is the whole."""
    network = network(minibatch='discrimination', axis_name='devices')
    images = jnp.zeros((4, *IMAGE))
    scored = jax.eval_shape(lambda v: network.apply(v, images, train=False), shapes(network))
    assert scored.shape == (4,)


def test_training_spreads_over_the_axis(network):
    network = network(minibatch='discrimination', axis_name='devices')
    with pytest.raises(NameError, match='devices'):
        jax.eval_shape(
            lambda v: network.apply(v, jnp.zeros((4, *IMAGE)), train=True), shapes(network)
        )
