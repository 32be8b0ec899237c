"""The loop: build, restore or begin, then step, log, sample, evaluate, checkpoint."""

import contextlib
import math
import pathlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import jax
import numpy as np
from absl import logging

from gan_jax import data
from gan_jax import game as game_lib
from gan_jax.config import inputs, private, saved
from gan_jax.config.datasets import Open
from gan_jax.config.experiment import Experiment, build
from gan_jax.config.validate import check_best
from gan_jax.errors import UserError
from gan_jax.evaluation import course
from gan_jax.runtime import (
    checkpoint,
    files,
    lock,
    metric_writer,
    names,
    parallel,
    process,
    processes,
    replicas,
)  # fmt: skip
from gan_jax.runtime import progress as progress_lib
from gan_jax.runtime.preemption import Interrupt


class Diverged(Exception):
    """A NaN or an infinity appeared; the message says where and what is left."""


class Show:
    """Draws each seed's samples, always of the same latents; or translations of held-out data."""

    def __init__(self, workdir: pathlib.Path, experiment: Experiment, num: int):
        """Compiles nothing yet; so many examples are shown."""
        self._folder = workdir / 'samples'
        self._seeds = experiment.seeds
        pictures = [experiment.picture(seed, num) for seed in self._seeds]
        self._draw = [draw for _, draw in pictures]
        self._real = pictures[0][0]
        self._experiment, self._num = experiment, num

    def real(self) -> None:
        """Writes samples/real.png; where the discriminator is shown others, these beside them."""
        experiment, picture = self._experiment, self._experiment.modality.picture
        if experiment.modality.thumbnails is None:
            image = picture(self._real[:0], self._real)
        elif not experiment.changes:
            image = picture(self._real)
        else:
            dataset = experiment.dataset
            order = np.random.default_rng(experiment.config['seed']).permutation(len(dataset))
            places = order[: self._num]
            pairs = np.stack([dataset.batch(places)['real'], experiment.as_fed(places)], axis=1)
            columns = 2 * math.ceil(math.sqrt(len(places) / 2))
            examples = pairs.reshape(-1, *pairs.shape[2:])
            image = picture(examples, columns=columns, headings=('plain', 'shown'))
        files.write_png(self._folder / 'real.png', image)

    def __call__(self, step: int, variables: Any, log: metric_writer.Log) -> None:
        """Writes samples/<step>.png, of several seeds samples/<step>_seed_<seed>.png."""
        parts = replicas.split(variables, len(self._seeds))
        for draw, seed, part in zip(self._draw, self._seeds, parts, strict=True):
            image, suffix = draw(*part), replicas.suffix(seed, len(self._seeds))
            files.write_png(self._folder / f'{step:08d}{suffix}.png', image)
            log.image(step, f'samples{suffix}', image)


