"""The playground in a headless Chromium, used as a person would: the real server, real training."""

import os
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import methods
import pytest
from report import browser

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        browser.find() is None, reason='no Chromium in the PATH, and $CHROMIUM is not set'
    ),
]

LONG = 120  # seconds, in which a program is compiled on a busy machine
SMALL = ('--config.generator.width=32', '--config.discriminator.width=16')


@pytest.fixture(scope='module')
def url():
    """The page's address."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    words = ['launch.py', '--config=configs/playground.py', '--mode=playground', *SMALL]
    own = {name: x for name, x in os.environ.items() if name not in ('XLA_FLAGS', 'PJRT_NPROC')}
    with subprocess.Popen(
        [sys.executable, *words, f'--port={port}'],
        cwd=methods.ROOT,
        env=own,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        line = server.stderr.readline()
        assert f'open http://127.0.0.1:{port}/ in a browser' in line
        yield f'http://127.0.0.1:{port}/'
        server.terminate()
        said = server.communicate(timeout=LONG)[1]
        assert server.returncode == 0, said


@pytest.fixture(scope='module')
def chromium(url, tmp_path_factory):
    page = browser.Browser(tmp_path_factory.mktemp('browser'))
    yield page
    page.close()


@pytest.fixture
def page(chromium, url):
    """The page anew; afterwards it has been quiet, and has asked nobody else."""
    chromium.events.clear()
    chromium.visit(url)
    ready(chromium)
    yield chromium
    if chromium.evaluate(PLAYS):
        press(chromium, ' ')
        chromium.until(f'!({PLAYS})')
    assert chromium.complaints() == []
    asked = {x for x in chromium.requests() if x != 'about:blank'}
    assert all(x.startswith((url, 'data:')) for x in asked)


PLAYS = "document.getElementById('play').innerText === 'Pause'"
STATUS = "document.getElementById('status').innerText"


def ready(page, count=1):
    """Waits for the program and the first frame."""
    drawn = f"document.querySelectorAll('#panels canvas').length === {count}"
    page.until(f"{drawn} && !{STATUS}.includes('compiling')", LONG)


def press(page, key):
    page.evaluate('document.activeElement.blur()')
    page.press(key)


def steps(page):
    return int(page.evaluate(STATUS).split()[0])


def caption(page):
    return page.evaluate("document.querySelector('#panels figcaption').innerText")


def modes(page):
    return int(re.search(r'(\d+) of \d+ modes', caption(page))[1])


def choose(page, key, value):
    """Sets a control as a person's choice does."""
    page.evaluate(f"""(() => {{
      const field = document.querySelector('[data-key="{key}"]');
      field.value = '{value}';
      field.dispatchEvent(new Event('change', {{bubbles: true}}));
    }})()""")


def test_it_plays_pauses_and_counts_modes(page):
    page.evaluate("""(() => {
      const speed = document.getElementById('speed');
      speed.value = 'fast';
      speed.dispatchEvent(new Event('change'));
    })()""")
    page.click('#play')
    page.until(PLAYS)
    page.until(f'parseInt({STATUS}) > 500', LONG)
    page.until(
        '/[3-8] of 8 modes/.test(document.querySelector("#panels figcaption").innerText)', LONG
    )
    press(page, ' ')
    page.until(f'!({PLAYS})')
    page.until(f"{STATUS}.includes('paused')")
    page.evaluate('new Promise((done) => setTimeout(done, 300))')
    before = steps(page)
    page.evaluate('new Promise((done) => setTimeout(done, 300))')
    assert steps(page) == before
    assert modes(page) >= 1
    ink = """[...document.querySelectorAll('#curves canvas')].map((x) => x.getContext('2d')
        .getImageData(0, 0, x.width, x.height).data.some((value) => value))"""
    assert page.evaluate(ink) == [True, True]


def test_a_key_is_a_step(page):
    page.click('[data-do=restart]')
    page.until(f"{STATUS}.startsWith('0 updates')", LONG)
    for i, (key, said) in enumerate(
        (('s', ''), ('d', 'the discriminator'), ('g', 'the generator'))
    ):
        press(page, key)
        page.until(f"{STATUS}.startsWith('{i + 1} updates') && {STATUS}.includes('{said}')", LONG)
    page.click('[data-do=step]')
    page.until(f"{STATUS}.startsWith('4 updates')")


def test_the_loss_is_changed_while_it_runs_and_players_are_kept(page):
    press(page, 's')
    page.until(f'parseInt({STATUS}) > 0')
    before = steps(page)
    press(page, ' ')
    page.until(PLAYS)
    choose(page, 'objective', 'hinge')
    page.until(f"{STATUS}.includes('compiling')")
    page.until(f"{STATUS}.includes('kept: ')", LONG)
    assert 'kept: discriminator, generator' in page.evaluate(STATUS)
    page.until(f'parseInt({STATUS}) > {before} + 5', LONG)
    assert 'objective=hinge' in page.evaluate('location.hash')


