"""The command line: flags and what they lead to; nothing else."""

import contextlib
import functools
import itertools
import os
import pathlib
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from absl import flags
from etils import epath

from gan_jax import config as config_lib
from gan_jax import errors, loop, playground
from gan_jax.commands import (
    api,
    compare,
    directions,
    evaluate,
    export,
    prepare,
    project,
    report,
    sample,
    score,
    translate,
)
from gan_jax.config import adopted, overrides
from gan_jax.config.bounds import HUGE, LONGEST, check_number
from gan_jax.config.checks import check_name
from gan_jax.errors import UserError
from gan_jax.runtime import buckets, launcher, preemption, process, rendezvous
from gan_jax.sweeps import engines, halving, search, start, trials

CONFIG = flags.DEFINE_string(
    'config', None, 'The run, a name of --list or a file; --config.a.b=value changes a key of it.'
)
WORKDIR = flags.DEFINE_string('workdir', None, "Default: runs/<the config's name>.")
CHANGES = flags.DEFINE_multi_string('change', [], 'What --config.a.b=value says, as a.b=value.')
# Beside which flags those of a sweep are read.
OF_SWEEPS = {
    **dict.fromkeys(('slots', 'engine_option', 'retries', 'halving', 'search'), ('sweep',)),
    'keep': ('halving',), 'trials': ('search',), 'figure': ('halving', 'search'),
}  # fmt: skip
# What each mode reads beside ALWAYS; of two sets --mode=evaluate reads SETS.
READS = {
    'train': ('config', 'sweep', *OF_SWEEPS),
    'sample': ('num', 'seed', 'truncation', 'label', 'film', 'best', 'replica', 'init_from'),
    'directions': ('num', 'seed', 'truncation', 'label', 'layers', 'best', 'replica', 'init_from'),
    'project': (
        'input', 'output', 'space', 'steps', 'features', 'seed', 'label', 'best', 'replica',
        'init_from',
    ),
    'score': ('input', 'output', 'split', 'num', 'steps', 'seed', 'best', 'replica'),
    'translate': ('input', 'output', 'direction', 'best', 'replica'),
    'animate': ('replica',),
    'evaluate': ('num', 'best', 'metrics', 'features', 'split', 'init_from'),
    'report': ('replica',),
    'compare': ('figure',),
    'export': ('format', 'best', 'replica', 'init_from'),
    'playground': ('config', 'port'),
    'prepare': ('input', 'output', 'size', 'channels'),
}  # fmt: skip
ALWAYS = (
    'mode', 'workdir', 'compilation_cache', 'coordinator', 'num_processes', 'process_id',
    'rendezvous_seconds', 'requeue', *launcher.FLAGS,
)  # fmt: skip
SETS = ('real', 'fake', 'num', 'metrics', 'features')
STOPPED = 75  # EX_TEMPFAIL, which schedulers requeue on
MODE = flags.DEFINE_string('mode', 'train', f'What to do: {", ".join(READS)}.')
NUM = flags.DEFINE_integer(
    'num', None, 'How many samples: 64 (--mode=sample), 10000 (--mode=evaluate); or directions: 5.',
    1, HUGE,
)  # fmt: skip
SEED = flags.DEFINE_integer(
    'seed', 0, "The samples' seed (--mode=sample, directions, project).", 0, 2**32 - 1
)
INIT_FROM = flags.DEFINE_string(
    'init_from',
    None,
    'A network pickle of StyleGAN2, or what --mode=export wrote, to make a run of.',
)
TRUNCATION = flags.DEFINE_float(
    'truncation', None, "The latents' bound, or how far styles are from their mean (--mode=sample)."
)
LABEL = flags.DEFINE_integer('label', None, 'The class of all samples, from 0.', 0, HUGE)
FORMAT = flags.DEFINE_string(
    'format', 'safetensors', f'Of files: {", ".join(export.FORMATS)} (--mode=export).'
)
FILM = flags.DEFINE_string('film', None, 'A loop through samples, gif or mp4 (--mode=sample).')
LAYERS = flags.DEFINE_list('layers', None, 'Of which layers: 0-3,6 (--mode=directions).')
SPACE = flags.DEFINE_string(
    'space', 'w', 'One style, w, or each layer its own, w+ (--mode=project).'
)
STEPS = flags.DEFINE_integer('steps', None, 'How many (--mode=project, score).', 1, HUGE)
COMPILED = flags.DEFINE_string(
    'compilation_cache',
    os.path.join(os.environ.get('XDG_CACHE_HOME') or '~/.cache', 'gan_jax', 'compiled'),
    "Where compiled programs are kept for the next start; '' for nowhere.",
)
COORDINATOR = flags.DEFINE_string(
    'coordinator', None, 'HOST:PORT of process 0 where several, started one by one, play one run.'
)
NUM_PROCESSES = flags.DEFINE_integer('num_processes', None, 'How many they are.')
PROCESS_ID = flags.DEFINE_integer('process_id', None, 'Which of them this is, from 0.')
RENDEZVOUS = flags.DEFINE_integer(
    'rendezvous_seconds', rendezvous.PATIENCE, 'How long they wait for each other.', 1
)
REQUEUE = flags.DEFINE_bool(
    'requeue', False, 'A training that a signal stops ends with code 75, for schedulers.'
)
launcher.define(flags.FLAGS)
REPLICA = flags.DEFINE_integer('replica', 0, "Which of a run's seeds, from 0.", lower_bound=0)
BEST = flags.DEFINE_bool('best', False, 'The best checkpoint, not the newest.')
METRICS = flags.DEFINE_list('metrics', None, 'Which metrics (--mode=evaluate).')
FEATURES = flags.DEFINE_string(
    'features',
    None,
    'classifier, inception:PATH or package.module:name (--mode=evaluate, --mode=project).',
)
SPLIT = flags.DEFINE_string('split', None, 'Which split (--mode=evaluate, score).')
INPUT = flags.DEFINE_string(
    'input', None, 'A folder of pictures, or of sounds (--mode=translate, project, score).'
)
OUTPUT = flags.DEFINE_string('output', None, 'Where what becomes of them goes.')
SIZE = flags.DEFINE_integer('size', None, 'The side in pixels (--mode=prepare).', 1, LONGEST)
CHANNELS = flags.DEFINE_integer('channels', None, '1 or 3 (--mode=prepare).')
DIRECTION = flags.DEFINE_string('direction', 'a_to_b', 'Or b_to_a (--mode=translate).')
SWEEP = flags.DEFINE_string(
    'sweep', None, f"Trains all trials of the config's sweep(): {', '.join(engines.names())}."
)
SLOTS = flags.DEFINE_integer('slots', None, 'So many trials at a time (--sweep).', 1, HUGE)
WORDS = flags.DEFINE_multi_string(
    'engine_option', [], "One of an engine's settings, as partition=gpu (--sweep=ENGINE)."
)
RETRIES = flags.DEFINE_integer('retries', 1, 'How often a broken trial is retried.', 0, HUGE)
HALVING = flags.DEFINE_list(
    'halving', None, 'Numbers of steps at which the worst trials are stopped: 500,1000,2000.'
)
KEEP = flags.DEFINE_float('keep', halving.KEEP, 'The share of settings that goes on (--halving).')
SEARCH = flags.DEFINE_bool('search', False, "Optuna suggests trials by the config's search().")
TRIALS = flags.DEFINE_integer('trials', 20, 'How many trials (--search).', 1, HUGE)
FIGURE = flags.DEFINE_string(
    'figure', None,
    'By which runs are ranked (--mode=compare, --sweep); default: config.evaluation.best.',
)  # fmt: skip
PORT = flags.DEFINE_integer('port', 8080, "The page's (--mode=playground).", 1, 65_535)
REAL = flags.DEFINE_string('real', None, 'folder:PATH or PATH.npz (--mode=evaluate).')
FAKE = flags.DEFINE_string('fake', None, 'What is compared with --real (--mode=evaluate).')


