import jax.numpy as jnp
import numpy as np

from gan_jax.networks import verdict

FINE, COARSE = jnp.arange(8.0).reshape(2, 4), jnp.array([[10.0], [30.0]])


def test_a_tuple_of_logits_is_scales_and_not_a_verdicts_parts():
    """A Verdict is a tuple, too: its type tells, not its length."""
    for scales in ((FINE, COARSE), [FINE, COARSE], (FINE, COARSE, FINE, COARSE)):
        found = verdict.of(scales)
        assert isinstance(found, verdict.Verdict)
        assert found.logits is scales
        assert found.features is found.classes is found.code is None


def test_a_verdict_stays_as_it_is():
    given = verdict.Verdict((FINE, COARSE), features=[FINE], classes=COARSE)
    assert verdict.of(given) is given
    assert verdict.of(FINE).logits is FINE


def test_every_scale_counts_alike():
    np.testing.assert_allclose(verdict.mean((FINE, COARSE)), (3.5 + 20.0) / 2)
    means = [(1.5 + 10) / 2, (5.5 + 30) / 2]
    np.testing.assert_allclose(verdict.per_example((FINE, COARSE)), means)
    np.testing.assert_array_equal(
        verdict.rows((FINE, COARSE)), [[0, 1, 2, 3, 10], [4, 5, 6, 7, 30]]
    )
    assert verdict.rows(FINE) is FINE
