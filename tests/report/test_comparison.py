import math

import pytest
from report import test_page

from gan_jax.report import comparison, curves

NAN = math.nan


def content(**fields):
    usual = {
        'title': 'A sweep', 'figure': 'modes', 'how': 'By modes.', 'headings': ['rank', 'modes'],
        'rows': [['1', '7']], 'remarks': [''],
    }  # fmt: skip
    return comparison.Content(**usual | fields)


@pytest.mark.parametrize(
    ('values', 'ticks'),
    [
        ([1e-4, 1e-3, 1e-2], ['0.0001', '0.001', '0.01']),
        ([1, 2, 5], ['1', '2', '5']),
        ([0.0, 1.0, 100.0], ['0', '1', '100']),
        (['hinge', 'lsgan', 'hinge'], ['hinge', 'lsgan']),
        ([True, False], ['False', 'True']),
        ([1.0, '-'], ['1', '-']),
        ([3.0], ['3']),
        ([i / 10 for i in range(1, 13)], ['0.1', '1']),
        (list(range(20, 40)), ['20', '25', '30', '35']),
        ([10 ** (i / 5) for i in range(1, 12)], ['10', '100']),
    ],
)
def test_the_ticks_of_an_axis(values, ticks):
    assert [text for _, text in comparison.axis(values).ticks] == ticks


def test_values_that_span_decades_stand_on_a_logarithmic_scale():
    places = comparison.axis([1e-4, 1e-3, 1e-2]).places
    assert places == pytest.approx([0.06 / 1.12, 0.5, 1.06 / 1.12])
    places = comparison.axis([0.0, 1.0, 100.0]).places  # 0 has no logarithm
    assert places == pytest.approx([6 / 112, 7 / 112, 106 / 112])
    places = comparison.axis([1, 3, 5]).places
    assert places == pytest.approx([0.06 / 1.12, 0.5, 1.06 / 1.12])
    assert comparison.axis(['b', 'a']).places == [0.75, 0.25]


def test_a_dot_stands_where_its_value_and_mean_are():
    dots = [comparison.Dot('1. a', 1, 8.0, 1.0), comparison.Dot('2. b', 3, 4.0, None)]
    page = test_page.Page(comparison.render(content(settings={'weight': dots})))
    middle = {(a['cx'], a['cy']) for a in page.all('circle')}
    # From 4 to 9 are 190 pixels less 6% at each end, downwards.
    high, unit = 9.3, 190 / 5.6
    x = [56 + 350 * place for place in (0.06 / 1.12, 1.06 / 1.12)]
    assert middle == {
        (f'{x[0]:.1f}', f'{10 + 1.3 * unit:.1f}'), (f'{x[1]:.1f}', f'{10 + 5.3 * unit:.1f}')
    }  # fmt: skip
    (bar,) = [a for a in page.all('line') if a.get('class') == 'error']
    assert (bar['y1'], bar['y2']) == (f'{10 + (high - 9) * unit:.1f}', f'{10 + 2.3 * unit:.1f}')


def test_curves_by_group_have_means_errors_and_seeds():
    groups = {
        'one': {'loss': [[(1, 1.0), (2, 2.0)], [(2, 4.0), (1, 3.0)]], 'eval/x': [[(2, 5.0)]]},
        'two': {'loss': [[(1, NAN), (2, 1.0)]], 'seconds': [[(1, 1.0)]]},
    }
    first, second = curves.of_groups(groups, 'eval/x')
    assert (first['title'], second['title']) == ('Evaluation', 'Losses')
    ((panel,), (losses,)) = first['panels'], second['panels']
    assert [x['name'] for x in panel['series']] == ['one']
    one, two = losses['series']
    assert (one['colour'], two['colour']) == ('0', '1')
    assert one['points'] == {'steps': [1, 2], 'values': [2.0, 3.0]}
    assert one['error']['values'] == [1.0, 1.0]
    assert len(one['seeds']) == 2
    assert two['points']['values'] == [None, 1.0]
    assert (two['lost'], two['seeds'], two['error']['values']) == (1, [], [])


def test_what_stands_in_data_is_escaped_and_nothing_is_fetched():
    hostile = test_page.HOSTILE
    dots = [comparison.Dot(hostile, hostile, 1.0, None)]
    text = comparison.render(
        content(
            title=hostile, how=hostile, headings=[hostile], rows=[[hostile, hostile]],
            remarks=[hostile], hints=[hostile], settings={hostile: dots},
            curves={hostile: {hostile: [[(1, 1.0)]]}}, cards=[(hostile,) * 3],
            pictures=[(hostile, test_page.png(5))], config={hostile: hostile},
        )
    )  # fmt: skip
    page = test_page.Page(text)
    assert not page.problems
    assert {a.get('src', '')[:5] for a in page.all('img')} == {'data:'}
    assert len(page.all('script')) == 2
    assert page.sections == ['headline', 'hints', 'ranking', 'settings', 'curves', 'pictures',
                             'config']  # fmt: skip
    assert not [a for tag, a in page.elements if any(x.startswith('on') for x in a)]


def test_sections_without_content_are_left_out():
    page = test_page.Page(comparison.render(content()))
    assert page.sections == ['headline', 'ranking', 'config']
    assert not [a for _, a in page.elements if a.get('class') == 'remark']
    page = test_page.Page(comparison.render(content(remarks=['a reason'])))
    assert len([a for _, a in page.elements if a.get('class') == 'remark']) == 1
