"""The page of a run some of whose files others have damaged."""

import json
import math
import os
import shutil

import methods
import pytest
from PIL import Image

from gan_jax.commands import report
from gan_jax.config.experiment import restore
from gan_jax.errors import UserError
from gan_jax.loop import train
from gan_jax.report import Content, diagnostics, render


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp('run')
    times = ('log_every', 'sample_every', 'eval_every', 'checkpoint_every')
    train(methods.shrunk('ring8', steps=4) | dict.fromkeys(times, 2), folder)
    return folder


@pytest.fixture
def workdir(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / 'run')


OURS = ('report.py', 'animation.py')


def page(workdir, caplog):
    """The page, and the warnings that came with it."""
    caplog.clear()
    text = report.write_report(workdir).read_text()
    ours = [x for x in caplog.records if x.levelname == 'WARNING' and x.filename in OURS]
    return text, [x.getMessage() for x in ours if str(workdir) in x.getMessage()]


FIGURES = {'recall': {'ema': 0.625, 'raw': 0.5, 'stderr': None, 'real': 1, 'better': 'more'}}
CONFUSION = {'names': ['a', 'b'], 'counts': [[3, 1], [0, 4]]}
HISTOGRAM = {'names': ['a', 'b'], 'real': [0.5, 0.5], 'generated': [1.0, 0.0]}
WHOLE = {'settings': {}, 'figures': FIGURES, 'warnings': ['few'], 'best': None}


def test_a_whole_evaluation_is_shown(workdir, caplog):
    tables = {'histogram': HISTOGRAM, 'confusion': CONFUSION}
    (workdir / 'evaluation.json').write_text(json.dumps(WHOLE | tables))
    text, said = page(workdir, caplog)
    assert not said
    assert '<td>0.625</td>' in text
    assert 'id="histogram"' in text
    assert 'id="confusion"' in text
    assert '87.5% of 8 samples' in text


@pytest.mark.parametrize(
    'content',
    [
        b'',
        b'{"figures": ',
        b'\xff\xfe\x00{',
        b'[' * 100_000,
        b'[]',
        b'null',
        b'"figures"',
        *(
            json.dumps(WHOLE | change).encode()
            for change in (
                {'figures': [1]},
                {'figures': {'recall': 0.5}},
                {'figures': {'recall': {'ema': 'high'}}},
                {'figures': {'recall': {'ema': [0.5]}}},
                {'figures': {'recall': {'ema': 10**400}}},
                {'settings': 'none'},
                {'best': [1]},
                {'warnings': 'few'},
                {'warnings': [{}]},
                {'histogram': [1]},
                {'histogram': {'names': ['a']}},
                {'histogram': HISTOGRAM | {'real': [0.5]}},
                {'histogram': HISTOGRAM | {'generated': ['all', 'none']}},
                {'histogram': HISTOGRAM | {'names': [1, 2]}},
                {'confusion': [1]},
                {'confusion': CONFUSION | {'counts': [[1, 2]]}},
                {'confusion': CONFUSION | {'counts': [[1, 2], [3, -4]]}},
            )
        ),
    ],
)
def test_a_damaged_evaluation_is_left_out(tmp_path, caplog, content):
    file = tmp_path / 'evaluation.json'
    file.write_bytes(content)
    assert report.evaluation(tmp_path) is None
    (said,) = [x.getMessage() for x in caplog.records]
    assert said.startswith(f'{file} left out: ')
    assert '\n' not in said
    file.unlink()
    assert report.evaluation(tmp_path) is None
    assert len(caplog.records) == 1


def changed(value):
    """The value with any one part of it, however deep, something else."""
    yield from (None, True, 3, -math.inf, math.nan, 10**400, '', 'x', [], [1], {}, {'x': 1})
    if isinstance(value, dict):
        for key in value:
            yield from ({**value, key: other} for other in changed(value[key]))
    elif isinstance(value, list):
        for i in range(len(value)):
            yield from ([*value[:i], other, *value[i + 1 :]] for other in changed(value[i]))


def test_an_evaluation_with_any_value_changed_is_shown_or_left_out(tmp_path):
    """Whatever is not left out can be put on a page and be diagnosed."""
    tables = {'histogram': HISTOGRAM, 'confusion': CONFUSION}
    everything, shown = [*changed(WHOLE | tables)], 0
    for judged in everything:
        (tmp_path / 'evaluation.json').write_text(json.dumps(judged))
        kept = report.evaluation(tmp_path)
        if kept is not None:
            histogram = kept.get('histogram')
            hints = diagnostics.hints(report._figures({}, kept, 0), histogram)
            more = {'histogram': histogram, 'confusion': kept.get('confusion'), 'hints': hints}
            content = Content('x', {}, evaluation=kept, **more)
            shown += '<h1>x</h1>' in render(content)
    assert len(everything) == 12 * 33
    assert shown == 70


