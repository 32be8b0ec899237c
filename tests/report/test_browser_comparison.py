"""The page of many runs in a headless Chromium."""

import math

import pytest
from report import browser, test_page

from gan_jax.report import comparison

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        browser.find() is None, reason='no Chromium in the PATH, and $CHROMIUM is not set'
    ),
]


def content():
    labels = [f'{i}. learning_rate={10**-i}' for i in range(1, 11)]
    steps = range(0, 100, 10)
    curves = {
        label: {
            'eval/modes': [[(s, i + math.sin(s + seed)) for s in steps] for seed in range(3)],
            'generator/loss': [[(s, 1 / (1 + s + i)) for s in steps]],
        }
        for i, label in enumerate(labels[:8])
    }
    dots = [comparison.Dot(x, 10.0**-i, 10.0 - i, 0.5) for i, x in enumerate(labels, 1)]
    return comparison.Content(
        title=test_page.HOSTILE, figure='modes', how='By modes.',
        headings=['rank', 'rate', 'modes'],
        rows=[[str(i), str(10**-i), str(10 - i)] for i in range(1, 11)],
        remarks=['', 'a long reason ' * 20, *[''] * 8], cards=[('runs', '30', '10 settings')],
        hints=['few seeds'], settings={'learning_rate': dots}, curves=curves, metric='eval/modes',
        pictures=[('1. the best', test_page.png(5))], config={'steps': 100, 'batch_size': 64},
    )  # fmt: skip


@pytest.mark.parametrize('width', [1200, 380])
def test_the_page_is_drawn_fits_and_is_quiet(tmp_path, width):
    file = tmp_path / 'compare.html'
    file.write_text(comparison.render(content()), encoding='utf-8')
    page = browser.Browser(tmp_path / 'profile', width=width)
    try:
        page.open(file)
        assert page.evaluate("document.querySelectorAll('#plots svg').length") == 2
        assert page.evaluate("document.querySelectorAll('#plots path.main').length") == 16
        assert page.evaluate("document.querySelectorAll('#settings circle').length") == 10
        assert page.evaluate('document.documentElement.scrollWidth') <= width
        page.click('#config summary')
        page.click('#config-search')
        page.press('r')
        shown = "[...document.querySelectorAll('#config-rows tr')].filter(x => !x.hidden).length"
        assert page.evaluate(shown) == 0  # neither key has the letter
        assert page.complaints() == []
        assert {url.split(':')[0] for url in page.requests()} <= {'file', 'data'}
    finally:
        page.close()
