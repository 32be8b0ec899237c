"""Figures of texts. Their evidence is what `figures` has, and

unit            what a token is: 'characters', 'words', or 'numbers', which have no end
vocabulary      the tokens' texts
dictionary      a file of real words
oracle          {'seed', 'vocabulary'} of the law that the data were drawn from
train_all       all texts that were trained on, however few others are asked for
likelihoods     log p of the real texts by the run's own generator, in nats [n]
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from gan_jax import metrics
from gan_jax.data import oracle as oracle_lib
from gan_jax.data import text
from gan_jax.evaluation import standard_errors as errors
from gan_jax.evaluation.figures import LESS, MORE, at_least, gives

ORDERS = (2, 3, 4, 5)  # of BLEU


@gives(bigram_divergence=LESS, trigram_divergence=LESS)
def ngram_divergence(real_every: np.ndarray, fake_every: np.ndarray, unit: str) -> dict[str, float]:
    """`metrics.ngram_divergence` of pairs and of triples.

    Without standard errors: fewer texts have a larger divergence, so groups say nothing of all.
    """
    real, fake = (text.sequences(x, unit) for x in (real_every, fake_every))
    return {
        f'{name}_divergence': metrics.ngram_divergence(real, fake, n)
        for n, name in ((2, 'bigram'), (3, 'trigram'))
    }


@gives(novel=MORE, distinct=MORE)
def novelty(train_all: np.ndarray, fake_every: np.ndarray, unit: str) -> dict[str, float]:
    """The share of texts that are not among those trained on, and of different ones among all."""
    known = set(text.sequences(train_all, unit))
    made = text.sequences(fake_every, unit)
    return {
        **errors.of_values('novel', [np.array([x not in known for x in made], np.float64)]),
        'distinct': len(set(made)) / len(made),
    }


@gives(real_words=MORE, novel_real_words=MORE, novel_are_real=MORE)
def real_words(
    train_all: np.ndarray,
    fake_every: np.ndarray,
    unit: str,
    vocabulary: Sequence[str],
    dictionary: str,
) -> dict[str, float]:
    """Texts all of whose words, between blanks, are in the dictionary.

    The shares of all texts that are such, that are such and were not trained on, and of those not
    trained on that are such; the last is 0 where all were trained on.
    """
    known = text.read_dictionary(dictionary)
    trained = set(text.as_lines(train_all, vocabulary, unit))
    made = text.as_lines(fake_every, vocabulary, unit)
    real = np.array([bool(x.split()) and known.issuperset(x.split()) for x in made], np.float64)
    novel = np.array([x not in trained for x in made])
    found = errors.of_values('real_words', [real])
    found |= errors.of_values('novel_real_words', [real * novel])
    return found | errors.of_values('novel_are_real', [real[novel] if novel.any() else np.zeros(1)])


def _bleu(prefix: str, figure: Callable[[int], np.ndarray]) -> dict[str, float]:
    found: dict[str, float] = {}
    for n in ORDERS:
        found |= errors.of_values(f'{prefix}_{n}', [figure(n)])
    return found


@gives(bleu_2=MORE, bleu_3=MORE, bleu_4=MORE, bleu_5=MORE)
def bleu(real_examples: np.ndarray, fake_examples: np.ndarray, unit: str) -> dict[str, float]:
    """The mean of `metrics.bleu` against the real texts, 2,500 of each side at most."""
    real, fake = (text.sequences(x, unit) for x in (real_examples, fake_examples))
    return _bleu('bleu', lambda n: metrics.bleu(fake, real, n))


@gives(self_bleu_2=LESS, self_bleu_3=LESS, self_bleu_4=LESS, self_bleu_5=LESS)
@at_least(fake=2)
def self_bleu(fake_examples: np.ndarray, unit: str) -> dict[str, float]:
    """The mean of `metrics.self_bleu`, of 2,500 texts at most."""
    fake = text.sequences(fake_examples, unit)
    return {
        name: x
        for name, x in _bleu('self_bleu', lambda n: metrics.self_bleu(fake, n)).items()
        if '/' not in name  # each text is a reference of all others: they do not vary by themselves
    }


@gives(oracle_nll=LESS)
def oracle_nll(fake_every: np.ndarray, oracle: Mapping[str, int]) -> dict[str, float]:
    """-log p of a token by the data's own law, the mean over all tokens of the texts, in nats.

    The data's entropy is what the law's own samples have; less than that is too little variety.
    """
    steps = oracle_lib.make(**oracle).log_likelihood(fake_every)
    return errors.of_values('oracle_nll', [-steps.mean(axis=1)])


@gives(held_out_nll=LESS)
def held_out_nll(likelihoods: np.ndarray, real_every: np.ndarray, unit: str) -> dict[str, float]:
    """-log p of a token of the real texts by the run's generator, in nats: perplexity's logarithm.

    sum_i -log p(y_i) / sum_i T_i, T_i the tokens of text i, an end among them.
    """
    most, ends = real_every.shape[1], text.ends(unit)
    steps = [min(len(x) + ends, most) for x in text.sequences(real_every, unit)]
    sides = -likelihoods.astype(np.float64), np.array(steps)
    return errors.measured(['held_out_nll'], lambda x, t: [x.sum() / t.sum()], *sides)
