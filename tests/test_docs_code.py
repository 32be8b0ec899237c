"""The Python of the README and of docs/: executed here or by a test that is named, and its imports.

Blocks that need a trained run have their names looked up only, but for those that
tests/test_docs_commands.py executes where it has trained one.
"""

import ast
import importlib
import re
import textwrap

import jax
import jax.numpy as jnp
import methods
import numpy as np
import pytest

from gan_jax import game, sweeps
from gan_jax.config import defaults, experiment

DOCS = methods.ROOT / 'docs'
# Which test executes a page's blocks; 'names' of blocks that need a trained run.
BLOCKS = {
    'README.md': ['here', 'here'],
    'conditional.md': ['test_contributing.py', 'test_contributing.py', 'names'],
    'design.md': ['here'],
    'elsewhere.md': ['test_elsewhere_programs.py'] * 3,
    'gan_loss_elsewhere.md': ['test_gan_loss_elsewhere.py'] * 2,
    'methods.md': ['here'] * 3,
    'own_parts.md': ['test_own_parts.py'] * 3,
    'tutorial.md': ['test_docs_commands.py', 'test_docs_commands.py', 'test_docs_commands.py'],
}
PAGES = [methods.ROOT / 'README.md', *sorted(DOCS.rglob('*.md'))]


def blocks(page):
    file = next(x for x in PAGES if x.name == page)
    return re.findall(r'^```python\n(.*?)^```', file.read_text(), re.DOTALL | re.MULTILINE)


def python(file):
    """What a page has of Python, also that which is only indented."""
    text = file.read_text()
    yield from re.findall(r'^```python\n(.*?)^```', text, re.DOTALL | re.MULTILINE)
    rest = re.sub(r'^```.*?^```', '', text, flags=re.DOTALL | re.MULTILINE)
    for block in re.findall(r'(?:^(?: {4}.*)?\n)+', rest, re.MULTILINE):
        if re.match(r'\s*(import|from) \w', block):
            yield textwrap.dedent(block)


def test_every_block_has_a_test():
    found = {x.name: len(blocks(x.name)) for x in PAGES}
    assert {name: n for name, n in found.items() if n} == {x: len(y) for x, y in BLOCKS.items()}
    for page, names in BLOCKS.items():
        for name in {*names} - {'here', 'names'}:
            text = (methods.ROOT / 'tests' / name).read_text()
            assert page.removesuffix('.md') in text, (page, name)


@pytest.mark.parametrize(
    'file', [x for x in PAGES if [*python(x)] and x.name != 'design.md'], ids=lambda x: x.name
)
def test_what_is_imported_is_there(file):
    for block in python(file):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    name = alias.name if alias.name != 'equinox' else 'jax'
                    importlib.import_module(name)
            elif isinstance(node, ast.ImportFrom) and node.module not in ('parts', 'configs'):
                module = importlib.import_module(node.module)
                for alias in node.names:
                    if not hasattr(module, alias.name):
                        importlib.import_module(f'{node.module}.{alias.name}')


def test_the_maths_of_the_readme():
    block, _ = blocks('README.md')
    rng = np.random.default_rng(0)
    images, samples = (jnp.asarray(rng.uniform(-1, 1, (4, 8, 8, 1)), jnp.float32) for _ in 'ab')

    class Discriminator:
        def apply(self, variables, x):
            return variables * x.reshape(len(x), -1).sum(axis=1)

    critic = Discriminator()
    names = {'images': images, 'samples': samples, 'discriminator': critic}
    names |= {'variables': jnp.float32(2.0), 'critic': lambda x: critic.apply(jnp.float32(2.0), x)}
    names |= {'real_logits': jnp.ones(4), 'fake_logits': jnp.zeros(4)}
    names |= {'real': rng.normal(size=(32, 3)), 'fake': rng.normal(size=(32, 3)) + 1}
    with jax.numpy_dtype_promotion('standard'), jax.numpy_rank_promotion('allow'):
        exec(compile(block, 'README.md', 'exec'), names)
    assert names['z'].shape == (64, 100)
    np.testing.assert_allclose(names['loss'], np.log(2), rtol=1e-6)
    np.testing.assert_allclose(names['r1'], 4 * 64)  # |grad|^2 of 2 sum x over 64 pixels
    np.testing.assert_allclose(names['gp'], 15.0**2, rtol=1e-5)
    np.testing.assert_array_equal(names['paired'], 0)
    np.testing.assert_allclose(names['l1'], np.abs(images - samples).mean((1, 2, 3)), rtol=1e-5)
    assert names['distance'] > 0.1


def test_the_sweep_of_the_readme():
    _, block = blocks('README.md')
    names = {}
    exec(compile(block, 'README.md', 'exec'), names)
    trials = [*names['sweep']()]
    assert len(trials) == 6
    assert {x['seed'] for x in trials} == {0, 1, 2}
    assert names['sweeps'] is sweeps


@pytest.mark.parametrize('place', [0, 1, 2])
def test_the_configs_of_methods_pass_every_check(place):
    base = methods.load_config('gan')
    with base.ignore_type():
        exec(compile(blocks('methods.md')[place], 'methods.md', 'exec'), {'config': base})
    config = base.to_dict()
    assert config != methods.load_config('gan').to_dict()
    experiment.check(defaults.renewed(config))


def test_the_types_of_the_design_are_those_of_the_code():
    (block,) = blocks('design.md')
    definitions = block.partition('\nState ')[0]
    for node in ast.parse(definitions).body:
        fields = [x for x in node.body if isinstance(x, ast.AnnAssign)]
        own = getattr(game, node.name)
        assert [x.target.id for x in fields] == [*own._fields]
        said = {x.target.id: ast.unparse(x.value) for x in fields if x.value is not None}
        for name, text in said.items():
            value = own._field_defaults[name]
            assert text == (value.__name__ if callable(value) else repr(value)), name
        assert said.keys() == own._field_defaults.keys()
