"""Runs that find what is not normal, from their training to scores of folders and of splits."""

import csv
import json
import re
import types

import jax.numpy as jnp
import methods
import numpy as np
import pytest
from absl.testing import flagsaver
from PIL import Image

from gan_jax import data, loop, modalities
from gan_jax import game as game_lib
from gan_jax.commands import main as launch
from gan_jax.commands import sample, score
from gan_jax.config import experiment as experiment_lib
from gan_jax.config import inputs, trained
from gan_jax.data import sources
from gan_jax.errors import UserError

TIMES = {'steps': 2, 'log_every': 2, 'sample_every': 2, 'checkpoint_every': 2, 'eval_every': 0}
SIDE = methods.SIZE
FIRST = {'name': 'mlp.Generator', 'features': [8]}, {'name': 'mlp.Discriminator', 'features': [8]}


def digits(num, seed, classes=3):
    """Class k has a bright band of 4 rows from row 4 k on."""
    rng = np.random.default_rng(seed)
    labels = np.arange(num) % classes
    images = rng.integers(0, 60, (num, SIDE, SIDE, 1), np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[4 * label : 4 * label + 4] += 180
    return sources.from_arrays('bands', images, labels)


@pytest.fixture(scope='module')
def bands():
    """data.load gives bands: 48 to train on, 30 to test."""
    with pytest.MonkeyPatch.context() as patch:
        load = data.load

        def loaded(dataset, *, split='train', **options):
            del dataset
            return load(digits(*((48, 0) if split == 'train' else (30, 1))), **options)

        patch.setattr(data, 'load', loaded)
        yield


@pytest.fixture
def stub(monkeypatch, tmp_path):
    """The work directory of a run whose score is how dark the band of class 1 is.

    That is the class that it was trained on. Of its second replica it is how bright the band is.
    """
    modality = modalities.make({'name': 'images', 'shape': (SIDE, SIDE, 1)})

    def anomaly(params, aux, x):
        return params['encoder']['sign'] * jnp.mean(x[:, 4:8], axis=(1, 2, 3))

    functions = {'anomaly': anomaly, 'reconstruct': lambda params, aux, x: -x}
    player = types.SimpleNamespace(params={'sign': jnp.array([-1.0, 1.0])}, ema=None)
    state = types.SimpleNamespace(players={'encoder': player}, aux={})
    settings = {'game': 'f_anogan', 'dataset': 'bands', 'seed': 0}
    settings['data'] = {'max_pixels': 10_000, 'split': 'train', 'only_classes': [1]}
    settings['evaluation'] = {'split': None, 'dataset': None}
    of = types.SimpleNamespace(
        config=settings, seeds=[0, 1], modality=modality, game=game_lib.Game(None, (), functions),
        scored=lambda split: data.load(digits(30, 1), image_size=SIDE),
    )  # fmt: skip
    monkeypatch.setattr(experiment_lib, 'restore', lambda *_: experiment_lib.Run(of, 1, state))
    return tmp_path


def config(name, **changes):
    small = methods.shrunk(name, **TIMES, **changes)
    generator, discriminator = FIRST
    small |= {'generator': generator, 'discriminator': discriminator, 'dataset': 'mnist'}
    small['data'] |= {'only_classes': (1,)}
    return small


@pytest.fixture(scope='module')
def first(bands, tmp_path_factory):
    """The first stage, of the middle band alone."""
    workdir = tmp_path_factory.mktemp('first')
    ema = {'generator': {'half_life': 10, 'ramp_up': None}}
    loop.train(config('wgan_gp', steps_per_dispatch=1, ema=ema), workdir)
    return workdir


@pytest.fixture(scope='module')
def second(first, tmp_path_factory):
    workdir = tmp_path_factory.mktemp('second') / 'run'
    assert loop.train(config('f_anogan', init_from=str(first)), workdir)
    return workdir


def rows(folder):
    with (folder / score.CSV).open() as file:
        return [*csv.DictReader(file)]


@pytest.mark.slow
def test_the_first_stages_players_stay_as_they_were(first, second):
    """The generator's running average, to the last bit; the encoder alone has moved."""
    given = game_lib.averaged(experiment_lib.restore(first).state)[0]
    run = experiment_lib.restore(second)
    assert run.experiment.game.movers == {'encoder'}
    for name in ('generator', 'discriminator'):
        methods.assert_trees_equal(given[name], run.state.players[name].params)
    fresh = run.experiment.init()
    own = run.state.players['encoder'].params
    assert methods.any_difference(fresh.players['encoder'].params, own)
    assert run.experiment.config['init_config']['game'] == 'gan'


@pytest.mark.slow
def test_pictures_of_a_run_show_what_is_lost(second):
    grid = np.asarray(Image.open(second / 'samples' / '00000002.png'))
    assert grid.shape[1] > grid.shape[0]  # three columns an example, four examples a row


def test_a_split_is_scored_with_all_its_classes(stub, capsys):
    """All others are darker in that band; of the other replica the sign is the other one."""
    assert score.score(stub) == 30
    assert capsys.readouterr().out == (
        'AUROC 1.0000, AUPRC 1.0000: bands test, 30 examples, 20 of them of other classes than 1\n'
    )
    table = rows(stub / 'scores')
    assert [row['class'] for row in table] == [str(i % 3) for i in range(30)]
    assert [row['normal'] for row in table] == [str(int(i % 3 == 1)) for i in range(30)]
    html = (stub / 'scores' / score.PAGE).read_text()
    assert html.count('<figure>') == 30
    assert re.findall(r'<th scope="row">(\d)</th><td>(\d+)</td><td>[^<]*</td><td>(\w+)', html) == [
        ('0', '10', '1'), ('1', '10', 'normal'), ('2', '10', '1')
    ]  # fmt: skip
    assert score.score(stub, replica=1, output=str(stub / 'other')) == 30
    assert capsys.readouterr().out.startswith('AUROC 0.0000, AUPRC ')
    assert score.score(stub, num=12, output=str(stub / 'few')) == 12
    whole = {row['place']: row['score'] for row in table}
    assert all(row['score'] == whole[row['place']] for row in rows(stub / 'few'))


@pytest.fixture
def folder(tmp_path):
    """Two good pictures, two damaged ones, one that is none, and what is no picture at all."""
    root = tmp_path / 'in'
    (root / 'more').mkdir(parents=True)
    pixels = np.random.default_rng(2).integers(0, 256, (SIDE, SIDE), np.uint8)
    Image.fromarray(pixels).save(root / 'grey.png')
    wide = np.random.default_rng(3).integers(0, 256, (20, 60, 3), np.uint8)
    Image.fromarray(wide).save(root / 'more' / 'wide, red.jpg')
    whole = (root / 'more' / 'wide, red.jpg').read_bytes()
    (root / 'half.jpg').write_bytes(whole[: len(whole) // 2])
    (root / 'fake.png').write_text('no picture')
    (root / 'notes.txt').write_text('no picture either')
    return root


def test_a_folder_has_a_line_for_each_file(stub, folder, tmp_path):
    assert score.score(stub, input=str(folder), output=str(tmp_path / 'out')) == 2
    table = {row['file']: row for row in rows(tmp_path / 'out')}
    assert [*table] == ['fake.png', 'grey.png', 'half.jpg', 'more/wide, red.jpg', 'notes.txt']
    problems = {name: row['problem'] for name, row in table.items()}
    good = dict.fromkeys(('grey.png', 'more/wide, red.jpg'), '')
    bad = {'fake.png': 'unreadable', 'half.jpg': 'truncated', 'notes.txt': 'not an image'}
    assert problems == good | bad
    assert {name for name, row in table.items() if row['score']} == good.keys()
    html = (tmp_path / 'out' / score.PAGE).read_text()
    assert 'half.jpg (truncated)' in html
    alone = tmp_path / 'alone'
    assert score.score(stub, input=str(folder / 'grey.png'), output=str(alone)) == 1
    assert rows(alone) == [table['grey.png']]


@pytest.mark.slow
def test_a_gans_latents_are_searched(first, folder, tmp_path):
    given = {'input': str(folder), 'output': str(tmp_path / 'out'), 'steps': 3}
    assert score.score(first, **given) == 2
    once = rows(tmp_path / 'out')
    assert score.score(first, **given, seed=1) == 2
    assert once != rows(tmp_path / 'out')


@pytest.mark.slow
def test_what_cannot_be_scored_is_told(first, second, folder, tmp_path):
    def fails(match, workdir=second, **given):
        with pytest.raises(UserError, match=match) as info:
            score.score(workdir, **given)
        assert '\n' not in str(info.value)

    fails('bands|mnist train is what this run was trained on', split='train')
    fails('is what this run was trained on', split='train[:10%]')
    fails('--steps is of a search', steps=5)
    fails('--num is of a split', input=str(folder), num=5)
    fails('does not exist; name a folder', input=str(tmp_path / 'none'))
    fails('same folder', input=str(folder), output=str(folder))
    fails('AUROC cannot be had: all of 1 examples are of one kind', num=1)
    config = json.loads((second / 'config.json').read_text())
    whole = tmp_path / 'whole'
    whole.mkdir()
    config['data']['only_classes'] = []
    (whole / 'config.json').write_text(json.dumps(config))
    (whole / 'checkpoints').symlink_to(second / 'checkpoints')
    fails('only_classes of this run is empty', workdir=whole)
    with pytest.raises(UserError, match='reconstructs examples and makes no samples'):
        sample.sample(second, num=1, seed=0)
    with pytest.raises(UserError, match='this game makes no samples'):
        experiment_lib.restore(second).experiment.evaluation(8)


@pytest.mark.slow
def test_ganomaly_is_trained_and_scored(bands, tmp_path, capsys):
    assert loop.train(config('ganomaly'), tmp_path)
    assert score.score(tmp_path) == 30
    assert capsys.readouterr().out.startswith('AUROC ')


@pytest.mark.slow
def test_constant_players_come_from_somewhere(first, tmp_path):
    with pytest.raises(UserError, match='trains no discriminator and no generator; give --config'):
        experiment_lib.build(config('f_anogan', init_from=None))
    other = tmp_path / 'other'
    assert loop.train(config('ganomaly'), other)
    game = experiment_lib.rebuild(config('f_anogan', init_from=str(first))).game
    assert trained.constant(game) == ['discriminator', 'generator']
    wanted = ({'generator': {}, 'discriminator': {}}, {})
    with pytest.raises(UserError, match=r'run has no discriminator, which this game does not tr'):
        trained.fitted('run', ({'generator': {}}, {}), wanted, trained.constant(game))


def test_the_exit_codes_are_those_of_translate(monkeypatch, capsys):
    """1 if nothing could be read; without --input nothing is missing."""
    monkeypatch.setattr(score, 'score', lambda workdir, **given: 0)
    with flagsaver.flagsaver():
        launch.parse(['launch.py', '--workdir=x', '--mode=score', '--input=in'])
        with pytest.raises(SystemExit) as ended:
            launch.run('score')
        assert ended.value.code == 1
        assert 'no picture of in could be read' in capsys.readouterr().err
        monkeypatch.setattr(score, 'score', lambda workdir, **given: 3)
        assert launch.run('score') == 0


def test_of_a_scored_split_no_class_and_no_label_is_left_out(monkeypatch):
    config = methods.load_config('semi_supervised').to_dict()
    config['data'] |= {'labelled': 20, 'only_classes': (1,)}
    asked = []
    monkeypatch.setattr(inputs, 'load_fed', lambda config, given: asked.append(config['data']))
    monkeypatch.setattr(inputs, 'as_shown', lambda config, dataset: dataset)
    inputs.load_scored(config, 'test')
    whole = {'labelled': 0, 'only_classes': (), 'split': 'test'}
    assert [{key: x[key] for key in whole} for x in asked] == [whole]
