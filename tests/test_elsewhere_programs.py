"""The programs of docs/elsewhere.md: each by itself, where the extra `train` is not installed."""

import importlib.util
import re

import methods
import pytest
import test_core

PAGE = (methods.ROOT / 'docs' / 'elsewhere.md').read_text()
PROGRAMS = dict(re.findall(r'^## ([^\n]+)$.*?```python\n(.*?)```', PAGE, re.DOTALL | re.MULTILINE))
HERE = {
    name: program
    for name, program in PROGRAMS.items()
    if name != 'equinox' or importlib.util.find_spec('equinox')
}


def trained(steps):
    """What each program that can be run here gives, in a Python that finds the core only."""
    code = f"""
for name, program in {HERE!r}.items():
    namespace = {{}}
    exec(compile(program, name, 'exec'), namespace)
    print(*namespace['train'](steps={steps}))
"""
    done = test_core.without_train(code)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    return dict(zip(HERE, ((int(a), float(b)) for a, b in lines), strict=True))


def test_there_are_three_programs():
    assert [*PROGRAMS] == ['Plain JAX', 'flax nnx', 'equinox']


@pytest.mark.slow
def test_each_takes_a_step_with_the_core_alone():
    for modes, share in trained(1).values():
        assert 0 <= modes <= 8
        assert 0 <= share < 0.2


def test_all_three_play_the_same_game():
    """What does not depend on whose the networks are is the same to the letter."""
    one, two, three = (
        p.partition('def points')[2].partition('\n\n\n')[0] for p in PROGRAMS.values()
    )
    assert one == two == three
    for program in PROGRAMS.values():
        assert '0.02 * (penalties.r1(critic, real) + penalties.r2(critic, fake))' in program
        assert 'optax.adam(5e-4, b1=0.5)' in program


@pytest.mark.slow
@pytest.mark.long
def test_each_finds_the_ring():
    for name, (modes, share) in trained(1000).items():
        assert modes >= 7, name
        assert share > 0.3, name
