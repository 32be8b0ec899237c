"""Optuna suggests, an engine that needs no time plays, and the figures are told."""

import sys

import pytest
import trials_by_hand as by_hand
from etils import epath

from gan_jax.errors import UserError
from gan_jax.sweeps import engines, search, start, trials

CONFIG = """
from gan_jax import config as config_lib

def get_config():
    config = config_lib.default()
    config.dataset = 'ring8'
    config.batch_size = 64
    config.steps = 50
    config.eval_every = 50
    config.generator.name = 'mixture.Generator'
    config.discriminator.name = 'mixture.Discriminator'
    config.latent = {'name': 'normal', 'size': 2}
    for player in ('generator', 'discriminator'):
        config.optimizers[player] = config_lib.optimizer('adam', learning_rate=1e-3)
    config.evaluation.best = 'modes'
    config.evaluation.metrics = ('modes',)
    return config

def search(trial):
    return {'optimizers.generator.learning_rate': trial.suggest_float('rate', 1e-4, 1.0, log=True)}
"""
RATE = 'optimizers.generator.learning_rate'


class Engine:
    """The smaller the rate, the more modes; no trial is played twice."""

    def __init__(self):
        self.rounds, self.killed = [], False

    def __call__(self, given, options):
        self.rounds.append([trial.name for trial in given])
        for i, trial in enumerate(given):
            if self.killed and i:
                raise KeyboardInterrupt
            if trials.newest_step(trial) < trial.steps:
                settings = by_hand.config(steps=50)
                by_hand.write(trial.workdir, settings, [1 - trial.overrides[RATE]], picture=False)


@pytest.fixture
def begin(tmp_path, monkeypatch):
    pytest.importorskip('optuna')
    file = tmp_path / 'own.py'
    file.write_text(CONFIG)
    engine = Engine()
    playing = [engine]
    monkeypatch.setattr(start, 'ready', lambda name, options: playing[-1])

    def run(num, text=CONFIG, figure=None, name='ray', folder=tmp_path / 'sweep'):
        file.write_text(text)
        search.start(
            str(file), epath.Path(folder), num=num, figure=figure, changes=(), engine=name,
            options=engines.Options(slots=2), flags=(),
        )  # fmt: skip
        return engine

    run.engine = playing.append
    return run


def test_trials_come_in_rounds_and_their_figures_are_told(begin, tmp_path):
    engine = begin(5)
    assert [len(x) for x in engine.rounds] == [2, 2, 1]
    import optuna

    backend = optuna.storages.journal.JournalFileBackend(str(tmp_path / 'sweep' / 'optuna.log'))
    study = optuna.load_study(study_name='modes', storage=optuna.storages.JournalStorage(backend))
    assert study.direction.name == 'MAXIMIZE'
    assert [x.state.name for x in study.trials] == ['COMPLETE'] * 5
    for trial in study.trials:
        rate = trial.user_attrs['overrides'][RATE]
        assert trial.value == 1 - rate
        assert rate == trial.params['rate']
    assert begin(5).rounds == engine.rounds  # all are there
    assert [len(x) for x in begin(6).rounds] == [2, 2, 1, 1]


def test_killed_in_a_round_it_goes_on_with_what_was_asked(begin, tmp_path):
    engine = begin(2)
    engine.killed = True
    with pytest.raises(KeyboardInterrupt):
        begin(4)
    engine.killed = False
    begin(4)
    assert engine.rounds[1] == engine.rounds[2]
    assert len({name for names in engine.rounds for name in names}) == 4


def test_that_a_trial_was_not_finished_is_not_lost_when_a_round_has_no_end(begin):
    def one_is_stopped(given, options):
        raise trials.Unfinished(f'{given[0].name} stopped: ended at step 3 of 50')

    begin.engine(one_is_stopped)
    with pytest.raises(trials.Unfinished, match='ended at step 3 of 50'):
        begin(2)


def test_what_a_launcher_beside_this_one_has_told_is_not_told_again(begin, tmp_path):
    engine = begin(1)
    import optuna

    def beside(given, options):
        engine(given, options)
        file = str(tmp_path / 'sweep' / 'optuna.log')
        storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(file))
        optuna.load_study(study_name='modes', storage=storage).tell(1, 0.5)

    begin.engine(beside)
    begin(2)


def test_what_search_gives_is_checked_and_may_be_mended(begin, tmp_path):
    wrong = CONFIG.replace("{'optimizers.generator.learning_rate':", "{'optimizers.x':")
    with pytest.raises(UserError, match='optimizers'):
        begin(2, wrong)
    with pytest.raises(UserError, match=r'search\(\) gives 5, not a dict of keys'):
        begin(4, CONFIG.replace('return {', 'return 5 or {'))
    with pytest.raises(UserError, match='has no function search; start from that of configs/ring8'):
        begin(4, CONFIG.replace('def search', 'def other'))
    engine = begin(6)
    assert [len(x) for x in engine.rounds] == [2]  # and four that failed


@pytest.mark.parametrize(
    ('options', 'said'),
    [
        ({'text': CONFIG.replace('eval_every = 50', 'eval_every = 0')}, 'give --config.eval_every'),
        ({'figure': 'mode'}, "the nearest valid name is 'modes'"),
        ({'folder': 'gs://bucket/sweep'}, 'give a --workdir on a disk'),
    ],
)
def test_what_cannot_be_searched_is_refused(begin, options, said):
    with pytest.raises(UserError, match=said):
        begin(2, **options)


def test_without_optuna_a_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, 'optuna', None)
    with pytest.raises(UserError, match=r"--search needs optuna; pip install 'gan_jax\[optuna\]'"):
        search.start(
            'configs/ring8.py', epath.Path('x'), num=2, figure=None, changes=(), engine='local',
            options=engines.Options(), flags=(),
        )  # fmt: skip