def fail(message: str, code: int) -> NoReturn:
    """Ends with one line on standard error."""
    print(f'gan_jax: {" ".join(message.split())}', file=sys.stderr, flush=True)
    if rendezvous.several():
        rendezvous.fail(code, message)
    sys.exit(code)


def parse(argv: Sequence[str]) -> Sequence[str]:
    """Reads the flags; a mistake in them is one line."""
    try:
        words = flags.FLAGS.read_flags_from_files(list(argv[1:]), force_gnu=False)
        words = [f'{x}={start.LOCAL}' if x in ('-sweep', '--sweep') else x for x in words]
        others, changes = overrides.separate(words)
        return flags.FLAGS([argv[0], *others, *(f'--change={x}={y}' for x, y in changes)])
    except flags.UnrecognizedFlagError as error:
        own = {*itertools.chain(SETS, *READS.values()), *ALWAYS}
        near = overrides.likely(error.flagname, sorted(own))
        equals = ''.join(str(error.flagvalue).partition('=')[1:])
        fail(f'--{error.flagname} is not a flag; did you mean {near}{equals}?', 2)
    except flags.Error as error:
        fail(str(error), 2)


def check_flags(mode: str) -> None:
    """Raises UserError for the first flag that the mode does not read."""
    check_name('--mode', mode, READS)
    sets = mode == 'evaluate' and (REAL.value or FAKE.value)
    reads, what = (SETS, ' of two sets') if sets else (READS[mode], '')
    for flag in sorted({*itertools.chain(SETS, *READS.values())} - {*reads, 'config'}):
        if flags.FLAGS[flag].present:
            others = [x for x in READS if flag in READS[x]] or ['evaluate']
            key = f', or give --config.{flag}={flags.FLAGS[flag].value}'
            meant = key if mode == 'train' and flag in config_lib.default() else ''
            raise UserError(
                f'--{flag} is not read by --mode={mode}{what}, only by '
                f'{", ".join(f"--mode={x}" for x in others)}; leave it out{meant}'
            )
    if mode == 'train':
        for flag, beside in OF_SWEEPS.items():
            if flags.FLAGS[flag].present and not any(flags.FLAGS[x].value for x in beside):
                raise UserError(
                    f'--{flag} is only read beside --{" or --".join(beside)}; leave it out'
                )
        return
    if mode == 'playground' or (INIT_FROM.value and not sets):
        return
    if mode == 'prepare':
        if CHANGES.value or CONFIG.value or WORKDIR.value:
            raise UserError('--mode=prepare reads no config and no --workdir; leave them out')
        if not (INPUT.value and OUTPUT.value):
            raise UserError('--input and --output are missing; give a folder and FILE.npz or .zip')
        if CHANNELS.value not in (None, 1, 3):
            raise UserError(f'--channels={CHANNELS.value} is to be 1 (grey) or 3 (colours)')
        return
    if CHANGES.value:
        raise UserError(
            f'--config.{CHANGES.value[0].partition("=")[0]} is not read by --mode={mode}: a run '
            f'keeps the config that it was trained with; leave it out, or train another run'
        )
    if CONFIG.value and WORKDIR.value:
        raise UserError(
            f'--config is not read by --mode={mode} beside --workdir: the run in {WORKDIR.value} '
            f'keeps its own; leave one of them out'
        )


