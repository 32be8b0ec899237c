"""The page of many runs: their ranking, curves by group, settings against the figure, samples."""

import dataclasses
import html
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gan_jax.report import curves as curves_lib
from gan_jax.report import elements

SCRIPTS = ('plots.js', 'report.js')
TITLES = {
    'hints': 'Warnings',
    'ranking': 'Ranking',
    'settings': 'Settings',
    'curves': 'Curves',
    'pictures': 'Samples',
    'config': 'Config',
}
DECADES = 10.0  # an axis whose values span such a factor is logarithmic
FEW = 8  # so many different values are ticks of their own
# Of a plot of dots, as plots.js draws curves.
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 420, 230, 56, 14, 10, 30


class Dot(NamedTuple):
    """A group of runs in a plot of one setting.

    Attributes:
      label: what the group is called.
      value: the setting's.
      mean: the figure's.
      error: its standard error; None if it is not known.
    """

    label: str
    value: Any
    mean: float
    error: float | None


@dataclasses.dataclass(frozen=True)
class Content:
    """What a page shows.

    Attributes:
      title: the page's.
      figure: the name of what the groups are ranked by, with an arrow to where better is.
      how: a sentence on what the ranking rests on.
      cards: headline figures: (name, value, what stands under it).
      hints: plain sentences on what to know before comparing.
      headings: of the ranking's columns; the first is the rank.
      rows: the cells of each group, the best first.
      remarks: what stands below each row, or ''.
      settings: by setting a dot for each group that has a figure, in the order of the ranking.
      curves: by group, in the same order, what each of its seeds has logged, by metric.
      metric: whose curves come first.
      shown: a sentence on which groups have curves.
      pictures: (what it is of, PNG).
      config: what all the runs' configs have in common: values by key.
    """

    title: str
    figure: str
    how: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    remarks: Sequence[str]
    cards: Sequence[tuple[str, str, str]] = ()
    hints: Sequence[str] = ()
    settings: Mapping[str, Sequence[Dot]] = dataclasses.field(default_factory=dict)
    curves: Mapping[str, Mapping[str, Sequence[curves_lib.Points]]] = dataclasses.field(
        default_factory=dict
    )
    metric: str = ''
    shown: str = ''
    pictures: Sequence[tuple[str, bytes]] = ()
    config: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def render(content: Content) -> str:
    """The page as one string of HTML, to be written as UTF-8; as `page.render` in all else.

    Raises:
      ValueError: if a picture is no PNG.
    """
    panels = curves_lib.of_groups(content.curves, content.metric)
    common = [*elements.flatten(content.config)]
    values = {
        'headline': elements.cards(content.cards),
        'hints': elements.items(content.hints),
        'figure': html.escape(content.figure),
        'how': html.escape(content.how),
        'headings': ''.join(
            f'<th scope="col">{html.escape(heading)}</th>' for heading in content.headings
        ),
        'ranking': '\n'.join(
            _row(i, row, remark)
            for i, (row, remark) in enumerate(zip(content.rows, content.remarks, strict=True))
        ),
        'settings': '\n'.join(_dots(name, dots) for name, dots in content.settings.items()),
        'curves': 'shown' if panels else '',
        'shown_groups': html.escape(content.shown),
        'pictures': '\n'.join(_picture(*x) for x in content.pictures),
        'settings_count': str(len(common)),
        'config': ''.join(
            f'<tr><td>{html.escape(key)}</td><td>{html.escape(value)}</td></tr>\n'
            for key, value in common
        ),
    }
    data = {'curves': panels, 'blind': None}
    return elements.assembled('comparison.html', content.title, values, TITLES, SCRIPTS, data)


def _picture(of: str, png: bytes) -> str:
    caption = f'<figcaption>{html.escape(of)}</figcaption>'
    return f'<figure>{elements.picture(png, of)}{caption}</figure>'


def _row(place: int, row: Sequence[str], remark: str) -> str:
    rank, *others = row
    swatch = f'<span class="swatch" style="background:{_colour(place)}"></span> '
    head = (swatch if rank != '-' else '') + html.escape(rank)
    cells = ''.join(f'<td>{html.escape(x)}</td>' for x in others)
    found = f'<tr><th scope="row">{head}</th>{cells}</tr>'
    if remark:
        found += f'<tr class="remark"><td colspan="{len(row)}">{html.escape(remark)}</td></tr>'
    return found


def _colour(place: int) -> str:
    """As the curve of the group has it; the ones behind those are grey."""
    return f'var(--c-{place})' if place < curves_lib.COLOURS else 'var(--soft)'


class Axis(NamedTuple):
    """Where values stand, and what is written there.

    Attributes:
      places: of each value, from 0 to 1.
      ticks: (place, text).
    """

    places: list[float]
    ticks: list[tuple[float, str]]


