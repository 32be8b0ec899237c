import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.networks import text

LENGTH, SIZE = 3, 3
EVERY = np.array(list(itertools.product(range(SIZE), repeat=LENGTH)), np.int32)
ENDED = np.array([x for x in EVERY.tolist() if all(a or not b for a, b in itertools.pairwise(x))])


def generator(ends, scale=3.0, **options):
    """A network with parameters large enough that no two texts are alike, and its functions."""
    module = text.Generator((LENGTH, SIZE), ends, embedding=4, width=4, **options)
    params = module.init(jax.random.key(0), jnp.zeros((1, LENGTH)))
    params = jax.tree.map(
        lambda x: scale * jax.random.normal(jax.random.key(x.size), x.shape), params
    )
    apply = jax.jit(module.apply, static_argnames='method')
    return lambda method, *args: apply(params, *args, method=method)


def test_tokens_are_drawn_by_the_inverse_of_their_distribution():
    """Thousands of tokens and a few; the ends of [0, 1] too."""
    rng = np.random.default_rng(0)
    for size in (1, 2, 5, 16, 17, 1000):
        logits = rng.normal(size=(50, size)).astype(np.float32)
        u = np.concatenate([rng.random(48), [0, 1]]).astype(np.float32)
        sums = np.cumsum(np.exp(logits.astype(np.float64)), axis=1)
        want = np.minimum((sums <= u[:, None] * sums[:, -1:]).sum(axis=1), size - 1)
        np.testing.assert_array_equal(text.inverse_cdf(logits, u), want)


@pytest.mark.parametrize(('ends', 'texts'), [(False, EVERY), (True, ENDED)])
def test_the_probabilities_of_all_texts_sum_to_1_and_are_those_of_samples(ends, texts):
    call = generator(ends)
    shares = np.exp(call('log_likelihood', texts).sum(axis=1))
    assert shares.sum() == pytest.approx(1, abs=1e-5)
    num = 20_000
    made = np.asarray(call('sampled', jax.random.uniform(jax.random.key(1), (num, LENGTH))))
    places = SIZE ** np.arange(LENGTH)
    counts = np.bincount(made @ places, minlength=SIZE**LENGTH)[texts @ places]
    assert counts.sum() == num
    assert np.abs(counts / num - shares).max() < 4 * np.sqrt(0.25 / num)


def test_of_equal_logits_a_token_costs_the_logarithm_of_the_vocabulary():
    module = text.Generator((LENGTH, SIZE), False)
    params = module.init(jax.random.key(0), jnp.zeros((1, LENGTH)))
    params = jax.tree.map(jnp.zeros_like, params)
    found = module.apply(params, EVERY, method='log_likelihood')
    np.testing.assert_allclose(found, -np.log(SIZE), rtol=1e-6)


def test_a_latent_draws_a_text_as_one_hot_vectors():
    call = generator(False)
    latent = jax.random.uniform(jax.random.key(2), (5, LENGTH), minval=-1.0)
    made = call('__call__', latent)
    assert made.shape == (5, LENGTH, SIZE)
    np.testing.assert_array_equal(made.argmax(axis=-1), call('sampled', (latent + 1) / 2))
    np.testing.assert_array_equal(made.sum(axis=-1), 1)
    with pytest.raises(ValueError, match=r'let config\.latent be uniform, of size 3'):
        call('__call__', latent[:, :2])


@pytest.mark.parametrize('ends', [False, True])
def test_roll_outs_keep_a_beginning_and_go_on_as_the_text_would(ends):
    """With the text's own uniforms each roll-out is the text itself."""
    call = generator(ends)
    uniforms = jax.random.uniform(jax.random.key(3), (50, LENGTH))
    texts = call('sampled', uniforms)
    again = jnp.repeat(uniforms[:, None], LENGTH - 1, axis=1)
    whole = np.broadcast_to(texts[:, None], (50, LENGTH - 1, LENGTH))
    np.testing.assert_array_equal(call('completed', texts, again), whole)
    others = call('completed', texts, 1 - again)
    for t in range(1, LENGTH):
        np.testing.assert_array_equal(others[:, t - 1, :t], texts[:, :t])
    assert (others != whole).any()


def test_a_low_temperature_draws_the_likeliest():
    sharp, plain = generator(False, temperature=1e-3), generator(False)
    made = sharp('sampled', jax.random.uniform(jax.random.key(4), (100, LENGTH)))
    first = np.exp([plain('log_likelihood', EVERY[i : i + 1])[0, 0] for i in (0, 9, 18)])
    assert {*np.asarray(made[:, 0]).tolist()} == {int(first.argmax())}


def test_relaxed_samples_become_hard_and_their_hard_ones_follow_the_law():
    call = generator(True)
    noise = jax.random.gumbel(jax.random.key(5), (20_000, LENGTH, SIZE))
    soft, hard = call('relaxed', noise, 0.01)
    np.testing.assert_allclose(soft.sum(axis=-1), 1, rtol=1e-5)
    assert np.mean(np.abs(soft - hard).max(axis=(1, 2)) < 0.01) > 0.95
    made = np.asarray(hard.argmax(axis=-1))
    assert not (made[:, 1:] * (made[:, :-1] == 0)).any()  # nothing after an end
    shares = np.exp(call('log_likelihood', ENDED).sum(axis=1))
    places = SIZE ** np.arange(LENGTH)
    counts = np.bincount(made @ places, minlength=SIZE**LENGTH)[ENDED @ places]
    assert np.abs(counts / len(made) - shares).max() < 0.03


def test_no_hard_sample_goes_on_after_its_first_end_however_soft_it_is():
    noise = jax.random.gumbel(jax.random.key(6), (20_000, LENGTH, SIZE))
    soft, hard = generator(True, scale=0.3)('relaxed', noise, 1.0)
    own = np.asarray(soft.argmax(axis=-1))
    assert (own[:, 1:] * (own[:, :-1] == 0)).any()  # which a sample of its own would
    made = np.asarray(hard.argmax(axis=-1))
    assert not (made[:, 1:] * (made[:, :-1] == 0)).any()
    np.testing.assert_array_equal(hard.sum(axis=-1), 1)


def test_the_discriminator_judges_tokens_as_their_one_hot_vectors():
    module = text.Discriminator((LENGTH, SIZE), embedding=4, sizes=(1, 2, 9), features=5)
    shown = jax.nn.one_hot(EVERY, SIZE)
    params = module.init(jax.random.key(0), shown, True)
    logits = module.apply(params, shown, False)
    assert logits.shape == (len(EVERY),)
    np.testing.assert_allclose(module.apply(params, EVERY, method='of_tokens'), logits, rtol=1e-5)
    rng = jax.random.split(jax.random.key(1), len(EVERY))
    assert np.abs(module.apply(params, shown, True, rng) - logits).max() > 1e-3


def test_what_is_no_text_is_said():
    module = text.Generator((8, 8, 1), False)
    with pytest.raises(ValueError, match='are for texts'):
        module.init(jax.random.key(0), jnp.zeros((1, 8)))
    module = text.Generator((LENGTH, SIZE), False, temperature=0.0)
    with pytest.raises(ValueError, match=r'temperature=0\.0 must be above 0'):
        module.init(jax.random.key(0), jnp.zeros((1, LENGTH)))
