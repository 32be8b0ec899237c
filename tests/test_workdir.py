import pytest

from gan_jax import workdir
from gan_jax.errors import UserError

CONFIG = {'seed': 0, 'steps': 10, 'log_every': 5, 'data': {'split': 'train', 'data_dir': None}}


def test_a_work_directory_belongs_to_its_config(tmp_path):
    workdir.prepare(tmp_path, CONFIG)
    assert workdir.read_config(tmp_path) == CONFIG
    longer = CONFIG | {'steps': 20, 'log_every': 1}
    workdir.prepare(tmp_path, longer)
    workdir.prepare(tmp_path, longer | {'data': {'split': 'train', 'data_dir': 'there'}})
    with pytest.raises(UserError, match=r"config.data.split: 'train' there, 'test' now"):
        workdir.prepare(tmp_path, longer | {'data': {'split': 'test', 'data_dir': None}})
    with pytest.raises(UserError, match=r'config.seed: 0 there, 1 now \(and 1 more\)'):
        workdir.prepare(tmp_path, longer | {'seed': 1, 'width': 2})


def test_a_broken_config_is_named(tmp_path):
    (tmp_path / 'config.json').write_text('{')
    with pytest.raises(UserError, match=r'config.json cannot be read'):
        workdir.read_config(tmp_path)
