"""Runs from Python are the command line's: the same files, arrays and figures."""

import json
import pathlib
import subprocess
import sys

import methods
import numpy as np
import pytest
from PIL import Image

import gan_jax
from gan_jax import loop
from gan_jax.commands import evaluate, sample, translate
from gan_jax.errors import UserError

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (40, methods.SIZE, methods.SIZE, 1), np.uint8)
LABELS = np.arange(40) % 4
SHORT = {'log_every': 2, 'sample_every': 0, 'checkpoint_every': 2, 'eval_samples': 16}
METRICS = ['sliced_wasserstein']
# Fast enough that samples differ after four steps.
FAST = {x: {'name': 'adam', 'learning_rate': 0.05} for x in ('generator', 'discriminator')}


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    """A conditional GAN that is handed 40 images with labels, after four steps, resumed after 2."""
    workdir = tmp_path_factory.mktemp('run')
    config = methods.shrunk('cgan', steps=2, ema={}, optimizers=FAST, **SHORT)
    gan_jax.train(config, workdir, dataset=(IMAGES, LABELS))
    return gan_jax.train(config | {'steps': 4}, str(workdir), (IMAGES, LABELS))


def test_what_was_handed_over_is_trained_on(run):
    assert run.step == 4
    assert run.config['dataset'] == 'given'
    assert run.config['modality']['classes'] == 4
    assert (run.workdir / 'report.html').exists()


def test_samples_are_those_that_the_command_writes(run):
    sample.sample(run.workdir, num=5, seed=3, label=2)
    written = np.load(run.workdir / 'generated' / 'seed_3_label_2.npz')['images']
    again = gan_jax.load(run.workdir)
    for one in (run, again):
        np.testing.assert_array_equal(one.sample(5, seed=3, label=2), written)
    assert written.dtype == np.uint8
    assert (again.sample(5, seed=3) != written).any()
    with pytest.raises(UserError, match='--label=4 is none of the classes of this run, 0 to 3'):
        again.sample(1, label=4)


def test_figures_are_those_that_the_command_writes(run, monkeypatch):
    with pytest.raises(UserError, match='handed over in Python and are not recorded'):
        gan_jax.load(run.workdir).evaluate(16, metrics=METRICS)
    again = gan_jax.load(run.workdir, dataset=(IMAGES, LABELS))
    found = again.evaluate(16, metrics=METRICS)
    assert found.keys() == {'sliced_wasserstein'}
    with monkeypatch.context() as patch:  # so that the command has the data, too
        patch.setattr(evaluate.experiment_lib, 'rebuild', lambda *_: again._run.experiment)
        evaluate.evaluate(run.workdir, num=16, changes={'metrics': METRICS})
    figures = json.loads((run.workdir / 'evaluation.json').read_text())['figures']
    assert found['sliced_wasserstein'] == figures['sliced_wasserstein']['raw']


def test_a_function_of_the_split_gives_held_out_images_too(run):
    splits = {'train': (IMAGES, LABELS), 'test': (255 - IMAGES, LABELS)}
    held_out = gan_jax.load(run.workdir, dataset=splits.get)
    alone = gan_jax.load(run.workdir, dataset=(IMAGES, LABELS))
    assert alone._run.experiment.held_out is None
    one, other = (x.evaluate(16, metrics=METRICS)['sliced_wasserstein'] for x in (held_out, alone))
    assert one != other
    with pytest.raises(UserError, match=r"split='validation': given has no such split"):
        held_out.evaluate(16, metrics=METRICS, split='validation')


@pytest.mark.parametrize(
    ('dataset', 'said'),
    [
        (IMAGES.astype(int), r'gives ndarray int64 \(40, 16, 16, 1\)'),
        (IMAGES[0, 0], r'gives ndarray uint8 \(16, 1\)'),
        ((IMAGES, LABELS[:3]), r'the labels are int64 \(3,\); one integer for each of the 40'),
        (lambda split: 1 / 0, 'config.dataset=given: division by zero'),
    ],
)
def test_what_is_no_data_set_is_refused_before_a_folder_is_made(tmp_path, dataset, said):
    with pytest.raises(UserError, match=said):
        gan_jax.train(methods.shrunk('cgan', **SHORT), tmp_path / 'run', dataset)
    assert not (tmp_path / 'run').exists()


@pytest.mark.slow
def test_translations_are_those_that_the_command_writes(tmp_path):
    config = methods.shrunk('colorization', steps=1, eval_every=0, dataset='given', **SHORT)
    colours = RNG.integers(0, 256, (20, methods.SIZE, methods.SIZE, 3), np.uint8)
    loop.train(config, tmp_path / 'run', lambda split: colours if split == 'train' else None)
    run = gan_jax.load(tmp_path / 'run')
    pictures = RNG.integers(0, 256, (2, 20, 17, 1), np.uint8)
    made = run.translate(pictures)
    assert made.shape == (2, 20, 17, 3)
    np.testing.assert_array_equal(run.translate([*pictures])[1], made[1])
    (tmp_path / 'in').mkdir()
    Image.fromarray(pictures[0, ..., 0]).save(tmp_path / 'in' / 'a.png')
    translate.translate(run.workdir, input=str(tmp_path / 'in'), output=str(tmp_path / 'out'))
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / 'out' / 'a.png')), made[0])
    with pytest.raises(UserError, match='translates; use --mode=translate'):
        run.sample(1)
    with pytest.raises(UserError, match=r'an image is float64 \(4, 4\); uint8'):
        run.translate(np.zeros((1, 4, 4, 1)))


def test_the_package_imports_nothing_before_it_is_asked():
    code = (
        'import sys, gan_jax; assert "jax" not in sys.modules; gan_jax.objectives.hinge; '
        'print([x for x in ("flax", "optax", "orbax", "PIL") if x in sys.modules]); '
        'assert "train" in dir(gan_jax); print(gan_jax.train.__module__)'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], cwd=methods.ROOT, capture_output=True, text=True
    )
    assert done.stdout.split('\n')[:2] == ['[]', 'gan_jax.commands.api'], done
    assert (pathlib.Path(gan_jax.__file__).parent / 'py.typed').exists()
