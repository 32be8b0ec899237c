"""The page's server: the standard library's, on this machine alone, with server-sent events.

A web site that is open in the same browser can send requests here, so those with the Host or the
Origin of another are refused, and what changes something must be JSON, which a foreign form cannot
send.
"""

import contextlib
import functools
import http
import importlib.resources
import json
import socket
import sys
import threading
import time
from collections.abc import Mapping
from http import server
from typing import Any

from absl import logging

from gan_jax.errors import UserError
from gan_jax.playground.live import Live
from gan_jax.runtime import progress
from gan_jax.runtime.preemption import Interrupt

ADDRESS = '127.0.0.1'
NAMES = (ADDRESS, 'localhost')
FILES = {
    '/': ('index.html', 'text/html'),
    '/style.css': ('style.css', 'text/css'),
    **{f'/{x}.js': (f'{x}.js', 'text/javascript') for x in ('app', 'controls', 'draw', 'curves')},
}
POSTS = ('/act', '/settings')
LARGEST = 16_384  # bytes of a request's body
MOST = 24  # requests at a time, pages that listen among them
BEAT = 2.0  # seconds after which a page is told that nothing is new
PATIENCE = 20.0  # seconds that a client may take to read or to write
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


class Refused(Exception):
    """A request that is not answered: a status and a line that says why."""

    def __init__(self, status: http.HTTPStatus, line: str):
        super().__init__(line)
        self.status = status


