"""Runs from Python: arrays and numbers by the same functions that the command line calls.

Everything raises `gan_jax.errors.UserError` with one line where the command line ends with that.
"""

import functools
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import ml_collections
import numpy as np
from PIL import Image

from gan_jax import data, loop
from gan_jax.commands import evaluate, report, sample, translate
from gan_jax.config import datasets, defaults, overrides, saved
from gan_jax.config import experiment as experiment_lib
from gan_jax.errors import UserError
from gan_jax.runtime import buckets

Array = np.ndarray | jax.Array
Data = Array | tuple[Array, Array] | data.Source | data.Dataset | Callable[[str], Any]
READ = ('fed', 'dataset', 'held_out')  # of an experiment, what is kept once it is read


class Run:
    """What a run has come to, as one of its checkpoints has it."""

    def __init__(self, workdir: pathlib.Path, restored: experiment_lib.Run):
        """See `load`."""
        self.workdir = workdir
        self._run = restored

    @property
    def step(self) -> int:
        """The checkpoint's."""
        return self._run.step

    @property
    def config(self) -> dict[str, Any]:
        """The resolved config, as config.json has it."""
        return self._run.experiment.config

    @functools.cached_property
    def _make_samples(self) -> Callable[..., np.ndarray]:
        return sample.make_samples(self._run.experiment)

    @functools.cached_property
    def _translators(self) -> Callable[..., tuple[Callable[[np.ndarray], np.ndarray], int]]:
        return functools.cache(functools.partial(translate.of_run, self._run, str(self.workdir)))

    def sample(
        self,
        n: int,
        seed: int = 0,
        label: int | None = None,
        *,
        truncation: float | None = None,
        replica: int = 0,
    ) -> np.ndarray:
        """Samples, from running averages where the run keeps them; what --mode=sample writes.

        Args:
          n: how many.
          seed: of the latents; sample i is the same whatever `n`.
          label: the class of all, from 0; by default each draws its own.
          truncation: see `commands.sample.sample`.
          replica: which of the run's seeds, counted from 0.

        Returns:
          Examples [n, ...] as they are stored: uint8 images [n, h, w, c], float32 points [n, 2],
          int16 sounds [n, samples, 1], and so on.

        Raises:
          UserError: if the run makes no samples, has no such label or replica, or its latents
            cannot be truncated.
        """
        experiment = self._run.experiment
        sample.check_samples(experiment, str(self.workdir))
        draw = sample.drawing(experiment, seed, truncation, label)
        return self._make_samples(*self._run.variables(replica), draw(n))

    def translate(
        self, images: Array | Sequence[Array], direction: str = 'a_to_b', *, replica: int = 0
    ) -> np.ndarray | list[np.ndarray]:
        """Translations of images of any size; what --mode=translate writes.

        Args:
          images: uint8 [n, h, w, c], c 1 (grey), 3 (RGB) or 4 (RGBA, where what is transparent may
            be a mask of missing pixels); or a list of such [h, w, c].
          direction: 'a_to_b', or 'b_to_a' where the game has it.
          replica: which of the run's seeds, counted from 0.

        Returns:
          uint8 [n, f h, f w, 1 or 3], f a whole number; or of a list one.

        Raises:
          UserError: if the run does not translate so, or these are no such images.
        """
        translator, channels = self._translators(direction, replica)
        made = [translator(translate.to_source(_picture(x), channels)) for x in images]
        return made if isinstance(images, Sequence) else np.stack(made)

    def evaluate(
        self,
        num: int = 10_000,
        *,
        metrics: Sequence[str] | None = None,
        features: str | None = None,
        split: str | None = None,
    ) -> dict[str, float]:
        """Figures of samples compared with real examples; what --mode=evaluate writes.

        Args:
          num: how many samples, and at most how many real examples.
          metrics: their names; by default all usual ones that the data allow.
          features: the feature network, see docs/evaluation.md; by default the config's.
          split: what samples are compared with; by default the config's.

        Returns:
          {figure: value}, the mean over the seeds, of running averages where the run keeps them;
          and 'figure/stderr' where an estimate of its standard error is known. What could not be
          had is left out.

        Raises:
          UserError: if there are no such metrics or data, or something cannot be evaluated.
        """
        before = self._run.experiment
        changes = {'metrics': metrics, 'features': features, 'split': split}
        experiment = evaluate.changed(self.config, changes, before.given)
        same = READ if split is None else READ[:2]
        _hand_on(before, experiment, same)
        content = evaluate.of_run(self._run._replace(experiment=experiment), num, changes)
        _hand_on(experiment, before, same)
        values: dict[str, float] = {}
        for name, row in content['figures'].items():
            main = row.get('ema', row['raw'])
            values |= {} if main is None else {name: main}
            values |= {} if row['stderr'] is None else {f'{name}/stderr': row['stderr']}
        return values


