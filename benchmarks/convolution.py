"""What the convolution's rule rests on: both forms and XLA's own, shape by shape, on this CPU.

    python -m benchmarks.convolution [--rounds 7]

Prints, for the value and both gradients together, milliseconds (the least over the rounds, which
are interleaved) by Winograd's form, by patches, by patches with the stride as it is, by the thin
form (XLA's forward convolution for the gradient in the image, of stride 1 for the value, too; the
rest as the rule has it) and by lax's convolution; the channels are those of the convolution of
stride 1 that is left after space to depth. `rule` is the form that
`gan_jax.networks.layers.convolution` takes.
"""

import argparse
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
    places, strides = batch * size * size, (stride, stride)
    worths = {
        'winograd': (True, False, False),
        'patches': (False, False, False),
        'strided': (False, True, False),
        'thin': (True, matmul.worth_strided((kernel, kernel), strides, c, o), True),
    }
    forms = {}
    for name, (products, as_it_is, whole) in worths.items():
        if stride == 1 and name == 'strided':
            continue
        with (
            mock.patch.object(matmul, 'worth_winograd', lambda *_, worth=products: worth),
            mock.patch.object(matmul, 'worth_strided', lambda *_, worth=as_it_is: worth),
            mock.patch.object(thin, 'worth_forward', lambda *_, worth=whole: worth and stride == 1),
            mock.patch.object(thin, 'worth_input_gradient', lambda *_, worth=whole: worth),
        ):
            # A function of its own for each form, since JAX keeps what it has traced.
            forms[name] = both(lambda x, k: convolution.convolve(x, k, **arguments), x, k, y)
            jax.clear_caches()
    forms['lax'] = both(lambda x, k: lax.conv_general_dilated(x, k, **arguments), x, k, y)
    times = {name: [] for name in forms}
    for _ in range(rounds + 1):
        for name, form in forms.items():
            start = time.perf_counter()
            form()
            times[name].append(time.perf_counter() - start)
    blocks = -(-kernel // stride)
    rule = 'patches'
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
