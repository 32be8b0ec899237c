"""Figures of attacks that ask who was in the data: 0.5 is chance, 1 is that all can be told.

Members are training examples, the others held-out ones, equally many of both. Privacy bounds what
any attack reaches (`metrics.private_auroc`, `metrics.private_balanced_accuracy`); that one attack
fails says little of others.
"""

from collections.abc import Callable

import numpy as np

from gan_jax import metrics
from gan_jax.evaluation import standard_errors as errors
from gan_jax.evaluation.figures import LESS, at_least, gives


def _told(members: np.ndarray, others: np.ndarray) -> list[float]:
    """AUROC and the best balanced accuracy of equally many scores of both."""
    num = min(len(members), len(others))
    scores = np.concatenate([members[:num], others[:num]])
    positive = np.arange(2 * num) < num
    return [metrics.auroc(scores, positive), metrics.balanced_accuracy(scores, positive)]


@gives(membership_auroc=LESS, membership_accuracy=LESS)
@at_least(real=2, train=2)
def membership(
    train_examples: np.ndarray,
    real_examples: np.ndarray,
    fake_examples: np.ndarray,
    encode: Callable,
) -> dict[str, float]:
    """How near the samples come to training and to held-out examples, as networks see them.

    The score is -min_k |x - G(z_k)|: the nearer a generator comes, the likelier it has seen x.

    Source: GAN-Leaks: A Taxonomy of Membership Inference Attacks against Generative Models (Chen et
    al., 2020), section 4.2, where the generator is known by its samples alone; the distance there
    is of images, features and labels together, here it is Euclidean.
    """
    sides = (np.asarray(encode(x)) for x in (train_examples, real_examples, fake_examples))
    members, others, samples = (x.reshape(len(x), -1) for x in sides)
    near = [-metrics.nearest_neighbors(x, samples)[1][:, 0] for x in (members, others)]
    return errors.measured(['membership_auroc', 'membership_accuracy'], _told, *near)


@gives(discriminator_membership_auroc=LESS, discriminator_membership_accuracy=LESS)
@at_least(real=2, train=2)
def discriminator_membership(train_scores: np.ndarray, real_scores: np.ndarray) -> dict[str, float]:
    """The discriminator's logits of training and of held-out examples: who has it, asks it.

    Source: LOGAN: Membership Inference Attacks Against Generative Models (Hayes et al., 2019),
    section 4.1.
    """
    names = ['discriminator_membership_auroc', 'discriminator_membership_accuracy']
    return errors.measured(names, _told, train_scores, real_scores)


def bound(epsilon: float, delta: float) -> str:
    """What an evaluation says of a run that is (epsilon, delta)-private."""
    accuracy = metrics.private_balanced_accuracy(epsilon, delta)
    return (
        f'private: epsilon {epsilon:g} at delta {delta:g}, so no attack tells members with a '
        f'balanced accuracy above {accuracy:.5f} or an AUROC above '
        f'{metrics.private_auroc(epsilon, delta):.5f}; these figures themselves are not private'
    )
