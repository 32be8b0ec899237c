"""The example of docs/gan_loss_elsewhere.md runs, and does what the page says of it."""

import re

import jax
import jax.numpy as jnp
import methods
import numpy as np
import pytest
from flax import nnx

pytestmark = pytest.mark.slow

PAGE = (methods.ROOT / 'docs' / 'gan_loss_elsewhere.md').read_text()
EXAMPLE, USE = re.findall(r'```python\n(.*?)```', PAGE, re.DOTALL)
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (12, 28, 28, 1), np.uint8)


@pytest.fixture(scope='module')
def page():
    """What the example defines; it is run as a user runs it, without strict promotion."""
    namespace = {}
    with jax.numpy_dtype_promotion('standard'), jax.numpy_rank_promotion('allow'):
        exec(compile(EXAMPLE, 'gan_loss_elsewhere.md', 'exec'), namespace)
        yield namespace


@pytest.fixture(scope='module')
def runs(page):
    """{(steps, start): (the autoencoder's arrays, the judge's, the weights)}."""

    def run(steps, start):
        model, judge, seen = page['train'](IMAGES, steps, start, batch=4)
        arrays = jax.tree.leaves(nnx.state(model))
        return arrays, jax.tree.leaves(judge), [float(x['weight']) for x in seen]

    return {key: run(*key) for key in ((0, 0), (2, 2), (2, 9), (4, 2))}


def moved(one, other):
    return [bool((x != y).any()) for x, y in zip(one, other, strict=True)]


def test_before_its_start_there_is_no_adversary(runs):
    """Neither in the autoencoder's loss nor as a player; from then on there are both."""
    (first, judge, _), (early, unmoved, weights), (never, _, none), (late, judged, all_) = (
        runs.values()
    )
    assert all(moved(first, early))
    assert not any(moved(judge, unmoved))
    assert not any(moved(early, never))
    assert weights == none == all_[:2] == [0, 0]
    assert min(all_[2:]) > 0
    assert all(moved(judge, judged))
    assert all(moved(early, late))


def test_both_terms_pull_at_the_last_layer_in_the_proportion_asked_for(page):
    """By gradients of whole losses by all parameters; descent at rate 1 leaves their sum behind."""
    model, judge, _ = page['train'](IMAGES, 0, 0)
    real = page['data'].normalize(IMAGES[:4])

    @nnx.jit
    def gradients(model):
        terms = (
            lambda model: jnp.abs(model(real) - real).mean(),
            lambda model: -page['judge'](judge, model(real)).mean(),
        )
        return [nnx.grad(term)(model) for term in terms]

    fake, before = model(real), jax.tree.leaves(nnx.state(nnx.clone(model)))
    pulls = gradients(model)
    optimizer = nnx.Optimizer(model, page['optax'].sgd(1.0), wrt=nnx.Param)
    images, found = page['autoencoder_turn'](model, optimizer, judge, real, 5, 5)
    np.testing.assert_allclose(images, fake, atol=1e-6)
    np.testing.assert_allclose(found['l1'], np.abs(fake - real).mean(), rtol=1e-5)
    sizes = [np.sqrt(sum(np.sum(x**2) for x in jax.tree.leaves(y['last']))) for y in pulls]
    np.testing.assert_allclose(found['weight'], 0.2 * sizes[0] / (sizes[1] + 1e-4), rtol=1e-3)

    leaves = [before, jax.tree.leaves(nnx.state(model)), *map(jax.tree.leaves, pulls)]
    assert [len(x) for x in leaves] == [14] * 4
    for old, new, pull, push in zip(*leaves, strict=True):
        np.testing.assert_allclose(old - new, pull + found['weight'] * push, rtol=1e-3, atol=2e-6)


def test_the_running_means_are_those_of_the_logits(page):
    params = page['DISCRIMINATOR'].init(jax.random.key(1), jnp.zeros((1, 28, 28, 1)), train=True)
    real, fake = (jnp.asarray(x, jnp.float32) / 255 for x in (IMAGES[:4], IMAGES[4:8]))
    state, anchors = page['ADAM'].init(params), (jnp.float32(0.5), jnp.float32(-0.5))
    _, _, found = page['discriminator_turn'](params, state, anchors, real, fake)
    for old, new, images in zip(anchors, found, (real, fake), strict=True):
        want = 0.99 * old + 0.01 * page['judge'](params, images).mean()
        np.testing.assert_allclose(new, want, rtol=1e-5)


def test_the_page_trains_on_digits_and_tests_on_others(page, capsys):
    lines = []

    def train(images, **options):
        lines.append((images.shape, options))
        return page['train'](images, 1, 0, batch=4)

    exec(compile(USE, 'gan_loss_elsewhere.md', 'exec'), page | {'train': train})
    assert lines == [((4000, 28, 28, 1), {'steps': 1500, 'start': 1200})]
    assert 0 < float(capsys.readouterr().out) < 2
