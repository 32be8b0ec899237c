"""The page of a run: one HTML file that shows everything and asks the network for nothing."""

import dataclasses
import hashlib
import html
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from gan_jax.report import confusion as confusion_lib
from gan_jax.report import curves as curves_lib
from gan_jax.report import elements

COLUMNS = {
    'ema': 'Running average',
    'raw': 'No average',
    'real': 'Real data',
    'stderr': 'Standard error',
}
BETTER = {'less': ('\N{DOWNWARDS ARROW}', 'floor'), 'more': ('\N{UPWARDS ARROW}', 'ceiling')}
MOST_CARDS = 6
MOST_BARS = 40  # more classes are drawn by rank, without names
SCRIPTS = ('plots.js', 'blind.js', 'report.js')
TITLES = {
    'hints': 'Warnings',
    'curves': 'Curves',
    'grids': 'Samples',
    'interpolation': 'Interpolations',
    'sides': 'Real and generated',
    'nearest': 'Nearest',
    'histogram': 'Classes',
    'confusion': 'Labels',
    'evaluation': 'Evaluation',
    'blind': 'Blind test',
    'config': 'Config',
    'versions': 'Versions',
}


@dataclasses.dataclass(frozen=True)
class Content:
    """What a page shows. A field that is empty leaves its section out.

    Attributes:
      title: the page's.
      config: the resolved config: nested dicts of what JSON can hold.
      versions: versions by package.
      curves: points (step, value) by metric, named as in metrics.jsonl; NaN and infinities leave
        gaps and are counted. 'm/seed_3' is one seed's m, 'm/stderr' the standard error of m.
      grids: (step, PNG of a grid of samples), shown in the order of their steps.
      interpolation: a PNG, one interpolation a row.
      real: a PNG, a grid of real images.
      generated: a PNG, a grid of generated images, best of the same size as `real`.
      nearest: (PNG of a generated image, PNG of its nearest training image, their distance); shown
        nearest first.
      histogram: {'names': classes, 'real': shares, 'generated': shares}, equally long.
      confusion: {'names': classes, 'counts': by the class asked for, of each class named}.
      evaluation: {'settings': {...}, 'figures': {name: {'ema', 'raw', 'real', 'stderr', 'better'}},
        'warnings': [...], 'best': {...} or None}; any may be missing. A figure's 'real' is its
        floor, or where 'more' is 'better' its ceiling: what real data get against other real data.
      hints: plain sentences on what may be wrong, shown on top with the evaluation's warnings.
      blind: (PNGs of real images, PNGs of generated ones), a single image each and all of one size;
        the blind test shows equally many of both.
    """

    title: str
    config: dict[str, Any]
    versions: dict[str, str] = dataclasses.field(default_factory=dict)
    curves: Mapping[str, Sequence[tuple[int, float]]] = dataclasses.field(default_factory=dict)
    grids: Sequence[tuple[int, bytes]] = ()
    interpolation: bytes | None = None
    real: bytes | None = None
    generated: bytes | None = None
    nearest: Sequence[tuple[bytes, bytes, float]] = ()
    histogram: Mapping[str, Sequence] | None = None
    confusion: Mapping[str, Sequence] | None = None
    evaluation: Mapping[str, Any] | None = None
    hints: Sequence[str] = ()
    blind: tuple[Sequence[bytes], Sequence[bytes]] | None = None


def render(content: Content) -> str:
    """The page as one string of HTML, to be written as UTF-8.

    A name that is no UTF-8 (of a file, with surrogates) is shown with backslashes.

    All of it is in the file: styles, scripts, and pictures as data. A policy in its head forbids
    the browser any request and any script but its own, and what comes from `content` is escaped.

    Args:
      content: what to show.

    Returns:
      The HTML.

    Raises:
      ValueError: if a picture is not a PNG, those of the blind test differ in size (which would
        tell them apart), the histogram's lists in length, or the rows and columns of `confusion`.
    """
    values = _sections(content)
    groups = curves_lib.arrange(content.curves)
    evaluation = content.evaluation or {}
    data = {
        'curves': groups,
        'blind': _blind(content.blind) if values['blind'] else None,
        'about': {
            'title': content.title,
            'settings': evaluation.get('settings') or {},
            'config': content.config,
        },
    }
    return elements.assembled('template.html', content.title, values, TITLES, SCRIPTS, data)