class Handler(server.BaseHTTPRequestHandler):
    """Answers one request; see FILES and POSTS."""

    server_version, sys_version = 'gan_jax', ''
    protocol_version = 'HTTP/1.1'
    timeout = PATIENCE
    server: 'Server'

    def do_GET(self) -> None:
        """A file of the page, its controls, or the events."""
        self._answer(self._get)

    def do_POST(self) -> None:
        """Something to do, or settings to change."""
        self._answer(self._post)

    def _answer(self, reply: Any) -> None:
        if not self.server.places.acquire(blocking=False):
            self.close_connection = True
            self._send(http.HTTPStatus.SERVICE_UNAVAILABLE, 'too many pages are open; close some\n')
            return
        try:
            self._check()
            reply()
        except Refused as error:
            self.close_connection = True  # what else was sent has not been read
            self._send(error.status, f'{error}\n')
        except UserError as error:
            self._send(http.HTTPStatus.BAD_REQUEST, f'{" ".join(str(error).split())}\n')
        except (ConnectionError, TimeoutError):
            self.close_connection = True
        finally:
            self.server.places.release()

    def _check(self) -> None:
        """Raises Refused unless the request is of a page of this server, or of no page."""
        port = self.server.server_port
        hosts = {f'{name}:{port}' for name in NAMES}
        if self.headers.get_all('Host', []) not in [[x] for x in hosts]:
            raise Refused(http.HTTPStatus.FORBIDDEN, f'open http://{ADDRESS}:{port}/ instead')
        origins = self.headers.get_all('Origin', [])
        if any(x not in {f'http://{host}' for host in hosts} for x in origins):
            raise Refused(http.HTTPStatus.FORBIDDEN, 'another site may not use this one')

    def _get(self) -> None:
        path = self.path.partition('?')[0]
        if path == '/events':
            self._events()
        elif path == '/hello':
            self._send(http.HTTPStatus.OK, json.dumps(self.server.live.hello()), 'application/json')
        elif path in FILES:
            name, kind = FILES[path]
            self._send(http.HTTPStatus.OK, _file(name), kind)
        else:
            raise Refused(http.HTTPStatus.NOT_FOUND, 'there is no such page; open / instead')

    def _post(self) -> None:
        if self.path not in POSTS:
            raise Refused(http.HTTPStatus.NOT_FOUND, f'post to {" or ".join(POSTS)}')
        words = self._body()
        if self.path == '/act':
            self.server.live.act(words.get('do'))
            answer: Mapping[str, Any] = {}
        else:
            answer = self.server.live.change(words)
        self._send(http.HTTPStatus.OK, json.dumps(answer), 'application/json')

    def _body(self) -> dict[str, Any]:
        """The object that was sent.

        Raises:
          Refused: if it is no JSON, too long, or no object.
        """
        if self.headers.get_content_type() != 'application/json':
            raise Refused(http.HTTPStatus.UNSUPPORTED_MEDIA_TYPE, 'send application/json')
        length = self.headers.get('Content-Length', '')
        if not (length.isascii() and length.isdigit()):
            raise Refused(http.HTTPStatus.LENGTH_REQUIRED, 'say Content-Length')
        if int(length) > LARGEST:
            raise Refused(http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f'send at most {LARGEST} bytes')
        try:
            words = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            raise Refused(http.HTTPStatus.BAD_REQUEST, 'this is no JSON') from None
        if not isinstance(words, dict):
            raise Refused(http.HTTPStatus.BAD_REQUEST, 'send an object, {"key": "text"}')
        return words

    def _events(self) -> None:
        """Sends the newest frame whenever there is another one, until the page is closed."""
        self.close_connection = True
        self.send_response(http.HTTPStatus.OK)
        self._headers('text/event-stream')
        self.end_headers()
        version, live = 0, self.server.live
        while not live.closed:
            before, (version, text) = version, live.wait(version, BEAT)
            line = f'data: {text}\n\n' if version != before else ': nothing new\n\n'
            self.wfile.write(line.encode())
            self.wfile.flush()

    def _headers(self, kind: str) -> None:
        self.send_header('Content-Type', f'{kind}; charset=utf-8')
        self.send_header('Cache-Control', 'no-store')
        self.send_header('Content-Security-Policy', POLICY)
        self.send_header('X-Content-Type-Options', 'nosniff')
        self.send_header('Cross-Origin-Resource-Policy', 'same-origin')
        self.send_header('Referrer-Policy', 'no-referrer')
        if self.close_connection:
            self.send_header('Connection', 'close')

    def _send(self, status: http.HTTPStatus, text: str | bytes, kind: str = 'text/plain') -> None:
        data = text if isinstance(text, bytes) else text.encode()
        self.send_response(status)
        self._headers(kind)
        self.send_header('Content-Length', str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing of single requests."""


@functools.cache
def _file(name: str) -> bytes:
    return (importlib.resources.files('gan_jax.playground') / 'page' / name).read_bytes()


class Server(server.ThreadingHTTPServer):
    """The server of one live game.

    Attributes:
      live: the game.
      places: MOST of them, one to a request.
    """

    daemon_threads = False  # one that lets go of arrays while Python ends would abort it

    def __init__(self, port: int, live: Live):
        """Binds; port 0 is any that is free.

        Raises:
          UserError: if the port is taken or may not be used.
        """
        self.live, self.places = live, threading.BoundedSemaphore(MOST)
        self._open: set[socket.socket] = set()
        try:
            super().__init__((ADDRESS, port), Handler)
        except OSError as error:
            raise UserError(
                f'--port={port}: {error.strerror}; give another one, such as --port={port + 1}'
            ) from error

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answers in a thread."""
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Lets go of a connection."""
        self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Ends every connection, those that wait for a browser too, and their threads."""
        for request in tuple(self._open):
            with contextlib.suppress(OSError):  # it may be gone
                request.shutdown(socket.SHUT_RDWR)
        super().server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing of browsers that go away, and all of mistakes."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


def serve(base: Mapping[str, Any], port: int) -> None:
    """Shows the page until Ctrl-C or SIGTERM.

    Args:
      base: the config of the command line.
      port: of 127.0.0.1.

    Raises:
      UserError: if the config cannot be played here, or the port not be had.
    """
    live = Live(base)
    page = Server(port, live)
    listener = threading.Thread(target=page.serve_forever, daemon=True)
    with Interrupt() as interrupt, page:
        try:
            live.start()
            listener.start()
            logging.info(
                'open http://%s:%d/ in a browser; Ctrl-C ends it', ADDRESS, page.server_port
            )
            while interrupt.name is None:
                time.sleep(0.2)
        finally:
            with progress.lines('waiting for what is compiled or computed'):
                live.close()
            page.shutdown()
            if listener.is_alive():
                listener.join()
