"""Networks that are told a class: shapes, counts, and what a label changes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.networks import conditional, dcgan
from gan_jax.networks.verdict import Verdict

KEY = jax.random.key(0)
LABELS = jnp.array([0, 1, 9])
SMALL = {'classes': 10, 'width': 4, 'hidden': 8}
TOLD = (conditional.Concatenation, conditional.Projection)
JUDGES = (*TOLD, conditional.Classifier, conditional.CosineClassifier)


def images(size=16, channels=1):
    return jax.random.uniform(KEY, (3, size, size, channels), minval=-1.0)


def inputs(judge, shown):
    return (shown, LABELS) if judge in TOLD else (shown,)


@pytest.mark.parametrize('size', dcgan.SIZES)
def test_every_size_comes_out(size):
    network = conditional.Generator((size, size, 3), 10, width=4, hidden=8)
    made = jax.eval_shape(
        lambda: network.init_with_output(KEY, jnp.zeros((3, 5)), LABELS, train=True)[0]
    )
    assert made.shape == (3, size, size, 3)
    for judge in JUDGES:
        given = inputs(judge, images(size, 3))
        answer = jax.eval_shape(
            lambda judge=judge, given=given: judge(**SMALL).init_with_output(
                KEY, *given, train=True
            )[0]
        )
        logits = answer.logits if isinstance(answer, Verdict) else answer
        assert logits.shape == (3,)


def test_heads_have_their_shapes():
    shown = images()
    answer, _ = conditional.Classifier(**SMALL, per_class=2).init_with_output(KEY, shown, True)
    assert answer.classes.shape == (3, 20)
    assert answer.features is None
    network = conditional.CosineClassifier(**SMALL, embedding=5)
    answer, variables = network.init_with_output(KEY, shown, True)
    proxies = np.float64(variables['params']['proxies'])
    proxies /= np.linalg.norm(proxies, axis=1, keepdims=True)
    np.testing.assert_allclose(np.linalg.norm(answer.features, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(answer.classes, answer.features @ proxies.T, atol=1e-6)


def test_the_projection_is_the_inner_product_with_the_classs_embedding():
    """Class k's logit less class 0's is <e_k - e_0, h>, h read off with embeddings of one unit."""
    network, shown = conditional.Projection(**SMALL), images()
    params = network.init(KEY, shown, LABELS, train=True)['params']
    embedding = np.asarray(params['Embed_0']['embedding'])
    assert embedding.shape == (10, 8)

    def logits(table, label):
        changed = {**params, 'Embed_0': {'embedding': jnp.asarray(table, jnp.float32)}}
        return np.asarray(network.apply({'params': changed}, shown, jnp.full(3, label), train=True))

    plain = logits(np.zeros((10, 8)), 0)
    table = np.zeros((10, 8))
    table[:8] = np.eye(8)
    h = np.stack([logits(table, k) - plain for k in range(8)], 1)
    assert np.abs(h).max() > 0
    for label in (0, 7):
        want = plain + h @ embedding[label]
        np.testing.assert_allclose(logits(embedding, label), want, atol=1e-6)


@pytest.mark.parametrize('judge', TOLD)
def test_a_label_matters_and_only_to_its_own_example(judge):
    network, shown = judge(**SMALL), images()
    variables = network.init(KEY, shown, LABELS, train=True)
    one = network.apply(variables, shown, LABELS, train=True)
    other = network.apply(variables, shown, LABELS.at[1].set(5), train=True)
    assert np.flatnonzero(np.asarray(one != other)).tolist() == [1]


def test_the_generator_makes_another_picture_of_another_class():
    network = conditional.Generator((16, 16, 1), 10, width=4)
    latent = jnp.ones((3, 5))
    variables = network.init(KEY, latent, LABELS, train=False)
    made = network.apply(variables, latent, LABELS, train=False)
    assert np.abs(made[0] - made[1]).max() > 0
    assert np.abs(made).max() <= 1


def test_parameter_counts():
    """Those of DCGAN's generator with 16 more inputs, and a table of embeddings."""

    def count(network, *given):
        shapes = jax.eval_shape(lambda: network.init(KEY, *given, train=True))['params']
        return sum(x.size for x in jax.tree.leaves(shapes))

    plain = count(dcgan.Generator((28, 28, 1), 32, 256), jnp.zeros((3, 100)))
    own = conditional.Generator((28, 28, 1), 10, width=32, hidden=256)
    assert count(own, jnp.zeros((3, 100)), LABELS) == plain + 16 * 256 + 10 * 16
    # Convolutions 4x4 to 32 and 64 channels, 7 x 7 x 64 to 256, each with biases.
    trunk = 16 * 32 + 32 + 16 * 32 * 64 + 64 + 3136 * 256 + 256
    large, shown = {'classes': 10, 'width': 32, 'hidden': 256}, images(28)
    assert count(conditional.Projection(**large), shown, LABELS) == trunk + 257 + 2560
    assert count(conditional.Classifier(**large), shown) == trunk + 257 + 2570
    cosines = 257 * 128 + 10 * 128
    assert count(conditional.CosineClassifier(**large), shown) == trunk + 257 + cosines
    further = 16 * 32 + 784 * 10  # a channel more, and what it shows
    assert count(conditional.Concatenation(**large), shown, LABELS) == trunk + 257 + further


def test_without_classes_or_of_other_sizes_they_are_refused():
    with pytest.raises(ValueError, match='the data set has none'):
        conditional.Classifier(classes=None).init(KEY, images(), train=True)
    with pytest.raises(ValueError, match='16, 28, 32, 64, 128'):
        conditional.Classifier(**SMALL).init(KEY, images(20), train=True)


def test_labels_given_as_floats_are_mixed():
    """One-hot rows are the class's own; of half and half the features are the mean of two."""
    generator = conditional.Generator((16, 16, 1), 10, width=4)
    latent, one_hot = jnp.ones((3, 5)), jax.nn.one_hot(LABELS, 10)
    variables = generator.init(KEY, latent, LABELS, train=False)
    told_so = jax.eval_shape(lambda: generator.init(KEY, latent, one_hot, train=False))
    assert jax.tree.map(jnp.shape, variables) == jax.tree.map(jnp.shape, told_so)
    made = generator.apply(variables, latent, LABELS, train=False)
    np.testing.assert_allclose(
        generator.apply(variables, latent, one_hot, train=False), made, atol=1e-6
    )
    judge, shown = conditional.Projection(**SMALL), images()[:1]
    variables = judge.init(KEY, shown, LABELS[:1], train=True)
    logits = [judge.apply(variables, shown, jnp.array([k]), train=True)[0] for k in (0, 9)]
    half = 0.5 * (one_hot[0] + one_hot[2])[None]
    found = judge.apply(variables, shown, half, train=True)[0]
    np.testing.assert_allclose(found, np.mean(logits), rtol=1e-5)
