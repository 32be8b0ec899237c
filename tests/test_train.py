import json
import os
import pathlib
import signal
import types

import jax
import methods
import numpy as np
import pytest
from PIL import Image

from gan_jax import game as game_lib
from gan_jax import loop
from gan_jax.commands import sample
from gan_jax.config import inputs, saved
from gan_jax.config.experiment import build, rebuild, restore
from gan_jax.errors import UserError
from gan_jax.evaluation import evaluator
from gan_jax.modalities import images as image_modality
from gan_jax.runtime import checkpoint, metric_writer, process
from gan_jax.sampling import sampler


@pytest.fixture(scope='session')
def pictures(tmp_path_factory):
    """A small folder of pictures in two classes."""
    root = tmp_path_factory.mktemp('pictures')
    rng = np.random.default_rng(0)
    for i in range(24):
        folder = root / f'class_{i % 2}'
        folder.mkdir(exist_ok=True)
        pixels = rng.integers(0, 256, (methods.SIZE, methods.SIZE), np.uint8)
        Image.fromarray(pixels).save(folder / f'{i:02d}.png')
    return root


def small(name, pictures, **changes):
    common = {'dataset': f'folder:{pictures}', 'steps': 4, 'log_every': 2, 'sample_every': 2}
    common |= {'checkpoint_every': 2, 'eval_every': 2}
    return methods.shrunk(name, **(common | changes))


def lines(workdir):
    return [json.loads(line) for line in (workdir / 'metrics.jsonl').read_text().splitlines()]


def computed(workdir):
    """What a run computed: its lines without the timing, and its last state."""
    kept = [{k: v for k, v in x.items() if k not in metric_writer.TIMING} for x in lines(workdir)]
    config = json.loads((workdir / 'config.json').read_text())
    template = jax.eval_shape(rebuild(config).init)
    return kept, checkpoint.Checkpoints(workdir / 'checkpoints').restore(template)


# Those of the others have the same networks and data; tests/test_config.py builds them. Those that
# translate are trained in tests/test_image_to_image.py, those that reconstruct in
# tests/commands/test_score.py, the small StyleGAN2 in tests/test_readme.py.
SHARING = ('f_anogan', 'ganomaly', 'biggan', 'dragan', 'grid25', 'lsgan', 'pacgan')
SHARING += ('stylegan2', 'stylegan2_cifar10', 'stylegan2_digits', 'wgan')
OF_SOURCES = [x for x in methods.CONFIGS if inputs.sourced(methods.load_config(x).to_dict())]
TRAINED = [name for name in methods.CONFIGS if name not in (*SHARING, *OF_SOURCES)]


FAST = ('ring8',)


@pytest.mark.parametrize(
    'name', [pytest.param(x, marks=() if x in FAST else pytest.mark.slow) for x in TRAINED]
)
def test_every_config_trains_two_steps(name, pictures, tmp_path):
    if methods.load_config(name).privacy:
        pytest.importorskip('dp_accounting', reason='the extra named privacy is not here')
    dataset = methods.load_config(name).dataset
    own, size = {}, (2 * (25 * 16 + 2) + 2,) * 2
    if dataset in methods.POINTS:
        own, size = {'dataset': dataset}, (480, 480)
    elif dataset in methods.SINES:
        own, size = {'dataset': dataset}, (344, 828)
    elif dataset in methods.SOUNDS:
        own, size = {'dataset': methods.sounds(tmp_path / 'sounds')}, (710, 518)
    elif name == 'vectors':
        own, size = {'dataset': methods.table(tmp_path / 'table.npz')}, (304, 436)
    elif dataset.partition(':')[0] in methods.TEXTS:
        own, size = {'dataset': methods.words(tmp_path / 'words.txt')}, (117, 216)
    elif dataset.startswith('table:'):
        own, size = {'dataset': methods.rows(tmp_path / 'rows.csv')}, (368, 436)
    config = small(name, pictures, steps=2, eval_every=0, **own)
    config['data'] = config['data'] | {'channels': None, 'categorical': ()}
    loop.train(config, tmp_path)
    steps = [line['step'] for line in lines(tmp_path)]
    assert steps == [2]
    assert (tmp_path / 'checkpoints' / '2').is_dir()
    assert list(tmp_path.glob('events.out.*'))
    grid = np.asarray(Image.open(tmp_path / 'samples' / '00000002.png'))
    assert grid.shape == ((*size, 3) if own and dataset not in methods.SOUNDS else size)
    kept = json.loads((tmp_path / 'config.json').read_text())
    assert kept['generator'] == config['generator']


