"""What the report asks of a run's data."""

import io
import types

import jax.numpy as jnp
import numpy as np
from PIL import Image

from gan_jax import data, game, modalities
from gan_jax.commands import report

SHAPE = (8, 8, 1)


def test_the_nearest_examples_are_found_without_reading_all_at_once():
    """Samples are three grey levels above every 11th example; 1,200 of these are gone through."""
    images = np.random.default_rng(0).integers(0, 200, (1200, *SHAPE), np.uint8)
    asked = []

    def fetch(places):
        asked.append(len(places))
        return images[places]

    dataset = data.Dataset('x', SHAPE, ('',), np.zeros(1200, np.int32), fetch)
    modality = modalities.make({'name': 'images', 'shape': SHAPE})
    above = jnp.asarray(images[::11].astype(np.float32) + 3)

    def prior(keys):
        return {'latent': jnp.arange(len(keys), dtype=jnp.float32)[:, None]}

    def sample(params, aux, inputs):
        return above[inputs['latent'][:, 0].astype(int) % len(above)] / 127.5 - 1

    functions = {'prior': prior, 'sample': sample}
    experiment = types.SimpleNamespace(
        game=game.Game(None, (), functions), modality=modality, shown=dataset, config={}
    )
    pictures = report._pictures(experiment, ({}, {}), 0)
    assert max(asked) <= data.chunk_size(SHAPE) == 500
    assert len(pictures['nearest']) == report.PAIRS
    for sample, near, distance in pictures['nearest']:
        first, second = (np.asarray(_opened(x)).astype(int) for x in (sample, near))
        np.testing.assert_array_equal(first, second + 3)
        assert abs(distance - 8 * 3 / 255) < 1e-6


def test_names_that_are_no_utf8_stand_in_the_page(tmp_path, monkeypatch):
    config = {'dataset': 'folder:caf\u00e9 \udcff'}
    of = types.SimpleNamespace(
        config=config, seeds=[0], zero_divides=True, modality=types.SimpleNamespace(thumbnails=None)
    )
    run = types.SimpleNamespace(experiment=of, step=1, variables=lambda replica: None)
    monkeypatch.setattr(report.experiment_lib, 'restore', lambda *_, **__: run)
    page = report.write_report(tmp_path).read_text(encoding='utf-8')
    assert 'folder:caf\u00e9 ' in page
    assert r'\udcff' in page


def _opened(content):
    return Image.open(io.BytesIO(content))
