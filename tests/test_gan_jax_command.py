"""How the program is started: its name, what it lists, and configs by their names."""

import subprocess
import sys
from importlib import metadata

import methods
import pytest

from gan_jax.config import overrides
from gan_jax.errors import UserError
from gan_jax.runtime import launcher


def said(*words):
    done = subprocess.run(
        [sys.executable, *words], cwd=methods.ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.parametrize('start', [('launch.py',), ('-m', 'gan_jax')])
def test_the_version_is_the_installed_ones(start):
    assert said(*start, '--version') == f'gan_jax {metadata.version("gan_jax")}\n'


def test_the_list_has_every_config_with_what_it_is():
    lines = said('-m', 'gan_jax', '--list').splitlines()
    assert [line.split()[0] for line in lines] == methods.CONFIGS
    assert 'dcgan                DCGAN on handwritten digits: the default run.' in lines
    assert all(len(line.split()) > 2 for line in lines)


def test_a_config_of_the_package_has_a_name_in_any_folder(tmp_path, monkeypatch):
    assert (methods.ROOT / 'configs').samefile(overrides.CONFIGS)
    monkeypatch.chdir(tmp_path)
    assert overrides.load('ring8') == methods.load_config('ring8')
    (tmp_path / 'ring8').write_text((methods.ROOT / 'configs' / 'dcgan.py').read_text())
    assert overrides.load('ring8') == methods.load_config('dcgan')  # a file of one's own
    for name, near in (('dcgn', 'dcgan'), ('configs/dcgan.py', 'dcgan'), ('ring8.py', 'ring8')):
        with pytest.raises(UserError, match=rf'no such file; did you mean {near}\?'):
            overrides.load(name)


@pytest.mark.parametrize(
    ('file', 'command'),
    [
        ('launch.py', ['launch.py']),
        ('/bin/gan-jax', ['/bin/gan-jax']),
        ('/lib/gan_jax/__main__.py', ['-m', 'gan_jax']),
    ],
)
def test_the_program_is_started_again_as_it_was(file, command):
    assert launcher.program(file) == [sys.executable, *command]
