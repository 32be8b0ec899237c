"""The arrows and the sizes that docs/design.md promises."""

import ast
import graphlib
import subprocess
import sys

import methods
import pytest

PACKAGE = methods.ROOT / 'gan_jax'
MATHS = ['objectives', 'penalties', 'losses', 'class_losses', 'stabilization', 'latents']
MATHS += ['keys', 'arrays', 'spectra', 'augment/basic', 'augment/ada', 'augment/diffaugment']
MATHS += ['augment/resampling']
MATHS += [
    f'restoration/{name}' for name in ('degradations', 'baselines', 'heads', 'sounds', '_arrays')
]
MATHS += [
    f'metrics/{name}'
    for name in (
        'classification', 'diversity', 'frechet', 'inception', 'kernel', 'labels', 'manifold',
        'membership', 'modes', 'path_length', 'similarity', 'sliced_wasserstein', 'spectral',
        'tables', 'text',
    )
]  # fmt: skip
ALLOWED = {'jax', 'numpy', 'chex'}
STANDARD = set(sys.stdlib_module_names)
KINDS = ('modalities', 'data', 'restoration')  # the rooms that know what an example is
LINES = {'cyclegan.py': 150, 'pix2pix.py': 120, 'gan.py': 120}


def imports(file):
    """The modules a file imports, at its top or anywhere else."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == 'gan_jax':
            yield from (f'gan_jax.{alias.name}' for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


def own(file):
    return {name.split('.')[1] for name in imports(file) if name.startswith('gan_jax.')}


def room(file):
    """The file or folder of the package that a file stands in; launch.py and configs are rooms."""
    inside = file.relative_to(methods.ROOT).parts
    return (inside[1] if inside[0] == 'gan_jax' else inside[0]).removesuffix('.py')


def house():
    """{room: the rooms that it imports from}."""
    arrows = {}
    files = [*PACKAGE.rglob('*.py'), methods.ROOT / 'launch.py']
    for folder in ('configs', 'benchmarks'):
        files += (methods.ROOT / folder).glob('*.py')
    for file in files:
        if room(file) != '__init__':
            arrows.setdefault(room(file), set()).update(own(file) - {room(file)})
    return arrows


def functions(file):
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef):
            yield node


@pytest.mark.parametrize('name', MATHS)
def test_the_maths_imports_jax_numpy_and_chex_only(name):
    file = PACKAGE / f'{name}.py'
    others = {x.split('.')[0] for x in imports(file)} - STANDARD - {'gan_jax'}
    assert others <= ALLOWED
    # Of a folder only what its private modules share.
    assert own(file) <= {'keys', 'arrays', 'spectra', *name.split('/')[:-1]} - {'metrics'}


def test_every_module_of_metrics_and_restoration_is_in_the_table():
    for folder in ('metrics', 'restoration'):
        files = {f'{folder}/{file.stem}' for file in (PACKAGE / folder).glob('[!_]*.py')}
        assert files <= {*MATHS}


def test_no_arrow_points_up():
    """There is an order of the rooms in which each imports from those before it only."""
    order = [*graphlib.TopologicalSorter(house()).static_order()]
    floors = {name: place for place, name in enumerate(order)}
    below = ['keys', 'runtime', 'game', 'games', 'config', 'loop', 'launch']
    assert [floors[name] for name in below] == sorted(floors[name] for name in below)
    for lower, upper in (
        ('data', 'modalities'), ('modalities', 'sampling'), ('sampling', 'evaluation'),
        ('evaluation', 'config'), ('config', 'commands'), ('networks', 'games'),
    ):  # fmt: skip
        assert floors[lower] < floors[upper]


def test_the_house_is_small():
    arrows = house()
    assert len(arrows) <= 34  # cures, the alias of one version, among them
    assert sum(len(rooms) for rooms in arrows.values()) <= 129  # ten with the playground


def test_the_rooms_import_what_they_may():
    arrows = house()
    assert arrows['game'] == {'keys', 'runtime'}
    assert arrows['runtime'] <= {'errors'}
    assert arrows['data'] <= {'errors'}
    assert arrows['networks'] <= {'errors', 'runtime', 'spectra'}
    assert arrows['games'] <= {
        'augment', 'game', 'keys', 'objectives', 'stabilization', 'runtime', 'networks'
    }  # fmt: skip
    assert arrows['modalities'] <= {'data', 'augment', 'runtime', 'spectra'}


def test_only_three_rooms_know_what_an_example_is():
    """Elsewhere no batch has an image, and neither a rank nor a kind's name is compared."""
    kinds = {file.stem for file in (PACKAGE / 'modalities').glob('*.py')}
    assert {'images', 'waveforms', 'tables'} <= kinds
    for file in PACKAGE.rglob('*.py'):
        if room(file) in (*KINDS, 'metrics', 'networks'):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            assert not (isinstance(node, ast.Constant) and node.value == 'image'), file
            if isinstance(node, ast.Compare):
                sides = [node.left, *node.comparators]
                ranks = [x for x in sides if isinstance(x, ast.Attribute) and x.attr == 'ndim']
                assert not ranks, (file, node.lineno)
                constants = {x.value for x in ast.walk(node) if isinstance(x, ast.Constant)}
                assert not constants & kinds, (file, node.lineno)
    for name in ('game.py', 'games/turns.py', 'games/adversary.py', 'games/network.py'):
        text = (PACKAGE / name).read_text().lower()
        assert 'image' not in text, name


