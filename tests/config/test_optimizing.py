"""Learning rates as shares of the run, schedules that end too early, what optax refuses."""

import json
import math

import jax
import methods
import numpy as np
import optax
import pytest

from gan_jax.config import experiment, optimizing, resolve, saved
from gan_jax.errors import UserError

COSINE = {'name': 'cosine_decay_schedule', 'init_value': 2e-3}
LINE = {'name': 'linear_schedule', 'init_value': 3e-4, 'end_value': 0.0}


@pytest.mark.parametrize(
    ('name', 'steps', 'written'),
    [
        ('ring8', 25_000, optax.cosine_decay_schedule(2e-3, 25_000)),
        ('cyclegan', 266_800, optax.linear_schedule(2e-4, 0.0, 133_400, 133_400)),
        ('cyclegan_emoji', 9000, optax.linear_schedule(3e-4, 0.0, 4500, 4500)),
    ],
)
def test_configs_that_say_shares_have_the_rates_that_they_had(name, steps, written):
    """To the last bit, of both players; and of half as many steps the same at half the steps."""
    config = methods.load_config(name).to_dict()
    assert config['steps'] == steps
    for player in ('generator', 'discriminator'):
        value = config['optimizers'][player]['learning_rate']
        counts = np.linspace(0, steps, 101).astype(np.int32)
        for num, at in ((steps, counts), (steps // 2, counts // 2)):
            rate = optimizing.schedule('x', value, num)
            of = written if num == steps else lambda count: written(2 * count)
            with jax.numpy_dtype_promotion('standard'):
                expected, found = jax.vmap(of)(at), jax.vmap(rate)(at)
            if num == steps:
                np.testing.assert_array_equal(found, expected)
            else:
                np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize(
    ('value', 'at', 'rate'),
    [
        (COSINE | {'decay_steps': 0.5, 'of_steps': True}, 25, 1e-3),
        (COSINE | {'decay_steps': 50}, 25, 1e-3),
        (LINE | {'transition_steps': 1, 'transition_begin': 0.5, 'of_steps': True}, 100, 1.5e-4),
        ({'name': 'piecewise_constant_schedule', 'init_value': 1.0,
          'boundaries_and_scales': {'0.5': 0.1}, 'of_steps': True}, 51, 0.1),
        ({'name': 'piecewise_constant_schedule', 'init_value': 1.0,
          'boundaries_and_scales': {'50': 0.1}}, 51, 0.1),
    ],
)  # fmt: skip
def test_shares_are_of_a_players_updates(value, at, rate):
    assert float(optimizing.schedule('x', value, 100)(at)) == pytest.approx(rate, rel=1e-6)


def test_a_player_that_moves_at_every_fifth_step_has_a_fifth_of_the_updates():
    config = methods.shrunk('ring8', steps=1000, generator_every=5)
    made = experiment.rebuild(config).optimizers
    params = {'w': np.ones(1, np.float32)}
    state = made['generator'].init(params)
    with jax.numpy_dtype_promotion('standard'), jax.numpy_rank_promotion('allow'):
        half = jax.tree.map(lambda x: x + 100 if x.dtype == np.int32 else x, state)
        updates, _ = made['generator'].update(params, half, params)
        first, _ = made['generator'].update(params, state, params)
    # After 100 updates of 200 a cosine is at its half; Adam's own steps are of moments at 0.
    rates = [optimizing.schedule('x', config['optimizers']['generator']['learning_rate'], 200)(x)
             for x in (0, 100)]  # fmt: skip
    assert [float(x) for x in rates] == pytest.approx([2e-3, 1e-3])
    assert float(first['w'][0]) == pytest.approx(-2e-3, rel=1e-3)
    assert abs(float(updates['w'][0])) < 2e-3


@pytest.mark.parametrize(
    ('value', 'words'),
    [
        (COSINE | {'decay_steps': 0}, 'x.decay_steps=0 must be at least 1'),
        (COSINE | {'decay_steps': 2.5}, 'x.decay_steps=2.5 must be an integer'),
        (COSINE | {'decay_steps': math.nan, 'of_steps': True}, 'x.decay_steps=nan must be finite'),
        (COSINE | {'decay_steps': 0.0, 'of_steps': True}, 'x.decay_steps=0.0 must be above 0'),
        (COSINE | {'decay_steps': 5, 'of_steps': 1}, 'x.of_steps=1 must be True or False'),
        ({'name': 'sgdr_schedule', 'cosine_kwargs': [], 'of_steps': True}, 'takes no numbers of'),
        (COSINE | {'decay_steps': 5, 'init_value': 'x'}, "x.init_value='x' must be a number"),
        (COSINE | {'decay_steps': 5, 'init_value': -1}, 'x.init_value=-1 must be at least 0'),
        (COSINE | {'decay_steps': 5, 'alpa': 1}, 'did you mean x.alpha?'),
        (COSINE, 'x.decay_steps is missing'),
        (LINE | {'transition_steps': 5, 'transition_begin': -1}, 'must be at least 0'),
        ({'name': 'exponential_decay', 'init_value': 1.0, 'transition_steps': 5,
          'decay_rate': 0.0}, 'x.decay_rate=0.0 must be above 0'),
        ({'name': 'sgdr_schedule', 'cosine_kwargs': 5}, 'x: '),
        ({'name': 'piecewise_constant_schedule', 'init_value': 1.0,
          'boundaries_and_scales': {'x': 0.1}}, 'x.boundaries_and_scales: '),
        ({'name': 'piecewise_interpolate_schedule', 'init_value': 1.0, 'interpolate_type': 'x',
          'boundaries_and_scales': {'5': 0.1}}, 'x: '),
    ],
)  # fmt: skip
def test_a_schedule_that_cannot_be(value, words):
    with pytest.raises(UserError) as caught:
        optimizing.schedule('x', value, 100)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ('changes', 'lines'),
    [
        ({'steps': 2000}, []),
        ({'rate': COSINE | {'decay_steps': 1000}, 'steps': 2000}, ['0, after about 1001 of 2000']),
        ({'rate': COSINE | {'decay_steps': 1000, 'alpha': 0.1}, 'steps': 4000},
         ['0.0002, after about 1003 of 4000']),
        ({'rate': COSINE | {'decay_steps': 1000}, 'steps': 1000}, []),
        ({'rate': COSINE | {'decay_steps': 9000}, 'steps': 1000}, []),
        ({'rate': LINE | {'init_value': 0.0, 'end_value': 1e-3, 'transition_steps': 9},
          'steps': 1000}, []),  # a warm-up
        ({'rate': 1e-3, 'steps': 1000}, []),
        ({'rate': COSINE | {'decay_steps': 0.5, 'of_steps': True}, 'steps': 1000}, []),
        ({'steps': 4}, []),
        ({'rate': COSINE | {'decay_steps': 2}, 'steps': 4}, ['0, after about 2 of 4']),
    ],
)  # fmt: skip
def test_a_rate_that_ends_before_the_run_is_told(changes, lines):
    config = methods.shrunk('ring8', steps=changes['steps'])
    if 'rate' in changes:
        adam = {'name': 'adam', 'learning_rate': changes['rate']}
        config['optimizers'] = config['optimizers'] | {'generator': adam}
    found = resolve.spent_rates(config, experiment.rebuild(config).game)
    assert len(found) == len(lines)
    for line, words in zip(found, lines, strict=True):
        assert 'config.optimizers.generator.learning_rate has come to its end, ' + words in line
        assert 'of_steps=True' in line


def test_a_run_that_was_begun_with_numbers_of_steps_keeps_them(tmp_path):
    """One of the version before goes on as it would have; one begun with shares keeps these."""
    new = json.loads(json.dumps(methods.load_config('ring8').to_dict())) | {'steps': 50_000}
    rate = {'name': 'cosine_decay_schedule', 'init_value': 2e-3, 'decay_steps': 25_000}
    adam = {'name': 'adam', 'clip_norm': None, 'clip_weights': None, 'b1': 0.8}
    old = new | {'steps': 2, 'optimizers': dict.fromkeys(new['optimizers'], adam)}
    for player in old['optimizers']:
        old['optimizers'][player] = adam | {'learning_rate': rate}
    assert saved.as_begun(tmp_path, new) == new
    (tmp_path / 'config.json').write_text(json.dumps(old))
    begun = saved.as_begun(tmp_path, new)
    assert begun == old | {'steps': 50_000}
    saved.prepare(tmp_path, begun)
    changed = json.loads(json.dumps(new))
    changed['optimizers']['generator']['learning_rate']['init_value'] = 1e-3
    with pytest.raises(UserError, match=r'init_value: 0.002 there, 0.001 now; give'):
        saved.prepare(tmp_path, saved.as_begun(tmp_path, changed))
    (tmp_path / 'config.json').write_text(json.dumps(new))
    assert saved.as_begun(tmp_path, new) == new
