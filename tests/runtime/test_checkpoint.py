import errno
import json
import os
import shutil

import damage
import numpy as np
import pytest

from gan_jax.errors import UserError
from gan_jax.runtime import checkpoint


def tree(value):
    return {'w': np.full((4, 3), value, np.float32), 'n': np.int32(value), 'empty': {}}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / 'checkpoints'


def saved(folder, *steps, **kwargs):
    checkpoints = checkpoint.Checkpoints(folder)
    for step in steps:
        checkpoints.save(step, tree(step), {'means': {'x': [0.1, step]}}, {}, **kwargs)
    checkpoints.close()
    return checkpoint.Checkpoints(folder)


def test_what_was_saved_comes_back(folder):
    step, state, progress = saved(folder, 1, 2).restore(tree(0))
    assert step == 2
    np.testing.assert_array_equal(state['w'], tree(2)['w'])
    assert state['w'].dtype == np.float32
    assert state['n'] == 2
    assert state['empty'] == {}
    assert progress == {'means': {'x': [0.1, 2]}}


def test_there_may_be_none(folder):
    assert checkpoint.Checkpoints(folder).restore(tree(0)) is None


def test_the_latest_two_are_kept(folder):
    saved(folder, 1, 2, 3)
    assert sorted(x.name for x in folder.iterdir()) == ['2', '3']


def test_the_best_is_the_least(folder):
    checkpoints = checkpoint.Checkpoints(folder)
    for step, value in enumerate([4.0, 2.0, 3.0, 5.0, 6.0], 1):
        checkpoints.save(step, tree(step), {}, {}, metric=value)
    checkpoints.close()
    assert sorted(x.name for x in folder.iterdir()) == ['2', '4', '5']
    assert checkpoint.Checkpoints(folder).restore(tree(0), best=True)[0] == 2


def test_progress_is_copied_when_it_is_saved(folder):
    """It is written by another thread, while the loop goes on counting."""
    checkpoints = checkpoint.Checkpoints(folder)
    progress = {'sums': {'x': [1.0]}}
    checkpoints.save(1, tree(1), progress, {})
    progress['sums']['x'][0] = 2.0
    progress['sums']['y'] = [3.0]
    checkpoints.close()
    assert checkpoint.Checkpoints(folder).restore(tree(0))[2] == {'sums': {'x': [1.0]}}


@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_a_state_that_is_not_finite_is_refused_by_name(folder, value):
    checkpoints = saved(folder, 1)
    with pytest.raises(FloatingPointError, match=r'^w$'):
        checkpoints.save(2, tree(1) | {'w': np.array([1.0, value], np.float32)}, {}, {})
    checkpoints.close()
    assert checkpoint.Checkpoints(folder).restore(tree(0))[0] == 1


def test_a_changed_array_is_seen_by_its_digest(folder, caplog, monkeypatch):
    """As if a byte had been flipped that the file format does not notice."""
    saved(folder, 1, 2)
    digests = checkpoint._digests
    monkeypatch.setattr(
        checkpoint,
        '_digests',
        lambda flat: digests({k: v + 1 if v.flat[0] == 2 else v for k, v in flat.items()}),
    )
    step, state, _ = checkpoint.Checkpoints(folder).restore(tree(0))
    assert step == 1
    assert state['n'] == 1
    assert 'does not match its digest' in caplog.text
    assert f'{folder / "2"} is damaged' in caplog.text
    assert sorted(x.name for x in folder.iterdir()) == ['1', 'damaged_2']


def test_after_damage_the_same_step_can_be_saved_again(folder):
    saved(folder, 1, 2)
    for file in (folder / '2' / 'state').rglob('*'):
        if file.is_file():
            file.write_bytes(b'')
    checkpoints = checkpoint.Checkpoints(folder)
    assert checkpoints.restore(tree(0))[0] == 1
    checkpoints.save(2, tree(7), {}, {})
    checkpoints.close()
    step, state, _ = checkpoint.Checkpoints(folder).restore(tree(0))
    assert (step, state['n']) == (2, 7)


def test_if_all_are_damaged_there_is_none(folder):
    saved(folder, 1, 2)
    for step in '12':
        for file in (folder / step / 'state').rglob('*'):
            if file.is_file():
                file.unlink()
    for _ in range(2):  # the second time, only what was put aside is left
        with pytest.raises(UserError, match=r'no checkpoint in .* can be read.*another --workdir'):
            checkpoint.Checkpoints(folder).restore(tree(0))


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr(checkpoint, 'PAUSE', 0.0)


VALUES = {1: 4.0, 2: 2.0, 3: 3.0, 4: 5.0}  # 2, 3 and 4 are kept; 2 is the best


def progress_of(step):
    return {'means': {'x': [0.5, step]}, 'data': {'next_index': step}}


@pytest.fixture(scope='module')
def evaluated(tmp_path_factory):
    folder = tmp_path_factory.mktemp('evaluated') / 'checkpoints'
    checkpoints = checkpoint.Checkpoints(folder)
    for step, value in VALUES.items():
        checkpoints.save(step, tree(step), progress_of(step), {'seed': step}, metric=value)
    checkpoints.close()
    return folder


