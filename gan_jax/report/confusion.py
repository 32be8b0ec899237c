"""The table of a conditional run: which classes a classifier names in samples of which."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

MOST_CLASSES = 30  # of more the pairs that are confused most are listed, without a table
WORST = 10  # pairs in that list


def is_whole(confusion: Any) -> bool:
    """Whether it is what an evaluation writes, or nothing: names, and a square of counts."""
    if not confusion:
        return confusion is None or confusion == {}
    if not isinstance(confusion, dict):
        return False
    names, counts = confusion.get('names'), confusion.get('counts')
    if not (isinstance(names, list) and isinstance(counts, list)):
        return False
    return (
        len(names) == len(counts)
        and all(isinstance(x, str) for x in names)
        and all(isinstance(row, list) and len(row) == len(names) for row in counts)
        and all(type(x) is int and 0 <= x < 2**64 for row in counts for x in row)
    )


def section(confusion: Mapping[str, Sequence] | None) -> dict[str, str]:
    """The values of the template's block, escaped.

    Args:
      confusion: {'names': the classes, 'counts': by the class asked for, of each class named}.

    Raises:
      ValueError: if the counts are not square, or there is another number of names.
    """
    if not confusion or not len(confusion['names']):
        return {'confusion': '', 'confusion_note': ''}
    names, counts = [str(x) for x in confusion['names']], confusion['counts']
    if [len(row) for row in counts] != [len(names)] * len(names):
        raise ValueError(f'the confusion of {len(names)} classes has not as many rows and columns')
    shares = [[x / max(sum(row), 1) for x in row] for row in counts]
    worst = _worst(names, shares)
    total = sum(map(sum, counts))
    right = sum(row[i] for i, row in enumerate(counts))
    note = f'{right / max(total, 1):.1%} of {total:,} samples are named as what was asked for.'
    if worst:
        share, asked, named = worst[0]
        note += f' Most often confused: asked for {asked}, named {named} ({share:.0%}).'
    shown = _table(names, shares) if len(names) <= MOST_CLASSES else _list(worst)
    return {'confusion': shown, 'confusion_note': html.escape(note)}


def _worst(names: Sequence[str], shares: Sequence[Sequence[float]]) -> list[tuple]:
    """(share of what was asked for, asked for, named), the largest shares first."""
    wrong = [
        (share, -i, -j) for i, row in enumerate(shares) for j, share in enumerate(row) if i != j
    ]
    found = sorted((x for x in wrong if x[0]), reverse=True)[:WORST]
    return [(share, names[-i], names[-j]) for share, i, j in found]


def _table(names: Sequence[str], shares: Sequence[Sequence[float]]) -> str:
    """A heat map: a row for each class asked for, each cell the share of its row."""
    head = ''.join(f'<th scope="col">{html.escape(name)}</th>' for name in names)
    rows = ''.join(
        f'<tr><th scope="row">{html.escape(name)}</th>{"".join(map(_cell, row))}</tr>'
        for name, row in zip(names, shares, strict=True)
    )
    return (
        f'<div class="wide"><table class="heat"><thead><tr><td></td>{head}</tr></thead>'
        f'<tbody>{rows}</tbody></table></div>'
    )


def _cell(share: float) -> str:
    if not share:
        return '<td></td>'
    strong = ' class="strong"' if share > 0.5 else ''
    return f'<td{strong} style="--share:{100 * share:.0f}%">{100 * share:.0f}</td>'


def _list(worst: Sequence[tuple]) -> str:
    """The pairs that are confused most, for classes too many for a table."""
    lines = ''.join(
        f'<li>asked for {html.escape(asked)}, named {html.escape(named)}: {share:.0%}</li>'
        for share, asked, named in worst
    )
    return f'<ol>{lines}</ol>'
