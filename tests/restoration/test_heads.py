import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from PIL import Image

from gan_jax.config import checks
from gan_jax.restoration import baselines
from gan_jax.restoration import heads as outputs

GENERATOR = np.random.default_rng(0)
NAMES = checks.functions_with(outputs, 'made', 'source').keys()


def draw(*shape, limit=0.9, dtype=np.float32):
    return jnp.asarray(GENERATOR.uniform(-limit, limit, shape).astype(dtype))


def masked(num=2, height=4, width=6, channels=3, dtype=np.float32):
    mask = jnp.asarray((GENERATOR.uniform(size=(num, height, width, 1)) < 0.5).astype(dtype))
    return jnp.concatenate([draw(num, height, width, channels, dtype=dtype), mask], -1)


def source_of(name, dtype=np.float32):
    return masked(dtype=dtype) if name == 'composite' else draw(2, 4, 6, 3, dtype=dtype)


def test_a_config_finds_these():
    assert {'plain', 'residual', 'composite'} == NAMES
    for name in NAMES:
        assert [*inspect.signature(getattr(outputs, name)).parameters] == ['made', 'source']


@pytest.mark.parametrize('name', sorted(NAMES))
def test_types_jit_and_gradients(name):
    function, made, source = getattr(outputs, name), draw(2, 4, 6, 3), source_of(name)
    image = function(made, source)
    assert image.shape == (2, 4, 6, 3)
    np.testing.assert_allclose(jax.jit(function)(made, source), image, atol=1e-6)
    half = function(made.astype(jnp.bfloat16), source.astype(jnp.bfloat16))
    assert image.dtype == half.dtype == jnp.float32
    np.testing.assert_allclose(half, image, atol=0.02)
    with jax.enable_x64(True):
        made, source = draw(2, 4, 6, 3, dtype=np.float64), source_of(name, np.float64)
        single = source.astype(jnp.float32)
        assert jax.eval_shape(function, made, single).dtype == jnp.float64
        check_grads(jax.jit(lambda x: jnp.sin(function(x, source))), (made,), 2, ['rev'])


def test_plain_is_what_was_made():
    made = draw(2, 4, 6, 3)
    np.testing.assert_array_equal(outputs.plain(made, draw(2, 1, 2, 5)), made)


def test_residual_adds_the_enlarged_source():
    made, source = draw(1, 16, 12, 1), draw(1, 4, 3, 1)
    picture = Image.fromarray(np.asarray(source[0, ..., 0]))
    enlarged = np.asarray(picture.resize((12, 16), Image.Resampling.BICUBIC))
    image = outputs.residual(made, source)[0, ..., 0]
    np.testing.assert_allclose(image, made[0, ..., 0] + enlarged, atol=1e-5)
    nothing = outputs.residual(jnp.zeros((1, 16, 12, 1)), 0.5 * source)
    np.testing.assert_allclose(nothing, baselines.bicubic(0.5 * source, 4), atol=1e-6)


def test_residual_repeats_grey_and_does_not_clip():
    made, source = draw(2, 4, 6, 3), draw(2, 4, 6, 1)
    np.testing.assert_array_equal(outputs.residual(made, source), made + np.repeat(source, 3, -1))
    same = draw(2, 4, 6, 3)
    np.testing.assert_array_equal(outputs.residual(made, same), made + same)
    bright = jnp.full((1, 2, 2, 1), 0.9)
    np.testing.assert_allclose(outputs.residual(bright, bright), 1.8, atol=1e-6)


def test_composite_takes_the_hole_from_what_was_made():
    made, source = draw(2, 4, 6, 3), masked()
    image = outputs.composite(made, source)
    missing = source[..., 3:] == 1
    np.testing.assert_array_equal(image, jnp.where(missing, made, source[..., :3]))
    gradient = jax.grad(lambda x: outputs.composite(x, source).sum())(made)
    np.testing.assert_array_equal(gradient, jnp.broadcast_to(source[..., 3:], made.shape))


def test_sources_that_do_not_fit_are_refused():
    made = draw(2, 4, 6, 3)
    for shape in ((2, 4, 6, 3), (2, 4, 6, 5), (2, 2, 3, 4), (2, 4, 6, 1)):
        with pytest.raises(ValueError, match='a composite of'):
            outputs.composite(made, draw(*shape))
    with pytest.raises(ValueError, match='of 3 channels needs a source of as many or 1, not 4'):
        outputs.residual(made, masked())
    for shape in ((2, 8, 6, 3), (2, 4, 7, 3)):
        with pytest.raises(ValueError, match='a residual of 4x6 needs a source that is no larger'):
            outputs.residual(made, draw(*shape))
    for name in NAMES:
        for source in (source_of(name)[:1], source_of(name)[0], source_of(name).astype(jnp.uint8)):
            with pytest.raises(AssertionError):
                getattr(outputs, name)(made, source)
