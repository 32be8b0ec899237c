"""A run that two processes play is the run of one: what is computed, and what is written.

Long proofs: benchmarks of full configs are not here; networks are tiny.
"""

import json
import os
import pathlib
import shutil

import jax
import methods
import numpy as np
import pytest
import several
from PIL import Image

from gan_jax import loop
from gan_jax.commands import evaluate, sample, translate
from gan_jax.config.experiment import restore
from gan_jax.errors import UserError
from gan_jax.runtime import metric_writer

pytestmark = pytest.mark.slow
# Of cyclegan few more than fill the pools: its gradients, of norm 16, make ten times as much of a
# rounding every few steps, and processors add in orders of their own.
STEPS = {'dcgan': 20, 'cyclegan_emoji': 6}
ROUNDING = 1e-5  # relative, of all parameters as one vector
# Of some 1,000 logits the share on the right side of 0, which a rounding of one of them changes.
SHARES = ('real_accuracy', 'fake_accuracy')
SIGN = 1.5e-3


def features(images):
    """Of each image by itself: (features [n, 3], logits [n, 2])."""
    flat = images.reshape(len(images), -1).astype(np.float32)
    values = np.stack([flat.mean(axis=1), flat.std(axis=1), flat[:, 0]], axis=1)
    return values, values[:, :2]


def config_of(name, pictures, **changes):
    half = STEPS[name] // 2
    common = {'steps': 2 * half, 'log_every': half}
    common |= {'sample_every': half, 'checkpoint_every': half, 'eval_every': half}
    common |= {'evaluation': methods.load_config(name).to_dict()['evaluation']}
    if name == 'cyclegan_emoji':
        own = {'metrics': ('sliced_wasserstein', 'cycle_error'), 'dataset': None}
        common['evaluation'] |= own
        # Of L1's kinks a rounding makes much.
        common |= {'dataset': f'unpaired:{pictures}', 'distance': 'l2', 'pool_size': 20}
    else:
        common['dataset'] = f'folder:{pictures}/train'
        common['evaluation']['features'] = f'{__name__}:features'
        common['evaluation']['metrics'] = ('sliced_wasserstein', 'frechet_distance', 'overfitting')
    # A larger rate makes these tiny networks double any rounding from step to step.
    return methods.sgd(methods.shrunk(name, **(common | changes)), learning_rate=1e-3)


def play(folder, name, pictures):
    """A run, then all that can be made of it."""
    folder = pathlib.Path(folder)
    config = config_of(name, pictures)
    loop.train(config, folder)
    if name == 'dcgan':
        files = sample.sample(folder, num=30, seed=3)
        assert [x.name for x in files] == ['seed_3.png', 'seed_3.npz', 'seed_3_interpolation.png']
        evaluate.evaluate(folder, num=20)
    else:
        read = translate.translate(folder, input=f'{pictures}/test', output=f'{folder}/translated')
        assert read == 8
    for wrong, words in (({'seed': 1}, 'config.seed: 0 there'), ({'batch_size': 12}, 'of 8, such')):
        with pytest.raises(UserError, match=words):
            loop.train(config | wrong, folder)


def go_on(folder, name, pictures):
    loop.train(config_of(name, pictures, eval_every=0), pathlib.Path(folder))


def state_of(folder, name='dcgan'):
    run = restore(folder)
    assert run.step == STEPS[name]
    return jax.tree.leaves(run.state)


def assert_same_run(one, other, name='dcgan'):
    """The same files and, up to rounding, the same in them."""
    names = [
        sorted(str(x.relative_to(y)) for x in y.rglob('*') if 'checkpoints/' not in str(x))
        for y in (one, other)
    ]
    without_time = [[x for x in y if not x.startswith('events.out.')] for y in names]
    assert without_time[0] == without_time[1]
    assert [len(x) - len(y) for x, y in zip(names, without_time, strict=True)] == [1, 1]
    steps = [sorted(os.listdir(x / 'checkpoints')) for x in (one, other)]
    assert steps[0] == steps[1] == [str(STEPS[name] // 2), str(STEPS[name])]
    assert (one / 'config.json').read_bytes() == (other / 'config.json').read_bytes()
    texts = [(x / 'metrics.jsonl').read_text().splitlines() for x in (one, other)]
    for line, other_line in zip(*texts, strict=True):
        values, others = json.loads(line), json.loads(other_line)
        assert values.keys() == others.keys()
        for key in values.keys() - {*metric_writer.TIMING}:
            bound = SIGN if key.rpartition('/')[2].startswith(SHARES) else 1e-4
            assert others[key] == pytest.approx(values[key], rel=1e-3, abs=bound), key
    for file in (x for x in without_time[0] if x.endswith('.png')):
        pixels = [np.asarray(Image.open(x / file)).astype(int) for x in (one, other)]
        assert np.abs(pixels[0] - pixels[1]).max() <= 2, file
    assert methods.relative_error(state_of(one, name), state_of(other, name)) < ROUNDING


@pytest.fixture(scope='module')
def pictures(tmp_path_factory):
    root = tmp_path_factory.mktemp('pictures')
    rng = np.random.default_rng(0)
    for split, num in (('train', 24), ('test', 4)):
        for i in range(2 * num):
            folder = root / split / 'AB'[i % 2]
            folder.mkdir(exist_ok=True, parents=True)
            pixels = rng.integers(0, 256, (methods.SIZE, methods.SIZE, 3), np.uint8)
            Image.fromarray(pixels).save(folder / f'{i:02d}.png')
    return root


@pytest.fixture(scope='module')
def dcgan(pictures, tmp_path_factory):
    """A run of 2 processes x 4 devices, and that of 1 x 8."""
    root = tmp_path_factory.mktemp('dcgan')
    several.play(play, root / 'two', 'dcgan', pictures)
    play(root / 'one', 'dcgan', pictures)
    return root / 'one', root / 'two'


def test_two_processes_play_the_run_of_one(dcgan):
    one, two = dcgan
    assert_same_run(one, two)
    found = [json.loads((x / 'evaluation.json').read_text()) for x in dcgan]
    for name, figure in found[0]['figures'].items():
        assert found[1]['figures'][name]['raw'] == pytest.approx(figure['raw'], rel=1e-3), name
    assert found[0]['settings'] == found[1]['settings']
    images = [np.load(x / 'generated' / 'seed_3.npz')['images'].astype(int) for x in dcgan]
    assert np.abs(images[0] - images[1]).max() <= 1


@pytest.mark.parametrize(('count', 'devices'), [(1, 1), (1, 8), (2, 4)])
def test_any_number_of_processes_goes_on_from_a_checkpoint(
    dcgan, pictures, tmp_path, count, devices
):
    folder = shutil.copytree(dcgan[1], tmp_path / 'run')
    shutil.rmtree(folder / 'checkpoints' / '20')
    if devices == jax.device_count():
        go_on(folder, 'dcgan', pictures)
    else:
        several.play(go_on, folder, 'dcgan', pictures, processes=count, devices=devices)
    assert sorted(os.listdir(folder / 'checkpoints')) == ['10', '20']
    error = methods.relative_error(state_of(folder), state_of(dcgan[0]))
    assert error < ROUNDING


def test_two_processes_translate_as_one_and_share_the_pools(pictures, tmp_path):
    name = 'cyclegan_emoji'
    several.play(play, tmp_path / 'two', name, pictures)
    play(tmp_path / 'one', name, pictures)
    assert_same_run(tmp_path / 'one', tmp_path / 'two', name)