def files_of(folder):
    return sorted(x.relative_to(folder) for x in folder.rglob('*') if x.is_file())


def damaged_ones(evaluated, kind, step, to):
    """A copy for each file of the step, that file damaged."""
    for file in files_of(evaluated / str(step)):
        folder = shutil.copytree(evaluated, to / str(file).replace('/', '-'))
        if damage.spoil(folder / str(step) / file, kind):
            yield folder, file


def assert_sound(found, first, step, file, named):
    """Nothing else than what was saved, and never an earlier step without a word."""
    used, state, progress = found
    np.testing.assert_array_equal(state['w'], tree(used)['w'])
    assert state['n'] == used
    assert progress == progress_of(used)
    if step != first:
        assert used == first, file
    elif file.name in ('metadata', 'metrics'):  # JSON, of which there are digests
        assert named, file
    if step == first == 2:
        # What the best is chosen by is read first; without it the best is another one.
        assert used in ((3, 4) if named else (2,)), file
    elif step == first:
        assert used == (3 if named else 4), file


MODES = {'go on': (False, False), 'sample': (True, False), 'best': (True, True)}


@pytest.mark.parametrize('kind', damage.KINDS)
@pytest.mark.parametrize(
    ('mode', 'step'),
    [
        pytest.param(mode, step, marks=() if (mode, step) == ('sample', 4) else pytest.mark.slow)
        for mode in MODES
        for step in (2, 3, 4)
    ],
)
def test_no_damage_gives_another_result_without_a_word(
    evaluated, tmp_path, caplog, kind, mode, step
):
    read_only, best = MODES[mode]
    some = False
    for folder, file in damaged_ones(evaluated, kind, step, tmp_path):
        caplog.clear()
        checkpoints = checkpoint.Checkpoints(folder, read_only=read_only)
        found = checkpoints.restore(tree(0), best)
        named = f'{folder / str(step)} is damaged' in caplog.text
        looked = best or step == 4
        if looked:
            assert_sound(found, 2 if best else 4, step, file, named)
        else:
            assert (found[0], named) == (4, False), file
        some |= named
        if not read_only:  # and it can be gone on with, the best kept
            checkpoints.save(5, tree(5), progress_of(5), {}, metric=9.0)
            checkpoints.close()
            named = f'{folder / str(step)} is damaged' in caplog.text
            left = {2, 3, 4} - ({step} if named else set())
            kept = {min(left, key=VALUES.get), max(left), 5}
            assert {int(x.name) for x in folder.iterdir() if x.name.isdigit()} == kept, file
            assert checkpoint.Checkpoints(folder).restore(tree(0))[0] == 5
    assert some or not looked


@pytest.mark.parametrize('kind', ['empty', 'list', 'delete'])
@pytest.mark.parametrize('item', ['digests/metadata', 'progress/metadata', 'metrics/metrics'])
@pytest.mark.parametrize('best', [True, False])
def test_if_a_file_of_all_is_damaged_there_is_one_line(evaluated, tmp_path, kind, item, best):
    folder = shutil.copytree(evaluated, tmp_path / 'copy')
    for step in (2, 3, 4):
        assert damage.spoil(folder / str(step) / item, kind)
    with pytest.raises(UserError, match=r'no checkpoint in .* can be read; give another --workdir'):
        checkpoint.Checkpoints(folder, read_only=True).restore(tree(0), best)


def test_a_lack_of_memory_is_no_damage(evaluated, tmp_path, monkeypatch):
    def lack(*_):
        raise MemoryError('Unable to allocate 7.45 GiB')

    folder = shutil.copytree(evaluated, tmp_path / 'copy')
    monkeypatch.setattr(checkpoint, '_read_arrays', lack)
    with pytest.raises(OSError, match='Cannot allocate memory'):
        checkpoint.Checkpoints(folder).restore(tree(0))
    assert sorted(x.name for x in folder.iterdir() if x.is_dir()) == ['2', '3', '4']


def as_before(folder, step):
    """Makes a checkpoint one of a version that digested arrays only."""
    file = folder / str(step) / 'digests' / 'metadata'
    file.write_text(json.dumps(json.loads(file.read_text())['arrays']))


def test_checkpoints_without_the_later_digests_are_read(evaluated, tmp_path, caplog):
    folder = shutil.copytree(evaluated, tmp_path / 'copy')
    for step in (2, 3, 4):
        as_before(folder, step)
    for best, step in ((False, 4), (True, 2)):
        found = checkpoint.Checkpoints(folder, read_only=True).restore(tree(0), best)
        assert found[0] == step
        assert found[2] == progress_of(step)
    assert not caplog.messages
    damage.spoil(folder / '4' / 'digests' / 'metadata', 'rename')
    assert checkpoint.Checkpoints(folder).restore(tree(0))[0] == 3
    assert f'{folder / "4"} is damaged' in caplog.text


def test_what_cannot_be_gone_on_with_is_damage(folder, caplog):
    saved(folder, 1, 2)

    def accept(progress):
        if progress['means']['x'][1] == 2:
            raise KeyError('next_index')

    assert checkpoint.Checkpoints(folder).restore(tree(0), accept=accept)[0] == 1
    assert "is damaged ('next_index'); dropped" in caplog.text