def axis(values: Sequence[Any]) -> Axis:
    """The axis of a setting.

    Numbers stand on a logarithmic scale if all are positive and span a decade, else on a linear
    one; where there is anything else all are categories, one beside the other.
    """
    if not all(_is_number(x) for x in values):
        numbers = sorted({x for x in values if _is_number(x)})
        names = [*map(_text, numbers), *sorted({_text(x) for x in values if not _is_number(x)})]
        places = {name: (i + 0.5) / len(names) for i, name in enumerate(names)}
        return Axis([places[_text(x)] for x in values], [(y, x) for x, y in places.items()])
    low, high = min(values), max(values)
    log = low > 0 and high >= DECADES * low
    different = sorted({*values})
    if len(different) <= FEW:
        marks = different
    else:
        marks = decades(low, high) if log else ticks(low, high, 5)
    scale = math.log10 if log else float
    room = 0.06 * (scale(high) - scale(low)) or 1.0
    least, span = scale(low) - room, scale(high) - scale(low) + 2 * room

    def place(x: float) -> float:
        return (scale(x) - least) / span

    return Axis([place(x) for x in values], [(place(x), elements.number(x)) for x in marks])


def _is_number(x: Any) -> bool:
    return isinstance(x, int | float) and not isinstance(x, bool) and math.isfinite(x)


def _text(x: Any) -> str:
    return x if isinstance(x, str) else elements.number(x) if _is_number(x) else str(x)


def ticks(low: float, high: float, count: int) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten within [low, high], about `count` of them."""
    if not high > low:
        return [low]
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    unit = next(x for x in (1, 2, 5, 10) if x * power >= rough * (1 - 1e-9)) * power
    first, last = math.ceil(low / unit - 1e-9), math.floor(high / unit + 1e-9)
    return [float(f'{i * unit:.12g}') for i in range(first, last + 1)]


def decades(low: float, high: float) -> list[float]:
    """The powers of ten within [low, high]; both ends if there are fewer than two."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    powers = [10.0**i for i in range(first, last + 1)]
    return powers if len(powers) > 1 else [low, high]


def _dots(name: str, dots: Sequence[Dot]) -> str:
    """The figure of each group over one setting, as a picture that needs no script."""
    across = axis([x.value for x in dots])
    ends = [x.mean + sign * (x.error or 0.0) for x in dots for sign in (-1, 1)]
    low, high = min(ends), max(ends)
    room = 0.06 * (high - low) or 0.1 * abs(low) or 1.0
    low, high = low - room, high + room

    def x_of(place: float) -> float:
        return LEFT + place * (WIDTH - LEFT - RIGHT)

    def y_of(value: float) -> float:
        return TOP + (high - value) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts = []
    for value in ticks(low, high, 5):
        y = f'{y_of(value):.1f}'
        parts.append(f'<line class="rule" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        text = elements.number(value)
        parts.append(f'<text x="{LEFT - 6}" y="{y}" dy="4" text-anchor="end">{text}</text>')
    for place, text in across.ticks:
        x = f'{x_of(place):.1f}'
        parts.append(f'<text x="{x}" y="{HEIGHT - 10}" text-anchor="middle">{_short(text)}</text>')
    by_place: dict[float, list[float]] = {}
    for dot, place in zip(dots, across.places, strict=True):
        by_place.setdefault(place, []).append(dot.mean)
    if len(by_place) <= FEW:
        for place, means in by_place.items():
            middle, y = x_of(place), f'{y_of(sum(means) / len(means)):.1f}'
            ends_of = f'x1="{middle - 14:.1f}" x2="{middle + 14:.1f}"'
            parts.append(f'<line class="axis" {ends_of} y1="{y}" y2="{y}"/>')
    for i, (dot, place) in reversed([*enumerate(zip(dots, across.places, strict=True))]):
        x, colour = f'{x_of(place):.1f}', _colour(i)
        if dot.error:
            top, bottom = y_of(dot.mean + dot.error), y_of(dot.mean - dot.error)
            parts.append(
                f'<line class="error" style="stroke:{colour}" x1="{x}" x2="{x}" '
                f'y1="{top:.1f}" y2="{bottom:.1f}"/>'
            )
        told = f'{dot.label}: {elements.number(dot.mean)}'
        parts.append(
            f'<circle style="fill:{colour}" cx="{x}" cy="{y_of(dot.mean):.1f}" r="4">'
            f'<title>{html.escape(told)}</title></circle>'
        )
    return (
        f'<figure class="plot dots"><h3>{html.escape(name)}</h3>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(name)}">'
        f'{"".join(parts)}</svg></figure>'
    )


def _short(text: str) -> str:
    return html.escape(text if len(text) <= 16 else f'{text[:15]}\N{HORIZONTAL ELLIPSIS}')
