"""The commands of docs/: what each says is checked, and those of some pages are run, shortened."""

import ast
import contextlib
import io
import re
import shlex
import socket
import subprocess
import sys
import textwrap
import urllib.request

import command_line
import jax
import methods
import numpy as np
import pytest
import test_readme
from absl.testing import flagsaver
from PIL import Image

from gan_jax.commands import main as program
from gan_jax.config import defaults, experiment, overrides, validate
from gan_jax.runtime import parallel
from gan_jax.sweeps import engines

DOCS = methods.ROOT / 'docs'
# What stands before a command: where it runs, or how.
BEFORE = re.compile(r'^((nohup|srun|--\S+|[A-Z_]+=\S+|~/\S+/python) )+')
NO_COMMANDS = {
    'gan-jax': 'a word',
    'launch.py': 'a word',
    'launch.py the start from a clone; gan-jax and python -m gan_jax are the same': 'a drawing',
    'gan-jax --config=dcgan ... the same, installed; python -m gan_jax, too': 'a table',
    'gan-jax --list, gan-jax --version': 'a table',
    'python -m venv .venv': 'what runs this has one',
    'python launch.py --config=... --config.init_from=runs/x/export': 'whichever config',
}
# Pages whose commands are run here, in their order and shortened; the latter take minutes.
IN_CI = ('anomaly', 'tutorial')
LONG = ('codes_and_few_labels', 'conditional', 'design', 'modalities', 'own_parts', 'privacy')
LONG += ('sound', 'styles', 'tables', 'text', 'tpu', 'translation', 'weights')
RUN = IN_CI + LONG
LEFT_OUT = {  # of them, by words that they have, and what runs these
    'benchmarks.': 'tests/test_benchmark_commands.py, shortened',
    '--mode=playground': 'below, until its page was fetched',
    'network.pkl': 'official weights: tests/config/test_adopted.py has a pickle of its own',
    '--film=mp4': 'the extra film: tests/sampling/test_animation.py has a stand-in',
    'by_hand': 'tests/test_contributing.py has its parts',
    'folder:PATH': 'a network for 128 pixels: tests/commands/test_sample_classes.py has it smaller',
    'gs://': 'a cloud: tests/test_bucket_run.py emulates a bucket, tests/sweeps/engines SkyPilot',
    '$SCRATCH': 'a cluster: tests/sweeps/engines/test_slurm.py, tests/runtime/test_supervision.py',
    '--coordinator': 'several machines: tests/test_several_processes.py has two processes',
}


def code(text):
    """What stands in blocks that are not Python's, and between backticks."""
    fences = re.findall(r'^```(\w*)\n(.*?)^```', text, re.DOTALL | re.MULTILINE)
    yield from (block for language, block in fences if language not in ('python', 'math'))
    rest = re.sub(r'^```.*?^```', '', text, flags=re.DOTALL | re.MULTILINE)
    yield from re.findall(r'(?:^ {4}.*\n)+', rest, re.MULTILINE)
    yield from re.findall(r'`([^`]+)`', re.sub(r'^ {4}.*$', '', rest, flags=re.MULTILINE))


def commands_in(text):
    """Those of gan_jax that a page has, without what a # says of them and with optional words."""
    lines = []
    for block in code(text):
        for line in block.replace('\\\n', ' ').splitlines():
            for part in line.split(' && '):
                words = ' '.join(re.split(r'\s#|\s>\s', part)[0].split())
                words = re.sub(r'^.*python launch\.py', 'python launch.py', BEFORE.sub('', words))
                own = re.match(r'(python )?launch\.py|gan-jax|python ', words)
                lines += [re.sub(r'[\[\]](?=[\s-]|$)', '', words)] if own else []
    return [x for x in dict.fromkeys(lines) if x not in NO_COMMANDS]


def commands(page):
    return commands_in((DOCS / f'{page}.md').read_text())


def left_out(command):
    return any(word in command for word in LEFT_OUT)


PAGES = sorted(x.stem for x in DOCS.glob('*.md') if commands(x.stem))
ALL = [(page, command) for page in PAGES for command in commands(page)]


def arguments(command):
    """Of launch.py, or None if it is another's."""
    words = shlex.split(command.removesuffix(' ...').replace(' ... ', ' '))
    start = next((n for n in (['python', 'launch.py'], ['launch.py'], ['gan-jax'])
                  if words[: len(n)] == n), None)  # fmt: skip
    return None if start is None else words[len(start) :]


