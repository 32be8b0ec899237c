"""The documentation: its links hold, the API's pages leave nothing out, and the site is built."""

import contextlib
import functools
import http.server
import importlib
import os
import pkgutil
import re
import subprocess
import sys
import threading

import methods
import pytest
from report import browser

from gan_jax import games, networks, objectives, penalties
from gan_jax.objectives import Objective

DOCS = methods.ROOT / 'docs'
ROOTS = [methods.ROOT / name for name in ('README.md', 'CONTRIBUTING.md', 'CHANGELOG.md')]
PAGES = {str(x.relative_to(methods.ROOT)): x for x in (*ROOTS, *sorted(DOCS.rglob('*.md')))}
SHOWN = re.compile(r'^::: (\S+)$', re.MULTILINE)


def prose(text):
    """A page without its blocks of code."""
    text = re.sub(r'^```.*?^```', '', text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r'^(?: {4}|\t).*$', '', text, flags=re.MULTILINE)


def links(file):
    words = re.sub(r'`[^`]*`', '', prose(file.read_text()))
    return re.findall(r'\]\(([^)\s]+)\)', words)


def slug(heading):
    """A heading's anchor, as GitHub and the site make it."""
    words = re.sub(r'`|\[([^\]]*)\]\([^)]*\)', r'\1', heading).strip().lower()
    return re.sub(r'[^\w\- ]', '', words).replace(' ', '-')


def anchors(file):
    text = file.read_text()
    headings = re.findall(r'^#+ (.+)$', prose(text), re.MULTILINE)
    return {slug(x) for x in headings} | {*SHOWN.findall(text)}


@pytest.mark.parametrize('page', PAGES)
def test_every_link_leads_to_what_is_there(page):
    file = PAGES[page]
    for link in links(file):
        if re.match(r'[a-z]+:', link):
            assert link.startswith('https://'), link
            continue
        path, _, anchor = link.partition('#')
        target = file.parent / path if path else file
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_links_and_anchors_are_seen():
    assert sum(len(links(file)) for file in PAGES.values()) > 100
    assert 'gradient_penalty-zero_centered' in anchors(DOCS / 'methods.md')
    assert slug('The idea: a `GAN` is [a game](x.md)') == 'the-idea-a-gan-is-a-game'


def shown(page):
    return SHOWN.findall((DOCS / 'api' / f'{page}.md').read_text())


def test_the_api_has_every_game_and_every_family_of_networks():
    for page, package in (('games', games), ('networks', networks)):
        modules = {x.name for x in pkgutil.iter_modules(package.__path__)}
        names = {x.rpartition('.')[2] for x in shown(page)}
        assert modules - names == (
            {'likelihood'} if page == 'games' else {'features', 'torch_files'}
        )


def test_the_api_shows_what_there_is():
    for file in (DOCS / 'api').glob('*.md'):
        for name in SHOWN.findall(file.read_text()):
            try:
                importlib.import_module(name)
            except ModuleNotFoundError:
                module, _, last = name.rpartition('.')
                assert hasattr(importlib.import_module(module), last), name


def test_every_objective_and_penalty_has_its_formula():
    for module, page in ((objectives, 'objectives'), (penalties, 'penalties')):
        names = {
            name
            for name, value in vars(module).items()
            if isinstance(value, Objective) or getattr(value, '__module__', '') == module.__name__
        }
        public = {x for x in names if not x.startswith('_') and x[0].islower()}
        sides = {x for x in public if x.endswith(('_discriminator', '_generator'))}
        text = (DOCS / 'api' / f'{page}.md').read_text()
        said = {*re.findall(r'`(\w+\*?)`', text)}
        stems = tuple(x.removesuffix('*') for x in said if x.endswith('*'))
        left = {x for x in public - sides - said if not f'{x}_'.startswith(stems or '-')}
        assert left == set()
        assert text.count('```math') >= 6


@pytest.fixture(scope='session')
def site(tmp_path_factory):
    """The site, built as `python -m mkdocs build --strict` builds it."""
    for name in ('mkdocs', 'mkdocstrings', 'latex2mathml'):
        pytest.importorskip(name, reason='the extra named docs is not here')
    folder = tmp_path_factory.mktemp('site')
    done = subprocess.run(
        [sys.executable, '-m', 'mkdocs', 'build', '--strict', '--site-dir', folder],
        cwd=methods.ROOT, capture_output=True, text=True,
        env=os.environ | {'NO_MKDOCS_2_WARNING': '1'},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_the_site_is_built_without_a_warning_and_loads_nothing_from_other_hosts(site):
    pages = {str(x.relative_to(site)): x.read_text() for x in site.rglob('*.html')}
    for name in PAGES:
        name = name.removeprefix('docs/').removesuffix('.md')
        assert f'{ {"README": "index"}.get(name, name.lower()) }.html' in pages
    for name, page in pages.items():
        loaded = re.findall(r'<(?:link|script|img|iframe)[^>]*(?:src|href)="?(https?:|//)', page)
        assert loaded == [], name
    assert pages['api/penalties.html'].count('<math') == 6
    assert '```math' not in ''.join(pages.values())
    assert 'id="gan_jax.objectives.hinge_discriminator"' in pages['api/objectives.html']
    assert 'id="mode-collapse"' in pages['results.html']


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Does not write what it is asked."""

    def log_message(self, *_):
        pass


@pytest.fixture
def served(site):
    """The site's address."""
    handler = functools.partial(Quiet, directory=site)
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{server.server_port}/'
        server.shutdown()


@pytest.fixture
def page(tmp_path):
    if browser.find() is None:
        pytest.skip('no Chromium in the PATH, and $CHROMIUM is not set')
    with contextlib.closing(browser.Browser(tmp_path)) as page:
        yield page


@pytest.mark.slow
def test_in_a_browser_pages_fit_and_are_whole(site, served, page):
    """On a desktop and on a phone; nothing is asked of anybody else, and words are found."""
    for file in sorted(site.rglob('*.html')):
        if file.name == '404.html':  # its addresses are those of the host's root
            continue
        page.visit(f'{served}{file.relative_to(site)}')
        for width in (1280, 390):
            page.size(width)
            page.until('document.documentElement.scrollWidth <= innerWidth')  # after it has moved
        broken = page.evaluate('[...document.images].filter((x) => !x.naturalWidth).length')
        assert broken == 0, file.name
        flat = """[...document.querySelectorAll('math')]
            .filter((x) => x.getBoundingClientRect().height < 8).length"""
        assert page.evaluate(flat) == 0, file.name
    page.visit(f'{served}index.html?q=relativistic')
    page.until("document.querySelectorAll('.md-search-result__item').length > 1", seconds=30)
    assert page.complaints() == []
    assert {x for x in page.requests() if not x.startswith(('data:', 'about:', served))} == set()
