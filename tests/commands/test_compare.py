"""Hand-made runs below a folder, compared: the table in its forms, and what is on the page."""

import csv
import json
import os

import pytest
import trials_by_hand as by_hand
from report import test_page

from gan_jax.commands import compare
from gan_jax.errors import UserError
from gan_jax.runtime import processes

RATE = 'optimizers__generator__learning_rate'
VALUES = {1e-4: (4.0, 6.0, 8.0), 1e-3: (7.0, 7.0, 7.0)}


@pytest.fixture
def sweep(tmp_path):
    """Two settings of three seeds and one run that was never evaluated."""
    for rate, values in VALUES.items():
        for seed, value in enumerate(values):
            settings = by_hand.config(seed=seed, **{RATE: rate})
            by_hand.write(tmp_path / f'rate_{rate}' / f'seed_{seed}', settings, [9 - value, value])
    settings = by_hand.config(eval_every=0, **{RATE: 0.1})
    by_hand.write(tmp_path / 'alone', settings, [], finished=False)
    return tmp_path


def test_of_several_processes_the_first_one_writes(sweep, monkeypatch, capsys):
    monkeypatch.setattr(processes, 'on_first', lambda function: None)  # as it is in the others
    groups = compare.compare(sweep)
    assert [x.values for x in groups] == [[7.0] * 3, [4.0, 6.0, 8.0], []]
    assert not list(sweep.glob('compare.*'))
    assert capsys.readouterr().out == ''


def rows(folder):
    return list(csv.DictReader((folder / 'compare.csv').read_text().splitlines()))


def test_the_table_of_a_sweep(sweep, capsys):
    compare.compare(sweep)
    best, second, last = rows(sweep)
    assert best == {
        'rank': '1', 'optimizers.generator.learning_rate': '0.001',
        'modes': '7.0', 'modes/stderr': '0.0', 'seeds': '3', 'best': '7.0', 'last': '7.0',
        'steps': '100', 'state': 'finished', 'missing': '',
        'runs': 'rate_0.001/seed_0 rate_0.001/seed_1 rate_0.001/seed_2',
    }  # fmt: skip
    assert (second['rank'], second['modes'], second['modes/stderr'][:8]) == ('2', '6.0', '1.154700')
    assert second['best'] == str((5 + 6 + 8) / 3)
    assert (last['rank'], last['modes'], last['seeds']) == ('', '', '0')
    assert last['state'] == 'stopped'
    lines = (sweep / 'compare.md').read_text().splitlines()
    assert lines[2:5] == [
        '| rank | learning_rate | modes \N{UPWARDS ARROW} | seeds | best | last | steps | state | '
        'remarks |',
        '|' + ' --- |' * 9,
        '| 1 | 0.001 | 7 \N{PLUS-MINUS SIGN} 0 | 3 | 7 | 7 | 100 | finished |  |',
    ]
    assert lines[5].startswith('| 2 | 0.0001 | 6 \N{PLUS-MINUS SIGN} 1.2 | 3 | 6.333 | 6 |')
    assert 'its last value in training' in lines[0]
    printed = capsys.readouterr().out.splitlines()
    assert printed[2].split() == ['1', '0.001', '7', '\N{PLUS-MINUS SIGN}', '0', *'377', '100',
                                  'finished']  # fmt: skip


def test_evaluations_count_where_every_run_that_has_the_figure_has_one(sweep):
    judged = sorted(x.parent for x in sweep.rglob('config.json') if x.parent.name != 'alone')
    for i, workdir in enumerate(judged):
        row = {'ema': 1.0 + i, 'raw': 0.5, 'stderr': None, 'real': 8.0, 'better': 'more'}
        content = {'settings': {'generated': 10_000}, 'figures': {'modes': row}}
        (workdir / 'evaluation.json').write_text(json.dumps(content))
    compare.compare(sweep)
    assert [x['modes'] for x in rows(sweep)] == ['5.0', '2.0', '']
    assert [x['last'] for x in rows(sweep)] == ['7.0', '6.0', '']
    assert 'what evaluation.json has' in (sweep / 'compare.md').read_text()
    (judged[0] / 'evaluation.json').unlink()
    compare.compare(sweep)
    assert [x['modes'] for x in rows(sweep)] == ['7.0', '6.0', '']
    assert '* 5 of 7 runs have modes in evaluation.json' in (sweep / 'compare.md').read_text()


