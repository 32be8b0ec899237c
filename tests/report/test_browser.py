"""The page in a headless Chromium, used as a person would."""

import json
import time

import numpy as np
import pytest
from report import browser, test_page

from gan_jax import report

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        browser.find() is None, reason='no Chromium in the PATH, and $CHROMIUM is not set'
    ),
]

REAL, GENERATED = 5, 6
Z = 1.959963984540054


def content():
    rng = np.random.default_rng(0)
    names = ['generator/loss', 'discriminator/loss', 'eval/x', 'eval/x/seed_0', 'eval/x/seed_1']
    curves = {n: [(i, float(v)) for i, v in enumerate(rng.normal(size=50), 1)] for n in names}
    curves['eval/y'] = [(10, 0.001), (20, float('nan')), (30, 1.0)]
    curves['eval/y/stderr'] = [(10, 0.01), (20, 0.1), (30, 0.1)]
    curves['eval/empty'] = []
    curves['eval/one'] = [(3, 0.0)]
    long = 'eval/' + 'a_figure_with_a_name_' * 2
    curves |= {f'{long}/seed_{i}': [(1, -1.234567), (50, 12345.6 + i)] for i in (0, 1)}
    blind = [test_page.png(x) for x in range(REAL)], [test_page.png(x) for x in range(9, 15)]
    config = {'steps': 100, 'optimizers': {'generator': {'name': 'adam', 'b1': 0.5}}}
    evaluation = {'settings': {'samples': 7}, 'figures': {'x': {'ema': 1.0}}}
    return test_page.content(
        'hints',
        'grids',
        'interpolation',
        'sides',
        'nearest',
        'histogram',
        'versions',
        title=test_page.HOSTILE,
        config=config,
        curves=curves,
        blind=blind,
        evaluation=evaluation,
    )


@pytest.fixture(scope='module')
def chromium(tmp_path_factory):
    folder = tmp_path_factory.mktemp('browser')
    (folder / 'report.html').write_text(report.render(content()), encoding='utf-8')
    page = browser.Browser(folder / 'profile')
    page.folder = folder
    page.call('Browser.setDownloadBehavior', behavior='allow', downloadPath=str(folder))
    yield page
    page.close()


@pytest.fixture
def page(chromium):
    """The page anew, without what it has stored; afterwards it has been quiet."""
    chromium.events.clear()
    chromium.open(chromium.folder / 'report.html')
    chromium.evaluate('localStorage.clear()')
    chromium.open(chromium.folder / 'report.html')
    yield chromium
    assert chromium.complaints() == []
    urls = chromium.requests()
    assert any(url.startswith('file:') for url in urls)
    assert {url.split(':')[0] for url in urls} <= {'file', 'data', 'blob'}


def text(page, selector):
    return page.evaluate(f'document.querySelector({json.dumps(selector)}).innerText')


def shown(page):
    return page.evaluate("""[...document.querySelectorAll('#player img')]
        .filter((x) => x.checkVisibility()).map((x) => x.src)""")


def wilson(right, total):
    """By solving (p - x)^2 = z^2 x (1 - x) / n for x."""
    p, c = right / total, Z * Z / total
    return sorted(np.roots([1 + c, -(2 * p + c), p * p]).real)


def test_the_interval_is_wilsons(page):
    for right, total in ((0, 10), (1, 1), (5, 10), (8, 10), (250, 400)):
        found = page.evaluate(f'ganReport.wilson({right}, {total})')
        assert found == pytest.approx(wilson(right, total), abs=1e-9)
    # As printed by R's prop.test(8, 10, correct = FALSE).
    assert page.evaluate('ganReport.wilson(8, 10)') == pytest.approx([0.4902, 0.9433], abs=1e-4)
    assert page.evaluate('ganReport.wilson(0, 0)') == [0, 1]


def test_trials_are_equally_many_of_both_in_random_order(page):
    orders = page.evaluate('[...Array(300)].map(() => ganReport.drawTrials(3, 5))')
    for order in orders:
        assert len(set(order)) == 6
        assert sum(x.startswith('real/') for x in order) == 3
    first = [order[0].startswith('real/') for order in orders]
    assert 0.35 < np.mean(first) < 0.65
    assert {x for order in orders for x in order} == {f'real/{i}' for i in range(3)} | {
        f'generated/{i}' for i in range(5)
    }
    assert page.evaluate('ganReport.shuffle([1, 2, 3, 4], () => 0)') == [2, 3, 4, 1]


