"""How long one training step takes in `gan_jax` and in PyTorch, side by side.

    python -m benchmarks.step_time [--rounds 5] [--steps 5] [--only NAME ...]
                                   [--no-compile] [--no-lax]

A step is the discriminator's turn and then the generator's, each on new latents, each with Adam;
real and generated images pass through the discriminator apart. The sides:

    jax      games.gan and game.update as loop.py runs them: one device, the state donated, as
             many steps to a dispatch as the configs have;
    lax      the same with XLA's own convolution in place of the library's, one step to a dispatch,
             since it is several times slower in the loop over several;
    eager    PyTorch, channels last, fused Adam;
    compile  the same with both losses under torch.compile (inductor).

PyTorch does not compute the metrics that gan_jax logs. All sides have the same initial parameters
and batches. Before anything is timed they play one step on the same latents, and must agree in both
losses. Then come rounds in which every side plays some steps, so that whatever else the machine
does falls on all of them; a ratio is taken within a round. Needs the extra `benchmark`.
"""

import argparse
import contextlib
import datetime
import functools
import importlib.metadata
import json
import os
import pathlib
import platform
import statistics
import time
import types
from collections.abc import Mapping
from typing import Any, NamedTuple
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch
import torch.nn.functional as F
from jax import lax

from benchmarks import torch_networks as torch_nets
from benchmarks import torch_stylegan2
from gan_jax import game as game_lib
from gan_jax import keys, latents, objectives
from gan_jax.games import gan
from gan_jax.games.adversary import Adversary
from gan_jax.games.network import of_module
from gan_jax.networks import dcgan, mlp, sngan, stylegan2
from gan_jax.networks.layers import equalized, linear
from gan_jax.runtime import files, parallel, process

RESULTS = pathlib.Path(__file__).parent / 'results'
BATCH, BATCHES, RATE, B1, SEED = 64, 4, 2e-4, 0.5, 0


class Case(NamedTuple):
    """What is compared.

    Attributes:
      networks: the library's module of Generator and Discriminator.
      others: the same two in PyTorch.
      shape: of an image.
      latent: the latents' size.
      options: what the library's networks are given beside their defaults.
      pace: steps in a round for each one asked for; short steps need more of them.
      dispatch: the library's steps to a dispatch; a round must be a multiple of it.
      styles: what the generator alone is given.
    """

    networks: Any
    others: tuple[Any, Any]
    shape: tuple[int, int, int]
    latent: int
    options: dict[str, Any]
    pace: float = 1.0
    dispatch: int = 5
    styles: Mapping[str, Any] = types.MappingProxyType({})


DCGAN = (torch_nets.DCGANGenerator, torch_nets.DCGANDiscriminator)
MLP = (torch_nets.MLPGenerator, torch_nets.MLPDiscriminator)
SNGAN = (torch_nets.SNGANGenerator, torch_nets.SNGANDiscriminator)
WIDTHS = {'channel_base': 1024, 'channel_max': 32}  # 32 channels at 32 pixels, 16 at 64
STYLES = {'style_size': 64, 'mapping_layers': 2}
STYLEGAN2 = (
    functools.partial(torch_stylegan2.StyleGAN2Generator, **STYLES, **WIDTHS),
    functools.partial(torch_stylegan2.StyleGAN2Discriminator, **WIDTHS),
)
AXIS = {'axis_name': parallel.AXIS}
CASES = {
    'mlp_gan': Case(mlp, MLP, (28, 28, 1), 100, {}, pace=10),
    'dcgan_32': Case(dcgan, DCGAN, (32, 32, 3), 100, AXIS),
    'dcgan_64': Case(dcgan, DCGAN, (64, 64, 3), 100, AXIS),
    'sngan_32': Case(sngan, SNGAN, (32, 32, 3), 128, AXIS, pace=0.2, dispatch=1),
    **{
        f'stylegan2_{n}': Case(
            stylegan2, STYLEGAN2, (n, n, 3), 64, AXIS | WIDTHS, pace=0.2, dispatch=1, styles=STYLES
        )
        for n in (32, 64)
    },
}


def images(case):
    """The same few batches for all sides, [batch, height, width, channels] in [-1, 1]."""
    rng = np.random.default_rng(SEED)
    return rng.uniform(-1, 1, (BATCHES, BATCH, *case.shape)).astype(np.float32)


@contextlib.contextmanager
def patched(convolve):
    """Layers that are traced in here take this convolution; their own if it is None."""
    with contextlib.ExitStack() as stack:
        for module in (linear, equalized) if convolve else ():
            stack.enter_context(mock.patch.object(module, 'convolve', convolve))
        yield