def _hand_on(
    one: experiment_lib.Experiment, other: experiment_lib.Experiment, names: Sequence[str]
) -> None:
    """Gives an experiment those data sets that another one of the same run has read."""
    other.__dict__.update({x: one.__dict__[x] for x in names if x in one.__dict__})


def _picture(image: Array) -> Image.Image:
    """A picture of pixels."""
    pixels = np.asarray(image)
    pixels = pixels[..., 0] if pixels.shape[-1:] == (1,) else pixels
    try:
        if pixels.dtype != np.uint8:
            raise TypeError
        return Image.fromarray(pixels)
    except TypeError:
        raise UserError(
            f'an image is {pixels.dtype} {pixels.shape}; uint8 [h, w, 1, 3 or 4] are translated'
        ) from None


def trained(
    config: Mapping[str, Any], workdir: pathlib.Path, given: datasets.Open | None = None
) -> experiment_lib.Experiment | None:
    """Trains as `loop.train` does, and writes the report of a run that came to its end."""
    experiment = loop.train(config, workdir, given)
    if experiment is not None:
        report.write_report(workdir, experiment=experiment)
    return experiment


def train(
    config: ml_collections.ConfigDict | Mapping[str, Any] | str,
    workdir: str | os.PathLike[str],
    dataset: Data | None = None,
) -> Run:
    """Trains a run, or goes on where the one in `workdir` was stopped; what the command line does.

    Args:
      config: a config; or what --config names, 'dcgan' or a file.
      workdir: where all that the run writes goes.
      dataset: instead of what the config names: images [n, h, w, c], uint8 or floats in [-1, 1];
        (images, labels), integers [n] from 0; a `gan_jax.data.Source` or `Dataset`; or a function
        of the split, 'train' or 'test', say, that returns one of these, or None for a split that
        there is not. It is not recorded: give it to `load`, too.

    Returns:
      The run as its last checkpoint has it; also after a signal that stopped and saved it.

    Raises:
      UserError: before anything is compiled, if the config, the data or the directory are of no
        use.
      gan_jax.loop.Diverged: if something is not finite.
    """
    loaded = overrides.load(config) if isinstance(config, str) else config
    plain: Mapping[str, Any]
    plain = loaded.to_dict() if isinstance(loaded, ml_collections.ConfigDict) else loaded
    given = None
    if dataset is not None:
        plain = {**plain, 'dataset': defaults.GIVEN}
        given = datasets.opener(dataset, plain['data']['split'])
    folder = buckets.at(os.fspath(workdir))
    experiment = trained(plain, folder, given)
    if experiment is None:  # stopped
        experiment = experiment_lib.rebuild(saved.read_config(folder), given)
    return Run(folder, experiment_lib.restore(folder, experiment=experiment))


def load(
    workdir: str | os.PathLike[str], dataset: Data | None = None, *, best: bool = False
) -> Run:
    """A run that was trained.

    Args:
      workdir: its work directory.
      dataset: what it was trained on, if that was handed to `train`; only evaluation needs it.
      best: the best checkpoint by the run's own evaluations, not the newest.

    Raises:
      UserError: if there is no run, it has no such checkpoint, or a part of it is not on the path.
    """
    folder = buckets.at(os.fspath(workdir))
    config = saved.read_config(folder)
    given = None if dataset is None else datasets.opener(dataset, config['data']['split'])
    restored = experiment_lib.restore(folder, best, experiment_lib.rebuild(config, given))
    return Run(folder, restored)
