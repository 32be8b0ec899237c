"""docs/gan_jax.ipynb: it holds no outputs, and runs from its first cell to its last, shortened."""

import json

import command_line
import methods
import numpy as np
import pytest

FILE = methods.ROOT / 'docs' / 'gan_jax.ipynb'
# Steps of both trainings, and samples of both evaluations.
SHORT = {'STEPS = 400': 'STEPS = 20', 'evaluate(500,': 'evaluate(32,'}


def cells(kind):
    found = json.loads(FILE.read_text())['cells']
    return [''.join(x['source']) for x in found if x['cell_type'] == kind]


def test_outputs_are_stripped():
    for cell in json.loads(FILE.read_text())['cells']:
        assert cell.get('outputs', []) == []
        assert cell.get('execution_count') is None


def test_it_is_python_and_its_links_lead_somewhere():
    for source in cells('code'):
        compile(source, FILE.name, 'exec')
    links = [x.partition(')')[0] for text in cells('markdown') for x in text.split('](')[1:]]
    assert len(links) == 3
    assert all((FILE.parent / link).exists() for link in links)
    assert [sum(old in x for x in cells('code')) for old in SHORT] == [1, 2]


@pytest.mark.slow
@pytest.mark.long
def test_it_runs(tmp_path, monkeypatch):
    nbformat = pytest.importorskip('nbformat', reason='the extra named docs is not here')
    nbclient = pytest.importorskip('nbclient', reason='the extra named docs is not here')
    pytest.importorskip('ipykernel', reason='the extra named docs is not here')
    (tmp_path / 'gan_jax').symlink_to(methods.ROOT)  # a clone beside the notebook, as on Colab
    notebook = nbformat.read(FILE, as_version=4)
    for cell in notebook.cells:
        for old, new in SHORT.items():
            cell.source = cell.source.replace(old, new)
    for name in ('JAX_PLATFORMS', 'XLA_FLAGS'):  # of one device, as Colab's
        monkeypatch.setenv(name, command_line.ENVIRONMENT[name])
    resources = {'metadata': {'path': str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=900, resources=resources).execute()
    outputs = [x.get('outputs', []) for x in notebook.cells if x.cell_type == 'code']
    pictures = [sum('image/png' in x.get('data', {}) for x in several) for several in outputs]
    assert pictures == [0, 0, 0, 1, 4, 0, 1, 0]
    texts = [x['data']['text/plain'] for several in outputs for x in several if 'data' in x]
    assert '20' in texts
    figures = [eval(x, {'np': np}) for x in texts if 'sliced_wasserstein' in x]
    assert len(figures) == 2
    assert all(0 < x['sliced_wasserstein'] < 2 for x in figures)
