"""BLEU against literals of nltk 3.10.4, sentence_bleu with SmoothingFunction().method1."""

import numpy as np
import pytest

from gan_jax import metrics

REFERENCES = ['the cat sat on the mat', 'a dog ran to the mat and sat', 'the the dog']
TEXTS = ['the cat ran to the mat', 'the the the', 'dog']
TEXTS += ['a cat on a mat sat on the dog and the cat', 'no words here']
BLEU = {
    2: [0.894427, 0.57735, 0.042797, 0.522233, 0.0],
    3: [0.736806, 0.32183, 0.029157, 0.301007, 0.0],
    4: [0.604275, 0.240281, 0.024066, 0.131938, 0.0],
    5: [0.367098, 0.20164, 0.021449, 0.082353, 0.0],
}
SELF_BLEU = {
    2: [0.365148, 0.182574, 0.042797, 0.194625, 0.0],
    3: [0.14938, 0.14938, 0.029157, 0.072354, 0.0],
    4: [0.102669, 0.13512, 0.024066, 0.045294, 0.0],
}


def words(texts):
    return [x.split() for x in texts]


@pytest.mark.parametrize('n', BLEU)
def test_bleu_of_another_package(n):
    found = metrics.bleu(words(TEXTS), words(REFERENCES), n)
    np.testing.assert_allclose(found, BLEU[n], atol=1e-6)


@pytest.mark.parametrize('n', SELF_BLEU)
def test_self_bleu_of_another_package(n):
    np.testing.assert_allclose(metrics.self_bleu(words(TEXTS), n), SELF_BLEU[n], atol=1e-6)


def test_bleu_of_a_reference_is_1_and_of_equal_texts_self_bleu_is_1():
    np.testing.assert_allclose(metrics.bleu(words(REFERENCES[:2]), words(REFERENCES), 5), 1)
    np.testing.assert_allclose(metrics.self_bleu(words(REFERENCES[:1] * 3), 5), 1)


def test_of_two_references_as_near_in_length_the_shorter_counts():
    assert metrics.bleu(['ab'], ['a', 'bcd'], 1).tolist() == [1.0]
    assert metrics.bleu(['ab'], ['abc'], 1) == pytest.approx(np.exp(-0.5))


def test_bleu_needs_something_to_compare_with():
    with pytest.raises(ValueError, match='needs a reference'):
        metrics.bleu(words(TEXTS), [], 2)
    with pytest.raises(ValueError, match='needs two texts'):
        metrics.self_bleu(words(TEXTS[:1]), 2)


def test_ngram_divergence_in_bits():
    """Pairs of 'ab': ^a ab b$; of 'ac': ^a ac c$. A third is shared, so JS is 2/3."""
    assert metrics.ngram_divergence(['ab'], ['ab', 'ab'], 2) == pytest.approx(0, abs=1e-12)
    assert metrics.ngram_divergence(['ab'], ['ac'], 2) == pytest.approx(2 / 3)
    assert metrics.ngram_divergence(['ab'], ['cd'], 2) == pytest.approx(1)
    # Shares of letters 3/4, 1/4 and 1/4, 3/4, without bounds: 1 - H(1/4) bits.
    with_bounds = metrics.ngram_divergence(['aaab'], ['abbb'], 1)
    entropy = -(0.25 * np.log2(0.25) + 0.75 * np.log2(0.75))
    assert with_bounds == pytest.approx((1 - entropy) * 4 / 6)


def test_ngram_divergence_needs_ngrams():
    with pytest.raises(ValueError, match='no 4 tokens in a row'):
        metrics.ngram_divergence(['a'], ['abcd'], 4)
