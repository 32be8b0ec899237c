"""Losses of class heads: conditional GANs, InfoGAN's codes, semi-supervised classes.

Class logits are raw, [batch, k]; labels are integers [batch] in [0, k). All losses are unreduced,
[batch], in float32 (float64 if the logits are). A `ClassLoss` is what both players minimise beside
the adversarial losses; a config names the functions that make one.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import lax

from gan_jax.arrays import Array, floats

# (heads on real examples, heads on generated ones, the labels of both) -> losses [batch].
# Heads have `classes`, logits [batch, k], and `features`, [batch, d], if these are asked for.
Side = Callable[[Any, Any, Array], Array]


class ClassLoss(NamedTuple):
    """What a class head adds to the losses of both players.

    Attributes:
      discriminator: what the discriminator minimises.
      generator: what the generator minimises.
      per_class: how many logits the head has for each class.
      features: whether the head must give features, too.
    """

    discriminator: Side
    generator: Side
    per_class: int = 1
    features: bool = False


def _of_class(rows: jax.Array, labels: Array) -> jax.Array:
    """Of each row [batch, k] the entry of its label; NaN if the label is not in [0, k)."""
    chosen = jnp.take_along_axis(rows, labels[:, None], axis=1, mode='clip')[:, 0]
    return jnp.where((labels >= 0) & (labels < rows.shape[1]), chosen, jnp.nan)


def cross_entropy(logits: Array, labels: Array) -> jax.Array:
    """The softmax cross-entropy.

    -log p(y), p = softmax(l): log sum_k exp(l_k) - l_y. It is also the labelled examples' loss in
    semi-supervised learning with K + 1 classes, which is conditional on the example being real.

    Args:
      logits: [batch, k].
      labels: y, integers [batch]; the loss of one that is not in [0, k) is NaN.

    Returns:
      Losses >= 0, [batch], float32.

    Raises:
      AssertionError: if there is not one label to each row.
    """
    chex.assert_rank([logits, labels], [2, 1])
    chex.assert_equal_shape_prefix([logits, labels], 1)
    logits = floats(logits)
    return jax.nn.logsumexp(logits, axis=1) - _of_class(logits, labels)


def acgan() -> ClassLoss:
    """The auxiliary classifier: both players want real and generated examples to be recognised.

    Discriminator: CE(x, y) + CE(G(z, y), y). Generator: CE(G(z, y), y).

    Source: Conditional Image Synthesis with Auxiliary Classifier GANs (Odena et al., 2017),
    equation 3.
    """

    def discriminator(real, fake, labels):
        return cross_entropy(real.classes, labels) + cross_entropy(fake.classes, labels)

    return ClassLoss(discriminator, _of_generated)


def acgan_real() -> ClassLoss:
    """The auxiliary classifier taught by real examples alone.

    Discriminator: CE(x, y). Generator: CE(G(z, y), y). So the head does not learn to recognise
    what the generator has wrong; it is what the ACGAN of StudioGAN's comparisons does.

    Source: Rebooting ACGAN: Auxiliary Classifier GANs with Stable Training (Kang et al., 2021),
    section 2.
    """

    def discriminator(real, fake, labels):
        return cross_entropy(real.classes, labels)

    return ClassLoss(discriminator, _of_generated)


def _of_generated(real: Any, fake: Any, labels: Array) -> jax.Array:
    return cross_entropy(fake.classes, labels)


def adcgan() -> ClassLoss:
    """A classifier of twice the classes: 2 y is a real y, 2 y + 1 a generated one.

    Discriminator: CE(x, 2 y) + CE(G(z, y), 2 y + 1).
    Generator: CE(G(z, y), 2 y) - CE(G(z, y), 2 y + 1) = l_{2y+1} - l_{2y}, which is not bounded.

    Source: Conditional GANs with Auxiliary Discriminative Classifier (Hou et al., 2022), section 4.
    """

    def discriminator(real, fake, labels):
        return cross_entropy(real.classes, 2 * labels) + cross_entropy(fake.classes, 2 * labels + 1)

    def generator(real, fake, labels):
        wanted = cross_entropy(fake.classes, 2 * labels)
        return wanted - cross_entropy(fake.classes, 2 * labels + 1)

    return ClassLoss(discriminator, generator, per_class=2)


def reacgan(
    positive_margin: float = 0.98, temperature: float = 0.5, axis_name: str | None = None
) -> ClassLoss:
    """The data-to-data cross-entropy, with the negative margin 1 - `positive_margin`.

    Discriminator: of real examples. Generator: of generated ones. Features are of length 1, and a
    class logit is the feature's cosine with the class's proxy.

    Source: Rebooting ACGAN: Auxiliary Classifier GANs with Stable Training (Kang et al., 2021),
    equation 7; margins and temperature are those of the authors' code.

    Args:
      positive_margin: m_p in [0, 1].
      temperature: t > 0.
      axis_name: the axis of the devices that share a batch, or None.

    Raises:
      ValueError: if an argument is outside its range.
    """
    if not 0 <= positive_margin <= 1:
        raise ValueError(f'positive_margin must be in [0, 1], not {positive_margin}')
    if temperature <= 0:
        raise ValueError(f'temperature must be above 0, not {temperature}')

    def loss(heads, labels):
        return data_to_data_cross_entropy(
            heads.features,
            heads.classes,
            labels,
            positive_margin=positive_margin,
            negative_margin=1.0 - positive_margin,
            temperature=temperature,
            axis_name=axis_name,
        )

    return ClassLoss(
        lambda real, fake, labels: loss(real, labels),
        lambda real, fake, labels: loss(fake, labels),
        features=True,
    )


def data_to_data_cross_entropy(
    features: Array,
    cosines: Array,
    labels: Array,
    *,
    positive_margin: float = 0.98,
    negative_margin: float = 0.02,
    temperature: float = 0.5,
    axis_name: str | None = None,
) -> jax.Array:
    """An example near its class's proxy, away from the batch's examples of other classes.

    a + log(e^-a + sum_{j: y_j != y_i} e^{[<f_i, f_j> - m_n]+ / t}),  a = [m_p - <f_i, v_y>]+ / t.

    Examples of one's own class are no negatives. A proxy within m_p and negatives beyond m_n pull
    no more. Over devices the negatives are those of the whole batch; with micro-batches each has
    its own.

    Source: Rebooting ACGAN: Auxiliary Classifier GANs with Stable Training (Kang et al., 2021),
    equation 7.

    Args:
      features: f, [batch, d], of length 1.
      cosines: <f, v_k>, [batch, k], with each class's proxy v_k of length 1.
      labels: y, integers [batch] in [0, k).
      positive_margin: m_p.
      negative_margin: m_n.
      temperature: t > 0.
      axis_name: the axis of the devices that share a batch, or None.

    Returns:
      Losses >= 0, [batch], float32.

    Raises:
      AssertionError: if the ranks or the batches differ.
    """
    chex.assert_rank([features, cosines, labels], [2, 2, 1])
    chex.assert_equal_shape_prefix([features, cosines, labels], 1)
    features, cosines = floats(features), floats(cosines)
    others, their_labels = features, labels
    if axis_name is not None:
        others, their_labels = lax.all_gather((features, labels), axis_name, tiled=True)
    own = _of_class(cosines, labels)[:, None]
    gap = jnp.maximum(positive_margin - own, 0.0) / temperature
    negatives = jnp.maximum(features @ others.T - negative_margin, 0.0) / temperature
    same = labels[:, None] == their_labels[None, :]
    # The proxy's term is finite, so that a row without negatives has a gradient.
    terms = jnp.concatenate([-gap, jnp.where(same, -jnp.inf, negatives)], axis=1)
    return gap[:, 0] + jax.nn.logsumexp(terms, axis=1)


def categorical_information(logits: Array, codes: Array) -> jax.Array:
    """InfoGAN's lower bound of the mutual information with a code of k equally likely values.

    H(c) - (-log Q(c | x)) = ln k - CE(Q, c). Its mean is at most ln k, 2.303 for ten values.

    Source: InfoGAN: Interpretable Representation Learning by Information Maximizing Generative
    Adversarial Nets (Chen et al., 2016), equation 5.

    Args:
      logits: of Q(c | x), [batch, k].
      codes: c, integers [batch] in [0, k).

    Returns:
      Bounds <= ln k in nats, to be maximised, [batch], float32.

    Raises:
      AssertionError: if there is not one code to each row.
    """
    return math.log(logits.shape[-1]) - cross_entropy(logits, codes)


def uniform_information(means: Array, codes: Array) -> jax.Array:
    """InfoGAN's lower bound of the mutual information with codes from U(-1, 1)^d.

    H(c) + log Q(c | x), Q = N(mean, 1): d ln 2 - sum_i ((c_i - mean_i)^2 + ln 2 pi) / 2. With a
    deviation that is fixed at 1, it is never above d (ln 2 - ln(2 pi) / 2) = -0.226 d, and the
    gradient is that of half the squared error.

    Source: InfoGAN: Interpretable Representation Learning by Information Maximizing Generative
    Adversarial Nets (Chen et al., 2016), equation 5; the deviation is that of the authors' code.

    Args:
      means: of Q(c | x), [batch, d].
      codes: c in [-1, 1], [batch, d].

    Returns:
      Bounds in nats, to be maximised, [batch], float32.

    Raises:
      AssertionError: if the shapes differ.
    """
    chex.assert_rank([means, codes], 2)
    chex.assert_equal_shape([means, codes])
    squares = jnp.square(floats(codes) - floats(means))
    return jnp.sum(math.log(2) - (squares + math.log(2 * math.pi)) / 2, axis=1)


def realness(logits: Array) -> jax.Array:
    """The logit of being real of K class logits, the generated class's logit being 0.

    Z = log sum_k exp(l_k); of K + 1 classes, p(real) = sigmoid(Z). So the losses of the unlabelled
    and of the generated examples are the two sides of objectives.non_saturating's discriminator at
    Z: softplus(-Z) and softplus(Z).

    Source: Improved Techniques for Training GANs (Salimans et al., 2016), section 5.

    Args:
      logits: [batch, k].

    Returns:
      Logits, [batch], float32.

    Raises:
      AssertionError: if the logits are not of rank 2.
    """
    chex.assert_rank(logits, 2)
    return jax.nn.logsumexp(floats(logits), axis=1)


def semi_supervised(labelled: Array, labels: Array, unlabelled: Array, fake: Array) -> jax.Array:
    """The discriminator's loss with K + 1 classes, the last of them that of generated examples.

    E[-l_y + Z] on labelled ones + 1/2 {E[-Z + softplus(Z)] on unlabelled ones + E[softplus(Z)] on
    generated ones}, Z = log sum_k exp(l_k). The generator matches features, see
    losses.feature_statistics_matching.

    Source: Improved Techniques for Training GANs (Salimans et al., 2016), section 5, with the
    halves of the authors' code.

    Args:
      labelled: class logits, [n, k].
      labels: of these, integers [n] in [0, k).
      unlabelled: class logits of real examples, which may be those with labels too, [m, k].
      fake: class logits of generated examples, [l, k].

    Returns:
      A loss >= 0, a scalar, float32.

    Raises:
      AssertionError: if logits are not of rank 2, or there is not one label to each labelled row.
    """
    real = jnp.mean(jax.nn.softplus(-realness(unlabelled)))
    generated = jnp.mean(jax.nn.softplus(realness(fake)))
    return jnp.mean(cross_entropy(labelled, labels)) + 0.5 * (real + generated)
