import jax
import jax.numpy as jnp
import methods
import numpy as np
import optax
import pytest

from gan_jax import optimizers
from gan_jax.game import Turn


def turns(*rates):
    """The first is the loss, the others are lazy."""
    own = [Turn('d', None, every, str(i), lazy=i > 0) for i, every in enumerate(rates)]
    return [*own, Turn('g', None)]


@pytest.mark.parametrize(
    ('rates', 'c'),
    [
        ((1,), 1.0),
        ((5,), 1.0),  # n_critic is no lazy regularisation
        ((1, 16), 16 / 17),  # R1 in StyleGAN2
        ((1, 4), 4 / 5),  # path length in StyleGAN2
        ((5, 4), 4 / 9),  # a lazy penalty of a player who plays less often than it
        ((1, 16, 4), 1 / (1 + 1 / 16 + 1 / 4)),
    ],
)
def test_lazy_correction(rates, c):
    assert optimizers.lazy_correction(turns(*rates), 'd') == pytest.approx(c)
    assert optimizers.lazy_correction(turns(*rates), 'g') == 1.0


def test_two_whole_turns_of_a_player_are_not_corrected_for():
    both = [Turn('d', None, name=name) for name in 'ab']
    assert optimizers.lazy_correction(both, 'd') == 1.0
    moved_with_another = Turn(('d', 'q'), None, 4, 'lazy', lazy=True)
    assert optimizers.lazy_correction([*both, moved_with_another], 'd') == 4 / 5


def steps(optimizer, gradients=(1.0, -3.0, 0.5)):
    params = jnp.float32(0.0)
    state = optimizer.init(params)
    with jax.numpy_dtype_promotion('standard'):
        for gradient in gradients:
            updates, state = optimizer.update(jnp.float32(gradient), state, params)
            params = optax.apply_updates(params, updates)
    return params


def test_the_correction_is_stylegans():
    c = 16 / 17
    made = optimizers.make(optax.adam, c, learning_rate=0.002, b1=0.0, b2=0.99)
    want = optax.adam(0.002 * c, b1=0.0, b2=0.99**c)
    np.testing.assert_allclose(steps(made), steps(want), rtol=1e-6)
    assert abs(steps(made) - steps(optax.adam(0.002, b1=0.0, b2=0.99))) > 1e-6


def test_defaults_are_corrected_too():
    made = optimizers.make(optax.adam, 0.5, learning_rate=0.1)
    np.testing.assert_allclose(steps(made), steps(optax.adam(0.05, b1=0.9**0.5, b2=0.999**0.5)))


def test_gradients_are_clipped_by_their_global_norm():
    made = optimizers.make(optax.sgd, clip_norm=1.0, learning_rate=1.0)
    params = {'a': jnp.zeros(1), 'b': jnp.zeros(1)}
    gradients = {'a': jnp.array([3.0]), 'b': jnp.array([4.0])}
    updates, _ = made.update(gradients, made.init(params), params)
    np.testing.assert_allclose([updates['a'][0], updates['b'][0]], [-0.6, -0.8], rtol=1e-6)


def test_the_menu_is_optaxs_optimizers():
    names = optimizers.available()
    assert {'adam', 'adamw', 'rmsprop', 'sgd', 'adabelief'} <= names.keys()
    assert not any(name.startswith(('_', 'scale_by')) for name in names)


def test_ema_decay_is_half_after_the_half_life():
    decay = optimizers.ema_decay(64, 640.0, ramp_up=None)
    assert float(decay(jnp.int32(7))) ** 10 == pytest.approx(0.5, rel=1e-5)


def test_ema_ramps_up():
    """StyleGAN2-ADA at step 3: the half-life is 5% of 192 images."""
    decay = optimizers.ema_decay(64, 10_000.0)
    assert float(decay(jnp.int32(3))) == pytest.approx(0.5 ** (64 / (0.05 * 192)), rel=1e-5)
    assert float(decay(jnp.int32(10**6))) == pytest.approx(0.5 ** (64 / 10_000), rel=1e-5)


