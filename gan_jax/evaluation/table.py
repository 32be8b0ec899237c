"""The table of an evaluation: its rows, what a reader must know of them, and how it is printed."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from gan_jax.evaluation import figures, menu
from gan_jax.evaluation.evaluator import Found
from gan_jax.runtime import names

WIDE = 0.1  # a standard error above this share of its figure is warned of
ARROWS = {figures.LESS: '\N{DOWNWARDS ARROW}', figures.MORE: '\N{UPWARDS ARROW}'}
BOUNDS = {figures.LESS: 'floor', figures.MORE: 'ceiling'}  # what real examples' figure is
KINDS = ('ema', 'raw', 'baseline')


def rows(
    found: Mapping[str, Sequence[Found]], real: Found, metrics: Iterable[str] = ()
) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """The rows of a table, and why numbers are missing in it.

    Args:
      found: {'ema', 'raw', 'baseline': the figures of each seed}; the first is what counts.
      real: the figures of real examples.
      metrics: that gave them, if there are others than the package's.

    Returns:
      {figure: {kind: the mean over the seeds, 'stderr', 'real', 'better': 'less' or 'more'}}, None
      for what there is not; and {figure: why}.
    """
    main = next(iter(found))
    table: dict[str, dict[str, Any]] = {}
    for text in found[main][0]:
        name = names.parse(text)
        if name.stderr:
            continue
        row: dict[str, Any] = {
            kind: _number(np.mean([x[text] for x in of_seeds]))
            for kind, of_seeds in found.items()
            if text in of_seeds[0]
        }
        values = [x[text] for x in found[main]]
        if len(values) > 1:
            row['stderr'] = _number(np.std(values, ddof=1) / np.sqrt(len(values)))
        else:
            row['stderr'] = found[main][0].get(str(name._replace(stderr=True)))
        better = menu.better(name.figure, metrics)
        table[text] = {**row, 'real': _number(real.get(text)), 'better': better}
    sides = {**found, 'real': [real]}
    missing = {
        text: f'{kind}: {reason}'
        for kind, of_seeds in sides.items()
        for one in of_seeds
        for text, reason in one.missing.items()
    }
    return table, missing


def _number(value: Any) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def warnings_of(
    table: Mapping[str, Mapping[str, Any]],
    record: Mapping[str, Any],
    missing: Mapping[str, str] | None = None,
) -> list[str]:
    """What a reader of the figures must know."""
    found = [f'{name} is missing: {reason}' for name, reason in (missing or {}).items()]
    num, real, width = record['generated'], record['real_images'], record.get('width')
    if width and min(num, real) < width:
        found.append(
            f'{num} samples and {real} real images are fewer than the {width} features: the '
            f'Frechet distance is of covariances that are not of full rank, and far too large or '
            f'small; give --num={4 * width} or more'
        )
    for name, row in table.items():
        value, error = row.get('ema', row['raw']), row['stderr']
        if value is not None and error is not None and error > WIDE * abs(value):
            found.append(
                f'{name} is {value:.4g} with a standard error of {error:.2g}: give more samples '
                f'or seeds before comparing it'
            )
    return found


def shown(content: Mapping[str, Any]) -> str:
    """The table that is printed."""
    record, rows = content['settings'], content['figures']
    kinds = [x for x in KINDS if any(x in row for row in rows.values())]
    titles = {name: f'{name} {ARROWS[row["better"]]}' for name, row in rows.items()}
    width = max(len(title) for title in titles.values())
    features = f'; features: {record["features"]}' if record['features'] else ''
    lines = [
        f'{record["generated"]} samples against {record["real_images"]} images of '
        f'{record["real"]}, {record["split"]}{features}; real: {record["floor"]}',
        ' '.join([' ' * width, *(f'{x:>10}' for x in (*kinds, 'stderr', 'real'))]),
    ]
    if 'privacy' in record:
        lines.insert(1, record['privacy'])
    for name, row in rows.items():
        cells = [row.get(kind) for kind in kinds] + [row['stderr'], row['real']]
        text = ('-' if x is None else f'{x:.4g}' for x in cells)
        bound = '' if row['real'] is None else f' {BOUNDS[row["better"]]}'
        lines.append(' '.join([f'{titles[name]:<{width}}', *(f'{x:>10}' for x in text)]) + bound)
    return '\n'.join(lines)


def print_table(content: Mapping[str, Any]) -> None:
    """Prints it, where a terminal has no arrows with v and ^."""
    text = shown(content)
    try:
        print(text)
    except UnicodeEncodeError:
        print(text.replace(ARROWS[figures.LESS], 'v').replace(ARROWS[figures.MORE], '^'))
