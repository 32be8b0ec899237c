import _thread
import signal
import sys
import threading
import types

import pytest
from etils import epath
from stand_ins import trial

from benchmarks import sweep_engines
from gan_jax.errors import UserError
from gan_jax.runtime import preemption
from gan_jax.sweeps import engines
from gan_jax.sweeps import trials as trials_lib
from gan_jax.sweeps.engines import Options

FINE = 'save(5)'
NODE = {'Alive': True, 'Resources': {'CPU': 4.0, 'GPU': 2.0}}


class Fake(types.ModuleType):
    """Ray, as far as it is used: a cluster on which a task runs when it is waited for."""

    def __init__(self, play=None):
        super().__init__('ray')
        self.nodes = lambda: [NODE]
        self.said, self.tasks, self.most, self.play = {}, {}, 0, play
        self.cancelled = []
        self.exceptions = types.SimpleNamespace(RayError=RuntimeError)

    def init(self, **arguments):
        self.said['init'] = arguments

    def remote(self, function):
        self.function = self.play or function
        return self

    def options(self, **arguments):
        self.said['options'] = arguments
        return types.SimpleNamespace(remote=self.submit)

    def submit(self, *arguments):
        key = object()
        self.tasks[key] = arguments
        self.most = max(self.most, len(self.tasks))
        return key

    def wait(self, keys, timeout):
        del timeout
        return keys[:1], keys[1:]

    def get(self, key):
        return self.function(*self.tasks.pop(key))

    def cancel(self, key):
        self.cancelled.append(self.tasks[key][0].name)

    def shutdown(self):
        self.said['shutdown'] = True


@pytest.fixture
def run(monkeypatch):
    """Runs trials on a fake of the package, which it gives."""

    def run(trials, *words, fake=None, **options):
        fake = fake or Fake()
        monkeypatch.setitem(sys.modules, 'ray', fake)
        monkeypatch.delitem(sys.modules, 'gan_jax.sweeps.engines.ray', raising=False)
        engines.find('ray')(trials, Options(words=words, **options))
        return fake

    yield run
    sys.modules.pop('gan_jax.sweeps.engines.ray', None)


def test_each_trial_is_a_task_with_what_it_needs(run, tmp_path, monkeypatch):
    monkeypatch.setenv('RAY_ADDRESS', 'head:6379')
    trials = [trial(tmp_path, FINE, f'a={i}') for i in range(3)]
    fake = run(trials, 'cpus=2', 'gpus=1', 'tpus=4', 'node_retries=3')
    assert [trials_lib.state(x) for x in trials] == ['finished'] * 3
    assert fake.said['options'] == {
        'num_cpus': 2.0, 'num_gpus': 1.0, 'resources': {'TPU': 4.0}, 'max_retries': 3,
    }  # fmt: skip
    assert fake.said['init']['address'] == 'head:6379'
    assert fake.said['init']['runtime_env']['working_dir'] == '.'
    assert fake.said['shutdown']
    assert fake.most == 3


def test_slots_bound_the_tasks_that_are_out(run, tmp_path):
    trials = [trial(tmp_path, FINE, f'a={i}') for i in range(3)]
    assert run(trials, slots=2).most == 2


def test_a_finished_trial_is_no_task(run, tmp_path):
    one = trial(tmp_path, FINE)
    trials_lib.run(one)
    assert run([one]).most == 0


def test_python_is_the_machines_own(run, tmp_path):
    one = trial(tmp_path, FINE)
    seen = []

    def play(trial, retries, python):
        seen.append((python, retries))
        return trials_lib.run(trial, retries)

    run([one], fake=Fake(play), retries=4)
    assert seen == [(sys.executable, 4)]
    module = sys.modules['gan_jax.sweeps.engines.ray']
    moved = one._replace(
        workdir=epath.Path(tmp_path / 'b'), command=('/far/python', *one.command[1:])
    )
    moved = moved._replace(command=(*moved.command[:-1], str(moved.workdir)))
    assert module._play(moved, 0, '/far/python').state == 'finished'


def test_a_trial_that_fails_is_told_of_at_the_end(run, tmp_path):
    trials = [trial(tmp_path, FINE), trial(tmp_path, 'fail("no luck", 5)', 'a=2')]
    with pytest.raises(trials_lib.Unfinished, match=r'^a=2 failed: no luck '):
        run(trials, retries=0)


