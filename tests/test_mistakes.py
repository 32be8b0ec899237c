"""What a person gets wrong on the command line is one line that says what is right."""

import json

import command_line
import pytest


@pytest.fixture(scope='module')
def mistakes(tmp_path_factory, server):
    """Each wrong command line, what it prints and its exit code."""
    root = tmp_path_factory.mktemp('mistakes')
    (root / 'empty').mkdir()
    (root / 'file').write_text('not a folder')
    other = root / 'other'
    other.mkdir()
    (other / 'config.json').write_text(json.dumps({'seed': 3}))
    wide = 'import configs.dcgan\n\ndef get_config():\n    config = configs.dcgan.get_config()\n'
    extra = root / 'extra.py'
    extra.write_text(wide + '    config.generator.widht = 3\n    return config\n')
    top = root / 'top.py'
    top.write_text(wide + '    config.stepz = 3\n    return config\n')
    broken = root / 'broken.py'
    broken.write_text('def get_config():\n    return 1 / 0\n')
    base = ('--config=configs/dcgan.py', f'--workdir={root / "run"}')
    table = {
        'unknown key': (*base, '--config.stpes=5'),
        'unknown nested key': (*base, '--config.generator.widht=5'),
        'unknown key in a file': (f'--config={top}', base[1]),
        'unknown argument in a file': (f'--config={extra}', base[1]),
        'unknown flag': (*base, '--wrokdir=x'),
        'not a flag': (*base, 'steps=5'),
        'not a number': (*base, '--config.steps=many'),
        'missing config': (f'--config={root / "none.py"}',),
        'broken config': (f'--config={broken}',),
        'no config': (),
        'objective': (*base, '--config.objective=minmax'),
        'network': (*base, '--config.generator.name=dcgan.Generater'),
        'optimizer': (*base, '--config.optimizers.generator.name=adamm'),
        'game': (*base, '--config.game=gann'),
        'batch size': (*base, '--config.batch_size=65'),
        'negative steps': (*base, '--config.steps=-5'),
        'image size': (*base, '--config.image_size=50'),
        'augmentation': (*base, '--config.augment.scaling=2.5'),
        'missing folder': (*base, f'--config.dataset=folder:{root / "none"}'),
        'empty folder': (*base, f'--config.dataset=folder:{root / "empty"}'),
        'unprepared': (*base, '--config.dataset=kmnist', f'--config.data.data_dir={root}'),
        'unknown data set': (*base, '--config.dataset=mnits'),
        'another config': (base[0], f'--workdir={other}'),
        'unwritable': (base[0], f'--workdir={root / "file" / "run"}'),
        'sample of nothing': (f'--workdir={root / "nothing"}', '--mode=sample'),
        'metric': (*base, "--config.evaluation.metrics=('fid',)"),
        'best': (*base, '--config.evaluation.best=recall'),
        'features': (*base, '--config.evaluation.features=resnet'),
        'evaluation of nothing': (f'--workdir={root / "nothing"}', '--mode=evaluate'),
        'one set': ('--mode=evaluate', f'--real=folder:{root}'),
        'report of nothing': (f'--workdir={root / "nothing"}', '--mode=report'),
    }

    devices = {'batch size': 2}
    results = {
        name: server.run(*arguments, devices=devices.get(name, 1))
        for name, arguments in table.items()
    }
    assert not (root / 'run' / 'checkpoints').exists()
    return results


@pytest.mark.parametrize(
    ('name', 'words'),
    {
        'unknown key': ('config.stpes', 'config.steps'),
        'unknown nested key': ('config.generator.widht', 'config.generator.width'),
        'unknown key in a file': ('config.stepz', 'config.steps'),
        'unknown argument in a file': ('config.generator.widht', 'config.generator.width'),
        'unknown flag': ('wrokdir', 'workdir'),
        'not a flag': ('steps=5', '--config.steps=5'),
        'not a number': ('config.steps', 'many'),
        'missing config': ('none.py',),
        'broken config': ('broken.py', 'division by zero'),
        'no config': ('--config=dcgan',),
        'objective': ("'minmax'", "'minimax'"),
        'network': ("'dcgan.Generater'", "'dcgan.Generator'"),
        'optimizer': ("'adamm'", "'adam'"),
        'game': ("'gann'", "'gan'"),
        'batch size': ('batch_size=65', '2 devices', 'multiple of 2', '64'),
        'negative steps': ('config.steps=-5', 'at least 1'),
        'image size': ('16, 28, 32, 64, 128', '50x50', 'image_size'),
        'augmentation': ('scaling', '2.5', 'from 0 to 1'),
        'missing folder': ('none', 'does not exist'),
        'empty folder': ('empty', 'holds no images'),
        'unprepared': ('kmnist', 'download_and_prepare', 'tfds'),
        'unknown data set': ('mnits', 'did you mean mnist'),
        'another config': ('another config', 'another --workdir'),
        'unwritable': ('cannot be written', 'another --workdir'),
        'sample of nothing': ('holds no run',),
        'metric': ("'fid'", 'nearest valid name'),
        'best': ("'recall'", "'sliced_wasserstein'"),
        'features': ("'resnet'", 'inception:PATH'),
        'evaluation of nothing': ('holds no run',),
        'one set': ('--real and --fake',),
        'report of nothing': ('holds no run',),
    }.items(),
)
def test_a_mistake_is_one_line_and_exit_code_2(mistakes, name, words):
    code, printed = mistakes[name]
    assert code == 2, printed
    (line,) = command_line.lines(printed)
    assert line.startswith('gan_jax: ')
    for word in words:
        assert word in line