def test_axes_and_numbers(page):
    assert page.evaluate('ganReport.ticks(0, 1, 5)') == [0, 0.2, 0.4, 0.6, 0.8, 1]
    assert page.evaluate('ganReport.ticks(-30, 52, 4)') == [0, 50]
    assert page.evaluate('ganReport.ticks(-3, 4, 4)') == [-2, 0, 2, 4]
    assert page.evaluate('ganReport.logTicks(0.001, 100, 6)') == [0.001, 0.01, 0.1, 1, 10, 100]
    assert page.evaluate('ganReport.logTicks(0.1, 1, 5)') == [0.1, 0.2, 0.5, 1]
    assert page.evaluate('ganReport.logTicks(0.91, 0.96, 5)') == pytest.approx(
        [0.91, 0.92, 0.93, 0.94, 0.95, 0.96]
    )
    numbers = '[0, 0.12345, 123456, 1.5e-7, -2e6, NaN].map(ganReport.format)'
    expected = ['0', '0.1235', '123500', '1.5e-7', '-2e6', 'not finite']
    assert page.evaluate(numbers) == expected
    steps = '[[5, 0], [5, 14], [5, 15], [5, 16], [5, 99]].map(([a, b]) => '
    steps += 'ganReport.nearest([5, 10, 20], b))'
    assert page.evaluate(steps) == [0, 1, 1, 2, 2]
    assert page.evaluate('ganReport.nearest([], 3)') == -1


def test_the_plots_are_drawn_and_read(page):
    assert page.evaluate("document.querySelectorAll('#plots svg').length") == 6
    gap = "document.querySelector('#plots .plot:nth-child(2) path').getAttribute('d')"
    assert page.evaluate(gap).count('M') == 2
    assert 'L' not in page.evaluate(gap)
    drawn = page.evaluate("""[...document.querySelectorAll('#plots path, #plots circle')]
        .map((x) => x.outerHTML).join()""")
    assert 'NaN' not in drawn
    assert 'Infinity' not in drawn
    assert '1 of eval/y' in text(page, '#plots')
    plot = '#plots figure:last-child'
    assert text(page, f'{plot} h3') == 'Losses\nloss'
    x, y = page.center(f'{plot} .plot-canvas')
    height = page.evaluate('document.documentElement.scrollHeight')
    page.mouse('mouseMoved', x, y)
    step = int(text(page, f'{plot} .plot-step').removeprefix('step '))
    value = dict(content().curves['generator/loss'])[step]
    legend = f'{plot} .legend-value'
    assert float(text(page, legend)) == pytest.approx(value, rel=1e-3)
    assert page.evaluate('document.documentElement.scrollHeight') == height
    page.evaluate(f"document.querySelector('{plot} .plot-canvas').focus()")
    page.press('ArrowRight')
    assert text(page, f'{plot} .plot-step') == f'step {step + 1}'


def test_the_logarithmic_scale_is_offered_where_all_is_positive(page):
    titles = """[...document.querySelectorAll('#plots .plot')]
        .filter((x) => x.querySelector('button.small'))
        .map((x) => x.querySelector('h3').innerText)"""
    assert [x.split('\n')[-1] for x in page.evaluate(titles)] == ['y']
    line = "document.querySelector('#plots .plot:nth-child(2) svg').innerHTML"
    before = page.evaluate(line)
    page.click('#plots .plot:nth-child(2) button.small')
    after = page.evaluate(line)
    assert after != before
    assert 'NaN' not in after
    page.click('#plots .plot:nth-child(2) button.small')
    assert 'class="band"' in page.evaluate(line)


def test_the_slider_turns_the_grids(page):
    (last,) = shown(page)
    page.evaluate("document.querySelector('#player input').focus()")
    assert text(page, '#player output') == 'step 20'
    page.press('ArrowLeft')
    assert text(page, '#player output') == 'step 10'
    (first,) = shown(page)
    assert first != last
    page.click('#player button')
    assert text(page, '#player button') == 'Pause'
    page.until("document.querySelector('#player button').innerText === 'Play'")
    assert shown(page) == [last]


def answer(page, key, click=''):
    """Says what the key says, again until the picture was there to be answered."""
    before = text(page, '#blind')
    end = time.monotonic() + 10
    while text(page, '#blind') == before and time.monotonic() < end:
        page.click(click) if click else page.press(key)


