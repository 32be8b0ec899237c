"""A headless Chromium, spoken to over two pipes by the DevTools protocol; no library is needed."""

import base64
import fcntl
import itertools
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import sys
import time

NAMES = ('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome')
# Chromium reads commands from descriptor 3 and writes to 4.
CHILD = 'import os, sys; a, b = map(int, sys.argv[1:3]); os.dup2(a, 3); os.dup2(b, 4); '
CHILD += 'os.execv(sys.argv[3], sys.argv[3:])'
KEYS = {'ArrowLeft': 37, 'ArrowUp': 38, 'ArrowRight': 39, 'Home': 36, 'r': 82, 'g': 71}
KEYS |= {' ': 32, 's': 83, 'd': 68, 'Enter': 13, 'Tab': 9}


def find():
    """The path of a Chromium: that of $CHROMIUM, or of the first name in the PATH; or None."""
    return os.environ.get('CHROMIUM') or next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page. `events` holds all that it told of itself so far."""

    def __init__(self, profile: pathlib.Path, width=1200, height=900, dark=False):
        self.events = []
        self._ids = itertools.count(1)
        self._buffer = b''
        pipes = [*os.pipe(), *os.pipe()]
        # Out of the way of 3 and 4 in the child.
        read, self._write, self._read, write = (fcntl.fcntl(x, fcntl.F_DUPFD, 10) for x in pipes)
        for x in pipes:
            os.close(x)
        command = [find(), '--headless=new', '--remote-debugging-pipe', '--no-sandbox']
        command += ['--disable-gpu', '--disable-dev-shm-usage', '--hide-scrollbars']
        command += ['--no-first-run', '--disable-background-networking', '--disable-extensions']
        command += [f'--user-data-dir={profile}', 'about:blank']
        self._process = subprocess.Popen(
            [sys.executable, '-c', CHILD, str(read), str(write), *command],
            pass_fds=(read, write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(read)
        os.close(write)
        self._session = None
        target = self.call('Target.createTarget', url='about:blank')['targetId']
        attached = self.call('Target.attachToTarget', targetId=target, flatten=True)
        self._session = attached['sessionId']
        for domain in ('Page', 'Runtime', 'Log', 'Network'):
            self.call(f'{domain}.enable')
        self.size(width, height)
        scheme = {'name': 'prefers-color-scheme', 'value': 'dark' if dark else 'light'}
        self.call('Emulation.setEmulatedMedia', features=[scheme])

    def close(self):
        try:
            self._session = None
            self.call('Browser.close')
            self._process.wait(5)
        except (OSError, RuntimeError, TimeoutError, subprocess.TimeoutExpired):
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        os.close(self._write)
        os.close(self._read)

    def call(self, method, **params):
        number = next(self._ids)
        message = {'id': number, 'method': method, 'params': params}
        if self._session:
            message['sessionId'] = self._session
        os.write(self._write, json.dumps(message).encode() + b'\0')
        while True:
            answer = self._next()
            if answer.get('id') == number:
                if 'error' in answer:
                    raise RuntimeError(f'{method}: {answer["error"]}')
                return answer['result']
            self.events.append(answer)

    def _next(self, seconds=20):
        while b'\0' not in self._buffer:
            if not select.select([self._read], [], [], seconds)[0]:
                raise TimeoutError(f'Chromium is silent for {seconds} s')
            data = os.read(self._read, 1 << 20)
            if not data:
                raise RuntimeError('Chromium has ended')
            self._buffer += data
        message, self._buffer = self._buffer.split(b'\0', 1)
        return json.loads(message)

    def open(self, file: pathlib.Path):
        self.call('Page.navigate', url=file.resolve().as_uri())
        self.until("document.readyState === 'complete' && location.protocol === 'file:'")

    def visit(self, url):
        """Opens a page of a server, anew even if only its fragment differs."""
        self.call('Page.navigate', url='about:blank')
        self.until("location.href === 'about:blank'")
        self.call('Page.navigate', url=url)
        self.until(f"document.readyState === 'complete' && location.href.startsWith({url!r})")

    def evaluate(self, expression):
        """The value of JavaScript as what JSON gives."""
        result = self.call(
            'Runtime.evaluate', expression=expression, returnByValue=True, awaitPromise=True
        )
        if 'exceptionDetails' in result:
            raise RuntimeError(result['exceptionDetails']['exception'].get('description'))
        return result['result'].get('value')

    def until(self, expression, seconds=10):
        end = time.monotonic() + seconds
        while not self.evaluate(expression):
            if time.monotonic() > end:
                raise TimeoutError(expression)
            time.sleep(0.02)

    def center(self, selector):
        """The middle of an element in the window, scrolled to."""
        return self.evaluate(f"""(() => {{
          const element = document.querySelector({json.dumps(selector)});
          element.scrollIntoView({{block: 'center'}});
          const box = element.getBoundingClientRect();
          return [box.x + box.width / 2, box.y + box.height / 2];
        }})()""")

    def click(self, selector):
        """A real click of the mouse in the middle of the element."""
        x, y = self.center(selector)
        for kind in ('mousePressed', 'mouseReleased'):
            self.mouse(kind, x, y, button='left', clickCount=1)

    def mouse(self, kind, x, y, **more):
        self.call('Input.dispatchMouseEvent', type=kind, x=x, y=y, **more)

    def press(self, key):
        """A key, pressed and let go."""
        about = {'key': key, 'windowsVirtualKeyCode': KEYS[key]}
        text = {'text': key} if len(key) == 1 else {}
        self.call('Input.dispatchKeyEvent', type='keyDown', **about, **text)
        self.call('Input.dispatchKeyEvent', type='keyUp', **about)

    def size(self, width, height=900):
        self.call(
            'Emulation.setDeviceMetricsOverride',
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def screenshot(self, file: pathlib.Path, whole=True):
        png = self.call('Page.captureScreenshot', captureBeyondViewport=whole)['data']
        file.write_bytes(base64.b64decode(png))

    def complaints(self):
        """What went to the console as a warning or error, and exceptions that nobody caught."""
        self.evaluate('0')
        found = []
        for event in self.events:
            params = event.get('params', {})
            if event.get('method') == 'Runtime.exceptionThrown':
                found.append(params['exceptionDetails'])
            if event.get('method') == 'Runtime.consoleAPICalled':
                found += [params] if params['type'] in ('error', 'warning', 'assert') else []
            if event.get('method') == 'Log.entryAdded':
                found.append(params['entry'])
        return found

    def requests(self):
        """The addresses of all requests, of whatever kind."""
        self.evaluate('0')
        sent = [e for e in self.events if e.get('method') == 'Network.requestWillBeSent']
        return [e['params']['request']['url'] for e in sent]
