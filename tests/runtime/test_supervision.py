"""What two real processes say and do when one of them ends, in each way that there is."""

import os
import re
import signal
import socket
import subprocess
import sys
import time

import methods
import pytest
from command_line import ENVIRONMENT

from gan_jax.runtime import supervision

PLAY = """
import os, signal, sys, time
import jax, numpy as np
from gan_jax.runtime import preemption, rendezvous, supervision

port, index, what = sys.argv[1], int(sys.argv[2]), sys.argv[3]
preemption.watch()
rendezvous.start(rendezvous.Place(f'localhost:{port}', 2, index))

def say(text):
    os.write(1, f'{text}\\n'.encode())

if what == 'collective':
    total = jax.pmap(lambda x: jax.lax.psum(x, 'i'), 'i')
    try:
        for i in range(10_000):
            jax.block_until_ready(total(np.ones(1)))
            if i == 3:
                say('ready')
    except Exception as error:
        rendezvous.fail_of(error)
say('ready')
if what == 'sleep':
    time.sleep(60)
if what == f'fail{index}':
    supervision.say('why')
    rendezvous.fail(2, 'why')
if what.startswith('fail'):
    time.sleep(60)
code = 0
if what == 'stop':
    with preemption.Interrupt() as interrupt:
        for step in range(1, 2000):
            if interrupt.stops_at(10 * step):
                say(f'{step} {interrupt.name}')
                code = 75
                break
            time.sleep(0.02 * (1 + index))
if what == 'last':  # a signal comes when one of them has no step left
    with preemption.Interrupt() as interrupt:
        for step in range(3):
            assert not interrupt.stops_at(step)
    time.sleep(2 * index)
rendezvous.finish()
if what == 'over':
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.5)
    code = 75
sys.exit(code)
"""


class Pair:
    """Two processes of a run that does nothing else than what is asked of it."""

    def __init__(self, what):
        with socket.socket() as one:
            one.bind(('localhost', 0))
            port = one.getsockname()[1]
        environment = {**ENVIRONMENT, 'JAX_PLATFORMS': 'cpu', 'TF_CPP_MIN_LOG_LEVEL': '2'}
        self.processes = [
            subprocess.Popen(
                [sys.executable, '-c', PLAY, str(port), str(index), what], cwd=methods.ROOT,
                env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )
            for index in (0, 1)
        ]  # fmt: skip
        for process in self.processes:
            while process.stdout.readline() not in ('ready\n', ''):
                pass

    def end(self):
        """([exit codes], [what was printed], [the last lines])."""
        try:
            ends = [process.communicate(timeout=60) for process in self.processes]
        finally:
            for process in self.processes:
                process.kill()
        last = [err.splitlines()[-1] if err else '' for _, err in ends]
        return [x.returncode for x in self.processes], [out for out, _ in ends], last


@pytest.mark.slow
@pytest.mark.parametrize(('what', 'victim'), [('sleep', 0), ('collective', 1)])
def test_the_survivor_names_the_dead(what, victim):
    pair = Pair(what)
    pair.processes[victim].kill()
    began = time.monotonic()
    codes, _, last = pair.end()
    assert time.monotonic() - began < 20
    assert codes[1 - victim] == supervision.DIED == 76
    assert re.fullmatch(
        rf'gan_jax: process {victim} \([^ ]+, pid {pair.processes[victim].pid}\) died, so this one '
        rf'ends, too; start all again, and they go on from the last checkpoint',
        last[1 - victim],
    ), last


@pytest.mark.slow
@pytest.mark.parametrize('index', [0, 1])
def test_the_others_end_with_the_line_of_one_that_failed(index):
    codes, _, last = Pair(f'fail{index}').end()
    assert codes == [2, 2]
    assert last[index] == 'gan_jax: why'
    assert re.fullmatch(rf'gan_jax: process {index} \(.*\) ended: why', last[1 - index])


@pytest.mark.slow
def test_a_signal_after_the_end_of_all_changes_no_code():
    assert Pair('over').end()[0] == [75, 75]


