"""How a process finds its place among others; without any, it is alone at once."""

import socket
import subprocess
import sys
import time

import methods
import pytest
from command_line import ENVIRONMENT

from gan_jax.errors import UserError
from gan_jax.runtime import rendezvous
from gan_jax.runtime.rendezvous import Place

SLURM = {
    'SLURM_JOB_ID': '7',
    'SLURM_STEP_NODELIST': 'node[3-4]',
    'SLURM_NTASKS': '2',
    'SLURM_PROCID': '1',
    'SLURM_LOCALID': '0',
}


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch):
    """JAX reads the environment itself."""
    for name in (*SLURM, 'SLURM_STEP_NUM_TASKS', 'OMPI_MCA_orte_hnp_uri'):
        monkeypatch.delenv(name, raising=False)


def place(coordinator=None, count=None, index=None, **environment):
    return rendezvous.place(coordinator, count, index, environment)


def test_flags_and_the_environment_say_the_same():
    expected = Place('10.0.0.1:1234', 4, 3)
    assert place('10.0.0.1:1234', 4, 3) == expected
    assert expected == place(
        JAX_COORDINATOR_ADDRESS='10.0.0.1:1234', JAX_NUM_PROCESSES='4', JAX_PROCESS_ID='3'
    )
    assert place('[::1]:1234', 2, 0, JAX_PROCESS_ID='1') == Place('[::1]:1234', 2, 0)


def test_all_have_as_many_devices():
    names = {0: 'one, pid 1', 1: 'two, pid 2'}
    rendezvous._check_devices([4, 4], names)
    with pytest.raises(UserError) as error:
        rendezvous._check_devices([4, 3], names)
    said = 'process 1 (two, pid 2) has 3 devices and process 0 (one, pid 1) 4; give all of them as'
    assert str(error.value) == f'{said} many'


@pytest.mark.parametrize('arguments', [(), (None, 1), (None, 1, 0), ('localhost:1234', 1, 0)])
def test_a_process_without_others_is_alone(arguments):
    assert place(*arguments) is None
    rendezvous.start(None)
    assert not rendezvous.several()
    rendezvous.finish()
    rendezvous.notify()


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        (('localhost:1234',), '--num_processes and --process_id missing beside --coordinator'),
        ((None, 2), '--coordinator and --process_id missing beside --num_processes'),
        (('localhost:1234', 2), '--process_id missing beside --coordinator and --num_processes'),
        (('localhost', 2, 0), '--coordinator=localhost is not HOST:PORT; give the address of '),
        ((':1234', 2, 0), '--coordinator=:1234 is not HOST:PORT'),
        (('localhost:70000', 2, 0), 'is not HOST:PORT'),
        (('localhost:1234', 2, 2), '--process_id=2 is none of --num_processes=2 processes'),
        (('localhost:1234', 2, -1), '--process_id=-1 is none of'),
        (('localhost:1234', 0, 0), '--process_id=0 is none of --num_processes=0'),
    ],
)
def test_what_does_not_fit_together_is_refused(arguments, said):
    with pytest.raises(UserError) as error:
        place(*arguments)
    assert said in str(error.value)


def test_a_number_in_the_environment_must_be_one():
    with pytest.raises(UserError, match='JAX_PROCESS_ID=one in the environment is not a number'):
        place(JAX_PROCESS_ID='one')


@pytest.mark.parametrize(
    ('tasks', 'step', 'expected'),
    [
        ('2', {'SLURM_STEP_NUM_TASKS': '2'}, Place()),  # srun --ntasks=2
        ('1', {'SLURM_STEP_NUM_TASKS': '1'}, None),
        ('2', {'SLURM_STEP_NUM_TASKS': '1'}, None),  # a shell in an allocation for two
        ('2', {}, None),  # a batch script
    ],
)
def test_of_slurm_only_the_tasks_of_one_step_are_several(monkeypatch, tasks, step, expected):
    environment = SLURM | {'SLURM_NTASKS': tasks} | step
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert place(**environment) == expected
    assert place('localhost:1234', 3, 1, **environment) == Place('localhost:1234', 3, 1)


def cluster(present, num):
    """A kind of cluster as JAX knows them."""

    class Kind:
        opt_in_only_method = False

        @staticmethod
        def is_env_present():
            if isinstance(present, Exception):
                raise present
            return present

        @staticmethod
        def get_process_count():
            return num

    return Kind


@pytest.mark.parametrize(
    ('present', 'num', 'expected'),
    [(True, 4, Place()), (True, 1, None), (False, 4, None), (OSError('no answer'), 4, None)],
)
def test_a_pod_slice_is_several_and_a_single_tpu_machine_is_not(
    monkeypatch, caplog, present, num, expected
):
    kinds = [cluster(present, num)]
    monkeypatch.setattr(rendezvous.clusters.ClusterEnv, '_cluster_types', kinds)
    assert place() == expected
    assert ('no answer; if there are, give --coordinator' in caplog.text) == (present is not None
        and isinstance(present, Exception))  # fmt: skip


def test_a_port_that_is_taken_is_refused_before_jax_crashes_at_it():
    with socket.create_server(('', 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError) as error:
            rendezvous.start(Place(f'localhost:{port}', 2, 0))
    assert str(error.value) == (
        f'--coordinator=localhost:{port}: process 0 cannot listen at port {port}: Address already '
        f'in use; give all processes another one'
    )


def start(*words):
    return subprocess.run(
        [sys.executable, 'launch.py', '--config=configs/ring8.py', *words],
        cwd=methods.ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


@pytest.mark.slow
def test_one_that_waits_in_vain_says_for_what(tmp_path):
    with socket.socket() as one:
        one.bind(('localhost', 0))
        coordinator = f'localhost:{one.getsockname()[1]}'
    for index in (0, 1):
        began = time.monotonic()
        run = start(
            f'--workdir={tmp_path / "run"}', f'--coordinator={coordinator}', '--num_processes=2',
            f'--process_id={index}', '--rendezvous_seconds=2',
        )  # fmt: skip
        assert run.returncode == 76, run.stderr
        assert run.stderr.splitlines()[-1].startswith(
            f'gan_jax: process {index} of 2 has waited 2 s for the others at {coordinator}; see '
            f'whether each was started'
        )
        assert time.monotonic() - began < 60
    assert not (tmp_path / 'run').exists()
