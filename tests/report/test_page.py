import html.parser
import io
import json
import math
import pathlib
import re

import numpy as np
import pytest
from PIL import Image

from gan_jax import report
from gan_jax.report import elements, page

HOSTILE = '</script><img src=x onerror="alert(1)">{{data}}<!--if curves-->\u2028&amp;'
FOLDER = pathlib.Path(page.__file__).parent
SECTIONS = {
    'hints': {'hints': ['diversity is low']},
    'curves': {'curves': {'generator/loss': [(1, 1.0), (2, 0.5)]}},
    'grids': {'grids': [(20, b'2'), (10, b'1')]},
    'interpolation': {'interpolation': b'3'},
    'sides': {'real': b'4', 'generated': b'5'},
    'nearest': {'nearest': [(b'6', b'7', 2.5), (b'8', b'9', 1.5)]},
    'histogram': {'histogram': {'names': ['a', 'b'], 'real': [0.5, 0.5], 'generated': [1.0, 0.0]}},
    'confusion': {'confusion': {'names': ['a', 'b'], 'counts': [[3, 1], [0, 4]]}},
    'evaluation': {'evaluation': {'figures': {'recall': {'ema': 0.625, 'real': 0.875}}}},
    'blind': {'blind': ([b'10', b'11'], [b'12', b'13', b'14'])},
    'versions': {'versions': {'jax': '0.10.2'}},
}


def png(value, size=(8, 8)):
    buffer = io.BytesIO()
    Image.fromarray(np.full(size, value, np.uint8)).save(buffer, 'PNG')
    return buffer.getvalue()


def pictures(value):
    """Bytes that stand for a grey value -> its PNG, wherever they are."""
    if isinstance(value, bytes):
        return png(int(value))
    if isinstance(value, list | tuple):
        return type(value)(pictures(x) for x in value)
    return value


def content(*sections, **fields):
    for section in sections:
        fields |= {k: pictures(v) for k, v in SECTIONS[section].items()}
    return report.Content(**{'title': 'A run', 'config': {'steps': 100}} | fields)


