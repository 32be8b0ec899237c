"""What the convolution's rule rests on: both forms and XLA's own, shape by shape, on this CPU.

    python -m benchmarks.convolution [--rounds 7]

Prints, for the value and both gradients together, milliseconds (the least over the rounds, which
are interleaved) by lax's convolution and by the library's forms, of which the last two leave to the
rule what they do not say: by Winograd's form; by patches of blocks; by patches with the stride as
it is; by the thin form, XLA's forward convolution for the gradient in the image and, of stride 1,
for the value. The channels are those of the convolution of stride 1 that is left after space to
depth. `rule` is the form that `gan_jax.networks.layers.convolution` takes.
"""

import argparse
import contextlib
import math
import time
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from gan_jax.networks.layers import convolution
from gan_jax.networks.layers.convolution import matmul, thin
from gan_jax.runtime import process

# (batch, size, channels in, channels out, kernel, stride, padding)
SHAPES = [
    (64, 28, 1, 32, 4, 2, 1),
    (64, 14, 32, 64, 4, 2, 1),
    (64, 64, 3, 64, 4, 2, 1),
    (64, 32, 4, 32, 4, 2, 1),
    (64, 32, 8, 16, 4, 2, 1),
    (64, 32, 8, 32, 4, 2, 1),
    (64, 32, 16, 32, 4, 2, 1),
    (64, 32, 64, 128, 4, 2, 1),
    (64, 16, 128, 256, 4, 2, 1),
    (64, 8, 256, 512, 4, 2, 1),
    (64, 65, 16, 32, 3, 2, 0),
    (64, 33, 32, 32, 3, 2, 0),
    (64, 33, 64, 16, 3, 2, 0),
    (64, 33, 128, 32, 3, 2, 0),
    (64, 33, 64, 128, 3, 2, 0),
    (64, 17, 128, 256, 3, 2, 0),
    (64, 9, 256, 512, 3, 2, 0),
    (64, 33, 256, 32, 3, 2, 0),
    (64, 32, 64, 128, 1, 2, 0),
    (64, 64, 16, 32, 5, 2, 2),
    (64, 32, 3, 128, 3, 1, 1),
    (64, 32, 256, 3, 3, 1, 1),
    (64, 32, 8, 8, 3, 1, 1),
    (64, 32, 16, 16, 3, 1, 1),
    (64, 32, 32, 32, 3, 1, 1),
    (64, 32, 64, 64, 3, 1, 1),
    (64, 64, 16, 16, 3, 1, 1),
    (64, 8, 128, 128, 3, 1, 1),
    (64, 16, 256, 256, 3, 1, 1),
]


def both(function, x, k, y):
    """Compiles the value and both gradients, with the cotangent y."""

    def compute(x, k, y):
        value, pullback = jax.vjp(function, x, k)
        return value, pullback(y)

    compiled = jax.jit(compute).lower(x, k, y).compile()
    return lambda: jax.block_until_ready(compiled(x, k, y))


def measure(shape, rounds):
    """{form: least seconds}, and what the rule takes."""
    batch, size, c, o, kernel, stride, padding = shape
    arguments = {
        'window_strides': (stride, stride),
        'padding': [(padding, padding)] * 2,
        'dimension_numbers': convolution.LAYOUT,
    }
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.standard_normal((batch, size, size, c)), jnp.float32)
    k = jnp.asarray(rng.standard_normal((kernel, kernel, c, o)) / kernel / c**0.5, jnp.float32)
    y = lax.conv_general_dilated(x, k, **arguments)
    strides, whole = (stride, stride), stride == 1
    verdicts = {
        'winograd': (True, False, False, False),
        'patches': (False, False, False, False),
        'strided': (None, True, False, False),
        'thin': (None, None, whole, True),
    }
    rules = [(matmul, 'winograd'), (matmul, 'strided'), (thin, 'forward'), (thin, 'input_gradient')]
    blocks, forms = -(-kernel // stride), {}
    for form, chosen in verdicts.items():
        if (form == 'strided' and stride == 1) or (form == 'winograd' and blocks == 1):
            continue
        with contextlib.ExitStack() as stack:
            for (module, rule), verdict in zip(rules, chosen, strict=True):
                if verdict is not None:
                    own = mock.Mock(return_value=verdict)
                    stack.enter_context(mock.patch.object(module, f'worth_{rule}', own))
            # A function of its own for each form, since JAX keeps what it has traced.
            forms[form] = both(lambda x, k: convolution.convolve(x, k, **arguments), x, k, y)
            jax.clear_caches()
    forms['lax'] = both(lambda x, k: lax.conv_general_dilated(x, k, **arguments), x, k, y)
    times = {name: [] for name in forms}
    for _ in range(rounds + 1):
        for name, form in forms.items():
            start = time.perf_counter()
            form()
            times[name].append(time.perf_counter() - start)
    places, rule = math.prod(y.shape[:3]), 'patches'
    if thin.worth_input_gradient(places, (kernel, kernel), strides, c, o):
        rule = 'thin'
    elif matmul.worth_strided((kernel, kernel), strides, c, o):
        rule = 'strided'
    elif matmul.worth_winograd((blocks, blocks), stride * stride * c, o):
        rule = 'winograd'
    return {name: min(x[1:]) for name, x in times.items()}, rule


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--rounds', type=int, default=7)
    args = parser.parse_args()
    process.keep_freed_memory()
    names = f'{"winograd":>9} {"patches":>8} {"strided":>8} {"thin":>8} {"lax":>8}'
    print(f'{"convolution":38} {"channels":>11} {names}  rule')
    for shape in SHAPES:
        batch, size, c, o, kernel, stride, _ = shape
        times, rule = measure(shape, args.rounds)
        numbers = ' '.join(
            f'{1e3 * times[x]:8.1f}' if x in times else f'{"":8}'
            for x in ('winograd', 'patches', 'strided', 'thin', 'lax')
        )
        best = min(times.keys() - {'lax'}, key=times.__getitem__)
        note = '' if rule == best else f'  ({times[rule] / times[best]:.2f} of {best})'
        name = f'{batch}x{size}x{size}x{c} -> {o}, {kernel}x{kernel}, stride {stride}'
        print(f'{name:38} {stride * stride * c:5}, {o:4}  {numbers}  {rule}{note}', flush=True)


if __name__ == '__main__':
    main()
