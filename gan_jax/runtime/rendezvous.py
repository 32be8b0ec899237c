"""How the processes of one run come together, stop at one same step, and leave each other.

Who plays with whom is said by flags, by the environment, or by a cluster that JAX knows. What
they then do together stands in `processes`, how they watch each other in `supervision`.
"""

import ctypes
import itertools
import os
import signal
import socket
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

import jax
from absl import logging
from jax._src import clusters, distributed
from jax.experimental import multihost_utils

from gan_jax.errors import UserError, one_line
from gan_jax.runtime import progress, supervision

PATIENCE = 300  # seconds in which all must have come
_dispatches = itertools.count(1)
_peers: supervision.Peers | None = None
_notify: Callable[[int], None] | None = None  # JAX's handler of SIGTERM


class Place(NamedTuple):
    """Where a process stands among the others, as jax.distributed.initialize is told.

    Attributes:
      coordinator: HOST:PORT; None of these three where JAX finds them by itself.
    """

    coordinator: str | None = None
    num_processes: int | None = None
    process_id: int | None = None


def place(
    coordinator: str | None, count: int | None, index: int | None, environment: Mapping[str, str]
) -> Place | None:
    """Where this process stands; None if it is the only one.

    Args:
      coordinator: --coordinator; JAX_COORDINATOR_ADDRESS in its place.
      count: --num_processes; JAX_NUM_PROCESSES.
      index: --process_id; JAX_PROCESS_ID.
      environment: the environment's variables.

    Raises:
      UserError: if these do not fit together.
    """
    coordinator = coordinator or environment.get('JAX_COORDINATOR_ADDRESS') or None
    count = _number('JAX_NUM_PROCESSES', environment) if count is None else count
    index = _number('JAX_PROCESS_ID', environment) if index is None else index
    if count is None and index is None and _detected(environment):
        return Place(coordinator)
    values = {'--coordinator': coordinator, '--num_processes': count, '--process_id': index}
    missing = [name for name, value in values.items() if value is None]
    if len(missing) == len(values) or (count == 1 and not coordinator and index in (None, 0)):
        return None
    if missing:
        there = ' and '.join(name for name in values if name not in missing)
        raise UserError(
            f'{" and ".join(missing)} missing beside {there} (or JAX_COORDINATOR_ADDRESS, '
            f'JAX_NUM_PROCESSES, JAX_PROCESS_ID in the environment); give all three, or none'
        )
    assert coordinator is not None
    assert count is not None
    assert index is not None
    host, _, port = coordinator.rpartition(':')
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise UserError(
            f'--coordinator={coordinator} is not HOST:PORT; give the address of process 0 and a '
            f'port that is free there, such as {host or coordinator}:12345'
        )
    if count < 1 or not 0 <= index < count:
        raise UserError(
            f'--process_id={index} is none of --num_processes={count} processes; they are counted '
            f'from 0'
        )
    return None if count == 1 else Place(coordinator, count, index)


def _number(name: str, environment: Mapping[str, str]) -> int | None:
    text = environment.get(name, '')
    if not text:
        return None
    if not text.isdecimal():
        raise UserError(f'{name}={text} in the environment is not a number; correct it')
    return int(text)


def _detected(environment: Mapping[str, str]) -> bool:
    """Whether JAX finds a cluster in which this process is one of several.

    A shell inside an allocation of SLURM sees its number of tasks, but is the only one of its step.
    """
    if environment.get('SLURM_STEP_NUM_TASKS', '1') == '1' and 'SLURM_JOB_ID' in environment:
        return False
    kinds = clusters.ClusterEnv._cluster_types
    try:
        found = next((x for x in kinds if not x.opt_in_only_method and x.is_env_present()), None)
        return found is not None and found.get_process_count() > 1
    except Exception as error:  # a metadata server that does not answer, a variable of another form
        logging.warning(
            'JAX could not find out whether there are other processes, so this is the only one: '
            '%s; if there are, give --coordinator, --num_processes and --process_id',
            one_line(error),
        )
        return False