@pytest.mark.slow
def test_a_signal_to_one_stops_both_after_one_step():
    pair = Pair('stop')
    time.sleep(0.5)
    pair.processes[1].send_signal(signal.SIGINT)
    codes, said, _ = pair.end()
    assert codes == [75, 75]
    one, other = [x.split(maxsplit=1) for x in said]
    assert one == [other[0], 'a signal to another process\n']
    assert other[1] == 'SIGINT\n'


@pytest.mark.slow
def test_a_signal_outside_the_loop_ends_both():
    pair = Pair('sleep')
    pair.processes[0].terminate()
    codes, _, last = pair.end()
    assert codes == [143, 143]
    assert last[0].startswith('gan_jax: ended by SIGTERM; the same command begins again')
    assert last[1].startswith('gan_jax: process 0 (')
    assert 'ended: ended by SIGTERM; the same command' in last[1]


@pytest.mark.slow
def test_a_run_that_has_no_step_left_ends_as_it_would(tmp_path):
    codes, _, last = Pair('last').end()
    assert codes == [0, 0], last


class Client:
    """The coordinator, as one process asks it."""

    def __init__(self):
        self.entries = {'gan_jax/name/0': 'one, pid 1', 'gan_jax/name/2': 'three, pid 3'}
        self.alive = [0, 1, 2]

    def key_value_set(self, key, value):
        self.entries[key] = value

    def key_value_dir_get(self, folder):
        return [(key, value) for key, value in self.entries.items() if key.startswith(folder)]

    def wait_at_barrier(self, name, milliseconds):
        pass

    def get_live_nodes(self, ids):
        return dict.fromkeys(self.alive, 0)


@pytest.fixture
def ended(monkeypatch):
    """[(exit code, line)] of the processes that would have ended."""

    class Ended(BaseException):
        pass

    ends, lines = [], []

    def leave(code):
        ends.append((code, lines[-1]))
        raise Ended

    monkeypatch.setattr(os, '_exit', leave)
    monkeypatch.setattr(supervision, 'say', lines.append)
    monkeypatch.setattr(supervision, 'EVERY', 0.01)
    monkeypatch.setattr(supervision.threading, 'excepthook', lambda _: None)
    return ends


def wait_for(ends):
    for _ in range(500):
        if ends:
            return
        time.sleep(0.01)


@pytest.mark.parametrize(
    ('alive', 'said', 'expected'),
    [
        ([0, 1], {}, (76, 'process 2 (three, pid 3) died, so this one ends, too; start all again, '
                      'and they go on from the last checkpoint')),
        ([0, 1], {'gan_jax/ended/2': '2 no such config'},
         (2, 'process 2 (three, pid 3) ended: no such config')),
        ([0, 1, 2], {'gan_jax/ended/0': '143 ended by SIGTERM'},
         (143, 'process 0 (one, pid 1) ended: ended by SIGTERM')),
    ],
)  # fmt: skip
def test_what_the_coordinator_knows_ends_the_process(ended, alive, said, expected):
    with socket.create_server(('localhost', 0)) as coordinator:
        client = Client()
        peers = supervision.Peers(client, 1, 3, f'localhost:{coordinator.getsockname()[1]}')
        peers.watch()
        time.sleep(0.05)
        assert not ended
        client.entries |= said
        client.alive = alive
        wait_for(ended)
        assert ended == [expected]
        assert f'{expected[0]} {expected[1]}' == client.entries['gan_jax/ended/1']


def test_the_end_of_the_coordinator_is_seen(ended):
    with socket.create_server(('localhost', 0)) as coordinator:
        peers = supervision.Peers(Client(), 1, 3, f'localhost:{coordinator.getsockname()[1]}')
        peers.watch()
        time.sleep(0.05)
        assert not ended
    wait_for(ended)
    assert ended[0] == (76, 'process 0 (one, pid 1) died, so this one ends, too; start all again, '
                        'and they go on from the last checkpoint')  # fmt: skip


def test_nobody_is_missed_at_the_end(ended, monkeypatch):
    monkeypatch.setattr(supervision, 'EVERY', 0.2)
    monkeypatch.setattr(supervision, 'GRACE', 0.01)
    client = Client()
    peers = supervision.Peers(client, 0, 3, 'localhost:1')
    peers.watch()
    client.alive = [0]
    time.sleep(0.3)  # they are missed, and it thinks for a while
    peers.finish()
    time.sleep(0.3)
    assert not ended
