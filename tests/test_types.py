"""What a type checker finds of the package in somebody's project."""

import re
import subprocess
import sys
import venv

import methods
import pytest

pytest.importorskip('mypy', reason='the extra named dev is not here')
PROJECT = """
import jax
import jax.numpy as jnp
import gan_jax
from gan_jax import losses, metrics, objectives, penalties

run = gan_jax.load('runs/mine')
reveal_type(run.sample(3, seed=1))
reveal_type(run.evaluate(num=10))
reveal_type(losses.mean_square(jnp.zeros(3)))
reveal_type(objectives.non_saturating_generator(jnp.zeros(3), jnp.zeros(3)))
reveal_type(penalties.r1(lambda x: x.sum(axis=1), jnp.zeros((3, 2))))
reveal_type(metrics.sliced_wasserstein(jnp.zeros((3, 2)), jnp.zeros((3, 2)), jax.random.key(0)))
run.sample('three')
losses.mean_square('three')


def critic(x: jax.Array) -> jax.Array:
    return x.sum(axis=1)


def own(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
    return fake_logits - real_logits


penalties.r2(critic, jnp.zeros((3, 2)))
objectives.Objective(own, own)
"""
ARRAY = '"jax._src.basearray.Array"'
FOUND = [
    (8, 'note: Revealed type is "numpy.ndarray'),
    (9, 'note: Revealed type is "dict[str, float]"'),
    *((line, f'note: Revealed type is {ARRAY}') for line in range(10, 14)),
    (14, 'error: Argument 1 to "sample" of "Run" has incompatible type "str"'),
    (15, 'error: Argument 1 to "mean_square" has incompatible type "str"'),
]


@pytest.mark.slow
def test_the_types_of_the_installed_package_are_found(tmp_path):
    """In an environment that has the package as an installation does, beside what it needs."""
    venv.create(tmp_path / 'venv', symlinks=True)
    (packages,) = (tmp_path / 'venv').glob('lib/python*/site-packages')
    (packages / 'gan_jax').symlink_to(methods.ROOT / 'gan_jax')
    others = [x for x in sys.path if x.endswith('site-packages')]
    (packages / 'others.pth').write_text('\n'.join(others))
    (tmp_path / 'mine.py').write_text(PROJECT)
    python = tmp_path / 'venv' / 'bin' / 'python'
    done = subprocess.run(
        [sys.executable, '-m', 'mypy', '--python-executable', python, 'mine.py'],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    lines = re.findall(r'^mine\.py:(\d+): (.*)', done.stdout, re.MULTILINE)
    assert len(lines) == len(FOUND), done.stdout + done.stderr
    for (number, text), (at, begins) in zip(lines, FOUND, strict=True):
        assert int(number) == at
        assert text.startswith(begins)
