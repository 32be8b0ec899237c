"""How alike two sets of texts are, and how much they repeat: sequences of tokens.

A text is a tuple of whatever can be compared: numbers, characters, words.
"""

import collections
import math
from collections.abc import Hashable, Iterator, Sequence

import numpy as np

Text = Sequence[Hashable]
EPSILON = 0.1  # in place of no match


def ngrams(text: Text, n: int) -> Iterator[tuple[Hashable, ...]]:
    """All runs of n tokens."""
    return zip(*(text[i:] for i in range(n)), strict=False)


def ngram_divergence(real: Sequence[Text], fake: Sequence[Text], n: int) -> float:
    """The Jensen-Shannon divergence of the shares of n-grams, in bits.

    (KL(p, m) + KL(q, m)) / 2 with m = (p + q) / 2. A text's beginning and its end count as tokens.

    Source: Divergence Measures Based on the Shannon Entropy (Lin, 1991).

    Args:
      real: texts.
      fake: texts.
      n: at least 1.

    Returns:
      From 0 for equal shares to 1 where no n-gram is in both.

    Raises:
      ValueError: if one side has no n-gram.
    """
    sides = []
    for texts in (real, fake):
        bounded = ((None, *text, None) for text in texts)
        sides.append(collections.Counter(x for text in bounded for x in ngrams(text, n)))
    if not all(sides):
        raise ValueError(f'one side has no {n} tokens in a row')
    every = sorted({*sides[0], *sides[1]}, key=repr)
    p, q = (np.array([x[gram] for gram in every]) / x.total() for x in sides)
    m = (p + q) / 2
    return float(sum(_relative_entropy(x, m) for x in (p, q)) / 2)


def _relative_entropy(p: np.ndarray, m: np.ndarray) -> float:
    some = p > 0
    return float(np.sum(p[some] * np.log2(p[some] / m[some])))


class _Counts:
    """How often each n-gram comes in that text of a set where it comes most, and in the next."""

    def __init__(self, texts: Sequence[Text], n: int):
        self.most: dict[tuple[Hashable, ...], tuple[int, int, int]] = {}  # first, its place, second
        for place, text in enumerate(texts):
            for gram, count in collections.Counter(ngrams(text, n)).items():
                first, holder, second = self.most.get(gram, (0, -1, 0))
                if count > first:
                    self.most[gram] = count, place, first
                elif count > second:
                    self.most[gram] = first, holder, count

    def without(self, gram: tuple[Hashable, ...], place: int) -> int:
        """The most in any text but that one."""
        first, holder, second = self.most.get(gram, (0, -1, 0))
        return second if holder == place else first


def bleu(texts: Sequence[Text], references: Sequence[Text], n: int) -> np.ndarray:
    """BLEU-n of each text against all references, with smoothing.

    min(1, exp(1 - r / c)) (prod_{i <= n} p_i)^(1/n): p_i the share of the text's i-grams that are
    in a reference, counted no oftener than in any one of them; c the text's length and r that of
    the reference whose length is nearest, the shorter of two. Where nothing matches, 0.1 counts as
    the number of matches; but of a text that shares no token BLEU is 0. A text of fewer than i
    tokens has one i-gram, which does not match.

    Sources: BLEU: a Method for Automatic Evaluation of Machine Translation (Papineni et al., 2002);
    A Systematic Comparison of Smoothing Techniques for Sentence-Level BLEU (Chen & Cherry, 2014),
    the first one; Texygen (Zhu et al., 2018), all references at once.

    Args:
      texts: texts.
      references: texts, one at least.
      n: at least 1.

    Returns:
      Shares in [0, 1], float64 [len(texts)].

    Raises:
      ValueError: if there is no reference.
    """
    if not references:
        raise ValueError('BLEU needs a reference')
    counts = [_Counts(references, i) for i in range(1, n + 1)]
    lengths = collections.Counter(map(len, references))
    return np.array([_bleu(text, counts, lengths, -1) for text in texts])


def self_bleu(texts: Sequence[Text], n: int) -> np.ndarray:
    """BLEU-n of each text against all others of its set: more where texts are alike.

    Source: Texygen: A Benchmarking Platform for Text Generation Models (Zhu et al., 2018).

    Args:
      texts: two or more.
      n: at least 1.

    Returns:
      Shares in [0, 1], float64 [len(texts)].

    Raises:
      ValueError: if there are fewer than two.
    """
    if len(texts) < 2:
        raise ValueError('self-BLEU needs two texts')
    counts = [_Counts(texts, i) for i in range(1, n + 1)]
    lengths = collections.Counter(map(len, texts))
    found = []
    for place, text in enumerate(texts):
        others = lengths - collections.Counter([len(text)])
        found.append(_bleu(text, counts, others, place))
    return np.array(found)


def _bleu(
    text: Text, counts: Sequence[_Counts], lengths: collections.Counter[int], place: int
) -> float:
    """BLEU of a text against the counted ones but that at its own place."""
    logs = 0.0
    for i, known in enumerate(counts, 1):
        own = collections.Counter(ngrams(text, i))
        matches: float = sum(min(x, known.without(gram, place)) for gram, x in own.items())
        if i == 1 and not matches:
            return 0.0
        logs += math.log((matches or EPSILON) / max(1, own.total()))
    nearest = min(lengths, key=lambda r: (abs(r - len(text)), r))
    penalty = min(0.0, 1 - nearest / len(text))
    return math.exp(penalty + logs / len(counts))
