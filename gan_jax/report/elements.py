"""What pages are made of: a template with its slots, numbers, JSON in a script, pictures."""

import base64
import hashlib
import html
import importlib.resources
import json
import math
import re
import struct
from collections.abc import Iterable, Mapping
from typing import Any

SMALL, FULL = 400, 800  # pixels; pictures less wide keep sharp pixels and are enlarged to about
STYLES = ('report.css', 'sections.css')
_PNG = b'\x89PNG\r\n\x1a\n'
_BLOCK = re.compile(r'<!--if (\w+)-->\n(.*?)<!--end \1-->\n', re.DOTALL)
_SLOT = re.compile(r'{{(\w+)}}')


def resource(name: str) -> str:
    """The text of a file beside this one."""
    return importlib.resources.files('gan_jax.report').joinpath(name).read_text('utf-8')


def assembled(
    template: str,
    title: str,
    values: Mapping[str, str],
    titles: Mapping[str, str],
    scripts: Iterable[str],
    data: Any,
) -> str:
    """A page as one string of HTML; a name that is no UTF-8 is shown with backslashes.

    Args:
      template: the file of its template.
      title: its title, not escaped yet.
      values: of the template's blocks and slots, escaped.
      titles: of the blocks that the navigation names, in its order.
      scripts: the files of its scripts.
      data: what these are given.
    """
    script = '\n' + '\n'.join(resource(name) for name in scripts)
    shown = [name for name in titles if values.get(name)]
    page = fill(
        resource(template),
        {
            **values,
            'title': html.escape(title),
            'nav': ' '.join(f'<a href="#{name}">{titles[name]}</a>' for name in shown),
            'style': '\n'.join(resource(name) for name in STYLES),
            'script': script,
            'script_digest': base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            'data': script_json(data),
        },
    )
    return page.encode('utf-8', 'backslashreplace').decode('utf-8')


def fill(template: str, values: Mapping[str, str]) -> str:
    """Drops the blocks whose value is empty, then fills the slots, once: data hold no slots."""

    def block(match: re.Match) -> str:
        return _BLOCK.sub(block, match[2]) if values.get(match[1]) else ''

    return _SLOT.sub(lambda match: values[match[1]], _BLOCK.sub(block, template))


def cards(figures: Iterable[tuple[str, str, str]]) -> str:
    """Headline figures: (name, value, what stands under it or '')."""
    return ''.join(
        f'<div><dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>'
        + (f'<dd class="under">{html.escape(under)}</dd></div>' if under else '</div>')
        for name, value, under in figures
    )


def items(texts: Iterable[str]) -> str:
    """The items of a list."""
    return ''.join(f'<li>{html.escape(str(x))}</li>' for x in texts)


def flatten(values: Mapping[str, Any], prefix: str = '') -> Iterable[tuple[str, str]]:
    """Nested dicts as ('optimizers.generator.learning_rate', '0.0002')."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f'{prefix}{key}.')
        else:
            yield f'{prefix}{key}', value if isinstance(value, str) else json.dumps(plain(value))


def number(value: Any) -> str:
    """Four digits; '-' for what is missing."""
    if value is None:
        return '-'
    if isinstance(value, str | bool):
        return str(value)
    return f'{float(value):.4g}'


def plain(value: Any) -> Any:
    """What strict JSON can hold: numbers that are not finite become strings."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(x) for x in value]
    if hasattr(value, 'tolist'):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return value if value is None or isinstance(value, str | int) else str(value)


def script_json(data: Any) -> str:
    """JSON that cannot end the script element it is in."""
    text = json.dumps(plain(data), allow_nan=False, separators=(',', ':'))
    for character in '<>&':
        text = text.replace(character, f'\\u{ord(character):04x}')
    return text


def size_of(png: bytes) -> tuple[int, int]:
    """(width, height) of a PNG, which every PNG begins with."""
    if not png.startswith(_PNG) or len(png) < 24:
        raise ValueError(f'not a PNG: it begins with {png[:8]!r}')
    width, height = struct.unpack('>II', png[16:24])
    return width, height


def data_uri(png: bytes) -> str:
    """A PNG as an address that holds it."""
    size_of(png)
    return 'data:image/png;base64,' + base64.b64encode(png).decode()


def scaling(width: int) -> str:
    """The class of a picture: whether it keeps sharp pixels."""
    return 'pixel' if width < SMALL else 'smooth'


def picture(png: bytes, alt: str, more: str = '') -> str:
    """An image, so many whole times its size if it is small."""
    width, height = size_of(png)
    scale = round(FULL / max(width, 1)) if width < SMALL else 1
    return (
        f'<img class="{scaling(width)}" width="{scale * width}" height="{scale * height}" '
        f'alt="{html.escape(alt)}"{more} src="{data_uri(png)}">'
    )