OURS = [(page, command) for page, command in ALL if arguments(command) is not None]
OTHERS = [(page, command) for page, command in ALL if arguments(command) is None]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the files that pages have as blocks; one device, as pages take for granted."""
    (tmp_path / 'configs').symlink_to(methods.ROOT / 'configs')
    for page, names in (
        ('tutorial', ('pictures.py', 'load.py', 'my_losses.py')),
        ('own_parts', ('parts.py', 'discs.py', 'train.py')),
    ):
        blocks = re.findall(r'```python\n(.*?)```', (DOCS / f'{page}.md').read_text(), re.DOTALL)
        for name, block in zip(names, blocks, strict=True):
            (tmp_path / name).write_text(block)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(parallel, 'num_devices', lambda: 1)
    return tmp_path


def test_every_page_with_commands_is_run_or_says_why_not():
    assert {page for page, command in ALL if not left_out(command)} == {*RUN}
    assert [x for x in LEFT_OUT if not any(x in command for _, command in ALL)] == []
    named = re.findall(r'tests/[\w/]+(?:\.py)?', ' '.join(LEFT_OUT.values()))
    assert [x for x in named if not (methods.ROOT / x).exists()] == []
    assert len(OURS) > 80
    assert len(OTHERS) > 20
    everything = ' '.join(' '.join(code(x.read_text())) for x in DOCS.glob('*.md'))
    words = ' '.join(everything.replace('\\\n', ' ').split())
    assert [x for x in NO_COMMANDS if x not in words] == []


@contextlib.contextmanager
def flags(words):
    """The flags as they stand on the command line."""
    with flagsaver.flagsaver():
        program.parse(['launch.py', *words])
        yield


@pytest.mark.parametrize(('page', 'command'), OURS)
def test_what_a_command_says_can_be_said(page, command, folder):
    """Flags that the mode reads; a config that passes all that is checked before data are read."""
    words = [x for x in arguments(command) if x not in ('--list', '--version')]
    words = [x.replace('=~/', f'={folder}/') for x in words if x != '--config.KEY=VALUE']
    with flags(words):
        mode, name = program.MODE.value, program.CONFIG.value
        program.check_flags(mode)
        if program.METRICS.value:
            validate.check_metrics('--metrics', program.METRICS.value)
        if program.SWEEP.value:
            assert program.SWEEP.value in engines.names()
            assert overrides.load_sweep(name)
        changes = [tuple(x.split('=', 1)) for x in program.CHANGES.value]
        if name and name != 'configs/by_hand.py':  # which the page has one write
            config = overrides.apply(overrides.load(name), changes)
            experiment.check(defaults.renewed(config))


@pytest.mark.parametrize('page', PAGES)
def test_what_is_looked_at_was_trained(page):
    """A work directory is that of a config, or of a training on the page."""
    trained = {f'runs/{name}' for name in methods.CONFIGS} | {'runs/x', 'runs/by_hand', 'runs'}
    for words in filter(None, map(arguments, commands(page))):
        named = dict(x.removeprefix('--').partition('=')[::2] for x in words)
        where = named.get('workdir', 'runs')
        if 'mode' not in named:
            trained.add(where)
        elif 'init_from' not in named and where.startswith('runs/'):
            assert where in trained, words


def said_in(module):
    """The flags that a benchmark reads, and how many other words it needs."""
    tree = ast.parse((methods.ROOT / 'benchmarks' / f'{module}.py').read_text())
    first = [
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and re.search(r'add_argument$|DEFINE_\w+$', ast.unparse(node.func))
    ]
    defined = 'DEFINE_' in ast.unparse(tree)
    options = {x.removeprefix('--') for x in first if defined or x.startswith('--')}
    return options, 0 if defined else sum(not x.startswith('-') for x in first)


@pytest.mark.parametrize(('page', 'command'), OTHERS)
def test_what_measures_reads_what_it_is_told(page, command):
    _, *words = shlex.split(command)
    if words == ['pictures.py']:  # of the tutorial, run below
        return
    assert words[0] == '-m'
    package, module = words[1].split('.')
    assert package == 'benchmarks'
    options, count = said_in(module)
    rest = words[2:]
    assert {x[2:].partition('=')[0] for x in rest if x.startswith('--')} <= options
    begun = next((i for i, x in enumerate(rest) if x.startswith('--')), len(rest))
    assert begun == count


# What makes a player small; a text network's features are one number.
SMALL = {'width': 4, 'channel_max': 4, 'hidden': 8, 'layers': 1, 'blocks': 1, 'features': 8}
PHASES = {'embedding_steps': 2, 'supervised_steps': 2, 'pretraining_steps': 4}
PHASES |= {'discriminator_steps': 2, 'temperature_steps': 4, 'roll_outs': 1}


def shortened(words, folder):
    """The same, for seconds."""
    if any(x.startswith('--config=') for x in words):
        short = dict(test_readme.SHORT)
        name = next(x.partition('=')[2] for x in words if x.startswith('--config='))
        config = overrides.load(name)
        short['eval_every'] = 0 if config.game == 'f_anogan' else 5  # it makes no samples
        for player in ('generator', 'discriminator', 'encoder', 'recovery', 'supervisor'):
            network = config.get(player, {})
            whole = {x: v for x, v in SMALL.items() if isinstance(network.get(x), int)}
            short |= {f'{player}.{x}': v for x, v in whole.items()}
        short |= {x: v for x, v in PHASES.items() if config.get(x)}
        short['batch_size'] = max(short['batch_size'], config.cures.packing)
        short |= {'steps_per_dispatch': 5, 'evaluation.repeats': 1}
        keys = {f'--config.{key}': value for key, value in short.items()}
        kept = [x for x in words if x.split('=')[0] not in keys or x.endswith('_steps=0')]
        said = {x.split('=')[0] for x in kept}
        words = [*kept, *(f'{key}={value}' for key, value in keys.items() if key not in said)]
        if '--config.dataset=mnist' in words or config.dataset in test_readme.PREPARED:
            words.append(f'--config.data.data_dir={folder / "tensorflow_datasets"}')
    words = [re.sub(r'^--num=\d{2,}$', '--num=32', x) for x in words]
    words = [x.replace('=~/', f'={folder}/') for x in words if x != '--config.KEY=VALUE']
    return [*words, '--steps=3'] if '--mode=project' in words else words


def picture(pixels):
    stream = io.BytesIO()
    Image.fromarray(pixels[..., 0]).save(stream, 'png')
    return stream.getvalue()


def recordings(folder, num, seconds):
    """Tones of 16 kHz."""
    soundfile = pytest.importorskip('soundfile')
    folder.mkdir(parents=True)
    times = np.arange(int(16_000 * seconds)) / 16_000
    for i in range(num):
        soundfile.write(
            folder / f'{i}.wav', 0.5 * np.sin(2 * np.pi * 110 * (i + 1) * times), 16_000
        )


def prepare(page, folder):
    """What a page takes for granted; what is to be trained before."""
    pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 1), np.uint8)
    (folder / 'photos').mkdir()
    for i, x in enumerate(pixels):
        (folder / 'photos' / f'{i}.png').write_bytes(picture(x))
    data = folder / 'data'
    data.mkdir()
    if page == 'privacy':
        pytest.importorskip('dp_accounting')
    if page in ('anomaly', 'codes_and_few_labels', 'privacy'):
        test_readme.prepare('mnist', *test_readme.PREPARED['mnist'], folder / 'tensorflow_datasets')
    if page == 'conditional':
        name = 'cifar10'
        test_readme.prepare(name, *test_readme.PREPARED[name], folder / 'tensorflow_datasets')
    if page == 'modalities':
        walk = 100 + np.random.default_rng(0).normal(size=(200, 6)).cumsum(0)
        lines = [','.join(f'{x:.3f}' for x in row) for row in walk]
        (data / 'sp500.csv').write_text('\n'.join(['open,high,low,close,adjusted,volume', *lines]))
    if page == 'sound':
        recordings(data / 'drums' / 'kick', 16, 0.5)
        recordings(data / 'speech' / 'train', 16, 1.0)
        recordings(data / 'speech' / 'test', 4, 1.0)
    if page == 'tables':
        methods.rows(folder / 'my.csv')
        lines = [f'{i % 7},{i % 3},{20 + i % 50},{"ab"[i % 4 > 2]}' for i in range(64)]
        rows = '\n'.join(['industry_code,occupation_code,age,income', *lines])
        for split in ('train', 'test'):
            (data / f'census_{split}.csv').write_text(rows)
    if page == 'text':
        methods.words(data / 'words.txt', 200)
        methods.words(data / 'dictionary.txt', 50)
    if page == 'own_parts':
        (folder / 'discs').symlink_to(folder)  # the page's folder is ~/discs
    if page == 'translation':
        for place in [folder / 'b', *(data / x / y for x in ('train', 'test') for y in 'ab')]:
            place.mkdir(parents=True)
            for i, x in enumerate(pixels):
                (place / f'{i}.png').write_bytes(picture(x))
        small = ['--config.image_size=32', '--config.data.load_size=36']
        return [
            ['--config=configs/pix2pix.py', '--config.dataset=paired:data', *small,
             '--config.generator.depth=4'],
            ['--config=configs/cyclegan.py', '--config.dataset=unpaired:data', *small],
        ]  # fmt: skip
    if page == 'weights':
        pytest.importorskip('safetensors')
        pytest.importorskip('flatbuffers')
        pytest.importorskip('jax2onnx')
        return [['--config=gan', '--workdir=runs/x', '--config.num_replicas=3']]
    return []


def indented(page):
    """The Python that a page has indented."""
    text = (DOCS / f'{page}.md').read_text()
    found = re.findall(r'(?:^ {4}.*\n|^\n(?= {4}))+', text, re.MULTILINE)
    (block,) = [x.strip('\n') for x in found if x.lstrip().startswith('import ')]
    return block


def in_python(block):
    """What a block defines, run as a user runs it, without strict promotion."""
    names = {}
    with jax.numpy_dtype_promotion('standard'), jax.numpy_rank_promotion('allow'):
        exec(compile(block, 'docs', 'exec'), names)
    return names


@pytest.mark.slow
@pytest.mark.parametrize('page', [*IN_CI, *(pytest.param(x, marks=pytest.mark.long) for x in LONG)])
def test_the_commands_of_a_page_do_what_it_says(page, folder, server):
    first = prepare(page, folder)
    lines = [x for x in commands(page) if not left_out(x)]
    if page == 'tutorial':
        exec(compile((folder / 'pictures.py').read_text(), 'pictures.py', 'exec'), {})
        assert len([*(folder / 'pictures').rglob('*.png')]) == 600
    for words in [*first, *map(arguments, lines)]:
        if words is None or words[0] in ('--list', '--version'):
            continue  # tests/test_core.py
        ran = shortened(words, folder)
        code, printed = server.run(*ran, cwd=folder, HOME=str(folder))
        assert code == 0, f'{words}\n{ran}\n{printed}'
    if page == 'tutorial':
        assert (folder / 'runs' / 'compare.html').exists()
        assert (folder / 'runs' / 'shapes' / 'report.html').exists()
        names = in_python((folder / 'load.py').read_text())
        assert (names['images'].shape, names['images'].dtype) == ((64, 32, 32, 3), np.uint8)
    if page == 'styles':
        names = in_python(textwrap.dedent(indented('styles')))
        assert names['styles'].shape[0] == names['images'].shape[0] == 8
        assert names['images'].shape[1:] == (32, 32, 1)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize(('page', 'command'), [x for x in OURS if '--mode=playground' in x[1]])
def test_a_playground_serves_its_page(page, command):
    """At a free port, which the last of two flags of a name says."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    url = f'http://127.0.0.1:{port}/'
    words = [*arguments(command), f'--port={port}', '--config.generator.width=8']
    words += ['--config.generator.depth=1', '--config.discriminator.width=8']
    with subprocess.Popen(
        [sys.executable, 'launch.py', *words], cwd=methods.ROOT,
        env=command_line.ENVIRONMENT, stderr=subprocess.PIPE, text=True,
    ) as started:  # fmt: skip
        said = started.stderr.readline()
        try:
            assert f'open {url} in a browser' in said
            with urllib.request.urlopen(url, timeout=command_line.TIMEOUT) as answer:
                assert b'<title>' in answer.read()
        finally:
            started.terminate()
            said += started.communicate(timeout=command_line.TIMEOUT)[1]
    assert started.returncode == 0, said
