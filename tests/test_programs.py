import jax
import numpy as np
import programs


def test_only_another_text_is_compiled_again():
    def kept_after(factor, device=0):
        x = jax.device_put(np.ones(3, np.float32), jax.devices()[device])
        y = jax.jit(lambda x: factor * x + 0.125)(x)
        assert y.tolist() == [factor + 0.125] * 3
        assert y.devices() == x.devices()
        return len(programs.KEPT)

    first = kept_after(3.0)
    assert kept_after(3.0) == first
    assert kept_after(5.0) == first + 1
    assert kept_after(3.0) == first + 1
    assert kept_after(3.0, device=1) == first + 2