def test_no_half_life_is_no_memory():
    assert float(optimizers.ema_decay(64, 0.0)(jnp.int32(5))) == 0.0


def test_clipped_weights_stay_within_their_bound():
    optimizer = optimizers.make(optax.sgd, clip_weights=0.5, learning_rate=1.0)
    params = {'w': jnp.array([0.0, 0.4, -0.4, 0.9])}
    grads = {'w': jnp.array([-0.2, -0.4, 3.0, 0.0])}
    with jax.numpy_dtype_promotion('standard'):
        updates, _ = optimizer.update(grads, optimizer.init(params), params)
    moved = optax.apply_updates(params, updates)['w']
    np.testing.assert_allclose(moved, [0.2, 0.5, -0.5, 0.5], rtol=1e-6)
    with pytest.raises(ValueError, match='params'):
        optimizers.weight_clipping(0.5).update(grads, optax.EmptyState())


def test_a_schedule_is_corrected_as_a_number_is():
    schedule = optimizers.schedules()['cosine_decay_schedule'](init_value=0.4, decay_steps=10)
    grads = {'w': jnp.ones(1)}
    for correction, want in ((1.0, -0.4), (0.5, -0.2)):
        optimizer = optimizers.make(optax.sgd, correction, learning_rate=schedule)
        with jax.numpy_dtype_promotion('standard'):
            updates, _ = optimizer.update(grads, optimizer.init(grads), grads)
        np.testing.assert_allclose(updates['w'], want, rtol=1e-6)


@pytest.mark.parametrize(
    ('turns', 'num'),
    [
        ([{}], 100),
        ([{'every': 5}], 20),
        ([{}, {'every': 16, 'lazy': True}], 106),
        ([{'start': 40}], 60),
        ([{'every': 3, 'start': 10, 'stop': 50}], 13),  # 12, 15, ..., 48
        ([{'stop': 500}], 100),
        ([{'player': ('generator', 'q')}, {'player': 'q'}], 100),
    ],
)
def test_updates_are_counted_as_turns_are_played(turns, num):
    made = [Turn(**({'player': 'generator', 'loss': None} | turn)) for turn in turns]
    assert optimizers.updates(made, 'generator', 100) == num
    played = [turn for step in range(1, 101) for turn in made
              if 'generator' in turn.players and step % turn.every == 0 and step > turn.start
              and (turn.stop is None or step <= turn.stop)]  # fmt: skip
    assert len(played) == num


@pytest.mark.parametrize(
    ('schedule', 'num', 'end'),
    [
        (optax.linear_schedule(1.0, 0.0, 50), 100, (50, 0.0)),
        (optax.linear_schedule(1.0, 0.5, 50), 100, (50, 0.5)),
        (optax.linear_schedule(1.0, 0.0, 100), 100, None),
        (optax.linear_schedule(1.0, 0.0, 50, 50), 100, None),
        (optax.linear_schedule(0.0, 1.0, 50), 100, None),
        (optax.constant_schedule(1.0), 100, None),
        (optax.linear_schedule(1.0, 0.0, 50), 0, None),
    ],
)
def test_where_a_schedule_ends(schedule, num, end):
    with jax.numpy_dtype_promotion('standard'):
        assert optimizers.ended(schedule, num) == end


@pytest.mark.parametrize('player', ['generator', 'discriminator'])
def test_wgans_rmsprop_steps_as_its_authors_does_at_the_gradients_of_a_clipped_critic(player):
    """torch.optim.RMSprop at a gradient g of 1e-5: g / (sqrt(0.01 g^2) + 1e-8) = 9.901, then 7.039.

    With 1e-8 inside the root they would be 0.1 and 0.1.
    """
    settings = methods.load_config('wgan').optimizers[player].to_dict() | {'learning_rate': 5e-5}
    optimizer = getattr(optax, settings.pop('name'))
    moved = steps(optimizers.make(optimizer, **settings), (1e-5, 1e-5))
    np.testing.assert_allclose(moved, -8.46995e-4, rtol=1e-5)
