"""A run of two seeds on points: what it leaves, what is sampled from it, its animation."""

import json
import os
import shutil

import methods
import numpy as np
import pytest
from PIL import Image

from gan_jax.commands import sample
from gan_jax.errors import UserError
from gan_jax.loop import train


@pytest.fixture(scope='module')
def workdir(tmp_path_factory):
    folder = tmp_path_factory.mktemp('ring')
    config = methods.shrunk('ring8', num_replicas=2, seed=5, steps=4)
    config['data'] = config['data'] | {'channels': None}
    config |= {'sample_every': 2, 'eval_every': 4, 'log_every': 2, 'checkpoint_every': 4}
    train(config, folder)
    return folder


def test_each_seed_is_logged_and_pictured(workdir):
    lines = [json.loads(x) for x in (workdir / 'metrics.jsonl').read_text().splitlines()]
    for line, names in ((lines[0], ['discriminator/loss']), (lines[-1], ['eval/modes'])):
        for name in names:
            each = [line[f'{name}/seed_{seed}'] for seed in (5, 6)]
            assert line[name] == pytest.approx(np.mean(each), rel=1e-6)
    assert 'eval/high_quality/stderr' in lines[-1]
    assert 'eval/reverse_kl' in lines[-1]
    names = {file.name for file in (workdir / 'samples').iterdir()}
    assert names == {'real.png'} | {
        f'0000000{step}_seed_{seed}.png' for step in (2, 4) for seed in (5, 6)
    }


def test_each_seed_is_sampled_by_its_place(workdir):
    points = []
    for replica in (0, 1):
        picture, arrays = sample.sample(workdir, num=7, seed=0, replica=replica)
        assert arrays.name == f'seed_0_replica_{replica}.npz'
        assert Image.open(picture).size == (480, 480)
        points.append(np.load(arrays)['points'])
        assert points[-1].shape == (7, 2)
        assert points[-1].dtype == np.float32
    assert not np.array_equal(*points)
    with pytest.raises(UserError, match=r'--replica=2: .* has 2'):
        sample.sample(workdir, num=7, seed=0, replica=2)


def test_a_folder_that_cannot_be_written_is_found_before_samples_are_made(
    workdir, tmp_path, monkeypatch
):
    copied = shutil.copytree(workdir, tmp_path / 'run', ignore=shutil.ignore_patterns('generated'))
    (copied / 'generated').write_text('no folder')
    monkeypatch.setattr(sample.sampler, 'draw_inputs', lambda *_: pytest.fail('drawn'))
    monkeypatch.setattr(sample.animation, 'animate', lambda *_: pytest.fail('animated'))
    for command in (lambda: sample.sample(copied, num=7, seed=0), lambda: sample.animate(copied)):
        with pytest.raises(
            UserError, match=r'generated cannot be written \(.*\); make it writable'
        ):
            command()


def test_the_pictures_become_an_animation(workdir):
    file = sample.animate(workdir, replica=1)
    assert file == workdir / 'generated' / 'training_replica_1.gif'
    with Image.open(file) as animation:
        assert animation.n_frames == 2
    with pytest.raises(UserError, match=r'--replica=9'):
        sample.animate(workdir, replica=9)


def test_a_run_without_pictures_cannot_be_animated(workdir, tmp_path):
    (tmp_path / 'config.json').write_text((workdir / 'config.json').read_text())
    with pytest.raises(UserError, match='has no pictures'):
        sample.animate(tmp_path)


def test_broken_pictures_are_left_out_of_an_animation(workdir, tmp_path, caplog):
    (tmp_path / 'config.json').write_text((workdir / 'config.json').read_text())
    folder = tmp_path / 'samples'
    folder.mkdir()
    for step, size in ((1, 50), (4, 60), (5, 60)):  # the first of an earlier version
        Image.new('RGB', (size, size), (step * 40, 0, 0)).save(folder / f'{step:08d}_seed_5.png')
    whole = (folder / '00000005_seed_5.png').read_bytes()
    (folder / '00000002_seed_5.png').write_bytes(b'')
    (folder / '00000003_seed_5.png').write_bytes(b'no picture')
    (folder / '00000006_seed_5.png').write_bytes(whole[: len(whole) // 2])
    os.mkfifo(folder / '00000007_seed_5.png')
    with Image.open(sample.animate(tmp_path)) as animation:
        assert animation.n_frames == 2
        assert animation.size == (60, 60)
    said = [x.getMessage() for x in caplog.records if x.levelname == 'WARNING']
    assert len(said) == 2
    assert said[0].endswith('00000002_seed_5.png and 3 more left out: no whole picture')
    assert said[1].startswith('1 pictures left out')
    for file in folder.glob('0000000[145]_*'):
        file.write_bytes(b'')
    with pytest.raises(UserError, match='has no whole pictures'):
        sample.animate(tmp_path)
