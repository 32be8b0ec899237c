"""Figures of texts from tokens, and the likelihood that a game has of held-out ones."""

import methods
import numpy as np
import pytest

from gan_jax.config import experiment
from gan_jax.data import oracle
from gan_jax.evaluation import labels, menu, texts

VOCABULARY = ['', 'a', 'b', 'c']
TRAIN = np.array([[1, 2, 0], [2, 1, 0]])  # ab, ba
FAKE = np.array([[1, 2, 0], [1, 0, 0], [3, 3, 0], [1, 2, 3]])  # ab, a, cc, abc
TOLD = {'unit': 'characters', 'vocabulary': VOCABULARY}


def plain(found):
    return {name: x for name, x in found.items() if '/' not in name}


def test_new_different_and_real_words(tmp_path):
    words = tmp_path / 'words.txt'
    words.write_text('a\nab\nabc\n')
    assert plain(texts.novelty(TRAIN, FAKE, 'characters')) == {'novel': 0.75, 'distinct': 1.0}
    again = np.concatenate([FAKE, FAKE])
    assert texts.novelty(TRAIN, again, 'characters')['distinct'] == 0.5
    found = plain(texts.real_words(TRAIN, FAKE, dictionary=str(words), **TOLD))
    assert found == {
        'real_words': 0.75,
        'novel_real_words': 0.5,
        'novel_are_real': pytest.approx(2 / 3),
    }
    blank = plain(
        texts.real_words(TRAIN, np.array([[1, 1]]), 'characters', ['', ' ', 'a'], str(words))
    )
    assert blank['real_words'] == 0
    found = plain(texts.real_words(TRAIN, TRAIN, dictionary=str(words), **TOLD))
    assert found == {'real_words': 0.5, 'novel_real_words': 0.0, 'novel_are_real': 0.0}


def test_real_texts_in_the_samples_place_have_no_divergence():
    found = texts.ngram_divergence(TRAIN, TRAIN, 'characters')
    assert found == {'bigram_divergence': 0.0, 'trigram_divergence': 0.0}
    assert texts.ngram_divergence(TRAIN, FAKE, 'characters')['trigram_divergence'] > 0.1


def test_the_held_out_nll_is_by_tokens_and_an_end_is_one():
    """ab and its end, a and its end, cc and its end, abc without: 3 + 2 + 3 + 3 tokens."""
    each = -np.log(4) * np.array([3.0, 2.0, 3.0, 3.0])
    assert texts.held_out_nll(each, FAKE, 'characters')['held_out_nll'] == pytest.approx(np.log(4))
    whole = np.full(4, -3 * np.log(4))
    assert texts.held_out_nll(whole, FAKE, 'numbers')['held_out_nll'] == pytest.approx(np.log(4))


def test_the_nll_of_the_law_is_that_of_its_tokens():
    law = {'seed': 1, 'vocabulary': 4}
    want = -oracle.make(**law).log_likelihood(FAKE).mean()
    found = texts.oracle_nll(FAKE, law)
    assert found['oracle_nll'] == pytest.approx(want, rel=1e-6)
    assert found['oracle_nll/stderr'] > 0


def test_bleu_of_texts_that_repeat_themselves():
    found = plain(texts.bleu(TRAIN, TRAIN[:1], 'characters') | texts.self_bleu(FAKE, 'characters'))
    assert found['bleu_2'] == pytest.approx(1)
    assert {*found} == {*menu.gives(['bleu', 'self_bleu'])}


@pytest.mark.parametrize('row', ['words', 'seqgan'])
def test_games_of_texts_have_a_likelihood_and_no_other_game_has(row):
    game = experiment.rebuild(methods.method(row)).game
    assert labels.said_by(game) == {'likelihoods': 'held_out_nll'}


def test_copies_are_not_new_though_few_of_the_training_texts_are_asked_for(tmp_path):
    made = methods.shrunk('words', dataset=methods.words(tmp_path / 'words.txt'), eval_every=0)
    built = experiment.build(made)
    evaluation = built.evaluation(5, ['novelty'])
    assert len(evaluation.references['train'].places) == 5 < len(built.dataset)
    copies = built.dataset.batch(np.arange(len(built.dataset)))['real']
    assert evaluation([copies])['novel'] == 0