def test_the_log_says_what_was_promised(pictures, tmp_path):
    loop.train(small('gan', pictures), tmp_path)
    metrics = next(line for line in lines(tmp_path) if 'generator/loss' in line)
    for name in ('loss', 'real_logit', 'fake_logit', 'real_accuracy', 'fake_accuracy',
                 'gradient_norm', 'parameter_norm'):  # fmt: skip
        assert np.isfinite(metrics[f'discriminator/{name}'])
    assert metrics['examples_per_second'] > 0
    assert 0 <= metrics['data_wait'] < 1
    assert lines(tmp_path)[-1]['eval/sliced_wasserstein'] > 0


def test_a_run_stopped_by_sigterm_goes_on_to_the_same_end(pictures, tmp_path, monkeypatch, caplog):
    config = small('gan', pictures, steps=6, eval_every=0, checkpoint_every=0)
    config |= {'log_every': 6, 'sample_every': 6}
    loop.train(config, tmp_path / 'whole')
    add, counted = metric_writer.Means.add, []

    def add_and_stop(self, metrics):
        add(self, metrics)
        counted.append(metrics)
        if len(counted) == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(metric_writer.Means, 'add', add_and_stop)
    before = signal.getsignal(signal.SIGTERM)
    loop.train(config, tmp_path / 'stopped')
    assert signal.getsignal(signal.SIGTERM) is before
    assert sorted(os.listdir(tmp_path / 'stopped' / 'checkpoints')) == ['4']
    monkeypatch.setattr(metric_writer.Means, 'add', add)
    loop.train(config, tmp_path / 'stopped')
    (whole_lines, whole), (lines_, resumed) = (computed(tmp_path / x) for x in ('whole', 'stopped'))
    assert whole_lines == lines_
    assert whole[0] == resumed[0] == 6
    methods.assert_trees_equal(whole[1], resumed[1])
    for grid in (tmp_path / 'whole' / 'samples').iterdir():
        other = tmp_path / 'stopped' / 'samples' / grid.name
        assert grid.read_bytes() == other.read_bytes()


def test_more_steps_go_on_from_the_end(pictures, tmp_path):
    loop.train(small('gan', pictures, steps=2), tmp_path)
    loop.train(small('gan', pictures, steps=4), tmp_path)
    assert [line['step'] for line in lines(tmp_path) if 'generator/loss' in line] == [2, 4]
    loop.train(small('gan', pictures, steps=4), tmp_path)  # nothing is left to do
    assert [line['step'] for line in lines(tmp_path) if 'generator/loss' in line] == [2, 4]


def test_the_steps_after_the_last_line_are_logged_at_the_end(pictures, tmp_path):
    """And a run that then goes on has the lines of one that never ended there."""
    none = {'eval_every': 0, 'log_every': 2}
    loop.train(small('gan', pictures, steps=3, **none), tmp_path / 'run')
    assert [line['step'] for line in lines(tmp_path / 'run')] == [2, 3]
    assert np.isfinite(lines(tmp_path / 'run')[-1]['generator/loss'])
    loop.train(small('gan', pictures, steps=4, **none), tmp_path / 'run')
    loop.train(small('gan', pictures, steps=4, **none), tmp_path / 'whole')
    (first, _, last), whole = computed(tmp_path / 'run')[0], computed(tmp_path / 'whole')[0]
    assert [first, last] == whole


def test_steps_per_dispatch_change_nothing_but_the_speed(pictures, tmp_path):
    optimizers = dict.fromkeys(('generator', 'discriminator'), methods.SGD)
    config = small('gan', pictures, optimizers=optimizers, eval_every=0)
    loop.train(config, tmp_path / 'one')
    loop.train(config | {'steps_per_dispatch': 2}, tmp_path / 'two')
    (one_lines, one), (two_lines, two) = (computed(tmp_path / name) for name in ('one', 'two'))
    for x, y in zip(one_lines, two_lines, strict=True):
        assert x.keys() == y.keys()
        np.testing.assert_allclose(list(x.values()), list(y.values()), rtol=1e-4, atol=1e-6)
    methods.assert_trees_close(game_lib.current(one[1]), game_lib.current(two[1]), 1e-6)


def test_divergence_is_named_and_the_last_checkpoint_stays(pictures, tmp_path, monkeypatch):
    config = small('gan', pictures, steps=4)
    loop.train(config, tmp_path)
    before = sorted(tmp_path.joinpath('checkpoints').iterdir())
    update = game_lib.update

    def burst(*args, **kwargs):
        state, metrics = update(*args, **kwargs)
        return state, metrics | {'generator/loss': metrics['generator/loss'] / 0}

    monkeypatch.setattr(game_lib, 'update', burst)
    with pytest.raises(loop.Diverged, match=r'step 5: generator/loss not finite.*checkpoints'):
        loop.train(config | {'steps': 6}, tmp_path)
    assert sorted(tmp_path.joinpath('checkpoints').iterdir()) == before
    monkeypatch.undo()
    loop.train(config | {'steps': 6}, tmp_path)
    assert lines(tmp_path)[-1]['step'] == 6