def test_damaged_grids_are_left_out(workdir, caplog):
    folder = workdir / 'samples'
    (folder / '00000001.png').write_bytes(b'')
    (folder / '00000002.png').write_bytes(b'no picture')
    Image.new('L', (9, 9)).save(folder / '00000003.png', 'BMP')
    (folder / '00000005.png').write_bytes((folder / '00000004.png').read_bytes()[:500])
    (folder / '00000006.png').mkdir()
    os.mkfifo(folder / '00000007.png')
    text, (said,) = page(workdir, caplog)
    assert said.endswith('00000001.png and 5 more left out: no whole picture')
    assert text.count('data-step=') == 1
    (folder / '00000004.png').unlink()
    text, _ = page(workdir, caplog)
    assert 'id="grids"' not in text


@pytest.mark.parametrize(
    'line',
    [
        b'{"step": 4, "generator/loss": 0.2',
        b'\xff\x00\xfe\n',
        b'[1, 2]\n',
        b'3\n',
        b'null\n',
        b'{"generator/loss": 0.25}\n',
        b'{"step": "four", "generator/loss": 0.25}\n',
        b'{"step": 4, "generator/loss": "low"}\n',
        b'{"step": 4, "generator/loss": [1]}\n',
        b'[' * 100_000 + b'\n',
    ],
)
def test_damaged_lines_of_metrics_are_left_out(tmp_path, caplog, line):
    file = tmp_path / 'metrics.jsonl'
    file.write_bytes(b'{"step": 1, "generator/loss": 0.5}\n' + line)
    assert report._curves(tmp_path) == {'generator/loss': [(1, 0.5)]}
    (said,) = [x.getMessage() for x in caplog.records]
    assert said.startswith(f'{file}: line 2 ')
    assert said.endswith('; 1 of its lines left out')


def test_a_page_is_made_of_what_is_whole(workdir, caplog):
    (workdir / 'metrics.jsonl').write_bytes(b'\xff\n{"step": 1, "generator/loss": 0.5}\n{"st')
    (workdir / 'evaluation.json').write_bytes(b'{"figures": ')
    (workdir / 'samples' / '00000002.png').write_bytes(b'')
    text, said = page(workdir, caplog)
    assert [x.partition(str(workdir))[2].split(' ')[0] for x in said] == [
        '/metrics.jsonl:', '/evaluation.json', '/samples/00000002.png'
    ]  # fmt: skip
    assert '"values":[0.5]' in text
    assert 'id="evaluation"' not in text
    assert text.count('data-step=') == 1


def test_without_metrics_there_are_no_curves(workdir, caplog):
    (workdir / 'metrics.jsonl').unlink()
    text, said = page(workdir, caplog)
    assert not said
    assert 'id="curves"' not in text


@pytest.mark.parametrize(
    'content',
    [
        b'',
        b'[]',
        b'{"seed": 0}',
        b'{"seed": "none"}',
        b'{"seed": 0, "steps": 4, "generator": "none", "modality": {"name": 3}}',
    ],
)
def test_without_its_config_there_is_no_page(workdir, content):
    (workdir / 'report.html').unlink(missing_ok=True)
    (workdir / 'config.json').write_bytes(content)
    with pytest.raises(UserError) as caught:
        report.write_report(workdir)
    assert '\n' not in str(caught.value)
    assert 'config' in str(caught.value)
    assert not (workdir / 'report.html').exists()


@pytest.mark.parametrize(
    'change',
    [
        {'modality': {'name': 3}},
        {'modality': {'name': 'points'}},
        {'optimizers': {'generator': 3}},
        {'optimizers': {}},
        {'generator': {'name': []}},
        {'evaluation': {'metrics': 3}},
        {'ema': {'generator': {'half_life': 'long'}}},
        {'latent': [3]},
        {'objective': None},
    ],
)
def test_a_config_with_damaged_values_is_one_line(finished, tmp_path, change):
    config = json.loads((finished / 'config.json').read_text())
    (tmp_path / 'config.json').write_text(json.dumps(config | change))
    with pytest.raises(UserError) as caught:
        restore(tmp_path)
    assert '\n' not in str(caught.value)
    assert 'no checkpoint' not in str(caught.value)


def test_a_collapse_heads_the_page(workdir, caplog):
    figures = {'modes': {'ema': 3.0, 'raw': 3.0}, 'high_quality': {'ema': 0.07, 'raw': 0.07}}
    content = {'figures': figures, 'warnings': ['few samples']}
    (workdir / 'evaluation.json').write_text(json.dumps(content))
    text, _ = page(workdir, caplog)
    alarm = text.partition('id="hints"')[2].partition('</section>')[0]
    first, second, *_, last = alarm.split('<li>')[1:]
    assert first.startswith('modes = 3 of 8: ')
    assert second.startswith('high_quality = 0.07 is below 0.8: ')
    assert last.startswith('few samples')