def train(
    config: Mapping[str, Any], workdir: pathlib.Path, given: Open | None = None
) -> Experiment | None:
    """Trains from a config, or goes on where the run in `workdir` was stopped.

    Args:
      config: plain dicts and values.
      workdir: where all that the run writes goes.
      given: split -> the data, of a run that is handed them in Python.

    Returns:
      The experiment if it came to its end; None if a signal stopped it.

    Raises:
      UserError: before compilation, if the config or the work directory cannot be used.
      Diverged: if a metric or the state is not finite.
      OSError: if something cannot be written; the checkpoints before it are as they were.
    """
    with contextlib.ExitStack() as stack:
        # ---- Build ---------------------------------------------------------------------------
        begun = processes.on_first(lambda: _hold(workdir, stack, workdir.exists()))
        with progress_lib.lines('reading the data'):
            config = processes.on_first(lambda: saved.as_begun(workdir, config))
            experiment = build(config, given)
        config, dataset, game = experiment.config, experiment.dataset, experiment.game
        processes.on_first(lambda: _hold(workdir, stack, not begun))
        processes.on_first(lambda: _prepare(workdir, config))
        steps, several, seeds = config['steps'], config['steps_per_dispatch'], experiment.seeds

        def step_fn(state, batch):
            return game_lib.update(
                game,
                state,
                batch,
                axis_name=parallel.AXIS,
                micro_batches=config['micro_batches'],
                prepare=experiment.prepare,
            )

        update = parallel.pmap_steps(replicas.step(step_fn, len(seeds), game_lib.REPLICA_AXES))
        batches = data.batches(
            experiment.fed,
            batch_size=config['batch_size'],
            seed=seeds if len(seeds) > 1 else seeds[0],
            steps_per_dispatch=several,
            share=inputs.own_share(),
            batch_at=private.drawing(config['privacy'], config['batch_size']),
        )
        spent = private.ledger(config['privacy'], config['batch_size'], game)
        own_show = Show(workdir, experiment, config['num_samples'])
        show = processes.of_first(lambda: own_show)
        best, shown = config['evaluation']['best'], []
        if config['eval_every']:
            num = config['eval_samples']
            against = experiment.evaluation(num)
            check_best('config.evaluation.best', best, against.names)  # some may have been left out
            shown = [against.logged(best)]
            evaluations = [experiment.evaluate(against, seed, num) for seed in seeds]

        # ---- Restore or begin ----------------------------------------------------------------
        checkpoints = saved.open_checkpoints(workdir)
        stack.callback(checkpoints.close)
        with progress_lib.lines('compiling'):
            step, state, progress = _restore(checkpoints, experiment, batches, workdir)
        means = metric_writer.Means(progress.get('means'))
        _describe(config, dataset, state)
        state = parallel.replicate(state)
        log = processes.of_first(
            lambda: metric_writer.Log(workdir, step, steps, config['batch_size'])
        )
        stack.callback(log.close)
        log.settings(saved.flat(saved.shown(config)), shown, config['wandb'])
        with log.compiling():
            show.real()
        pending: list[tuple[int, Any]] = []
        pictures: list[Future] = []

        def count():
            """Reads the metrics of the last dispatch, which waits for it."""
            while pending:
                before, stacked = pending.pop()
                _count(means, game, parallel.to_host(stacked), before, workdir, seeds)

        def save(metric=None):
            with progress_lib.lines('making the pictures'):
                processes.on_first(lambda: [x.result() for x in pictures])
            pictures.clear()
            log.flush()
            progress = {'data': batches.get_state(), 'means': means.sums}
            progress |= {'examples': len(dataset), 'cores': process.cores()} | spent(step)
            try:
                checkpoints.save(step, parallel.to_host(state), progress, config, metric)
            except FloatingPointError as error:
                raise Diverged(f'step {step}: {error} is not finite; {_left(workdir)}') from error

        # ---- Step, log, sample, evaluate, checkpoint -----------------------------------------
        with Interrupt() as interrupt, ThreadPoolExecutor(1) as painter:
            start = step
            while step < steps:
                metric = None
                with log.waiting():
                    batch = next(batches)
                with log.compiling() if step == start else contextlib.nullcontext():
                    state, stacked = update(state, parallel.distribute(batch))
                count()  # one dispatch late, so that a device need not wait for the host
                pending.append((step, stacked))
                step += several
                log.advance(several)
                if _due(step, config['log_every']):
                    count()
                    log.scalars(step, means.take() | spent(step))
                elif step == steps:  # with more steps it goes on as if there were no such line
                    count()
                    log.scalars(step, means.now() | spent(step))
                if step == start + several:
                    count()
                    log.restart_clock(step)
                if _due(step, config['sample_every']) or (config['sample_every'] and step == steps):
                    variables = parallel.first(game_lib.averaged(state))
                    pictures.append(painter.submit(show, step, variables, log))
                evaluated = _due(step, config['eval_every'])
                if evaluated:
                    variables = parallel.first(game_lib.averaged(state))
                    values, missing = _evaluate(evaluations, variables, seeds)
                    for name in (x for x in missing if x == str(names.parse(x).main)):
                        logging.warning('step %d: %s is missing: %s', step, name, missing[name])
                    log.write(step, values, missing)
                    metric = course.to_lessen(best, values, against.names)
                    metric = metric if math.isfinite(metric) else None
                stopped = interrupt.stops_at(step) or step == steps
                if _due(step, config['checkpoint_every']) or evaluated or stopped:
                    count()
                    save(metric)
                if stopped:
                    break
            checkpoints.close()  # here, so that a signal waits for it too
    if step < steps:
        logging.info(
            '%s: saved at step %d of %d in %s; the same command goes on from there',
            interrupt.name, step, steps, workdir,
        )  # fmt: skip
    else:
        ends = course.best_and_last(
            workdir / 'metrics.jsonl', best, config['evaluation']['metrics']
        )
        if ends:
            logging.info(
                '%s: %.4g at step %d, the last; %.4g at step %d, the best', ends['figure'],
                ends['last']['value'], ends['last']['step'],
                ends['best']['value'], ends['best']['step'],
            )  # fmt: skip
        logging.info('done: %d steps, %s', step, workdir / 'samples')
    return experiment if step == steps else None


