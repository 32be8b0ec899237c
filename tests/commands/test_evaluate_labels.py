"""A small conditional run with its figures of labels, and runs that are asked for them in vain."""

import json

import flax.linen as nn
import jax
import jax.numpy as jnp
import methods
import numpy as np
import pytest

from gan_jax import networks
from gan_jax.commands import evaluate, sample
from gan_jax.commands import report as write_report
from gan_jax.config import experiment, saved
from gan_jax.errors import UserError
from gan_jax.evaluation import labels
from gan_jax.loop import train
from gan_jax.networks import mlp
from gan_jax.networks.features import FeatureNetwork
from gan_jax.runtime import checkpoint

OF_LABELS = [f'{x}[tenths]' for x in (
    'conditional_precision', 'conditional_recall', 'intra_class_frechet_distance', 'label_accuracy',
)]  # fmt: skip


def project(images):
    """Ten features of an image, which are its logits, too."""
    flat = images.reshape(len(images), -1)[:, :60].reshape(len(images), 10, 6)
    return (tenths := flat.astype(np.float32).mean(axis=2) / 255), tenths


NETWORK = FeatureNetwork('tenths', 'abc', 'none', project)


class Told(nn.Module):
    """A generator, or with a logit a discriminator, of examples and their labels."""

    shape: tuple
    classes: int
    logit: bool = False

    @nn.compact
    def __call__(self, x, label, train):
        told = jnp.concatenate([x.reshape(len(x), -1), jax.nn.one_hot(label, self.classes)], -1)
        player = mlp.Discriminator if self.logit else mlp.Generator
        return player(self.shape, [8])(told, train)


@pytest.fixture(scope='module')
def config():
    """Of which a figure of labels chooses the best."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networks.mlp, 'Told', Told, raising=False)
        patch.setattr(Told, '__module__', mlp.__name__)
        config = methods.shrunk('gan', steps=2, eval_samples=200)
        for player in ('generator', 'discriminator'):
            config[player] = {'name': 'mlp.Told', 'logit': player == 'discriminator'}
        times = ('sample_every', 'eval_every', 'log_every', 'checkpoint_every')
        config |= dict.fromkeys(times, 2)
        config['evaluation'] |= {
            'metrics': ('label_accuracy', 'intra_class_frechet_distance'),
            'best': 'label_accuracy',
            'features': 'commands.test_evaluate_labels:NETWORK',
        }
        config['modality'] = config['modality'] | {'classes': 10}
        yield config


@pytest.fixture(scope='module')
def workdir(config, tmp_path_factory):
    """A run before its first step."""
    folder = tmp_path_factory.mktemp('conditional')
    saved.prepare(folder, config)
    checkpoints = checkpoint.Checkpoints(folder / saved.CHECKPOINTS)
    checkpoints.save(1, jax.tree.map(np.asarray, experiment.rebuild(config).init()), {}, {})
    checkpoints.close()
    return folder


@pytest.fixture(scope='module')
def found(workdir, tmp_path_factory):
    cache = tmp_path_factory.mktemp('cache')
    return evaluate.evaluate(workdir, num=200, changes={'metrics': labels.USUAL}, cache=cache)


@pytest.mark.slow
def test_a_conditional_run_is_judged_by_labels_while_it_trains(config, tmp_path):
    assert train({**config, 'modality': {}}, tmp_path)
    line = json.loads((tmp_path / 'metrics.jsonl').read_text().splitlines()[-1])
    assert 0 <= line['eval/label_accuracy[tenths]'] <= 1
    assert line['eval/intra_class_frechet_distance[tenths]'] > 0
    assert not [x for x in line if 'confusion' in x]
    usual = evaluate.evaluate(tmp_path, num=200, cache=tmp_path)
    assert {*OF_LABELS} < {*usual['figures']}
    assert f'{usual["figures"]["label_accuracy[tenths]"]["ema"]:.1%} of 200 samples' in (
        write_report.write_report(tmp_path).read_text()
    )


def test_figures_of_labels_have_a_floor_or_a_ceiling_and_the_accuracy_an_error(found):
    for name in OF_LABELS:
        row = found['figures'][name]
        assert row['better'] == ('less' if 'distance' in name else 'more')
        assert row['real'] is not None
    distance = found['figures']['intra_class_frechet_distance[tenths]']
    assert distance['real'] < distance['ema']  # nothing was learned yet
    share = found['figures']['label_accuracy[tenths]']
    assert share['stderr'] == pytest.approx((share['ema'] * (1 - share['ema']) / 200) ** 0.5)


def test_the_table_is_of_all_samples(workdir, found):
    counts = np.array(found['confusion']['counts'])
    assert found['confusion']['names'] == [str(i) for i in range(10)]
    run = experiment.restore(workdir)
    against = run.experiment.evaluation(200)
    drawn = np.asarray(run.experiment.evaluated(against, run.experiment.seeds[0], 200)['label'])
    np.testing.assert_array_equal(counts.sum(axis=1), np.bincount(drawn, minlength=10))
    share = found['figures']['label_accuracy[tenths]']['ema']
    assert np.trace(counts) / 200 == pytest.approx(share)


@pytest.mark.slow
def test_samples_of_all_classes_are_pictured_by_class(workdir):
    """Without ways between classes, since one-hot numbers cannot be mixed."""
    files = sample.sample(workdir, num=4, seed=0)
    endings = [x.name.removeprefix('seed_0') for x in files]
    assert endings == ['.png', '.npz', '_interpolation.png', '_classes.png']
    alone = sample.sample(workdir, num=4, seed=0, label=3)
    assert [x.name for x in alone][2:] == ['seed_0_label_3_interpolation.png']


def test_too_few_samples_of_a_class_are_left_out_or_refused(workdir, caplog):
    run = experiment.restore(workdir).experiment
    kept = evaluate.chosen_metrics(run, {}, 30)
    assert not {*kept} & {'conditional_precision_recall', 'intra_class_frechet_distance'}
    assert 'label_accuracy' in kept
    assert 'conditional_precision_recall needs 4' in caplog.text
    with pytest.raises(UserError, match='needs 4 generated examples or more of each class, and '):
        run.evaluation(30, ['conditional_precision_recall'])
    enough = evaluate.chosen_metrics(run, {}, 200)
    assert {*labels.USUAL} <= {*enough}


def test_networks_of_other_classes_are_asked_for_no_accuracy(workdir):
    run = experiment.restore(workdir).experiment
    config = {**run.config, 'evaluation': {**run.config['evaluation'], 'features': 'inception:x'}}
    other = experiment.rebuild(config)
    kept = evaluate.chosen_metrics(other, {}, 200)
    assert 'label_accuracy' not in kept
    assert 'intra_class_frechet_distance' in kept
    with pytest.raises(UserError, match=r'label_accuracy: the classes of inception:x.*=classifier'):
        other.evaluation(200, ['label_accuracy'])


def test_a_run_without_labels_says_what_has_them():
    run = experiment.rebuild(methods.shrunk('gan'))
    assert not {*evaluate.chosen_metrics(run, {}, 200)} & {*labels.USUAL}
    for name in labels.USUAL:
        with pytest.raises(UserError, match=r'networks that ask for a label make.*; leave it out'):
            run.check_metrics([name])
