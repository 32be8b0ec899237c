"""A small run and small sets of images, evaluated and reported as a person would."""

import json
import shutil

import methods
import numpy as np
import pytest
from PIL import Image

from gan_jax import data
from gan_jax.commands import evaluate
from gan_jax.commands import report as write_report
from gan_jax.config.experiment import restore
from gan_jax.errors import UserError
from gan_jax.loop import train

NETWORK = 'evaluation.test_evaluator:NETWORK'


@pytest.fixture(scope='module')
def workdir(tmp_path_factory):
    """Two seeds of the smallest GAN on mnist_5k, evaluated by features while they train."""
    folder = tmp_path_factory.mktemp('run')
    config = methods.shrunk('gan', num_replicas=2, steps=4)
    config |= {'sample_every': 2, 'eval_every': 2, 'log_every': 2, 'checkpoint_every': 2}
    config['evaluation'] |= {
        'metrics': ('frechet_distance', 'precision_recall'), 'best': 'recall', 'features': NETWORK
    }  # fmt: skip
    assert train(config, folder)
    return folder


@pytest.fixture(scope='module')
def found(workdir, tmp_path_factory):
    cache = tmp_path_factory.mktemp('cache')
    return evaluate.evaluate(workdir, num=120, cache=cache)


def test_a_run_is_evaluated_by_features_while_it_trains(workdir):
    lines = [json.loads(x) for x in (workdir / 'metrics.jsonl').read_text().splitlines()]
    evaluated = [x for x in lines if 'eval/recall[quarters]' in x]
    assert [x['step'] for x in evaluated] == [2, 4]
    each = [evaluated[0][f'eval/frechet_distance[quarters]/seed_{s}'] for s in (0, 1)]
    assert evaluated[0]['eval/frechet_distance[quarters]'] == pytest.approx(np.mean(each))


def test_what_evaluation_json_holds(workdir, found):
    assert json.loads((workdir / 'evaluation.json').read_text()) == found
    settings = found['settings']
    assert settings['features'] == 'quarters'
    assert settings['features_digest'] == 'abc'
    assert settings['generated'] == 120
    assert settings['split'] == 'train'
    assert settings['floor'] == '120 others of train against 120 of train'
    assert settings['seeds'] == [0, 1]
    row = found['figures']['frechet_distance[quarters]']
    assert row['ema'] != row['raw']
    assert row['real'] < row['ema']  # nothing was learned in four steps
    assert row['better'] == 'less'
    assert row['ema'] == pytest.approx(np.mean(found['each_seed']['frechet_distance[quarters]']))
    assert row['stderr'] > 0
    assert 'memorised[quarters]' not in found['figures']
    assert found['best']['figure'] == 'recall[quarters]'
    assert found['best']['last']['step'] == 4


def test_a_second_evaluation_is_the_same_to_the_last_digit(workdir, found, tmp_path, capsys):
    assert evaluate.evaluate(workdir, num=120, cache=tmp_path) == found
    table = capsys.readouterr().out
    assert '120 samples against 120 images of mnist_5k, train; features: quarters' in table
    for name in found['figures']:
        assert name in table


def test_metrics_can_be_chosen_and_mistakes_are_named(workdir, capsys):
    done = []
    changes = {'metrics': ['sliced_wasserstein']}
    one = evaluate.evaluate(workdir, num=20, changes=changes, then=done.append)
    assert 'dataset' in done[0].__dict__  # read already
    assert list(one['figures']) == ['sliced_wasserstein']
    assert one['settings']['features'] is None
    assert 'features' not in capsys.readouterr().out
    with pytest.raises(UserError, match="--metrics 'fid' is unknown"):
        evaluate.evaluate(workdir, num=20, changes={'metrics': ['fid']})
    with pytest.raises(UserError, match="no split but 'train'"):
        evaluate.evaluate(workdir, num=20, changes={'split': 'test'})
    with pytest.raises(UserError, match='numpy has no nothing; did you mean numpy:'):
        evaluate.evaluate(workdir, num=20, changes={'features': 'numpy:nothing'})


