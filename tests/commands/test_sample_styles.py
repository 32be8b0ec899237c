"""--mode=sample of a game of styles: truncation is psi, and labels are drawn."""

import jax
import jax.numpy as jnp
import methods
import numpy as np
import pytest

from gan_jax.commands import sample
from gan_jax.config import experiment, saved
from gan_jax.runtime import checkpoint
from gan_jax.sampling import sampler


@pytest.fixture(scope='module')
def workdir(tmp_path_factory):
    """A run before its first step, but for a mean of w and colder noise."""
    folder = tmp_path_factory.mktemp('styles')
    config = methods.shrunk('stylegan2_digits')
    for player in ('generator', 'discriminator'):
        config[player] = config[player] | {'conditional': True}
    config['modality'] = config['modality'] | {'classes': 3}
    saved.prepare(folder, config)
    state = jax.tree.map(np.asarray, experiment.rebuild(config).init())
    buffers = state.players['generator'].ema['aux']['buffers']
    buffers['mapping']['w_avg'] = np.linspace(-1.0, 1.0, 8, dtype=np.float32)
    checkpoints = checkpoint.Checkpoints(folder / saved.CHECKPOINTS)
    checkpoints.save(1, state, {}, {})
    checkpoints.close()
    return folder


def samples(workdir, **options):
    files = sample.sample(workdir, num=8, seed=0, **options)
    return files[0].name, np.int32(np.load(files[1])['images'])


@pytest.mark.slow
def test_truncation_is_psi(workdir):
    _, plain = samples(workdir)
    name, whole = samples(workdir, truncation=1.0)
    assert name == 'seed_0_truncation_1.0.png'
    np.testing.assert_array_equal(whole, plain)
    _, half = samples(workdir, truncation=0.5)
    _, none = samples(workdir, truncation=0.0)
    np.testing.assert_array_equal(none, np.repeat(none[:1], 8, 0))
    assert 0 < np.abs(half - none[:1]).sum() < np.abs(plain - none[:1]).sum()
    run = experiment.restore(workdir)
    params, aux = run.variables(0)
    w_avg = aux['generator']['buffers']['mapping']['w_avg']
    functions = run.experiment.game.functions
    mean = functions['synthesize'](params, aux, jnp.tile(w_avg[None, None], (1, 6, 1)))
    np.testing.assert_array_equal(none[:1], run.experiment.modality.decode(np.asarray(mean)))


@pytest.mark.slow
def test_map_and_synthesize_make_the_samples(workdir):
    run = experiment.restore(workdir)
    params, aux = run.variables(0)
    game, modality = run.experiment.game, run.experiment.modality
    inputs = sampler.draw_inputs(game, 0, 8, truncation=0.5)
    assert {*np.asarray(inputs['label']).tolist()} == {0, 1, 2}
    styles = game.functions['map'](params, aux, inputs)
    assert styles.shape == (8, 6, 8)
    made = modality.decode(np.asarray(game.functions['synthesize'](params, aux, styles)))
    assert np.abs(np.int32(made) - samples(workdir, truncation=0.5)[1]).max() <= 1
    others = {**inputs, 'label': (inputs['label'] + 1) % 3}
    assert (game.functions['map'](params, aux, others) != styles).any()
