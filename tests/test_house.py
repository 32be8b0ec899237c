"""The arrows and the sizes that docs/design.md promises."""

import ast
import subprocess
import sys

import methods
import pytest

PACKAGE = methods.ROOT / 'gan_jax'
MATHS = ['objectives', 'penalties', 'losses', 'stabilization', 'latents', 'augment']
MATHS += ['keys', 'arrays']
MATHS += [f'restoration/{name}' for name in ('degradations', 'baselines', 'heads', '_arrays')]
MATHS += [
    f'metrics/{name}'
    for name in (
        'classification', 'diversity', 'frechet', 'inception', 'kernel', 'manifold', 'modes',
        'path_length', 'similarity', 'sliced_wasserstein',
    )
]  # fmt: skip
ALLOWED = {'jax', 'numpy', 'chex'}
STANDARD = set(sys.stdlib_module_names)


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


@pytest.mark.parametrize('name', MATHS)
def test_the_maths_imports_jax_numpy_and_chex_only(name):
    file = PACKAGE / f'{name}.py'
    others = {x.split('.')[0] for x in imports(file)} - STANDARD - {'gan_jax'}
    assert others <= ALLOWED
    # Of a folder only what its private modules share.
    assert own(file) <= {'keys', 'arrays', *name.split('/')[:-1]} - {'metrics'}


def test_every_module_of_metrics_is_in_the_table():
    files = {f'metrics/{file.stem}' for file in (PACKAGE / 'metrics').glob('[!_]*.py')}
    assert files <= {*MATHS}


def test_the_arrows_point_down():
    assert own(PACKAGE / 'game.py') == {'keys', 'parallel'}
    assert own(PACKAGE / 'parallel.py') == set()
    for file in (PACKAGE / 'networks').rglob('*.py'):
        features = {'files'} if file.parent.name == 'features' else set()
        assert own(file) <= {'networks', 'errors'} | features
    for file in (PACKAGE / 'data').rglob('*.py'):
        assert own(file) <= {'data', 'errors'}
    for file in (PACKAGE / 'games').glob('*.py'):
        assert own(file) <= {'game', 'keys', 'objectives', 'cures', 'parallel', 'games'}
    for file in PACKAGE.rglob('*.py'):
        if file.name not in ('train.py', 'sample.py'):
            assert not own(file) & {'train', 'sample'}


def test_no_file_is_over_400_lines():
    files = [methods.ROOT / 'launch.py', *PACKAGE.rglob('*.py')]
    files += [*(methods.ROOT / 'tests').rglob('*.py'), *(methods.ROOT / 'benchmarks').rglob('*.py')]
    assert len(files) > 40
    assert [f.name for f in files if len(f.read_text().splitlines()) > 400] == []


def test_no_two_test_files_have_one_name():
    """pytest would leave one of them out."""
    names = [file.name for file in (methods.ROOT / 'tests').rglob('test_*.py')]
    assert sorted(names) == sorted({*names})


def test_neither_the_maths_nor_the_command_line_imports_tensorflow():
    heavy = ('tensorflow', 'tensorflow_datasets', 'matplotlib', 'pandas', 'mlxtend', 'torch')
    for module, more in (('gan_jax', ('flax', 'optax', 'orbax', 'PIL')), ('launch', ())):
        code = f'import sys, {module}; print([m for m in {heavy + more} if m in sys.modules])'
        run = subprocess.run(
            [sys.executable, '-c', code], cwd=methods.ROOT, capture_output=True, text=True
        )
        assert run.stdout.strip() == '[]', (module, run)
