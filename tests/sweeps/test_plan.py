import json

import numpy as np
import pytest
from etils import epath

from gan_jax.errors import UserError
from gan_jax.sweeps import plan

GAN = 'configs/gan.py'


def start(workdir):
    return 'python', 'launch.py', f'--config={GAN}', f'--workdir={workdir}'


def planned(folder, *spaces, name=GAN, changes=()):
    return plan.plan(name, spaces, epath.Path(folder), changes=changes, start=start)


@pytest.mark.parametrize(
    ('own', 'name'),
    [
        ({}, 'default'),
        ({'seed': 3}, 'seed=3'),
        ({'optimizers.generator.learning_rate': 1e-4, 'seed': 0},
         'generator.learning_rate=0.0001,seed=0'),
        ({'batch_size': np.int64(32), 'x.b1': np.float32(0.5)}, 'batch_size=32,x.b1=0.5'),
        ({'dataset': 'folder:/data/my cats'}, 'dataset=folder_data_my_cats'),
        ({'generator.features': (8, 16)}, 'generator.features=8-16'),
        ({'objective': '../..'}, 'objective='),
        ({'dataset': 'ä' * 10}, 'dataset='),
    ],
)  # fmt: skip
def test_a_name_is_readable_and_safe(own, name):
    assert plan.short_name(own) == name


def test_a_long_name_ends_in_a_digest():
    own = {f'a.key_{i}': 1.5 for i in range(20)}
    name = plan.short_name(own)
    assert len(name) == 128
    assert name.startswith('a.key_0=1.5,a.key_1=1.5,')
    other = plan.short_name({**own, 'a.key_19': 2.5})
    assert name[:119] == other[:119]
    assert name != other


def test_two_trials_have_two_names(tmp_path):
    sweep = planned(
        tmp_path,
        {'optimizers.generator.learning_rate': 1e-3},
        {'optimizers.generator.learning_rate': 1e-4},
        {'init_from': None, 'generator.features': (8,)},
        {'dataset': 'mnist_5k', 'seed': 1},
    )
    assert [trial.name for trial in sweep.trials] == [
        'generator.learning_rate=0.001', 'generator.learning_rate=0.0001',
        'init_from=None,generator.features=8', 'dataset=mnist_5k,seed=1',
    ]  # fmt: skip
    taken = {'generator.learning_rate=0.001'}
    own = {'a.generator.learning_rate': 1e-3}
    name = plan.free_name(own, taken)
    assert name.startswith('generator.learning_rate=0.001-')
    assert plan.free_name({'b.generator.learning_rate': 1e-3}, taken) != name
    assert plan.free_name({'Seed': 1}, {'seed=1'}) != 'Seed=1'  # one folder on some systems


def test_a_trial_is_a_command_and_what_it_will_be(tmp_path):
    own = {'optimizers.generator.learning_rate': np.float64(0.001), 'evaluation.best': 'modes',
           'evaluation.metrics': ('modes',)}  # fmt: skip
    (trial,) = planned(tmp_path, own, changes=[('steps', '400')]).trials
    name = 'generator.learning_rate=0.001,evaluation.best=modes,evaluation.metrics=modes'
    assert trial.name == name
    assert trial.workdir == epath.Path(tmp_path) / trial.name
    assert trial.command == (
        *start(trial.workdir), '--config.steps=400',
        '--config.optimizers.generator.learning_rate=0.001', '--config.evaluation.best=modes',
        "--config.evaluation.metrics=('modes',)",
    )  # fmt: skip
    assert (trial.steps, trial.figure) == (400, 'modes')
    assert trial.overrides == {**own, 'optimizers.generator.learning_rate': 0.001}
    assert type(trial.overrides['optimizers.generator.learning_rate']) is float


def test_the_same_run_is_planned_once(tmp_path):
    sweep = planned(tmp_path, {'seed': 1}, {}, {'seed': 0}, {'seed': 1}, {'batch_size': 64})
    assert [trial.name for trial in sweep.trials] == ['seed=1', 'default']


@pytest.mark.parametrize(
    ('own', 'said'),
    [
        ({'sede': 1}, 'trial sede=1: config.sede is not a key; did you mean config.seed?'),
        ({'batch_size': 0}, 'trial batch_size=0: config.batch_size=0 must be at least 1'),
        ({'objective': 'hing'}, "config.objective 'hing' is unknown"),
        ({'optimizers.generator.learning_rate': -1.0}, 'must be at least 0'),
        ({'modality': {}}, 'is found by the run itself'),
        ({'dataset': None}, "config.dataset=None would be read as 'None' in place of what"),
        ({'evaluation.split': 5}, 'config.evaluation.split=5 would be read as'),
        ({'optimizers.generator.learning_rate': float('nan')}, 'must be finite'),
    ],
)
def test_a_mistake_in_a_trial_is_found_before_any_is_started(tmp_path, own, said):
    with pytest.raises(UserError, match='none was started') as error:
        planned(tmp_path / 'x', {'seed': 1}, own)
    assert said in str(error.value)
    assert '\n' not in str(error.value)
    assert not (tmp_path / 'x').exists()