class JaxSide:
    """The library; with `convolve`, on that convolution."""

    def __init__(self, case, convolve=None):
        self.case = case
        # The layers look the function up whenever they are traced: at init, at the first step.
        self.tracing = functools.partial(patched, convolve)
        game = gan.make(
            generator=of_module(case.networks.Generator(case.shape, **case.options, **case.styles)),
            discriminator=of_module(case.networks.Discriminator(case.shape, **case.options)),
            adversary=Adversary(objectives.non_saturating),
            prior=lambda rng: {'latent': latents.normal(rng, case.latent)},
        )
        adam = {name: optax.adam(RATE, b1=B1) for name in ('generator', 'discriminator')}
        example = {'real': jnp.zeros((1, *case.shape))}
        with self.tracing():
            state = jax.jit(lambda: game_lib.init(game, adam, SEED, example))()
        self.variables = jax.device_get(game_lib.current(state))
        self.latents = self._first_latents(state)
        devices = jax.local_devices()[:1]
        step = functools.partial(game_lib.update, game, axis_name=parallel.AXIS)
        self.update = parallel.pmap_steps(step, devices)
        self.state = parallel.replicate(state, devices)
        self.dispatch = 1 if convolve else case.dispatch
        several = np.resize(images(case), (self.dispatch, BATCH, *case.shape))
        self.batches = parallel.replicate({'real': several}, devices)

    def _first_latents(self, state):
        """Those that game.update will draw in step 1, for the sides that draw otherwise."""
        root = jax.random.fold_in(jax.random.wrap_key_data(state.rng), 1)
        return [
            np.asarray(
                latents.normal(
                    keys.per_example(keys.fold_in_name(root, turn), BATCH), self.case.latent
                )
            )
            for turn in ('discriminator', 'generator')
        ]

    def first(self):
        """The losses of the first step, which is compiled before it is played."""
        batch = jax.tree.map(lambda x: x[:, :1], self.batches)
        with self.tracing():
            self.state, metrics = self.update(self.state, batch)
        return [metrics[f'{turn}/loss'].item() for turn in ('discriminator', 'generator')]

    def run(self, steps):
        """Plays so many steps to their end."""
        for _ in range(steps // self.dispatch):
            self.state, _ = self.update(self.state, self.batches)
        jax.block_until_ready(self.state)


class TorchSide:
    """PyTorch, with the parameters that the library's side begins with."""

    def __init__(self, case, variables, first_latents, compiled):
        self.case = case
        self.device = torch.device('cuda' if jax.default_backend() == 'gpu' else 'cpu')
        generator, discriminator = case.others
        self.generator = self._place(generator(case.shape, case.latent), 'generator', variables)
        self.discriminator = self._place(discriminator(case.shape), 'discriminator', variables)
        self.adams = [
            torch.optim.Adam(net.parameters(), RATE, (B1, 0.999), fused=True)
            for net in (self.discriminator, self.generator)
        ]
        self.latents = [torch.tensor(x, device=self.device) for x in first_latents]
        self.batches = [
            torch.from_numpy(x).to(self.device).permute(0, 3, 1, 2) for x in images(case)
        ]
        self.losses = [self.discriminator_loss, self.generator_loss]
        if compiled:
            self.losses = [torch.compile(loss, dynamic=False) for loss in self.losses]

    def _place(self, network, player, variables):
        params, aux = variables
        torch_nets.load(network, params[player])
        torch_nets.load(network, aux[player].get('spectral', {}))
        return network.to(self.device).to(memory_format=torch.channels_last)

    def discriminator_loss(self, real, z):
        """objectives.cross_entropy_discriminator; nothing is kept of the generator's graph."""
        with torch.no_grad():
            fake = self.generator(z)
        real, fake = self.discriminator(real), self.discriminator(fake)
        return F.softplus(-real).mean() + F.softplus(fake).mean()

    def generator_loss(self, real, z):
        """objectives.non_saturating_generator."""
        return F.softplus(-self.discriminator(self.generator(z))).mean()

    def step(self, real, given=(None, None)):
        """Both turns; the losses, still on the device."""
        values = []
        for loss, adam, z in zip(self.losses, self.adams, given, strict=True):
            if z is None:
                z = torch.randn(BATCH, self.case.latent, device=self.device)
            # In the generator's turn no gradients of the discriminator's weights are wanted.
            self.discriminator.requires_grad_(adam is self.adams[0])
            value = loss(real, z)
            adam.zero_grad()
            value.backward()
            adam.step()
            values.append(value.detach())
        return values

    def first(self):
        """The losses of the first step."""
        return [value.item() for value in self.step(self.batches[0], self.latents)]

    def run(self, steps):
        """Plays so many steps to their end."""
        for i in range(steps):
            self.step(self.batches[i % BATCHES])
        if self.device.type == 'cuda':
            torch.cuda.synchronize()


def build(case, args):
    """({side: object after its first step}, why some are missing); exits where sides differ."""
    sides, missing = {'jax': JaxSide(case)}, {}
    start = sides['jax'].variables, sides['jax'].latents
    makers = {'eager': lambda: TorchSide(case, *start, compiled=False)}
    if args.compile:
        makers['compile'] = lambda: TorchSide(case, *start, compiled=True)
    if args.lax:
        makers['lax'] = lambda: JaxSide(case, lax.conv_general_dilated)
    want = sides['jax'].first()
    # Both multiply in TF32 on a GPU, which keeps three digits.
    tolerance = 1e-4 if jax.default_backend() == 'cpu' else 1e-2
    print(f'  losses of jax: {want[0]:.6f}, {want[1]:.6f}', flush=True)
    for name, make in makers.items():
        try:
            side = make()
            found = side.first()
        except Exception as error:
            if name != 'compile':
                raise
            missing[name] = f'{type(error).__name__}: {str(error).splitlines()[0][:100]}'
            print(f'  no {name}: {missing[name]}')
            continue
        differences = [abs(a - b) for a, b in zip(want, found, strict=True)]
        print(f'  {name} differs by {differences[0]:.1e}, {differences[1]:.1e}', flush=True)
        # The generator's loss can be well above one, and comes after Adam's first step, nearly
        # +-RATE however small a gradient is: even jax and lax differ by up to 1e-4 there.
        if not all(
            x <= tolerance * max(1.0, abs(y)) for x, y in zip(differences, want, strict=True)
        ):
            raise SystemExit(
                f'{name} and jax do not do the same: losses (discriminator, generator) of the '
                f'first step are {found} and {want}'
            )
        sides[name] = side
    return sides, missing


def measure(sides, rounds, steps):
    """{side: seconds per step in each round}."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    for name, side in sides.items():
        side.run(1 if name == 'lax' else steps)
    for i in range(rounds):
        order = list(sides)[i % len(sides) :] + list(sides)[: i % len(sides)]
        for name in order:
            number = max(1, steps // 5) if name == 'lax' else steps
            start = time.perf_counter()
            sides[name].run(number)
            times[name].append((time.perf_counter() - start) / number)
    return times


def spread(values):
    return {'median': statistics.median(values), 'min': min(values), 'max': max(values)}


def summary(times):
    """Medians and ranges, and the ratios taken round by round."""
    sides = {name: spread(values) for name, values in times.items()}
    best = min((x for x in times if x in ('eager', 'compile')), key=lambda x: sides[x]['median'])
    ratios = {
        f'jax/{other}': spread([a / b for a, b in zip(times['jax'], times[other], strict=True)])
        for other in (best, 'lax')
        if other in times
    }
    return {'seconds_per_step': sides, 'best_torch': best, 'ratios': ratios}


def show(case):
    for name, x in case['seconds_per_step'].items():
        low, high = 1e3 * x['min'], 1e3 * x['max']
        print(f'  {name:8} {1e3 * x["median"]:9.1f} ms  ({low:.1f} to {high:.1f})')
    for name, x in case['ratios'].items():
        print(f'  {name:12} {x["median"]:5.2f}     ({x["min"]:.2f} to {x["max"]:.2f})')


def environment():
    """What the numbers belong to."""
    model = platform.processor()
    with contextlib.suppress(OSError):
        lines = pathlib.Path('/proc/cpuinfo').read_text().splitlines()
        model = next((x.split(':')[1].strip() for x in lines if x.startswith('model name')), model)
    versions = {x: importlib.metadata.version(x) for x in ('jax', 'jaxlib', 'flax', 'torch')}
    return {
        'versions': {'python': platform.python_version(), **versions},
        'machine': {
            'cpu': model,
            'cores': cores(),
            'architecture': platform.machine(),
            'device': jax.devices()[0].device_kind,
        },
    }


def cores():
    affinity = getattr(os, 'sched_getaffinity', None)
    return len(affinity(0)) if affinity else os.cpu_count()


def save(name, record):
    """Adds the case to the platform's file, which keeps others only if they fit beside it."""
    path = RESULTS / f'step_time_{jax.default_backend()}.json'
    report = {**environment(), 'cases': {}}
    if path.exists():
        old = json.loads(path.read_text())
        if {**old, 'cases': {}} == report:
            report = old
    report['cases'][name] = record
    RESULTS.mkdir(exist_ok=True)
    path.write_text(files.json_text(report, indent=1) + '\n')
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--steps', type=int, default=5)
    parser.add_argument('--only', nargs='+', choices=CASES, default=list(CASES))
    parser.add_argument('--no-compile', dest='compile', action='store_false')
    parser.add_argument('--no-lax', dest='lax', action='store_false')
    args = parser.parse_args()
    process.keep_freed_memory()
    torch.set_num_threads(cores())
    if jax.default_backend() == 'gpu':
        if not torch.cuda.is_available():
            raise SystemExit('JAX is on a GPU and PyTorch cannot use it: install a CUDA build')
        torch.set_float32_matmul_precision('high')  # TF32, as JAX's default is
    for name in args.only:
        case = CASES[name]
        steps = max(1, round(args.steps * case.pace))
        steps = -(-steps // case.dispatch) * case.dispatch
        print(f'{name}: {args.rounds} rounds of {steps} steps of {BATCH}', flush=True)
        sides, missing = build(case, args)
        times = measure(sides, args.rounds, steps)
        record = {
            'date': datetime.date.today().isoformat(),
            'settings': {'batch': BATCH, 'rounds': args.rounds, 'steps': steps},
            'missing': missing,
            **summary(times),
            'rounds': times,
        }
        show(record)
        path = save(name, record)
        torch.compiler.reset()
        jax.clear_caches()
    print(f'written to {path.name}')


if __name__ == '__main__':
    main()
