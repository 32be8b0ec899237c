import json
import os
import signal
import subprocess
import sys
import time

import methods
import pytest

from gan_jax.runtime import preemption, supervision
from gan_jax.runtime.preemption import Interrupt


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_asks_and_the_second_acts_as_usual(number):
    usual = []
    before = signal.signal(number, lambda *_: usual.append(1))
    try:
        with Interrupt() as interrupt:
            assert interrupt.name is None
            os.kill(os.getpid(), number)
            time.sleep(0.01)
            assert interrupt.name == signal.Signals(number).name
            assert not usual
            os.kill(os.getpid(), number)
            time.sleep(0.01)
            assert usual == [1]
    finally:
        signal.signal(number, before)


def test_what_a_launcher_sends_on_is_no_second_signal(monkeypatch):
    interrupt = Interrupt()
    assert interrupt.receive(signal.SIGTERM)
    assert not interrupt.receive(signal.SIGTERM)
    monkeypatch.setenv(supervision.LAUNCHED, '1')
    assert interrupt.receive(signal.SIGTERM)
    monkeypatch.setattr(preemption, 'SAME', 0.0)
    assert not interrupt.receive(signal.SIGTERM)


def test_alone_a_run_stops_at_the_step_after_the_signal():
    with Interrupt() as interrupt:
        assert not interrupt.stops_at(3)
        interrupt.receive(signal.SIGTERM)
        assert interrupt.stops_at(4)


def test_several_stop_when_all_do_whoever_was_told(monkeypatch):
    agreed, told = [False, False, True], []
    monkeypatch.setattr(preemption.rendezvous, 'several', lambda: True)
    monkeypatch.setattr(preemption.rendezvous, 'reached_stop', lambda: agreed.pop(0))
    monkeypatch.setattr(preemption.rendezvous, 'notify', lambda: told.append(1))
    interrupt = Interrupt()
    assert not interrupt.stops_at(1)
    assert interrupt.receive(signal.SIGTERM)
    assert told == [1]
    assert not interrupt.stops_at(2)  # the others have not heard of it
    assert interrupt.stops_at(3)
    assert interrupt.name == 'SIGTERM'


def test_one_of_several_that_was_not_told_itself_says_so(monkeypatch):
    monkeypatch.setattr(preemption.rendezvous, 'several', lambda: True)
    monkeypatch.setattr(preemption.rendezvous, 'reached_stop', lambda: True)
    interrupt = Interrupt()
    assert interrupt.stops_at(1)
    assert interrupt.name == 'a signal to another process'


# Each moment in a fork of its own, which is signalled once it says so.
MOMENTS = """
import hashlib, json, os, pathlib, signal, sys, time, weakref
from gan_jax.runtime import files, preemption

folder = pathlib.Path(sys.argv[1])

def say():
    os.write(1, b'.')

def loop():
    say()
    while True:
        pass

def sleep():
    say()
    time.sleep(60)

def library():  # which does not come back to Python for minutes
    say()
    hashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)

def callback():  # whose errors nobody hears of
    class Something:
        pass
    def called(reference):
        say()
        time.sleep(60)
    something = Something()
    reference = weakref.ref(something, called)
    del something
    time.sleep(60)

def write():
    def slowly(file):
        file.write_text('half')
        say()
        time.sleep(60)
    files.replace(folder / 'a.txt', slowly)

def twice():
    with preemption.Interrupt() as interrupt:
        say()
        while interrupt.name is None:
            pass
        say()
        time.sleep(60)

def after():
    with preemption.Interrupt():
        pass
    say()
    time.sleep(60)

results = {}
for number in (signal.SIGINT, signal.SIGTERM):
    for moment in (loop, sleep, library, callback, write, twice, after):
        out, told, err, said = *os.pipe(), *os.pipe()
        child = os.fork()
        if not child:
            os.dup2(told, 1)
            os.dup2(said, 2)
            preemption.watch()
            moment()
            os._exit(0)
        os.close(said)
        for _ in range(2 if moment is twice else 1):
            os.read(out, 1)
            os.kill(child, number)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        results[moment.__name__, number] = status, os.read(err, 10_000).decode()
print(json.dumps([[*key, *value] for key, value in results.items()]))
print(json.dumps([x.name for x in folder.iterdir()]))
"""


def test_at_any_moment_a_signal_is_one_line_and_a_code_of_its_own(tmp_path):
    run = subprocess.run(
        [sys.executable, '-c', MOMENTS, str(tmp_path)],
        cwd=methods.ROOT, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    results, left = map(json.loads, run.stdout.splitlines())
    assert len(results) == 14
    for moment, number, code, printed in results:
        name = {2: 'SIGINT', 15: 'SIGTERM'}[number]
        assert code == {2: 130, 15: 143}[number], moment
        assert printed == (
            f'gan_jax: ended by {name}; the same command begins again, from the last checkpoint '
            f'if there is one\n'
        ), moment
    assert left == []
