"""Small conditional runs, from a config to samples and pictures of their classes."""

import methods
import pytest
from PIL import Image

from gan_jax.commands import sample
from gan_jax.config import experiment
from gan_jax.loop import train
from gan_jax.sampling import classes, sampler

TIMES = {'sample_every': 0, 'eval_every': 0, 'log_every': 2, 'checkpoint_every': 2, 'steps': 2}
# What the command line says of a config: another network by its name, all else as it is.
CHANGES = {
    'sngan': {x: {'conditional': True} for x in ('generator', 'discriminator')},
    'biggan': {x: {'name': f'biggan_deep.{x.title()}'} for x in ('generator', 'discriminator')},
}


def configured(name, **changes):
    config = methods.shrunk(name, **TIMES, **changes)
    for player, own in CHANGES[name].items():
        config[player] = config[player] | own
    return config | {'micro_batches': 1, 'dataset': 'mnist_5k'}


@pytest.mark.parametrize('name', CHANGES)
def test_the_networks_take_labels_that_can_be_mixed(name):
    run = experiment.rebuild(configured(name))
    assert sampler.draws_labels(run.game)
    assert classes.mixes(run.game, run.example, 10)


@pytest.mark.slow
@pytest.mark.long
def test_biggan_deep_is_trained_by_its_name_alone_and_its_classes_are_pictured(tmp_path):
    config = configured('biggan', modality={}, num_samples=4)
    for player in ('generator', 'discriminator'):
        config[player] |= {'width': 2, 'attention': 0}
    config['cures'] |= {'orthogonal': 0.0}
    train(config, tmp_path)
    assert experiment.restore(tmp_path).step == 2
    files = sample.sample(tmp_path, num=4, seed=0)
    assert [file.name for file in files] == ['seed_0.png', 'seed_0.npz'] + [
        f'seed_0_{x}.png' for x in ('interpolation', 'classes', 'between_classes')
    ]
    for file in files[3:]:
        wide, high = Image.open(file).size
        assert wide == high  # ten classes in rows of ten