def run(mode: str) -> int:
    """Does what the mode says, with the other processes where there are any.

    Returns:
      The exit code.

    Raises:
      UserError: if a flag that it needs is missing or one is not read, and whatever it raises
        itself.
    """
    check_flags(mode)
    if mode == 'prepare':
        given: dict[str, Any] = {'input': INPUT.value, 'output': OUTPUT.value}
        prepare.prepare(size=SIZE.value, channels=CHANNELS.value, **given)
        return 0
    sets = mode == 'evaluate' and (REAL.value or FAKE.value)
    weights = INIT_FROM.value
    if not CONFIG.value and ('config' in READS[mode] or not (WORKDIR.value or weights or sets)):
        raise UserError('--config is missing; try --config=dcgan (all: --list)')
    if SWEEP.value is None:  # its trials are the runs that several processes may play
        where = (COORDINATOR.value, NUM_PROCESSES.value, PROCESS_ID.value)
        rendezvous.start(rendezvous.place(*where, os.environ), RENDEZVOUS.value)
    file = overrides.find(CONFIG.value) if CONFIG.value else 'evaluation'
    file = weights or file
    workdir = buckets.at(WORKDIR.value or f'runs/{pathlib.Path(file).stem}')
    best, replica = BEST.value, REPLICA.value
    words = [(x, y) for x, _, y in (change.partition('=') for change in CHANGES.value)]
    if weights:
        base = overrides.load(CONFIG.value) if CONFIG.value else None
        adopted.adopt(buckets.at(weights), workdir, base, words)
    if mode == 'train':
        if SWEEP.value is not None:
            sweep(words, epath.Path(workdir))
            return 0
        config = overrides.apply(overrides.load(CONFIG.value or ''), words)
        if api.trained(config, workdir) is None and (REQUEUE.value or rendezvous.several()):
            return STOPPED
    elif mode == 'playground':
        base = overrides.apply(overrides.load(CONFIG.value or ''), words)
        playground.serve(base, PORT.value)
    elif mode == 'animate':
        sample.animate(workdir, replica)
    elif mode == 'report':
        report.write_report(workdir, replica)
    elif mode == 'compare':
        compare.compare(workdir, FIGURE.value)
    elif mode == 'export':
        export.export(workdir, best, replica, FORMAT.value)
    elif mode in ('translate', 'project', 'score'):
        if mode != 'score' and not (INPUT.value and OUTPUT.value):
            raise UserError('--input and --output are missing; give two folders')
        if not of_folder(mode, workdir):
            fail(f'no picture of {INPUT.value} could be read', 1)
    elif mode in ('sample', 'directions'):
        of_draws(mode, workdir)
    else:
        changes = {'metrics': METRICS.value, 'features': FEATURES.value, 'split': SPLIT.value}
        num = NUM.value or 10_000
        if not sets:
            again = functools.partial(report.write_report, workdir, 0)
            evaluate.evaluate(workdir, num=num, best=best, changes=changes, then=again)
        elif not (REAL.value and FAKE.value):
            raise UserError('--real and --fake go together; give both')
        else:
            evaluate.evaluate_sets(workdir, REAL.value, FAKE.value, num=num, changes=changes)
    return 0


