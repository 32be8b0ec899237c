"""The benchmarks' commands of README and docs/, run as they stand there with smaller settings.

Before a release (`-m long`): each is a process of its own and takes seconds to a minute.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import benchmark_stand_ins as stand_ins
import command_line
import methods
import pytest
import test_docs_commands as docs
import test_readme

from benchmarks import legibility

RUN = methods.ROOT / 'tests' / 'short_benchmark.py'
ONE = {'batch_size': 8, 'steps_per_dispatch': 1}
SMALL = ONE | {'generator.width': 4, 'discriminator.width': 4}
STYLES = ONE | {
    f'{x}.{y}': 16 for x in ('generator', 'discriminator') for y in ('channel_base', 'channel_max')
}
QUICK = {'SETTINGS': legibility.SETTINGS | {'steps': 20, 'batch': 16}}


class Short(NamedTuple):
    """How a benchmark is shortened, and what it must say.

    Attributes:
      words: after those of the command, whose they replace.
      said: patterns of what is printed.
      changes: {module: {name: value}}, of constants and of configs.
      prepare: puts the command's files into a folder, with the server of launch.py; more changes.
      needs: packages without which it is skipped.
      replaced: words of the command that stand for others.
    """

    words: str
    said: tuple[str, ...]
    changes: dict[str, Any] = {}  # noqa: RUF012
    prepare: Callable[..., dict[str, Any]] = stand_ins.nothing
    needs: tuple[str, ...] = ()
    replaced: dict[str, str] = {}  # noqa: RUF012


FIGURE = r'\d[\d.]*'
TRAINED = ('--config=projection --workdir=runs/projection', '--config=dcgan --workdir=runs/dcgan')
TRAINED = tuple(f'{x} --config.dataset=mnist_5k' for x in TRAINED)
TEXTS = (
    '--config=configs/words.py --config.pretraining_steps=10 --workdir=runs/likelihood',
    '--config=configs/words.py',
    '--config=configs/seqgan.py --workdir=runs/begun',
    '--config=configs/seqgan.py --config.init_from=runs/begun --workdir=runs/seqgan_on',
)
# By their names, or by whole commands; each of README and docs/ is run with these.
SHORT = {
    'anomaly': Short(
        '--digits=8',
        (r'8, 0 ( +\d\.\d{4}){5}', r'mean ( +\d\.\d{4}){5}'),
        {
            'benchmarks.anomaly': {
                'FIRST': {'steps': 5, 'eval_every': 0, 'sample_every': 0, 'checkpoint_every': 5}
            },
            'configs.wgan_gp': SMALL,
            **{
                f'configs.{x}': SMALL | {'encoder.width': 4, 'steps': 5}
                for x in ('f_anogan', 'ganomaly')
            },
        },
        stand_ins.prepared('mnist'),
        ('sklearn',),
    ),
    'augmentation': Short(
        '--per-class=2 --seeds=2 --gan-steps=5 --steps=3 --size=16 --generated=20',
        (r'\| 2 \| \d+\.\d% \|( \d+.\d%, [+-]\S+ \+- \S+ \|){3}',),
        {'configs.cgan': SMALL},
        replaced={'--dataset=NAME': '--dataset=mnist_5k'},
    ),
    'classes': Short(
        '--num=50',
        (r'projection, asked for: acc', r'dcgan, as named: acc', r'dcgan, by lot: accuracy \d'),
        prepare=stand_ins.trained(*TRAINED),
    ),
    'convolution': Short(
        '--rounds=1',
        (rf'2x8x8x1 -> 4, 4x4, stride 2 +4,    4 ( +{FIGURE}){{3}}  (winograd|patches)',),
        {'benchmarks.convolution': {'SHAPES': [[2, 8, 1, 4, 4, 2, 1], [2, 8, 4, 4, 3, 1, 1]]}},
    ),
    'drum_classes': Short(
        '', ('120 hits of 5 kits', r'samples +20  sure', 'noise'), {}, stand_ins.hits, ('sklearn',)
    ),
    'drums': Short('', ('kick',), {}, stand_ins.kits),
    'emoji': Short('', ('9 pairs to train', '2 pairs to test'), {}, stand_ins.emoji_packages),
    'few_images': Short(
        '--num=20 --steps=4 --seeds=2 --size=16',
        tuple(rf'{arm}: frechet_distance.* {FIGURE}\S* \+- ' for arm in ('none', 'ada')),
        {
            'benchmarks.few_images': {'ALL': 100},
            'configs.stylegan2_digits': STYLES | {'log_every': 2},
        },
    ),
    'fidelity': Short(
        '--no-cost --sets small',
        ('largest relative differences', r'n < d, 200 x 512 +\d\S+\n'),
        needs=('torch', 'torch_fidelity'),
    ),
    'fidelity --sets': Short(
        '--examples=1000', ('1000 x 2048 on each', rf'memorised share( +{FIGURE}){{3}} MB')
    ),
    'halving': Short(
        '--rungs=50,100,150',
        (r'  4 +\d', r'stopped at rung \d', r'halving made \d+% of the steps'),
        {},
        stand_ins.grid_of_four,
    ),
    'histogram_match': Short(
        '', ('4 test pairs of 64 pixels', r'histograms matched: PSNR \d'), {}, stand_ins.emoji_pairs
    ),
    'inception': Short(
        '--images=1 --rounds=1',
        ('stream: from the cache', r'largest difference \d'),
        {'benchmarks.inception': {'SIZES': [[28, 28, 1], [32, 32, 3]]}},
        needs=('torch', 'torchvision', 'torch_fidelity'),
    ),
    'legibility': Short(
        '',
        ('classifier of mnist_5k: accuracy .* on 500', 'samples: .* of 40 with', '"min_class'),
        {'benchmarks.legibility': QUICK},
        stand_ins.digits_made,
    ),
    'mode_collapse': Short(
        '--rows="R3GAN, top-k" --seeds=2 --steps=200',
        (rf'ring8: [^#]*\| R3GAN, top-k \| {FIGURE} \+- .* \| 200 \|\s+grid25',),
    ),
    'playground': Short(
        '--minutes=0.1', (r'0\.1 minutes +\d+\.\d updates/s +\d+ MB',), {}, stand_ins.chromium
    ),
    'prepare_census': Short(
        '--rows=30', ('census_train.csv: 30', 'census_test.csv: 30'), {}, stand_ins.census
    ),
    'quality': Short(
        '--data=mnist --seeds=2 --steps=20 --num=20',
        tuple(rf'\| {x} on mnist \| [^|]+ \| {FIGURE} \+- ' for x in ('dcgan', 'wgan_gp')),
        {f'configs.{x}': SMALL | {'eval_samples': 20} for x in ('dcgan', 'wgan_gp')},
        stand_ins.prepared('mnist'),
    ),
    'replicas': Short('--seeds=2 --rounds=1', (rf'ratio {FIGURE} \({FIGURE} to {FIGURE}\), 1 ro',)),
    'scaling': Short('', ('StyleGAN2 1024 .*%|all as expected',)),
    'semi_supervised': Short(
        '--steps=10 --supervised-steps=10 --splits=2',
        (r'baseline, supervised_\S+: \d+\.\d\d% \+- ',),
        {
            'benchmarks.semi_supervised': {'ALL': 50},
            'configs.semi_supervised': ONE | {'eval_samples': 20},
        },
        stand_ins.prepared('mnist'),
    ),
    'speech': Short('', ('9 train, 2 test',), {}, stand_ins.voice),
    'stacked_mnist': Short(
        '--rows="R3GAN\'s objective" --seeds=2 --steps=10',
        (rf"\| R3GAN's objective \| {FIGURE} \+- .* \| 10 \| \[",),
        {
            'benchmarks.stacked_mnist': {'SAMPLES': 50},
            'benchmarks.legibility': QUICK,
            'configs.stacked_mnist': ONE | {'generator.width': 2, 'checkpoint_every': 10},
        },
    ),
    'standard_errors': Short(
        '--draws=2', tuple(rf'\| `{x}` \| .* \| {FIGURE} \| ' for x in ('psnr', 'modes', 'recall'))
    ),
    'step_time': Short(
        '--rounds=1 --steps=1 --only mlp_gan dcgan_32 --no-compile',
        ('dcgan_32: 1 rounds of', r'jax/eager +\d', r'written to step_time_cpu\.json'),
        {'benchmarks.step_time': {'BATCH': 4}},
        needs=('torch',),
    ),
    'stocks': Short('', ('1 rows of Open, Close',), {}, stand_ins.index),
    'sweep_engines': Short(
        '--engines=local',
        (r'trial_03 \| failed', r'trial_07 \| finished, from 0 10', 'one table'),
        {'benchmarks.sweep_engines': {'PAUSE': 0.01}},
    ),
    'temperature': Short(
        '--num=40',
        ('"temperature": 0.9', '"run": "(words|seqgan_on)"'),
        prepare=stand_ins.trained(*TEXTS),
    ),
    'vocoding': Short('', ('2 clips', r'vocoder +\S+ \+- .*difference'), {}, stand_ins.clips),
    'words': Short('', ('2 of 4 words',), {}, stand_ins.lists),
}  # fmt: skip


def told():
    """(page, command) of benchmarks, README's among them; each command once."""
    pages = {page: docs.commands(page) for page in docs.PAGES}
    pages['README'] = docs.commands_in(test_readme.README)
    found = {
        command: page
        for page, commands in pages.items()
        for command in commands
        if command.startswith('python -m benchmarks.')
    }
    return [(page, command) for command, page in found.items()]