class Page(html.parser.HTMLParser):
    """Elements as (tag, attributes), the text by the tag it is in, the ids of sections."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts, self.path, self.problems = [], [], [], []
        self.feed(text)
        self.close()
        self.sections = [a['id'] for tag, a in self.elements if tag == 'section']
        self.data = json.loads(next(t for a, t in self.texts if a.get('id') == 'data'))

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in ('meta', 'link', 'img', 'input'):
            self.path.append((tag, dict(attrs)))

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if self.path.pop()[0] != tag:
            self.problems.append(tag)

    def handle_data(self, data):
        self.texts.append((self.path[-1][1] if self.path else {}, data))

    def all(self, tag):
        return [a for name, a in self.elements if name == tag]

    @property
    def text(self):
        return ''.join(t for _, t in self.texts)


def parse(content):
    found = Page(report.render(content))
    assert not found.problems
    assert not found.path
    return found


def test_a_page_of_nothing_has_its_config_only():
    found = parse(content())
    assert found.sections == ['config']
    assert [a['href'] for a in found.all('a')] == ['#config']
    assert 'steps' in found.text
    assert found.data['blind'] is None


@pytest.mark.parametrize('name', SECTIONS)
def test_a_section_is_there_if_and_only_if_it_has_content(name):
    found = parse(content(name))
    assert set(found.sections) - {'headline'} == {name, 'config'}
    everything = parse(content(*SECTIONS))
    assert set(everything.sections) == {*SECTIONS, 'config', 'headline'}
    without = parse(content(*(set(SECTIONS) - {name})))
    assert set(without.sections) == {*SECTIONS, 'config', 'headline'} - {name}
    links = [a['href'] for a in everything.all('a')]
    assert set(links) == {f'#{x}' for x in {*SECTIONS, 'config'}}


def test_nothing_is_fetched():
    text = report.render(content(*SECTIONS))
    found = Page(text)
    for _, attributes in found.elements:
        for key in ('src', 'href', 'action', 'data', 'poster', 'srcset'):
            assert re.match('data:|#', attributes.get(key, '#')), attributes
    styles = ''.join(file.read_text() for file in FOLDER.glob('*.css'))
    assert not re.search(r'url\(|@import|//', styles)
    scripts = ''.join((FOLDER / name).read_text() for name in page.SCRIPTS)
    assert not re.search(r'fetch\(|XMLHttp|import\(|WebSocket|sendBeacon|innerHTML|eval\(', scripts)
    assert '</script' not in scripts
    (policy,) = [a['content'] for a in found.all('meta') if 'http-equiv' in a]
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert not {a.get('type') for a in found.all('script')} - {None, 'application/json'}
    assert {file.name for file in FOLDER.glob('*.css')} == set(elements.STYLES)
    assert {file.name for file in FOLDER.glob('*.js')} == set(page.SCRIPTS)


def test_data_are_escaped():
    numbers = [0.5, 0.5]
    hostile = content(
        'blind',
        title=HOSTILE,
        config={HOSTILE: {HOSTILE: HOSTILE}},
        versions={HOSTILE: HOSTILE},
        curves={f'eval/{HOSTILE}': [(1, 1.0)], f'{HOSTILE}/seed_1': [(1, 1.0)]},
        histogram={'names': [HOSTILE, HOSTILE], 'real': numbers, 'generated': numbers},
        confusion={'names': [HOSTILE, HOSTILE], 'counts': [[3, 1], [0, 4]]},
        evaluation={
            'settings': {HOSTILE: HOSTILE},
            'figures': {HOSTILE: {'ema': HOSTILE, HOSTILE: 1.0}},
            'warnings': [HOSTILE],
            'best': {HOSTILE: [HOSTILE]},
        },
        hints=[HOSTILE],
    )
    found = parse(hostile)
    assert not [a for _, a in found.elements if 'onerror' in a]
    assert [a.get('id') for a in found.all('img')] == ['blind-image']
    assert len(found.all('script')) == 2
    assert found.data['about']['title'] == HOSTILE
    assert found.data['about']['config'] == {HOSTILE: {HOSTILE: HOSTILE}}
    assert found.text.count(HOSTILE) >= 12
    assert not re.search('[<>]', next(t for a, t in found.texts if a.get('id') == 'data'))


def test_names_that_are_no_utf8_are_shown_with_backslashes():
    """As a folder's name of another encoding is read, anywhere on the page."""
    name = b'gr\xfcn'.decode('utf-8', 'surrogateescape')
    found = parse(
        content(
            title=name,
            config={'dataset': name, name: 1},
            curves={name: [(1, 1.0)]},
            histogram={'names': [name], 'real': [1.0], 'generated': [1.0]},
            evaluation={
                'settings': {'real': name},
                'figures': {name: {'ema': 1.0}},
                'warnings': [name],
            },
            hints=[name],
            versions={name: name},
        )
    )
    assert found.text.count('gr\\udcfcn') >= 8
    assert found.data['about']['title'] == name


def test_not_finite_values_are_no_json_of_their_own():
    nan = math.nan
    found = parse(
        content(
            curves={'g/loss': [(1, nan), (2, 1.0)], 'eval/x': [(1, nan)]},
            config={'limit': math.inf},
            nearest=[(png(1), png(2), nan), (png(3), png(4), 1.0)],
            histogram={'names': ['a'], 'real': [nan], 'generated': [1.0]},
            evaluation={'figures': {'x': {'ema': nan}}, 'settings': {'y': np.float32(0.5)}},
        )
    )
    values = {
        s['name']: s['points']['values']
        for g in found.data['curves']
        for p in g['panels']
        for s in p['series']
    }
    assert values == {'g/loss': [None, 1.0], 'eval/x': [None]}
    assert found.data['about'] == {
        'title': 'A run',
        'settings': {'y': 0.5},
        'config': {'limit': 'inf'},
    }


def test_figures_without_a_column_get_a_dash():
    figures = {'a': {'ema': 12.3456, 'raw': 1, 'real': 2.0, 'stderr': None}, 'b': {'raw': 1e-7}}
    text = report.render(content(evaluation={'figures': figures}))
    rows = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', text)
    cells = {name: re.findall('<td>(.*?)</td>', row) for name, row in rows}
    assert cells == {'a': ['12.35', '1', '2', '-'], 'b': ['-', '1e-07', '-', '-']}


