"""StyleGAN2 trains with what other methods do: labels, micro-batches, seeds, packs, half types."""

import json

import methods
import numpy as np
import pytest
from PIL import Image

from gan_jax.config import experiment
from gan_jax.loop import train

LAZY = {
    'penalties': {'r1': {'weight': 1.0, 'every': 2}},
    'path_length': {'weight': 2.0, 'every': 2},
}
SHORT = {'steps': 2, 'log_every': 1, 'sample_every': 0, 'checkpoint_every': 2, 'eval_every': 0}


@pytest.fixture
def pictures(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(24):
        folder = tmp_path / 'pictures' / f'class_{i % 2}'
        folder.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (methods.SIZE, methods.SIZE), np.uint8)
        Image.fromarray(pixels).save(folder / f'{i:02d}.png')
    return tmp_path / 'pictures'


def trained(pictures, workdir, conditional, **changes):
    config = methods.shrunk('stylegan2_digits', **(LAZY | SHORT | changes))
    config |= {'dataset': f'folder:{pictures}'}
    config['data'] = config['data'] | {'channels': None}
    for player in ('generator', 'discriminator'):
        config[player] = config[player] | {'conditional': conditional}
    train(config, workdir)
    lines = [json.loads(x) for x in (workdir / 'metrics.jsonl').read_text().splitlines()]
    run = experiment.restore(workdir)
    assert run.step == 2
    for name in ('generator_path_length/mean', 'discriminator_r1/r1', 'generator/loss'):
        assert np.isfinite(lines[-1][name])
    assert 'generator_path_length/mean' not in lines[0]
    return lines, run


@pytest.mark.slow
def test_with_labels_in_micro_batches_and_for_two_seeds(pictures, tmp_path):
    cures = {'augmentation': {'name': 'diffaugment', 'policy': ('translation',)}}
    lines, run = trained(
        pictures, tmp_path / 'run', True, micro_batches=2, num_replicas=2, cures=cures
    )
    means = [lines[-1][f'generator_path_length/mean/seed_{seed}'] for seed in (0, 1)]
    assert 0 < means[0] != means[1] > 0
    assert run.experiment.modality.fields['classes'] == 2
    assert run.state.aux['path_length']['mean'].shape == (2,)


@pytest.mark.slow
def test_in_packs_and_in_half_precision(pictures, tmp_path):
    _, run = trained(pictures, tmp_path / 'run', False, precision='bfloat16', cures={'packing': 2})
    assert run.state.aux['path_length']['mean'].dtype == np.float32
    assert run.state.players['discriminator'].params['b16']['fromrgb']['kernel'].shape[2] == 2