def test_a_task_that_ray_gives_up_is_no_end_of_the_others(run, tmp_path):
    trials = [trial(tmp_path, FINE), trial(tmp_path, FINE, 'a=2')]

    def play(trial, retries, python):
        if trial.name == 'a=1':
            raise RuntimeError('its machine died too often')
        return trials_lib.run(trial, retries)

    with pytest.raises(trials_lib.Unfinished, match=r'^a=1 waiting: it was not started'):
        run(trials, fake=Fake(play))
    assert trials_lib.state(trials[1]) == 'finished'


class Interrupted:
    """An Interrupt to which Ctrl-C comes after the tasks are out."""

    asked = 0

    @property
    def name(self):
        self.asked += 1
        return None if self.asked == 1 else 'SIGINT'

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def test_ctrl_c_has_all_tasks_end(run, tmp_path, monkeypatch):
    fake = Fake()
    fake.wait = lambda keys, timeout, **more: fake.said.update(wait=(timeout, more)) or ([], keys)
    monkeypatch.setattr(preemption, 'Interrupt', Interrupted)
    with pytest.raises(trials_lib.Interrupted, match='SIGINT'):
        run([trial(tmp_path, FINE), trial(tmp_path, FINE, 'a=2')], fake=fake)
    assert fake.cancelled == ['a=1', 'a=2']
    assert fake.said['wait'] == (60.0, {'num_returns': 2})
    assert fake.said['shutdown']


WAITS = """
signal.signal(signal.SIGTERM, lambda *_: (save(2), fail('gan_jax: stopped', 0)))
save(1)
time.sleep(9)
"""


def test_a_task_that_is_cancelled_has_its_trial_save(run, tmp_path):
    run([])
    one = trial(tmp_path, WAITS)

    def interrupt():  # as Ray does
        while trials_lib.newest_step(one) < 1:
            threading.Event().wait(0.02)
        _thread.interrupt_main()

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # as it is in Ray's workers
    try:
        threading.Thread(target=interrupt).start()
        outcome = sys.modules['gan_jax.sweeps.engines.ray']._play(one, 0, '')
    finally:
        signal.signal(signal.SIGINT, before)
    assert (outcome.state, trials_lib.newest_step(one)) == ('stopped', 2)


def test_work_directories_that_are_not_shared_are_seen(run, tmp_path):
    def play(trial, retries, python):
        return trials_lib.Outcome('finished', 0, '', 1)  # nothing of it is here

    with pytest.raises(UserError, match='on the machines of the cluster is another folder than'):
        run([trial(tmp_path, FINE)], fake=Fake(play))


def test_without_a_cluster_a_line_says_how_to_start_one(run, tmp_path, monkeypatch):
    monkeypatch.delenv('RAY_ADDRESS', raising=False)
    fake = Fake()
    asked = []

    def init(address, **arguments):
        asked.append(address)
        raise ConnectionError('Could not find any running Ray instance.')

    fake.init = init
    with pytest.raises(UserError, match=r'finds no cluster; start one .ray start --head here'):
        run([trial(tmp_path, FINE)], fake=fake)
    assert asked == ['auto']


@pytest.mark.parametrize(('words', 'fit'), [((), 4), (('gpus=1',), 2), (('tpus=4',), 1)])
def test_the_table_knows_how_many_trials_fit(run, tmp_path, words, fit):
    run([trial(tmp_path, FINE)])
    module = sys.modules['gan_jax.sweeps.engines.ray']
    chosen = module.settings.read('ray', module.Settings(), words)
    assert module._fit(chosen) == fit


def test_without_the_package_a_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, 'ray', None)
    monkeypatch.delitem(sys.modules, 'gan_jax.sweeps.engines.ray', raising=False)
    with pytest.raises(UserError, match=r"--sweep=ray needs ray; pip install 'gan_jax\[ray\]'"):
        engines.find('ray')


@pytest.mark.slow
def test_a_trial_whose_machine_dies_goes_on_elsewhere(tmp_path):
    pytest.importorskip('ray')
    trials = sweep_engines.stand_ins(tmp_path, num=6)
    sweep_engines.ray(trials)
    states = [trials_lib.state(x) for x in trials]
    assert states == ['finished', 'finished', 'finished', 'failed', 'finished', 'finished']
    again = [x for x in map(sweep_engines.starts, trials) if len(x) > 1 and x != [0, 10]]
    assert [x[0] for x in again] == [0]
    assert 2 <= again[0][1] <= 8  # from where it was when its node was killed