def of_folder(mode: str, workdir: pathlib.Path) -> int:
    """Translates, projects or scores pictures; returns how many could be read."""
    given: dict[str, Any] = {
        'input': INPUT.value, 'output': OUTPUT.value, 'best': BEST.value, 'replica': REPLICA.value
    }  # fmt: skip
    if mode == 'translate':
        return translate.translate(workdir, direction=DIRECTION.value, **given)
    if mode == 'score':
        return score.score(
            workdir, split=SPLIT.value, num=NUM.value, steps=STEPS.value, seed=SEED.value, **given
        )
    return project.project(
        workdir, space=SPACE.value, steps=STEPS.value, features=FEATURES.value, seed=SEED.value,
        label=LABEL.value, **given,
    )  # fmt: skip


def of_draws(mode: str, workdir: pathlib.Path) -> None:
    """Samples, or moves samples along directions."""
    bound = TRUNCATION.value
    if bound is not None:
        check_number('--truncation', bound, float, 0)
    given: dict[str, Any] = {
        'seed': SEED.value, 'truncation': bound, 'label': LABEL.value, 'best': BEST.value,
        'replica': REPLICA.value,
    }  # fmt: skip
    if mode == 'sample':
        sample.sample(workdir, num=NUM.value or 64, film=FILM.value, **given)
    else:
        num = NUM.value or directions.NUM
        directions.directions(workdir, num=num, layers=LAYERS.value, **given)


def sweep(changes: Sequence[tuple[str, str]], folder: epath.Path) -> None:
    """Has an engine run the config's sweep; each trial is given the other flags, too."""
    ours = ('config', 'workdir', 'change', 'mode', 'sweep', *OF_SWEEPS)
    here = flags.FLAGS.find_module_defining_flag('sweep')
    present = [
        flag
        for module, several in flags.FLAGS.flags_by_module_dict().items()
        for flag in several
        if flag.present and (module == here or module.startswith('gan_jax.'))
    ]
    given: dict[str, Any] = {
        'changes': changes,
        'engine': SWEEP.value,
        'options': engines.Options(SLOTS.value, RETRIES.value, tuple(WORDS.value)),
        'flags': [x.serialize() for x in present if x.name not in ours],
    }
    name = CONFIG.value or ''
    if SEARCH.value and HALVING.value is not None:
        raise UserError('--search and --halving do not go together; leave one of them out')
    if SEARCH.value:
        search.start(name, folder, num=TRIALS.value, figure=FIGURE.value, **given)
    elif HALVING.value is not None:
        rungs = halving.read_rungs(HALVING.value, KEEP.value, FIGURE.value)
        start.start(name, folder, rungs=rungs, **given)
    else:
        start.start(name, folder, **given)


def main(argv: Sequence[str]) -> None:
    """Two hops from here to the update: train, update."""
    preemption.watch()
    process.set_up(COMPILED.value)
    try:
        if len(argv) > 1:
            raise UserError(f'{argv[1]!r} is not a flag; did you mean --config.{argv[1]}?')
        code = run(MODE.value)
        rendezvous.finish()
    except UserError as error:
        fail(str(error), 2)
    except loop.Diverged as error:
        fail(str(error), 1)
    except trials.Unfinished as error:
        for line in str(error).splitlines():
            print(f'gan_jax: {line}', file=sys.stderr)
        sys.exit(1)
    except trials.Interrupted as error:
        code = STOPPED if REQUEUE.value else 128 + error.number
        fail(f'{error}: all trials ended; the same command goes on from there', code)
    except OSError as error:
        line = errors.of_system(error)
        print(f'gan_jax: {line}', file=sys.stderr, flush=True)
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        if rendezvous.several():
            rendezvous.fail(3, line)
        os._exit(3)  # a thread of Orbax's would wait minutes for a folder that cannot be made
    except Exception as error:
        if rendezvous.several():
            rendezvous.fail_of(error)
        raise
    sys.exit(code)
