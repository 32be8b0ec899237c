"""What is shown at a service, by a stand-in for its package."""

import sys
import types

import methods
import pytest

from gan_jax import loop
from gan_jax.config import fit, saved
from gan_jax.errors import UserError
from gan_jax.runtime import metric_writer, mirror


class Service(types.ModuleType):
    """A package `wandb` that keeps what it is told."""

    def __init__(self):
        super().__init__('wandb')
        self.begun, self.shown, self.finished = [], [], 0
        self.broken = ''

    def Settings(self, **settings):
        return settings

    def init(self, **given):
        if self.broken == 'init':
            raise ConnectionError('no network')
        self.begun.append(given)
        return self

    def log(self, metrics, step):
        if self.broken == 'log':
            raise RuntimeError('the service\nis away')
        self.shown.append((step, dict(metrics)))

    def finish(self):
        self.finished += 1


@pytest.fixture
def service(monkeypatch):
    made = Service()
    made.__spec__ = types.SimpleNamespace(name='wandb', origin='wandb.py')
    monkeypatch.setitem(sys.modules, 'wandb', made)
    return made


def test_what_is_logged_is_shown_under_its_step(service, tmp_path):
    log = metric_writer.Log(tmp_path, 0, 9, 4)
    log.settings({'steps': 9}, [], 'digits')
    log.write(3, {'a': 1.0, 'b': float('nan')}, {'b': 'no features'})
    log.close()
    (begun,) = service.begun
    assert (begun['project'], begun['name'], begun['config']) == (
        'digits',
        tmp_path.name,
        {'steps': 9},
    )
    assert service.shown == [(3, {'a': 1.0})]
    assert service.finished == 1


def test_a_run_goes_on_as_the_same_and_another_is_another(service, tmp_path):
    for name in ('one', 'one', 'two'):
        mirror.Mirror('digits', tmp_path / name, {}).close()
    ids = [x['id'] for x in service.begun]
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize('broken', ['init', 'log'])
def test_a_service_that_fails_leaves_a_warning_and_the_run(service, broken, tmp_path, caplog):
    service.broken = broken
    log = metric_writer.Log(tmp_path, 0, 9, 4)
    log.settings({}, [], 'digits')
    for step in (1, 2):
        log.write(step, {'a': 1.0})
    log.close()
    (said,) = caplog.messages
    assert said.startswith('wandb shows nothing more: ')
    assert '\n' not in said
    assert len(metric_writer.read_metrics(tmp_path / 'metrics.jsonl')[0]) == 2


def test_a_run_shows_what_its_file_has(service, tmp_path):
    config = methods.shrunk('ring8', steps=2, log_every=1, wandb='points')
    loop.train({**config, 'dataset': 'ring8', 'modality': {}}, tmp_path / 'run')
    lines, _ = metric_writer.read_metrics(tmp_path / 'run' / 'metrics.jsonl')
    assert [(x.pop('step'), x) for x in lines] == service.shown
    assert service.begun[0]['config']['seed'] == config['seed']
    assert service.begun[0]['config']['wandb'] == 'points'


def test_without_the_package_it_is_one_line_before_anything(tmp_path, monkeypatch):
    monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
    config = methods.shrunk('ring8', steps=2, wandb='points')
    with pytest.raises(
        UserError, match=r"config\.wandb=points needs: pip install 'gan_jax\[wandb\]'"
    ):
        loop.train({**config, 'dataset': 'ring8', 'modality': {}}, tmp_path / 'run')
    assert not (tmp_path / 'run').exists()


def test_a_folder_of_its_name_is_no_package(tmp_path, monkeypatch):
    monkeypatch.setattr(mirror, 'PACKAGE', 'of_nobody')
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / 'of_nobody').mkdir()
    with pytest.raises(UserError, match=r'config\.wandb=points needs: pip install'):
        fit.check_mirror('points', private=False)


def test_a_private_runs_seed_is_not_shown():
    config = {'seed': 7, 'privacy': {'epsilon': 1.0}, 'steps': 3}
    assert saved.shown(config) == {**config, 'seed': 0}
    plain = {**config, 'privacy': {}}
    assert saved.shown(plain) == plain
    later = {**plain, 'init_config': {**plain, 'init_config': config}}
    assert saved.shown(later)['seed'] == saved.shown(later)['init_config']['seed'] == 7
    assert saved.shown(later)['init_config']['init_config']['seed'] == 0


def test_a_private_run_is_not_shown_elsewhere():
    with pytest.raises(UserError, match=r'config\.wandb=mine tells others the command line'):
        fit.check_mirror('mine', private=True)
    fit.check_mirror('', private=True)
