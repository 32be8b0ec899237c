"""How well data parallelism should scale, on paper; and what of the paper compiled code bears out.

    python -m benchmarks.scaling [--utilisation 0.4] [--latency 1.0] [--batch N]
    python -m benchmarks.scaling --check

The first prints two tables: what each model costs, and the efficiency expected on each machine,

    efficiency = local / (local + communication), nothing overlapped,
    local = FLOPs / (utilisation x peak) + 28 bytes x parameters updated / memory bandwidth,
    communication = 2 (n - 1) / n x bytes / bandwidth + collectives x hops x latency.

The second needs no accelerator: it compiles the real update of a narrow DCGAN for 1, 2, 4 and 8
virtual CPU devices, reads the sizes of all averages out of the compiled code and compares them with
those that the first part supposes. The exit code is 1 if any differs. docs/scaling.md says the
rest.
"""

import argparse
import os
import re
import sys
from typing import Any, NamedTuple

import jax
import numpy as np

from configs import dcgan as dcgan_config
from gan_jax import game as game_lib
from gan_jax import modalities
from gan_jax.config.experiment import rebuild
from gan_jax.networks.dcgan import SIZES
from gan_jax.runtime import parallel

FLOAT = 4  # bytes; parameters and gradients are float32
ADAM_BYTES = 7 * FLOAT  # read: gradient, parameter, two moments; written: the last three
METRICS = {'discriminator': 5, 'generator': 1}  # of the turn in games/gan.py, with the loss
CHECK_BATCH = 16


class Layer(NamedTuple):
    """A convolution or dense layer, with the BatchNorm behind it if there is one.

    Attributes:
      parameters: all of them.
      macs: multiply-adds for one image, forward; a FLOP count is twice that.
      norm: the channels of the BatchNorm, 0 for none.
    """

    parameters: int
    macs: int
    norm: int = 0


def layer(inputs, outputs, kernel=1, positions=1, bias=False, norm=False):
    """A layer whose kernel is applied at so many positions; a dense one has one."""
    weights = kernel**2 * inputs * outputs
    extra = outputs * (bias + 2 * norm)
    return Layer(weights + extra, weights * positions, outputs * norm)


class Model(NamedTuple):
    """A generator and a discriminator and how they are trained.

    Attributes:
      name: as printed.
      batch: images per device and step.
      generator: its layers.
      discriminator: its layers.
      lazy: whether StyleGAN2's lazy penalties are played.
    """

    name: str
    batch: int
    generator: list[Layer]
    discriminator: list[Layer]
    lazy: bool = False


def dcgan(name, size, channels, width, hidden, latent=100, batch=64):
    """The layers of gan_jax.networks.dcgan."""
    start, doublings = SIZES[size]
    widths = [width * 2**level for level in range(doublings)]
    g = [layer(latent, hidden, norm=True)] if hidden else []
    g.append(layer(hidden or latent, start**2 * widths[-1]))
    g[-1] = Layer(g[-1].parameters + 2 * widths[-1], g[-1].macs, widths[-1])
    d, side = [], size
    for level in range(doublings):
        below = channels if level == 0 else widths[level - 1]
        side //= 2
        # Of a transposed convolution each input is used once with the whole kernel.
        up = layer(widths[level], below, 4, side**2, bias=level == 0, norm=level > 0)
        g.insert(len(g) - level, up)
        d.append(layer(below, widths[level], 4, side**2, bias=level == 0, norm=level > 0))
    features = start**2 * widths[-1]
    d += [layer(features, hidden, norm=True)] if hidden else []
    d.append(layer(hidden or features, 1, bias=True))
    return Model(name, batch, g, d)