@pytest.mark.parametrize(
    ('changes', 'told'),
    [
        ({'w': np.zeros((4, 4), np.float32)}, r'w is float32 \(4, 3\) there, float32 \(4, 4\) now'),
        ({'w': np.zeros((3, 4), np.float32)}, r'w is float32 \(4, 3\) there, float32 \(3, 4\) now'),
        ({'n': np.zeros((), np.float32)}, r'n is int32 \(\) there, float32 \(\) now'),
    ],
)
def test_other_shapes_and_types_are_told_in_one_line(folder, changes, told):
    checkpoints = saved(folder, 1)
    with pytest.raises(UserError, match=told):
        checkpoints.restore(tree(0) | changes)
    assert (folder / '1').exists()


def test_what_a_trainer_deletes_meanwhile_is_no_damage(evaluated, tmp_path, caplog, monkeypatch):
    """It has gone when the reader looks again, and a newer one is there."""
    folder = shutil.copytree(evaluated, tmp_path / 'copy')
    newest = shutil.move(folder / '4', tmp_path / '4')
    (folder / '3' / 'state' / 'manifest.ocdbt').unlink()

    def trainer(seconds):
        shutil.rmtree(folder / '3', ignore_errors=True)
        if not (folder / '4').exists():
            shutil.copytree(newest, folder / '4')

    monkeypatch.setattr(checkpoint.time, 'sleep', trainer)
    assert checkpoint.Checkpoints(folder, read_only=True).restore(tree(0))[0] == 4
    assert not caplog.messages


@pytest.mark.parametrize('number', [errno.EACCES, errno.EMFILE])
def test_what_may_not_be_read_is_no_damage(evaluated, tmp_path, monkeypatch, number):
    folder = shutil.copytree(evaluated, tmp_path / 'copy')

    def refuse(file):
        raise OSError(number, os.strerror(number), str(file))

    monkeypatch.setattr(checkpoint, '_object', refuse)
    with pytest.raises(OSError, match='copy/4') as caught:
        checkpoint.Checkpoints(folder).restore(tree(0))
    assert caught.value.errno == number
    assert sorted(x.name for x in folder.iterdir()) == ['2', '3', '4']


@pytest.mark.parametrize('where', ['save', 'wait_until_finished'])
@pytest.mark.parametrize(
    'error',
    [
        ValueError('RESOURCE_EXHAUSTED: [OS error 28: ENOSPC No space left on device]'),
        OSError(errno.ENOSPC, 'No space left on device', 'somewhere'),
    ],
    ids=['in words', 'as it is'],
)
def test_what_keeps_orbax_from_writing_is_an_error_of_the_system(folder, monkeypatch, where, error):
    """At once or in the background, where arrays are written by a library that has only words."""
    checkpoints = saved(folder, 1)

    def full(*args, **kwargs):
        raise error

    def save():
        checkpoints.save(2, tree(2), {}, {})
        checkpoints.close()

    monkeypatch.setattr(checkpoint.ocp.CheckpointManager, where, full)
    with pytest.raises(OSError, match='No space left') as caught:
        save()
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(folder)


def test_an_error_of_the_code_stays_one(folder, monkeypatch):
    def broken(*args, **kwargs):
        raise ValueError('no such thing')

    monkeypatch.setattr(checkpoint.ocp.CheckpointManager, 'save', broken)
    with pytest.raises(ValueError, match='no such thing'):
        checkpoint.Checkpoints(folder).save(2, tree(2), {}, {})


def test_reading_only_changes_nothing(folder):
    saved(folder, 1, 2)
    (folder / '2' / 'digests' / 'metadata').unlink()
    (folder / '7').mkdir()
    before = sorted(folder.rglob('*'))
    step, _, _ = checkpoint.Checkpoints(folder, read_only=True).restore(tree(0))
    assert step == 1
    assert sorted(folder.rglob('*')) == before


def test_a_damaged_best_checkpoint_gives_way_to_the_newest(folder):
    checkpoints = checkpoint.Checkpoints(folder)
    for step, value in enumerate([4.0, 2.0, 3.0, 5.0], 1):
        checkpoints.save(step, tree(step), {}, {}, metric=value)
    checkpoints.close()
    (folder / '2' / 'digests' / 'metadata').write_text('{')
    assert checkpoint.Checkpoints(folder).restore(tree(0), best=True)[0] == 4


def test_arrays_of_other_code_are_no_damage(folder):
    checkpoints = saved(folder, 1)
    for other in (tree(0) | {'bias': np.zeros(2)}, {'w': tree(0)['w']}):
        with pytest.raises(UserError, match=r'made by other code.*another --workdir'):
            checkpoints.restore(other)
    assert (folder / '1').exists()


@pytest.mark.parametrize('digested', [{'w': np.zeros(3)}, {'w': np.zeros((3, 1), np.float32)}])
def test_digests_know_types_and_shapes(digested):
    plain = {'w': np.zeros(3, np.float32)}
    assert checkpoint._digests(plain) != checkpoint._digests(digested)