def test_the_page_shows_the_ranking_the_settings_the_curves_and_samples(sweep):
    compare.compare(sweep)
    page = test_page.Page((sweep / 'compare.html').read_text())
    assert not page.problems
    assert page.sections == ['headline', 'ranking', 'settings', 'curves', 'pictures', 'config']
    panels = {x['title']: x['series'] for group in page.data['curves'] for x in group['panels']}
    assert [*panels] == ['eval/modes', 'generator/loss']
    first, second = panels['eval/modes']
    assert first['name'] == '1. learning_rate=0.001'
    assert second['points'] == {'steps': [50, 100], 'values': [3.0, 6.0]}
    assert second['error']['values'] == [1.1547, 1.1547]
    assert [x['points']['values'] for x in second['seeds']] == [[5, 4], [3, 6], [1, 8]]
    captions = [x for a, x in page.texts if 'seed 2 at step 100' in x]
    assert captions == ['2. learning_rate=0.0001; seed 2 at step 100']
    assert len(page.all('circle')) == 2


def test_one_seed_and_replicas_and_a_figure_by_name(tmp_path):
    by_hand.write(tmp_path / 'a', by_hand.config(objective='hinge'), [3.0], figure='eval/recall')
    several = by_hand.config(objective='lsgan', num_replicas=2)
    by_hand.write(tmp_path / 'b', several, {0: [1.0], 1: [2.0]}, figure='eval/recall')
    compare.compare(tmp_path, 'recall')
    first, second = rows(tmp_path)
    assert (first['recall'], first['recall/stderr'], first['seeds']) == ('3.0', '', '1')
    assert (second['recall'], second['recall/stderr'], second['seeds']) == ('1.5', '0.5', '2')
    assert '* 1 of 2 groups have one seed' in (tmp_path / 'compare.md').read_text()


def test_the_picture_is_of_a_seed_that_has_the_figure(tmp_path):
    several = by_hand.config(num_replicas=2)
    by_hand.write(tmp_path / 'a', several, {0: [1.0, None], 1: [2.0, 2.0]})
    compare.compare(tmp_path)
    page = test_page.Page((tmp_path / 'compare.html').read_text())
    assert [x for _, x in page.texts if '; seed ' in x] == ['1. a; seed 1 at step 100']


def test_a_seed_that_a_group_has_twice_is_told(tmp_path):
    """As sweeps.seeds(2) of runs of two seeds each gives them."""
    for seed in range(2):
        settings = by_hand.config(seed=seed, num_replicas=2)
        by_hand.write(tmp_path / str(seed), settings, {seed: [1.0], seed + 1: [2.0]})
    compare.compare(tmp_path)
    assert '* rank 1 has seed 1 in several runs' in (tmp_path / 'compare.md').read_text()


def test_runs_are_found_at_any_depth_and_links_are_followed_once(tmp_path):
    by_hand.write(tmp_path / 'x' / 'y' / 'run', by_hand.config(), [1.0])
    (tmp_path / 'x' / 'loop').symlink_to(tmp_path)
    (tmp_path / '.hidden').mkdir()
    (tmp_path / '.hidden' / 'config.json').write_text('{}')
    (tmp_path / 'x' / 'y' / 'run' / 'config.json').with_name('other').mkdir()
    assert compare.find(tmp_path) == [tmp_path / 'x' / 'y' / 'run']
    assert compare.find(tmp_path / 'x' / 'y' / 'run') == [tmp_path / 'x' / 'y' / 'run']


def test_a_folder_without_runs_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(UserError, match='holds no runs'):
        compare.compare(tmp_path)
    with pytest.raises(UserError, match='is not a folder'):
        compare.compare(tmp_path / 'none')
    assert os.listdir(tmp_path) == []