def _hold(workdir: pathlib.Path, stack: contextlib.ExitStack, now: bool) -> bool:
    """Keeps other trainers out until the stack's end: `now`, or later.

    Where there is no work directory yet, none is made before the config and the data are sound.

    Raises:
      UserError: if another one trains there.
    """
    if now:
        stack.enter_context(lock.alone(workdir))
    return now


def _prepare(workdir: pathlib.Path, config: Mapping[str, Any]) -> None:
    """Makes the work directory this run's.

    Raises:
      UserError: if another config made it, or it cannot be written.
    """
    files.sweep(workdir / 'samples')  # where nobody else writes
    saved.prepare(workdir, config)


def _restore(
    checkpoints: checkpoint.Checkpoints,
    experiment: Experiment,
    batches: Any,
    workdir: pathlib.Path,
) -> tuple[int, Any, dict[str, Any]]:
    """(step, state, progress) of the newest sound checkpoint, or of the beginning.

    `batches` then go on from there.
    """
    dataset = experiment.dataset

    def accept(progress: dict[str, Any]) -> None:
        numbers = [x for total, count in progress['means'].values() for x in (total, count)]
        sum([*numbers, progress['examples']])
        batches.set_state(progress['data'])

    restored = checkpoints.restore(jax.eval_shape(experiment.init), accept=accept)
    step, state, progress = restored or (0, experiment.begin(), {})
    before = progress.get('examples', len(dataset))
    if before != len(dataset):
        raise UserError(
            f'{dataset.name} has {len(dataset)} examples now and had {before} when {workdir} was '
            f'begun; restore it, or give another --workdir'
        )
    if step:
        logging.info('goes on from step %d of %s', step, workdir)
        cores, now = progress.get('cores'), process.cores()
        if cores not in (None, now) and jax.default_backend() == 'cpu':
            logging.warning(
                'step %d was computed on %d cores and there are %d now: sums are split otherwise, '
                'so the run will not end bit for bit where it would have', step, cores, now,
            )  # fmt: skip
    return step, state, progress


def _describe(config: Mapping[str, Any], dataset: data.Dataset, state: game_lib.State) -> None:
    size = sum(x.size for x in jax.tree.leaves(game_lib.current(state)[0]))
    logging.info(
        '%s: %d examples of %s; %d parameters; %d x %s; %d steps of %d examples',
        dataset.name, len(dataset), dataset.shape, size,
        jax.device_count(), jax.devices()[0].device_kind, config['steps'], config['batch_size'],
    )  # fmt: skip


def _count(
    means: metric_writer.Means,
    game: game_lib.Game,
    stacked: Mapping[str, np.ndarray],
    step: int,
    workdir: pathlib.Path,
    seeds: Sequence[int],
) -> None:
    """Counts the metrics of the steps after `step`, each only if its turn was played.

    Raises:
      Diverged: if one of them is not finite.
    """
    for i in range(len(next(iter(stacked.values())))):
        step += 1
        metrics = game_lib.played(game, {name: x[i] for name, x in stacked.items()}, step)
        metrics = replicas.named(metrics, seeds)
        broken = metric_writer.not_finite(metrics)
        if broken:
            raise Diverged(f'step {step}: {", ".join(broken)} not finite; {_left(workdir)}')
        means.add(metrics)


def _evaluate(
    evaluations: Sequence[Callable], variables: Any, seeds: Sequence[int]
) -> tuple[dict[str, float], dict[str, str]]:
    """What each seed's evaluation finds of its replica, with means and standard errors.

    Returns:
      {name: value}, NaN of those that could not be had; and {name: why} of these.
    """
    parts = replicas.split(variables, len(seeds))
    with progress_lib.lines('evaluating'):
        found = [evaluate(*part) for evaluate, part in zip(evaluations, parts, strict=True)]
    values, reasons = {}, {}
    for text in found[0]:
        name = names.parse(text)
        one_of_all = all(text in one for one in found)
        if one_of_all and (not name.stderr or len(seeds) == 1):  # seeds' own spread says more
            values[str(name._replace(turn=names.EVALUATION))] = [one[text] for one in found]
        for one in found:
            if text in one.missing:
                reasons[name._replace(turn=names.EVALUATION)] = one.missing[text]
    results = replicas.with_errors(values, seeds)
    missing = metric_writer.not_finite(results)
    return results, {x: reasons.get(names.parse(x).main, 'it is not finite') for x in missing}


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0


def _left(workdir: pathlib.Path) -> str:
    return (
        f'the checkpoints in {workdir / "checkpoints"} are as they were; it would happen again, so '
        f'change the config and give another --workdir'
    )
