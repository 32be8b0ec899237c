"""What benchmarks/augmentation.py shows to which arm, and how it compares them."""

import argparse
import json

import numpy as np
import pytest

from benchmarks import augmentation as bench
from gan_jax import data
from gan_jax.data import sources

IMAGES = np.arange(80, dtype=np.uint8)[:, None, None, None] + np.zeros((80, 8, 8, 1), np.uint8)
LABELS = np.arange(80) % 2


def test_intervals_are_students():
    """t at 0.975 is 2.776 of four degrees of freedom and 12.706 of one."""
    assert bench.interval([1.0, 2.0, 3.0, 4.0, 5.0]) == pytest.approx((3, 2.776445 * 0.5**0.5))
    assert bench.interval([0.0, 2.0]) == pytest.approx((1, 12.7062))
    mean, half = bench.interval([0.25])
    assert mean == 0.25
    assert np.isnan(half)


def test_real_images_are_as_many_as_generated_ones():
    real, fake = (IMAGES[:3], LABELS[:3]), (IMAGES[10:16], LABELS[10:16])
    images, labels = bench.halves(real, fake)
    assert images[:, 0, 0, 0].tolist() == [0, 1, 2, 0, 1, 2, 10, 11, 12, 13, 14, 15]
    assert labels.tolist() == [0, 1, 0, 0, 1, 0, 0, 1, 0, 1, 0, 1]


@pytest.fixture
def trained(monkeypatch):
    """Each classifier's pictures, labels and change; it names all images the class 0."""
    seen = []

    def train(images, labels, classes, change, *, steps, seed):
        seen.append((images[:, 0, 0, 0].tolist(), labels.tolist(), change, steps, seed))

    def accuracy(network, images, labels):
        return float(np.mean(labels == 0))

    monkeypatch.setattr(bench.classifier, 'train', train)
    monkeypatch.setattr(bench.classifier, 'network', lambda *x: None)
    monkeypatch.setattr(bench.classifier, 'accuracy', accuracy)
    return seen


def test_the_gan_sees_the_chosen_images_alone_and_no_arm_is_run_again(
    tmp_path, monkeypatch, trained
):
    shown = []

    def generated(images, labels, folder, seed, args):
        shown.append(sorted(images[:, 0, 0, 0].tolist()))
        return IMAGES[40:60], LABELS[40:60]

    monkeypatch.setattr(bench, 'generated', generated)
    whole = data.load(sources.from_arrays('halves', IMAGES, LABELS), image_size=None)
    args = argparse.Namespace(workdir=tmp_path, steps=7)
    sides = whole, (IMAGES[60:70], np.array([0] * 7 + [1] * 3))
    found = bench.cell(5, 3, sides, args)
    assert found == dict.fromkeys(bench.ARMS, 0.7)
    (real, labels, *_), *_ = trained
    assert sorted(labels) == [0] * 5 + [1] * 5
    assert [x % 2 for x in real] == labels
    assert shown == [sorted(real)] * 2
    halves = list(np.resize(real, 20)) + list(range(40, 60))
    assert [x[0] for x in trained] == [real, real, halves, halves]
    assert [x[2] is bench.unchanged for x in trained] == [True, False, True, False]
    assert {x[3:] for x in trained} == {(7, 3)}

    assert bench.cell(5, 3, sides, args) == found
    assert len(trained) == 4
    (tmp_path / '5_per_class' / 'seed_3' / 'gan.json').unlink()
    assert bench.cell(5, 3, sides, args) == found
    assert len(trained) == 5


def test_those_of_fewer_images_are_among_those_of_more_and_other_seeds_choose_others(
    tmp_path, monkeypatch, trained
):
    monkeypatch.setattr(bench, 'ARMS', ('none',))
    whole = data.load(sources.from_arrays('halves', IMAGES, LABELS), image_size=None)
    args = argparse.Namespace(workdir=tmp_path, steps=7)
    for num, seed in ((2, 0), (4, 0), (4, 1)):
        bench.cell(num, seed, (whole, (IMAGES[:2], LABELS[:2])), args)
    fewer, more, others = ({*x[0]} for x in trained)
    assert fewer < more
    assert others != more


def test_generated_images_are_made_once_as_many_of_each_class(tmp_path, monkeypatch):
    runs = []
    monkeypatch.setattr(bench, 'to_the_end', lambda config, workdir: runs.append((config, workdir)))
    monkeypatch.setattr(bench, 'generate', lambda workdir, num, seed: (IMAGES[:num], LABELS[:num]))
    args = argparse.Namespace(
        config='cgan', size=28, gan_steps=50, augmentation='diffaugment', generated=6
    )
    for _ in range(2):
        images, _ = bench.generated(IMAGES[20:24], LABELS[20:24], tmp_path, 3, args)
    np.testing.assert_array_equal(images, IMAGES[:6])
    ((config, workdir),) = runs
    assert workdir == tmp_path / 'gan'
    few = data.load(config['dataset'], image_size=None)
    assert few.fetch(np.arange(4))[:, 0, 0, 0].tolist() == [20, 22, 21, 23]
    assert few.labels.tolist() == [0, 0, 1, 1]
    assert (config['seed'], config['steps'], config['image_size']) == (3, 50, 28)
    assert config['cures']['augmentation'] == {'name': 'diffaugment'}


def test_a_set_without_a_test_split_has_a_fifth_held_out(monkeypatch):
    whole = data.load(sources.from_arrays('halves', IMAGES, LABELS), image_size=None)

    def load(name, *, image_size, split='train'):
        if split == 'test':
            raise bench.NoSplit('none')
        return whole if isinstance(name, str) else bench_load(name, image_size=image_size)

    bench_load = data.load
    monkeypatch.setattr(bench.data, 'load', load)
    kept, (images, labels) = bench.splits('halves', 8)
    assert images[:, 0, 0, 0].tolist() == list(range(0, 80, 5))
    np.testing.assert_array_equal(labels, LABELS[::5])
    assert len(kept) == 64
    assert not {*kept.fetch(np.arange(64))[:, 0, 0, 0].tolist()} & {*range(0, 80, 5)}


def test_a_folder_is_for_one_setting(tmp_path):
    for _ in range(2):
        bench.claim(tmp_path, {'steps': 5})
    with pytest.raises(SystemExit, match=r'other settings.*another --workdir'):
        bench.claim(tmp_path, {'steps': 6})
    assert json.loads((tmp_path / 'settings.json').read_text()) == {'steps': 5}


def test_the_table_has_the_differences_in_points(capsys):
    cells = {
        '5': {'none': [0.5, 0.6], 'classical': [0.6, 0.7], 'gan': [0.5, 0.7], 'both': [0.7, 0.9]}
    }
    bench.print_table(cells)
    row = capsys.readouterr().out.splitlines()[2]
    assert row.strip('| ').split(' | ') == [
        '5', '55.0%', '65.0%, +10.0 +- 0.0', '60.0%, +5.0 +- 63.5', '80.0%, +25.0 +- 63.5',
        '+15.0 +- 63.5',
    ]  # fmt: skip
