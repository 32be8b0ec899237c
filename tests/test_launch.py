"""Which flags a mode reads; the others are refused, whatever they say."""

import json

import command_line
import pytest
from absl import flags
from absl.testing import flagsaver

from gan_jax.commands import main as launch
from gan_jax.errors import UserError

VALUES = {
    'num': '5', 'seed': '0', 'truncation': '0.7', 'best': 'True', 'replica': '0',
    'metrics': 'sliced_wasserstein', 'features': 'classifier', 'split': 'test',
    'input': 'x', 'output': 'y', 'direction': 'a_to_b', 'real': 'x.npz', 'fake': 'y.npz',
    'sweep': 'print', 'slots': '1', 'retries': '1', 'engine_option': 'gpus=1',
    'label': '0', 'film': 'gif', 'layers': '0', 'space': 'w', 'steps': '5',
    'halving': '5,10', 'keep': '0.5', 'search': 'True', 'trials': '5', 'figure': 'modes',
    'init_from': 'network.pkl', 'port': '8080', 'format': 'stablehlo',
    'size': '32', 'channels': '3',
}  # fmt: skip
READS = {
    'train': {
        'sweep',
        'slots',
        'retries',
        'engine_option',
        'halving',
        'keep',
        'search',
        'trials',
        'figure',
    },
    'sample': {'num', 'seed', 'truncation', 'label', 'film', 'best', 'replica', 'init_from'},
    'directions': {'num', 'seed', 'truncation', 'label', 'layers', 'best', 'replica', 'init_from'},
    'project': {
        'input',
        'output',
        'space',
        'steps',
        'features',
        'seed',
        'label',
        'best',
        'replica',
        'init_from',
    },
    'score': {'input', 'output', 'split', 'num', 'steps', 'seed', 'best', 'replica'},
    'translate': {'input', 'output', 'direction', 'best', 'replica'},
    'animate': {'replica'},
    'evaluate': {'num', 'best', 'metrics', 'features', 'split', 'real', 'fake', 'init_from'},
    'report': {'replica'},
    'compare': {'figure'},
    'export': {'format', 'best', 'replica', 'init_from'},
    'playground': {'port'},
}
# Beside --real and --fake.
NOT_OF_SETS = {'seed', 'truncation', 'best', 'replica', 'split', 'input', 'output', 'direction'}
NOT_OF_SETS |= {'label', 'film', 'layers', 'space', 'steps', 'init_from'} | READS['train']
NOT_OF_SETS |= {'port', 'format', 'size', 'channels'}


def refusal(*words):
    """What a command line is refused with before anything is done, or ''."""
    with flagsaver.flagsaver():
        launch.parse(['launch.py', '--workdir=runs/none', *words])
        try:
            launch.check_flags(launch.MODE.value)
        except UserError as error:
            return str(error)
    return ''


@pytest.mark.parametrize('flag', VALUES)
@pytest.mark.parametrize('mode', READS)
def test_a_flag_that_a_mode_does_not_read_is_refused(mode, flag):
    """Whatever it says, its default too."""
    sweep = ('--config=configs/dcgan.py', '--sweep', '--halving=5,10', '--search')
    start = sweep if mode == 'train' else ()
    said = refusal(f'--mode={mode}', *start, f'--{flag}={VALUES[flag]}')
    if flag in READS[mode]:
        assert said == ''
    else:
        assert f'--{flag} is not read by --mode={mode}' in said
        assert 'leave it out' in said


@pytest.mark.parametrize('flag', VALUES)
def test_two_sets_are_evaluated_without_the_flags_of_a_run(flag):
    said = refusal('--mode=evaluate', '--real=x.npz', '--fake=y.npz', f'--{flag}={VALUES[flag]}')
    assert said.startswith(f'--{flag} is not read by' if flag in NOT_OF_SETS else '')
    assert bool(said) == (flag in NOT_OF_SETS)


@pytest.mark.parametrize(
    ('word', 'said'),
    [('--sweep=', '--sweep= is no engine'), ('--halving=', '--halving= must be two or more')],
)
def test_a_flag_that_names_nothing_is_not_taken_for_none(word, said, tmp_path):
    with flagsaver.flagsaver():
        words = ('--config=configs/ring8.py', f'--workdir={tmp_path / "new"}', '--sweep=print')
        launch.parse(['launch.py', *words, word])
        with pytest.raises(UserError, match=said):
            launch.run('train')
    assert not [*tmp_path.iterdir()]


def test_what_is_of_sweeps_alone_is_read_beside_them():
    assert refusal('--slots=2') == '--slots is only read beside --sweep; leave it out'
    assert refusal('--retries=2') == '--retries is only read beside --sweep; leave it out'
    assert refusal('--slots=2', '--sweep') == ''
    said = refusal('--keep=0.5', '--sweep', '--search')
    assert said == '--keep is only read beside --halving; leave it out'
    assert refusal('--trials=2', '--sweep').startswith('--trials is only read beside --search')
    said = refusal('--figure=modes', '--sweep')
    assert said == '--figure is only read beside --halving or --search; leave it out'
    assert refusal('--figure=modes', '--sweep', '--halving=5,10', '--keep=0.5') == ''


def test_the_table_has_every_flag():
    own = {x.name for x in flags.FLAGS.flags_by_module_dict()[launch.__name__]}
    assert own == {*VALUES, *launch.ALWAYS, 'config', 'change'}