def start(where: Place | None, patience: int = PATIENCE) -> None:
    """Joins the other processes, before the backend starts; from then on all watch each other.

    Only the main thread can call it.

    Args:
      where: this process's place; None does nothing.
      patience: seconds in which all must have come.

    Raises:
      UserError: if JAX cannot begin, or one has more devices than another.
    """
    global _peers
    launcher = os.environ.get(supervision.LAUNCHED)
    if launcher:
        _end_with(int(launcher))
    if where is None:
        return
    _check_port(where)
    supervision.hold_aborts()
    jax.config.update('jax_enable_recoverability', True)  # else all abort when one dies
    come = threading.Event()
    threading.Thread(target=_wait, args=(come, where, patience), daemon=True).start()
    usual = signal.getsignal(signal.SIGTERM)
    try:
        with progress.lines('waiting for the other processes'):
            jax.distributed.initialize(
                *where,
                # Beside flags it would still give each process one GPU, by its place on a node.
                cluster_detection_method='deactivate' if where.num_processes else None,
                initialization_timeout=patience + 60,
                heartbeat_timeout_seconds=supervision.HEARTBEAT,
            )
            state = distributed.global_state
            assert state.coordinator_address is not None
            peers = supervision.Peers(
                state.client, state.process_id, state.num_processes, state.coordinator_address
            )
    except (RuntimeError, ValueError, TypeError, OSError) as error:
        raise UserError(
            f'the processes do not come together: {one_line(error)}; look at --coordinator: '
            f'process 0 must be reached there by all, at a port that nothing else uses'
        ) from error
    come.set()
    _keep_handler(usual)
    peers.watch()
    _peers = peers
    if jax.default_backend() == 'cpu':  # to read back programs of several devices has crashed
        jax.config.update('jax_compilation_cache_dir', None)
    if state.process_id != 0:
        logging.set_verbosity(logging.WARNING)
    logging.info('process %d of %d: %s', state.process_id, state.num_processes, peers.names)
    _check_devices([len(jax.local_devices(i)) for i in range(state.num_processes)], peers.names)


def _wait(come: threading.Event, where: Place, patience: int) -> None:
    """Ends the process if the others do not come."""
    if not come.wait(patience):
        num = where.num_processes
        who = 'one of several' if num is None else f'{where.process_id} of {num}'
        supervision.say(
            f'process {who} has waited {patience} s for the others at '
            f'{where.coordinator or "the address that the cluster gives"}; see whether each was '
            f'started, with the same --num_processes and a --process_id of its own, and whether '
            f'each reaches this address (a firewall, a proxy); then start all again'
        )
        os._exit(supervision.DIED)


def _keep_handler(usual: Any) -> None:
    """Has Python hear of SIGTERM again, and keeps JAX's handler, which took its place.

    It is what tells the others of a pre-emption; `notify` calls it.
    """
    global _notify
    library = ctypes.CDLL(None)
    library.signal.argtypes, library.signal.restype = (
        (ctypes.c_int, ctypes.c_void_p),
        ctypes.c_void_p,
    )
    of_jax = library.signal(signal.SIGTERM, ctypes.c_void_p(int(signal.SIG_IGN)))
    signal.signal(signal.SIGTERM, usual)
    _notify = ctypes.CFUNCTYPE(None, ctypes.c_int)(of_jax)


def _end_with(launcher: int) -> None:
    """Has a thread send SIGTERM here when the launcher is no longer there."""

    def look() -> None:
        while os.getppid() == launcher:
            time.sleep(1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=look, daemon=True).start()


def _check_port(where: Place) -> None:
    """Raises UserError if process 0 cannot have the coordinator's port: JAX would crash."""
    if where.process_id != 0 or where.coordinator is None:
        return
    port = int(where.coordinator.rpartition(':')[2])
    try:
        socket.create_server(('', port)).close()
    except OSError as error:
        raise UserError(
            f'--coordinator={where.coordinator}: process 0 cannot listen at port {port}: '
            f'{os.strerror(error.errno or 0)}; give all processes another one'
        ) from error


def _check_devices(counts: Sequence[int], names: Mapping[int, str]) -> None:
    """Raises UserError unless all have as many devices: a batch is split evenly."""
    for i, count in enumerate(counts):
        if count != counts[0]:
            raise UserError(
                f'process {i} ({names[i]}) has {count} devices and process 0 ({names[0]}) '
                f'{counts[0]}; give all of them as many'
            )


def several() -> bool:
    """Whether this process was started as one of several."""
    return _peers is not None


def over() -> bool:
    """Whether all have come to the end of what they do."""
    return _peers is not None and _peers.over.is_set()


def notify() -> None:
    """Tells all processes, at the first signal, to save at one same step."""
    if _notify is not None:
        _notify(signal.SIGTERM)


def reached_stop() -> bool:
    """Whether all stop now since one of them was told to; asked once per dispatch by each.

    JAX has them agree on the number of the question after the latest that any has asked.
    """
    return several() and multihost_utils.reached_preemption_sync_point(next(_dispatches))


def fail(code: int, line: str) -> NoReturn:
    """Ends this process, one of several, which has said why; the others end with the same line."""
    assert _peers is not None
    _peers.fail(code, line)


def fail_of(error: Exception) -> NoReturn:
    """Ends this process at an error that nobody foresaw, which may come of another's death."""
    assert _peers is not None
    _peers.wait_for_verdict()
    traceback.print_exception(error)
    _peers.fail(1, one_line(error))


def finish() -> None:
    """Leaves the others when all have done what they do; alone it does nothing."""
    if _peers is None:
        return
    _peers.finish()
    distributed.global_state.shutdown()