def test_of_usual_metrics_those_of_more_samples_are_left_out_with_a_warning(workdir, caplog):
    experiment = restore(workdir).experiment
    kept = evaluate.chosen_metrics(experiment, {}, 5)
    assert 'precision_recall' in kept
    assert not {*kept} & {'density_coverage', 'memorised'}
    assert 'density_coverage needs 6 real examples or more, and there are 5; it is left' in (
        caplog.text
    )
    changes = {'features': 'inception:nowhere', 'metrics': ['density_coverage']}
    with pytest.raises(UserError, match='density_coverage needs 6 real'):
        evaluate.evaluate(workdir, num=5, changes=changes)


def test_the_report_of_a_run(workdir, found):
    first = write_report.write_report(workdir)
    assert first == workdir / 'report.html'
    before = first.read_bytes()
    file = write_report.write_report(workdir, replica=1)
    assert file == workdir / 'report_replica_1.html'
    assert first.read_bytes() == before
    page = file.read_text()
    assert 'step 4, pictures of seed 1, figures are means of 2 seeds</h1>' in page
    for section in ('curves', 'grids', 'interpolation', 'sides', 'nearest', 'blind', 'config'):
        assert f'id="{section}"' in page, section
    assert 'frechet_distance[quarters]' in page
    with pytest.raises(UserError, match=r'--replica=2: .* has 2'):
        write_report.write_report(workdir, replica=2)


def images(seed, num=30, size=8):
    return np.random.default_rng(seed).integers(0, 256, (num, size, size, 3), np.uint8)


def folder(path, pictures):
    path.mkdir()
    for i, picture in enumerate(pictures):
        Image.fromarray(picture).save(path / f'{i:02d}.png')
    return f'folder:{path}'


def test_a_folder_and_an_array_of_the_same_images_are_at_zero(tmp_path):
    real = folder(tmp_path / 'real', images(0))
    np.savez(tmp_path / 'fake.npz', images=images(0))
    changes = {'features': NETWORK}
    fake = str(tmp_path / 'fake.npz')
    same = evaluate.evaluate_sets(tmp_path, real, fake, num=100, changes=changes)
    figures = same['figures']
    assert figures['frechet_distance[quarters]']['raw'] == pytest.approx(0, abs=1e-9)
    assert figures['precision[quarters]']['raw'] == figures['recall[quarters]']['raw'] == 1
    assert same['settings']['real_images'] == same['settings']['generated'] == 30
    assert json.loads((tmp_path / 'evaluation.json').read_text()) == same
    # All real images are the reference: none are left to be compared with it.
    assert same['settings']['floor'] == 'none, there are 0 others and 30 samples'
    assert all(row['real'] is None for row in figures.values())


def test_the_floor_is_of_as_many_images_on_both_sides(tmp_path):
    """Real images in place of samples: their figures are as the floor, not half of it."""
    pool = images(0, 1200)
    np.savez(tmp_path / 'real.npz', images=pool[:800])
    np.savez(tmp_path / 'fake.npz', images=pool[800:])
    names = [str(tmp_path / f'{x}.npz') for x in ('real', 'fake')]
    changes = {'features': NETWORK, 'metrics': ['frechet_distance', 'precision_recall']}
    found = evaluate.evaluate_sets(tmp_path, *names, num=400, changes=changes)
    assert found['settings']['floor'].startswith('400 others of ')
    for name, row in found['figures'].items():
        bound = 'floor' if 'frechet' in name else 'ceiling'
        assert row['better'] == {'floor': 'less', 'ceiling': 'more'}[bound]
        assert row['raw'] == pytest.approx(row['real'], rel=0.5), name


def nan_of_black(images):
    features = images.reshape(len(images), -1)[:, :4].astype(np.float32)
    return np.where(images.max(axis=(1, 2, 3))[:, None] > 0, features, np.nan), features


