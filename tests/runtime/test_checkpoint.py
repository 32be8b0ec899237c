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
