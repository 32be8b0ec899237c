"""Commands in place of trainings: small programs that leave what a training would."""

import sys

from etils import epath

from gan_jax.sweeps.trials import Trial

# How each begins: it counts its starts, and can leave a checkpoint.
HEAD = """
import os, pathlib, signal, sys, time
workdir = pathlib.Path(sys.argv[1])
with (workdir / 'starts').open('a') as file:
    file.write('start\\n')
starts = len((workdir / 'starts').read_text().splitlines())
def save(step):
    (workdir / 'checkpoints' / str(step)).mkdir(parents=True, exist_ok=True)
def fail(line, code):
    print(line, flush=True)
    os._exit(code)
"""


def trial(root, code, name='a=1', steps=5):
    """A trial whose command runs such code."""
    workdir = epath.Path(root) / name
    command = (sys.executable, '-I', '-S', '-c', HEAD + code, str(workdir))
    return Trial(name, {'a': 1}, workdir, command, steps)


def starts(trial):
    file = trial.workdir / 'starts'
    return len(file.read_text().splitlines()) if file.exists() else 0


def twelve(root):
    """Trials of which the first always fails, the second once, and all take a while."""
    codes = ['fail("gan_jax: not finite", 1)', 'save(5) if starts == 2 else fail("broken", 3)']
    codes += ['time.sleep(0.3); save(5)'] * 10
    return [trial(root, code, name=f'a={i}') for i, code in enumerate(codes)]
