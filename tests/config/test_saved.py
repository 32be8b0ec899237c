import json

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


def test_a_broken_config_is_named(tmp_path):
    (tmp_path / 'config.json').write_text('{')
    with pytest.raises(UserError, match=r'config.json cannot be read'):
        workdir.read_config(tmp_path)
