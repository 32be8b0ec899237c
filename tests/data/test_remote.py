import io

import fsspec
import in_memory
import numpy as np
import pytest
from PIL import Image

from gan_jax.data import remote, sources
from gan_jax.errors import UserError

PLACE = 'gs://bucket/pictures'


def png(value):
    stream = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), value, np.uint8)).save(stream, 'png')
    return stream.getvalue()


NAMES = 'cat/1.png', 'cat/2.png', 'cat-b/1.PNG', 'a.png', '.hidden/1.png', 'cat/.2.png', 'a.txt'


@pytest.fixture
def filled(bucket):
    for value, name in enumerate(NAMES):
        (bucket / 'pictures' / name).write_bytes(png(value))


def test_a_folder_on_a_bucket_is_the_one_on_a_disk(filled, tmp_path, caplog):
    for value, name in enumerate(NAMES):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(png(value))
    here, there = sources.folder(str(tmp_path)), sources.folder(PLACE)
    assert there.name == f'folder:{PLACE}'
    assert here.class_names == there.class_names == ('', 'cat', 'cat-b')
    assert here.labels == there.labels == [0, 1, 1, 2]
    assert [here.describe(i) for i in range(4)] == [there.describe(i) for i in range(4)]
    assert [there.describe(i) for i in range(4)] == [
        'a.png',
        'cat/1.png',
        'cat/2.png',
        'cat-b/1.PNG',
    ]
    shown = [np.asarray(there.record(i)[0])[0, 0, 0] for i in range(4)]
    assert shown == [3, 0, 1, 2]
    assert [there.parse(x)[1] for x in there.fetch([3, 1])] == [2, 1]


def test_what_is_not_there_is_a_mistake_and_what_is_not_reached_an_error(filled, monkeypatch):
    with pytest.raises(
        UserError, match=r'^config.dataset=folder:gs://bucket/no: .* does not exist'
    ):
        sources.folder('gs://bucket/no')
    with pytest.raises(UserError, match=r'gs://bucket/pictures/\.hidden holds no images|does not'):
        sources.folder(f'{PLACE}/a.txt')
    with pytest.raises(UserError, match=r'^config.dataset=folder:foo://x: Protocol not known: foo'):
        sources.folder('foo://x')
    there = sources.folder(PLACE)
    monkeypatch.setattr(in_memory.IMPLEMENTATIONS['gs'], 'down', ConnectionResetError(104, 'reset'))
    with pytest.raises(OSError, match='reset'):
        there.fetch([0, 1])


def test_a_prepared_set_is_copied_once_with_the_splits_that_are_asked_for(
    bucket, tmp_path, monkeypatch
):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    version = bucket / 'sets' / 'tiny' / '1.0.0'
    names = [
        'dataset_info.json',
        *(f'tiny-{x}.array_record-00000-of-00001' for x in ('train', 'test')),
    ]
    for name in names:
        (version / name).write_text(name)
    (bucket / 'sets' / 'other' / '1.0.0' / 'dataset_info.json').write_text('{}')
    copied = []
    storage = in_memory.IMPLEMENTATIONS['gs']
    get = storage.get_file
    monkeypatch.setattr(
        storage, 'get_file', lambda self, *x: (copied.append(x[0].rsplit('/')[-1]), get(self, *x))
    )
    for _ in range(2):
        folder = remote.prepared('tiny:1.0.0', 'train[:50%]', 'gs://bucket/sets')
    assert folder.is_relative_to(tmp_path)
    assert sorted(x.name for x in folder.rglob('*') if x.is_file()) == names[:2]
    assert (folder / 'tiny' / '1.0.0' / names[1]).read_text() == names[1]
    assert sorted(copied) == names[:2]
    (version / names[0]).write_text('longer than it was')
    remote.prepared('tiny:1.0.0', 'train', 'gs://bucket/sets')
    assert (folder / 'tiny' / '1.0.0' / names[0]).read_text() == 'longer than it was'
    assert fsspec.filesystem('gs').find('bucket/sets')  # nothing is removed there