def short_of(command):
    words = command.removeprefix('python -m benchmarks.')
    return SHORT.get(words) or SHORT[words.split()[0]]


TOLD = told()


def test_every_benchmark_that_a_page_tells_of_is_run_and_no_other():
    assert [x for x in SHORT.values() if x not in [short_of(y) for _, y in TOLD]] == []
    assert len(TOLD) > 35


def run(command, changes, folder):
    """The printed text of a command in the folder, as JAX is on one device."""
    _, _, name, *words = shlex.split(command)
    name = name.removeprefix('benchmarks.')
    words = [f'{folder}{x}' if x.startswith('/') else x for x in words]
    short = short_of(command)
    words = [short.replaced.get(x, x) for x in words]
    words += shlex.split(f'{short.words} {changes.pop("words", "")}')
    environment = command_line.ENVIRONMENT | {
        'HOME': str(folder),
        'PYTHONPATH': os.pathsep.join([str(methods.ROOT), str(folder)]),
    }
    found = subprocess.run(
        [sys.executable, str(RUN), json.dumps(short.changes | changes), name, *words],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
        timeout=command_line.TIMEOUT,
    )  # fmt: skip
    if found.returncode:
        pytest.fail(f'{words}\n{found.stdout}\n{found.stderr[-4000:]}')
    return found.stdout


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize(('page', 'command'), TOLD)
def test_a_benchmark_prints_what_it_measures(page, command, tmp_path, server):
    short = short_of(command)
    for package in short.needs:
        pytest.importorskip(package)
    for name in ('configs', 'launch.py'):
        (tmp_path / name).symlink_to(methods.ROOT / name)
    (tmp_path / 'data').mkdir()
    printed = run(command, short.prepare(tmp_path, server), tmp_path)
    for pattern in short.said:
        assert re.search(pattern, printed), f'{pattern}\n{printed}'
    assert not re.search(r'\bnan\b', printed), printed
    for output in re.findall(r'--output (\S+)', command):
        assert (tmp_path / output).stat().st_size > 0
    for file in (tmp_path / 'results').glob('*.json'):
        assert json.loads(file.read_text())
