"""The example of docs/own_parts.md, from the command line as the page has it."""

import json
import re

import methods
import numpy as np
import pytest

pytestmark = pytest.mark.slow

PAGE = (methods.ROOT / 'docs' / 'own_parts.md').read_text()
PARTS, CONFIG, IN_PYTHON = re.findall(r'```python\n(.*?)```', PAGE, re.DOTALL)
SHORT = [
    f'--config.{key}={value}'
    for key, value in {
        'steps_per_dispatch': 1, 'batch_size': 8, 'log_every': 2, 'sample_every': 0,
        'checkpoint_every': 2, 'eval_every': 2, 'num_samples': 4, 'eval_samples': 32,
        'data.options.num': 40, 'generator.width': 8, 'discriminator.width': 8,
    }.items()
]  # fmt: skip


@pytest.fixture(scope='module')
def folder(tmp_path_factory, server):
    """Where the page's files lie, with a run that was trained for two steps, and for two more."""
    folder = tmp_path_factory.mktemp('own')
    (folder / 'parts.py').write_text(PARTS)
    (folder / 'discs.py').write_text(CONFIG)
    for steps, said in ((2, 'done: 2 steps'), (4, 'goes on from step 2')):
        code, printed = server.run(
            '--config=discs.py', *SHORT, f'--config.steps={steps}', cwd=folder
        )
        assert code == 0, printed
        assert said in printed
    return folder


def elsewhere(server, folder, tmp_path, *words, **environment):
    workdir = f'--workdir={folder / "runs" / "discs"}'
    return server.run(workdir, *words, cwd=tmp_path, **environment)


def test_the_run_has_the_parts_and_their_options_on_record(folder):
    workdir = folder / 'runs' / 'discs'
    config = json.loads((workdir / 'config.json').read_text())
    assert config['generator'] == {'name': 'parts:Generator', 'width': 8}
    assert config['data']['options'] == {'num': 40}
    assert config['modality'] == {'name': 'images', 'shape': [16, 16, 1], 'classes': 2}
    lines = [json.loads(x) for x in (workdir / 'metrics.jsonl').read_text().splitlines()]
    assert [x['step'] for x in lines if 'eval/ink' in x] == [2, 4]
    assert all(x['discriminator/drift'] >= 0 for x in lines if 'discriminator/drift' in x)


def test_every_mode_finds_them_again_from_another_folder(folder, server, tmp_path):
    path = {'PYTHONPATH': str(folder)}
    code, printed = elsewhere(server, folder, tmp_path, '--mode=sample', '--num=5', **path)
    assert code == 0, printed
    generated = folder / 'runs' / 'discs' / 'generated'
    assert np.load(generated / 'seed_0.npz')['images'].shape == (5, 16, 16, 1)
    words = ('--mode=evaluate', '--num=32', '--metrics=parts:ink,sliced_wasserstein')
    code, printed = elsewhere(server, folder, tmp_path, *words, **path)
    assert code == 0, printed
    found = json.loads((folder / 'runs' / 'discs' / 'evaluation.json').read_text())
    assert found['figures'].keys() == {'ink', 'sliced_wasserstein'}
    assert found['figures']['ink']['better'] == 'less'
    assert found['best']['figure'] == 'ink'
    code, printed = elsewhere(server, folder, tmp_path, '--mode=report', **path)
    assert code == 0, printed
    assert 'report.html' in printed


@pytest.mark.parametrize('mode', ['sample', 'evaluate', 'report', 'export'])
def test_without_the_path_one_line_says_what_to_put_there(folder, server, tmp_path, mode):
    code, printed = elsewhere(server, folder, tmp_path, f'--mode={mode}')
    assert code == 2
    assert re.fullmatch(
        r'gan_jax: config\.\S+=parts:\w+: there is no module parts in the current folder or on the '
        r'path; put the folder that holds parts\.py on it: PYTHONPATH=FOLDER\n',
        printed,
    )


def test_what_the_page_says_is_missing_is_what_is_said(folder, server, tmp_path):
    (tmp_path / 'discs.py').write_text(CONFIG)
    figure = 'sliced_wasserstein'
    words = (f'--config.evaluation.metrics={figure}', f'--config.evaluation.best={figure}')
    words += ('--config.dataset=mnist_5k', '--config.data.options={}')
    code, printed = server.run('--config=discs.py', *words, cwd=tmp_path)
    assert code == 2
    line = re.search(r' {4}(gan_jax: .*\n {4}.*)\n', PAGE)[1]
    assert printed.split() == line.split()


def test_from_python_as_on_the_page(tmp_path, monkeypatch):
    import gan_jax

    monkeypatch.chdir(tmp_path)
    calls = {}

    class Run:
        def sample(self, n, seed):
            calls['sample'] = n, seed

        def evaluate(self, num, metrics):
            calls['evaluate'] = num, metrics

    monkeypatch.setattr(gan_jax, 'train', lambda *x, **y: Run(), raising=False)
    monkeypatch.setattr(gan_jax, 'load', lambda *x, **y: Run(), raising=False)
    exec(compile(IN_PYTHON, 'own_parts.md', 'exec'), {})
    assert calls == {'sample': (16, 1), 'evaluate': (500, ['sliced_wasserstein'])}
