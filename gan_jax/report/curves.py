"""Metrics over steps, arranged for a page: which curves share a panel, seeds with their mean."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Points = Sequence[tuple[int, float]]

MOST_POINTS = 1000  # a curve's on the page; more are thinned
GROUPS = (
    'Evaluation',
    'Losses',
    'Logits and accuracy',
    'Penalties and others',
    'Diagnostics',
    'Norms',
    'Speed',
)
COLOURS = 8  # report.css has as many, after which they repeat
_SEED = re.compile(r'(.+)/(seed_\d+)')
_NORMS = {'gradient_norm': 'gradient norm', 'parameter_norm': 'parameter norm'}
_SPEED = {'seconds', 'examples_per_second', 'data_wait', 'step'}
_SIDE = re.compile(r'^(real|fake|generated|held_out)_(?=.)|(?<=.)_(raw|ema)$')


def place(name: str) -> tuple[str, str]:
    """The group and the panel of a metric, by its name without a seed.

    Args:
      name: a key of metrics.jsonl, such as 'discriminator/real_logit'.

    Returns:
      One of GROUPS and a panel's title. What is of one kind shares a panel: all losses, or real and
      generated logits.
    """
    parts = name.split('/')
    panel = _SIDE.sub('', parts[-1])
    if parts[0] == 'eval':
        rest = [_SIDE.sub('', x) for x in parts[1:] if x not in ('raw', 'ema')]
        return 'Evaluation', '/'.join(rest) or name
    if 'loss' in parts:
        return 'Losses', 'loss'
    for norm, title in _NORMS.items():
        if norm in parts:
            return 'Norms', title
    if parts[0] == 'diagnostics':
        return 'Diagnostics', panel
    if panel in ('logit', 'accuracy'):
        return 'Logits and accuracy', panel
    return ('Speed' if name in _SPEED else 'Penalties and others'), panel


def arrange(curves: Mapping[str, Points]) -> list[dict[str, Any]]:
    """Curves as groups of panels of series, ready for JSON.

    Args:
      curves: points (step, value) by metric; any order, NaN and infinities allowed. 'm/seed_3' is
        m of one seed and 'm/stderr' the standard error of m; both join m. Without a curve m, the
        seeds' mean takes its place, at the steps that all of them have.

    Returns:
      [{'title', 'panels': [{'title', 'series': [{'name', 'colour', 'points', 'seeds', 'error',
      'lost'}]}]}]. Points are {'steps': [...], 'values': [...]}, a value null where it is not
      finite; 'lost' counts those. Groups in the order of GROUPS, the rest as given.
    """
    seeds: dict[str, dict[str, Points]] = {}
    for name, points in curves.items():
        if match := _SEED.fullmatch(name):
            seeds.setdefault(match[1], {})[match[2]] = _sorted(points)
        elif not (name.endswith('/stderr') and name.removesuffix('/stderr') in curves):
            seeds.setdefault(name, {})
    groups: dict[str, dict[str, list[str]]] = {x: {} for x in GROUPS}
    for name in seeds:
        group, panel = place(name)
        groups[group].setdefault(panel, []).append(name)
    return [
        {
            'title': group,
            'panels': [
                {'title': title, 'series': _panel(names, curves, seeds)}
                for title, names in panels.items()
            ],
        }
        for group, panels in groups.items()
        if panels
    ]


def _panel(
    names: Sequence[str], curves: Mapping[str, Points], seeds: Mapping[str, Mapping[str, Points]]
) -> list[dict[str, Any]]:
    series = []
    for name, colour in zip(names, _colours(names), strict=True):
        main = _sorted(curves[name]) if name in curves else mean(list(seeds[name].values()))
        error = dict(curves.get(f'{name}/stderr', ()))
        given: list[Points] = [main] if name in curves else []
        given += seeds[name].values()
        series.append(
            {
                'name': name,
                'colour': colour,
                'points': _json(main),
                'seeds': [{'name': k, 'points': _json(v, main)} for k, v in seeds[name].items()],
                'error': _json([(step, error[step]) for step, _ in thin(main) if step in error]),
                'lost': sum(not math.isfinite(v) for points in given for _, v in points),
            }
        )
    return series


def of_groups(
    groups: Mapping[str, Mapping[str, Sequence[Points]]], first: str
) -> list[dict[str, Any]]:
    """What several groups of runs have logged, each metric a panel of its own.

    Args:
      groups: by group the curve of each seed, by metric; the groups in the order of the colours.
      first: the metric whose panel comes first.

    Returns:
      As `arrange`: a series for each group, the mean over its seeds with its standard error and the
      seeds themselves. Metrics of speed are left out.
    """
    panels: dict[str, list[dict[str, Any]]] = {x: [] for x in GROUPS}
    metrics = sorted({name for curves in groups.values() for name in curves})
    for name in sorted(metrics, key=lambda x: x != first):
        series = [
            _of_group(label, str(i % COLOURS), [_sorted(x) for x in curves[name]])
            for i, (label, curves) in enumerate(groups.items())
            if curves.get(name)
        ]
        panels[place(name)[0]].append({'title': name, 'series': series})
    return [
        {'title': title, 'panels': panels[title]}
        for title in GROUPS
        if panels[title] and title != 'Speed'
    ]


def _of_group(label: str, colour: str, seeds: Sequence[Points]) -> dict[str, Any]:
    main = mean(seeds)
    tables = [dict(x) for x in seeds]
    error = []
    if len(seeds) > 1:
        for step, value in main:
            squares = sum((x[step] - value) ** 2 for x in tables)
            error.append((step, math.sqrt(squares / (len(seeds) - 1) / len(seeds))))
    several = seeds if len(seeds) > 1 else ()
    return {
        'name': label,
        'colour': colour,
        'points': _json(main),
        'seeds': [{'name': f'run {i}', 'points': _json(x, main)} for i, x in enumerate(several, 1)],
        'error': _json(error, main),
        'lost': sum(not math.isfinite(value) for points in seeds for _, value in points),
    }


def _colours(names: Sequence[str]) -> list[str]:
    """Real and generated have their own colours, if there is one curve of each at most."""
    sides = {'real_': 'real', 'fake_': 'generated', 'generated_': 'generated'}
    last = [x.split('/')[-1] for x in names]
    kinds = [next((c for p, c in sides.items() if x.startswith(p)), '2') for x in last]
    if len(set(kinds)) == len(kinds) > 1:
        return kinds
    return [str(i % COLOURS) for i in range(len(names))]


def mean(seeds: Sequence[Points]) -> list[tuple[int, float]]:
    """The mean at the steps that all seeds have; not finite where one of them is not."""
    if not seeds:
        return []
    tables = [dict(x) for x in seeds]
    common = set(tables[0]).intersection(*tables[1:])
    return [(step, sum(t[step] for t in tables) / len(tables)) for step in sorted(common)]


def thin(points: Points, most: int = MOST_POINTS) -> list[tuple[int, float]]:
    """At most `most` points of a curve, peaks and gaps among them.

    The curve is cut into most // 3 stretches of equally many points; of each stay its least, its
    greatest and its first value that is not finite.
    """
    points = list(points)
    if len(points) <= most:
        return points
    bins = most // 3
    kept = []
    for i in range(bins):
        part = points[i * len(points) // bins : (i + 1) * len(points) // bins]
        chosen = {p for p in part if not math.isfinite(p[1])}
        chosen = {min(chosen, key=_step)} if chosen else set()
        if finite := [p for p in part if math.isfinite(p[1])]:
            chosen |= {min(finite, key=_value), max(finite, key=_value)}
        kept += sorted(chosen, key=_step)
    return kept


def _step(point: tuple[int, float]) -> int:
    return point[0]


def _value(point: tuple[int, float]) -> float:
    return point[1]


def _sorted(points: Iterable[tuple[int, float]]) -> list[tuple[int, float]]:
    return sorted(((int(step), float(value)) for step, value in points), key=_step)


def _json(points: Points, main: Points = ()) -> dict[str, list]:
    """Thinned, but at the steps of the thinned `main` too: what is read together stays together."""
    keep = {step for step, _ in [*thin(points), *thin(main)]}
    few = [p for p in points if p[0] in keep]
    return {
        'steps': [step for step, _ in few],
        'values': [float(f'{value:.6g}') if math.isfinite(value) else None for _, value in few],
    }
