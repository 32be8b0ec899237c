"""Texts: int32 [n, length], places in a vocabulary; networks see one-hot vectors.

Pictures are pages: lines of generated texts beside real ones.
"""

import functools
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gan_jax.data import text
from gan_jax.modalities.modality import Modality
from gan_jax.runtime import files

LINES, MOST = 32, 64  # in a column of a page, and characters of a line
LINE, GAP = 15, 14  # pixels
PAPER, REAL, FAKE = (255, 255, 255), (96, 102, 112), (150, 8, 66)
METRICS = ('ngram_divergence', 'novelty', 'bleu', 'self_bleu')


def make(settings: Mapping[str, Any]) -> Modality:
    """The modality of texts.

    decode takes the largest entry of each step, and after the first end nothing but ends.

    Args:
      settings: 'shape' (length,) of a stored text; 'vocabulary', the tokens' texts, of which the
        first is the end, or [] where tokens are numbers; its 'size'; 'unit', what a token is;
        perhaps 'dictionary', a file of real words, and 'oracle', what makes the data's own law.
    """
    size, unit = settings['size'], settings['unit']
    vocabulary, ends = list(settings['vocabulary']), text.ends(settings['unit'])

    def encode(tokens: Any) -> Any:
        places = np.arange(size, dtype=np.int32).reshape(1, 1, size)
        return (tokens[..., None] == places).astype(np.float32)

    def decode(texts: Any) -> Any:
        tokens = texts.argmax(axis=-1).astype(np.int32)
        if not ends:
            return tokens
        return tokens * ((tokens == text.END).cumsum(axis=-1) == 0).astype(np.int32)

    def picture(made, real=None, score=None, columns=None) -> np.ndarray:
        sides = made, made[:0] if real is None else real
        return page(*(text.as_lines(x, vocabulary, unit) for x in sides))

    more: tuple[str, ...] = ('oracle_nll',) if settings.get('oracle') else ()
    more += ('real_words',) if settings.get('dictionary') else ()
    return Modality(
        name='tokens',
        settings=dict(settings),
        shape=(*settings['shape'], size),
        stored='int32',
        encode=encode,
        decode=decode,
        picture=picture,
        write=functools.partial(write, vocabulary, unit),
        metrics=(*METRICS, *more),
        fields={'ends': ends, **{x: settings.get(x) for x in ('classes', 'class_shares')}},
    )


def write(
    vocabulary: Sequence[str], unit: str, stem: pathlib.Path, tokens: np.ndarray
) -> list[pathlib.Path]:
    """Writes <stem>.npz, 'tokens', int32 [n, length], and 'vocabulary'; and <stem>.txt, lines."""
    told = {'vocabulary': np.array(vocabulary)} if vocabulary else {}
    lines = ''.join(f'{x}\n' for x in text.as_lines(tokens, vocabulary, unit))
    plain = stem.with_name(f'{stem.name}.txt')
    files.replace(plain, lambda file: file.write_text(lines, encoding='utf-8'))
    return [files.write_npz(stem.with_name(f'{stem.name}.npz'), tokens=tokens, **told), plain]


def page(made: Sequence[str], real: Sequence[str]) -> np.ndarray:
    """Lines of generated texts, and real ones on the right, in columns of 32.

    Longer lines than 64 characters are cut; of either side two columns are shown.

    Args:
      made: generated texts, perhaps none.
      real: real ones, perhaps none.

    Returns:
      uint8 [h, w, 3].
    """
    sides = [('generated', made, FAKE), ('real', real, REAL)]
    columns = [
        (name if not start else '', [_short(x) for x in lines[start : start + LINES]], colour)
        for name, lines, colour in sides
        for start in range(0, 2 * LINES, LINES)
        if lines[start : start + LINES]
    ]
    font = ImageFont.load_default()
    widths = [
        max(80, *(int(font.getlength(x)) for x in lines)) + 2 * GAP for _, lines, _ in columns
    ]
    rows = max([len(lines) for _, lines, _ in columns], default=0)
    image = Image.new('RGB', (sum(widths) or 80, (rows + 1) * LINE + 3 * GAP), PAPER)
    draw, left = ImageDraw.Draw(image), 0
    for (name, lines, colour), width in zip(columns, widths, strict=True):
        draw.text((left + GAP, GAP // 2), name, fill=REAL, font=font)
        for i, line in enumerate(lines):
            place = left + GAP, 2 * GAP + i * LINE
            draw.text(place, line, fill=colour, font=font)
        left += width
    return np.asarray(image)


def _short(line: str) -> str:
    return line if len(line) <= MOST else f'{line[: MOST - 3]}...'
