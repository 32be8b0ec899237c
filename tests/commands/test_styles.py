"""What the command line does with a run that has styles, here linear ones."""

import logging

import linear_styles
import numpy as np
import pytest
from absl.testing import flagsaver
from PIL import Image

from gan_jax.commands import directions, project, sample
from gan_jax.commands import main as launch
from gan_jax.config import experiment
from gan_jax.errors import UserError
from gan_jax.sampling import mixing


@pytest.fixture(autouse=True)
def restored(monkeypatch):
    monkeypatch.setattr(experiment, 'restore', lambda workdir, best: linear_styles.run())
    monkeypatch.setattr(sample, 'BETWEEN', 3)
    monkeypatch.setattr(directions, 'DRAWS', 200)
    monkeypatch.setattr(project.projection, 'DRAWS', 200)


def launched(mode, workdir, *words):
    with flagsaver.flagsaver():
        launch.parse(['launch.py', f'--mode={mode}', f'--workdir={workdir}', *words])
        return launch.run(mode)


def pixels(file):
    with Image.open(file) as image:
        return np.asarray(image)


def cells(picture, columns):
    """The images of a grid, with gaps of two pixels, top left pixel of each."""
    side = (picture.shape[1] - 2) // columns
    return picture[2::side, 2::side]


def made(styles):
    return linear_styles.IMAGES.decode(
        linear_styles.synthesize(*linear_styles.variables(), np.asarray(styles))
    )


def styles_of(num, **options):
    draws = sample.sampler.draw_inputs(linear_styles.GAME, 0, num, **options)
    return np.asarray(linear_styles.to_styles(*linear_styles.variables(), draws))


@pytest.mark.slow
def test_samples_are_mixed_interpolated_in_styles_and_filmed(tmp_path):
    launched('sample', tmp_path, '--num=4', '--film=gif')
    names = ['seed_0.npz', 'seed_0.png', 'seed_0_interpolation.gif', 'seed_0_interpolation.png']
    names += ['seed_0_mixing.png']
    assert sorted(x.name for x in (tmp_path / 'generated').iterdir()) == names
    styles = styles_of(12)
    stored = np.load(tmp_path / 'generated' / names[0])['images']
    np.testing.assert_array_equal(stored, made(styles[:4]))

    grid = cells(pixels(tmp_path / 'generated' / names[-1]), 7)
    rows, columns = styles[:6], styles[6:]
    assert grid[0, 0] == 255
    np.testing.assert_array_equal(grid[0, 1:], made(columns)[:, 0, 0, 0])
    np.testing.assert_array_equal(grid[1:, 0], made(rows)[:, 0, 0, 0])
    crossed = mixing.cross(rows, columns, 1).reshape(-1, *styles.shape[1:])
    np.testing.assert_array_equal(grid[1:, 1:].ravel(), made(crossed)[:, 0, 0, 0])

    between = cells(pixels(tmp_path / 'generated' / names[3]), 10)
    start, end = styles_of(16)[:2]
    way = np.stack([start + t * (end - start) for t in np.linspace(0, 1, 10, dtype=np.float32)])
    np.testing.assert_allclose(between[0].astype(int), made(way)[:, 0, 0, 0], atol=1)
    with Image.open(tmp_path / 'generated' / names[2]) as film:
        assert film.n_frames == sample.PLACES * 3


@pytest.mark.slow
def test_samples_without_styles_are_filmed_between_latents(tmp_path, monkeypatch):
    plain = {x: linear_styles.FUNCTIONS[x] for x in ('prior', 'sample')}
    run = linear_styles.run(linear_styles.GAME._replace(functions=plain))
    monkeypatch.setattr(experiment, 'restore', lambda workdir, best: run)
    launched('sample', tmp_path, '--num=2', '--film=gif', '--truncation=0.5')
    stem = 'seed_0_truncation_0.5'
    found = sorted(x.name.removeprefix(stem) for x in (tmp_path / 'generated').iterdir())
    assert found == ['.npz', '.png', '_interpolation.gif', '_interpolation.png']
    for mode, words in (('directions', ()), ('project', (f'--input={tmp_path}', '--output=x'))):
        with pytest.raises(UserError, match='styles'):
            launched(
                mode, tmp_path, *words[:1], *(f'--output={tmp_path / "out"}' for _ in words[1:])
            )


