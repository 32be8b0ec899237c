"""Trains a GAN, or samples from one: flags and what they lead to; nothing else.

python launch.py --config=configs/dcgan.py
python launch.py --workdir=runs/dcgan --mode=sample --num=64 --seed=0

Exit codes:
  0: done; or stopped by Ctrl-C or SIGTERM while it trained, and saved
  1: the run diverged; or no picture could be read (--mode=translate)
  2: a mistake in the command line, the config or the data
  3: a file could not be read or written: no space, no permission, a failing disk
  130, 143: ended by Ctrl-C, by SIGTERM, before or after the training or for the second time
"""

import functools
import itertools
import os
import pathlib
import runpy
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn


def stop(number: int, frame: object) -> NoReturn:
    """Ends with one line while modules are imported, which takes seconds."""
    os.write(2, f'gan_jax: ended by {signal.Signals(number).name} at its start\n'.encode())
    os._exit(128 + number)


if __name__ == '__main__':
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)

import ml_collections  # noqa: E402
from absl import app, flags  # noqa: E402
from ml_collections import config_flags  # noqa: E402

from gan_jax import errors, train  # noqa: E402
from gan_jax.commands import evaluate, report, sample, translate  # noqa: E402
from gan_jax.config.checks import check_keys  # noqa: E402
from gan_jax.errors import UserError  # noqa: E402
from gan_jax.runtime import preemption, process  # noqa: E402

CONFIG = config_flags.DEFINE_config_file('config', None, 'The run, a file in configs/.')
WORKDIR = flags.DEFINE_string('workdir', None, "Default: runs/<the config's name>.")
MODE = flags.DEFINE_enum(
    'mode',
    'train',
    ['train', 'sample', 'translate', 'animate', 'evaluate', 'report'],
    'What to do.',
)
NUM = flags.DEFINE_integer(
    'num', None, 'How many samples: 64 (--mode=sample), 10000 (--mode=evaluate).', lower_bound=1
)
SEED = flags.DEFINE_integer('seed', 0, "The samples' seed (--mode=sample).", 0, 2**32 - 1)
TRUNCATION = flags.DEFINE_float('truncation', None, "The latents' bound (--mode=sample).")
COMPILED = flags.DEFINE_string(
    'compilation_cache',
    os.path.join(os.environ.get('XDG_CACHE_HOME') or '~/.cache', 'gan_jax', 'compiled'),
    "Where compiled programs are kept for the next start; '' for nowhere.",
)
REPLICA = flags.DEFINE_integer('replica', 0, "Which of a run's seeds, from 0.", lower_bound=0)
BEST = flags.DEFINE_bool('best', False, 'The best checkpoint, not the newest.')
METRICS = flags.DEFINE_list('metrics', None, 'Which metrics (--mode=evaluate).')
FEATURES = flags.DEFINE_string(
    'features', None, 'classifier, inception:PATH or package.module:name (--mode=evaluate).'
)
SPLIT = flags.DEFINE_string('split', None, 'Real images of which split (--mode=evaluate).')
INPUT = flags.DEFINE_string('input', None, 'A folder of pictures (--mode=translate).')
OUTPUT = flags.DEFINE_string('output', None, 'Where their translations go (--mode=translate).')
DIRECTION = flags.DEFINE_string('direction', 'a_to_b', 'Or b_to_a (--mode=translate).')
REAL = flags.DEFINE_string('real', None, 'folder:PATH or PATH.npz (--mode=evaluate).')
FAKE = flags.DEFINE_string('fake', None, 'What is compared with --real (--mode=evaluate).')


def fail(message: str, code: int) -> NoReturn:
    """Ends with one line on standard error."""
    print(f'gan_jax: {" ".join(message.split())}', file=sys.stderr)
    sys.exit(code)


