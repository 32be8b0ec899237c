"""The server in front of a game that is none: who is answered, and what is said to the others."""

import contextlib
import http.client
import json
import socket
import threading
import time

import pytest

from gan_jax.errors import UserError
from gan_jax.playground import server


class Still:
    """What the server asks a live game for."""

    closed = False

    def __init__(self):
        self.acts, self.words = [], []

    def hello(self):
        return {'half': 1.5}

    def act(self, name):
        if name != 'play':
            raise UserError(f'{name!r} is not known;\nsay play')
        self.acts.append(name)

    def change(self, words):
        self.words.append(words)
        return {'compiles': False, 'settings': words}

    def wait(self, version, seconds):
        if version:
            self.closed = True
        return 3, '{"frame": 1}'


@pytest.fixture
def page():
    live = Still()
    with server.Server(0, live) as made:
        threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
        yield made
        made.shutdown()


def ask(page, method, path, body=None, **headers):
    """(status, headers, text); by default what a page of this server would send."""
    port = page.server_port
    headers = {'Host': f'127.0.0.1:{port}', **{k.replace('_', '-'): v for k, v in headers.items()}}
    if body is not None:
        headers = {'Content-Type': 'application/json', **headers}
    with contextlib.closing(http.client.HTTPConnection('127.0.0.1', port, timeout=10)) as asked:
        asked.request(method, path, body=body, headers=headers)
        answer = asked.getresponse()
        return answer.status, answer.headers, answer.read().decode()


def test_the_page_and_all_that_it_loads(page):
    status, headers, text = ask(page, 'GET', '/')
    assert status == 200
    assert headers['Content-Type'] == 'text/html; charset=utf-8'
    assert "default-src 'none'" in headers['Content-Security-Policy']
    assert "frame-ancestors 'none'" in headers['Content-Security-Policy']
    assert 'style.css' in text
    for path in server.FILES:
        assert ask(page, 'GET', path)[0] == 200
    assert json.loads(ask(page, 'GET', '/hello')[2]) == {'half': 1.5}


def test_it_is_bound_to_this_machine_alone(page):
    assert page.server_address[0] == '127.0.0.1'


@pytest.mark.parametrize('path', ['/', '/hello', '/events', '/act', '/nowhere'])
@pytest.mark.parametrize(
    'headers',
    [
        {'Host': 'evil.example'},
        {'Host': '127.0.0.1'},
        {'Host': 'evil.example:{port}'},
        {'Host': '127.0.0.1:1'},
        {'Origin': 'http://evil.example'},
        {'Origin': 'https://127.0.0.1:{port}'},
        {'Origin': 'http://127.0.0.1:1'},
        {'Origin': 'null'},
    ],
)
def test_foreign_requests_are_refused(page, headers, path):
    headers = {name: text.format(port=page.server_port) for name, text in headers.items()}
    method, body = ('POST', '{"do": "play"}') if path == '/act' else ('GET', None)
    status, _, text = ask(page, method, path, body, **headers)
    assert status == 403
    assert text.count('\n') == 1
    assert page.live.acts == []


def test_its_own_pages_are_answered(page):
    port = page.server_port
    for name in ('127.0.0.1', 'localhost'):
        own = {'Host': f'{name}:{port}', 'Origin': f'http://{name}:{port}'}
        assert ask(page, 'POST', '/act', '{"do": "play"}', **own)[0] == 200
    assert page.live.acts == ['play', 'play']
    status, _, text = ask(page, 'POST', '/settings', '{"objective": "hinge"}')
    assert (status, json.loads(text)['settings']) == (200, {'objective': 'hinge'})


@pytest.mark.parametrize(
    ('method', 'path', 'body', 'headers', 'status', 'said'),
    [
        ('GET', '/../server.py', None, {}, 404, 'there is no such page; open /'),
        ('GET', '/page/app.js', None, {}, 404, 'there is no such page'),
        ('POST', '/nowhere', '{}', {}, 404, 'post to /act or /settings'),
        ('POST', '/act', '{"do": "ply"}', {}, 400, "'ply' is not known; say play"),
        ('POST', '/act', '{"do"', {}, 400, 'this is no JSON'),
        ('POST', '/act', '[' * 5000, {}, 400, 'this is no JSON'),
        ('POST', '/settings', '["play"]', {}, 400, 'send an object'),
        ('POST', '/settings', '{}', {'Content_Type': 'text/plain'}, 415, 'send application/json'),
        ('POST', '/settings', '{}', {'Content_Length': '-1'}, 411, 'say Content-Length'),
        ('POST', '/settings', ' ' * 20_000, {}, 413, 'send at most 16384 bytes'),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(page, method, path, body, headers, status, said):
    found, _, text = ask(page, method, path, body, **headers)
    assert found == status
    assert said in text
    assert text.count('\n') == 1
    assert page.live.words == []


def test_events_are_the_newest_frame_once(page):
    status, headers, text = ask(page, 'GET', '/events')
    assert status == 200
    assert headers['Content-Type'].startswith('text/event-stream')
    assert text == 'data: {"frame": 1}\n\n: nothing new\n\n'


def test_only_so_many_at_a_time(page):
    for _ in range(server.MOST):
        assert page.places.acquire(blocking=False)
    status, _, text = ask(page, 'GET', '/')
    assert (status, text) == (503, 'too many pages are open; close some\n')
    page.places.release()
    assert ask(page, 'GET', '/')[0] == 200


def test_a_port_that_is_taken_names_another(page):
    port = page.server_port
    with pytest.raises(UserError, match=f'--port={port}: .*; give another one, such as --port='):
        server.Server(port, page.live)


def test_its_end_is_the_end_of_silent_connections_and_of_all_threads():
    before, begun = {*threading.enumerate()}, time.monotonic()
    with server.Server(0, Still()) as made:
        listener = threading.Thread(target=made.serve_forever, args=(0.01,))
        listener.start()
        place = ('127.0.0.1', made.server_port)
        with socket.create_connection(place), socket.create_connection(place) as kept:
            kept.sendall(b'GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n' % made.server_port)
            assert kept.recv(12) == b'HTTP/1.1 200'
            while len({*threading.enumerate()} - before) < 3:
                assert time.monotonic() < begun + 10
                time.sleep(0.01)
            assert not any(x.daemon for x in {*threading.enumerate()} - before)
            made.shutdown()
            listener.join()
            made.server_close()
            assert {*threading.enumerate()} == before
    assert time.monotonic() < begun + server.PATIENCE


def test_an_error_leaves_no_thread_behind(monkeypatch):
    live, before = Still(), {*threading.enumerate()}
    live.start, live.close = (lambda: None), (lambda: setattr(live, 'closed', True))

    def fails(*_):
        raise RuntimeError('no log')

    monkeypatch.setattr(server, 'Live', lambda base: live)
    monkeypatch.setattr(server.logging, 'info', fails)
    with pytest.raises(RuntimeError, match='no log'):
        server.serve({}, 0)
    assert live.closed
    assert {*threading.enumerate()} == before