def _sections(content: Content) -> dict[str, str]:
    """The values of the template's blocks and slots, escaped."""
    evaluation = content.evaluation or {}
    figures = evaluation.get('figures') or {}
    columns = list(COLUMNS) + [
        x
        for x in dict.fromkeys(k for f in figures.values() for k in f)
        if x not in COLUMNS and x != 'better'
    ]
    grids = sorted(content.grids, key=lambda x: x[0])
    pairs = sorted(content.nearest, key=lambda x: (math.isnan(x[2]), x[2]))
    flat = list(elements.flatten(content.config))
    real, generated = content.blind or ((), ())
    trials = 2 * min(len(real), len(generated))
    sides = (('Real', content.real), ('Generated', content.generated))
    values = {
        'headline': _headline(content, figures),
        'hints': elements.items([*content.hints, *(evaluation.get('warnings') or ())]),
        'curves': 'shown' if content.curves else '',
        'grids': '\n'.join(
            elements.picture(
                png,
                f'Samples at step {step}',
                f' data-step="{int(step)}"' + (' hidden' if i < len(grids) - 1 else ''),
            )
            for i, (step, png) in enumerate(grids)
        ),
        'last_grid': str(len(grids) - 1),
        'interpolation': _maybe(content.interpolation, 'Interpolations between latents'),
        'sides': ''.join(
            f'<figure>{elements.picture(png, f"{name} images")}'
            f'<figcaption>{name}</figcaption></figure>'
            for name, png in sides
            if png
        ),
        'nearest': '\n'.join(_pair(*x) for x in pairs),
        'evaluation': 'shown' if any(evaluation.get(x) for x in _EVALUATION) else '',
        'columns': ''.join(
            f'<th scope="col">{html.escape(COLUMNS.get(x, str(x)))}</th>' for x in columns
        ),
        'figures': '\n'.join(_row(name, figure, columns) for name, figure in figures.items()),
        'best': _facts(evaluation.get('best') or {}),
        'settings': _facts(evaluation.get('settings') or {}),
        'blind': 'shown' if trials else '',
        'trials': str(trials),
        'trial_class': elements.scaling(elements.size_of(real[0])[0]) if trials else '',
        'settings_count': str(len(flat)),
        'config': '\n'.join(
            f'<tr><td>{html.escape(k)}</td><td>{html.escape(v)}</td></tr>' for k, v in flat
        )
        or '<tr><td>empty</td></tr>',
        'versions': _facts(content.versions),
    }
    return values | _histogram(content.histogram) | confusion_lib.section(content.confusion)


_EVALUATION = ('figures', 'best', 'settings')


def _headline(content: Content, figures: Mapping[str, Mapping[str, Any]]) -> str:
    """Cards: how far the run is, then the first figures, or else the last values of eval/*."""
    steps = [step for points in content.curves.values() for step, _ in points]
    steps += [step for step, _ in content.grids]
    cards = [('steps', f'{max(steps):,}', '')] if steps else []
    spent = content.curves.get('privacy/epsilon')
    if spent:
        delta = content.curves['privacy/delta'][-1][1]
        cards.append(('epsilon spent', elements.number(spent[-1][1]), f'at delta {delta:g}'))
    for name, figure in figures.items():
        kind = 'ema' if figure.get('ema') is not None else 'raw'
        if figure.get(kind) is None:
            continue
        under = '' if kind == 'ema' else 'without running average'
        if figure.get('real') is not None:
            under = f'{_better(figure)[1]}: {elements.number(figure["real"])}'
        cards.append((name, elements.number(figure[kind]), under))
    if not figures:
        cards += [
            (name, elements.number(max(points, key=lambda p: p[0])[1]), 'last')
            for name, points in content.curves.items()
            if name.startswith('eval/') and points and not re.search('/(seed_|stderr)', name)
        ]
    return elements.cards(cards[:MOST_CARDS])