def test_figures_that_cannot_be_had_are_null_with_the_reason(tmp_path):
    real = folder(tmp_path / 'real', images(0))
    black = folder(tmp_path / 'black', 0 * images(0))
    changes = {'features': 'commands.test_evaluate:nan_of_black'}
    changes['metrics'] = ['frechet_distance', 'sliced_wasserstein']
    found = evaluate.evaluate_sets(tmp_path, real, black, num=100, changes=changes)

    def refuse(constant):
        raise AssertionError(constant)

    text = (tmp_path / 'evaluation.json').read_text()
    assert json.loads(text, parse_constant=refuse) == found
    assert found['figures']['frechet_distance[nan_of_black]']['raw'] is None
    assert found['figures']['sliced_wasserstein']['raw'] > 0
    reason = found['missing']['frechet_distance[nan_of_black]']
    assert 'features of nan_of_black: 30 of 30 are not finite' in reason
    assert any('is missing' in x for x in found['warnings'])


def test_a_work_directory_that_cannot_be_written_is_told_before_anything_is_read(tmp_path):
    (tmp_path / 'file').write_text('no folder')
    with pytest.raises(UserError, match=r'file/x cannot be written .* give another --workdir'):
        evaluate.evaluate_sets(tmp_path / 'file' / 'x', 'no:set', 'no:set', num=9)


def test_metrics_that_two_sets_cannot_have_are_told_before_the_network_is_loaded(tmp_path):
    real, fake = (folder(tmp_path / x, images(i, 3)) for i, x in enumerate('ab'))
    for metric, said in (
        ('memorised', 'needs train_features'), ('path_length', 'needs path_examples'),
        ('precision_recall', 'needs 4 real examples or more, and there are 3'),
    ):  # fmt: skip
        changes = {'features': 'inception:nowhere', 'metrics': [metric]}
        with pytest.raises(UserError, match=f'the metric {metric} {said}'):
            evaluate.evaluate_sets(tmp_path, real, fake, num=100, changes=changes)


@pytest.mark.parametrize(
    ('fake', 'said'),
    [
        ('small', 'make them alike'),
        ('mixed', '2 sizes .6x6, 8x8'),
        ('none', 'does not exist'),
        ('floats.npz', 'uint8'),
        ('wide.npz', 'not squares'),
        ('broken.npz', 'cannot be read'),
    ],
)
def test_sets_that_cannot_be_compared(tmp_path, fake, said):
    real = folder(tmp_path / 'real', images(0))
    folder(tmp_path / 'small', images(0, size=9))
    folder(tmp_path / 'mixed', [*images(0, 2), *images(1, 2, 6)])
    np.savez(tmp_path / 'floats.npz', images(0) / 255)
    np.savez(tmp_path / 'wide.npz', images(0)[:, :4])
    (tmp_path / 'broken.npz').write_bytes(b'PK')
    name = str(tmp_path / fake) if fake.endswith('.npz') else f'folder:{tmp_path / fake}'
    with pytest.raises(UserError, match=said):
        evaluate.evaluate_sets(tmp_path, real, name, num=100, changes={'features': NETWORK})


def test_a_folder_that_cannot_be_written_is_found_before_anything_is_computed(
    workdir, tmp_path, monkeypatch
):
    monkeypatch.setattr(data, 'load_as_is', lambda *_: pytest.fail('loaded'))
    monkeypatch.setattr(evaluate.evaluator, 'build', lambda *_, **__: pytest.fail('gathered'))
    (tmp_path / 'file').write_text('no folder')
    with pytest.raises(UserError, match=r'cannot be written \(.*\); give another --workdir'):
        evaluate.evaluate_sets(tmp_path / 'file', 'folder:x', 'folder:y', num=9)
    copied = shutil.copytree(workdir, tmp_path / 'run', ignore=shutil.ignore_patterns('*.html'))
    for name in (evaluate.FILE, write_report.FILE):
        (copied / name).unlink(missing_ok=True)
        (copied / name).mkdir()
    for command in (lambda: evaluate.evaluate(copied, num=9),
                    lambda: write_report.write_report(copied)):  # fmt: skip
        with pytest.raises(UserError, match=r'cannot be written \(it is a folder\); make it'):
            command()
