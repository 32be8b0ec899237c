import errno
import pathlib
import pickle

import in_memory
import numpy as np
import pytest
from etils import epath

from gan_jax.errors import UserError, of_system
from gan_jax.runtime import buckets, files, lock


def storage():
    return in_memory.IMPLEMENTATIONS['gs']


class HttpError(Exception):
    def __init__(self, code, words):
        super().__init__(words)
        self.code = code


def test_what_names_no_bucket_is_a_path_of_this_machine():
    for name in ('runs/x', '/tmp/x', 'gs:/bucket/x'):
        assert type(buckets.at(name)) is type(pathlib.Path())
        assert not buckets.is_bucket(buckets.at(name))


@pytest.mark.parametrize(
    ('name', 'told'),
    [
        ('gcs://bucket/x', r'^gcs://bucket/x: there are no places gcs://; .* one of gs://, s3://'),
        ('gs://', r'^gs:// names no bucket; say gs://BUCKET/PATH$'),
    ],
)
def test_a_name_that_cannot_be_a_place_is_a_mistake_in_one_line(bucket, name, told):
    with pytest.raises(UserError, match=told):
        buckets.at(name)


def test_a_package_that_is_missing_is_named_with_how_to_install_it(monkeypatch):
    monkeypatch.setitem(buckets.PACKAGES, 'gs', ('no_such_package', "'gan_jax[gcs]'"))
    told = r"^gs://b/x needs the package no_such_package: pip install 'gan_jax\[gcs\]'$"
    with pytest.raises(UserError, match=told):
        buckets.at('gs://b/x')


def test_a_path_stays_on_its_bucket(bucket):
    file = bucket / 'run' / 'a.txt'
    assert str(file) == 'gs://bucket/run/a.txt'
    others = [file.parent, file.with_name('b'), file.absolute(), file.resolve(), epath.Path(file)]
    assert all(buckets.is_bucket(x) for x in [*others, pickle.loads(pickle.dumps(file))])
    assert str(file.absolute()) == str(file.resolve()) == 'gs://bucket/run/a.txt'


def test_what_is_written_is_there(bucket):
    file = bucket / 'run' / 'a.txt'
    assert not file.exists()
    assert not file.is_file()
    assert not (bucket / 'run').exists()
    file.write_text('é')
    assert file.read_bytes() == 'é'.encode()
    assert file.read_text() == 'é'
    assert file.is_file()
    assert not file.is_dir()
    assert (bucket / 'run').is_dir()
    assert [x.name for x in (bucket / 'run').iterdir()] == ['a.txt']
    assert [x.name for x in (bucket / 'run').glob('[a-b].*')] == ['a.txt']
    file.unlink()
    file.unlink(missing_ok=True)
    with pytest.raises(FileNotFoundError, match='no such object'):
        file.unlink()
    with pytest.raises(FileNotFoundError):
        file.read_bytes()


def test_one_of_those_who_create_an_object_does(bucket):
    assert (bucket / 'a').create(b'mine')
    assert not (bucket / 'a').create(b'yours')
    assert (bucket / 'a').create(b'mine')  # a second try, the answer to the first was lost
    assert (bucket / 'a').read_bytes() == b'mine'


def test_a_folder_is_moved_over_what_is_there(bucket):
    for name in ('a/x', 'a/y/z', 'b/old'):
        (bucket / name).write_text(name)
    files.move_folder(bucket / 'a', bucket / 'b')
    assert not (bucket / 'a').exists()
    assert {x.name for x in (bucket / 'b').iterdir()} == {'x', 'y'}
    assert (bucket / 'b' / 'y' / 'z').read_text() == 'a/y/z'


def test_a_file_is_put_whole_or_not_at_all(bucket):
    file = files.write_npz(bucket / 'run' / 'a.npz', x=np.arange(3))
    before = file.read_bytes()

    def broken(temporary):
        temporary.write_text('ne')
        raise OSError('full')

    with pytest.raises(OSError, match='full'):
        files.replace(file, broken)
    assert file.read_bytes() == before
    assert [x.name for x in (bucket / 'run').iterdir()] == ['a.npz']


@pytest.mark.parametrize(
    ('error', 'number'),
    [
        (OSError('Forbidden: b/o\nno storage.objects.create'), errno.EACCES),
        (HttpError(403, 'Forbidden'), errno.EACCES),
        (HttpError('401', 'Unauthorized'), errno.EACCES),
        (HttpError(503, 'try again'), errno.ECONNABORTED),
        (ConnectionResetError(104, 'reset'), errno.ECONNABORTED),
        (TimeoutError(), errno.ECONNABORTED),
        (ValueError('Bad Request'), errno.ECONNABORTED),
    ],
)
def test_what_a_storage_raises_is_an_error_of_the_system_in_one_line(
    bucket, monkeypatch, error, number
):
    monkeypatch.setattr(storage(), 'down', error)
    for act in (
        lambda x: x.write_bytes(b''), lambda x: x.read_bytes(), lambda x: x.create(b''),
        lambda x: files.replace(x, lambda part: part.write_bytes(b'')),
        lambda x: x.stat(), lambda x: x.modified(),
    ):  # fmt: skip
        with pytest.raises(OSError, match='gs://bucket/a') as told:
            act(bucket / 'a')
        assert told.value.errno == number
        assert of_system(told.value).startswith('gs://bucket/a: ')
        assert '\n' not in of_system(told.value)


def test_a_bucket_that_is_not_there_is_a_mistake_in_one_line(bucket, monkeypatch, tmp_path):
    monkeypatch.setattr(storage(), 'down', FileNotFoundError('b/o'))
    (tmp_path / 'file').write_text('')
    told = pytest.raises(UserError, match=r'^there is no bucket gs://bucket, .*; make it, or name')
    for act in (
        lambda x: x.write_bytes(b''), lambda x: x.create(b''), lambda x: x.put(tmp_path / 'file'),
        lambda x: files.check_writable(x, 'make it writable'),
    ):  # fmt: skip
        with told:
            act(bucket / 'run' / 'a')
    with told, lock.alone(bucket / 'run'):
        pass
    assert not [*(bucket / 'run').glob('*')]
    with pytest.raises(FileNotFoundError, match='gs://bucket/run/a'):
        (bucket / 'run' / 'a').read_bytes()


def test_a_network_that_is_down_does_not_say_that_nothing_is_there(bucket, monkeypatch):
    monkeypatch.setattr(storage(), 'down', ConnectionRefusedError(111, 'refused'))
    for act in ('exists', 'is_file', 'is_dir', 'iterdir'):
        with pytest.raises(OSError, match='refused'):
            getattr(bucket / 'a', act)()


def test_what_cannot_be_written_is_said_before_it_is_computed(bucket, monkeypatch):
    files.check_writable(bucket / 'run', 'make it writable', ['a'])
    assert not (bucket / 'run').exists()
    monkeypatch.setattr(storage(), 'down', HttpError(403, 'Forbidden'))
    with pytest.raises(UserError, match=r'gs://bucket/run cannot be written \(Forbidden\); make'):
        files.check_writable(bucket / 'run', 'make it writable')
    monkeypatch.setattr(storage(), 'down', HttpError(503, 'try again'))
    with pytest.raises(OSError, match='try again'):
        files.check_writable(bucket / 'run', 'make it writable')
