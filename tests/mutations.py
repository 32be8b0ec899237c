"""Breaks the package in known ways, one at a time, and looks whether a test notices.

    python -m tests.mutations [--root=PATH] [--only=SUBSTRING] [--list] [--jobs=N] [--limit=SECONDS]

The mutations stand in mutation_table.py. They are made in a copy of the checkout, never in the
checkout itself. Exit code 1 if more than 3 survive, or one does not apply to this checkout.
"""

import argparse
import os
import pathlib
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

if __package__:
    from tests.mutation_table import OLDER_NAMES, TABLE, Mutation
else:
    from mutation_table import OLDER_NAMES, TABLE, Mutation

MOST_SURVIVORS = 3
LEFT_OUT = ('.git', '__pycache__', '.venv*', 'runs', 'build', 'dist', '.*_cache')
NO_TESTS = 5  # pytest's exit code where none is collected
KILLED, SURVIVED, NOT_FOUND, BROKEN = 'killed', 'SURVIVED', 'NOT FOUND', 'TESTS FAIL WITHOUT IT'


class Place(NamedTuple):
    """Where a mutation goes: a file below the root, what is there, what comes there."""

    file: str
    old: str
    new: str


def find(root: pathlib.Path, mutation: Mutation) -> Place | None:
    """The one place of the first alternative that has exactly one; None if none has."""
    files = {file: file.read_text() for file in sorted((root / 'gan_jax').rglob('*.py'))}
    for old, new in mutation.changes:
        found = [file for file, text in files.items() for _ in range(text.count(old))]
        if len(found) == 1:
            return Place(str(found[0].relative_to(root)), old, new)
    return None


def tests_of(root: pathlib.Path, mutation: Mutation, place: Place) -> list[str] | None:
    """What pytest is given; None if a test file is not there."""
    names, _, chosen = mutation.tests.partition(' -k ')
    given = []
    for name in names.split() or [f'test_{pathlib.Path(place.file).stem}']:
        for other in (name, *OLDER_NAMES.get(name, ())):
            found = sorted((root / 'tests').rglob(f'{other}.py'))
            if found:
                given.append(str(found[0].relative_to(root)))
                break
        else:
            return None
    return [*given, *(['-k', chosen] if chosen else [])]


def run(copy: pathlib.Path, tests: list[str], limit: float) -> tuple[int | None, str]:
    """Pytest's exit code, None if time ran out, and the first test that failed."""
    # Without compiled files: a change of no size within a second would be overlooked.
    environment = os.environ | {'PYTHONPATH': str(copy), 'PYTHONDONTWRITEBYTECODE': '1'}
    command = [sys.executable, '-m', 'pytest', '-x', '-n', '0', '-q', '-p', 'no:cacheprovider']
    try:
        done = subprocess.run(
            [*command, *tests], cwd=copy, env=environment, timeout=limit, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None, f'the time limit, {limit:g} s'
    failed = re.search(r'^(?:FAILED|ERROR) (.*?)(?: - .*)?$', done.stdout, re.MULTILINE)
    file, colons, test = failed[1].partition('::') if failed else ('', '', '')
    said = f'{pathlib.Path(file).name}{colons}{test}' if failed else done.stdout.strip()[-200:]
    return done.returncode, said


class Workplaces:
    """Copies of the checkout, each lent to one thread at a time."""

    def __init__(self, root: pathlib.Path, folder: pathlib.Path, num: int, limit: float):
        self._limit, self._free = limit, queue.SimpleQueue()
        self._whole: dict[tuple, tuple[list[str], str]] = {}
        self._lock = threading.Lock()
        for i in range(num):
            copy = folder / str(i)
            shutil.copytree(root, copy, ignore=shutil.ignore_patterns(*LEFT_OUT), symlinks=True)
            self._free.put(copy)

    def unmutated(self, copy: pathlib.Path, tests: list[str]) -> tuple[list[str], str]:
        """The tests, without -k where it chooses none here, and what failed, '' if nothing did."""
        with self._lock:
            known = self._whole.get(tuple(tests))
        if known is None:
            code, failed = run(copy, tests, self._limit)
            if code == NO_TESTS and '-k' in tests:
                known = self.unmutated(copy, tests[: tests.index('-k')])
            else:
                known = tests, '' if code == 0 else failed
            with self._lock:
                self._whole[tuple(tests)] = known
        return known

    def judge(self, mutation: Mutation) -> tuple[str, str]:
        """What becomes of a mutation, and what it is to be said with it."""
        copy = self._free.get()
        try:
            place = find(copy, mutation)
            if place is None:
                return NOT_FOUND, 'no text to change, or several'
            tests = tests_of(copy, mutation, place)
            if tests is None:
                return NOT_FOUND, 'no test file'
            tests, failed = self.unmutated(copy, tests)
            if failed:
                return BROKEN, failed
            file = copy / place.file
            text = file.read_text()
            file.write_text(text.replace(place.old, place.new))
            try:
                code, failed = run(copy, tests, self._limit)
            finally:
                file.write_text(text)
            if code == 0:
                return SURVIVED, f'{place.file}; {" ".join(tests)}'
            return KILLED, failed
        finally:
            self._free.put(copy)


def main() -> int:
    """Judges the chosen mutations and prints a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    here = pathlib.Path(__file__).resolve().parents[1]
    parser.add_argument('--root', type=pathlib.Path, default=here, help='the checkout')
    parser.add_argument('--only', default='', help='a part of the names of those to be made')
    parser.add_argument('--list', action='store_true', help='name them and where they go, no more')
    parser.add_argument('--jobs', type=int, default=1, help='so many at a time')
    parser.add_argument('--limit', type=float, default=300, help='seconds for a run of the tests')
    options = parser.parse_args()
    chosen = [x for x in TABLE if options.only in x.name]
    if options.list:
        for mutation in chosen:
            place = find(options.root, mutation)
            tests = place and tests_of(options.root, mutation, place)
            print(f'{mutation.name}: {place.file if place else NOT_FOUND}; {tests or NOT_FOUND}')
        return 0
    found: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        places = Workplaces(options.root, pathlib.Path(folder), options.jobs, options.limit)

        def judge(mutation: Mutation) -> tuple[Mutation, str, str, float]:
            start = time.monotonic()
            return mutation, *places.judge(mutation), time.monotonic() - start

        with ThreadPoolExecutor(options.jobs) as pool:
            for mutation, verdict, said, seconds in pool.map(judge, chosen):
                found.setdefault(verdict, []).append(mutation.name)
                print(f'{verdict:9} {mutation.name} ({said}) {seconds:.0f} s', flush=True)
    print(', '.join(f'{len(names)} {verdict}' for verdict, names in found.items()))
    for verdict in (SURVIVED, NOT_FOUND, BROKEN):
        for name in found.get(verdict, ()):
            print(f'  {verdict}: {name}')
    survivors = len(found.get(SURVIVED, ()))
    return int(survivors > MOST_SURVIVORS or NOT_FOUND in found or BROKEN in found)


if __name__ == '__main__':
    sys.exit(main())
