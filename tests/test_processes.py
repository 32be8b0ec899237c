"""Several processes that play one run: what each of them sees, and that it is the run of one."""

import pathlib

import methods
import several

from gan_jax import train
from gan_jax.runtime import processes


def see():
    """What processes know of each other."""
    print('index', processes.index(), 'of', processes.count(), processes.share(5))


def test_processes_know_of_each_other():
    one, other = several.play(see, devices=1)
    assert 'index 0 of 2 slice(0, 2, None)' in one
    assert 'index 1 of 2 slice(2, 5, None)' in other


def small(name, pictures, **changes):
    config = methods.shrunk(name, dataset=f'folder:{pictures}', **changes)
    return methods.sgd(config)


def play(folder, pictures, name, changes):
    """A run in the folder."""
    train.train(small(name, pictures, **changes), pathlib.Path(folder))
