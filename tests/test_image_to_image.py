"""Translation as a user does it: train, evaluate, translate a folder, look at the page."""

import json

import methods
import numpy as np
import pytest
from PIL import Image

from gan_jax import loop
from gan_jax.commands import evaluate, sample, translate
from gan_jax.commands import report as write_report
from gan_jax.errors import UserError

SIZE = methods.SIZE
EVERY = {'steps': 2, 'log_every': 1, 'sample_every': 2, 'checkpoint_every': 2, 'eval_every': 2}


@pytest.fixture(scope='module')
def pairs(tmp_path_factory):
    """Pictures and their negatives, eight to train and four to test."""
    root = tmp_path_factory.mktemp('pairs')
    rng = np.random.default_rng(0)
    for split, num in (('train', 8), ('test', 4)):
        for i in range(num):
            pixels = rng.integers(0, 256, (SIZE, SIZE, 3), np.uint8)
            for side, content in (('A', pixels), ('B', 255 - pixels)):
                folder = root / split / side
                folder.mkdir(parents=True, exist_ok=True)
                Image.fromarray(content).save(folder / f'{i}.png')
    return root


def lines(workdir):
    return [json.loads(line) for line in (workdir / 'metrics.jsonl').read_text().splitlines()]


def translated(workdir, tmp_path, direction='a_to_b', size=(21, 30)):
    folder = tmp_path / 'in'
    folder.mkdir(exist_ok=True)
    Image.new('RGB', size, 'orange').save(folder / 'wide.png')
    (folder / 'notes.txt').write_text('not a picture')
    out = tmp_path / direction
    options = {'input': str(folder), 'output': str(out), 'direction': direction}
    assert translate.translate(workdir, **options) == 1
    assert [x.name for x in out.iterdir()] == ['wide.png']
    return Image.open(out / 'wide.png')


def held_out(pairs, i):
    """The source and the true image, enlarged to 20 pixels and cropped."""
    files = [pairs / 'test' / side / f'{i}.png' for side in 'AB']
    large = [Image.open(file).resize((20, 20), Image.Resampling.LANCZOS) for file in files]
    return np.stack([np.asarray(x, float)[2:18, 2:18] for x in large])


@pytest.mark.slow
def test_pix2pix(pairs, tmp_path):
    workdir = tmp_path / 'run'
    config = methods.shrunk('pix2pix', dataset=f'paired:{pairs}', **EVERY)
    config['data'] |= {'load_size': 20}
    config['baseline'] = {'name': 'identity', 'channels': 3}
    loop.train(config, workdir)
    found = {key for line in lines(workdir) for key in line}
    assert {'generator/l1', 'generator/adversarial', 'eval/psnr', 'eval/ssim'} <= found
    # Four examples of source, translation and true image, all in one row, four times as large.
    grid = np.asarray(Image.open(workdir / 'samples' / '00000002.png'))
    assert grid.shape == (16 + 64 + 4, 12 * (64 + 2) + 2, 3)
    cells = [grid[16 + 2 : 16 + 2 + 64, 2 + i * 66 :][:, :64] for i in range(12)]
    # What is trained on is cropped anew each time: the plain images and those that are shown.
    real = np.asarray(Image.open(workdir / 'samples' / 'real.png'))
    assert real.shape == (16 + 2 * (192 + 2) + 2, 4 * (192 + 2) + 2, 3)
    assert (real[18:210, 2:194] != real[18:210, 196:388]).any()
    for source, truth in zip(cells[0::3], cells[2::3], strict=True):
        assert np.abs(255 - source.astype(int) - truth).max() <= 8  # enlarged to 20, then cropped
    content = evaluate.evaluate(workdir, num=4)
    assert {'ema', 'raw', 'baseline'} & content['figures']['psnr'].keys() == {'raw', 'baseline'}
    want = np.mean([np.abs(np.diff(held_out(pairs, i), axis=0)) for i in range(4)]) / 127.5
    assert content['figures']['l1']['baseline'] == pytest.approx(want, rel=1e-3)
    assert translated(workdir, tmp_path).size == (21, 30)
    with pytest.raises(UserError, match="direction 'b_to_a' is unknown"):
        translate.translate(workdir, input=str(tmp_path), output='x', direction='b_to_a')
    with pytest.raises(UserError, match='use --mode=translate'):
        sample.sample(workdir, num=1, seed=0)
    page = write_report.write_report(workdir).read_text()
    assert 'id="sides"' in page
    assert 'id="blind"' not in page  # all four stand in the grids already


