import pytest

from gan_jax.runtime import names
from gan_jax.runtime.names import Name


@pytest.mark.parametrize(
    ('text', 'name'),
    [
        ('loss', Name('loss')),
        ('seconds', Name('seconds')),
        ('discriminator/real_logit', Name('real_logit', 'discriminator')),
        ('discriminator_r1/r1', Name('r1', 'discriminator_r1')),
        ('generator/loss/seed_3', Name('loss', 'generator', seed=3)),
        ('eval/modes/stderr', Name('modes', 'eval', stderr=True)),
        (
            'frechet_distance[mnist-classifier]',
            Name('frechet_distance', network='mnist-classifier'),
        ),
        ('psnr/stderr', Name('psnr', stderr=True)),
        ('recall[x]/stderr', Name('recall', network='x', stderr=True)),
        ('eval/recall[a/b]/seed_12', Name('recall', 'eval', 'a/b', 12)),
    ],
)
def test_a_name_is_read_as_it_is_written(text, name):
    assert names.parse(text) == name
    assert str(name) == text


def test_a_text_of_another_form_is_a_figure():
    assert names.parse('a/b/c') == Name('a/b/c')
    assert str(names.parse('a/b/c')) == 'a/b/c'


def test_a_seeds_value_and_an_error_belong_to_one_figure():
    figure = Name('modes', 'eval')
    assert names.parse('eval/modes/seed_3').main == names.parse('eval/modes/stderr').main == figure
