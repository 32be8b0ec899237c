"""What is installed with gan_jax alone: which of it works then, and which packages that takes."""

import ast
import functools
import re
import subprocess
import sys
import tomllib

import methods
import pytest

from gan_jax import commands

PACKAGE = methods.ROOT / 'gan_jax'
# Rooms that work without the extra `train`; the last are what --list and --version need.
CORE = (
    'arrays', 'augment', 'class_losses', 'cures', 'errors', 'game', 'games', 'keys', 'latents',
    'losses', 'metrics', 'networks', 'objectives', 'optimizers', 'penalties', 'privacy',
    'restoration', 'spectra', 'stabilization', 'config.overrides', '__main__',
)  # fmt: skip
# Packages that are imported by another name than they are installed by.
INSTALLED = {
    'absl': 'absl-py', 'orbax': 'orbax-checkpoint', 'PIL': 'pillow', 'sklearn': 'scikit-learn'
}  # fmt: skip
# Needed though nothing here imports them: tensorflow-datasets reads array-record's files, and
# imports importlib_resources without saying so.
UNSEEN = {'array-record', 'importlib-resources'}
LATE = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def declared():
    """{extra: the packages it lists}, those of the core under ''."""
    project = tomllib.loads((methods.ROOT / 'pyproject.toml').read_text())['project']
    extras = {'': project['dependencies'], **project['optional-dependencies']}
    return {
        extra: {canonical(re.split(r'[\[<>=~! ]', line)[0]) for line in lines} - {'gan-jax'}
        for extra, lines in extras.items()
    }


def canonical(name):
    return re.sub('[-_.]+', '-', name).lower()


def distribution(module):
    root = module.partition('.')[0]
    return canonical(INSTALLED.get(root, root))


@functools.cache
def imports(file, late):
    """The modules that a file imports at its top; or all of them, if `late`."""
    found = set()

    def look(node):
        for child in ast.iter_child_nodes(node):
            typing = isinstance(child, ast.If) and 'TYPE_CHECKING' in ast.unparse(child.test)
            if not late and (typing or isinstance(child, LATE)):
                continue
            if isinstance(child, ast.Import):
                found.update(alias.name for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                found.update(f'{child.module}.{alias.name}' for alias in child.names)
            elif isinstance(child, ast.Call) and child.args:
                called = ast.unparse(child.func).rpartition('.')[2]
                if called in ('import_module', '_library'):
                    found.update(first_words(child.args[0]))
            look(child)

    look(ast.parse(file.read_text()))
    return found


def first_words(node):
    """What a name begins with that is written in the call, also as f'sklearn.{module}'."""
    start = node.values[0] if isinstance(node, ast.JoinedStr) else node
    return [start.value] if isinstance(start, ast.Constant) else []


def foreign(modules):
    roots = {name.partition('.')[0] for name in modules}
    return {x for x in roots if x not in sys.stdlib_module_names and x != 'gan_jax'}


def files_of(module):
    """The files that are read when a module is imported, or `package.name`."""
    parts = module.split('.')
    for end in range(1, len(parts) + 1):
        place = methods.ROOT.joinpath(*parts[:end])
        for file in (place.with_suffix('.py'), place / '__init__.py'):
            if file.is_file():
                yield file


def core_modules():
    for name in CORE:
        place = PACKAGE.joinpath(*name.split('.'))
        for file in [*place.rglob('*.py')] or [place.with_suffix('.py')]:
            inside = file.relative_to(methods.ROOT).with_suffix('').parts
            yield '.'.join(inside).removesuffix('.__init__')


def reached(modules):
    """All files that importing the modules reads."""
    seen, waiting = set(), [file for module in modules for file in files_of(module)]
    while waiting:
        file = waiting.pop()
        if file not in seen:
            seen.add(file)
            own = [x for x in imports(file, False) if x.partition('.')[0] == 'gan_jax']
            waiting += [x for module in own for x in files_of(module)]
    return seen


def test_the_core_depends_on_what_it_imports_and_on_nothing_else():
    files = reached(core_modules())
    assert len(files) > 100
    needed = {distribution(x) for file in files for x in foreign(imports(file, False))}
    assert needed == declared()['']


def test_every_import_is_declared_and_the_extra_train_has_what_is_imported():
    packages = declared()
    everywhere = set()
    for file in PACKAGE.rglob('*.py'):
        everywhere |= {distribution(x) for x in foreign(imports(file, True))}
    assert everywhere <= set().union(*packages.values())
    assert packages['train'] <= everywhere | UNSEEN
    assert not packages['train'] & packages['']


def test_what_only_runs_use_brings_the_extra_train():
    project = tomllib.loads((methods.ROOT / 'pyproject.toml').read_text())['project']
    extras = project['optional-dependencies']
    without = {x for x, lines in extras.items() if 'gan_jax[train]' not in lines}
    assert without == {'train', 'privacy', 'dev'}  # `dev` has `test`; privacy's maths stands alone


BLOCKED = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in {names!r}:
            raise ModuleNotFoundError(f'No module named {{name!r}}', name=name)
sys.meta_path.insert(0, Missing())
"""


def without_train(code, *words):
    """A Python that finds none of the extra's packages."""
    names = {x.partition('.')[0] for file in PACKAGE.rglob('*.py') for x in imports(file, True)}
    blocked = {x for x in foreign(names) if distribution(x) not in declared()['']}
    assert blocked >= {'PIL', 'grain', 'mlxtend', 'orbax', 'tensorboardX', 'tqdm'}
    return subprocess.run(
        [sys.executable, '-c', BLOCKED.format(names=blocked) + code, *words],
        cwd=methods.ROOT, capture_output=True, text=True,
    )  # fmt: skip


def test_the_core_is_imported_where_there_is_nothing_else():
    code = f"""
import contextlib, importlib, io
for name in {sorted(core_modules())!r}:
    importlib.import_module(name)
from gan_jax import __main__ as program, errors
for word in ('--version', '--list'):
    sys.argv = ['gan-jax', word]
    program.main()
import gan_jax
for name in ('train', 'load'):
    try:
        getattr(gan_jax, name)
    except errors.UserError as error:
        print(error)
sys.argv = ['gan-jax', '--config=dcgan']
program.main()
"""
    done = without_train(code)
    assert (done.returncode, done.stderr.count('\n')) == (2, 1), done.stderr
    line = r"whole runs need \w+(\.\w+)*; pip install 'gan_jax\[train\]'"
    assert re.fullmatch(f'gan_jax: {line}\n', done.stderr)
    said = done.stdout.splitlines()
    assert said[0].startswith('gan_jax ')
    assert [x.split()[0] for x in said[1:-2]] == methods.CONFIGS
    assert all(re.fullmatch(line, x) for x in said[-2:])


def test_a_missing_module_of_ones_own_is_not_taken_for_the_extra():
    lost = ModuleNotFoundError('No module named gan_jax.lost', name='gan_jax.lost')
    with pytest.raises(ModuleNotFoundError, match=r'gan_jax\.lost'):
        commands.lacking(lost)