@pytest.mark.slow
def test_cyclegan_trains_without_pairs_and_is_judged_by_them(pairs, tmp_path):
    workdir = tmp_path / 'run'
    config = methods.shrunk('cyclegan_emoji', dataset=f'unpaired:{pairs}', **EVERY)
    config['evaluation'] |= {'dataset': f'paired:{pairs}'}
    loop.train(config, workdir)
    last = lines(workdir)[-1]
    assert {'eval/psnr', 'eval/l1', 'eval/cycle_error'} <= {k for x in lines(workdir) for k in x}
    assert np.isfinite(list(last.values())).all()
    grid = np.asarray(Image.open(workdir / 'samples' / '00000002.png'))
    assert grid.shape == (16 + 2 * (64 + 2) + 2, 12 * (64 + 2) + 2, 3)
    for direction in ('a_to_b', 'b_to_a'):
        assert translated(workdir, tmp_path, direction).size == (21, 30)


@pytest.mark.slow
def test_super_resolution_enlarges(pairs, tmp_path):
    workdir = tmp_path / 'run'
    config = methods.shrunk('super_resolution', dataset=f'folder:{pairs}/train', **EVERY)
    loop.train(config, workdir)
    assert translated(workdir, tmp_path).size == (84, 120)
    content = evaluate.evaluate(workdir, num=4)
    assert content['settings']['baseline'] == 'bicubic'
    assert np.isfinite(content['figures']['psnr']['baseline'])


@pytest.mark.parametrize(
    ('name', 'changes', 'words'),
    [
        ('pix2pix', {'output': 'residul'}, "nearest valid name is 'residual'"),
        ('pix2pix', {'reconstruction': {'charbonier': 1.0}}, "nearest valid name is 'charbonnier'"),
        ('pix2pix', {'reconstruction': {'l1': -1.0}}, 'config.reconstruction.l1=-1.0 must be'),
        ('pix2pix', {'reconstruction': 3}, "a dict of weights such as {'l1': 100.0}"),
        ('pix2pix', {'perceptual': {'weight': 1.0}}, "must be {} or {'features'"),
        (
            'pix2pix',
            {'perceptual': {'features': 'nowhere:f', 'weight': 1.0}},
            'config.perceptual.features=nowhere:f: there is no module nowhere in the current',
        ),
        ('pix2pix', {'feature_matching': -1.0}, 'config.feature_matching=-1.0 must be at least 0'),
        ('pix2pix', {'conditional': 1}, 'config.conditional=1 must be True or False'),
        ('pix2pix', {'dataset': 'mnist_5k'}, 'needs sources'),
        ('gan', {'corruption': {'name': 'greyscale'}}, 'has no use for sources'),
        ('denoising', {'corruption': {'name': 'nois'}}, "nearest valid name is 'noise'"),
        ('denoising', {'corruption': {'name': 'noise', 'sd': 1}}, 'config.corruption.stddev'),
        ('denoising', {'baseline': {'name': 'medium'}}, "nearest valid name is 'median'"),
        ('cyclegan', {'distance': 'cosin'}, "nearest valid name is 'cosine'"),
        ('cyclegan', {'cycle_weight': -1.0}, 'config.cycle_weight=-1.0 must be at least 0'),
        ('cyclegan', {'pool_size': 0.5}, 'config.pool_size=0.5 must be an integer'),
        ('cyclegan', {'cycle_wieght': 1.0}, 'did you mean config.cycle_weight?'),
        ('denoising', {'evaluation': {'metrics': ('cycle_error',)}}, 'cycle_error'),
    ],
)
def test_mistakes_are_named_before_anything_is_read(name, changes, words, tmp_path):
    config = methods.shrunk(name)
    if 'evaluation' in changes:
        changes = {'evaluation': config['evaluation'] | changes['evaluation'], 'eval_every': 2}
        changes['evaluation']['best'] = 'cycle_error'
        changes['dataset'] = 'mnist_5k'
        changes['steps'] = 2
    config |= changes
    with pytest.raises(UserError) as error:
        loop.train(config, tmp_path / 'run')
    assert words in str(error.value)
    assert '\n' not in str(error.value)
    assert not (tmp_path / 'run' / 'checkpoints').exists()
