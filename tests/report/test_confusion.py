"""The table of asked for against named: literals, many classes, damaged ones."""

import copy
import re

import pytest

from gan_jax import report
from gan_jax.report import confusion

COUNTS = [[3, 1, 0], [0, 2, 2], [0, 0, 0]]
TABLE = {'names': ['cat', '<dog>', 'owl'], 'counts': COUNTS}


def test_the_table_by_hand():
    shown = confusion.section(TABLE)
    assert shown['confusion_note'] == (
        '62.5% of 8 samples are named as what was asked for. '
        'Most often confused: asked for &lt;dog&gt;, named owl (50%).'
    )
    rows = re.findall('<tr>(.*?)</tr>', shown['confusion'])
    cells = [re.findall(r'<td[^>]*>(\d*)</td>', row) for row in rows]
    assert cells == [[''], ['75', '25', ''], ['', '50', '50'], ['', '', '']]
    titles = [re.findall('<th scope="(?:row|col)">(.*?)</th>', row) for row in rows]
    assert titles == [['cat', '&lt;dog&gt;', 'owl'], ['cat'], ['&lt;dog&gt;'], ['owl']]
    # The darkest cells have light figures.
    assert shown['confusion'].count('class="strong"') == 1
    assert '<td class="strong" style="--share:75%">75</td>' in shown['confusion']


def test_a_faithful_run_confuses_nothing():
    shown = confusion.section({'names': ['a', 'b'], 'counts': [[5, 0], [0, 5]]})
    assert shown['confusion_note'] == '100.0% of 10 samples are named as what was asked for.'


def test_of_many_classes_the_pairs_that_are_confused_most_are_listed():
    n = confusion.MOST_CLASSES + 1
    counts = [[100 * (i == j) for j in range(n)] for i in range(n)]
    for i in range(12):
        counts[i][i + 1] = i
    shown = confusion.section({'names': [f'c{i}' for i in range(n)], 'counts': counts})
    assert '<table' not in shown['confusion']
    lines = re.findall('<li>(.*?)</li>', shown['confusion'])
    assert len(lines) == confusion.WORST
    assert lines[0] == 'asked for c11, named c12: 10%'
    assert lines[-1] == 'asked for c2, named c3: 2%'
    fewer = {'names': [f'c{i}' for i in range(n - 1)], 'counts': [x[:-1] for x in counts[:-1]]}
    assert '<table' in confusion.section(fewer)['confusion']


@pytest.mark.parametrize('nothing', [None, {}, {'names': [], 'counts': []}])
def test_where_there_is_none_nothing_is_shown(nothing):
    assert confusion.is_whole(nothing)
    assert not any(confusion.section(nothing).values())
    page = report.render(report.Content('x', {}, confusion=nothing))
    assert 'id="confusion"' not in page
    assert 'id="confusion"' in report.render(report.Content('x', {}, confusion=TABLE))


@pytest.mark.parametrize('change', [-1, True, 1.0, 10**400, None, 'x', []])
def test_counts_that_are_none_are_not_whole(change):
    damaged = copy.deepcopy(TABLE)
    assert confusion.is_whole(damaged)
    damaged['counts'][1][2] = change
    assert not confusion.is_whole(damaged)


@pytest.mark.parametrize(
    'damaged',
    [
        [1], 'x', 3, False, {'names': ['a']}, {'counts': [[1]]}, {'names': 'a', 'counts': [[1]]},
        {'names': [1], 'counts': [[1]]}, {'names': ['a'], 'counts': [1]},
        {'names': ['a', 'b'], 'counts': [[1, 2]]}, {'names': ['a'], 'counts': [[1, 2]]},
    ],
)  # fmt: skip
def test_what_is_no_table_is_not_whole(damaged):
    assert not confusion.is_whole(damaged)


@pytest.mark.parametrize('counts', [[[1, 2]], [[1], [2]], [[1, 2], [3, 4], [5, 6]]])
def test_a_table_that_is_not_square_is_refused(counts):
    with pytest.raises(ValueError, match='confusion of 2 classes'):
        confusion.section({'names': ['a', 'b'], 'counts': counts})
