"""The page of scores: what stands in it, escaped, and what is left out."""

import re

import numpy as np
import pytest

from gan_jax.report import scores
from gan_jax.runtime import files

PNG = files.png(np.zeros((4, 4, 1), np.uint8))


def shown(name, score):
    return scores.Shown(name, score, [PNG] * 3)


def test_the_page_has_what_is_least_and_most_normal():
    content = scores.Content(
        'run <1>, step 5', [('AUROC', '0.9', 'chance: 0.5')], ['<b>.png (truncated)'],
        [shown('a<b>.png', 0.51234)], [shown('c.png', 0.1)],
        [scores.OfClass('7', 3, 0.25, None), scores.OfClass('<9>', 4, 0.5, 0.875)],
    )  # fmt: skip
    html = scores.render(content)
    assert '<title>run &lt;1&gt;, step 5</title>' in html
    assert '<li>&lt;b&gt;.png (truncated)</li>' in html
    assert html.index('0.5123 a&lt;b&gt;.png') < html.index('0.1 c.png')
    assert html.count('src="data:image/png') == 6
    rows = re.findall(r'<th scope="row">(.*?)</th><td>(.*?)</td><td>(.*?)</td><td>(.*?)</td>', html)
    assert rows == [('7', '3', '0.25', 'normal'), ('&lt;9&gt;', '4', '0.5', '0.875')]
    assert 'http' not in html.replace('http-equiv', '')


def test_what_is_empty_is_left_out():
    html = scores.render(scores.Content('run'))
    for name in scores.TITLES:
        assert f'id="{name}"' not in html


def test_what_is_no_picture_is_refused():
    with pytest.raises(ValueError, match='not a PNG'):
        scores.render(scores.Content('run', least=[scores.Shown('x', 1.0, [b'GIF'] * 3)]))