def test_of_many_mistakes_the_first_is_said(tmp_path):
    with pytest.raises(UserError) as error:
        planned(tmp_path, {'steps': 0}, {'seed': -1}, {'seed': -2})
    assert 'trial steps=0: ' in str(error.value)
    assert '(and 2 more such trials)' in str(error.value)


@pytest.mark.parametrize(
    ('key', 'other'),
    [('seed', 'seed'), ('optimizers.generator', 'optimizers.generator.b1'),
     ('penalties.r1.weight', 'penalties.r1')],
)  # fmt: skip
def test_a_key_is_set_by_the_command_line_or_the_sweep(tmp_path, key, other):
    with pytest.raises(UserError) as error:
        planned(tmp_path, {key: 3}, changes=[(other, '4')])
    assert f'--config.{other} is what sweep() of {GAN} sets itself ({key})' in str(error.value)


def test_a_sweep_is_read_as_it_was_written(tmp_path):
    sweep = planned(tmp_path, {'seed': 0}, {'seed': 1}, changes=[('steps', '400')])
    folder = epath.Path(tmp_path)
    assert plan.read(folder) is None
    plan.keep(folder, sweep)
    assert plan.read(folder) == sweep
    held = json.loads((tmp_path / 'sweep.json').read_text())
    assert held['config'] == GAN
    assert held['changes'] == [['steps', '400']]
    assert held['trials'][1] == {
        'name': 'seed=1', 'overrides': {'seed': 1}, 'workdir': 'seed=1',
        'command': [*start(tmp_path / 'seed=1'), '--config.steps=400', '--config.seed=1'],
        'steps': 400, 'figure': 'sliced_wasserstein',
    }  # fmt: skip


def test_trials_are_added_and_the_others_stay(tmp_path):
    folder = epath.Path(tmp_path)
    plan.keep(folder, planned(tmp_path, {'seed': 0}, {'seed': 1}))
    more = planned(tmp_path, {'seed': 1}, {'seed': 2}, changes=[('steps', '9000')])
    assert [x.name for x in more.trials] == ['seed=1', 'seed=2']
    plan.keep(folder, more)
    kept = plan.read(folder)
    assert [(x.name, x.steps) for x in kept.trials] == [
        ('seed=0', 4000), ('seed=1', 9000), ('seed=2', 9000)
    ]  # fmt: skip


def test_a_trial_keeps_the_name_that_it_was_given(tmp_path):
    """Whichever comes first when the sweep is started again."""
    folder = epath.Path(tmp_path)
    first = {'optimizers.generator.b1': 0.25}
    second = {'optimizers.discriminator.b1': 0.25, 'seed': 0}
    plan.keep(folder, planned(tmp_path, first, second))
    held = json.loads((tmp_path / 'sweep.json').read_text())
    held['trials'][1]['name'] = 'mine'
    (tmp_path / 'sweep.json').write_text(json.dumps(held))
    again = planned(tmp_path, second, first)
    assert [x.name for x in again.trials] == ['mine', 'generator.b1=0.25']


@pytest.mark.parametrize(
    ('name', 'changes', 'said'),
    [
        ('configs/lsgan.py', (), f'holds a sweep of {GAN}; give another --workdir'),
        (GAN, [('batch_size', '8')], 'holds a sweep with its own batch_size;'),
        (f'./{GAN}', [('batch_size', '8')], 'holds a sweep with its own batch_size;'),
    ],
)
def test_another_sweep_in_one_folder_is_refused(tmp_path, name, changes, said):
    plan.keep(epath.Path(tmp_path), planned(tmp_path, {'seed': 0}))
    with pytest.raises(UserError) as error:
        planned(tmp_path, {'seed': 0}, name=name, changes=changes)
    assert said in str(error.value)


def test_a_sweep_in_the_folder_of_a_run_is_refused(tmp_path):
    (tmp_path / 'config.json').write_text('{}')
    with pytest.raises(UserError, match='is the work directory of one run'):
        planned(tmp_path, {'seed': 0})


@pytest.mark.parametrize('text', ['', '[]', '{"config": "x"}', '{"config": 1, "changes": [1]}'])
def test_a_damaged_record_is_one_line(tmp_path, text):
    (tmp_path / 'sweep.json').write_text(text)
    with pytest.raises(UserError, match='cannot be read'):
        plan.read(epath.Path(tmp_path))
