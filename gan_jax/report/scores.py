"""The page of scores: what is least and most normal, and where it differs from what is made."""

import dataclasses
import html
from collections.abc import Sequence
from typing import NamedTuple

from gan_jax.report import elements

TITLES = {
    'hints': 'Without a score',
    'least': 'Least normal',
    'most': 'Most normal',
    'classes': 'Classes',
}


class Shown(NamedTuple):
    """An example with its score.

    Attributes:
      name: what it is called.
      score: the more the less normal.
      pictures: PNGs of the original, of what the generator makes of it, of the difference.
    """

    name: str
    score: float
    pictures: Sequence[bytes]


class OfClass(NamedTuple):
    """The scores of a class.

    Attributes:
      name: the class's.
      num: how many there are.
      median: of the scores.
      auroc: against what is normal; None of what is.
    """

    name: str
    num: int
    median: float
    auroc: float | None


@dataclasses.dataclass(frozen=True)
class Content:
    """What a page shows. A field that is empty leaves its section out.

    Attributes:
      title: the page's.
      cards: headline figures: (name, value, what stands under it).
      bad: what has no score, and why.
      least: the least normal, the highest score first.
      most: the most normal, the lowest score first.
      classes: where there are labels.
    """

    title: str
    cards: Sequence[tuple[str, str, str]] = ()
    bad: Sequence[str] = ()
    least: Sequence[Shown] = ()
    most: Sequence[Shown] = ()
    classes: Sequence[OfClass] = ()


def render(content: Content) -> str:
    """The page as one string of HTML, to be written as UTF-8; as `page.render` in all else.

    Raises:
      ValueError: if a picture is no PNG.
    """
    values = {
        'headline': elements.cards(content.cards),
        'hints': elements.items(content.bad),
        'least': '\n'.join(map(_figure, content.least)),
        'most': '\n'.join(map(_figure, content.most)),
        'classes': '\n'.join(map(_row, content.classes)),
    }
    return elements.assembled('scores.html', content.title, values, TITLES, (), {})


def _figure(shown: Shown) -> str:
    pictures = ''.join(
        elements.picture(png, what)
        for png, what in zip(shown.pictures, ('original', 'again', 'difference'), strict=True)
    )
    name, score = html.escape(shown.name), elements.number(shown.score)
    return (
        f'<figure><div class="pair three">{pictures}</div>'
        f'<figcaption>{score} {name}</figcaption></figure>'
    )


def _row(of: OfClass) -> str:
    auroc = 'normal' if of.auroc is None else elements.number(of.auroc)
    cells = ''.join(f'<td>{x}</td>' for x in (of.num, elements.number(of.median), auroc))
    return f'<tr><th scope="row">{html.escape(of.name)}</th>{cells}</tr>'
