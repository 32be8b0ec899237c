"""The loop: build, restore or begin, then step, log, sample, evaluate, checkpoint."""

import pathlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import jax
import numpy as np
from absl import logging

from gan_jax import data
from gan_jax import game as game_lib
from gan_jax.config import saved
from gan_jax.config.experiment import Experiment, build, open_checkpoints
from gan_jax.config.validate import check_best
from gan_jax.errors import UserError
from gan_jax.evaluation import evaluator
from gan_jax.runtime import checkpoint, files, metric_writer, names, parallel, replicas
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
        self._modality = experiment.modality

    def real(self) -> None:
        """Writes samples/real.png."""
        nothing = self._real[:0]
        several = self._modality.thumbnails is not None
        made = (self._real, None) if several else (nothing, self._real)
        files.write_png(self._folder / 'real.png', self._modality.picture(*made))

    def __call__(self, step: int, variables: Any, log: metric_writer.Log) -> None:
        """Writes samples/<step>.png, of several seeds samples/<step>_seed_<seed>.png."""
        parts = replicas.split(variables, len(self._seeds))
        for draw, seed, part in zip(self._draw, self._seeds, parts, strict=True):
            image, suffix = draw(*part), replicas.suffix(seed, len(self._seeds))
            files.write_png(self._folder / f'{step:08d}{suffix}.png', image)
            log.image(step, f'samples{suffix}', image)


def train(config: Mapping[str, Any], workdir: pathlib.Path) -> Experiment | None:
    """Trains from a config, or goes on where the run in `workdir` was stopped.

    Args:
      config: plain dicts and values.
      workdir: where all that the run writes goes.

    Returns:
      The experiment if it came to its end; None if a signal stopped it.

    Raises:
      UserError: before compilation, if the config or the work directory cannot be used.
      Diverged: if a metric or the state is not finite.
    """
    # ---- Build -------------------------------------------------------------------------------
    experiment = build(saved.as_begun(workdir, config))
    config, dataset, game = experiment.config, experiment.dataset, experiment.game
    saved.prepare(workdir, config)
    steps, several, seeds = config['steps'], config['steps_per_dispatch'], experiment.seeds
    num_devices = jax.local_device_count()

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
        process_index=jax.process_index(),
        process_count=jax.process_count(),
    )
    show = Show(workdir, experiment, config['num_samples'])
    best = config['evaluation']['best']
    if config['eval_every']:
        num = config['eval_samples']
        against = experiment.evaluation(num)
        check_best('config.evaluation.best', best, against.names)  # some may have been left out
        evaluations = [experiment.evaluate(against, seed, num) for seed in seeds]

    # ---- Restore or begin --------------------------------------------------------------------
    checkpoints = open_checkpoints(workdir)
    step, state, progress = _restore(checkpoints, experiment, workdir)
    means = metric_writer.Means(progress.get('means'))
    if step:
        batches.set_state(progress['data'])
    _describe(config, dataset, state)
    state = parallel.replicate(state)
    log = metric_writer.Log(workdir, step, steps, config['batch_size'])
    show.real()
    pending: list[tuple[int, Any]] = []
    pictures: list[Future] = []

    def count():
        """Reads the metrics of the last dispatch, which waits for it."""
        while pending:
            before, stacked = pending.pop()
            _count(means, game, parallel.to_host(stacked), before, workdir, seeds)

    def save(metric=None):
        while pictures:
            pictures.pop().result()
        progress = {'data': batches.get_state(), 'means': means.sums, 'examples': len(dataset)}
        try:
            checkpoints.save(step, parallel.to_host(state), progress, config, metric)
        except FloatingPointError as error:
            raise Diverged(f'step {step}: {error} is not finite; {_left(workdir)}') from error

    # ---- Step, log, sample, evaluate, checkpoint ---------------------------------------------
    try:
        with Interrupt() as interrupt, ThreadPoolExecutor(1) as painter:
            start = step
            while step < steps:
                metric = None
                with log.waiting():
                    batch = next(batches)
                state, stacked = update(state, parallel.shard(batch, num_devices))
                count()  # one dispatch late, so that a device need not wait for the host
                pending.append((step, stacked))
                step += several
                log.advance(several)
                if _due(step, config['log_every']) or step == steps < config['log_every']:
                    count()
                    log.scalars(step, means.take())
                if step == start + several:
                    count()
                    log.restart_clock(step)
                if _due(step, config['sample_every']) or (config['sample_every'] and step == steps):
                    variables = parallel.first(game_lib.averaged(state))
                    pictures.append(painter.submit(show, step, variables, log))
                if _due(step, config['eval_every']):
                    variables = parallel.first(game_lib.averaged(state))
                    values = _evaluate(evaluations, variables, seeds)
                    log.write(step, values)
                    metric = evaluator.to_lessen(best, values)
                stopped = interrupt.name is not None or step == steps
                if _due(step, config['checkpoint_every']) or metric is not None or stopped:
                    count()
                    save(metric)
                if stopped:
                    break
            checkpoints.close()  # here, so that a signal waits for it too
    finally:
        log.close()
        checkpoints.close()
    if step < steps:
        logging.info(
            '%s: saved at step %d of %d in %s; the same command goes on from there',
            interrupt.name, step, steps, workdir,
        )  # fmt: skip
    else:
        ends = evaluator.best_and_last(workdir / 'metrics.jsonl', best)
        if ends:
            logging.info(
                '%s: %.4g at step %d, the last; %.4g at step %d, the best', ends['figure'],
                ends['last']['value'], ends['last']['step'],
                ends['best']['value'], ends['best']['step'],
            )  # fmt: skip
        logging.info('done: %d steps, %s', step, workdir / 'samples')
    return experiment if step == steps else None


def _restore(
    checkpoints: checkpoint.Checkpoints, experiment: Experiment, workdir: pathlib.Path
) -> tuple[int, Any, dict[str, Any]]:
    """(step, state, progress) of the newest sound checkpoint, or of the beginning."""
    dataset = experiment.dataset
    restored = checkpoints.restore(jax.eval_shape(experiment.init))
    step, state, progress = restored or (0, experiment.begin(), {})
    before = progress.get('examples', len(dataset))
    if before != len(dataset):
        raise UserError(
            f'{dataset.name} has {len(dataset)} examples now and had {before} when {workdir} was '
            f'begun; restore it, or give another --workdir'
        )
    if step:
        logging.info('goes on from step %d of %s', step, workdir)
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
) -> dict[str, float]:
    """What each seed's evaluation finds of its replica, with means and standard errors."""
    parts = replicas.split(variables, len(seeds))
    found = [evaluate(*part) for evaluate, part in zip(evaluations, parts, strict=True)]
    values = {}
    for text in found[0]:
        name = names.parse(text)
        if not name.stderr or len(seeds) == 1:  # of several seeds their spread says more
            values[str(name._replace(turn=names.EVALUATION))] = [one[text] for one in found]
    return replicas.with_errors(values, seeds)


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0


def _left(workdir: pathlib.Path) -> str:
    return (
        f'the checkpoints in {workdir / "checkpoints"} are as they were; it would happen again, so '
        f'change the config and give another --workdir'
    )
