"""The recipes of CONTRIBUTING.md and of docs/conditional.md do what they say."""

import re
import sys
import types

import jax
import jax.numpy as jnp
import methods
import numpy as np
import pytest

from gan_jax import augment, data, games, networks, objectives, penalties
from gan_jax.config import experiment
from gan_jax.data import sources

PAGES = {'contributing': 'CONTRIBUTING.md', 'conditional': 'docs/conditional.md'}
KEYS = jax.random.split(jax.random.key(0), 3)


def recipe(begins, page='contributing'):
    """The block of Python of a page that holds this text."""
    text = (methods.ROOT / PAGES[page]).read_text()
    blocks = re.findall(r'```python\n(.*?)```', text, re.DOTALL)
    (block,) = [x for x in blocks if begins in x]
    return block


def run(block, module):
    """What a block defines where it is put behind a module's own text."""
    namespace = dict(vars(module))
    exec(compile(block, 'CONTRIBUTING.md', 'exec'), namespace)
    return namespace


def new_module(monkeypatch, package, name, block):
    """A module of a package, as if the block were its file."""
    full = f'{package.__name__}.{name}'
    module = types.ModuleType(full)
    monkeypatch.setitem(sys.modules, full, module)
    monkeypatch.setattr(package, name, module, raising=False)
    exec(compile(block, f'{name}.py', 'exec'), vars(module))
    return module


@pytest.fixture
def named(monkeypatch):
    """Has names looked up in modules that are no files."""
    found = []

    def submodules(package, **options):
        return [*original(package, **options), *(n for p, n in found if p is package)]

    from gan_jax.config import checks, resolve
    from gan_jax.config import games as games_lib

    original = checks.submodules
    for module in (checks, resolve, games_lib):
        if hasattr(module, 'submodules'):
            monkeypatch.setattr(module, 'submodules', submodules)

    def add(package, name, block):
        found.append((package, name))
        return new_module(monkeypatch, package, name, block)

    return add


def test_a_gan():
    module = types.ModuleType('hinge')
    exec(compile(recipe("config.objective = 'hinge'"), 'hinge.py', 'exec'), vars(module))
    config = module.get_config().to_dict()
    config['modality'] = {'name': 'images', 'shape': [28, 28, 1]}
    game = experiment.rebuild(config).game
    assert [turn.label for turn in game.turns] == ['discriminator', 'discriminator_r1', 'generator']


def test_a_game(named):
    named(games, 'generator_first', recipe('game._replace(turns=game.turns[::-1])'))
    config = methods.shrunk('gan') | {'game': 'generator_first'}
    for key in ('generator_every', 'simultaneous'):
        config.pop(key, None)
    game = experiment.rebuild(config).game
    assert [turn.label for turn in game.turns] == ['generator', 'discriminator']


def test_an_objective():
    made = run(recipe('def logit_difference_discriminator'), objectives)['logit_difference']
    real, fake = jnp.array([2.0, 0.0]), jnp.array([0.5, 1.0])
    np.testing.assert_allclose(made.discriminator(real, fake), [0.0, 2.0])
    np.testing.assert_allclose(made.discriminator(real, fake, margin=2.0), [0.5, 3.0])
    np.testing.assert_allclose(made.generator(real, fake), -fake)


def test_a_penalty():
    drift = run(recipe('def drift('), penalties)['drift']
    np.testing.assert_allclose(drift(lambda x: 2 * x, jnp.array([[1.0, 2.0]])), [10.0])


def test_a_network(named):
    named(networks, 'linear', recipe('class Discriminator(nn.Module)'))
    config = methods.shrunk('gan') | {'discriminator': {'name': 'linear.Discriminator'}}
    params, _ = experiment.rebuild(config).game.init(jax.random.key(0), methods.batch(config))
    sizes = {x.size for x in jax.tree.leaves(params['discriminator'])}
    assert sizes == {methods.SIZE**2, 1}


def test_an_augmentation():
    namespace = run(recipe('def contrast('), augment.basic)
    namespace['_LIMITS']['contrast'] = 1
    try:
        images = jnp.full((3, 4, 4, 1), 0.5)
        np.testing.assert_array_equal(namespace['contrast'](KEYS, images, 0.0), images)
        changed = namespace['contrast'](KEYS, images, 0.5)
        assert len({*np.asarray(changed[:, 0, 0, 0]).tolist()}) == 3
        assert np.all((changed >= 0.25) & (changed <= 0.75))
    finally:
        del namespace['_LIMITS']['contrast']


def test_a_data_set(tmp_path):
    images = np.zeros((4, 8, 8, 1), np.uint8)
    labels = np.arange(4)
    given = types.SimpleNamespace(images=images, labels=labels)
    dataset = run(recipe("from_arrays('mine'"), given)['dataset']
    assert (len(dataset), dataset.shape) == (4, (8, 8, 1))
    npz = run(recipe("NPZ = 'npz:'"), sources)['npz']
    np.savez(tmp_path / 'x.npz', image=images, label=labels)
    loaded = data.load(npz(str(tmp_path / 'x.npz')), image_size=None)
    np.testing.assert_array_equal(loaded.labels, labels)
    (tmp_path / 'x.npz').write_bytes(b'')
    with pytest.raises(Exception, match='cannot be read'):
        npz(str(tmp_path / 'x.npz'))


def test_a_conditional_gan(named):
    block, config_block = (recipe(x, 'conditional') for x in ('class Generator', 'get_config'))
    lines = [x for x in (block + config_block).splitlines() if x.strip()]
    assert len(lines) <= 40
    named(networks, 'projection', block)
    module = types.ModuleType('projection_config')
    exec(compile(config_block, 'projection.py', 'exec'), vars(module))
    config = module.get_config().to_dict()
    config['modality'] = {'name': 'images', 'shape': [28, 28, 1], 'classes': 10}
    config = methods.sgd(config | {'batch_size': 4, 'image_size': 28})
    game = experiment.rebuild(config).game
    batch = methods.batch(config)
    params, aux = jax.jit(game.init)(jax.random.key(0), batch)
    table = params['discriminator']['Embed_0']['embedding']
    verdicts = [
        game.functions['verdict'](params, aux, batch | {'label': jnp.full(4, k)}) for k in (0, 1)
    ]
    assert table.shape == (10, 256)
    assert np.abs(verdicts[0].logits - verdicts[1].logits).max() > 1e-6
