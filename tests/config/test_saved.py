import errno
import json
import os

import pytest

from gan_jax.config import defaults as config_lib
from gan_jax.config import saved as workdir
from gan_jax.errors import UserError

CONFIG = json.loads(json.dumps(config_lib.default().to_dict()))
CONFIG |= {'seed': 0, 'steps': 10, 'log_every': 5}
DATA = CONFIG['data']


def test_a_work_directory_belongs_to_its_config(tmp_path):
    workdir.prepare(tmp_path, CONFIG)
    assert workdir.read_config(tmp_path) == CONFIG
    longer = CONFIG | {'steps': 20, 'log_every': 1}
    workdir.prepare(tmp_path, longer)
    workdir.prepare(tmp_path, longer | {'data': {**DATA, 'data_dir': 'there'}})
    with pytest.raises(UserError, match=r"config.data.split: 'train' there, 'test' now"):
        workdir.prepare(tmp_path, longer | {'data': {**DATA, 'split': 'test'}})
    with pytest.raises(UserError, match=r'config.seed: 0 there, 1 now \(and 1 more\)'):
        workdir.prepare(tmp_path, longer | {'seed': 1, 'width': 2})


def test_a_work_directory_whose_name_is_no_utf8_is_refused(tmp_path):
    """Where checkpoints could not be written in the end."""
    folder = tmp_path / 'w\udce4rk'
    with pytest.raises(UserError, match='is no UTF-8'):
        workdir.prepare(folder, CONFIG)
    assert not folder.exists()
    workdir.prepare(tmp_path / 'w\u00e4rk', CONFIG)


def test_keys_that_came_after_a_run_have_their_defaults(tmp_path):
    older = {key: value for key, value in CONFIG.items() if key != 'evaluation'}
    older |= {'cures': {'packing': 2}, 'steps': 7}
    (tmp_path / 'config.json').write_text(json.dumps(older))
    cures = {**CONFIG['cures'], 'packing': 2}
    assert workdir.read_config(tmp_path) == CONFIG | {'cures': cures, 'steps': 7}


@pytest.mark.parametrize(
    ('content', 'said'),
    [
        (b'{', 'cannot be read'),
        (b'', 'cannot be read'),
        (b'\xff\xfe{}', 'cannot be read'),
        (b'[' * 100_000, 'cannot be read'),
        (b'[]', 'it holds no object'),
        (b'null', 'it holds no object'),
        (b'{"steps": "many"}', 'steps is no whole number'),
        (b'{"seed": true}', 'seed is no whole number'),
        (b'{"data": [1]}', 'data is no object'),
        (b'{"cures": null}', 'cures is no object'),
        (b'{"modality": 3}', 'modality is no object'),
    ],
)
def test_a_broken_config_is_named(tmp_path, content, said):
    (tmp_path / 'config.json').write_bytes(content)
    with pytest.raises(UserError, match=rf'config.json.*{said}.*restore it') as caught:
        workdir.read_config(tmp_path)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    ('number', 'kind'),
    [(errno.ENOSPC, OSError), (errno.EIO, OSError), (errno.EROFS, UserError)],
)
def test_another_work_directory_is_no_help_against_a_full_disk(tmp_path, monkeypatch, number, kind):
    def refuse(file, write):
        raise OSError(number, os.strerror(number), str(file))

    monkeypatch.setattr(workdir.files, 'replace', refuse)
    with pytest.raises(kind, match=os.strerror(number)) as caught:
        workdir.prepare(tmp_path, CONFIG)
    assert caught.type is kind


def test_a_config_that_may_not_be_read_is_no_mistake(tmp_path, monkeypatch):
    def refuse(file):
        raise OSError(errno.EACCES, 'Permission denied')

    monkeypatch.setattr(workdir.pathlib.Path, 'read_bytes', refuse)
    with pytest.raises(PermissionError, match=r'config\.json'):
        workdir.read_config(tmp_path)


@pytest.mark.parametrize('value', [float('nan'), float('inf'), [1.0, float('-inf')]])
def test_a_config_that_json_cannot_hold_is_not_written(tmp_path, value):
    with pytest.raises(UserError, match=r'config\.data\.max_bad=.* is not finite'):
        workdir.prepare(tmp_path / 'x', CONFIG | {'data': {**DATA, 'max_bad': value}})
    assert not (tmp_path / 'x').exists()
