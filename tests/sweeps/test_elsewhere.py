import os

from etils import epath

from gan_jax.sweeps import elsewhere
from gan_jax.sweeps.trials import Trial


def command(script, config, workdir):
    data = f'--config.data.source=folder:{os.getcwd()}/data'
    return ('python', script, f'--config={config}', f'--workdir={workdir}', data)


def test_files_are_named_from_the_folder_and_the_work_directory_from_the_root(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    words = command(f'{tmp_path}/launch.py', f'{tmp_path}/configs/gan.py', 'runs/s/a=1')
    [trial] = elsewhere.portable([Trial('a=1', {}, epath.Path('runs/s/a=1'), words, 5)])
    assert trial.workdir == epath.Path(f'{tmp_path}/runs/s/a=1')
    assert trial.command == command('launch.py', 'configs/gan.py', f'{tmp_path}/runs/s/a=1')


def test_what_means_the_same_everywhere_stays():
    words = command('launch.py', '/elsewhere/gan.py', 'gs://bucket/s/a=1')
    trial = Trial('a=1', {}, epath.Path('gs://bucket/s/a=1'), words, 5)
    assert elsewhere.portable([trial]) == [trial]
