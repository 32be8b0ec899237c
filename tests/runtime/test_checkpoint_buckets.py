import pytest

from gan_jax.runtime import checkpoint


def test_on_a_bucket_a_step_that_was_not_committed_is_none(bucket):
    folder = bucket / 'checkpoints'
    (folder / '100' / checkpoint.COMMITTED).write_text('')
    (folder / '100' / 'config' / 'metadata').write_text('{}')
    (folder / '200' / 'config' / checkpoint.COMMITTED).write_text('')  # killed while it was saved
    (folder / 'damaged_300' / checkpoint.COMMITTED).write_text('')
    assert checkpoint.Checkpoints(folder)._steps() == [100]


def test_a_bucket_that_cannot_be_reached_is_no_damage(bucket, monkeypatch, caplog):
    folder = bucket / 'checkpoints'
    (folder / '100' / checkpoint.COMMITTED).write_text('')
    (folder / '100' / 'digests' / 'metadata').write_text('{}')
    monkeypatch.setattr(checkpoint, 'PAUSE', 0)
    storage = type(folder._storage)

    def cut_off(step):
        monkeypatch.setattr(storage, 'down', ConnectionResetError(104, 'reset'))
        raise ValueError('UNAVAILABLE')

    checkpoints = checkpoint.Checkpoints(folder)
    with pytest.raises(OSError, match='reset'):
        checkpoints._sound(100, cut_off)
    monkeypatch.setattr(storage, 'down', None)
    assert checkpoints._steps() == [100]
    assert 'damaged' not in caplog.text
    assert checkpoints._sound(100, checkpoint._read_records) is None  # there is nothing of it
    assert (folder / 'damaged_100' / 'digests' / 'metadata').read_text() == '{}'
    assert not (folder / '100').exists()
