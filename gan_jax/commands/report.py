"""--mode=report: what a run has written and what its newest checkpoint makes, as one page."""

import io
import json
import pathlib
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import numpy as np
from absl import logging
from PIL import Image

from gan_jax import game as game_lib
from gan_jax import metrics, report
from gan_jax.commands import evaluate
from gan_jax.config import experiment as setup
from gan_jax.config import inputs
from gan_jax.data import Dataset
from gan_jax.evaluation import evaluator as evaluation
from gan_jax.report import diagnostics
from gan_jax.runtime import files, replicas
from gan_jax.sampling import sampler as sampling

FILE = 'report.html'
SHOWN, PAIRS, GRIDS, BLIND = 100, 12, 40, 40  # of samples, neighbours, steps, the blind test
PACKAGES = ('gan_jax', 'jax', 'jaxlib', 'flax', 'optax', 'orbax-checkpoint', 'numpy')


def write_report(workdir: pathlib.Path, replica: int = 0) -> pathlib.Path:
    """Writes report.html of the run in `workdir`.

    Args:
      workdir: a run's work directory.
      replica: which of the run's seeds is shown, counted from 0.

    Returns:
      The file.

    Raises:
      UserError: if there is no run, it has no checkpoint, or not so many seeds.
    """
    run = setup.restore(workdir)
    seeds = replicas.seeds_with(run.config, replica)
    dataset = inputs.load_shown(run.config, run.players.game)
    variables = replicas.split(game_lib.averaged(run.state), len(seeds))[replica]
    curves = _curves(workdir)
    judged = _evaluation(workdir)
    suffix = replicas.suffix(seeds[replica], len(seeds))
    figures = _figures(run.config, curves, judged, f'/seed_{seeds[replica]}')
    hints = diagnostics.hints(figures)
    for hint in hints:
        logging.warning(hint)
    content = report.Content(
        title=f'{workdir.name}, step {run.step}' + (f', seed {seeds[replica]}' if suffix else ''),
        config=run.config,
        versions={name: metadata.version(name) for name in PACKAGES},
        curves=curves,
        grids=_grids(workdir, suffix),
        evaluation=judged,
        hints=hints,
        histogram=(judged or {}).get('histogram'),
        **_pictures(run, dataset, variables, seeds[replica]),
    )
    file = workdir / FILE
    files.replace(file, lambda part: part.write_text(report.render(content), encoding='utf-8'))
    logging.info('wrote %s', file)
    return file


def _png(image: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(stream, 'png')
    return stream.getvalue()


def _curves(workdir: pathlib.Path) -> dict[str, list[tuple[int, float]]]:
    curves: dict[str, list[tuple[int, float]]] = {}
    file = workdir / 'metrics.jsonl'
    for line in file.read_text().splitlines() if file.exists() else ():
        values = json.loads(line)
        step = values.pop('step')
        for name, value in values.items():
            curves.setdefault(name, []).append((step, value))
    return curves


def _evaluation(workdir: pathlib.Path) -> dict[str, Any] | None:
    file = workdir / evaluate.FILE
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError):
        return None


def _grids(workdir: pathlib.Path, suffix: str) -> list[tuple[int, bytes]]:
    """Grids of samples, evenly chosen where there are many; the last is always there."""
    found = sorted((workdir / 'samples').glob(f'{"[0-9]" * 8}{suffix}.png'))
    places = np.unique(np.linspace(0, len(found) - 1, min(GRIDS, len(found))).round().astype(int))
    return [(int(found[i].name[:8]), found[i].read_bytes()) for i in places]


def _figures(
    config: Mapping[str, Any],
    curves: Mapping[str, list[tuple[int, float]]],
    judged: Mapping[str, Any] | None,
    suffix: str,
) -> dict[str, float]:
    """The last of each figure, as `diagnostics.hints` calls them; of several seeds that one's."""
    found = {}
    for name, points in curves.items():
        short = name.removesuffix(suffix)
        if '/seed_' in short or (short == name and f'{name}{suffix}' in curves):
            continue
        player, _, kind = short.partition('/')
        short = f'{kind}/{player}' if kind == 'gradient_norm' else short.removeprefix('eval/')
        found[evaluation.plain(short)] = points[-1][1]
    for name, row in (judged or {}).get('figures', {}).items():
        found[evaluation.plain(name)] = row.get('ema', row['raw'])
    objective = config['objective']
    name = objective if isinstance(objective, str) else objective['name']
    if name.startswith(('wasserstein', 'relativistic')):  # whose logits no zero divides
        found = {key: x for key, x in found.items() if not key.endswith('_sign')}
    return found


def _pictures(run: setup.Run, dataset: Dataset, variables: Any, seed: int) -> dict[str, Any]:
    """What is made of samples of the checkpoint beside real images; nothing of points."""
    if len(dataset.shape) != 3:
        return {}
    if inputs.translates(run.players.game):
        return _translations(run, dataset, variables)
    return _samples(run, dataset, variables, seed)


def _translations(run: setup.Run, dataset: Dataset, variables: Any) -> dict[str, Any]:
    """Translations of held-out sources beside the true images, or others of their domain."""
    order = np.random.default_rng(run.config['seed']).permutation(len(dataset))
    sources = inputs.Sources(run.config, dataset, order[: SHOWN + BLIND])
    made = sampling.make_sampler(run.players.game)(*variables, sources)
    real = sources.images(slice(None))
    return {
        'real': _png(sampling.grid(real[:SHOWN])),
        'generated': _png(sampling.grid(made[:SHOWN])),
        'blind': tuple([_png(x) for x in images[SHOWN:]] for images in (real, made)),
    }


def _samples(run: setup.Run, dataset: Dataset, variables: Any, seed: int) -> dict[str, Any]:
    game = run.players.game
    sampler = sampling.make_sampler(game)
    made = sampler(*variables, sampling.draw_latents(game, seed, SHOWN))
    order = np.random.default_rng(seed).permutation(len(dataset))
    real = dataset.batch(order[:SHOWN])['image']
    # Neither is in the grids above, where a person would have seen them.
    unseen = dataset.batch(order[SHOWN : SHOWN + BLIND])['image']
    latents = sampling.draw_latents(game, seed, SHOWN + BLIND)[SHOWN:]
    fresh = sampler(*variables, latents)[: len(unseen)]
    between = sampling.interpolation(sampling.draw_latents(game, seed, 16))
    index, distance = metrics.nearest_neighbors(_flat(made), _flat(dataset.batch(order)['image']))
    worst = np.argsort(distance[:, 0], kind='stable')[:PAIRS]
    near = dataset.batch(order[index[worst, 0]])['image']
    return {
        'real': _png(sampling.grid(real)),
        'generated': _png(sampling.grid(made)),
        'interpolation': _png(sampling.grid(sampler(*variables, between), columns=10)),
        'nearest': [
            (_png(made[i]), _png(x), float(distance[i, 0]))
            for i, x in zip(worst, near, strict=True)
        ],
        'blind': tuple([_png(x) for x in images] for images in (unseen, fresh)),
    }


def _flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1).astype(np.float32) / 255.0