def _histogram(histogram: Mapping[str, Sequence] | None) -> dict[str, str]:
    if not histogram or not len(histogram['names']):
        return {'histogram': '', 'histogram_note': ''}
    names = [str(x) for x in histogram['names']]
    real, generated = ([float(x) for x in histogram[k]] for k in ('real', 'generated'))
    if not len(names) == len(real) == len(generated):
        raise ValueError(
            f'the histogram has {len(names)} names, {len(real)} real and {len(generated)} '
            'generated shares'
        )
    rows = list(zip(names, real, generated, strict=True))
    top = max([x for x in real + generated if math.isfinite(x)], default=0.0) or 1.0
    distance = sum(abs(r - g) for _, r, g in rows) / 2
    missing = sum(g == 0 < r for _, r, g in rows)
    note = (
        f'{missing} of {len(rows)} classes are never generated. Half the sum of the differences '
        f'(total variation): {elements.number(distance)}.'
    )
    if len(rows) <= MOST_BARS:
        bars = ''.join(
            f'<dt>{html.escape(name)}</dt>'
            f'<dd>{_bar("real", r, top)}{_bar("generated", g, top)}</dd>'
            for name, r, g in rows
        )
        return {'histogram': f'<dl class="bars">{bars}</dl>', 'histogram_note': note}
    rows.sort(key=lambda x: -x[1])
    line = 'M' + 'L'.join(f'{i + 0.5} {100 - 96 * r / top:.2f}' for i, (_, r, _) in enumerate(rows))
    bars = ''.join(f'M{i + 0.5} 100V{100 - 96 * g / top:.2f}' for i, (*_, g) in enumerate(rows))
    note += ' Classes from the most to the least frequent in the real data.'
    return {
        'histogram': f'<svg class="ranks" viewBox="0 0 {len(rows)} 100" preserveAspectRatio="none" '
        f'role="img" aria-label="Shares of {len(rows)} classes">'
        f'<path class="generated" d="{bars}"/><path class="real" d="{line}"/></svg>',
        'histogram_note': note,
    }


def _bar(kind: str, share: float, top: float) -> str:
    width = 100 * share / top if math.isfinite(share) else 0.0
    return (
        f'<div><span class="bar {kind}" style="width:{width:.1f}%"></span>'
        f'<span>{100 * share:.1f}%</span></div>'
    )


def _pair(generated: bytes, nearest: bytes, distance: float) -> str:
    return (
        f'<figure><div class="pair">{elements.picture(generated, "generated")}'
        f'{elements.picture(nearest, "nearest training image")}</div>'
        f'<figcaption>{elements.number(distance)}</figcaption></figure>'
    )


def _row(name: str, figure: Mapping[str, Any], columns: Sequence[str]) -> str:
    cells = ''.join(f'<td>{html.escape(elements.number(figure.get(x)))}</td>' for x in columns)
    arrow = f' {_better(figure)[0]}' if 'better' in figure else ''
    return f'<tr><th scope="row">{html.escape(name)}{arrow}</th>{cells}</tr>'


def _better(figure: Mapping[str, Any]) -> tuple[str, str]:
    """Where better is, as an arrow, and what the figure of real data then is."""
    return BETTER[figure.get('better', 'less')]


def _facts(values: Mapping[str, Any]) -> str:
    return ''.join(
        f'<dt>{html.escape(key)}</dt><dd>{html.escape(value)}</dd>'
        for key, value in elements.flatten(values)
    )


def _blind(blind: tuple[Sequence[bytes], Sequence[bytes]] | None) -> dict[str, Any]:
    real, generated = blind or ((), ())
    sizes = {elements.size_of(x) for x in [*real, *generated]}
    if len(sizes) > 1:
        raise ValueError(f'the images of the blind test differ in size: {sorted(sizes)}')
    digest = hashlib.sha256(b''.join([*real, b'|', *generated])).hexdigest()
    return {
        'real': [elements.data_uri(x) for x in real],
        'generated': [elements.data_uri(x) for x in generated],
        'digest': digest[:16],
    }


def _maybe(png: bytes | None, alt: str) -> str:
    return elements.picture(png, alt) if png else ''
