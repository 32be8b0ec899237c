"""What a config can say wrongly of series is one line, before anything is compiled."""

import methods
import pytest

from gan_jax.config import experiment
from gan_jax.errors import UserError


def config(name, length=4, **changes):
    made = methods.shrunk(name, **changes)
    return made | {'data': made['data'] | {'length': length}}


def refused(made):
    with pytest.raises(UserError) as error:
        experiment.build(made)
    text = str(error.value)
    assert '\n' not in text
    return text


@pytest.mark.parametrize('name', ['rcgan', 'timegan'])
def test_a_latent_has_an_equal_part_for_each_step(name):
    assert 'let config.latent.size be 6 times the noise of a step' in refused(
        config(name, length=6)
    )


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'objective': 'hinge'}, 'leave config.objective at non_saturating'),
        ({'moments': {'weight': -1.0}}, 'config.moments.weight=-1.0 must be at least 0'),
        ({'moments': {'wieght': 1.0}}, 'did you mean config.moments.weight?'),
        ({'moments': 3}, 'config.moments=3 must be a dict'),
        ({'distance': 'l3'}, "config.distance 'l3' is unknown"),
        ({'discriminator_every': 0}, 'config.discriminator_every=0 must be at least 1'),
        ({'embedding_steps': -1}, 'config.embedding_steps=-1 must be at least 0'),
        ({'supervisor': {'name': 'recurrent.State'}}, "is 'recurrent.States'"),
        ({'recovery': {'name': 'recurrent.States'}}, 'not examples of (4, 5)'),
        ({'dataset': 'sines', 'data': {'length': 1}}, 'config.data.length=1 must be at least 2'),
        ({'augment': {'rotation': 5.0}}, 'series are not augmented'),
    ],
)
def test_a_mistake_is_one_line(changes, words):
    made = config('timegan')
    for key, value in changes.items():
        made[key] = made[key] | value if key in ('data', 'augment') else value
    assert words in refused(made)


def test_judges_are_of_series_and_repeated_at_least_once():
    made = config('ring8', length=None, eval_every=1000)
    chosen = made['evaluation'] | {'metrics': ('predictive_score',), 'best': 'predictive_score'}
    assert 'the metric predictive_score needs series' in refused(made | {'evaluation': chosen})
    made = config('rcgan')
    chosen = made['evaluation'] | {'repeats': 0}
    assert 'config.evaluation.repeats=0 must be at least 1' in refused(
        made | {'evaluation': chosen}
    )
