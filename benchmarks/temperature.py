"""A maximum-likelihood model of texts at several temperatures, beside GANs, in one plane.

    python -m benchmarks.temperature runs/likelihood --beside runs/words --output words.png
    python -m benchmarks.temperature runs/seqgan_likelihood --beside runs/seqgan \\
        --quality oracle_nll --diversity held_out_nll --output seqgan.png

Source: Language GANs Falling Short (Caccia et al., 2020): a temperature trades quality for
diversity, so that a GAN is better only if its point lies beyond the curve of the model that it
began with. Figures are those of --mode=evaluate, of which every one is printed; two of them are the
axes of the picture, better ones to the right and above. With --replicas the seeds of the
runs beside are as many points.
"""

import argparse
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gan_jax.config import experiment
from gan_jax.evaluation import menu
from gan_jax.runtime import files

TEMPERATURES = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2)
SIZE, MARGIN, DOT, FINER = (640, 480), (70, 50), 4, 2  # pixels; times as many are drawn on
PAPER, INK, CURVE, POINT = (255, 255, 255), (60, 66, 76), (40, 98, 168), (200, 24, 90)


class Point(NamedTuple):
    """A model in the plane.

    Attributes:
      name: what is written beside it.
      figures: by their names.
      on_curve: whether it is of the model whose temperature is changed.
    """

    name: str
    figures: Mapping[str, float]
    on_curve: bool


def at_temperature(config: Mapping[str, Any], temperature: float) -> experiment.Experiment:
    """A run's experiment whose generator divides its logits by a temperature."""
    generator = {**config['generator'], 'temperature': temperature}
    return experiment.rebuild({**config, 'generator': generator})


def points(
    workdir: pathlib.Path, temperatures: Sequence[float], num: int, replica: int, on_curve: bool
) -> list[Point]:
    """Figures of `num` samples of a run's newest checkpoint at temperatures, its own if none."""
    run = experiment.restore(workdir)
    evaluation = run.experiment.evaluation(num)
    found = []
    for temperature in temperatures or (run.experiment.config['generator']['temperature'],):
        other = at_temperature(run.experiment.config, temperature)
        seed = run.experiment.seeds[replica]
        figures = other.evaluate(evaluation, seed, num)(*run.variables(replica))
        name = f'{temperature:g}' if on_curve else workdir.name
        found.append(Point(name, figures, on_curve))
        print(json.dumps({'run': workdir.name, 'temperature': temperature, **figures}), flush=True)
    return found


def plane(every: Sequence[Point], quality: str, diversity: str) -> np.ndarray:
    """The picture: a curve of the points on it, and the others; uint8 [h, w, 3]."""
    axes = quality, diversity
    # What is better goes up: figures of which less is better are drawn from right to left.
    signs = [1 if menu.better(axis) == 'more' else -1 for axis in axes]
    values = np.array(
        [[sign * x.figures[axis] for sign, axis in zip(signs, axes, strict=True)] for x in every]
    )
    low, high = values.min(axis=0), values.max(axis=0)
    extent = np.where(high > low, high - low, 1)
    size, margin = (np.array(x) * FINER for x in (SIZE, MARGIN))
    places = margin + (values - low) / extent * (size - 2 * margin)
    places[:, 1] = size[1] - places[:, 1]
    image = Image.new('RGB', tuple(size.tolist()), PAPER)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(11 * FINER)
    box = [*(margin // 2).tolist(), *(size - margin // 2).tolist()]
    draw.rectangle(box, outline=INK, width=FINER)
    curve = [tuple(x) for x, point in zip(places.tolist(), every, strict=True) if point.on_curve]
    draw.line(curve, fill=CURVE, width=FINER)
    for (x, y), point in zip(places.tolist(), every, strict=True):
        colour, dot = (CURVE, DOT * FINER) if point.on_curve else (POINT, 2 * DOT * FINER)
        draw.ellipse([x - dot, y - dot, x + dot, y + dot], fill=colour)
        above = (-2 if point.on_curve else 1) * dot
        draw.text((x + 2 * dot, y + above), point.name, fill=colour, font=font)
    for i, (axis, sign) in enumerate(zip(axes, signs, strict=True)):
        ends = sign * low[i], sign * high[i]
        text = f'{axis}: {ends[0]:.3g} to {ends[1]:.3g}, better {("to the right", "above")[i]}'
        draw.text((box[0], (box[3], 0)[i]), text, fill=INK, font=font)
    return np.asarray(image.resize(SIZE, Image.Resampling.BOX))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('likelihood', type=pathlib.Path)
    parser.add_argument('--beside', type=pathlib.Path, nargs='*', default=[])
    parser.add_argument('--temperatures', type=float, nargs='*', default=TEMPERATURES)
    parser.add_argument('--num', type=int, default=5000)
    parser.add_argument('--replicas', type=int, default=1)
    parser.add_argument('--quality', default='real_words')
    parser.add_argument('--diversity', default='distinct')
    parser.add_argument('--output', type=pathlib.Path, required=True)
    args = parser.parse_args()
    every = points(args.likelihood, args.temperatures, args.num, 0, True)
    for workdir in args.beside:
        for replica in range(args.replicas):
            every += points(workdir, (), args.num, replica, False)
    picture = plane(every, args.quality, args.diversity)
    files.write_png(args.output, picture)


if __name__ == '__main__':
    main()