def test_what_is_done_is_done_in_order(page):
    """A step is a pause after it; one that the network delays must not come after play."""
    page.evaluate("""(() => {
      const real = window.fetch;
      const late = () => new Promise((ready) => setTimeout(ready, 300));
      window.fetch = (path, about) =>
        about.body.includes('step') ? late().then(() => real(path, about)) : real(path, about);
    })()""")
    press(page, 's')
    press(page, ' ')
    page.until(PLAYS)
    page.evaluate('new Promise((ready) => setTimeout(ready, 600))')
    assert page.evaluate(PLAYS)


def test_a_link_holds_all_settings_and_a_wrong_one_is_told(page, url):
    page.visit(url + '#set=grid25&objective=hinge')
    ready(page)
    page.until("/of 25 modes/.test(document.querySelector('#panels figcaption').innerText)", LONG)
    link = page.evaluate('location.href')
    page.visit(url + '#set=ring8&objective=hing')
    ready(page)
    page.until("!document.getElementById('alert').hidden")
    said = page.evaluate("document.getElementById('alert').innerText")
    assert said.startswith("objective='hing' is unknown; the nearest valid one is 'hinge'")
    page.evaluate("document.querySelector('[data-set=line]').click()")
    page.until("document.getElementById('alert').hidden")
    page.until("/of 48 modes/.test(document.querySelector('#panels figcaption').innerText)")
    page.visit(link)
    ready(page)
    page.until("/of 25 modes/.test(document.querySelector('#panels figcaption').innerText)", LONG)
    assert page.evaluate("document.querySelector('[data-key=objective]').value") == 'hinge'
    page.complaints()
    page.events = [x for x in page.events if 'status of 400' not in str(x)]  # which was meant


def test_what_is_drawn_is_learned(page):
    page.click('#clear')
    x, y = page.center('#panels canvas')
    page.mouse('mousePressed', x - 100, y, button='left', clickCount=1)
    for i in range(1, 21):
        page.mouse('mouseMoved', x - 100 + 10 * i, y, button='left', buttons=1)
    page.mouse('mouseReleased', x + 100, y, button='left', clickCount=1)
    page.until("location.hash.includes('set=drawn')")
    drawn = page.evaluate("new URLSearchParams(location.hash.slice(1)).get('drawn')")
    count = len(drawn) // 4
    assert 5 <= count <= 21
    assert {drawn[i + 2 : i + 4] for i in range(0, len(drawn), 4)} <= {'7f', '80'}  # on one line
    page.until(f"/of {count} modes/.test(document.querySelector('#panels figcaption').innerText)")
    # And by keys: the cross goes up from the middle.
    page.evaluate("document.querySelector('#panels canvas').focus()")
    for key in ('ArrowUp', 'ArrowUp', 'Enter'):
        page.press(key)
    said = f"/of {count + 1} modes/.test(document.querySelector('#panels figcaption').innerText)"
    page.until(said)
    page.click('#draw')


def test_seeds_stand_side_by_side(page):
    choose(page, 'num_replicas', '2')
    ready(page, 2)
    seeds = "[...document.querySelectorAll('#panels figcaption')].map((x) => x.innerText)"
    assert [x.split(':')[0] for x in page.evaluate(seeds)] == ['seed 0', 'seed 1']
    page.click('#defaults')
    ready(page)


def test_a_phone_is_not_scrolled_sideways_and_is_drawn_on_by_finger(page):
    page.size(360, 740)
    page.call('Emulation.setTouchEmulationEnabled', enabled=True)
    try:
        assert page.evaluate('document.documentElement.scrollWidth') <= 360
        page.click('#clear')
        x, y = page.center('#panels canvas')
        top = page.evaluate('scrollY')
        touch = [{'x': x, 'y': y}]
        page.call('Input.dispatchTouchEvent', type='touchStart', touchPoints=touch)
        for i in range(1, 8):
            touch = [{'x': x, 'y': y - 12 * i}]
            page.call('Input.dispatchTouchEvent', type='touchMove', touchPoints=touch)
        page.call('Input.dispatchTouchEvent', type='touchEnd', touchPoints=[])
        page.until("location.hash.includes('set=drawn')")
        assert page.evaluate('scrollY') == top
        drawn = page.evaluate("new URLSearchParams(location.hash.slice(1)).get('drawn')")
        assert len(drawn) // 4 >= 3
    finally:
        page.call('Emulation.setTouchEmulationEnabled', enabled=False)
        page.size(1200)


def test_the_keyboard_reaches_everything_and_shows_where_it_is(page):
    page.evaluate('document.activeElement.blur()')
    seen = []
    for _ in range(8):
        page.press('Tab')
        seen.append(
            page.evaluate("""(() => {
          const own = document.activeElement;
          return [own.id || own.dataset.do || own.tagName, getComputedStyle(own).outlineStyle];
        })()""")
        )
    names = ['play', 'step', 'discriminator', 'generator', 'restart', 'speed', 'CANVAS', 'show-net']
    assert [x for x, _ in seen] == names
    assert {x for _, x in seen} == {'solid'}


def test_another_site_cannot_reach_it(page, url):
    for headers in ({'Host': 'evil.example'}, {'Origin': 'http://evil.example'}):
        with pytest.raises(urllib.error.HTTPError, match='403'):
            urllib.request.urlopen(urllib.request.Request(url, headers=headers))