def test_a_burst_state_is_not_saved(pictures, tmp_path, monkeypatch):
    """A NaN that no metric shows."""
    monkeypatch.setattr(loop.metric_writer, 'not_finite', lambda metrics: [])
    optimizers = {x: methods.SGD | {'learning_rate': 1e30} for x in ('generator', 'discriminator')}
    with pytest.raises(loop.Diverged, match=r'step 2: players\.\S+ is not finite'):
        loop.train(small('gan', pictures, optimizers=optimizers), tmp_path)
    assert not list((tmp_path / 'checkpoints').glob('[0-9]*'))


@pytest.mark.slow
def test_samples_depend_on_their_seed_and_place_only(pictures, tmp_path):
    loop.train(small('dcgan', pictures, steps=2), tmp_path)
    files = sample.sample(tmp_path, num=12, seed=5)
    assert [file.name for file in files] == ['seed_5.png', 'seed_5.npz', 'seed_5_interpolation.png']
    images = np.load(files[1])['images']
    assert images.shape == (12, methods.SIZE, methods.SIZE, 1)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(
        np.load(sample.sample(tmp_path, num=130, seed=5)[1])['images'][:12], images
    )
    other = np.load(sample.sample(tmp_path, num=12, seed=6)[1])['images']
    assert (other != images).any()
    cut = sample.sample(tmp_path, num=12, seed=5, truncation=0.5)
    assert cut[0].name == 'seed_5_truncation_0.5.png'
    assert (np.load(cut[1])['images'] != images).any()
    strip = np.asarray(Image.open(files[2]))
    assert strip.shape == (8 * (5 * 16 + 2) + 2, 10 * (5 * 16 + 2) + 2)


@pytest.mark.slow
def test_samples_come_from_the_running_average(pictures, tmp_path):
    fast = {'name': 'adam', 'learning_rate': 0.05}
    optimizers = {'generator': fast, 'discriminator': fast}
    loop.train(small('dcgan', pictures, optimizers=optimizers), tmp_path)
    run = restore(tmp_path)
    inputs = sampler.draw_inputs(run.experiment.game, 1, 4)
    make = sampler.make_sampler(run.experiment.game, run.experiment.modality)
    want = make(*game_lib.averaged(run.state), inputs)
    np.testing.assert_array_equal(
        np.load(sample.sample(tmp_path, num=4, seed=1)[1])['images'], want
    )
    assert (make(*game_lib.current(run.state), inputs) != want).any()


def test_sampling_without_a_run_says_what_to_do(tmp_path, pictures):
    with pytest.raises(UserError, match='holds no run'):
        sample.sample(tmp_path, num=1, seed=0)
    saved.prepare(tmp_path, build(small('gan', pictures)).config)
    with pytest.raises(UserError, match='no checkpoint yet'):
        sample.sample(tmp_path, num=1, seed=0)


@pytest.mark.slow
def test_a_uniform_prior_cannot_be_truncated(pictures, tmp_path):
    loop.train(small('gan', pictures, steps=2, latent={'name': 'uniform', 'size': 4}), tmp_path)
    with pytest.raises(UserError, match='cannot be drawn so'):
        sample.sample(tmp_path, num=2, seed=0, truncation=0.5)
    with pytest.raises(UserError, match='cannot be drawn so'):
        sample.sample(tmp_path, num=2, seed=0, truncation=-1.0)


def test_another_config_is_refused_and_nothing_is_lost(pictures, tmp_path):
    loop.train(small('gan', pictures, steps=2), tmp_path)

    def kept():  # all but the record of who held the lock last
        return [x for x in tmp_path.rglob('*') if x.is_file() and x.name != 'lock']

    before = {x: x.read_bytes() for x in kept()}
    with pytest.raises(UserError, match=r'config\.seed: 0 there, 1 now.*another --workdir'):
        loop.train(small('gan', pictures, steps=2, seed=1), tmp_path)
    assert before == {x: x.read_bytes() for x in kept()}


def test_the_best_checkpoint_is_kept(pictures, tmp_path, monkeypatch):
    values = iter([3.0, 1.0, 2.0, 5.0])

    def found(params, aux):
        return evaluator.Found({'sliced_wasserstein': next(values)})

    monkeypatch.setattr(evaluator, 'of_game', lambda *_: found)
    loop.train(small('gan', pictures, steps=8), tmp_path)
    kept = sorted(int(x.name) for x in (tmp_path / 'checkpoints').iterdir() if x.name.isdigit())
    assert kept == [4, 6, 8]
    config = json.loads((tmp_path / 'config.json').read_text())
    template = jax.eval_shape(rebuild(config).init)
    checkpoints = checkpoint.Checkpoints(tmp_path / 'checkpoints')
    assert checkpoints.restore(template, best=True)[0] == 4
    assert checkpoints.restore(template)[0] == 8


