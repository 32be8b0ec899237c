"""What every kind of examples must do, whatever it is: one table, a row for each module."""

import importlib
import json
import pkgutil

import jax
import methods
import numpy as np
import pytest

from gan_jax import modalities
from gan_jax.evaluation import menu

RNG = np.random.default_rng(0)

# Each kind: settings, and twelve stored examples. A new modality is one more row.
KINDS = {
    'images': (
        {'shape': [8, 8, 3], 'classes': None},
        RNG.integers(0, 256, (12, 8, 8, 3), np.uint8),
    ),
    'points': ({'shape': [2]}, RNG.normal(size=(12, 2)).astype(np.float32)),
    'vectors': (
        {'shape': [3], **methods.STANDARD},
        RNG.normal(methods.STANDARD['means'], 1, (12, 3)).astype(np.float32),
    ),
    'series': (
        {key: x for key, x in methods.SERIES.items() if key != 'name'},
        RNG.uniform(-1, 2, (12, 4, 3)).astype(np.float32),
    ),
    'tables': (
        {key: x for key, x in methods.TABLE.items() if key != 'name'},
        RNG.integers(0, [40, 3, 1, 2], (12, 4)).astype(np.float32),
    ),
    'tokens': (
        {key: x for key, x in methods.TOKENS.items() if key != 'name'},
        np.array([[1, 2, 3, 4], [4, 0, 0, 0], [2, 2, 0, 0]] * 4, np.int32),
    ),
    'waveforms': (
        {'shape': [256, 1], 'rate': 8000},
        RNG.integers(-(2**15), 2**15, (12, 256, 1), np.int16),
    ),
}


@pytest.fixture(params=KINDS)
def kind(request):
    settings, stored = KINDS[request.param]
    return modalities.make({'name': request.param, **settings}), stored


def test_every_module_has_its_row():
    names = [module.name for module in pkgutil.iter_modules(modalities.__path__)]
    loaded = {x: importlib.import_module(f'{modalities.__name__}.{x}') for x in names}
    assert {x for x, module in loaded.items() if hasattr(module, 'make')} == {*KINDS}


def test_networks_see_floats_of_one_shape_and_the_way_back_is_exact(kind):
    modality, stored = kind
    seen = np.asarray(modality.encode(stored))
    assert seen.dtype == np.float32
    assert seen.shape == (len(stored), *modality.shape)
    again = np.asarray(modality.decode(seen))
    assert again.dtype == stored.dtype
    np.testing.assert_allclose(again, stored, rtol=1e-5, atol=1e-5)


def test_both_ways_are_the_same_in_compiled_code(kind):
    modality, stored = kind
    seen = np.asarray(modality.encode(stored))
    np.testing.assert_allclose(jax.jit(modality.encode)(stored), seen, rtol=1e-5, atol=1e-6)
    again = np.asarray(modality.decode(seen))
    compiled = np.asarray(jax.jit(modality.decode)(seen))
    np.testing.assert_allclose(compiled, again, rtol=1e-5, atol=1e-6)


def test_settings_are_plain_and_make_it_again(kind):
    modality, stored = kind
    kept = json.loads(json.dumps({'name': modality.name, **modality.settings}))
    again = modalities.make(kept)
    np.testing.assert_array_equal(again.encode(stored), modality.encode(stored))
    assert again.shape == modality.shape


def test_pictures_are_pictures_with_a_score_or_without(kind):
    modality, stored = kind
    for score in (None, lambda x: np.zeros(len(x))):
        picture = modality.picture(stored[:6], stored[6:], score)
        assert picture.dtype == np.uint8
        assert picture.ndim == 3
        assert picture.shape[2] in (1, 3)


def test_files_begin_with_the_stem_and_hold_the_examples(kind, tmp_path):
    modality, stored = kind
    written = modality.write(tmp_path / 'seed_0', stored)
    assert all(x.name.startswith('seed_0') and x.exists() for x in written)
    (arrays,) = (x for x in written if x.suffix == '.npz')
    with np.load(arrays) as found:
        assert len(found[found.files[0]]) == len(stored)
        again = found[found.files[0]]
    # A table's cells are what its codes stand for: tests/modalities/test_table_rows.py.
    if again.dtype.names is None:
        np.testing.assert_array_equal(again, stored)


def test_its_usual_metrics_are_there(kind):
    modality, _ = kind
    assert {*modality.metrics} <= menu.available().keys()
    wanted = menu.needed(modality.metrics)
    assert modality.sequences is not None or 'sequences' not in wanted
