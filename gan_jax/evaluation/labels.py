"""Figures of labels, of what figures.py says of its own; and which labels samples have.

Three are of the real examples alone, and of what the run's own players say of them:

    classified      float32 [n, classes], of a game that classifies
    recognized      float32 [n, categories], what is read of a categorical code
    likelihoods     float32 [n], log p of texts

A sample's label is the one that the prior drew for it, with its latent: the samples are those of
every other figure, and as the run makes them. A class has then more or fewer of them by chance;
where figures are moved by the number of examples, no class counts with more than it has real ones.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import chex
import numpy as np

from gan_jax import metrics
from gan_jax.errors import UserError
from gan_jax.evaluation.figures import LESS, MORE, at_least, gives
from gan_jax.evaluation.statistics import Reference
from gan_jax.game import Game
from gan_jax.networks.features import classifier
from gan_jax.runtime import parallel
from gan_jax.sampling import sampler

CONFUSION = 'confusion'  # a table, not a figure
OF_CLASSES = {'fake_logits', 'fake_labels'}  # what a figure names that asks for the named classes


@gives(label_accuracy=MORE)
def label_accuracy(fake_logits: np.ndarray, fake_labels: np.ndarray) -> dict[str, Any]:
    """`metrics.label_accuracy`, with `metrics.confusion_matrix` as a table.

    For networks that name the data set's classes, as the classifier does. Real images that stand
    in the samples' place have the classifier's own accuracy, on images that it has seen where they
    are training images.
    """
    share, error = metrics.label_accuracy(fake_logits, fake_labels)
    table = metrics.confusion_matrix(fake_logits, fake_labels)
    return {'label_accuracy': share, 'label_accuracy/stderr': error, CONFUSION: table}


@gives(conditional_precision=MORE, conditional_recall=MORE)
@at_least(each_class=4, each_fake_class=4)
def conditional_precision_recall(
    real_features: np.ndarray,
    real_labels: np.ndarray,
    fake_features: np.ndarray,
    fake_labels: np.ndarray,
) -> dict[str, float]:
    """`metrics.precision_recall` with 3 neighbours within each class, the means over the classes.

    Without standard errors, as those of all classes together.
    """
    kept = metrics.as_many(real_labels, fake_labels)
    (precision, recall), _ = metrics.within_classes(
        metrics.precision_recall,
        real_features,
        real_labels,
        fake_features[kept],
        fake_labels[kept],
    )
    return {'conditional_precision': float(precision), 'conditional_recall': float(recall)}


@gives(classification_accuracy_score=MORE)
@at_least(each_class=1, each_fake_class=1)
def classification_accuracy_score(
    fake_examples: np.ndarray,
    fake_labels: np.ndarray,
    real_examples: np.ndarray,
    real_labels: np.ndarray,
) -> dict[str, float]:
    """The accuracy on real images of the small classifier, trained on generated ones alone.

    It is trained on a fixed set, up to 2,500 samples, each with the class that was asked for; the
    accuracy is that of the last step, never of the best. Real images that stand in the samples'
    place have the score of the same classifier trained as long on as many real ones.

    Without a standard error: what another training would change is not known of one.

    Source: Classification Accuracy Score for Conditional Generative Models (Ravuri & Vinyals,
    2019), section 3, which trains a ResNet-50 on as many samples as there are real images.
    """
    chex.assert_rank([fake_examples, real_examples], 4)
    asked, classes = fake_labels[: len(fake_examples)], real_labels[: len(real_examples)]
    num = int(max(asked.max(), classes.max())) + 1
    params = classifier.train(fake_examples, asked, num, steps=classifier.STEPS)
    network = classifier.network('generated-classifier', params, num)
    score = classifier.accuracy(network, real_examples, classes)
    return {'classification_accuracy_score': score}


@gives(code_accuracy=MORE)
def code_accuracy(recognized: np.ndarray, real_labels: np.ndarray) -> dict[str, float]:
    """`metrics.matched_accuracy` of the likeliest categories of real images.

    Of labels nothing is known but in the matching, which has no say in the training.
    """
    share, error, _ = metrics.matched_accuracy(recognized.argmax(axis=1), real_labels)
    return {'code_accuracy': share, 'code_accuracy/stderr': error}


@gives(classification_error=LESS)
def classification_error(classified: np.ndarray, real_labels: np.ndarray) -> dict[str, float]:
    """The share of real images for which the run's own classifier names another class.

    One less `metrics.label_accuracy`; of held-out images the test error.
    """
    share, error = metrics.label_accuracy(classified, real_labels)
    return {'classification_error': 1 - share, 'classification_error/stderr': error}


# What a game can say of an example of its own, and the metric that is usual where it can.
OWN: dict[str, tuple[str, str, Callable[[Any], Any]]] = {
    'classified': ('classify', 'classification_error', lambda found: found),
    'recognized': ('recognize', 'code_accuracy', lambda found: found['category']),
    'likelihoods': ('log_likelihood', 'held_out_nll', lambda found: found),
}


def said_by(game: Game) -> dict[str, str]:
    """{evidence that the game's own players give of examples: the metric of it}."""
    return {
        name: metric for name, (function, metric, _) in OWN.items() if function in game.functions
    }


def of_own(
    game: Game, wanted: set[str], real: Reference, encode: Callable
) -> Callable[[Any, Any], dict[str, np.ndarray]]:
    """(params, aux) -> what the game's own players say of the real examples, of what is wanted.

    Args:
      game: the game.
      wanted: the names of evidence that figures ask for.
      real: what samples are compared with.
      encode: of the examples' modality.
    """
    asked = {}
    for name in sorted(wanted & said_by(game).keys()):
        function, _, choose = OWN[name]

        def answer(params: Any, aux: Any, examples: Any, name=function, choose=choose) -> Any:
            return choose(game.functions[name](params, aux, examples))

        asked[name] = sampler.in_parts(answer, parallel.everywhere)

    def evidence(params: Any, aux: Any) -> dict[str, np.ndarray]:
        return {
            name: np.concatenate([say(params, aux, encode(x)) for x in real.chunks()])
            for name, say in asked.items()
        }

    return evidence


# Those that a conditional run is judged by beside the usual ones, none of which sees labels.
USUAL = ('intra_class_frechet_distance', 'label_accuracy', 'conditional_precision_recall')


def of_inputs(inputs: Any) -> dict[str, np.ndarray]:
    """{'fake_labels': the classes [n] that a prior drew}; nothing if it draws none."""
    if not isinstance(inputs, Mapping) or 'label' not in inputs:
        return {}
    return {'fake_labels': np.asarray(inputs['label'])}


def fewest(labels: np.ndarray, classes: int) -> int:
    """How many there are of the class that has fewest; 0 if one is missing."""
    return int(np.bincount(labels, minlength=classes).min())


def check_classes(name: str, needed: set[str], features: str) -> None:
    """Raises UserError if a metric asks for the data set's classes of a network of others.

    Args:
      name: of the metric.
      needed: the evidence that it names.
      features: the network, as a config names it or as it is called.
    """
    if needed >= OF_CLASSES and features.startswith(('inception:', 'inception-')):
        raise UserError(
            f'{name}: the classes of {features} are not those of the data set; take '
            f'--features=classifier, or leave that metric out'
        )


def confusion(names: Sequence[str], tables: Sequence[Mapping[str, np.ndarray]]) -> dict | None:
    """The record of which classes were named where which were asked for.

    Args:
      names: the classes.
      tables: of each seed.

    Returns:
      {'names', 'counts': by the class asked for, of each class named}, the sum over the seeds; None
      if there are none, or of other classes.
    """
    counts = sum((x[CONFUSION] for x in tables if CONFUSION in x), np.zeros((), np.int64))
    if counts.shape != (len(names), len(names)):
        return None
    return {'names': list(names), 'counts': counts.tolist()}