def test_headline_figures_come_from_the_evaluation_or_else_the_curves():
    def cards(**fields):
        found = re.search(r'<dl class="cards">(.*?)</dl>', report.render(content(**fields)))
        return re.findall(r'<dt>(.*?)</dt><dd>(.*?)</dd>', found[1])

    curves = {'eval/x': [(2000, 0.25), (1000, 0.5)], 'eval/x/seed_0': [(2000, 9.0)]}
    assert cards(curves=curves) == [('steps', '2,000'), ('eval/x', '0.25')]
    evaluation = {'figures': {'y': {'ema': 3.0, 'raw': 4.0}, 'z': {'raw': 5.0}}}
    expected = [('steps', '2,000'), ('y', '3'), ('z', '5')]
    assert cards(curves=curves, evaluation=evaluation) == expected


def test_warnings_of_the_evaluation_stand_with_the_hints():
    found = parse(content('hints', evaluation={'warnings': ['few samples']}))
    assert found.sections == ['hints', 'config']
    assert 'diversity is low' in found.text
    assert 'few samples' in found.text


def test_grids_and_pairs_are_in_order_and_the_last_grid_is_shown():
    found = parse(content('grids', 'nearest'))
    grids = [a for a in found.all('img') if 'data-step' in a]
    assert [(a['data-step'], 'hidden' in a) for a in grids] == [('10', True), ('20', False)]
    assert grids[1]['src'] == elements.data_uri(png(2))
    pairs = [a['src'] for a in found.all('img') if 'data-step' not in a]
    assert pairs == [elements.data_uri(png(x)) for x in (8, 9, 6, 7)]
    (slider,) = [a for a in found.all('input') if a.get('type') == 'range']
    assert (slider['max'], slider['value']) == ('1', '1')


def test_small_pictures_keep_sharp_pixels():
    found = parse(content(real=png(0, (20, 30)), generated=png(0, (10, 600))))
    small, large = found.all('img')
    assert (small['class'], small['width'], small['height']) == ('pixel', '810', '540')
    assert (large['class'], large['width'], large['height']) == ('smooth', '600', '10')


def test_many_classes_are_drawn_by_rank():
    n = 1000
    real = [1 / n] * n
    generated = [2 / n] * (n // 2) + [0.0] * (n // 2)
    histogram = {'names': list(range(n)), 'real': real, 'generated': generated}
    text = report.render(content(histogram=histogram))
    assert '500 of 1000 classes are never generated' in text
    assert '(total variation): 0.5.' in text
    assert 'class="bars"' not in text
    found = parse(content('histogram'))
    assert '1 of 2 classes are never generated' in found.text
    widths = [a['style'] for a in found.all('span') if 'bar' in a.get('class', '')]
    assert widths == ['width:50.0%', 'width:100.0%', 'width:50.0%', 'width:0.0%']


def test_what_cannot_be_shown_is_refused():
    with pytest.raises(ValueError, match='not a PNG'):
        report.render(content(real=b'GIF89a' + bytes(30)))
    with pytest.raises(ValueError, match='differ in size'):
        report.render(content(blind=([png(0)], [png(0, (9, 9))])))
    histogram = {'names': ['a'], 'real': [1.0], 'generated': []}
    with pytest.raises(ValueError, match='1 names, 1 real and 0 generated'):
        report.render(content(histogram=histogram))


def test_the_blind_test_needs_both_kinds():
    assert 'blind' not in parse(content(blind=([png(0)], []))).sections
    found = parse(content('blind'))
    assert 'You see 4 images' in found.text
    assert (len(found.data['blind']['real']), len(found.data['blind']['generated'])) == (2, 3)
    other = parse(content(blind=([png(10), png(11)], [png(12), png(13), png(15)])))
    assert other.data['blind']['digest'] != found.data['blind']['digest']


def test_files_are_short():
    assert all(len(file.read_text().splitlines()) <= 400 for file in FOLDER.glob('*.*'))


def test_what_a_private_run_has_spent_is_a_card():
    curves = {'privacy/epsilon': [(1, 2.0), (9, 4.25)], 'privacy/delta': [(1, 1e-5), (9, 1e-5)]}
    page = report.render(content(curves=curves))
    cards = re.search(r'<dl class="cards">(.*?)</dl>', page, re.DOTALL).group(1)
    assert 'epsilon spent' in cards
    assert '4.25' in cards
    assert 'at delta 1e-05' in cards