def parse(argv: Sequence[str]) -> Sequence[str]:
    """Reads the flags; a mistake in them, or in the config file, is one line."""
    try:
        rest = flags.FLAGS(argv)
        if CONFIG.value is not None:
            CONFIG.value.keys()  # a config that could not be loaded raises only when it is used
    except flags.Error as error:
        fail(str(error), 2)
    except Exception as error:  # a config file is code, and may raise anything
        check_overrides(argv)
        fail(f'{config_file(argv)}: {type(error).__name__}: {error}', 2)
    return rest


def config_file(argv: Sequence[str]) -> str:
    """What stands behind --config."""
    words = [word for argument in argv for word in argument.split('=', 1)]
    return next((y for x, y in itertools.pairwise(words) if x.lstrip('-') == 'config'), '')


def check_overrides(argv: Sequence[str]) -> None:
    """Ends with the nearest valid key for the first --config.key=value whose key is unknown."""
    try:
        config = runpy.run_path(config_file(argv))['get_config']()
    except Exception:
        return
    for argument in argv:
        path = argument.lstrip('-').partition('=')[0].split('.')
        node, what = config, 'config'
        for key in path[1:] if path[0] == 'config' else ():
            if not isinstance(node, ml_collections.ConfigDict):
                break
            try:
                check_keys(what, [key], node)
            except UserError as error:
                fail(str(error), 2)
            node, what = node[key], f'{what}.{key}'


def run(mode: str) -> None:
    """Does what the mode says.

    Raises:
      UserError: if a flag that it needs is missing, and whatever it raises itself.
    """
    sets = mode == 'evaluate' and (REAL.value or FAKE.value)
    if CONFIG.value is None and (mode == 'train' or not (WORKDIR.value or sets)):
        raise UserError('--config is missing; try --config=configs/dcgan.py')
    file = config_flags.get_config_filename(flags.FLAGS['config']) if CONFIG.value else 'evaluation'
    workdir = pathlib.Path(WORKDIR.value or f'runs/{pathlib.Path(file).stem}')
    best, replica = BEST.value, REPLICA.value
    if mode == 'train':
        experiment = train.train(CONFIG.value.to_dict(), workdir)
        if experiment is not None:
            report.write_report(workdir, experiment=experiment)
    elif mode == 'animate':
        sample.animate(workdir, replica)
    elif mode == 'report':
        report.write_report(workdir, replica)
    elif mode == 'translate':
        if not (INPUT.value and OUTPUT.value):
            raise UserError('--input and --output are missing; give two folders')
        read = translate.translate(
            workdir, input=INPUT.value, output=OUTPUT.value, direction=DIRECTION.value,
            best=best, replica=replica,
        )  # fmt: skip
        if not read:
            fail(f'no picture of {INPUT.value} could be read', 1)
    elif mode == 'sample':
        bound = TRUNCATION.value
        num, seed = NUM.value or 64, SEED.value
        sample.sample(workdir, num=num, seed=seed, truncation=bound, best=best, replica=replica)
    else:
        changes = {'metrics': METRICS.value, 'features': FEATURES.value, 'split': SPLIT.value}
        num = NUM.value or 10_000
        if not sets:
            again = functools.partial(report.write_report, workdir, replica)
            evaluate.evaluate(workdir, num=num, best=best, changes=changes, then=again)
        elif not (REAL.value and FAKE.value):
            raise UserError('--real and --fake go together; give both')
        else:
            evaluate.evaluate_sets(workdir, REAL.value, FAKE.value, num=num, changes=changes)


def main(argv: Sequence[str]) -> None:
    """Two hops from here to the update: train, update."""
    preemption.watch()
    process.set_up(COMPILED.value)
    try:
        if len(argv) > 1:
            raise UserError(f'{argv[1]!r} is not a flag; did you mean --config.{argv[1]}?')
        run(MODE.value)
    except UserError as error:
        fail(str(error), 2)
    except train.Diverged as error:
        fail(str(error), 1)
    except OSError as error:
        print(f'gan_jax: {errors.of_system(error)}', file=sys.stderr, flush=True)
        os._exit(3)  # a thread of Orbax's would wait minutes for a folder that cannot be made


if __name__ == '__main__':
    app.run(main, flags_parser=parse)