def stylegan2(name, size, batch=4, base=32768):
    """The layers of StyleGAN2, from the paper and the authors' code; the library has none yet."""

    def width(side):
        return min(512, base // side)

    def styled(inputs, outputs, positions, kernel=3, noise=1):
        conv = layer(inputs, outputs, kernel, positions, bias=True)
        style = layer(512, inputs, bias=True)
        return Layer(conv.parameters + style.parameters + noise, conv.macs + style.macs)

    def to_rgb(side):
        return styled(width(side), 3, side**2, kernel=1, noise=0)

    g = [layer(512, 512, bias=True)] * 8 + [Layer(4 * 4 * 512, 0)]
    g += [styled(width(4), width(4), 4**2), to_rgb(4)]
    d = [layer(3, width(size), positions=size**2, bias=True)]
    side = 8
    while side <= size:
        below, here, half = width(side // 2), width(side), (side // 2) ** 2
        g += [styled(below, here, half), styled(here, here, side**2), to_rgb(side)]
        d.append(layer(here, here, 3, side**2, bias=True))
        d.append(layer(here, below, 3, half, bias=True))
        d.append(layer(here, below, 1, half))
        side *= 2
    d += [layer(width(4) + 1, width(4), 3, 4**2, bias=True)]
    d += [layer(4**2 * width(4), width(4), bias=True), layer(width(4), 1, bias=True)]
    return Model(name, batch, g, d, lazy=True)


MODELS = (
    dcgan('DCGAN 28', 28, 1, 32, 512),
    dcgan('DCGAN 64', 64, 3, 64, 0, batch=128),
    stylegan2('StyleGAN2 256', 256),
    stylegan2('StyleGAN2 1024', 1024),
)


class Machine(NamedTuple):
    """Some devices and what joins them.

    Attributes:
      name: as printed.
      devices: how many.
      peak: FLOP/s of one, bfloat16.
      memory: bytes/s of one's memory.
      bandwidth: bytes/s that one sends in an all-reduce.
      hops: messages sent one after the other in an all-reduce.
    """

    name: str
    devices: int
    peak: float
    memory: float
    bandwidth: float
    hops: int


def v5e(rows, columns):
    """A slice of TPU v5e: rings along rows, then columns, over two of a chip's four links."""
    hops = 2 * (rows - 1 + columns - 1)
    return Machine(f'v5e {rows}x{columns}', rows * columns, 197e12, 819e9, 1600e9 / 8 / 2, hops)


MACHINES = (
    v5e(2, 4),
    v5e(4, 4),
    v5e(8, 8),
    v5e(16, 16),
    Machine('8 x H200', 8, 989e12, 4.8e12, 900e9 / 2, 2 * (8 - 1)),
)


def parameters(layers):
    return sum(x.parameters for x in layers)


def norms(model):
    """The sizes of the averages that BatchNorm takes in a step, in floats.

    A layer averages its mean, then its variance, and in the backward pass the gradients of both.
    The discriminator's turn runs the generator forward, and the discriminator forward and backward
    on real and on generated images; the generator's turn runs both forward and backward.
    """
    g = [x.norm for x in model.generator if x.norm]
    d = [x.norm for x in model.discriminator if x.norm]
    return g * (2 + 4) + d * (2 * 4 + 4)


def cost(model):
    """Of one step: FLOPs per image, parameters averaged and updated, collectives of gradients.

    A backward pass costs two forward passes, or one where only the inputs' gradient is needed.
    """
    flops = {p: 2 * sum(x.macs for x in getattr(model, p)) for p in METRICS}
    counts = {p: parameters(getattr(model, p)) for p in METRICS}
    per_image = {'generator': 1 + 3, 'discriminator': 2 * 3 + 2}
    turns = {'generator': 1, 'discriminator': 1}
    if model.lazy:
        # A gradient penalty: forward and gradient (2), differentiated (4 more). Path lengths every
        # 4th step on half the batch, R1 every 16th.
        per_image = {'generator': 4 + 6 / 2 / 4, 'discriminator': 8 + 6 / 16}
        turns = {'generator': 1 + 1 / 4, 'discriminator': 1 + 1 / 16}
    return (
        sum(per_image[p] * flops[p] for p in METRICS),
        sum(turns[p] * counts[p] for p in METRICS),
        sum(turns.values()),
    )


def times(model, machine, utilisation, latency, batch=None):
    """Seconds of a step: local work, averages of gradients, averages of BatchNorm."""
    flops, updated, turns = cost(model)
    local = (batch or model.batch) * flops / (utilisation * machine.peak)
    local += ADAM_BYTES * updated / machine.memory
    n = machine.devices
    second_per_float = 2 * (n - 1) / n * FLOAT / machine.bandwidth
    collective = machine.hops * latency
    small = norms(model)
    return (
        local,
        updated * second_per_float + turns * collective,
        sum(small) * second_per_float + len(small) * collective,
    )


def table(head, rows):
    """Prints a Markdown table, the first column to the left."""
    rows = [head, *([str(x) for x in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, ['-' * widths[0], *('-' * (width - 1) + ':' for width in widths[1:])])
    for first, *others in rows:
        cells = [x.rjust(width) for x, width in zip(others, widths[1:], strict=True)]
        print('|', ' | '.join([first.ljust(widths[0]), *cells]), '|')


def expect(utilisation, latency, batch):
    """Prints what models cost and how they should scale."""
    rows = []
    for model in MODELS:
        flops, updated, turns = cost(model)
        counts = [parameters(x) for x in (model.generator, model.discriminator)]
        small = norms(model)
        rows.append(
            [model.name, *(f'{x:,}' for x in counts), f'{flops / 1e9:,.2f}',
             f'{FLOAT * updated / 1e6:.2f}', f'{turns:.4g}', len(small),
             f'{FLOAT * sum(small) / 1e3:.1f}']
        )  # fmt: skip
    head = ['model', 'generator', 'discriminator', 'GFLOP/image', 'gradients MB']
    table([*head, 'collectives', 'BatchNorm collectives', 'BatchNorm kB'], rows)
    print()
    rows = []
    for model in MODELS:
        for machine in MACHINES:
            local, gradients, small = times(model, machine, utilisation, latency, batch)
            share = local / (local + gradients + small)
            rows.append(
                [model.name, machine.name, batch or model.batch, f'{local * 1e3:.3f}',
                 f'{gradients * 1e3:.3f}', f'{small * 1e3:.3f}', f'{share:.1%}']
            )  # fmt: skip
    head = ['model', 'machine', 'batch/device', 'local ms', 'gradients ms', 'BatchNorm ms']
    table([*head, 'efficiency'], rows)


def averages(hlo):
    """The all-reduces in compiled code: for each, the floats in each of its operands."""
    shapes = re.findall(r'^\s*(?:ROOT )?\S+ = (.*?) all-reduce(?:-start)?\(', hlo, re.MULTILINE)
    return [
        [int(np.prod([int(x) for x in dims.split(',') if x])) for dims in re.findall(
            r'f32\[([\d,]*)\]', shape)]
        for shape in shapes
    ]  # fmt: skip


def compiled(game, state, image, devices):
    """The text of the update compiled for so many devices and images of this shape."""

    def step(state, batch):
        return game_lib.update(game, state, batch, axis_name=parallel.AXIS)

    used = jax.local_devices()[:devices]
    batch = {
        'real': np.zeros((1, CHECK_BATCH, *image), np.float32),
        'label': np.zeros((1, CHECK_BATCH), np.int32),
    }
    update: Any = parallel.pmap_steps(step, used)
    lowered = update.lower(parallel.replicate(state, used), parallel.shard(batch, devices))
    return lowered.compile().as_text()


def check():
    """Compares the compiled update with what the formulas suppose; 1 if they differ, else 0."""
    wrong, rows = [], []
    for size, channels, width, hidden in ((28, 1, 4, 16), (64, 3, 4, 0)):
        name = f'DCGAN {size}, width {width}, hidden {hidden}'
        model = dcgan(name, size, channels, width, hidden, latent=8)
        config = dcgan_config.get_config().to_dict()
        config |= {'image_size': size, 'batch_size': CHECK_BATCH}
        config['modality'] = modalities.settings_from(size, channels)
        config['latent'] |= {'size': 8}
        for player in METRICS:
            config[player] |= {'width': width, 'hidden': hidden}
        experiment = rebuild(config)
        state = experiment.init()
        counts = {
            player: sum(x.size for x in jax.tree.leaves(state.players[player].params))
            for player in METRICS
        }
        for player, count in counts.items():
            if count != parameters(getattr(model, player)):
                wrong.append(f'{name}: the {player} has {count} parameters')
        for devices in (1, 2, 4, 8):
            gradients = [counts[p] + METRICS[p] for p in METRICS] if devices > 1 else []
            expected = sorted(gradients + norms(model))
            hlo = compiled(experiment.game, state, (size, size, channels), devices)
            instructions = averages(hlo)
            found = sorted(x for operands in instructions for x in operands)
            large = [x for x in found if x > max(norms(model))]
            rows.append(
                [name, devices, f'{len(found)} / {len(expected)}', len(instructions),
                 f'{FLOAT * sum(large)} / {FLOAT * sum(gradients)}',
                 f'{FLOAT * (sum(found) - sum(large))} / {FLOAT * sum(norms(model))}']
            )  # fmt: skip
            if found != expected:
                wrong.append(f'{name}, {devices} devices: averages of {found}, not {expected}')
    head = ['found / expected', 'devices', 'averages', 'all-reduces', 'gradient bytes']
    table([*head, 'BatchNorm bytes'], rows)
    print(*wrong or ['all as expected'], sep='\n')
    return int(bool(wrong))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--utilisation', type=float, default=0.4, help='share of peak FLOP/s')
    parser.add_argument('--latency', type=float, default=1.0, help='microseconds per hop')
    parser.add_argument('--batch', type=int, help="images per device, instead of each model's own")
    parser.add_argument('--check', action='store_true', help='compile and compare')
    args = parser.parse_args()
    if not args.check:
        expect(args.utilisation, args.latency * 1e-6, args.batch)
        return
    # Before the backend starts, which no import does. Nothing is run, so nothing is optimised.
    flags = '--xla_force_host_platform_device_count=8 --xla_backend_optimization_level=0'
    os.environ.update(XLA_FLAGS=flags, JAX_PLATFORMS='cpu')
    os.environ.update(parallel.virtual_device_environment(flags))
    sys.exit(check())


if __name__ == '__main__':
    main()
