"""What would make training fail, or learn nothing: looked for before anything is compiled."""

from typing import Any

import jax
from absl import logging

from gan_jax.config import fit, private, resolve


def check(experiment: Any, devices: int) -> None:
    """Looks at an experiment that is to be trained on so many devices.

    Warns of learning rates that have come to their end before the run has.

    Raises:
      UserError: if batch normalisation sees single numbers, there is too little memory, or a
        metric cannot be had.
    """
    settings, example = experiment.config, experiment.example
    fit.check_mirror(settings['wandb'], bool(settings['privacy']))
    part = settings['batch_size'] // (settings['micro_batches'] * devices)
    if part * devices <= settings['cures']['packing']:
        fit.check_statistics(experiment.game, example, part, devices)
    several = settings['steps_per_dispatch'] * settings['num_replicas']
    one, evaluated = fit.size(example), bool(settings['eval_every'])
    needed = {
        'config.batch_size x steps_per_dispatch x num_replicas': settings['batch_size'] * several,
        'config.num_samples': settings['num_samples'],
        'config.eval_samples': settings['eval_samples'] * evaluated,
    }
    fit.check_memory({what: num * one for what, num in needed.items()})
    state = jax.eval_shape(experiment.init)
    fit.check_memory({'the networks with their optimizers': fit.size(state)})
    if settings['privacy']:
        plain = resolve.resolve_game(settings)
        modality = experiment.modality
        private.check_game(plain(shape=modality.shape, **modality.fields), example)
        private.check_evaluation(experiment)
    if evaluated:
        experiment.check_metrics(settings['evaluation']['metrics'])
    for line in resolve.spent_rates(settings, experiment.game):
        logging.warning('!!! %s', line)