@pytest.mark.parametrize(
    ('mode', 'words', 'said'),
    [
        ('sample', ('--film=avi',), "'avi' is unknown; the nearest valid name"),
        ('sample', ('--label=3',), '--label=3: this run knows no classes'),
        ('directions', ('--layers=1-4',), "'1-4' names no layers; give numbers from 0 to 1"),
        ('directions', ('--layers=',), 'names no layers'),
        ('project', (), '--input and --output are missing'),
        ('project', ('--input=x', '--output=y', '--space=z'), "--space 'z' is unknown"),
        ('project', ('--input=x', '--output=y', '--features=vgg'), '--features'),
    ],
)
def test_mistakes_are_named(mode, words, said, tmp_path):
    with pytest.raises(UserError, match=said):
        launched(mode, tmp_path, *words)


def test_a_label_is_one_of_the_classes():
    run = linear_styles.run(classes=10).experiment
    sample.check_label(run, 9)
    with pytest.raises(UserError, match='--label=10 is none of the classes of this run, 0 to 9'):
        sample.check_label(run, 10)


def test_layers_are_named_by_numbers_and_ranges():
    assert directions.layers_of(None, 3) == [0, 1, 2]
    assert directions.layers_of(['5', '0-2', '1'], 6) == [0, 1, 2, 5]


def test_directions_are_those_of_the_chosen_layers(tmp_path):
    launched('directions', tmp_path, '--num=2', '--layers=1')
    stem = tmp_path / 'generated' / 'seed_0_directions_layers_1'
    arrays = np.load(f'{stem}.npz')
    kernel = np.asarray(linear_styles.variables()[0]['layers'][1], np.float64)
    _, values, vectors = np.linalg.svd(kernel.T)
    np.testing.assert_allclose(arrays['eigenvalues'], values[:2] ** 2, rtol=1e-6)
    alike = np.abs(np.sum(arrays['directions'] * vectors[:2], axis=1))
    np.testing.assert_allclose(alike, 1, rtol=1e-6)
    spread = np.std(styles_of(200)[:, 0] @ arrays['directions'].T, axis=0)
    np.testing.assert_allclose(arrays['deviations'], spread, rtol=1e-4)
    picture = pixels(f'{stem}.png')
    assert len(cells(picture[16:], 7)) == 2 * directions.SEEDS
    styles = styles_of(3).copy()
    styles[:, 1] -= 3 * arrays['deviations'][0] * arrays['directions'][0]
    shown = cells(picture[16:], 7)[:3, 0].astype(int)
    np.testing.assert_allclose(shown, made(styles)[:, 0, 0, 0], atol=1)


@pytest.mark.slow
def test_the_pictures_of_a_folder_are_projected(tmp_path, caplog):
    folder, out = tmp_path / 'in', tmp_path / 'out'
    (folder / 'deep').mkdir(parents=True)
    targets = np.asarray(made(styles_of(2)))
    Image.fromarray(targets[0, ..., 0]).save(folder / 'a.png')
    Image.fromarray(targets[1, ..., 0]).resize((32, 32), 0).save(folder / 'deep' / 'b.bmp')
    (folder / 'c.png').write_text('no picture')
    with caplog.at_level(logging.INFO):
        launched('project', tmp_path, f'--input={folder}', f'--output={out}', '--steps=60')
    files = {str(x.relative_to(out)) for x in out.rglob('*') if x.is_file()}
    assert files == {'a.png', 'deep/b.bmp', 'projection.npz', 'projection.png'}
    arrays = np.load(out / 'projection.npz')
    assert arrays['names'].tolist() == ['a.png', 'deep/b.bmp']
    assert arrays['styles'].shape == (2, linear_styles.LAYERS, linear_styles.SIZE)
    np.testing.assert_allclose(arrays['styles'][0], styles_of(1)[0], atol=0.2)
    assert np.abs(pixels(out / 'a.png').astype(int) - targets[0, ..., 0]).mean() < 6
    assert (arrays['distances'] < 0.01).all()
    assert 'projected 2 of 3 files, 1 could not be read: c.png (unreadable)' in caplog.text
    assert 'compared by their pixels' in caplog.text
    assert 'a.png: distance' in caplog.text


def test_a_picture_called_as_the_grid_is_refused(tmp_path):
    (tmp_path / 'in').mkdir()
    Image.new('L', (8, 8)).save(tmp_path / 'in' / 'Projection.png')
    words = f'--input={tmp_path / "in"}', f'--output={tmp_path / "out"}'
    with pytest.raises(
        UserError, match=r'at the place of Projection\.png, which is written of all'
    ):
        launched('project', tmp_path, *words)


def test_a_folder_without_pictures_ends_with_one(tmp_path, capsys):
    (tmp_path / 'in').mkdir()
    (tmp_path / 'in' / 'c.png').write_text('no picture')
    with pytest.raises(SystemExit) as ended:
        launched('project', tmp_path, f'--input={tmp_path / "in"}', f'--output={tmp_path / "out"}')
    assert ended.value.code == 1
    assert 'no picture of' in capsys.readouterr().err
