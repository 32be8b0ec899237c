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
from gan_jax.config import inputs
from gan_jax.config import saved as workdir_lib
from gan_jax.config.experiment import Setup, build
from gan_jax.errors import UserError
from gan_jax.evaluation import evaluator as evaluation
from gan_jax.runtime import checkpoint, parallel, replicas
from gan_jax.runtime import metric_writer as log_lib
from gan_jax.runtime.preemption import Interrupt
from gan_jax.sampling import sampler as sampling
from gan_jax.sampling import translation


class Diverged(Exception):
    """A NaN or an infinity appeared; the message says where and what is left."""


class Show:
    """Draws each seed's samples, always of the same latents; or translations of held-out data."""

    def __init__(self, workdir: pathlib.Path, setup: Setup, seeds: Sequence[int]):
        """Compiles nothing yet; shows the real examples."""
        config, dataset, game = setup.config, setup.dataset, setup.players.game
        num = config['num_samples']
        self._folder = workdir / 'samples'
        self._seeds = seeds
        if inputs.translates(game):
            held_out = inputs.load_held_out(config)
            dataset = dataset if held_out is None else held_out
        places = np.random.default_rng(config['seed']).permutation(len(dataset))[:num]
        real = dataset.batch(places)['image']
        if inputs.translates(game):
            sources = inputs.Sources(config, dataset, places)
            self._draw = [translation.make_picture(game, sources)] * len(seeds)
        else:
            self._draw = [
                sampling.make_picture(game, real, sampling.draw_latents(game, seed, num))
                for seed in seeds
            ]
        self._real = sampling.show(real)

    def real(self) -> None:
        """Writes samples/real.png."""
        sampling.write_png(self._folder / 'real.png', self._real)

    def __call__(self, step: int, variables: Any, log: log_lib.Log) -> None:
        """Writes samples/<step>.png, of several seeds samples/<step>_seed_<seed>.png."""
        parts = replicas.split(variables, len(self._seeds))
        for draw, seed, part in zip(self._draw, self._seeds, parts, strict=True):
            image, suffix = draw(*part), replicas.suffix(seed, len(self._seeds))
            sampling.write_png(self._folder / f'{step:08d}{suffix}.png', image)
            log.image(step, f'samples{suffix}', image)


def train(config: Mapping[str, Any], workdir: pathlib.Path) -> bool:
    """Trains from a config, or goes on where the run in `workdir` was stopped.

    Args:
      config: the resolved config, plain dicts and values.
      workdir: where all that the run writes goes.

    Returns:
      Whether it came to its end; False if a signal stopped it.

    Raises:
      UserError: before compilation, if the config or the work directory cannot be used.
      Diverged: if a metric or the state is not finite.
    """
    # ---- Build -------------------------------------------------------------------------------
    setup = build(config)
    config, dataset, game = setup.config, setup.dataset, setup.players.game
    workdir_lib.prepare(workdir, config)
    steps, several, seeds = config['steps'], config['steps_per_dispatch'], replicas.seeds(config)
    num_devices = jax.local_device_count()

    def step_fn(state, batch):
        return game_lib.update(
            game,
            state,
            batch,
            axis_name=parallel.AXIS,
            micro_batches=config['micro_batches'],
            prepare=setup.prepare,
        )

    update = parallel.pmap_steps(replicas.step(step_fn, len(seeds)))
    batches = data.batches(
        setup.fed,
        batch_size=config['batch_size'],
        seed=seeds if len(seeds) > 1 else seeds[0],
        steps_per_dispatch=several,
        process_index=jax.process_index(),
        process_count=jax.process_count(),
    )
    show = Show(workdir, setup, seeds)
    if config['eval_every']:
        num = config['eval_samples']
        against = evaluation.build(config, dataset, num=num)
        best = config['evaluation']['best']  # its metric may have been left out for these data
        evaluation.check_best('config.evaluation.best', best, against.names)
        evaluations = [evaluation.of_game(config, game, against, seed, num) for seed in seeds]

    # ---- Restore or begin --------------------------------------------------------------------
    checkpoints = checkpoint.Checkpoints(workdir / 'checkpoints')
    step, state, progress = _restore(checkpoints, setup.players.init(), dataset, workdir)
    means = log_lib.Means(progress.get('means'))
    if step:
        batches.set_state(progress['data'])
    _describe(config, dataset, state)
    state = parallel.replicate(state)
    log = log_lib.Log(workdir, step, steps, config['batch_size'])
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
                    metric = evaluation.to_lessen(config['evaluation']['best'], values)
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
        found = evaluation.best_and_last(workdir / 'metrics.jsonl', config['evaluation']['best'])
        if found:
            logging.info(
                '%s: %.4g at step %d, the last; %.4g at step %d, the best', found['figure'],
                found['last']['value'], found['last']['step'],
                found['best']['value'], found['best']['step'],
            )  # fmt: skip
        logging.info('done: %d steps, %s', step, workdir / 'samples')
    return step == steps


def _restore(
    checkpoints: checkpoint.Checkpoints, begin: Any, dataset: data.Dataset, workdir: pathlib.Path
) -> tuple[int, Any, dict[str, Any]]:
    """(step, state, progress) of the newest sound checkpoint, or of the beginning."""
    step, state, progress = checkpoints.restore(begin) or (0, begin, {})
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
    means: log_lib.Means,
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
        broken = log_lib.not_finite(metrics)
        if broken:
            raise Diverged(f'step {step}: {", ".join(broken)} not finite; {_left(workdir)}')
        means.add(metrics)


def _evaluate(
    evaluations: Sequence[Callable], variables: Any, seeds: Sequence[int]
) -> dict[str, float]:
    """What each seed's evaluation finds of its replica, with means and standard errors."""
    parts = replicas.split(variables, len(seeds))
    found = [evaluate(*part) for evaluate, part in zip(evaluations, parts, strict=True)]
    names = [name for name in found[0] if not name.endswith('/stderr') or len(seeds) == 1]
    values = {f'eval/{name}': [one[name] for one in found] for name in names}
    return replicas.with_errors(values, seeds)


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0


def _left(workdir: pathlib.Path) -> str:
    return (
        f'the checkpoints in {workdir / "checkpoints"} are as they were; it would happen again, so '
        f'change the config and give another --workdir'
    )