def test_preparing_reads_no_run():
    words = '--mode=prepare', '--workdir=', '--input=pictures', '--output=a.npz'
    assert refusal(*words) == ''
    for flag, value in VALUES.items():
        if flag not in launch.READS['prepare']:
            assert f'--{flag} is not read by --mode=prepare' in refusal(*words, f'--{flag}={value}')
    for word in ('--workdir=x', '--config=dcgan', '--config.image_size=3'):
        assert (
            refusal(*words, word)
            == '--mode=prepare reads no config and no --workdir; leave them out'
        )
    assert '--input and --output are missing' in refusal(*words, '--output=')
    assert refusal(*words, '--channels=2') == '--channels=2 is to be 1 (grey) or 3 (colours)'


@pytest.mark.parametrize('mode', [x for x in READS if 'config' not in launch.READS[x]])
def test_a_run_is_never_another_than_was_asked(mode):
    said = refusal(f'--mode={mode}', '--config.dataset=cifar10')
    assert f'config.dataset is not read by --mode={mode}: a run keeps the config' in said
    said = refusal(f'--mode={mode}', '--config=configs/dcgan.py')
    assert f'--config is not read by --mode={mode} beside --workdir' in said
    assert refusal(f'--mode={mode}', '--config=configs/dcgan.py', '--workdir=') == ''
    if 'init_from' in READS[mode]:
        words = ('--config.dataset=cifar10', '--config=configs/stylegan2.py')
        assert refusal(f'--mode={mode}', '--init_from=network.pkl', *words) == ''


@pytest.fixture(scope='module')
def run(server, tmp_path_factory):
    """(flags) -> (exit code, the line that is printed) with the work directory of no run."""
    root = tmp_path_factory.mktemp('none')
    yield lambda *flags: server.run(f'--workdir={root / "run"}', *flags)
    assert not (root / 'run').exists()


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        (('--mode=trian',), "--mode 'trian' is unknown; the nearest valid name is 'train'"),
        (('--steps=500',), '--mode=score; leave it out, or give --config.steps=500'),
            (('--step=500',), '--step is not a flag; did you mean'),
        (('--config=configs/dcgn.py',), 'did you mean configs/dcgan.py?'),
        (('--config=configs/dcgn.py', '--mode=sample', '--workdir='), 'configs/dcgan.py?'),
        (('--mode=sample', '--truncation=nan'), '--truncation=nan must be finite'),
        (('--config=configs/gan.py', '--config.penalties.r1.weight=x'),
         "config.penalties.r1.weight='x' must be a number"),
        (('--config=configs/ring8.py', '--config.batch_size=1', '--config.steps_per_dispatch=1'),
         'nothing would be learned'),
        (('--config=configs/gan.py', '--config.eval_every=1000',
          '--config.evaluation.metrics=modes', '--config.evaluation.best=modes'),
         'the metric modes needs points drawn from a mixture'),
    ],
)  # fmt: skip
def test_what_was_meant_is_named(run, words, said):
    code, printed = run(*words)
    assert code == 2, printed
    (line,) = command_line.lines(printed)
    assert said in line


def small(workdir, *changes):
    return (
        '--config=configs/ring8.py', f'--workdir={workdir}', '--config.steps=4',
        '--config.steps_per_dispatch=1', '--config.batch_size=8', '--config.generator.width=4',
        '--config.discriminator.width=4', '--config.num_samples=4', *changes,
    )  # fmt: skip


@pytest.fixture(scope='module')
def trained(server, tmp_path_factory):
    """A run that was never evaluated; what of its config was not in the file."""
    workdir = tmp_path_factory.mktemp('trained')
    changes = ('--config.penalties.r1.weight=0.5', '--config.objective.name=hinge')
    code, printed = server.run(*small(workdir, *changes))
    assert code == 0, printed
    return workdir


def test_keys_that_the_file_does_not_set_are_trained_with(trained):
    config = json.loads((trained / 'config.json').read_text())
    assert config['penalties'] == {'r1': {'weight': 0.5}}
    assert config['objective'] == {'name': 'hinge'}
    line = json.loads((trained / 'metrics.jsonl').read_text().splitlines()[-1])
    assert 'discriminator/r1' in line


@pytest.mark.parametrize('mode', ['sample', 'evaluate'])
def test_the_best_of_a_run_that_was_never_evaluated_is_refused(trained, server, mode):
    code, printed = server.run(f'--workdir={trained}', f'--mode={mode}', '--best', '--num=4')
    assert code == 2
    (line,) = command_line.lines(printed)
    assert 'has no best checkpoint: it was never evaluated; leave --best out' in line
    assert not (trained / 'generated').exists()


@pytest.mark.parametrize(
    ('metrics', 'words'),
    [
        ('', '--metrics=[] names no metric'),
        ('intra_class_frechet_distance', 'needs samples with labels'),
    ],
)
def test_metrics_that_a_run_cannot_have_are_refused_at_once(trained, server, metrics, words):
    words_ = (f'--workdir={trained}', '--mode=evaluate', '--num=8', f'--metrics={metrics}')
    code, printed = server.run(*words_)
    assert code == 2, printed
    (line,) = command_line.lines(printed)
    assert words in line


def test_a_second_config_in_a_work_directory_is_one_line(trained, server):
    code, printed = server.run(*small(trained, '--config.batch_size=16'))
    assert code == 2
    (line,) = command_line.lines(printed)
    assert f'{trained} was made by another config: config.batch_size: 8 there, 16 now' in line
    assert 'give another --workdir' in line


@pytest.mark.parametrize(('bound', 'line'), [('0', 'holds no run'), ('-1', '--truncation')])
def test_truncation_may_be_0_which_is_the_mean_of_styles(bound, line, tmp_path):
    with flagsaver.flagsaver():
        launch.parse(
            ['launch.py', f'--workdir={tmp_path}', '--mode=sample', f'--truncation={bound}']
        )
        with pytest.raises(UserError, match=line):
            launch.run('sample')
