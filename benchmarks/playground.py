"""How many updates a second the playground makes while a Chromium draws its page, and its memory.

    python -m benchmarks.playground --speed=fast --minutes=1
    python -m benchmarks.playground --speed=300 --minutes=10

The server and a headless Chromium are started as a person would; the rate is that of the frames'
numbers of updates, memory is the server's resident set (Linux). Chromium is that of $CHROMIUM, or
the first in the PATH.
"""

import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence

from absl import app, flags

SPEED = flags.DEFINE_enum('speed', 'fast', ['slow', '60', '300', 'fast'], 'Of the players.')
MINUTES = flags.DEFINE_float('minutes', 1.0, 'How long it plays.', 0.1)
PORT = flags.DEFINE_integer('port', 8093, 'Of 127.0.0.1.', 1, 65_535)
NAMES = ('chromium', 'chromium-browser', 'google-chrome', 'chrome')
HOST = '127.0.0.1'


def resident(pid: int) -> int:
    """The resident set of a process in MB."""
    status = pathlib.Path(f'/proc/{pid}/status').read_text()
    return int(re.search(r'VmRSS:\s+(\d+)', status)[1]) // 1024


def frames(port: int) -> Iterator[dict]:
    """The server's frames, as a page gets them."""
    with contextlib.closing(http.client.HTTPConnection(HOST, port, timeout=60)) as asked:
        asked.request('GET', '/events')
        for line in asked.getresponse():
            if line.startswith(b'data: '):
                yield json.loads(line[6:])


def act(port: int, name: str) -> None:
    with contextlib.closing(http.client.HTTPConnection(HOST, port, timeout=60)) as asked:
        headers = {'Content-Type': 'application/json'}
        asked.request('POST', '/act', json.dumps({'do': name}), headers)
        answer = asked.getresponse()
        answer.read()
        assert answer.status == 200, name


@contextlib.contextmanager
def running(command: list[str]) -> Iterator[subprocess.Popen]:
    """A program with all that it starts, ended behind it."""
    quiet = {'stdout': subprocess.DEVNULL, 'stderr': subprocess.DEVNULL}
    with subprocess.Popen(command, start_new_session=True, **quiet) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)


def measure(port: int, pid: int, speed: str, minutes: float) -> None:
    """Prints a line a minute: updates a second since the one before, and memory."""
    for seen in frames(port):
        if seen['frame'] and not seen['status']['busy']:
            break
    act(port, speed)
    act(port, 'play')
    begin = last = None
    for seen in frames(port):
        now, step = time.monotonic(), seen['frame']['step']
        if begin is None:
            begin, last = now, (now, step)
        if now - last[0] >= min(60, 60 * minutes):
            rate = (step - last[1]) / (now - last[0])
            passed = (now - begin) / 60
            print(f'{passed:4.1f} minutes  {rate:7.1f} updates/s  {resident(pid)} MB', flush=True)
            last = now, step
            if passed >= minutes:
                return


def main(argv: Sequence[str]) -> None:
    """Starts both, and measures."""
    port = PORT.value
    chromium = os.environ.get('CHROMIUM') or next(filter(None, map(shutil.which, NAMES)), None)
    if chromium is None:
        sys.exit('no Chromium in the PATH, and $CHROMIUM is not set')
    server = [sys.executable, 'launch.py', '--config=configs/playground.py', '--mode=playground']
    with tempfile.TemporaryDirectory() as profile, running([*server, f'--port={port}']) as own:
        end = time.monotonic() + 120
        while True:
            with contextlib.suppress(OSError):
                act(port, 'pause')
                break
            if time.monotonic() > end or own.poll() is not None:
                sys.exit('the server did not start')
            time.sleep(0.5)
        page = [chromium, '--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run']
        page += [f'--user-data-dir={profile}', '--window-size=1200,900']
        with running([*page, f'http://{HOST}:{port}/']) as browser:
            time.sleep(5)
            if browser.poll() is not None:
                sys.exit('Chromium did not start')
            measure(port, own.pid, SPEED.value, MINUTES.value)


if __name__ == '__main__':
    app.run(main)
