"""A bucket on this machine: gcp-storage-emulator, with the preconditions that it leaves out.

The emulator overwrites whatever `ifGenerationMatch` says and does not name the generation of what
is downloaded. Cloud storage does both, and the lock and Orbax's arrays rest on it, so they are
added here; it answers one request after the other, so a check and what follows it are one step.

python tests/emulator.py PORT BUCKET
"""

import contextlib
import importlib.util
import socket
import subprocess
import sys
import time
from http import HTTPStatus

BUCKET = 'bucket'


def environment(port):
    """What has gcsfs, Google's client and tensorstore talk to it."""
    return {
        'STORAGE_EMULATOR_HOST': f'http://localhost:{port}',
        'TENSORSTORE_GCS_HTTP_URL': f'http://localhost:{port}',
        'GOOGLE_CLOUD_PROJECT': 'emulated',
        # What kind of bucket it is would be asked of another server.
        'GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT': 'false',
    }


def missing():
    """Why it cannot be started here; nothing if it can."""
    for package in ('gcsfs', 'gcp_storage_emulator'):
        if importlib.util.find_spec(package) is None:
            return f'{package} is not installed: pip install gcsfs gcp-storage-emulator'
    return ''


@contextlib.contextmanager
def started():
    """Runs it in a process of its own, with one empty bucket; yields its environment."""
    with socket.socket() as probe:
        probe.bind(('localhost', 0))
        port = probe.getsockname()[1]
    command = [sys.executable, __file__, str(port), BUCKET]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            with contextlib.suppress(OSError), socket.create_connection(('localhost', port), 1):
                break
            time.sleep(0.1)
        yield environment(port)
    finally:
        process.kill()
        process.wait()


def _generation(request, storage, name):
    from gcp_storage_emulator.exceptions import NotFound

    try:
        return storage.get_file_obj(request.params['bucket_name'], name)['generation']
    except NotFound:
        return '0'


def _name(request):
    if 'name' in request.query:
        return request.query['name'][0]
    if 'object_id' in request.params:
        return request.params['object_id']
    data = request.data if isinstance(request.data, dict) else {}
    return data.get('meta', data).get('name')


def conditional(handler):
    """A handler that first compares the generation, as Cloud Storage does."""

    def handle(request, response, storage, *args, **kwargs):
        query, name = request.query, _name(request)
        before = _generation(request, storage, name) if name else '0'
        wrong = query.get('ifGenerationMatch', [before])[0] != before
        same = query.get('ifGenerationNotMatch', [None])[0] == before
        if wrong or same:
            response.status = HTTPStatus.PRECONDITION_FAILED if wrong else HTTPStatus.NOT_MODIFIED
            return
        handler(request, response, storage, *args, **kwargs)
        if name and request.method == 'GET' and before != '0':
            response['x-goog-generation'] = before
            response['x-goog-stored-content-encoding'] = 'identity'

    return handle


def serve(port, bucket):
    """Runs until it is killed."""
    from gcp_storage_emulator import server
    from gcp_storage_emulator.handlers import objects

    own = {objects.insert, objects.get, objects.download, objects.delete, objects.xml_upload}
    server.HANDLERS = tuple(
        (pattern, {x: conditional(y) if y in own else y for x, y in methods.items()})
        for pattern, methods in server.HANDLERS
    )
    server.create_server('localhost', port, in_memory=True, default_bucket=bucket).run()


if __name__ == '__main__':
    serve(int(sys.argv[1]), sys.argv[2])