def test_the_config_is_read_in_one_room():
    """Nothing behind it takes one: a checkpoint and a page hold it for the record."""
    takers = set()
    for file in PACKAGE.rglob('*.py'):
        for function in functions(file):
            names = {x.arg for x in [*function.args.args, *function.args.kwonlyargs]}
            if 'config' in names:
                takers.add(str(file.relative_to(PACKAGE)))
    takers -= {'commands/evaluate.py'}  # which changes what a saved one says of evaluation
    takers -= {'commands/api.py'}  # which is handed a person's config
    outside = {name for name in takers if not name.startswith('config/')}
    assert outside <= {'loop.py', 'runtime/checkpoint.py'}
    assert len(takers) <= 8


def test_no_file_is_over_400_lines():
    files = [methods.ROOT / 'launch.py', *PACKAGE.rglob('*.py')]
    files += [*(methods.ROOT / 'tests').rglob('*.py'), *(methods.ROOT / 'benchmarks').rglob('*.py')]
    assert len(files) > 40
    assert [f.name for f in files if len(f.read_text().splitlines()) > 400] == []


def test_games_are_short_and_no_function_is_long_but_the_loop():
    for name, most in LINES.items():
        assert len((PACKAGE / 'games' / name).read_text().splitlines()) <= most
    long = {
        (room(file), function.name)
        for file in [*PACKAGE.rglob('*.py'), methods.ROOT / 'launch.py']
        for function in functions(file)
        if function.end_lineno - function.lineno + 1 > 80
    }
    assert long <= {('loop', 'train')}


def test_no_two_test_files_have_one_name():
    """pytest would leave one of them out."""
    names = [file.name for file in (methods.ROOT / 'tests').rglob('test_*.py')]
    assert sorted(names) == sorted({*names})


def test_neither_the_maths_nor_the_command_line_imports_tensorflow():
    heavy = ('tensorflow', 'tensorflow_datasets', 'matplotlib', 'pandas', 'mlxtend', 'torch')
    light = ('flax', 'optax', 'orbax', 'PIL')
    for module, more in (
        ('gan_jax.objectives, gan_jax.metrics', light), ('gan_jax.commands.main', ()),
    ):  # fmt: skip
        code = f'import sys, {module}; print([m for m in {heavy + more} if m in sys.modules])'
        run = subprocess.run(
            [sys.executable, '-c', code], cwd=methods.ROOT, capture_output=True, text=True
        )
        assert run.stdout.strip() == '[]', (module, run)