def test_the_blind_test_from_begin_to_download(page):
    page.press('r')  # counts for nothing before the test
    page.click('#blind-begin')
    total = 2 * REAL
    assert page.evaluate("document.getElementById('blind-stop').disabled")
    answer(page, 'g', click='#blind-generated')
    for i in range(1, total):
        assert text(page, '#blind-progress') == f'Image {i + 1} of {total}'
        answer(page, 'r', click='#blind-real' if i % 2 else '')
    page.press('r')  # nor after it
    result = page.evaluate('JSON.parse(Object.values(localStorage)[0])')
    assert [x['id'] for x in result['answers']] == result['trials']
    right = sum(x['id'].startswith(x['answer'] + '/') for x in result['answers'])
    assert text(page, '#blind-accuracy') == f'{10 * right}%'
    low, high = (f'{100 * x:.0f}%' for x in wilson(right, total))
    assert text(page, '#blind-interval') == (
        f'{right} of {total} right; 95% confidence interval {low} to {high}'
    )
    assert 'includes 50%' in text(page, '#blind-verdict')
    wrong = page.evaluate("document.querySelectorAll('#blind-wrong img').length")
    assert wrong == total - right

    page.click('#blind-download')
    file = page.folder / 'blind_test.json'
    end = time.monotonic() + 10
    while not file.exists() and time.monotonic() < end:
        page.evaluate('0')
        time.sleep(0.05)
    record = json.loads(file.read_text())
    file.unlink()
    assert record['title'] == test_page.HOSTILE
    assert record['settings']['complete'] is True
    assert record['settings']['images'] == total
    assert record['settings']['evaluation'] == {'samples': 7}
    assert record['settings']['config']['optimizers'] == {'generator': {'name': 'adam', 'b1': 0.5}}
    assert record['result']['right'] == right
    assert [x['answer'] for x in record['answers']] == ['generated'] + ['real'] * (total - 1)
    assert all(x['truth'] == x['id'].split('/')[0] for x in record['answers'])
    assert len({x['id'] for x in record['answers']}) == total
    assert all(0 <= x['milliseconds'] < 60_000 for x in record['answers'])


def test_a_reload_goes_on_and_a_stop_ends_the_test(page):
    page.click('#blind-begin')
    answer(page, 'r')
    answer(page, 'g')
    page.open(page.folder / 'report.html')
    assert text(page, '#blind-begin') == f'Continue after 2 of {2 * REAL}'
    page.click('#blind-begin')
    assert text(page, '#blind-progress') == f'Image 3 of {2 * REAL}'
    page.click('#blind-stop')
    assert ' of 2 right' in text(page, '#blind-interval')
    page.open(page.folder / 'report.html')
    assert ' of 2 right' in text(page, '#blind-interval')
    page.click('#blind-again')
    assert text(page, '#blind-progress') == f'Image 1 of {2 * REAL}'


def test_an_image_is_answered_once_and_not_before_it_is_there(page):
    page.click('#blind-begin')
    answer(page, 'r')
    page.evaluate("""(async () => {
      const image = document.getElementById('blind-image');
      if (!image.complete) await image.decode();
      await new Promise((done) => setTimeout(done, 300));
      const real = document.getElementById('blind-real');
      for (let i = 0; i < 3; i++) real.click();
    })()""")
    assert text(page, '#blind-progress') == f'Image 3 of {2 * REAL}'
    page.call('Input.dispatchKeyEvent', type='keyDown', key='r', autoRepeat=True, text='r')
    page.evaluate('new Promise((done) => setTimeout(done, 300))')
    page.call('Input.dispatchKeyEvent', type='keyDown', key='r', autoRepeat=True, text='r')
    page.call('Input.dispatchKeyEvent', type='keyDown', key='r', modifiers=2)
    assert text(page, '#blind-progress') == f'Image 3 of {2 * REAL}'


def test_the_config_is_searched_by_words(page):
    page.click('#config summary')
    assert text(page, '#config-rows').splitlines()[0].split('\t') == ['steps', '100']
    page.evaluate("document.getElementById('config-search').focus()")
    page.call('Input.insertText', text='adam generator')
    assert text(page, '#config-rows').split() == ['optimizers.generator.name', 'adam']


def test_a_phone_is_not_scrolled_sideways(page):
    page.size(360)
    try:
        assert page.evaluate('document.documentElement.scrollWidth') <= 360
        page.until("document.querySelector('#plots svg').clientWidth < 340")
    finally:
        page.size(1200)