class Kept:
    """Checkpoints that hold one of this progress; None is left if it is damaged."""

    def __init__(self, progress):
        self.progress = progress

    def restore(self, template, accept):
        try:
            accept(self.progress)
        except (KeyError, TypeError, ValueError):
            return None
        return 4, 'kept', self.progress


@pytest.fixture
def begun():
    """(what a run is restored with, what its batches were told)."""
    told = []
    experiment = types.SimpleNamespace(dataset=[0] * 6, init=lambda: 0, begin=lambda: 'new')
    batches = types.SimpleNamespace(set_state=lambda state: told.append(state['next_index']))
    return (experiment, batches, pathlib.Path('run')), told


PROGRESS = {'data': {'next_index': 4}, 'means': {'x': [0.5, 2]}, 'examples': 6}


@pytest.mark.parametrize(('cores', 'warned'), [({'cores': 2}, 1), ({'cores': 1}, 0), ({}, 0)])
def test_another_number_of_cores_is_warned_of(begun, monkeypatch, caplog, cores, warned):
    """A checkpoint of an earlier version does not have it."""
    monkeypatch.setattr(process, 'cores', lambda: 1)
    step, _, progress = loop._restore(Kept(PROGRESS | cores), *begun[0])
    assert (step, progress['examples'], begun[1]) == (4, 6, [4])
    warnings = [x.message for x in caplog.records if x.levelname == 'WARNING']
    assert len(warnings) == warned
    assert all('on 2 cores and there are 1 now' in x for x in warnings)


@pytest.mark.parametrize(
    'progress',
    [
        *({k: v for k, v in PROGRESS.items() if k != key} for key in PROGRESS),
        PROGRESS | {'data': {'next_indey': 4}},
        PROGRESS | {'data': [4]},
        PROGRESS | {'means': {'x': 0.5}},
        PROGRESS | {'means': {'x': [0.5]}},
        PROGRESS | {'means': {'x': [0.5, '2']}},
        PROGRESS | {'examples': '6'},
    ],
    ids=str,
)
def test_progress_that_cannot_be_gone_on_with_is_damage(begun, progress):
    assert loop._restore(Kept(PROGRESS), *begun[0])[:2] == (4, 'kept')
    assert loop._restore(Kept(progress), *begun[0]) == (0, 'new', {})


def grey(images):
    """Features that are not finite of images that have no black pixel, as generated ones."""
    features = images.reshape(len(images), -1)[:, :3].astype(np.float32)
    return np.where(images.min(axis=(1, 2, 3))[:, None] < 30, features, np.nan), features


@pytest.mark.parametrize('seeds', [1, pytest.param(2, marks=pytest.mark.slow)])
def test_an_evaluation_that_cannot_be_had_is_logged_and_the_run_goes_on(
    pictures, tmp_path, caplog, seeds
):
    config = small('gan', pictures, checkpoint_every=0, num_replicas=seeds)
    config['evaluation'] |= {
        'metrics': ('sliced_wasserstein', 'precision_recall'), 'best': 'recall',
        'features': 'test_train:grey',
    }  # fmt: skip
    assert loop.train(config, tmp_path)
    text = (tmp_path / 'metrics.jsonl').read_text().splitlines()
    strict = [json.loads(line, parse_constant=pytest.fail) for line in text]
    evaluated = [x for x in strict if 'eval/sliced_wasserstein' in x]
    assert [x['step'] for x in evaluated] == [2, 4]
    for line in evaluated:
        assert line['eval/recall[grey]'] is None
        assert 'features of grey: ' in line['missing']['eval/recall[grey]']
        assert line['eval/sliced_wasserstein'] > 0
    assert 'step 2: eval/recall[grey] is missing: features of grey: ' in caplog.text
    kept = sorted(x.name for x in (tmp_path / 'checkpoints').iterdir() if x.name.isdigit())
    assert kept == ['2', '4']


def test_too_few_images_for_a_metric_are_told_before_the_first_step(pictures, tmp_path):
    config = small('gan', pictures, eval_samples=3)
    config['evaluation'] |= {'metrics': ('precision_recall',), 'best': 'recall'}
    with pytest.raises(UserError, match='precision_recall needs 4 real examples or more'):
        loop.train(config, tmp_path)


def test_the_grid_is_row_by_row():
    images = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 3, 1), np.uint8)
    grid = image_modality.grid(images, gap=1)
    assert grid.shape == (2 * 3 + 1, 3 * 4 + 1, 1)
    assert grid[1, 1] == 0
    assert grid[1, 5] == 1
    assert grid[4, 5] == 4
    assert grid[4, 9] == 255  # empty
