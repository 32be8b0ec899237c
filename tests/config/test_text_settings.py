"""What a config can say wrongly of texts is one line, before anything is compiled."""

import methods
import pytest

from gan_jax.config import experiment
from gan_jax.errors import UserError


@pytest.fixture
def config(tmp_path):
    made = methods.shrunk('words', dataset=methods.words(tmp_path / 'words.txt'))
    return made | {'eval_every': 0}


def refused(made):
    with pytest.raises(UserError) as error:
        experiment.build(made)
    text = str(error.value)
    assert '\n' not in text
    return text


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'latent': {'size': 5}}, 'let config.latent be uniform, of size 4'),
        ({'pretraining_steps': -1}, 'config.pretraining_steps=-1 must be at least 0'),
        ({'temperature': 0.0}, 'config.temperature=0.0 and config.last_temperature=0.5 must be'),
        ({'generator': {'temperature': -1.0}}, 'config.generator.temperature=-1.0 must be'),
        ({'generator': {'name': 'text.Generater'}}, "'text.Generator'"),
        ({'generator': {'ends': True}}, 'config.generator.ends'),
        ({'data': {'unit': 'letters'}}, "config.data.unit='letters' must be 'characters' or 'wor"),
        ({'data': {'vocabulary': 7}}, 'has no use for it'),
        ({'augment': {'rotation': 5.0}}, 'tokens are not augmented'),
        ({'dataset': 'sines'}, 'has no use for it'),
        ({'dataset': 'text:~nobody-has-this/x'}, 'name a text file or a folder'),
        ({'latent': {'name': 'normal'}}, "config.latent.name='normal': texts are drawn by uniform"),
        (
            {'privacy': {'epsilon': 9.0, 'delta': 1e-3, 'clip': 1.0}},
            '(vocabulary, size, unit, dictionary) is not accounted for',
        ),
    ],
)
def test_a_mistake_is_one_line(changes, words, config):
    for key, value in changes.items():
        config[key] = {**config[key], **value} if isinstance(value, dict) else value
    if changes.get('dataset') == 'sines':
        config['data'] |= {'dictionary': 'words'}
    assert words in refused(config)


def test_networks_of_text_are_for_texts():
    made = methods.shrunk('ring8', eval_every=0)
    made['discriminator'] = {'name': 'text.Discriminator'}
    assert 'the networks of text are for texts' in refused(made)


def test_what_draws_tokens_learns_only_in_games_of_texts():
    made = methods.shrunk('ring8', eval_every=0)
    made['generator'] = {'name': 'text.Generator'}
    assert "config.game='gan' has no gradient for a generator that draws tokens" in refused(made)


def test_figures_of_texts_are_of_texts(config):
    ring = methods.shrunk('ring8', eval_every=1000)
    for name, words in (('bleu', 'needs texts'), ('held_out_nll', 'needs a game that knows')):
        ring['evaluation'] |= {'metrics': (name,), 'best': 'bleu_2'}
        ring['evaluation'] |= {'best': 'held_out_nll'} if name == 'held_out_nll' else {}
        assert words in refused(ring)
    chosen = {'metrics': ('oracle_nll',), 'best': 'oracle_nll'}
    config |= {'eval_every': 1000, 'evaluation': config['evaluation'] | chosen}
    assert 'needs data whose law is known' in refused(config)


@pytest.mark.parametrize('cure', [{'top_k': 0.5, 'top_k_steps': 2}, {'instance_noise': 0.1}])
def test_tokens_are_rewarded_as_they_are(cure):
    made = methods.shrunk('seqgan', eval_every=0)
    made['cures'] |= cure
    assert 'leave cures.top_k at 1 and cures.instance_noise at 0' in refused(made)
