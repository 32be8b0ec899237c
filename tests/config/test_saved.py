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


@pytest.mark.parametrize('value', [float('nan'), float('inf'), [1.0, float('-inf')]])
def test_a_config_that_json_cannot_hold_is_not_written(tmp_path, value):
    with pytest.raises(UserError, match=r'config\.data\.max_bad=.* is not finite'):
        workdir.prepare(tmp_path / 'x', CONFIG | {'data': {**DATA, 'max_bad': value}})
    assert not (tmp_path / 'x').exists()
